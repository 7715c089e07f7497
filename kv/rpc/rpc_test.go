package rpc

// Two ends over real gRPC on loopback, with a backend that echoes, waits or
// fails on command, and connections that can be cut or made silent.

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/dist"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/liveness"
	"github.com/spanlite/spanlite/kv/storage"
	"github.com/spanlite/spanlite/kv/store"
)

// echo answers: "wait" blocks until the context ends, "fail" returns an error,
// scans return what they are asked for, anything else its own key.
type echo struct {
	id      storage.Identity
	waiting chan struct{}
	ended   chan error
}

func (e *echo) Send(ctx context.Context, b *kv.Batch) error {
	for i := range b.Ops {
		o := &b.Ops[i]
		switch string(o.Key) {
		case "wait":
			e.waiting <- struct{}{}
			<-ctx.Done()
			e.ended <- ctx.Err()
			return ctx.Err()
		case "fail":
			return &kv.RetryError{Reason: kv.RetryPushed, RetryTS: 7}
		}
		if o.Kind == kv.OpScan {
			for n := range o.MaxRows {
				o.Rows.Append(binary.BigEndian.AppendUint64(nil, uint64(n)), o.Key, 1)
			}
			continue
		}
		o.Value, o.Found = append([]byte("echo "), o.Key...), true
	}
	if b.Txn != nil {
		b.Txn.WriteTS++
	}
	return nil
}

func (e *echo) Identity() storage.Identity { return e.id }
func (e *echo) FirstRange() *kv.RangeDescriptor {
	return &kv.RangeDescriptor{RangeID: 1, Start: keys.KeyMin, End: keys.SystemEnd}
}
func (e *echo) Admin(_ context.Context, req *store.AdminRequest) (*store.AdminReply, error) {
	if req.Verb == store.VerbSplit {
		return nil, &kv.NotLeaseholderError{RangeID: req.Range}
	}
	return &store.AdminReply{Versions: int(req.Index), Checksum: []byte{1, 2}}, nil
}
func (e *echo) Admit(_ context.Context, rec liveness.Record) (storage.Identity, []liveness.Record, error) {
	id := e.id
	id.Node, id.Store = 9, 9
	return id, []liveness.Record{rec}, nil
}

type pair struct {
	svc   *Service
	echo  *echo
	d     *Dialer
	addr  string
	clock *hlc.Clock // the server's
	conns *wires
}

// wires are the client's connections, which may be frozen or cut.
type wires struct {
	mu     sync.Mutex
	all    []*wire
	frozen atomic.Bool
	thaw   chan struct{}
}

type wire struct {
	net.Conn
	w *wires
}

func (c *wire) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.w.frozen.Load() {
		<-c.w.thaw
	}
	return n, err
}

func (w *wires) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.all {
		_ = c.Conn.Close()
	}
	w.all = nil
}

func newPair(t *testing.T, mutate ...func(*Config)) *pair {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	clock := hlc.NewClock(hlc.WallSource, 0)
	p := &pair{addr: lis.Addr().String(), clock: clock, conns: &wires{thaw: make(chan struct{})}}
	id := storage.Identity{Cluster: storage.ClusterID{1}, Node: 2, Store: 2}
	p.echo = &echo{id: id, waiting: make(chan struct{}, 10), ended: make(chan error, 10)}
	p.svc = NewService(ServiceConfig{Clock: clock})
	p.svc.SetStore(p.echo)
	g := grpc.NewServer(ServerOptions()...)
	p.svc.Register(g)
	served := make(chan struct{})
	go func() { defer close(served); _ = g.Serve(lis) }()
	cfg := Config{
		Clock:    hlc.NewClock(hlc.WallSource, 0),
		Identity: func() storage.Identity { return storage.Identity{Cluster: id.Cluster, Node: 1, Store: 1} },
		Resolve:  func(n keys.NodeID) (string, bool) { return p.addr, n != 99 },
		Options: []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
			if err != nil {
				return nil, err
			}
			p.conns.mu.Lock()
			defer p.conns.mu.Unlock()
			w := &wire{c, p.conns}
			p.conns.all = append(p.conns.all, w)
			return w, nil
		})},
	}
	for _, m := range mutate {
		m(&cfg)
	}
	p.d = NewDialer(cfg)
	t.Cleanup(func() {
		require.NoError(t, p.d.Close())
		g.Stop()
		<-served
	})
	return p
}

