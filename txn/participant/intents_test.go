package participant

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// write leaves an intent.
func (c *cluster) write(t *kv.TxnMeta, k, v string) error {
	if t.Anchor == nil {
		t.Anchor = key(k)
	}
	t.Seq++
	b := kv.Batch{Header: kv.Header{Txn: t}, Ops: []kv.Op{{Kind: kv.OpPut, Key: key(k), Value: []byte(v), Seq: t.Seq}}}
	return c.Send(bg, &b)
}

// end ends a transaction by its record.
func (c *cluster) end(t *kv.TxnMeta, end kv.EndTxn) (kv.TxnStatus, error) {
	b := kv.Batch{Header: kv.Header{Txn: t}, Ops: []kv.Op{{Kind: kv.OpEndTxn, Key: t.Anchor, End: &end}}}
	err := c.Send(bg, &b)
	return b.Ops[0].TxnStatus, err
}

func (c *cluster) resolve(t *kv.TxnMeta, status kv.TxnStatus, ks ...string) error {
	for _, k := range ks {
		b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpResolveIntent, Key: key(k), PushTxn: t, TxnStatus: status}}}
		if err := c.Send(bg, &b); err != nil {
			return err
		}
	}
	return nil
}

func inFlight(t *kv.TxnMeta, ks ...string) (out []kv.InFlightWrite) {
	for i, k := range ks {
		out = append(out, kv.InFlightWrite{Key: key(k), Seq: uint32(i + 1)})
	}
	return out
}

func points(ks ...string) (out []keys.Span) {
	for _, k := range ks {
		out = append(out, point(k))
	}
	return out
}

func (c *cluster) mustGet(k string) string {
	c.t.Helper()
	v, err := c.get(bg, c.begin(kv.ReadCommitted), k)
	require.NoError(c.t, err)
	return v
}

// A parallel commit over two ranges, made explicit and resolved.
func TestParallelCommit(t *testing.T) {
	c := newCluster(t, "m")
	tx := c.begin(kv.Serializable)
	require.NoError(t, c.write(tx, "a", "1"))
	require.NoError(t, c.write(tx, "z", "2"))
	v, err := c.get(bg, tx, "z")
	require.NoError(t, err)
	require.Equal(t, "2", v, "own intent")
	st, err := c.end(tx, kv.EndTxn{Commit: true, Intents: points("a", "z"), InFlight: inFlight(tx, "a", "z"), ReadsComplete: true})
	require.NoError(t, err)
	require.Equal(t, kv.TxnStaging, st)

	// A reader waits until the intents are resolved.
	got := make(chan string, 1)
	r := c.begin(kv.Serializable)
	go func() {
		v, err := c.get(bg, r, "z")
		if err != nil {
			v = err.Error()
		}
		got <- v
	}()
	waitFor(t, func() bool { return len(c.ranges[1].p.locks.Waits()) == 1 })
	st, err = c.end(tx, kv.EndTxn{Commit: true, Intents: points("a", "z")})
	require.NoError(t, err)
	require.Equal(t, kv.TxnCommitted, st)
	require.NoError(t, c.resolve(tx, kv.TxnCommitted, "a", "z"))
	require.Equal(t, "2", <-got)
	require.Equal(t, "1", c.mustGet("a"))
	// The record goes when nothing needs it.
	_, err = c.end(tx, kv.EndTxn{Commit: true})
	require.NoError(t, err)
	b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpQueryTxn, Key: tx.Anchor, PushTxn: tx}}}
	require.NoError(t, c.Send(bg, &b))
	require.Nil(t, b.Ops[0].Record)
	for _, r := range c.ranges {
		require.Zero(t, r.Stats().Intents)
		require.Zero(t, r.p.locks.Len())
	}
	// I11: no late copy of an earlier request brings the record back.
	late := *tx
	_, err = c.end(&late, kv.EndTxn{Commit: true, Intents: points("a"), InFlight: inFlight(tx, "a")})
	var aborted *kv.TxnAbortedError
	require.ErrorAs(t, err, &aborted)
	c.ranges[0].newLease(c)
	_, err = c.end(&late, kv.EndTxn{Commit: true, Intents: points("a"), InFlight: inFlight(tx, "a")})
	require.ErrorAs(t, err, &aborted)
}

