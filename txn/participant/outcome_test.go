package participant

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// What a range says of the outcome of a one-phase commit whose answer got lost, and
// that it stays true: an attempt that was sent before the question cannot succeed
// after a negative answer.

// ask asks the range of k what became of the attempt that t sent at sent.
func (c *cluster) ask(k string, t *kv.TxnMeta, sent hlc.Timestamp) (kv.TxnStatus, hlc.Timestamp) {
	c.t.Helper()
	b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpQueryOutcome, Key: key(k), PushTxn: t, TS: sent}}}
	require.NoError(c.t, c.Send(bg, &b))
	return b.Ops[0].TxnStatus, b.Ops[0].PushedTS
}

func sentAt(ts hlc.Timestamp) kv.EndTxn { return kv.EndTxn{ReadsComplete: true, SentAt: ts} }

// The leaseholder fails after the command has reached the log.
func TestOutcomeCommitted(t *testing.T) {
	c := newCluster(t)
	tx := c.begin(kv.Serializable)
	g := c.ranges[0].group
	g.fail, g.applyFirst = func() error { return errAmbiguous }, true
	sent := c.clock.Now()
	var ambiguous *kv.AmbiguousError
	require.ErrorAs(t, c.commit(bg, tx, sentAt(sent), "a", "1"), &ambiguous)
	g.fail, g.applyFirst = nil, false
	for range 2 {
		status, ts := c.ask("a", tx, sent)
		require.Equal(t, kv.TxnCommitted, status)
		require.Equal(t, tx.WriteTS, ts)
		c.ranges[0].newLease(c)
	}
}

// The command never got there: asked, the range forbids it for good.
func TestOutcomeNegativeHolds(t *testing.T) {
	for _, lease := range []bool{false, true} {
		c := newCluster(t)
		tx := c.begin(kv.Serializable)
		sent := c.clock.Now()
		if lease {
			c.ranges[0].newLease(c)
		}
		status, _ := c.ask("a", tx, sent)
		require.Equal(t, kv.TxnAborted, status)
		if lease {
			c.ranges[0].newLease(c)
		}
		var stale *kv.StaleCommitError
		require.ErrorAs(t, c.commit(bg, tx, sentAt(sent), "a", "1"), &stale, "a late copy")
		require.Equal(t, "", c.mustGet("a"))
		// Another attempt is free to succeed, once.
		require.NoError(t, c.commit(bg, tx, sentAt(c.clock.Now()), "a", "1"))
		require.EqualValues(t, 1, c.ranges[0].Stats().Versions)
		status, ts := c.ask("a", tx, sent)
		require.Equal(t, kv.TxnCommitted, status)
		require.Equal(t, tx.WriteTS, ts)
	}
}

// The command is on its way while the question comes: the answer waits for it.
func TestOutcomeWaitsForCommandUnderWay(t *testing.T) {
	c := newCluster(t)
	tx := c.begin(kv.Serializable)
	g := c.ranges[0].group
	g.fail = func() error { return errAmbiguous } // still in the log
	sent := c.clock.Now()
	var ambiguous *kv.AmbiguousError
	require.ErrorAs(t, c.commit(bg, tx, sentAt(sent), "a", "1"), &ambiguous)
	g.fail = nil
	b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpQueryOutcome, Key: key("a"), PushTxn: tx, TS: sent}}}
	var unavailable *kv.UnavailableError
	require.ErrorAs(t, c.Send(bg, &b), &unavailable)
}

// What is neither remembered nor within reach of the memory is unknown.
func TestOutcomeForgotten(t *testing.T) {
	c := newCluster(t, "m")
	tx := c.begin(kv.Serializable)
	sent := c.clock.Now()
	left, right := c.ranges[0], c.ranges[1]
	index, stats, err := right.Freeze(bg)
	require.NoError(t, err)
	_, err = left.Merge(bg, left.Lease().Term, right.Desc(), index, stats)
	require.NoError(t, err)
	status, _ := c.ask("z", tx, sent)
	require.Equal(t, kv.TxnUnknown, status)
	status, _ = c.ask("z", tx, c.clock.Now())
	require.Equal(t, kv.TxnAborted, status)
}

// Both sides of a split answer for what was committed before it.
func TestOutcomeAfterSplit(t *testing.T) {
	c := newCluster(t)
	tx, other := c.begin(kv.Serializable), c.begin(kv.Serializable)
	sent := c.clock.Now()
	require.NoError(t, c.commit(bg, tx, sentAt(sent), "y", "1", "z", "2"))
	_, _, err := c.ranges[0].Split(bg, key("m"), 9, 0)
	require.NoError(t, err)
	status, ts := c.ask("z", tx, sent)
	require.Equal(t, kv.TxnCommitted, status)
	require.Equal(t, tx.WriteTS, ts)
	status, _ = c.ask("z", other, sent)
	require.Equal(t, kv.TxnAborted, status)
}

// A commit over several ranges is remembered where its record was, after that has
// gone; and a record is found without its anchor.
func TestOutcomeOfRecord(t *testing.T) {
	c := newCluster(t)
	tx := c.begin(kv.Serializable)
	tx.Anchor = key("a")
	require.NoError(t, c.write(tx, "a", "1"))
	status, err := c.end(tx, kv.EndTxn{Commit: true, ReadsComplete: true, InFlight: []kv.InFlightWrite{{Key: key("a"), Seq: tx.Seq}}})
	require.NoError(t, err)
	require.Equal(t, kv.TxnStaging, status)
	anonymous := &kv.TxnMeta{ID: tx.ID, StartTS: tx.StartTS}
	status, _ = c.ask("a", anonymous, tx.StartTS)
	require.Equal(t, kv.TxnStaging, status)
	_, err = c.end(tx, kv.EndTxn{Commit: true, ReadsComplete: true, Intents: []keys.Span{point("a")}})
	require.NoError(t, err)
	require.NoError(t, c.resolve(tx, kv.TxnCommitted, "a"))
	_, err = c.end(tx, kv.EndTxn{Commit: true, ReadsComplete: true})
	require.NoError(t, err)
	status, ts := c.ask("a", anonymous, tx.StartTS)
	require.Equal(t, kv.TxnCommitted, status)
	require.Equal(t, tx.WriteTS, ts)
}

// The record of a transaction that was asked for, and had none, can no longer be
// made by what was sent before.
func TestOutcomeForbidsRecord(t *testing.T) {
	c := newCluster(t)
	tx := c.begin(kv.Serializable)
	tx.Anchor = key("a")
	status, _ := c.ask("a", tx, tx.StartTS)
	require.Equal(t, kv.TxnAborted, status)
	_, err := c.end(tx, kv.EndTxn{Commit: true, ReadsComplete: true, InFlight: []kv.InFlightWrite{{Key: key("a"), Seq: 1}}})
	var aborted *kv.TxnAbortedError
	require.ErrorAs(t, err, &aborted)
}
