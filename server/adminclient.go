package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/rpc"
	"github.com/spanlite/spanlite/kv/storage"
	"github.com/spanlite/spanlite/kv/store"
	"github.com/spanlite/spanlite/sql"
)

// AdminClient is an administrator's connection to a node, through the port that
// nodes talk to each other on. Safe for concurrent use.
type AdminClient struct {
	addr   string
	secure bool
	dialer *rpc.Dialer
}

// NodeState says how a node is after an administrative call.
type NodeState = nodeReply

// NewAdminClient returns a client of the node at addr. CertsDir may be empty:
// no encryption. Close it.
func NewAdminClient(addr, certsDir string) (*AdminClient, error) {
	cfg := rpc.Config{
		Clock:          hlc.NewClock(hlc.WallSource, 0),
		Identity:       func() storage.Identity { return storage.Identity{} },
		Resolve:        func(keys.NodeID) (string, bool) { return "", false },
		OffsetInterval: -1,
		CallTimeout:    time.Minute,
	}
	if certsDir != "" {
		t, err := AdminTLS(certsDir)
		if err != nil {
			return nil, err
		}
		cfg.Credentials = credentials.NewTLS(t)
	}
	return &AdminClient{addr: addr, secure: certsDir != "", dialer: rpc.NewDialer(cfg)}, nil
}

// Admin returns an administrator's connection to this node over the node's own
// network, for programs that embed one. Close it.
func (n *Node) Admin() *AdminClient {
	return &AdminClient{addr: n.ListenAddr(), dialer: rpc.NewDialer(rpc.Config{
		Clock:          hlc.NewClock(n.cfg.ClockSource, 0),
		Identity:       func() storage.Identity { return storage.Identity{} },
		Resolve:        func(keys.NodeID) (string, bool) { return "", false },
		Dial:           n.cfg.Network.Dial,
		OffsetInterval: -1,
		CallTimeout:    time.Minute,
	})}
}

// Close ends the connection.
func (c *AdminClient) Close() error { return c.dialer.Close() }

// Init initialises the cluster that the node waits to be part of, and returns the
// cluster's id.
func (c *AdminClient) Init(ctx context.Context) (cluster string, err error) {
	return adminCall[string](ctx, c, callInit, none{})
}

// Nodes returns all nodes of the cluster as the node sees them.
func (c *AdminClient) Nodes(ctx context.Context) ([]sql.NodeInfo, error) {
	return adminCall[[]sql.NodeInfo](ctx, c, callNodeStatus, none{})
}

// Drain takes a node out of service; 0 is the one the client is connected to.
func (c *AdminClient) Drain(ctx context.Context, node uint32) (NodeState, error) {
	return adminCall[nodeReply](ctx, c, callNodeDrain, nodeRequest{keys.NodeID(node)})
}

// Decommission starts to empty a node or goes on with it: the node is gone for
// good when State is "decommissioned". Callers repeat the call until then.
func (c *AdminClient) Decommission(ctx context.Context, node uint32) (NodeState, error) {
	return adminCall[nodeReply](ctx, c, callNodeDecommission, nodeRequest{keys.NodeID(node)})
}

// Recommission takes a decommission back that has not finished.
func (c *AdminClient) Recommission(ctx context.Context, node uint32) (NodeState, error) {
	return adminCall[nodeReply](ctx, c, callNodeRecommission, nodeRequest{keys.NodeID(node)})
}

// Ranges returns all ranges in key order.
func (c *AdminClient) Ranges(ctx context.Context) ([]sql.RangeInfo, error) {
	return adminCall[[]sql.RangeInfo](ctx, c, callRangeList, none{})
}

// Split splits a range at a key; with range 0 the one that holds the key.
func (c *AdminClient) Split(ctx context.Context, id uint64, key []byte) (warning string, err error) {
	return c.rangeCall(ctx, rangeRequest{Verb: store.VerbSplit, Range: keys.RangeID(id), Key: key})
}

// Merge joins the right neighbour into a range.
func (c *AdminClient) Merge(ctx context.Context, id uint64) (warning string, err error) {
	return c.rangeCall(ctx, rangeRequest{Verb: store.VerbMerge, Range: keys.RangeID(id)})
}

// Move moves a range's replica from one node to another.
func (c *AdminClient) Move(ctx context.Context, id uint64, from, to uint32) (warning string, err error) {
	return c.rangeCall(ctx, rangeRequest{Verb: store.VerbMove, Range: keys.RangeID(id), From: keys.NodeID(from), To: keys.NodeID(to)})
}

// TransferLease hands a range's lease to a node that has a replica.
func (c *AdminClient) TransferLease(ctx context.Context, id uint64, to uint32) (warning string, err error) {
	return c.rangeCall(ctx, rangeRequest{Verb: store.VerbTransferLease, Range: keys.RangeID(id), To: keys.NodeID(to)})
}

func (c *AdminClient) rangeCall(ctx context.Context, req rangeRequest) (warning string, err error) {
	reply, err := adminCall[store.AdminReply](ctx, c, callRangeAdmin, req)
	return reply.Warning, err
}

func adminCall[Reply any](ctx context.Context, c *AdminClient, name string, req any) (Reply, error) {
	reply, err := callAddr[Reply](ctx, c.dialer, c.addr, name, req)
	return reply, c.describe(err)
}

// describe makes an error of the transport one that an operator can act upon.
func (c *AdminClient) describe(err error) error {
	if remote, ok := errors.AsType[*kv.RemoteError](err); ok {
		return errors.New(remote.Message)
	}
	e, ok := errors.AsType[*rpc.CallError](err)
	if !ok {
		return err
	}
	if s, ok := status.FromError(e.Cause); ok && s.Code() == codes.Unavailable {
		hint := ""
		if !c.secure && strings.Contains(s.Message(), "server preface") {
			hint = " (if the cluster uses certificates, give --certs-dir)"
		}
		return fmt.Errorf("cannot reach a node at %s: %s%s", c.addr, s.Message(), hint)
	}
	return fmt.Errorf("%s: %w", c.addr, e.Cause)
}
