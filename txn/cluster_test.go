package txn_test

// These tests run the coordinator on the real thing below it: kv/dist routes to
// replicas with real participants over one in-memory engine; only the Raft group
// is a fake that applies each proposal at once. Between dist and the replicas
// stands a fault that loses requests and answers.

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/dist"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/mvcc"
	"github.com/spanlite/spanlite/kv/replica"
	"github.com/spanlite/spanlite/kv/storage"
	"github.com/spanlite/spanlite/raftgroup"
	"github.com/spanlite/spanlite/txn"
	"github.com/spanlite/spanlite/txn/locktable"
	"github.com/spanlite/spanlite/txn/participant"
)

// group is a replica.Group of one voter.
type group struct {
	mu      sync.Mutex
	machine raftgroup.StateMachine
	lease   atomic.Pointer[raftgroup.Lease]
	entries [1]raftgroup.Entry
}

func (g *group) Lease() raftgroup.Lease                               { return *g.lease.Load() }
func (g *group) Wake()                                                {}
func (g *group) TransferLeader(context.Context, keys.ReplicaID) error { return nil }
func (g *group) ChangeMembers(context.Context, *raftgroup.Proposal, []raftgroup.MemberChange) error {
	return errors.New("not in this test")
}

func (g *group) Propose(_ context.Context, p *raftgroup.Proposal) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.lease.Load()
	if !l.Held || l.Term != p.Term {
		return &raftgroup.NotLeaderError{Term: l.Term}
	}
	index, _ := g.machine.AppliedIndex()
	g.entries[0] = raftgroup.Entry{Index: index + 1, Term: p.Term, Data: p.Data, Proposal: p}
	if err := g.machine.Apply(g.entries[:]); err != nil {
		return &raftgroup.AmbiguousError{Cause: err}
	}
	p.Index = index + 1
	return nil
}

func (g *group) setLease(l raftgroup.Lease) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lease.Store(&l)
	g.machine.LeaseChanged(l)
}

// member is one range.
type member struct {
	*replica.Replica
	group *group
}

// cluster is a node with some ranges.
type cluster struct {
	t      testing.TB
	engine *storage.Engine
	clock  *hlc.Clock
	dist   *dist.Sender
	db     *txn.DB
	ranges []*member

	// fault, if set, is asked about every batch that a range gets from the
	// coordinator; see fault.
	fault atomic.Pointer[func(r *member, b *kv.Batch) fault]
	// sent counts batches that reached a range.
	sent atomic.Int64
}

// fault is what happens to a batch.
type fault uint8

const (
	deliver    fault = iota
	loseBefore       // never arrives, and the sender knows
	loseAnswer       // takes effect, and the sender does not know
	loseSilent       // never arrives, and the sender does not know
)

// testMaxLocks bounds the lock table of a range.
const testMaxLocks = 2_000

func key(s string) []byte { return append(bytes.Clone(keys.TableMin), s...) }

// newCluster makes a range for each interval between bounds.
func newCluster(t testing.TB, cfg txn.Config, bounds ...string) *cluster {
	engine, err := storage.Open(storage.Options{Dir: "state", FS: vfs.NewMem()})
	require.NoError(t, err)
	c := &cluster{t: t, engine: engine, clock: hlc.NewClock(hlc.WallSource, 0)}
	graph := locktable.NewGraph(locktable.GraphConfig{Node: 1})
	c.dist = dist.New(dist.Config{Clock: c.clock, LocalStore: 1, Local: localStore{c}, MaxWait: time.Second})
	cfg.Sender, cfg.Clock, cfg.Node, cfg.HeartbeatInterval = c.dist, c.clock, 1, 50*time.Millisecond
	c.db = txn.NewDB(cfg)
	t.Cleanup(func() {
		c.fault.Store(nil)
		c.db.Close()
		require.NoError(t, engine.Close())
	})
	start := keys.TableMin
	for i := 0; i <= len(bounds); i++ {
		end := keys.KeyMax
		if i < len(bounds) {
			end = key(bounds[i])
		}
		d := &kv.RangeDescriptor{RangeID: keys.RangeID(i + 2), Start: start, End: end, Generation: 1, NextReplicaID: 2,
			Replicas: []kv.ReplicaDescriptor{{Node: 1, Store: 1, Replica: 1}}}
		b := engine.NewBatch()
		replica.WriteInitialState(b, d)
		require.NoError(t, b.Commit())
		b.Close()
		r, err := replica.New(replica.Config{
			RangeID: d.RangeID, ReplicaID: 1, Node: 1, Store: 1, Engine: engine, Clock: c.clock, TempDir: "tmp",
			NewParticipant: participant.Factory(participant.Config{
				Graph: graph, Sender: c.dist, MaxLocks: testMaxLocks, PushAfter: time.Millisecond, PushMax: 5 * time.Millisecond, ExpireAfter: 200 * time.Millisecond,
				CoordinatorAlive: func(m *kv.TxnMeta) (alive, known bool) {
					_, alive = c.db.Lookup(m.ID)
					return alive, true
				},
			}),
		})
		require.NoError(t, err)
		g := &group{machine: r}
		g.lease.Store(&raftgroup.Lease{Term: 6, Leader: raftgroup.Member{Replica: 1, Store: 1}, Held: true, Start: c.clock.Now(), Until: hlc.Max})
		r.Attach(g)
		c.ranges = append(c.ranges, &member{r, g})
		c.dist.Learn(d)
		start = end
	}
	return c
}

