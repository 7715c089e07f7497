// Package store is all replicas of one engine: it opens them, makes and removes
// them, keeps their number, size, places and leases right, and keeps the range
// directory up to date. It is the only package that knows that ranges come and
// go.
//
// # Pieces
//
//	Send ──> table (by range id, no lock) ──> kv/replica ──> raftgroup
//	                 ^                            │ hooks: split, merge, removal,
//	                 │ lifecycle.go               │ lease, descriptor, checksum
//	                 └────────────────────────────┘
//	events ──> queues (by range; few workers each) ──> admin operations
//	             directory  publish descriptors          directory.go
//	             split      ranges grown too large       split.go
//	             replicate  kv/placement's moves         change.go
//	             gc         versions, abandoned intents  gc.go
//	             merge      small ranges, frozen ranges  merge.go
//	             consistency compare replicas            consistency.go
//	             remove     replicas that are no members lifecycle.go
//
// Work is announced by events (a lease gained, a descriptor changed, writes
// counted, a store gone silent). A slow round over all ranges (Config.
// ScanInterval) is the safety net. A range at rest costs a table entry.
//
// # Protocols
//
// DESIGN.md holds the arguments: crash safety of creation, split, merge and
// removal; why the directory is only a hint and how it converges; what unfreezes
// a range whose merge was interrupted.
//
// # Goroutines
//
// Started by Start and the checksum hook, ended by Close: the workers of the
// queues (9), pulse (figures and silent stores, once a second), scan, and one for
// each checksum being computed. Hooks run on raftgroup's goroutines and never
// block on the network.
package store
