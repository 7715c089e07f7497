package parser

import (
	gast "github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/spanlite/spanlite/sql/ast"
)

// The functions here take a piece of the statement through the whole way:
// write a fragment, give it to the grammar, build our tree.

// expr parses an expression at the cursor.
func (p *parser) expr() ast.Expr {
	return p.exprFragment(func() { p.rwExpr() })
}

// bExpr parses a restricted expression, such as a column's default, behind
// which AND, IN, COLLATE and NOT belong to something else.
func (p *parser) bExpr() ast.Expr {
	return p.exprFragment(func() { p.rwLevel(lvCompare, modeB) })
}

// funcExpr parses a function call or another primary without operators.
func (p *parser) funcExpr() ast.Expr {
	return p.exprFragment(func() { p.rwPrimary() })
}

func (p *parser) exprFragment(write func()) ast.Expr {
	if e := p.simpleExpr(); e != nil {
		return e
	}
	outer := p.pushFragment()
	p.emit("SELECT", p.i)
	write()
	fields := p.run().(*gast.SelectStmt).Fields.Fields
	e := p.buildExpr(fields[0].Expr)
	p.popFragment(outer)
	return e
}

// simpleExpr takes the short way for an operand that cannot be more than a
// constant, a parameter or a keyword: what follows ends the expression for certain.
func (p *parser) simpleExpr() ast.Expr {
	t := p.peek()
	switch t.kind {
	case tInteger, tFloat, tString, tParam:
	case tIdent:
		switch t.kw {
		case kwNull, kwTrue, kwFalse, kwDefault, kwCurrentTimestamp, kwCurrentDate, kwLocaltimestamp:
		default:
			return nil
		}
	default:
		return nil
	}
	switch p.peekAt(1).kind {
	case ',', ')', tEOF, ';':
	default:
		return nil
	}
	if t.kind == tParam {
		p.checkParam(t)
	}
	p.i++
	return p.leaf(p.i - 1)
}

// exprList parses expressions separated by commas.
func (p *parser) exprList() []ast.Expr {
	var list []ast.Expr
	for {
		list = append(list, p.expr())
		if !p.acceptPunct(',') {
			return list
		}
	}
}

// query parses a query at the cursor.
func (p *parser) query() *ast.Select {
	at := p.i
	outer := p.pushFragment()
	p.rwQuery()
	q := p.buildQuery(p.run(), at)
	p.popFragment(outer)
	return q
}
