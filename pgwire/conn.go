package pgwire

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/spanlite/spanlite/sql"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// conn is one client connection. It is owned by the goroutine that runs serve;
// the atomic fields are the only ones that others touch.
type conn struct {
	srv *Server
	nc  net.Conn
	// raw is the socket below TLS; kill and drain touch only it.
	raw net.Conn
	log *slog.Logger
	rd  *reader
	wr  writer

	ctx     context.Context
	stop    context.CancelFunc
	session atomic.Pointer[sql.Session]
	pid     uint32 // guarded by Server.mu until startup has ended
	secret  uint32

	// describeRows makes BeginRows send a RowDescription: true within a simple
	// Query.
	describeRows bool
	// skipToSync is set by an error in the extended protocol.
	skipToSync bool
	// rowColumns and rowFormats describe the result set being sent.
	rowColumns []sql.Column
	rowFormats []int16
	// conversion is how values become text; the session changes it in place.
	conversion *types.Settings
	bind       bindBuffers

	draining atomic.Bool
	killed   atomic.Bool
}

// errClientGone ends a connection silently.
var errClientGone = errors.New("client closed the connection")

func (c *conn) setConn(nc net.Conn) {
	c.nc = nc
	c.wr.conn = nc
	c.rd.src = nc
}

// serve runs the connection to its end.
func (c *conn) serve() {
	c.raw = c.nc
	c.rd = newReader(c.nc, c.srv.cfg.MessageBytesMax)
	c.setConn(c.nc)
	c.ctx, c.stop = context.WithCancel(context.Background())
	defer c.stop()
	defer func() { c.nc.Close() }()
	defer func() {
		if session := c.session.Load(); session != nil {
			session.Close()
		}
	}()
	defer func() {
		// A bug in one statement must not take the node down. The session is
		// closed, its transaction rolled back, and the client told.
		if r := recover(); r != nil {
			c.log.Error("panic in session", "panic", r, "stack", string(debug.Stack()))
			c.fail(fatal(sqlstate.InternalError, "internal error: %v", r))
		}
	}()
	err := c.startup()
	if err == nil {
		err = c.run()
	}
	c.fail(err)
}

// fail tells the client why the connection ends, if there is somebody to tell.
func (c *conn) fail(err error) {
	switch {
	case err == nil || errors.Is(err, errNoSession) || errors.Is(err, errClientGone):
		return
	case c.killed.Load():
		err = errShutdown
	case isTimeout(err) && c.session.Load() == nil:
		return
	}
	if tooLarge, ok := errors.AsType[*messageTooLargeError](err); ok {
		err = fatal(sqlstate.ProtocolViolation, "%s", tooLarge.Error())
	}
	e, ok := errors.AsType[*sqlstate.Error](err)
	if !ok {
		if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, net.ErrClosed) {
			c.log.Debug("connection ended", "error", err)
		}
		return
	}
	if e.Severity != "FATAL" {
		copied := *e
		copied.Severity = "FATAL"
		e = &copied
	}
	c.wr.errorMessage('E', e)
	c.nc.SetWriteDeadline(time.Now().Add(time.Second))
	c.wr.flush()
}

// kill ends the connection now: what runs is cancelled. Called by others.
func (c *conn) kill() {
	c.killed.Store(true)
	if session := c.session.Load(); session != nil {
		session.Cancel()
	}
	c.raw0().SetReadDeadline(time.Unix(1, 0))
}

// drain ends the connection as soon as it is outside of a transaction. Called
// by others.
func (c *conn) drain() {
	c.draining.Store(true)
	c.raw0().SetReadDeadline(time.Unix(1, 0))
}

// wake interrupts the wait for the client, so that the session is looked at. Called by
// others.
func (c *conn) wake() { c.raw0().SetReadDeadline(time.Unix(1, 0)) }

// raw0 is the socket, which never changes once the connection is registered.
func (c *conn) raw0() net.Conn {
	if t, ok := c.nc.(*tls.Conn); ok {
		return t.NetConn()
	}
	return c.nc
}

