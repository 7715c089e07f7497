package parser

import (
	gast "github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/spanlite/spanlite/sql/ast"
)

// The frame of INSERT, UPDATE and DELETE is parsed here by recursive descent.
// Their expressions and joins go through the grammar together, as one SELECT:
//
//	UPDATE t SET a = x, (b, c) = (y, z) FROM f WHERE w RETURNING r
//	SELECT x, (y, z), r FROM f WHERE w

// rwWithFragment parses a WITH clause on its own.
func (p *parser) with() *ast.With {
	if !p.is(kwWith) {
		return nil
	}
	at := p.i
	outer := p.pushFragment()
	p.rwWith()
	p.emit("SELECT", at)
	p.emitToken(at)
	sel, ok := p.run().(*gast.SelectStmt)
	if !ok {
		p.fail()
	}
	w := p.buildWith(sel.With)
	p.popFragment(outer)
	return w
}

// target reads the table of a DML statement with its alias.
func (p *parser) target(asOnly bool) *ast.TableRef {
	ref := p.relation()
	pos := p.pos()
	switch {
	case p.accept(kwAs):
		ref.Alias = ast.Alias{Pos: pos, Name: p.colID().Text}
	case !asOnly && p.isAlias() && !p.is(kwSet):
		ref.Alias = ast.Alias{Pos: pos, Name: p.colID().Text}
	}
	return ref
}

func (p *parser) insertStmt(pos ast.Pos, with *ast.With) *ast.Insert {
	p.expect(kwInsert, kwInto)
	s := &ast.Insert{Pos: pos, With: with, Table: p.target(true)}
	if p.isPunct('(') && !p.isQuery(p.i) {
		p.i++
		for {
			s.Columns = append(s.Columns, p.insertColumn())
			if !p.acceptPunct(',') {
				break
			}
		}
		p.expectPunct(')')
	}
	if p.accept(kwOverriding) {
		if p.accept(kwUser) {
			s.Overriding = ast.OverridingUser
		} else {
			p.expect(kwSystem)
			s.Overriding = ast.OverridingSystem
		}
		p.expect(kwValue)
	}
	switch {
	case p.accept2(kwDefault, kwValues):
		if s.Columns != nil || s.Overriding != ast.OverridingNone {
			p.i -= 2
			p.fail()
		}
	case p.is(kwValues):
		if s.Source = p.simpleValues(); s.Source == nil {
			s.Source = p.query()
		}
	default:
		s.Source = p.query()
	}
	if p.accept2(kwOn, kwConflict) {
		s.OnConflict = p.onConflict()
	}
	if p.accept(kwReturning) {
		s.Returning = p.targetFragment()
	}
	return s
}

// simpleValues reads VALUES whose cells are all constants, parameters and
// DEFAULT, without asking the grammar: bulk inserts would spend most of their
// time there. It returns nil, with the cursor unmoved, if there is more to it.
func (p *parser) simpleValues() *ast.Select {
	at := p.i
	v := &ast.Values{Pos: p.pos()}
	p.i++
	var cells []ast.Expr // one array for all rows, cut in pieces
	for {
		if !p.acceptPunct('(') {
			p.i = at
			return nil
		}
		from := len(cells)
		for {
			e := p.simpleCell()
			if e == nil {
				p.i = at
				return nil
			}
			cells = append(cells, e)
			if p.acceptPunct(',') {
				continue
			}
			if p.acceptPunct(')') {
				break
			}
			p.i = at
			return nil
		}
		v.Rows = append(v.Rows, cells[from:len(cells):len(cells)])
		if !p.acceptPunct(',') {
			break
		}
	}
	switch t := p.peek(); {
	case t.kind == tEOF, t.kind == ';', t.kind == ')', t.kw == kwOn, t.kw == kwReturning:
		return &ast.Select{Pos: v.Pos, Body: v}
	}
	p.i = at
	return nil
}

