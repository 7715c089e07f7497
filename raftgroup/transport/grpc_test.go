package transport

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// These tests run the gRPC transport over loopback: frames in order, the clock
// along with them, reconnection, images, and who is let in.

// number is a message.
type number uint64

func (n number) Size() int                  { return 8 }
func (n number) AppendTo(dst []byte) []byte { return binary.LittleEndian.AppendUint64(dst, uint64(n)) }

// end is one store.
type end struct {
	t      *testing.T
	g      *GRPC
	clock  *hlc.Clock
	server *grpc.Server
	addr   string

	mu  sync.Mutex
	got []uint64
	// stream serves images.
	stream func(ctx context.Context, from keys.StoreID, s Stream) error
}

type book struct {
	mu    sync.Mutex
	addrs map[keys.StoreID]string
}

func (b *book) resolve(id keys.StoreID) (string, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a, ok := b.addrs[id]
	return a, ok
}

func newEnd(t *testing.T, b *book, id keys.StoreID, cluster, addr string) *end {
	t.Helper()
	e := &end{t: t, clock: hlc.NewClock(hlc.WallSource, 0)}
	e.g = NewGRPC(GRPCConfig{Store: id, Clock: e.clock, Resolve: b.resolve, Cluster: cluster})
	e.server = grpc.NewServer(grpc.MaxRecvMsgSize(2 * MaxMessageSize))
	e.g.Register(e.server)
	l, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	e.addr = l.Addr().String()
	b.mu.Lock()
	b.addrs[id] = e.addr
	b.mu.Unlock()
	require.NoError(t, e.g.Start(Handler{
		Frame: func(f *Frame) {
			if e.clock.Peek() < f.Time {
				t.Errorf("handler runs at %s, before the frame's %s", e.clock.Peek(), f.Time)
			}
			for m, ok := f.Next(); ok; m, ok = f.Next() {
				e.mu.Lock()
				e.got = append(e.got, binary.LittleEndian.Uint64(m))
				e.mu.Unlock()
			}
		},
		Stream: func(ctx context.Context, from keys.StoreID, s Stream) error { return e.stream(ctx, from, s) },
	}))
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = e.server.Serve(l)
	}()
	t.Cleanup(func() {
		e.close()
		<-served
	})
	return e
}

func (e *end) close() {
	if err := e.g.Close(); err != nil {
		e.t.Error(err)
	}
	e.server.Stop()
}

func (e *end) numbers() []uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]uint64(nil), e.got...)
}

func newBook() *book { return &book{addrs: map[keys.StoreID]string{}} }

func TestGRPCFramesInOrder(t *testing.T) {
	b := newBook()
	one, two := newEnd(t, b, 1, "c", "127.0.0.1:0"), newEnd(t, b, 2, "c", "127.0.0.1:0")
	// A clock ahead is followed.
	one.clock.Update(one.clock.Now().Add(5 * time.Second))
	const n = 5000
	for i := range n {
		require.NoError(t, one.g.Send(2, Raft, number(i)))
	}
	require.Eventually(t, func() bool { return len(two.numbers()) == n }, 10*time.Second, time.Millisecond)
	for i, v := range two.numbers() {
		require.Equal(t, uint64(i), v)
	}
	require.Greater(t, two.clock.Peek(), one.clock.Peek().Add(-time.Second))
	require.NoError(t, one.g.Send(9, Raft, number(1)), "a store without address costs nobody anything")
}

func TestGRPCReconnects(t *testing.T) {
	b := newBook()
	one, two := newEnd(t, b, 1, "c", "127.0.0.1:0"), newEnd(t, b, 2, "c", "127.0.0.1:0")
	arrives := func(e *end, v uint64) {
		t.Helper()
		require.Eventually(t, func() bool {
			_ = one.g.Send(2, Liveness, number(v)) // as the one who waits would send again
			got := e.numbers()
			return len(got) > 0 && got[len(got)-1] == v
		}, 15*time.Second, 20*time.Millisecond)
	}
	arrives(two, 1)
	two.close()
	again := newEnd(t, b, 2, "c", two.addr)
	arrives(again, 2)
	// And at another address.
	again.close()
	moved := newEnd(t, b, 2, "c", "127.0.0.1:0")
	arrives(moved, 3)
}

