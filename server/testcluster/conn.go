package testcluster

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// errReset is what the ends of a broken connection get.
var errReset error = &net.OpError{Op: "read", Net: "memory", Err: syscall.ECONNRESET}

// pipeBytesMax bounds what may be under way in one direction of a connection, as
// the windows of TCP do: then writers wait.
const pipeBytesMax = 4 << 20

// segment is what one Write has sent, or the end of the stream.
type segment struct {
	at   time.Time // arrives
	data []byte
	err  error // instead of data: io.EOF, or errReset
}

// pipe is one direction of a connection.
type pipe struct {
	net  *Network
	link link

	mu       sync.Mutex
	cond     *sync.Cond // on mu; every change
	segments []segment
	bytes    int
	// hold is when the first segment after a partition may arrive.
	hold time.Time
	err  error // broken at once, for both ends
	// readClosed and writeClosed: that end has been closed by its owner.
	readClosed, writeClosed bool
	// dead: the reader's host has died. The writer is not told, and fills the window
	// in vain.
	dead                  bool
	readBy, writeBy       time.Time
	readTimer, writeTimer *time.Timer
}

func newPipe(n *Network, l link) *pipe {
	p := &pipe{net: n, link: l}
	p.cond = sync.NewCond(&p.mu)
	return p
}

func (p *pipe) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cond.Broadcast()
}

// wait waits for a change, at most until t. Readers and writers have a timer each.
func (p *pipe) wait(timer **time.Timer, t time.Time) {
	switch {
	case t.IsZero():
	case *timer == nil:
		*timer = time.AfterFunc(time.Until(t), p.wake)
	default:
		(*timer).Reset(time.Until(t))
	}
	p.cond.Wait()
}

func passed(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

// earlier returns the earlier of two times, of which zero ones do not count.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func (p *pipe) read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.readClosed, p.dead:
			return 0, net.ErrClosed
		case p.err != nil:
			return 0, p.err
		case passed(p.readBy):
			return 0, os.ErrDeadlineExceeded
		case len(b) == 0:
			return 0, nil
		}
		next := p.readBy
		if len(p.segments) > 0 && !p.net.isCut(p.link) {
			s := &p.segments[0]
			at := s.at
			if p.hold.After(at) {
				at = p.hold
			}
			if !time.Now().Before(at) {
				if s.err != nil {
					return 0, s.err
				}
				n := copy(b, s.data)
				if s.data = s.data[n:]; len(s.data) == 0 {
					p.segments = p.segments[1:]
				}
				p.bytes -= n
				p.cond.Broadcast()
				return n, nil
			}
			next = earlier(next, at)
		}
		p.wait(&p.readTimer, next)
	}
}

func (p *pipe) write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.writeClosed:
			return 0, net.ErrClosed
		case p.err != nil:
			return 0, p.err
		case p.readClosed:
			return len(b), nil // the writer learns of it from the other direction
		case passed(p.writeBy):
			return 0, os.ErrDeadlineExceeded
		case len(b) == 0:
			return 0, nil
		case p.bytes < pipeBytesMax:
			p.append(segment{data: append([]byte(nil), b...)})
			return len(b), nil
		}
		p.wait(&p.writeTimer, p.writeBy)
	}
}

// append sends a segment. Called with mu held.
func (p *pipe) append(s segment) {
	s.at = time.Now().Add(p.net.travel(p.link))
	if n := len(p.segments); n > 0 && p.segments[n-1].at.After(s.at) {
		s.at = p.segments[n-1].at
	}
	p.segments = append(p.segments, s)
	p.bytes += len(s.data)
	p.cond.Broadcast()
}

// push sends the end of the stream.
func (p *pipe) push(s segment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.append(s)
}

// resume lets what was held up by a partition arrive, from a time on.
func (p *pipe) resume(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hold = t
	p.cond.Broadcast()
}

// fail breaks the pipe at once.
func (p *pipe) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
	p.cond.Broadcast()
}

func (p *pipe) closeRead() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readClosed = true
	p.cond.Broadcast()
}

// closeWrite closes the writer's end; s, if it carries an error, is what the reader
// finds after what was written.
func (p *pipe) closeWrite(s segment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.writeClosed {
		p.writeClosed = true
		if s.err != nil {
			p.append(s)
		}
	}
	p.cond.Broadcast()
}

// abandon ends the reader's part because its host has died.
func (p *pipe) abandon() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
	p.cond.Broadcast()
}

func (p *pipe) bothClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return (p.readClosed || p.dead) && p.writeClosed
}

// conn is one end of a connection.
type conn struct {
	host          *Host
	local, remote address
	in, out       *pipe
}

var _ net.Conn = (*conn)(nil)

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) { return c.in.read(b) }

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) { return c.out.write(b) }

// Close implements net.Conn. What was written still arrives.
func (c *conn) Close() error {
	c.in.closeRead()
	c.out.closeWrite(segment{err: io.EOF})
	c.host.forget(c)
	return nil
}

// orphan ends this end of the connection because its host has died.
func (c *conn) orphan(silent bool) {
	s := segment{err: errReset}
	if silent {
		s.err = nil
	}
	c.out.closeWrite(s)
	c.in.abandon()
	if !silent {
		c.host.forget(c)
	}
}

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.in.readBy = t
	c.in.cond.Broadcast()
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.writeBy = t
	c.out.cond.Broadcast()
	return nil
}
