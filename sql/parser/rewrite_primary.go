package parser

import (
	"strconv"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// rwPrimary writes an operand without anything around it. It returns whether
// subscripts and fields may follow: PostgreSQL allows them behind column names,
// parameters and parentheses only.
func (p *parser) rwPrimary() (indirection bool) {
	at := p.i
	t := p.peek()
	switch t.kind {
	case tInteger, tFloat, tString, tBits, tHex:
		p.emitToken(at)
		p.i++
	case tNational:
		p.i++
		typ := &ast.TypeName{Pos: ast.Pos(t.pos), Name: systemType("bpchar")}
		p.emitCarrier(carrier{kind: cLeaf, tok: int32(at), node: &ast.Cast{
			Pos: ast.Pos(t.pos), Type: typ, Literal: true, X: &ast.String{Pos: ast.Pos(t.pos), Value: t.text}}})
	case tParam:
		p.checkParam(t)
		p.emitToken(at)
		p.i++
		return true
	case '(':
		return p.rwParen()
	case tQuoted:
		return p.rwName()
	case tIdent:
		return p.rwWord()
	default:
		p.fail()
	}
	return false
}

func (p *parser) checkParam(t *token) {
	if n, err := strconv.Atoi(t.text); err != nil || n < 1 || n > paramMax {
		p.errorAt(ast.Pos(t.pos), sqlstate.UndefinedParameter, "there is no parameter $%s", t.text)
	}
}

// rwParen writes a subquery, a row or an expression in parentheses. It returns
// false for a row.
func (p *parser) rwParen() bool {
	at := p.i
	p.emit("(", at)
	query := p.isQuery(at)
	p.i++
	row := false
	if query {
		p.rwQuery()
	} else {
		row = p.rwExprList() > 1
	}
	p.emit(")", p.i)
	p.expectPunct(')')
	return !row
}

// rwWord writes an operand that begins with an unquoted word.
func (p *parser) rwWord() (indirection bool) {
	at := p.i
	t := p.peek()
	next := p.peekAt(1)
	if t.kw == noKeyword {
		return p.rwName()
	}
	if next.kind == '.' && keywords[t.kw].class != reserved {
		return p.rwName()
	}
	switch t.kw {
	case kwNull, kwTrue, kwFalse, kwDefault, kwCurrentDate, kwCurrentRole, kwCurrentUser,
		kwSessionUser, kwUser, kwCurrentCatalog:
		p.emitToken(at)
		p.i++
		return false
	case kwCurrentSchema:
		if next.kind == '(' { // current_schema() is a function
			break
		}
		p.emitToken(at)
		p.i++
		return false
	case kwCurrentTime, kwCurrentTimestamp, kwLocaltime, kwLocaltimestamp:
		p.emitToken(at)
		p.i++
		if p.acceptPunct('(') {
			p.intConst()
			p.expectPunct(')')
		}
		return false
	case kwCase:
		p.rwCase()
		return false
	case kwCast:
		p.i++
		p.expectPunct('(')
		c := p.newCarrier(carrier{kind: cCast, tok: int32(at), flag: true})
		p.emitRef(carrierRef, c, at)
		p.emit("(", at)
		p.rwExpr()
		p.emit(")", at)
		p.expect(kwAs)
		p.carriers[c].node = p.typeName()
		p.expectPunct(')')
		return false
	case kwExists:
		if next.kind == '(' {
			p.i++
			p.emit("EXISTS", at)
			p.rwSubquery()
			return false
		}
	case kwArray:
		p.i++
		switch {
		case p.isPunct('['):
			p.rwArray()
		case p.isPunct('('):
			p.emitCall(carrier{kind: cArrayQuery, tok: int32(at)})
			p.rwSubquery()
			p.emit(")", at)
		default:
			p.fail()
		}
		return false
	case kwRow:
		if next.kind == '(' {
			p.i += 2
			p.emitCall(carrier{kind: cRow, tok: int32(at)})
			if !p.isPunct(')') {
				p.rwExprList()
			}
			p.emit(")", p.i)
			p.expectPunct(')')
			return false
		}
	case kwAny, kwSome, kwAll:
		if !p.behindOperator() {
			p.fail()
		}
		p.i++
		if next.kind != '(' {
			p.fail()
		}
		p.emitCall(carrier{kind: cQuantified, tok: int32(at)})
		p.rwParen()
		p.emit(")", at)
		return false
	case kwInterval:
		if p.rwInterval() {
			return false
		}
	case kwExtract, kwSubstring, kwPosition, kwOverlay, kwTrim, kwNormalize, kwCollation, kwTreat:
		if next.kind == '(' && t.kw != kwCollation || t.kw == kwCollation && next.kw == kwFor {
			if p.rwSpecialCall() {
				return false
			}
		}
	case kwXmlconcat, kwXmlelement, kwXmlexists, kwXmlforest, kwXmlparse, kwXmlpi, kwXmlroot, kwXmlserialize:
		if next.kind == '(' {
			p.unsupported(ast.Pos(t.pos), "%s", upper(t.text))
		}
	case kwUnique:
		if next.kind == '(' {
			p.unsupported(ast.Pos(t.pos), "UNIQUE predicate")
		}
	case kwCoalesce, kwNullif, kwGreatest, kwLeast, kwGrouping:
		if next.kind == '(' {
			p.i++
			p.rwCall(at, p.mark())
			return false
		}
	}
	return p.rwName()
}

// behindOperator looks whether the token before the cursor ends an operator, as
// it must in front of ANY and ALL.
func (p *parser) behindOperator() bool {
	if p.i == 0 {
		return false
	}
	t := &p.toks[p.i-1]
	switch {
	case t.kind == tOp, t.kw == kwLike, t.kw == kwIlike:
		return true
	case t.kind == ')' && t.match > 0:
		return p.toks[t.match-1].kw == kwOperator
	}
	return false
}

// rwName writes a column reference, a function call or a literal of a named
// type: whatever begins with a name.
func (p *parser) rwName() (indirection bool) {
	at := p.i
	t := p.peek()
	if p.isTypedLiteral() {
		p.rwTypedLiteral()
		return false
	}
	class := unreserved
	if t.kw != noKeyword {
		class = keywords[t.kw].class
	}
	if class == reserved {
		p.fail()
	}
	p.i++
	dotted := false
	if class == typeFuncName && p.isPunct('.') {
		p.fail()
	}
	for p.isPunct('.') {
		switch n := p.peekAt(1); {
		case n.kind == tIdent || n.kind == tQuoted:
			dotted = true
			p.i += 2
			continue
		case n.kind == tOp && n.text == "*":
			p.i += 2
			p.emitToken(at) // table.*
			return false
		}
		p.i++
		p.fail()
	}
	if p.isPunct('(') {
		if !dotted && class == columnName {
			p.fail()
		}
		p.rwCall(at, p.mark())
		return false
	}
	if class == typeFuncName {
		p.fail()
	}
	p.emitToken(at)
	return true
}

// rwCall writes a function call whose name begins at token name. The cursor
// is at the opening parenthesis.
func (p *parser) rwCall(name int, m mark) {
	depth := p.depth
	p.deeper()
	p.emitToken(name)
	p.emit("(", p.i)
	p.expectPunct('(')
	some := false
	sep := func() {
		if some {
			p.emit(",", p.i)
		}
		some = true
	}
	switch {
	case p.isOp("*"):
		p.i++
	case p.isPunct(')'):
	default:
		if !p.accept(kwAll) {
			p.accept(kwDistinct)
		}
		for {
			sep()
			if at := p.i; p.accept(kwVariadic) {
				p.emitCall(carrier{kind: cVariadic, tok: int32(at)})
				p.rwArg()
				p.emit(")", at)
				break
			}
			p.rwArg()
			if !p.acceptPunct(',') {
				break
			}
		}
		if at := p.i; p.accept(kwOrder) {
			p.expect(kwBy)
			sep()
			p.rwAggOrder(at, false)
		}
	}
	p.expectPunct(')')
	if at := p.i; p.is(kwWithin) && p.peekAt(1).kw == kwGroup {
		p.i += 2
		p.expectPunct('(')
		p.expect(kwOrder, kwBy)
		sep()
		p.rwAggOrder(at, true)
		p.expectPunct(')')
	}
	if at := p.i; p.is(kwFilter) && p.peekAt(1).kind == '(' {
		p.i += 2
		p.expect(kwWhere)
		sep()
		p.emitCall(carrier{kind: cFilter, tok: int32(at)})
		p.rwExpr()
		p.emit(")", at)
		p.expectPunct(')')
	}
	p.emit(")", p.i)
	if p.is(kwOver) {
		p.insert(m, []byte("first_value( "), name)
		p.emit(") OVER", p.i)
		p.i++
		if p.isPunct('(') {
			p.rwWindowSpec()
		} else {
			at := p.i
			p.emitCarrier(carrier{kind: cWindow, tok: int32(at), text: p.colID().Text})
		}
	}
	p.depth = depth
}

// rwArg writes an argument, with its name perhaps.
func (p *parser) rwArg() {
	t := p.peek()
	if k := p.peekAt(1).kind; (k == tArrow || k == tAssign) && (t.kind == tQuoted || t.kind == tIdent &&
		(t.kw == noKeyword || keywords[t.kw].class == unreserved || keywords[t.kw].class == typeFuncName)) {
		p.emitCall(carrier{kind: cNamedArg, tok: int32(p.i), text: t.text})
		p.i += 2
		p.rwExpr()
		p.emit(")", p.i)
		return
	}
	p.rwExpr()
}

func (p *parser) rwAggOrder(at int, within bool) {
	p.emitCall(carrier{kind: cAggOrder, tok: int32(at), flag: within})
	for {
		p.rwSortItem(true)
		if !p.isPunct(',') {
			break
		}
		p.emit(",", p.i)
		p.i++
	}
	p.emit(")", at)
}

// rwSortItem writes an item of ORDER BY. A plain one needs no carrier.
func (p *parser) rwSortItem(nested bool) {
	at := p.i
	m := p.mark()
	p.rwExpr()
	by := ast.SortBy{Pos: p.tokPos(at)}
	switch {
	case p.accept(kwAsc):
		by.Direction = ast.SortAsc
	case p.accept(kwDesc):
		by.Direction = ast.SortDesc
	case p.accept(kwUsing):
		by.Direction = ast.SortUsing
		by.Using = p.operator()
	}
	if p.is(kwNulls) {
		switch p.peekAt(1).kw {
		case kwFirst:
			by.Nulls = ast.NullsFirst
			p.i += 2
		case kwLast:
			by.Nulls = ast.NullsLast
			p.i += 2
		}
	}
	if by.Direction == ast.SortDesc && by.Nulls == ast.NullsDefault && !nested {
		p.emit("DESC", p.i-1)
		return
	}
	if by.Direction != ast.SortDefault || by.Nulls != ast.NullsDefault {
		p.insertCall(m, carrier{kind: cSort, tok: int32(at), node: by})
		p.emit(")", at)
	}
}

func (p *parser) rwCase() {
	at := p.i
	depth := p.depth
	p.deeper()
	p.i++
	p.emit("CASE", at)
	if !p.is(kwWhen) {
		p.rwExpr()
	}
	if !p.is(kwWhen) {
		p.fail()
	}
	for p.is(kwWhen) {
		p.emit("WHEN", p.i)
		p.i++
		p.rwExpr()
		p.emit("THEN", p.i)
		p.expect(kwThen)
		p.rwExpr()
	}
	if p.is(kwElse) {
		p.emit("ELSE", p.i)
		p.i++
		p.rwExpr()
	}
	p.emit("END", p.i)
	p.expect(kwEnd)
	p.depth = depth
}

// rwArray writes the bracketed part of ARRAY[...], which may nest without
// further ARRAYs.
func (p *parser) rwArray() {
	at := p.i
	depth := p.depth
	p.deeper()
	p.emitCall(carrier{kind: cArray, tok: int32(at)})
	p.i++
	for first := true; !p.isPunct(']') || !first; first = false {
		if !first {
			if !p.isPunct(',') {
				break
			}
			p.emit(",", p.i)
			p.i++
		}
		if p.isPunct('[') {
			p.rwArray()
		} else {
			p.rwExpr()
		}
	}
	p.emit(")", p.i)
	p.expectPunct(']')
	p.depth = depth
}

// rwSubquery writes a query in parentheses.
func (p *parser) rwSubquery() {
	if !p.isPunct('(') {
		p.fail()
	}
	if !p.isQuery(p.i) {
		p.i++
		for p.isPunct('(') {
			p.i++
		}
		p.fail()
	}
	p.emit("(", p.i)
	p.i++
	p.rwQuery()
	p.emit(")", p.i)
	p.expectPunct(')')
}

// isTypedLiteral looks whether the name at the cursor is the type of the
// string that follows it: date '2020-01-01', double precision '1'.
func (p *parser) isTypedLiteral() bool {
	t := p.peek()
	if t.kw != noKeyword && keywords[t.kw].class == reserved {
		return false
	}
	n := 1
	switch t.kw {
	case kwDouble:
		return p.peekAt(1).kw == kwPrecision && p.peekAt(2).kind == tString
	case kwNational:
		return p.peekAt(1).kw == kwCharacter || p.peekAt(1).kw == kwChar
	case kwCharacter, kwChar, kwNchar, kwBit, kwVarchar:
		if p.peekAt(1).kw == kwVarying {
			n = 2
		}
	default:
		for p.peekAt(n).kind == '.' && (p.peekAt(n+1).kind == tIdent || p.peekAt(n+1).kind == tQuoted) {
			n += 2
		}
	}
	k := p.peekAt(n)
	if k.kind == '(' {
		n = int(k.match) - p.i + 1
		k = p.peekAt(n)
	}
	if (t.kw == kwTime || t.kw == kwTimestamp) && (k.kw == kwWith || k.kw == kwWithout) &&
		p.peekAt(n+1).kw == kwTime && p.peekAt(n+2).kw == kwZone {
		k = p.peekAt(n + 3)
	}
	return k.kind == tString
}

func (p *parser) rwTypedLiteral() {
	at := p.i
	typ := p.simpleTypeName()
	t := p.peek()
	if t.kind != tString {
		p.fail()
	}
	if len(typ.Mods) == 1 {
		// The length that char has by default does not bound a literal.
		if n, ok := typ.Mods[0].(*ast.Number); ok && n.Pos == ast.NoPos {
			typ.Mods = nil
		}
	}
	p.i++
	p.emitLiteral(at, typ, t)
}

func (p *parser) emitLiteral(at int, typ *ast.TypeName, t *token) {
	p.emitCarrier(carrier{kind: cLeaf, tok: int32(at), node: &ast.Cast{
		Pos: p.tokPos(at), Type: typ, Literal: true, X: &ast.String{Pos: ast.Pos(t.pos), Value: t.text}}})
}

// rwInterval writes interval 'x' day to second and interval(p) 'x'. It returns
// false if the word is not a literal's type here.
func (p *parser) rwInterval() bool {
	at := p.i
	n := p.peekAt(1)
	if n.kind == '(' {
		n = p.peekAt(int(n.match) - p.i + 1)
	}
	if n.kind != tString {
		return false
	}
	p.i++
	typ := &ast.TypeName{Pos: p.tokPos(at), Name: systemType("interval")}
	if p.isPunct('(') {
		typ.Mods = p.typeMods()
	}
	t := p.peek()
	if t.kind != tString {
		p.fail()
	}
	p.i++
	if typ.Mods == nil {
		p.intervalFields(typ)
	}
	p.emitLiteral(at, typ, t)
	return true
}