func TestGRPCImage(t *testing.T) {
	b := newBook()
	one, two := newEnd(t, b, 1, "c", "127.0.0.1:0"), newEnd(t, b, 2, "c", "127.0.0.1:0")
	var received strings.Builder
	two.stream = func(_ context.Context, from keys.StoreID, s Stream) error {
		if from != 1 {
			return fmt.Errorf("from %s", from)
		}
		for {
			chunk, err := s.Recv()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if string(chunk) == "bad" {
				return errors.New("damaged")
			}
			received.Write(chunk)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s, err := one.g.OpenStream(ctx, 2)
	require.NoError(t, err)
	var want strings.Builder
	chunk := make([]byte, 100<<10)
	for i := range 30 {
		for j := range chunk {
			chunk[j] = byte(i + j)
		}
		want.Write(chunk)
		require.NoError(t, s.Send(chunk))
	}
	require.NoError(t, s.CloseSend())
	_, err = s.Recv()
	require.ErrorIs(t, err, io.EOF, "the end comes when the other side has returned")
	require.True(t, want.String() == received.String())

	// The reason for a refusal reaches the sender.
	s, err = one.g.OpenStream(ctx, 2)
	require.NoError(t, err)
	require.NoError(t, s.Send([]byte("bad")))
	_, err = s.Recv()
	require.ErrorContains(t, err, "damaged")

	// A stream ends with its context.
	started := make(chan struct{})
	ended := make(chan error, 1)
	two.stream = func(ctx context.Context, _ keys.StoreID, s Stream) error {
		close(started)
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}
	streamCtx, stop := context.WithCancel(ctx)
	_, err = one.g.OpenStream(streamCtx, 2)
	require.NoError(t, err)
	<-started
	stop()
	require.Error(t, <-ended)
}

func TestGRPCRefusesStrangers(t *testing.T) {
	b := newBook()
	two := newEnd(t, b, 2, "c", "127.0.0.1:0")
	two.stream = func(context.Context, keys.StoreID, Stream) error { return errors.New("served") }
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, test := range []struct {
		name    string
		cluster string
		to      keys.StoreID
		code    codes.Code
	}{
		{"another cluster", "other", 2, codes.FailedPrecondition},
		{"another store", "c", 3, codes.FailedPrecondition},
		{"the right one", "c", 2, codes.Aborted},
	} {
		t.Run(test.name, func(t *testing.T) {
			elsewhere := newBook()
			elsewhere.addrs[test.to] = two.addr
			g := NewGRPC(GRPCConfig{Store: 1, Clock: hlc.NewClock(hlc.WallSource, 0), Resolve: elsewhere.resolve, Cluster: test.cluster})
			defer g.Close()
			s, err := g.OpenStream(ctx, test.to)
			if err == nil {
				_, err = s.Recv()
			}
			require.Equal(t, test.code, status.Code(err), "%v", err)
			require.NoError(t, g.Send(test.to, Raft, number(1)))
		})
	}
	// Without saying who it is.
	cc, err := grpc.NewClient("passthrough:///"+two.addr, grpc.WithTransportCredentials(NewGRPC(GRPCConfig{}).cfg.Credentials))
	require.NoError(t, err)
	defer cc.Close()
	st, err := cc.NewStream(metadata.AppendToOutgoingContext(ctx, metaTo, "2", metaCluster, "c"), &framesStream, framesMethod, grpc.CallContentSubtype(codecName))
	require.NoError(t, err)
	var buf []byte
	require.Equal(t, codes.InvalidArgument, status.Code(st.RecvMsg(&buf)))
}

func TestGRPCFarClockIsRefused(t *testing.T) {
	b := newBook()
	one, two := newEnd(t, b, 1, "c", "127.0.0.1:0"), newEnd(t, b, 2, "c", "127.0.0.1:0")
	far := one.clock.Now().Add(time.Hour)
	one.clock.Update(far)
	require.NoError(t, one.g.Send(2, Raft, number(1)))
	require.NoError(t, two.g.Send(1, Raft, number(2)))
	require.Eventually(t, func() bool { return len(one.numbers()) == 1 }, 10*time.Second, time.Millisecond)
	require.Empty(t, two.numbers())
	require.Less(t, two.clock.Peek(), far)
}

// TestGRPCCloseLeaksNothing: no goroutine of the transport outlives Close, even if
// the other end is gone or silent.
func TestGRPCCloseLeaksNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 3 {
		b := newBook()
		one, two := newEnd(t, b, 1, "c", "127.0.0.1:0"), newEnd(t, b, 2, "c", "127.0.0.1:0")
		silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts and says nothing
		require.NoError(t, err)
		b.addrs[3] = silent.Addr().String()
		require.NoError(t, one.g.Send(2, Raft, number(1)))
		require.NoError(t, one.g.Send(3, Raft, number(1)))
		require.NoError(t, two.g.Send(1, Liveness, number(1)))
		require.Eventually(t, func() bool { return len(two.numbers()) == 1 && len(one.numbers()) == 1 }, 10*time.Second, time.Millisecond)
		one.close()
		require.ErrorIs(t, one.g.Send(2, Raft, number(1)), ErrClosed)
		two.close()
		require.NoError(t, silent.Close())
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+2 }, 10*time.Second, 10*time.Millisecond)
}

func FuzzFrame(f *testing.F) {
	b := appendFrameHeader(nil, Raft, 1, 2)
	b = appendMessage(b, number(5))
	b = appendMessage(b, number(6))
	stampFrame(b, 77)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		fr, err := decodeFrame(b)
		if err != nil {
			return
		}
		_ = fr.Class.String()
		for _, ok := fr.Next(); ok; _, ok = fr.Next() {
		}
	})
}
