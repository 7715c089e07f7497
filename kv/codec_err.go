package kv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// The wire form of errors: a kind byte and the kind's fields. A control error
// arrives as what it was; any other error arrives as a *RemoteError with its
// text.
//
// The values are part of the wire format: append only.
const (
	errOpaque uint8 = iota
	errCanceled
	errDeadline
	errNotLeaseholder
	errRangeMismatch
	errRangeNotFound
	errCrossRange
	errIntent
	errRetry
	errRefreshFailed
	errUncertainty
	errTxnAborted
	errLockNotAvailable
	errDeadlock
	errAmbiguous
	errUnavailable
	errConditionFailed
	errBeforeGC
	errFence
	errTooLarge
	errExtension
	errStaleCommit
)

// maxErrorDepth bounds the nesting of causes on the wire.
const maxErrorDepth = 4

// RemoteError is an error of another node that has no typed form: a bug, a full
// disk, a stopped replica. It says nothing of whether the request took effect.
type RemoteError struct{ Message string }

func (e *RemoteError) Error() string { return "remote: " + e.Message }

// AppendError appends the wire form of err to dst: of errors that travel outside
// of a reply.
func (c Codec) AppendError(dst []byte, err error) []byte { return c.appendError(dst, err, 0) }

// ReadError is the inverse of AppendError; err says why src could not be decoded.
func (c Codec) ReadError(src []byte) (result error, err error) {
	r := wireReader{b: src}
	result = c.readError(&r, 0)
	return result, r.done()
}

func (c Codec) appendError(dst []byte, err error, depth int) []byte {
	if depth > maxErrorDepth {
		return appendString(append(dst, errOpaque), err.Error())
	}
	// Kinds with a cause come first: errors.As would otherwise find the cause.
	if e, ok := errors.AsType[*AmbiguousError](err); ok {
		return c.appendCause(append(dst, errAmbiguous), e.Cause, depth)
	}
	if e, ok := errors.AsType[*UnavailableError](err); ok {
		dst = appendU64(append(dst, errUnavailable), uint64(e.RangeID))
		return c.appendCause(appendU64(dst, uint64(e.Waited)), e.Cause, depth)
	}
	if e, ok := errors.AsType[*NotLeaseholderError](err); ok {
		dst = appendU64(append(dst, errNotLeaseholder), uint64(e.RangeID))
		dst = appendReplica(dst, e.Leaseholder)
		return appendOptDesc(dst, e.Desc)
	}
	if e, ok := errors.AsType[*RangeMismatchError](err); ok {
		dst = appendU64(append(dst, errRangeMismatch), uint64(e.RangeID))
		dst = appendU32(dst, uint32(len(e.Descs)))
		for _, d := range e.Descs {
			dst = appendNested(dst, d.Encode)
		}
		return dst
	}
	if e, ok := errors.AsType[*RangeNotFoundError](err); ok {
		return appendU32(appendU64(append(dst, errRangeNotFound), uint64(e.RangeID)), uint32(e.Store))
	}
	if _, ok := errors.AsType[*CrossRangeError](err); ok {
		return append(dst, errCrossRange)
	}
	if e, ok := errors.AsType[*IntentError](err); ok {
		return appendConflicts(append(dst, errIntent), e.Intents)
	}
	if e, ok := errors.AsType[*RetryError](err); ok {
		dst = append(dst, errRetry, uint8(e.Reason))
		return appendConflict(appendU64(dst, uint64(e.RetryTS)), &e.Conflict)
	}
	if e, ok := errors.AsType[*RefreshFailedError](err); ok {
		return appendConflict(append(dst, errRefreshFailed), &e.Conflict)
	}
	if e, ok := errors.AsType[*UncertaintyError](err); ok {
		return appendU64(appendBytes(append(dst, errUncertainty), e.Key), uint64(e.ValueTS))
	}
	if e, ok := errors.AsType[*TxnAbortedError](err); ok {
		return appendString(append(append(dst, errTxnAborted), e.ID[:]...), e.Reason)
	}
	if e, ok := errors.AsType[*StaleCommitError](err); ok {
		return append(append(dst, errStaleCommit), e.ID[:]...)
	}
	if e, ok := errors.AsType[*LockNotAvailableError](err); ok {
		return appendConflict(appendBool(append(dst, errLockNotAvailable), e.TimedOut), &e.Conflict)
	}
	if e, ok := errors.AsType[*DeadlockError](err); ok {
		return appendConflicts(append(dst, errDeadlock), e.Path)
	}
	if e, ok := errors.AsType[*ConditionFailedError](err); ok {
		return appendOptBytes(append(dst, errConditionFailed), e.Actual)
	}
	if e, ok := errors.AsType[*BeforeGCError](err); ok {
		return appendU64(appendU64(append(dst, errBeforeGC), uint64(e.TS)), uint64(e.Threshold))
	}
	if e, ok := errors.AsType[*FenceError](err); ok {
		dst = appendBytes(append(dst, errFence), e.Fence.Key)
		return appendU64(appendU64(dst, uint64(e.Fence.Token)), uint64(e.Actual))
	}
	if e, ok := errors.AsType[*TooLargeError](err); ok {
		dst = appendString(append(dst, errTooLarge), e.What)
		return appendU64(appendU64(dst, uint64(e.Size)), uint64(e.Limit))
	}
	if c.EncodeError != nil {
		known := false
		ext := appendNested(append(dst, errExtension), func(dst []byte) []byte {
			dst, known = c.EncodeError(dst, err)
			return dst
		})
		if known {
			return ext
		}
	}
	switch {
	case errors.Is(err, context.Canceled):
		return append(dst, errCanceled)
	case errors.Is(err, context.DeadlineExceeded):
		return append(dst, errDeadline)
	}
	return appendString(append(dst, errOpaque), err.Error())
}

