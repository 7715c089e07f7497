package sql

import (
	"sync"
	"time"
)

// activity is what others may know of a session: pg_stat_activity. It has a lock
// of its own because other sessions read it.
type activity struct {
	mu         sync.Mutex
	started    time.Time // of the session
	state      string    // "idle", "active", "idle in transaction" ...
	query      string
	queryStart time.Time
	changed    time.Time
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
}

// activityQueryBytesMax is PostgreSQL's track_activity_query_size.
const activityQueryBytesMax = 1024

func (a *activity) begin(query string) {
	if len(query) > activityQueryBytesMax {
		query = query[:activityQueryBytesMax]
	}
	now := time.Now()
	a.mu.Lock()
	a.state, a.query, a.queryStart, a.changed = "active", query, now, now
	a.mu.Unlock()
}

func (a *activity) end() {
	a.mu.Lock()
	a.state = "idle"
	a.mu.Unlock()
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
	}
}
