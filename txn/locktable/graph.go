package locktable

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// DefaultProbeAfter is how long a transaction waits before it looks for a cycle
// beyond this process: longer than nearly all waits, and well below the second
// within which a deadlock has to end.
const DefaultProbeAfter = 100 * time.Millisecond

// maxPath bounds the length of a probe's path; a longer chain of waits is found
// from another of its members or ends in a lock timeout.
const maxPath = 64

// GraphConfig configures a Graph.
type GraphConfig struct {
	// Node is this process.
	Node keys.NodeID
	// Prober reaches other processes; nil if there are none.
	Prober Prober
	// ProbeAfter is DefaultProbeAfter if zero.
	ProbeAfter time.Duration
}

// Prober carries deadlock probes between processes. Its methods must not block
// for long; a lost message only delays the detection until the next probe.
type Prober interface {
	// Probe delivers p to the Graph.HandleProbe of every process in which target
	// may be waiting: its gateway knows where it has requests under way.
	Probe(ctx context.Context, target *kv.TxnMeta, p *Probe) error
	// Victim delivers v to the Graph.HandleVictim of a process.
	Victim(ctx context.Context, node keys.NodeID, v *Victim) error
}

// Edge is one wait: Waiter waits at Node for Key.
type Edge struct {
	Waiter  kv.TxnID
	StartTS uint64 // Waiter's age
	Gateway keys.NodeID
	Key     keys.Key
	Node    keys.NodeID
	WaitSeq uint64
}

// Probe follows the waits-for edges that leave a process. Path starts with the
// wait of its origin.
type Probe struct{ Path []Edge }

// Victim tells the process where a transaction waits that it has to abort.
type Victim struct {
	Edge Edge
	Path []Edge
}

// Graph is the waits-for graph of a process: which transactions wait, in any of
// its Tables. Edges are not stored but read off the queues. Safe for concurrent
// use.
type Graph struct {
	cfg GraphConfig
	mu  struct {
		sync.Mutex
		waits map[kv.TxnID][]*Waiter
		seq   uint64
	}
}

// NewGraph returns an empty Graph.
func NewGraph(cfg GraphConfig) *Graph {
	if cfg.ProbeAfter == 0 {
		cfg.ProbeAfter = DefaultProbeAfter
	}
	g := &Graph{cfg: cfg}
	g.mu.waits = make(map[kv.TxnID][]*Waiter)
	return g
}

// Waiting reports whether the transaction waits in this process.
func (g *Graph) Waiting(id kv.TxnID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.mu.waits[id]) > 0
}

func (g *Graph) add(w *Waiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.seq++
	w.waitSeq, w.since = g.mu.seq, time.Now()
	g.mu.waits[w.id] = append(g.mu.waits[w.id], w)
}

func (g *Graph) remove(w *Waiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.mu.waits[w.id]
	if i := slices.Index(l, w); i >= 0 {
		l = slices.Delete(l, i, i+1)
	}
	if len(l) == 0 {
		delete(g.mu.waits, w.id)
	} else {
		g.mu.waits[w.id] = l
	}
}

// Blocked describes a wait of this process, for displays.
type Blocked struct {
	Waiter   kv.TxnMeta
	Key      keys.Key
	Strength kv.LockStrength
	Since    time.Time
	// Blockers are in the way, holders first.
	Blockers []Blocker
}

// Blocked returns the waits of this process.
func (g *Graph) Blocked() []Blocked {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []Blocked
	for _, list := range g.mu.waits {
		for _, w := range list {
			if b := w.blockers(); len(b) > 0 {
				out = append(out, Blocked{Waiter: w.age, Key: b[0].Key, Strength: w.strength, Since: w.since, Blockers: b})
			}
		}
	}
	return out
}

// edge is a wait of this process on the path of a search.
type edge struct {
	w *Waiter
	Edge
	holder kv.TxnMeta
}

func (g *Graph) edgeLocked(w *Waiter, key keys.Key) edge {
	return edge{w: w, Edge: Edge{Waiter: w.id, StartTS: uint64(w.age.StartTS), Gateway: w.age.GatewayNode, Key: key,
		Node: g.cfg.Node, WaitSeq: w.waitSeq}}
}

// breakCycles looks for cycles through w within this process, and fails the
// youngest wait of each.
func (g *Graph) breakCycles(w *Waiter) {
	for {
		if victim := g.breakCycle(w); victim == nil || victim == w {
			return
		}
	}
}

// breakCycle fails the youngest wait of one cycle through w, and returns it.
// The mutex is held until the wait has failed: a Waiter in waits cannot be
// reused.
func (g *Graph) breakCycle(w *Waiter) *Waiter {
	g.mu.Lock()
	defer g.mu.Unlock()
	path := g.searchLocked(w, w.id, nil, map[kv.TxnID]bool{})
	if path == nil {
		return nil
	}
	v := path[0]
	err := &kv.DeadlockError{}
	for _, e := range path {
		if younger(e.Edge, v.Edge) {
			v = e
		}
		err.Path = append(err.Path, kv.Conflict{Key: e.Key, Holder: e.holder})
	}
	v.w.fail(err)
	return v.w
}

