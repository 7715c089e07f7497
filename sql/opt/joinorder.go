package opt

import "math/bits"

// Join ordering: dynamic programming over connected subsets (Selinger et al.,
// "Access Path Selection in a Relational Database Management System", 1979, with
// bushy trees as in Moerkotte and Neumann, "Analysis of Two Existing and One New
// Dynamic Programming Algorithm", 2006) up to joinOrderLimit relations, and
// greedy operator ordering beyond.

// joinOrderLimit is the largest number of relations ordered exhaustively: 3^10
// pairs of subsets are about 59,000, some milliseconds.
const joinOrderLimit = 10

// relSet is a set of relations of one join group.
type relSet uint64

func (s relSet) has(i int) bool         { return s&(1<<i) != 0 }
func (s relSet) overlaps(t relSet) bool { return s&t != 0 }
func (s relSet) subsetOf(t relSet) bool { return s&^t == 0 }
func (s relSet) single() bool           { return s != 0 && s&(s-1) == 0 }
func (s relSet) first() int             { return bits.TrailingZeros64(uint64(s)) }

// orderJoins finds a cheap order for n relations. leaf returns the plan of one
// relation; join returns the best plan for two disjoint subsets (either may
// become the outer side), or ok = false if they cannot be joined at all in this
// pair; cost ranks plans. connected tells if a condition links two
// subsets: pairs without one (cross products) are tried only if nothing else
// is left.
func orderJoins[P any](n int, leaf func(i int) P, join func(l, r P, ls, rs relSet) (P, bool),
	connected func(l, r relSet) bool, cost func(P) float64) P {
	if n == 1 {
		return leaf(0)
	}
	if n > joinOrderLimit {
		return orderGreedy(n, leaf, join, connected, cost)
	}
	best := make([]P, 1<<n)
	have := make([]bool, 1<<n)
	for i := range n {
		best[1<<i], have[1<<i] = leaf(i), true
	}
	all := relSet(1)<<n - 1
	// Pass 0 allows only connected pairs. If the graph is not connected, pass 1
	// fills the gaps with cross products.
	for pass := 0; pass < 2 && !have[all]; pass++ {
		for s := relSet(1); s <= all; s++ {
			if s.single() || have[s] {
				continue
			}
			for l := (s - 1) & s; l != 0; l = (l - 1) & s {
				r := s &^ l
				if l < r || !have[l] || !have[r] {
					continue // each pair once; join tries both directions
				}
				if pass == 0 && !connected(l, r) {
					continue
				}
				p, ok := join(best[l], best[r], l, r)
				if ok && (!have[s] || cost(p) < cost(best[s])) {
					best[s], have[s] = p, true
				}
			}
		}
	}
	if have[all] {
		return best[all]
	}
	// Some join constraint blocks every order the exhaustive search produced.
	return orderGreedy(n, leaf, join, connected, cost)
}

// orderGreedy joins, again and again, the pair with the cheapest result.
func orderGreedy[P any](n int, leaf func(i int) P, join func(l, r P, ls, rs relSet) (P, bool),
	connected func(l, r relSet) bool, cost func(P) float64) P {
	type part struct {
		plan P
		set  relSet
	}
	parts := make([]part, n)
	for i := range n {
		parts[i] = part{leaf(i), 1 << i}
	}
	for len(parts) > 1 {
		bi, bj, found := -1, -1, false
		var bp P
		for pass := 0; pass < 2 && !found; pass++ {
			for i := range parts {
				for j := i + 1; j < len(parts); j++ {
					if pass == 0 && !connected(parts[i].set, parts[j].set) {
						continue
					}
					p, ok := join(parts[i].plan, parts[j].plan, parts[i].set, parts[j].set)
					if ok && (!found || cost(p) < cost(bp)) {
						bi, bj, bp, found = i, j, p, true
					}
				}
			}
		}
		if !found {
			panic("opt: join graph has no order")
		}
		parts[bi] = part{bp, parts[bi].set | parts[bj].set}
		parts = append(parts[:bj], parts[bj+1:]...)
	}
	return parts[0].plan
}
