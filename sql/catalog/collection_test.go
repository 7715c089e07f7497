package catalog

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// The tests of this file drive a Collection beside a model: maps from names and ids to what
// should be there. Two nodes look at one store: the one that commits publishes its changes
// (ApplyChanges), the other reads them (UpdateSnapshot); both must end with what a node
// that starts now would load.

// model is what a catalog holds: the string form of each descriptor by id.
type model map[ID]Descriptor

func (m model) clone() model { return maps.Clone(m) }

func describe(d Descriptor) string {
	h := d.Head()
	s := fmt.Sprintf("%s %d %s in %d", d.DescKind(), h.ID, h.Name, h.Schema)
	if t, ok := d.(*Table); ok {
		for x := range t.AllIndexes {
			s += " " + x.Name
		}
		for i := range t.Columns {
			s += fmt.Sprint(" ", t.Columns[i].Type.OID)
		}
	}
	return s
}

func (m model) strings() []string {
	var out []string
	for _, d := range m {
		out = append(out, describe(d))
	}
	slices.Sort(out)
	return out
}

func (m model) nameTaken(schema ID, name string) ID {
	for _, d := range m {
		names, _ := namesOf(d)
		for _, n := range names {
			if n.parent == schema && n.class == classRelation && n.name == name {
				return n.id
			}
		}
	}
	return 0
}

type harness struct {
	t         *testing.T
	rng       *rand.Rand
	store     *memStore
	src, peer *memSource
	txn       *memTxn
	coll      *Collection
	committed model
	now       model
}

func newHarness(t *testing.T, seed uint64) *harness {
	h := &harness{t: t, rng: rand.New(rand.NewPCG(seed, 7)), store: newMemStore(), committed: model{}}
	require.NoError(t, h.store.Run(context.Background(), Bootstrap))
	h.src, h.peer = newMemSource(h.store), newMemSource(h.store)
	h.src.image.All(func(d Descriptor) bool { h.committed[d.Head().ID] = d; return true })
	h.begin()
	return h
}

func (h *harness) begin() {
	h.txn = h.store.begin()
	h.coll = NewCollection(h.src, h.store, h.txn)
	h.coll.Path = SearchPath{Database: DatabaseDefault, Schemas: []string{"public"}, User: "root"}
	h.now = h.committed.clone()
}

func (h *harness) commit() {
	h.txn.commit()
	require.NoError(h.t, h.src.publish(h.coll.Changes()))
	h.coll.Release()
	h.committed = h.now
	h.begin()
}

func (h *harness) rollback() {
	h.coll.Release()
	h.begin()
}

// savepoint returns what goes back to the present state.
func (h *harness) savepoint() func() {
	data, now := maps.Clone(h.txn.data), h.now.clone()
	return func() {
		h.txn.data, h.now = maps.Clone(data), now.clone()
		require.NoError(h.t, h.coll.RolledBackTo(context.Background()))
	}
}

func (h *harness) name() string { return string('a' + rune(h.rng.IntN(8))) }

