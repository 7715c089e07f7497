package dist

// The Sender runs against a cluster of fakes: ranges on three nodes with
// leaseholders, a directory in range 1 that may be out of date, and scripted
// connection errors. Scans are compared with a scan of the one map that all
// ranges share. Waits run in synctest bubbles.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

type fakeCluster struct {
	mu     sync.Mutex
	data   map[string][]byte
	ranges map[keys.RangeID]*kv.RangeDescriptor
	leases map[keys.RangeID]keys.StoreID
	// fail, if set, decides about an attempt before (sent false) or after it.
	fail  func(node keys.NodeID, b *kv.Batch, sent bool) error
	sends int
	log   []string
}

func newFakeCluster(splits ...string) *fakeCluster {
	c := &fakeCluster{data: map[string][]byte{}, ranges: map[keys.RangeID]*kv.RangeDescriptor{}, leases: map[keys.RangeID]keys.StoreID{}}
	bounds := append([]string{string(keys.KeyMin), string(keys.SystemEnd)}, splits...)
	bounds = append(bounds, string(keys.KeyMax))
	for i := range bounds[1:] {
		d := desc(keys.RangeID(i+1), 1, bounds[i], bounds[i+1], 1, 2, 3)
		c.ranges[d.RangeID] = d
		c.leases[d.RangeID] = keys.StoreID(i%3 + 1)
		c.publish(d)
	}
	return c
}

func (c *fakeCluster) publish(d *kv.RangeDescriptor) {
	c.data[string(keys.Meta(d.End))] = d.Encode(nil)
}

func (c *fakeCluster) FirstRange(context.Context, keys.NodeID) (*kv.RangeDescriptor, error) {
	return c.ranges[1], nil
}

func (c *fakeCluster) Send(ctx context.Context, node keys.NodeID, b *kv.Batch) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sends++
	if c.fail != nil {
		if err := c.fail(node, b, false); err != nil {
			return err
		}
	}
	d := c.ranges[b.RangeID]
	if d == nil {
		return &kv.RangeNotFoundError{RangeID: b.RangeID}
	}
	if _, ok := d.Replica(keys.StoreID(node)); !ok {
		return &kv.RangeNotFoundError{RangeID: b.RangeID, Store: keys.StoreID(node)}
	}
	if !fits(d, b.Ops) {
		return &kv.RangeMismatchError{RangeID: b.RangeID, Descs: []*kv.RangeDescriptor{d}}
	}
	if !b.Inconsistent && c.leases[b.RangeID] != keys.StoreID(node) {
		hint, _ := d.Replica(c.leases[b.RangeID])
		return &kv.NotLeaseholderError{RangeID: b.RangeID, Leaseholder: hint}
	}
	c.execute(b)
	if c.fail != nil {
		return c.fail(node, b, true)
	}
	return nil
}

func (c *fakeCluster) execute(b *kv.Batch) {
	rows, size := newBudget(b.MaxRows), newBudget(b.MaxBytes)
	for i := range b.Ops {
		o := &b.Ops[i]
		c.log = append(c.log, fmt.Sprintf("%s:%d", b.RangeID, o.Kind))
		switch o.Kind {
		case kv.OpGet:
			o.Value, o.Found = c.data[string(o.Key)], c.data[string(o.Key)] != nil
		case kv.OpPut:
			c.data[string(o.Key)] = bytes.Clone(o.Value)
		case kv.OpIncrement:
			o.Result = o.Delta
		case kv.OpScan:
			c.scan(o, &rows, &size)
		}
		if b.Txn != nil {
			b.Txn.WriteTS = max(b.Txn.WriteTS, hlc.Timestamp(b.RangeID)*100)
		}
	}
}

