package parser

import (
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// rwFrom writes the items of FROM (or USING, of DELETE).
//
// Every explicit join gets an ON in the fragment, even CROSS and NATURAL ones,
// so that the grammar's notion of a JOIN without a condition, and its
// re-association of such, never come into play. FULL JOIN, which the grammar
// lacks, goes as STRAIGHT_JOIN.
func (p *parser) rwFrom() {
	for {
		p.rwTableExpr()
		if !p.isPunct(',') {
			return
		}
		p.emit(",", p.i)
		p.i++
	}
}

// rwTableExpr writes one item with its joins and returns how many it had.
func (p *parser) rwTableExpr() int {
	depth := p.depth
	p.deeper()
	p.rwTableFactor()
	joins, pending := 0, 0
	for {
		at := p.i
		switch t := p.peek(); t.kw {
		case kwCross:
			p.i++
			p.expect(kwJoin)
			p.emit("JOIN", at)
			p.rwTableFactor()
			p.emit("ON", at)
			p.emitCarrier(carrier{kind: cCross, tok: int32(at)})
		case kwNatural:
			p.i++
			p.rwJoinKind()
			p.rwTableFactor()
			p.emit("ON", at)
			p.emitCarrier(carrier{kind: cNatural, tok: int32(at)})
		case kwJoin, kwInner, kwLeft, kwRight, kwFull:
			p.rwJoinKind()
			p.rwTableFactor()
			pending++
		case kwOn, kwUsing:
			if pending == 0 {
				p.depth = depth
				return joins
			}
			pending--
			p.i++
			p.emit("ON", at)
			if t.kw == kwOn {
				p.rwExpr()
				break
			}
			using := &ast.Join{Using: p.nameList()}
			if p.is(kwAs) && !p.isAsOf() {
				p.i++
				using.UsingAlias = p.colID().Text
			}
			p.emitCarrier(carrier{kind: cUsing, tok: int32(at), node: using})
		default:
			if pending > 0 {
				p.fail()
			}
			p.depth = depth
			return joins
		}
		joins++
		p.deeper()
	}
}

func (p *parser) rwJoinKind() {
	at := p.i
	kind := "JOIN"
	switch {
	case p.accept(kwInner):
	case p.accept(kwLeft):
		kind = "LEFT JOIN"
		p.accept(kwOuter)
	case p.accept(kwRight):
		kind = "RIGHT JOIN"
		p.accept(kwOuter)
	case p.accept(kwFull):
		kind = "STRAIGHT_JOIN"
		p.accept(kwOuter)
	}
	p.expect(kwJoin)
	p.emit(kind, at)
}

// rwTableFactor writes a table, function, subquery or a join in parentheses,
// with its alias.
func (p *parser) rwTableFactor() {
	at := p.i
	m := p.mark()
	lateral := p.accept(kwLateral)
	switch t := p.peek(); {
	case t.kind == '(' && p.isQuery(p.i):
		open, first := p.pos(), p.i+1
		p.rwSubquery()
		sub := &ast.SubqueryTable{Pos: p.tokPos(at), Lateral: lateral}
		if !p.alias(&sub.Alias) {
			what, example := "subquery", "SELECT"
			if p.toks[first].kw == kwValues {
				what, example = "VALUES", "VALUES"
			}
			p.bail(sqlstate.New(sqlstate.SyntaxError, "%s in FROM must have an alias", what).
				WithHint("For example, FROM (%s ...) [AS] foo.", example).At(int(open)))
		}
		p.rwDerived(carrier{kind: cAlias, tok: int32(at), node: sub})
	case t.kind == '(' && !lateral:
		p.i++
		p.emit("(", at)
		nested := p.isPunct('(') && !p.isQuery(p.i)
		// Parentheses stand around joins only, or around further parentheses.
		if p.rwTableExpr() == 0 && !(nested && p.toks[p.i-1].kind == ')') {
			p.fail()
		}
		p.emit(")", p.i)
		p.expectPunct(')')
		join := &ast.Join{Pos: p.tokPos(at)}
		if p.alias(&join.Alias) {
			var buf [48]byte
			head := appendRef(append(buf[:0], "( SELECT "...), tokenRef, at)
			p.insert(m, append(head, " FROM "...), at)
			p.emit(")", at)
			p.rwDerived(carrier{kind: cAlias, tok: int32(at), node: join})
		}
	case t.kw == kwRows && p.peekAt(1).kw == kwFrom && p.peekAt(2).kind == '(':
		p.i += 3
		f := &ast.FuncTable{Pos: p.tokPos(at), Lateral: lateral, RowsFrom: true}
		p.emit("( SELECT", at)
		for {
			p.rwTableFunc()
			var item ast.FuncTableItem
			if p.accept(kwAs) {
				item.ColumnDefs = p.columnTypes()
			}
			f.Funcs = append(f.Funcs, item)
			if !p.isPunct(',') {
				break
			}
			p.emit(",", p.i)
			p.i++
		}
		p.expectPunct(')')
		p.emit(")", at)
		p.rwFuncAlias(at, f)
	case p.isTableFunc():
		f := &ast.FuncTable{Pos: p.tokPos(at), Lateral: lateral, Funcs: make([]ast.FuncTableItem, 1)}
		p.emit("( SELECT", at)
		p.rwTableFunc()
		p.emit(")", at)
		p.rwFuncAlias(at, f)
	case lateral:
		p.fail()
	default:
		ref := p.relation()
		p.alias(&ref.Alias)
		if p.is(kwTablesample) {
			ref.Sample = p.tableSample()
		}
		p.emitCarrier(carrier{kind: cTable, tok: int32(at), node: ref})
	}
}

// rwDerived writes the alias of a derived table.
func (p *parser) rwDerived(c carrier) {
	p.emit("AS", int(c.tok))
	p.emitCarrier(c)
}

// isTableFunc looks whether a function call begins at the cursor.
func (p *parser) isTableFunc() bool {
	t := p.peek()
	switch t.kw {
	case kwCurrentDate, kwCurrentTime, kwCurrentTimestamp, kwLocaltime, kwLocaltimestamp, kwCurrentRole,
		kwCurrentUser, kwSessionUser, kwUser, kwCurrentCatalog, kwCurrentSchema, kwCast, kwCollation:
		return true
	case kwOnly:
		return false
	}
	if t.kind != tIdent && t.kind != tQuoted {
		return false
	}
	n := 1
	for p.peekAt(n).kind == '.' && p.peekAt(n+1).kind != tOp {
		n += 2
	}
	return p.peekAt(n).kind == '('
}

func (p *parser) rwTableFunc() {
	if !p.isTableFunc() {
		p.fail()
	}
	if p.isTypedLiteral() {
		for p.peek().kind != tString {
			p.i++
		}
		p.fail()
	}
	p.rwPrimary()
}

func (p *parser) rwFuncAlias(at int, f *ast.FuncTable) {
	if p.is(kwWith) && p.peekAt(1).kw == kwOrdinality {
		p.i += 2
		f.Ordinality = true
	}
	pos := p.pos()
	as := p.is(kwAs) && !p.isAsOf()
	if as {
		p.i++
	}
	if as && p.isPunct('(') {
		f.ColumnDefs = p.columnTypes()
	} else if as || p.isAlias() {
		f.Alias = ast.Alias{Pos: pos, Name: p.colID().Text}
		if p.isPunct('(') {
			// A list of names, or of names with types.
			if k := p.peekAt(2).kind; k == ',' || k == ')' {
				f.Alias.Columns = p.nameList()
			} else {
				f.ColumnDefs = p.columnTypes()
			}
		}
	}
	p.rwDerived(carrier{kind: cAlias, tok: int32(at), node: f})
}

// isAlias looks whether a name that may be an alias without AS is next.
func (p *parser) isAlias() bool {
	t := p.peek()
	return t.kind == tQuoted || t.kind == tIdent && (t.kw == noKeyword || keywords[t.kw].class <= columnName)
}

// alias reads [AS] name [(columns)] and reports whether it was there.
func (p *parser) alias(a *ast.Alias) bool {
	pos := p.pos()
	if p.is(kwAs) && !p.isAsOf() {
		p.i++
	} else if !p.isAlias() {
		return false
	}
	*a = ast.Alias{Pos: pos, Name: p.colID().Text}
	if p.isPunct('(') {
		a.Columns = p.nameList()
	}
	return true
}

// relation reads [ONLY] name [*], or ONLY (name).
func (p *parser) relation() *ast.TableRef {
	ref := &ast.TableRef{Pos: p.pos()}
	if p.accept(kwOnly) {
		ref.Only = true
		if p.acceptPunct('(') {
			ref.Name = p.objectName()
			p.expectPunct(')')
			return ref
		}
		ref.Name = p.objectName()
		return ref
	}
	ref.Name = p.objectName()
	p.acceptOp("*")
	return ref
}

func (p *parser) tableSample() *ast.TableSample {
	s := &ast.TableSample{Pos: p.pos()}
	p.expect(kwTablesample)
	s.Method = p.objectName()
	p.expectPunct('(')
	s.Args = p.exprList()
	p.expectPunct(')')
	if p.accept(kwRepeatable) {
		p.expectPunct('(')
		s.Repeatable = p.expr()
		p.expectPunct(')')
	}
	return s
}

// columnTypes reads (name type [COLLATE c], ...).
func (p *parser) columnTypes() []ast.ColumnType {
	var cols []ast.ColumnType
	p.expectPunct('(')
	for {
		c := ast.ColumnType{Pos: p.pos(), Name: p.colID().Text}
		c.Type = p.typeName()
		if p.accept(kwCollate) {
			c.Collation = p.objectName()
		}
		cols = append(cols, c)
		if !p.acceptPunct(',') {
			break
		}
	}
	p.expectPunct(')')
	return cols
}
