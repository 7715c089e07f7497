package spanlite

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// pipeBytesMax bounds what one side may write ahead of the other's reading. As
// with a socket, and unlike with net.Pipe, a write usually returns at once: a
// client that sends a pipeline before it reads must not lock up with a server
// that answers.
const pipeBytesMax = 256 << 10

// newPipe returns the two ends of a buffered connection in memory.
func newPipe() (a, b net.Conn) {
	x, y := newStream(), newStream()
	return &pipeConn{in: x, out: y}, &pipeConn{in: y, out: x}
}

// stream is one direction of a pipe: a bounded buffer of bytes.
type stream struct {
	mu     sync.Mutex
	buf    []byte
	start  int        // of what is unread in buf
	closed bool       // by either side
	cond   *sync.Cond // on mu: signals every change
	// readBy and writeBy are the deadlines.
	readBy, writeBy deadline
}

func newStream() *stream {
	s := new(stream)
	s.cond = sync.NewCond(&s.mu)
	return s
}

// deadline is a point in time after which one side's calls fail.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

// set moves a deadline of s.
func (s *stream) set(d *deadline, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.at = t
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	if !t.IsZero() && !s.closed {
		d.timer = time.AfterFunc(time.Until(t), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.cond.Broadcast()
		})
	}
	s.cond.Broadcast()
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.readBy.passed():
			return 0, os.ErrDeadlineExceeded
		case s.start < len(s.buf):
			n := copy(p, s.buf[s.start:])
			if s.start += n; s.start == len(s.buf) {
				s.buf, s.start = s.buf[:0], 0
			}
			s.cond.Broadcast()
			return n, nil
		case s.closed:
			return 0, io.EOF
		case len(p) == 0:
			return 0, nil
		}
		s.cond.Wait()
	}
}

func (s *stream) write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch room := pipeBytesMax - (len(s.buf) - s.start); {
		case s.closed:
			return n, io.ErrClosedPipe
		case s.writeBy.passed():
			return n, os.ErrDeadlineExceeded
		case len(p) == 0:
			return n, nil
		case room > 0:
			if s.start > 0 && len(s.buf)+len(p) > cap(s.buf) {
				s.buf, s.start = s.buf[:copy(s.buf, s.buf[s.start:])], 0
			}
			k := min(room, len(p))
			s.buf = append(s.buf, p[:k]...)
			p, n = p[k:], n+k
			s.cond.Broadcast()
			continue
		}
		s.cond.Wait()
	}
}

func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	for _, d := range []*deadline{&s.readBy, &s.writeBy} {
		if d.timer != nil {
			d.timer.Stop()
			d.timer = nil
		}
	}
	s.cond.Broadcast()
}

// pipeConn is one end of a pipe.
type pipeConn struct{ in, out *stream }

var _ net.Conn = (*pipeConn)(nil)

// Read implements net.Conn.
func (c *pipeConn) Read(p []byte) (int, error) { return c.in.read(p) }

// Write implements net.Conn.
func (c *pipeConn) Write(p []byte) (int, error) { return c.out.write(p) }

// Close implements net.Conn. The other end may still read what was written.
func (c *pipeConn) Close() error {
	c.in.close()
	c.out.close()
	return nil
}

// LocalAddr implements net.Conn.
func (c *pipeConn) LocalAddr() net.Addr { return pipeAddr{} }

// RemoteAddr implements net.Conn.
func (c *pipeConn) RemoteAddr() net.Addr { return pipeAddr{} }

// SetDeadline implements net.Conn.
func (c *pipeConn) SetDeadline(t time.Time) error {
	c.in.set(&c.in.readBy, t)
	c.out.set(&c.out.writeBy, t)
	return nil
}

// SetReadDeadline implements net.Conn.
func (c *pipeConn) SetReadDeadline(t time.Time) error { c.in.set(&c.in.readBy, t); return nil }

// SetWriteDeadline implements net.Conn.
func (c *pipeConn) SetWriteDeadline(t time.Time) error { c.out.set(&c.out.writeBy, t); return nil }

// pipeAddr is the address of both ends.
type pipeAddr struct{}

// Network implements net.Addr.
func (pipeAddr) Network() string { return "pipe" }

// String implements net.Addr.
func (pipeAddr) String() string { return "pipe" }
