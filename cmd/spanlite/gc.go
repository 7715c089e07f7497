package main

import (
	"os"
	"runtime/debug"
)

// gcPercent lets the heap grow to five times what is live before it is collected:
// a node's live heap is small next to the machine, and a collection costs the same
// however much garbage it finds.
const gcPercent = 400

// tuneGC sets how the garbage collector trades memory for time, unless the
// environment says so already (GOGC, GOMEMLIMIT). The block cache and the memtables
// are part of the heap where cgo is off, so the limit, which outweighs gcPercent,
// keeps a full cache from being multiplied.
func tuneGC(memoryLimit int64) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}
