package lease

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// The tests run the sources of several nodes over one store in memory, with a clock that
// they move and steps of the background work that they take themselves.

// store is the key space that the nodes share.
type store struct {
	mu    sync.Mutex
	data  map[string][]byte
	clock hlc.Timestamp
	// broken makes every request fail.
	broken error
}

func newStore() *store { return &store{data: map[string][]byte{}, clock: hlc.FromMicros(1e12)} }

func (s *store) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = s.clock.Add(d)
}

func (s *store) Now() hlc.Timestamp {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock++
	return s.clock
}

func (s *store) Run(ctx context.Context, fn func(context.Context, catalog.Txn) error) error {
	t := &txn{s: s, buf: map[string][]byte{}, ts: s.Now()}
	if err := fn(ctx, t); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	for k, v := range t.buf {
		if v == nil {
			delete(s.data, k)
		} else {
			s.data[k] = v
		}
	}
	return nil
}

func (s *store) Increment(_ context.Context, key []byte, by int64) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _ := strconv.ParseInt(string(s.data[string(key)]), 10, 64)
	s.data[string(key)] = strconv.AppendInt(nil, n+by, 10)
	return n + by, s.broken
}

func (s *store) Send(_ context.Context, b *kv.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	for i := range b.Ops {
		switch op := &b.Ops[i]; op.Kind {
		case kv.OpPut:
			s.data[string(op.Key)] = bytes.Clone(op.Value)
		case kv.OpDelete:
			delete(s.data, string(op.Key))
		case kv.OpGet:
			op.Value, op.Found = s.data[string(op.Key)]
		case kv.OpScan:
			for _, k := range slices.Sorted(maps.Keys(s.data)) {
				if k >= string(op.Key) && k < string(op.EndKey) {
					op.Rows.Append([]byte(k), s.data[k], 1)
				}
			}
		}
	}
	return nil
}

type txn struct {
	s   *store
	buf map[string][]byte // nil value: deleted
	ts  hlc.Timestamp
}

func (t *txn) ReadTimestamp() hlc.Timestamp { return t.ts }

func (t *txn) Get(_ context.Context, key []byte, _ kv.LockStrength) ([]byte, bool, error) {
	if v, ok := t.buf[string(key)]; ok {
		return v, v != nil, nil
	}
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	v, ok := t.s.data[string(key)]
	return v, ok, t.s.broken
}

func (t *txn) ScanPage(_ context.Context, start, end []byte, _ int64, dst *kv.Rows) ([]byte, error) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	all := maps.Clone(t.s.data)
	for k, v := range t.buf {
		if all[k] = v; v == nil {
			delete(all, k)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(all)) {
		if k >= string(start) && k < string(end) {
			dst.Append([]byte(k), all[k], 1)
		}
	}
	return nil, t.s.broken
}

func (t *txn) Put(_ context.Context, key, value []byte) error {
	t.buf[string(key)] = bytes.Clone(value)
	return nil
}

func (t *txn) Delete(_ context.Context, key []byte) error {
	t.buf[string(key)] = nil
	return nil
}

type noVirtual struct{}

func (noVirtual) Relation(catalog.ID, string) (*catalog.Virtual, bool) { return nil, false }
func (noVirtual) RelationByID(catalog.ID) (*catalog.Virtual, bool)     { return nil, false }
func (noVirtual) All(func(*catalog.Virtual) bool)                      {}

// node is a source that works when it is told to.
type node struct {
	*Source
	alone    bool
	acquired int
}

func open(t *testing.T, s *store, id keys.NodeID, alone bool) *node {
	n := &node{alone: alone}
	var err error
	n.Source, err = Open(t.Context(), Config{
		DB: s, Node: id, Alone: func() bool { return n.alone }, Virtual: noVirtual{}, PollInterval: time.Hour,
		Acquired: func(context.Context, *Source) error { n.acquired++; return nil },
	})
	require.NoError(t, err)
	t.Cleanup(n.Close)
	return n
}

// addSchema commits a new schema on a node and publishes it there.
func (n *node) addSchema(t *testing.T, name string) catalog.ID {
	t.Helper()
	var coll *catalog.Collection
	var id catalog.ID
	require.NoError(t, n.cfg.DB.Run(t.Context(), func(ctx context.Context, txn catalog.Txn) (err error) {
		coll = catalog.NewCollection(n, n.cfg.DB, txn)
		if id, err = coll.AllocateIDs(ctx, 1); err != nil {
			return err
		}
		return coll.Put(ctx, &catalog.Schema{Header: catalog.Header{ID: id, Name: name, Database: catalog.DatabaseDefault}})
	}))
	require.NoError(t, n.Publish(t.Context(), coll.Changes()))
	return id
}

