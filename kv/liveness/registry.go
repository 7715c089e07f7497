package liveness

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/storage"
)

// Errors of Register and SetState.
var (
	ErrDecommissioned = errors.New("liveness: node is decommissioned")
	ErrUnknownNode    = errors.New("liveness: no such node")
)

// Config configures a Registry.
type Config struct {
	// Self is this node. Required.
	Self keys.NodeID
	// Clock gives physical time. Required.
	Clock *hlc.Clock
	// Engine keeps the copy of the records; nil keeps none.
	Engine *storage.Engine
	// StoreAlive is raftgroup.Host.StoreAlive; nil: a store lives while it is
	// heard.
	StoreAlive func(keys.StoreID) bool
	// HeardWithin is how fresh the last word of a store must be for it to count as
	// live. Default 5 s.
	HeardWithin time.Duration
	// RefreshInterval is how often Run reads the rows. Default 5 s.
	RefreshInterval time.Duration
	// Changed is called, by one goroutine at a time, after records were added or
	// changed. May be nil.
	Changed func()
}

// Registry is a node's view of all nodes. Safe for concurrent use.
type Registry struct {
	cfg  Config
	view atomic.Pointer[view]

	mu struct {
		sync.Mutex
		seen map[keys.StoreID]Seen
		// known is when a record was first read here: a store that was never heard
		// counts from then on.
		known map[keys.StoreID]int64
		// alive is set once the Raft host exists.
		alive func(keys.StoreID) bool
	}
	updating sync.Mutex // publishers of view
	kick     chan struct{}
}

// view is immutable.
type view struct {
	nodes  map[keys.NodeID]*Record
	stores map[keys.StoreID]*Record
}

var savedKey = keys.StoreLocal("nodes")

// NewRegistry returns a Registry that knows what the engine's copy says.
func NewRegistry(cfg Config) (*Registry, error) {
	if cfg.HeardWithin == 0 {
		cfg.HeardWithin = 5 * time.Second
	}
	if cfg.RefreshInterval == 0 {
		cfg.RefreshInterval = 5 * time.Second
	}
	r := &Registry{cfg: cfg, kick: make(chan struct{}, 1)}
	r.mu.seen = make(map[keys.StoreID]Seen)
	r.mu.known = make(map[keys.StoreID]int64)
	r.mu.alive = cfg.StoreAlive
	r.view.Store(&view{})
	if cfg.Engine != nil {
		saved, ok, err := cfg.Engine.Get(nil, savedKey)
		if err != nil {
			return nil, err
		}
		if ok {
			records, err := decodeSaved(saved)
			if err != nil {
				return nil, fmt.Errorf("saved node records: %w", err)
			}
			r.merge(records, false)
		}
	}
	return r, nil
}

// SetStoreAlive supplies Config.StoreAlive after the fact.
func (r *Registry) SetStoreAlive(alive func(keys.StoreID) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.alive = alive
}

// Register writes this node's record, keeping the wanted state of an earlier
// one except for Draining, which ends with a restart. A decommissioned node gets
// ErrDecommissioned.
func (r *Registry) Register(ctx context.Context, s kv.Sender, rec Record) error {
	written, err := updateNode(ctx, s, rec.Node, func(old *Record) (*Record, error) {
		next := rec
		if old != nil {
			switch old.State {
			case Decommissioned:
				return nil, fmt.Errorf("%s: %w", rec.Node, ErrDecommissioned)
			case Decommissioning:
				next.State = old.State
			}
		}
		return &next, nil
	})
	if err != nil {
		return err
	}
	r.merge([]*Record{written}, false)
	return nil
}

// SetState writes the wanted state of a node. Decommissioned is final.
func (r *Registry) SetState(ctx context.Context, s kv.Sender, n keys.NodeID, st State) error {
	written, err := updateNode(ctx, s, n, func(old *Record) (*Record, error) {
		switch {
		case old == nil:
			return nil, fmt.Errorf("%s: %w", n, ErrUnknownNode)
		case old.State == st:
			return nil, nil
		case old.State == Decommissioned:
			return nil, fmt.Errorf("%s: %w", n, ErrDecommissioned)
		}
		next := *old
		next.State = st
		return &next, nil
	})
	if err != nil {
		return err
	}
	r.merge([]*Record{written}, false)
	return nil
}

