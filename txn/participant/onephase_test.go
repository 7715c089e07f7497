package participant

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
)

var bg = context.Background()

// waitFor polls an internal condition that has no event.
func waitFor(t testing.TB, cond func() bool) {
	t.Helper()
	require.Eventually(t, cond, 5*time.Second, 100*time.Microsecond)
}

func TestOnePhaseCommit(t *testing.T) {
	c := newCluster(t)
	ts := c.put("a", "1", "b", "2")
	r := c.begin(kv.Serializable)
	v, err := c.get(bg, r, "a")
	require.NoError(t, err)
	require.Equal(t, "1", v)
	require.Greater(t, r.ReadTS, ts)
	c.put("a", "")
	v, err = c.get(bg, r, "a")
	require.NoError(t, err)
	require.Equal(t, "1", v, "the snapshot stands")
	v, err = c.get(bg, c.begin(kv.Serializable), "a")
	require.NoError(t, err)
	require.Equal(t, "", v)
	require.Zero(t, c.ranges[0].p.locks.Len())
	require.EqualValues(t, 3, c.ranges[0].Stats().Versions)
	require.EqualValues(t, 1, c.ranges[0].Stats().Tombstones)
}

// The commit goes above reads that were served (timestamp cache).
func TestCommitAboveReads(t *testing.T) {
	c := newCluster(t)
	w := c.begin(kv.Serializable)
	r := c.begin(kv.Serializable)
	_, err := c.get(bg, r, "a")
	require.NoError(t, err)
	require.NoError(t, c.commit(bg, w, reads(), "a", "1"))
	require.Greater(t, w.WriteTS, r.ReadTS)
	v, err := c.get(bg, r, "a")
	require.NoError(t, err)
	require.Equal(t, "", v)
}

// I12: write skew and phantoms are caught by the verification of reads.
func TestWriteSkew(t *testing.T) {
	for _, iso := range []kv.Isolation{kv.ReadCommitted, kv.RepeatableRead, kv.Serializable} {
		t.Run(iso.String(), func(t *testing.T) {
			c := newCluster(t)
			c.put("x", "1", "y", "1")
			t1, t2 := c.begin(iso), c.begin(iso)
			for _, tx := range []*kv.TxnMeta{t1, t2} {
				for _, k := range []string{"x", "y"} {
					_, err := c.get(bg, tx, k)
					require.NoError(t, err)
				}
			}
			require.NoError(t, c.commit(bg, t1, reads(point("x"), point("y")), "x", "0"))
			err := c.commit(bg, t2, reads(point("x"), point("y")), "y", "0")
			if iso < kv.Serializable {
				require.NoError(t, err, "weaker levels allow it")
				return
			}
			var retry *kv.RetryError
			require.ErrorAs(t, err, &retry)
			require.Equal(t, kv.RetrySerializable, retry.Reason)
		})
	}
}

func TestPhantom(t *testing.T) {
	c := newCluster(t)
	t1, t2 := c.begin(kv.Serializable), c.begin(kv.Serializable)
	for _, tx := range []*kv.TxnMeta{t1, t2} {
		b := kv.Batch{Header: kv.Header{Txn: tx}, Ops: []kv.Op{{Kind: kv.OpScan, Key: key("k"), EndKey: key("l"), Rows: new(kv.Rows)}}}
		require.NoError(t, c.Send(bg, &b))
		require.Zero(t, b.Ops[0].Rows.Count)
	}
	require.NoError(t, c.commit(bg, t1, reads(span("k", "l")), "k1", "x"))
	var retry *kv.RetryError
	require.ErrorAs(t, c.commit(bg, t2, reads(span("k", "l")), "k2", "x"), &retry)
}

// First committer wins under REPEATABLE READ.
func TestRepeatableReadTooOld(t *testing.T) {
	c := newCluster(t)
	c.put("a", "1")
	tx := c.begin(kv.RepeatableRead)
	c.put("a", "2")
	var retry *kv.RetryError
	require.ErrorAs(t, c.commit(bg, tx, reads(), "a", "3"), &retry)
	require.Equal(t, kv.RetryWriteTooOld, retry.Reason)
}

