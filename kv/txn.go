package kv

import (
	"encoding/hex"
	"fmt"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// TxnID identifies a transaction for ever.
type TxnID [16]byte

// String returns the id in hexadecimal.
func (id TxnID) String() string { return hex.EncodeToString(id[:]) }

// Short returns the first 8 hexadecimal digits, for logs.
func (id TxnID) Short() string { return hex.EncodeToString(id[:4]) }

// Isolation is a transaction's isolation level. Levels compare: a greater one
// is stricter.
type Isolation uint8

// The isolation levels; nothing weaker exists (READ UNCOMMITTED is ReadCommitted).
const (
	ReadCommitted Isolation = iota
	RepeatableRead
	Serializable
)

// String returns PostgreSQL's name of the level.
func (i Isolation) String() string {
	switch i {
	case ReadCommitted:
		return "read committed"
	case RepeatableRead:
		return "repeatable read"
	}
	return "serializable"
}

// TxnMeta is what a participant must know of a transaction. The coordinator
// owns it; requests carry it, and a reply may have moved WriteTS forward.
type TxnMeta struct {
	ID TxnID
	// Epoch counts restarts; intents and locks of an older epoch are void.
	Epoch uint32
	// Anchor is the key at which the record lives (the first key written); nil
	// before the first write leaves the buffer.
	Anchor keys.Key
	// ReadTS is the snapshot.
	ReadTS hlc.Timestamp
	// WriteTS is the provisional commit timestamp, never below ReadTS.
	WriteTS hlc.Timestamp
	// UncertaintyLimit: values in (ReadTS, UncertaintyLimit] may have been
	// written before the read began. Equal to
	// ReadTS when there is no uncertainty (a lone node, a retry at a fresh
	// timestamp of the same leaseholder).
	UncertaintyLimit hlc.Timestamp
	// StartTS is when the transaction began: age is priority, older wins.
	StartTS     hlc.Timestamp
	Isolation   Isolation
	GatewayNode keys.NodeID
	// Seq is the sequence number of the last write or lock.
	Seq uint32
	// IgnoredSeqs are the sequence intervals undone by ROLLBACK TO SAVEPOINT
	// among writes that had left the buffer.
	IgnoredSeqs []SeqRange
}

// SeqRange is a closed interval of sequence numbers.
type SeqRange struct{ From, To uint32 }

// Ignored reports whether a write at seq was rolled back to a savepoint.
func (t *TxnMeta) Ignored(seq uint32) bool {
	for _, r := range t.IgnoredSeqs {
		if r.From <= seq && seq <= r.To {
			return true
		}
	}
	return false
}

// String returns the transaction's id, epoch and timestamps.
func (t *TxnMeta) String() string {
	if t == nil {
		return "no txn"
	}
	return fmt.Sprintf("txn %s epoch %d read %s write %s", t.ID.Short(), t.Epoch, t.ReadTS, t.WriteTS)
}

// TxnStatus is the state of a transaction record.
type TxnStatus uint8

// The states. A record is decided once: Committed and Aborted are final (I11).
const (
	TxnPending TxnStatus = iota
	// TxnStaging: committed if every in-flight write of the record succeeded at
	// or below the record's timestamp (parallel commit; Taft et al.,
	// "CockroachDB: The Resilient Geo-Distributed SQL Database", section 3.1).
	TxnStaging
	// TxnPrepared: PREPARE TRANSACTION; only COMMIT or ROLLBACK PREPARED end it.
	TxnPrepared
	TxnCommitted
	TxnAborted
	// TxnUnknown: there is no record (never written, or forgotten).
	TxnUnknown
)

// String returns the state's name.
func (s TxnStatus) String() string {
	return [...]string{"pending", "staging", "prepared", "committed", "aborted", "unknown"}[s]
}

// Final reports whether the status can no longer change.
func (s TxnStatus) Final() bool { return s == TxnCommitted || s == TxnAborted }

// TxnRecord is the durable state of a transaction, stored at
// keys.TxnRecord(Anchor, ID) in the range of its anchor.
type TxnRecord struct {
	Txn    TxnMeta
	Status TxnStatus
	// LastHeartbeat is when the coordinator was last known to live.
	LastHeartbeat hlc.Timestamp
	Intents       []keys.Span
	InFlight      []InFlightWrite
}

// RangeDescriptor tells where a range lies and who holds it. Immutable once
// published; Generation grows with every change of span or members.
type RangeDescriptor struct {
	RangeID    keys.RangeID
	Start, End keys.Key
	Replicas   []ReplicaDescriptor
	// NextReplicaID is never handed out before and never reused.
	NextReplicaID keys.ReplicaID
	Generation    uint64
}

// ReplicaDescriptor is one member of a range.
type ReplicaDescriptor struct {
	Node    keys.NodeID
	Store   keys.StoreID
	Replica keys.ReplicaID
	Role    ReplicaRole
}

// ReplicaRole is a replica's part in its Raft group.
type ReplicaRole uint8

// The roles. Incoming and Outgoing exist only within a joint configuration.
const (
	Voter ReplicaRole = iota
	Learner
	VoterIncoming
	VoterOutgoing
)

// Contains reports whether key lies in the range.
func (d *RangeDescriptor) Contains(key keys.Key) bool {
	return keys.Span{Start: d.Start, End: d.End}.Contains(key)
}

// Replica returns the member on a store.
func (d *RangeDescriptor) Replica(s keys.StoreID) (ReplicaDescriptor, bool) {
	for _, r := range d.Replicas {
		if r.Store == s {
			return r, true
		}
	}
	return ReplicaDescriptor{}, false
}

// String returns "r7:{start-end} [n1,n2,n3] gen 4".
func (d *RangeDescriptor) String() string {
	s := fmt.Sprintf("%s:{%x-%x} [", d.RangeID, d.Start, d.End)
	for i, r := range d.Replicas {
		if i > 0 {
			s += ","
		}
		s += r.Node.String()
		if r.Role == Learner {
			s += "L"
		}
	}
	return fmt.Sprintf("%s] gen %d", s, d.Generation)
}
