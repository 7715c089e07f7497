package raftgroup

import (
	"fmt"
	"slices"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// This file applies committed entries.

// apply hands committed entries to the machine and ends their proposals.
func (g *Group) apply(ents []raftpb.Entry) error {
	for len(ents) > 0 {
		n := 0
		for n < len(ents) && ents[n].Type == raftpb.EntryNormal {
			n++
		}
		if n > 0 {
			if err := g.applyRun(ents[:n], nil); err != nil {
				return err
			}
			ents = ents[n:]
			continue
		}
		if err := g.applyChange(&ents[0]); err != nil {
			return err
		}
		ents = ents[1:]
	}
	return nil
}

// applyChange applies an entry that changes the configuration.
func (g *Group) applyChange(e *raftpb.Entry) error {
	var cc raftpb.ConfChangeV2
	if err := cc.Unmarshal(e.Data); err != nil {
		return fmt.Errorf("decode membership change at %d: %w", e.Index, err)
	}
	stores, data, err := decodeChange(cc.Context)
	if err != nil {
		return err
	}
	cs := g.rn.ApplyConfChange(cc)
	members := membersOf(cs, g.members, stores)
	entry := *e
	entry.Data = data
	if err := g.applyRun([]raftpb.Entry{entry}, members); err != nil {
		return err
	}
	g.members = members
	if !cs.AutoLeave {
		g.changing = false
	}
	g.membersChanged()
	return nil
}

// applyRun applies entries; members belongs to the only one if it is not nil.
func (g *Group) applyRun(ents []raftpb.Entry, members []Member) error {
	g.entries = g.entries[:0]
	next := 0
	for i := range ents {
		e := &ents[i]
		out := Entry{Index: Index(e.Index), Term: Term(e.Term), Data: e.Data, Members: members}
		for next < len(g.pending) && g.pending[next].index < e.Index {
			next++
		}
		if next < len(g.pending) && g.pending[next].index == e.Index && g.pending[next].term == e.Term {
			out.Proposal = g.waiting(g.pending[next].p)
		}
		for _, pp := range g.displaced {
			if pp.index == e.Index && pp.term == e.Term {
				out.Proposal = g.waiting(pp.p)
			}
		}
		g.entries = append(g.entries, out)
	}
	if err := g.machine.Apply(g.entries); err != nil {
		return fmt.Errorf("apply entries %d to %d: %w", ents[0].Index, ents[len(ents)-1].Index, err)
	}
	g.h.cfg.Metrics.EntriesApplied.Add(int64(len(ents)))
	last := &ents[len(ents)-1]
	if last.Term == g.term && g.state == raft.StateLeader && !g.ownTermApplied {
		g.ownTermApplied = true
		// The lease is published before the first proposal of the term is answered.
		g.publish()
	}
	settle := func(pp pendingProposal) {
		if ents[pp.index-ents[0].Index].Term == pp.term {
			pp.p.finish(Index(pp.index), nil)
		} else {
			pp.p.finish(0, ErrDropped)
		}
	}
	n := 0
	for ; n < len(g.pending) && g.pending[n].index <= last.Index; n++ {
		settle(g.pending[n])
		g.pending[n] = pendingProposal{}
	}
	if len(g.displaced) > 0 {
		g.displaced = slices.DeleteFunc(g.displaced, func(pp pendingProposal) bool {
			if pp.index > last.Index {
				return false
			}
			settle(pp)
			return true
		})
	}
	if n == len(g.pending) {
		g.pending = g.pending[:0]
	} else {
		g.pending = g.pending[n:]
	}
	clear(g.entries)
	return nil
}

// waiting returns p unless its waiter has left.
func (g *Group) waiting(p *Proposal) *Proposal {
	g.box.Lock()
	defer g.box.Unlock()
	if p.abandoned {
		return nil
	}
	return p
}
