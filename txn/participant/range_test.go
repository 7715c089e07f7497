package participant

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/replica"
	"github.com/spanlite/spanlite/kv/storage"
	"github.com/spanlite/spanlite/raftgroup"
)

func TestSplit(t *testing.T) {
	c := newCluster(t)
	c.put("a", "1", "z", "2")
	left := c.ranges[0]
	all := left.Stats()
	// A lock on the right side moves along, a waiter for one is sent there.
	holder := c.begin(kv.Serializable)
	_, lz, err := c.lock(bg, holder, "z", kv.LockUpdate)
	require.NoError(t, err)
	waiter := make(chan error, 1)
	go func() {
		_, _, err := c.lock(bg, c.begin(kv.ReadCommitted), "z", kv.LockShare)
		waiter <- err
	}()
	waitFor(t, func() bool { return len(left.p.locks.Waits()) == 1 })
	old := c.begin(kv.ReadCommitted)
	reader := c.begin(kv.Serializable)
	_, err = c.get(bg, reader, "y")
	require.NoError(t, err)

	l, r, err := left.Split(bg, key("m"), 9, 1)
	require.NoError(t, err)
	require.Equal(t, key("m"), l.End)
	require.Equal(t, keys.RangeID(9), r.RangeID)
	require.Equal(t, uint64(2), r.Generation)
	var mismatch *kv.RangeMismatchError
	require.ErrorAs(t, <-waiter, &mismatch)
	require.Len(t, c.ranges, 2)
	right := c.ranges[1]
	require.Equal(t, 1, right.p.locks.Len())
	sum := left.Stats()
	sum.Add(right.Stats())
	require.Equal(t, all, sum)
	require.EqualValues(t, 1, right.Stats().Versions)

	// The left range answers for its own keys only.
	b := kv.Batch{Header: kv.Header{Txn: c.begin(kv.Serializable)}, Ops: []kv.Op{{Kind: kv.OpGet, Key: key("z")}}}
	require.ErrorAs(t, left.Send(bg, &b), &mismatch)
	require.Equal(t, "2", c.mustGet("z"))
	// I8 across the split: what was read on the left is not written below.
	require.NoError(t, c.commit(bg, old, reads(), "y", "3"))
	require.Greater(t, old.WriteTS, reader.ReadTS)
	end := reads(point("z"))
	end.Locks = []kv.LockedKey{lz}
	require.NoError(t, c.commit(bg, holder, end, "z", "4"))
	require.Zero(t, right.p.locks.Len())

	_, _, err = left.Split(bg, key("c"), 10, 1)
	require.ErrorAs(t, err, &mismatch, "stale generation")

	// Both survive a restart from the engine.
	seen := map[keys.RangeID]string{}
	require.NoError(t, replica.List(c.engine, func(s replica.Summary) error {
		seen[s.Desc.RangeID] = s.Desc.String()
		return nil
	}))
	require.Equal(t, map[keys.RangeID]string{2: l.String(), 9: r.String()}, seen)
}

func TestFreezeAndMerge(t *testing.T) {
	c := newCluster(t, "m")
	c.put("a", "1")
	c.put("z", "2")
	left, right := c.ranges[0], c.ranges[1]
	reader, old := c.begin(kv.Serializable), c.begin(kv.ReadCommitted)
	reader.ReadTS = c.clock.Now()
	_, err := c.get(bg, reader, "y")
	require.NoError(t, err)
	_, _, err = right.Freeze(bg)
	require.NoError(t, err)
	require.True(t, right.Frozen())
	var unavailable *kv.UnavailableError
	_, err = c.get(bg, c.begin(kv.Serializable), "z")
	require.ErrorAs(t, err, &unavailable)
	require.NoError(t, right.Unfreeze(bg))
	require.Equal(t, "2", c.mustGet("z"))
	index, stats, err := right.Freeze(bg)
	require.NoError(t, err)
	sum := left.Stats()
	sum.Add(stats)
	d, err := left.Merge(bg, left.Lease().Term, right.Desc(), index, stats)
	require.NoError(t, err)
	require.Equal(t, keys.KeyMax, d.End)
	require.Equal(t, sum, left.Stats())
	require.Equal(t, "2", c.mustGet("z"))
	require.NoError(t, c.commit(bg, old, reads(), "y", "3"))
	require.Greater(t, old.WriteTS, reader.ReadTS)
	next, err := replica.Tombstone(c.engine, right.RangeID())
	require.NoError(t, err)
	require.NotZero(t, next, "the right range never comes back")
}

