package transport

import (
	"context"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// Network is the in-memory twin of the gRPC transport, for tests, simulation and
// demo clusters: any number of stores in one process, with partitions, delay and
// loss under a seed. Safe for concurrent use.
type Network struct {
	mu     sync.Mutex
	nodes  map[keys.StoreID]*Local
	cut    map[[2]keys.StoreID]bool
	rng    *rand.Rand
	loss   float64
	delay  time.Duration
	jitter time.Duration
}

// NewNetwork returns a network without faults.
func NewNetwork(seed uint64) *Network {
	return &Network{
		nodes: map[keys.StoreID]*Local{},
		cut:   map[[2]keys.StoreID]bool{},
		rng:   rand.New(rand.NewPCG(seed, seed)),
	}
}

// Cut makes messages from one store to another vanish, in this direction.
func (n *Network) Cut(from, to keys.StoreID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[[2]keys.StoreID{from, to}] = true
}

// Isolate cuts a store off from all others, both ways.
func (n *Network) Isolate(id keys.StoreID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for o := range n.nodes {
		n.cut[[2]keys.StoreID{id, o}] = true
		n.cut[[2]keys.StoreID{o, id}] = true
	}
	delete(n.cut, [2]keys.StoreID{id, id})
}

// Heal ends all cuts.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.cut)
}

// SetLoss makes a share of the messages vanish.
func (n *Network) SetLoss(share float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.loss = share
}

// SetDelay delays each frame by d plus a random part of jitter.
func (n *Network) SetDelay(d, jitter time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.delay, n.jitter = d, jitter
}

// Join returns the transport of a store. A store that comes back after Close
// joins anew.
func (n *Network) Join(id keys.StoreID, clock *hlc.Clock) *Local {
	l := &Local{net: n, id: id, clock: clock, closing: make(chan struct{}), queues: map[queueKey]*queue{}}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.nodes[id] = l
	return l
}

// route decides the fate of a message.
func (n *Network) route(from, to keys.StoreID) (dst *Local, delay time.Duration, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	dst = n.nodes[to]
	if dst == nil || n.cut[[2]keys.StoreID{from, to}] || n.loss > 0 && n.rng.Float64() < n.loss {
		return nil, 0, false
	}
	delay = n.delay
	if n.jitter > 0 {
		delay += time.Duration(n.rng.Int64N(int64(n.jitter)))
	}
	return dst, delay, true
}

// Local is one store's end of a Network.
type Local struct {
	net     *Network
	id      keys.StoreID
	clock   *hlc.Clock
	handler Handler
	closing chan struct{}
	once    sync.Once
	wg      sync.WaitGroup

	mu              sync.Mutex
	started, closed bool
	queues          map[queueKey]*queue
}

var _ Transport = (*Local)(nil)

type queueKey struct {
	to    keys.StoreID
	class Class
}

// queue carries the frames to one store and class in order.
type queue struct {
	mu     sync.Mutex
	frame  []byte
	signal chan struct{}
}

const localQueueBytes = 64 << 20

// Start implements Transport.
func (l *Local) Start(h Handler) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handler = h
	l.started = true
	return nil
}

// Send implements Transport.
func (l *Local) Send(to keys.StoreID, class Class, m Message) error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return ErrClosed
	}
	q := l.queues[queueKey{to, class}]
	if q == nil {
		q = &queue{signal: make(chan struct{}, 1)}
		l.queues[queueKey{to, class}] = q
		l.wg.Add(1)
		go l.pump(q, to, class)
	}
	l.mu.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.frame)+m.Size() > localQueueBytes {
		return ErrQueueFull
	}
	if len(q.frame) == 0 {
		q.frame = appendFrameHeader(q.frame, class, l.id, to)
	}
	q.frame = appendMessage(q.frame, m)
	select {
	case q.signal <- struct{}{}:
	default:
	}
	return nil
}

