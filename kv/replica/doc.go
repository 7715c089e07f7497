// Package replica is one replica of one range: it turns batches into reads of
// the state engine and commands in the log, and commands into state.
//
// # Life of a request
//
//	Send      bounds; clock >= timestamp; lease covers the timestamp (I6..I8)
//	  latches on the keys (kv/latch); then lease and bounds once more
//	  Participant.Sequence   locks: go on, or wait without latches and come back
//	  Participant.Evaluate   results and physical writes; may ask to wait, too
//	  read:   its timestamp is in the timestamp cache; done
//	  write:  command -> Group.Propose -> applied here
//	  Participant.Finish     locks of ended transactions fall
//	  latches fall
//
// All of it runs on the caller's goroutine; with a group of one replica that
// includes the append to the log and the application. A point read allocates
// nothing here.
//
// What a request means (operations, locks, intents, records) is the business of
// package txn/participant behind the interfaces of participant.go; this package
// owns the lease, the latches, the timestamp cache, the log and the engine state.
//
// # Commands and application
//
// A command holds evaluated physical writes at fixed timestamps, and for changes
// of the range itself a trigger (command.go draws it). Application (machine.go) is
// a function of entry and state alone: it commits the writes, the applied index
// and the statistics in one engine batch, and calls the store's hooks after it.
// The engine has no log of its own; after a crash the group applies its log from
// the applied index that survived.
//
// A command that commits transactions names them, and the replica remembers the last
// of those (Outcomes): with I8 the memory of a leaseholder holds all commits of
// earlier leases back to its horizon, which is where the replica was opened or
// received an image. A split passes the memory on; a merge forgets.
//
// # Invariants
//
//   - I2, I4: Apply checks that entries come without a gap; a command that cannot
//     be decoded stops the replica.
//   - I6, I7: a request is served at s only under a Lease that covers s, loaded
//     after the clock has reached s; a write's timestamp is checked again when it
//     is known (participant).
//   - I8: LeaseChanged starts a timestamp cache at the lease's start, or at the
//     floor that a split or merge has left in the state, if that is later; requests
//     are not served before (leaseTerm).
//   - I9: a proposal carries the term of its lease; the group appends it in that
//     term only, and Apply refuses it in any other.
//   - I10: a command is proposed once. The group tells definite from unknown
//     outcomes; of the former the caller may send again, the latter is an
//     AmbiguousError, and of a commit the coordinator asks Outcomes. The latches of a command with unknown outcome stay until it is
//     applied or its term is over: nobody may read below a write that may still come.
//   - Split, merge, freeze and lease transfer hold a latch on everything, so no
//     request is half done when they happen.
//
// # Splits, merges, members
//
// The descriptor in the range's own state is the truth; the directory follows it
// (kv/store). A split or merge is one command. Both sides' next leases start above
// every read that was served for their keys: the command carries the
// leaseholder's clock as a floor. A membership change is one entry: the
// configuration and the descriptor change together. Locks move to the right-hand
// side of a split on the same store (Handover), and in a command of their own to
// the next leaseholder at a planned transfer.
//
// # Not here
//
// Which replica goes where, when to split, collection of replicas and of garbage:
// kv/store. Follower reads: the command has a field for closed timestamps.
package replica
