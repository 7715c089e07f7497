package raftgroup

import (
	"go.etcd.io/raft/v3"
)

// This file ends replicas: those that fail, and those that are told to.

// fail stops the replica: its state can no longer be trusted to follow the log.
func (g *Group) fail(err error) {
	g.failed = &GroupFailedError{Group: g.id, Cause: err}
	g.box.Lock()
	if g.box.closed == nil {
		g.box.closed = g.failed
		close(g.gone)
	}
	waiting := g.box.proposals
	g.box.proposals = nil
	g.box.Unlock()
	g.late = nil
	for _, p := range waiting {
		p.finish(0, g.failed)
	}
	g.abandonPending(err)
	g.lease.Store(&leaseState{term: Term(g.term)})
	g.machine.LeaseChanged(Lease{Term: Term(g.term)})
	if g.state == raft.StateLeader {
		// Its store is well, so the followers would wait for ever.
		g.h.disown(g)
	}
	if f := g.h.cfg.Events.GroupFailed; f != nil {
		f(g.id, g.replica, err)
	}
}

// Stop ends processing of the group, and waits for the step that may be under
// way; the log keeps it. It may be called from another group's Apply, and more
// than once. Proposals that wait end as ambiguous if they are in the log.
func (g *Group) Stop() {
	g.h.forget(g)
	g.stop()
}

func (g *Group) stop() {
	g.box.Lock()
	if g.box.stopping {
		for !g.box.stopped {
			g.box.idle.Wait()
		}
		g.box.Unlock()
		return
	}
	g.box.stopping = true
	if g.box.closed == nil {
		g.box.closed = ErrStopped
		close(g.gone)
	}
	waiting, messages, calls := g.box.proposals, g.box.messages, g.box.calls
	g.box.proposals, g.box.messages, g.box.calls, g.box.ticks = nil, nil, nil, 0
	g.h.inbox.Add(-int64(g.box.bytes))
	g.box.bytes = 0
	if g.box.queued && g.h.ready.remove(g) {
		// Its turn was nobody's yet. All workers may be busy, with those who wait here
		// even.
		g.box.queued, g.box.busy = false, false
	}
	for g.box.busy {
		g.box.idle.Wait()
	}
	g.box.busy = true // nobody takes it again
	g.box.Unlock()
	for _, p := range waiting {
		p.finish(0, ErrStopped)
	}
	drop(calls, messages, ErrStopped)
	if g.failed == nil {
		g.abandonPending(ErrStopped)
		g.lease.Store(&leaseState{term: Term(g.term)})
	}
	g.box.Lock()
	g.box.stopped = true
	g.box.idle.Broadcast()
	g.box.Unlock()
}

// failure returns why the replica has failed, nil if it has not.
func (g *Group) failure() error {
	g.box.Lock()
	defer g.box.Unlock()
	if _, ok := g.box.closed.(*GroupFailedError); ok {
		return g.box.closed
	}
	return nil
}
