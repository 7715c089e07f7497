package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/liveness"
	"github.com/spanlite/spanlite/kv/store"
)

// nodeRequest names the node that a call is about; 0 is the one that is asked.
type nodeRequest struct {
	Node keys.NodeID `json:"node"`
}

// nodeReply says how a node is after a call.
type nodeReply struct {
	Node  keys.NodeID `json:"node"`
	State string      `json:"state"`
	// Replicas and Leases are what the node still holds.
	Replicas int `json:"replicas"`
	Leases   int `json:"leases"`
}

// drainCallTimeout bounds a drain by call.
const drainCallTimeout = 30 * time.Second

// handleDrain takes a node out of service; it keeps running until it is stopped.
func (n *Node) handleDrain(ctx context.Context, req nodeRequest) (nodeReply, error) {
	if req.Node != 0 && req.Node != n.identity.Node {
		return call[nodeReply](ctx, n.dialer, req.Node, callNodeDrain, req)
	}
	ctx, cancel := context.WithTimeout(ctx, drainCallTimeout)
	defer cancel()
	if err := n.registry.SetState(ctx, n.dist, n.identity.Node, liveness.Draining); err != nil {
		return nodeReply{}, err
	}
	n.Drain(ctx)
	return n.nodeReply(ctx, n.identity.Node)
}

// handleDecommission starts to empty a node, and marks it as gone for ever when
// nothing is left on it. Callers repeat it until then.
func (n *Node) handleDecommission(ctx context.Context, req nodeRequest) (reply nodeReply, err error) {
	id := req.Node
	if id == 0 {
		return reply, errors.New("name the node to decommission")
	}
	others := 0
	for _, s := range n.registry.Snapshot() {
		if s.Node != id && s.Alive && s.State == liveness.Live {
			others++
		}
	}
	if others == 0 {
		return reply, fmt.Errorf("%s is the last live node: there is nowhere to move its data", id)
	}
	if err := n.registry.SetState(ctx, n.dist, id, liveness.Decommissioning); err != nil {
		return reply, err
	}
	left, err := n.store.ReplicasOn(ctx, id)
	if err != nil {
		return reply, err
	}
	if left == 0 {
		if err := n.registry.SetState(ctx, n.dist, id, liveness.Decommissioned); err != nil {
			return reply, err
		}
	}
	n.store.ClusterChanged()
	return n.nodeReply(ctx, id)
}

// handleRecommission takes back a drain or a decommission that has not finished.
func (n *Node) handleRecommission(ctx context.Context, req nodeRequest) (nodeReply, error) {
	id := req.Node
	if id == 0 {
		id = n.identity.Node
	}
	if err := n.registry.SetState(ctx, n.dist, id, liveness.Live); err != nil {
		return nodeReply{}, err
	}
	n.store.ClusterChanged()
	return n.nodeReply(ctx, id)
}

func (n *Node) nodeReply(ctx context.Context, id keys.NodeID) (nodeReply, error) {
	rec, ok := n.registry.Node(id)
	if !ok {
		return nodeReply{}, fmt.Errorf("%s: %w", id, liveness.ErrUnknownNode)
	}
	replicas, err := n.store.ReplicasOn(ctx, id)
	if err != nil {
		return nodeReply{}, err
	}
	r := nodeReply{Node: id, State: rec.State.String(), Replicas: replicas}
	if id == n.identity.Node {
		r.Leases = int(n.store.Metrics().Leases.Load())
	} else {
		for _, s := range n.registry.Snapshot() {
			if s.Node == id {
				r.Leases = int(s.Load.Leases)
			}
		}
	}
	return r, nil
}

// rangeRequest is an operation on a range. It names nodes where
// store.AdminRequest names stores.
type rangeRequest struct {
	Verb  store.Verb   `json:"verb"`
	Range keys.RangeID `json:"range"`
	Key   keys.Key     `json:"key,omitempty"`
	From  keys.NodeID  `json:"from,omitempty"`
	To    keys.NodeID  `json:"to,omitempty"`
}

// handleRange finds a range's leaseholder and has it execute an operation.
func (n *Node) handleRange(ctx context.Context, req rangeRequest) (*store.AdminReply, error) {
	switch req.Verb {
	case store.VerbSplit, store.VerbMerge, store.VerbMove, store.VerbTransferLease, store.VerbGC, store.VerbCheck, store.VerbInfo:
	default:
		return nil, fmt.Errorf("unknown operation %q", req.Verb)
	}
	admin := &store.AdminRequest{Verb: req.Verb, Range: req.Range, Key: req.Key}
	var err error
	if admin.From, err = n.storeOf(req.From); err != nil {
		return nil, err
	}
	if admin.Store, err = n.storeOf(req.To); err != nil {
		return nil, err
	}
	var desc *kv.RangeDescriptor
	err = n.store.Directory(ctx, func(d *kv.RangeDescriptor) bool {
		if req.Range == 0 && d.Contains(req.Key) || d.RangeID == req.Range {
			found := *d
			desc = &found
		}
		return desc == nil
	})
	if err != nil {
		return nil, err
	}
	if desc == nil {
		return nil, fmt.Errorf("there is no range %s", req.Range)
	}
	admin.Range = desc.RangeID
	return store.AskLeader(ctx, desc, admin, n.adminAt)
}

// adminAt executes an administrative request at a node, this one included.
func (n *Node) adminAt(ctx context.Context, id keys.NodeID, req *store.AdminRequest) (*store.AdminReply, error) {
	if id == n.identity.Node {
		return n.store.Admin(ctx, req)
	}
	return n.dialer.Admin(ctx, id, req)
}

// storeOf returns a node's store; the zero node has the zero store.
func (n *Node) storeOf(id keys.NodeID) (keys.StoreID, error) {
	if id == 0 {
		return 0, nil
	}
	rec, ok := n.registry.Node(id)
	if !ok {
		return 0, fmt.Errorf("%s: %w", id, liveness.ErrUnknownNode)
	}
	return rec.Store, nil
}
