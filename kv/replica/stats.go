package replica

import "sync/atomic"

// Stats are a range's figures, kept along with the applied index. They are exact
// except where a split had to estimate the shares.
type Stats struct {
	// Bytes is the size of keys and values of all versions and intents.
	Bytes int64
	// Versions is the number of versions, tombstones included.
	Versions int64
	// Garbage is an estimate of the bytes in versions that are not the newest.
	Garbage int64
	// Intents is the number of durable intents.
	Intents int64
}

// Add returns s + d.
func (s Stats) Add(d Stats) Stats {
	return Stats{s.Bytes + d.Bytes, s.Versions + d.Versions, s.Garbage + d.Garbage, s.Intents + d.Intents}
}

// Sub returns s - d.
func (s Stats) Sub(d Stats) Stats {
	return Stats{s.Bytes - d.Bytes, s.Versions - d.Versions, s.Garbage - d.Garbage, s.Intents - d.Intents}
}

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
