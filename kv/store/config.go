package store

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/liveness"
	"github.com/spanlite/spanlite/kv/placement"
	"github.com/spanlite/spanlite/kv/replica"
	"github.com/spanlite/spanlite/kv/storage"
	"github.com/spanlite/spanlite/raftgroup"
)

// Errors of this package.
var (
	// ErrNoIdentity: the engine belongs to no cluster yet: Bootstrap it, or join.
	ErrNoIdentity = errors.New("store: engine has no identity")
	// ErrClosed: the store is closed.
	ErrClosed = errors.New("store: closed")
	// ErrUnsupportedSplit: directory and system rows never split.
	ErrUnsupportedSplit = errors.New("store: key lies in range 1, which never splits")
)

// Config configures a Store.
type Config struct {
	// Engine is the state engine, with an identity (Bootstrap or
	// storage.Engine.SetIdentity). The caller closes it after the Store. Required.
	Engine *storage.Engine
	// Clock is the node's clock. Required.
	Clock *hlc.Clock
	// Raft configures the groups: FS, Dir, Transport, timing, Events. The store
	// fills in Store, Clock, DurableApplied, FlushState, OnUnknownGroup,
	// OnReplicaGone and the liveness payload.
	Raft raftgroup.Config
	// NewHost makes the Raft host; nil: a raftgroup.Host.
	NewHost func(raftgroup.Config) (Host, error)
	// NewParticipant makes a replica's transaction protocol
	// (txn/participant.Factory). Required.
	NewParticipant func(*replica.Replica) replica.Participant
	// Registry is the node's view of the cluster. Required.
	Registry *liveness.Registry
	// Record is this node's own record, as it is gossiped.
	Record liveness.Record

	// RangeMaxBytes is the size above which a range splits. Default 512 MB.
	RangeMaxBytes int64
	// RangeMinBytes is the size below which a range may be merged into its left
	// neighbour if the two together stay below half of RangeMaxBytes. Default 0:
	// never by itself.
	RangeMinBytes int64
	// GCTTL tells for how long old versions of a range are kept; nil: 4 h.
	GCTTL func(*kv.RangeDescriptor) time.Duration
	// Protected returns the least timestamp that something (a backup, a feed)
	// still reads in the range; zero for none. May be nil.
	Protected func(*kv.RangeDescriptor) hlc.Timestamp
	// Placement holds the aims for replicas and leases.
	Placement placement.Config
	// BalanceInterval is the least time between two moves that only serve
	// balance. Default 1 s.
	BalanceInterval time.Duration
	// PulseInterval is how often the store's figures are computed and the health of
	// the other stores is looked at. Default 1 s.
	PulseInterval time.Duration
	// ScanInterval is how long one round over all ranges takes, which looks for
	// work that no event has announced. Default 10 min.
	ScanInterval time.Duration
	// ConsistencyInterval is how often the replicas of a range are compared; 0
	// never. The server sets 24 h.
	ConsistencyInterval time.Duration
	// IntentAge is the age from which an intent met by the GC queue is taken for
	// abandoned and its transaction pushed. Default 1 min.
	IntentAge time.Duration
	// SplitHoldOff is for how long after a split no snapshots of the right side are
	// sent: its replicas come into being by the split itself. Default 3 s.
	SplitHoldOff time.Duration
	// CatchUpTimeout bounds the wait for a learner to receive the range. Default
	// 10 min.
	CatchUpTimeout time.Duration
	// Disk returns capacity and free bytes of the disk; nil: unknown.
	Disk func() (capacity, available int64)
	// Replica holds the tuning of replicas; the store fills in the identifying
	// fields and hooks.
	Replica replica.Config

	// Events reports what happens.
	Events Events
}

