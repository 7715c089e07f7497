package parser

import "github.com/spanlite/spanlite/sql/ast"

func (p *parser) alter() ast.Statement {
	pos := p.pos()
	p.expect(kwAlter)
	switch t := p.peek(); t.kw {
	case kwDefault:
		return p.alterDefaultPrivileges(pos)
	case kwSystem:
		p.i++
		s := &ast.AlterSetting{Pos: pos, System: true}
		p.settingClause(s)
		return s
	case kwUser:
		if p.peekAt(1).kw == kwMapping {
			p.unsupported(pos, "ALTER USER MAPPING")
		}
	}
	kind, ok := p.objectKind()
	if !ok {
		p.fail()
	}
	switch kind {
	case ast.ObjectTable, ast.ObjectIndex, ast.ObjectView, ast.ObjectMaterializedView, ast.ObjectForeignTable, ast.ObjectSequence:
		return p.alterRelation(pos, kind)
	case ast.ObjectRole:
		return p.alterRole(pos)
	case ast.ObjectDatabase:
		return p.alterDatabase(pos)
	case ast.ObjectType:
		return p.alterType(pos)
	case ast.ObjectDomain:
		return p.alterDomain(pos)
	case ast.ObjectSchema, ast.ObjectFunction, ast.ObjectProcedure, ast.ObjectRoutine, ast.ObjectAggregate,
		ast.ObjectCollation, ast.ObjectStatistics, ast.ObjectExtension:
	default:
		p.unsupported(pos, "ALTER %s", kind)
	}
	var name ast.ObjectName
	var args ast.FuncArgs
	if isRoutine(kind) {
		name = p.functionName()
		args = p.optFuncArgs()
	} else {
		name = p.objectName()
	}
	switch {
	case p.accept2(kwRename, kwTo):
		return &ast.Rename{Pos: pos, Kind: kind, Object: name, Args: args.Args, HasArgs: args.Given, New: p.colID().Text}
	case p.accept2(kwSet, kwSchema):
		return &ast.AlterSchema{Pos: pos, Kind: kind, Object: name, Args: args.Args, HasArgs: args.Given, Schema: p.colID().Text}
	case p.accept2(kwOwner, kwTo):
		return &ast.AlterOwner{Pos: pos, Kind: kind, Object: name, Args: args.Args, HasArgs: args.Given, Owner: p.roleName()}
	}
	if isName(p.peek(), columnName, typeFuncName) || p.peek().kind == tIdent {
		p.unsupported(pos, "this form of ALTER %s", kind)
	}
	p.fail()
	return nil
}

// alterRelation reads ALTER TABLE and its like behind the kind.
func (p *parser) alterRelation(pos ast.Pos, kind ast.ObjectKind) ast.Statement {
	if p.is(kwAll) && p.peekAt(1).kw == kwIn {
		p.unsupported(pos, "ALTER %s ALL IN TABLESPACE", kind)
	}
	ifExists := p.ifExists()
	ref := p.relation()
	switch {
	case p.accept2(kwRename, kwTo):
		return &ast.Rename{Pos: pos, Kind: kind, Object: ref.Name, Only: ref.Only, IfExists: ifExists, New: p.colID().Text}
	case p.accept(kwRename):
		if kind == ast.ObjectIndex || kind == ast.ObjectSequence {
			p.fail()
		}
		r := &ast.Rename{Pos: pos, Kind: ast.ObjectColumn, Of: kind, Object: ref.Name, Only: ref.Only, IfExists: ifExists}
		if p.accept(kwConstraint) {
			r.Kind = ast.ObjectConstraint
		} else {
			p.accept(kwColumn)
		}
		r.Old = p.colID().Text
		p.expect(kwTo)
		r.New = p.colID().Text
		return r
	case p.accept2(kwSet, kwSchema):
		return &ast.AlterSchema{Pos: pos, Kind: kind, Object: ref.Name, IfExists: ifExists, Schema: p.colID().Text}
	case p.is(kwDepends) || p.is(kwNo) && p.peekAt(1).kw == kwDepends:
		p.unsupported(pos, "ALTER %s DEPENDS ON EXTENSION", kind)
	}
	if kind == ast.ObjectSequence {
		switch p.peek().kw {
		case kwOwner, kwSet:
		default:
			s := &ast.AlterSequence{Pos: pos, Name: ref.Name, IfExists: ifExists, Options: p.sequenceOptions()}
			if s.Options == nil {
				p.fail()
			}
			return s
		}
	}
	s := &ast.AlterTable{Pos: pos, Kind: kind, Name: ref.Name, Only: ref.Only, IfExists: ifExists}
	for {
		s.Actions = append(s.Actions, p.alterAction())
		if !p.acceptPunct(',') {
			return s
		}
	}
}