func (c *fakeCluster) scan(o *kv.Op, rows, size *budget) {
	opRows, opSize := newBudget(o.MaxRows), newBudget(o.MaxBytes)
	var found []string
	for k := range c.data {
		if k >= string(o.Key) && k < string(o.EndKey) {
			found = append(found, k)
		}
	}
	slices.Sort(found)
	if o.Reverse {
		slices.Reverse(found)
	}
	o.Resume = nil
	if rows.spent() || size.spent() {
		o.Resume = scanStart(o)
		return
	}
	for n, k := range found {
		if rows.spent() || size.spent() || opRows.spent() || opSize.spent() {
			o.Resume = keys.Key(k)
			if o.Reverse {
				o.Resume = keys.Next(keys.Key(k))
			}
			_ = n
			return
		}
		was := len(o.Rows.Buf)
		o.Rows.Append([]byte(k), c.data[k], 1)
		for _, bud := range []*budget{rows, &opRows} {
			bud.take(1)
		}
		for _, bud := range []*budget{size, &opSize} {
			bud.take(int64(len(o.Rows.Buf) - was))
		}
	}
}

func (c *fakeCluster) split(id, newID keys.RangeID, at string, publish bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.ranges[id]
	left, right := *old, *old
	left.End, right.Start = keys.Key(at), keys.Key(at)
	left.Generation++
	right.Generation++
	right.RangeID = newID
	c.ranges[id], c.ranges[newID] = &left, &right
	c.leases[newID] = c.leases[id]
	if publish {
		c.publish(&left)
		c.publish(&right)
	}
}

func (c *fakeCluster) sender(mutate ...func(*Config)) *Sender {
	cfg := Config{Clock: hlc.NewClock(func() int64 { return 1 }, 0), Transport: c, Nodes: func() []keys.NodeID { return []keys.NodeID{1, 2, 3} }}
	for _, m := range mutate {
		m(&cfg)
	}
	return New(cfg)
}

func put(s *Sender, key, value string) error {
	return s.Send(context.Background(), &kv.Batch{Ops: []kv.Op{{Kind: kv.OpPut, Key: keys.Key(key), Value: []byte(value)}}})
}

func tkey(s string) string { return string(keys.TableMin) + s }

func TestRoutesAndCaches(t *testing.T) {
	c := newFakeCluster(tkey("b"), tkey("d"))
	s := c.sender()
	for _, k := range []string{"a", "c", "e"} {
		require.NoError(t, put(s, tkey(k), "v"+k))
	}
	reads := s.metrics.DirectoryReads.Load()
	require.EqualValues(t, 1, reads, "one directory read brings the neighbours")
	before := c.sends
	for _, k := range []string{"a", "c", "e"} {
		require.NoError(t, put(s, tkey(k), "w"))
	}
	require.Equal(t, before+3, c.sends, "leaseholders are remembered")
}

func TestFollowsSplitsAndLeases(t *testing.T) {
	for _, published := range []bool{true, false} {
		c := newFakeCluster()
		s := c.sender()
		require.NoError(t, put(s, tkey("a"), "1"))
		c.split(2, 9, tkey("m"), published)
		c.leases[2] = 3
		if !published {
			// The left range answers with itself only; the directory still has the
			// parent. The right range must be learnt from its own replica.
			c.fail = func(node keys.NodeID, b *kv.Batch, sent bool) error {
				if !sent && b.RangeID == 2 && !fits(c.ranges[2], b.Ops) {
					return &kv.RangeMismatchError{RangeID: 2, Descs: []*kv.RangeDescriptor{c.ranges[2], c.ranges[9]}}
				}
				return nil
			}
		}
		require.NoError(t, put(s, tkey("a"), "2"))
		require.NoError(t, put(s, tkey("z"), "3"))
		d, lease, err := s.Range(context.Background(), keys.Key(tkey("z")))
		require.NoError(t, err)
		require.Equal(t, keys.RangeID(9), d.RangeID)
		require.NotZero(t, lease.Store)
	}
}

