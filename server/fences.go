package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/liveness"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/catalog/lease"
	"github.com/spanlite/spanlite/sql/schemachange"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// A schema change of one node keeps all others from the table it changes. The node
// that runs it is the owner of the fence. It notes the fence, then asks for it at
// every node that lives or has a lease on the catalog. A node that acquires a lease
// afterwards asks all others for the fences they own, after its lease can be seen: one
// of the two sees the other.
//
// A fence is lifted by its owner. If that fails, the node that keeps it asks the owner
// every fenceCheck whether it still stands, and lifts it too when the owner's lease has
// run out: the owner cannot commit any more (lease.Source.Check).

const (
	// fenceWait is for how long one call waits for the transactions of a node; the
	// owner calls again.
	fenceWait = 2 * time.Second
	// fenceCallSlack is what a call may take besides.
	fenceCallSlack = 3 * time.Second
	// fenceRetry is the pause before an unreachable node is called again.
	fenceRetry = 250 * time.Millisecond
	// fenceCheck is how often the owner of a fence is asked about it.
	fenceCheck = 2 * time.Second
)

// fenceID names one fence: of several of the same table, and of several lives of its
// owner.
type fenceID struct {
	Table catalog.ID  `json:"table"`
	Owner keys.NodeID `json:"owner"`
	// Since is when the owner made its first fence, in microseconds of physical time,
	// and Seq counts them from there.
	Since int64  `json:"since"`
	Seq   uint64 `json:"seq"`
}

// fenceReply is the answer to callFence.
type fenceReply struct {
	// Starting: the node serves no clients yet.
	Starting bool `json:"starting,omitempty"`
	// Drained: nobody uses the table there, nor will.
	Drained bool `json:"drained"`
	// Users is how many transactions use it.
	Users int64 `json:"users,omitempty"`
}

// fences are the fences that a node owns and those that it keeps for others. The zero
// value is empty.
type fences struct {
	mu    sync.Mutex
	since int64 // of the node's fenceIDs
	seq   uint64
	own   map[fenceID]struct{}
	kept  map[fenceID]*keptFence
}

// keptFence is a fence that another node owns.
type keptFence struct {
	id fenceID
	// ctx ends when the fence is lifted.
	ctx    context.Context
	cancel context.CancelFunc

	mu sync.Mutex // held while tables are fenced
	// tables are the versions fenced: more than one if an enum's change has made the
	// table anew.
	tables []*catalog.Table
}

// take notes a new fence of this node, at a physical time.
func (f *fences) take(table catalog.ID, owner keys.NodeID, now int64) fenceID {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.own == nil {
		f.own, f.since = make(map[fenceID]struct{}), now
	}
	f.seq++
	id := fenceID{Table: table, Owner: owner, Since: f.since, Seq: f.seq}
	f.own[id] = struct{}{}
	return id
}

func (f *fences) forget(id fenceID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.own, id)
}

func (f *fences) owns(id fenceID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.own[id]
	return ok
}

func (f *fences) owned() []fenceID {
	f.mu.Lock()
	defer f.mu.Unlock()
	ids := make([]fenceID, 0, len(f.own))
	for id := range f.own {
		ids = append(ids, id)
	}
	return ids
}

// keep returns the fence of another node, and whether it is new.
func (f *fences) keep(ctx context.Context, id fenceID) (k *keptFence, fresh bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if k = f.kept[id]; k != nil {
		return k, false
	}
	k = &keptFence{id: id}
	k.ctx, k.cancel = context.WithCancel(ctx)
	if f.kept == nil {
		f.kept = make(map[fenceID]*keptFence)
	}
	f.kept[id] = k
	return k, true
}

// drop removes a fence of another node, nil if there is none.
func (f *fences) drop(id fenceID) *keptFence {
	f.mu.Lock()
	defer f.mu.Unlock()
	k := f.kept[id]
	delete(f.kept, id)
	return k
}

