package sql

import (
	"context"
	"sync"
	"time"

	"github.com/spanlite/spanlite/sql/sqlstate"
)

// The causes with which a statement's context ends.
var (
	errCancelRequest = sqlstate.New(sqlstate.QueryCanceled, "canceling statement due to user request")
	errStatementTime = sqlstate.New(sqlstate.QueryCanceled, "canceling statement due to statement timeout")
	errTxnTime       = &sqlstate.Error{Code: sqlstate.TransactionTimeout, Severity: "FATAL", Message: "terminating connection due to transaction timeout"}
	errSessionClosed = &sqlstate.Error{Code: sqlstate.AdminShutdown, Severity: "FATAL", Message: "terminating connection due to administrator command"}
)

// statementContext is the context.Context of the statement that a session is
// running. One object serves all statements of the session, because a fresh
// context for each costs more allocations than a point read: a statement that
// nobody cancels and that sets no time-out allocates nothing here.
//
// The session's goroutine calls begin and finish; cancel may be called by
// others at any time and hits only a statement that is running.
type statementContext struct {
	parent context.Context
	// onCancel is called when a running statement is ended; it may be nil.
	onCancel func()

	mu       sync.Mutex
	running  bool
	done     chan struct{} // made on first use, replaced once closed
	closed   bool
	err      error
	deadline time.Time
	timer    *time.Timer
	// generation tells a late timer that its statement is over.
	generation uint64
}

// begin starts a statement. A positive timeout ends it with timeoutErr.
func (c *statementContext) begin(timeout time.Duration, timeoutErr error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = true
	c.generation++
	c.err = nil
	c.deadline = time.Time{}
	if c.closed {
		c.done, c.closed = nil, false
	}
	if timeout > 0 {
		c.deadline = time.Now().Add(timeout)
		generation := c.generation
		c.timer = time.AfterFunc(timeout, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.generation == generation {
				c.cancelLocked(timeoutErr)
			}
		})
	}
	if c.parent.Err() != nil {
		c.cancelLocked(errSessionClosed)
	}
}

// finish ends the statement: a cancel request that comes later is ignored.
func (c *statementContext) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = false
	c.generation++
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}

// cancel ends the running statement, if there is one.
func (c *statementContext) cancel(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancelLocked(cause)
}

func (c *statementContext) cancelLocked(cause error) {
	if !c.running || c.err != nil {
		return
	}
	c.err = cause
	if c.done == nil {
		c.done = make(chan struct{})
	}
	close(c.done)
	c.closed = true
	if c.onCancel != nil {
		c.onCancel()
	}
}

// cause returns why the statement was ended, nil if it was not.
func (c *statementContext) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Deadline implements context.Context.
func (c *statementContext) Deadline() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.deadline, !c.deadline.IsZero()
}

// Done implements context.Context.
func (c *statementContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
	}
	return c.done
}

// Err implements context.Context: context.Canceled, as every reader of a
// context expects; cause has the SQL error.
func (c *statementContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return context.Canceled
	}
	return nil
}

// Value implements context.Context.
func (c *statementContext) Value(key any) any { return c.parent.Value(key) }
