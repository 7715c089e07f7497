package txn_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/invariant"
	"github.com/spanlite/spanlite/txn"
)

var (
	serializable = txn.Options{Isolation: kv.Serializable}
	snapshot     = txn.Options{Isolation: kv.RepeatableRead}
	committed    = txn.Options{Isolation: kv.ReadCommitted}
)

// eventually waits until the background work has led to cond.
func eventually(t *testing.T, cond func() bool) {
	t.Helper()
	require.Eventually(t, cond, 10*time.Second, time.Millisecond)
}

// Own writes are seen by gets and by scans in both directions, before anything has
// been sent; savepoints undo them.
func TestOwnWritesAndSavepoints(t *testing.T) {
	ctx := context.Background()
	// A tiny buffer makes the same history run on intents.
	for _, bufferMax := range []int64{0, 1, 250} {
		t.Run(fmt.Sprint(bufferMax), func(t *testing.T) {
			c := newCluster(t, txn.Config{BufferBytesMax: bufferMax}, "m")
			c.put("a", "1", "b", "2", "x", "3", "y", "4")
			tx := c.db.Begin(serializable)
			check := func(want string) {
				t.Helper()
				got, err := all(ctx, tx, "a", "z", txn.ScanOptions{})
				require.NoError(t, err)
				require.Equal(t, want, got)
				words := strings.Fields(want)
				reversed := ""
				for i := len(words) - 1; i >= 0; i-- {
					reversed += words[i] + " "
				}
				got, err = all(ctx, tx, "a", "z", txn.ScanOptions{Reverse: true, MaxRows: 2})
				require.NoError(t, err)
				require.Equal(t, reversed, got)
				for _, w := range words {
					k, v, _ := strings.Cut(w, "=")
					got, err := read(ctx, tx, k)
					require.NoError(t, err)
					require.Equal(t, v, got)
				}
			}
			check("a=1 b=2 x=3 y=4 ")
			require.NoError(t, write(ctx, tx, "b", "two"))
			require.NoError(t, write(ctx, tx, "c", "3"))
			require.NoError(t, write(ctx, tx, "x", ""))
			check("a=1 b=two c=3 y=4 ")
			s1 := tx.Savepoint()
			require.NoError(t, write(ctx, tx, "b", "zwei"))
			require.NoError(t, write(ctx, tx, "c", ""))
			s2 := tx.Savepoint()
			require.NoError(t, write(ctx, tx, "x", "drei"))
			require.NoError(t, write(ctx, tx, "b", "deux"))
			check("a=1 b=deux x=drei y=4 ")
			require.NoError(t, tx.RollbackTo(ctx, s2))
			check("a=1 b=zwei y=4 ")
			require.NoError(t, write(ctx, tx, "z0", "5"))
			tx.Release(s2)
			require.NoError(t, tx.RollbackTo(ctx, s1))
			check("a=1 b=two c=3 y=4 ")
			require.NoError(t, write(ctx, tx, "a", ""))
			require.NoError(t, tx.RollbackTo(ctx, s1))
			check("a=1 b=two c=3 y=4 ")
			require.NoError(t, write(ctx, tx, "d", "6"))
			require.NoError(t, tx.Commit(ctx))
			tx.Close()
			require.Equal(t, "a=1 b=two c=3 d=6 y=4 ", c.now("a", "z"))
			eventually(t, func() bool { i, r := c.leftovers(); return i+r == 0 })
		})
	}
}

// A transaction of one range is one batch: no intent and no record at any time.
func TestOnePhase(t *testing.T) {
	ctx := context.Background()
	c := newCluster(t, txn.Config{}, "m")
	c.put("a", "1")
	before := c.sent.Load()
	tx := c.db.Begin(serializable)
	v, _, err := tx.Get(ctx, key("a"), txn.ForUpdate)
	require.NoError(t, err)
	require.Equal(t, "1", string(v))
	require.NoError(t, write(ctx, tx, "a", "2"))
	require.NoError(t, write(ctx, tx, "b", "3"))
	require.NoError(t, tx.Commit(ctx))
	tx.Close()
	require.Equal(t, int64(2), c.sent.Load()-before)
	require.Equal(t, int64(2), c.db.Metrics().OnePhase.Load())
	require.Equal(t, "a=2 b=3 ", c.now("a", "z"))
}

