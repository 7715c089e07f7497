package sql

import (
	"context"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/txn"
)

// Cluster is what the SQL layer knows of the cluster, through the server.
type Cluster interface {
	// Nodes returns all nodes by id, as this one sees them.
	Nodes(ctx context.Context) ([]NodeInfo, error)
	// Ranges returns all ranges in key order. The figures are the leaseholders';
	// a range whose leaseholder does not answer has none.
	Ranges(ctx context.Context) ([]RangeInfo, error)
	// DescribeTxn asks a node about one of its transactions; nil if it knows none.
	DescribeTxn(ctx context.Context, node keys.NodeID, id kv.TxnID) (*TxnInfo, error)
	// TxnOutcome finds out how a transaction has ended.
	TxnOutcome(ctx context.Context, h txn.Handle) (TxnOutcome, error)
	// Committer finds the transaction that committed at ts; nil if nobody remembers.
	Committer(ctx context.Context, ts hlc.Timestamp) (*TxnInfo, error)
	// Conflicts returns the last conflicts of all nodes that answer, oldest first.
	Conflicts(ctx context.Context) ([]ConflictInfo, error)
	// Waits returns the waits for row locks at all nodes that answer.
	Waits(ctx context.Context) ([]WaitInfo, error)
	// WakeListeners tells the other nodes that notifications have been committed. It
	// is a hint: what fails is made up for.
	WakeListeners(ctx context.Context)
	// Sessions returns the sessions of the other nodes that answer.
	Sessions(ctx context.Context) []Activity
	// Signal sends a request to the other nodes and returns what the one with the
	// session has answered.
	Signal(ctx context.Context, req SignalRequest) SignalResult
}

// TxnOutcome is what is known of a transaction.
type TxnOutcome struct {
	Outcome txn.Outcome   `json:"outcome"`
	TS      hlc.Timestamp `json:"ts"` // of the commit
}

// WaitInfo is a transaction that waits for a lock.
type WaitInfo struct {
	// Node is where the lock is: the leaseholder of its range.
	Node     keys.NodeID     `json:"node"`
	Key      keys.Key        `json:"key"`
	Strength kv.LockStrength `json:"strength"`
	Since    time.Time       `json:"since"`
	Waiter   TxnRef          `json:"waiter"`
	// Blockers are in the way, holders first.
	Blockers []BlockerRef `json:"blockers"`
}

// TxnRef names a transaction and where it runs.
type TxnRef struct {
	ID      kv.TxnID    `json:"id"`
	Gateway keys.NodeID `json:"gateway"`
	// PID is the session's, 0 if its gateway has not told.
	PID uint32 `json:"pid"`
}

// BlockerRef is a transaction in another's way.
type BlockerRef struct {
	TxnRef
	Strength kv.LockStrength `json:"strength"`
	// Waiting: it is in front in the queue, and does not hold the lock.
	Waiting bool `json:"waiting"`
}

// NodeInfo is a row of spanlite_nodes.
type NodeInfo struct {
	Node     keys.NodeID   `json:"node"`
	Addr     string        `json:"addr"`
	SQLAddr  string        `json:"sql_addr"`
	HTTPAddr string        `json:"http_addr"`
	Locality string        `json:"locality"`
	State    string        `json:"state"`
	Version  string        `json:"version"`
	Started  time.Time     `json:"started"`
	Live     bool          `json:"live"`
	Silent   time.Duration `json:"silent_ns"`
	// The figures of the node's store, as of its last heartbeat.
	Capacity  int64   `json:"capacity_bytes"`
	Available int64   `json:"available_bytes"`
	Used      int64   `json:"used_bytes"`
	Ranges    int32   `json:"ranges"`
	Leases    int32   `json:"leases"`
	QPS       float64 `json:"qps"`
}

// RangeInfo is a row of spanlite_ranges.
type RangeInfo struct {
	Range      keys.RangeID `json:"range"`
	Start      keys.Key     `json:"start"`
	End        keys.Key     `json:"end"`
	Generation uint64       `json:"generation"`
	// Replicas are the nodes of the voters, Learners those that still catch up.
	Replicas []keys.NodeID `json:"replicas"`
	Learners []keys.NodeID `json:"learners,omitempty"`
	// Leaseholder is 0 if none has answered; then the figures are 0 too.
	Leaseholder keys.NodeID `json:"leaseholder"`
	Bytes       int64       `json:"bytes"`
	Keys        int64       `json:"keys"`
	Intents     int64       `json:"intents"`
	Locks       int         `json:"locks"`
	QPS         float64     `json:"qps"`
	Error       string      `json:"error,omitempty"`
}

// Table returns the table that the range lies in. It is 0 if the range holds
// none or more than one.
func (r *RangeInfo) Table() uint32 {
	start, _, ok := keys.DecodeTable(r.Start)
	if !ok {
		return 0
	}
	end, rest, ok := keys.DecodeTable(r.End)
	if ok && (end == start || end == start+1 && len(rest) == 0) {
		return start
	}
	return 0
}