// A STAGING record of a silent coordinator is recovered by whoever meets an
// intent: committed if all writes are there, else aborted, for good.
func TestRecovery(t *testing.T) {
	for _, complete := range []bool{true, false} {
		c := newCluster(t, "m")
		tx := c.begin(kv.Serializable)
		require.NoError(t, c.write(tx, "a", "1"))
		if complete {
			require.NoError(t, c.write(tx, "z", "2"))
		}
		_, err := c.end(tx, kv.EndTxn{Commit: true, Intents: points("a", "z"), InFlight: inFlight(tx, "a", "z"), ReadsComplete: true})
		require.NoError(t, err)
		staged := tx.WriteTS
		c.advance(10 * time.Second)
		if complete {
			require.Equal(t, "1", c.mustGet("a"))
			require.Equal(t, "2", c.mustGet("z"))
			continue
		}
		require.Equal(t, "", c.mustGet("a"))
		// The missing write arrives late and cannot land below the record.
		err = c.write(tx, "z", "2")
		if err == nil {
			require.Greater(t, tx.WriteTS, staged)
		}
		_, err = c.end(tx, kv.EndTxn{Commit: true, Intents: points("a", "z")})
		var aborted *kv.TxnAbortedError
		require.ErrorAs(t, err, &aborted)
		c.advance(10 * time.Second)
		require.Equal(t, "", c.mustGet("z"))
	}
}

// A pending transaction that has gone silent is aborted by those it blocks; one
// that sends heartbeats is not.
func TestPushSilent(t *testing.T) {
	c := newCluster(t)
	tx := c.begin(kv.Serializable)
	require.NoError(t, c.write(tx, "a", "1"))
	c.advance(4 * time.Second)
	beat := kv.Batch{Header: kv.Header{Txn: tx}, Ops: []kv.Op{{Kind: kv.OpHeartbeatTxn, Key: tx.Anchor}}}
	require.NoError(t, c.Send(bg, &beat))
	require.Equal(t, kv.TxnPending, beat.Ops[0].TxnStatus)
	c.advance(4 * time.Second)
	push := kv.Batch{Ops: []kv.Op{{Kind: kv.OpPushTxn, Key: tx.Anchor, PushTxn: tx, PushKind: kv.PushTouch}}}
	require.NoError(t, c.Send(bg, &push))
	require.Equal(t, kv.TxnPending, push.Ops[0].TxnStatus)
	c.advance(4 * time.Second)
	require.Equal(t, "", c.mustGet("a"))
	_, err := c.end(tx, kv.EndTxn{Commit: true, Intents: points("a")})
	var aborted *kv.TxnAbortedError
	require.ErrorAs(t, err, &aborted)
	require.NoError(t, c.Send(bg, &beat))
	require.Equal(t, kv.TxnAborted, beat.Ops[0].TxnStatus)
	require.ErrorAs(t, c.write(tx, "b", "1"), &aborted, "it can not write here again")
}

// A reader moves a weakly isolated or younger writer's commit above itself.
func TestPushTimestamp(t *testing.T) {
	c := newCluster(t)
	tx := c.begin(kv.RepeatableRead)
	require.NoError(t, c.write(tx, "a", "1"))
	r := c.begin(kv.Serializable)
	v, err := c.get(bg, r, "a")
	require.NoError(t, err)
	require.Equal(t, "", v)
	_, err = c.end(tx, kv.EndTxn{Commit: true, Intents: points("a")})
	require.NoError(t, err)
	require.Greater(t, tx.WriteTS, r.ReadTS)
	require.NoError(t, c.resolve(tx, kv.TxnCommitted, "a"))
	v, err = c.get(bg, r, "a")
	require.NoError(t, err)
	require.Equal(t, "", v)
	require.Equal(t, "1", c.mustGet("a"))
}

// SERIALIZABLE does not commit above its reads without verifying them.
func TestPushedSerializable(t *testing.T) {
	c := newCluster(t, "m")
	r := c.begin(kv.Serializable)
	tx := c.begin(kv.Serializable)
	r.ReadTS = c.clock.Now() // the older transaction reads at a later snapshot
	require.NoError(t, c.write(tx, "a", "1"))
	_, err := c.get(bg, r, "a")
	require.NoError(t, err)
	_, err = c.end(tx, kv.EndTxn{Commit: true, Intents: points("a"), Reads: points("z"), ReadsComplete: true})
	var retry *kv.RetryError
	require.ErrorAs(t, err, &retry, "its reads are elsewhere")
	require.Greater(t, retry.RetryTS, r.ReadTS)
	tx.ReadTS = tx.WriteTS // refreshed
	_, err = c.end(tx, kv.EndTxn{Commit: true, Intents: points("a"), Reads: points("z"), ReadsComplete: true})
	require.NoError(t, err)
}

