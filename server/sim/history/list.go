package history

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Outcome is how a transaction ended.
type Outcome uint8

// The outcomes.
const (
	Committed Outcome = iota
	Aborted
	Unknown
)

// String returns the outcome's name.
func (o Outcome) String() string { return [...]string{"committed", "aborted", "unknown"}[o] }

// ListOp is one step of a transaction: an append of a number that is unique in the
// history, or a read of a whole list.
type ListOp struct {
	Key    int
	Append int // 0: a read
	Read   []int
}

// String returns "append k 5" or "read k [1 2]".
func (o ListOp) String() string {
	if o.Append != 0 {
		return fmt.Sprintf("append %d %d", o.Key, o.Append)
	}
	return fmt.Sprintf("read %d %v", o.Key, o.Read)
}

// ListTxn is one transaction on lists.
type ListTxn struct {
	// Client names who ran it, for messages.
	Client string
	// Begin and End are times in one clock: before the first step, and after the
	// outcome was known.
	Begin, End int64
	Outcome    Outcome
	Ops        []ListOp
}

// String describes the transaction.
func (t *ListTxn) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s [%d, %d]:", t.Client, t.Outcome, t.Begin, t.End)
	for _, o := range t.Ops {
		fmt.Fprintf(&b, " %s;", o)
	}
	return b.String()
}

// Level is an isolation level.
type Level uint8

// The levels.
const (
	Serializable Level = iota
	RepeatableRead
	ReadCommitted
)

// String returns the level's name in SQL.
func (l Level) String() string {
	return [...]string{"SERIALIZABLE", "REPEATABLE READ", "READ COMMITTED"}[l]
}

// Anomaly is something that was observed and is not permitted.
type Anomaly struct {
	Name   string
	Detail string
}

// String returns name and detail.
func (a Anomaly) String() string { return a.Name + ": " + a.Detail }

// place is where an append stands.
type place struct {
	txn int
	// last: the transaction's last append to that list.
	last bool
}

// CheckLists returns the anomalies of a history at a level; none if it is in order.
// Final, if not nil, are the lists as they were read after the end of everything.
func CheckLists(txns []ListTxn, final map[int][]int, level Level) []Anomaly {
	c := listCheck{txns: txns, level: level, writers: make(map[int]place), order: make(map[int][]int)}
	c.index()
	c.orders(final)
	c.reads()
	if len(c.found) > 0 {
		return c.found // the edges would make no sense
	}
	c.dependencies()
	c.cycles()
	return c.found
}

type listCheck struct {
	txns    []ListTxn
	level   Level
	writers map[int]place // by appended number
	// order is each list in its longest observed version.
	order map[int][]int
	seen  map[int]bool // numbers that somebody has read
	edges [][]edge     // by transaction
	found []Anomaly
}

func (c *listCheck) fail(name, format string, args ...any) {
	c.found = append(c.found, Anomaly{name, fmt.Sprintf(format, args...)})
}

// index notes who appended what.
func (c *listCheck) index() {
	for i := range c.txns {
		last := make(map[int]int) // by key
		for _, o := range c.txns[i].Ops {
			if o.Append == 0 {
				continue
			}
			if w, ok := c.writers[o.Append]; ok {
				panic(fmt.Sprintf("history: %d is appended by %s and %s", o.Append, &c.txns[w.txn], &c.txns[i]))
			}
			c.writers[o.Append] = place{txn: i}
			last[o.Key] = o.Append
		}
		for _, n := range last {
			c.writers[n] = place{txn: i, last: true}
		}
	}
}

