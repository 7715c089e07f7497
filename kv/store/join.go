package store

import (
	"context"
	"errors"

	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/liveness"
	"github.com/spanlite/spanlite/kv/storage"
)

// Admit makes a new node a member: it allocates its ids, writes its record, and
// returns its identity and the records of all nodes. The new node gives the
// identity to its engine (storage.Engine.SetIdentity) and opens its store. If the
// answer is lost the ids are, and the node joins again under others.
func (s *Store) Admit(ctx context.Context, rec liveness.Record) (id storage.Identity, nodes []liveness.Record, err error) {
	c := s.cluster.Load()
	if c == nil {
		return id, nil, errors.New("store: not started")
	}
	node, err := liveness.Allocate(ctx, c.Sender, liveness.NodeIDs, 1)
	if err != nil {
		return id, nil, err
	}
	st, err := liveness.Allocate(ctx, c.Sender, liveness.StoreIDs, 1)
	if err != nil {
		return id, nil, err
	}
	id = storage.Identity{Cluster: s.id.Cluster, Node: keys.NodeID(node), Store: keys.StoreID(st)}
	rec.Node, rec.Store, rec.State = id.Node, id.Store, liveness.Live
	if err := s.cfg.Registry.Register(ctx, c.Sender, rec); err != nil {
		return id, nil, err
	}
	for _, n := range s.cfg.Registry.Snapshot() {
		nodes = append(nodes, n.Record)
	}
	return id, nodes, nil
}
