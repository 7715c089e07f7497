// Package lease keeps a node's image of the catalog fresh, and tells schema
// changes when every node has taken one up. It implements catalog.Source.
//
// # Model
//
// A transaction that changes the catalog commits rows of the system tables like
// any other. Afterwards its node publishes the changes to its own image
// (Publish) and bumps one counter. Every node reads that counter about once a
// second and, when it has moved, reads what changed (Refresh). A name that a node
// does not know is looked up in the key space before an error is raised
// (catalog.Collection), so new objects are seen at once everywhere.
//
// # The two-version rule
//
// Each node of a cluster holds a lease: a row that says up to which timestamp its
// image is complete and until when it may be used. AwaitAdopted waits until all
// leases that have not expired say that the node has taken up a change, which is
// what lies between two steps of a schema change (Rae et al., "Online,
// Asynchronous Schema Change in F1", VLDB 2013): at most two adjacent versions of
// a descriptor are in use at any time. A node whose lease has run out must renew
// it before it plans another statement (Check). A node that is alone has no lease
// and waits for nobody but its own transactions (catalog.Table.AwaitDrained).
//
// Neither does a transaction commit on a node whose lease has run out (Check), or on
// one that has been without a lease since the transaction began (Epoch,
// catalog.Collection.Check).
//
// # Concurrency
//
// Source is safe for concurrent use. Snapshot and Generation are atomic loads.
package lease

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// Config configures a Source.
type Config struct {
	DB catalog.DB
	// Node is this node's id.
	Node keys.NodeID
	// Alone reports whether this node is the whole cluster.
	Alone   func() bool
	Virtual catalog.VirtualSchemas
	// PollInterval is how often other nodes' changes are looked for. Default 1 s.
	PollInterval time.Duration
	// Duration is how long a lease lasts: for so long a schema change may have to wait
	// for a node that has crashed, and for so long nodes can do without the system range.
	// Default 7 s.
	Duration time.Duration
	// Acquired is called when a lease has been written after there was none, or one
	// that had run out, and before it is relied upon: the node takes up what other
	// nodes have agreed upon meanwhile, the fences of schema changes under way. May
	// be nil.
	Acquired func(context.Context, *Source) error
	Logger   *slog.Logger
}

// Source is a node's view of the committed catalog.
type Source struct {
	cfg        Config
	snapshot   atomic.Pointer[catalog.Snapshot]
	generation atomic.Uint64
	// expires is until when the image may be used (hlc.Timestamp); hlc.Max for a
	// node that is alone.
	expires atomic.Uint64
	// epoch counts the times that a lease was acquired.
	epoch atomic.Uint64

	// turn is held, by sending to it, by the one who changes the image. That may take
	// as long as the system range is away, so the others wait with their contexts.
	turn   chan struct{}
	fullAt time.Time // guarded by turn
	// counter is the value of counterKey that the image contains.
	counter atomic.Int64

	mu sync.Mutex
	// usable is closed and replaced whenever a fence may have fallen. Guarded by mu.
	usable chan struct{}

	cancel context.CancelFunc
	wg     sync.WaitGroup
}

var _ catalog.Source = (*Source)(nil)

// counterKey is bumped by every committed change of the catalog.
var counterKey = keys.System("catalog/generation")

// fullInterval is how often the catalog is read again even if the counter stands
// still: a node may have died between its commit and the bump.
const fullInterval = 30 * time.Second