func (p *parser) alterAction() *ast.AlterAction {
	a := &ast.AlterAction{Pos: p.pos()}
	switch t := p.peek(); t.kw {
	case kwAdd:
		p.i++
		switch p.peek().kw {
		case kwConstraint, kwCheck, kwUnique, kwPrimary, kwForeign, kwExclude:
			a.Kind, a.Table = ast.AddConstraint, p.tableConstraint()
			return a
		}
		p.accept(kwColumn)
		a.Kind, a.IfExists = ast.AddColumn, p.ifNotExists()
		a.Column = p.columnDef(true)
	case kwDrop:
		p.i++
		if p.accept(kwConstraint) {
			a.Kind = ast.DropConstraint
		} else {
			p.accept(kwColumn)
			a.Kind = ast.DropColumn
		}
		a.IfExists = p.ifExists()
		a.Name = p.colID().Text
		a.Cascade = p.dropBehavior()
	case kwAlter:
		p.i++
		if p.accept(kwConstraint) {
			a.Kind, a.Name = ast.AlterConstraint, p.colID().Text
			a.Table = &ast.TableConstraint{Pos: a.Pos, Name: a.Name}
			if !p.deferral(&a.Table.Deferral) {
				p.fail()
			}
			return a
		}
		p.accept(kwColumn)
		if p.peek().kind == tInteger { // ALTER INDEX i ALTER 1 SET STATISTICS
			a.Name = p.number().Text
		} else {
			a.Name = p.colID().Text
		}
		p.alterColumn(a)
	case kwValidate:
		p.i++
		p.expect(kwConstraint)
		a.Kind, a.Name = ast.ValidateConstraint, p.colID().Text
	case kwOwner:
		p.i++
		p.expect(kwTo)
		a.Kind, a.Value = ast.ChangeOwner, p.roleName()
	case kwSet:
		p.i++
		switch {
		case p.isPunct('('):
			a.Kind, a.Options = ast.SetStorageOptions, p.relOptions()
		case p.accept(kwLogged):
			a.Kind = ast.SetLogged
		case p.accept(kwUnlogged):
			a.Kind = ast.SetUnlogged
		case p.accept(kwTablespace):
			a.Kind, a.Value = ast.SetTableSpace, p.colID().Text
		case p.accept2(kwAccess, kwMethod):
			a.Kind, a.Value = ast.SetAccessMethod, p.colID().Text
		case p.accept2(kwWithout, kwCluster):
			a.Kind = ast.SetWithoutCluster
		default:
			p.expect(kwWithout, kwOids)
			a.Kind, a.Options = ast.ResetStorageOptions, []ast.Option{{Pos: a.Pos, Name: "oids"}}
		}
	case kwReset:
		p.i++
		a.Kind, a.Options = ast.ResetStorageOptions, p.relOptions()
	case kwCluster:
		p.i++
		p.expect(kwOn)
		a.Kind, a.Value = ast.ClusterOn, p.colID().Text
	case kwReplica:
		p.i++
		p.expect(kwIdentity)
		a.Kind = ast.ReplicaIdentity
		switch {
		case p.accept(kwNothing), p.accept(kwFull), p.accept(kwDefault):
			a.Value = p.toks[p.i-1].text
		default:
			p.expect(kwUsing, kwIndex)
			a.Value, a.Name = "index", p.colID().Text
		}
	case kwInherit:
		p.i++
		a.Kind, a.Ref = ast.Inherit, p.objectName()
	case kwNo:
		p.i++
		if p.accept(kwForce) {
			p.expect(kwRow, kwLevel, kwSecurity)
			a.Kind, a.Value = ast.RowSecurity, "no force"
			return a
		}
		p.expect(kwInherit)
		a.Kind, a.Ref = ast.NoInherit, p.objectName()
	case kwForce:
		p.i++
		p.expect(kwRow, kwLevel, kwSecurity)
		a.Kind, a.Value = ast.RowSecurity, "force"
	case kwEnable, kwDisable:
		p.i++
		a.Value = t.text
		if p.accept(kwRow) {
			p.expect(kwLevel, kwSecurity)
			a.Kind = ast.RowSecurity
			return a
		}
		if t.kw == kwEnable && (p.is(kwAlways) || p.is(kwReplica)) {
			a.Value += " " + p.peek().text
			p.i++
		}
		if p.is(kwRule) {
			p.unsupported(a.Pos, "%s RULE", upper(t.text))
		}
		p.expect(kwTrigger)
		a.Kind = ast.TriggerSwitch
		if p.is(kwAll) || p.is(kwUser) {
			a.Name = p.peek().text
			p.i++
		} else {
			a.Name = p.colID().Text
		}
	case kwAttach:
		p.i++
		p.expect(kwPartition)
		a.Kind, a.Ref = ast.AttachPartition, p.objectName()
		if !p.atEnd() {
			a.Bound = &ast.PartitionBound{Pos: p.pos()}
			p.partitionBound(a.Bound)
		}
	case kwDetach:
		p.i++
		p.expect(kwPartition)
		a.Kind, a.Ref = ast.DetachPartition, p.objectName()
		if p.accept(kwConcurrently) || p.accept(kwFinalize) {
			a.Value = p.toks[p.i-1].text
		}
	case kwOf, kwNot, kwOptions:
		p.unsupported(a.Pos, "ALTER TABLE ... %s", upper(t.text))
	default:
		p.fail()
	}
	return a
}

