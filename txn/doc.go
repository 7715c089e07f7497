// Package txn is the transaction coordinator: the client side of Spanlite's
// transactions, which runs at the gateway, in the session's goroutine.
//
// # Model
//
//	DB     makes transactions, owns the background work (resolution of intents,
//	       heartbeats) and stops it
//	Txn    one transaction: its timestamps, its write buffer, its locks, its reads
//
// Writes stay in the Txn's buffer (buffer.go) until commit; reads see them
// overlaid on what the ranges return (read.go). Statements that read in order to
// write take locks at the leaseholder at once (Locking). At commit (commit.go):
//
//	no writes         nothing is sent but the release of locks
//	one range         one batch, one log entry: no intents, no record
//	several ranges    intents everywhere and a STAGING record at the anchor, sent
//	                  together; committed when all are durable at or below the
//	                  record's timestamp; made explicit in the background
//
// A buffer that outgrows its bound spills into intents early (spill.go).
//
// # Timestamps
//
// Reads are at ReadTS. A SERIALIZABLE transaction remembers the spans it has read;
// when it must move up (a lock was granted on a newer version, a read was
// uncertain, the commit timestamp was pushed), it verifies that none of them
// changed in between (refresh.go) and goes on at the later timestamp. If
// one did, the error is a *kv.RetryError. REPEATABLE READ never moves once it has
// read. READ COMMITTED takes a new timestamp per statement (StepStatement).
//
// # Failure
//
// The coordinator may die at any point. Before the STAGING record is durable the
// transaction is aborted by whoever meets an intent after the heartbeat has been
// missing; after that anyone can find out whether all in-flight writes made it,
// and finish it (package participant; I11, I14 in ARCHITECTURE.md).
//
// When the answer to a commit gets lost, because the leaseholder died or the
// connection broke, the coordinator finds out what became of it:
//
//	one range         outcome.go: ask the range (kv.OpQueryOutcome). Replicas
//	                  remember the commits they have applied. If it has committed,
//	                  that was it; if not, the question itself has made sure that the
//	                  lost attempt never will, and the commit is sent again.
//	several ranges    recover.go: ask the record's range, and decide a STAGING
//	                  record by its intents, as anybody may.
//
// The client notices nothing but the wait. Only if no range can tell in time is the
// error a *kv.AmbiguousError, with the name (handle.go) by which the outcome can be
// asked for later. Attempts carry the clock reading at which they were sent
// (EndTxn.SentAt): that is what tells a late copy from another attempt.
//
// # Concurrency
//
// A Txn is used by one goroutine at a time. DB is safe for concurrent use.
//
// Sources: Peng and Dabek, "Large-scale Incremental Processing Using Distributed
// Transactions and Notifications", OSDI 2010; Taft et al., "CockroachDB: The
// Resilient Geo-Distributed SQL Database", SIGMOD 2020, section 3 (parallel
// commits, read refreshing).
package txn
