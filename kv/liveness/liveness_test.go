package liveness

// Records survive their encoding; a Registry over a fake range 1 keeps states,
// addresses and last words, and finds its peers again after a restart.

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/storage"
)

// rows is a sender over a map, with the operations that this package uses. race
// runs once before the next compare-and-put.
type rows struct {
	m    map[string][]byte
	race func()
}

func (f *rows) Send(_ context.Context, b *kv.Batch) error {
	for i := range b.Ops {
		o := &b.Ops[i]
		k := string(o.Key)
		switch o.Kind {
		case kv.OpGet:
			o.Value, o.Found = f.m[k], f.m[k] != nil
		case kv.OpPut:
			f.m[k] = o.Value
		case kv.OpDelete:
			delete(f.m, k)
		case kv.OpIncrement:
			n, _ := strconv.ParseInt(string(f.m[k]), 10, 64)
			o.Result = n + o.Delta
			f.m[k] = strconv.AppendInt(nil, o.Result, 10)
		case kv.OpCompareAndPut:
			if race := f.race; race != nil {
				f.race = nil
				race()
			}
			if !bytes.Equal(f.m[k], o.Expected) {
				return &kv.ConditionFailedError{Actual: f.m[k]}
			}
			f.m[k] = o.Value
		case kv.OpScan:
			var ks []string
			for k := range f.m {
				if k >= string(o.Key) && k < string(o.EndKey) {
					ks = append(ks, k)
				}
			}
			slices.Sort(ks)
			for _, k := range ks {
				o.Rows.Append([]byte(k), f.m[k], 1)
			}
		}
	}
	return nil
}

func sample(n keys.NodeID) Record {
	return Record{Node: n, Store: keys.StoreID(n + 10), Addr: "127.0.0.1:1", SQLAddr: "a:2", HTTPAddr: "b:3",
		Locality: Locality{{"region", "eu"}, {"zone", "a"}}, State: Live, Version: "v1", StartedMicros: 5}
}

func TestEncodings(t *testing.T) {
	want := sample(3)
	var got Record
	enc := want.Encode(nil)
	require.NoError(t, got.Decode(enc))
	require.Equal(t, want, got)
	for n := range enc {
		require.Error(t, got.Decode(enc[:n]))
	}
	g := Gossip{Record: want, Load: Load{1, 2, 3, 4, 5, 6.5, 7.5, 8}, FirstRange: []byte("d")}
	var gg Gossip
	enc = g.Encode(nil)
	require.NoError(t, gg.Decode(enc))
	require.Equal(t, g, gg)
	for n := range enc {
		require.Error(t, gg.Decode(enc[:n]))
	}
}

func FuzzDecode(f *testing.F) {
	r := sample(1)
	f.Add(r.Encode(nil))
	f.Add((&Gossip{Record: r}).Encode(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Record
		if r.Decode(b) == nil {
			require.Equal(t, b, r.Encode(nil))
		}
		var g Gossip
		if g.Decode(b) == nil {
			g.Encode(nil)
		}
		_, _ = decodeSaved(b)
	})
}

func TestLocality(t *testing.T) {
	l, err := ParseLocality("region=eu,zone=a")
	require.NoError(t, err)
	require.Equal(t, "region=eu,zone=a", l.String())
	_, err = ParseLocality("region")
	require.Error(t, err)
	for _, c := range []struct {
		other string
		want  int
	}{{"region=eu,zone=a", 0}, {"region=eu,zone=b", 1}, {"region=us,zone=a", 2}, {"", 2}} {
		o, _ := ParseLocality(c.other)
		require.Equal(t, c.want, l.Distance(o), c.other)
	}
}

func TestRegistry(t *testing.T) {
	ctx := context.Background()
	now := int64(1e9)
	clock := hlc.NewClock(func() int64 { return now }, 0)
	db := &rows{m: map[string][]byte{}}
	eng, err := storage.Open(storage.Options{FS: vfs.NewMem(), Dir: "s"})
	require.NoError(t, err)
	defer eng.Close()
	changes := 0
	r, err := NewRegistry(Config{Self: 1, Clock: clock, Engine: eng, Changed: func() { changes++ }})
	require.NoError(t, err)
	require.NoError(t, r.Register(ctx, db, sample(1)))
	require.NoError(t, r.Refresh(ctx, db))
	require.Equal(t, 1, changes)

	other := sample(2)
	require.NoError(t, r.Register(ctx, db, other))
	addr, ok := r.StoreAddr(12)
	require.True(t, ok)
	require.Equal(t, other.Addr, addr)

	// Heard, then silent.
	r.Observe(&Gossip{Record: other, Load: Load{Ranges: 7}})
	st := r.Snapshot()
	require.Len(t, st, 2)
	require.True(t, st[0].Alive)
	require.True(t, st[1].Alive)
	require.EqualValues(t, 7, st[1].Load.Ranges)
	now += time.Minute.Microseconds()
	st = r.Snapshot()
	require.False(t, st[1].Alive)
	require.Equal(t, time.Minute, st[1].Silent)

	// A lost race computes the change anew: the address written in between stays.
	db.race = func() {
		moved := other
		moved.Addr = "elsewhere"
		db.m[string(NodeKey(2))] = moved.Encode(nil)
	}
	require.NoError(t, r.SetState(ctx, db, 2, Decommissioning))
	rec, _ := r.Node(2)
	require.Equal(t, "elsewhere", rec.Addr)
	require.Equal(t, Decommissioning, rec.State)
	require.NoError(t, r.Register(ctx, db, other))
	rec, _ = r.Node(2)
	require.Equal(t, Decommissioning, rec.State, "a restart does not undo the operator's wish")
	require.NoError(t, r.SetState(ctx, db, 2, Decommissioned))
	require.ErrorIs(t, r.Register(ctx, db, other), ErrDecommissioned)
	require.ErrorIs(t, r.SetState(ctx, db, 2, Live), ErrDecommissioned)
	require.ErrorIs(t, r.SetState(ctx, db, 9, Live), ErrUnknownNode)

	r.Seed([]Record{sample(2), sample(5)})
	rec, _ = r.Node(2)
	require.Equal(t, Decommissioned, rec.State, "what is known stays")
	addr, ok = r.NodeAddr(5)
	require.True(t, ok)
	require.Equal(t, "127.0.0.1:1", addr)

	// A restarted node knows its peers without range 1.
	again, err := NewRegistry(Config{Self: 1, Clock: clock, Engine: eng})
	require.NoError(t, err)
	addr, ok = again.NodeAddr(2)
	require.True(t, ok)
	require.Equal(t, other.Addr, addr)
}

func TestAllocateAndSettings(t *testing.T) {
	ctx := context.Background()
	db := &rows{m: map[string][]byte{}}
	first, err := Allocate(ctx, db, RangeIDs, 10)
	require.NoError(t, err)
	require.EqualValues(t, 1, first)
	first, err = Allocate(ctx, db, RangeIDs, 1)
	require.NoError(t, err)
	require.EqualValues(t, 11, first)

	require.NoError(t, SetSetting(ctx, db, "gc.ttl", "4h"))
	m, err := Settings(ctx, db)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"gc.ttl": "4h"}, m)
	require.NoError(t, SetSetting(ctx, db, "gc.ttl", ""))
	m, err = Settings(ctx, db)
	require.NoError(t, err)
	require.Empty(t, m)
}
