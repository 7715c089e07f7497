package parser

import "github.com/spanlite/spanlite/sql/ast"

func (p *parser) transaction() ast.Statement {
	pos := p.pos()
	switch t := p.peek(); t.kw {
	case kwBegin:
		p.i++
		p.transactionWord()
		return &ast.Begin{Pos: pos, Modes: p.transactionModes(true)}
	case kwStart:
		p.i++
		p.expect(kwTransaction)
		return &ast.Begin{Pos: pos, Start: true, Modes: p.transactionModes(true)}
	case kwCommit, kwEnd:
		p.i++
		if t.kw == kwCommit && p.accept(kwPrepared) {
			return &ast.CommitPrepared{Pos: pos, ID: p.stringConst()}
		}
		p.transactionWord()
		return &ast.Commit{Pos: pos, Chain: p.chain()}
	case kwRollback, kwAbort:
		p.i++
		if t.kw == kwRollback && p.accept(kwPrepared) {
			return &ast.RollbackPrepared{Pos: pos, ID: p.stringConst()}
		}
		p.transactionWord()
		if t.kw == kwRollback && p.accept(kwTo) {
			p.savepointWord()
			return &ast.RollbackTo{Pos: pos, Name: p.colID().Text}
		}
		return &ast.Rollback{Pos: pos, Chain: p.chain()}
	case kwSavepoint:
		p.i++
		return &ast.Savepoint{Pos: pos, Name: p.colID().Text}
	}
	p.expect(kwRelease)
	p.savepointWord()
	return &ast.ReleaseSavepoint{Pos: pos, Name: p.colID().Text}
}

func (p *parser) transactionWord() {
	if !p.accept(kwWork) {
		p.accept(kwTransaction)
	}
}

// savepointWord steps over SAVEPOINT, unless it is the savepoint's name.
func (p *parser) savepointWord() {
	if !p.peekAt(1).ends() {
		p.accept(kwSavepoint)
	}
}

func (p *parser) chain() bool {
	if !p.accept(kwAnd) {
		return false
	}
	if p.accept(kwNo) {
		p.expect(kwChain)
		return false
	}
	p.expect(kwChain)
	return true
}

// transactionModes reads modes separated by commas or blanks.
func (p *parser) transactionModes(optional bool) ast.TransactionModes {
	var m ast.TransactionModes
	yes, no := true, false
	for n := 0; ; n++ {
		comma := n > 0 && p.acceptPunct(',')
		switch {
		case p.accept(kwIsolation):
			p.expect(kwLevel)
			switch {
			case p.accept(kwRead):
				m.Isolation = ast.ReadCommitted
				if p.accept(kwUncommitted) {
					m.Isolation = ast.ReadUncommitted
				} else {
					p.expect(kwCommitted)
				}
			case p.accept(kwRepeatable):
				p.expect(kwRead)
				m.Isolation = ast.RepeatableRead
			default:
				p.expect(kwSerializable)
				m.Isolation = ast.Serializable
			}
		case p.accept(kwRead):
			m.ReadOnly = &no
			if p.accept(kwOnly) {
				m.ReadOnly = &yes
			} else {
				p.expect(kwWrite)
			}
		case p.accept(kwDeferrable):
			m.Deferrable = &yes
		case p.accept(kwNot):
			p.expect(kwDeferrable)
			m.Deferrable = &no
		case p.isAsOf():
			m.AsOf = p.asOf()
		default:
			if comma || n == 0 && !optional {
				p.fail()
			}
			return m
		}
	}
}

func (p *parser) lock() ast.Statement {
	s := &ast.Lock{Pos: p.pos(), Mode: "ACCESS EXCLUSIVE"}
	p.expect(kwLock)
	p.accept(kwTable)
	for {
		s.Tables = append(s.Tables, p.relation())
		if !p.acceptPunct(',') {
			break
		}
	}
	if p.accept(kwIn) {
		switch {
		case p.accept2(kwAccess, kwShare):
			s.Mode = "ACCESS SHARE"
		case p.accept2(kwRow, kwShare):
			s.Mode = "ROW SHARE"
		case p.accept2(kwRow, kwExclusive):
			s.Mode = "ROW EXCLUSIVE"
		case p.is(kwShare) && p.peekAt(1).kw == kwUpdate:
			p.i += 2
			p.expect(kwExclusive)
			s.Mode = "SHARE UPDATE EXCLUSIVE"
		case p.is(kwShare) && p.peekAt(1).kw == kwRow:
			p.i += 2
			p.expect(kwExclusive)
			s.Mode = "SHARE ROW EXCLUSIVE"
		case p.accept(kwShare):
			s.Mode = "SHARE"
		case p.accept(kwExclusive):
			s.Mode = "EXCLUSIVE"
		default:
			p.expect(kwAccess, kwExclusive)
		}
		p.expect(kwMode)
	}
	s.NoWait = p.accept(kwNowait)
	return s
}
