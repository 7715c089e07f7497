package sql

import (
	"context"
	"errors"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/exec"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/txn"
)

// This file is the transaction state machine of a session. Its states are
// PostgreSQL's (xact.c), reduced to four.

// blockState is where a session stands between BEGIN and COMMIT.
type blockState uint8

const (
	// blockNone: each statement is its own transaction.
	blockNone blockState = iota
	// blockImplicit: statements of one Query message, or between two Syncs.
	blockImplicit
	// blockOpen: after BEGIN.
	blockOpen
	// blockFailed: an error has occurred after BEGIN; only its end is accepted.
	blockFailed
)

// txnState is a session's transaction.
type txnState struct {
	block blockState
	// kv is the transaction below; nil until a statement needs one.
	kv *txn.Txn
	// coll is the catalog as the transaction sees it; nil along with kv.
	coll *catalog.Collection
	// modes of the transaction that is open or, in blockNone, nothing.
	isolation kv.Isolation
	// isolationName is what SHOW says: READ UNCOMMITTED is READ COMMITTED.
	isolationName string
	readOnly      bool
	deferrable    bool
	// queried: a statement has run that takes a snapshot in PostgreSQL. The modes
	// cannot change any more.
	queried    bool
	started    time.Time
	savepoints []savepoint
	// asOf is the time of the past that the transaction reads, zero for the present.
	asOf hlc.Timestamp
	// deferred is the checks that wait for the end of the transaction.
	deferred exec.Deferred
	// statements counts those that have run to their end: after the first, the
	// client has seen results and the server cannot silently start over.
	statements int
}

// savepoint is one SAVEPOINT that is open.
type savepoint struct {
	name     string
	kv       txn.Savepoint
	settings int
	notices  notifyMark
	// The modes go back along with the settings.
	readOnly, deferrable bool
	deferred             exec.Deferred
}

// controlsTransaction reports whether a statement begins or ends transactions
// itself and hence opens no implicit one.
func controlsTransaction(st ast.Statement) bool {
	switch st.(type) {
	case *ast.Begin, *ast.Commit, *ast.Rollback, *ast.CommitPrepared, *ast.RollbackPrepared:
		return true
	}
	return false
}

// checkTxnState refuses what a failed transaction does not accept.
func (s *Session) checkTxnState(st ast.Statement) error {
	if s.txn.block != blockFailed {
		return nil
	}
	switch st.(type) {
	case *ast.Commit, *ast.Rollback, *ast.RollbackTo, *ast.PrepareTransaction:
		return nil
	}
	return sqlstate.New(sqlstate.InFailedSQLTransaction, "current transaction is aborted, commands ignored until end of transaction block")
}

// startModes sets the modes of a transaction that begins to the session's
// defaults.
func (s *Session) startModes() {
	s.txn.isolation, s.txn.isolationName = s.vars.DefaultIsolation, s.vars.DefaultIsolationName
	s.txn.readOnly = s.vars.DefaultReadOnly
	s.txn.deferrable = s.vars.DefaultDeferrable
	s.txn.started = time.Now()
	s.txn.statements, s.txn.queried = 0, false
}

// ensureTxn opens the transaction below if there is none yet.
func (s *Session) ensureTxn() *txn.Txn {
	if s.txn.kv == nil {
		if s.txn.block == blockNone || s.txn.block == blockImplicit && s.txn.started.IsZero() {
			s.startModes()
		}
		s.txn.kv = s.srv.cfg.DB.Begin(txn.Options{
			Isolation: s.txn.isolation,
			Name:      s.vars.ApplicationName,
			Session:   s.id,
			AsOf:      s.safeSnapshot(),
		})
		s.txn.coll = catalog.NewCollection(s.srv.cfg.Catalog, s.srv.catalogDB(), catalogTxn{s.txn.kv})
		s.setPath(s.txn.coll)
		s.eval.startTransaction(s.txn.started)
	}
	return s.txn.kv
}

// txnTimeLeft returns what transaction_timeout leaves of the time of the block that
// is open, or of a statement's that starts now.
func (s *Session) txnTimeLeft() (time.Duration, bool) {
	bound := s.vars.TransactionTimeout
	if bound == 0 {
		return 0, false
	}
	if s.txn.block == blockNone || s.txn.started.IsZero() {
		return bound, true
	}
	return max(time.Nanosecond, bound-time.Since(s.txn.started)), true
}

