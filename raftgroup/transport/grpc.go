package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// GRPCConfig configures a GRPC transport.
type GRPCConfig struct {
	// Store is this store; see Identify.
	Store keys.StoreID
	// Clock stamps frames and follows those received. Required.
	Clock *hlc.Clock
	// Resolve returns the address of a store. Required.
	Resolve func(keys.StoreID) (addr string, ok bool)
	// Cluster keeps the stores of different clusters apart: a stream of another
	// cluster is refused.
	Cluster string
	// Credentials secure the connections; nil: none.
	Credentials credentials.TransportCredentials
	// Dial makes the connections; nil: gRPC's own dialer, over TCP.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	// QueueBytes bounds what waits for one store, liveness apart, which is bounded by
	// 1 MB; as much again may be on its way. Default 16 MB.
	QueueBytes int
	// SilentAfter is for how long a store may be silent before its connections are
	// made anew: after a partition TCP itself may take much longer to notice.
	// Default 4 s.
	SilentAfter time.Duration
	// MaxClockJump bounds how far a frame may move the clock past this node's
	// physical time; a frame beyond it ends the stream. Default 10 s.
	MaxClockJump time.Duration
}

// GRPC carries messages between nodes over gRPC streams: one per store and
// class, and one per image. Each class has a connection of its own, and images have
// another, so that heartbeats never wait behind what is larger. Register it with
// the node's server before Start.
type GRPC struct {
	cfg     GRPCConfig
	handler atomic.Pointer[Handler]

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	closed bool
	peers  map[queueKey]*peer
	conns  map[queueKey]*grpcConn
	// heard is when each store last said something (Unix ns).
	heard map[keys.StoreID]*atomic.Int64

	stats struct{ messages, frames, bytes, dropped, lost atomic.Int64 }
}

var _ Transport = (*GRPC)(nil)

type grpcConn struct {
	addr string
	cc   *grpc.ClientConn
}

// peer is the queue of one store and class with the goroutine that empties it.
type peer struct {
	limit  int
	mu     sync.Mutex
	frame  []byte
	signal chan struct{}
	// queued is len(frame); sending is since when a frame has been under way (Unix
	// ns), 0 if none is.
	queued, sending atomic.Int64
}

// images is the class of connections for images.
const images = numClasses

// NewGRPC returns a transport that does nothing before Start.
func NewGRPC(cfg GRPCConfig) *GRPC {
	if cfg.QueueBytes == 0 {
		cfg.QueueBytes = 16 << 20
	}
	if cfg.SilentAfter == 0 {
		cfg.SilentAfter = 4 * time.Second
	}
	if cfg.MaxClockJump == 0 {
		cfg.MaxClockJump = 10 * time.Second
	}
	if cfg.Credentials == nil {
		cfg.Credentials = insecure.NewCredentials()
	}
	t := &GRPC{cfg: cfg, peers: map[queueKey]*peer{}, conns: map[queueKey]*grpcConn{}, heard: map[keys.StoreID]*atomic.Int64{}}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

// Identify tells the transport which store of which cluster it serves, if that
// was not known to NewGRPC. Before Start.
func (t *GRPC) Identify(store keys.StoreID, cluster string) {
	t.cfg.Store, t.cfg.Cluster = store, cluster
}

// codecName is the gRPC content subtype of raft traffic: bytes as they are.
const codecName = "spanlite-raft"

type bytesCodec struct{}

func (bytesCodec) Name() string { return codecName }

func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.(*[]byte)
	if !ok {
		return nil, fmt.Errorf("transport: cannot marshal %T", v)
	}
	// gRPC goes on reading after SendMsg has returned.
	return mem.BufferSlice{mem.Copy(*b, mem.DefaultBufferPool())}, nil
}

func (bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("transport: cannot unmarshal %T", v)
	}
	*b = data.Materialize()
	return nil
}

// gRPC's registry may only be written to during initialisation.
func init() { encoding.RegisterCodecV2(bytesCodec{}) }

const (
	serviceName  = "spanlite.Raft"
	framesMethod = "/" + serviceName + "/Frames"
	imageMethod  = "/" + serviceName + "/Image"
)

var (
	framesStream = grpc.StreamDesc{StreamName: "Frames", ClientStreams: true, ServerStreams: true}
	imageStream  = grpc.StreamDesc{StreamName: "Image", ClientStreams: true, ServerStreams: true}
)

type raftService interface {
	frames(grpc.ServerStream) error
	image(grpc.ServerStream) error
}

