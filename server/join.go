package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/spanlite/spanlite/kv/liveness"
	"github.com/spanlite/spanlite/kv/rpc"
	"github.com/spanlite/spanlite/kv/store"
)

const (
	// joinInterval is the pause between two rounds over the join addresses.
	joinInterval = 200 * time.Millisecond
	// joinTimeout bounds one attempt at one address.
	joinTimeout = 5 * time.Second
	// joinLogEvery is how often a waiting node says what it waits for.
	joinLogEvery = 5 * time.Second
)

// identify finds out which node this is: what the engine says, or else the first
// node of a new cluster (without Join, or when told to by init), or else a new
// member of the cluster that one of the join addresses belongs to.
func (n *Node) identify(ctx context.Context) error {
	defer close(n.identified)
	id, ok, err := n.engine.Identity()
	switch {
	case err != nil:
		return fmt.Errorf("--store=%s: %w", n.dir, err)
	case ok:
		n.identity = id
		return nil
	case len(n.cfg.Join) == 0:
		return n.bootstrap()
	}
	return n.awaitCluster(ctx)
}

// bootstrap makes this node the first of a new cluster.
func (n *Node) bootstrap() error {
	id, err := store.Bootstrap(n.engine, n.clock)
	if err != nil {
		return fmt.Errorf("initialise the cluster: %w", err)
	}
	n.identity = id
	n.log.Info("cluster initialised", "cluster", id.Cluster, "node", id.Node)
	return nil
}

// awaitCluster asks the join addresses for admission until one of them belongs
// to a cluster or init makes this node the first of one. After init it asks
// everyone once more: init on a second node must not make a second cluster.
func (n *Node) awaitCluster(ctx context.Context) error {
	var lastLog time.Time
	for {
		initialise := false
		select {
		case <-n.initialise:
			initialise = true
		default:
		}
		joined, problems, err := n.tryJoin(ctx)
		if joined || err != nil {
			return err
		}
		if initialise {
			return n.bootstrap()
		}
		if time.Since(lastLog) >= joinLogEvery {
			lastLog = time.Now()
			n.log.Info("waiting for a cluster to join, or for 'spanlite init' to make one", "tried", problems)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-n.initialise:
		case <-time.After(joinInterval):
		}
	}
}

// tryJoin asks every join address once. Problems says what each answered; err is
// set only if asking again is no use.
func (n *Node) tryJoin(ctx context.Context) (joined bool, problems []string, err error) {
	locality, err := liveness.ParseLocality(n.cfg.Locality)
	if err != nil {
		return false, nil, fmt.Errorf("--locality: %w", err)
	}
	for _, addr := range n.cfg.Join {
		if n.isSelf(addr) {
			continue
		}
		callCtx, cancel := context.WithTimeout(ctx, joinTimeout)
		reply, err := n.dialer.Join(callCtx, addr, rpc.JoinRequest{Record: n.record(locality)})
		cancel()
		if ctx.Err() != nil {
			return false, nil, ctx.Err()
		}
		if err != nil {
			problems = append(problems, describeJoinError(addr, err))
			continue
		}
		if err := n.engine.SetIdentity(reply.Identity); err != nil {
			return false, nil, fmt.Errorf("--store=%s: %w", n.dir, err)
		}
		n.identity, n.peers = reply.Identity, reply.Nodes
		n.log.Info("joined the cluster", "cluster", reply.Identity.Cluster, "node", reply.Identity.Node, "through", addr)
		return true, nil, nil
	}
	return false, problems, nil
}

// describeJoinError says in a few words why an address did not admit this node.
func describeJoinError(addr string, err error) string {
	if e, ok := errors.AsType[*rpc.CallError](err); ok {
		return addr + " is unreachable: " + e.Cause.Error()
	}
	return addr + ": " + err.Error()
}

// isSelf reports whether a join address is this node's own. An own address that
// is not recognised costs a call that is refused.
func (n *Node) isSelf(addr string) bool {
	own := []string{n.cfg.ListenAddr, n.cfg.AdvertiseAddr}
	if n.listen != nil {
		own = append(own, n.listen.Addr().String())
	}
	if slices.Contains(own, addr) {
		return true
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil || n.listen == nil {
		return false
	}
	listen, ok := n.listen.Addr().(*net.TCPAddr)
	return ok && listen.IP.IsLoopback() && isLoopback(host) && port == fmt.Sprint(listen.Port)
}

// adoptPeers makes the nodes that were named when this one was admitted known to
// the registry, which keeps their addresses over restarts.
func (n *Node) adoptPeers(peers []liveness.Record) {
	for _, r := range peers {
		if _, known := n.registry.Node(r.Node); !known && r.Node != n.identity.Node {
			n.registry.Observe(&liveness.Gossip{Record: r})
		}
	}
}

// findPeers asks the join addresses who the nodes are: for a node that was
// stopped after it had been admitted and before it had noted the others, or whose
// peers have all moved.
func (n *Node) findPeers(ctx context.Context) {
	for _, addr := range n.cfg.Join {
		if n.isSelf(addr) {
			continue
		}
		callCtx, cancel := context.WithTimeout(ctx, joinTimeout)
		records, err := callAddr[[]liveness.Record](callCtx, n.dialer, addr, callNodeRecords, nil)
		cancel()
		if err != nil {
			n.log.Debug("join address does not answer", "address", addr, "error", err)
			continue
		}
		n.adoptPeers(records)
		return
	}
}
