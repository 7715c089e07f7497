package parser

import "github.com/spanlite/spanlite/sql/ast"

func (p *parser) declareCursor() ast.Statement {
	s := &ast.DeclareCursor{Pos: p.pos()}
	p.expect(kwDeclare)
	s.Name = p.colID().Text
	yes, no := true, false
	for {
		switch {
		case p.accept(kwBinary):
			s.Binary = true
		case p.accept(kwInsensitive):
			s.Insens = true
		case p.accept(kwAsensitive):
			s.Asensitive = true
		case p.accept(kwScroll):
			s.Scroll = &yes
		case p.accept2(kwNo, kwScroll):
			s.Scroll = &no
		default:
			p.expect(kwCursor)
			if p.accept2(kwWith, kwHold) {
				s.Hold = true
			} else {
				p.accept2(kwWithout, kwHold)
			}
			p.expect(kwFor)
			s.Query = p.query()
			return s
		}
	}
}

func (p *parser) fetch() ast.Statement {
	s := &ast.Fetch{Pos: p.pos(), Count: 1}
	s.Move = p.accept(kwMove)
	if !s.Move {
		p.expect(kwFetch)
	}
	dir := func(d ast.FetchDirection, n int64) { s.Direction, s.Count = d, n }
	switch t := p.peek(); {
	case p.isFetchWord(kwNext):
	case p.isFetchWord(kwPrior):
		dir(ast.FetchBackward, 1)
	case p.isFetchWord(kwFirst):
		dir(ast.FetchAbsolute, 1)
	case p.isFetchWord(kwLast):
		dir(ast.FetchAbsolute, -1)
	case p.isFetchWord(kwAbsolute):
		dir(ast.FetchAbsolute, p.signedInt())
	case p.isFetchWord(kwRelative):
		dir(ast.FetchRelative, p.signedInt())
	case t.kind == tInteger || t.kind == tOp:
		dir(ast.FetchForward, p.signedInt())
	case p.isFetchWord(kwAll):
		dir(ast.FetchForward, ast.FetchAll)
	case p.isFetchWord(kwForward):
		p.fetchCount(s, ast.FetchForward)
	case p.isFetchWord(kwBackward):
		p.fetchCount(s, ast.FetchBackward)
	}
	if !p.accept(kwFrom) {
		p.accept(kwIn)
	}
	s.Cursor = p.colID().Text
	return s
}

// isFetchWord steps over a direction, unless it is the cursor's name.
func (p *parser) isFetchWord(k keyword) bool {
	if !p.is(k) || p.peekAt(1).ends() && k != kwAll {
		return false
	}
	p.i++
	return true
}

func (p *parser) fetchCount(s *ast.Fetch, d ast.FetchDirection) {
	s.Direction = d
	switch k := p.peek().kind; {
	case p.accept(kwAll):
		s.Count = ast.FetchAll
	case k == tInteger || k == tOp:
		s.Count = p.signedInt()
	}
}

func (p *parser) closeCursor() ast.Statement {
	s := &ast.CloseCursor{Pos: p.pos()}
	p.expect(kwClose)
	if !p.accept(kwAll) {
		s.Name = p.colID().Text
	}
	return s
}