func TestScansWithLimitsAgainstModel(t *testing.T) {
	c := newFakeCluster(tkey("c"), tkey("f"), tkey("i"), tkey("m"), tkey("q"))
	for ch := byte('a'); ch <= 'z'; ch++ {
		for n := range int(ch) % 4 {
			c.data[tkey(string([]byte{ch, byte('0' + n)}))] = bytes.Repeat([]byte{ch}, int(ch)%5)
		}
	}
	var all []string
	for k := range c.data {
		if k >= string(keys.TableMin) {
			all = append(all, k)
		}
	}
	slices.Sort(all)
	s := c.sender()
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		from, to := tkey(string([]byte{byte('a' + rnd.IntN(13))})), tkey(string([]byte{byte('n' + rnd.IntN(13))}))
		op := kv.Op{Kind: kv.OpScan, Key: keys.Key(from), EndKey: keys.Key(to), Reverse: rnd.IntN(2) == 0}
		var h kv.Header
		h.ReadTS = 5
		switch rnd.IntN(5) {
		case 0:
			op.MaxRows = int64(1 + rnd.IntN(9))
		case 1:
			op.MaxBytes = int64(1 + rnd.IntN(300))
		case 2:
			h.MaxRows = int64(1 + rnd.IntN(9))
		case 3:
			h.MaxBytes = int64(1 + rnd.IntN(300))
		}
		var want, got []string
		for _, k := range all {
			if k >= from && k < to {
				want = append(want, k)
			}
		}
		if op.Reverse {
			slices.Reverse(want)
		}
		// A second scan shares the batch and its bounds.
		rows, other := &kv.Rows{}, &kv.Rows{}
		for pages := 0; ; pages++ {
			require.Less(t, pages, 100)
			op.Rows, op.Resume = rows, nil
			rows.Reset()
			other.Reset()
			b := kv.Batch{Header: h, Ops: []kv.Op{op, {Kind: kv.OpScan, Key: keys.Key(tkey("a")), EndKey: keys.Key(tkey("zz")), Rows: other}}}
			require.NoError(t, s.Send(context.Background(), &b))
			if h.MaxRows != 0 {
				require.LessOrEqual(t, int64(rows.Count+other.Count), h.MaxRows)
			}
			if op.MaxRows != 0 {
				require.LessOrEqual(t, int64(rows.Count), op.MaxRows)
			}
			require.True(t, rows.Count > 0 || b.Ops[0].Resume == nil, "no progress")
			if h.MaxRows == 0 && h.MaxBytes == 0 {
				require.Nil(t, b.Ops[1].Resume)
				require.Equal(t, len(all), other.Count)
			}
			for pos := 0; ; {
				k, _, _, next, ok := rows.Next(pos)
				if !ok {
					break
				}
				got, pos = append(got, string(k)), next
			}
			r := b.Ops[0].Resume
			if r == nil {
				break
			}
			if op.Reverse {
				op.EndKey = r
			} else {
				op.Key = r
			}
		}
		require.Equal(t, want, got)
	}
}

func TestTransactionOverRanges(t *testing.T) {
	c := newFakeCluster(tkey("b"), tkey("d"))
	s := c.sender()
	txn := &kv.TxnMeta{ID: kv.TxnID{1}, WriteTS: 5, ReadTS: 5}
	writes := func(end *kv.EndTxn) *kv.Batch {
		return &kv.Batch{Header: kv.Header{Txn: txn}, Ops: []kv.Op{
			{Kind: kv.OpPut, Key: keys.Key(tkey("a"))}, {Kind: kv.OpPut, Key: keys.Key(tkey("c"))},
			{Kind: kv.OpPut, Key: keys.Key(tkey("e"))}, {Kind: kv.OpEndTxn, Key: keys.Key(tkey("a")), End: end},
		}}
	}
	_, ok := errors.AsType[*kv.CrossRangeError](s.Send(context.Background(), writes(&kv.EndTxn{Commit: true, OnePhase: true})))
	require.True(t, ok)
	require.NotContains(t, c.log, fmt.Sprintf("r2:%d", kv.OpPut))

	// Reads of another range cannot be verified in one phase either.
	one := &kv.Batch{Header: kv.Header{Txn: txn}, Ops: []kv.Op{
		{Kind: kv.OpPut, Key: keys.Key(tkey("a"))},
		{Kind: kv.OpEndTxn, Key: keys.Key(tkey("a")), End: &kv.EndTxn{Commit: true, OnePhase: true, Reads: []keys.Span{{Start: keys.Key(tkey("e"))}}}},
	}}
	_, ok = errors.AsType[*kv.CrossRangeError](s.Send(context.Background(), one))
	require.True(t, ok)

	c.log = nil
	require.NoError(t, s.Send(context.Background(), writes(&kv.EndTxn{Commit: true})))
	require.Equal(t, fmt.Sprintf("r2:%d", kv.OpEndTxn), c.log[len(c.log)-1], "the record comes after the intents")
	require.EqualValues(t, 400, txn.WriteTS, "the greatest write timestamp comes back")
	require.NoError(t, s.Send(context.Background(), writes(&kv.EndTxn{Commit: true, InFlight: []kv.InFlightWrite{{}}})))
}

