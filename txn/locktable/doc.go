// Package locktable keeps the locks of transactions in the memory of a range's
// leaseholder: who holds which key at which strength, who waits for it, in
// which order, and who waits for whom.
//
// # Model
//
//	Table (one per replica that holds the lease)
//	  key -> holders  {txn, strength, sequence of each strength, ReadTS}
//	         queue    FIFO of Waiters, upgrades in front
//	  txn -> the keys it holds
//	Graph (one per process)
//	  txn -> its Waiters in any Table; searched for cycles
//
// A lock is granted when it conflicts with no other holder
// (kv.LockStrength.Conflicts, PostgreSQL's four row locks) and with no request
// that waits in front of it, so a stream of shared locks does not starve an
// exclusive one. A transaction that already holds the key in a weaker strength
// queues in front of the ones that hold nothing: behind them it could only
// deadlock. When a lock falls, the queue is walked from the front and everything
// that has become compatible is granted together; a granted Waiter is a holder
// at once (the lock is handed over, not left for whoever runs first).
//
// Locks are never in the way of plain reads. They are lost with the lease; the
// commit checks then that nothing has changed (invariant I13 of participant).
//
// Durable intents of other transactions that a request has met are entered with
// AddDiscovered, so that requests queue behind them too; the participant tells
// when they are resolved.
//
// # Life of a wait
//
// Acquire is called with latches held and never blocks. If it queues the Waiter
// the caller drops its latches and calls Wait, which returns when the lock is
// granted, or with DeadlockError, LockNotAvailableError (lock timeout), the
// context's error, or the error given to Clear. Entering Wait searches this
// process's graph for a cycle at once; after ProbeAfter a probe follows the
// edges that leave the process (Chandy, Misra, Haas, "Distributed Deadlock
// Detection", 1983, the edge-chasing AND model). The youngest transaction on a
// cycle is its victim.
//
// # Concurrency
//
// A Table has one mutex, a leaf: nothing is called while it is held. The Graph's
// mutex may be held while a Table's is taken, never the other way round. The
// core (Acquire, Release..., grants) is synchronous and free of goroutines and
// time; only Wait blocks.
//
// # Not done here
//
// Nothing is durable, and no request-level ordering is kept (that is
// kv/latch).
package locktable
