package pgwire

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/xdg-go/scram"

	"github.com/spanlite/spanlite/sql"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// Defaults of Config.
const (
	DefaultMaxConnections  = 10000
	DefaultMessageBytesMax = 256 << 20
	DefaultAuthTimeout     = 30 * time.Second
)

// Config is what a Server needs.
type Config struct {
	// SQL makes the sessions.
	SQL *sql.Server
	// TLS, if set, is offered to every client, and its GetConfigForClient may
	// reload certificates.
	TLS *tls.Config
	// Auth decides who may log in.
	Auth Authenticator
	// MaxConnections bounds the connections; the next one gets 53300.
	MaxConnections int
	// MessageBytesMax bounds one message of a client, in bytes.
	MessageBytesMax int
	// AuthTimeout bounds the time from accept to a successful log-in.
	AuthTimeout time.Duration
	// Node is part of the process ids of sessions.
	Node   uint32
	Logger *slog.Logger
}

// Server accepts and serves connections. Its methods are safe for concurrent
// use.
type Server struct {
	cfg Config
	// decoyKey makes the salts of users that do not exist.
	decoyKey [32]byte
	throttle *throttle
	// stopping is closed when Drain or Close begins: nobody may go on waiting to log in.
	stopping chan struct{}
	stopOnce sync.Once

	connections atomic.Int64
	nextPID     atomic.Uint32
	wg          sync.WaitGroup

	mu struct {
		sync.Mutex
		draining  bool
		closed    bool
		listeners map[net.Listener]struct{}
		conns     map[*conn]struct{}
		// cancelKeys finds the connection a CancelRequest means.
		cancelKeys map[uint32]*conn
	}
}

// NewServer returns a Server; call Serve with listeners.
func NewServer(cfg Config) *Server {
	if cfg.MaxConnections == 0 {
		cfg.MaxConnections = DefaultMaxConnections
	}
	if cfg.MessageBytesMax == 0 {
		cfg.MessageBytesMax = DefaultMessageBytesMax
	}
	if cfg.AuthTimeout == 0 {
		cfg.AuthTimeout = DefaultAuthTimeout
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, throttle: newThrottle(), stopping: make(chan struct{})}
	rand.Read(s.decoyKey[:])
	s.nextPID.Store(randomUint32() >> 12)
	s.mu.listeners = map[net.Listener]struct{}{}
	s.mu.conns = map[*conn]struct{}{}
	s.mu.cancelKeys = map[uint32]*conn{}
	return s
}

// Serve accepts connections on l until Close, and then returns nil.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.mu.closed {
		s.mu.Unlock()
		return l.Close()
	}
	s.mu.listeners[l] = struct{}{}
	s.mu.Unlock()
	for {
		nc, err := l.Accept()
		if err != nil {
			s.mu.Lock()
			closed := s.mu.closed || s.mu.draining
			s.mu.Unlock()
			if closed {
				return nil
			}
			if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
				continue
			}
			return err
		}
		s.ServeConn(nc)
	}
}

// ServeConn serves one connection on a goroutine of the server's own: for
// listeners that are not sockets, as the embedded mode's.
func (s *Server) ServeConn(nc net.Conn) {
	c := &conn{srv: s, nc: nc, log: s.cfg.Logger}
	s.mu.Lock()
	if s.mu.closed || s.mu.draining {
		s.mu.Unlock()
		nc.Close()
		return
	}
	s.mu.conns[c] = struct{}{}
	s.wg.Add(1)
	s.mu.Unlock()
	s.connections.Add(1)
	go func() {
		defer s.wg.Done()
		defer s.connections.Add(-1)
		defer s.forget(c)
		c.serve()
	}()
}

// Connections returns the number of open connections.
func (s *Server) Connections() int { return int(s.connections.Load()) }

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.conns, c)
	if s.mu.cancelKeys[c.pid] == c {
		delete(s.mu.cancelKeys, c.pid)
	}
}

// register gives c the process id and secret of its BackendKeyData.
func (s *Server) register(c *conn) {
	c.secret = randomUint32()
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		// Positive and not zero: clients hold it in a signed integer. The node's number
		// makes it unique in the cluster.
		pid := s.cfg.Node&(1<<10-1)<<21 | s.nextPID.Add(1)&(1<<21-1)
		if _, taken := s.mu.cancelKeys[pid]; pid != 0 && !taken {
			c.pid = pid
			s.mu.cancelKeys[pid] = c
			return
		}
	}
}

// cancel serves a CancelRequest. An unknown or wrong key is ignored, as the
// protocol demands.
func (s *Server) cancel(pid, secret uint32) {
	s.mu.Lock()
	c := s.mu.cancelKeys[pid]
	s.mu.Unlock()
	if c == nil || c.secret != secret {
		return
	}
	if session := c.session.Load(); session != nil {
		session.Cancel()
	}
}

// Drain refuses new connections and tells idle ones goodbye; busy ones end
// after their transaction. It returns when none is left or ctx ends.
func (s *Server) Drain(ctx context.Context) error {
	s.stopOnce.Do(func() { close(s.stopping) })
	s.mu.Lock()
	s.mu.draining = true
	for l := range s.mu.listeners {
		l.Close()
	}
	for c := range s.mu.conns {
		c.drain()
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends every connection, cancelling what runs, and waits for the
// goroutines. It is idempotent.
func (s *Server) Close() error {
	s.stopOnce.Do(func() { close(s.stopping) })
	s.mu.Lock()
	s.mu.closed = true
	for l := range s.mu.listeners {
		l.Close()
	}
	for c := range s.mu.conns {
		c.kill()
	}
	s.mu.Unlock()
	s.wg.Wait()
	return nil
}

func randomUint32() uint32 {
	var b [4]byte
	rand.Read(b[:])
	return binary.LittleEndian.Uint32(b[:])
}

// decoyCredentials are what a user that does not exist is checked against: the
// same salt at every try, as a real user has.
func (s *Server) decoyCredentials(user string) scram.StoredCredentials {
	mac := hmac.New(sha256.New, s.decoyKey[:])
	mac.Write([]byte(user))
	sum := mac.Sum(nil)
	return scram.StoredCredentials{
		KeyFactors: scram.KeyFactors{Salt: string(sum[:16]), Iters: 4096},
		StoredKey:  sum,
		ServerKey:  sum,
	}
}

var errShutdown = &sqlstate.Error{
	Code: sqlstate.AdminShutdown, Severity: "FATAL",
	Message: "terminating connection due to administrator command",
}
