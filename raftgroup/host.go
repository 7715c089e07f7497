package raftgroup

import (
	"context"
	"errors"
)

// Host owns all groups of one store: their log, their workers, their timers, and
// the store's liveness. All methods are safe for concurrent use.
//
// Life: NewHost recovers the log; the caller opens its groups; Start lets
// messages and time in; Close ends everything. Groups may be opened, stopped and
// removed at any time in between.
type Host struct {
	cfg Config
}

// GroupState is what the log knows of a group, for recovery.
type GroupState struct {
	Group   GroupID
	Replica ReplicaID
	Term    Term
	Vote    ReplicaID
	Commit  Index
	// Truncated is the position before the first entry.
	Truncated     Index
	TruncatedTerm Term
	Last          Index
}

// OpenOptions describe the replica to open.
type OpenOptions struct {
	Group   GroupID
	Replica ReplicaID
	// Machine is the replica's state. Its AppliedIndex at this moment says whether
	// the replica is initialised ((0, 0) is not), and where Raft resumes.
	Machine StateMachine
	// Members is the configuration at the applied index, as the machine has stored
	// it; empty for an uninitialised replica.
	Members []Member
}

// NewHost opens the log and recovers every group's state from it. A torn tail of
// the newest segment is cut off; any other damage is an error
// (*logstore.CorruptionError) that names file and offset.
func NewHost(cfg Config) (*Host, error) { return nil, errors.ErrUnsupported }

// Start begins to deliver messages and to measure time.
func (h *Host) Start() error { return errors.ErrUnsupported }

// LoggedGroups returns what the log knows, open or not, by group id. After a
// crash it may name groups the state engine does not know: the right side of a
// split whose batch was not flushed (harmless: replaying the left side's log
// creates it again) or an uninitialised replica (it has a vote to keep; open it
// again when a message arrives).
func (h *Host) LoggedGroups() []GroupState { return nil }

// Open starts a replica. If the log does not reach the machine's applied index
// (a crash between the ingestion of a snapshot and the log write, or a replica
// whose state was created by a split or at bootstrap), the log restarts empty at
// the applied position. A replica that is the only voter campaigns at once, and
// leads when Open returns unless the log has entries to apply, which it does then.
//
// Errors: ErrGroupOpen, ErrStopped, or why the log cannot serve the machine.
func (h *Host) Open(o OpenOptions) (*Group, error) { return nil, errors.ErrUnsupported }

// Prepare records durably, before the state of a new replica is written, that
// its log begins empty at (InitialIndex, InitialTerm), and its replica id. A term
// and vote which the group may have already (from its time as an uninitialised
// replica) are kept, so that it never votes twice. Used for the right side of a
// split, from the left side's Apply, and for the first replica of a range.
// The group must not be open: Stop an uninitialised one first. If the log has
// the group at or past the initial position with the same replica id, nothing
// changes (replay of a split). Errors: ErrReplicaRemoved if the log knows a higher
// replica id.
func (h *Host) Prepare(group GroupID, replica ReplicaID) error { return errors.ErrUnsupported }

// Group returns an open group.
func (h *Host) Group(id GroupID) (*Group, bool) { return nil, false }

// Groups returns the open groups in no order.
func (h *Host) Groups() []*Group { return nil }

// Remove stops the group if it is open and removes it from the log, durably. The
// caller has made its own tombstone durable before (I5).
func (h *Host) Remove(id GroupID) error { return errors.ErrUnsupported }

// Tick advances all timers by one tick. Only with Config.Manual.
func (h *Host) Tick() {}

// RunPending processes groups until none has work. Only with Config.Manual.
func (h *Host) RunPending() {}

// TruncateLog gives back what log it can, flushing the state engine if force is
// set. The Host does it by itself as the log grows; this is for tests and tools.
func (h *Host) TruncateLog(force bool) error { return nil }

// WatchStore keeps the heartbeats with a store going although no group is shared
// with it, for those that use the liveness payload.
func (h *Host) WatchStore(id StoreID) {}

// StoreAlive reports whether a store supports this one at the moment: the best
// sign that it can be reached. True for this store.
func (h *Host) StoreAlive(id StoreID) bool { return false }

// LogBytes returns the size of the log's segments.
func (h *Host) LogBytes() int64 { return 0 }

// Close stops all groups, the transport and the log, and waits for every
// goroutine. Proposals that wait end as ambiguous.
func (h *Host) Close() error { return nil }

// Group is one open replica. All methods are safe for concurrent use.
type Group struct {
	h *Host
}

type proposalState struct{}

// ID returns the group's id.
func (g *Group) ID() GroupID { return 0 }

// ReplicaID returns this replica's id.
func (g *Group) ReplicaID() ReplicaID { return 0 }

// Lease returns the lease as it stands. A few atomic loads.
func (g *Group) Lease() Lease { return Lease{} }

// Propose appends p and waits until it is applied here. If nobody is processing
// the group, the caller does, for himself and for whoever joins in meanwhile.
//
// Errors: *NotLeaderError, ErrDropped, ErrTooLarge, ErrStopped: certainly not
// applied. *AmbiguousError: not known; p must not be reused.
func (g *Group) Propose(ctx context.Context, p *Proposal) error { return errors.ErrUnsupported }

// ChangeMembers changes the configuration and waits until the change is applied
// here. p carries the command that goes with it in the same entry (it may have
// empty Data), its Term as with Propose. One change is made in a single step,
// several through a joint configuration, which the leader leaves by itself; the
// machine sees Entry.Members at both steps. Errors as with Propose, and
// *InvalidChangeError, ErrChangePending: nothing was done.
func (g *Group) ChangeMembers(ctx context.Context, p *Proposal, changes []MemberChange) error {
	return errors.ErrUnsupported
}

// TransferLeader hands leadership to a voter and waits until it is gone, at most
// for two election timeouts: then ErrTransferFailed. From the moment at which the
// other may campaign, this replica holds no lease under its present term.
func (g *Group) TransferLeader(ctx context.Context, to ReplicaID) error { return errors.ErrUnsupported }

// Campaign makes the replica stand for election now. It is no more than a hint:
// fortified voters will not vote.
func (g *Group) Campaign() {}

// Wake makes the group look at itself soon: use it when a request finds neither
// lease nor leader.
func (g *Group) Wake() {}

// Status returns a picture of the group. Not for the hot path.
func (g *Group) Status() Status { return Status{} }

// Stop ends processing of the group, and waits for the step that may be under
// way; the log keeps it. It may be called from another group's Apply. Proposals
// that wait end as ambiguous.
func (g *Group) Stop() {}
