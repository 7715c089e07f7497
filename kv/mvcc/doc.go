// Package mvcc gives the flat key space of an engine versions, intents and time.
// It is pure: every function is a computation over a storage.Reader, and its
// writes go into a storage.Batch. It knows no clock, no lock and no lease.
//
// # Model
//
// A key has versions, newest first, each a value or a tombstone:
//
//	key | 0x00 | ^ts | 0x09  ->  +-------+---------+
//	                             | flags | payload |
//	                             +-------+---------+
//
// The flags byte is 0 for a value and 1 for a tombstone (without payload); other
// bits must be zero. A read at timestamp R sees the newest version at or below R,
// or nothing if that is a tombstone or is covered by a range tombstone: a Pebble
// range key with a timestamp suffix, which hides all versions of its span that
// are at or below that timestamp. Range tombstones serve DROP and TRUNCATE.
//
// An intent is a provisional version of a transaction that is not decided. It
// does not stand between the versions but in a key space of its own
// (keys.Intent), at most one for each key, so that versions are only ever
// written once, and reading costs nothing for intents where there are none:
// Stats.Intents == 0 lets a reader skip the look-up (ReadOptions.NoIntents).
// intent.go has the format. Committing an intent writes the version and deletes
// the intent, in one batch.
//
// # Reading
//
// A Cursor holds one Pebble iterator and serves all reads of a request with it.
// Get and Scan report what stands in the way and never wait:
//
//	*kv.IntentError        undecided intents of others at or below R (or within
//	                       the uncertainty interval)
//	*kv.UncertaintyError   a version in (R, UncertaintyLimit]
//
// The caller (txn/participant) has latched the keys, so what the cursor sees does
// not change under it.
//
// # Writing
//
// Put and Delete write versions at a timestamp that the caller has found to be
// above the newest version (Cursor.Newest) and above every read (kv/tscache).
// WriteIntent and ResolveIntent do the same in two steps. All of them add to a
// Stats what has changed, so that the entry carries the difference and its
// application is deterministic.
//
// # Invariants
//
//   - A version is written once and never changed; only GC removes it.
//   - Versions of a key are written with ascending timestamps.
//   - A key has at most one intent, of one epoch of one transaction, and no version
//     at or above the intent's timestamp.
//
// Source: Reed, "Naming and Synchronization in a Decentralized Computer System",
// 1978, for the versions; Larson et al., 2011, for the checks at commit; the
// separate intents follow CockroachDB's lock table, the encoding is our own.
package mvcc
