package replica

import (
	"context"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/outcome"
	"github.com/spanlite/spanlite/raftgroup"
)

// Participant is the transaction protocol of one replica while it holds the
// lease: package txn/participant. The replica owns lease, latches, timestamp
// cache, log and engine; the participant owns locks and the meaning of
// operations.
type Participant interface {
	Sequencer
	Evaluator
	LockKeeper
}

// Sequencer decides which requests may go ahead.
type Sequencer interface {
	// Sequence takes the locks which the request needs. It is called with the
	// request's latches held and must not block. proceed is false if the request
	// has to wait: the replica drops the latches, calls Wait, and comes back
	// with fresh latches.
	Sequence(req *Request) (proceed bool, err error)
	// Wait blocks, without latches, until what Sequence or Evaluate has stopped
	// at is out of the way.
	Wait(ctx context.Context, req *Request) error
	// Finish is called exactly once for every request that was sequenced, after
	// its effects are applied (err nil) or given up, and before its latches are
	// dropped: locks of ended transactions fall here.
	Finish(req *Request, err error)
}

// Evaluator turns operations into results and physical writes.
type Evaluator interface {
	// Evaluate executes the batch with latches held against the engine: it fills
	// in results and collects writes in req.Batch(). ErrConflict: it met an
	// intent and noted what to wait for. ErrWiden: it needs the latches of
	// req.ReadSpans too.
	Evaluate(ctx context.Context, req *Request) error
}

// LockKeeper keeps the locks of the lease. The calls come from the goroutine
// that applies entries and must not block.
type LockKeeper interface {
	// LeaseStarted: the replica holds the lease; the lock table is empty but for
	// what Import brings.
	LeaseStarted()
	// LeaseEnded: waiters fail with err and all locks are dropped.
	LeaseEnded(err error)
	// ExportLocks encodes the locks in a span, and ImportLocks takes them over:
	// at splits, merges and planned transfers.
	ExportLocks(span keys.Span) []byte
	ImportLocks(data []byte) error
	// DropLocks drops the locks in a span that has left the range; waiters fail
	// with err.
	DropLocks(span keys.Span, err error)
	// LockCount is the number of locks held, for load figures.
	LockCount() int
}

// SplitTrigger is the part of a split that every replica applies.
type SplitTrigger struct {
	// Left and Right are the descriptors after the split.
	Left, Right kv.RangeDescriptor
	// RightStats are the right side's share of the statistics.
	RightStats Stats
	// Floor is above every read that the left leaseholder had served.
	Floor hlc.Timestamp
	// Handover is what the left replica passes on to the right one on the same
	// store. Not part of the log entry.
	Handover *Handover
}

// MergeTrigger is the part of a merge that every replica of the left range
// applies.
type MergeTrigger struct {
	// Left is the descriptor after the merge; Right the one that ends.
	Left, Right kv.RangeDescriptor
	// FrozenIndex is that of the right range's Freeze command. Every replica of it
	// has applied this index, durably, before the merge is proposed. What follows
	// it in the right range's log changes nothing: the empty entries of new leaders.
	FrozenIndex raftgroup.Index
	RightStats  Stats
	// Floor is above every read that the right leaseholder had served.
	Floor hlc.Timestamp
}

// Handover is the leaseholder's memory, for the same store's next leaseholder
// of some of its keys (split, merge) or for another store's (planned transfer).
// Without it the next leaseholder is correct but more cautious (I8, I13).
type Handover struct {
	// Locks come from a leaseholder only.
	Locks []byte
	// Outcomes are the left replica's.
	Outcomes *outcome.Memory
}