// A transaction without writes sends nothing at its end, but for its locks.
func TestReadOnlyCommit(t *testing.T) {
	ctx := context.Background()
	c := newCluster(t, txn.Config{}, "m")
	c.put("a", "1")
	tx := c.db.Begin(serializable)
	_, err := read(ctx, tx, "a")
	require.NoError(t, err)
	before := c.sent.Load()
	require.NoError(t, tx.Commit(ctx))
	require.Equal(t, before, c.sent.Load())
	tx.Close()

	tx = c.db.Begin(serializable)
	_, _, err = tx.Get(ctx, key("a"), txn.ForUpdate)
	require.NoError(t, err)
	other := c.db.Begin(committed)
	_, _, err = other.Get(ctx, key("a"), txn.Locking{Strength: kv.LockShare, Wait: kv.WaitError})
	require.ErrorAs(t, err, new(*kv.LockNotAvailableError))
	v, ok, err := other.Get(ctx, key("a"), txn.Locking{Strength: kv.LockShare, Wait: kv.WaitSkipLocked})
	require.NoError(t, err)
	require.False(t, ok, "%q", v)
	require.NoError(t, tx.Commit(ctx))
	tx.Close()
	_, ok, err = other.Get(ctx, key("a"), txn.Locking{Strength: kv.LockShare, Wait: kv.WaitError})
	require.NoError(t, err)
	require.True(t, ok)
	other.Close()
	tx = c.db.Begin(serializable)
	defer tx.Close()
	_, _, err = tx.Get(ctx, key("a"), txn.ForUpdate) // Close has released it
	require.NoError(t, err)

	ro := c.db.Begin(txn.Options{ReadOnly: true})
	defer ro.Close()
	require.ErrorIs(t, ro.Put(ctx, key("a"), nil), txn.ErrReadOnly)
	_, _, err = ro.Get(ctx, key("a"), txn.ForUpdate)
	require.ErrorIs(t, err, txn.ErrReadOnly)
}

// What happens to a transaction that has read a key which another changes before
// its commit: it moves on if its reads still hold, else it has to retry.
func TestCommitTimestampMoves(t *testing.T) {
	ctx := context.Background()
	for _, bounds := range [][]string{{}, {"m"}} {
		c := newCluster(t, txn.Config{}, bounds...)
		c.put("a", "1", "b", "1", "x", "1")
		for _, tc := range []struct {
			name  string
			opt   txn.Options
			other string // key written by another transaction in between
			read  string // key read by another transaction in between
			retry bool
		}{
			{"blind overwrite", serializable, "b", "", false},
			{"read changed, commit in its past", serializable, "a", "", false},
			{"read changed, commit pushed", serializable, "a", "b", true},
			{"write skew, snapshot", snapshot, "a", "b", false},
			{"lost update, snapshot", snapshot, "b", "", true},
			{"read committed", committed, "b", "", false},
			{"overtaken by a reader", serializable, "", "b", false},
		} {
			t.Run(fmt.Sprintf("%s/%d ranges", tc.name, len(bounds)+1), func(t *testing.T) {
				tx := c.db.Begin(tc.opt)
				defer tx.Close()
				_, err := read(ctx, tx, "a")
				require.NoError(t, err)
				_, err = read(ctx, tx, "x")
				require.NoError(t, err)
				if tc.other != "" {
					c.put(tc.other, "other")
				}
				if tc.read != "" {
					c.now(tc.read, tc.read+"0")
				}
				require.NoError(t, write(ctx, tx, "b", "mine"))
				require.NoError(t, write(ctx, tx, "y", "mine"))
				began := tx.ReadTimestamp()
				err = tx.Commit(ctx)
				if tc.retry {
					var re *kv.RetryError
					require.ErrorAs(t, err, &re)
					require.True(t, txn.Retryable(err))
					require.NoError(t, tx.Restart(ctx, err))
					require.NoError(t, write(ctx, tx, "b", "mine"))
					require.NoError(t, tx.Commit(ctx))
				} else {
					require.NoError(t, err)
				}
				require.GreaterOrEqual(t, tx.CommitTimestamp(), began)
				require.Contains(t, c.now("a", "z"), "b=mine")
			})
		}
		eventually(t, func() bool { i, r := c.leftovers(); return i+r == 0 })
	}
}