func TestRefresh(t *testing.T) {
	c := newCluster(t)
	tx := c.begin(kv.Serializable)
	from := tx.ReadTS
	c.put("k5", "x")
	tx.WriteTS = c.clock.Now()
	send := func(s keys.Span) error {
		b := kv.Batch{Header: kv.Header{Txn: tx}, Ops: []kv.Op{{Kind: kv.OpRefresh, Key: s.Start, EndKey: s.End, RefreshFrom: from}}}
		return c.Send(bg, &b)
	}
	var failed *kv.RefreshFailedError
	require.ErrorAs(t, send(span("k", "l")), &failed)
	require.ErrorAs(t, send(point("k5")), &failed)
	require.NoError(t, send(span("k6", "l")))
	w := c.begin(kv.ReadCommitted)
	w.ReadTS, w.WriteTS = from, from
	require.NoError(t, c.commit(bg, w, reads(), "k7", "y"))
	require.Greater(t, w.WriteTS, tx.WriteTS, "the refreshed span is remembered")
}

// ROLLBACK TO SAVEPOINT among intents, and a later epoch.
func TestIgnoredSeqsAndEpochs(t *testing.T) {
	c := newCluster(t)
	tx := c.begin(kv.Serializable)
	require.NoError(t, c.write(tx, "a", "1"))
	require.NoError(t, c.write(tx, "a", "2"))
	tx.IgnoredSeqs = []kv.SeqRange{{From: 2, To: 2}}
	v, err := c.get(bg, tx, "a")
	require.NoError(t, err)
	require.Equal(t, "1", v)
	tx.Epoch++
	v, err = c.get(bg, tx, "a")
	require.NoError(t, err)
	require.Equal(t, "", v, "intents of an earlier epoch are void")
	require.NoError(t, c.write(tx, "b", "3"))
	_, err = c.end(tx, kv.EndTxn{Commit: true, Intents: points("a", "b"), ReadsComplete: true})
	require.NoError(t, err)
	require.NoError(t, c.resolve(tx, kv.TxnCommitted, "a", "b"))
	require.Equal(t, "", c.mustGet("a"))
	require.Equal(t, "3", c.mustGet("b"))
}

func TestNonTransactional(t *testing.T) {
	c := newCluster(t)
	inc := func() int64 {
		b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpIncrement, Key: key("n"), Delta: 5}}}
		require.NoError(t, c.Send(bg, &b))
		return b.Ops[0].Result
	}
	require.EqualValues(t, 5, inc())
	require.EqualValues(t, 10, inc())
	cput := func(expected, value []byte) error {
		b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpCompareAndPut, Key: key("c"), Value: value, Expected: expected}}}
		return c.Send(bg, &b)
	}
	require.NoError(t, cput(nil, []byte("1")))
	var failed *kv.ConditionFailedError
	require.ErrorAs(t, cput(nil, []byte("2")), &failed)
	require.Equal(t, "1", string(failed.Actual))
	require.NoError(t, cput([]byte("1"), nil))
	require.NoError(t, cput(nil, []byte("3")))

	b := kv.Batch{Ops: []kv.Op{
		{Kind: kv.OpPut, Key: key("x"), Value: []byte("1")},
		{Kind: kv.OpCompareAndPut, Key: key("x"), Value: []byte("2"), Expected: []byte("1")},
		{Kind: kv.OpGet, Key: key("x")},
	}}
	require.NoError(t, c.Send(bg, &b), "later operations see earlier ones")

	before := c.begin(kv.Serializable)
	b = kv.Batch{Ops: []kv.Op{{Kind: kv.OpDeleteRange, Key: key("a"), EndKey: key("zz")}}}
	require.NoError(t, c.Send(bg, &b))
	require.Equal(t, "", c.mustGet("n"))
	v, err := c.get(bg, before, "n")
	require.NoError(t, err)
	require.Equal(t, "10", v)
}

