package sql

import (
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/copyfmt"
	"github.com/spanlite/spanlite/sql/exec"
	"github.com/spanlite/spanlite/sql/parser"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// copyRowsMax is the number of rows that COPY FROM inserts with one execution of
// its plan.
const copyRowsMax = 256

// copy executes COPY.
func (s *Session) copy(p *portal, st *ast.Copy) (Tag, error) {
	if st.File != "" {
		return Tag{}, sqlstate.Unsupported("COPY with a file or program on the server").
			WithHint("Anyone can COPY to stdout or from stdin. psql's \\copy command also works for anyone.")
	}
	s.ensureTxn()
	s.setPath(s.txn.coll)
	if st.From {
		return s.copyFrom(st)
	}
	return s.copyTo(st)
}

// copyTable resolves the table of a COPY and its columns, as ordinals.
func (s *Session) copyTable(st *ast.Copy) (catalog.Relation, []catalog.Column, error) {
	rel, err := s.txn.coll.ResolveRelation(&s.ctx, objectName(st.Table.Name))
	if err != nil {
		return nil, nil, err
	}
	var columns []catalog.Column
	if len(st.Columns) == 0 {
		for _, c := range rel.Cols() {
			if !c.Dropped && !c.Hidden && (c.Generated == nil || !st.From) {
				columns = append(columns, c)
			}
		}
		return rel, columns, nil
	}
names:
	for i, name := range st.Columns {
		for _, earlier := range st.Columns[:i] {
			if earlier.Text == name.Text {
				return nil, nil, sqlstate.New(sqlstate.DuplicateColumn, "column \"%s\" specified more than once", name.Text).At(name.Pos.Offset())
			}
		}
		for _, c := range rel.Cols() {
			if c.Name == name.Text && !c.Dropped && !c.Hidden {
				columns = append(columns, c)
				continue names
			}
		}
		return nil, nil, sqlstate.New(sqlstate.UndefinedColumn, "column \"%s\" of relation \"%s\" does not exist", name.Text, rel.Head().Name).At(name.Pos.Offset())
	}
	return rel, columns, nil
}

func columnNames(columns []catalog.Column) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return names
}

// copyFrom executes COPY ... FROM STDIN.
func (s *Session) copyFrom(st *ast.Copy) (Tag, error) {
	rel, columns, err := s.copyTable(st)
	if err != nil {
		return Tag{}, err
	}
	if _, ok := rel.(*catalog.Table); !ok {
		return Tag{}, sqlstate.New(sqlstate.WrongObjectType, "cannot copy to \"%s\": it is not a table", rel.Head().Name)
	}
	if st.Where != nil {
		return Tag{}, sqlstate.Unsupported("COPY FROM ... WHERE")
	}
	opts, err := copyOptions(st, columnNames(columns))
	if err != nil {
		return Tag{}, err
	}
	in := &copyInserter{s: s, rel: rel, columns: columns, binary: opts.Kind == copyfmt.Binary}
	if err := in.prepare(); err != nil {
		return Tag{}, err
	}
	source, err := s.client.CopyIn(opts.Kind == copyfmt.Binary, len(columns))
	if err != nil {
		return Tag{}, err
	}
	names := opts.HeaderMatch
	if names {
		opts.Header = false // it is read as a row, and compared
	}
	reader := copyfmt.NewReader(opts, len(columns))
	for finished := false; !finished; {
		piece, err := source.Next()
		switch {
		case errors.Is(err, io.EOF):
			reader.Finish()
			finished = true
		case err != nil:
			return Tag{}, err
		default:
			reader.Feed(piece)
		}
		for {
			row, ok, err := reader.Next()
			if err != nil {
				drainCopy(source, finished)
				return Tag{}, in.where(err, reader.Line()+1)
			}
			if !ok {
				break
			}
			if names {
				names = false
				if err := in.checkHeader(row); err != nil {
					drainCopy(source, finished)
					return Tag{}, in.where(err, 1)
				}
				continue
			}
			if err := in.add(row, reader.Line()); err != nil {
				drainCopy(source, finished)
				return Tag{}, err
			}
		}
		if err := s.ctx.Err(); err != nil {
			return Tag{}, err
		}
	}
	if err := in.flush(); err != nil {
		return Tag{}, err
	}
	if err := in.finish(); err != nil {
		return Tag{}, err
	}
	return Tag{Name: "COPY", Count: in.total, HasCount: true}, nil
}

