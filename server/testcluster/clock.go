package testcluster

import (
	"sync/atomic"
	"time"
)

// Clock is a node's clock: the time of the test, and an offset that the test sets.
// Safe for concurrent use.
type Clock struct{ offset atomic.Int64 }

// Set makes the clock jump to an offset. The protocol allows any two nodes to be
// Options.MaxOffset apart.
func (c *Clock) Set(offset time.Duration) { c.offset.Store(offset.Microseconds()) }

// Offset returns what Set has set.
func (c *Clock) Offset() time.Duration { return time.Duration(c.offset.Load()) * time.Microsecond }

// Now is an hlc.Source.
func (c *Clock) Now() int64 { return time.Now().UnixMicro() + c.offset.Load() }
