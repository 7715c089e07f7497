package raftgroup

import (
	"context"
	"sync"

	"go.etcd.io/raft/v3"
)

// This file gives log back (I3): entries go only when their effects are durable
// in the state engine, and when no live follower within bounds needs them.

// stragglerShare is the part of the oldest segment that may be written forward to
// free it.
const stragglerShare = 0.25

// truncateAsNeeded runs about once a second.
func (h *Host) truncateAsNeeded() {
	size := h.log.Size()
	if size < 2*h.cfg.SegmentSize {
		return
	}
	if !h.truncating.CompareAndSwap(false, true) {
		return
	}
	if !h.background(func(context.Context) {
		defer h.truncating.Store(false)
		_ = h.TruncateLog(size > h.cfg.MaxLogBytes)
	}) {
		h.truncating.Store(false)
	}
}

// TruncateLog gives back what log it can, flushing the state engine if force is
// set. The Host does it by itself as the log grows; this is for tests and tools.
func (h *Host) TruncateLog(force bool) error {
	if force {
		if err := h.cfg.FlushState(); err != nil {
			return err
		}
	}
	var groups []*Group
	var ids []GroupID
	for _, g := range h.Groups() {
		if g.log.Bytes() > 0 {
			groups = append(groups, g)
			ids = append(ids, g.id)
		}
	}
	applied := make([]Index, len(ids))
	if err := h.cfg.DurableApplied(ids, applied); err != nil {
		return err
	}
	var wg sync.WaitGroup
	for i, g := range groups {
		if applied[i] == 0 {
			continue
		}
		wg.Add(1)
		if !g.callOr(func() {
			defer wg.Done()
			g.truncate(uint64(applied[i]))
		}, wg.Done) {
			wg.Done()
		}
	}
	if h.cfg.Manual {
		h.RunPending()
	}
	// Every group either has its turn or drops the call as it stops.
	wg.Wait()
	freed, err := h.log.Reclaim(stragglerShare)
	if freed > 0 && h.cfg.Events.LogTruncated != nil {
		h.cfg.Events.LogTruncated(freed, h.log.Size())
	}
	return err
}

// truncate forgets entries up to index, but keeps what followers that are alive
// still need, within a bound. In the group's turn.
func (g *Group) truncate(index uint64) {
	if g.failed != nil {
		return
	}
	if g.state == raft.StateLeader && !g.alone() {
		g.rn.WithProgress(func(id uint64, _ raft.ProgressType, pr trackerProgress) {
			m := g.leader(id)
			if id == uint64(g.replica) || pr.Match >= index || !g.h.StoreAlive(m.Store) {
				return
			}
			if g.log.BytesAfter(pr.Match) <= g.h.cfg.MaxFollowerLagBytes {
				index = pr.Match
			}
		})
	}
	g.log.Truncate(index)
}
