package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/liveness"
	"github.com/spanlite/spanlite/kv/rpc"
	"github.com/spanlite/spanlite/sql"
)

// The calls that a node answers to other nodes and to the administrator, besides
// those of package rpc. Requests and replies are JSON.
const (
	callInit        = "init"         // -> cluster id
	callTxnAlive    = "txn.alive"    // kv.TxnID -> bool
	callProbe       = "lock.probe"   // probeMessage
	callVictim      = "lock.victim"  // locktable.Victim
	callNodeRecords = "node.records" // -> []liveness.Record

	callFence       = "catalog.fence"        // fenceID -> fenceReply
	callUnfence     = "catalog.unfence"      // fenceID
	callFences      = "catalog.fences"       // -> []fenceID that the node owns
	callFenceStands = "catalog.fence.stands" // fenceID -> bool
	callDrained     = "catalog.drained"      // drainID -> fenceReply

	callNotify   = "sql.notify"   // wakes the listeners
	callSessions = "sql.sessions" // -> []sql.Activity
	callSignal   = "sql.signal"   // sql.SignalRequest -> sql.SignalResult

	callNodeStatus       = "node.status"       // -> []sql.NodeInfo
	callNodeDrain        = "node.drain"        // nodeRequest -> nodeReply
	callNodeDecommission = "node.decommission" // nodeRequest -> nodeReply
	callNodeRecommission = "node.recommission" // nodeRequest -> nodeReply
	callRangeList        = "range.list"        // -> []sql.RangeInfo
	callRangeAdmin       = "range.admin"       // rangeRequest -> store.AdminReply
)

// Errors of the calls.
var (
	errInitialised = errors.New("cluster is already initialised")
	errStarting    = errors.New("node is starting: it waits for its cluster")
)

// none is the request or the reply of a call that has none.
type none = struct{}

// handle registers a call whose request and reply are JSON.
func handle[Req, Reply any](n *Node, name string, f func(context.Context, Req) (Reply, error)) {
	n.service.Handle(name, func(ctx context.Context, payload []byte) ([]byte, error) {
		var req Req
		if len(payload) > 0 {
			if err := json.Unmarshal(payload, &req); err != nil {
				return nil, fmt.Errorf("%s: malformed request: %w", name, err)
			}
		}
		reply, err := f(ctx, req)
		if err != nil {
			return nil, err
		}
		return json.Marshal(reply)
	})
}

// running wraps a handler that needs the store.
func running[Req, Reply any](n *Node, f func(context.Context, Req) (Reply, error)) func(context.Context, Req) (Reply, error) {
	return func(ctx context.Context, req Req) (reply Reply, err error) {
		if n.stage.Load() < stageStore {
			return reply, errStarting
		}
		return f(ctx, req)
	}
}

// call executes one of these calls at a node.
func call[Reply any](ctx context.Context, d *rpc.Dialer, to keys.NodeID, name string, req any) (reply Reply, err error) {
	payload, err := json.Marshal(req)
	if err != nil {
		return reply, err
	}
	b, err := d.Call(ctx, to, name, payload)
	if err != nil {
		return reply, err
	}
	return reply, json.Unmarshal(b, &reply)
}

// callAddr executes one of these calls at an address.
func callAddr[Reply any](ctx context.Context, d *rpc.Dialer, addr, name string, req any) (reply Reply, err error) {
	payload, err := json.Marshal(req)
	if err != nil {
		return reply, err
	}
	b, err := d.CallAddr(ctx, addr, name, payload)
	if err != nil {
		return reply, err
	}
	return reply, json.Unmarshal(b, &reply)
}