func TestBrokenConnection(t *testing.T) {
	c := newFakeCluster()
	s := c.sender()
	require.NoError(t, put(s, tkey("a"), "1"))
	breakOnce := func(sent bool) {
		done := false
		c.fail = func(node keys.NodeID, b *kv.Batch, after bool) error {
			if done || after != sent {
				return nil
			}
			done = true
			return &SendError{Node: node, Sent: sent, Cause: errors.New("connection reset")}
		}
	}
	ctx := context.Background()
	breakOnce(false)
	require.NoError(t, put(s, tkey("a"), "2"), "not sent: tried again")
	breakOnce(true)
	_, ok := errors.AsType[*kv.AmbiguousError](put(s, tkey("a"), "3"))
	require.True(t, ok, "a write that may have happened")
	breakOnce(true)
	get := &kv.Batch{Ops: []kv.Op{{Kind: kv.OpGet, Key: keys.Key(tkey("a"))}}}
	require.NoError(t, s.Send(ctx, get), "reads go on")
	require.Equal(t, "3", string(get.Ops[0].Value))
	breakOnce(true)
	rows := &kv.Rows{}
	rows.Append([]byte("mine"), nil, 0)
	scan := &kv.Batch{Ops: []kv.Op{{Kind: kv.OpScan, Key: keys.Key(tkey("a")), EndKey: keys.Key(tkey("b")), Rows: rows}}}
	require.NoError(t, s.Send(ctx, scan))
	require.Equal(t, 2, rows.Count, "what a failed attempt appended is gone, what was there before is kept")
}

func TestUnavailableAfterBoundedWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeCluster()
		s := c.sender()
		require.NoError(t, put(s, tkey("a"), "1"))
		c.fail = func(node keys.NodeID, b *kv.Batch, sent bool) error {
			return &SendError{Node: node, Cause: errors.New("connection refused")}
		}
		began := time.Now()
		u, ok := errors.AsType[*kv.UnavailableError](put(s, tkey("a"), "2"))
		require.True(t, ok)
		require.Equal(t, keys.RangeID(2), u.RangeID)
		require.LessOrEqual(t, time.Since(began), 10*time.Second)
		require.Greater(t, time.Since(began), 9*time.Second)
		require.Less(t, c.sends, 600)

		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		began = time.Now()
		err := s.Send(ctx, &kv.Batch{Ops: []kv.Op{{Kind: kv.OpPut, Key: keys.Key(tkey("a"))}}})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(began))
	})
}

// localStore stands for the store of this process.
type localStore struct{ c *fakeCluster }

func (l localStore) Send(ctx context.Context, b *kv.Batch) error {
	if b.Inconsistent {
		l.c.execute(b)
	}
	return nil
}

