package raftgroup

import (
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/raftgroup/transport"
)

// Config configures a Host. Clock, file system, network and randomness come in
// through it, so that a simulation can supply its own.
type Config struct {
	// Store is this store's id. Required.
	Store StoreID
	// Clock is the node's clock. Required. It must not start below a timestamp that
	// this store's process used before a restart.
	Clock *hlc.Clock
	// FS and Dir say where the log lives. Required. The caller holds the lock that
	// keeps a second process out.
	FS  vfs.FS
	Dir string
	// SnapshotDir receives the files of incoming images; on the file system of the
	// state engine, so that it can link them. Emptied at start. Default: Dir/snapshots.
	SnapshotDir string
	// Transport leads to the other stores; nil for a store that is alone.
	// The Host starts and closes it.
	Transport transport.Transport
	// Seed seeds election delays. Default: derived from Store and the clock.
	Seed uint64

	// Workers is the number of goroutines that process groups nobody else does.
	// Default 4. Each may sit in a sync, so there are more of them than a small
	// machine has processors.
	Workers int
	// TickInterval is the granularity of timers. Default 50 ms.
	TickInterval time.Duration
	// Manual: no goroutine is started; the caller drives by Host.Tick and
	// Host.RunPending. For simulation and tests.
	Manual bool

	// ElectionTicks: a follower that has no fortified leader campaigns after a
	// random time of 1 to 2 times this without hearing from one. Default 8 (400 ms).
	ElectionTicks int
	// TakeoverTicks is by how much the campaigns of a group's replicas are staggered
	// when support for the leader's store ends: the first goes at once, the next after
	// this, if nobody leads by then. Default 4 (200 ms).
	TakeoverTicks int
	// HeartbeatTicks is how often a leader that is awake speaks to its followers.
	// Default 4 (200 ms).
	HeartbeatTicks int

	// SupportDuration is how long one promise of support lasts: after a store has
	// died, its ranges have no leader for about this long; a store whose heartbeats
	// are held up for longer loses its leases. Default 1.2 s.
	SupportDuration time.Duration
	// SupportInterval is how often support is renewed. Default SupportDuration/6.
	SupportInterval time.Duration

	// SegmentSize is the size of a log segment. Default 64 MB; 1 MB suits a store in
	// memory.
	SegmentSize int64
	// CacheBytes bounds the memory that holds recently written entries.
	// Default 32 MB, at least 2 segments' worth of writes in flight are kept.
	CacheBytes int64
	// MaxLogBytes is the size of the log above which the state engine is asked to
	// flush, and slow followers are left to snapshots. Default 4 segments.
	MaxLogBytes int64
	// MaxFollowerLagBytes is how much log is kept for a live follower that is behind.
	// Default 16 MB a group.
	MaxFollowerLagBytes int64

	// MaxEntrySize bounds a command. Default 32 MB.
	MaxEntrySize int
	// MaxInflightBytes bounds the proposals of a group, from Propose until they are
	// applied, and the messages in its mailbox; further proposals wait, messages are
	// dropped. Default 32 MB each.
	MaxInflightBytes int
	// MaxStoreInflightBytes bounds the same for all groups of the store together.
	// Default 4 times MaxInflightBytes.
	MaxStoreInflightBytes int
	// SnapshotSends bounds the images sent at a time, SnapshotReceives those
	// received. Default 2 and 2.
	SnapshotSends, SnapshotReceives int
	// SnapshotRate bounds the bytes per second of images sent. Default 64 MB/s;
	// negative: no bound.
	SnapshotRate int64

	// DurableApplied fills in, for each group, the applied index that is durable in
	// the state engine (a read with OnlyReadGuaranteedDurable), 0 if unknown. The
	// log is truncated by it (I3). Required.
	DurableApplied func(groups []GroupID, applied []Index) error
	// FlushState makes everything applied so far durable. Called when the log has
	// grown past MaxLogBytes. Required.
	FlushState func() error

	// OnUnknownGroup is called for a message to a replica which the store does not
	// have: the group is not open, or open with a lower replica id. The callee opens
	// an uninitialised replica (after removing the older one), or returns
	// ErrReplicaRemoved for a tombstone, or another error to drop the message. Runs
	// on the receiving goroutine, concurrently for different stores. Nil: drop.
	OnUnknownGroup func(group GroupID, to ReplicaID, from Member) error
	// OnReplicaGone is called when another store says that the replica here may have
	// been removed from its group. It is a hint: look the descriptor up. Must not
	// block. May be nil.
	OnReplicaGone func(group GroupID, replica ReplicaID)

	// LivenessPayload returns bytes that ride along with the next heartbeat to a
	// store, nil for none; OnLivenessPayload receives them. Must not block, at most
	// 32 kB. May be nil.
	LivenessPayload   func(to StoreID) []byte
	OnLivenessPayload func(from StoreID, payload []byte)

	// Metrics counts what happens. Default: one that nobody reads.
	Metrics *Metrics
	// Events reports what happens. All fields may be nil.
	Events EventListener
}