// simpleCell reads a cell of simpleValues; nil if it is more than that.
func (p *parser) simpleCell() ast.Expr {
	if t := p.peek(); t.kind == tOp && t.text == "-" {
		if k := p.peekAt(1).kind; k == tInteger || k == tFloat {
			if k := p.peekAt(2).kind; k == ',' || k == ')' {
				return p.number()
			}
		}
		return nil
	}
	return p.simpleExpr()
}

// insertColumn reads a column with .field and [index] behind it.
func (p *parser) insertColumn() *ast.InsertColumn {
	n := p.colID()
	c := &ast.InsertColumn{Pos: n.Pos, Name: n.Text}
	for {
		switch {
		case p.acceptPunct('.'):
			c.Indirection = append(c.Indirection, ast.Indirection{Field: p.label().Text})
		case p.acceptPunct('['):
			var ix ast.Index
			if !p.isPunct(':') {
				ix.Upper = p.expr()
			}
			if p.acceptPunct(':') {
				ix.Slice, ix.Lower, ix.Upper = true, ix.Upper, nil
				if !p.isPunct(']') {
					ix.Upper = p.expr()
				}
			}
			p.expectPunct(']')
			c.Indirection = append(c.Indirection, ast.Indirection{Index: ix})
		default:
			return c
		}
	}
}

// targetFragment parses a RETURNING list on its own.
func (p *parser) targetFragment() []*ast.Target {
	outer := p.pushFragment()
	p.emit("SELECT", p.i)
	if !p.rwTargets() {
		p.fail()
	}
	targets := p.buildTargets(p.run().(*gast.SelectStmt).Fields.Fields)
	p.popFragment(outer)
	return targets
}

func (p *parser) onConflict() *ast.OnConflict {
	c := &ast.OnConflict{Pos: p.tokPos(p.i - 2)}
	switch {
	case p.isPunct('('):
		p.i++
		c.Elems = p.indexElems()
		p.expectPunct(')')
		if p.accept(kwWhere) {
			c.Where = p.expr()
		}
	case p.accept2(kwOn, kwConstraint):
		c.Constraint = p.colID().Text
	}
	p.expect(kwDo)
	if p.accept(kwNothing) {
		return c
	}
	p.expect(kwUpdate)
	p.expect(kwSet)
	c.DoUpdate = true
	d := p.beginDML()
	c.Set = p.rwAssignments(d)
	if at := p.i; p.accept(kwWhere) {
		p.emit("FROM", at)
		p.emitCarrier(carrier{kind: cTable, tok: int32(at)})
		p.emit("WHERE", at)
		p.rwExpr()
		d.where = true
	}
	sel := p.finishDML(d, c.Set)
	if sel.Where != nil {
		c.UpdateWhere = p.operand(sel.Where)
	}
	p.popFragment(d.outer)
	return c
}

// dmlFragment is the SELECT that carries a statement's expressions.
type dmlFragment struct {
	outer *fragment
	where bool
}

func (p *parser) beginDML() *dmlFragment {
	d := &dmlFragment{outer: p.pushFragment()}
	p.emit("SELECT", p.i)
	return d
}

// rwAssignments reads a SET list and writes its values.
func (p *parser) rwAssignments(*dmlFragment) []*ast.Assignment {
	var set []*ast.Assignment
	for {
		a := &ast.Assignment{Pos: p.pos()}
		if p.acceptPunct('(') {
			a.Multi = true
			for {
				a.Columns = append(a.Columns, p.insertColumn())
				if !p.acceptPunct(',') {
					break
				}
			}
			p.expectPunct(')')
		} else {
			a.Columns = []*ast.InsertColumn{p.insertColumn()}
		}
		if !p.acceptOp("=") {
			p.fail()
		}
		p.rwExpr()
		set = append(set, a)
		if !p.isPunct(',') {
			return set
		}
		p.emit(",", p.i)
		p.i++
	}
}

