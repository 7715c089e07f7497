package replica

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/latch"
	"github.com/spanlite/spanlite/kv/outcome"
	"github.com/spanlite/spanlite/kv/storage"
	"github.com/spanlite/spanlite/kv/tscache"
	"github.com/spanlite/spanlite/raftgroup"
)

// Replica is one replica of one range. Send, the administrative methods and the
// accessors are safe for concurrent use; the methods of raftgroup.StateMachine
// are for its Group.
type Replica struct {
	cfg Config
	p   Participant

	group   atomic.Pointer[groupBox]
	desc    atomic.Pointer[kv.RangeDescriptor]
	latches latch.Manager
	tsc     atomic.Pointer[tscache.Cache]
	load    loadCounters
	// outcomes are the transactions whose commits this replica has applied since it
	// was opened, as far as the memory reaches. Commits from before its horizon may
	// be missing: they are in the state, or in a snapshot, without a name.
	outcomes outcome.Memory

	// gcThreshold and intents repeat state.gcThreshold and state.stats.Intents for
	// readers.
	gcThreshold atomic.Uint64
	intents     atomic.Int64
	// refuse, if set, is the answer to every request: the replica is destroyed,
	// frozen, or does not know the outcome of a command that may have taken
	// keys away.
	refuse atomic.Pointer[refusal]

	// leaseTerm is the term whose lease start has been entered into the
	// timestamp cache; requests under another one wait for LeaseChanged. Written
	// by LeaseChanged.
	leaseTerm atomic.Uint64

	// lostCount is len(mu.lost), nextID the last command id.
	lostCount atomic.Int32
	nextID    atomic.Uint64

	// admin has room for one: the administrative operation under way.
	admin chan struct{}

	mu struct {
		sync.Mutex
		state   state
		members []raftgroup.Member
		// leaseChanged is closed and replaced at each LeaseChanged.
		leaseChanged chan struct{}
		destroyed    bool
		// handover is what the leaseholder before has left for the lease of the
		// term after handoverTerm.
		handover     []byte
		handoverTerm raftgroup.Term
		// lost are the commands whose outcome is unknown, with the latches that
		// they keep until it is (see propose).
		lost []lostCommand
		// orphans are the ids of the last commands of the present lease that were
		// applied without anybody waiting: their proposers are about to call lose.
		orphans    [64]uint64
		nextOrphan int
	}

	// applyBuf is the scratch memory of the goroutine that applies entries.
	applyBuf struct {
		state    [stateLen]byte
		stateKey keys.Key
	}
}

type groupBox struct{ g Group }

// refusal is why no request is served.
type refusal struct{ err error }

// New returns the replica whose state is in the engine, or an uninitialised one
// (it gets its state by a snapshot). Attach gives it its group.
func New(cfg Config) (*Replica, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	r := &Replica{cfg: cfg.withDefaults(), admin: make(chan struct{}, 1)}
	r.tsc.Store(tscache.New(hlc.Max)) // until the first lease
	r.mu.leaseChanged = make(chan struct{})
	// Ids of an earlier process must not recur within a term.
	r.nextID.Store(uint64(cfg.Clock.Now()))
	r.applyBuf.stateKey = keys.RangeLocal(cfg.RangeID, suffixState)
	d, members, s, ok, err := load(cfg.Engine, cfg.RangeID)
	if err != nil {
		return nil, err
	}
	if ok {
		r.install(d, members, s)
	}
	r.p = cfg.NewParticipant(r)
	r.p.LeaseEnded(r.notLeaseholder(raftgroup.Lease{}))
	return r, nil
}

// install publishes state that the engine holds.
func (r *Replica) install(d *kv.RangeDescriptor, members []raftgroup.Member, s state) {
	r.mu.Lock()
	r.mu.state, r.mu.members = s, members
	r.mu.Unlock()
	r.gcThreshold.Store(uint64(s.gcThreshold))
	r.intents.Store(s.stats.Intents)
	r.desc.Store(d)
	r.setFrozen(s.frozen)
	r.cfg.Clock.Update(s.floor)
	// Whatever is applied already was sent before now, by any clock.
	r.outcomes.Forget(r.cfg.Clock.Now().Add(r.cfg.Clock.MaxOffset()))
}

func (r *Replica) setFrozen(frozen bool) {
	if frozen {
		r.refuse.CompareAndSwap(nil, &refusal{&kv.UnavailableError{RangeID: r.cfg.RangeID, Cause: errFrozen}})
	} else if old := r.refuse.Load(); old != nil {
		if e, ok := old.err.(*kv.UnavailableError); ok && e.Cause == errFrozen {
			r.refuse.CompareAndSwap(old, nil)
		}
	}
}