// begin executes BEGIN.
func (s *Session) begin(st *ast.Begin) error {
	switch s.txn.block {
	case blockOpen:
		s.warning(sqlstate.ActiveSQLTransaction, "there is already a transaction in progress")
		return s.setModes(&st.Modes)
	default:
		if s.txn.started.IsZero() {
			s.startModes()
		}
	}
	// An implicit transaction that is under way becomes the explicit one.
	s.txn.block = blockOpen
	return s.setModes(&st.Modes)
}

// commitStatement executes COMMIT and returns the tag, which is ROLLBACK if the
// transaction had failed.
func (s *Session) commitStatement(chain bool) (Tag, error) {
	switch s.txn.block {
	case blockNone, blockImplicit:
		if chain {
			return Tag{}, noTransactionBlock("COMMIT AND CHAIN")
		}
		s.warning(sqlstate.NoActiveSQLTransaction, "there is no transaction in progress")
		if s.txn.block == blockImplicit {
			return Tag{Name: "COMMIT"}, s.commitTransaction()
		}
		return Tag{Name: "COMMIT"}, nil
	case blockFailed:
		s.abortTransaction()
		s.chain(chain)
		return Tag{Name: "ROLLBACK"}, nil
	}
	if err := s.commitTransaction(); err != nil {
		return Tag{}, err
	}
	s.chain(chain)
	return Tag{Name: "COMMIT"}, nil
}

// rollbackStatement executes ROLLBACK.
func (s *Session) rollbackStatement(chain bool) (Tag, error) {
	if s.txn.block == blockNone || s.txn.block == blockImplicit {
		if chain {
			return Tag{}, noTransactionBlock("ROLLBACK AND CHAIN")
		}
		s.warning(sqlstate.NoActiveSQLTransaction, "there is no transaction in progress")
	}
	s.abortTransaction()
	s.chain(chain)
	return Tag{Name: "ROLLBACK"}, nil
}

// chain begins a transaction with the modes of the one that has just ended.
func (s *Session) chain(chain bool) {
	if chain {
		s.txn.block = blockOpen
		s.txn.started = time.Now()
		s.txn.statements, s.txn.queried = 0, false
	}
}

// commitTransaction commits what is open, explicit or implicit. Whatever
// happens, no transaction is open afterwards.
func (s *Session) commitTransaction() error {
	s.closeCursors()
	if s.notices.pending() {
		if err := s.prepareNotifications(); err != nil {
			s.abortTransaction()
			return err
		}
	}
	t := s.txn.kv
	if t == nil {
		s.transactionEnded(true)
		return nil
	}
	if err := s.prepareCommit(); err != nil {
		s.abortTransaction()
		return err
	}
	wrote := t.HasWrites()
	if err := t.Commit(&s.ctx); err != nil {
		if _, unknown := errors.AsType[*kv.AmbiguousError](err); unknown {
			s.srv.cfg.Schema.AfterUnknown(s.txn.coll)
		}
		s.abortTransaction()
		return err
	}
	if wrote {
		s.noteCommit(t.CommitTimestamp())
	}
	coll := s.txn.coll
	s.transactionEnded(true)
	t.Close()
	return s.afterCommit(coll, wrote)
}

// abortTransaction rolls back what is open. It never fails: what could not be
// released now is released later.
func (s *Session) abortTransaction() {
	s.closeCursors()
	if t := s.txn.kv; t != nil {
		t.Rollback(context.WithoutCancel(&s.ctx))
		s.txn.coll.Release()
		t.Close()
	}
	s.transactionEnded(false)
}

// transactionEnded resets the state.
func (s *Session) transactionEnded(committed bool) {
	s.vars.EndTxn(committed)
	s.endNotifications(committed)
	s.releaseTxnAdvisory()
	s.txn.kv, s.txn.coll = nil, nil
	s.txn.asOf = 0
	s.txn.deferred.Reset()
	s.txn.block = blockNone
	s.txn.started = time.Time{}
	s.txn.statements, s.txn.queried = 0, false
	s.txn.savepoints = s.txn.savepoints[:0]
	s.useRole()
}