func get(key string) *kv.Batch {
	return &kv.Batch{Header: kv.Header{RangeID: 5}, Ops: []kv.Op{{Kind: kv.OpGet, Key: keys.Key(key)}}}
}

func TestBatches(t *testing.T) {
	p := newPair(t)
	ctx := context.Background()
	b := get("hello")
	b.Txn = &kv.TxnMeta{WriteTS: 10}
	require.NoError(t, p.d.Send(ctx, 2, b))
	require.Equal(t, "echo hello", string(b.Ops[0].Value))
	require.EqualValues(t, 11, b.Txn.WriteTS)
	require.NotZero(t, b.Now)

	retry, ok := errors.AsType[*kv.RetryError](p.d.Send(ctx, 2, get("fail")))
	require.True(t, ok)
	require.EqualValues(t, 7, retry.RetryTS)

	// Many at once on one stream, with answers of all sizes, each to its own caller.
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			rows := &kv.Rows{}
			key := fmt.Sprintf("key %d", i)
			b := &kv.Batch{Header: kv.Header{RangeID: 5}, Ops: []kv.Op{
				{Kind: kv.OpGet, Key: keys.Key(key)},
				{Kind: kv.OpScan, Key: keys.Key(key), EndKey: keys.Key("z"), MaxRows: int64(i * 10), Rows: rows},
			}}
			if err := p.d.Send(ctx, 2, b); err != nil {
				t.Error(err)
				return
			}
			if string(b.Ops[0].Value) != "echo "+key || rows.Count != i*10 {
				t.Errorf("%s: %q, %d rows", key, b.Ops[0].Value, rows.Count)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, p.d.metrics.Streams.Load())
	c, err := p.d.conn(2, ClassKV)
	require.NoError(t, err)
	require.Less(t, c.st.w.frames.Load(), c.st.w.records.Load(), "requests share frames")
}

func TestCancellationAndDeadlinesCross(t *testing.T) {
	p := newPair(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.d.Send(ctx, 2, get("wait")) }()
	<-p.echo.waiting
	cancel()
	se, ok := errors.AsType[*dist.SendError](<-done)
	require.True(t, ok)
	require.True(t, se.Sent)
	require.ErrorIs(t, se, context.Canceled)
	require.ErrorIs(t, <-p.echo.ended, context.Canceled, "the other side stops as well")

	ctx, cancel = context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	go func() { done <- p.d.Send(ctx, 2, get("wait")) }()
	require.Error(t, <-p.echo.ended)
	require.ErrorIs(t, <-done, context.DeadlineExceeded)
	require.NoError(t, p.d.Send(context.Background(), 2, get("x")), "the stream goes on")
}

func TestBrokenConnection(t *testing.T) {
	p := newPair(t)
	done := make(chan error, 1)
	go func() { done <- p.d.Send(context.Background(), 2, get("wait")) }()
	<-p.echo.waiting
	p.conns.cut()
	se, ok := errors.AsType[*dist.SendError](<-done)
	require.True(t, ok)
	require.True(t, se.Sent, "it had been written")
	require.Error(t, <-p.echo.ended)
	require.Eventually(t, func() bool { return p.d.Send(context.Background(), 2, get("x")) == nil }, 5*time.Second, time.Millisecond)

	_, ok = errors.AsType[*dist.SendError](p.d.Send(context.Background(), 99, get("x")))
	require.True(t, ok, "no address")
}

func TestSilentPeerIsGivenUp(t *testing.T) {
	p := newPair(t, func(c *Config) { c.SilentAfter = 100 * time.Millisecond })
	// A long wait is no silence: pings are answered.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- p.d.Send(ctx, 2, get("wait")) }()
	<-p.echo.waiting
	time.AfterFunc(300*time.Millisecond, func() { p.conns.frozen.Store(true) })
	began := time.Now()
	se, ok := errors.AsType[*dist.SendError](<-done)
	require.True(t, ok)
	require.True(t, se.Sent)
	require.Greater(t, time.Since(began), 300*time.Millisecond)
	require.ErrorContains(t, se, "nothing heard")
	p.conns.frozen.Store(false)
	close(p.conns.thaw)
}