// orders finds the order of every list and what contradicts it.
func (c *listCheck) orders(final map[int][]int) {
	c.seen = make(map[int]bool)
	take := func(key int, list []int, who string) {
		for i, n := range list {
			c.seen[n] = true
			if slices.Contains(list[:i], n) {
				c.fail("duplicate", "%d occurs twice in list %d as read by %s: %v", n, key, who, list)
			}
		}
		long, short := c.order[key], list
		if len(short) > len(long) {
			long, short = short, long
		}
		if !slices.Equal(long[:len(short)], short) {
			c.fail("incompatible order", "list %d was read as %v, and by %s as %v", key, c.order[key], who, list)
		}
		c.order[key] = long
	}
	for i := range c.txns {
		t := &c.txns[i]
		if t.Outcome == Aborted {
			continue // what it read it has not vouched for
		}
		own := make(map[int]bool)
		for _, o := range t.Ops {
			if o.Append != 0 {
				own[o.Append] = true
				continue
			}
			// Without its own appends at the end: an unknown transaction may not have
			// committed them.
			n := len(o.Read)
			for n > 0 && own[o.Read[n-1]] {
				n--
			}
			take(o.Key, o.Read[:n], t.String())
		}
	}
	for key, list := range final {
		take(key, list, "the final read")
	}
	if final == nil {
		return
	}
	for i := range c.txns {
		t := &c.txns[i]
		for _, o := range t.Ops {
			if o.Append == 0 {
				continue
			}
			present := slices.Contains(final[o.Key], o.Append)
			switch {
			case t.Outcome == Committed && !present:
				c.fail("lost write", "%d is missing in list %d: %v; written by %s", o.Append, o.Key, final[o.Key], t)
			case t.Outcome == Aborted && present:
				c.fail("G1a", "%d stands in list %d though %s", o.Append, o.Key, t)
			}
		}
	}
}

// committed reports whether a transaction took effect.
func (c *listCheck) committed(i int) bool {
	t := &c.txns[i]
	if t.Outcome != Unknown {
		return t.Outcome == Committed
	}
	return slices.ContainsFunc(t.Ops, func(o ListOp) bool { return o.Append != 0 && c.seen[o.Append] })
}

// reads looks for aborted, intermediate and internally inconsistent reads.
func (c *listCheck) reads() {
	for i := range c.txns {
		t := &c.txns[i]
		if t.Outcome == Aborted {
			continue
		}
		own := make(map[int][]int) // by key: appended so far
		for _, o := range t.Ops {
			if o.Append != 0 {
				own[o.Key] = append(own[o.Key], o.Append)
				continue
			}
			mine := own[o.Key]
			if len(o.Read) < len(mine) || !slices.Equal(o.Read[len(o.Read)-len(mine):], mine) {
				c.fail("internal", "own appends %v missing at the end of %s in %s", mine, o, t)
				continue
			}
			others := o.Read[:len(o.Read)-len(mine)]
			for j, n := range others {
				w, ok := c.writers[n]
				switch {
				case !ok:
					c.fail("garbage", "%d was never appended; %s in %s", n, o, t)
				case c.txns[w.txn].Outcome == Aborted:
					c.fail("G1a", "%s read %d of %s", t, n, &c.txns[w.txn])
				case j == len(others)-1 && !w.last && w.txn != i:
					c.fail("G1b", "%s read up to %d, in the middle of %s", t, n, &c.txns[w.txn])
				}
			}
		}
	}
}

// dependencies infers the edges.
func (c *listCheck) dependencies() {
	c.edges = make([][]edge, len(c.txns))
	add := func(from, to int, kind edgeKind, key int) {
		if from != to {
			c.edges[from] = append(c.edges[from], edge{to, kind, key})
		}
	}
	for key, list := range c.order {
		for i := 1; i < len(list); i++ {
			add(c.writers[list[i-1]].txn, c.writers[list[i]].txn, ww, key)
		}
	}
	for i := range c.txns {
		if !c.committed(i) {
			continue
		}
		own := make(map[int]bool)
		for _, o := range c.txns[i].Ops {
			if o.Append != 0 {
				own[o.Append] = true
				continue
			}
			n := len(o.Read)
			for n > 0 && own[o.Read[n-1]] {
				n--
			}
			if n > 0 {
				add(c.writers[o.Read[n-1]].txn, i, wr, o.Key)
			}
			if order := c.order[o.Key]; n < len(order) {
				add(i, c.writers[order[n]].txn, rw, o.Key)
			}
		}
	}
	for i := range c.edges {
		slices.SortFunc(c.edges[i], func(a, b edge) int {
			return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.to, b.to), cmp.Compare(a.key, b.key))
		})
	}
}
