// Package kv defines the language between the transaction layer and the ranges:
// Batch and its Ops, the Sender interface, transaction metadata and records,
// range descriptors, and the typed control errors.
//
// # The life of a batch
//
// A coordinator (package txn) fills in a Batch in its own memory and gives it to
// kv/dist.Sender, which looks up the range of each key, splits the batch if
// need be, and hands each part to the leaseholder's replica: by pointer if it
// is in this process, else encoded by kv/rpc. The replica (kv/replica) checks
// its lease, sequences the request against latches and locks
// (txn/participant), evaluates it against MVCC state (kv/mvcc), proposes the
// resulting physical writes to its Raft group (raftgroup) if there are any, and
// fills in the results. On a single range led here all of this happens on the
// caller's goroutine.
//
// # Memory
//
// The caller owns the Batch, its Ops, and the Rows buffers inside; results that
// are byte slices are valid until the caller reuses the Batch. Nothing below
// keeps a reference after Send returns. The wire form (codec.go) is an encoding
// of these structs, not their definition.
package kv