// The description is written by hand: the messages are frames, not protobuf.
var serviceDesc = grpc.ServiceDesc{
	ServiceName: serviceName,
	HandlerType: (*raftService)(nil),
	Streams: []grpc.StreamDesc{
		{StreamName: "Frames", ClientStreams: true, ServerStreams: true,
			Handler: func(s any, st grpc.ServerStream) error { return s.(raftService).frames(st) }},
		{StreamName: "Image", ClientStreams: true, ServerStreams: true,
			Handler: func(s any, st grpc.ServerStream) error { return s.(raftService).image(st) }},
	},
}

// Register adds the transport's service to a server.
func (t *GRPC) Register(s grpc.ServiceRegistrar) { s.RegisterService(&serviceDesc, t) }

// Start implements Transport.
func (t *GRPC) Start(h Handler) error {
	t.handler.Store(&h)
	return nil
}

// The metadata of every stream.
const (
	metaFrom    = "spanlite-from"
	metaTo      = "spanlite-to"
	metaCluster = "spanlite-cluster"
)

// admit checks who opens a stream.
func (t *GRPC) admit(ctx context.Context) (keys.StoreID, *Handler, error) {
	h := t.handler.Load()
	if h == nil {
		return 0, nil, status.Error(codes.Unavailable, "store is starting")
	}
	md, _ := metadata.FromIncomingContext(ctx)
	one := func(key string) string {
		if v := md.Get(key); len(v) == 1 {
			return v[0]
		}
		return ""
	}
	from, err := strconv.ParseUint(one(metaFrom), 10, 32)
	if err != nil || from == 0 {
		return 0, nil, status.Error(codes.InvalidArgument, "no sending store")
	}
	if to := one(metaTo); to != strconv.FormatUint(uint64(t.cfg.Store), 10) {
		return 0, nil, status.Errorf(codes.FailedPrecondition, "this is store %d, not %s", t.cfg.Store, to)
	}
	if one(metaCluster) != t.cfg.Cluster {
		return 0, nil, status.Error(codes.FailedPrecondition, "store of another cluster")
	}
	return keys.StoreID(from), h, nil
}

func (t *GRPC) outgoing(ctx context.Context, to keys.StoreID) context.Context {
	return metadata.AppendToOutgoingContext(ctx, metaFrom, strconv.FormatUint(uint64(t.cfg.Store), 10),
		metaTo, strconv.FormatUint(uint64(to), 10), metaCluster, t.cfg.Cluster)
}

// enter counts a handler at work; Close waits for it.
func (t *GRPC) enter() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.wg.Add(1)
	return true
}

// frames serves an incoming stream of frames.
func (t *GRPC) frames(st grpc.ServerStream) error {
	from, h, err := t.admit(st.Context())
	if err != nil {
		return err
	}
	if !t.enter() {
		return status.Error(codes.Unavailable, "store is closing")
	}
	defer t.wg.Done()
	if err := st.SendHeader(nil); err != nil {
		return err
	}
	received := make(chan []byte)
	failed := make(chan error, 1)
	go func() {
		// RecvMsg ends when this handler returns, which ends the stream.
		for {
			var b []byte
			if err := st.RecvMsg(&b); err != nil {
				failed <- err
				return
			}
			select {
			case received <- b:
			case <-st.Context().Done():
				return
			case <-t.ctx.Done():
				return
			}
		}
	}()
	heard := t.heardFrom(from)
	for {
		select {
		case <-t.ctx.Done():
			return status.Error(codes.Unavailable, "store is closing")
		case err := <-failed:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case b := <-received:
			f, err := decodeFrame(b)
			if err != nil || f.From != from || f.To != t.cfg.Store {
				return status.Error(codes.InvalidArgument, "bad frame")
			}
			if f.Time.Micros() > t.cfg.Clock.Physical()+t.cfg.MaxClockJump.Microseconds() {
				return status.Errorf(codes.FailedPrecondition, "clock of %s is %s ahead", from, time.Duration(f.Time.Micros()-t.cfg.Clock.Physical())*time.Microsecond)
			}
			t.cfg.Clock.Update(f.Time)
			heard.Store(time.Now().UnixNano())
			h.Frame(&f)
		}
	}
}

func (t *GRPC) heardFrom(id keys.StoreID) *atomic.Int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.heard[id]
	if h == nil {
		h = &atomic.Int64{}
		h.Store(time.Now().UnixNano())
		t.heard[id] = h
	}
	return h
}

// image serves an incoming image.
func (t *GRPC) image(st grpc.ServerStream) error {
	from, h, err := t.admit(st.Context())
	if err != nil {
		return err
	}
	if !t.enter() {
		return status.Error(codes.Unavailable, "store is closing")
	}
	defer t.wg.Done()
	ctx, cancel := context.WithCancel(st.Context())
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()
	if err := h.Stream(ctx, from, serverStream{st}); err != nil {
		return status.Error(codes.Aborted, err.Error())
	}
	return nil
}