// A locking read of a row that has changed since the snapshot.
func TestLockingReadOfNewerVersion(t *testing.T) {
	ctx := context.Background()
	for _, tc := range []struct {
		name     string
		opt      txn.Options
		first    string // key read before
		conflict bool
	}{
		{"serializable, other read holds", serializable, "b", false},
		{"serializable, the row was read", serializable, "a", true},
		{"serializable, nothing read", serializable, "", false},
		{"snapshot, something read", snapshot, "b", true},
		{"snapshot, nothing read", snapshot, "", false},
		{"read committed", committed, "a", false},
	} {
		for _, scan := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/scan=%v", tc.name, scan), func(t *testing.T) {
				c := newCluster(t, txn.Config{})
				c.put("a", "1", "b", "2")
				tx := c.db.Begin(tc.opt)
				defer tx.Close()
				if tc.first != "" {
					_, err := read(ctx, tx, tc.first)
					require.NoError(t, err)
				}
				c.put("a", "new")
				var got string
				var err error
				if scan {
					got, err = all(ctx, tx, "a", "b", txn.ScanOptions{Lock: txn.ForUpdate})
					got = strings.TrimPrefix(strings.TrimSpace(got), "a=")
				} else {
					var v []byte
					v, _, err = tx.Get(ctx, key("a"), txn.ForUpdate)
					got = string(v)
				}
				if tc.conflict {
					require.ErrorAs(t, err, new(*kv.RetryError))
					return
				}
				require.NoError(t, err)
				require.Equal(t, "new", got)
				require.NoError(t, write(ctx, tx, "a", "newer"))
				require.NoError(t, tx.Commit(ctx))
				require.Equal(t, "a=newer b=2 ", c.now("a", "z"))
			})
		}
	}
}

func TestReadCommittedStatements(t *testing.T) {
	ctx := context.Background()
	c := newCluster(t, txn.Config{})
	c.put("a", "1")
	for _, tc := range []struct {
		opt  txn.Options
		want string
	}{{committed, "2"}, {snapshot, "1"}, {serializable, "1"}} {
		c.put("a", "0")
		tx := c.db.Begin(tc.opt)
		c.put("a", "1")
		// The snapshot is that of the first statement.
		tx.StepStatement()
		v, err := read(ctx, tx, "a")
		require.NoError(t, err)
		require.Equal(t, "1", v)
		c.put("a", "2")
		v, err = read(ctx, tx, "a")
		require.NoError(t, err)
		require.Equal(t, "1", v)
		tx.StepStatement()
		v, err = read(ctx, tx, "a")
		require.NoError(t, err)
		require.Equal(t, tc.want, v)
		tx.Close()
	}
	// AS OF.
	tx := c.db.Begin(serializable)
	then := tx.ReadTimestamp()
	tx.Close()
	c.put("a", "3")
	tx = c.db.Begin(txn.Options{AsOf: then})
	v, err := read(ctx, tx, "a")
	require.NoError(t, err)
	require.Equal(t, "2", v)
	tx.StepStatement()
	require.Equal(t, then, tx.ReadTimestamp())
	tx.Close()
}

// A lock that was lost with its lease: at every level the commit notices if the
// row has changed, be it written or only locked (I13).
func TestLostLocks(t *testing.T) {
	ctx := context.Background()
	for _, opt := range []txn.Options{serializable, snapshot, committed} {
		for _, ranges := range []int{1, 2} {
			for _, written := range []bool{false, true} {
				for _, changed := range []bool{false, true} {
					t.Run(fmt.Sprintf("%v/%d/written=%v/changed=%v", opt.Isolation, ranges, written, changed), func(t *testing.T) {
						c := newCluster(t, txn.Config{}, "m")
						locked := "c"
						if ranges == 2 {
							// Not where the record will be: without its lease a transaction
							// that has not got a record yet is aborted.
							locked = "x"
						}
						c.put("a", "1", locked, "1")
						tx := c.db.Begin(opt)
						defer tx.Close()
						_, _, err := tx.Get(ctx, key(locked), txn.ForUpdate)
						require.NoError(t, err)
						c.newLease(locked)
						if changed {
							c.put(locked, "stolen")
						}
						if written {
							require.NoError(t, write(ctx, tx, locked, "mine"))
						}
						require.NoError(t, write(ctx, tx, "a", "mine"))
						if ranges == 2 {
							require.NoError(t, write(ctx, tx, "y", "mine"))
						}
						err = tx.Commit(ctx)
						if !changed {
							require.NoError(t, err)
							return
						}
						if opt.Isolation == kv.Serializable && !written && err == nil {
							// Its reads hold at its commit timestamp, before the theft.
							require.Less(t, tx.CommitTimestamp(), c.clock.Now())
							return
						}
						var re *kv.RetryError
						require.ErrorAs(t, err, &re)
						// The second attempt has nothing to do with the lost lock.
						require.NoError(t, tx.Restart(ctx, err))
						_, _, err = tx.Get(ctx, key(locked), txn.ForUpdate)
						require.NoError(t, err)
						require.NoError(t, write(ctx, tx, "a", "again"))
						require.NoError(t, tx.Commit(ctx))
						require.Contains(t, c.now("a", "z"), "a=again "+locked+"=stolen ")
					})
				}
			}
		}
	}
}

