package sql

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/parser"
	"github.com/spanlite/spanlite/sql/settings"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// Session is the server side of one client connection: its settings, its
// transaction, its prepared statements and portals.
//
// A Session is used by one goroutine at a time, its connection's. Cancel is the
// exception, and so is what Server reads for pg_stat_activity (activity.go).
type Session struct {
	srv    *Server
	client Client
	args   SessionArgs
	vars   *settings.Set
	ctx    statementContext

	txn      txnState
	prepared map[string]*preparedStatement
	portals  map[string]*portal
	// unnamed are the unnamed statement and portal, kept out of the maps and
	// reused, because most clients use no others.
	unnamedStatement preparedStatement
	unnamedPortal    portal

	eval  evaluation
	point pointPath
	// normalizer and shared serve simple queries by shared plans.
	normalizer parser.Normalizer
	shared     preparedStatement
	activity   activity
	notices    notifications
	inbox      inbox
	wakeFunc   atomic.Pointer[func()]
	ended      atomic.Pointer[sqlstate.Error]
	closed     bool
	// seq is what currval and lastval remember.
	seq sequenceState
	id  uint64

	// database is the one that the client has named.
	database catalog.ID
	// user, userID and superuser are the current role's (SET ROLE), sessionUserID is
	// the session's (SET SESSION AUTHORIZATION).
	user          string
	userID        catalog.ID
	superuser     bool
	sessionUserID catalog.ID
	// loginUserID is the role that was authenticated; it does not change.
	loginUserID catalog.ID
	// advisory are the advisory locks that the session holds.
	advisory advisoryLocks
	// refreshing is the materialized view that is being filled.
	refreshing catalog.ID
	// filled is the number of rows that the last CREATE TABLE AS has inserted.
	filled *int64
	// tempSchema holds the session's temporary tables; 0 if there are none.
	tempSchema catalog.ID
	// tempEmptied are those that are emptied at commit.
	tempEmptied []catalog.ID
	// idleCatalog is the view of the catalog outside of transactions.
	idleCatalog *catalog.Collection
	// pathKeyOf and pathKeyText cache the search path as text.
	pathKeyOf   []string
	pathKeyText string
}

// NewSession opens a session. Ctx ends it. The error, if any, is FATAL.
func (srv *Server) NewSession(ctx context.Context, args SessionArgs, client Client) (*Session, error) {
	s := &Session{
		srv: srv, client: client, args: args,
		vars:     settings.New(),
		prepared: map[string]*preparedStatement{},
		portals:  map[string]*portal{},
	}
	s.ctx.parent = ctx
	s.inbox.session = s
	s.vars.AssignInternal("session_authorization", args.User)
	for _, v := range args.Settings {
		if err := s.vars.AssignStartup(v.Name, v.Value); err != nil {
			return nil, fatalError(err)
		}
	}
	if err := s.login(ctx); err != nil {
		return nil, fatalError(err)
	}
	s.vars.AssignInternal("is_superuser", onOff(s.superuser))
	s.vars.OnReport = client.ParameterStatus
	s.initEvaluation()
	client.SetConversion(&s.vars.Conversion)
	s.activity.started, s.activity.state, s.activity.application = time.Now(), "idle", s.vars.ApplicationName
	srv.addSession(s)
	return s, nil
}

// Close ends the session: what is open is rolled back.
func (s *Session) Close() {
	if s.closed {
		return
	}
	s.closed = true
	s.closePortals()
	s.ctx.begin(closeTimeout, errSessionClosed)
	s.abortTransaction()
	if err := s.dropTemporary(); err != nil {
		s.srv.cfg.Logger.Warn("temporary tables are left to be dropped later", "error", err)
	}
	s.unlistenAll()
	s.endSessionLocks()
	s.ctx.finish()
	s.srv.removeSession(s)
}

// closeTimeout bounds the rollback of a session that ends; what it could not
// release falls when the transaction's heartbeat is missed.
const closeTimeout = 5 * time.Second

// Cancel ends the statement that is running, if there is one. Safe for
// concurrent use.
func (s *Session) Cancel() { s.ctx.cancel(errCancelRequest) }

// Terminate ends the session, which an administrator wants. Safe for concurrent use.
func (s *Session) Terminate() { s.terminate(errSessionClosed) }

// Interrupted returns why the running statement has to end, nil if it may go on: for a
// wait for the client in the middle of a statement.
func (s *Session) Interrupted() error { return s.ctx.cause() }

