package parser

import (
	"github.com/spanlite/spanlite/sql/ast"
)

func (p *parser) copyStatement() ast.Statement {
	s := &ast.Copy{Pos: p.pos()}
	p.expect(kwCopy)
	binary := p.pos()
	if p.is(kwBinary) && p.peekAt(1).kw != kwFrom && p.peekAt(1).kw != kwTo && p.peekAt(1).kind != '(' && p.peekAt(1).kind != '.' {
		p.i++
		s.Options = append(s.Options, textOption(binary, "format", "binary"))
	}
	if p.acceptPunct('(') {
		s.Query = p.statement()
		switch s.Query.(type) {
		case *ast.Select, *ast.Insert, *ast.Update, *ast.Delete:
		default:
			p.fail()
		}
		p.expectPunct(')')
		p.expect(kwTo)
	} else {
		s.Table = &ast.TableRef{Pos: p.pos(), Name: p.objectName()}
		if p.isPunct('(') {
			s.Columns = p.nameList()
		}
		s.From = p.accept(kwFrom)
		if !s.From {
			p.expect(kwTo)
		}
	}
	s.Program = p.accept(kwProgram)
	switch {
	case p.peek().kind == tString:
		s.File = p.stringConst()
	case s.Program:
		p.fail()
	case !p.accept(kwStdin):
		p.expect(kwStdout)
	}
	if pos := p.pos(); p.is(kwDelimiters) || p.is(kwUsing) {
		p.accept(kwUsing)
		p.expect(kwDelimiters)
		s.Options = append(s.Options, textOption(pos, "delimiter", p.stringConst()))
	}
	with := p.accept(kwWith)
	if p.isPunct('(') {
		s.Options = append(s.Options, p.optionList(p.label, p.copyOptionValue)...)
	} else {
		n := len(s.Options)
		p.oldCopyOptions(s)
		_ = with && n == len(s.Options) // WITH alone is allowed
	}
	if p.is(kwWhere) {
		if !s.From {
			p.fail()
		}
		p.i++
		s.Where = p.expr()
	}
	return s
}

func textOption(pos ast.Pos, name, value string) ast.Option {
	return ast.Option{Pos: pos, Name: name, Value: &ast.String{Pos: pos, Value: value}}
}

// oldCopyOptions reads the options of the syntax before PostgreSQL 9.0.
func (p *parser) oldCopyOptions(s *ast.Copy) {
	add := func(o ast.Option) { s.Options = append(s.Options, o) }
	for {
		pos := p.pos()
		switch {
		case p.accept(kwBinary):
			add(textOption(pos, "format", "binary"))
		case p.accept(kwFreeze):
			add(textOption(pos, "freeze", "true"))
		case p.accept(kwCsv):
			add(textOption(pos, "format", "csv"))
		case p.accept(kwHeader):
			add(textOption(pos, "header", "true"))
		case p.accept(kwDelimiter):
			p.accept(kwAs)
			add(textOption(pos, "delimiter", p.stringConst()))
		case p.accept(kwNull):
			p.accept(kwAs)
			add(textOption(pos, "null", p.stringConst()))
		case p.accept(kwQuote):
			p.accept(kwAs)
			add(textOption(pos, "quote", p.stringConst()))
		case p.accept(kwEscape):
			p.accept(kwAs)
			add(textOption(pos, "escape", p.stringConst()))
		case p.accept(kwEncoding):
			add(textOption(pos, "encoding", p.stringConst()))
		case p.accept(kwForce):
			name := "force_quote"
			if p.accept(kwNot) {
				p.expect(kwNull)
				name = "force_not_null"
			} else if p.accept(kwNull) {
				name = "force_null"
			} else {
				p.expect(kwQuote)
			}
			o := ast.Option{Pos: pos, Name: name}
			if name == "force_quote" && p.isOp("*") {
				p.i++
				o.Value = &ast.Star{Pos: pos}
			} else {
				row := &ast.Row{Pos: pos}
				for _, n := range p.names() {
					row.Elems = append(row.Elems, &ast.String{Pos: n.Pos, Value: n.Text})
				}
				o.Value = row
			}
			add(o)
		default:
			return
		}
	}
}

func (p *parser) copyOptionValue() ast.Expr {
	pos := p.pos()
	switch {
	case p.isOp("*"):
		p.i++
		return &ast.Star{Pos: pos}
	case p.acceptPunct('('):
		row := &ast.Row{Pos: pos}
		for {
			row.Elems = append(row.Elems, p.settingValue())
			if !p.acceptPunct(',') {
				break
			}
		}
		p.expectPunct(')')
		return row
	}
	return p.settingValue()
}

// utilityOptions reads the options of EXPLAIN, VACUUM and their like.
func (p *parser) utilityOptions() []ast.Option {
	return p.optionList(func() ast.Name {
		if p.is(kwAnalyze) || p.is(kwAnalyse) {
			return p.label()
		}
		return p.nonReserved()
	}, p.settingValue)
}

// optionList reads (name [value], ...). The value may be missing.
func (p *parser) optionList(name func() ast.Name, value func() ast.Expr) []ast.Option {
	var opts []ast.Option
	p.expectPunct('(')
	for {
		n := name()
		o := ast.Option{Pos: n.Pos, Name: foldASCII(n.Text)}
		if !p.isPunct(',') && !p.isPunct(')') {
			o.Value = value()
		}
		opts = append(opts, o)
		if !p.acceptPunct(',') {
			break
		}
	}
	p.expectPunct(')')
	return opts
}
