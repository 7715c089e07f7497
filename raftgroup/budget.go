package raftgroup

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
)

// budget bounds the bytes of proposals in flight, of a group or of a store. Who
// finds it used up waits in line. Taking and giving back without anyone in line is
// one atomic operation each.
type budget struct {
	limit int64
	used  atomic.Int64
	// inLine is the length of line.
	inLine atomic.Int32
	mu     sync.Mutex
	line   []*claim // guarded by mu, first come first served
}

// claim is one who waits, on behalf of a group. answered is closed when the bytes
// are his, or refused is set.
type claim struct {
	n        int64
	of       *Group
	answered chan struct{}
	refused  bool
}

// errRefused tells one in line that he waits in vain.
var errRefused = errors.New("raftgroup: not the leader")

// try takes n bytes if they are free. What is larger than the limit goes when
// nothing else does.
func (b *budget) try(n int64) bool {
	for {
		used := b.used.Load()
		if used > 0 && used+n > b.limit {
			return false
		}
		if b.used.CompareAndSwap(used, used+n) {
			return true
		}
	}
}

// take takes n bytes, waiting until there are that many. It gives up with the
// context's error, with ErrStopped when the group stops, or with errRefused when
// this replica does not lead at term.
func (b *budget) take(ctx context.Context, n int64, of *Group, term Term) error {
	if b.inLine.Load() == 0 && b.try(n) {
		return nil
	}
	of.h.cfg.Metrics.ProposalWaits.Add(1)
	c := &claim{n: n, of: of, answered: make(chan struct{})}
	b.mu.Lock()
	b.line = append(b.line, c)
	// Whoever gives back after this looks at the line; what was given back before is
	// seen here.
	b.inLine.Add(1)
	b.serve()
	b.mu.Unlock()
	var err error
	if of.leadsAt(term) {
		select {
		case <-c.answered:
			if c.refused {
				return errRefused
			}
			return nil
		case <-ctx.Done():
			err = context.Cause(ctx)
		case <-of.gone:
			err = ErrStopped
		}
	} else {
		// Whoever ends the leadership after this look refuses those in line.
		err = errRefused
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.line, c); i >= 0 {
		b.line = slices.Delete(b.line, i, i+1)
		b.inLine.Add(-1)
	} else if !c.refused {
		b.used.Add(-n) // granted at the same moment
	}
	b.serve()
	return err
}

// give gives n bytes back.
func (b *budget) give(n int64) {
	b.used.Add(-n)
	if b.inLine.Load() > 0 {
		b.mu.Lock()
		b.serve()
		b.mu.Unlock()
	}
}

// serve grants what the first in line want, as far as it goes. Called with mu held.
func (b *budget) serve() {
	n := 0
	for n < len(b.line) && b.try(b.line[n].n) {
		close(b.line[n].answered)
		n++
	}
	b.line = slices.Delete(b.line, 0, n)
	b.inLine.Add(-int32(n))
}

// refuse sends those of a group out of the line.
func (b *budget) refuse(of *Group) {
	if b.inLine.Load() == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.line = slices.DeleteFunc(b.line, func(c *claim) bool {
		if c.of != of {
			return false
		}
		c.refused = true
		close(c.answered)
		b.inLine.Add(-1)
		return true
	})
	b.serve()
}

// proposalOverhead is what a proposal takes besides its data, about.
const proposalOverhead = 256

// leadsAt reports whether this replica leads at term, as far as published.
func (g *Group) leadsAt(term Term) bool {
	l := g.lease.Load()
	return l.term == term && l.leader.Replica == g.replica
}

// admit makes p part of the bytes in flight, waiting if there are too many and this
// replica leads at p's term.
func (g *Group) admit(ctx context.Context, p *Proposal) error {
	n := int64(len(p.Data)) + proposalOverhead
	err := g.inflight.take(ctx, n, g, p.Term)
	if err == nil {
		if err = g.h.inflight.take(ctx, n, g, p.Term); err == nil {
			p.group, p.size = g, n
			return nil
		}
		g.inflight.give(n)
	}
	if err == errRefused {
		l := g.lease.Load()
		return &NotLeaderError{Group: g.id, Term: l.term, Leader: l.leader}
	}
	return err
}

// release ends p's part in the bytes in flight: when its entry has been applied, or
// can no longer be.
func (p *Proposal) release() {
	if g := p.group; g != nil {
		g.inflight.give(p.size)
		g.h.inflight.give(p.size)
		p.group = nil
	}
}
