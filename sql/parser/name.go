package parser

import (
	"strconv"
	"strings"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// isName reports whether t may be a name, given the loosest class of keywords
// that are allowed.
func isName(t *token, classes ...keywordClass) bool {
	if t.kind == tQuoted {
		return true
	}
	if t.kind != tIdent {
		return false
	}
	if t.kw == noKeyword {
		return true
	}
	class := keywords[t.kw].class
	if class == unreserved {
		return true
	}
	for _, c := range classes {
		if c == class {
			return true
		}
	}
	return false
}

// colID reads the name of a column, a table or nearly anything (ColId).
func (p *parser) colID() ast.Name {
	t := p.peek()
	if !isName(t, columnName) {
		p.fail()
	}
	p.i++
	return ast.Name{Pos: ast.Pos(t.pos), Text: t.text}
}

// label reads a name that may be any keyword (ColLabel).
func (p *parser) label() ast.Name {
	t := p.peek()
	if t.kind != tIdent && t.kind != tQuoted {
		p.fail()
	}
	p.i++
	return ast.Name{Pos: ast.Pos(t.pos), Text: t.text}
}

// nonReserved reads a name or an unreserved keyword of any class
// (NonReservedWord).
func (p *parser) nonReserved() ast.Name {
	t := p.peek()
	if !isName(t, columnName, typeFuncName) {
		p.fail()
	}
	p.i++
	return ast.Name{Pos: ast.Pos(t.pos), Text: t.text}
}

// objectName reads name, schema.name or catalog.schema.name.
func (p *parser) objectName() ast.ObjectName {
	if !isName(p.peek(), columnName) {
		p.fail()
	}
	return p.qualified()
}

// functionName reads a name that may be a type or function keyword.
func (p *parser) functionName() ast.ObjectName {
	t := p.peek()
	if !isName(t, typeFuncName) && !(isName(t, columnName) && p.peekAt(1).kind == '.') {
		p.fail()
	}
	return p.qualified()
}

// qualified reads up to three names with dots between; the first is a name
// already checked.
func (p *parser) qualified() ast.ObjectName {
	at := p.i
	name := ast.ObjectName{Pos: p.pos(), Name: p.peek().text}
	p.i++
	for n := 1; p.isPunct('.') && (p.peekAt(1).kind == tIdent || p.peekAt(1).kind == tQuoted); n++ {
		if n == 3 {
			p.tooManyDots(at)
		}
		p.i++
		name.Catalog, name.Schema, name.Name = name.Schema, name.Name, p.peek().text
		p.i++
	}
	if p.isPunct('.') {
		p.i++
		p.fail()
	}
	return name
}

func (p *parser) tooManyDots(at int) {
	var parts []string
	i := at
	for {
		parts = append(parts, p.toks[i].text)
		if p.toks[i+1].kind != '.' {
			break
		}
		i += 2
		if k := p.toks[i].kind; k != tIdent && k != tQuoted {
			break
		}
	}
	p.errorAt(p.tokPos(at), sqlstate.SyntaxError, "improper qualified name (too many dotted names): %s", strings.Join(parts, "."))
}

func (p *parser) objectNames() []ast.ObjectName {
	names := []ast.ObjectName{p.objectName()}
	for p.acceptPunct(',') {
		names = append(names, p.objectName())
	}
	return names
}

// names reads names separated by commas.
func (p *parser) names() []ast.Name {
	names := []ast.Name{p.colID()}
	for p.acceptPunct(',') {
		names = append(names, p.colID())
	}
	return names
}

// nameList reads names in parentheses.
func (p *parser) nameList() []ast.Name {
	p.expectPunct('(')
	names := p.names()
	p.expectPunct(')')
	return names
}

// stringConst reads a string.
func (p *parser) stringConst() string {
	t := p.peek()
	if t.kind != tString {
		p.fail()
	}
	p.i++
	return t.text
}

// intConst reads an unsigned integer of 32 bits.
func (p *parser) intConst() int {
	t := p.peek()
	if t.kind != tInteger {
		p.fail()
	}
	n, err := strconv.ParseInt(t.text, 10, 32)
	if err != nil {
		p.fail()
	}
	p.i++
	return int(n)
}

// signedInt reads an integer with an optional sign.
func (p *parser) signedInt() int64 {
	neg := false
	if p.acceptOp("-") {
		neg = true
	} else {
		p.acceptOp("+")
	}
	t := p.peek()
	if t.kind != tInteger {
		p.fail()
	}
	text := t.text
	if neg {
		text = "-" + text
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		p.fail()
	}
	p.i++
	return n
}

// number reads a number with an optional sign.
func (p *parser) number() *ast.Number {
	n := &ast.Number{Pos: p.pos()}
	if p.acceptOp("-") {
		n.Text = "-"
	} else {
		p.acceptOp("+")
	}
	t := p.peek()
	if t.kind != tInteger && t.kind != tFloat {
		p.fail()
	}
	n.Text += t.text
	p.i++
	return n
}

func upper(s string) string { return strings.ToUpper(s) }
