package parser

import (
	"strings"

	"github.com/spanlite/spanlite/sql/ast"
)

func (p *parser) set() ast.Statement {
	pos := p.pos()
	p.expect(kwSet)
	switch {
	case p.accept(kwConstraints):
		s := &ast.SetConstraints{Pos: pos}
		if !p.accept(kwAll) {
			s.Names = p.objectNames()
		}
		s.Deferred = p.accept(kwDeferred)
		if !s.Deferred {
			p.expect(kwImmediate)
		}
		return s
	case p.is(kwTransaction):
		return p.setTransaction(pos)
	case p.is(kwSession) && p.peekAt(1).kw == kwCharacteristics:
		p.i += 2
		p.expect(kwAs, kwTransaction)
		return &ast.SetTransaction{Pos: pos, Session: true, Modes: p.transactionModes(false)}
	}
	local := false
	if p.is(kwLocal) && !p.isAssigned() {
		p.i++
		local = true
		if p.is(kwTransaction) {
			return p.setTransaction(pos)
		}
	} else if p.is(kwSession) && p.peekAt(1).kw != kwAuthorization && !p.isAssigned() {
		p.i++
		if p.is(kwTransaction) {
			return p.setTransaction(pos)
		}
	}
	s := p.setVariable()
	s.Pos, s.Local = pos, local
	return s
}

// isAssigned looks whether the next word is a variable's name and not a keyword
// of SET: whether = or TO or a further part of the name follows it.
func (p *parser) isAssigned() bool {
	t := p.peekAt(1)
	return t.kind == tOp || t.kind == '.' || t.kw == kwTo
}

func (p *parser) setTransaction(pos ast.Pos) ast.Statement {
	p.expect(kwTransaction)
	if p.accept(kwSnapshot) {
		return &ast.SetTransaction{Pos: pos, Snapshot: p.stringConst()}
	}
	return &ast.SetTransaction{Pos: pos, Modes: p.transactionModes(false)}
}

// setVariable reads what follows SET [SESSION | LOCAL]; also in ALTER ROLE and
// CREATE FUNCTION.
func (p *parser) setVariable() *ast.Set {
	pos := p.pos()
	s := &ast.Set{Pos: pos}
	text := func(v string) []ast.Expr { return []ast.Expr{&ast.String{Pos: pos, Value: v}} }
	nameOrString := func() string {
		if p.peek().kind == tString {
			return p.stringConst()
		}
		return p.nonReserved().Text
	}
	switch {
	case p.is(kwTime) && p.peekAt(1).kw == kwZone:
		p.i += 2
		s.Name = "timezone"
		p.zoneValue(s)
		return s
	case p.is(kwNames) && !p.isAssigned():
		p.i++
		s.Name = "client_encoding"
		switch {
		case p.accept(kwDefault), p.atEnd():
			s.Default = true
		default:
			s.Values = text(p.stringConst())
		}
		return s
	case p.is(kwRole) && !p.isAssigned():
		p.i++
		s.Name = "role"
		if p.accept(kwNone) {
			s.Values = text("none")
		} else {
			s.Values = text(nameOrString())
		}
		return s
	case p.accept2(kwSession, kwAuthorization):
		s.Name = "session_authorization"
		if p.accept(kwDefault) {
			s.Default = true
		} else {
			s.Values = text(nameOrString())
		}
		return s
	case p.is(kwSchema) && p.peekAt(1).kind == tString:
		p.i++
		s.Name = "search_path"
		s.Values = text(p.stringConst())
		return s
	case p.is(kwCatalog) && p.peekAt(1).kind == tString:
		p.unsupported(pos, "SET CATALOG")
	case p.is(kwXml) && p.peekAt(1).kw == kwOption:
		p.i += 2
		s.Name = "xmloption"
		if !p.accept(kwDocument) {
			p.expect(kwContent)
			s.Values = text("content")
		} else {
			s.Values = text("document")
		}
		return s
	}
	s.Name = p.variableName()
	if p.accept2(kwFrom, kwCurrent) {
		s.FromCurrent = true
		return s
	}
	if !p.acceptOp("=") {
		p.expect(kwTo)
	}
	if p.accept(kwDefault) {
		s.Default = true
		return s
	}
	if s.Name == "timezone" && p.is(kwInterval) {
		p.zoneValue(s)
		return s
	}
	for {
		s.Values = append(s.Values, p.settingValue())
		if !p.acceptPunct(',') {
			return s
		}
	}
}

// settingValue reads a value of SET: a string, a word or a number.
func (p *parser) settingValue() ast.Expr {
	t := p.peek()
	switch {
	case t.kind == tString:
		p.i++
		return &ast.String{Pos: ast.Pos(t.pos), Value: t.text}
	case t.kind == tInteger, t.kind == tFloat, t.kind == tOp:
		return p.number()
	case t.kw == kwTrue, t.kw == kwFalse, t.kw == kwOn:
		p.i++
		return &ast.String{Pos: ast.Pos(t.pos), Value: t.text}
	}
	n := p.nonReserved()
	return &ast.String{Pos: n.Pos, Value: n.Text}
}

