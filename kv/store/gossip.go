package store

import (
	"sync"
	"sync/atomic"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/liveness"
)

// gossip is what this store tells others with its heartbeats, and what it has
// heard of range 1.
type gossip struct {
	payload atomic.Pointer[[]byte]
	load    atomic.Pointer[liveness.Load]
	heard   atomic.Pointer[kv.RangeDescriptor]
	// dirty: range 1's descriptor has changed since the payload was made.
	dirty atomic.Bool

	descChanged broadcast

	// The counters at the last refresh, for rates; owned by pulse.
	lastBatches uint64
	lastMicros  int64
}

// broadcast wakes everybody who waits.
type broadcast struct {
	mu sync.Mutex
	ch chan struct{}
}

func (b *broadcast) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *broadcast) broadcast() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}

// refresh computes the figures anew. Called by pulse.
func (g *gossip) refresh(s *Store) {
	now := s.cfg.Clock.Physical()
	batches := s.metrics.Reads.Load() + s.metrics.Writes.Load()
	load := liveness.Load{Ranges: int32(s.metrics.Ranges.Load()), Leases: int32(s.metrics.Leases.Load())}
	if dt := float64(now-g.lastMicros) / 1e6; g.lastMicros > 0 && dt > 0 {
		load.QPS = float64(batches-g.lastBatches) / dt
	}
	g.lastBatches, g.lastMicros = batches, now
	m := s.cfg.Engine.Metrics()
	load.UsedBytes, load.L0Sublevels = int64(m.DiskBytes), int32(m.L0Sublevels)
	if s.cfg.Disk != nil {
		load.CapacityBytes, load.AvailableBytes = s.cfg.Disk()
	}
	g.load.Store(&load)
	g.encode(s)
	self := liveness.Gossip{Record: s.cfg.Record, Load: load}
	if self.Record.Node != 0 {
		s.cfg.Registry.Observe(&self)
	}
}

func (g *gossip) encode(s *Store) []byte {
	g.dirty.Store(false)
	msg := liveness.Gossip{Record: s.cfg.Record}
	if l := g.load.Load(); l != nil {
		msg.Load = *l
	}
	if d := s.FirstRange(); d != nil {
		msg.FirstRange = d.Encode(nil)
	}
	enc := msg.Encode(nil)
	g.payload.Store(&enc)
	return enc
}

// gossipPayload is raftgroup.Config.LivenessPayload.
func (s *Store) gossipPayload(keys.StoreID) []byte {
	if s.cfg.Record.Node == 0 {
		return nil
	}
	if p := s.gossip.payload.Load(); p != nil && !s.gossip.dirty.Load() {
		return *p
	}
	return s.gossip.encode(s)
}

// onGossip is raftgroup.Config.OnLivenessPayload.
func (s *Store) onGossip(from keys.StoreID, payload []byte) {
	var g liveness.Gossip
	if err := g.Decode(payload); err != nil || g.Record.Store != from {
		return // of a version that we do not know
	}
	if len(g.FirstRange) > 0 {
		d := new(kv.RangeDescriptor)
		if d.Decode(append([]byte(nil), g.FirstRange...)) == nil && d.RangeID == keys.MetaRangeID {
			if old := s.gossip.heard.Load(); old == nil || old.Generation < d.Generation {
				s.gossip.heard.Store(d)
			}
		}
	}
	s.cfg.Registry.Observe(&g)
}
