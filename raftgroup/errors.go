package raftgroup

import (
	"errors"
	"fmt"
)

// Errors that mean: certainly not applied, and never will be.
var (
	// ErrDropped: another leader's entry was committed in the entry's place.
	ErrDropped = errors.New("raftgroup: proposal dropped")
	// ErrStopped: the group or the host is closed; returned if nothing had been
	// appended yet.
	ErrStopped = errors.New("raftgroup: stopped")
	// ErrChangePending: another membership change is under way.
	ErrChangePending = errors.New("raftgroup: a membership change is under way")
	// ErrTooLarge: the command exceeds Config.MaxEntrySize.
	ErrTooLarge = errors.New("raftgroup: command too large")
)

// Errors of the Host.
var (
	// ErrGroupOpen: the group is open already.
	ErrGroupOpen = errors.New("raftgroup: group is open")
	// ErrReplicaRemoved is what Config.OnUnknownGroup returns if the store holds a
	// tombstone for the replica (I5); the sender is told so.
	ErrReplicaRemoved = errors.New("raftgroup: replica has been removed")
	// ErrTransferFailed: leadership did not move within the time allowed.
	ErrTransferFailed = errors.New("raftgroup: leadership transfer failed")
)

// errOvertaken is the cause of an ambiguous proposal whose entry may be part of an
// image that this replica has installed.
var errOvertaken = errors.New("raftgroup: overtaken by an image")

// NotLeaderError: this replica does not lead at the proposal's term, or is
// letting go of leadership. Nothing was proposed.
type NotLeaderError struct {
	Group GroupID
	// Term is the replica's term.
	Term Term
	// Leader is the best guess; the zero Member if unknown.
	Leader Member
}

func (e *NotLeaderError) Error() string {
	return fmt.Sprintf("%s: not the leader at the proposal's term (now %d, leader %s)", e.Group, e.Term, e.Leader)
}

// AmbiguousError: the proposal was appended, and it is not known whether it has
// been or will be applied. The Proposal must not be reused.
type AmbiguousError struct {
	Group GroupID
	Cause error
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%s: outcome of proposal unknown: %v", e.Group, e.Cause)
}

// Unwrap returns the cause: the context's error, ErrStopped, or the failure that
// stopped the replica.
func (e *AmbiguousError) Unwrap() error { return e.Cause }

// InvalidChangeError: a membership change that cannot be made.
type InvalidChangeError struct {
	Group  GroupID
	Change MemberChange
	Reason string
}

func (e *InvalidChangeError) Error() string {
	return fmt.Sprintf("%s: change of replica %d: %s", e.Group, e.Change.Replica, e.Reason)
}

// GroupFailedError: the replica has stopped because its state machine or its log
// failed.
type GroupFailedError struct {
	Group GroupID
	Cause error
}

func (e *GroupFailedError) Error() string {
	return fmt.Sprintf("%s: replica stopped: %v", e.Group, e.Cause)
}

// Unwrap returns the failure.
func (e *GroupFailedError) Unwrap() error { return e.Cause }