// Events are callbacks; any may be nil. They must not block: some run on the
// goroutine that applies entries.
type Events struct {
	LeaseAcquired      func(r keys.RangeID, l raftgroup.Lease)
	LeaseLost          func(r keys.RangeID, l raftgroup.Lease)
	RangeSplit         func(left, right *kv.RangeDescriptor)
	RangesMerged       func(left, right *kv.RangeDescriptor)
	ReplicaOpened      func(r keys.RangeID, id keys.ReplicaID, initialized bool)
	ReplicaRemoved     func(r keys.RangeID, id keys.ReplicaID)
	Moved              func(r keys.RangeID, m placement.Move)
	ReplicaFailed      func(r keys.RangeID, id keys.ReplicaID, err error)
	GarbageCollected   func(r keys.RangeID, versions int, bytes int64)
	ReplicasDiffer     func(r keys.RangeID, bad []keys.StoreID)
	ConsistencyChecked func(r keys.RangeID)
	// QueueFailed reports background work that failed and will be tried again.
	QueueFailed func(queue string, r keys.RangeID, err error)
}

func (c Config) withDefaults() Config {
	def(&c.RangeMaxBytes, 512<<20)
	def(&c.BalanceInterval, time.Second)
	def(&c.PulseInterval, time.Second)
	def(&c.ScanInterval, 10*time.Minute)
	def(&c.IntentAge, time.Minute)
	def(&c.SplitHoldOff, 3*time.Second)
	def(&c.CatchUpTimeout, 10*time.Minute)
	if c.GCTTL == nil {
		c.GCTTL = func(*kv.RangeDescriptor) time.Duration { return 4 * time.Hour }
	}
	if c.NewHost == nil {
		c.NewHost = newHost
	}
	// A replica that does not know its leader is soon left for the next one, which
	// may; the sender goes round for as long as it takes.
	def(&c.Replica.LeaseWait, 250*time.Millisecond)
	c.Placement = c.Placement.WithDefaults()
	return c
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Validate returns an error that names the first missing field.
func (c Config) Validate() error {
	switch {
	case c.Engine == nil:
		return fmt.Errorf("store: Config.Engine is not set")
	case c.Clock == nil:
		return fmt.Errorf("store: Config.Clock is not set")
	case c.NewParticipant == nil:
		return fmt.Errorf("store: Config.NewParticipant is not set")
	case c.Registry == nil:
		return fmt.Errorf("store: Config.Registry is not set")
	}
	return nil
}

// Cluster is what a store needs of the rest of the cluster, once that exists:
// see Start.
type Cluster struct {
	// Sender reaches every range: a dist.Sender. Required.
	Sender kv.Sender
	// Learn, if set, is told of new descriptors at once: dist.Sender.Learn.
	Learn func(*kv.RangeDescriptor)
	// Peers reaches the stores of other nodes; nil for a lone node.
	Peers Peers
}

// Peers executes administrative requests on other nodes; kv/rpc implements it.
type Peers interface {
	Admin(ctx context.Context, node keys.NodeID, req *AdminRequest) (*AdminReply, error)
}

// Metrics are live counters and gauges.
type Metrics struct {
	Reads, Writes      atomic.Uint64 // batches served by this store's replicas
	WriteBytes         atomic.Uint64 // payload bytes of write batches, roughly
	Ranges, Leases     atomic.Int64
	Uninitialized      atomic.Int64
	Splits, Merges     atomic.Uint64
	ReplicasAdded      atomic.Uint64 // by this store as leaseholder
	ReplicasRemoved    atomic.Uint64
	LeaseTransfers     atomic.Uint64
	ReplicasDestroyed  atomic.Uint64 // here
	GCVersions         atomic.Uint64
	GCBytes            atomic.Uint64
	IntentsCleaned     atomic.Uint64
	DirectoryWrites    atomic.Uint64
	ConsistencyChecks  atomic.Uint64
	ReplicasDiffer     atomic.Uint64
	QueueErrors        atomic.Uint64
	FailedReplicas     atomic.Int64
	RangesUnderstaffed atomic.Int64 // seen with too few replicas, not yet mended
}