// finishDML gives the fragment to the grammar and builds the values of set,
// which are its first fields.
func (p *parser) finishDML(_ *dmlFragment, set []*ast.Assignment) *gast.SelectStmt {
	sel, ok := p.run().(*gast.SelectStmt)
	if !ok {
		p.fail()
	}
	for i, a := range set {
		a.Value = p.operand(sel.Fields.Fields[i].Expr)
	}
	return sel
}

func (p *parser) update(pos ast.Pos, with *ast.With) *ast.Update {
	p.expect(kwUpdate)
	s := &ast.Update{Pos: pos, With: with, Table: p.target(false)}
	p.expect(kwSet)
	d := p.beginDML()
	s.Set = p.rwAssignments(d)
	end, returning := p.rwReturning(len(s.Set) > 0)
	from := p.is(kwFrom)
	if at := p.i; p.accept(kwFrom) {
		p.emit("FROM", at)
		p.rwFrom()
	}
	current := p.rwWhere(from)
	sel := p.finishDML(d, s.Set)
	if from {
		s.From = p.buildFrom(sel.From.TableRefs)
	}
	s.Where = p.where(sel, current)
	if returning {
		s.Returning = p.buildTargets(sel.Fields.Fields[len(s.Set):])
	}
	p.popFragment(d.outer)
	p.endReturning(end, returning)
	return s
}

func (p *parser) deleteStmt(pos ast.Pos, with *ast.With) *ast.Delete {
	p.expect(kwDelete, kwFrom)
	s := &ast.Delete{Pos: pos, With: with, Table: p.target(false)}
	d := p.beginDML()
	end, returning := p.rwReturning(false)
	if !returning {
		p.emitToken(0)
	}
	using := p.is(kwUsing)
	if at := p.i; p.accept(kwUsing) {
		p.emit("FROM", at)
		p.rwFrom()
	}
	current := p.rwWhere(using)
	sel := p.finishDML(d, nil)
	if using {
		s.Using = p.buildFrom(sel.From.TableRefs)
	}
	s.Where = p.where(sel, current)
	if returning {
		s.Returning = p.buildTargets(sel.Fields.Fields)
	}
	p.popFragment(d.outer)
	p.endReturning(end, returning)
	return s
}

// rwReturning looks ahead for RETURNING and writes its list, which the SELECT
// has in front of FROM. It leaves the cursor where it was and returns where the
// list ends.
func (p *parser) rwReturning(comma bool) (end int, found bool) {
	at := p.i
	for i := at; i < len(p.toks); i++ {
		t := &p.toks[i]
		if t.match > int32(i) {
			i = int(t.match)
			continue
		}
		if t.kind == ')' {
			break
		}
		if t.kw == kwReturning && p.toks[i-1].kind != '.' && p.toks[i-1].kw != kwAs {
			p.i = i + 1
			if comma {
				p.emit(",", i)
			}
			if !p.rwTargets() {
				p.fail()
			}
			end = p.i
			p.i = at
			return end, true
		}
	}
	return 0, false
}

// endReturning steps over RETURNING and the list that rwReturning has parsed.
func (p *parser) endReturning(end int, found bool) {
	if found {
		p.expect(kwReturning)
		p.i = end
	}
}

// rwWhere writes WHERE. WHERE CURRENT OF is returned instead.
func (p *parser) rwWhere(from bool) *ast.CurrentOf {
	at := p.i
	if !p.accept(kwWhere) {
		return nil
	}
	if p.is(kwCurrent) && p.peekAt(1).kw == kwOf {
		pos := p.pos()
		p.i += 2
		return &ast.CurrentOf{Pos: pos, Cursor: p.colID().Text}
	}
	if !from {
		p.emit("FROM", at)
		p.emitCarrier(carrier{kind: cTable, tok: int32(at)})
	}
	p.emit("WHERE", at)
	p.rwExpr()
	return nil
}

func (p *parser) where(sel *gast.SelectStmt, current *ast.CurrentOf) ast.Expr {
	switch {
	case current != nil:
		return current
	case sel.Where != nil:
		return p.operand(sel.Where)
	}
	return nil
}
