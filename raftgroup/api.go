package raftgroup

import (
	"fmt"
	"io"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// Index is a position in a group's log; 0 is before the first entry.
type Index uint64

// Term is a Raft term; 0 is none.
type Term uint64

// GroupID names a group; a group is the replicated log of one range.
type GroupID = keys.RangeID

// ReplicaID names a replica within its group; never reused (I5).
type ReplicaID = keys.ReplicaID

// StoreID names a store.
type StoreID = keys.StoreID

// The position at which every group begins: a fresh group's log is empty and
// truncated here, so that a replica without state cannot be mistaken for one
// that is merely behind, and must get a snapshot.
const (
	InitialIndex Index = 10
	InitialTerm  Term  = 5
)

// MemberKind is a member's part in the group's configuration.
type MemberKind uint8

// The kinds. Incoming, Outgoing and Demoting exist only in a joint configuration:
// Incoming is a voter of the new one only, Outgoing of the old one only (and then
// gone), Demoting of the old one only (and then a learner).
const (
	Voter MemberKind = iota
	Learner
	VoterIncoming
	VoterOutgoing
	VoterDemoting
)

// String returns the kind's name.
func (k MemberKind) String() string {
	return [...]string{"voter", "learner", "voter-incoming", "voter-outgoing", "voter-demoting"}[k]
}

// Member is one replica of a group and the store that holds it.
type Member struct {
	Replica ReplicaID
	Store   StoreID
	Kind    MemberKind
}

// String returns "2@s3" or "2@s3/learner"; "none" for the zero Member.
func (m Member) String() string {
	if m == (Member{}) {
		return "none"
	}
	if m.Kind == Voter {
		return fmt.Sprintf("%d@%s", m.Replica, m.Store)
	}
	return fmt.Sprintf("%d@%s/%s", m.Replica, m.Store, m.Kind)
}

// ChangeType tells what a MemberChange does.
type ChangeType uint8

// The changes. AddVoter of a learner promotes it; AddLearner of a voter demotes it.
const (
	AddVoter ChangeType = iota
	AddLearner
	RemoveMember
)

// MemberChange is one step of a membership change. Store matters for additions.
type MemberChange struct {
	Type    ChangeType
	Replica ReplicaID
	Store   StoreID
}

// StateMachine is the state of one replica. Its methods are called by the
// goroutine that has the group's turn, so by one at a time, and must not call
// back into the same Group except for Lease, Status and Wake.
type StateMachine interface {
	// Apply applies committed and locally durable entries in order (I2), the
	// applied index along with the effects. It is a function of entries and state
	// alone (I4): a command that is refused deterministically is a result, not an
	// error. An error stops the replica (EventListener.GroupFailed); every waiting
	// proposal then ends as ambiguous.
	//
	// The slice and Entry.Data are only valid during the call.
	Apply(entries []Entry) error

	// AppliedIndex returns the position up to which entries have been applied, in
	// memory; (0, 0) for a replica without state (uninitialised).
	AppliedIndex() (Index, Term)

	// CreateSnapshot fixes a consistent image of the replica at its applied index.
	// It should be quick; the work happens in SnapshotSource.WriteFile, on another
	// goroutine.
	CreateSnapshot() (SnapshotSource, error)

	// ApplySnapshot replaces the replica's state by a received image, atomically
	// and durably, applied index included. files are complete, checksummed and
	// synced, in the Host's file system; the machine may move or link them, what is
	// left is deleted afterwards. When it returns, AppliedIndex is meta.Index.
	ApplySnapshot(meta SnapshotMeta, files []string) error

	// LeaseChanged tells that the lease was gained or lost, that the term changed,
	// or that another leader became known. It must not block.
	LeaseChanged(l Lease)
}

// Entry is one committed log entry.
type Entry struct {
	Index Index
	Term  Term
	// Data is the command as proposed; empty for the entry with which a leader
	// opens its term and for one that leaves a joint configuration.
	Data []byte
	// Proposal is set if this process proposed the entry and someone waits for it:
	// the machine may leave its result in Proposal.Owner. Valid during Apply.
	Proposal *Proposal
	// Members is the configuration that holds from this entry on, if the entry
	// changes it, and nil otherwise. The machine must store it (in its descriptor)
	// in the same batch: Host.Open wants it back after a restart.
	Members []Member
}

// Proposal is one command on its way. It belongs to the proposer, who may reuse
// it (and Data) after Propose has returned, except after an *AmbiguousError:
// then the log may still refer to it, and it must be left to the collector.
type Proposal struct {
	// Data is the encoded command.
	Data []byte
	// Term is the leader term under which the command was evaluated. It is appended
	// only while the replica leads at exactly this term (I9).
	Term Term
	// Owner is the proposer's; the state machine finds it in Entry.Proposal. It is
	// the way for results to travel back without a look-up or an allocation.
	Owner any
	// Index is where the entry was applied; set when Propose returns nil.
	Index Index

	proposalState
}

// Lease tells whether this replica may serve its range, and until when.
type Lease struct {
	// Term is the replica's current term.
	Term Term
	// Leader is the leader as far as known, for routing; the zero Member if unknown.
	Leader Member
	// Held: this replica leads at Term, is fortified by a quorum, has not let go in
	// favour of another, and has applied an entry of Term (I8).
	Held bool
	// Start is where the lease begins: above the clock of every voter that elected
	// the leader, hence above every timestamp served before (I7). Set if Held.
	Start hlc.Timestamp
	// Until is the end, exclusive: the greatest timestamp for which a quorum has
	// promised support (I6). hlc.Max if the replica is the only voter. It moves
	// forward without LeaseChanged. Set if Held.
	Until hlc.Timestamp
}

// Covers reports whether a request at ts may be served under the lease. The
// caller must have moved its clock to ts or above before it loaded the lease.
func (l Lease) Covers(ts hlc.Timestamp) bool { return l.Held && ts < l.Until }

// SnapshotMeta describes an image.
type SnapshotMeta struct {
	Group   GroupID
	Index   Index
	Term    Term
	Members []Member
	// Data is the machine's own description, such as the range descriptor. At most
	// 1 MB.
	Data []byte
}

// SnapshotSource is a consistent image that is being sent. Used by one goroutine.
type SnapshotSource interface {
	// Meta describes the image. Group and Members may be left empty: the group
	// fills in those that belong to Index.
	Meta() SnapshotMeta
	// WriteFile writes the n-th sorted-table file (from 0) to w, or returns io.EOF
	// if there are only n. A file that was cut off is asked for again and must then
	// have the same contents. w limits the rate.
	WriteFile(n int, w io.Writer) error
	// Close releases the image.
	Close() error
}

// Status is a picture of a group, for operators and tests.
type Status struct {
	Group   GroupID
	Replica ReplicaID
	Term    Term
	Leader  Member
	// Role is "leader", "follower", "candidate" or "pre-candidate".
	Role      string
	Commit    Index
	Applied   Index
	First     Index // first entry in the log
	Last      Index
	LogBytes  int64
	Members   []Member
	Followers []FollowerStatus // on the leader
	Lease     Lease
	// Promise is what this replica has promised to a leader, Bound whether it keeps
	// it away from elections now (DESIGN.md, section 3).
	Promise Promise
	Bound   bool
	// Asleep: no timer runs for the group.
	Asleep bool
	// Pending is the number of proposals that wait for their entry to be applied.
	Pending int
}

// Promise is a follower's promise to the leader of a term, which stands while its
// store supports the leader's at an epoch.
type Promise struct {
	Term   Term
	Leader ReplicaID
	Epoch  uint64
}

// FollowerStatus is what a leader knows of a follower.
type FollowerStatus struct {
	Member Member
	Match  Index
	// State is "probe", "replicate" or "snapshot".
	State string
	// Fortified: the follower has recorded this leader.
	Fortified bool
	// SupportedUntil is how far its store has promised to support this one.
	SupportedUntil hlc.Timestamp
}
