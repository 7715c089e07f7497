package replica

import (
	"context"
	"fmt"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/storage"
	"github.com/spanlite/spanlite/raftgroup"
)

// Config configures a Replica. Everything is required unless said otherwise.
type Config struct {
	RangeID   keys.RangeID
	ReplicaID keys.ReplicaID
	Node      keys.NodeID
	Store     keys.StoreID

	Engine *storage.Engine
	Clock  *hlc.Clock
	// TempDir is a folder on the engine's file system for sorted tables under
	// way. The store empties it at start.
	TempDir string

	// NewParticipant makes the transaction protocol of the replica; server hands
	// in txn/participant's. It is called once, from New, and must only keep the
	// Replica.
	NewParticipant func(*Replica) Participant

	// Hooks tell the store what happens. May be empty.
	Hooks Hooks
	// Admit, if set, may delay or refuse a batch with writes before it is
	// sequenced: backpressure by engine and log.
	Admit func(ctx context.Context, b *kv.Batch) error

	// LeaseWait bounds the time that a request waits for a lease which this
	// replica is about to get or to renew, before NotLeaseholderError or
	// UnavailableError. Default 1 s.
	LeaseWait time.Duration
	// ProposalWait bounds the wait for a proposal to be applied: after it, the
	// outcome is ambiguous, since the quorum may be gone. Default 10 s.
	ProposalWait time.Duration
	// MaxCommandBytes bounds one command. Default 24 MB.
	MaxCommandBytes int
}

func (c Config) withDefaults() Config {
	if c.LeaseWait == 0 {
		c.LeaseWait = time.Second
	}
	if c.ProposalWait == 0 {
		c.ProposalWait = 10 * time.Second
	}
	if c.MaxCommandBytes == 0 {
		c.MaxCommandBytes = 24 << 20
	}
	return c
}

// Validate returns an error that names the first missing field.
func (c Config) Validate() error {
	switch {
	case c.RangeID == 0:
		return fmt.Errorf("replica: Config.RangeID is not set")
	case c.ReplicaID == 0:
		return fmt.Errorf("replica: Config.ReplicaID is not set")
	case c.Store == 0 || c.Node == 0:
		return fmt.Errorf("replica: Config.Store or Node is not set")
	case c.Engine == nil:
		return fmt.Errorf("replica: Config.Engine is not set")
	case c.Clock == nil:
		return fmt.Errorf("replica: Config.Clock is not set")
	case c.NewParticipant == nil:
		return fmt.Errorf("replica: Config.NewParticipant is not set")
	}
	return nil
}

// Group is what a replica needs of its Raft group; *raftgroup.Group has it.
type Group interface {
	Propose(ctx context.Context, p *raftgroup.Proposal) error
	Lease() raftgroup.Lease
	ChangeMembers(ctx context.Context, p *raftgroup.Proposal, changes []raftgroup.MemberChange) error
	TransferLeader(ctx context.Context, to keys.ReplicaID) error
	Wake()
}

var _ Group = (*raftgroup.Group)(nil)

// Hooks are called by the goroutine that applies entries, in log order, and must
// not call back into the same Group. All may be nil. An error stops the replica.
type Hooks struct {
	// PrepareSplit is called before the batch of a split is committed. keep says
	// that the right-hand replica may exist here; if not (a tombstone of a
	// higher replica id stands) its data are deleted in the same batch. The
	// store makes the right group's initial hard state durable here
	// (raftgroup.Host.Prepare), and may add to batch.
	PrepareSplit func(left *Replica, s *SplitTrigger, batch *storage.Batch) (keep bool, err error)
	// AfterSplit is called once that batch is committed (in memory): the store
	// flushes as it must, and creates and opens the right-hand replica if kept.
	AfterSplit func(left *Replica, s *SplitTrigger, kept bool) error
	// PrepareMerge is called before the batch of a merge is committed: the store
	// stops the right-hand replica. It must be frozen and have applied everything up
	// to m.FrozenIndex; an error stops the left replica.
	PrepareMerge func(left *Replica, m *MergeTrigger, batch *storage.Batch) error
	// AfterMerge is called once that batch is committed: the store removes the
	// right-hand replica from its tables and its group from the host.
	AfterMerge func(left *Replica, m *MergeTrigger) error
	// BeforeSnapshot is called before a received snapshot replaces the replica's
	// state: the store makes sure that no other replica overlaps desc. An error
	// stops the replica.
	BeforeSnapshot func(r *Replica, desc *kv.RangeDescriptor) error
	// DescriptorChanged is called after the batch that changed the descriptor
	// is committed: members, span, or a snapshot.
	DescriptorChanged func(r *Replica, desc *kv.RangeDescriptor)
	// Removed is called when the replica applies its own removal from the
	// range: the store destroys it (Destroy) from another goroutine.
	Removed func(r *Replica)
	// LeaseChanged is called at each change of the lease; it must not block.
	LeaseChanged func(r *Replica, l raftgroup.Lease)
	// Checksum is called when a checksum command is applied, with a snapshot of
	// the engine at exactly that index, which the callee closes. ComputeChecksum
	// does the work, on a goroutine of the store's.
	Checksum func(r *Replica, id uint64, at raftgroup.Index, desc *kv.RangeDescriptor, snap *storage.Snapshot)
}