// fencePeers implements schemachange.Peers.
type fencePeers Node

var _ schemachange.Peers = (*fencePeers)(nil)

// Fence implements schemachange.Peers.
func (p *fencePeers) Fence(ctx context.Context, table catalog.ID) (func(context.Context), error) {
	n := (*Node)(p)
	id := n.fences.take(table, n.identity.Node, n.clock.Physical())
	targets, err := n.catalogUsers(ctx, n.catalog)
	if err != nil {
		n.fences.forget(id)
		return nil, err
	}
	errs := make([]error, len(targets))
	work, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	for i, to := range targets {
		wg.Go(func() {
			if errs[i] = n.fenceAt(work, to, id); errs[i] != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		// The others were interrupted on account of the first.
		if err != nil && !errors.Is(err, context.Canceled) {
			n.liftSoon(id, targets)
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		n.liftSoon(id, targets)
		return nil, context.Cause(ctx)
	}
	return func(ctx context.Context) { n.liftEverywhere(ctx, id, targets) }, nil
}

// liftSoon lifts a fence of this node in the background.
func (n *Node) liftSoon(id fenceID, targets []keys.NodeID) {
	n.spawn(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, fenceWait+fenceCallSlack)
		defer cancel()
		n.liftEverywhere(ctx, id, targets)
	})
}

// catalogUsers returns the other nodes that may use the catalog: those that live and
// those with a lease.
func (n *Node) catalogUsers(ctx context.Context, src *lease.Source) ([]keys.NodeID, error) {
	holders, err := src.Holders(ctx)
	if err != nil {
		return nil, err
	}
	var out []keys.NodeID
	for _, h := range holders {
		if h.Node != n.identity.Node {
			out = append(out, h.Node)
		}
	}
	return n.addLive(out), nil
}

// addLive adds the other nodes that live to a list.
func (n *Node) addLive(out []keys.NodeID) []keys.NodeID {
	for _, s := range n.registry.Snapshot() {
		if s.Node != n.identity.Node && s.Alive && s.State != liveness.Decommissioned && !slices.Contains(out, s.Node) {
			out = append(out, s.Node)
		}
	}
	return out
}

// maybeUses reports whether a node that could not be reached may use the catalog: unless its
// lease has ended, or it has none and is not alive.
func (n *Node) maybeUses(ctx context.Context, src *lease.Source, node keys.NodeID) (bool, error) {
	if ended, err := src.Ended(ctx, node); ended || err != nil {
		return false, err
	}
	users, err := n.catalogUsers(ctx, src)
	return slices.Contains(users, node), err
}

func (n *Node) hasLease(ctx context.Context, node keys.NodeID) (bool, error) {
	holders, err := n.catalog.Holders(ctx)
	return slices.ContainsFunc(holders, func(h lease.Holder) bool { return h.Node == node }), err
}

// drainID names a version of a table.
type drainID struct {
	Table   catalog.ID `json:"table"`
	Version uint32     `json:"version"`
}

// Drain implements schemachange.Peers.
func (p *fencePeers) Drain(ctx context.Context, table catalog.ID, version uint32) error {
	n := (*Node)(p)
	targets, err := n.catalogUsers(ctx, n.catalog)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, to := range targets {
		group.Go(func() error { return n.drainedAt(ctx, to, callDrained, drainID{table, version}) })
	}
	return group.Wait()
}

// handleDrained brings the image of the catalog up to date and waits for a while until no
// transaction uses an earlier version of a table.
func (n *Node) handleDrained(ctx context.Context, id drainID) (fenceReply, error) {
	if n.stage.Load() < stageSQL {
		return fenceReply{Starting: true}, nil
	}
	if err := n.catalog.Refresh(ctx); err != nil {
		return fenceReply{}, err
	}
	t, _ := n.catalog.Snapshot().ByID(id.Table).(*catalog.Table)
	if t == nil {
		return fenceReply{Drained: true}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, fenceWait)
	defer cancel()
	return fenceReply{Drained: t.AwaitPredecessors(ctx, id.Version) == nil}, nil
}

// fenceAt fences a table at one node and waits until nobody uses it there.
func (n *Node) fenceAt(ctx context.Context, to keys.NodeID, id fenceID) error {
	return n.drainedAt(ctx, to, callFence, id)
}

// drainedAt repeats a call of a node until it says that a table is drained there, or the
// node cannot use it.
func (n *Node) drainedAt(ctx context.Context, to keys.NodeID, name string, id any) error {
	var busy int64
	var failure error
	for {
		callCtx, cancel := context.WithTimeout(ctx, fenceWait+fenceCallSlack)
		reply, err := call[fenceReply](callCtx, n.dialer, to, name, id)
		cancel()
		switch {
		case err == nil && reply.Drained:
			return nil
		case err == nil && !reply.Starting:
			busy, failure = reply.Users, nil
			if ctx.Err() == nil {
				continue
			}
		case ctx.Err() == nil:
			// The node does not answer, or it is starting. It need not be asked if it
			// has no lease now: it asks us when it has got one.
			uses, useErr := n.maybeUses(ctx, n.catalog, to)
			if err == nil {
				err = errStarting
				uses, useErr = n.hasLease(ctx, to)
			}
			if useErr == nil && !uses {
				return nil
			}
			failure = err
			pause(ctx, fenceRetry)
			if ctx.Err() == nil {
				continue
			}
		}
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return ctx.Err()
		}
		if failure != nil {
			return sqlstate.New(sqlstate.CannotConnectNow, "node %d does not answer", to).
				WithDetail("The schema change has to wait for its transactions: %v.", failure).
				WithHint("Try again when the node has come back, or has been silent for some time.")
		}
		return sqlstate.New(sqlstate.LockNotAvailable, "canceling statement due to lock timeout").
			WithDetail("Transactions of node %d kept using the table: %d.", to, busy)
	}
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// liftEverywhere lifts a fence of this node at the nodes that were asked for it and at
// those that have come since. Whoever could not be told hears afterwards, when it asks,
// that the fence has fallen.
func (n *Node) liftEverywhere(ctx context.Context, id fenceID, targets []keys.NodeID) {
	defer n.fences.forget(id)
	var wg sync.WaitGroup
	for _, to := range n.addLive(slices.Clone(targets)) {
		wg.Go(func() {
			if _, err := call[none](ctx, n.dialer, to, callUnfence, id); err != nil && ctx.Err() == nil {
				n.log.Warn("a node was not told of the end of a schema change", "node", to, "table", id.Table, "error", err)
			}
		})
	}
	wg.Wait()
}

// handleFence fences a table for another node, and waits for a while until nobody
// uses it.
func (n *Node) handleFence(ctx context.Context, id fenceID) (fenceReply, error) {
	if n.stage.Load() < stageSQL {
		return fenceReply{Starting: true}, nil
	}
	if err := n.catalog.Refresh(ctx); err != nil {
		return fenceReply{}, err
	}
	k := n.keepFence(n.catalog, id)
	ctx, cancel := context.WithTimeout(ctx, fenceWait)
	defer cancel()
	stop := context.AfterFunc(k.ctx, cancel)
	defer stop()
	for {
		t, _ := n.catalog.Snapshot().ByID(id.Table).(*catalog.Table)
		if t == nil {
			return fenceReply{Drained: true}, nil
		}
		if !k.fence(t) {
			if n.catalog.AwaitUsable(ctx, t) != nil {
				return fenceReply{Users: t.Users()}, k.lifted()
			}
			continue
		}
		if t.AwaitDrained(ctx, nil) != nil {
			return fenceReply{Users: t.Users()}, k.lifted()
		}
		if n.catalog.Snapshot().ByID(id.Table) == catalog.Descriptor(t) {
			return fenceReply{Drained: k.ctx.Err() == nil}, k.lifted()
		}
	}
}

// fence fences a version of the table, and reports whether this fence holds it now.
func (k *keptFence) fence(t *catalog.Table) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if slices.Contains(k.tables, t) {
		return true
	}
	if k.ctx.Err() != nil || !t.Fence() {
		return false
	}
	k.tables = append(k.tables, t)
	return true
}

