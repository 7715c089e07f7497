package sqlstate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spanlite/spanlite/kv"
)

// From returns err as an *Error. It is the one place where the control errors
// of the layers below become SQLSTATEs; the session calls it for every error
// that leaves for a client. An error of no known kind is a bug and shows as
// XX000. From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	e := fromControl(err)
	e.Cause = err
	return e
}

func fromControl(err error) *Error {
	// Ambiguity first: whatever else is wrong, it must not be hidden.
	if e, ok := errors.AsType[*kv.AmbiguousError](err); ok {
		return New(StatementCompletionUnknown, "result is ambiguous: the transaction may or may not have committed").
			WithDetail("%v", e.Cause)
	}
	if e, ok := errors.AsType[*kv.RetryError](err); ok {
		return serialization(e.Reason.String(), e.Conflict)
	}
	if e, ok := errors.AsType[*kv.RefreshFailedError](err); ok {
		return serialization(kv.RetrySerializable.String(), e.Conflict)
	}
	if _, ok := errors.AsType[*kv.UncertaintyError](err); ok {
		return serialization(kv.RetryUncertain.String(), kv.Conflict{})
	}
	if e, ok := errors.AsType[*kv.TxnAbortedError](err); ok {
		return New(SerializationFailure, "could not serialize access due to concurrent transactions").
			WithDetail("The transaction was aborted: %s.", e.Reason).
			WithHint("The transaction might succeed if retried.")
	}
	if e, ok := errors.AsType[*kv.DeadlockError](err); ok {
		return deadlock(e)
	}
	if e, ok := errors.AsType[*kv.LockNotAvailableError](err); ok {
		if e.TimedOut {
			return New(LockNotAvailable, "canceling statement due to lock timeout").WithDetail("%s", conflictDetail(e.Conflict))
		}
		return New(LockNotAvailable, "could not obtain lock on row").WithDetail("%s", conflictDetail(e.Conflict))
	}
	if e, ok := errors.AsType[*kv.UnavailableError](err); ok {
		return New(ConnectionFailure, "range %d is unavailable", uint64(e.RangeID)).
			WithDetail("No replica answered within %s: %v", e.Waited, e.Cause).
			WithHint("A quorum of the range's replicas may be down.")
	}
	if e, ok := errors.AsType[*kv.BeforeGCError](err); ok {
		return New(InvalidParameterValue, "the requested time %s is before the oldest that is kept, %s", e.TS.Time().Format("2006-01-02 15:04:05.000000Z07:00"), e.Threshold.Time().Format("2006-01-02 15:04:05.000000Z07:00"))
	}
	if e, ok := errors.AsType[*kv.FenceError](err); ok {
		return New(ObjectNotInPrereqState, "fencing token %d is stale", e.Fence.Token).
			WithDetail("The newest token of the lock is %d.", e.Actual)
	}
	if e, ok := errors.AsType[*kv.TooLargeError](err); ok {
		return New(ProgramLimitExceeded, "%s of %d bytes exceeds the limit of %d bytes", e.What, e.Size, e.Limit)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return New(QueryCanceled, "canceling statement due to user request")
	}
	return New(InternalError, "internal error: %v", err)
}

// serialization is 40001 in PostgreSQL's words.
func serialization(reason string, c kv.Conflict) *Error {
	e := New(SerializationFailure, "could not serialize access due to concurrent update").
		WithHint("The transaction might succeed if retried.")
	e.Detail = "Reason: " + reason + "."
	if len(c.Key) > 0 {
		e.Detail += " " + conflictDetail(c)
	}
	return e
}

func conflictDetail(c kv.Conflict) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Key %x", []byte(c.Key))
	if c.Holder.ID != (kv.TxnID{}) {
		fmt.Fprintf(&b, ", held by transaction %s", c.Holder.ID.Short())
	}
	if c.HolderInfo != "" {
		fmt.Fprintf(&b, " (%s)", c.HolderInfo)
	}
	b.WriteByte('.')
	return b.String()
}

func deadlock(e *kv.DeadlockError) *Error {
	out := New(DeadlockDetected, "deadlock detected").WithHint("See server log for query details.")
	var b strings.Builder
	for i, c := range e.Path {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "Transaction %s waits for %s", c.Holder.ID.Short(), conflictDetail(c))
	}
	out.Detail = b.String()
	return out
}
