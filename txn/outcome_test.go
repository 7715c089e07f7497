package txn_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/txn"
)

// Answers get lost, with and without the request's effect, and with and without the
// leaseholder: the coordinator finds out, and whatever it does takes effect once.

func has(b *kv.Batch, kind kv.OpKind) bool {
	for i := range b.Ops {
		if b.Ops[i].Kind == kind {
			return true
		}
	}
	return false
}

func TestOnePhaseLostAnswer(t *testing.T) {
	ctx := context.Background()
	for _, f := range []fault{loseSilent, loseAnswer} {
		for _, lease := range []bool{false, true} {
			for _, opts := range []txn.Options{serializable, snapshot, committed} {
				t.Run(fmt.Sprintf("%d/lease=%v/%v", f, lease, opts.Isolation), func(t *testing.T) {
					c := newCluster(t, txn.Config{})
					c.put("a", "1", "b", "1")
					versions := c.ranges[0].Stats().Versions
					var lost, asked atomic.Bool
					c.inject(func(_ *member, b *kv.Batch) fault {
						switch {
						case has(b, kv.OpEndTxn) && lost.CompareAndSwap(false, true):
							return f
						case has(b, kv.OpQueryOutcome) && asked.CompareAndSwap(false, true) && lease:
							c.newLease("a")
						}
						return deliver
					})
					tx := c.db.Begin(opts)
					v, _, err := tx.Get(ctx, key("a"), txn.ForUpdate)
					require.NoError(t, err)
					require.Equal(t, "1", string(v))
					_, err = read(ctx, tx, "b")
					require.NoError(t, err)
					require.NoError(t, write(ctx, tx, "a", "2"))
					require.NoError(t, tx.Commit(ctx))
					require.True(t, asked.Load())
					require.NotZero(t, tx.CommitTimestamp())
					tx.Close()
					c.inject(nil)
					require.Equal(t, "a=2 b=1 ", c.now("a", "z"))
					require.Equal(t, versions+1, c.ranges[0].Stats().Versions)
				})
			}
		}
	}
}

// Another has changed the locked row before the second attempt: the commit that was
// lost has not happened, and does not.
func TestOnePhaseLostAnswerAndLock(t *testing.T) {
	ctx := context.Background()
	c := newCluster(t, txn.Config{})
	c.put("a", "1")
	var lost atomic.Bool
	c.inject(func(_ *member, b *kv.Batch) fault {
		switch {
		case has(b, kv.OpEndTxn) && lost.CompareAndSwap(false, true):
			return loseSilent
		case has(b, kv.OpQueryOutcome):
			c.newLease("a")
			c.inject(nil)
			c.put("a", "other")
		}
		return deliver
	})
	tx := c.db.Begin(committed)
	_, _, err := tx.Get(ctx, key("a"), txn.ForUpdate)
	require.NoError(t, err)
	require.NoError(t, write(ctx, tx, "a", "2"))
	var retry *kv.RetryError
	require.ErrorAs(t, tx.Commit(ctx), &retry)
	require.Equal(t, kv.RetryLockLost, retry.Reason)
	tx.Close()
	require.Equal(t, "a=other ", c.now("a", "z"))
}

// While nobody can tell, the commit waits, as long as the statement may.
func TestOnePhaseOutcomeUnknown(t *testing.T) {
	for _, how := range []string{"wait", "cancel"} {
		ctx, cancel := context.WithCancel(context.Background())
		cfg := txn.Config{OutcomeWait: 100 * time.Millisecond}
		if how == "cancel" {
			cfg.OutcomeWait = time.Hour
		}
		c := newCluster(t, cfg)
		c.inject(func(_ *member, b *kv.Batch) fault {
			switch {
			case has(b, kv.OpEndTxn):
				return loseSilent
			case has(b, kv.OpQueryOutcome):
				if how == "cancel" {
					cancel()
				}
				return loseBefore
			}
			return deliver
		})
		tx := c.db.Begin(serializable)
		require.NoError(t, write(ctx, tx, "a", "2"))
		var ambiguous *kv.AmbiguousError
		require.ErrorAs(t, tx.Commit(ctx), &ambiguous)
		tx.Close()
		cancel()
	}
}

func TestIncrementLostAnswer(t *testing.T) {
	for _, f := range []fault{loseSilent, loseAnswer} {
		c := newCluster(t, txn.Config{})
		var lost atomic.Bool
		c.inject(func(_ *member, b *kv.Batch) fault {
			if has(b, kv.OpIncrement) && lost.CompareAndSwap(false, true) {
				return f
			}
			return deliver
		})
		seen := map[int64]bool{}
		for range 3 {
			n, err := c.db.Increment(context.Background(), key("seq"), 1)
			require.NoError(t, err)
			require.False(t, seen[n])
			seen[n] = true
		}
	}
}

// Intents that leave the buffer early are laid again.
func TestSpillLostAnswer(t *testing.T) {
	ctx := context.Background()
	for _, f := range []fault{loseSilent, loseAnswer} {
		c := newCluster(t, txn.Config{BufferBytesMax: 100}, "m")
		var lost atomic.Bool
		c.inject(func(_ *member, b *kv.Batch) fault {
			if has(b, kv.OpPut) && !has(b, kv.OpEndTxn) && lost.CompareAndSwap(false, true) {
				return f
			}
			return deliver
		})
		tx := c.db.Begin(committed)
		want := ""
		for i := range 20 {
			k := fmt.Sprintf("k%02d", i)
			want += k + "=0123456789 "
			require.NoError(t, write(ctx, tx, k, "0123456789"))
		}
		require.NoError(t, tx.Commit(ctx))
		tx.Close()
		require.True(t, lost.Load())
		require.Equal(t, want, c.now("a", "z"))
	}
}