// lifted returns an error if the fence has been lifted.
func (k *keptFence) lifted() error {
	if k.ctx.Err() != nil {
		return fmt.Errorf("the fence of table %d has been lifted", k.id.Table)
	}
	return nil
}

// keepFence notes a fence of another node, and watches over it until it is lifted.
func (n *Node) keepFence(src *lease.Source, id fenceID) *keptFence {
	k, fresh := n.fences.keep(n.ctx, id)
	if fresh {
		n.spawn(func(context.Context) { n.watchFence(src, k) })
	}
	return k
}

// watchFence lifts a fence whose owner has gone or has forgotten it.
func (n *Node) watchFence(src *lease.Source, k *keptFence) {
	for {
		pause(k.ctx, fenceCheck)
		if k.ctx.Err() != nil {
			return
		}
		ctx, cancel := context.WithTimeout(k.ctx, fenceWait+fenceCallSlack)
		stands, err := call[bool](ctx, n.dialer, k.id.Owner, callFenceStands, k.id)
		if err != nil {
			stands, err = n.maybeUses(ctx, src, k.id.Owner)
		}
		if err == nil && !stands {
			err = n.liftFence(ctx, src, k.id)
		}
		cancel()
		if err != nil && k.ctx.Err() == nil {
			n.log.Warn("a fence stands for want of its owner", "table", k.id.Table, "owner", k.id.Owner, "error", err)
		}
	}
}

