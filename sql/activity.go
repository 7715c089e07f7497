package sql

import (
	"sync"
	"time"

	"github.com/spanlite/spanlite/sql/catalog"
)

// activity is what others may know of a session: pg_stat_activity. It has a lock
// of its own because other sessions read it.
type activity struct {
	mu         sync.Mutex
	started    time.Time // of the session
	state      string    // "idle", "active", "idle in transaction" ...
	query      string
	previous   string // the statement before
	queryStart time.Time
	changed    time.Time
	// application is the setting application_name, txnStarted when the transaction
	// began that was open when the last statement started or ended.
	application string
	txnStarted  time.Time
}

// Activity is a row of pg_stat_activity.
type Activity struct {
	PID              uint32
	User, Database   string
	ApplicationName  string
	RemoteAddr       string
	BackendStart     time.Time
	QueryStart       time.Time
	StateChange      time.Time
	State            string
	Query            string
	SessionID        uint64
	TransactionStart time.Time
	// DatabaseID and UserID are of the session's database and of the role that has
	// logged in.
	DatabaseID, UserID catalog.ID
}

// activityQueryBytesMax is PostgreSQL's track_activity_query_size.
const activityQueryBytesMax = 1024

// begin notes that a statement starts.
func (s *Session) beginActivity(query string) {
	a := &s.activity
	if len(query) > activityQueryBytesMax {
		query = query[:activityQueryBytesMax]
	}
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state, a.previous, a.query, a.queryStart, a.changed = "active", a.query, query, now, now
	if a.txnStarted = s.txn.started; a.txnStarted.IsZero() {
		a.txnStarted = now
	}
	a.application = s.vars.ApplicationName
}

// endActivity notes that a statement has ended.
func (s *Session) endActivity() {
	a := &s.activity
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state, a.txnStarted = "idle", time.Time{}
	switch s.txn.block {
	case blockOpen, blockImplicit:
		a.state, a.txnStarted = "idle in transaction", s.txn.started
	case blockFailed:
		a.state, a.txnStarted = "idle in transaction (aborted)", s.txn.started
	}
	a.application = s.vars.ApplicationName
}

// Activity returns what the session is doing. Safe for concurrent use.
func (s *Session) Activity() Activity {
	a := &s.activity
	a.mu.Lock()
	defer a.mu.Unlock()
	return Activity{
		PID: s.args.PID, User: s.args.User, Database: s.args.Database, RemoteAddr: s.args.RemoteAddr,
		BackendStart: a.started, QueryStart: a.queryStart, StateChange: a.changed,
		State: a.state, Query: a.query, SessionID: s.id,
		ApplicationName: a.application, TransactionStart: a.txnStarted,
		DatabaseID: s.database, UserID: s.loginUserID,
	}
}
