package raftgroup

import (
	"slices"
	"sync"
)

// readyQueue holds the groups that have work and nobody at it; the workers take
// from it. A group is in it at most once: whoever puts it there has set box.busy.
type readyQueue struct {
	mu     sync.Mutex
	cond   *sync.Cond
	groups []*Group
	closed bool
}

func (q *readyQueue) push(g *Group) {
	q.mu.Lock()
	q.groups = append(q.groups, g)
	q.mu.Unlock()
	q.cond.Signal()
}

// pop waits for a group; nil means that the queue is closed and empty.
func (q *readyQueue) pop() *Group {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.groups) == 0 && !q.closed {
		q.cond.Wait()
	}
	return q.take()
}

func (q *readyQueue) tryPop() *Group {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.take()
}

// remove takes g out; false if it is not there any more.
func (q *readyQueue) remove(g *Group) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.groups, g)
	if i < 0 {
		return false
	}
	q.groups = slices.Delete(q.groups, i, i+1)
	return true
}

func (q *readyQueue) take() *Group {
	if len(q.groups) == 0 {
		return nil
	}
	g := q.groups[0]
	q.groups[0] = nil
	q.groups = q.groups[1:]
	return g
}

func (q *readyQueue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.cond.Broadcast()
}

// Values of Group.awakeIndex for a group that is not in the set.
const (
	notAwake   = -1
	neverAwake = -2
)

// awakeSet holds the groups that the ticker looks after. Ten thousand sleeping
// groups cost nothing.
type awakeSet struct {
	mu     sync.Mutex
	groups []*Group
}

func (s *awakeSet) add(g *Group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g.awakeIndex == notAwake {
		g.awakeIndex = len(s.groups)
		s.groups = append(s.groups, g)
	}
}

func (s *awakeSet) remove(g *Group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := g.awakeIndex; i >= 0 {
		last := s.groups[len(s.groups)-1]
		s.groups[i], last.awakeIndex = last, i
		s.groups[len(s.groups)-1] = nil
		s.groups = s.groups[:len(s.groups)-1]
		g.awakeIndex = notAwake
	}
}

// retire removes a group that stops; it cannot be added again.
func (s *awakeSet) retire(g *Group) {
	s.remove(g)
	s.mu.Lock()
	defer s.mu.Unlock()
	if g.awakeIndex == notAwake {
		g.awakeIndex = neverAwake
	}
}

func (s *awakeSet) snapshot() []*Group {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.groups)
}

func (s *awakeSet) has(g *Group) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return g.awakeIndex >= 0
}
