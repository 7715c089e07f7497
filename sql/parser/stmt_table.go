package parser

import (
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

func (p *parser) createTable(pos ast.Pos, persistence ast.Persistence) ast.Statement {
	p.expect(kwTable)
	ifNot := p.ifNotExists()
	name := p.objectName()
	if p.isTableAs() {
		return p.createTableAs(pos, name, persistence, ifNot)
	}
	s := &ast.CreateTable{Pos: pos, Name: name, IfNotExists: ifNot, Persistence: persistence}
	switch {
	case p.accept(kwOf):
		s.OfType = &ast.TypeName{Pos: p.pos()}
		s.OfType.Name = p.objectName()
		if p.isPunct('(') {
			s.Elements = p.tableElements(false)
		}
	case p.accept2(kwPartition, kwOf):
		s.PartOf = &ast.PartitionBound{Pos: p.pos(), Parent: p.objectName()}
		if p.isPunct('(') {
			s.Elements = p.tableElements(false)
		}
		p.partitionBound(s.PartOf)
	default:
		s.Elements = p.tableElements(true)
	}
	if p.accept(kwInherits) {
		p.expectPunct('(')
		s.Inherits = p.objectNames()
		p.expectPunct(')')
	}
	if p.accept2(kwPartition, kwBy) {
		s.Partition = &ast.PartitionSpec{Pos: p.pos(), Strategy: p.colID().Text}
		p.expectPunct('(')
		s.Partition.Keys = p.indexElems()
		p.expectPunct(')')
	}
	if p.accept(kwUsing) {
		s.Using = p.colID().Text
	}
	s.With, s.OnCommit, s.Space = p.tableTail()
	return s
}

// tableTail reads WITH (...), ON COMMIT and TABLESPACE.
func (p *parser) tableTail() (with []ast.Option, onCommit ast.OnCommit, space string) {
	if p.is(kwWith) && p.peekAt(1).kind == '(' {
		p.i++
		with = p.relOptions()
	} else {
		p.accept2(kwWithout, kwOids)
	}
	if p.accept2(kwOn, kwCommit) {
		switch {
		case p.accept(kwDrop):
			onCommit = ast.OnCommitDrop
		case p.accept2(kwDelete, kwRows):
			onCommit = ast.OnCommitDeleteRows
		default:
			p.expect(kwPreserve, kwRows)
			onCommit = ast.OnCommitPreserveRows
		}
	}
	if p.accept(kwTablespace) {
		space = p.colID().Text
	}
	return with, onCommit, space
}

// isTableAs looks whether CREATE TABLE name is followed by [(names)] ... AS.
func (p *parser) isTableAs() bool {
	i := p.i
	if p.toks[i].kind == '(' {
		if p.toks[i+1].kind == ')' {
			return false
		}
		// A list of bare names can only be that of CREATE TABLE AS.
		for j := i + 1; j < int(p.toks[i].match); j += 2 {
			if k := p.toks[j+1].kind; k != ',' && k != ')' {
				return false
			}
		}
		return true
	}
	switch p.toks[i].kw {
	case kwAs, kwUsing, kwWith, kwWithout, kwOn, kwTablespace:
		return true
	}
	return false
}

func (p *parser) createTableAs(pos ast.Pos, name ast.ObjectName, persistence ast.Persistence, ifNot bool) ast.Statement {
	s := &ast.CreateTableAs{Pos: pos, Name: name, Persistence: persistence, IfNotExists: ifNot}
	if p.isPunct('(') {
		s.Columns = p.nameList()
	}
	if p.accept(kwUsing) {
		s.Using = p.colID().Text
	}
	s.With, s.OnCommit, s.Space = p.tableTail()
	p.expect(kwAs)
	if p.is(kwExecute) {
		s.Query = p.execute()
	} else {
		s.Query = p.query()
	}
	s.NoData = p.noData()
	return s
}

func (p *parser) tableElements(empty bool) []ast.TableElement {
	p.expectPunct('(')
	if empty && p.acceptPunct(')') {
		return nil
	}
	var elems []ast.TableElement
	for {
		switch t := p.peek(); t.kw {
		case kwConstraint, kwCheck, kwUnique, kwPrimary, kwForeign, kwExclude:
			if t.kw == kwExclude && p.peekAt(1).kind != '(' && p.peekAt(1).kw != kwUsing {
				elems = append(elems, p.columnDef(empty)) // a column called exclude
				break
			}
			elems = append(elems, p.tableConstraint())
		case kwLike:
			elems = append(elems, p.likeClause())
		default:
			elems = append(elems, p.columnDef(empty))
		}
		if !p.acceptPunct(',') {
			break
		}
	}
	p.expectPunct(')')
	return elems
}

// columnDef reads a column; one of a typed table has no type.
func (p *parser) columnDef(typed bool) *ast.ColumnDef {
	c := &ast.ColumnDef{Pos: p.pos(), Name: p.colID().Text}
	if typed {
		c.Type = p.typeName()
	} else {
		p.accept2(kwWith, kwOptions)
	}
	if p.accept(kwCompression) {
		if p.accept(kwDefault) {
			c.Compression = "default"
		} else {
			c.Compression = p.colID().Text
		}
	}
	c.Constraints = p.columnConstraints(&c.Collation)
	return c
}

// columnConstraints reads constraints and COLLATE in any order.
func (p *parser) columnConstraints(collation *ast.ObjectName) []*ast.ColumnConstraint {
	var list []*ast.ColumnConstraint
	for {
		if p.is(kwCollate) {
			pos := p.pos()
			p.i++
			if !collation.IsZero() {
				p.errorAt(pos, sqlstate.SyntaxError, "multiple COLLATE clauses not allowed")
			}
			*collation = p.objectName()
			continue
		}
		c := &ast.ColumnConstraint{Pos: p.pos()}
		if p.accept(kwConstraint) {
			c.Name = p.colID().Text
		}
		if p.columnConstraint(c) {
			list = append(list, c)
			continue
		}
		if c.Name != "" {
			p.fail()
		}
		// DEFERRABLE and INITIALLY belong to the constraint before them.
		pos := p.pos()
		var d ast.Deferral
		if !p.deferral(&d) {
			return list
		}
		if len(list) == 0 {
			p.errorAt(pos, sqlstate.SyntaxError, "misplaced DEFERRABLE clause")
		}
		last := list[len(list)-1]
		switch last.Kind {
		case ast.ConstraintUnique, ast.ConstraintPrimaryKey, ast.ConstraintForeignKey:
		default:
			p.errorAt(pos, sqlstate.SyntaxError, "misplaced DEFERRABLE clause")
		}
		last.Deferral = d
	}
}

func (p *parser) columnConstraint(c *ast.ColumnConstraint) bool {
	switch {
	case p.accept2(kwNot, kwNull):
		c.Kind = ast.ConstraintNotNull
	case p.accept(kwNull):
		c.Kind = ast.ConstraintNull
	case p.accept(kwDefault):
		c.Kind = ast.ConstraintDefault
		c.Expr = p.bExpr()
	case p.accept(kwCheck):
		c.Kind = ast.ConstraintCheck
		p.expectPunct('(')
		c.Expr = p.expr()
		p.expectPunct(')')
		c.NoInherit = p.accept2(kwNo, kwInherit)
	case p.accept(kwUnique):
		c.Kind = ast.ConstraintUnique
		c.NullsNotDistinct = p.nullsNotDistinct()
		c.With, c.Space = p.indexParameters()
	case p.accept2(kwPrimary, kwKey):
		c.Kind = ast.ConstraintPrimaryKey
		c.With, c.Space = p.indexParameters()
	case p.is(kwReferences):
		c.Kind = ast.ConstraintForeignKey
		c.References = p.references()
	case p.accept(kwGenerated):
		c.Always = p.accept(kwAlways)
		if !c.Always {
			p.expect(kwBy, kwDefault)
		}
		p.expect(kwAs)
		if p.accept(kwIdentity) {
			c.Kind = ast.ConstraintIdentity
			if p.acceptPunct('(') {
				c.Sequence = p.sequenceOptions()
				p.expectPunct(')')
			}
			return true
		}
		c.Kind = ast.ConstraintGenerated
		if !c.Always {
			p.errorAt(c.Pos, sqlstate.SyntaxError, "for a generated column, GENERATED ALWAYS must be specified")
		}
		p.expectPunct('(')
		c.Expr = p.expr()
		p.expectPunct(')')
		p.expect(kwStored)
	default:
		return false
	}
	return true
}

// indexParameters reads WITH (...) and USING INDEX TABLESPACE.
func (p *parser) indexParameters() (with []ast.Option, space string) {
	if p.is(kwWith) && p.peekAt(1).kind == '(' {
		p.i++
		with = p.relOptions()
	}
	if p.is(kwUsing) && p.peekAt(1).kw == kwIndex && p.peekAt(2).kw == kwTablespace {
		p.i += 3
		space = p.colID().Text
	}
	return with, space
}

func (p *parser) references() *ast.References {
	r := &ast.References{Pos: p.pos()}
	p.expect(kwReferences)
	r.Table = p.objectName()
	if p.isPunct('(') {
		r.Columns = p.nameList()
	}
	if p.accept(kwMatch) {
		switch {
		case p.accept(kwFull):
			r.Match = ast.MatchFull
		case p.accept(kwSimple):
		case p.is(kwPartial):
			p.unsupported(p.pos(), "MATCH PARTIAL")
		default:
			p.fail()
		}
	}
	for p.is(kwOn) {
		switch p.peekAt(1).kw {
		case kwDelete:
			p.i += 2
			r.OnDelete = p.refAction()
			if (r.OnDelete == ast.SetNull || r.OnDelete == ast.SetDefault) && p.isPunct('(') {
				r.OnDeleteColumns = p.nameList()
			}
		case kwUpdate:
			p.i += 2
			r.OnUpdate = p.refAction()
		default:
			p.i++
			p.fail()
		}
	}
	return r
}

func (p *parser) refAction() ast.RefAction {
	switch {
	case p.accept2(kwNo, kwAction):
		return ast.NoAction
	case p.accept(kwRestrict):
		return ast.Restrict
	case p.accept(kwCascade):
		return ast.Cascade
	case p.accept2(kwSet, kwNull):
		return ast.SetNull
	}
	p.expect(kwSet, kwDefault)
	return ast.SetDefault
}

// deferral reads [NOT] DEFERRABLE and INITIALLY ...; false if there is none.
func (p *parser) deferral(d *ast.Deferral) bool {
	found := false
	for {
		pos := p.pos()
		switch {
		case p.accept(kwDeferrable):
			d.Deferrable = true
		case p.accept2(kwNot, kwDeferrable):
			d.NotDeferrable = true
		case p.accept2(kwInitially, kwDeferred):
			d.Deferred = true
		case p.accept2(kwInitially, kwImmediate):
			d.Immediate = true
		default:
			if d.Deferred && !d.NotDeferrable {
				d.Deferrable = true
			}
			return found
		}
		if d.Deferrable && d.NotDeferrable || d.Deferred && d.Immediate || d.Deferred && d.NotDeferrable {
			p.errorAt(pos, sqlstate.SyntaxError, "conflicting constraint properties")
		}
		found = true
	}
}

func (p *parser) tableConstraint() *ast.TableConstraint {
	c := &ast.TableConstraint{Pos: p.pos()}
	if p.accept(kwConstraint) {
		c.Name = p.colID().Text
	}
	switch {
	case p.accept(kwCheck):
		c.Kind = ast.ConstraintCheck
		p.expectPunct('(')
		c.Expr = p.expr()
		p.expectPunct(')')
	case p.is(kwUnique) || p.is(kwPrimary):
		c.Kind = ast.ConstraintPrimaryKey
		if p.accept(kwUnique) {
			c.Kind = ast.ConstraintUnique
			c.NullsNotDistinct = p.nullsNotDistinct()
		} else {
			p.expect(kwPrimary, kwKey)
		}
		if p.accept2(kwUsing, kwIndex) {
			c.UsingIndex = p.colID().Text
			break
		}
		c.Columns = p.nameList()
		if p.accept(kwInclude) {
			c.Include = p.nameList()
		}
		c.With, c.Space = p.indexParameters()
	case p.accept(kwForeign):
		p.expect(kwKey)
		c.Kind = ast.ConstraintForeignKey
		c.Columns = p.nameList()
		c.References = p.references()
	case p.accept(kwExclude):
		c.Kind = ast.ConstraintExclude
		c.Exclude = &ast.Exclusion{Method: "gist"}
		if p.accept(kwUsing) {
			c.Exclude.Method = p.colID().Text
		}
		p.expectPunct('(')
		for {
			c.Exclude.Elems = append(c.Exclude.Elems, p.indexElem())
			p.expect(kwWith)
			c.Exclude.Operators = append(c.Exclude.Operators, p.operator())
			if !p.acceptPunct(',') {
				break
			}
		}
		p.expectPunct(')')
		if p.accept(kwInclude) {
			c.Include = p.nameList()
		}
		c.With, c.Space = p.indexParameters()
		if p.accept(kwWhere) {
			p.expectPunct('(')
			c.Exclude.Where = p.expr()
			p.expectPunct(')')
		}
	default:
		p.fail()
	}
	for {
		switch {
		case p.accept2(kwNot, kwValid):
			c.NotValid = true
		case p.accept2(kwNo, kwInherit):
			c.NoInherit = true
		default:
			if !p.deferral(&c.Deferral) {
				return c
			}
		}
	}
}

func (p *parser) likeClause() *ast.LikeClause {
	l := &ast.LikeClause{Pos: p.pos()}
	p.expect(kwLike)
	l.Table = p.objectName()
	for {
		word := "including "
		switch {
		case p.accept(kwIncluding):
		case p.accept(kwExcluding):
			word = "excluding "
		default:
			return l
		}
		switch t := p.peek(); t.kw {
		case kwComments, kwCompression, kwConstraints, kwDefaults, kwGenerated, kwIdentity, kwIndexes,
			kwStatistics, kwStorage, kwAll:
			p.i++
			l.Options = append(l.Options, word+t.text)
		default:
			p.fail()
		}
	}
}

// partitionBound reads FOR VALUES ... or DEFAULT.
func (p *parser) partitionBound(b *ast.PartitionBound) {
	if p.accept(kwDefault) {
		b.Default = true
		return
	}
	p.expect(kwFor, kwValues)
	list := func() []ast.Expr {
		p.expectPunct('(')
		l := p.exprList()
		p.expectPunct(')')
		return l
	}
	switch {
	case p.accept(kwIn):
		b.In = list()
	case p.accept(kwFrom):
		b.From = list()
		p.expect(kwTo)
		b.To = list()
	default:
		p.expect(kwWith)
		p.expectPunct('(')
		for {
			switch w := p.colID().Text; w {
			case "modulus":
				b.Modulus = p.intConst()
			case "remainder":
				b.Remain = p.intConst()
			default:
				p.failAt(p.i - 1)
			}
			if !p.acceptPunct(',') {
				break
			}
		}
		p.expectPunct(')')
	}
}
