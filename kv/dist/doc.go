// Package dist sends batches to ranges: it knows where keys live, splits a batch
// that spans ranges, finds the leaseholder, and retries what routing got wrong.
//
// # Life of a batch
//
//	Send -> one range, led here?  -> Local.Send: the same goroutine, the same memory
//	     -> one range elsewhere   -> Transport.Send to the leaseholder's node
//	     -> several ranges        -> parts: in parallel, or one after the other when
//	                                 there are limits
//
// # The range cache
//
// The cache (rangemap.go) maps keys to descriptors. It is read without a lock:
// writers replace a small part of an immutable structure and publish it. What it
// says is a hint: a batch carries range id and generation, the replica checks
// both, and answers a wrong guess with what it knows (kv.RangeMismatchError,
// kv.NotLeaseholderError), which corrects the cache. Only when that does not
// help is the directory read: rows at keys.Meta in range 1, at first with an
// inconsistent read from whichever replica is near (the directory is a hint as
// well; see kv/store/DESIGN.md), and with a consistent one if that was no newer
// than what had just failed. Range 1 itself is found by asking: the own store,
// then any known node (Transport.FirstRange).
//
// Of two descriptors that share a key, the one with the higher generation is
// newer: splits and merges keep that (DESIGN.md of kv/store). The cache relies on
// it and never goes back.
//
// # What is retried
//
// Errors that say that nothing was done (not leaseholder, mismatch, not found,
// no connection) are retried with backoff for Config.MaxWait, and then become
// kv.UnavailableError. A connection that breaks after the batch was sent leaves
// its outcome open: reads and idempotent operations go on, anything else ends as
// kv.AmbiguousError. Transaction errors are passed up unchanged.
//
// # Parts of a transaction
//
// Parts carry copies of the transaction's metadata; the greatest write timestamp
// is folded back. A commit that does not declare its in-flight writes (parallel
// commit) goes out after all other parts have succeeded. kv.CrossRangeError is
// returned before anything is sent.
package dist