// Send implements Transport.
func (t *GRPC) Send(to keys.StoreID, class Class, m Message) error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return ErrClosed
	}
	p := t.peers[queueKey{to, class}]
	if p == nil {
		p = &peer{signal: make(chan struct{}, 1), limit: t.cfg.QueueBytes}
		if class == Liveness {
			p.limit = min(p.limit, livenessQueue)
		}
		t.peers[queueKey{to, class}] = p
		t.wg.Add(1)
		go t.pump(p, to, class)
	}
	t.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.frame) > 0 && len(p.frame)+m.Size() > p.limit {
		t.stats.dropped.Add(1)
		return ErrQueueFull
	}
	if len(p.frame) == 0 {
		p.frame = appendFrameHeader(p.frame[:0], class, t.cfg.Store, to)
	}
	p.frame = appendMessage(p.frame, m)
	p.queued.Store(int64(len(p.frame)))
	t.stats.messages.Add(1)
	select {
	case p.signal <- struct{}{}:
	default:
	}
	return nil
}

// pump sends what is queued for one store and class.
func (t *GRPC) pump(p *peer, to keys.StoreID, class Class) {
	defer t.wg.Done()
	var st grpc.ClientStream
	var cancel context.CancelFunc = func() {}
	defer func() { cancel() }()
	var spare []byte
	var retryAt time.Time
	heard := t.heardFrom(to)
	var openedAt time.Time
	for {
		select {
		case <-p.signal:
		case <-t.ctx.Done():
			return
		}
		p.mu.Lock()
		frame := p.frame
		p.frame = spare[:0]
		p.queued.Store(0)
		p.mu.Unlock()
		spare = frame
		if len(frame) == 0 {
			continue
		}
		now := time.Now()
		if st != nil && now.Sub(openedAt) > t.cfg.SilentAfter && now.UnixNano()-heard.Load() > int64(t.cfg.SilentAfter) {
			// Nothing has come back for long: try a new connection.
			cancel()
			st = nil
			t.drop(to)
		}
		if st == nil {
			if now.Before(retryAt) {
				t.stats.lost.Add(1)
				continue // what matters is sent again
			}
			var err error
			if st, cancel, err = t.open(to, class); err != nil {
				st, cancel = nil, func() {}
				retryAt = now.Add(retryPause)
				t.stats.lost.Add(1)
				t.unreachable(to, class)
				continue
			}
			openedAt = now
		}
		stampFrame(frame, t.cfg.Clock.Now())
		p.sending.Store(now.UnixNano())
		err := st.SendMsg(&frame)
		p.sending.Store(0)
		t.stats.frames.Add(1)
		t.stats.bytes.Add(int64(len(frame)))
		if err != nil {
			t.stats.lost.Add(1)
			cancel()
			st, cancel = nil, func() {}
			retryAt = now.Add(retryPause)
			t.unreachable(to, class)
		}
		if cap(spare) > 1<<20 {
			spare = nil
		}
	}
}

// openTimeout bounds the opening of a stream of frames.
const openTimeout = 3 * time.Second

// retryPause is the least time between two attempts to open a stream.
const retryPause = 100 * time.Millisecond

func (t *GRPC) unreachable(to keys.StoreID, class Class) {
	if h := t.handler.Load(); h != nil && h.Unreachable != nil {
		h.Unreachable(to, class)
	}
}

// open opens a stream of frames. The other end never speaks on it.
func (t *GRPC) open(to keys.StoreID, class Class) (grpc.ClientStream, context.CancelFunc, error) {
	cc, err := t.conn(to, class)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(t.outgoing(t.ctx, to))
	// The deadline is for the opening alone, not for the stream's life.
	timer := time.AfterFunc(openTimeout, cancel)
	st, err := cc.NewStream(ctx, &framesStream, framesMethod, grpc.CallContentSubtype(codecName))
	if err == nil {
		// Once the other side has admitted the stream, gRPC no longer tries it again by
		// itself, which would block senders.
		var header metadata.MD
		if header, err = st.Header(); err == nil && header == nil {
			err = ErrUnreachable
		}
	}
	if !timer.Stop() && err == nil {
		err = ErrUnreachable
	}
	if err != nil {
		cancel()
		return nil, nil, err
	}
	t.wg.Add(1)
	go func() {
		defer t.wg.Done()
		// A stream that the other side has ended fails the next SendMsg only if
		// somebody reads its end.
		var b []byte
		_ = st.RecvMsg(&b)
		cancel()
	}()
	return st, cancel, nil
}