// alterColumn reads what follows ALTER COLUMN name.
func (p *parser) alterColumn(a *ast.AlterAction) {
	switch {
	case p.is(kwType) || p.is(kwSet) && p.peekAt(1).kw == kwData:
		if p.accept(kwSet) {
			p.i++
		}
		p.expect(kwType)
		a.Kind, a.Type = ast.AlterColumnType, p.typeName()
		if p.accept(kwCollate) {
			a.Collation = p.objectName()
		}
		if p.accept(kwUsing) {
			a.Using = p.expr()
		}
	case p.accept2(kwSet, kwDefault):
		a.Kind, a.Expr = ast.AlterColumnSetDefault, p.expr()
	case p.accept2(kwDrop, kwDefault):
		a.Kind = ast.AlterColumnDropDefault
	case p.is(kwSet) && p.peekAt(1).kw == kwNot:
		p.i += 2
		p.expect(kwNull)
		a.Kind = ast.AlterColumnSetNotNull
	case p.is(kwDrop) && p.peekAt(1).kw == kwNot:
		p.i += 2
		p.expect(kwNull)
		a.Kind = ast.AlterColumnDropNotNull
	case p.accept2(kwDrop, kwExpression):
		a.Kind, a.IfExists = ast.AlterColumnDropExpr, p.ifExists()
	case p.accept2(kwDrop, kwIdentity):
		a.Kind, a.IfExists = ast.AlterColumnDropIdentity, p.ifExists()
	case p.is(kwAdd) && p.peekAt(1).kw == kwGenerated:
		p.i++
		a.Kind = ast.AlterColumnAddIdentity
		a.Constraint = &ast.ColumnConstraint{Pos: p.pos()}
		if !p.columnConstraint(a.Constraint) || a.Constraint.Kind != ast.ConstraintIdentity {
			p.fail()
		}
	case p.accept2(kwSet, kwStatistics):
		a.Kind, a.Expr = ast.AlterColumnStatistics, p.number()
	case p.accept2(kwSet, kwStorage):
		a.Kind, a.Value = ast.AlterColumnStorage, p.colID().Text
	case p.accept2(kwSet, kwCompression):
		a.Kind = ast.AlterColumnCompression
		if p.accept(kwDefault) {
			a.Value = "default"
		} else {
			a.Value = p.colID().Text
		}
	case p.is(kwSet) && p.peekAt(1).kind == '(':
		p.i++
		a.Kind, a.Options = ast.AlterColumnSetOptions, p.relOptions()
	case p.is(kwReset):
		p.i++
		a.Kind, a.Options = ast.AlterColumnResetOptions, p.relOptions()
	case p.is(kwSet) || p.is(kwRestart):
		a.Kind = ast.AlterColumnSetIdentity
		for {
			pos := p.pos()
			if p.accept2(kwSet, kwGenerated) {
				always := p.accept(kwAlways)
				if !always {
					p.expect(kwBy, kwDefault)
				}
				a.Options = append(a.Options, ast.Option{Pos: pos, Name: "always", Value: &ast.Bool{Pos: pos, Value: always}})
				continue
			}
			set := p.accept(kwSet)
			at := p.i
			one := p.sequenceOptions()
			if p.i == at {
				if set || a.Options == nil {
					p.fail()
				}
				return
			}
			a.Options = append(a.Options, one...)
		}
	default:
		p.fail()
	}
}