// drainCopy reads the rest of what the client sends, which the protocol makes it
// do in any case.
func drainCopy(source CopySource, finished bool) {
	for !finished {
		if _, err := source.Next(); err != nil {
			return
		}
	}
}

// copyInserter inserts the rows of a COPY, many with one execution of a plan.
type copyInserter struct {
	s       *Session
	rel     catalog.Relation
	columns []catalog.Column
	binary  bool
	// full inserts copyRowsMax rows, one a single row.
	full, one *compiled
	params    []types.Datum
	rows      int
	total     int64
	bulk      *bulkTxn
}

// prepare makes the plans: INSERT INTO t (columns) VALUES ($1, $2, ...), ...
func (c *copyInserter) prepare() error {
	var err error
	declared := make([]*types.T, 0, len(c.columns)*copyRowsMax)
	for range copyRowsMax {
		for _, col := range c.columns {
			declared = append(declared, col.Type)
		}
	}
	if c.full, err = c.s.bindAndOptimize(c.insert(copyRowsMax), declared); err != nil {
		return err
	}
	if c.one, err = c.s.bindAndOptimize(c.insert(1), declared[:len(c.columns)]); err != nil {
		return err
	}
	if ok, err := c.s.txn.coll.Use(&c.s.ctx, c.one.plan.Tables...); err != nil || !ok {
		return errors.Join(err, errTableChanging(ok))
	}
	c.bulk = c.s.bulkFor(c.rel.(*catalog.Table))
	return nil
}

func errTableChanging(ok bool) error {
	if ok {
		return nil
	}
	return sqlstate.New(sqlstate.ObjectInUse, "a table of the statement is being changed")
}

// insert builds the statement for n rows.
func (c *copyInserter) insert(n int) ast.Statement {
	h := c.rel.Head()
	st := &ast.Insert{Pos: ast.NoPos, Table: &ast.TableRef{Pos: ast.NoPos, Name: ast.ObjectName{Pos: ast.NoPos, Schema: planCatalog{c.s.txn.coll}.SchemaName(h.Schema), Name: h.Name}}, Overriding: ast.OverridingSystem}
	for _, col := range c.columns {
		st.Columns = append(st.Columns, &ast.InsertColumn{Pos: ast.NoPos, Name: col.Name})
	}
	values := &ast.Values{Pos: ast.NoPos}
	k := 0
	for range n {
		var row []ast.Expr
		for range c.columns {
			k++
			row = append(row, &ast.Param{Pos: ast.NoPos, Number: k})
		}
		values.Rows = append(values.Rows, row)
	}
	st.Source = &ast.Select{Pos: ast.NoPos, Body: values}
	return st
}

// add converts a row and keeps it for the next insertion.
func (c *copyInserter) add(row [][]byte, line int) error {
	for i, field := range row {
		if field == nil {
			c.params = append(c.params, types.Null)
			continue
		}
		t := c.columns[i].Type
		var d types.Datum
		var err error
		if c.binary {
			d, err = types.ParseBinary(t, field, &c.s.vars.Conversion)
		} else {
			d, err = types.ParseText(t, string(field), &c.s.vars.Conversion)
		}
		if err != nil {
			e := *sqlstate.From(err)
			e.Where = c.place(line) + ", column " + c.columns[i].Name + ": \"" + string(field) + "\""
			return &e
		}
		if c.binary {
			d = d.Clone()
		}
		c.params = append(c.params, d)
	}
	c.rows++
	if c.rows < copyRowsMax {
		return nil
	}
	return c.flush()
}