// conn returns the connection to a store for a class, at its present address.
func (t *GRPC) conn(to keys.StoreID, class Class) (*grpc.ClientConn, error) {
	key := queueKey{to, class}
	addr, ok := t.cfg.Resolve(to)
	if !ok {
		return nil, ErrNoAddress
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, ErrClosed
	}
	if c := t.conns[key]; c != nil {
		if c.addr == addr {
			return c.cc, nil
		}
		c.cc.Close()
		delete(t.conns, key)
	}
	b := backoff.DefaultConfig
	b.BaseDelay, b.MaxDelay = 50*time.Millisecond, time.Second
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(t.cfg.Credentials),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: b, MinConnectTimeout: 3 * time.Second}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 3 * time.Second}),
		grpc.WithInitialWindowSize(1 << 20), grpc.WithInitialConnWindowSize(4 << 20),
		grpc.WithIdleTimeout(0), grpc.WithNoProxy(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(2*MaxMessageSize), grpc.MaxCallSendMsgSize(2*MaxMessageSize)),
	}
	if t.cfg.Dial != nil {
		opts = append(opts, grpc.WithContextDialer(t.cfg.Dial))
	}
	cc, err := grpc.NewClient("passthrough:///"+addr, opts...)
	if err != nil {
		return nil, err
	}
	t.conns[key] = &grpcConn{addr: addr, cc: cc}
	return cc, nil
}

// drop closes all connections to a store; the next use makes new ones.
func (t *GRPC) drop(to keys.StoreID) {
	var dropped []*grpcConn
	t.mu.Lock()
	for key, c := range t.conns {
		if key.to == to {
			dropped = append(dropped, c)
			delete(t.conns, key)
		}
	}
	t.mu.Unlock()
	for _, c := range dropped {
		c.cc.Close()
	}
}

// OpenStream implements Transport.
func (t *GRPC) OpenStream(ctx context.Context, to keys.StoreID) (Stream, error) {
	cc, err := t.conn(to, images)
	if err != nil {
		return nil, err
	}
	st, err := cc.NewStream(t.outgoing(ctx, to), &imageStream, imageMethod, grpc.CallContentSubtype(codecName))
	if err != nil {
		return nil, err
	}
	return clientStream{st}, nil
}

// livenessQueue bounds the heartbeats that wait for one store.
const livenessQueue = 1 << 20

// slowAfter is how long a frame may be under way before a store counts as slow.
const slowAfter = time.Second

// Stats returns the transport's figures.
func (t *GRPC) Stats() Stats {
	s := Stats{
		Messages: t.stats.messages.Load(), Frames: t.stats.frames.Load(), Bytes: t.stats.bytes.Load(),
		Dropped: t.stats.dropped.Load(), FramesLost: t.stats.lost.Load(),
	}
	now := time.Now().UnixNano()
	slow := map[keys.StoreID]bool{}
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, p := range t.peers {
		queued := p.queued.Load()
		s.QueuedBytes += queued
		if since := p.sending.Load(); since != 0 && now-since > int64(slowAfter) || queued > int64(p.limit)/2 {
			slow[key.to] = true
		}
	}
	s.SlowPeers = int64(len(slow))
	return s
}

// Close implements Transport. The gRPC server itself is the caller's.
func (t *GRPC) Close() error {
	t.mu.Lock()
	t.closed = true
	conns := t.conns
	t.conns = map[queueKey]*grpcConn{}
	t.mu.Unlock()
	t.cancel()
	for _, c := range conns {
		c.cc.Close()
	}
	t.wg.Wait()
	return nil
}

type clientStream struct{ grpc.ClientStream }

// Send implements Stream.
func (s clientStream) Send(chunk []byte) error {
	err := s.SendMsg(&chunk)
	if errors.Is(err, io.EOF) {
		// The reason comes with the status.
		var b []byte
		if err := s.RecvMsg(&b); err != nil {
			return err
		}
	}
	return err
}

// Recv implements Stream.
func (s clientStream) Recv() ([]byte, error) {
	var b []byte
	err := s.RecvMsg(&b)
	return b, err
}

type serverStream struct{ grpc.ServerStream }

// Send implements Stream.
func (s serverStream) Send(chunk []byte) error { return s.SendMsg(&chunk) }

// Recv implements Stream.
func (s serverStream) Recv() ([]byte, error) {
	var b []byte
	err := s.RecvMsg(&b)
	return b, err
}

// CloseSend implements Stream.
func (s serverStream) CloseSend() error { return nil }
