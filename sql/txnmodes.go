package sql

import (
	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/settings"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// This file is the modes of a transaction: BEGIN's, SET TRANSACTION's, and the
// variables transaction_isolation and its relatives, with the rules of
// PostgreSQL's variable.c about when each may change.

// setModes applies the modes of BEGIN and SET TRANSACTION.
func (s *Session) setModes(m *ast.TransactionModes) error {
	sub := len(s.txn.savepoints) > 0
	active := func(message string) error { return sqlstate.New(sqlstate.ActiveSQLTransaction, "%s", message) }
	if m.Isolation != ast.IsolationDefault {
		if name := m.Isolation.String(); name != s.txn.isolationName {
			switch {
			case s.txn.queried:
				return active("SET TRANSACTION ISOLATION LEVEL must be called before any query")
			case sub:
				return active("SET TRANSACTION ISOLATION LEVEL must not be called in a subtransaction")
			}
			s.txn.isolation, s.txn.isolationName = isolationOf(m.Isolation), name
			if s.txn.kv != nil {
				s.txn.kv.SetIsolation(s.txn.isolation)
			}
		}
	}
	if m.ReadOnly != nil {
		if !*m.ReadOnly && s.txn.readOnly {
			switch {
			case sub:
				return active("cannot set transaction read-write mode inside a read-only transaction")
			case s.txn.queried || s.txn.asOf != 0:
				return active("transaction read-write mode must be set before any query")
			}
		}
		s.txn.readOnly = *m.ReadOnly
	}
	if m.Deferrable != nil {
		switch {
		case sub:
			return active("SET TRANSACTION [NOT] DEFERRABLE must not be called within a subtransaction")
		case s.txn.queried:
			return active("SET TRANSACTION [NOT] DEFERRABLE must be called before any query")
		}
		s.txn.deferrable = *m.Deferrable
	}
	if m.AsOf != nil {
		return s.setAsOf(m.AsOf)
	}
	return nil
}

func isolationOf(i ast.Isolation) kv.Isolation {
	switch i {
	case ast.Serializable:
		return kv.Serializable
	case ast.RepeatableRead:
		return kv.RepeatableRead
	}
	return kv.ReadCommitted
}

// parseIsolation reads the name of an isolation level.
func parseIsolation(name string) (ast.Isolation, bool) {
	for i := ast.ReadUncommitted; i <= ast.Serializable; i++ {
		if i.String() == name {
			return i, true
		}
	}
	return ast.IsolationDefault, false
}

// safeSnapshot returns the timestamp to read at, zero for the present. A READ ONLY
// DEFERRABLE transaction at SERIALIZABLE waits until nothing can be uncertain about
// its snapshot, and then it never fails: the clock offset takes the place of
// PostgreSQL's wait for concurrent writers.
func (s *Session) safeSnapshot() hlc.Timestamp {
	if s.txn.asOf != 0 || !s.txn.deferrable || !s.txn.readOnly || s.txn.isolation != kv.Serializable {
		return s.txn.asOf
	}
	clock := s.srv.cfg.DB.Clock()
	offset := clock.MaxOffset()
	ts := clock.Now().Add(offset)
	for now := clock.Now(); now < ts; now = clock.Now() {
		if err := pause(&s.ctx, ts.Sub(now)); err != nil {
			return 0 // the statement ends with the context
		}
	}
	return ts
}

// takesSnapshot reports whether PostgreSQL takes a snapshot for a statement without
// a plan; after that the modes of its transaction are fixed.
func takesSnapshot(st ast.Statement) bool {
	switch st.(type) {
	case *ast.Begin, *ast.Commit, *ast.Rollback, *ast.Savepoint, *ast.ReleaseSavepoint, *ast.RollbackTo,
		*ast.PrepareTransaction, *ast.CommitPrepared, *ast.RollbackPrepared, *ast.SetTransaction, *ast.Set, *ast.Reset, *ast.Show,
		*ast.SetConstraints, *ast.Lock, *ast.Fetch, *ast.CloseCursor, *ast.Listen, *ast.Unlisten, *ast.Notify, *ast.Checkpoint:
		return false
	}
	return true
}

// setTransaction executes SET TRANSACTION and SET SESSION CHARACTERISTICS.
func (s *Session) setTransaction(st *ast.SetTransaction) error {
	if st.Snapshot != "" {
		return sqlstate.Unsupported("SET TRANSACTION SNAPSHOT")
	}
	if !st.Session {
		if s.txn.block == blockNone {
			s.warning(sqlstate.NoActiveSQLTransaction, "SET TRANSACTION can only be used in transaction blocks")
			return nil
		}
		return s.setModes(&st.Modes)
	}
	set := func(name, value string) error { return s.vars.Assign(name, value, false, s.inBlock()) }
	if st.Modes.AsOf != nil {
		return sqlstate.Unsupported("AS OF SYSTEM TIME as a session characteristic")
	}
	if st.Modes.Isolation != ast.IsolationDefault {
		if err := set("default_transaction_isolation", st.Modes.Isolation.String()); err != nil {
			return err
		}
	}
	if st.Modes.ReadOnly != nil {
		if err := set("default_transaction_read_only", onOff(*st.Modes.ReadOnly)); err != nil {
			return err
		}
	}
	if st.Modes.Deferrable != nil {
		return set("default_transaction_deferrable", onOff(*st.Modes.Deferrable))
	}
	return nil
}

// setTransactionVariable executes SET transaction_isolation and its relatives,
// which change the transaction that is open.
func (s *Session) setTransactionVariable(st *ast.Set) error {
	value := ""
	if !st.Default {
		var err error
		if value, err = settingText(st); err != nil {
			return err
		}
	}
	return s.assignTransactionVariable(st.Name, value, st.Default)
}

func (s *Session) assignTransactionVariable(name, value string, toDefault bool) error {
	var m ast.TransactionModes
	switch name {
	case "transaction_isolation":
		if toDefault {
			value = s.vars.DefaultIsolationName
		}
		var ok bool
		if m.Isolation, ok = parseIsolation(value); !ok {
			return sqlstate.New(sqlstate.InvalidParameterValue, "invalid value for parameter \"%s\": \"%s\"", name, value).
				WithHint("Available values: serializable, repeatable read, read committed, read uncommitted.")
		}
	default:
		b, ok := settings.ParseBool(value)
		if toDefault {
			b, ok = s.vars.DefaultReadOnly, true
			if name == "transaction_deferrable" {
				b = s.vars.DefaultDeferrable
			}
		}
		if !ok {
			return sqlstate.New(sqlstate.InvalidParameterValue, "parameter \"%s\" requires a Boolean value", name)
		}
		if name == "transaction_read_only" {
			m.ReadOnly = &b
		} else {
			m.Deferrable = &b
		}
	}
	if s.txn.block == blockNone {
		return nil // the statement is a transaction of its own, which ends with it
	}
	return s.setModes(&m)
}