func TestRefusesStrangers(t *testing.T) {
	p := newPair(t)
	err := p.d.Send(context.Background(), 3, get("x"))
	require.ErrorContains(t, err, "this is n2")
	other := newPair(t, func(c *Config) {
		c.Identity = func() storage.Identity { return storage.Identity{Cluster: storage.ClusterID{8}, Node: 1} }
	})
	require.ErrorContains(t, other.d.Send(context.Background(), 2, get("x")), "belongs to cluster")
	p.svc.SetStore(nil)
	_, err = p.d.FirstRange(context.Background(), 2)
	require.ErrorContains(t, err, ErrNotReady.Error())
}

func TestCalls(t *testing.T) {
	p := newPair(t)
	ctx := context.Background()
	d, err := p.d.FirstRange(ctx, 2)
	require.NoError(t, err)
	require.Equal(t, keys.MetaRangeID, d.RangeID)
	reply, err := p.d.Admin(ctx, 2, &store.AdminRequest{Verb: store.VerbInfo, Index: 5})
	require.NoError(t, err)
	require.Equal(t, &store.AdminReply{Versions: 5, Checksum: []byte{1, 2}}, reply)
	_, err = p.d.Admin(ctx, 2, &store.AdminRequest{Verb: store.VerbSplit, Range: 3})
	_, ok := errors.AsType[*kv.NotLeaseholderError](err)
	require.True(t, ok, "errors keep their types")
	joined, err := p.d.Join(ctx, p.addr, JoinRequest{Record: liveness.Record{Addr: "here"}})
	require.NoError(t, err)
	require.EqualValues(t, 9, joined.Identity.Node)
	require.Equal(t, p.echo.id.Cluster, joined.Identity.Cluster)
	require.Equal(t, "here", joined.Nodes[0].Addr)
	p.svc.Handle("custom", func(_ context.Context, b []byte) ([]byte, error) { return append(b, '!'), nil })
	out, err := p.d.Call(ctx, 2, "custom", []byte("hi"))
	require.NoError(t, err)
	require.Equal(t, "hi!", string(out))
	_, err = p.d.CallAddr(ctx, "127.0.0.1:1", "custom", nil)
	ce, ok := errors.AsType[*CallError](err)
	require.True(t, ok)
	require.True(t, ce.Unreachable())
	off, err := p.d.MeasureOffset(ctx, 2)
	require.NoError(t, err)
	require.Less(t, off.Offset.Abs(), time.Second)
	require.Len(t, p.d.Offsets(), 1)
}

func TestAbsurdClockIsNotFollowed(t *testing.T) {
	c := hlc.NewClock(func() int64 { return 1_000_000 }, 0)
	require.NoError(t, forward(c, time.Second, hlc.FromMicros(1_500_000)))
	require.Equal(t, hlc.FromMicros(1_500_000), c.Peek())
	require.Error(t, forward(c, time.Second, hlc.FromMicros(3_000_000)))
	require.Equal(t, hlc.FromMicros(1_500_000), c.Peek())
}

func FuzzReadFrame(f *testing.F) {
	frame := append([]byte{frameVersion}, make([]byte, frameHeaderLen-1)...)
	f.Add(appendRecord(appendRecord(frame, recordRequest, 1, 2, func(b []byte) []byte { return append(b, "payload"...) }), recordPing, 3, 0, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		out := append([]byte(nil), b[:min(len(b), frameHeaderLen)]...)
		err := readFrame(b, func(hlc.Timestamp) error { return nil }, func(r record) error {
			out = appendRecord(out, r.kind, r.id, r.arg, func(b []byte) []byte { return append(b, r.payload...) })
			return nil
		})
		if err == nil {
			require.Equal(t, b, out)
		}
		_, _, _ = decodeCall(b)
		_, _ = decodeResult(kv.Codec{}, b)
	})
}

func BenchmarkSend(b *testing.B) {
	t := &testing.T{}
	p := newPair(t)
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		batch := get("some key of a table")
		for pb.Next() {
			if err := p.d.Send(context.Background(), 2, batch); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