// checkHeader compares the header line with the columns (HEADER MATCH).
func (c *copyInserter) checkHeader(row [][]byte) error {
	for i, field := range row {
		if name := c.columns[i].Name; string(field) != name {
			return sqlstate.New(sqlstate.BadCopyFileFormat, "column name mismatch in header line field %d: got \"%s\", expected \"%s\"", i+1, field, name)
		}
	}
	return nil
}

func (c *copyInserter) place(line int) string {
	return "COPY " + c.rel.Head().Name + ", line " + strconv.Itoa(line)
}

func (c *copyInserter) where(err error, line int) error {
	e := *sqlstate.From(err)
	if e.Where == "" {
		e.Where = c.place(line)
	}
	return &e
}

// flush inserts what was kept.
func (c *copyInserter) flush() error {
	defer func() {
		clear(c.params)
		c.params, c.rows = c.params[:0], 0
	}()
	if c.rows == copyRowsMax {
		return c.run(c.full, c.params)
	}
	width := len(c.columns)
	for i := range c.rows {
		if err := c.run(c.one, c.params[i*width:(i+1)*width]); err != nil {
			return err
		}
	}
	return nil
}

func (c *copyInserter) run(plan *compiled, params []types.Datum) error {
	mem := exec.NewMonitor(c.s.srv.cfg.Memory, 0)
	defer mem.Close()
	x := c.s.execContext(params, mem)
	if c.bulk != nil {
		x.Txn = c.bulk
	}
	n, err := exec.Run(&c.s.ctx, plan.plan, x, nil)
	if err != nil {
		return c.where(err, int(c.total)+1)
	}
	c.total += n
	return nil
}

// finish ends a bulk load.
func (c *copyInserter) finish() error {
	if c.bulk == nil {
		return nil
	}
	return c.bulk.finish(&c.s.ctx)
}

// copyTo executes COPY ... TO STDOUT.
func (s *Session) copyTo(st *ast.Copy) (Tag, error) {
	query, columns, err := s.copyQuery(st)
	if err != nil {
		return Tag{}, err
	}
	c, err := s.bindAndOptimize(query, nil)
	if err != nil {
		return Tag{}, err
	}
	if c.columns == nil {
		return Tag{}, sqlstate.New(sqlstate.FeatureNotSupported, "COPY query must have a RETURNING clause")
	}
	if columns == nil {
		for _, col := range c.columns {
			columns = append(columns, col.Name)
		}
	}
	opts, err := copyOptions(st, columns)
	if err != nil {
		return Tag{}, err
	}
	if ok, err := s.txn.coll.Use(&s.ctx, c.plan.Tables...); err != nil || !ok {
		return Tag{}, errors.Join(err, errTableChanging(ok))
	}
	if err := s.client.CopyOut(opts.Kind == copyfmt.Binary, len(c.columns)); err != nil {
		return Tag{}, err
	}
	out := &copySink{s: s, o: opts, columns: c.columns}
	if err := out.begin(columns); err != nil {
		return Tag{}, err
	}
	mem := exec.NewMonitor(s.srv.cfg.Memory, 0)
	defer mem.Close()
	n, err := exec.Run(&s.ctx, c.plan, s.execContext(nil, mem), out)
	if err != nil {
		return Tag{}, err
	}
	if opts.Kind == copyfmt.Binary {
		if err := s.client.CopyData(copyfmt.AppendBinaryTrailer(out.head)); err != nil {
			return Tag{}, err
		}
	}
	return Tag{Name: "COPY", Count: n, HasCount: true}, s.client.CopyDone()
}

