package rpc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/dist"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/storage"
	"github.com/spanlite/spanlite/kv/store"
)

// Class is a traffic class. Classes have connections of their own, so that large
// answers do not hold up small ones.
type Class uint8

// The classes.
const (
	// ClassMeta: range 1 (directory, node records), calls.
	ClassMeta Class = iota
	// ClassKV: everything else.
	ClassKV
	numClasses
)

// Config configures a Dialer.
type Config struct {
	// Clock is the node's clock. Required.
	Clock *hlc.Clock
	// Identity returns who calls; the zero Identity before the node has joined.
	// Required.
	Identity func() storage.Identity
	// Resolve returns a node's address: liveness.Registry.NodeAddr. Required.
	Resolve func(keys.NodeID) (addr string, ok bool)
	// Credentials secure the connections; nil: none (loopback, --insecure).
	Credentials credentials.TransportCredentials
	// Codec carries errors and row filters of higher layers.
	Codec kv.Codec
	// Dial makes the connections; nil: gRPC's own dialer, over TCP.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	// Options are further options, for tests.
	Options []grpc.DialOption

	// ConnectTimeout bounds the making of a connection. Default 3 s.
	ConnectTimeout time.Duration
	// SilentAfter is for how long nothing may arrive on a stream on which requests
	// wait. Default 4 s.
	SilentAfter time.Duration
	// CallTimeout bounds calls whose context has no deadline. Default 30 s.
	CallTimeout time.Duration
	// OffsetInterval is how often the clocks of connected nodes are read. Default
	// 2 s; negative: never.
	OffsetInterval time.Duration
	// MaxClockJump: see ServiceConfig.
	MaxClockJump time.Duration
}

func (c Config) withDefaults() Config {
	def(&c.ConnectTimeout, 3*time.Second)
	def(&c.SilentAfter, 4*time.Second)
	def(&c.CallTimeout, 30*time.Second)
	def(&c.OffsetInterval, 2*time.Second)
	def(&c.MaxClockJump, 10*time.Second)
	if c.Credentials == nil {
		c.Credentials = insecure.NewCredentials()
	}
	return c
}

func def(v *time.Duration, d time.Duration) {
	if *v == 0 {
		*v = d
	}
}

// ErrClosed: the Dialer is closed.
var ErrClosed = errors.New("rpc: closed")

// Dialer is a node's way to the others. Safe for concurrent use.
type Dialer struct {
	cfg    Config
	ctx    context.Context // ends with Close; parent of all streams
	cancel context.CancelFunc
	wg     sync.WaitGroup // readers, openers, the monitor

	mu struct {
		sync.Mutex
		conns   map[connKey]*conn
		offsets map[keys.NodeID]Offset
		closed  bool
	}

	metrics DialerMetrics
}

// DialerMetrics are live counters.
type DialerMetrics struct {
	Requests, Calls, Streams, BrokenStreams atomic.Uint64
}

type connKey struct {
	node  keys.NodeID
	class Class
}

var (
	_ dist.Transport = (*Dialer)(nil)
	_ store.Peers    = (*Dialer)(nil)
)

// NewDialer returns a Dialer. Close it.
func NewDialer(cfg Config) *Dialer {
	d := &Dialer{cfg: cfg.withDefaults()}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.mu.conns = make(map[connKey]*conn)
	d.mu.offsets = make(map[keys.NodeID]Offset)
	d.wg.Go(d.monitor)
	return d
}

// Metrics returns the live counters.
func (d *Dialer) Metrics() *DialerMetrics { return &d.metrics }

// Close ends all connections and waits for the Dialer's goroutines. Requests under
// way fail.
func (d *Dialer) Close() error {
	d.mu.Lock()
	d.mu.closed = true
	conns := d.mu.conns
	d.mu.conns = make(map[connKey]*conn)
	d.mu.Unlock()
	d.cancel()
	for _, c := range conns {
		c.close(ErrClosed)
	}
	d.wg.Wait()
	return nil
}

// conn returns the connection to a node, made anew if the node has moved.
func (d *Dialer) conn(node keys.NodeID, class Class) (*conn, error) {
	addr, ok := d.cfg.Resolve(node)
	if !ok {
		return nil, fmt.Errorf("rpc: the address of %s is not known", node)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.closed {
		return nil, ErrClosed
	}
	k := connKey{node, class}
	c := d.mu.conns[k]
	if c != nil && c.addr == addr && !c.broken.Load() {
		return c, nil
	}
	if c != nil {
		defer c.close(errors.New("rpc: connection replaced"))
	}
	cc, err := d.dial(addr)
	if err != nil {
		return nil, err
	}
	c = &conn{d: d, node: node, addr: addr, cc: cc}
	d.mu.conns[k] = c
	return c, nil
}

// Suspect says that a node seems to be dead: requests that wait for it in silence
// fail soon, unless they have just been sent, instead of after SilentAfter. It does
// not block.
func (d *Dialer) Suspect(node keys.NodeID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.closed {
		return
	}
	for k, c := range d.mu.conns {
		if k.node == node {
			d.wg.Go(func() { c.watch(time.Now(), d.cfg.SilentAfter/4) })
		}
	}
}

// dial prepares a connection; it is made with the first use.
func (d *Dialer) dial(addr string) (*grpc.ClientConn, error) {
	b := backoff.DefaultConfig
	b.BaseDelay, b.MaxDelay = 50*time.Millisecond, time.Second
	opts := append([]grpc.DialOption{
		grpc.WithTransportCredentials(d.cfg.Credentials),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: b, MinConnectTimeout: d.cfg.ConnectTimeout}),
		grpc.WithInitialWindowSize(1 << 20), grpc.WithInitialConnWindowSize(4 << 20),
		grpc.WithIdleTimeout(0),
		grpc.WithDefaultCallOptions(grpc.CallContentSubtype(codecName), grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
	}, d.cfg.Options...)
	if d.cfg.Dial != nil {
		opts = append(opts, grpc.WithContextDialer(d.cfg.Dial))
	}
	// Addresses are taken as they are: no resolver, no proxy.
	return grpc.NewClient("passthrough:///"+addr, append(opts, grpc.WithNoProxy())...)
}