// Parallel commit under lost messages: whatever is lost, the client's answer is
// true, and afterwards nothing is left behind.
func TestParallelCommitFaults(t *testing.T) {
	ctx := context.Background()
	isCommit := func(b *kv.Batch) bool {
		for i := range b.Ops {
			if b.Ops[i].Kind == kv.OpEndTxn {
				return true
			}
		}
		return false
	}
	isWrite := func(b *kv.Batch) bool { return b.Ops[0].Kind == kv.OpPut || b.Ops[0].Kind == kv.OpDelete }
	for _, f := range []fault{loseBefore, loseSilent, loseAnswer} {
		for _, where := range []string{"anchor", "other"} {
			for _, recoverable := range []bool{true, false} {
				t.Run(fmt.Sprintf("%d/%s/recoverable=%v", f, where, recoverable), func(t *testing.T) {
					config := txn.Config{}
					if !recoverable {
						config.OutcomeWait = 200 * time.Millisecond
					}
					c := newCluster(t, config, "m")
					c.put("a", "0", "x", "0")
					eventually(t, func() bool { i, r := c.leftovers(); return i+r == 0 })
					var mu sync.Mutex
					lost := false
					c.inject(func(_ *member, b *kv.Batch) fault {
						mu.Lock()
						defer mu.Unlock()
						switch {
						case lost && !recoverable && slices.Contains([]kv.OpKind{kv.OpPushTxn, kv.OpRecoverTxn, kv.OpQueryOutcome}, b.Ops[0].Kind):
							return loseBefore
						case !lost && (where == "anchor" && isCommit(b) || where == "other" && isWrite(b) && !isCommit(b)):
							lost = true
							return f
						}
						return deliver
					})
					tx := c.db.Begin(serializable)
					require.NoError(t, write(ctx, tx, "a", "1"))
					require.NoError(t, write(ctx, tx, "x", "1"))
					err := tx.Commit(ctx)
					ambiguous := false
					if err != nil {
						var ae *kv.AmbiguousError
						if ambiguous = asErr(err, &ae); ambiguous {
							require.False(t, recoverable, "%v", err)
							require.NotEqual(t, loseBefore, f)
						}
					}
					c.inject(nil)
					tx.Close()
					got := c.now("a", "z")
					switch {
					case err == nil:
						require.Equal(t, "a=1 x=1 ", got)
					case !ambiguous:
						require.Equal(t, "a=0 x=0 ", got)
					default:
						require.Contains(t, []string{"a=0 x=0 ", "a=1 x=1 "}, got)
					}
					if f == loseAnswer && recoverable {
						require.NoError(t, err)
					}
					require.True(t, lost)
					eventually(t, func() bool { i, _ := c.leftovers(); return i == 0 })
				})
			}
		}
	}
}

func asErr[T error](err error, target *T) bool {
	for ; err != nil; err = unwrap(err) {
		if e, ok := err.(T); ok {
			*target = e
			return true
		}
	}
	return false
}

func unwrap(err error) error {
	if u, ok := err.(interface{ Unwrap() error }); ok {
		return u.Unwrap()
	}
	return nil
}

