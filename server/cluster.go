package server

import (
	"context"
	"sync"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/store"
	"github.com/spanlite/spanlite/sql"
)

// infoTimeout bounds the question what ranges a node has.
const infoTimeout = 2 * time.Second

// cluster is what the SQL layer may ask of a node about its cluster.
type cluster Node

var _ sql.Cluster = (*cluster)(nil)

// Nodes implements sql.Cluster.
func (c *cluster) Nodes(context.Context) ([]sql.NodeInfo, error) {
	var list []sql.NodeInfo
	for _, s := range c.registry.Snapshot() {
		info := sql.NodeInfo{
			Node: s.Node, Addr: s.Addr, SQLAddr: s.SQLAddr, HTTPAddr: s.HTTPAddr, Locality: s.Locality.String(),
			State: s.State.String(), Version: s.Version, Started: time.UnixMicro(s.StartedMicros).UTC(),
			Live: s.Alive, Silent: s.Silent, Capacity: s.Load.CapacityBytes, Available: s.Load.AvailableBytes,
			Used: s.Load.UsedBytes, Ranges: s.Load.Ranges, Leases: s.Load.Leases, QPS: s.Load.QPS,
		}
		if s.Node == c.identity.Node {
			m := c.store.Metrics()
			info.Ranges, info.Leases = int32(m.Ranges.Load()), int32(m.Leases.Load())
		}
		list = append(list, info)
	}
	return list, nil
}

// Ranges implements sql.Cluster: the directory says which ranges there are, the
// stores how theirs are doing.
func (c *cluster) Ranges(ctx context.Context) ([]sql.RangeInfo, error) {
	figures := c.leaderFigures(ctx)
	nodes := map[keys.StoreID]keys.NodeID{}
	for _, s := range c.registry.Snapshot() {
		nodes[s.Store] = s.Node
	}
	var list []sql.RangeInfo
	err := c.store.Directory(ctx, func(d *kv.RangeDescriptor) bool {
		r := sql.RangeInfo{Range: d.RangeID, Start: d.Start, End: d.End, Generation: d.Generation}
		for _, rep := range d.Replicas {
			if rep.Role == kv.Learner {
				r.Learners = append(r.Learners, rep.Node)
			} else {
				r.Replicas = append(r.Replicas, rep.Node)
			}
		}
		if f, ok := figures[d.RangeID]; ok {
			r.Leaseholder = nodes[f.Store]
			r.Bytes, r.Keys, r.Intents, r.Locks, r.QPS, r.Error = f.Bytes, f.Keys, f.Intents, f.Locks, f.QPS, f.Error
		}
		list = append(list, r)
		return true
	})
	return list, err
}

// leaderFigures asks all live stores for the ranges that they lead.
func (c *cluster) leaderFigures(ctx context.Context) map[keys.RangeID]store.RangeInfo {
	ctx, cancel := context.WithTimeout(ctx, infoTimeout)
	defer cancel()
	var mu sync.Mutex
	figures := map[keys.RangeID]store.RangeInfo{}
	var wg sync.WaitGroup
	for _, s := range c.registry.Snapshot() {
		if !s.Alive {
			continue
		}
		wg.Go(func() {
			reply, err := (*Node)(c).adminAt(ctx, s.Node, &store.AdminRequest{Verb: store.VerbInfo})
			if err != nil {
				return // its ranges are shown without figures
			}
			mu.Lock()
			defer mu.Unlock()
			for _, r := range reply.Ranges {
				if r.Leads {
					figures[r.Desc.RangeID] = r
				}
			}
		})
	}
	wg.Wait()
	return figures
}

// peerTimeout bounds one question of the SQL layer to another node.
const peerTimeout = time.Second

// WakeListeners implements sql.Cluster.
func (c *cluster) WakeListeners(ctx context.Context) {
	askOthers(ctx, (*Node)(c), callNotify, none{}, func(none) {})
}

// Sessions implements sql.Cluster.
func (c *cluster) Sessions(ctx context.Context) (all []sql.Activity) {
	askOthers(ctx, (*Node)(c), callSessions, none{}, func(reply []sql.Activity) { all = append(all, reply...) })
	return all
}

// Signal implements sql.Cluster.
func (c *cluster) Signal(ctx context.Context, req sql.SignalRequest) (result sql.SignalResult) {
	askOthers(ctx, (*Node)(c), callSignal, req, func(reply sql.SignalResult) { result = max(result, reply) })
	return result
}

// askOthers makes a call at all other nodes that live and passes on the replies of
// those that answer in time, one after the other.
func askOthers[Reply any](ctx context.Context, n *Node, name string, req any, f func(Reply)) {
	ctx, cancel := context.WithTimeout(ctx, peerTimeout)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, to := range n.addLive(nil) {
		wg.Go(func() {
			reply, err := call[Reply](ctx, n.dialer, to, name, req)
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			f(reply)
		})
	}
	wg.Wait()
}

// DescribeReplicas returns a line for every replica of this node: what it and its
// Raft group believe. For the search for errors.
func (n *Node) DescribeReplicas() []string { return n.store.Describe() }
