package parser

import (
	"github.com/spanlite/spanlite/sql/ast"
)

// special is a call in a syntax of its own: EXTRACT, SUBSTRING and so on.
type special struct {
	form  ast.CallForm
	name  string
	extra ast.Expr // an argument that is not an expression in the source
	// order lists the arguments of the call by their place in the source; -1
	// stands for extra. nil: as they come.
	order []int
}

// rwSpecialCall writes the functions whose arguments are separated by
// keywords. It returns false, with the cursor unmoved, if the call is an
// ordinary one.
func (p *parser) rwSpecialCall() bool {
	at := p.i
	kw := p.peek().kw
	if kw == kwTreat {
		p.unsupported(p.pos(), "TREAT")
	}
	if kw == kwCollation {
		p.i += 2
		p.expectPunct('(')
		p.emitCall(carrier{kind: cSpecial, tok: int32(at), node: &special{form: ast.FormCollationFor, name: "pg_collation_for"}})
		p.rwExpr()
		p.emit(")", p.i)
		p.expectPunct(')')
		return true
	}
	p.i += 2
	s := &special{}
	c := p.newCarrier(carrier{kind: cSpecial, tok: int32(at), node: s})
	m := p.mark()
	p.emitRef(carrierRef, c, at)
	p.emit("(", at)
	switch kw {
	case kwExtract:
		s.form, s.name, s.order = ast.FormExtract, "extract", []int{-1, 0}
		t := p.peek()
		if t.kind != tString && t.kind != tQuoted && t.kind != tIdent {
			p.fail()
		}
		s.extra = &ast.String{Pos: ast.Pos(t.pos), Value: t.text}
		p.i++
		p.expect(kwFrom)
		p.rwExpr()
	case kwPosition:
		s.form, s.name, s.order = ast.FormPosition, "position", []int{1, 0}
		p.rwLevel(lvCompare, modeB)
		p.comma(p.expectKeyword(kwIn))
		p.rwLevel(lvCompare, modeB)
	case kwSubstring:
		if p.isPunct(')') {
			return p.ordinary(at, m)
		}
		p.rwExpr()
		switch {
		case p.is(kwFrom):
			s.form, s.name = ast.FormSubstring, "substring"
			p.comma(p.expectKeyword(kwFrom))
			p.rwExpr()
			if p.is(kwFor) {
				p.comma(p.expectKeyword(kwFor))
				p.rwExpr()
			}
		case p.is(kwFor):
			s.form, s.name = ast.FormSubstring, "substring"
			pos := p.pos()
			p.comma(p.expectKeyword(kwFor))
			p.rwExpr()
			if p.is(kwFrom) {
				s.order = []int{0, 2, 1}
				p.comma(p.expectKeyword(kwFrom))
				p.rwExpr()
			} else {
				s.order = []int{0, -1, 1}
				s.extra = &ast.Number{Pos: pos, Text: "1"}
			}
		case p.is(kwSimilar):
			s.form, s.name = ast.FormSimilarSub, "substring"
			p.comma(p.expectKeyword(kwSimilar))
			p.rwExpr()
			p.comma(p.expectKeyword(kwEscape))
			p.rwExpr()
		default:
			return p.ordinary(at, m)
		}
	case kwOverlay:
		if p.isPunct(')') {
			return p.ordinary(at, m)
		}
		p.rwExpr()
		if !p.is(kwPlacing) {
			return p.ordinary(at, m)
		}
		s.form, s.name = ast.FormOverlay, "overlay"
		p.comma(p.expectKeyword(kwPlacing))
		p.rwExpr()
		p.comma(p.expectKeyword(kwFrom))
		p.rwExpr()
		if p.is(kwFor) {
			p.comma(p.expectKeyword(kwFor))
			p.rwExpr()
		}
	case kwTrim:
		s.form, s.name = ast.FormTrim, "btrim"
		switch {
		case p.accept(kwBoth):
		case p.accept(kwLeading):
			s.name = "ltrim"
		case p.accept(kwTrailing):
			s.name = "rtrim"
		}
		if p.accept(kwFrom) {
			p.rwExprList()
			break
		}
		p.rwExpr()
		if p.is(kwFrom) {
			p.comma(p.expectKeyword(kwFrom))
			p.rwExprList()
			s.order = []int{1, 0} // the set of characters comes last
			break
		}
		for p.isPunct(',') {
			p.comma(p.i)
			p.i++
			p.rwExpr()
		}
	case kwNormalize:
		s.form, s.name = ast.FormNormalize, "normalize"
		p.rwExpr()
		if p.acceptPunct(',') {
			t := p.peek()
			switch t.kw {
			case kwNfc, kwNfd, kwNfkc, kwNfkd:
				s.extra = &ast.String{Pos: ast.Pos(t.pos), Value: upper(t.text)}
				s.order = []int{0, -1}
				p.i++
			default:
				p.fail()
			}
		}
	}
	p.emit(")", p.i)
	p.expectPunct(')')
	return true
}

// ordinary undoes what rwSpecialCall has written since m and writes the call
// at token at like any other.
func (p *parser) ordinary(at int, m mark) bool {
	p.frag.text = p.frag.text[:m.text]
	p.frag.starts = p.frag.starts[:m.piece]
	p.frag.toks = p.frag.toks[:m.piece]
	p.i = at + 1
	p.rwCall(at, p.mark())
	return true
}

func (p *parser) comma(at int) { p.emit(",", at) }

// expectKeyword steps over k and returns where it was.
func (p *parser) expectKeyword(k keyword) int {
	p.expect(k)
	return p.i - 1
}