// read returns the next message, flushing the output first if the client has
// sent nothing more.
func (c *conn) read() (typ byte, body []byte, err error) {
	session := c.session.Load()
	for {
		var idle time.Duration
		var deadline time.Time
		waiting := !c.rd.buffered()
		if waiting {
			session.DeliverNotifications()
			if err := c.wr.flush(); err != nil {
				return 0, nil, errClientGone
			}
			if idle = session.IdleTimeout(); idle > 0 {
				deadline = time.Now().Add(idle)
				c.nc.SetReadDeadline(deadline)
				session.DeliverNotifications() // their wake-up may just have been overwritten
				if err := c.wr.flush(); err != nil {
					return 0, nil, errClientGone
				}
			}
		}
		if err := c.interrupted(session); err != nil {
			return 0, nil, err
		}
		typ, body, err = c.rd.next()
		if waiting && idle > 0 {
			c.nc.SetReadDeadline(time.Time{})
		}
		switch {
		case err == nil:
			return typ, body, nil
		case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
			return 0, nil, errClientGone
		case !isTimeout(err):
			return 0, nil, err
		}
		// Woken by a deadline: the idle time-out, kill, drain, or a notification.
		if err := c.interrupted(session); err != nil {
			return 0, nil, err
		}
		if idle > 0 && !time.Now().Before(deadline) {
			return 0, nil, session.IdleTimeoutError()
		}
		c.nc.SetReadDeadline(time.Time{})
	}
}

// interrupted tells whether the server wants the connection to end here.
func (c *conn) interrupted(session *sql.Session) error {
	if err := session.Ended(); err != nil {
		return err
	}
	if c.killed.Load() || c.draining.Load() && session.TxnStatus() == sql.TxnIdle {
		return errShutdown
	}
	return nil
}

// run serves messages until the client leaves.
func (c *conn) run() error {
	session := c.session.Load()
	for {
		typ, body, err := c.read()
		if err != nil {
			return err
		}
		if c.skipToSync && typ != 'S' && typ != 'X' {
			continue
		}
		switch typ {
		case 'X':
			// Answers may still be waiting here for more of them.
			c.nc.SetWriteDeadline(time.Now().Add(time.Second))
			c.wr.flush()
			return nil
		case 'S':
			c.skipToSync = false
			if err := session.Sync(); err != nil {
				c.wr.errorMessage('E', err)
			}
			session.DeliverNotifications()
			c.wr.readyForQuery(session.TxnStatus())
		case 'Q':
			err = c.simpleQuery(session, body)
		case 'P':
			err = c.parse(session, body)
		case 'B':
			err = c.bindMessage(session, body)
		case 'D':
			err = c.describe(session, body)
		case 'E':
			err = c.execute(session, body)
		case 'C':
			err = c.close(session, body)
		case 'H':
			err = c.wr.flush()
		case 'd', 'c', 'f':
			// The rest of a COPY that has failed.
		case 'F':
			err = sqlstate.Unsupported("the function call protocol")
			c.wr.errorMessage('E', err)
			c.wr.readyForQuery(session.TxnStatus())
			err = nil
		default:
			return fatal(sqlstate.ProtocolViolation, "invalid frontend message type %d", typ)
		}
		if err != nil {
			if c.wr.err != nil {
				return errClientGone
			}
			e, ok := errors.AsType[*sqlstate.Error](err)
			if ok && e.Severity == "FATAL" {
				return err
			}
			if c.killed.Load() {
				return errShutdown
			}
			c.wr.errorMessage('E', err)
			c.skipToSync = true
		}
	}
}

// simpleQuery serves one Query message, answer and ReadyForQuery included.
func (c *conn) simpleQuery(session *sql.Session, body []byte) error {
	d := fields{b: body}
	text := d.cstring()
	if !d.ok() {
		return badMessage("Query")
	}
	c.describeRows = true
	err := session.Query(string(text))
	c.describeRows = false
	if err != nil {
		if e, ok := errors.AsType[*sqlstate.Error](err); (ok && e.Severity == "FATAL") || c.wr.err != nil || c.killed.Load() {
			return err
		}
		c.wr.errorMessage('E', err)
	}
	session.DeliverNotifications()
	c.wr.readyForQuery(session.TxnStatus())
	return nil
}

// badMessage is a message whose body does not have the form of its type.
func badMessage(name string) error {
	return sqlstate.New(sqlstate.ProtocolViolation, "invalid message format of %s message", name)
}
