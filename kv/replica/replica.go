package replica

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/storage"
	"github.com/spanlite/spanlite/raftgroup"
)

// Replica is one replica of one range. Send, the Admin methods and the accessors
// are safe for concurrent use; the methods of raftgroup.StateMachine are for its
// Group.
type Replica struct {
	cfg Config
	p   Participant

	group atomic.Pointer[groupBox]
	desc  atomic.Pointer[kv.RangeDescriptor]
	load  loadCounters

	mu struct {
		sync.Mutex
		destroyed error
	}
}

type groupBox struct{ g Group }

// New returns the replica whose state is in the engine, or an uninitialised one
// (it has no state and gets it by a snapshot). Attach gives it its group.
func New(cfg Config) (*Replica, error) { return nil, errors.ErrUnsupported }

// Attach gives the replica its group. The group may have called the state
// machine before.
func (r *Replica) Attach(g Group) { r.group.Store(&groupBox{g}) }

// Send executes a batch; see kv.Sender and the package comment.
func (r *Replica) Send(ctx context.Context, b *kv.Batch) error { return errors.ErrUnsupported }

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
// raftgroup.OpenOptions.
func (r *Replica) Members() []raftgroup.Member { return nil }

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
func (r *Replica) Stats() Stats { return Stats{} }

// GCThreshold returns the timestamp at or below which reads are refused.
func (r *Replica) GCThreshold() hlc.Timestamp { return 0 }

// Frozen reports whether the range waits to be merged into its left neighbour.
func (r *Replica) Frozen() bool { return false }

// Destroy removes the replica: requests fail with RangeNotFoundError from now
// on, and one batch deletes its data and writes a tombstone that forbids replica
// ids below next (I5). The group must be stopped. keepData leaves the addressed
// data alone (a merge has given them to the left neighbour).
func (r *Replica) Destroy(next keys.ReplicaID, keepData bool) error { return errors.ErrUnsupported }

// Tombstone returns the least replica id that the range may still have on this
// store; 0 if there never was a removed one.
func Tombstone(e storage.Reader, id keys.RangeID) (keys.ReplicaID, error) {
	return 0, errors.ErrUnsupported
}

// WriteInitialState writes the state of a new range at the initial position of
// its log: at bootstrap. Members follow from desc.
func WriteInitialState(b *storage.Batch, desc *kv.RangeDescriptor) {}

// Summary is what the engine knows of a replica, for opening a store.
type Summary struct {
	Desc    kv.RangeDescriptor
	Applied raftgroup.Index
}

// List calls fn for each initialised replica in the engine, by range id.
func List(r storage.Reader, fn func(Summary) error) error { return errors.ErrUnsupported }

// DurableApplied fills in the applied indexes that are durable in the engine,
// for raftgroup.Config.
func DurableApplied(e *storage.Engine, ids []keys.RangeID, applied []raftgroup.Index) error {
	return errors.ErrUnsupported
}
