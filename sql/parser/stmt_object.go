package parser

import (
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// objectKind reads the keywords of a kind of object, as they stand in DROP,
// ALTER and COMMENT ON. ok is false if there are none that we know.
func (p *parser) objectKind() (kind ast.ObjectKind, ok bool) {
	one := func(k ast.ObjectKind) (ast.ObjectKind, bool) {
		p.i++
		return k, true
	}
	two := func(second keyword, k ast.ObjectKind) (ast.ObjectKind, bool) {
		p.i++
		p.expect(second)
		return k, true
	}
	switch p.peek().kw {
	case kwTable:
		return one(ast.ObjectTable)
	case kwIndex:
		return one(ast.ObjectIndex)
	case kwSequence:
		return one(ast.ObjectSequence)
	case kwView:
		return one(ast.ObjectView)
	case kwMaterialized:
		return two(kwView, ast.ObjectMaterializedView)
	case kwSchema:
		return one(ast.ObjectSchema)
	case kwDatabase:
		return one(ast.ObjectDatabase)
	case kwType:
		return one(ast.ObjectType)
	case kwDomain:
		return one(ast.ObjectDomain)
	case kwFunction:
		return one(ast.ObjectFunction)
	case kwProcedure:
		return one(ast.ObjectProcedure)
	case kwRoutine:
		return one(ast.ObjectRoutine)
	case kwAggregate:
		return one(ast.ObjectAggregate)
	case kwOperator:
		switch p.peekAt(1).kw {
		case kwClass:
			return two(kwClass, ast.ObjectOperatorClass)
		case kwFamily:
			return two(kwFamily, ast.ObjectOperatorFamily)
		}
		return one(ast.ObjectOperator)
	case kwRole, kwUser, kwGroup:
		return one(ast.ObjectRole)
	case kwColumn:
		return one(ast.ObjectColumn)
	case kwConstraint:
		return one(ast.ObjectConstraint)
	case kwTrigger:
		return one(ast.ObjectTrigger)
	case kwRule:
		return one(ast.ObjectRule)
	case kwPolicy:
		return one(ast.ObjectPolicy)
	case kwExtension:
		return one(ast.ObjectExtension)
	case kwCollation:
		return one(ast.ObjectCollation)
	case kwConversion:
		return one(ast.ObjectConversion)
	case kwProcedural:
		return two(kwLanguage, ast.ObjectLanguage)
	case kwLanguage:
		return one(ast.ObjectLanguage)
	case kwTablespace:
		return one(ast.ObjectTablespace)
	case kwCast:
		return one(ast.ObjectCast)
	case kwStatistics:
		return one(ast.ObjectStatistics)
	case kwPublication:
		return one(ast.ObjectPublication)
	case kwSubscription:
		return one(ast.ObjectSubscription)
	case kwServer:
		return one(ast.ObjectForeignServer)
	case kwEvent:
		return two(kwTrigger, ast.ObjectEventTrigger)
	case kwAccess:
		return two(kwMethod, ast.ObjectAccessMethod)
	case kwLarge:
		return two(kwObject, ast.ObjectLargeObject)
	case kwForeign:
		p.i++
		if p.accept(kwTable) {
			return ast.ObjectForeignTable, true
		}
		p.expect(kwData, kwWrapper)
		return ast.ObjectForeignDataWrapper, true
	case kwText:
		p.i++
		p.expect(kwSearch)
		switch {
		case p.accept(kwConfiguration):
			return ast.ObjectTextSearchConfig, true
		case p.accept(kwDictionary):
			return ast.ObjectTextSearchDict, true
		case p.accept(kwParser):
			return ast.ObjectTextSearchParser, true
		}
		p.expect(kwTemplate)
		return ast.ObjectTextSearchTemplate, true
	}
	return 0, false
}

func (p *parser) drop() ast.Statement {
	pos := p.pos()
	p.expect(kwDrop)
	if p.accept2(kwOwned, kwBy) {
		s := &ast.DropOwned{Pos: pos, Roles: p.roleList()}
		s.Cascade = p.dropBehavior()
		return s
	}
	if p.is(kwUser) && p.peekAt(1).kw == kwMapping {
		p.unsupported(pos, "DROP USER MAPPING")
	}
	kind, ok := p.objectKind()
	if !ok {
		p.fail()
	}
	switch kind {
	case ast.ObjectDatabase:
		s := &ast.DropDatabase{Pos: pos, IfExists: p.ifExists(), Name: p.colID().Text}
		p.accept(kwWith)
		if p.acceptPunct('(') {
			p.expect(kwForce)
			p.expectPunct(')')
			s.Force = true
		}
		return s
	case ast.ObjectRole:
		return &ast.DropRole{Pos: pos, IfExists: p.ifExists(), Roles: p.roleList()}
	case ast.ObjectColumn, ast.ObjectConstraint, ast.ObjectLargeObject:
		p.failAt(p.i - 1)
	case ast.ObjectOperator, ast.ObjectOperatorClass, ast.ObjectOperatorFamily, ast.ObjectCast:
		p.unsupported(pos, "DROP %s", kind)
	}
	s := &ast.Drop{Pos: pos, Kind: kind}
	if kind == ast.ObjectIndex {
		s.Concurrently = p.accept(kwConcurrently)
	}
	s.IfExists = p.ifExists()
	for {
		if isRoutine(kind) {
			s.Names = append(s.Names, p.functionName())
			s.Args = append(s.Args, p.optFuncArgs())
		} else if kind == ast.ObjectSchema || kind == ast.ObjectExtension {
			n := p.colID()
			s.Names = append(s.Names, ast.ObjectName{Pos: n.Pos, Name: n.Text})
		} else {
			s.Names = append(s.Names, p.objectName())
		}
		if !p.acceptPunct(',') {
			break
		}
	}
	switch kind {
	case ast.ObjectTrigger, ast.ObjectRule, ast.ObjectPolicy:
		p.expect(kwOn)
		s.On = p.objectName()
	}
	s.Cascade = p.dropBehavior()
	return s
}

func (p *parser) comment() ast.Statement {
	s := &ast.Comment{Pos: p.pos()}
	p.expect(kwComment, kwOn)
	kind, ok := p.objectKind()
	if !ok {
		p.fail()
	}
	s.Kind = kind
	switch kind {
	case ast.ObjectColumn:
		pos := p.pos()
		n := p.objectName4()
		s.Object, s.Part = n.object(pos), n.last()
	case ast.ObjectConstraint:
		s.Part = p.colID().Text
		p.expect(kwOn)
		if p.accept(kwDomain) {
			s.Kind = ast.ObjectDomainConstraint
		}
		s.Object = p.objectName()
	case ast.ObjectTrigger, ast.ObjectRule, ast.ObjectPolicy:
		s.Part = p.colID().Text
		p.expect(kwOn)
		s.Object = p.objectName()
	case ast.ObjectFunction, ast.ObjectProcedure, ast.ObjectRoutine, ast.ObjectAggregate:
		s.Object = p.functionName()
		s.Args = p.optFuncArgs()
	case ast.ObjectOperator, ast.ObjectOperatorClass, ast.ObjectOperatorFamily, ast.ObjectCast:
		p.unsupported(s.Pos, "COMMENT ON %s", kind)
	case ast.ObjectLargeObject:
		s.Object = ast.ObjectName{Pos: p.pos(), Name: p.number().Text}
	default:
		s.Object = p.objectName()
	}
	p.expect(kwIs)
	if !p.accept(kwNull) {
		text := p.stringConst()
		s.Text = &text
	}
	return s
}

// dotted is a name of up to four parts: a column with its table in front.
type dotted []ast.Name

func (p *parser) objectName4() dotted {
	at := p.i
	d := dotted{p.colID()}
	for p.acceptPunct('.') {
		d = append(d, p.label())
	}
	switch {
	case len(d) < 2:
		p.errorAt(p.tokPos(at), sqlstate.SyntaxError, "column name must be qualified")
	case len(d) > 4:
		p.tooManyDots(at)
	}
	return d
}

func (d dotted) last() string { return d[len(d)-1].Text }

func (d dotted) object(pos ast.Pos) ast.ObjectName {
	n := ast.ObjectName{Pos: pos}
	for _, part := range d[:len(d)-1] {
		n.Catalog, n.Schema, n.Name = n.Schema, n.Name, part.Text
	}
	return n
}
