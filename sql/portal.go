package sql

import (
	"github.com/spanlite/spanlite/sql/parser"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// portal is a statement with its parameters, ready to run or half run.
type portal struct {
	name string
	open bool
	stmt *parser.Statement
	text string
	// ps is set if the portal was bound from a prepared statement.
	ps       *preparedStatement
	compiled *compiled
	params   []types.Datum
	formats  []int16
	// columns of the result; nil if there is none.
	columns []Column

	// run is the execution; nil before the first Execute.
	run *running
	// done says that the portal has run to its end and tag is what it said.
	done bool
	tag  Tag
	// cursor portals outlive a statement but not the transaction, unless hold.
	cursor *cursor
}

// Bind serves the Bind message: statement with parameters becomes portal. The
// arguments are not kept.
func (s *Session) Bind(portalName, statement []byte, paramFormats []int16, params [][]byte, resultFormats []int16) error {
	s.beginStatement()
	defer s.ctx.finish()
	ps, err := s.statement(statement)
	if err != nil {
		return s.failed(err, "")
	}
	if err := s.bind(ps, portalName, paramFormats, params, resultFormats); err != nil {
		return s.failed(err, ps.text)
	}
	return nil
}

func (s *Session) bind(ps *preparedStatement, portalName []byte, paramFormats []int16, params [][]byte, resultFormats []int16) error {
	var p *portal
	if len(portalName) == 0 {
		p = &s.unnamedPortal
		s.closePortal(p)
	} else {
		if _, exists := s.portals[string(portalName)]; exists {
			return sqlstate.New(sqlstate.DuplicateCursor, "cursor \"%s\" already exists", portalName)
		}
		p = &portal{name: string(portalName)}
	}
	p.params, p.formats = p.params[:0], append(p.formats[:0], resultFormats...)
	p.text, p.stmt, p.ps = ps.text, ps.stmt, ps
	p.compiled, p.columns, p.done = nil, nil, false
	if ps.stmt != nil {
		if err := s.checkTxnState(ps.stmt.AST); err != nil {
			return err
		}
	}
	want := len(ps.declared)
	if ps.compiled != nil {
		if err := s.refresh(ps); err != nil {
			return err
		}
		p.compiled = ps.compiled
		p.columns = ps.compiled.columns
		want = len(p.compiled.params)
	}
	if len(params) != want {
		return sqlstate.New(sqlstate.ProtocolViolation, "bind message supplies %d parameters, but prepared statement \"%s\" requires %d", len(params), ps.name, want)
	}
	if n := len(paramFormats); n > 1 && n != len(params) {
		return sqlstate.New(sqlstate.ProtocolViolation, "bind message has %d parameter formats but %d parameters", n, len(params))
	}
	if n := len(resultFormats); n > 1 && n != len(p.columns) {
		return sqlstate.New(sqlstate.ProtocolViolation, "bind message has %d result formats but query has %d columns", n, len(p.columns))
	}
	for i, raw := range params {
		d, err := s.parameter(p, i, raw, paramFormats)
		if err != nil {
			return err
		}
		p.params = append(p.params, d)
	}
	p.open = true
	if p.name != "" {
		s.portals[p.name] = p
	}
	return nil
}

// parameter decodes one parameter into a Datum that owns its memory.
func (s *Session) parameter(p *portal, i int, raw []byte, formats []int16) (types.Datum, error) {
	if raw == nil {
		return types.Null, nil
	}
	t := types.Text
	if p.compiled != nil {
		t = p.compiled.params[i]
	} else if i < len(p.ps.declared) && p.ps.declared[i] != nil {
		t = p.ps.declared[i]
	}
	format := int16(0)
	switch {
	case len(formats) == 1:
		format = formats[0]
	case i < len(formats):
		format = formats[i]
	}
	var d types.Datum
	var err error
	if format == 0 {
		d, err = types.ParseText(t, string(raw), &s.vars.Conversion)
	} else {
		d, err = types.ParseBinary(t, raw, &s.vars.Conversion)
	}
	if err != nil {
		return types.Null, err
	}
	return d.Clone(), nil
}

// bindDirect makes a portal of a statement of a simple query.
func (s *Session) bindDirect(p *portal, st *parser.Statement) error {
	p.params, p.formats = p.params[:0], p.formats[:0]
	p.text, p.stmt, p.ps = st.Text, st, nil
	p.compiled, p.columns, p.done = nil, nil, false
	if isPlanned(st.AST) {
		c, err := s.compileStatement(st, nil)
		if err != nil {
			return err
		}
		p.compiled, p.columns = c, c.columns
	}
	p.open = true
	return nil
}

// findPortal finds an open portal. The name is not kept.
func (s *Session) findPortal(name []byte) (*portal, error) {
	if len(name) == 0 {
		if s.unnamedPortal.open {
			return &s.unnamedPortal, nil
		}
	} else if p := s.portals[string(name)]; p != nil {
		return p, nil
	}
	return nil, sqlstate.New(sqlstate.InvalidCursorName, "portal \"%s\" does not exist", name)
}

// DescribePortal serves Describe of a portal: its result columns (nil if there
// are none) and their formats.
func (s *Session) DescribePortal(name []byte) ([]Column, []int16, error) {
	p, err := s.findPortal(name)
	if err != nil {
		return nil, nil, s.failed(err, "")
	}
	if p.stmt != nil && p.compiled == nil && p.columns == nil {
		if p.columns, err = s.utilityColumns(p.stmt.AST); err != nil {
			return nil, nil, s.failed(err, p.text)
		}
	}
	return p.columns, p.formats, nil
}

// ClosePortal serves Close of a portal.
func (s *Session) ClosePortal(name []byte) {
	if p, err := s.findPortal(name); err == nil {
		s.closePortal(p)
	}
}

// closePortal ends a portal and what it runs. Closing a closed one does nothing.
func (s *Session) closePortal(p *portal) {
	if !p.open {
		return
	}
	p.open = false
	if p.run != nil {
		p.run.close()
		p.run = nil
	}
	if p.cursor != nil {
		p.cursor.mem.Close()
		p.cursor = nil
	}
	if p.name != "" {
		delete(s.portals, p.name)
	}
}

// closePortals ends all portals.
func (s *Session) closePortals() {
	s.closePortal(&s.unnamedPortal)
	for _, p := range s.portals {
		s.closePortal(p)
	}
}

// closeRunning ends the portals that are suspended in the middle of a plan, whose
// snapshot a rollback to a savepoint takes away. Cursors have their rows already.
func (s *Session) closeRunning() {
	if s.unnamedPortal.run != nil {
		s.unnamedPortal.run.close()
		s.unnamedPortal.run = nil
	}
	for _, p := range s.portals {
		if p.run != nil {
			s.closePortal(p)
		}
	}
}

// closeCursors ends what does not outlive a transaction: every portal but held
// cursors.
func (s *Session) closeCursors() {
	if s.unnamedPortal.run != nil {
		s.unnamedPortal.run.close()
		s.unnamedPortal.run = nil
	}
	for _, p := range s.portals {
		if p.cursor == nil || !p.cursor.held {
			s.closePortal(p)
		}
	}
}

// Execute serves the Execute message: it runs a portal for at most rowsMax rows
// (0: all).
func (s *Session) Execute(name []byte, rowsMax int64) error {
	p, err := s.findPortal(name)
	if err != nil {
		return s.failed(err, "")
	}
	s.beginActivity(p.text)
	defer s.endActivity()
	s.beginStatement()
	defer s.ctx.finish()
	if p.stmt == nil {
		return s.client.Empty()
	}
	if err := s.checkTxnState(p.stmt.AST); err != nil {
		return s.failed(err, p.text)
	}
	// When the client has sent Sync already, nothing can follow in this implicit
	// transaction: the statement commits itself, and may be retried as a whole.
	alone := s.txn.block == blockNone && s.client.SyncFollows()
	if s.txn.block == blockNone && !alone && !controlsTransaction(p.stmt.AST) {
		s.txn.block = blockImplicit
	}
	if err := s.executePortal(p, rowsMax, execution{alone: alone, extended: true}); err != nil {
		return s.failed(err, p.text)
	}
	return nil
}

// Sync serves the Sync message: it ends the implicit transaction.
func (s *Session) Sync() error {
	var err error
	if s.txn.block == blockImplicit {
		s.beginStatement()
		if err = s.commitTransaction(); err != nil {
			err = s.failed(err, "")
		}
		s.ctx.finish()
	}
	if s.txn.block == blockNone {
		s.closePortal(&s.unnamedPortal)
		if len(s.portals) > 0 {
			s.closeCursors()
		}
	}
	return err
}