// liftFence lifts a fence of another node after taking up what it has changed.
func (n *Node) liftFence(ctx context.Context, src *lease.Source, id fenceID) error {
	if err := src.Refresh(ctx); err != nil {
		return err
	}
	k := n.fences.drop(id)
	if k == nil {
		return nil
	}
	k.cancel()
	k.mu.Lock()
	for _, t := range k.tables {
		t.Unfence()
	}
	k.mu.Unlock()
	src.FenceFell()
	return nil
}

func (n *Node) handleUnfence(ctx context.Context, id fenceID) (none, error) {
	if n.stage.Load() < stageSQL {
		return none{}, nil
	}
	return none{}, n.liftFence(ctx, n.catalog, id)
}

// takeUpFences fences what other nodes have fenced: the node has just acquired its
// lease on the catalog. Transactions that began before will not commit, so nobody
// waits for them.
func (n *Node) takeUpFences(ctx context.Context, src *lease.Source) error {
	users, err := n.catalogUsers(ctx, src)
	if err != nil {
		return err
	}
	for _, to := range users {
		for {
			callCtx, cancel := context.WithTimeout(ctx, fenceWait)
			ids, err := call[[]fenceID](callCtx, n.dialer, to, callFences, none{})
			cancel()
			if err == nil {
				for _, id := range ids {
					if err := n.takeUpFence(ctx, src, id); err != nil {
						return err
					}
				}
				break
			}
			if ctx.Err() != nil {
				return fmt.Errorf("ask node %d for its schema changes: %w", to, err)
			}
			if uses, useErr := n.maybeUses(ctx, src, to); useErr == nil && !uses {
				break
			}
			pause(ctx, fenceRetry)
		}
	}
	return nil
}

func (n *Node) takeUpFence(ctx context.Context, src *lease.Source, id fenceID) error {
	k := n.keepFence(src, id)
	for {
		t, _ := src.Snapshot().ByID(id.Table).(*catalog.Table)
		if t == nil || k.fence(t) || k.ctx.Err() != nil {
			return nil
		}
		if err := src.AwaitUsable(ctx, t); err != nil {
			return err
		}
	}
}
