// Package logstore is the store's write-ahead log: one append-only sequence of
// frames for the entries and hard states of all Raft groups of a store, and for
// the few store-wide promises that must survive a restart.
//
// It replaces a log inside an LSM: one sync serves everyone who waits, nothing is
// ever compacted, and what a flushed state engine no longer needs goes away by
// whole files (compare TiKV's raft-engine, and Ongaro's thesis, section 4.1, for
// what has to be kept).
//
// # Writing
//
// Appending encodes frames into memory, in log order, and returns a Pos. Sync
// waits until a Pos is durable: the first who finds nobody syncing writes out
// everything appended so far, by whomever, syncs once and wakes those whom it has
// served, and one of those who came too late, for the next sync. There is no delay
// timer and no goroutine. The memory that frames are encoded into is
// also the entry cache; nothing is copied twice.
//
// # Files
//
// A segment is a file NNNNNNNNNN.log of Options.SegmentSize bytes, preallocated
// and recycled. Numbers are consecutive; the number is also the generation that
// every frame of the file carries, so that what is left of a recycled file's
// former life is never taken for the present one. All integers little-endian.
//
//	segment:  header(32) frame* seal          (the newest has no seal)
//
//	header:
//	 0         8         12          16           24       28      32
//	+---------+---------+-----------+------------+--------+-------+
//	| "SPANLOG\n"       | version 1 | number     | 0      | CRC   |   CRC32C of bytes 0..27
//	+---------+---------+-----------+------------+--------+-------+
//	  magic 8            4 (at 8)    8 (at 12)    8 (at 20)
//
//	frame, at a multiple of 8, padded with zeros to one:
//	 0     4        8            12     13      16        24        28    32
//	+-----+--------+------------+------+-------+---------+---------+-----+---------
//	| CRC | length | generation | kind | 0     | group   | synced  | 0   | payload
//	+-----+--------+------------+------+-------+---------+---------+-----+---------
//	CRC32C of everything from offset 4 to the end of the payload; length is the
//	payload's; synced is how much of this file was known to be durable when the
//	frame was encoded.
//
// # Payloads
//
//	append   (1)  hard state, then entries: replaces the group's tail from the
//	              first entry's index on
//	state    (2)  everything known of the group but its entries: flags(4)
//	              replica(4) hard state  truncated index(8) term(8)
//	              fortified term(8) leader(4) 0(4) epoch(8). Flag 1: all entries
//	              before this frame are void (a snapshot was installed).
//	relocate (3)  as append, but replaces nothing: entries carried forward so that
//	              an old segment can go
//	remove   (4)  empty: forget the group
//	blob     (5)  a store-wide record; "group" is its key; replaces the one before
//	seal     (6)  empty: the segment ends here and the next one exists or will
//
//	hard state:   term(8) vote(8) commit(8)
//	entry:        CRC(4) length(4) term(8) index(8) type(1) flags(1) 0(6) data
//	              CRC32C of the rest of the entry, so that one entry can be read
//	              back and checked without its frame. Flag 1 is reserved for data
//	              that name a side-loaded file instead of holding the command.
//
// # Recovery
//
// Segments are read in order. Each but the newest must end in a seal: a segment
// is synced, seal included, before the next one is created. In the newest the log
// ends at the first frame that is not valid, provided that no later frame of the
// file says that the damaged place had been durable (the synced field): then, as
// with any damage elsewhere, a *CorruptionError names file and offset, and the
// process must not start. The tail is then sealed, and writing goes on in a new
// segment, so that a frame torn off by the crash can never line up behind new
// ones.
//
// # Truncation
//
// Group.Truncate is a matter of memory. Reclaim frees the oldest segment once no
// group has live entries in it, after writing forward what else it held: states,
// blobs, and the entries of stragglers if they are few. Segments go one at a time,
// the directory synced each time, so recovery always finds a gapless sequence.
//
// # Invariants
//
//   - L1. Nothing that Sync has acknowledged is lost by a crash (I1).
//   - L2. After a failed write or sync nothing is acknowledged any more: the Log is
//     poisoned and Options.Fatal has been called.
//   - L3. Of a group, entries truncated+1..last are present without a gap.
//   - L4. A segment is freed only after everything live in it is durable in later ones.
//
// The caller keeps a second process out of the directory (the state engine's lock
// does).
package logstore
