package server

import (
	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/placement"
	"github.com/spanlite/spanlite/kv/store"
	"github.com/spanlite/spanlite/raftgroup"
)

// storeEvents turns what happens to ranges into log lines.
func (n *Node) storeEvents() store.Events {
	log := n.log
	return store.Events{
		LeaseAcquired: func(r keys.RangeID, l raftgroup.Lease) {
			log.Debug("lease acquired", "range", r, "term", l.Term)
		},
		LeaseLost: func(r keys.RangeID, l raftgroup.Lease) {
			log.Debug("lease lost", "range", r, "term", l.Term)
		},
		RangeSplit: func(left, right *kv.RangeDescriptor) {
			log.Info("range split", "left", left, "right", right)
		},
		RangesMerged: func(left, right *kv.RangeDescriptor) {
			log.Info("ranges merged", "left", left, "right", right)
		},
		ReplicaOpened: func(r keys.RangeID, id keys.ReplicaID, initialized bool) {
			log.Debug("replica opened", "range", r, "replica", id, "initialized", initialized)
		},
		ReplicaRemoved: func(r keys.RangeID, id keys.ReplicaID) {
			log.Info("replica removed", "range", r, "replica", id)
		},
		Moved: func(r keys.RangeID, m placement.Move) {
			log.Info("replica moved", "range", r, "move", m)
		},
		ReplicaFailed: func(r keys.RangeID, id keys.ReplicaID, err error) {
			log.Error("replica failed and was stopped", "range", r, "replica", id, "error", err)
		},
		GarbageCollected: func(r keys.RangeID, versions int, bytes int64) {
			log.Debug("old versions collected", "range", r, "versions", versions, "bytes", bytes)
		},
		ReplicasDiffer: func(r keys.RangeID, bad []keys.StoreID) {
			log.Error("replicas differ", "range", r, "stores", bad)
		},
		ConsistencyChecked: func(r keys.RangeID) {
			log.Debug("replicas compared", "range", r)
		},
		QueueFailed: func(queue string, r keys.RangeID, err error) {
			log.Warn("background work failed and is tried again", "queue", queue, "range", r, "error", err)
		},
	}
}