// copyQuery returns the query of a COPY TO.
func (s *Session) copyQuery(st *ast.Copy) (ast.Statement, []string, error) {
	if st.Query != nil {
		return st.Query, nil, nil
	}
	rel, columns, err := s.copyTable(st)
	if err != nil {
		return nil, nil, err
	}
	if rel.RelKind() == 'v' && rel.Head().ID >= catalog.FirstUserID {
		return nil, nil, sqlstate.New(sqlstate.WrongObjectType, "cannot copy from view \"%s\"", rel.Head().Name).
			WithHint("Try the COPY (SELECT ...) TO variant.")
	}
	var b strings.Builder
	b.WriteString("SELECT ")
	for i, c := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(ast.QuoteIdent(c.Name))
	}
	h := rel.Head()
	b.WriteString(" FROM " + ast.QuoteIdent(planCatalog{s.txn.coll}.SchemaName(h.Schema)) + "." + ast.QuoteIdent(h.Name))
	parsed, err := parser.Parse(b.String())
	if err != nil {
		return nil, nil, err
	}
	return parsed[0].AST, columnNames(columns), nil
}

// copySink turns rows into COPY data, one message a row, as PostgreSQL does.
type copySink struct {
	s       *Session
	o       copyfmt.Options
	columns []Column
	buf     []byte
	field   []byte
	// head is the header of a binary stream until the first row is sent, in whose message
	// clients expect it.
	head []byte
}

// begin sends what comes before the rows.
func (c *copySink) begin(names []string) error {
	if c.o.Kind == copyfmt.Binary {
		c.head = copyfmt.AppendBinaryHeader(nil)
		return nil
	}
	if !c.o.Header {
		return nil
	}
	c.buf = c.buf[:0]
	quoted, all := c.o.ForceQuote, c.o.ForceQuoteAll
	c.o.ForceQuote, c.o.ForceQuoteAll = nil, false // they are about values
	defer func() { c.o.ForceQuote, c.o.ForceQuoteAll = quoted, all }()
	for i, n := range names {
		if i > 0 {
			c.buf = append(c.buf, c.o.Delimiter)
		}
		c.buf = c.escaped(c.buf, []byte(n), i)
	}
	return c.s.client.CopyData(append(c.buf, '\n'))
}

func (c *copySink) escaped(dst, field []byte, i int) []byte {
	if c.o.Kind == copyfmt.CSV {
		return c.o.AppendCSV(dst, field, i, len(c.columns) == 1)
	}
	return c.o.AppendText(dst, field)
}

// Rows implements exec.Sink.
func (c *copySink) Rows(b *types.Batch) error {
	for k := range b.Len() {
		i := b.RowAt(k)
		c.buf, c.head = append(c.buf[:0], c.head...), nil
		if c.o.Kind == copyfmt.Binary {
			c.buf = append(c.buf, byte(len(c.columns)>>8), byte(len(c.columns)))
		}
		for col := range c.columns {
			c.appendField(b.Cols[col], i, col)
		}
		if c.o.Kind != copyfmt.Binary {
			c.buf = append(c.buf, '\n')
		}
		if err := c.s.client.CopyData(c.buf); err != nil {
			return err
		}
	}
	return nil
}

func (c *copySink) appendField(v *types.Vec, i, col int) {
	t := c.columns[col].Type
	if c.o.Kind == copyfmt.Binary {
		if v.IsNull(i) {
			c.buf = append(c.buf, 0xff, 0xff, 0xff, 0xff)
			return
		}
		c.field = types.AppendBinary(c.field[:0], t, v.Get(i))
		n := len(c.field)
		c.buf = append(c.buf, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
		c.buf = append(c.buf, c.field...)
		return
	}
	if col > 0 {
		c.buf = append(c.buf, c.o.Delimiter)
	}
	if v.IsNull(i) {
		c.buf = append(c.buf, c.o.Null...)
		return
	}
	c.field = types.AppendText(c.field[:0], t, v.Get(i), &c.s.vars.Conversion)
	c.buf = c.escaped(c.buf, c.field, col)
}