// Send implements dist.Transport.
func (d *Dialer) Send(ctx context.Context, node keys.NodeID, b *kv.Batch) error {
	class := ClassKV
	if b.RangeID == keys.MetaRangeID {
		class = ClassMeta
	}
	c, err := d.conn(node, class)
	if err != nil {
		return &dist.SendError{Node: node, Cause: err}
	}
	d.metrics.Requests.Add(1)
	return c.send(ctx, b)
}

// CallError: a call did not reach its handler, or the answer did not come back.
type CallError struct {
	Target string
	Cause  error
}

func (e *CallError) Error() string { return fmt.Sprintf("call %s: %v", e.Target, e.Cause) }

// Unwrap returns the cause.
func (e *CallError) Unwrap() error { return e.Cause }

// Unreachable marks the error for store.AskLeader.
func (e *CallError) Unreachable() bool { return true }

// Call executes a call at a node. A *CallError says that the connection is at
// fault; other errors are the handler's.
func (d *Dialer) Call(ctx context.Context, node keys.NodeID, name string, payload []byte) ([]byte, error) {
	c, err := d.conn(node, ClassMeta)
	if err != nil {
		return nil, &CallError{Target: node.String(), Cause: err}
	}
	return d.invoke(ctx, c.cc, node, node.String(), name, payload)
}

// CallAddr executes a call at whoever listens at addr, over a connection of its
// own: for a node that does not know the cluster yet.
func (d *Dialer) CallAddr(ctx context.Context, addr, name string, payload []byte) ([]byte, error) {
	cc, err := d.dial(addr)
	if err != nil {
		return nil, &CallError{Target: addr, Cause: err}
	}
	defer cc.Close()
	return d.invoke(ctx, cc, 0, addr, name, payload)
}

func (d *Dialer) invoke(ctx context.Context, cc *grpc.ClientConn, to keys.NodeID, target, name string, payload []byte) ([]byte, error) {
	d.metrics.Calls.Add(1)
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.cfg.CallTimeout)
		defer cancel()
	}
	var out message
	err := cc.Invoke(outgoing(ctx, d.cfg.Identity(), to), "/"+serviceName+"/Call", &message{encodeCall(name, payload)}, &out)
	if err != nil {
		if ctx.Err() != nil {
			err = errors.Join(ctx.Err(), err)
		}
		return nil, &CallError{Target: target, Cause: err}
	}
	return decodeResult(d.cfg.Codec, out.b)
}

// Offset is a reading of another node's clock.
type Offset struct {
	Node keys.NodeID
	// Offset is the other clock's lead over ours; it is known to within
	// ±RoundTrip/2.
	Offset    time.Duration
	RoundTrip time.Duration
	// AtMicros is when it was taken, by our physical clock.
	AtMicros int64
}

// Offsets returns the last readings, for the check of the clock bound.
func (d *Dialer) Offsets() []Offset {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]Offset, 0, len(d.mu.offsets))
	for _, o := range d.mu.offsets {
		list = append(list, o)
	}
	return list
}

// MeasureOffset reads a node's clock (Cristian, "Probabilistic clock
// synchronization", 1989).
func (d *Dialer) MeasureOffset(ctx context.Context, node keys.NodeID) (Offset, error) {
	before, started := d.cfg.Clock.Physical(), time.Now()
	b, err := d.Call(ctx, node, callPing, nil)
	if err != nil {
		return Offset{}, err
	}
	if len(b) != 8 {
		return Offset{}, errors.New("rpc: malformed clock reading")
	}
	rtt := time.Since(started)
	o := Offset{Node: node, RoundTrip: rtt, AtMicros: before + rtt.Microseconds()}
	o.Offset = time.Duration(int64(binary.LittleEndian.Uint64(b))-before-rtt.Microseconds()/2) * time.Microsecond
	d.mu.Lock()
	d.mu.offsets[node] = o
	d.mu.Unlock()
	return o, nil
}

// monitor probes silent streams and reads clocks.
func (d *Dialer) monitor() {
	tick := max(d.cfg.SilentAfter/8, time.Millisecond)
	t := time.NewTicker(tick)
	defer t.Stop()
	var sinceOffsets time.Duration
	for {
		select {
		case <-d.ctx.Done():
			return
		case <-t.C:
		}
		d.mu.Lock()
		var all []*conn
		nodes := make(map[keys.NodeID]bool)
		for k, c := range d.mu.conns {
			all = append(all, c)
			nodes[k.node] = true
		}
		d.mu.Unlock()
		for _, c := range all {
			c.watch(time.Now(), d.cfg.SilentAfter)
		}
		if sinceOffsets += tick; d.cfg.OffsetInterval > 0 && sinceOffsets >= d.cfg.OffsetInterval {
			sinceOffsets = 0
			for n := range nodes {
				d.wg.Go(func() {
					ctx, cancel := context.WithTimeout(d.ctx, d.cfg.OffsetInterval)
					defer cancel()
					_, _ = d.MeasureOffset(ctx, n) // an old reading stays, with its time
				})
			}
		}
	}
}