// A planned transfer takes the locks along in the log.
func TestTransferLeaseHandsLocksOver(t *testing.T) {
	c := newCluster(t)
	r := c.ranges[0]
	tx := c.begin(kv.Serializable)
	_, _, err := c.lock(bg, tx, "a", kv.LockUpdate)
	require.NoError(t, err)
	_, err = r.ChangeReplicas(bg, []replica.ReplicaChange{{Type: raftgroup.AddVoter, Node: 2, Store: 2}}, 0)
	require.NoError(t, err)
	require.Len(t, r.Members(), 2)
	rd, ok := r.Desc().Replica(2)
	require.True(t, ok)
	require.Equal(t, keys.NodeID(2), rd.Node)
	require.Error(t, r.TransferLease(bg, 2), "it is a learner")
	require.NoError(t, r.Handover(bg))
	r.newLease(c) // here, for lack of another store
	require.True(t, r.p.locks.Check(key("a"), tx, kv.LockUpdate).Held)
	r.newLease(c)
	require.Zero(t, r.p.locks.Len(), "a handover is for the next lease only")
}

func TestSnapshot(t *testing.T) {
	c := newCluster(t, "m")
	c.put("a", "1", "b", "2")
	c.put("z", "other range")
	tx := c.begin(kv.Serializable)
	require.NoError(t, c.write(tx, "c", "intent"))
	require.NoError(t, c.Send(bg, &kv.Batch{Header: kv.Header{Txn: tx}, Ops: []kv.Op{{Kind: kv.OpHeartbeatTxn, Key: tx.Anchor}}}))
	require.NoError(t, c.Send(bg, &kv.Batch{Ops: []kv.Op{{Kind: kv.OpDeleteRange, Key: key("b"), EndKey: key("b1")}}}))
	from := c.ranges[0]
	src, err := from.CreateSnapshot()
	require.NoError(t, err)
	c.put("a", "later")

	// Into an engine that has garbage there.
	fs := vfs.NewMem()
	engine, err := storage.Open(storage.Options{Dir: "state", FS: fs})
	require.NoError(t, err)
	defer engine.Close()
	b := engine.NewBatch()
	b.PutVersion(key("a7"), 5, 0, []byte("garbage"))
	b.PutVersion(key("z"), 5, 0, []byte("not in the range"))
	require.NoError(t, b.Commit())
	b.Close()
	var files []string
	for n := 0; ; n++ {
		var buf bytes.Buffer
		if err := src.WriteFile(n, &buf); err == io.EOF {
			break
		} else {
			require.NoError(t, err)
		}
		name := fmt.Sprintf("in-%d.sst", n)
		f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
		require.NoError(t, err)
		_, err = f.Write(buf.Bytes())
		require.NoError(t, errors.Join(err, f.Sync(), f.Close()))
		files = append(files, name)
	}
	meta := src.Meta()
	require.NoError(t, src.Close())
	to, err := replica.New(replica.Config{RangeID: 2, ReplicaID: 2, Node: 2, Store: 2, Engine: engine, Clock: c.clock,
		TempDir: "tmp", NewParticipant: Factory(c.config())})
	require.NoError(t, err)
	require.False(t, to.Initialized())
	require.NoError(t, to.ApplySnapshot(meta, files))
	index, _ := to.AppliedIndex()
	require.Equal(t, meta.Index, index)
	require.EqualValues(t, 1, to.Stats().Intents)
	require.Equal(t, from.Desc().String(), to.Desc().String())

	// The same content, by checksum; the other range's keys are untouched.
	read := func(e *storage.Engine) [32]byte {
		snap := e.NewSnapshot()
		defer snap.Close()
		sum, err := replica.ComputeChecksum(bg, snap, from.Desc(), nil)
		require.NoError(t, err)
		return sum
	}
	again, err := from.CreateSnapshot()
	require.NoError(t, err)
	require.NoError(t, again.Close())
	require.NotEqual(t, read(c.engine), read(engine), "it is behind by one command")
	get := kv.Batch{Header: kv.Header{Inconsistent: true, ReadTS: c.clock.Now()}, Ops: []kv.Op{
		{Kind: kv.OpGet, Key: key("a")}, {Kind: kv.OpGet, Key: key("b")}, {Kind: kv.OpGet, Key: key("a7")}}}
	require.NoError(t, to.Send(bg, &get))
	require.Equal(t, "1", string(get.Ops[0].Value))
	require.False(t, get.Ops[1].Found)
	require.False(t, get.Ops[2].Found)
	require.NoError(t, to.Destroy(0, false))
	next, err := replica.Tombstone(engine, 2)
	require.NoError(t, err)
	require.Equal(t, keys.ReplicaID(3), next)
	var notFound *kv.RangeNotFoundError
	require.ErrorAs(t, to.Send(bg, &get), &notFound)
}

