package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/liveness"
	"github.com/spanlite/spanlite/kv/storage"
	"github.com/spanlite/spanlite/kv/store"
)

// ServiceConfig configures a Service.
type ServiceConfig struct {
	// Clock is the node's clock. Required.
	Clock *hlc.Clock
	// Codec decodes row filters and errors of higher layers.
	Codec kv.Codec
	// MaxInFlight bounds the requests of one stream that are being executed; more
	// are refused. Default 8192: waiting for a lock takes a place.
	MaxInFlight int
	// MaxClockJump bounds how far a peer may move this node's clock past its own
	// physical time; a frame beyond it ends the stream. Default 10 s.
	MaxClockJump time.Duration
}

// Service answers other nodes. It may be registered before its store exists:
// until SetStore, batches and most calls get ErrNotReady.
type Service struct {
	cfg   ServiceConfig
	store atomic.Pointer[Backend]

	mu       sync.RWMutex
	handlers map[string]Handler
	requests atomic.Uint64
}

// Backend is what the service answers with; *store.Store is one.
type Backend interface {
	kv.Sender
	Identity() storage.Identity
	FirstRange() *kv.RangeDescriptor
	Admin(ctx context.Context, req *store.AdminRequest) (*store.AdminReply, error)
	Admit(ctx context.Context, rec liveness.Record) (storage.Identity, []liveness.Record, error)
}

var _ Backend = (*store.Store)(nil)

// Handler serves a call. Its error crosses the wire as package kv's errors do.
type Handler func(ctx context.Context, payload []byte) ([]byte, error)

// NewService returns a Service; register it with Register.
func NewService(cfg ServiceConfig) *Service {
	if cfg.MaxInFlight == 0 {
		cfg.MaxInFlight = 8192
	}
	if cfg.MaxClockJump == 0 {
		cfg.MaxClockJump = 10 * time.Second
	}
	return &Service{cfg: cfg, handlers: make(map[string]Handler)}
}

// SetStore makes the service serve; nil ends that.
func (s *Service) SetStore(b Backend) {
	if b == nil {
		s.store.Store(nil)
		return
	}
	s.store.Store(&b)
}

// backend returns the store, nil before SetStore.
func (s *Service) backend() Backend {
	if p := s.store.Load(); p != nil {
		return *p
	}
	return nil
}

// Handle registers a call of the server's own. Names of this package are taken.
func (s *Service) Handle(name string, h Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handlers[name] = h
}

// Register adds the service to a gRPC server made with ServerOptions.
func (s *Service) Register(g grpc.ServiceRegistrar) { g.RegisterService(&serviceDesc, s) }

// ServerOptions are what a gRPC server needs for this service besides
// credentials.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage),
		grpc.InitialWindowSize(1 << 20), grpc.InitialConnWindowSize(4 << 20),
		// Nodes ping each other every ten seconds; by default gRPC takes more than
		// one ping in five minutes for an attack and closes the connection.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
	}
}

const serviceName = "spanlite.KV"

// serviceServer is what gRPC checks a service against.
type serviceServer interface {
	batches(grpc.ServerStream) error
	call(context.Context, *message) (*message, error)
}

var serviceDesc = grpc.ServiceDesc{
	ServiceName: serviceName,
	HandlerType: (*serviceServer)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: "Call",
		Handler: func(srv any, ctx context.Context, dec func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
			in := new(message)
			if err := dec(in); err != nil {
				return nil, err
			}
			if interceptor == nil {
				return srv.(serviceServer).call(ctx, in)
			}
			info := &grpc.UnaryServerInfo{Server: srv, FullMethod: "/" + serviceName + "/Call"}
			return interceptor(ctx, in, info, func(ctx context.Context, req any) (any, error) {
				return srv.(serviceServer).call(ctx, req.(*message))
			})
		},
	}},
	Streams: []grpc.StreamDesc{{
		StreamName:    "Batches",
		Handler:       func(srv any, st grpc.ServerStream) error { return srv.(serviceServer).batches(st) },
		ServerStreams: true,
		ClientStreams: true,
	}},
}

// The metadata of streams and calls.
const (
	metaCluster = "spanlite-cluster" // hex; absent for a node that wants to join
	metaTo      = "spanlite-to"      // node id; absent if only the address is known
	metaFrom    = "spanlite-from"    // node id
)

// admit refuses who means another node or cluster.
func (s *Service) admit(ctx context.Context, needStore bool) error {
	st := s.backend()
	if st == nil {
		if needStore {
			return status.Error(codes.Unavailable, ErrNotReady.Error())
		}
		return nil
	}
	md, _ := metadata.FromIncomingContext(ctx)
	id := st.Identity()
	if v := md.Get(metaCluster); len(v) > 0 && v[0] != id.Cluster.String() {
		return status.Errorf(codes.FailedPrecondition, "this node belongs to cluster %s, not %s", id.Cluster, v[0])
	}
	if v := md.Get(metaTo); len(v) > 0 && v[0] != strconv.FormatUint(uint64(id.Node), 10) {
		return status.Errorf(codes.FailedPrecondition, "this is %s, not n%s", id.Node, v[0])
	}
	return nil
}