// searchLocked extends path from one wait, depth first, until it comes back to
// origin.
func (g *Graph) searchLocked(w *Waiter, origin kv.TxnID, path []edge, seen map[kv.TxnID]bool) []edge {
	for _, b := range w.blockers() {
		e := g.edgeLocked(w, b.Key)
		e.holder = b.Txn
		if b.Txn.ID == origin {
			return append(path, e)
		}
		if seen[b.Txn.ID] {
			continue
		}
		seen[b.Txn.ID] = true
		for _, next := range g.mu.waits[b.Txn.ID] {
			if p := g.searchLocked(next, origin, append(path, e), seen); p != nil {
				return p
			}
		}
	}
	return nil
}

// younger orders waits by age; ids break ties so that all finders of a cycle
// choose the same victim.
func younger(a, b Edge) bool {
	if a.StartTS != b.StartTS {
		return a.StartTS > b.StartTS
	}
	return slices.Compare(a.Waiter[:], b.Waiter[:]) > 0
}

// probe sends a probe along every edge by which w's waits leave this process.
func (g *Graph) probe(ctx context.Context, w *Waiter) {
	g.mu.Lock()
	out := g.extendLocked([]*Waiter{w}, nil)
	g.mu.Unlock()
	g.send(ctx, out)
}

// outgoing is what a search has found: a probe to send, or a cycle.
type outgoing struct {
	target kv.TxnMeta
	path   []Edge
	cycle  bool
}

// hop is a wait on the way of a search, which leads on from the hop before it.
type hop struct {
	edge   Edge
	before int // -1: the beginning
	length int // of the path up to here
}

// extendLocked follows the local waits from one transaction's waiters on, whom path
// has reached, and returns the places where the paths leave the process, and at most
// one cycle. It is a search in breadth that visits each transaction once: a queue is
// a net of waits, in which the number of paths doubles with every waiter, but one,
// the shortest, to each transaction is enough.
func (g *Graph) extendLocked(from []*Waiter, path []Edge) (out []outgoing) {
	if len(from) == 0 {
		return nil
	}
	origin := from[0].id
	seen := map[kv.TxnID]bool{origin: true}
	if len(path) > 0 {
		origin = path[0].Waiter
	}
	for _, e := range path {
		seen[e.Waiter] = true // a cycle without the origin is found by its members
	}
	type visit struct {
		w      *Waiter
		before int
	}
	var hops []hop
	var next []visit
	for _, w := range from {
		next = append(next, visit{w, -1})
	}
	trace := func(h hop) []Edge {
		p := make([]Edge, h.length)
		for i := h.length - 1; ; i-- {
			p[i] = h.edge
			if h.before < 0 {
				copy(p, path)
				return p
			}
			h = hops[h.before]
		}
	}
	closed := false
	for len(next) > 0 {
		v := next[0]
		next = next[1:]
		length := len(path) + 1
		if v.before >= 0 {
			length = hops[v.before].length + 1
		}
		if length > maxPath {
			break
		}
		for _, b := range v.w.blockers() {
			h := hop{edge: g.edgeLocked(v.w, b.Key).Edge, before: v.before, length: length}
			switch {
			case b.Txn.ID == origin:
				if !closed {
					closed = true
					out = append(out, outgoing{path: trace(h), cycle: true})
				}
				continue
			case seen[b.Txn.ID]:
				continue
			}
			seen[b.Txn.ID] = true
			local := g.mu.waits[b.Txn.ID]
			if len(local) == 0 {
				out = append(out, outgoing{target: b.Txn, path: trace(h)})
				continue
			}
			hops = append(hops, h)
			for _, w := range local {
				next = append(next, visit{w, len(hops) - 1})
			}
		}
	}
	return out
}

func (g *Graph) send(ctx context.Context, out []outgoing) {
	for _, o := range out {
		if !o.cycle {
			if g.cfg.Prober != nil {
				_ = g.cfg.Prober.Probe(ctx, &o.target, &Probe{Path: o.path}) // sent again later
			}
			continue
		}
		e := slices.MaxFunc(o.path, func(a, b Edge) int {
			return cmp.Or(cmp.Compare(a.StartTS, b.StartTS), slices.Compare(a.Waiter[:], b.Waiter[:]))
		})
		v := &Victim{Edge: e, Path: o.path}
		if e.Node == g.cfg.Node {
			g.HandleVictim(v)
		} else if g.cfg.Prober != nil {
			_ = g.cfg.Prober.Victim(ctx, e.Node, v)
		}
	}
}

// HandleProbe takes a probe that asks about target's waits in this process.
func (g *Graph) HandleProbe(ctx context.Context, target kv.TxnID, p *Probe) {
	if len(p.Path) == 0 || len(p.Path) >= maxPath {
		return
	}
	g.mu.Lock()
	out := g.extendLocked(g.mu.waits[target], p.Path)
	g.mu.Unlock()
	g.send(ctx, out)
}

// HandleVictim fails the wait that v names, unless it has ended.
func (g *Graph) HandleVictim(v *Victim) {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.IndexFunc(g.mu.waits[v.Edge.Waiter], func(w *Waiter) bool { return w.waitSeq == v.Edge.WaitSeq })
	if i < 0 {
		return
	}
	err := &kv.DeadlockError{}
	for i, e := range v.Path {
		next := v.Path[(i+1)%len(v.Path)]
		holder := kv.TxnMeta{ID: next.Waiter, StartTS: hlc.Timestamp(next.StartTS), GatewayNode: next.Gateway}
		err.Path = append(err.Path, kv.Conflict{Key: e.Key, Holder: holder})
	}
	g.mu.waits[v.Edge.Waiter][i].fail(err)
}