// Open bootstraps the catalog if need be, reads it, and starts to keep it fresh.
func Open(ctx context.Context, cfg Config) (*Source, error) {
	if cfg.PollInterval == 0 {
		cfg.PollInterval = time.Second
	}
	if cfg.Duration == 0 {
		cfg.Duration = 7 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Source{cfg: cfg, usable: make(chan struct{}), turn: make(chan struct{}, 1)}
	if err := cfg.DB.Run(ctx, catalog.Bootstrap); err != nil {
		return nil, fmt.Errorf("bootstrap of the catalog: %w", err)
	}
	err := cfg.DB.Run(ctx, func(ctx context.Context, t catalog.Txn) error {
		snap, err := catalog.LoadSnapshot(ctx, t)
		if err == nil {
			s.snapshot.Store(snap)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	s.generation.Store(1)
	if err := s.renew(ctx); err != nil {
		return nil, err
	}
	ctx, s.cancel = context.WithCancel(context.Background())
	s.wg.Add(1)
	go s.poll(ctx)
	return s, nil
}

// Close stops the background work, waits for it, and shortens the lease, so that schema
// changes of other nodes do not wait for it to run out. No transaction begins to commit on
// this node any more: it is called after the sessions have ended. What they left on its way
// has as much time as before the end of any lease.
func (s *Source) Close() {
	s.cancel()
	s.wg.Wait()
	expires, end := hlc.Timestamp(s.expires.Swap(0)), s.cfg.DB.Now().Add(margin)
	if expires == hlc.Max || expires <= end {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
	defer cancel()
	if err := s.write(ctx, end); err != nil {
		s.cfg.Logger.Info("the catalog lease is left to run out", "error", err)
	}
}

// releaseTimeout bounds the attempt to give the lease back.
const releaseTimeout = time.Second

// Snapshot implements catalog.Source.
func (s *Source) Snapshot() *catalog.Snapshot { return s.snapshot.Load() }

// Generation implements catalog.Source.
func (s *Source) Generation() uint64 { return s.generation.Load() }

// Node returns the node's id.
func (s *Source) Node() keys.NodeID { return s.cfg.Node }

// Virtual implements catalog.Source.
func (s *Source) Virtual() catalog.VirtualSchemas { return s.cfg.Virtual }

// Refresh implements catalog.Source.
func (s *Source) Refresh(ctx context.Context) error {
	if err := s.take(ctx); err != nil {
		return err
	}
	defer s.release()
	return s.refreshLocked(ctx)
}

// take waits for the turn.
func (s *Source) take(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("refresh the catalog: %w", context.Cause(ctx))
	}
}

func (s *Source) release() { <-s.turn }

// refreshLocked needs the turn.
func (s *Source) refreshLocked(ctx context.Context) error {
	var next *catalog.Snapshot
	var gone []*catalog.Table
	err := s.cfg.DB.Run(ctx, func(ctx context.Context, t catalog.Txn) (err error) {
		next, gone, err = catalog.UpdateSnapshot(ctx, t, s.snapshot.Load())
		return err
	})
	if err != nil {
		return fmt.Errorf("refresh the catalog: %w", err)
	}
	s.fullAt = time.Now()
	s.adopt(next, gone)
	return nil
}

// adopt makes an image current. The generation moves only if something changed. It
// needs the turn.
func (s *Source) adopt(next *catalog.Snapshot, gone []*catalog.Table) {
	old := s.snapshot.Load()
	s.snapshot.Store(next)
	for _, t := range gone {
		t.Supersede()
	}
	if next.Changed(old) {
		s.generation.Add(1)
	}
	s.FenceFell()
}

// Publish takes up the changes of a transaction that has committed on this node,
// and tells the others. The error concerns the others only: they will find out by
// themselves later.
func (s *Source) Publish(ctx context.Context, changes []catalog.Change) error {
	if len(changes) == 0 {
		return nil
	}
	// The session must see its own change, even if it has no time left to wait for it.
	if err := s.take(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	next, gone, err := catalog.ApplyChanges(s.snapshot.Load(), changes)
	if err == nil {
		s.adopt(next, gone)
	}
	s.release()
	if err != nil {
		return s.Refresh(ctx)
	}
	return s.Announce(ctx)
}

// Announce tells the other nodes that the catalog has changed, which this one knows.
func (s *Source) Announce(ctx context.Context) error {
	n, err := s.cfg.DB.Increment(ctx, counterKey, 1)
	if err != nil {
		return err
	}
	s.counter.CompareAndSwap(n-1, n)
	return nil
}

// AwaitUsable implements catalog.Source.
func (s *Source) AwaitUsable(ctx context.Context, t *catalog.Table) error {
	for {
		s.mu.Lock()
		usable := s.usable
		s.mu.Unlock()
		if t.Current() || t.Superseded() {
			return nil
		}
		select {
		case <-usable:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// FenceFell wakes those who wait in AwaitUsable; a schema change that has lifted
// its fence calls it.
func (s *Source) FenceFell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.usable)
	s.usable = make(chan struct{})
}

// margin is kept from the end of a lease on both sides: its holder stops before,
// so that what it has begun to commit is done, and others wait for longer, as
// their clocks may be ahead.
const margin = time.Second

// Check returns an error if the node's lease has run out: its image may be older
// than the two versions that are allowed, and other nodes no longer wait for what
// this one does. No transaction may commit then. One atomic load on a node that is
// alone.
func (s *Source) Check() error {
	expires := hlc.Timestamp(s.expires.Load())
	if expires == hlc.Max || s.cfg.DB.Now().Add(margin) < expires {
		return nil
	}
	return sqlstate.New(sqlstate.CannotConnectNow, "the node has lost touch with the catalog").
		WithHint("It resumes when it can reach the system range again.")
}

// Epoch counts the times that the node has acquired a lease: a transaction that
// spans two of them may have used tables that were changed in between.
func (s *Source) Epoch() uint64 { return s.epoch.Load() }

// poll keeps the image fresh and the lease alive.
func (s *Source) poll(ctx context.Context) {
	defer s.wg.Done()
	ticker := time.NewTicker(s.cfg.PollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if err := s.step(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Logger.Warn("catalog lease", "error", err)
		}
	}
}

// step is one round of poll.
func (s *Source) step(ctx context.Context) error {
	if s.cfg.Alone() {
		return s.becomeAlone(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Duration/3)
	defer cancel()
	b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpGet, Key: counterKey}}}
	if err := s.cfg.DB.Send(ctx, &b); err != nil {
		return err
	}
	counter := decodeCounter(b.Ops[0].Value)
	if err := s.take(ctx); err != nil {
		return err
	}
	var err error
	if counter != s.counter.Load() || time.Since(s.fullAt) > fullInterval {
		if err = s.refreshLocked(ctx); err == nil {
			s.counter.Store(counter)
		}
	}
	s.release()
	if err != nil {
		return err
	}
	return s.renew(ctx)
}

// decodeCounter reads the decimal text that kv.OpIncrement keeps.
func decodeCounter(b []byte) int64 {
	var n int64
	for _, c := range b {
		n = n*10 + int64(c-'0')
	}
	return n
}

// write writes the row of the node's lease: up to when its image is complete, and until
// when it may be used.
//
//	value: as of(8) expires(8), big-endian
func (s *Source) write(ctx context.Context, expires hlc.Timestamp) error {
	value := binary.BigEndian.AppendUint64(nil, uint64(s.snapshot.Load().AsOf))
	value = binary.BigEndian.AppendUint64(value, uint64(expires))
	b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpPut, Key: leaseKey(s.cfg.Node), Value: value}}}
	return s.cfg.DB.Send(ctx, &b)
}

// becomeAlone does without a lease. A row that is there must go first: others would take
// the node for one whose lease has ended, and that does not use the catalog.
func (s *Source) becomeAlone(ctx context.Context) error {
	if hlc.Timestamp(s.expires.Load()) == hlc.Max {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Duration/3)
	defer cancel()
	b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpGet, Key: leaseKey(s.cfg.Node)}}}
	err := s.cfg.DB.Send(ctx, &b)
	if err == nil && b.Ops[0].Found {
		b = kv.Batch{Ops: []kv.Op{{Kind: kv.OpDelete, Key: leaseKey(s.cfg.Node)}}}
		err = s.cfg.DB.Send(ctx, &b)
	}
	if err != nil {
		return fmt.Errorf("remove the catalog lease: %w", err)
	}
	s.expires.Store(uint64(hlc.Max))
	return nil
}