// EventListener is told of events. Callees must not block, and must not call into
// the Host or a Group unless said otherwise.
type EventListener struct {
	// Fatal: the log or the promises can no longer be trusted (a sync failed, a
	// frame is corrupt). The process must stop (I1). Nothing is acknowledged from
	// then on.
	Fatal func(err error)
	// GroupFailed: one replica has stopped because its state machine failed.
	GroupFailed func(group GroupID, replica ReplicaID, err error)
	// LeaderChanged: a group's leader or term changed, as seen by this replica.
	LeaderChanged func(group GroupID, l Lease)
	// SupportWithdrawn: this store no longer vouches for another.
	SupportWithdrawn func(store StoreID, epoch uint64)
	// SupportLost: another store no longer vouches for this one, or its promise ran
	// out. SupportGained is the opposite.
	SupportLost, SupportGained func(store StoreID)
	// SnapshotSent and SnapshotReceived report finished transfers.
	SnapshotSent, SnapshotReceived func(s SnapshotEvent)
	// LogTruncated: segments were freed.
	LogTruncated func(segments int, logBytes int64)
	// SlowSync: a sync of the log took longer than a second.
	SlowSync func(d time.Duration)
}

// SnapshotEvent describes one transfer of an image.
type SnapshotEvent struct {
	Group GroupID
	Peer  Member // the other end
	Index Index
	Files int
	Bytes int64
	Took  time.Duration
	Err   error
}

// withDefaults returns the configuration with defaults filled in.
func (c Config) withDefaults() Config {
	def(&c.Workers, 4)
	def(&c.TickInterval, 50*time.Millisecond)
	def(&c.ElectionTicks, 8)
	def(&c.TakeoverTicks, 4)
	def(&c.HeartbeatTicks, 4)
	def(&c.SupportDuration, 1200*time.Millisecond)
	def(&c.SupportInterval, c.SupportDuration/6)
	def(&c.SegmentSize, 64<<20)
	def(&c.CacheBytes, 32<<20)
	def(&c.MaxLogBytes, 4*c.SegmentSize)
	def(&c.MaxFollowerLagBytes, 16<<20)
	def(&c.MaxEntrySize, 32<<20)
	def(&c.MaxInflightBytes, 32<<20)
	def(&c.MaxStoreInflightBytes, 4*c.MaxInflightBytes)
	def(&c.SnapshotSends, 2)
	def(&c.SnapshotReceives, 2)
	def(&c.SnapshotRate, 64<<20)
	if c.Metrics == nil {
		c.Metrics = NewMetrics()
	}
	if c.FS != nil && c.SnapshotDir == "" {
		c.SnapshotDir = c.FS.PathJoin(c.Dir, "snapshots")
	}
	if c.Seed == 0 && c.Clock != nil {
		c.Seed = uint64(c.Clock.Physical())<<16 ^ uint64(c.Store)
	}
	return c
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Validate returns an error that names the first field with a bad value.
func (c Config) Validate() error {
	switch {
	case c.Store == keys.StoreID(0):
		return fmt.Errorf("raftgroup: Config.Store is not set")
	case c.Clock == nil:
		return fmt.Errorf("raftgroup: Config.Clock is not set")
	case c.FS == nil || c.Dir == "":
		return fmt.Errorf("raftgroup: Config.FS and Dir are not set")
	case c.DurableApplied == nil:
		return fmt.Errorf("raftgroup: Config.DurableApplied is not set")
	case c.FlushState == nil:
		return fmt.Errorf("raftgroup: Config.FlushState is not set")
	case c.SegmentSize < 0 || c.SegmentSize > 0 && c.SegmentSize < 64<<10 || c.SegmentSize > 1<<30:
		return fmt.Errorf("raftgroup: Config.SegmentSize is %d, want 64 kB to 1 GB", c.SegmentSize)
	case c.SupportInterval < 0 || c.SupportInterval > 0 && c.SupportInterval*2 > c.SupportDuration && c.SupportDuration > 0:
		return fmt.Errorf("raftgroup: Config.SupportInterval is %s, want at most half of SupportDuration (%s)", c.SupportInterval, c.SupportDuration)
	case c.ElectionTicks < 0 || c.TakeoverTicks < 0 || c.HeartbeatTicks < 0:
		return fmt.Errorf("raftgroup: Config has negative ticks")
	}
	return nil
}
