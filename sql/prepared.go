package sql

import (
	"time"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/parser"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// preparedStatement is a statement that a client has named (Parse or PREPARE).
type preparedStatement struct {
	name string
	text string
	// stmt is nil for an empty text.
	stmt *parser.Statement
	// declared are the parameter types that the client gave, nil elements where
	// it left them open.
	declared []*types.T
	// compiled is the plan; it is renewed when the catalog has moved on. Nil for
	// statements that have no plan.
	compiled *compiled
	// described are the result columns as they were when the statement was prepared or
	// described last; a renewed plan must not differ (0A000), since drivers remember
	// them.
	described []Column
	fromSQL   bool
	seenOnce  bool
	at        time.Time
}

// StatementDescription answers Describe of a statement.
type StatementDescription struct {
	Params []uint32
	// Columns is nil if the statement returns no rows.
	Columns []Column
}

// Parse serves the Parse message: it prepares text under name ("" is the unnamed
// statement), with the declared parameter types (0 means undeclared).
func (s *Session) Parse(name, text string, paramTypes []uint32) error {
	s.beginStatement()
	defer s.ctx.finish()
	if err := s.prepareText(name, text, paramTypes); err != nil {
		return s.failed(err, text)
	}
	return nil
}

func (s *Session) prepareText(name, text string, paramTypes []uint32) error {
	statements, err := s.parse(text)
	if err != nil {
		return err
	}
	if len(statements) > 1 {
		return sqlstate.New(sqlstate.SyntaxError, "cannot insert multiple commands into a prepared statement")
	}
	ps := &s.unnamedStatement
	if name != "" {
		if _, exists := s.prepared[name]; exists {
			return sqlstate.New(sqlstate.DuplicatePreparedStatement, "prepared statement \"%s\" already exists", name)
		}
		ps = &preparedStatement{}
	}
	*ps = preparedStatement{name: name, text: text, seenOnce: true, at: time.Now()}
	if len(statements) == 1 {
		ps.stmt = &statements[0]
		// A failed transaction refuses Parse of everything but its end.
		if err := s.checkTxnState(ps.stmt.AST); err != nil {
			return err
		}
	}
	for _, oid := range paramTypes {
		var t *types.T
		if oid != 0 {
			if t = s.typeByOID(types.OID(oid)); t == nil {
				return sqlstate.New(sqlstate.UndefinedObject, "type with OID %d does not exist", oid)
			}
		}
		ps.declared = append(ps.declared, t)
	}
	if ps.stmt != nil && isPlanned(ps.stmt.AST) {
		if err := s.compile(ps); err != nil {
			return err
		}
		ps.described = ps.compiled.columns
	}
	if name != "" {
		s.prepared[name] = ps
	}
	return nil
}

// statement finds a prepared statement. The name is not kept.
func (s *Session) statement(name []byte) (*preparedStatement, error) {
	if len(name) == 0 {
		if !s.unnamedStatement.seenOnce {
			return nil, sqlstate.New(sqlstate.InvalidSQLStatementName, "unnamed prepared statement does not exist")
		}
		return &s.unnamedStatement, nil
	}
	if ps := s.prepared[string(name)]; ps != nil {
		return ps, nil
	}
	return nil, sqlstate.New(sqlstate.InvalidSQLStatementName, "prepared statement \"%s\" does not exist", name)
}

// DescribeStatement serves Describe of a statement.
func (s *Session) DescribeStatement(name []byte) (StatementDescription, error) {
	s.beginStatement()
	defer s.ctx.finish()
	ps, err := s.statement(name)
	if err != nil {
		return StatementDescription{}, s.failed(err, "")
	}
	if ps.stmt == nil {
		return StatementDescription{}, nil
	}
	if err := s.checkTxnState(ps.stmt.AST); err != nil {
		return StatementDescription{}, s.failed(err, ps.text)
	}
	var d StatementDescription
	if ps.compiled != nil {
		if err := s.refresh(ps); err != nil {
			return d, s.failed(err, ps.text)
		}
		for _, t := range ps.compiled.params {
			d.Params = append(d.Params, uint32(t.OID))
		}
		d.Columns = ps.compiled.columns
		ps.described = d.Columns
		return d, nil
	}
	for _, t := range ps.declared {
		if t != nil {
			d.Params = append(d.Params, uint32(t.OID))
		}
	}
	d.Columns, err = s.utilityColumns(ps.stmt.AST)
	if err != nil {
		return d, s.failed(err, ps.text)
	}
	return d, nil
}

// CloseStatement serves Close of a statement; the portals made from it live on.
func (s *Session) CloseStatement(name []byte) {
	if len(name) == 0 {
		s.unnamedStatement = preparedStatement{}
		return
	}
	delete(s.prepared, string(name))
}

// deallocate executes DEALLOCATE.
func (s *Session) deallocate(name string) error {
	if name == "" {
		clear(s.prepared)
		s.unnamedStatement = preparedStatement{}
		return nil
	}
	if _, ok := s.prepared[name]; !ok {
		return sqlstate.New(sqlstate.InvalidSQLStatementName, "prepared statement \"%s\" does not exist", name)
	}
	delete(s.prepared, name)
	return nil
}

// prepareStatement executes PREPARE.
func (s *Session) prepareStatement(st *ast.Prepare) error {
	if _, exists := s.prepared[st.Name]; exists {
		return sqlstate.New(sqlstate.DuplicatePreparedStatement, "prepared statement \"%s\" already exists", st.Name)
	}
	ps := &preparedStatement{
		name: st.Name, text: st.Text, fromSQL: true, seenOnce: true, at: time.Now(),
		stmt: &parser.Statement{AST: st.Query, Text: st.Text},
	}
	for _, tn := range st.Types {
		t, err := s.resolveType(tn)
		if err != nil {
			return err
		}
		ps.declared = append(ps.declared, t)
	}
	if isPlanned(st.Query) {
		if err := s.compile(ps); err != nil {
			return err
		}
	}
	s.prepared[st.Name] = ps
	return nil
}