func outgoing(ctx context.Context, id storage.Identity, to keys.NodeID) context.Context {
	var kv []string
	if id.Cluster != (storage.ClusterID{}) {
		kv = append(kv, metaCluster, id.Cluster.String(), metaFrom, strconv.FormatUint(uint64(id.Node), 10))
	}
	if to != 0 {
		kv = append(kv, metaTo, strconv.FormatUint(uint64(to), 10))
	}
	return metadata.AppendToOutgoingContext(ctx, kv...)
}

func (s *Service) call(ctx context.Context, in *message) (*message, error) {
	if err := s.admit(ctx, false); err != nil {
		return nil, err
	}
	name, payload, err := decodeCall(in.b)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	s.mu.RLock()
	h := s.handlers[name]
	s.mu.RUnlock()
	var out []byte
	if h != nil {
		out, err = h(ctx, payload)
	} else {
		out, err = s.handleBuiltin(ctx, name, payload)
	}
	return &message{encodeResult(s.cfg.Codec, out, err)}, nil
}

// serverStream is one connected peer and class.
type serverStream struct {
	s  *Service
	st Backend
	w  *writer

	mu      sync.Mutex
	cancels map[uint64]context.CancelFunc
}

// batches serves a stream until the peer or the server ends it. It returns after
// the last request is done: the server waits for its handlers at the end.
func (s *Service) batches(g grpc.ServerStream) error {
	if err := s.admit(g.Context(), true); err != nil {
		return err
	}
	ss := &serverStream{s: s, st: s.backend(), cancels: make(map[uint64]context.CancelFunc)}
	if ss.st == nil {
		return status.Error(codes.Unavailable, ErrNotReady.Error())
	}
	// The peer waits for this before it sends requests.
	if err := g.SendHeader(nil); err != nil {
		return err
	}
	ss.w = newWriter(s.cfg.Clock, func(b []byte) error { return g.SendMsg(&message{b}) })
	ctx, cancel := context.WithCancel(g.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	defer ss.w.fail(errors.New("rpc: stream ended"))
	for {
		var m message
		if err := g.RecvMsg(&m); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		err := readFrame(m.b, s.forward, func(r record) error {
			switch r.kind {
			case recordRequest:
				ss.request(ctx, &wg, r)
			case recordCancel:
				ss.cancel(r.id)
			case recordPing:
				_, err := ss.w.add(recordPong, r.id, 0, nil)
				return err
			default:
				return errFrame
			}
			return nil
		})
		if err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
	}
}

// forward moves the clock to a peer's reading, unless that is absurd: following
// it would spread one broken clock over the cluster.
func (s *Service) forward(ts hlc.Timestamp) error {
	return forward(s.cfg.Clock, s.cfg.MaxClockJump, ts)
}

func forward(c *hlc.Clock, maxJump time.Duration, ts hlc.Timestamp) error {
	if ahead := time.Duration(ts.Micros()-c.Physical()) * time.Microsecond; ahead > maxJump {
		return fmt.Errorf("rpc: the peer's clock is %s ahead", ahead)
	}
	c.Update(ts)
	return nil
}

// served is the memory of one request, reused.
type served struct{ batch kv.Batch }

var servedPool = sync.Pool{New: func() any { return new(served) }}

// request starts a request on a goroutine of its own: it may wait for a lock.
func (ss *serverStream) request(ctx context.Context, wg *sync.WaitGroup, r record) {
	var cancel context.CancelFunc
	if r.arg != 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(min(r.arg, 1<<50))*time.Microsecond)
	} else {
		ctx, cancel = context.WithCancel(ctx)
	}
	ss.mu.Lock()
	full := len(ss.cancels) >= ss.s.cfg.MaxInFlight
	if !full {
		ss.cancels[r.id] = cancel
	}
	ss.mu.Unlock()
	if full {
		cancel()
		var b kv.Batch
		ss.reply(r.id, &b, &kv.UnavailableError{Cause: errors.New("too many requests in flight")})
		return
	}
	wg.Go(func() {
		defer cancel()
		q := servedPool.Get().(*served)
		b := &q.batch
		err := ss.s.cfg.Codec.DecodeBatch(r.payload, b)
		if err == nil {
			ss.s.requests.Add(1)
			err = ss.st.Send(ctx, b)
		}
		b.Now = max(b.Now, ss.s.cfg.Clock.Peek())
		ss.cancel(r.id)
		ss.reply(r.id, b, err)
		q.release()
	})
}

// release keeps the memory for the next request, without what it referred to.
func (q *served) release() {
	for i := range q.batch.Ops {
		rows := q.batch.Ops[i].Rows
		if rows != nil && cap(rows.Buf) > 256<<10 {
			rows = nil
		}
		q.batch.Ops[i] = kv.Op{Rows: rows}
	}
	q.batch.Header = kv.Header{}
	if cap(q.batch.Ops) > 256 {
		q.batch.Ops = nil
	}
	servedPool.Put(q)
}

func (ss *serverStream) cancel(id uint64) {
	ss.mu.Lock()
	cancel := ss.cancels[id]
	delete(ss.cancels, id)
	ss.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

func (ss *serverStream) reply(id uint64, b *kv.Batch, err error) {
	// If the stream has ended nobody waits for the reply.
	_, _ = ss.w.add(recordReply, id, 0, func(dst []byte) []byte { return ss.s.cfg.Codec.AppendReply(dst, b, err) })
}