// pump delivers the frames of one queue.
func (l *Local) pump(q *queue, to keys.StoreID, class Class) {
	defer l.wg.Done()
	for {
		select {
		case <-q.signal:
		case <-l.closing:
			return
		}
		q.mu.Lock()
		frame := q.frame
		q.frame = nil
		q.mu.Unlock()
		if len(frame) == 0 {
			continue
		}
		dst, delay, ok := l.net.route(l.id, to)
		if !ok {
			continue
		}
		stampFrame(frame, l.clock.Now())
		if delay > 0 {
			t := time.NewTimer(delay)
			select {
			case <-t.C:
			case <-l.closing:
				t.Stop()
				return
			}
		}
		dst.deliver(frame)
	}
}

// deliver hands a frame to the store.
func (l *Local) deliver(frame []byte) {
	if !l.enter() {
		return
	}
	defer l.wg.Done()
	f, err := decodeFrame(frame)
	if err != nil {
		return
	}
	l.clock.Update(f.Time)
	if l.handler.Frame != nil {
		l.handler.Frame(&f)
	}
}

// enter counts a handler call; Close waits for it.
func (l *Local) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || !l.started {
		return false
	}
	l.wg.Add(1)
	return true
}

// OpenStream implements Transport.
func (l *Local) OpenStream(ctx context.Context, to keys.StoreID) (Stream, error) {
	dst, _, ok := l.net.route(l.id, to)
	if !ok || !dst.enter() {
		return nil, ErrUnreachable
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &pipe{chunks: make(chan []byte, 4), done: make(chan struct{}), ctx: ctx, net: l.net, from: l.id, to: to}
	go func() {
		defer dst.wg.Done()
		defer cancel()
		streamCtx, end := context.WithCancel(ctx)
		defer end()
		go func() {
			select {
			case <-dst.closing:
				end()
			case <-streamCtx.Done():
			}
		}()
		p.err = dst.handler.Stream(streamCtx, l.id, (*pipeServer)(p))
		close(p.done)
	}()
	return p, nil
}

// Close implements Transport.
func (l *Local) Close() error {
	l.once.Do(func() {
		l.mu.Lock()
		l.closed = true
		l.mu.Unlock()
		close(l.closing)
		l.net.mu.Lock()
		if l.net.nodes[l.id] == l {
			delete(l.net.nodes, l.id)
		}
		l.net.mu.Unlock()
	})
	l.wg.Wait()
	return nil
}

// pipe is the opening end of a stream in memory.
type pipe struct {
	chunks   chan []byte
	ctx      context.Context
	done     chan struct{}
	err      error // set before done is closed
	net      *Network
	from, to keys.StoreID
}

// Send implements Stream.
func (p *pipe) Send(chunk []byte) error {
	if _, _, ok := p.net.route(p.from, p.to); !ok {
		return ErrUnreachable
	}
	select {
	case p.chunks <- append([]byte(nil), chunk...):
		return nil
	case <-p.done:
		if p.err != nil {
			return p.err
		}
		return io.EOF
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}

// Recv implements Stream.
func (p *pipe) Recv() ([]byte, error) {
	select {
	case <-p.done:
		if p.err != nil {
			return nil, p.err
		}
		return nil, io.EOF
	case <-p.ctx.Done():
		return nil, p.ctx.Err()
	}
}

// CloseSend implements Stream.
func (p *pipe) CloseSend() error {
	close(p.chunks)
	return nil
}

// pipeServer is the serving end.
type pipeServer pipe

// Send implements Stream: receivers of images have nothing to say.
func (p *pipeServer) Send([]byte) error { return ErrClosed }

// Recv implements Stream.
func (p *pipeServer) Recv() ([]byte, error) {
	select {
	case c, ok := <-p.chunks:
		if !ok {
			return nil, io.EOF
		}
		return c, nil
	case <-p.ctx.Done():
		return nil, p.ctx.Err()
	}
}

// CloseSend implements Stream.
func (p *pipeServer) CloseSend() error { return nil }
