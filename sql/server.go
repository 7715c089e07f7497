package sql

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql/catalog/lease"
	"github.com/spanlite/spanlite/sql/exec"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/schemachange"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/stats"
	"github.com/spanlite/spanlite/txn"
)

// Config is what the SQL layer of a node needs.
type Config struct {
	DB       *txn.DB
	Catalog  *lease.Source
	Registry *expr.Registry
	// Stats holds table statistics for the planner; made if nil.
	Stats *stats.Cache
	// Memory is the node's bound for queries; sessions take from it.
	Memory *exec.Pool
	// Schema executes DDL.
	Schema *schemachange.Executor
	Node   keys.NodeID
	// Version is what version() adds to PostgreSQL's.
	Version string
	// Temp is where sorts and hash tables spill.
	Temp *exec.TempSpace
	// Cluster answers the spanlite_* views and functions; may be nil.
	Cluster Cluster
	Logger  *slog.Logger
}

// Server is the SQL layer of one node: it makes sessions and holds what they
// share. Safe for concurrent use.
type Server struct {
	cfg     Config
	plans   *planCache
	metrics Metrics
	started time.Time
	// conflicts are the last that clients of this node have met.
	conflicts conflictLog
	// commits are the last transactions of this node that wrote.
	commits commitLog
	notify  *notifyHub

	mu struct {
		sync.Mutex
		sessions map[uint64]*Session
	}
}

// Metrics counts what the SQL layer does. All fields may be read at any time.
type Metrics struct {
	Statements, Commits, Rollbacks, Retries atomic.Int64
	PlanHits, PlanMisses                    atomic.Int64

	errors sync.Map // sqlstate.Code -> *atomic.Int64
}

func (m *Metrics) errored(code sqlstate.Code) {
	n, ok := m.errors.Load(code)
	if !ok {
		n, _ = m.errors.LoadOrStore(code, new(atomic.Int64))
	}
	n.(*atomic.Int64).Add(1)
}

// Errors calls f for every SQLSTATE that clients have met, with its count.
func (m *Metrics) Errors(f func(code sqlstate.Code, count int64)) {
	m.errors.Range(func(k, v any) bool {
		f(k.(sqlstate.Code), v.(*atomic.Int64).Load())
		return true
	})
}

// NewServer returns the SQL layer of a node.
func NewServer(cfg Config) *Server {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Stats == nil {
		cfg.Stats = stats.NewCache()
	}
	srv := &Server{cfg: cfg, plans: newPlanCache(planCacheSize), started: time.Now()}
	srv.mu.sessions = map[uint64]*Session{}
	srv.notify = newNotifyHub(srv)
	return srv
}

// Close ends what the server does in the background. Its sessions must have ended.
func (srv *Server) Close() { srv.notify.close() }

// Metrics returns the counters.
func (srv *Server) Metrics() *Metrics { return &srv.metrics }

func (srv *Server) addSession(s *Session) {
	s.id = nextSessionID.Add(1)
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.mu.sessions[s.id] = s
}

func (srv *Server) removeSession(s *Session) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	delete(srv.mu.sessions, s.id)
}

// Sessions calls f for every open session.
func (srv *Server) Sessions(f func(*Session)) {
	srv.mu.Lock()
	all := make([]*Session, 0, len(srv.mu.sessions))
	for _, s := range srv.mu.sessions {
		all = append(all, s)
	}
	srv.mu.Unlock()
	for _, s := range all {
		f(s)
	}
}
