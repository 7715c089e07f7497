package raftgroup

import (
	"go.etcd.io/raft/v3/raftpb"
)

// This file follows proposals whose entries are in the log; DESIGN.md, section 6.

// displace sets aside the proposals whose entries are being replaced in the local
// log. They may yet be committed: another replica may hold them still, be elected,
// and replace what replaces them now (the Raft paper, section 5.4.2).
func (g *Group) displace(ents []raftpb.Entry) {
	first := ents[0].Index
	n := len(g.pending)
	for n > 0 && g.pending[n-1].index >= first {
		n--
	}
	keep := n
	for _, pp := range g.pending[n:] {
		if i := pp.index - first; i < uint64(len(ents)) && ents[i].Term == pp.term {
			g.pending[keep] = pp
			keep++
		} else {
			g.displaced = append(g.displaced, pp)
		}
	}
	clear(g.pending[keep:])
	g.pending = g.pending[:keep]
}

// overtaken ends the proposals whose outcome an image up to index hides, and sets
// aside those behind it, whose entries are no longer in the log.
func (g *Group) overtaken(index uint64) {
	all := append(g.displaced, g.pending...)
	g.pending, g.displaced = nil, nil
	for _, pp := range all {
		if pp.index > index {
			g.displaced = append(g.displaced, pp)
			continue
		}
		pp.p.finish(0, &AmbiguousError{Group: g.id, Cause: errOvertaken})
	}
}

// abandonPending ends every proposal in the log as ambiguous.
func (g *Group) abandonPending(cause error) {
	for _, pp := range g.pending {
		pp.p.finish(0, &AmbiguousError{Group: g.id, Cause: cause})
	}
	for _, pp := range g.displaced {
		pp.p.finish(0, &AmbiguousError{Group: g.id, Cause: cause})
	}
	g.pending, g.displaced = nil, nil
}