func (p *parser) alterRole(pos ast.Pos) ast.Statement {
	group := p.toks[p.i-1].kw == kwGroup
	if p.accept(kwAll) {
		s := &ast.AlterSetting{Pos: pos, AllRoles: true}
		if p.accept2(kwIn, kwDatabase) {
			s.Database = p.colID().Text
		}
		p.settingClause(s)
		return s
	}
	role := p.roleSpec()
	switch {
	case p.accept2(kwRename, kwTo):
		return &ast.Rename{Pos: pos, Kind: ast.ObjectRole, Object: ast.ObjectName{Pos: role.Pos, Name: role.Name}, New: p.roleName()}
	case group:
		s := &ast.AlterRole{Pos: pos, Name: role}
		switch {
		case p.accept2(kwAdd, kwUser):
			s.Add = p.roleList()
		default:
			p.expect(kwDrop, kwUser)
			s.Drop = p.roleList()
		}
		return s
	case p.is(kwSet) || p.is(kwReset) || p.is(kwIn):
		s := &ast.AlterSetting{Pos: pos, Role: &role}
		if p.accept(kwIn) {
			p.expect(kwDatabase)
			s.Database = p.colID().Text
		}
		p.settingClause(s)
		return s
	}
	p.accept(kwWith)
	return &ast.AlterRole{Pos: pos, Name: role, Options: p.roleOptions(false)}
}

// settingClause reads SET variable or RESET variable.
func (p *parser) settingClause(s *ast.AlterSetting) {
	pos := p.pos()
	if p.accept(kwSet) {
		s.Set = p.setVariable()
		s.Set.Pos = pos
		return
	}
	p.expect(kwReset)
	s.Reset = &ast.Reset{Pos: pos, Name: p.resetTarget()}
}

func (p *parser) alterDatabase(pos ast.Pos) ast.Statement {
	name := p.colID()
	object := ast.ObjectName{Pos: name.Pos, Name: name.Text}
	switch {
	case p.accept2(kwRename, kwTo):
		return &ast.Rename{Pos: pos, Kind: ast.ObjectDatabase, Object: object, New: p.colID().Text}
	case p.accept2(kwOwner, kwTo):
		return &ast.AlterOwner{Pos: pos, Kind: ast.ObjectDatabase, Object: object, Owner: p.roleName()}
	case p.is(kwSet) && p.peekAt(1).kw == kwTablespace:
		p.unsupported(pos, "ALTER DATABASE ... SET TABLESPACE")
	case p.is(kwSet) || p.is(kwReset):
		s := &ast.AlterSetting{Pos: pos, Database: name.Text}
		p.settingClause(s)
		return s
	}
	p.accept(kwWith)
	s := &ast.AlterDatabase{Pos: pos, Name: name.Text, Options: p.databaseOptions()}
	if s.Options == nil {
		p.fail()
	}
	return s
}

