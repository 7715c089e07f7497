package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/dist"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// conn is the connection to one node for one class, with the stream on it.
type conn struct {
	d    *Dialer
	node keys.NodeID
	addr string
	cc   *grpc.ClientConn
	// broken: give it up and dial anew.
	broken atomic.Bool

	mu      sync.Mutex
	st      *clientStream
	opening chan struct{} // closed when the attempt under way has ended
	openErr error
}

func (c *conn) close(err error) {
	c.broken.Store(true)
	c.mu.Lock()
	st := c.st
	c.st = nil
	c.mu.Unlock()
	if st != nil {
		st.fail(err)
	}
	_ = c.cc.Close()
}

// stream returns the open stream, or opens it. One goroutine opens for all who
// wait, each with its own context.
func (c *conn) stream(ctx context.Context) (*clientStream, error) {
	for first := true; ; first = false {
		c.mu.Lock()
		if c.st != nil && !c.st.failed() {
			st := c.st
			c.mu.Unlock()
			return st, nil
		}
		if !first && c.opening == nil && c.openErr != nil {
			err := c.openErr
			c.mu.Unlock()
			return nil, err
		}
		if c.opening == nil {
			if c.broken.Load() {
				c.mu.Unlock()
				return nil, errors.New("rpc: connection closed")
			}
			c.opening, c.openErr = make(chan struct{}), nil
			done := c.opening
			c.d.wg.Go(func() { c.open(done) })
		}
		opening := c.opening
		c.mu.Unlock()
		select {
		case <-opening:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

var streamDesc = &grpc.StreamDesc{StreamName: "Batches", ServerStreams: true, ClientStreams: true}

func (c *conn) open(done chan struct{}) {
	ctx, cancel := context.WithCancel(outgoing(c.d.ctx, c.d.cfg.Identity(), c.node))
	// The deadline is for the opening alone, not for the stream's life.
	timer := time.AfterFunc(c.d.cfg.ConnectTimeout, cancel)
	g, err := c.cc.NewStream(ctx, streamDesc, "/"+serviceName+"/Batches")
	if err == nil {
		err = admitted(g)
	}
	if !timer.Stop() && err == nil {
		err = fmt.Errorf("rpc: no connection to %s within %s", c.addr, c.d.cfg.ConnectTimeout)
	}
	var st *clientStream
	if err == nil {
		st = &clientStream{c: c, cancel: cancel, done: make(chan struct{}), calls: make(map[uint64]*call)}
		st.w = newWriter(c.d.cfg.Clock, func(b []byte) error { return g.SendMsg(&message{b}) })
		st.heard.Store(time.Now().UnixNano())
		c.d.metrics.Streams.Add(1)
	} else {
		cancel()
	}
	c.mu.Lock()
	if st != nil && c.broken.Load() {
		err = errors.New("rpc: connection closed")
		st.fail(err)
		st = nil
	}
	c.st, c.openErr, c.opening = st, err, nil
	c.mu.Unlock()
	close(done)
	if st != nil {
		st.read(g)
	}
}

// admitted waits until the peer has taken the stream on. A request that is sent
// before would be in doubt if the peer refuses. It also ends gRPC's own retries,
// which would make a new attempt at the stream behind our back, and hold up its
// senders meanwhile.
func admitted(g grpc.ClientStream) error {
	header, err := g.Header()
	if err == nil && header == nil {
		var m message
		err = g.RecvMsg(&m) // the status
		if err == nil || errors.Is(err, io.EOF) {
			err = errors.New("rpc: the peer has ended the stream")
		}
	}
	return err
}

// clientStream is one open stream.
type clientStream struct {
	c      *conn
	cancel context.CancelFunc
	w      *writer
	done   chan struct{} // closed with the stream
	// heard is when something arrived last (Unix ns).
	heard atomic.Int64

	mu     sync.Mutex
	calls  map[uint64]*call
	nextID uint64
	oldest time.Time // when calls became non-empty
	err    error
}

// call waits for one reply.
type call struct{ reply chan []byte }

var callPool = sync.Pool{New: func() any { return &call{reply: make(chan []byte, 1)} }}

func (st *clientStream) failed() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.err != nil
}

// fail ends the stream; all who wait learn err.
func (st *clientStream) fail(err error) {
	st.mu.Lock()
	first := st.err == nil
	if first {
		st.err = err
		close(st.done)
	}
	st.mu.Unlock()
	if first {
		st.c.d.metrics.BrokenStreams.Add(1)
		st.cancel()
		st.w.fail(err)
	}
}

// read delivers replies until the stream ends.
func (st *clientStream) read(g grpc.ClientStream) {
	clock, jump := st.c.d.cfg.Clock, st.c.d.cfg.MaxClockJump
	for {
		var m message
		err := g.RecvMsg(&m)
		if err == nil {
			st.heard.Store(time.Now().UnixNano())
			err = readFrame(m.b, func(ts hlc.Timestamp) error { return forward(clock, jump, ts) }, st.deliver)
		}
		if err != nil {
			st.fail(fmt.Errorf("rpc: stream to %s: %w", st.c.node, err))
			return
		}
	}
}

func (st *clientStream) deliver(r record) error {
	switch r.kind {
	case recordReply:
		st.mu.Lock()
		c := st.calls[r.id]
		delete(st.calls, r.id)
		st.mu.Unlock()
		if c != nil {
			c.reply <- r.payload
		}
		return nil
	case recordPong:
		return nil
	}
	return errFrame
}

// send executes one batch.
func (c *conn) send(ctx context.Context, b *kv.Batch) error {
	st, err := c.stream(ctx)
	if err != nil {
		return &dist.SendError{Node: c.node, Cause: err}
	}
	w := callPool.Get().(*call)
	st.mu.Lock()
	if st.err != nil {
		err := st.err
		st.mu.Unlock()
		callPool.Put(w)
		return &dist.SendError{Node: c.node, Cause: err}
	}
	st.nextID++
	id := st.nextID
	if len(st.calls) == 0 {
		st.oldest = time.Now()
	}
	st.calls[id] = w
	st.mu.Unlock()

	var left uint64
	if deadline, ok := ctx.Deadline(); ok {
		left = uint64(max(time.Until(deadline).Microseconds(), 1))
	}
	accepted, err := st.w.add(recordRequest, id, left, func(dst []byte) []byte { return c.d.cfg.Codec.AppendBatch(dst, b) })
	if err != nil {
		st.fail(err)
		if !accepted {
			st.abandon(id, w)
			return &dist.SendError{Node: c.node, Cause: err}
		}
	}
	select {
	case reply := <-w.reply:
		callPool.Put(w)
		result, err := c.d.cfg.Codec.DecodeReply(reply, b)
		if err != nil {
			return &dist.SendError{Node: c.node, Sent: true, Cause: err}
		}
		return result
	case <-ctx.Done():
		st.abandon(id, w)
		_, _ = st.w.add(recordCancel, id, 0, nil)
		return &dist.SendError{Node: c.node, Sent: true, Cause: ctx.Err()}
	case <-st.done:
		st.abandon(id, w)
		return &dist.SendError{Node: c.node, Sent: true, Cause: st.err}
	}
}

// abandon stops waiting. The call is reused only if no reply can reach it any
// more.
func (st *clientStream) abandon(id uint64, w *call) {
	st.mu.Lock()
	_, waiting := st.calls[id]
	delete(st.calls, id)
	st.mu.Unlock()
	if waiting {
		callPool.Put(w)
	}
}

// watch is called now and then by the Dialer's monitor. It gives the connection up
// if requests have waited in silence for at least patience.
func (c *conn) watch(now time.Time, patience time.Duration) {
	c.mu.Lock()
	st := c.st
	c.mu.Unlock()
	if st == nil || st.failed() {
		return
	}
	st.mu.Lock()
	waiting, oldest := len(st.calls) > 0, st.oldest
	st.mu.Unlock()
	if !waiting {
		return
	}
	last := time.Unix(0, st.heard.Load())
	if oldest.After(last) {
		last = oldest
	}
	silent := now.Sub(last)
	switch {
	case silent >= patience:
		c.close(fmt.Errorf("rpc: nothing heard from %s for %s", c.node, silent.Round(time.Millisecond)))
	case silent >= c.d.cfg.SilentAfter/4:
		// A ping could block if the peer reads nothing; then the stream is silent
		// all the same.
		st.w.tryAdd(recordPing, 0)
	}
}
