package raftgroup

import (
	"slices"
	"sync"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/spanlite/spanlite/raftgroup/logstore"
)

// This file is what waits for the log to be durable (I1): acknowledgements, votes
// and promises. A turn appends and goes on; what may be said only after the sync is
// set aside with the position that must be durable, and is delivered, in order, in
// a later turn. Raft's own word for it is asynchronous storage writes.

// late is something to be said once the log is durable up to pos.
type late struct {
	pos logstore.Pos
	// msgs go to other replicas, or back into raft if they are for this one.
	msgs []raftpb.Message
	// then, if not nil, runs after them in the group's turn.
	then func()
}

// afterSync sends msgs and runs then once everything that the group has appended is
// durable, at once if it is. In the group's turn.
func (g *Group) afterSync(msgs []raftpb.Message, then func()) {
	l := late{g.appended, msgs, then}
	if len(g.late) == 0 && l.pos <= g.h.log.Durable() {
		g.say(&l)
		return
	}
	g.late = append(g.late, l)
}

// deliver says what the log's durability allows by now.
func (g *Group) deliver() {
	if len(g.late) == 0 {
		return
	}
	durable := g.h.log.Durable()
	n := 0
	for ; n < len(g.late) && g.late[n].pos <= durable; n++ {
		g.say(&g.late[n])
	}
	g.late = slices.Delete(g.late, 0, n)
}

func (g *Group) say(l *late) {
	for i := range l.msgs {
		if m := &l.msgs[i]; m.To == uint64(g.replica) {
			// An error means that the message has been overtaken by a later term.
			_ = g.rn.Step(*m)
		} else {
			g.send(m)
		}
	}
	if l.then != nil {
		l.then()
	}
}

// gathering is how the workers share syncs: one of them gathers the groups that
// need one while another's is under way, so that no more than two workers are ever
// held up by the disk.
type gathering struct {
	sync.Mutex
	// busy: a worker waits for the sync under way and will then sync for groups.
	busy   bool
	groups []*Group
}

// syncFor sees to the durability of what groups have appended: by the caller, or by
// the worker that is about to sync anyway. takeTurn has asked for it.
func (h *Host) syncFor(groups []*Group) {
	h.gather.Lock()
	h.gather.groups = append(h.gather.groups, groups...)
	if h.gather.busy {
		h.gather.Unlock()
		return
	}
	h.gather.busy = true
	h.gather.Unlock()
	h.log.AwaitSync()
	h.gather.Lock()
	groups = h.gather.groups
	h.gather.groups, h.gather.busy = nil, false
	h.gather.Unlock()
	err := h.log.Sync(h.log.Appended())
	for _, g := range groups {
		g.synced(err, true)
	}
}

// gatherMost bounds the groups whose turns a worker takes before it sees to the
// sync that the first of them waits for.
const gatherMost = 16

// work is the life of a worker.
func (h *Host) work() {
	var unsynced []*Group
	for {
		var g *Group
		if len(unsynced) < gatherMost {
			g = h.ready.tryPop()
		}
		if g == nil && len(unsynced) > 0 {
			h.syncFor(unsynced)
			clear(unsynced)
			unsynced = unsynced[:0]
			continue
		}
		if g == nil {
			if g = h.ready.pop(); g == nil {
				return
			}
		}
		if _, sync := g.takeTurn(nil); sync {
			unsynced = append(unsynced, g)
		}
	}
}

// RunPending processes groups until none has work. Only with Config.Manual. Syncs
// come after the turns of all groups, as they do with workers.
func (h *Host) RunPending() {
	for {
		var unsynced []*Group
		for g := h.ready.tryPop(); g != nil; g = h.ready.tryPop() {
			if _, sync := g.takeTurn(nil); sync {
				unsynced = append(unsynced, g)
			}
		}
		if len(unsynced) == 0 {
			return
		}
		h.syncFor(unsynced)
	}
}