// statementFailed moves the transaction on after an error.
func (s *Session) statementFailed(e *sqlstate.Error) {
	switch s.txn.block {
	case blockNone, blockImplicit:
		s.abortTransaction()
	case blockOpen:
		s.txn.block = blockFailed
		if len(s.txn.savepoints) == 0 {
			s.closeCursors()
		} else {
			s.closeRunning()
		}
		// Without a savepoint to go back to there is nothing worth keeping: the
		// locks fall now and not when the client gets round to ROLLBACK.
		if len(s.txn.savepoints) == 0 && s.txn.kv != nil {
			s.txn.kv.Rollback(context.WithoutCancel(&s.ctx))
			s.txn.coll.Release()
		}
	}
}

// savepoint executes SAVEPOINT.
func (s *Session) savepoint(name string) error {
	if s.txn.block != blockOpen {
		return noTransactionBlock("SAVEPOINT")
	}
	t := s.ensureTxn()
	s.txn.savepoints = append(s.txn.savepoints, savepoint{
		name: name, kv: t.Savepoint(), settings: s.vars.Mark(), notices: s.notices.mark(), readOnly: s.txn.readOnly, deferrable: s.txn.deferrable,
		deferred: s.txn.deferred.Mark(),
	})
	return nil
}

func noTransactionBlock(what string) error {
	return sqlstate.New(sqlstate.NoActiveSQLTransaction, "%s can only be used in transaction blocks", what)
}

// findSavepoint returns the index of the innermost savepoint of a name.
func (s *Session) findSavepoint(name string) (int, error) {
	for i := len(s.txn.savepoints) - 1; i >= 0; i-- {
		if s.txn.savepoints[i].name == name {
			return i, nil
		}
	}
	return 0, sqlstate.New(sqlstate.InvalidSavepointSpecification, "savepoint \"%s\" does not exist", name)
}

// releaseSavepoint executes RELEASE.
func (s *Session) releaseSavepoint(name string) error {
	if s.txn.block != blockOpen {
		return noTransactionBlock("RELEASE SAVEPOINT")
	}
	i, err := s.findSavepoint(name)
	if err != nil {
		return err
	}
	s.forgetSavepoints(i)
	for _, p := range s.portals {
		if p.cursor != nil {
			p.cursor.savepoints = min(p.cursor.savepoints, i)
		}
	}
	return nil
}

// forgetSavepoints releases the savepoints from index i on, which are inside of each
// other.
func (s *Session) forgetSavepoints(i int) {
	for _, sp := range s.txn.savepoints[i:] {
		s.txn.kv.Release(sp.kv)
	}
	s.txn.savepoints = s.txn.savepoints[:i]
}

// rollbackTo executes ROLLBACK TO SAVEPOINT, which also ends the failed state.
func (s *Session) rollbackTo(name string) error {
	if s.txn.block != blockOpen && s.txn.block != blockFailed {
		return noTransactionBlock("ROLLBACK TO SAVEPOINT")
	}
	i, err := s.findSavepoint(name)
	if err != nil {
		return err
	}
	sp := s.txn.savepoints[i]
	if err := s.txn.kv.RollbackTo(&s.ctx, sp.kv); err != nil {
		if errors.Is(err, txn.ErrFinished) {
			// A conflict has ended all of it: no savepoint brings it back.
			return sqlstate.New(sqlstate.SerializationFailure, "could not serialize access due to concurrent transactions").
				WithDetail("The transaction was aborted, not just the part since savepoint \"%s\".", name).
				WithHint("The transaction might succeed if retried.")
		}
		return err
	}
	if err := s.txn.coll.RolledBackTo(&s.ctx); err != nil {
		return err
	}
	s.vars.RollbackTo(sp.settings)
	s.txn.deferred = sp.deferred.Mark()
	s.notices.rollbackTo(sp.notices)
	s.txn.readOnly, s.txn.deferrable = sp.readOnly, sp.deferrable
	s.useRole()
	s.forgetSavepoints(i + 1)
	for _, p := range s.portals {
		if p.cursor != nil && p.cursor.savepoints > i {
			s.closePortal(p)
		}
	}
	s.txn.block = blockOpen
	return nil
}
