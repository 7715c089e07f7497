package replica

// These tests feed log entries to two replicas of one range, each with an engine
// of its own, and compare what application leaves behind.

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/mvcc"
	"github.com/spanlite/spanlite/kv/storage"
	"github.com/spanlite/spanlite/raftgroup"
)

// noParticipant is a Participant that is never asked.
type noParticipant struct{}

func (noParticipant) Sequence(*Request) (bool, error)          { return true, nil }
func (noParticipant) Wait(context.Context, *Request) error     { return nil }
func (noParticipant) Finish(*Request, error)                   {}
func (noParticipant) Evaluate(context.Context, *Request) error { return errors.ErrUnsupported }
func (noParticipant) LeaseStarted()                            {}
func (noParticipant) LeaseEnded(error)                         {}
func (noParticipant) ExportLocks(keys.Span) []byte             { return nil }
func (noParticipant) ImportLocks([]byte) error                 { return nil }
func (noParticipant) DropLocks(keys.Span, error)               {}
func (noParticipant) LockCount() int                           { return 0 }

func openEngine(t testing.TB, fs vfs.FS) *storage.Engine {
	e, err := storage.Open(storage.Options{Dir: "state", FS: fs})
	require.NoError(t, err)
	return e
}

func openReplica(t testing.TB, e *storage.Engine, id keys.ReplicaID, hooks Hooks) *Replica {
	r, err := New(Config{RangeID: 7, ReplicaID: id, Node: 1, Store: 1, Engine: e,
		Clock: hlc.NewClock(func() int64 { return 1e6 }, 0), TempDir: "tmp",
		NewParticipant: func(*Replica) Participant { return noParticipant{} }, Hooks: hooks})
	require.NoError(t, err)
	return r
}

func initialDesc() *kv.RangeDescriptor {
	return &kv.RangeDescriptor{RangeID: 7, Start: keys.TableMin, End: keys.KeyMax, Generation: 1, NextReplicaID: 3,
		Replicas: []kv.ReplicaDescriptor{{Node: 1, Store: 1, Replica: 1}, {Node: 2, Store: 2, Replica: 2}}}
}

func create(t testing.TB, e *storage.Engine) {
	b := e.NewBatch()
	defer b.Close()
	WriteInitialState(b, initialDesc())
	require.NoError(t, b.Commit())
}

func put(e *storage.Engine, k string, ts hlc.Timestamp, v string) *command {
	b := e.NewBatch()
	defer b.Close()
	c := &command{kind: cmdWrite, term: 6}
	mvcc.Put(b, append(keys.Key{0x10}, k...), ts, []byte(v), mvcc.Newest{}, &c.stats)
	c.writes = append([]byte(nil), b.Repr()...)
	return c
}

func checksum(t testing.TB, e *storage.Engine, d *kv.RangeDescriptor) [32]byte {
	snap := e.NewSnapshot()
	defer snap.Close()
	sum, err := ComputeChecksum(context.Background(), snap, d, nil)
	require.NoError(t, err)
	return sum
}