// Seed makes records known that were learnt otherwise than from the rows or from
// heartbeats: from the reply that admitted this node. What is known already
// stays.
func (r *Registry) Seed(records []Record) {
	v := r.view.Load()
	var fresh []*Record
	for _, rec := range records {
		if v.nodes[rec.Node] == nil {
			fresh = append(fresh, &rec)
		}
	}
	r.merge(fresh, false)
}

// Refresh reads all records.
func (r *Registry) Refresh(ctx context.Context, s kv.Sender) error {
	var records []*Record
	err := scanPrefix(ctx, s, nodePrefix, func(_ string, value []byte) error {
		rec := new(Record)
		if err := rec.Decode(value); err != nil {
			return err
		}
		records = append(records, rec)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read node records: %w", err)
	}
	r.merge(records, true)
	return nil
}

// Run refreshes the records until ctx ends.
func (r *Registry) Run(ctx context.Context, s kv.Sender) {
	for {
		readCtx, cancel := context.WithTimeout(ctx, r.cfg.RefreshInterval)
		_ = r.Refresh(readCtx, s) // range 1 may be away; the view just ages
		cancel()
		t := time.NewTimer(r.cfg.RefreshInterval)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-r.kick:
			t.Stop()
		case <-t.C:
		}
	}
}

// Kick makes Run refresh soon.
func (r *Registry) Kick() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// merge publishes records; complete says that they are all there are.
func (r *Registry) merge(records []*Record, complete bool) {
	r.updating.Lock()
	defer r.updating.Unlock()
	old := r.view.Load()
	next := &view{nodes: make(map[keys.NodeID]*Record), stores: make(map[keys.StoreID]*Record)}
	if !complete {
		maps.Copy(next.nodes, old.nodes)
	}
	for _, rec := range records {
		next.nodes[rec.Node] = rec
	}
	changed := len(next.nodes) != len(old.nodes)
	now := r.cfg.Clock.Physical()
	r.mu.Lock()
	for _, rec := range next.nodes {
		next.stores[rec.Store] = rec
		if _, ok := r.mu.known[rec.Store]; !ok {
			r.mu.known[rec.Store] = now
		}
		if o := old.nodes[rec.Node]; o == nil || o != rec && !equalRecords(o, rec) {
			changed = true
		}
	}
	r.mu.Unlock()
	if !changed {
		return
	}
	r.view.Store(next)
	r.save(next)
	if r.cfg.Changed != nil {
		r.cfg.Changed()
	}
}

func equalRecords(a, b *Record) bool {
	x, y := *a, *b
	x.Locality, y.Locality = nil, nil
	return slices.Equal(a.Locality, b.Locality) && fmt.Sprint(x) == fmt.Sprint(y)
}

// save writes the copy of the records. A failure is not reported: the next start
// then relies on the --join addresses.
func (r *Registry) save(v *view) {
	if r.cfg.Engine == nil {
		return
	}
	enc := []byte{savedVersion}
	for _, n := range slices.Sorted(maps.Keys(v.nodes)) {
		rec := v.nodes[n].Encode(nil)
		enc = append(binary.LittleEndian.AppendUint32(enc, uint32(len(rec))), rec...)
	}
	b := r.cfg.Engine.NewBatch()
	defer b.Close()
	b.Put(savedKey, enc)
	if b.Commit() == nil {
		_, _ = r.cfg.Engine.FlushAsync()
	}
}

// The copy is a version byte and the records, each with its u32 length.
const savedVersion = 1

func decodeSaved(b []byte) ([]*Record, error) {
	d := decoder{b: b}
	if d.u8() != savedVersion {
		return nil, ErrCorrupt
	}
	var records []*Record
	for len(d.b) > 0 && !d.bad {
		rec := new(Record)
		if err := rec.Decode(d.bytes()); err != nil {
			return nil, err
		}
		records = append(records, rec)
	}
	return records, d.done()
}