func TestLocalShortCutDoesNotAllocate(t *testing.T) {
	c := newFakeCluster()
	s := c.sender(func(cfg *Config) { cfg.LocalStore, cfg.Local = 2, localStore{c} })
	require.NoError(t, put(s, tkey("a"), "1")) // range 2 is led by store 2
	b := &kv.Batch{Ops: []kv.Op{{Kind: kv.OpGet, Key: keys.Key(tkey("a"))}}}
	ctx := context.Background()
	require.NoError(t, s.Send(ctx, b))
	before := s.metrics.Batches.Load()
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = s.Send(ctx, b) }))
	require.Equal(t, before, s.metrics.Batches.Load())
}

func BenchmarkLocalShortCut(b *testing.B) {
	c := newFakeCluster()
	s := c.sender(func(cfg *Config) { cfg.LocalStore, cfg.Local = 2, localStore{c} })
	_ = put(s, tkey("a"), "1")
	batch := &kv.Batch{Ops: []kv.Op{{Kind: kv.OpGet, Key: keys.Key(tkey("a"))}}}
	for b.Loop() {
		_ = s.Send(context.Background(), batch)
	}
}

// A leaseholder that waits for an intent in the middle of a scan, and finds
// afterwards that the range has been split, has rows in its answer already. They
// must not be there twice.
func TestFailedAttemptLeavesNoRows(t *testing.T) {
	c := newFakeCluster()
	local := &splitting{c: c}
	s := c.sender(func(cfg *Config) { cfg.LocalStore, cfg.Local = 1, local })
	for _, k := range []string{"a", "b", "c", "x", "y"} {
		require.NoError(t, put(s, tkey(k), "v"))
	}
	c.mu.Lock()
	c.leases[2] = 1
	c.mu.Unlock()
	scan := func() (n int) {
		var rows kv.Rows
		b := kv.Batch{Header: kv.Header{ReadTS: 1}, Ops: []kv.Op{{Kind: kv.OpScan, Key: keys.Key(tkey("a")), EndKey: keys.Key(tkey("z")), Rows: &rows}}}
		require.NoError(t, s.Send(t.Context(), &b))
		return rows.Count
	}
	require.Equal(t, 5, scan(), "the lease is known now")
	local.split = true
	require.Equal(t, 5, scan())
	require.False(t, local.split, "the local replica was asked")
}

// splitting is a local store whose range is split in the middle of a scan.
type splitting struct {
	c     *fakeCluster
	split bool
}

func (l *splitting) Send(ctx context.Context, b *kv.Batch) error {
	err := l.c.Send(ctx, 1, b)
	if err == nil && l.split && b.Ops[0].Kind == kv.OpScan && bytes.HasPrefix(b.Ops[0].Key, keys.TableMin) {
		l.split = false
		l.c.split(2, 9, tkey("m"), true)
		l.c.mu.Lock()
		defer l.c.mu.Unlock()
		l.c.leases[9] = 1
		return &kv.RangeMismatchError{RangeID: 2, Descs: []*kv.RangeDescriptor{l.c.ranges[2], l.c.ranges[9]}}
	}
	return err
}

// The directory learns of a split a little later than the ranges do. A scan over
// both of them waits for it.
func TestDirectoryBehindSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeCluster()
		s := c.sender()
		for _, k := range []string{"a", "b", "x", "y"} {
			require.NoError(t, put(s, tkey(k), "v"))
		}
		for _, limit := range []int64{0, 100} {
			at, id := tkey("m"), keys.RangeID(9)
			if limit > 0 {
				at, id = tkey("c"), 10
			}
			c.split(2, id, at, false)
			time.AfterFunc(100*time.Millisecond, func() {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.publish(c.ranges[2])
				c.publish(c.ranges[id])
			})
			var rows kv.Rows
			b := kv.Batch{Header: kv.Header{ReadTS: 1, MaxRows: limit}, Ops: []kv.Op{{Kind: kv.OpScan, Key: keys.Key(tkey("a")), EndKey: keys.Key(tkey("z")), Rows: &rows}}}
			require.NoError(t, s.Send(t.Context(), &b))
			require.Equal(t, 4, rows.Count)
		}
	})
}