func (c Codec) appendCause(dst []byte, cause error, depth int) []byte {
	if cause == nil {
		return append(dst, 0)
	}
	return c.appendError(append(dst, 1), cause, depth+1)
}

func (c Codec) readCause(r *wireReader, depth int) error {
	if !r.bool() {
		return nil
	}
	return c.readError(r, depth+1)
}

func (c Codec) readError(r *wireReader, depth int) error {
	if depth > maxErrorDepth+1 {
		r.fail("error nested too deep")
		return nil
	}
	kind := r.u8()
	if r.err != nil {
		return nil
	}
	switch kind {
	case errOpaque:
		return &RemoteError{Message: string(r.bytes())}
	case errCanceled:
		return context.Canceled
	case errDeadline:
		return context.DeadlineExceeded
	case errNotLeaseholder:
		return &NotLeaseholderError{RangeID: keys.RangeID(r.u64()), Leaseholder: r.replica(), Desc: r.optDesc()}
	case errRangeMismatch:
		e := &RangeMismatchError{RangeID: keys.RangeID(r.u64())}
		for range r.count(4) {
			e.Descs = append(e.Descs, r.nestedDesc())
		}
		return e
	case errRangeNotFound:
		return &RangeNotFoundError{RangeID: keys.RangeID(r.u64()), Store: keys.StoreID(r.u32())}
	case errCrossRange:
		return &CrossRangeError{}
	case errIntent:
		e := &IntentError{Intents: r.conflicts()}
		if len(e.Intents) == 0 {
			r.fail("intent error without intents")
		}
		return e
	case errRetry:
		return &RetryError{
			Reason:   RetryReason(r.enum(uint8(RetryPushed), "retry reason")),
			RetryTS:  r.ts(),
			Conflict: r.conflict(),
		}
	case errRefreshFailed:
		return &RefreshFailedError{Conflict: r.conflict()}
	case errUncertainty:
		return &UncertaintyError{Key: r.bytes(), ValueTS: r.ts()}
	case errTxnAborted:
		e := &TxnAbortedError{ID: r.txnID()}
		e.Reason = string(r.bytes())
		return e
	case errStaleCommit:
		return &StaleCommitError{ID: r.txnID()}
	case errLockNotAvailable:
		return &LockNotAvailableError{TimedOut: r.bool(), Conflict: r.conflict()}
	case errDeadlock:
		return &DeadlockError{Path: r.conflicts()}
	case errAmbiguous:
		return &AmbiguousError{Cause: c.readCause(r, depth)}
	case errUnavailable:
		return &UnavailableError{RangeID: keys.RangeID(r.u64()), Waited: time.Duration(r.i64()), Cause: c.readCause(r, depth)}
	case errConditionFailed:
		return &ConditionFailedError{Actual: r.optBytes()}
	case errBeforeGC:
		return &BeforeGCError{TS: r.ts(), Threshold: r.ts()}
	case errFence:
		return &FenceError{Fence: Fence{Key: r.bytes(), Token: r.i64()}, Actual: r.i64()}
	case errTooLarge:
		return &TooLargeError{What: string(r.bytes()), Size: r.i64(), Limit: r.i64()}
	case errExtension:
		src := r.bytes()
		if r.err != nil {
			return nil
		}
		if c.DecodeError == nil {
			return &RemoteError{Message: fmt.Sprintf("error of %d bytes without a decoder", len(src))}
		}
		e, err := c.DecodeError(src)
		if err != nil {
			r.fail(err.Error())
		}
		return e
	}
	r.fail(fmt.Sprintf("unknown kind of error %d", kind))
	return nil
}

func (r *wireReader) txnID() (id TxnID) {
	for i := range id {
		id[i] = r.u8()
	}
	return id
}

func appendOptDesc(dst []byte, d *RangeDescriptor) []byte {
	if d == nil {
		return append(dst, 0)
	}
	return appendNested(append(dst, 1), d.Encode)
}

func (r *wireReader) optDesc() *RangeDescriptor {
	if !r.bool() {
		return nil
	}
	return r.nestedDesc()
}

// nestedDesc reads a descriptor. Descriptors go into caches and must not keep a
// whole reply alive or be overwritten with it, hence the copy.
func (r *wireReader) nestedDesc() *RangeDescriptor {
	enc := r.bytes()
	if r.err != nil {
		return nil
	}
	d := new(RangeDescriptor)
	if err := d.Decode(keys.Clone(enc)); err != nil {
		r.fail(err.Error())
		return nil
	}
	return d
}

func appendConflict(dst []byte, c *Conflict) []byte {
	dst = appendBytes(dst, c.Key)
	dst = appendNested(dst, c.Holder.Encode)
	dst = appendString(dst, c.HolderInfo)
	return appendU64(dst, uint64(c.Since))
}

func (r *wireReader) conflict() Conflict {
	var c Conflict
	c.Key = r.bytes()
	if meta := r.bytes(); r.err == nil {
		if err := c.Holder.Decode(meta); err != nil {
			r.fail(err.Error())
		}
	}
	c.HolderInfo = string(r.bytes())
	c.Since = hlc.Timestamp(r.u64())
	return c
}

func appendConflicts(dst []byte, list []Conflict) []byte {
	dst = appendU32(dst, uint32(len(list)))
	for i := range list {
		dst = appendConflict(dst, &list[i])
	}
	return dst
}

func (r *wireReader) conflicts() []Conflict {
	n := r.count(20)
	if n == 0 {
		return nil
	}
	list := make([]Conflict, n)
	for i := range list {
		list[i] = r.conflict()
	}
	return list
}
