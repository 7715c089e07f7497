package parser

import "github.com/spanlite/spanlite/sql/ast"

// createIndex reads what follows CREATE.
func (p *parser) createIndex(pos ast.Pos) ast.Statement {
	s := &ast.CreateIndex{Pos: pos}
	s.Unique = p.accept(kwUnique)
	p.expect(kwIndex)
	s.Concurrently = p.accept(kwConcurrently)
	if p.ifNotExists() {
		s.IfNotExists = true
		s.Name = p.colID().Text
	} else if !p.is(kwOn) {
		s.Name = p.colID().Text
	}
	p.expect(kwOn)
	ref := p.relation()
	s.Table, s.Only = ref.Name, ref.Only
	if p.accept(kwUsing) {
		s.Method = p.colID().Text
	}
	p.expectPunct('(')
	s.Elems = p.indexElems()
	p.expectPunct(')')
	if p.accept(kwInclude) {
		p.expectPunct('(')
		s.Include = p.indexElems()
		p.expectPunct(')')
	}
	s.NullsNotDistinct = p.nullsNotDistinct()
	if p.accept(kwWith) {
		s.With = p.relOptions()
	}
	if p.accept(kwTablespace) {
		s.Space = p.colID().Text
	}
	if p.accept(kwWhere) {
		s.Where = p.expr()
	}
	return s
}

// nullsNotDistinct reads NULLS [NOT] DISTINCT.
func (p *parser) nullsNotDistinct() bool {
	if p.is(kwNulls) && p.peekAt(1).kw == kwNot && p.peekAt(2).kw == kwDistinct {
		p.i += 3
		return true
	}
	p.accept2(kwNulls, kwDistinct)
	return false
}

func (p *parser) ifNotExists() bool {
	if p.is(kwIf) && p.peekAt(1).kw == kwNot {
		p.i += 2
		p.expect(kwExists)
		return true
	}
	return false
}

func (p *parser) ifExists() bool { return p.accept2(kwIf, kwExists) }

func (p *parser) indexElems() []*ast.IndexElem {
	var elems []*ast.IndexElem
	for {
		elems = append(elems, p.indexElem())
		if !p.acceptPunct(',') {
			return elems
		}
	}
}

func (p *parser) indexElem() *ast.IndexElem {
	e := &ast.IndexElem{Pos: p.pos()}
	switch {
	case p.isPunct('('):
		p.i++
		e.Expr = p.expr()
		p.expectPunct(')')
	case p.isTableFunc():
		e.Expr = p.funcExpr()
	default:
		e.Column = p.colID().Text
	}
	if p.accept(kwCollate) {
		e.Collation = p.objectName()
	}
	if t := p.peek(); isName(t, columnName) && t.kw != kwNulls && t.kw != kwAsc && t.kw != kwDesc {
		e.OpClass = p.objectName()
		if p.isPunct('(') {
			e.OpOptions = p.relOptions()
		}
	}
	switch {
	case p.accept(kwAsc):
		e.Direction = ast.SortAsc
	case p.accept(kwDesc):
		e.Direction = ast.SortDesc
	}
	switch {
	case p.accept2(kwNulls, kwFirst):
		e.Nulls = ast.NullsFirst
	case p.accept2(kwNulls, kwLast):
		e.Nulls = ast.NullsLast
	}
	return e
}

// relOptions reads (name [= value], namespace.name = value, ...).
func (p *parser) relOptions() []ast.Option {
	var opts []ast.Option
	p.expectPunct('(')
	for {
		n := p.label()
		o := ast.Option{Pos: n.Pos, Name: n.Text}
		if p.acceptPunct('.') {
			o.Namespace, o.Name = o.Name, p.label().Text
		}
		if p.acceptOp("=") {
			o.Value = p.defArg()
		}
		opts = append(opts, o)
		if !p.acceptPunct(',') {
			break
		}
	}
	p.expectPunct(')')
	return opts
}

// defArg reads the value of a definition: a word, a type's name, a number, a
// string.
func (p *parser) defArg() ast.Expr {
	t := p.peek()
	switch {
	case t.kind == tString, t.kind == tInteger, t.kind == tFloat, t.kind == tOp && (t.text == "-" || t.text == "+"):
		return p.settingValue()
	case t.kind == tOp:
		p.i++
		return &ast.String{Pos: ast.Pos(t.pos), Value: t.text}
	case t.kind == tIdent || t.kind == tQuoted:
		if t.kw != noKeyword && keywords[t.kw].class == reserved {
			p.i++
			return &ast.String{Pos: ast.Pos(t.pos), Value: t.text}
		}
		typ := p.typeName()
		text := ast.Format(typ)
		if len(typ.Mods) == 0 && typ.ArrayBounds == nil && typ.Name.Schema == "" {
			text = typ.Name.Name
		}
		return &ast.String{Pos: ast.Pos(t.pos), Value: text}
	}
	p.fail()
	return nil
}
