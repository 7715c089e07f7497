package raftgroup

import (
	"github.com/spanlite/spanlite/raftgroup/logstore"
)

// This file is the turn: all of a group's raft state belongs to whoever has it, and
// work is left in the mailbox. The turn is never held during a sync of the log;
// see durable.go for what waits for one.

// boxCall is work for the one who has the turn; dropped, if not nil, runs instead
// if the group has stopped or failed.
type boxCall struct {
	run, dropped func()
}

// runTurn takes the turn until the mailbox is empty, then syncs what was appended
// if nobody does that yet, and comes back to deliver. The caller has set box.busy.
// own is the caller's proposal, nil if it has none.
func (g *Group) runTurn(own *Proposal) {
	for {
		pos, sync := g.takeTurn(own)
		if !sync || !g.synced(g.h.log.Sync(pos), false) {
			return
		}
	}
}

// takeTurn works off the mailbox. The caller has set box.busy. With own set it
// hands the turn on once own is done, to another proposer or to a worker, so that
// nobody serves strangers for ever.
//
// If it returns true the caller must sync the log up to pos and report by synced:
// the group has something that waits for it, and nobody else is at it.
func (g *Group) takeTurn(own *Proposal) (pos logstore.Pos, sync bool) {
	for {
		g.box.Lock()
		g.box.queued = false
		full := g.boxFull()
		sync = len(g.late) > 0 && !g.box.syncing && g.failed == nil
		switch {
		case !full && !sync, !full && (own == nil || !own.done.Load()):
			g.box.busy = false
			if sync {
				g.box.syncing, pos = true, g.appended
			}
			if g.box.closed != nil || g.box.settling > 0 {
				g.box.idle.Broadcast()
			}
			g.box.Unlock()
			return pos, sync
		case own == nil || !own.done.Load():
		default:
			if next := g.successor(); next != nil {
				next.lead = true
				g.box.Unlock()
				next.signal()
				return 0, false
			}
			g.box.queued = true
			g.h.ready.push(g)
			g.box.Unlock()
			return 0, false
		}
		g.taken, g.box.proposals = g.box.proposals, g.taken[:0]
		g.messages, g.box.messages = g.box.messages, g.messages[:0]
		g.h.inbox.Add(-int64(g.box.bytes))
		g.box.bytes = 0
		calls, ticks, err := g.box.calls, g.box.ticks, g.box.syncErr
		g.box.calls, g.box.ticks, g.box.synced = nil, 0, false
		g.box.Unlock()
		g.step(calls, ticks, err)
	}
}

// passOn leaves the turn to a worker.
func (g *Group) passOn() {
	g.box.Lock()
	defer g.box.Unlock()
	g.box.queued = true
	g.h.ready.push(g)
}

// successor returns a proposer who waits and can take the turn, nil if there is
// none: the first in the mailbox, or the last whose entry waits to be synced.
// Called with box held, in the turn.
func (g *Group) successor() *Proposal {
	if len(g.box.proposals) > 0 {
		return g.box.proposals[0]
	}
	if n := len(g.pending); n > 0 && len(g.late) > 0 {
		if p := g.pending[n-1].p; !p.abandoned {
			return p
		}
	}
	return nil
}

// synced reports the end of a sync that takeTurn has asked for. If it returns true
// the caller has the turn, or has left it to a worker with queue set; else whoever
// has it will see to what is durable now.
func (g *Group) synced(err error, queue bool) bool {
	g.box.Lock()
	defer g.box.Unlock()
	g.box.syncing, g.box.synced = false, true
	if err != nil {
		g.box.syncErr = err
	}
	if g.box.busy {
		if g.box.settling > 0 {
			g.box.idle.Broadcast()
		}
		return false
	}
	g.box.busy = true
	if queue {
		g.box.queued = true
		g.h.ready.push(g)
	}
	return true
}

// settle waits until nobody has the turn and nothing of the group is being synced.
func (g *Group) settle() {
	g.box.Lock()
	defer g.box.Unlock()
	g.box.settling++
	for g.box.busy && !g.box.stopped || g.box.syncing {
		g.box.idle.Wait()
	}
	g.box.settling--
}

// boxFull reports whether there is work. Called with box held.
func (g *Group) boxFull() bool {
	return len(g.box.proposals) > 0 || len(g.box.messages) > 0 || len(g.box.calls) > 0 || g.box.ticks > 0 || g.box.synced
}

// enqueue leaves work by put and has it done by a worker if nobody has the turn.
func (g *Group) enqueue(put func()) bool {
	g.box.Lock()
	defer g.box.Unlock()
	if g.box.closed != nil {
		return false
	}
	put()
	if !g.box.busy {
		g.box.busy, g.box.queued = true, true
		g.h.ready.push(g)
	}
	return true
}

// call runs f in the group's turn, on another goroutine perhaps. If it returns
// false f never runs.
func (g *Group) call(f func()) bool { return g.callOr(f, nil) }

// callOr is call for those who wait: if the group stops or fails before f has had
// its turn, dropped runs instead.
func (g *Group) callOr(f, dropped func()) bool {
	return g.enqueue(func() { g.box.calls = append(g.box.calls, boxCall{f, dropped}) })
}

// drop ends what waits for an answer that will not come.
func drop(calls []boxCall, messages []inbound, err error) {
	for _, c := range calls {
		if c.dropped != nil {
			c.dropped()
		}
	}
	for i := range messages {
		if r := messages[i].snap; r != nil {
			r.done <- err
		}
	}
}

// step is one round: what has become durable, messages, time and proposals go in,
// then Ready is worked off.
func (g *Group) step(calls []boxCall, ticks int, syncErr error) {
	defer func() {
		clear(g.taken)
		clear(g.messages)
	}()
	if syncErr != nil && g.failed == nil {
		g.fail(syncErr)
	}
	if g.failed == nil {
		g.deliver()
	}
	for i := range g.messages {
		if g.failed != nil {
			drop(nil, g.messages[i:], g.failed)
			break
		}
		g.receive(&g.messages[i])
	}
	for i, c := range calls {
		if g.failed != nil {
			drop(calls[i:], nil, g.failed)
			break
		}
		c.run()
	}
	if g.failed != nil {
		for _, p := range g.taken {
			p.finish(0, g.failed)
		}
		return
	}
	for range ticks {
		g.tick()
	}
	g.propose()
	if err := g.workOff(); err != nil {
		g.fail(err)
	}
}
