package catalog

import (
	"context"
	"maps"
	"slices"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
)

// memStore is a DB of plain maps for tests of one goroutine: a transaction works on a
// copy, and a commit replaces the original.
type memStore struct {
	data     map[string][]byte
	counters map[string]int64
	clock    hlc.Timestamp
}

func newMemStore() *memStore {
	return &memStore{data: map[string][]byte{}, counters: map[string]int64{}}
}

func (s *memStore) Now() hlc.Timestamp { s.clock++; return s.clock }

func (s *memStore) Run(ctx context.Context, fn func(context.Context, Txn) error) error {
	t := s.begin()
	if err := fn(ctx, t); err != nil {
		return err
	}
	t.commit()
	return nil
}

func (s *memStore) Increment(_ context.Context, key []byte, by int64) (int64, error) {
	s.counters[string(key)] += by
	return s.counters[string(key)], nil
}

func (s *memStore) Send(context.Context, *kv.Batch) error { panic("not used") }

func (s *memStore) begin() *memTxn {
	return &memTxn{s: s, data: maps.Clone(s.data), ts: s.Now()}
}

type memTxn struct {
	s    *memStore
	data map[string][]byte
	ts   hlc.Timestamp
}

func (t *memTxn) ReadTimestamp() hlc.Timestamp { return t.ts }

func (t *memTxn) Get(_ context.Context, key []byte, _ kv.LockStrength) ([]byte, bool, error) {
	v, ok := t.data[string(key)]
	return v, ok, nil
}

func (t *memTxn) ScanPage(_ context.Context, start, end []byte, maxRows int64, dst *kv.Rows) ([]byte, error) {
	if maxRows == 0 {
		maxRows = 3 // several pages
	}
	for _, k := range slices.Sorted(maps.Keys(t.data)) {
		if k < string(start) || k >= string(end) {
			continue
		}
		if maxRows == 0 {
			return []byte(k), nil
		}
		maxRows--
		dst.Append([]byte(k), t.data[k], t.ts)
	}
	return nil, nil
}

func (t *memTxn) Put(_ context.Context, key, value []byte) error {
	t.data[string(key)] = slices.Clone(value)
	return nil
}

func (t *memTxn) Delete(_ context.Context, key []byte) error {
	delete(t.data, string(key))
	return nil
}

func (t *memTxn) commit() { t.s.data = t.data }

// memSource is a Source over a memStore.
type memSource struct {
	s          *memStore
	image      *Snapshot
	generation uint64
}

func newMemSource(s *memStore) *memSource {
	src := &memSource{s: s, image: NewSnapshot()}
	if err := src.Refresh(context.Background()); err != nil {
		panic(err)
	}
	return src
}

func (m *memSource) Snapshot() *Snapshot                       { return m.image }
func (m *memSource) Generation() uint64                        { return m.generation }
func (m *memSource) AwaitUsable(context.Context, *Table) error { return nil }
func (m *memSource) Virtual() VirtualSchemas                   { return noVirtual{} }

func (m *memSource) Refresh(ctx context.Context) error {
	now, gone, err := UpdateSnapshot(ctx, m.s.begin(), m.image)
	if err == nil {
		m.take(now, gone)
	}
	return err
}

func (m *memSource) publish(changes []Change) error {
	now, gone, err := ApplyChanges(m.image, changes)
	if err == nil {
		m.take(now, gone)
	}
	return err
}

func (m *memSource) take(now *Snapshot, gone []*Table) {
	m.image = now
	for _, t := range gone {
		t.Supersede()
	}
	m.generation++
}