// I4: however the log is cut into calls of Apply, the state is the same; and
// (I2, I3) after a crash the entries above the durable index lead there again.
func TestApplyIsDeterministic(t *testing.T) {
	fs1, fs2 := vfs.NewCrashableMem(), vfs.NewMem()
	e1, e2 := openEngine(t, fs1), openEngine(t, fs2)
	defer func() { require.NoError(t, errors.Join(e1.Close(), e2.Close())) }()
	create(t, e1)
	create(t, e2)
	r1, r2 := openReplica(t, e1, 1, Hooks{}), openReplica(t, e2, 2, Hooks{})
	rng := rand.New(rand.NewPCG(1, 2))
	var log []raftgroup.Entry
	add := func(c *command) {
		log = append(log, raftgroup.Entry{Index: raftgroup.InitialIndex + 1 + raftgroup.Index(len(log)), Term: 6, Data: c.encode(nil)})
	}
	log = append(log, raftgroup.Entry{Index: raftgroup.InitialIndex + 1, Term: 6})
	for i := range 200 {
		switch rng.IntN(20) {
		case 0:
			add(&command{kind: cmdThreshold, term: 6, trigger: binary.LittleEndian.AppendUint64(nil, uint64(i))})
		case 1:
			stale := put(e1, "stale", hlc.Timestamp(1000+i), "x")
			stale.term = 5
			add(stale)
		case 2:
			log = append(log, raftgroup.Entry{Index: raftgroup.InitialIndex + 1 + raftgroup.Index(len(log)), Term: 6})
		default:
			add(put(e1, string(rune('a'+rng.IntN(26))), hlc.Timestamp(1000+i), "v"))
		}
	}
	for i := 0; i < len(log); {
		n := min(1+rng.IntN(7), len(log)-i)
		require.NoError(t, r1.Apply(log[i:i+n]))
		i += n
		if i == 100 || i > 100 && i-n < 100 {
			require.NoError(t, e1.Flush())
		}
	}
	for i := range log {
		require.NoError(t, r2.Apply(log[i:i+1]))
	}
	require.Equal(t, r1.Stats(), r2.Stats())
	require.Equal(t, r1.GCThreshold(), r2.GCThreshold())
	want := checksum(t, e1, r1.Desc())
	require.Equal(t, want, checksum(t, e2, r2.Desc()))

	var durable [1]raftgroup.Index
	require.NoError(t, DurableApplied(e1, []keys.RangeID{7}, durable[:]))
	e3 := openEngine(t, fs1.CrashClone(vfs.CrashCloneCfg{}))
	defer func() { require.NoError(t, e3.Close()) }()
	r3 := openReplica(t, e3, 1, Hooks{})
	index, _ := r3.AppliedIndex()
	require.GreaterOrEqual(t, index, durable[0])
	require.Less(t, index, raftgroup.InitialIndex+raftgroup.Index(len(log)))
	require.NoError(t, r3.Apply(log[index-raftgroup.InitialIndex:]))
	require.Equal(t, want, checksum(t, e3, r3.Desc()))
}

// I9: a command of an earlier lease has no effect, and its proposer learns so.
func TestApplyRejectsStaleTerm(t *testing.T) {
	e := openEngine(t, vfs.NewMem())
	defer e.Close()
	create(t, e)
	r := openReplica(t, e, 1, Hooks{})
	p := &pending{}
	p.proposal.Owner = p
	c := put(e, "a", 5, "x")
	require.NoError(t, r.Apply([]raftgroup.Entry{{Index: raftgroup.InitialIndex + 1, Term: 9, Data: c.encode(nil), Proposal: &p.proposal}}))
	require.True(t, p.rejected)
	require.Zero(t, r.Stats().Versions)
}

// What is not a function of the entry stops the replica.
func TestApplyStopsOnCorruption(t *testing.T) {
	e := openEngine(t, vfs.NewMem())
	defer e.Close()
	create(t, e)
	r := openReplica(t, e, 1, Hooks{})
	at := raftgroup.InitialIndex + 1
	good := put(e, "a", 5, "x")
	require.Error(t, r.Apply([]raftgroup.Entry{{Index: at + 1, Term: 6, Data: good.encode(nil)}}), "a gap")
	require.Error(t, r.Apply([]raftgroup.Entry{{Index: at, Term: 6, Data: []byte("nonsense")}}))
	bad := *good
	bad.writes = []byte("not a batch")
	require.Error(t, r.Apply([]raftgroup.Entry{{Index: at, Term: 6, Data: bad.encode(nil)}}))
	require.NoError(t, r.Apply([]raftgroup.Entry{{Index: at, Term: 6, Data: good.encode(nil)}}))
}

