// Package participant is the leaseholder's side of the transaction protocol: it
// decides which requests may go ahead, evaluates every kv.Op against versions,
// intents, locks and records, and cleans up after transactions that were
// abandoned. kv/replica drives it; the coordinator is package txn.
//
// # A request
//
//	Sequence  (latched)   take the memory locks that the batch asks for, check
//	                      that others' locks are not in the way of its writes
//	Evaluate  (latched)   read, check, collect writes; met an undecided intent
//	                      of another transaction -> enter it into the lock table,
//	                      queue there
//	Wait      (unlatched) until granted; meanwhile look after the holder (push)
//	Finish                after application: locks fall, waiters are granted
//
// # Reads
//
// A plain read sees the snapshot of its ReadTS. It never waits for memory locks;
// it waits for durable intents at or below its timestamp. A locking read (Op.Lock)
// takes the lock first, also of an absent key, and then reads the newest committed
// version: Op.TS is the timestamp of that version or tombstone, for a locking scan
// the greatest in the span that was read. If it is above the transaction's ReadTS
// the coordinator moves ReadTS to it before it uses the result (refreshing earlier
// reads if SERIALIZABLE, restarting the statement if READ COMMITTED, giving up
// with 40001 if REPEATABLE READ). With WaitSkipLocked a locking Get of a locked
// key has Found false and TS hlc.Max. A Filter of a locking scan runs over rows
// that are locked already.
//
// Results of OpGet are copied into the capacity of Op.Value, which is the
// caller's.
//
// # Commit within one range
//
// See onephase.go: no intent, no record, one log entry.
//
// # Intents and records
//
// A transaction that writes in several ranges, or spills, leaves intents
// (mvcc.Intent) and a record at its anchor (record.go). The record alone decides
// (I11):
//
//	(none) --heartbeat--> PENDING --+--> STAGING --+--> COMMITTED --> (removed)
//	   |                            |       |      |
//	   +----------------------------+-------+------+--> ABORTED   --> (removed)
//
// "None" has two meanings which the timestamp cache on the record's key tells
// apart: not below the ReadTS of a request means that the request may not make a
// record any more, for it may be a late copy of one from a transaction that has
// been finished and forgotten. A lease starts with a high cache, so a transaction
// without record has to move to a later snapshot when its anchor's lease has
// changed, except for a one-phase commit, which needs no record.
//
// A record that is final and whose intents are all resolved is removed by an
// OpEndTxn of the same kind with no Intents, or by OpGC after a while.
//
// # Outcomes
//
// A commit, in one phase or by a record, travels in its command with the
// transaction's id, and every replica remembers the last of them (package kv/outcome).
// OpQueryOutcome (record.go) answers from there for a coordinator that has lost an
// answer. The answer "no" is made true for ever by the timestamp cache: attempts that
// were sent before the question are refused (kv.StaleCommitError), by this lease
// because of a mark and by later ones because they begin with everything marked.
//
// # Pushing
//
// Whoever waits for an intent or lock asks the record's range now and then
// (push.go). The record's side answers with the status; it aborts a transaction
// that has been silent for ExpireAfter; and it moves the commit of a younger or
// weakly isolated one above a reader's timestamp, by the timestamp cache on a key
// beside the record's. A STAGING record of a silent coordinator is recovered: each
// write in flight is queried in a way that keeps a missing one from appearing
// later, and then the record is decided.
package participant
