package server

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/spanlite/spanlite/raftgroup"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// metricsHandler serves the node's figures in Prometheus' form, from a registry
// of its own: several nodes may share a process.
func (n *Node) metricsHandler() http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "spanlite_sql_connections", Help: "Open connections of SQL clients.",
	}, func() float64 { return float64(n.wire.Connections()) }))
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "spanlite_ready", Help: "1 if the node serves clients.",
	}, func() float64 {
		if n.ready.Load() && !n.draining.Load() {
			return 1
		}
		return 0
	}))
	r.MustRegister(
		newCounters("store", n.store.Metrics(), "Ranges", "Leases", "Uninitialized", "FailedReplicas", "RangesUnderstaffed"),
		newCounters("txn", n.db.Metrics()),
		newCounters("sql", n.sql.Metrics()),
		newCounters("dist", n.dist.Metrics()),
		newCounters("rpc", n.dialer.Metrics()),
		newCounters("raft", n.raftMetrics, raftgroup.MetricsGauges...),
		(*raftCollector)(n),
		(*liveCollector)(n),
	)
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}

// counters exposes the exported atomic fields of a struct: a package counts in
// plain atomics and needs to know nothing of who reads them.
type counters struct {
	fields []counter
}

type counter struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	load func() float64
}

// newCounters takes a pointer to a struct. Fields not named in gauges only grow.
func newCounters(subsystem string, metrics any, gauges ...string) *counters {
	c := new(counters)
	v := reflect.ValueOf(metrics).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() {
			continue
		}
		var load func() float64
		switch a := v.Field(i).Addr().Interface().(type) {
		case interface{ Load() int64 }:
			load = func() float64 { return float64(a.Load()) }
		case interface{ Load() uint64 }:
			load = func() float64 { return float64(a.Load()) }
		default:
			continue
		}
		name, kind := "spanlite_"+subsystem+"_"+snakeCase(f.Name), prometheus.GaugeValue
		if !slices.Contains(gauges, f.Name) {
			name, kind = name+"_total", prometheus.CounterValue
		}
		help := strings.ReplaceAll(snakeCase(f.Name), "_", " ") + " (" + subsystem + ")"
		c.fields = append(c.fields, counter{prometheus.NewDesc(name, help, nil, nil), kind, load})
	}
	return c
}

// snakeCase turns GCBytes into gc_bytes.
func snakeCase(s string) string {
	var b strings.Builder
	r := []rune(s)
	for i, c := range r {
		if unicode.IsUpper(c) && i > 0 && (unicode.IsLower(r[i-1]) || i+1 < len(r) && unicode.IsLower(r[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

// Describe implements prometheus.Collector.
func (c *counters) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range c.fields {
		ch <- f.desc
	}
}

// Collect implements prometheus.Collector.
func (c *counters) Collect(ch chan<- prometheus.Metric) {
	for _, f := range c.fields {
		ch <- prometheus.MustNewConstMetric(f.desc, f.kind, f.load())
	}
}

// liveCollector takes the figures that are not kept as counters: the engine's,
// the peers', and the errors by SQLSTATE.
type liveCollector Node

var (
	descErrors      = prometheus.NewDesc("spanlite_sql_errors_total", "Errors sent to clients, by SQLSTATE.", []string{"sqlstate"}, nil)
	descPeerLive    = prometheus.NewDesc("spanlite_node_live", "1 if this node hears the other.", []string{"node"}, nil)
	descClockOffset = prometheus.NewDesc("spanlite_clock_offset_seconds", "Lead of another node's clock over this one's.", []string{"node"}, nil)

	engineDescs = []struct {
		desc *prometheus.Desc
		kind prometheus.ValueType
	}{
		{engineDesc("disk_bytes", "Bytes of the state engine on disk."), prometheus.GaugeValue},
		{engineDesc("memtable_bytes", "Bytes in memory tables."), prometheus.GaugeValue},
		{engineDesc("l0_sublevels", "Sublevels of level 0: what a point read may have to look at."), prometheus.GaugeValue},
		{engineDesc("read_amplification", "Tables that a point read may have to look at."), prometheus.GaugeValue},
		{engineDesc("compaction_debt_bytes", "Bytes that wait for compaction."), prometheus.GaugeValue},
		{engineDesc("cache_bytes", "Bytes in the block cache."), prometheus.GaugeValue},
		{engineDesc("compactions_total", "Compactions since the start."), prometheus.CounterValue},
		{engineDesc("flushes_total", "Flushes since the start."), prometheus.CounterValue},
		{engineDesc("cache_hits_total", "Blocks found in the cache."), prometheus.CounterValue},
		{engineDesc("cache_misses_total", "Blocks read from disk."), prometheus.CounterValue},
	}
)

func engineDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("spanlite_engine_"+name, help, nil, nil)
}

// Describe implements prometheus.Collector.
func (c *liveCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- descErrors
	ch <- descPeerLive
	ch <- descClockOffset
	for _, d := range engineDescs {
		ch <- d.desc
	}
}

// Collect implements prometheus.Collector.
func (c *liveCollector) Collect(ch chan<- prometheus.Metric) {
	c.sql.Metrics().Errors(func(code sqlstate.Code, count int64) {
		ch <- prometheus.MustNewConstMetric(descErrors, prometheus.CounterValue, float64(count), string(code))
	})
	for _, s := range c.registry.Snapshot() {
		live := 0.0
		if s.Alive {
			live = 1
		}
		ch <- prometheus.MustNewConstMetric(descPeerLive, prometheus.GaugeValue, live, s.Node.String())
	}
	for _, o := range c.dialer.Offsets() {
		ch <- prometheus.MustNewConstMetric(descClockOffset, prometheus.GaugeValue, o.Offset.Seconds(), o.Node.String())
	}
	m := c.engine.Metrics()
	for i, v := range []float64{
		float64(m.DiskBytes), float64(m.MemTableBytes), float64(m.L0Sublevels), float64(m.ReadAmp), float64(m.CompactionDebt),
		float64(m.CacheBytes), float64(m.Compactions), float64(m.Flushes), float64(m.CacheHits), float64(m.CacheMisses),
	} {
		ch <- prometheus.MustNewConstMetric(engineDescs[i].desc, engineDescs[i].kind, v)
	}
}
