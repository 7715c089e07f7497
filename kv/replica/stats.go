package replica

import (
	"sync/atomic"

	"github.com/spanlite/spanlite/kv/mvcc"
)

// Stats are a range's figures, kept along with the applied index.
type Stats = mvcc.Stats

// Load are the figures of a replica's work since it was opened; callers take
// differences.
type Load struct {
	Reads, Writes         uint64 // batches
	KeysRead, WriteBytes  uint64
	LockWaits, LatchWaits uint64
	Locks                 int // held now
}

type loadCounters struct {
	reads, writes, keysRead, writeBytes, lockWaits, latchWaits atomic.Uint64
}

// Load returns the replica's load figures.
func (r *Replica) Load() Load {
	return Load{
		Reads: r.load.reads.Load(), Writes: r.load.writes.Load(),
		KeysRead: r.load.keysRead.Load(), WriteBytes: r.load.writeBytes.Load(),
		LockWaits: r.load.lockWaits.Load(), LatchWaits: r.load.latchWaits.Load(),
		Locks: r.p.LockCount(),
	}
}
