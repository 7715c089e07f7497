// Package storage opens a store's state engine: a Pebble database without a
// write-ahead log, with Spanlite's key order, filters and limits.
//
// # Model
//
//	           kv/replica: one Batch per applied raft entry
//	                 | Commit                ^ NewIter, Get
//	                 v                       |
//	+---------------------------------------------------+
//	| memtables (lost in a crash)                        |
//	|   flush: a consistent prefix of all commits        |
//	| sorted tables, levels 0..6 (durable)               |
//	+---------------------------------------------------+
//
// The Raft log is the write-ahead log. Every batch that applies a raft entry
// also writes the group's applied index, and Pebble flushes memtables in commit
// order, so what a crash leaves behind is the state after some prefix of the
// commits, with matching applied indexes; each group then applies its log from
// there. GetDurable reads what would survive a crash at this moment: the log may
// be truncated up to the applied index that it returns, and no further.
//
// # Keys
//
// Every engine key is a key of package keys in one of two forms, versioned and
// unversioned; key.go draws them. The ordering is by key, then newest version
// first. Bloom filters hold prefixes (the unversioned form), and every block and
// table knows the interval of timestamps in it (TimeFilter).
//
// # Identity
//
// A folder belongs to the engine if it holds the format record that Open writes
// into a new one. Open tells a foreign folder (ForeignFolderError), a newer
// format (NewerFormatError), one in use by another process (LockedError) and a
// damaged one (CorruptionError) apart, and touches none of them.
//
// # Not here
//
// What the values mean (kv/mvcc), what an entry is (kv/replica), when to flush or
// truncate (kv/store), and admission control: Metrics has the figures for it.
package storage
