package server

import (
	"github.com/prometheus/client_golang/prometheus"
)

// raftCollector takes the figures of the log's syncs and of the transport between
// stores, which are not kept as plain counters.
type raftCollector Node

var (
	descSyncSeconds = prometheus.NewDesc("spanlite_raft_sync_seconds", "Time that a sync of the log took.", nil, nil)
	descSyncEntries = prometheus.NewDesc("spanlite_raft_sync_entries", "Log entries that a sync made durable.", nil, nil)

	descTransportMessages = transportDesc("messages_total", "Messages handed to the network.")
	descTransportFrames   = transportDesc("frames_total", "Batches of messages handed to the network.")
	descTransportBytes    = transportDesc("bytes_total", "Bytes handed to the network.")
	descTransportDropped  = transportDesc("dropped_total", "Messages dropped because their queue was full.")
	descTransportLost     = transportDesc("frames_lost_total", "Batches that could not be sent.")
	descTransportQueued   = transportDesc("queued_bytes", "Bytes that wait to be sent.")
	descTransportSlow     = transportDesc("slow_peers", "Stores that take messages more slowly than they come.")
)

func transportDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("spanlite_transport_"+name, help, nil, nil)
}

// Describe implements prometheus.Collector.
func (c *raftCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descSyncSeconds, descSyncEntries, descTransportMessages, descTransportFrames, descTransportBytes, descTransportDropped,
		descTransportLost, descTransportQueued, descTransportSlow,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *raftCollector) Collect(ch chan<- prometheus.Metric) {
	count, sum, buckets := c.raftMetrics.SyncSeconds.Load()
	ch <- prometheus.MustNewConstHistogram(descSyncSeconds, count, sum, buckets)
	count, sum, buckets = c.raftMetrics.SyncEntries.Load()
	ch <- prometheus.MustNewConstHistogram(descSyncEntries, count, sum, buckets)
	if c.transport == nil {
		return
	}
	s := c.transport.Stats()
	for _, m := range []struct {
		desc *prometheus.Desc
		kind prometheus.ValueType
		v    int64
	}{
		{descTransportMessages, prometheus.CounterValue, s.Messages},
		{descTransportFrames, prometheus.CounterValue, s.Frames},
		{descTransportBytes, prometheus.CounterValue, s.Bytes},
		{descTransportDropped, prometheus.CounterValue, s.Dropped},
		{descTransportLost, prometheus.CounterValue, s.FramesLost},
		{descTransportQueued, prometheus.GaugeValue, s.QueuedBytes},
		{descTransportSlow, prometheus.GaugeValue, s.SlowPeers},
	} {
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, float64(m.v))
	}
}
