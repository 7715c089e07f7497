package parser

import (
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// This file writes expressions into fragments. It finds out where operands and
// operators are and leaves to the grammar how they bind, except where the two
// dialects disagree; there it writes brackets or carriers. The binding levels
// are PostgreSQL's, loosest first.
type level int

const (
	lvNone level = iota
	lvOr
	lvAnd
	lvNot
	lvIs      // IS ..., ISNULL, NOTNULL
	lvCompare // < > = <= >= <>, not associative
	lvIn      // BETWEEN, IN, LIKE, ILIKE, SIMILAR
	lvOp      // every operator not named here
	lvAdd
	lvMul
	lvPow
)

// exprMode tells PostgreSQL's a_expr from its b_expr, which is used where AND,
// IN, COLLATE and the like would be ambiguous.
type exprMode uint8

const (
	modeA exprMode = iota
	modeB
)

// rwExpr writes an expression from the cursor as far as it goes.
func (p *parser) rwExpr() { p.rwLevel(lvOr, modeA) }

// infix returns the level of the infix or postfix operator at the cursor.
func (p *parser) infix(mode exprMode) level {
	t := p.peek()
	if t.kind == tOp {
		switch t.text {
		case "=", "<", ">", "<=", ">=", "<>":
			return lvCompare
		case "+", "-":
			return lvAdd
		case "*", "/", "%":
			return lvMul
		case "^":
			return lvPow
		}
		return lvOp
	}
	switch t.kw {
	case noKeyword:
		return lvNone
	case kwOperator:
		if p.peekAt(1).kind == '(' {
			return lvOp
		}
	case kwIs:
		if mode == modeB {
			n := 1
			if p.peekAt(1).kw == kwNot {
				n = 2
			}
			if k := p.peekAt(n).kw; k != kwDistinct && k != kwDocument {
				return lvNone
			}
		}
		return lvIs
	}
	if mode == modeB {
		return lvNone
	}
	switch t.kw {
	case kwAnd:
		return lvAnd
	case kwOr:
		return lvOr
	case kwIsnull, kwNotnull:
		return lvIs
	case kwIn, kwBetween, kwLike, kwIlike:
		return lvIn
	case kwSimilar:
		if p.peekAt(1).kw == kwTo {
			return lvIn
		}
	case kwNot:
		switch p.peekAt(1).kw {
		case kwIn, kwBetween, kwLike, kwIlike, kwSimilar:
			return lvIn
		}
	case kwOverlaps:
		return lvOp
	}
	return lvNone
}

// rwLevel writes operands and the operators between them as long as those bind
// at least as tightly as from.
func (p *parser) rwLevel(from level, mode exprMode) {
	depth := p.depth
	p.deeper()
	// What IS and the comparisons, and what IN, LIKE, BETWEEN and the operators
	// in front of ANY, have on their left begins here.
	isLeft := p.rwOperand(from-1, mode)
	inLeft := isLeft
	// Operators that are not associative: one of the kind has been seen.
	var compared, matched, distinct bool
	for {
		lv := p.infix(mode)
		if lv == lvNone || lv < from {
			break
		}
		t := p.peek()
		switch lv {
		case lvOr, lvAnd:
			if p.logicals++; p.logicals > logicalMax {
				p.bail(sqlstate.New(sqlstate.StatementTooComplex, "more than %d ANDs and ORs in one statement", logicalMax).At(int(t.pos)))
			}
			if lv == lvAnd {
				p.emit("AND", p.i)
			} else {
				p.emit("OR", p.i)
			}
			p.i++
			isLeft = p.rwOperand(lv, mode)
			inLeft = isLeft
			compared, matched, distinct = false, false, false
			continue
		case lvIs:
			if distinct {
				p.fail() // a IS DISTINCT FROM b IS NULL
			}
			distinct = !p.rwIs(mode)
			if !distinct {
				p.closeTest(isLeft, mode)
			}
			inLeft = isLeft
			compared, matched = false, false
		case lvIn:
			if matched {
				p.fail() // a LIKE b LIKE c
			}
			matched = !p.rwPredicate()
			if !matched {
				p.closeTest(inLeft, mode)
			}
		case lvCompare:
			if compared {
				p.fail() // a < b < c
			}
			compared, matched = true, false
			p.emit(t.text, p.i)
			p.i++
			quantified := p.isQuantifier()
			inLeft = p.rwOperand(lv, mode)
			if quantified {
				p.closeTest(isLeft, mode)
				inLeft, compared = isLeft, false
			}
		case lvOp:
			p.emit("<<", p.i)
			p.skipOperator()
			quantified := p.isQuantifier()
			p.rwOperand(lv, mode)
			if quantified {
				p.closeTest(inLeft, mode)
			}
		default:
			p.emit(t.text, p.i)
			p.i++
			p.rwOperand(lv, mode)
		}
		p.deeper()
	}
	p.depth = depth
}

// isQuantifier looks for ANY (, SOME ( or ALL (.
func (p *parser) isQuantifier() bool {
	k := p.peek().kw
	return (k == kwAny || k == kwSome || k == kwAll) && p.peekAt(1).kind == '('
}

// closeTest puts brackets around a test that has just been written from m on, if
// what follows binds more tightly: x IS NULL::text is (x IS NULL)::text, since
// nothing may follow NULL but an operator that takes all of it.
func (p *parser) closeTest(m mark, mode exprMode) {
	t := p.peek()
	if p.infix(mode) < lvIn && t.kind != tCast && t.kw != kwCollate && !(t.kw == kwAt && p.peekAt(1).kw == kwTime) {
		return
	}
	p.insert(m, []byte("( "), p.i)
	p.emit(")", p.i)
	p.rwTightPostfix(m, false)
	if mode == modeA {
		p.rwLoosePostfix(m)
	}
}

// skipOperator steps over an operator symbol, OPERATOR(schema.op) or OVERLAPS.
func (p *parser) skipOperator() {
	if !p.is(kwOperator) {
		p.i++
		return
	}
	p.i++
	p.expectPunct('(')
	for p.peek().kind == tIdent || p.peek().kind == tQuoted {
		p.colID()
		p.expectPunct('.')
	}
	if p.peek().kind != tOp {
		p.fail()
	}
	p.i++
	p.expectPunct(')')
}

// rwIs writes the tests that begin with IS. It returns false for IS DISTINCT
// FROM, which has an operand behind it.
func (p *parser) rwIs(mode exprMode) bool {
	at := p.i
	switch {
	case p.accept(kwIsnull):
		p.emit("IS NULL", at)
		return true
	case p.accept(kwNotnull):
		p.emit("IS NOT NULL", at)
		return true
	}
	p.expect(kwIs)
	not := p.accept(kwNot)
	c := carrier{kind: cTruth, flag: not, tok: int32(at)}
	switch t := p.peek(); {
	case p.accept(kwNull):
		if not {
			p.emit("IS NOT NULL", at)
		} else {
			p.emit("IS NULL", at)
		}
		return true
	case p.accept(kwTrue):
		c.n = uint8(ast.True)
	case p.accept(kwFalse):
		c.n = uint8(ast.False)
	case p.accept(kwUnknown):
		c.n = uint8(ast.Unknown)
	case p.accept(kwDistinct):
		p.expect(kwFrom)
		p.emit("<=>", at)
		p.emitCall(carrier{kind: cDistinct, flag: not, tok: int32(at)})
		p.rwLevel(lvCompare, mode)
		p.emit(")", at)
		return false
	case t.kw == kwNormalized:
		p.i++
		c.kind, c.text = cNormalized, ""
	case (t.kw == kwNfc || t.kw == kwNfd || t.kw == kwNfkc || t.kw == kwNfkd) && p.peekAt(1).kw == kwNormalized:
		p.i += 2
		c.kind, c.text = cNormalized, t.text
	case t.kw == kwDocument:
		p.unsupported(ast.Pos(t.pos), "IS DOCUMENT")
	default:
		p.fail()
	}
	p.emit("<=>", at)
	p.emitCarrier(c)
	return true
}

// rwPredicate writes [NOT] IN, BETWEEN, LIKE, ILIKE and SIMILAR TO. It returns
// true for IN, which has no operand behind it.
func (p *parser) rwPredicate() bool {
	at := p.i
	not := p.accept(kwNot)
	if not {
		p.emit("NOT", at)
	}
	switch op := p.i; {
	case p.accept(kwIn):
		p.emit("IN", op)
		if !p.isPunct('(') {
			p.fail()
		}
		p.emit("(", p.i)
		if p.isQuery(p.i) {
			p.i++
			p.rwQuery()
		} else {
			p.i++
			p.rwExprList()
		}
		p.emit(")", p.i)
		p.expectPunct(')')
		return true
	case p.accept(kwBetween):
		p.emit("BETWEEN", op)
		if !p.accept(kwSymmetric) {
			p.accept(kwAsymmetric)
		}
		p.emit("(", op)
		p.rwLevel(lvCompare, modeB)
		p.emit(")", p.i)
		p.emit("AND", p.i)
		p.expect(kwAnd)
		p.emit("(", p.i)
		p.rwLevel(lvOp, modeA)
		p.emit(")", p.i)
	default:
		p.i++
		if p.toks[op].kw == kwSimilar {
			p.expect(kwTo)
		}
		p.emit("LIKE", op)
		c := carrier{kind: cPattern, tok: int32(op)}
		p.emitCall(c)
		p.rwLevel(lvOp, modeA)
		if p.accept(kwEscape) {
			p.emit(",", p.i)
			p.rwLevel(lvOp, modeA)
		}
		p.emit(")", p.i)
	}
	return false
}

// rwExprList writes expressions separated by commas and returns their number.
func (p *parser) rwExprList() int {
	for n := 1; ; n++ {
		p.rwExpr()
		if !p.isPunct(',') {
			return n
		}
		p.emit(",", p.i)
		p.i++
	}
}

// rwOperand writes one operand with its prefix and postfix operators. prev is
// the level of the operator in front of it. It returns where the operand begins,
// behind NOT.
func (p *parser) rwOperand(prev level, mode exprMode) mark {
	m := p.mark()
	if p.is(kwNot) && mode == modeA {
		at := p.i
		p.i++
		p.deeper()
		if prev <= lvNot {
			p.emit("NOT", at)
			return p.rwOperand(lvNot, mode)
		}
		// true = NOT false: PostgreSQL takes it, the grammar wants brackets.
		p.emit("(", at)
		p.emit("NOT", at)
		p.rwLevel(lvIs, mode)
		p.emit(")", p.i)
		return m
	}
	if p.isQuantifier() {
		p.rwPrimary() // what follows is closeTest's affair
		return m
	}
	p.rwSigned()
	if mode == modeA {
		p.rwLoosePostfix(m)
	}
	return m
}

// rwLoosePostfix writes COLLATE and AT TIME ZONE behind the operand that begins
// at m.
func (p *parser) rwLoosePostfix(m mark) {
	for {
		at := p.i
		switch {
		case p.is(kwCollate):
			p.i++
			name := p.objectName()
			p.insertCall(m, carrier{kind: cCollate, tok: int32(at), node: name})
			p.emit(")", at)
			p.rwTightPostfix(m, false)
		case p.is(kwAt) && p.peekAt(1).kw == kwTime && p.peekAt(2).kw == kwZone:
			p.i += 3
			p.insertCall(m, carrier{kind: cAtZone, tok: int32(at)})
			p.emit(",", at)
			zone := p.mark()
			p.rwSigned()
			for p.is(kwCollate) {
				c := p.i
				p.i++
				name := p.objectName()
				p.insertCall(zone, carrier{kind: cCollate, tok: int32(c), node: name})
				p.emit(")", c)
			}
			p.emit(")", at)
		default:
			return
		}
		p.deeper()
	}
}

// rwSigned writes an operand with its signs and other prefix operators.
func (p *parser) rwSigned() {
	t := p.peek()
	if t.kind == tOp {
		at := p.i
		switch t.text {
		case "+", "-":
			depth := p.depth
			p.deeper()
			p.emit(t.text, at)
			p.i++
			p.rwSigned()
			p.depth = depth
			return
		case "=", "<", ">", "<=", ">=", "<>", "*", "/", "%", "^":
			p.fail()
		}
		p.rwPrefix()
		return
	}
	if t.kw == kwOperator && p.peekAt(1).kind == '(' {
		p.rwPrefix()
		return
	}
	m := p.mark()
	p.rwTightPostfix(m, p.rwPrimary())
}

// rwPrefix writes a prefix operator other than a sign. It binds like an infix
// operator of the same name: @ a + b is @ (a + b).
func (p *parser) rwPrefix() {
	at := p.i
	p.skipOperator()
	p.emitCall(carrier{kind: cPrefix, tok: int32(at)})
	p.rwLevel(lvAdd, modeA)
	p.emit(")", p.i)
}

// rwTightPostfix writes ::type and, if indirection is allowed, [subscript] and
// .field behind a primary.
func (p *parser) rwTightPostfix(m mark, indirection bool) {
	for {
		at := p.i
		if k := p.peek().kind; !indirection && k != tCast {
			return
		}
		switch p.peek().kind {
		case tCast:
			p.i++
			indirection = false
			typ := p.typeName()
			p.insertCall(m, carrier{kind: cCast, tok: int32(at), node: typ})
			p.emit(")", at)
		case '[':
			p.insertCall(m, carrier{kind: cSubscript, tok: int32(at)})
			for p.isPunct('[') {
				p.emit(",", p.i)
				p.rwSubscript()
			}
			p.emit(")", at)
		case '.':
			switch n := p.peekAt(1); {
			case n.kind == tIdent || n.kind == tQuoted:
				p.insertCall(m, carrier{kind: cField, tok: int32(at + 1)})
				p.emit(")", at)
			case n.kind == tOp && n.text == "*":
				p.insertCall(m, carrier{kind: cFieldStar, tok: int32(at)})
				p.emit(")", at)
				indirection = false
			default:
				p.i++
				p.fail()
			}
			p.i += 2
		default:
			return
		}
		p.deeper()
	}
}

// rwSubscript writes [i] or [lower:upper].
func (p *parser) rwSubscript() {
	at := p.i
	p.i++
	c := carrier{kind: cSlice, tok: int32(at)}
	m := p.mark()
	if !p.isPunct(':') {
		p.rwExpr()
		c.n |= 1
	}
	if p.acceptPunct(':') {
		if !p.isPunct(']') {
			if c.n&1 != 0 {
				p.emit(",", p.i)
			}
			p.rwExpr()
			c.n |= 2
		}
		p.insertCall(m, c)
		p.emit(")", at)
	}
	p.expectPunct(']')
}

// operator reads an operator: a symbol or OPERATOR(schema.op).
func (p *parser) operator() ast.Operator {
	at := p.i
	if p.peek().kind != tOp && !(p.is(kwOperator) && p.peekAt(1).kind == '(') {
		p.fail()
	}
	p.skipOperator()
	return p.operatorAt(at)
}

// operatorAt returns the operator whose first token is at.
func (p *parser) operatorAt(at int) ast.Operator {
	t := &p.toks[at]
	if t.kw != kwOperator {
		return ast.Operator{Name: t.text}
	}
	var op ast.Operator
	i := at + 2
	for p.toks[i].kind != tOp {
		op.Schema = p.toks[i].text
		i += 2
	}
	op.Name = p.toks[i].text
	return op
}