// pick returns a descriptor of the schema public of a kind, nil if there is none.
func (h *harness) pick(kind Kind) Descriptor {
	var all []Descriptor
	for _, d := range h.now {
		if d.DescKind() == kind && d.Head().Schema == SchemaPublic {
			all = append(all, d)
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortFunc(all, func(a, b Descriptor) int { return int(a.Head().ID) - int(b.Head().ID) })
	return all[h.rng.IntN(len(all))]
}

func (h *harness) put(d Descriptor) {
	require.NoError(h.t, h.coll.Put(context.Background(), d))
	h.now[d.Head().ID] = d
}

// change does one random thing in the open transaction.
func (h *harness) change() {
	ctx := context.Background()
	name := h.name()
	taken, err := h.coll.NameTaken(ctx, SchemaPublic, name)
	require.NoError(h.t, err)
	require.Equal(h.t, h.now.nameTaken(SchemaPublic, name), taken, "who has the name %q", name)
	id, err := h.coll.AllocateIDs(ctx, 4)
	require.NoError(h.t, err)
	head := Header{ID: id, Name: name, Database: DatabaseDefault, Schema: SchemaPublic}
	switch h.rng.IntN(8) {
	case 0:
		if taken == 0 {
			h.put(&Type{Header: head, ArrayOID: id + 1, Labels: []EnumLabel{{"x", 1, id + 2}}})
		}
	case 1, 2:
		if taken != 0 {
			return
		}
		t := &Table{Header: head, TypeOID: id + 1, Columns: []Column{{Num: 1, Name: "k", Type: types.Int4}}}
		t.Primary = Index{ID: 1, OID: id + 2, Hidden: true, Columns: []IndexColumn{{Num: 1, Type: types.Int4}}}
		if e, ok := h.pick(KindType).(*Type); ok {
			t.Columns = append(t.Columns, Column{Num: 2, Name: "e", Type: e.SQLType()})
		}
		h.put(t)
	case 3: // an index, whose name is one of the schema's
		if d := h.pick(KindTable); d != nil && taken == 0 {
			m, err := h.coll.Mutable(ctx, d.Head().ID)
			require.NoError(h.t, err)
			t := m.(*Table)
			t.Indexes = append(t.Indexes, Index{ID: uint32(len(t.Indexes) + 2), OID: id, Name: name, Columns: []IndexColumn{{Num: 1, Type: types.Int4}}})
			h.put(t)
		}
	case 4:
		if d := h.pick([]Kind{KindTable, KindType}[h.rng.IntN(2)]); d != nil && taken == 0 {
			m, err := h.coll.Mutable(ctx, d.Head().ID)
			require.NoError(h.t, err)
			m.Head().Name = name
			h.put(m)
		}
	case 5:
		if d := h.pick(KindTable); d != nil {
			require.NoError(h.t, h.coll.Remove(ctx, d))
			delete(h.now, d.Head().ID)
		}
	case 6: // an enum grows, which makes its tables anew
		if d := h.pick(KindType); d != nil {
			m, err := h.coll.Mutable(ctx, d.Head().ID)
			require.NoError(h.t, err)
			e := m.(*Type)
			e.Labels = append(e.Labels, EnumLabel{fmt.Sprint(id), int64(len(e.Labels) + 1), id})
			h.put(e)
		}
	case 7: // a swap of names within the transaction
		d := h.pick(KindTable)
		if d == nil || taken != 0 {
			return
		}
		m, err := h.coll.Mutable(ctx, d.Head().ID)
		require.NoError(h.t, err)
		was := m.Head().Name
		m.Head().Name = name
		h.put(m)
		head.Name = was
		h.put(&Sequence{Header: head, Type: types.Int8, Increment: 1, Start: 1})
	}
}

// check compares the transaction's view with the model.
func (h *harness) check() {
	ctx := context.Background()
	var got []string
	last := ID(0)
	h.coll.All(func(d Descriptor) bool {
		require.Greater(h.t, d.Head().ID, last, "All is in order of id")
		last = d.Head().ID
		got = append(got, describe(d))
		return true
	})
	slices.Sort(got)
	require.Equal(h.t, h.now.strings(), got)
	for _, d := range h.now {
		require.NotNil(h.t, h.coll.ByID(d.Head().ID))
		names, parts := namesOf(d)
		for _, n := range names {
			if n.class != classRelation || n.parent != SchemaPublic {
				continue
			}
			id, err := h.coll.LookupOIDOrType(ctx, Name{Name: n.name, Offset: -1})
			require.NoError(h.t, err)
			require.Equal(h.t, n.id, id, "name %q", n.name)
		}
		for _, p := range parts {
			owner := h.coll.Owner(p)
			require.NotNil(h.t, owner, "part %d of %s", p, describe(d))
			require.Equal(h.t, d.Head().ID, owner.Head().ID)
		}
	}
	for c := 'a'; c < 'i'; c++ {
		rel, err := h.coll.LookupOIDOrType(ctx, Name{Name: string(c), Offset: -1})
		require.NoError(h.t, err)
		require.Equal(h.t, h.now.nameTaken(SchemaPublic, string(c)), rel)
	}
}

// image is everything that a snapshot answers from.
func image(s *Snapshot) (out []string) {
	s.All(func(d Descriptor) bool {
		out = append(out, fmt.Sprintf("%s v%d", describe(d), d.Head().Version))
		return true
	})
	s.names.Ascend(func(n nameItem) bool {
		out = append(out, fmt.Sprintf("name %d %c %q -> %d %d", n.parent, n.class, n.name, n.id, n.table))
		return true
	})
	s.owners.Ascend(func(p partItem) bool { out = append(out, fmt.Sprintf("part %d of %d", p.part, p.owner)); return true })
	return out
}

func TestCollectionAgainstModel(t *testing.T) {
	for seed := range uint64(60) {
		h := newHarness(t, seed)
		for range 40 {
			var undo func()
			for range 1 + h.rng.IntN(5) {
				switch h.rng.IntN(6) {
				case 0:
					undo = h.savepoint()
				case 1:
					if undo != nil {
						undo()
					}
				default:
					h.change()
				}
				h.check()
			}
			if h.rng.IntN(3) == 0 {
				h.rollback()
			} else {
				h.commit()
			}
			h.check()
			if h.rng.IntN(4) == 0 {
				require.NoError(t, h.peer.Refresh(context.Background()))
				loaded, err := LoadSnapshot(context.Background(), h.store.begin())
				require.NoError(t, err)
				require.Equal(t, image(loaded), image(h.src.image), "seed %d: published", seed)
				require.Equal(t, image(loaded), image(h.peer.image), "seed %d: refreshed", seed)
			}
		}
	}
}

// A name that another node has created is found although this node's image lacks it.
func TestLookupBeyondTheImage(t *testing.T) {
	h := newHarness(t, 1)
	h.put(&Sequence{Header: Header{ID: 20000, Name: "s", Database: DatabaseDefault, Schema: SchemaPublic}, Type: types.Int8})
	h.commit()
	other := NewCollection(h.peer, h.store, h.store.begin())
	other.Path = h.coll.Path
	require.Nil(t, h.peer.Snapshot().ByID(20000))
	rel, err := other.ResolveRelation(context.Background(), Name{Name: "s", Offset: -1})
	require.NoError(t, err)
	require.Equal(t, ID(20000), rel.Head().ID)
	_, err = other.ResolveRelation(context.Background(), Name{Schema: "public", Name: "no", Offset: 3})
	require.Equal(t, sqlstate.UndefinedTable, sqlstate.CodeOf(err))
	require.ErrorContains(t, err, `relation "public.no" does not exist`)
}

func tableFor(h *harness, id ID) *Table {
	h.put(&Table{Header: Header{ID: id, Name: "t", Database: DatabaseDefault, Schema: SchemaPublic},
		Columns: []Column{{Num: 1, Name: "k", Type: types.Int4}},
		Primary: Index{ID: 1, OID: id + 1, Hidden: true, Columns: []IndexColumn{{Num: 1, Type: types.Int4}}}})
	h.commit()
	return h.src.image.ByID(id).(*Table)
}

// A transaction uses one version: the old one is refused once it is superseded, and one
// whose data are newer than the transaction's snapshot asks for a restart.
func TestUseVersions(t *testing.T) {
	ctx := context.Background()
	h := newHarness(t, 2)
	v1 := tableFor(h, 20000)
	ok, err := h.coll.Use(ctx, v1)
	require.NoError(t, err)
	require.True(t, ok)
	ok, err = h.coll.Use(ctx, v1)
	require.NoError(t, err)
	require.True(t, ok)
	require.EqualValues(t, 1, v1.Users(), "counted once")

	other := NewCollection(h.src, h.store, h.store.begin())
	m, err := other.Mutable(ctx, 20000)
	require.NoError(t, err)
	m.(*Table).ValidFrom = 1 << 40
	require.NoError(t, other.Put(ctx, m))
	require.NoError(t, h.src.publish(other.Changes()))
	require.True(t, v1.Superseded())

	late := NewCollection(h.src, h.store, h.store.begin())
	ok, err = late.Use(ctx, v1)
	require.NoError(t, err)
	require.False(t, ok, "superseded")
	ok, err = h.coll.Use(ctx, v1)
	require.NoError(t, err)
	require.True(t, ok, "in use already")
	v2 := h.src.image.ByID(20000).(*Table)
	_, err = late.Use(ctx, v2)
	var retry *kv.RetryError
	require.ErrorAs(t, err, &retry)
	require.Equal(t, hlc.Timestamp(1<<40), retry.RetryTS)
	late.Release()

	// Whoever changes v2 has to wait for those who use v1 too.
	require.True(t, v2.Fence())
	drained := make(chan error, 1)
	go func() { drained <- v2.AwaitDrained(ctx, nil) }()
	select {
	case <-drained:
		t.Fatal("the older version is still in use")
	default:
	}
	h.coll.Release()
	require.NoError(t, <-drained)
	require.Zero(t, v1.Users())
}

// fenceSource lets Use wait for a fence to fall.
type fenceSource struct {
	*memSource
	fell atomic.Pointer[chan struct{}]
}

func (f *fenceSource) AwaitUsable(ctx context.Context, t *Table) error {
	for {
		ch := *f.fell.Load()
		if t.Current() || t.Superseded() {
			return nil
		}
		select {
		case <-ch:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *fenceSource) FenceFell() {
	ch := make(chan struct{})
	close(*f.fell.Swap(&ch))
}

// While one transaction holds the fence and has seen the table drained, no other uses it:
// many users and many schema changes at once, and a counter that both sides look at.
func TestFenceExcludesUsers(t *testing.T) {
	h := newHarness(t, 3)
	tbl := tableFor(h, 20000)
	src := &fenceSource{memSource: h.src}
	ch := make(chan struct{})
	src.fell.Store(&ch)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var inside atomic.Int64
	var wg sync.WaitGroup
	fail := func(format string, args ...any) { t.Errorf(format, args...); cancel() }
	for range 4 {
		wg.Go(func() {
			for range 300 {
				c := NewCollection(src, nil, nil)
				if ok, err := c.Use(ctx, tbl); err != nil || !ok {
					fail("use: %v %v", ok, err)
					return
				}
				if inside.Add(1) <= 0 {
					fail("a user beside a schema change")
				}
				inside.Add(-1)
				c.Release()
			}
		})
	}
	var lock sync.Mutex // the lock on the descriptor's row
	for range 2 {
		wg.Go(func() {
			for range 100 {
				lock.Lock()
				c := NewCollection(src, nil, nil)
				if !tbl.Fence() {
					fail("fenced twice")
				}
				if err := tbl.AwaitDrained(ctx, c); err != nil {
					fail("drain: %v", err)
				}
				if n := inside.Add(-1000); n != -1000 {
					fail("%d users inside", n+1000)
				}
				inside.Add(1000)
				c.SetFenced(tbl)
				c.Release()
				lock.Unlock()
			}
		})
	}
	wg.Wait()
	require.Zero(t, tbl.Users())
}

func TestSearchPath(t *testing.T) {
	ctx := context.Background()
	h := newHarness(t, 4)
	h.put(&Schema{Header{ID: 20010, Name: "root", Database: DatabaseDefault}})
	h.put(&Sequence{Header: Header{ID: 20011, Name: "s", Database: DatabaseDefault, Schema: 20010}, Type: types.Int8})
	h.put(&Sequence{Header: Header{ID: 20012, Name: "s", Database: DatabaseDefault, Schema: SchemaPublic}, Type: types.Int8})
	h.coll.Path.Schemas = []string{"$user", "nowhere", "public", "public"}
	for path, want := range map[string]ID{"$user": 20011, "public": 20012} {
		h.coll.Path.Schemas = []string{path, "nowhere", "public", "root"}
		id, err := h.coll.LookupOID(ctx, Name{Name: "s", Offset: -1})
		require.NoError(t, err)
		require.Equal(t, want, id)
		vis, err := h.coll.Visible(ctx, want)
		require.NoError(t, err)
		require.True(t, vis)
		vis, err = h.coll.Visible(ctx, 20011+20012-want)
		require.NoError(t, err)
		require.False(t, vis, "hidden by the other")
	}
	h.coll.Path.Schemas = []string{"nowhere"}
	_, err := h.coll.CreationSchema(ctx)
	require.Equal(t, sqlstate.InvalidSchemaName, sqlstate.CodeOf(err))
	_, err = h.coll.LookupOID(ctx, Name{Database: "elsewhere", Schema: "public", Name: "s", Offset: -1})
	require.Equal(t, sqlstate.FeatureNotSupported, sqlstate.CodeOf(err))
}