// A blind write that had to wait for a lock is a blind write still.
func TestRepeatableReadBlindWriteWaits(t *testing.T) {
	c := newCluster(t)
	c.put("a", "1")
	holder, tx := c.begin(kv.ReadCommitted), c.begin(kv.RepeatableRead)
	_, _, err := c.lock(bg, holder, "a", kv.LockUpdate)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- c.commit(bg, tx, reads(), "a", "3") }()
	waitFor(t, func() bool { return len(c.ranges[0].p.locks.Waits()) == 1 })
	holder.WriteTS = c.clock.Now()
	require.NoError(t, c.commit(bg, holder, reads(), "a", "2"))
	var retry *kv.RetryError
	require.ErrorAs(t, <-done, &retry)
	require.Equal(t, kv.RetryWriteTooOld, retry.Reason)
}

func TestLockQueue(t *testing.T) {
	c := newCluster(t)
	c.put("a", "0")
	p := c.ranges[0].p
	t1 := c.begin(kv.Serializable)
	_, l1, err := c.lock(bg, t1, "a", kv.LockUpdate)
	require.NoError(t, err)
	order := make(chan int, 3)
	done := make(chan error, 3)
	for i := range 3 {
		tx := c.begin(kv.Serializable)
		go func() {
			v, l, err := c.lock(bg, tx, "a", kv.LockUpdate)
			if err == nil {
				order <- i
				end := reads(point("a"))
				end.Locks = []kv.LockedKey{l}
				err = c.commit(bg, tx, end, "a", v+"+")
			}
			done <- err
		}()
		waitFor(t, func() bool { return len(p.locks.Waits()) == i+1 })
	}
	// A plain read does not wait for locks.
	_, err = c.get(bg, c.begin(kv.Serializable), "a")
	require.NoError(t, err)
	// NOWAIT and SKIP LOCKED.
	var busy *kv.LockNotAvailableError
	_, _, err = c.lockWait(bg, c.begin(kv.Serializable), "a", kv.LockShare, kv.WaitError)
	require.ErrorAs(t, err, &busy)
	end := reads(point("a"))
	end.Locks = []kv.LockedKey{l1}
	require.NoError(t, c.commit(bg, t1, end, "a", "1"))
	for i := range 3 {
		require.NoError(t, <-done)
		require.Equal(t, i, <-order, "first come, first served")
	}
	v, err := c.get(bg, c.begin(kv.Serializable), "a")
	require.NoError(t, err)
	require.Equal(t, "1+++", v, "no lost update")
	require.Zero(t, p.locks.Len())
}

// I13: a lock that was lost with the lease is replaced by a check of the key.
func TestLockLostWithLease(t *testing.T) {
	for _, changed := range []bool{false, true} {
		c := newCluster(t)
		c.put("a", "0")
		tx := c.begin(kv.ReadCommitted)
		_, l, err := c.lock(bg, tx, "a", kv.LockUpdate)
		require.NoError(t, err)
		c.ranges[0].newLease(c)
		require.Zero(t, c.ranges[0].p.locks.Len())
		if changed {
			c.put("a", "stolen")
		}
		end := reads()
		end.Locks = []kv.LockedKey{l}
		err = c.commit(bg, tx, end, "a", "1")
		if !changed {
			require.NoError(t, err)
			continue
		}
		var retry *kv.RetryError
		require.ErrorAs(t, err, &retry)
		require.Equal(t, kv.RetryLockLost, retry.Reason)
	}
}

// I8: a new lease treats every key as read at its start.
func TestNewLeaseCoversReads(t *testing.T) {
	c := newCluster(t)
	old := c.begin(kv.ReadCommitted)
	r := c.begin(kv.Serializable)
	_, err := c.get(bg, r, "a")
	require.NoError(t, err)
	c.ranges[0].newLease(c)
	require.NoError(t, c.commit(bg, old, reads(), "a", "1"))
	require.Greater(t, old.WriteTS, r.ReadTS)
	require.Greater(t, old.WriteTS, c.ranges[0].Lease().Start)
}

// I6: nothing is served at a timestamp that the lease does not cover.
func TestLeaseBound(t *testing.T) {
	c := newCluster(t)
	l := c.ranges[0].group.Lease()
	l.Until = c.clock.Now().Add(time.Second)
	c.ranges[0].group.setLease(l)
	_, err := c.get(bg, c.begin(kv.Serializable), "a")
	require.NoError(t, err)
	c.advance(2 * time.Second)
	_, err = c.get(bg, c.begin(kv.Serializable), "a")
	var unavailable *kv.UnavailableError
	require.ErrorAs(t, err, &unavailable)
	c.ranges[0].group.setLease(kvLease(l.Term+1, 2))
	_, err = c.get(bg, c.begin(kv.Serializable), "a")
	var other *kv.NotLeaseholderError
	require.ErrorAs(t, err, &other)
}