// A coordinator that dies after staging: its transaction is finished by whoever
// meets its intents, and reads are right meanwhile.
func TestDeadCoordinator(t *testing.T) {
	ctx := context.Background()
	c := newCluster(t, txn.Config{}, "m")
	c.put("a", "0", "x", "0")
	eventually(t, func() bool { i, r := c.leftovers(); return i+r == 0 })
	// The commit succeeds, but nothing of what follows is ever sent.
	c.inject(func(_ *member, b *kv.Batch) fault {
		for i := range b.Ops {
			o := &b.Ops[i]
			if o.Kind == kv.OpResolveIntent || o.Kind == kv.OpEndTxn && len(o.End.InFlight) == 0 {
				return loseBefore
			}
		}
		return deliver
	})
	tx := c.db.Begin(serializable)
	require.NoError(t, write(ctx, tx, "a", "1"))
	require.NoError(t, write(ctx, tx, "x", "1"))
	require.NoError(t, tx.Commit(ctx))
	tx.Close()
	eventually(t, func() bool { return c.db.Metrics().ResolveErrors.Load() > 0 })
	c.inject(nil)
	intents, records := c.leftovers()
	require.Equal(t, 2, intents)
	require.Equal(t, 1, records)
	// This waits until the staging record counts as abandoned.
	require.Equal(t, "a=1 x=1 ", c.now("a", "z"))
}

// Transfers between accounts of three ranges, at every isolation level that keeps
// the total, under contention, restarts, lost messages and changes of lease.
func TestBank(t *testing.T) {
	for _, tc := range []struct {
		name   string
		opt    txn.Options
		lock   txn.Locking
		faults bool
		buffer int64
	}{
		{"serializable", serializable, txn.Locking{}, false, 0},
		{"serializable, locking", serializable, txn.ForUpdate, false, 0},
		{"snapshot, locking", snapshot, txn.ForUpdate, false, 0},
		{"read committed, locking", committed, txn.ForUpdate, false, 0},
		{"serializable, faults", serializable, txn.Locking{}, true, 0},
		{"read committed, locking, faults", committed, txn.ForUpdate, true, 0},
		{"serializable, spilling", serializable, txn.ForUpdate, false, 1},
	} {
		t.Run(tc.name, func(t *testing.T) { bank(t, tc.opt, tc.lock, tc.faults, tc.buffer) })
	}
}

func bank(t *testing.T, opt txn.Options, lock txn.Locking, faults bool, buffer int64) {
	const accounts, workers, transfers = 9, 4, 40
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	c := newCluster(t, txn.Config{BufferBytesMax: buffer}, "d", "g")
	name := func(i int) string { return string(rune('a' + i)) }
	for i := range accounts {
		c.put(name(i), "100")
	}
	if faults {
		var mu sync.Mutex
		rng := rand.New(rand.NewPCG(1, 2))
		c.inject(func(_ *member, b *kv.Batch) fault {
			mu.Lock()
			defer mu.Unlock()
			if b.Txn == nil || !b.Ops[0].Kind.IsWrite() || rng.IntN(20) != 0 {
				return deliver
			}
			return fault(rng.IntN(4))
		})
	}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	checks := 0
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			total := 0
			err := c.db.Run(ctx, serializable, func(ctx context.Context, tx *txn.Txn) error {
				total = 0
				rows, err := all(ctx, tx, "a", "z", txn.ScanOptions{})
				for _, w := range strings.Fields(rows) {
					var n int
					_, _ = fmt.Sscanf(w[2:], "%d", &n)
					total += n
				}
				return err
			})
			if err != nil && ctx.Err() == nil && !faults {
				t.Errorf("check: %v", err)
			}
			if err == nil {
				checks++
				if total != accounts*100 {
					t.Errorf("total is %d", total)
					return
				}
			}
		}
	})
	var workersWG sync.WaitGroup
	for w := range workers {
		workersWG.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 9))
			for n := range transfers {
				if faults && n%10 == 5 {
					c.newLease(name(rng.IntN(accounts)))
				}
				from, to := rng.IntN(accounts), rng.IntN(accounts)
				if from == to {
					continue
				}
				err := c.db.Run(ctx, opt, func(ctx context.Context, tx *txn.Txn) error {
					tx.StepStatement()
					var balance [2]int
					for i, a := range []int{from, to} {
						v, _, err := tx.Get(ctx, key(name(a)), lock)
						if err != nil {
							return err
						}
						_, _ = fmt.Sscanf(string(v), "%d", &balance[i])
					}
					amount := rng.IntN(10)
					if err := write(ctx, tx, name(from), fmt.Sprint(balance[0]-amount)); err != nil {
						return err
					}
					return write(ctx, tx, name(to), fmt.Sprint(balance[1]+amount))
				})
				if err != nil && !faults {
					t.Errorf("transfer: %v", err)
					return
				}
			}
		})
	}
	workersWG.Wait()
	close(stop)
	wg.Wait()
	c.inject(nil)
	m := c.db.Metrics()
	t.Logf("committed %d (one phase %d, parallel %d), restarts %d, refreshes %d failed %d, ambiguous %d, checks %d",
		m.Committed.Load(), m.OnePhase.Load(), m.ParallelCommits.Load(), m.Restarts.Load(), m.Refreshes.Load(), m.RefreshFailures.Load(), m.Ambiguous.Load(), checks)
	total := 0
	for _, w := range strings.Fields(c.now("a", "z")) {
		var n int
		_, _ = fmt.Sscanf(w[2:], "%d", &n)
		total += n
	}
	require.Equal(t, accounts*100, total)
	if !faults {
		defer func() {
			if t.Failed() {
				c.describeLeftovers()
			}
		}()
		eventually(t, func() bool { i, r := c.leftovers(); return i+r == 0 })
	}
}