func holders(t *testing.T, n *node) []keys.NodeID {
	t.Helper()
	list, err := n.Holders(t.Context())
	require.NoError(t, err)
	var ids []keys.NodeID
	for _, h := range list {
		ids = append(ids, h.Node)
	}
	return ids
}

func ended(t *testing.T, n *node, id keys.NodeID) bool {
	t.Helper()
	is, err := n.Ended(t.Context(), id)
	require.NoError(t, err)
	return is
}

// TestAlone: a node that is alone has no lease and needs none, until there is another.
func TestAlone(t *testing.T) {
	s := newStore()
	n := open(t, s, 1, true)
	require.Empty(t, holders(t, n))
	s.advance(time.Hour)
	require.NoError(t, n.Check())
	require.NoError(t, n.AwaitAdopted(t.Context(), s.Now()))

	n.alone = false
	require.Equal(t, []keys.NodeID{1}, holders(t, n), "whoever asks who has a lease has one")
	require.False(t, ended(t, n, 1))

	// Alone again: the row goes, or others would take its end for the node's.
	n.alone = true
	require.NoError(t, n.step(t.Context()))
	s.advance(time.Hour)
	require.NoError(t, n.Check())
	require.False(t, ended(t, n, 1))
}

// TestAdoption: a change of one node is awaited until the others have taken it up.
func TestAdoption(t *testing.T) {
	s := newStore()
	a, b := open(t, s, 1, false), open(t, s, 2, false)
	require.Equal(t, []keys.NodeID{1, 2}, holders(t, a))
	generation := b.Generation()
	id := a.addSchema(t, "x")
	require.NotNil(t, a.Snapshot().ByID(id))
	require.Nil(t, b.Snapshot().ByID(id))

	ts := s.Now()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, a.AwaitAdopted(ended, ts), context.Canceled, "it is awaited")
	require.NoError(t, b.step(t.Context()))
	require.NotNil(t, b.Snapshot().ByID(id))
	require.Greater(t, b.Generation(), generation)
	require.NoError(t, a.AwaitAdopted(t.Context(), ts))

	// The counter has not moved: nothing is read, and the generation stands.
	generation = b.Generation()
	require.NoError(t, b.step(t.Context()))
	require.Equal(t, generation, b.Generation())
}

// TestExpiry: a node that cannot renew its lease may not commit, others stop waiting for it,
// and it counts as a new one when it comes back.
func TestExpiry(t *testing.T) {
	s := newStore()
	a, b := open(t, s, 1, false), open(t, s, 2, false)
	epoch, acquired := b.Epoch(), b.acquired
	require.NoError(t, b.Check())

	s.advance(b.cfg.Duration - margin/2)
	require.Equal(t, sqlstate.CannotConnectNow, sqlstate.CodeOf(b.Check()), "it stops before others may stop waiting")
	require.Contains(t, holders(t, a), keys.NodeID(2))
	require.False(t, ended(t, a, 2))
	s.advance(2 * margin)
	require.NotContains(t, holders(t, a), keys.NodeID(2))
	require.True(t, ended(t, a, 2))

	// Another node changes something, and this one sees it before it goes on.
	require.NoError(t, a.step(t.Context()))
	id := a.addSchema(t, "x")
	require.NoError(t, b.step(t.Context()))
	require.NotNil(t, b.Snapshot().ByID(id))
	require.NoError(t, b.Check())
	require.Equal(t, epoch+1, b.Epoch())
	require.Equal(t, acquired+1, b.acquired)

	// A renewal in time is no new epoch.
	s.advance(b.cfg.Duration / 2)
	require.NoError(t, b.step(t.Context()))
	require.Equal(t, epoch+1, b.Epoch())
}

// TestClose: a node that ends gives its lease back after the margin that commits on their
// way have.
func TestClose(t *testing.T) {
	s := newStore()
	a, b := open(t, s, 1, false), open(t, s, 2, false)
	b.Close()
	require.Error(t, b.Check())
	require.False(t, ended(t, a, 2))
	s.advance(2*margin + time.Millisecond)
	require.True(t, ended(t, a, 2))
	require.Equal(t, []keys.NodeID{1}, holders(t, a))
}