func (p *parser) zoneValue(s *ast.Set) {
	t := p.peek()
	switch {
	case p.accept(kwDefault), p.accept(kwLocal):
		s.Default = true
	case t.kw == kwInterval:
		s.Values = []ast.Expr{p.expr()}
		if c, ok := s.Values[0].(*ast.Cast); !ok || !c.Literal {
			p.failAt(p.i - 1)
		}
	case t.kind == tString || t.kind == tInteger || t.kind == tFloat || t.kind == tOp:
		s.Values = []ast.Expr{p.settingValue()}
	default:
		if t.kind != tIdent && t.kind != tQuoted || t.kw != noKeyword {
			p.fail()
		}
		p.i++
		s.Values = []ast.Expr{&ast.String{Pos: ast.Pos(t.pos), Value: t.text}}
	}
}

// variableName reads name or name.name.
func (p *parser) variableName() string {
	name := p.colID().Text
	if !p.isPunct('.') {
		return strings.ToLower(name)
	}
	for p.acceptPunct('.') {
		name += "." + p.colID().Text
	}
	return strings.ToLower(name)
}

func (p *parser) reset() ast.Statement {
	s := &ast.Reset{Pos: p.pos()}
	p.expect(kwReset)
	s.Name = p.resetTarget()
	return s
}

// resetTarget reads what follows RESET; "" is ALL.
func (p *parser) resetTarget() string {
	switch {
	case p.accept(kwAll):
		return ""
	case p.accept2(kwTime, kwZone):
		return "timezone"
	case p.is(kwTransaction) && p.peekAt(1).kw == kwIsolation:
		p.i += 2
		p.expect(kwLevel)
		return "transaction_isolation"
	case p.accept2(kwSession, kwAuthorization):
		return "session_authorization"
	}
	return p.variableName()
}

func (p *parser) show() ast.Statement {
	s := &ast.Show{Pos: p.pos()}
	p.expect(kwShow)
	switch {
	case p.accept(kwAll):
		s.Name = "all"
	case p.accept2(kwTime, kwZone):
		s.Name = "timezone"
	case p.is(kwTransaction) && p.peekAt(1).kw == kwIsolation:
		p.i += 2
		p.expect(kwLevel)
		s.Name = "transaction_isolation"
	case p.accept2(kwSession, kwAuthorization):
		s.Name = "session_authorization"
	default:
		s.Name = p.variableName()
	}
	return s
}

func (p *parser) discard() ast.Statement {
	s := &ast.Discard{Pos: p.pos()}
	p.expect(kwDiscard)
	switch {
	case p.accept(kwAll):
		s.What = "ALL"
	case p.accept(kwPlans):
		s.What = "PLANS"
	case p.accept(kwSequences):
		s.What = "SEQUENCES"
	case p.accept(kwTemp), p.accept(kwTemporary):
		s.What = "TEMP"
	default:
		p.fail()
	}
	return s
}

func (p *parser) prepare() ast.Statement {
	pos := p.pos()
	p.expect(kwPrepare)
	if p.is(kwTransaction) && p.peekAt(1).kind == tString {
		p.i++
		return &ast.PrepareTransaction{Pos: pos, ID: p.stringConst()}
	}
	s := &ast.Prepare{Pos: pos, Name: p.colID().Text}
	if p.acceptPunct('(') {
		for {
			s.Types = append(s.Types, p.typeName())
			if !p.acceptPunct(',') {
				break
			}
		}
		p.expectPunct(')')
	}
	p.expect(kwAs)
	if k := p.peek(); k.kind != '(' {
		switch k.kw {
		case kwSelect, kwValues, kwTable, kwWith, kwInsert, kwUpdate, kwDelete:
		default:
			p.fail()
		}
	}
	from := p.peek().pos
	s.Query = p.statement()
	s.Text = p.src[from:p.toks[p.i-1].end]
	return s
}

func (p *parser) execute() *ast.Execute {
	s := &ast.Execute{Pos: p.pos()}
	p.expect(kwExecute)
	s.Name = p.colID().Text
	if p.acceptPunct('(') {
		s.Args = p.exprList()
		p.expectPunct(')')
	}
	return s
}

func (p *parser) deallocate() ast.Statement {
	s := &ast.Deallocate{Pos: p.pos()}
	p.expect(kwDeallocate)
	if p.is(kwPrepare) && !p.peekAt(1).ends() {
		p.i++
	}
	if !p.accept(kwAll) {
		s.Name = p.colID().Text
	}
	return s
}

// ends reports whether t ends the statement.
func (t *token) ends() bool { return t.kind == tEOF || t.kind == ';' }

func (p *parser) notification() ast.Statement {
	pos := p.pos()
	switch {
	case p.accept(kwListen):
		return &ast.Listen{Pos: pos, Channel: p.colID().Text}
	case p.accept(kwUnlisten):
		if p.acceptOp("*") {
			return &ast.Unlisten{Pos: pos}
		}
		return &ast.Unlisten{Pos: pos, Channel: p.colID().Text}
	}
	p.expect(kwNotify)
	s := &ast.Notify{Pos: pos, Channel: p.colID().Text}
	if p.acceptPunct(',') {
		s.Payload = p.stringConst()
	}
	return s
}