// Many keys at once: own writes, absent keys, locks of others, and a row that has
// changed since the snapshot.
// A transaction may lock and write more rows than fit the write buffer and the lock
// table of the ranges.
func TestLargeTransaction(t *testing.T) {
	const rows = 4 * testMaxLocks
	ctx := t.Context()
	c := newCluster(t, txn.Config{BufferBytesMax: 256 << 10}, "m")
	name := func(i int) string { return fmt.Sprintf("%c%07d", 'a'+i%26, i) }
	require.NoError(t, c.db.Run(ctx, serializable, func(ctx context.Context, tx *txn.Txn) error {
		for i := range rows {
			if _, _, err := tx.Get(ctx, key(name(i)), txn.ForUpdate); err != nil {
				return err
			}
			if err := write(ctx, tx, name(i), "v"); err != nil {
				return err
			}
		}
		return nil
	}))
	n := 0
	require.NoError(t, c.db.Run(ctx, serializable, func(ctx context.Context, tx *txn.Txn) error {
		found, err := all(ctx, tx, "a", "zz", txn.ScanOptions{MaxBytes: 1 << 30})
		n = len(strings.Fields(found))
		return err
	}))
	require.Equal(t, rows, n)
}

func TestGetMany(t *testing.T) {
	ctx := context.Background()
	c := newCluster(t, txn.Config{}, "m")
	c.put("a", "1", "b", "2", "x", "3")
	holder := c.db.Begin(committed)
	_, _, err := holder.Get(ctx, key("b"), txn.ForUpdate)
	require.NoError(t, err)
	tx := c.db.Begin(serializable)
	defer tx.Close()
	require.NoError(t, write(ctx, tx, "a", "own"))
	get := func(lock txn.Locking) (out string) {
		ks := [][]byte{key("x"), key("a"), key("b"), key("nope")}
		require.NoError(t, tx.GetMany(ctx, ks, lock, func(i int, v []byte) error {
			out += fmt.Sprintf("%s=%s,%v ", ks[i][1:], v, v != nil)
			return nil
		}))
		return out
	}
	require.Equal(t, "x=3,true a=own,true b=2,true nope=,false ", get(txn.Locking{}))
	require.Equal(t, "x=3,true a=own,true b=,false nope=,false ", get(txn.Locking{Strength: kv.LockUpdate, Wait: kv.WaitSkipLocked}))
	require.NoError(t, write(ctx, holder, "b", "new"))
	require.NoError(t, holder.Commit(ctx))
	holder.Close()
	require.NoError(t, tx.Commit(ctx))
	require.Equal(t, "a=own b=new x=3 ", c.now("a", "z"))
}

