package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/liveness"
	"github.com/spanlite/spanlite/kv/replica"
	"github.com/spanlite/spanlite/kv/storage"
)

// The ids that a new cluster begins with.
const (
	firstNode      keys.NodeID  = 1
	firstStore     keys.StoreID = 1
	firstDataRange              = keys.MetaRangeID + 1
)

// ErrBootstrapped: the engine belongs to a cluster already.
var ErrBootstrapped = errors.New("store: engine has an identity already")

// Bootstrap makes a fresh engine the first store, n1 s1, of a new cluster: range 1
// with the directory and the allocators, and range 2 with everything else, each
// with this one replica. Durable when it returns; after a crash in between it can
// be called again.
func Bootstrap(e *storage.Engine, clock *hlc.Clock) (storage.Identity, error) {
	if _, ok, err := e.Identity(); err != nil || ok {
		if err == nil {
			err = ErrBootstrapped
		}
		return storage.Identity{}, err
	}
	id := storage.Identity{Node: firstNode, Store: firstStore}
	if _, err := rand.Read(id.Cluster[:]); err != nil {
		return id, fmt.Errorf("choose a cluster id: %w", err)
	}
	b := e.NewBatch()
	defer b.Close()
	now := clock.Now()
	put := func(key keys.Key, value []byte) { b.PutVersion(key, now, 0, value) }
	only := []kv.ReplicaDescriptor{{Node: firstNode, Store: firstStore, Replica: 1}}
	for _, d := range []kv.RangeDescriptor{
		{RangeID: keys.MetaRangeID, Start: keys.KeyMin, End: keys.SystemEnd},
		{RangeID: firstDataRange, Start: keys.SystemEnd, End: keys.KeyMax},
	} {
		d.Replicas, d.NextReplicaID, d.Generation = only, 2, 1
		replica.WriteInitialState(b, &d)
		put(keys.Meta(d.End), d.Encode(nil))
	}
	for kind, last := range map[string]uint64{
		liveness.NodeIDs: uint64(firstNode), liveness.StoreIDs: uint64(firstStore), liveness.RangeIDs: uint64(firstDataRange),
	} {
		put(liveness.AllocatorKey(kind), strconv.AppendUint(nil, last, 10))
	}
	if err := b.Commit(); err != nil {
		return id, err
	}
	// The identity is what makes an engine bootstrapped, hence last; it flushes.
	return id, e.SetIdentity(id)
}