func (p *parser) alterType(pos ast.Pos) ast.Statement {
	name := p.objectName()
	switch {
	case p.accept2(kwAdd, kwValue):
		s := &ast.AlterEnum{Pos: pos, Name: name, IfNotExists: p.ifNotExists(), New: p.stringConst()}
		if p.accept(kwBefore) {
			s.Before, s.Neighbour = true, p.stringConst()
		} else if p.accept(kwAfter) {
			s.Neighbour = p.stringConst()
		}
		return s
	case p.accept2(kwRename, kwValue):
		s := &ast.AlterEnum{Pos: pos, Name: name, Old: p.stringConst()}
		p.expect(kwTo)
		s.New = p.stringConst()
		return s
	case p.accept2(kwRename, kwTo):
		return &ast.Rename{Pos: pos, Kind: ast.ObjectType, Object: name, New: p.colID().Text}
	case p.accept2(kwRename, kwAttribute):
		s := &ast.Rename{Pos: pos, Kind: ast.ObjectColumn, Of: ast.ObjectType, Object: name, Old: p.colID().Text}
		p.expect(kwTo)
		s.New = p.colID().Text
		p.dropBehavior()
		return s
	case p.accept2(kwSet, kwSchema):
		return &ast.AlterSchema{Pos: pos, Kind: ast.ObjectType, Object: name, Schema: p.colID().Text}
	case p.accept2(kwOwner, kwTo):
		return &ast.AlterOwner{Pos: pos, Kind: ast.ObjectType, Object: name, Owner: p.roleName()}
	case p.is(kwAdd) || p.is(kwDrop) || p.is(kwAlter) || p.is(kwSet):
		p.unsupported(pos, "ALTER TYPE of a composite or base type")
	}
	p.fail()
	return nil
}

func (p *parser) alterDomain(pos ast.Pos) ast.Statement {
	name := p.objectName()
	a := &ast.AlterAction{Pos: p.pos()}
	s := &ast.AlterDomain{Pos: pos, Name: name, Action: a}
	switch {
	case p.accept2(kwSet, kwDefault):
		a.Kind, a.Expr = ast.AlterColumnSetDefault, p.expr()
	case p.accept2(kwDrop, kwDefault):
		a.Kind = ast.AlterColumnDropDefault
	case p.is(kwSet) && p.peekAt(1).kw == kwNot:
		p.i += 2
		p.expect(kwNull)
		a.Kind = ast.AlterColumnSetNotNull
	case p.is(kwDrop) && p.peekAt(1).kw == kwNot:
		p.i += 2
		p.expect(kwNull)
		a.Kind = ast.AlterColumnDropNotNull
	case p.accept(kwAdd):
		a.Kind, a.Table = ast.AddConstraint, p.tableConstraint()
	case p.accept2(kwDrop, kwConstraint):
		a.Kind, a.IfExists = ast.DropConstraint, p.ifExists()
		a.Name = p.colID().Text
		a.Cascade = p.dropBehavior()
	case p.accept2(kwValidate, kwConstraint):
		a.Kind, a.Name = ast.ValidateConstraint, p.colID().Text
	case p.accept2(kwRename, kwTo):
		return &ast.Rename{Pos: pos, Kind: ast.ObjectDomain, Object: name, New: p.colID().Text}
	case p.accept2(kwRename, kwConstraint):
		r := &ast.Rename{Pos: pos, Kind: ast.ObjectDomainConstraint, Of: ast.ObjectDomain, Object: name, Old: p.colID().Text}
		p.expect(kwTo)
		r.New = p.colID().Text
		return r
	case p.accept2(kwSet, kwSchema):
		return &ast.AlterSchema{Pos: pos, Kind: ast.ObjectDomain, Object: name, Schema: p.colID().Text}
	case p.accept2(kwOwner, kwTo):
		return &ast.AlterOwner{Pos: pos, Kind: ast.ObjectDomain, Object: name, Owner: p.roleName()}
	default:
		p.fail()
	}
	return s
}
