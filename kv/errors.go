package kv

import (
	"fmt"
	"time"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// Control errors. Each is a pointer to a struct with the fields that the layer
// which consumes it needs, and crosses nodes as a typed message.
//
//	consumed by kv/dist:  NotLeaseholderError, RangeMismatchError, RangeNotFoundError, CrossRangeError (by txn)
//	consumed by txn:      WriteIntentError (participant), RetryError, RefreshFailedError, TxnAbortedError, UncertaintyError, StaleCommitError
//	consumed by sql:      RetryError, TxnAbortedError, LockNotAvailableError, DeadlockError,
//	                      AmbiguousError, UnavailableError, ConditionFailedError, MemoryError, BeforeGCError

// NotLeaseholderError: the replica does not hold the range's lease. Nothing was
// done.
type NotLeaseholderError struct {
	RangeID keys.RangeID
	// Leaseholder is the best guess, zero if unknown.
	Leaseholder ReplicaDescriptor
	// Desc is the replica's descriptor, nil if unknown.
	Desc *RangeDescriptor
}

func (e *NotLeaseholderError) Error() string {
	return fmt.Sprintf("%s: not leaseholder; try %s", e.RangeID, e.Leaseholder.Node)
}

// RangeMismatchError: the batch lies outside the range it was sent to. Descs
// are the descriptors the replica knows instead. Nothing was done.
type RangeMismatchError struct {
	RangeID keys.RangeID
	Descs   []*RangeDescriptor
}

func (e *RangeMismatchError) Error() string {
	return fmt.Sprintf("%s: request is outside of the range", e.RangeID)
}

// RangeNotFoundError: the store has no such range. Nothing was done.
type RangeNotFoundError struct {
	RangeID keys.RangeID
	Store   keys.StoreID
}

func (e *RangeNotFoundError) Error() string {
	return fmt.Sprintf("%s: no replica on %s", e.RangeID, e.Store)
}

// CrossRangeError: a one-phase commit does not fit into one range. Nothing was
// done.
type CrossRangeError struct{}

func (e *CrossRangeError) Error() string { return "one-phase commit spans ranges" }

// Conflict describes who stood in the way, for messages and spanlite_conflicts.
type Conflict struct {
	Key    keys.Key
	Holder TxnMeta
	// HolderInfo is what the holder's gateway told of it: application name,
	// statement.
	HolderInfo string
	Since      hlc.Timestamp
}

// IntentError: intents of other transactions are in the way. Consumed by
// txn/participant, which waits or pushes.
type IntentError struct{ Intents []Conflict }

func (e *IntentError) Error() string {
	return fmt.Sprintf("%d conflicting intents, first on %x of %s", len(e.Intents), e.Intents[0].Key, e.Intents[0].Holder.ID.Short())
}

// RetryReason is why a transaction must restart.
type RetryReason uint8

// The reasons.
const (
	RetrySerializable RetryReason = iota // a read no longer holds at the commit timestamp
	RetryWriteTooOld                     // a newer version of a key to be written exists
	RetryUncertain                       // a value may have been written before the read began
	RetryLockLost                        // a lock may have been lost with its leaseholder (I13)
	RetryPushed                          // a concurrent reader moved the commit timestamp
)

// String returns the reason in words.
func (r RetryReason) String() string {
	return [...]string{"a concurrent write changed what was read", "a newer version exists", "a read was uncertain", "a lock was lost", "the commit timestamp was pushed"}[r]
}

// RetryError: the transaction cannot go on at its timestamps; it may restart at
// or above RetryTS with the same id at the next epoch. SQLSTATE 40001.
type RetryError struct {
	Reason   RetryReason
	RetryTS  hlc.Timestamp
	Conflict Conflict
}

func (e *RetryError) Error() string { return "restart transaction: " + e.Reason.String() }

// RefreshFailedError: a read span has a newer version. Consumed by txn.
type RefreshFailedError struct{ Conflict Conflict }

func (e *RefreshFailedError) Error() string {
	return fmt.Sprintf("refresh failed: key %x changed at %s", e.Conflict.Key, e.Conflict.Since)
}

// UncertaintyError: a read met a value in its uncertainty interval. The reader
// refreshes to at least ValueTS. Consumed by txn.
type UncertaintyError struct {
	Key     keys.Key
	ValueTS hlc.Timestamp
}

func (e *UncertaintyError) Error() string {
	return fmt.Sprintf("read of key %x is uncertain: value at %s", e.Key, e.ValueTS)
}

// TxnAbortedError: the transaction was ended by someone else; it may start anew
// with a new id. SQLSTATE 40001.
type TxnAbortedError struct {
	ID     TxnID
	Reason string
}

func (e *TxnAbortedError) Error() string {
	return fmt.Sprintf("transaction %s aborted: %s", e.ID.Short(), e.Reason)
}

// StaleCommitError: the range was asked for the transaction's outcome after this
// attempt to commit was sent, or its lease began later, so the attempt may be a
// late copy. Nothing was done; the coordinator may make another attempt. Consumed
// by txn.
type StaleCommitError struct{ ID TxnID }

func (e *StaleCommitError) Error() string {
	return fmt.Sprintf("commit of transaction %s was sent before its range was asked for the outcome", e.ID.Short())
}

// LockNotAvailableError: NOWAIT, or lock_timeout passed. SQLSTATE 55P03.
type LockNotAvailableError struct {
	Conflict Conflict
	TimedOut bool
}

func (e *LockNotAvailableError) Error() string {
	return fmt.Sprintf("could not obtain lock on key %x", e.Conflict.Key)
}

// DeadlockError: this transaction was chosen as the victim. SQLSTATE 40P01.
type DeadlockError struct {
	Path []Conflict
}

func (e *DeadlockError) Error() string {
	return fmt.Sprintf("deadlock detected over %d transactions", len(e.Path))
}

// AmbiguousError: whether the request took effect cannot be known. SQLSTATE
// 40003. Never retried blindly.
type AmbiguousError struct{ Cause error }

func (e *AmbiguousError) Error() string { return fmt.Sprintf("result is ambiguous: %v", e.Cause) }

// Unwrap returns the cause.
func (e *AmbiguousError) Unwrap() error { return e.Cause }

// UnavailableError: the range did not answer within a bounded time, for
// instance because its quorum is lost. Nothing was done.
type UnavailableError struct {
	RangeID keys.RangeID
	Waited  time.Duration
	Cause   error
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("%s is unavailable after %s: %v", e.RangeID, e.Waited, e.Cause)
}

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Cause }

// ConditionFailedError: OpCompareAndPut met another value.
type ConditionFailedError struct{ Actual []byte }

func (e *ConditionFailedError) Error() string { return "unexpected present value" }

// BeforeGCError: the timestamp is at or below the range's GC threshold.
type BeforeGCError struct{ TS, Threshold hlc.Timestamp }

func (e *BeforeGCError) Error() string {
	return fmt.Sprintf("timestamp %s is before the GC threshold %s", e.TS, e.Threshold)
}

// FenceError: a newer holder of an advisory lock exists.
type FenceError struct {
	Fence  Fence
	Actual int64
}

func (e *FenceError) Error() string {
	return fmt.Sprintf("fencing token %d is stale: the newest is %d", e.Fence.Token, e.Actual)
}

// TooLargeError: a request or row exceeds a limit. SQLSTATE 54000.
type TooLargeError struct {
	What        string
	Size, Limit int64
	// Unit is what Size and Limit count; empty means bytes.
	Unit string
}

func (e *TooLargeError) Error() string {
	unit := e.Unit
	if unit == "" {
		unit = "bytes"
	}
	return fmt.Sprintf("%s of %d %s exceeds the limit of %d", e.What, e.Size, unit, e.Limit)
}
