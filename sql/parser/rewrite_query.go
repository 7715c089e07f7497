package parser

import (
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// selectExtra is what a SELECT has and the grammar's does not. It stands in the
// first field of the select list, with the DISTINCT ON expressions as operands.
type selectExtra struct {
	distinctOn    bool
	groupDistinct bool
	into          *ast.Into
	asOf          ast.Expr // FROM t AS OF SYSTEM TIME x
}

// tail is LIMIT, OFFSET, FETCH and the locking clauses of a query. It stands in
// the last item of ORDER BY, with those expressions as operands.
type tail struct {
	// operands tells what the operands are, in their order in the source.
	operands []tailPart
	// limit is that of FETCH FIRST ROW ONLY, where no expression is written.
	limit    ast.Expr
	withTies bool
	locking  []*ast.Locking
	asOf     ast.Expr
}

type tailPart uint8

const (
	tailLimit tailPart = iota
	tailOffset
)

// isQuery looks whether the parenthesis at token i holds a query: SELECT and
// its like, or a query in parentheses that is more than an operand.
func (p *parser) isQuery(i int) bool {
	for depth := 0; ; depth++ {
		t := &p.toks[i]
		if t.kind != '(' {
			return false
		}
		if depth > depthMax {
			p.tooDeep()
		}
		next := &p.toks[i+1]
		switch next.kw {
		case kwSelect, kwWith, kwTable:
			return true
		case kwValues:
			return p.toks[i+2].kind == '('
		}
		if next.kind != '(' {
			return false
		}
		after := &p.toks[min(int(next.match)+1, len(p.toks)-1)]
		switch {
		case after.kind == ')':
		case after.kw == kwUnion, after.kw == kwIntersect, after.kw == kwExcept, after.kw == kwOrder,
			after.kw == kwLimit, after.kw == kwOffset, after.kw == kwFetch, after.kw == kwFor:
		case after.kind == tEOF, after.kind == ';':
		default:
			return false
		}
		i++
	}
}

// rwQuery writes a query with everything around it, from the cursor on.
func (p *parser) rwQuery() {
	depth := p.depth
	p.deeper()
	if p.is(kwWith) {
		p.rwWith()
	}
	p.rwQueryBody()
	p.rwTails()
	p.depth = depth
}

// rwQueryBody writes SELECTs and set operations between them.
func (p *parser) rwQueryBody() {
	for {
		p.rwQueryTerm()
		switch at := p.i; {
		case p.accept(kwUnion):
			p.emit("UNION", at)
		case p.accept(kwIntersect):
			p.emit("INTERSECT", at)
		case p.accept(kwExcept):
			p.emit("EXCEPT", at)
		default:
			return
		}
		if at := p.i; p.accept(kwAll) {
			p.emit("ALL", at)
		} else {
			p.accept(kwDistinct)
		}
		p.deeper()
	}
}

func (p *parser) rwQueryTerm() {
	at := p.i
	switch t := p.peek(); {
	case t.kw == kwSelect:
		p.rwSelect()
	case t.kw == kwValues:
		p.i++
		p.emit("VALUES", at)
		p.rwRows()
	case t.kw == kwTable:
		p.i++
		p.emit("SELECT", at)
		p.emitCarrier(carrier{kind: cLeaf, tok: int32(at), node: &ast.Star{Pos: ast.Pos(t.pos)}})
		p.emit("FROM", at)
		ref := p.relation()
		p.emitCarrier(carrier{kind: cTable, tok: int32(at), node: ref})
	case t.kind == '(':
		if !p.isQuery(at) {
			for p.isPunct('(') {
				p.i++
			}
			p.fail()
		}
		p.emit("(", at)
		p.i++
		p.rwQuery()
		p.emit(")", p.i)
		p.expectPunct(')')
	default:
		p.fail()
	}
}

// rwRows writes the rows of VALUES.
func (p *parser) rwRows() {
	for {
		p.emit("ROW (", p.i)
		p.expectPunct('(')
		p.rwExprList()
		p.emit(")", p.i)
		p.expectPunct(')')
		if !p.isPunct(',') {
			return
		}
		p.emit(",", p.i)
		p.i++
	}
}

func (p *parser) rwSelect() {
	at := p.i
	p.i++
	p.emit("SELECT", at)
	m := p.mark() // where the carrier of what the grammar lacks will go
	var extra selectExtra
	switch {
	case p.accept(kwAll):
	case p.is(kwDistinct):
		p.emit("DISTINCT", p.i)
		p.i++
		m = p.mark()
		if p.accept(kwOn) {
			extra.distinctOn = true
			p.expectPunct('(')
			p.rwExprList()
			p.expectPunct(')')
		}
	}
	on := p.mark()
	some := p.rwTargets()
	if !some && p.toks[at+1].kw == kwDistinct {
		p.fail()
	}
	needed := extra.distinctOn
	if p.is(kwInto) {
		extra.into = p.into()
		needed = true
	}
	clauses := p.mark()
	from := p.accept(kwFrom)
	if from {
		p.emit("FROM", p.i-1)
		p.rwFrom()
		if p.isAsOf() {
			extra.asOf, needed = p.asOf(), true
		}
	}
	behind := p.mark()
	if where := p.i; p.accept(kwWhere) {
		p.emit("WHERE", where)
		p.rwExpr()
	}
	if group := p.i; p.accept(kwGroup) {
		p.expect(kwBy)
		p.emit("GROUP BY", group)
		if p.accept(kwDistinct) {
			extra.groupDistinct, needed = true, true
		} else {
			p.accept(kwAll)
		}
		p.rwGroupItems()
	}
	if having := p.i; p.accept(kwHaving) {
		p.emit("HAVING", having)
		p.rwExpr()
	}
	if window := p.i; p.accept(kwWindow) {
		p.emit("WINDOW", window)
		for {
			n := p.i
			p.emitCarrier(carrier{kind: cWindow, tok: int32(n), text: p.colID().Text})
			p.emit("AS", p.i)
			p.expect(kwAs)
			if !p.isPunct('(') {
				p.fail()
			}
			p.rwWindowSpec()
			if !p.isPunct(',') {
				break
			}
			p.emit(",", p.i)
			p.i++
		}
	}
	if !from && behind != p.mark() {
		// The grammar takes WHERE and the rest only behind a FROM.
		var buf [32]byte
		head := append(buf[:0], "FROM "...)
		head = appendRef(head, carrierRef, p.newCarrier(carrier{kind: cTable, tok: int32(at)}))
		p.insert(clauses, append(head, ' '), at)
	}
	if !needed && some {
		return
	}
	e := extra
	if extra.distinctOn {
		// The expressions stand between m and on.
		closing := ") "
		if some {
			closing = ") , "
		}
		p.insert(on, []byte(closing), at)
		p.insertCall(m, carrier{kind: cSelect, tok: int32(at), node: &e})
		return
	}
	var buf [32]byte
	head := appendRef(buf[:0], carrierRef, p.newCarrier(carrier{kind: cSelect, tok: int32(at), node: &e}))
	head = append(head, "() "...)
	if some {
		head = append(head, ", "...)
	}
	p.insert(m, head, at)
}

// isAsOf looks for AS OF SYSTEM TIME, which is not an alias "of".
func (p *parser) isAsOf() bool {
	return p.is(kwAs) && p.peekAt(1).kw == kwOf && p.peekAt(2).kw == kwSystem && p.peekAt(3).kw == kwTime
}

func (p *parser) asOf() ast.Expr {
	p.i += 4
	return p.expr()
}

// rwTargets writes a select list and reports whether there was any item.
func (p *parser) rwTargets() bool {
	switch t := p.peek(); {
	case t.kind == ')' || t.kind == tEOF || t.kind == ';':
		return false
	case t.kw != noKeyword:
		switch t.kw {
		case kwFrom, kwInto, kwWhere, kwGroup, kwHaving, kwWindow, kwUnion, kwIntersect, kwExcept,
			kwOrder, kwLimit, kwOffset, kwFetch, kwFor, kwWith, kwOn, kwReturning:
			return false
		}
	}
	for {
		p.rwTarget()
		if !p.isPunct(',') {
			return true
		}
		p.emit(",", p.i)
		p.i++
	}
}

func (p *parser) rwTarget() {
	if p.isOp("*") {
		p.emitCarrier(carrier{kind: cLeaf, tok: int32(p.i), node: &ast.Star{Pos: p.pos()}})
		p.i++
		return
	}
	p.rwExpr()
	if p.is(kwAs) && !p.isAsOf() {
		p.i++
		t := p.peek()
		if t.kind != tIdent && t.kind != tQuoted {
			p.fail()
		}
		p.emit("AS", p.i-1)
		p.emitToken(p.i)
		p.i++
		return
	}
	if t := p.peek(); t.kind == tQuoted || t.kind == tIdent && (t.kw == noKeyword || keywords[t.kw].bare) {
		p.emit("AS", p.i)
		p.emitToken(p.i)
		p.i++
	}
}

// into reads INTO [TEMP | UNLOGGED] [TABLE] name.
func (p *parser) into() *ast.Into {
	into := &ast.Into{Pos: p.pos()}
	p.expect(kwInto)
	switch {
	case p.accept(kwTemporary), p.accept(kwTemp):
		into.Persistence = ast.Temporary
	case p.accept(kwUnlogged):
		into.Persistence = ast.Unlogged
	}
	p.accept(kwTable)
	into.Name = p.objectName()
	return into
}

// rwGroupItems writes the items of GROUP BY.
func (p *parser) rwGroupItems() {
	for {
		p.rwGroupItem(false)
		if !p.isPunct(',') {
			return
		}
		p.emit(",", p.i)
		p.i++
	}
}

func (p *parser) rwGroupItem(nested bool) {
	at := p.i
	c := carrier{kind: cGroup, tok: int32(at)}
	switch t := p.peek(); {
	case t.kind == '(' && p.peekAt(1).kind == ')':
		p.i += 2
		c.n = uint8(ast.GroupingEmpty)
		p.emitCarrier(c)
		return
	case t.kw == kwRollup && p.peekAt(1).kind == '(':
		c.n = uint8(ast.GroupingRollup)
		p.i++
	case t.kw == kwCube && p.peekAt(1).kind == '(':
		c.n = uint8(ast.GroupingCube)
		p.i++
	case t.kw == kwGrouping && p.peekAt(1).kw == kwSets:
		c.n = uint8(ast.GroupingSets)
		p.i += 2
	default:
		p.rwExpr()
		return
	}
	depth := p.depth
	p.deeper()
	p.emitCall(c)
	p.expectPunct('(')
	for {
		p.rwGroupItem(true)
		if !p.isPunct(',') {
			break
		}
		p.emit(",", p.i)
		p.i++
	}
	p.emit(")", p.i)
	p.expectPunct(')')
	p.depth = depth
}

// rwWindowSpec writes a window definition in parentheses.
func (p *parser) rwWindowSpec() {
	p.emit("(", p.i)
	p.expectPunct('(')
	if t := p.peek(); t.kind == tQuoted || t.kind == tIdent && t.kw != kwPartition && t.kw != kwRange &&
		t.kw != kwRows && t.kw != kwGroups && (t.kw == noKeyword || keywords[t.kw].class <= columnName) {
		p.emitCarrier(carrier{kind: cWindow, tok: int32(p.i), text: t.text})
		p.i++
	}
	if at := p.i; p.accept(kwPartition) {
		p.expect(kwBy)
		p.emit("PARTITION BY", at)
		p.rwExprList()
	}
	ordered := false
	if at := p.i; p.accept(kwOrder) {
		p.expect(kwBy)
		p.emit("ORDER BY", at)
		p.rwSortItems()
		ordered = true
	}
	if p.is(kwRange) || p.is(kwRows) || p.is(kwGroups) {
		if ordered {
			p.emit(",", p.i)
		} else {
			p.emit("ORDER BY", p.i)
		}
		p.rwFrame()
	}
	p.emit(")", p.i)
	p.expectPunct(')')
}

func (p *parser) rwSortItems() {
	for {
		p.rwSortItem(false)
		if !p.isPunct(',') {
			return
		}
		p.emit(",", p.i)
		p.i++
	}
}

// rwFrame writes a frame clause as the last item of the window's ORDER BY.
func (p *parser) rwFrame() {
	at := p.i
	frame := &ast.Frame{Pos: p.pos(), End: ast.FrameBound{Kind: ast.CurrentRow}}
	switch {
	case p.accept(kwRows):
		frame.Mode = ast.FrameRows
	case p.accept(kwGroups):
		frame.Mode = ast.FrameGroups
	default:
		p.expect(kwRange)
	}
	c := p.newCarrier(carrier{kind: cFrame, tok: int32(at), node: frame})
	p.emitRef(carrierRef, c, at)
	p.emit("(", at)
	var n uint8
	if p.accept(kwBetween) {
		if p.rwBound(&frame.Start) {
			n |= 1
		}
		p.expect(kwAnd)
		m := p.mark()
		if p.rwBound(&frame.End) {
			if n != 0 {
				p.insert(m, []byte(", "), p.i)
			}
			n |= 2
		}
	} else if p.rwBound(&frame.Start) {
		n |= 1
	}
	p.emit(")", p.i)
	p.carriers[c].n = n
	start, end := frame.Start.Kind, frame.End.Kind
	switch {
	case start == ast.UnboundedFollowing:
		p.errorAt(frame.Pos, sqlstate.WindowingError, "frame start cannot be UNBOUNDED FOLLOWING")
	case end == ast.UnboundedPreceding:
		p.errorAt(frame.Pos, sqlstate.WindowingError, "frame end cannot be UNBOUNDED PRECEDING")
	case start == ast.CurrentRow && end == ast.OffsetPreceding:
		p.errorAt(frame.Pos, sqlstate.WindowingError, "frame starting from current row cannot have preceding rows")
	case start == ast.OffsetFollowing && (end == ast.OffsetPreceding || end == ast.CurrentRow):
		p.errorAt(frame.Pos, sqlstate.WindowingError, "frame starting from following row cannot have preceding rows")
	}
	if p.accept(kwExclude) {
		switch {
		case p.accept2(kwCurrent, kwRow):
			frame.Exclude = ast.ExcludeCurrentRow
		case p.accept(kwGroup):
			frame.Exclude = ast.ExcludeGroup
		case p.accept(kwTies):
			frame.Exclude = ast.ExcludeTies
		default:
			p.expect(kwNo, kwOthers)
		}
	}
}

// rwBound reads one end of a frame and reports whether it wrote an offset.
func (p *parser) rwBound(b *ast.FrameBound) bool {
	switch {
	case p.accept2(kwUnbounded, kwPreceding):
		b.Kind = ast.UnboundedPreceding
	case p.accept2(kwUnbounded, kwFollowing):
		b.Kind = ast.UnboundedFollowing
	case p.accept2(kwCurrent, kwRow):
		b.Kind = ast.CurrentRow
	default:
		p.rwExpr()
		switch {
		case p.accept(kwPreceding):
			b.Kind = ast.OffsetPreceding
		case p.accept(kwFollowing):
			b.Kind = ast.OffsetFollowing
		default:
			p.fail()
		}
		return true
	}
	return false
}

// rwTails writes ORDER BY, and LIMIT, OFFSET, FETCH, FOR UPDATE and AS OF
// SYSTEM TIME as its last item.
func (p *parser) rwTails() {
	ordered := false
	if at := p.i; p.accept(kwOrder) {
		p.expect(kwBy)
		p.emit("ORDER BY", at)
		p.rwSortItems()
		ordered = true
	}
	at := p.i
	var t *tail
	begin := func() *tail {
		if t == nil {
			t = &tail{}
			if ordered {
				p.emit(",", at)
			} else {
				p.emit("ORDER BY", at)
			}
			p.emitCall(carrier{kind: cTail, tok: int32(at), node: t})
		}
		return t
	}
	operand := func(part tailPart) {
		if len(begin().operands) > 0 {
			p.emit(",", p.i)
		}
		t.operands = append(t.operands, part)
	}
	var limited, offset, locked, limitDone bool
	for {
		switch pos := p.pos(); {
		case p.is(kwLimit):
			if limited || limitDone {
				p.fail()
			}
			limited = true
			begin()
			p.i++
			if p.accept(kwAll) {
				break
			}
			operand(tailLimit)
			p.rwExpr()
			if p.isPunct(',') {
				p.bail(sqlstate.New(sqlstate.SyntaxError, "LIMIT #,# syntax is not supported").
					WithHint("Use separate LIMIT and OFFSET clauses.").At(int(pos)))
			}
		case p.is(kwOffset):
			if offset || limitDone {
				p.fail()
			}
			offset = true
			p.i++
			operand(tailOffset)
			p.rwExpr()
			if !p.accept(kwRow) {
				p.accept(kwRows)
			}
		case p.is(kwFetch):
			if limited || limitDone {
				p.fail()
			}
			limited = true
			begin()
			p.i++
			if !p.accept(kwFirst) {
				p.expect(kwNext)
			}
			if p.is(kwRow) || p.is(kwRows) {
				t.limit = &ast.Number{Pos: pos, Text: "1"}
			} else {
				operand(tailLimit)
				p.rwSigned()
			}
			if !p.accept(kwRow) {
				p.expect(kwRows)
			}
			if !p.accept(kwOnly) {
				p.expect(kwWith, kwTies)
				t.withTies = true
				if !ordered {
					p.errorAt(pos, sqlstate.SyntaxError, "WITH TIES cannot be specified without ORDER BY clause")
				}
			}
		case p.is(kwFor):
			// Locking clauses and limits may come in either order, but not mixed.
			limits := limited || offset
			if locked && limits && !limitDone {
				p.fail()
			}
			locked, limitDone = true, limits
			begin()
			if p.peekAt(1).kw == kwRead {
				p.i += 2
				p.expect(kwOnly)
				break
			}
			t.locking = append(t.locking, p.locking())
		case p.isAsOf():
			if begin().asOf != nil {
				p.fail()
			}
			t.asOf = p.asOf()
		default:
			if t != nil {
				p.emit(")", p.i)
			}
			return
		}
	}
}

func (p *parser) locking() *ast.Locking {
	l := &ast.Locking{Pos: p.pos()}
	p.expect(kwFor)
	switch {
	case p.accept(kwUpdate):
		l.Strength = ast.ForUpdate
	case p.accept(kwShare):
		l.Strength = ast.ForShare
	case p.accept(kwNo):
		p.expect(kwKey, kwUpdate)
		l.Strength = ast.ForNoKeyUpdate
	default:
		p.expect(kwKey, kwShare)
		l.Strength = ast.ForKeyShare
	}
	if p.accept(kwOf) {
		l.Of = p.objectNames()
	}
	switch {
	case p.accept(kwNowait):
		l.Wait = ast.LockNoWait
	case p.accept(kwSkip):
		p.expect(kwLocked)
		l.Wait = ast.LockSkipLocked
	}
	return l
}

// rwWith writes a WITH clause.
func (p *parser) rwWith() {
	at := p.i
	p.expect(kwWith)
	p.emit("WITH", at)
	if r := p.i; p.accept(kwRecursive) {
		p.emit("RECURSIVE", r)
	}
	for {
		p.rwCTE()
		if !p.isPunct(',') {
			return
		}
		p.emit(",", p.i)
		p.i++
	}
}

func (p *parser) rwCTE() {
	at := p.i
	cte := &ast.CTE{Pos: p.pos(), Name: p.colID().Text}
	if p.isPunct('(') {
		cte.Columns = p.nameList()
	}
	p.expect(kwAs)
	switch {
	case p.accept(kwMaterialized):
		cte.Materialize = ast.MaterializeAlways
	case p.accept(kwNot):
		p.expect(kwMaterialized)
		cte.Materialize = ast.MaterializeNever
	}
	p.emitCarrier(carrier{kind: cCTE, tok: int32(at), node: cte})
	p.emit("AS", at)
	if !p.isPunct('(') {
		p.fail()
	}
	if p.isDML(p.i + 1) {
		p.i++
		cte.Statement = p.statement()
		p.expectPunct(')')
		p.emit("( SELECT", at)
		p.emitToken(at)
		p.emit(")", at)
	} else {
		p.rwSubquery()
	}
	if p.is(kwSearch) || p.is(kwCycle) {
		p.unsupported(p.pos(), "%s clause of WITH", upper(p.peek().text))
	}
}

// isDML looks whether an INSERT, UPDATE or DELETE begins at token i, behind a
// WITH clause of its own perhaps.
func (p *parser) isDML(i int) bool {
	switch p.toks[i].kw {
	case kwInsert, kwUpdate, kwDelete:
		return true
	case kwWith:
		// WITH name (columns) AS [NOT MATERIALIZED] (...), ...
		i++
		if p.toks[i].kw == kwRecursive {
			i++
		}
		for i < len(p.toks)-1 {
			for i < len(p.toks)-1 && p.toks[i].kw != kwAs {
				i++
			}
			for i < len(p.toks)-1 && p.toks[i].kind != '(' {
				i++
			}
			if i >= len(p.toks)-1 {
				return false
			}
			i = int(p.toks[i].match) + 1
			if i >= len(p.toks) {
				return false
			}
			if p.toks[i].kind != ',' {
				break
			}
			i++
		}
		if i >= len(p.toks) {
			return false
		}
		switch p.toks[i].kw {
		case kwInsert, kwUpdate, kwDelete:
			return true
		}
	}
	return false
}
