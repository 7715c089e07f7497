package sql

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// postgresEpochMicros is 2000-01-01 in microseconds since 1970.
const postgresEpochMicros = 946684800 * 1e6

func postgresMicros(t time.Time) int64 { return t.UnixMicro() - postgresEpochMicros }

// evaluation is the session's expr.EvalContext, reused by all of its statements.
type evaluation struct {
	ec expr.EvalContext
	// names resolves reg* types for text conversion.
	names sessionNames
}

// initEvaluation fills in what does not change during the session.
func (s *Session) initEvaluation() {
	ec := &s.eval.ec
	ec.Ctx = &s.ctx
	ec.Settings = &s.vars.Conversion
	ec.Clock = time.Now
	ec.Random = rand.Float64
	ec.User, ec.SessionUser, ec.Database = s.user, s.args.User, s.args.Database
	ec.BackendPID = int32(s.args.PID)
	ec.Session = (*sessionVariables)(s)
	ec.Sequences = (*sessionSequences)(s)
	ec.System = s.srv.system(s)
	s.eval.names = sessionNames{s}
	s.vars.Conversion.Names = s.eval.names
}

// startTransaction sets what now() returns.
func (e *evaluation) startTransaction(t time.Time) {
	e.ec.TxnTime = postgresMicros(t)
	e.ec.Settings.Now = e.ec.TxnTime
}

// startStatement sets what statement_timestamp() returns.
func (e *evaluation) startStatement(t time.Time) {
	e.ec.StmtTime = postgresMicros(t)
	e.ec.Params = nil
	e.ec.Outer = e.ec.Outer[:0]
}

// context returns the evaluation context for a statement.
func (s *Session) evalContext(params []types.Datum) *expr.EvalContext {
	s.eval.ec.Params = params
	s.eval.ec.SearchPath = s.vars.SearchPath
	return &s.eval.ec
}

// sessionVariables gives expressions the session's settings.
type sessionVariables Session

// Setting implements expr.Session.
func (v *sessionVariables) Setting(name string) (string, bool) {
	value, err := (*Session)(v).setting(name)
	return value, err == nil
}

// SetSetting implements expr.Session: set_config.
func (v *sessionVariables) SetSetting(name, value string, local bool) (string, error) {
	s := (*Session)(v)
	switch name {
	case "transaction_isolation", "transaction_read_only", "transaction_deferrable":
		if err := s.assignTransactionVariable(name, value, false); err != nil {
			return "", err
		}
	case "session_authorization":
		if err := s.assignSessionUser(value, local); err != nil {
			return "", err
		}
	case "role":
		if err := s.assignRole(value, local); err != nil {
			return "", err
		}
	default:
		// A set_config outside of a block is its statement's own transaction, so
		// that a local value ends with the statement.
		if err := s.vars.Assign(name, value, local, s.inBlock() || local); err != nil {
			return "", err
		}
	}
	return s.setting(name)
}

// sequenceState is what currval and lastval remember in a session.
type sequenceState struct {
	last   types.OID
	values map[types.OID]int64
}

// sessionSequences implements nextval and its relatives.
type sessionSequences Session

// Nextval implements expr.Sequences.
func (q *sessionSequences) Nextval(ctx context.Context, seq types.OID) (int64, error) {
	s := (*Session)(q)
	if s.txn.readOnly && s.txn.block != blockNone {
		return 0, readOnlyError("nextval()")
	}
	if err := s.checkSequence(seq, catalog.PrivUsage|catalog.PrivUpdate); err != nil {
		return 0, err
	}
	v, err := s.srv.cfg.Schema.Nextval(ctx, s.collection(), seq)
	if err != nil {
		return 0, err
	}
	if s.seq.values == nil {
		s.seq.values = map[types.OID]int64{}
	}
	s.seq.values[seq] = v
	s.seq.last = seq
	return v, nil
}

// Currval implements expr.Sequences.
func (q *sessionSequences) Currval(ctx context.Context, seq types.OID) (int64, error) {
	s := (*Session)(q)
	if err := s.checkSequence(seq, catalog.PrivUsage|catalog.PrivSelect); err != nil {
		return 0, err
	}
	v, ok := s.seq.values[seq]
	if !ok {
		name, _ := s.eval.names.RegName(types.Regclass, seq)
		return 0, sqlstate.New(sqlstate.ObjectNotInPrereqState, "currval of sequence \"%s\" is not yet defined in this session", name)
	}
	return v, nil
}

// Setval implements expr.Sequences.
func (q *sessionSequences) Setval(ctx context.Context, seq types.OID, value int64, isCalled bool) error {
	s := (*Session)(q)
	if err := s.checkSequence(seq, catalog.PrivUpdate); err != nil {
		return err
	}
	if err := s.srv.cfg.Schema.Setval(ctx, s.collection(), seq, value, isCalled); err != nil {
		return err
	}
	if isCalled {
		if s.seq.values == nil {
			s.seq.values = map[types.OID]int64{}
		}
		s.seq.values[seq] = value
	}
	return nil
}

// Lastval implements expr.Sequences.
func (q *sessionSequences) Lastval(ctx context.Context) (int64, error) {
	s := (*Session)(q)
	if s.seq.last == 0 {
		return 0, sqlstate.New(sqlstate.ObjectNotInPrereqState, "lastval is not yet defined in this session")
	}
	return s.seq.values[s.seq.last], nil
}

func readOnlyError(what string) error {
	return sqlstate.New(sqlstate.ReadOnlySQLTransaction, "cannot execute %s in a read-only transaction", what)
}