// renew extends the lease, or acquires one.
func (s *Source) renew(ctx context.Context) error {
	if s.cfg.Alone() {
		return s.becomeAlone(ctx)
	}
	expires := s.cfg.DB.Now().Add(s.cfg.Duration)
	began := s.cfg.DB.Now()
	if err := s.write(ctx, expires); err != nil {
		return fmt.Errorf("renew the catalog lease: %w", err)
	}
	if old := hlc.Timestamp(s.expires.Load()); old != hlc.Max && began >= old {
		// Others may not have waited for this node. What it has missed it sees now,
		// as they see its lease from now on.
		if err := s.Refresh(ctx); err != nil {
			return err
		}
		if s.cfg.Acquired != nil {
			if err := s.cfg.Acquired(ctx, s); err != nil {
				return fmt.Errorf("acquire a catalog lease: %w", err)
			}
		}
		s.epoch.Add(1)
	}
	s.expires.Store(uint64(expires))
	return nil
}

func leaseKey(n keys.NodeID) keys.Key { return catalog.SystemKey(catalog.SysLeases, uint64(n)) }

// AwaitAdopted waits until every node whose lease has not expired has an image
// that is complete up to ts. This node's own image must be.
func (s *Source) AwaitAdopted(ctx context.Context, ts hlc.Timestamp) error {
	if s.cfg.Alone() {
		return nil
	}
	ticker := time.NewTicker(s.cfg.PollInterval / 4)
	defer ticker.Stop()
	for {
		holders, err := s.Holders(ctx)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(holders, func(h Holder) bool { return h.Node != s.cfg.Node && h.AsOf < ts }) {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Holder is a node with a lease.
type Holder struct {
	Node keys.NodeID
	// AsOf is up to when its image is complete.
	AsOf hlc.Timestamp
}

// Holders returns the nodes whose leases have not expired, this one's included if
// it has one. A node that was alone until a moment ago writes its lease first.
func (s *Source) Holders(ctx context.Context) ([]Holder, error) {
	if !s.cfg.Alone() && hlc.Timestamp(s.expires.Load()) == hlc.Max {
		if err := s.renew(ctx); err != nil {
			return nil, err
		}
	}
	var out []Holder
	err := s.eachLease(ctx, func(h Holder, ended bool) {
		if !ended {
			out = append(out, h)
		}
	})
	return out, err
}

// Ended reports whether a node has had a lease that has expired: it has to acquire one
// again before it commits anything. A node that never had one may be one that takes itself
// to be alone.
func (s *Source) Ended(ctx context.Context, node keys.NodeID) (is bool, err error) {
	err = s.eachLease(ctx, func(h Holder, ended bool) { is = is || h.Node == node && ended })
	return is, err
}

// eachLease calls f for the leases of all nodes.
func (s *Source) eachLease(ctx context.Context, f func(h Holder, ended bool)) error {
	span := catalog.SystemSpan(catalog.SysLeases)
	var rows kv.Rows
	b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpScan, Key: span.Start, EndKey: span.End, Rows: &rows}}}
	if err := s.cfg.DB.Send(ctx, &b); err != nil {
		return fmt.Errorf("read the catalog leases: %w", err)
	}
	now := s.cfg.DB.Now()
	for pos := 0; ; {
		key, value, _, next, ok := rows.Next(pos)
		if !ok {
			return nil
		}
		pos = next
		if len(value) != 16 || len(key) < 8 {
			continue
		}
		expires := hlc.Timestamp(binary.BigEndian.Uint64(value[8:]))
		f(Holder{
			Node: keys.NodeID(binary.BigEndian.Uint64(key[len(key)-8:])),
			AsOf: hlc.Timestamp(binary.BigEndian.Uint64(value)),
		}, expires.Add(margin) <= now)
	}
}