// ParameterStatuses returns what the client is told at start-up.
func (s *Session) ParameterStatuses() []Setting {
	var all []Setting
	s.vars.Reported(func(name, value string) { all = append(all, Setting{name, value}) })
	return all
}

// TxnStatus returns the state for ReadyForQuery.
func (s *Session) TxnStatus() byte {
	switch s.txn.block {
	case blockOpen:
		return TxnOpen
	case blockFailed:
		return TxnFailed
	}
	return TxnIdle
}

// IdleTimeout returns how long the client may keep silent now; 0 is for ever.
func (s *Session) IdleTimeout() time.Duration {
	if s.txn.block == blockNone {
		return s.vars.IdleSessionTimeout
	}
	idle := s.vars.IdleInTransactionTimeout
	if left, ok := s.txnTimeLeft(); ok && (idle == 0 || left < idle) {
		return left
	}
	return idle
}

// IdleTimeoutError is what ends a session that kept silent too long.
func (s *Session) IdleTimeoutError() error {
	if left, ok := s.txnTimeLeft(); ok && s.txn.block != blockNone && left <= time.Millisecond {
		return errTxnTime
	}
	e := &sqlstate.Error{Severity: "FATAL", Code: sqlstate.IdleSessionTimeout, Message: "terminating connection due to idle-session timeout"}
	if s.txn.block != blockNone {
		e.Code, e.Message = sqlstate.IdleInTransactionTimeout, "terminating connection due to idle-in-transaction timeout"
	}
	return e
}

// Query runs the statements of a simple query message. All of them are one
// transaction unless they say otherwise. The answer, except ReadyForQuery and
// the error, has gone to the client when it returns.
func (s *Session) Query(text string) error {
	s.beginActivity(text)
	defer s.endActivity()
	s.closePortal(&s.unnamedPortal)
	if done, err := s.queryShared(text); done {
		return err
	}
	statements, err := s.parse(text)
	if err != nil {
		return s.failed(err, text)
	}
	if len(statements) == 0 {
		return s.client.Empty()
	}
	for i := range statements {
		st := &statements[i]
		if err := s.runSimple(st, len(statements) == 1, i == len(statements)-1); err != nil {
			return s.failed(err, text)
		}
	}
	return nil
}

// parse parses a text within the bounds of a statement's time.
func (s *Session) parse(text string) ([]parser.Statement, error) {
	return parseQuery(text)
}

// runSimple runs one statement of a simple query. Alone says that the message
// has no other, last that it is the last.
func (s *Session) runSimple(st *parser.Statement, alone, last bool) error {
	s.beginStatement()
	defer s.ctx.finish()
	if err := s.checkTxnState(st.AST); err != nil {
		return err
	}
	if s.txn.block == blockNone && !alone && !controlsTransaction(st.AST) {
		s.txn.block = blockImplicit
	}
	p := &s.unnamedPortal
	if err := s.bindDirect(p, st); err != nil {
		return err
	}
	defer s.closePortal(p)
	return s.executePortal(p, 0, execution{alone: alone, commitImplicit: last})
}

// beginStatement starts a statement's clock and time-outs.
func (s *Session) beginStatement() {
	timeout, cause := s.vars.StatementTimeout, error(errStatementTime)
	if left, ok := s.txnTimeLeft(); ok && (timeout == 0 || left < timeout) {
		timeout, cause = left, errTxnTime
	}
	s.ctx.begin(timeout, cause)
	s.eval.startStatement(time.Now())
}

// failed turns an error into its final form and moves the transaction into its
// failed state, or ends it if it was implicit.
func (s *Session) failed(err error, text string) error {
	if cause := s.ctx.cause(); cause != nil && isContextError(err) {
		err = cause
	}
	e := s.explainConflict(err, sqlstate.From(err))
	if e.ByteOffset > 0 && e.Position == 0 {
		copied := *e
		copied.Position = characterPosition(text, e.ByteOffset-1)
		e = &copied
	}
	s.statementFailed(e)
	s.srv.metrics.errored(e.Code)
	return e
}

// isContextError reports whether err says that a context ended.
func isContextError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		sqlstate.CodeOf(err) == sqlstate.QueryCanceled
}

// characterPosition converts a byte offset into PostgreSQL's position: counted
// in characters, from 1.
func characterPosition(text string, offset int) int {
	return utf8.RuneCountInString(text[:min(offset, len(text))]) + 1
}

// fatalError returns err as an error that ends the session.
func fatalError(err error) error {
	e := *sqlstate.From(err)
	e.Severity = "FATAL"
	return &e
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

// nextSessionID numbers the sessions of a process.
var nextSessionID atomic.Uint64