// registerCalls makes the node answer the calls of this file.
func (n *Node) registerCalls() {
	handle(n, callInit, n.handleInit)
	handle(n, callTxnAlive, func(_ context.Context, id kv.TxnID) (bool, error) {
		if n.stage.Load() < stageSQL {
			return false, errStarting
		}
		_, ok := n.db.Lookup(id)
		return ok, nil
	})
	n.registerConflictCalls()
	handle(n, callSessions, func(context.Context, none) (all []sql.Activity, err error) {
		if n.stage.Load() >= stageSQL {
			n.sql.Sessions(func(s *sql.Session) { all = append(all, s.Activity()) })
		}
		return all, nil
	})
	handle(n, callSignal, func(_ context.Context, req sql.SignalRequest) (sql.SignalResult, error) {
		if n.stage.Load() < stageSQL {
			return sql.SignalNoSession, errStarting
		}
		return n.sql.Signal(req), nil
	})
	handle(n, callNotify, func(context.Context, none) (none, error) {
		if n.stage.Load() >= stageSQL {
			n.sql.WakeListeners()
		}
		return none{}, nil
	})
	handle(n, callProbe, running(n, n.handleProbe))
	handle(n, callVictim, running(n, n.handleVictim))
	handle(n, callFence, n.handleFence)
	handle(n, callUnfence, n.handleUnfence)
	handle(n, callDrained, n.handleDrained)
	handle(n, callFences, func(context.Context, none) ([]fenceID, error) { return n.fences.owned(), nil })
	handle(n, callFenceStands, func(_ context.Context, id fenceID) (bool, error) { return n.fences.owns(id), nil })
	handle(n, callNodeRecords, running(n, func(context.Context, none) ([]liveness.Record, error) {
		var records []liveness.Record
		for _, s := range n.registry.Snapshot() {
			records = append(records, s.Record)
		}
		return records, nil
	}))
	handle(n, callNodeStatus, running(n, func(ctx context.Context, _ none) ([]sql.NodeInfo, error) {
		return (*cluster)(n).Nodes(ctx)
	}))
	handle(n, callNodeDrain, running(n, n.handleDrain))
	handle(n, callNodeDecommission, running(n, n.handleDecommission))
	handle(n, callNodeRecommission, running(n, n.handleRecommission))
	handle(n, callRangeList, running(n, func(ctx context.Context, _ none) ([]sql.RangeInfo, error) {
		return (*cluster)(n).Ranges(ctx)
	}))
	handle(n, callRangeAdmin, running(n, n.handleRange))
}

// handleInit makes this node the first of a new cluster, unless it or one of the
// nodes it was told to join belongs to one.
func (n *Node) handleInit(ctx context.Context, _ none) (string, error) {
	select {
	case <-n.identified:
		return "", errInitialised
	default:
	}
	first := false
	n.initOnce.Do(func() { first = true; close(n.initialise) })
	select {
	case <-n.identified:
	case <-ctx.Done():
		return "", ctx.Err()
	case <-n.ctx.Done():
		return "", errors.New("node is stopping")
	}
	if !first || n.identity.Node != 1 {
		return "", errInitialised
	}
	return n.ClusterID(), nil
}

// gatewayTimeout bounds a question about a transaction at its gateway.
const gatewayTimeout = time.Second

// gatewayDeadAfter is how long a gateway must have been silent for its memory
// locks to be void. Taking them away from a living transaction costs it a
// restart and no more: its commit checks that nothing has changed.
const gatewayDeadAfter = 5 * time.Second

// coordinatorAlive tells whether the gateway of a transaction still runs it.
func (n *Node) coordinatorAlive(t *kv.TxnMeta) (alive, known bool) {
	if t.GatewayNode == n.identity.Node {
		if n.stage.Load() < stageSQL {
			return false, false
		}
		_, ok := n.db.Lookup(t.ID)
		return ok, true
	}
	ctx, cancel := context.WithTimeout(n.ctx, gatewayTimeout)
	defer cancel()
	alive, err := call[bool](ctx, n.dialer, t.GatewayNode, callTxnAlive, t.ID)
	if err == nil {
		return alive, true
	}
	if _, unreachable := errors.AsType[*rpc.CallError](err); !unreachable {
		return false, false
	}
	for _, s := range n.registry.Snapshot() {
		if s.Node == t.GatewayNode {
			return false, !s.Alive && s.Silent > gatewayDeadAfter
		}
	}
	return false, false
}