// Dropped data vanishes from reads at once, over all its ranges, and stays for
// reads in the past.
func TestDeleteRange(t *testing.T) {
	ctx := context.Background()
	c := newCluster(t, txn.Config{}, "m")
	c.put("a", "1", "b", "2", "x", "3", "y", "4")
	then := c.clock.Now()
	require.NoError(t, c.db.DeleteRange(ctx, key("b"), key("y")))
	require.Equal(t, "a=1 y=4 ", c.now("a", "z"))
	past := c.db.Begin(txn.Options{AsOf: then})
	defer past.Close()
	got, err := all(ctx, past, "a", "z", txn.ScanOptions{Reverse: true})
	require.NoError(t, err)
	require.Equal(t, "y=4 x=3 b=2 a=1 ", got)
}

// A cycle of waits ends with one victim, which wins when it tries again.
func TestDeadlock(t *testing.T) {
	ctx := context.Background()
	c := newCluster(t, txn.Config{}, "m")
	c.put("a", "0", "x", "0")
	var wg sync.WaitGroup
	var met sync.WaitGroup
	met.Add(2)
	for _, order := range [][2]string{{"a", "x"}, {"x", "a"}} {
		wg.Go(func() {
			first := true
			err := c.db.Run(ctx, committed, func(ctx context.Context, tx *txn.Txn) error {
				for _, k := range order {
					v, _, err := tx.Get(ctx, key(k), txn.ForUpdate)
					if err != nil {
						return err
					}
					if err := write(ctx, tx, k, string(v)+"+"); err != nil {
						return err
					}
					if first {
						first = false
						met.Done()
						met.Wait()
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, "a=0++ x=0++ ", c.now("a", "z"))
	require.NotZero(t, c.db.Metrics().Restarts.Load())
}

// The hot paths leave next to nothing to the collector.
func TestAllocations(t *testing.T) {
	ctx := context.Background()
	c := newCluster(t, txn.Config{})
	c.put("k", "v")
	k := key("k")
	reads := testing.AllocsPerRun(500, func() {
		tx := c.db.Begin(serializable)
		if _, ok, err := tx.Get(ctx, k, txn.Locking{}); err != nil || !ok {
			t.Fatal(err)
		}
		if err := tx.Commit(ctx); err != nil {
			t.Fatal(err)
		}
		tx.Close()
	})
	writes := testing.AllocsPerRun(500, func() {
		tx := c.db.Begin(serializable)
		if _, _, err := tx.Get(ctx, k, txn.ForUpdate); err != nil {
			t.Fatal(err)
		}
		if err := tx.Put(ctx, k, k); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(ctx); err != nil {
			t.Fatal(err)
		}
		tx.Close()
	})
	if !invariant.Expensive { // the race detector empties pools at random
		require.LessOrEqual(t, reads, 1.0)
		require.LessOrEqual(t, writes, 4.0)
	}
}

func TestIncrement(t *testing.T) {
	c := newCluster(t, txn.Config{})
	for i := range int64(3) {
		n, err := c.db.Increment(context.Background(), key("seq"), 5)
		require.NoError(t, err)
		require.Equal(t, 5*(i+1), n)
	}
}

func benchCluster(b *testing.B) *cluster {
	c := newCluster(b, txn.Config{})
	for i := range 1000 {
		c.put(fmt.Sprintf("k%04d", i), strings.Repeat("v", 100))
	}
	require.NoError(b, c.engine.Flush())
	b.ReportAllocs()
	b.ResetTimer()
	return c
}

func BenchmarkPointRead(b *testing.B) {
	c := benchCluster(b)
	ctx := context.Background()
	k := key("k0500")
	for b.Loop() {
		tx := c.db.Begin(serializable)
		if _, ok, err := tx.Get(ctx, k, txn.Locking{}); err != nil || !ok {
			b.Fatal(err)
		}
		if err := tx.Commit(ctx); err != nil {
			b.Fatal(err)
		}
		tx.Close()
	}
}

func BenchmarkReadModifyWrite(b *testing.B) {
	c := benchCluster(b)
	ctx := context.Background()
	k := key("k0500")
	value := make([]byte, 100)
	for b.Loop() {
		tx := c.db.Begin(serializable)
		if _, ok, err := tx.Get(ctx, k, txn.ForUpdate); err != nil || !ok {
			b.Fatal(err)
		}
		if err := tx.Put(ctx, k, value); err != nil {
			b.Fatal(err)
		}
		if err := tx.Commit(ctx); err != nil {
			b.Fatal(err)
		}
		tx.Close()
	}
}
