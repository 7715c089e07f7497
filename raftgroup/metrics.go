package raftgroup

import (
	"sync/atomic"
	"time"
)

// Metrics counts what happens in a Host. The caller hands one in with the Config
// and reads it whenever it likes.
type Metrics struct {
	// Proposals were appended by leaders here; ProposalWaits had to wait in line
	// because too many bytes were in flight.
	Proposals, ProposalWaits atomic.Int64
	// Appends are writes of groups to the log, of Entries entries; EntriesApplied have
	// been handed to state machines.
	Appends, Entries, EntriesApplied atomic.Int64
	// Ticks were delivered to groups that are awake.
	Ticks atomic.Int64
	// Campaigns were begun here, ElectionsWon of them with success; LeasesLost are
	// leases that ended other than by a transfer.
	Campaigns, ElectionsWon, LeasesLost atomic.Int64
	// SupportWithdrawn counts stores for which this one has withdrawn support,
	// SupportLost stores whose support for this one ran out.
	SupportWithdrawn, SupportLost atomic.Int64
	// Images sent and received in full, and those that failed on either side.
	SnapshotsSent, SnapshotsReceived, SnapshotsFailed atomic.Int64
	// MessagesReceived of other replicas; MessagesDropped found a mailbox full.
	MessagesReceived, MessagesDropped atomic.Int64

	// Gauges, brought up to date with every tick: bytes of proposals in flight and in
	// line, bytes of messages in mailboxes, and groups for which a timer runs.
	InflightBytes, MailboxBytes, GroupsAwake atomic.Int64

	// SyncSeconds is the time that syncs of the log took, SyncEntries how many
	// entries, of any groups, each made durable.
	SyncSeconds Histogram
	SyncEntries Histogram
}

// MetricsGauges names the fields of Metrics that go up and down.
var MetricsGauges = []string{"InflightBytes", "MailboxBytes", "GroupsAwake"}

var (
	syncSecondsBounds = []float64{50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 100e-3, 200e-3, 500e-3, 1, 2, 5}
	syncEntriesBounds = []float64{0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}
)

// NewMetrics returns metrics at zero.
func NewMetrics() *Metrics {
	m := new(Metrics)
	m.SyncSeconds.init(syncSecondsBounds)
	m.SyncEntries.init(syncEntriesBounds)
	return m
}

func (m *Metrics) noteSync(took time.Duration, entries int) {
	m.SyncSeconds.Observe(took.Seconds())
	m.SyncEntries.Observe(float64(entries))
}

func (m *Metrics) noteImage(done *atomic.Int64, err error) {
	if err != nil {
		done = &m.SnapshotsFailed
	}
	done.Add(1)
}

// Histogram counts values in fixed buckets. Safe for concurrent use; made by
// NewMetrics.
type Histogram struct {
	bounds  []float64
	buckets []atomic.Int64 // the last one is for what exceeds all bounds
	// sum is in millionths.
	sum atomic.Int64
}

func (h *Histogram) init(bounds []float64) {
	h.bounds, h.buckets = bounds, make([]atomic.Int64, len(bounds)+1)
}

// Observe counts v.
func (h *Histogram) Observe(v float64) {
	i := 0
	for i < len(h.bounds) && v > h.bounds[i] {
		i++
	}
	h.buckets[i].Add(1)
	h.sum.Add(int64(v * 1e6))
}

// Load returns the number of values, their sum, and for each bound how many were at
// or below it.
func (h *Histogram) Load() (count uint64, sum float64, cumulative map[float64]uint64) {
	cumulative = make(map[float64]uint64, len(h.bounds))
	for i, b := range h.bounds {
		count += uint64(h.buckets[i].Load())
		cumulative[b] = count
	}
	count += uint64(h.buckets[len(h.bounds)].Load())
	return count, float64(h.sum.Load()) / 1e6, cumulative
}
