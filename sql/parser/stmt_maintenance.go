package parser

import (
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

func (p *parser) explain() ast.Statement {
	s := &ast.Explain{Pos: p.pos()}
	p.expect(kwExplain)
	if p.isPunct('(') && !p.isQuery(p.i) {
		s.Options = p.utilityOptions()
	} else {
		if pos := p.pos(); p.accept(kwAnalyze) || p.accept(kwAnalyse) {
			s.Options = append(s.Options, ast.Option{Pos: pos, Name: "analyze"})
		}
		if pos := p.pos(); p.accept(kwVerbose) {
			s.Options = append(s.Options, ast.Option{Pos: pos, Name: "verbose"})
		}
	}
	at := p.i
	s.Statement = p.statement()
	switch s.Statement.(type) {
	case *ast.Select, *ast.Insert, *ast.Update, *ast.Delete, *ast.DeclareCursor, *ast.CreateTableAs,
		*ast.RefreshMaterializedView, *ast.Execute:
	default:
		p.failAt(at)
	}
	return s
}

func (p *parser) vacuum() ast.Statement {
	s := &ast.Vacuum{Pos: p.pos()}
	s.AnalyzeOnly = !p.accept(kwVacuum)
	if s.AnalyzeOnly {
		p.i++
	}
	if p.isPunct('(') {
		s.Options = p.utilityOptions()
	} else {
		word := func(k keyword) {
			if pos := p.pos(); p.accept(k) {
				name := keywords[k].word
				if k == kwAnalyse {
					name = "analyze"
				}
				s.Options = append(s.Options, ast.Option{Pos: pos, Name: name})
			}
		}
		if s.AnalyzeOnly {
			word(kwVerbose)
		} else {
			word(kwFull)
			word(kwFreeze)
			word(kwVerbose)
			word(kwAnalyze)
			word(kwAnalyse)
		}
	}
	if p.atEnd() {
		return s
	}
	for {
		t := ast.VacuumTable{Pos: p.pos(), Name: p.objectName()}
		if p.isPunct('(') {
			t.Columns = p.nameList()
		}
		s.Tables = append(s.Tables, t)
		if !p.acceptPunct(',') {
			return s
		}
	}
}

func (p *parser) reindex() ast.Statement {
	s := &ast.Reindex{Pos: p.pos()}
	p.expect(kwReindex)
	if p.isPunct('(') {
		s.Options = p.utilityOptions()
	}
	switch t := p.peek(); t.kw {
	case kwIndex, kwTable, kwSchema, kwSystem, kwDatabase:
		s.Kind = upper(t.text)
		p.i++
	default:
		p.fail()
	}
	s.Concurrently = p.accept(kwConcurrently)
	s.Name = p.objectName()
	return s
}

func (p *parser) cluster() ast.Statement {
	s := &ast.Cluster{Pos: p.pos()}
	p.expect(kwCluster)
	if p.isPunct('(') {
		s.Options = p.utilityOptions()
	} else if pos := p.pos(); p.accept(kwVerbose) {
		s.Options = append(s.Options, ast.Option{Pos: pos, Name: "verbose"})
	}
	if p.atEnd() {
		return s
	}
	s.Table = p.objectName()
	if p.accept(kwUsing) {
		s.Index = p.colID().Text
	} else if p.accept(kwOn) { // CLUSTER index ON table
		s.Index = s.Table.Name
		s.Table = p.objectName()
	}
	return s
}

func (p *parser) truncate() ast.Statement {
	s := &ast.Truncate{Pos: p.pos()}
	p.expect(kwTruncate)
	p.accept(kwTable)
	for {
		s.Tables = append(s.Tables, p.relation())
		if !p.acceptPunct(',') {
			break
		}
	}
	if p.accept2(kwRestart, kwIdentity) {
		s.RestartIdentity = true
	} else {
		p.accept2(kwContinue, kwIdentity)
	}
	s.Cascade = p.dropBehavior()
	return s
}

// dropBehavior reads CASCADE or RESTRICT.
func (p *parser) dropBehavior() bool {
	if p.accept(kwCascade) {
		return true
	}
	p.accept(kwRestrict)
	return false
}

func (p *parser) refresh() ast.Statement {
	s := &ast.RefreshMaterializedView{Pos: p.pos()}
	p.expect(kwRefresh, kwMaterialized, kwView)
	s.Concurrently = p.accept(kwConcurrently)
	s.Name = p.objectName()
	s.NoData = p.noData()
	return s
}

// noData reads [WITH [NO] DATA].
func (p *parser) noData() bool {
	if !p.is(kwWith) {
		return false
	}
	switch {
	case p.peekAt(1).kw == kwData:
		p.i += 2
	case p.peekAt(1).kw == kwNo && p.peekAt(2).kw == kwData:
		p.i += 3
		return true
	}
	return false
}

func (p *parser) do() ast.Statement {
	s := &ast.Do{Pos: p.pos(), Language: "plpgsql"}
	p.expect(kwDo)
	code := false
	for !p.atEnd() {
		if p.accept(kwLanguage) {
			if p.peek().kind == tString {
				s.Language = p.stringConst()
			} else {
				s.Language = p.nonReserved().Text
			}
			continue
		}
		pos := p.pos()
		s.Code = p.stringConst()
		if code {
			p.errorAt(pos, sqlstate.SyntaxError, "conflicting or redundant options")
		}
		code = true
	}
	if !code {
		p.fail()
	}
	return s
}
