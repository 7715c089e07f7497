package kv

import (
	"context"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// Sender executes batches. Implementations, from top to bottom: kv/dist.Sender
// (any keys), kv/store.Store (one store's ranges), kv/replica.Replica (one range).
//
// Send fills in the results of b's Ops in place and returns nil, or returns an
// error and leaves the results undefined. The callee keeps no reference to b or
// to memory reachable from it after it returns. A Batch is used by one
// goroutine at a time.
type Sender interface {
	Send(ctx context.Context, b *Batch) error
}

// Batch is a list of operations at one timestamp, for one transaction or for
// none. Operations take effect in order as far as a later one sees the writes
// of an earlier one; the whole batch is atomic within one range. A batch that
// spans ranges is split by kv/dist and is atomic only through its transaction.
type Batch struct {
	Header
	Ops []Op
}

// Header is what all operations of a Batch share.
type Header struct {
	// RangeID addresses one range; kv/dist sets it.
	RangeID keys.RangeID
	// RangeGeneration is the generation of the descriptor that was used for
	// routing; kv/dist sets it.
	RangeGeneration uint64

	// Txn is nil for a non-transactional batch. The callee may move
	// Txn.WriteTS forward and add to Txn's observations; see TxnMeta.
	Txn *TxnMeta

	// ReadTS is the timestamp of a non-transactional read; zero lets the
	// leaseholder choose its own now (and forbids splitting over ranges).
	// With Txn it is ignored.
	ReadTS hlc.Timestamp

	// Now is the sender's clock reading; every receiver forwards its own clock
	// by it. The callee sets it to its own reading for the way back.
	Now hlc.Timestamp

	// GatewayNode is where the client is connected.
	GatewayNode keys.NodeID

	// Wait says what to do at a conflicting lock or intent.
	Wait WaitPolicy
	// LockTimeoutMicros bounds the wait for one lock; 0 means no bound.
	LockTimeoutMicros int64

	// MaxRows and MaxBytes bound the whole batch's returned rows; 0 means no
	// bound. A scan that stops early sets its Op's Resume; later scans of the
	// batch are not started and have Resume equal to their own start.
	MaxRows  int64
	MaxBytes int64

	// Inconsistent reads skip lease, latches, locks and intents: for the range
	// directory and for inspection only.
	Inconsistent bool
}

// WaitPolicy is what a request does when it meets another transaction's lock.
type WaitPolicy uint8

// The wait policies, with PostgreSQL's meaning.
const (
	WaitBlock      WaitPolicy = iota // queue until the lock falls
	WaitError                        // LockNotAvailableError (NOWAIT)
	WaitSkipLocked                   // leave the row out of the result (SKIP LOCKED)
)

// LockStrength is the strength of a lock on a key, weakest first. The four
// strengths are PostgreSQL's row locks; see Conflicts.
type LockStrength uint8

// The lock strengths.
const (
	LockNone        LockStrength = iota
	LockKeyShare                 // FOR KEY SHARE: foreign key checks
	LockShare                    // FOR SHARE
	LockNoKeyUpdate              // FOR NO KEY UPDATE: updates that leave keys alone
	LockUpdate                   // FOR UPDATE: deletes, key updates, uniqueness checks
)

// Conflicts reports whether two transactions cannot hold a and b on one key at
// the same time (PostgreSQL manual, table 13.3).
func (a LockStrength) Conflicts(b LockStrength) bool {
	switch a {
	case LockKeyShare:
		return b == LockUpdate
	case LockShare:
		return b >= LockNoKeyUpdate
	case LockNoKeyUpdate:
		return b >= LockShare
	case LockUpdate:
		return b >= LockKeyShare
	}
	return false
}

// OpKind tells what an Op does, which of its fields are read, and which are
// filled in.
type OpKind uint8

// The operations. R = result fields.
const (
	OpInvalid OpKind = iota

	// OpGet reads the newest visible version of Key. With Lock it first takes
	// the lock (also if the key is absent) and then reads the newest committed
	// version. R: Value (nil if absent), Found, TS.
	OpGet
	// OpScan reads [Key, EndKey) in key order, or in reverse if Reverse, up to
	// MaxRows / MaxBytes (0 = no bound). With Lock each returned key is locked.
	// R: Rows, Resume.
	OpScan
	// OpPut writes Value at Key. With a transaction and without an OpEndTxn in
	// the same batch it leaves a durable intent.
	OpPut
	// OpDelete writes a tombstone at Key, like OpPut.
	OpDelete
	// OpDeleteRange covers [Key, EndKey) with a range tombstone. Not part of a
	// transaction: the span must be unreachable for others (dropped data), or
	// be locked by the caller's means.
	OpDeleteRange
	// OpIncrement adds Delta to the decimal integer at Key, not transactionally.
	// R: Result. I10 holds: it is never applied twice.
	OpIncrement
	// OpCompareAndPut writes Value at Key (deletes if Value is nil) if the
	// present value equals Expected (nil: must be absent), not
	// transactionally. Otherwise ConditionFailedError with the present value.
	OpCompareAndPut

	// OpRefresh verifies that no version and no foreign intent in [Key, EndKey)
	// (or at Key if EndKey is nil) lies in (RefreshFrom, Txn.WriteTS].
	// RefreshFailedError otherwise.
	OpRefresh
	// OpEndTxn ends the batch's transaction: see EndTxn. R: TxnStatus.
	OpEndTxn
	// OpHeartbeatTxn extends the life of the transaction's record (anchored at
	// Key). R: TxnStatus.
	OpHeartbeatTxn
	// OpPushTxn asks for the end, or the moving up, of PushTxn on behalf of the
	// batch's Txn (or of nobody). Addressed to the record's anchor, Key.
	// R: TxnStatus, PushedTS, Record.
	OpPushTxn
	// OpQueryTxn reads the record of PushTxn at Key. R: Record.
	OpQueryTxn
	// OpQueryIntent asks whether the intent of PushTxn on Key is present at or
	// below PushTxn.WriteTS; if it is not, it never will be (timestamp cache).
	// R: Found.
	OpQueryIntent
	// OpRecoverTxn ends the STAGING transaction PushTxn at Key: committed if
	// Commit, else aborted, unless its record has moved on. With Commit and an
	// End without intents, a COMMITTED record is removed: the sender has resolved
	// all intents. R: TxnStatus, Record.
	OpRecoverTxn
	// OpResolveIntent makes the intents of PushTxn in [Key, EndKey) (or on Key)
	// versions at PushTxn.WriteTS if TxnStatus is committed, else removes them.
	OpResolveIntent
	// OpUnlock releases the memory locks that the batch's transaction holds in
	// [Key, EndKey), or on Key; with UnlockFrom > 0 only those taken at a
	// sequence >= UnlockFrom (ROLLBACK TO SAVEPOINT).
	OpUnlock
	// OpGC removes versions no longer needed; kv/store only.
	OpGC
	// OpQueryOutcome asks the range of Key whether PushTxn has committed here, in an
	// attempt made at TS or later (EndTxn.SentAt), and keeps every attempt sent
	// before the question from committing in one phase or making a record after the
	// answer. Without an anchor in PushTxn all records of the range are looked
	// through. With PushTouch it only looks, and forbids nothing.
	// R: TxnStatus, PushedTS, Record. Committed (at PushedTS), aborted (it has not and
	// will not), pending, staging or prepared (its record, which decides), or unknown
	// (the range does not remember that far back).
	OpQueryOutcome
)

// Op is one operation with its results. It is a plain struct and not an
// interface, so that a batch is one allocation or none and crosses layers by
// pointer; OpKind says which fields count.
type Op struct {
	Kind    OpKind
	Reverse bool
	Commit  bool
	Found   bool // R
	Lock    LockStrength

	Key, EndKey keys.Key
	Value       []byte // in for writes, R for OpGet: valid until the batch is reused
	Expected    []byte
	Delta       int64
	Result      int64 // R
	MaxRows     int64
	MaxBytes    int64

	TS          hlc.Timestamp // R of OpGet: the version's timestamp
	RefreshFrom hlc.Timestamp
	PushedTS    hlc.Timestamp // R
	// Seq is the transaction's write sequence number of a write or lock (for
	// savepoints among spilled intents and locks).
	Seq        uint32
	UnlockFrom uint32

	// Rows receives a scan's result; the caller supplies it (reused), the
	// callee appends.
	Rows *Rows
	// Filter, if set, runs at the leaseholder over every row of an OpScan; see
	// RowFilter.
	Filter RowFilter
	// Resume is nil if an OpScan is complete, else where to go on: the next
	// Key (forward) or the next EndKey (reverse). R.
	Resume keys.Key

	End       *EndTxn
	TxnStatus TxnStatus
	PushTxn   *TxnMeta
	PushKind  PushKind
	Record    *TxnRecord // R
	GC        *GCRequest
}

// RowFilter is work pushed down to the leaseholder: it sees each row of a scan
// and decides what is returned. Package sql implements it; kv/rpc carries it as
// the bytes of Encode and rebuilds it with the decoder the server registers.
type RowFilter interface {
	// Next is called for every row in scan order. It appends what shall be
	// returned to out (the row itself, a projection of it, or nothing) and says
	// whether the scan may stop.
	Next(key keys.Key, value []byte, out *Rows) (stop bool, err error)
	// Finish is called at the end of each page of the scan, for results that
	// are computed over rows (partial aggregates).
	Finish(out *Rows) error
	// Encode appends the wire form to dst.
	Encode(dst []byte) []byte
}

// EndTxn is the argument of OpEndTxn. The Op's Key is the record's anchor.
type EndTxn struct {
	Commit bool
	// OnePhase says that the batch holds all of the transaction's writes and
	// read spans lie in Reads: commit directly, without intents and record.
	// kv/dist refuses (CrossRangeError) when the batch spans ranges, and the
	// coordinator then goes the long way.
	OnePhase bool
	// Prepare makes the record PREPARED instead of COMMITTED. The decision comes with
	// another request, at the same timestamp.
	Prepare bool
	// Reads are the spans to verify if the commit timestamp has to move.
	Reads []keys.Span
	// ReadsComplete is false if the spans were too many to keep; then a moved
	// timestamp is a RetryError.
	ReadsComplete bool
	// Locks are the keys whose memory locks the transaction holds in this range
	// with the timestamps they were read at (I13).
	Locks []LockedKey
	// Intents are all spans where the transaction has written intents
	// (including InFlight ones), for the record and for resolution.
	Intents []keys.Span
	// InFlight are the writes sent in parallel with this request: a commit with
	// InFlight writes makes the record STAGING (parallel commit).
	InFlight []InFlightWrite
	// Fences are advisory-lock tokens to verify in the same range.
	Fences []Fence
	// SentAt is the coordinator's clock when it sent this attempt to commit. A
	// range that has answered for the transaction's outcome since (OpQueryOutcome)
	// refuses it: StaleCommitError.
	SentAt hlc.Timestamp
}

// LockedKey is a key locked in memory at the leaseholder. ReadTS is the
// timestamp of the newest version at the time of locking (zero if absent).
type LockedKey struct {
	Key      keys.Key
	Strength LockStrength
	ReadTS   hlc.Timestamp
	Seq      uint32
}

// InFlightWrite is one write of a parallel commit.
type InFlightWrite struct {
	Key keys.Key
	Seq uint32
}

// Fence is an advisory-lock token that must still be the newest at commit.
type Fence struct {
	Key   keys.Key
	Token int64
}

// PushKind is what a pusher wants.
type PushKind uint8

// The kinds of push.
const (
	PushTimestamp PushKind = iota // the holder's write must move above the pusher's read
	PushAbort                     // the holder must end
	PushTouch                     // only clean up if the holder is abandoned
)

// GCRequest removes what no reader may ask for any more.
type GCRequest struct {
	Threshold hlc.Timestamp
	// Keys lists versions at or below which (exclusive of the newest at or
	// below Threshold) everything goes.
	Keys []GCKey
}

// GCKey removes versions of Key at or below TS.
type GCKey struct {
	Key keys.Key
	TS  hlc.Timestamp
}

// IsWrite reports whether the operation changes replicated state and hence goes
// through the log.
func (k OpKind) IsWrite() bool {
	switch k {
	case OpPut, OpDelete, OpDeleteRange, OpIncrement, OpCompareAndPut, OpEndTxn,
		OpHeartbeatTxn, OpPushTxn, OpRecoverTxn, OpResolveIntent, OpGC:
		return true
	}
	return false
}

// Span returns the keys that the operation addresses.
func (o *Op) Span() keys.Span { return keys.Span{Start: o.Key, End: o.EndKey} }
