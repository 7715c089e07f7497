package sql

import (
	"strings"
	"sync"
	"time"

	"github.com/spanlite/spanlite/kv/hlc"
)

// This file remembers who has committed lately. A serialization failure is caused by a
// version of a row, and a version knows only its timestamp.

// commitsKept bounds the memory: the last seconds of a busy gateway.
const commitsKept = 1024

// commitLog is a ring of the last transactions of this node that have written.
type commitLog struct {
	mu   sync.Mutex
	ring [commitsKept]committedTxn
	next int
}

type committedTxn struct {
	ts                       hlc.Timestamp
	pid                      uint32
	user, application, query string
	started                  time.Time
}

// noteCommit remembers the session's transaction, which has committed at ts.
func (s *Session) noteCommit(ts hlc.Timestamp) {
	a := &s.activity // its only writer is this goroutine
	query := a.query
	if endsBlock(query) {
		query = a.previous
	}
	if len(query) == activityQueryBytesMax {
		query = strings.Clone(query) // not to keep all of a large text
	}
	l := &s.srv.commits
	l.mu.Lock()
	l.ring[l.next] = committedTxn{ts, s.args.PID, s.args.User, s.vars.ApplicationName, query, s.txn.started}
	l.next = (l.next + 1) % commitsKept
	l.mu.Unlock()
}

// endsBlock reports whether a statement is COMMIT or END, as far as a look tells.
func endsBlock(query string) bool {
	word := strings.TrimLeft(query, " \t\r\n")
	if i := strings.IndexAny(word, " \t\r\n;"); i >= 0 {
		word = word[:i]
	}
	return strings.EqualFold(word, "commit") || strings.EqualFold(word, "end")
}

// Committer returns the transaction of this node that committed at ts, if it is
// remembered.
func (srv *Server) Committer(ts hlc.Timestamp) (TxnInfo, bool) {
	l := &srv.commits
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.ring {
		if c := &l.ring[i]; c.ts == ts && ts != 0 {
			return TxnInfo{Node: srv.cfg.Node, PID: c.pid, User: c.user, Application: c.application, State: "committed",
				Query: c.query, Started: c.started}, true
		}
	}
	return TxnInfo{}, false
}
