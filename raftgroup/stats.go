package raftgroup

import "sync/atomic"

// stats counts what happens on a store.
type stats struct {
	campaigns, messagesDropped atomic.Int64
}