// A repeated one-phase commit is answered, not applied again.
func TestOnePhaseReplay(t *testing.T) {
	c := newCluster(t)
	tx := c.begin(kv.Serializable)
	require.NoError(t, c.commit(bg, tx, reads(), "a", "1"))
	ts := tx.WriteTS
	require.NoError(t, c.commit(bg, tx, reads(), "a", "1"))
	require.Equal(t, ts, tx.WriteTS)
	require.EqualValues(t, 1, c.ranges[0].Stats().Versions)
}

func TestDeadlock(t *testing.T) {
	c := newCluster(t)
	older, younger := c.begin(kv.Serializable), c.begin(kv.Serializable)
	_, _, err := c.lock(bg, older, "a", kv.LockUpdate)
	require.NoError(t, err)
	_, _, err = c.lock(bg, younger, "b", kv.LockUpdate)
	require.NoError(t, err)
	victim := make(chan error, 1)
	go func() {
		_, _, err := c.lock(bg, younger, "a", kv.LockUpdate)
		victim <- err
		c.ranges[0].p.locks.ReleaseTxn(younger.ID)
	}()
	waitFor(t, func() bool { return len(c.ranges[0].p.locks.Waits()) == 1 })
	_, _, err = c.lock(bg, older, "b", kv.LockUpdate)
	require.NoError(t, err)
	var dead *kv.DeadlockError
	require.ErrorAs(t, <-victim, &dead)
	require.Len(t, dead.Path, 2)
}

// A wait for a lock ends when the lease is not supported any more: nobody can
// commit, so the lock would never fall.
func TestLockWaitEndsWithQuorum(t *testing.T) {
	c := newCluster(t)
	l := c.ranges[0].group.Lease()
	l.Until = c.clock.Now().Add(time.Second)
	c.ranges[0].group.setLease(l)
	_, _, err := c.lock(bg, c.begin(kv.Serializable), "a", kv.LockUpdate)
	require.NoError(t, err)
	waiter := c.begin(kv.Serializable)
	done := make(chan error, 1)
	go func() {
		_, _, err := c.lock(bg, waiter, "a", kv.LockUpdate)
		done <- err
	}()
	waitFor(t, func() bool { return len(c.ranges[0].p.locks.Waits()) == 1 })
	c.advance(2 * time.Second)
	var unavailable *kv.UnavailableError
	require.ErrorAs(t, <-done, &unavailable)
	require.Empty(t, c.ranges[0].p.locks.Waits())
}

// The locks of a transaction whose gateway is gone fall, those of one that lives
// do not, however long it is silent.
func TestLocksOfDeadGateway(t *testing.T) {
	c := newCluster(t)
	p := c.ranges[0].p
	var dead atomic.Bool
	p.cfg.CoordinatorAlive = func(tx *kv.TxnMeta) (bool, bool) { return !dead.Load(), true }
	holder := c.begin(kv.Serializable)
	v, l, err := c.lock(bg, holder, "a", kv.LockUpdate)
	require.NoError(t, err)
	require.Equal(t, "", v)
	c.advance(time.Minute)
	busy := c.begin(kv.Serializable)
	got := make(chan error, 1)
	go func() {
		_, l2, err := c.lock(bg, busy, "a", kv.LockUpdate)
		if err == nil {
			end := reads(point("a"))
			end.Locks = []kv.LockedKey{l2}
			err = c.commit(bg, busy, end, "a", "new")
		}
		got <- err
	}()
	waitFor(t, func() bool { return len(p.locks.Waits()) == 1 })
	time.AfterFunc(30*time.Millisecond, func() { dead.Store(true) })
	require.NoError(t, <-got)
	require.True(t, dead.Load(), "not before its gateway was gone")
	// It comes back: it was aborted first (I13).
	end := reads(point("a"))
	end.Locks = []kv.LockedKey{l}
	var aborted *kv.TxnAbortedError
	require.ErrorAs(t, c.commit(bg, holder, end, "a", "lost update"), &aborted)
	require.Equal(t, "new", c.mustGet("a"))
}