func TestApplyFrozen(t *testing.T) {
	e := openEngine(t, vfs.NewMem())
	defer e.Close()
	create(t, e)
	r := openReplica(t, e, 1, Hooks{})
	at := raftgroup.InitialIndex
	apply := func(c *command) {
		at++
		c.term = 6
		require.NoError(t, r.Apply([]raftgroup.Entry{{Index: at, Term: 6, Data: c.encode(nil)}}))
	}
	apply(&command{kind: cmdFreeze, trigger: binary.LittleEndian.AppendUint64(nil, 99)})
	require.True(t, r.Frozen())
	apply(put(e, "a", 5, "x"))
	require.Zero(t, r.Stats().Versions)
	again := openReplica(t, e, 1, Hooks{})
	require.True(t, again.Frozen(), "it survives a restart")
	var unavailable *kv.UnavailableError
	require.ErrorAs(t, again.Send(context.Background(), &kv.Batch{Ops: []kv.Op{{Kind: kv.OpGet, Key: keys.TableMin}}}), &unavailable)
	apply(&command{kind: cmdUnfreeze})
	apply(put(e, "a", 5, "x"))
	require.EqualValues(t, 1, r.Stats().Versions)
}

// A split whose right-hand replica has been removed from this store deletes its
// data instead.
func TestSplitWithoutRightReplica(t *testing.T) {
	e := openEngine(t, vfs.NewMem())
	defer e.Close()
	create(t, e)
	after := 0
	r := openReplica(t, e, 1, Hooks{
		PrepareSplit: func(_ *Replica, s *SplitTrigger, _ *storage.Batch) (bool, error) { return false, nil },
		AfterSplit: func(_ *Replica, _ *SplitTrigger, kept bool) error {
			require.False(t, kept)
			after++
			return nil
		},
	})
	at := raftgroup.InitialIndex
	apply := func(c *command) {
		at++
		c.term = 6
		require.NoError(t, r.Apply([]raftgroup.Entry{{Index: at, Term: 6, Data: c.encode(nil)}}))
	}
	apply(put(e, "a", 5, "x"))
	apply(put(e, "z", 6, "x"))
	d := initialDesc()
	s := SplitTrigger{Left: *d, Right: *d, RightStats: mvcc.Stats{Keys: 1, Versions: 1}}
	s.Left.End, s.Right.Start, s.Right.RangeID = keys.Key("\x10m"), keys.Key("\x10m"), 8
	apply(&command{kind: cmdSplit, trigger: s.encode(nil)})
	require.Equal(t, 1, after)
	require.EqualValues(t, 1, r.Stats().Versions)
	left, err := mvcc.ComputeStats(e, keys.TableMin, keys.KeyMax)
	require.NoError(t, err)
	require.EqualValues(t, 1, left.Versions)
	n := 0
	require.NoError(t, List(e, func(Summary) error { n++; return nil }))
	require.Equal(t, 1, n)
}

func TestMembers(t *testing.T) {
	e := openEngine(t, vfs.NewMem())
	defer e.Close()
	create(t, e)
	removed := 0
	r := openReplica(t, e, 1, Hooks{Removed: func(*Replica) { removed++ }})
	next := *initialDesc()
	next.Replicas = append(next.Replicas, kv.ReplicaDescriptor{Node: 9, Store: 3, Replica: 3})
	next.NextReplicaID = 4
	c := command{kind: cmdMembers, term: 6, trigger: next.Encode(nil)}
	at := raftgroup.InitialIndex + 1
	require.NoError(t, r.Apply([]raftgroup.Entry{{Index: at, Term: 6, Data: c.encode(nil), Members: []raftgroup.Member{
		{Replica: 1, Store: 1, Kind: raftgroup.VoterOutgoing}, {Replica: 2, Store: 2}, {Replica: 3, Store: 3, Kind: raftgroup.VoterIncoming}}}}))
	require.Zero(t, removed)
	// The group leaves the joint configuration by itself.
	require.NoError(t, r.Apply([]raftgroup.Entry{{Index: at + 1, Term: 6, Members: []raftgroup.Member{
		{Replica: 2, Store: 2}, {Replica: 3, Store: 3}}}}))
	require.Equal(t, 1, removed)
	d := r.Desc()
	require.Equal(t, uint64(3), d.Generation)
	require.Equal(t, keys.ReplicaID(4), d.NextReplicaID)
	rd, ok := d.Replica(3)
	require.True(t, ok)
	require.Equal(t, kv.ReplicaDescriptor{Node: 9, Store: 3, Replica: 3, Role: kv.Voter}, rd)
	again := openReplica(t, e, 1, Hooks{})
	require.Equal(t, r.Members(), again.Members())
	require.Equal(t, d, again.Desc())
}