var errFrozen = fmt.Errorf("range is being merged into its left neighbour")

// Attach gives the replica its group. The group may have called the state
// machine before.
func (r *Replica) Attach(g Group) {
	r.group.Store(&groupBox{g})
	r.LeaseChanged(g.Lease())
}

// Engine returns the engine, Clock the node's clock, Config what the replica was
// made with: for the participant.
func (r *Replica) Engine() *storage.Engine { return r.cfg.Engine }

// Clock returns the node's clock.
func (r *Replica) Clock() *hlc.Clock { return r.cfg.Clock }

// TimestampCache returns the timestamp cache of the present lease.
func (r *Replica) TimestampCache() *tscache.Cache { return r.tsc.Load() }

// Desc returns the replica's descriptor, nil while it is uninitialised. It is
// immutable.
func (r *Replica) Desc() *kv.RangeDescriptor { return r.desc.Load() }

// RangeID returns the range's id.
func (r *Replica) RangeID() keys.RangeID { return r.cfg.RangeID }

// ReplicaID returns the replica's id.
func (r *Replica) ReplicaID() keys.ReplicaID { return r.cfg.ReplicaID }

// Initialized reports whether the replica has state.
func (r *Replica) Initialized() bool { return r.desc.Load() != nil }

// Members returns the Raft configuration at the applied index, for
// raftgroup.OpenOptions; nil while the replica is uninitialised.
func (r *Replica) Members() []raftgroup.Member {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.members
}

// Lease returns the group's lease; the zero Lease before Attach.
func (r *Replica) Lease() raftgroup.Lease {
	if b := r.group.Load(); b != nil {
		return b.g.Lease()
	}
	return raftgroup.Lease{}
}

// IsLeaseholder reports whether the replica may serve requests now.
func (r *Replica) IsLeaseholder() bool { return r.Lease().Covers(r.cfg.Clock.Peek()) }

// Stats returns the range's statistics as of the applied index.
func (r *Replica) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.state.stats
}

// Outcomes returns the memory of transactions that have committed here. Of those
// up to the applied index of any earlier term it is complete once the replica
// holds the lease (I8).
func (r *Replica) Outcomes() *outcome.Memory { return &r.outcomes }

// GCThreshold returns the timestamp at or below which reads are refused.
func (r *Replica) GCThreshold() hlc.Timestamp { return hlc.Timestamp(r.gcThreshold.Load()) }

// Frozen reports whether the range waits to be merged into its left neighbour.
func (r *Replica) Frozen() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.state.frozen
}

// Destroy removes the replica: requests fail with RangeNotFoundError from now
// on, and one batch deletes its data and writes a tombstone that forbids replica
// ids below next (I5); next 0 means the one after this replica's. The group must
// have stopped. keepData leaves the addressed data alone (a merge has given them
// to the left neighbour).
func (r *Replica) Destroy(next keys.ReplicaID, keepData bool) error {
	r.shut(&kv.RangeNotFoundError{RangeID: r.cfg.RangeID, Store: r.cfg.Store})
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.destroyed {
		return nil
	}
	b := r.cfg.Engine.NewBatch()
	defer b.Close()
	clearReplica(b, r.cfg.RangeID, r.desc.Load(), keepData)
	putTombstone(b, r.cfg.RangeID, max(next, r.cfg.ReplicaID+1))
	if err := b.Commit(); err != nil {
		return fmt.Errorf("destroy replica of %s: %w", r.cfg.RangeID, err)
	}
	r.mu.destroyed = true
	return nil
}

// Shut makes all requests, waiting ones included, fail: the store is closing.
func (r *Replica) Shut() {
	r.shut(&kv.NotLeaseholderError{RangeID: r.cfg.RangeID})
}

func (r *Replica) shut(err error) {
	r.refuse.Store(&refusal{err})
	r.p.LeaseEnded(err)
	r.settleBefore(forever)
	r.wakeLeaseWaiters()
}

// clearReplica deletes a replica's items, all of them (desc nil: only the
// unaddressed ones).
func clearReplica(b *storage.Batch, id keys.RangeID, desc *kv.RangeDescriptor, keepData bool) {
	local := keys.RangeLocalPrefix(nil, id)
	b.ClearSpan(keys.Span{Start: local, End: keys.PrefixEnd(local)})
	if desc == nil || keepData {
		return
	}
	for _, s := range replicatedData(desc.Start, desc.End) {
		b.ClearSpan(s)
	}
}