// Observe takes in what a store said with a heartbeat. It must be quick.
func (r *Registry) Observe(g *Gossip) {
	now := r.cfg.Clock.Physical()
	r.mu.Lock()
	r.mu.seen[g.Record.Store] = Seen{Store: g.Record.Store, Load: g.Load, AtMicros: now}
	r.mu.Unlock()
	known := r.view.Load().nodes[g.Record.Node]
	// The rows are what counts, but a new address is needed at once.
	if known == nil || known.StartedMicros < g.Record.StartedMicros {
		rec := g.Record
		if known != nil {
			rec.State = known.State
		}
		r.merge([]*Record{&rec}, false)
		r.Kick()
	}
}

// Node returns a node's record; ok is false if it is not known here.
func (r *Registry) Node(n keys.NodeID) (Record, bool) {
	if rec := r.view.Load().nodes[n]; rec != nil {
		return *rec, true
	}
	return Record{}, false
}

// NodeAddr returns where to reach a node: for kv/rpc.
func (r *Registry) NodeAddr(n keys.NodeID) (string, bool) {
	if rec := r.view.Load().nodes[n]; rec != nil {
		return rec.Addr, true
	}
	return "", false
}

// StoreAddr returns where to reach a store: for raftgroup/transport.
func (r *Registry) StoreAddr(s keys.StoreID) (string, bool) {
	if rec := r.view.Load().stores[s]; rec != nil {
		return rec.Addr, true
	}
	return "", false
}

// StoreNode returns the node of a store.
func (r *Registry) StoreNode(s keys.StoreID) (keys.NodeID, bool) {
	if rec := r.view.Load().stores[s]; rec != nil {
		return rec.Node, true
	}
	return 0, false
}

// Nodes returns the ids of all nodes that are not decommissioned, this one last:
// for asking around.
func (r *Registry) Nodes() []keys.NodeID {
	v := r.view.Load()
	ids := make([]keys.NodeID, 0, len(v.nodes))
	for n, rec := range v.nodes {
		if n != r.cfg.Self && rec.State != Decommissioned {
			ids = append(ids, n)
		}
	}
	slices.Sort(ids)
	return append(ids, r.cfg.Self)
}

// Distance ranks nodes by locality as seen from this one: for kv/dist.
func (r *Registry) Distance(n keys.NodeID) int {
	v := r.view.Load()
	self, other := v.nodes[r.cfg.Self], v.nodes[n]
	if self == nil || other == nil || n == r.cfg.Self {
		return 0
	}
	return self.Locality.Distance(other.Locality) + 1
}

// Status is a node as this one sees it.
type Status struct {
	Record
	Load Load
	// Alive: its store has been heard a moment ago and vouches for this one.
	Alive bool
	// Silent is for how long nothing was heard of it; 0 for this node.
	Silent time.Duration
}

// Snapshot returns all nodes, by id.
func (r *Registry) Snapshot() []Status {
	v := r.view.Load()
	now := r.cfg.Clock.Physical()
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]Status, 0, len(v.nodes))
	for _, n := range slices.Sorted(maps.Keys(v.nodes)) {
		rec := v.nodes[n]
		st := Status{Record: *rec}
		seen, heard := r.mu.seen[rec.Store]
		st.Load = seen.Load
		switch {
		case n == r.cfg.Self:
			st.Alive = true
		case heard:
			st.Silent = time.Duration(now-max(seen.AtMicros, 0)) * time.Microsecond
		default:
			st.Silent = time.Duration(now-r.mu.known[rec.Store]) * time.Microsecond
		}
		if n != r.cfg.Self {
			st.Alive = heard && st.Silent <= r.cfg.HeardWithin
			if r.mu.alive != nil && r.mu.alive(rec.Store) {
				st.Alive = true
			}
		}
		list = append(list, st)
	}
	return list
}