// I10: an increment whose entry was dropped may be sent again; one whose outcome
// is unknown is reported as such, and readers wait until it is known.
func TestProposalOutcomes(t *testing.T) {
	c := newCluster(t)
	g := c.ranges[0].group
	inc := kv.Batch{Ops: []kv.Op{{Kind: kv.OpIncrement, Key: key("n"), Delta: 1}}}
	g.fail = func() error { return errDropped }
	err := c.Send(bg, &inc)
	var notLeader *kv.NotLeaseholderError
	require.ErrorAs(t, err, &notLeader, "nothing was done")
	g.fail = nil
	require.Equal(t, "", c.mustGet("n"))

	// Applied, but the answer got lost.
	g.fail, g.applyFirst = func() error { return errAmbiguous }, true
	var ambiguous *kv.AmbiguousError
	require.ErrorAs(t, c.Send(bg, &inc), &ambiguous)
	g.fail, g.applyFirst = nil, false
	require.Equal(t, "1", c.mustGet("n"), "it is known to be applied, so readers go ahead")

	// Not applied yet: no reader may come between.
	g.fail = func() error { return errAmbiguous }
	require.ErrorAs(t, c.Send(bg, &inc), &ambiguous)
	g.fail = nil
	_, err = c.get(bg, c.begin(kv.ReadCommitted), "n")
	var unavailable *kv.UnavailableError
	require.ErrorAs(t, err, &unavailable)
	require.Equal(t, "", c.mustGet("other"))
	// A new term settles it.
	c.ranges[0].newLease(c)
	require.Equal(t, "1", c.mustGet("n"))
}

func TestLockingScan(t *testing.T) {
	c := newCluster(t)
	c.put("k1", "a", "k2", "b", "k3", "c")
	holder := c.begin(kv.ReadCommitted)
	_, _, err := c.lock(bg, holder, "k2", kv.LockUpdate)
	require.NoError(t, err)
	scan := func(tx *kv.TxnMeta, wait kv.WaitPolicy, limit int64) ([]string, hlc.Timestamp, error) {
		b := kv.Batch{Header: kv.Header{Txn: tx, Wait: wait}, Ops: []kv.Op{{Kind: kv.OpScan, Key: key("k"), EndKey: key("l"),
			Lock: kv.LockNoKeyUpdate, Rows: new(kv.Rows), Seq: 1, MaxRows: limit}}}
		if err := c.Send(bg, &b); err != nil {
			return nil, 0, err
		}
		var got []string
		for pos := 0; ; {
			k, _, _, next, ok := b.Ops[0].Rows.Next(pos)
			if !ok {
				return got, b.Ops[0].TS, nil
			}
			got = append(got, string(k[1:]))
			pos = next
		}
	}
	var busy *kv.LockNotAvailableError
	skip := c.begin(kv.ReadCommitted)
	_, _, err = scan(skip, kv.WaitError, 0)
	require.ErrorAs(t, err, &busy)
	got, _, err := scan(skip, kv.WaitSkipLocked, 2)
	require.NoError(t, err)
	require.Equal(t, []string{"k1", "k3"}, got)
	unlock := kv.Batch{Header: kv.Header{Txn: skip}, Ops: []kv.Op{{Kind: kv.OpUnlock, Key: key("k"), EndKey: key("l")}}}
	require.NoError(t, c.Send(bg, &unlock))

	// Waits, and sees what the holder has done meanwhile, deletions included.
	done := make(chan []string, 1)
	var ts hlc.Timestamp
	go func() {
		got, at, err := scan(c.begin(kv.ReadCommitted), kv.WaitBlock, 0)
		if err != nil {
			got = []string{err.Error()}
		}
		ts = at
		done <- got
	}()
	waitFor(t, func() bool { return len(c.ranges[0].p.locks.Waits()) == 1 })
	holder.WriteTS = c.clock.Now()
	require.NoError(t, c.commit(bg, holder, reads(), "k2", ""))
	require.Equal(t, []string{"k1", "k3"}, <-done)
	require.Equal(t, holder.WriteTS, ts, "the tombstone is part of what was read")
}

func TestDecodeLocks(t *testing.T) {
	c := newCluster(t)
	tx := c.begin(kv.Serializable)
	_, _, err := c.lock(bg, tx, "a", kv.LockShare)
	require.NoError(t, err)
	_, _, err = c.lock(bg, tx, "b", kv.LockUpdate)
	require.NoError(t, err)
	p := c.ranges[0].p
	data := p.ExportLocks(keys.Span{Start: key(""), End: keys.KeyMax})
	p.LeaseEnded(errors.New("over"))
	p.LeaseStarted()
	require.Zero(t, p.locks.Len())
	require.NoError(t, p.ImportLocks(data))
	require.Equal(t, 2, p.locks.Len())
	require.True(t, p.locks.Check(key("b"), tx, kv.LockUpdate).Held)
}

func FuzzDecodeLocks(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		locks, err := decodeLocks(b)
		if err == nil && len(b) > 0 {
			again, err := decodeLocks(encodeLocks(locks))
			require.NoError(t, err)
			require.Equal(t, len(locks), len(again))
		}
	})
}
