package parser

import (
	"github.com/spanlite/spanlite/sql/ast"
)

// statement parses one statement from the cursor as far as it goes. Queries and
// DML go through the grammar; the rest is recursive descent.
func (p *parser) statement() ast.Statement {
	depth := p.depth
	p.deeper()
	s := p.anyStatement()
	p.depth = depth
	return s
}

func (p *parser) anyStatement() ast.Statement {
	pos := p.pos()
	t := p.peek()
	if t.kind == '(' {
		return p.query()
	}
	switch t.kw {
	case kwSelect, kwValues, kwTable:
		return p.query()
	case kwWith:
		if !p.isDML(p.i) {
			return p.query()
		}
		return p.dml(pos, p.with())
	case kwInsert, kwUpdate, kwDelete:
		return p.dml(pos, nil)
	case kwBegin, kwStart, kwCommit, kwEnd, kwRollback, kwAbort, kwSavepoint, kwRelease:
		return p.transaction()
	case kwSet:
		return p.set()
	case kwReset:
		return p.reset()
	case kwShow:
		return p.show()
	case kwDiscard:
		return p.discard()
	case kwPrepare:
		return p.prepare()
	case kwExecute:
		return p.execute()
	case kwDeallocate:
		return p.deallocate()
	case kwDeclare:
		return p.declareCursor()
	case kwFetch, kwMove:
		return p.fetch()
	case kwClose:
		return p.closeCursor()
	case kwListen, kwUnlisten, kwNotify:
		return p.notification()
	case kwCopy:
		return p.copyStatement()
	case kwExplain:
		return p.explain()
	case kwVacuum, kwAnalyze, kwAnalyse:
		return p.vacuum()
	case kwCheckpoint:
		p.i++
		return &ast.Checkpoint{Pos: pos}
	case kwReindex:
		return p.reindex()
	case kwCluster:
		return p.cluster()
	case kwLock:
		return p.lock()
	case kwLoad:
		p.i++
		return &ast.Load{Pos: pos, File: p.stringConst()}
	case kwCreate:
		return p.create()
	case kwAlter:
		return p.alter()
	case kwDrop:
		return p.drop()
	case kwTruncate:
		return p.truncate()
	case kwComment:
		return p.comment()
	case kwGrant, kwRevoke:
		return p.grantOrRevoke()
	case kwReassign:
		return p.reassign()
	case kwRefresh:
		return p.refresh()
	case kwDo:
		return p.do()
	case kwCall:
		p.i++
		call, ok := p.funcExpr().(*ast.FuncCall)
		if !ok {
			p.fail()
		}
		return &ast.Call{Pos: pos, Func: call}
	case kwSecurity:
		p.unsupported(pos, "SECURITY LABEL")
	case kwImport:
		p.unsupported(pos, "IMPORT FOREIGN SCHEMA")
	case kwMerge:
		p.unsupported(pos, "MERGE")
	}
	p.fail()
	return nil
}

func (p *parser) dml(pos ast.Pos, with *ast.With) ast.Statement {
	switch p.peek().kw {
	case kwInsert:
		return p.insertStmt(pos, with)
	case kwUpdate:
		return p.update(pos, with)
	case kwDelete:
		return p.deleteStmt(pos, with)
	}
	p.fail()
	return nil
}