// Many clients move money between accounts in two ranges, with locks in random
// order, splits, and lost leases in between. Nothing is lost or made.
func TestBank(t *testing.T) {
	for _, iso := range []kv.Isolation{kv.ReadCommitted, kv.Serializable} {
		t.Run(iso.String(), func(t *testing.T) {
			c := newCluster(t)
			const accounts, clients = 8, 6
			rounds := 150
			if testing.Short() || raceEnabled {
				rounds = 40
			}
			name := func(i int) string { return fmt.Sprintf("acc%d", i) }
			for i := range accounts {
				c.put(name(i), "100")
			}
			var wg sync.WaitGroup
			var mu sync.Mutex
			outcomes := map[string]int{}
			for cl := range clients {
				wg.Go(func() {
					rng := rand.New(rand.NewPCG(uint64(cl), 1))
					for range rounds {
						from, to := rng.IntN(accounts), rng.IntN(accounts)
						if from == to {
							continue
						}
						err := transfer(c, iso, name(from), name(to))
						mu.Lock()
						outcomes[fmt.Sprintf("%T", err)]++
						mu.Unlock()
					}
				})
			}
			stop := make(chan struct{})
			done := make(chan struct{})
			go func() {
				defer close(done)
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					case <-time.After(3 * time.Millisecond):
					}
					c.ranges[0].newLease(c)
				}
			}()
			wg.Wait()
			close(stop)
			<-done
			t.Log(outcomes)
			total := 0
			for i := range accounts {
				n, err := strconv.Atoi(c.mustGet(name(i)))
				require.NoError(t, err)
				total += n
			}
			require.Equal(t, 100*accounts, total)
			require.Greater(t, outcomes["<nil>"], 0)
		})
	}
}

func transfer(c *cluster, iso kv.Isolation, from, to string) error {
	ctx, cancel := context.WithTimeout(bg, 10*time.Second)
	defer cancel()
	tx := c.begin(iso)
	finish := func(err error) error {
		_ = c.Send(bg, &kv.Batch{Header: kv.Header{Txn: tx}, Ops: []kv.Op{{Kind: kv.OpUnlock, Key: key("a"), EndKey: key("b")}}})
		return err
	}
	a, la, err := c.lock(ctx, tx, from, kv.LockNoKeyUpdate)
	if err != nil {
		return finish(err)
	}
	snapshot := tx.ReadTS
	b, lb, err := c.lock(ctx, tx, to, kv.LockNoKeyUpdate)
	if err != nil {
		return finish(err)
	}
	if iso == kv.Serializable && tx.ReadTS > snapshot {
		tx.WriteTS = max(tx.WriteTS, tx.ReadTS)
		r := kv.Batch{Header: kv.Header{Txn: tx}, Ops: []kv.Op{{Kind: kv.OpRefresh, Key: key(from), RefreshFrom: snapshot}}}
		if err := c.Send(ctx, &r); err != nil {
			return finish(err)
		}
	}
	x, _ := strconv.Atoi(a)
	y, _ := strconv.Atoi(b)
	end := reads(point(from), point(to))
	end.Locks = []kv.LockedKey{la, lb}
	return finish(c.commit(ctx, tx, end, from, strconv.Itoa(x-1), to, strconv.Itoa(y+1)))
}
