package replica

import (
	"context"
	"errors"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/storage"
	"github.com/spanlite/spanlite/raftgroup"
)

// Split splits the range at key: the left part keeps id and replica ids, the
// right part is newRange on the same stores, its replicas numbered from 1. It
// returns when this replica has applied the split. The directory is the
// caller's business.
//
// expect is the generation the caller has seen, 0 for any; another one is a
// RangeMismatchError. Errors otherwise as with Send.
func (r *Replica) Split(ctx context.Context, key keys.Key, newRange keys.RangeID, expect uint64) (left, right *kv.RangeDescriptor, err error) {
	return nil, nil, errors.ErrUnsupported
}

// FindSplitKey returns a key near the middle of the range, by size, at which the
// range may be split (between rows), or nil if there is none.
func (r *Replica) FindSplitKey(ctx context.Context) (keys.Key, error) {
	return nil, errors.ErrUnsupported
}

// Freeze is the first step of merging this range into its left neighbour: it
// stops all requests, and the log ends with it. It returns the index that every
// replica must have applied (Status of the followers tells) before Merge is
// called on the left range. Unfreeze takes it back, unless the merge has happened.
func (r *Replica) Freeze(ctx context.Context) (raftgroup.Index, Stats, error) {
	return 0, Stats{}, errors.ErrUnsupported
}

// Unfreeze lets requests in again.
func (r *Replica) Unfreeze(ctx context.Context) error { return errors.ErrUnsupported }

// Merge joins the frozen right neighbour into this range. The members of both
// must be on the same stores.
func (r *Replica) Merge(ctx context.Context, right *kv.RangeDescriptor, frozen raftgroup.Index, rightStats Stats) (*kv.RangeDescriptor, error) {
	return nil, errors.ErrUnsupported
}

// ReplicaChange is one step of a membership change. For additions the replica id
// is chosen by ChangeReplicas.
type ReplicaChange struct {
	Type  raftgroup.ChangeType
	Node  keys.NodeID
	Store keys.StoreID
}

// ChangeReplicas changes the members in one step or, if there are several
// changes, through a joint configuration, and returns the new descriptor.
// AddVoter of a store with a learner promotes it. expect as with Split.
func (r *Replica) ChangeReplicas(ctx context.Context, changes []ReplicaChange, expect uint64) (*kv.RangeDescriptor, error) {
	return nil, errors.ErrUnsupported
}

// TransferLease hands leadership and lease to the replica on another store.
func (r *Replica) TransferLease(ctx context.Context, to keys.StoreID) error {
	return errors.ErrUnsupported
}

// SetGCThreshold raises the timestamp at or below which reads are refused; the
// GC queue does so before it removes versions with OpGC.
func (r *Replica) SetGCThreshold(ctx context.Context, ts hlc.Timestamp) error {
	return errors.ErrUnsupported
}

// Checksum makes every replica compute a checksum of its state at one index;
// Hooks.Checksum receives it under id.
func (r *Replica) Checksum(ctx context.Context, id uint64) (raftgroup.Index, error) {
	return 0, errors.ErrUnsupported
}

// ComputeChecksum returns the SHA-256 of a replica's replicated state in snap,
// without what may differ between replicas. pace is called for about every 64 KB
// with their number; it may wait, and its error ends the computation.
func ComputeChecksum(ctx context.Context, snap *storage.Snapshot, desc *kv.RangeDescriptor, pace func(int) error) ([32]byte, error) {
	return [32]byte{}, errors.ErrUnsupported
}