// newLease gives the range of key a lease of a later term: its locks and its
// timestamp cache are lost.
func (c *cluster) newLease(k string) {
	for _, r := range c.ranges {
		if r.Desc().Contains(key(k)) {
			l := r.group.Lease()
			r.group.setLease(raftgroup.Lease{Term: l.Term + 1, Leader: l.Leader})
			l.Term, l.Held, l.Start = l.Term+1, true, c.clock.Now()
			r.group.setLease(l)
		}
	}
}

// localStore delivers batches to ranges by their ids.
type localStore struct{ c *cluster }

func (s localStore) Send(ctx context.Context, b *kv.Batch) error {
	for _, r := range s.c.ranges {
		if r.Desc().RangeID != b.RangeID {
			continue
		}
		f := deliver
		if fn := s.c.fault.Load(); fn != nil {
			f = (*fn)(r, b)
		}
		switch f {
		case loseBefore:
			return &kv.UnavailableError{RangeID: b.RangeID, Cause: errLost}
		case loseSilent:
			return &kv.AmbiguousError{Cause: errLost}
		}
		s.c.sent.Add(1)
		err := r.Send(ctx, b)
		if f == loseAnswer && err == nil {
			err = &kv.AmbiguousError{Cause: errLost}
		}
		return err
	}
	return &kv.RangeNotFoundError{RangeID: b.RangeID, Store: 1}
}

var errLost = errors.New("lost by the test")

func (c *cluster) inject(f func(r *member, b *kv.Batch) fault) {
	if f == nil {
		c.fault.Store(nil)
		return
	}
	c.fault.Store(&f)
}

// put commits some values in a transaction of their own; "" deletes.
func (c *cluster) put(puts ...string) {
	c.t.Helper()
	require.NoError(c.t, c.db.Run(context.Background(), txn.Options{Isolation: kv.Serializable}, func(ctx context.Context, t *txn.Txn) error {
		for i := 0; i < len(puts); i += 2 {
			if err := write(ctx, t, puts[i], puts[i+1]); err != nil {
				return err
			}
		}
		return nil
	}))
}

func write(ctx context.Context, t *txn.Txn, k, v string) error {
	if v == "" {
		return t.Delete(ctx, key(k))
	}
	return t.Put(ctx, key(k), []byte(v))
}

func read(ctx context.Context, t *txn.Txn, k string) (string, error) {
	v, _, err := t.Get(ctx, key(k), txn.Locking{})
	return string(v), err
}

// all returns the rows in [a, b) as "k=v" words.
func all(ctx context.Context, t *txn.Txn, a, b string, opt txn.ScanOptions) (out string, err error) {
	start, end := key(a), key(b)
	for {
		var rows kv.Rows
		resume, err := t.Scan(ctx, start, end, opt, &rows)
		if err != nil {
			return "", err
		}
		for pos := 0; ; {
			k, v, _, next, ok := rows.Next(pos)
			if !ok {
				break
			}
			out += fmt.Sprintf("%s=%s ", k[1:], v)
			pos = next
		}
		if resume == nil {
			return out, nil
		}
		if opt.Reverse {
			end = bytes.Clone(resume)
		} else {
			start = bytes.Clone(resume)
		}
	}
}

// now returns the rows in [a, b) as a new transaction sees them.
func (c *cluster) now(a, b string) string {
	c.t.Helper()
	var out string
	require.NoError(c.t, c.db.Run(context.Background(), txn.Options{Isolation: kv.Serializable}, func(ctx context.Context, t *txn.Txn) (err error) {
		out, err = all(ctx, t, a, b, txn.ScanOptions{})
		return err
	}))
	return out
}

// leftovers counts intents and transaction records in the engine. ABORTED records
// without intents do not count: whoever looks after a transaction that has just
// ended in one phase may leave one, for garbage collection to find.
func (c *cluster) leftovers() (intents, records int) {
	count := func(span keys.Span, fn func(v []byte) bool) (n int) {
		require.NoError(c.t, storage.ScanUnversioned(c.engine, span, func(_ keys.Key, v []byte) error {
			if fn(v) {
				n++
			}
			return nil
		}))
		return n
	}
	intents = count(keys.IntentSpan(keys.KeyMin, keys.KeyMax), func([]byte) bool { return true })
	records = count(keys.TxnRecordSpan(keys.KeyMin, keys.KeyMax), func(v []byte) bool {
		var r kv.TxnRecord
		require.NoError(c.t, r.Decode(v))
		return r.Status != kv.TxnAborted || len(r.Intents)+len(r.InFlight) > 0
	})
	return intents, records
}

// describeLeftovers logs them.
func (c *cluster) describeLeftovers() {
	_ = storage.ScanUnversioned(c.engine, keys.TxnRecordSpan(keys.KeyMin, keys.KeyMax), func(_ keys.Key, v []byte) error {
		var r kv.TxnRecord
		err := r.Decode(v)
		c.t.Logf("record %s %s intents %x in flight %d %v", &r.Txn, r.Status, r.Intents, len(r.InFlight), err)
		return nil
	})
	cur := mvcc.NewCursor(c.engine)
	_ = mvcc.ScanIntents(cur, keys.KeyMin, keys.KeyMax, func(i *mvcc.Intent) bool {
		c.t.Logf("intent %x of %s", i.Key, &i.Txn)
		return true
	})
	_ = cur.Close()
	c.t.Logf("%d errors of resolution", c.db.Metrics().ResolveErrors.Load())
}
