package rpc

// A store on one side, a client without a store on the other: routing, batches
// and administration over the wire, with the real codec.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/dist"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/liveness"
	"github.com/spanlite/spanlite/kv/storage"
	"github.com/spanlite/spanlite/kv/store"
	"github.com/spanlite/spanlite/raftgroup"
	"github.com/spanlite/spanlite/txn/locktable"
	"github.com/spanlite/spanlite/txn/participant"
)

func TestRemoteClient(t *testing.T) {
	ctx := context.Background()
	fs, clock := vfs.NewMem(), hlc.NewClock(hlc.WallSource, 0)
	eng, err := storage.Open(storage.Options{FS: fs, Dir: "state"})
	require.NoError(t, err)
	defer eng.Close()
	id, err := store.Bootstrap(eng, clock)
	require.NoError(t, err)

	lis, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	svc := NewService(ServiceConfig{Clock: clock})
	g := grpc.NewServer(ServerOptions()...)
	svc.Register(g)
	served := make(chan struct{})
	go func() { defer close(served); _ = g.Serve(lis) }()
	defer func() { g.Stop(); <-served }()

	// The client knows one address and nothing else.
	d := NewDialer(Config{
		Clock:    hlc.NewClock(hlc.WallSource, 0),
		Identity: func() storage.Identity { return storage.Identity{} },
		Resolve:  func(keys.NodeID) (string, bool) { return lis.Addr().String(), true },
	})
	defer d.Close()
	_, err = d.Join(ctx, lis.Addr().String(), JoinRequest{})
	require.ErrorContains(t, err, ErrNotReady.Error())

	reg, err := liveness.NewRegistry(liveness.Config{Self: id.Node, Clock: clock, Engine: eng})
	require.NoError(t, err)
	st, err := store.Open(store.Config{
		Engine: eng, Clock: clock, Registry: reg, Raft: raftgroup.Config{FS: fs, Dir: "raft", SegmentSize: 1 << 20},
		NewParticipant: participant.Factory(participant.Config{Graph: locktable.NewGraph(locktable.GraphConfig{})}),
	})
	require.NoError(t, err)
	defer st.Close()
	local := dist.New(dist.Config{Clock: clock, LocalStore: id.Store, Local: st, LocalFirstRange: st.FirstRange})
	require.NoError(t, st.Start(store.Cluster{Sender: local, Learn: local.Learn, Peers: d}))
	svc.SetStore(st)

	client := dist.New(dist.Config{Clock: hlc.NewClock(hlc.WallSource, 0), Transport: d,
		Nodes: func() []keys.NodeID { return []keys.NodeID{id.Node} }})
	key := func(i int) keys.Key { return append(keys.TablePrefix(nil, 100), fmt.Sprintf("%04d", i)...) }
	for i := range 100 {
		b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpPut, Key: key(i), Value: fmt.Appendf(nil, "value %d", i)}}}
		require.NoError(t, client.Send(ctx, &b))
	}
	reply, err := store.AskLeader(ctx, &kv.RangeDescriptor{RangeID: 2, Replicas: []kv.ReplicaDescriptor{{Node: id.Node, Store: id.Store}}},
		&store.AdminRequest{Verb: store.VerbSplit, Range: 2, Key: key(50)}, d.Admin)
	require.NoError(t, err)
	require.Len(t, reply.Ranges, 2)
	require.Equal(t, key(50), reply.Ranges[1].Desc.Start)

	// A scan over both sides, by a client that still believes in one range.
	rows := &kv.Rows{}
	b := kv.Batch{Header: kv.Header{ReadTS: clock.Now()}, Ops: []kv.Op{{Kind: kv.OpScan, Key: key(0), EndKey: key(1000), Rows: rows}}}
	require.NoError(t, client.Send(ctx, &b))
	require.Equal(t, 100, rows.Count)
	// Typed errors cross.
	b = kv.Batch{Ops: []kv.Op{{Kind: kv.OpCompareAndPut, Key: key(1), Value: []byte("x")}}}
	cf, ok := errors.AsType[*kv.ConditionFailedError](client.Send(ctx, &b))
	require.True(t, ok)
	require.Equal(t, "value 1", string(cf.Actual))

	joined, err := d.Join(ctx, lis.Addr().String(), JoinRequest{Record: liveness.Record{Addr: "127.0.0.1:9"}})
	require.NoError(t, err)
	require.Equal(t, keys.NodeID(2), joined.Identity.Node)
	require.Equal(t, id.Cluster, joined.Identity.Cluster)
	infos, err := d.Admin(ctx, id.Node, &store.AdminRequest{Verb: store.VerbInfo})
	require.NoError(t, err)
	require.Len(t, infos.Ranges, 3)
}
