package history

import (
	"fmt"
	"slices"
	"strings"
)

// edgeKind is a kind of dependency.
type edgeKind uint8

const (
	ww edgeKind = iota
	wr
	rw
)

func (k edgeKind) String() string { return [...]string{"ww", "wr", "rw"}[k] }

// edge is a dependency of transaction to on the one whose list it stands in.
type edge struct {
	to   int
	kind edgeKind
	key  int
}

// cycles looks for the shortest cycle of each kind that the level forbids.
func (c *listCheck) cycles() {
	// Reads of one transaction at READ COMMITTED have snapshots of their own, so
	// dependencies through reads form no order of whole transactions.
	if found := c.shortest(func(k edgeKind) bool { return k == ww }, 0); found != nil {
		c.report("G0", found)
		return
	}
	if found := c.shortest(func(k edgeKind) bool { return k != rw }, 0); found != nil {
		c.report("G1c", found)
		return
	}
	if c.level == ReadCommitted {
		return
	}
	if found := c.shortest(func(edgeKind) bool { return true }, 1); found != nil {
		c.report("G-single", found)
		return
	}
	if c.level == RepeatableRead {
		return
	}
	if found := c.shortest(func(edgeKind) bool { return true }, len(c.txns)); found != nil {
		c.report("G2", found)
	}
}

// step is one edge of a path.
type step struct {
	from int
	edge
}

// shortest returns a shortest cycle of edges of the kinds allowed, with at most
// most rw edges; nil if there is none. A breadth-first search from every
// transaction that is in a strongly connected component of more than one.
func (c *listCheck) shortest(allowed func(edgeKind) bool, most int) []step {
	component := c.components(allowed)
	var best []step
	for start := range c.txns {
		if component[start] < 0 {
			continue
		}
		if p := c.search(start, allowed, most, component); p != nil && (best == nil || len(p) < len(best)) {
			best = p
			if len(best) == 2 {
				break
			}
		}
	}
	return best
}

// search returns a shortest cycle through start.
func (c *listCheck) search(start int, allowed func(edgeKind) bool, most int, component []int) []step {
	type state struct{ txn, rws int }
	limit := most
	if most > 1 {
		limit = 0 // any number: not counted
	}
	from := map[state]step{}
	prev := map[state]state{}
	queue := []state{{start, 0}}
	visited := map[state]bool{{start, 0}: true}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		for _, e := range c.edges[s.txn] {
			if !allowed(e.kind) || component[e.to] != component[start] {
				continue
			}
			next := state{e.to, s.rws}
			if e.kind == rw && limit > 0 {
				if next.rws++; next.rws > limit {
					continue
				}
			}
			if e.to == start {
				path := []step{{s.txn, e}}
				for s != (state{start, 0}) {
					path = append(path, from[s])
					s = prev[s]
				}
				slices.Reverse(path)
				return path
			}
			if !visited[next] {
				visited[next] = true
				from[next], prev[next] = step{s.txn, e}, s
				queue = append(queue, next)
			}
		}
	}
	return nil
}

// components numbers the strongly connected components of more than one
// transaction; -1 for all others (Tarjan, "Depth-first search and linear graph
// algorithms", 1972; with a stack of its own, histories being long).
func (c *listCheck) components(allowed func(edgeKind) bool) []int {
	n := len(c.txns)
	component, index, low := make([]int, n), make([]int, n), make([]int, n)
	onStack := make([]bool, n)
	for i := range component {
		component[i], index[i] = -1, -1
	}
	type frame struct{ txn, next int }
	var stack []int
	counter, components := 0, 0
	for root := range n {
		if index[root] >= 0 {
			continue
		}
		calls := []frame{{root, 0}}
		for len(calls) > 0 {
			f := &calls[len(calls)-1]
			v := f.txn
			if f.next == 0 {
				index[v], low[v] = counter, counter
				counter++
				stack, onStack[v] = append(stack, v), true
			}
			descended := false
			for f.next < len(c.edges[v]) {
				e := c.edges[v][f.next]
				f.next++
				switch {
				case !allowed(e.kind):
				case index[e.to] < 0:
					calls = append(calls, frame{e.to, 0})
					descended = true
				case onStack[e.to]:
					low[v] = min(low[v], index[e.to])
				}
				if descended {
					break
				}
			}
			if descended {
				continue
			}
			if low[v] == index[v] {
				size := 0
				for w := -1; w != v; size++ {
					w = stack[len(stack)-1]
					stack, onStack[w] = stack[:len(stack)-1], false
					component[w] = components
				}
				if size == 1 {
					component[v] = -1
				}
				components++
			}
			calls = calls[:len(calls)-1]
			if len(calls) > 0 {
				p := calls[len(calls)-1].txn
				low[p] = min(low[p], low[v])
			}
		}
	}
	return component
}

func (c *listCheck) report(name string, path []step) {
	var b strings.Builder
	for _, s := range path {
		fmt.Fprintf(&b, "\n  %s\n    -%s on list %d->", &c.txns[s.from], s.kind, s.key)
	}
	fmt.Fprintf(&b, "\n  the first")
	c.fail(name, "a cycle of %d transactions at %s:%s", len(path), c.level, b.String())
}
