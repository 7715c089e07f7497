package parser

import (
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

func (p *parser) create() ast.Statement {
	pos := p.pos()
	p.expect(kwCreate)
	replace := p.accept2(kwOr, kwReplace)
	switch t := p.peek(); t.kw {
	case kwView, kwRecursive:
		return p.createView(pos, replace, ast.Permanent)
	case kwFunction, kwProcedure:
		return p.createFunction(pos, replace)
	case kwAggregate, kwRule, kwTrigger, kwConstraint, kwTransform, kwLanguage, kwTrusted, kwProcedural:
		if t.kw == kwConstraint && p.peekAt(1).kw != kwTrigger {
			p.fail()
		}
		p.unsupported(pos, "CREATE %s", upper(t.text))
	}
	persistence := p.persistence()
	t := p.peek()
	if replace {
		if t.kw != kwView && t.kw != kwRecursive {
			p.fail()
		}
		return p.createView(pos, true, persistence)
	}
	if persistence != ast.Permanent {
		switch t.kw {
		case kwTable:
			return p.createTable(pos, persistence)
		case kwSequence:
			return p.createSequence(pos, persistence)
		case kwView, kwRecursive:
			return p.createView(pos, false, persistence)
		case kwMaterialized:
			return p.createMaterializedView(pos, persistence)
		}
		p.fail()
	}
	switch t.kw {
	case kwTable:
		return p.createTable(pos, persistence)
	case kwUnique, kwIndex:
		return p.createIndex(pos)
	case kwSequence:
		return p.createSequence(pos, persistence)
	case kwMaterialized:
		return p.createMaterializedView(pos, persistence)
	case kwDatabase:
		return p.createDatabase(pos)
	case kwSchema:
		return p.createSchema(pos)
	case kwType:
		return p.createType(pos)
	case kwDomain:
		return p.createDomain(pos)
	case kwRole, kwUser, kwGroup:
		if t.kw == kwUser && p.peekAt(1).kw == kwMapping {
			p.unsupported(pos, "CREATE USER MAPPING")
		}
		return p.createRole(pos)
	case kwExtension:
		return p.createExtension(pos)
	case kwCollation:
		return p.createCollation(pos)
	case kwStatistics:
		return p.createStatistics(pos)
	case kwAccess, kwCast, kwConversion, kwDefault, kwEvent, kwForeign, kwOperator, kwPolicy, kwPublication,
		kwServer, kwSubscription, kwTablespace, kwText:
		p.unsupported(pos, "CREATE %s", upper(t.text))
	}
	p.fail()
	return nil
}

// persistence reads TEMP, TEMPORARY and UNLOGGED.
func (p *parser) persistence() ast.Persistence {
	switch {
	case p.accept(kwTemporary), p.accept(kwTemp):
		return ast.Temporary
	case p.accept(kwUnlogged):
		return ast.Unlogged
	case p.is(kwLocal) || p.is(kwGlobal):
		p.i++
		if !p.accept(kwTemporary) {
			p.expect(kwTemp)
		}
		return ast.Temporary
	}
	return ast.Permanent
}

func (p *parser) createView(pos ast.Pos, replace bool, persistence ast.Persistence) ast.Statement {
	s := &ast.CreateView{Pos: pos, OrReplace: replace}
	if persistence == ast.Permanent {
		persistence = p.persistence()
	}
	s.Persistence = persistence
	s.Recursive = p.accept(kwRecursive)
	p.expect(kwView)
	s.Name = p.objectName()
	if p.isPunct('(') {
		s.Columns = p.nameList()
	} else if s.Recursive {
		p.fail()
	}
	if p.accept(kwWith) {
		s.With = p.relOptions()
	}
	p.expect(kwAs)
	from := p.peek().pos
	s.Query = p.query()
	s.Text = p.src[from:p.toks[p.i-1].end]
	if p.accept(kwWith) {
		s.Check = "cascaded"
		if p.accept(kwLocal) {
			s.Check = "local"
		} else {
			p.accept(kwCascaded)
		}
		p.expect(kwCheck, kwOption)
	}
	return s
}

func (p *parser) createMaterializedView(pos ast.Pos, persistence ast.Persistence) ast.Statement {
	s := &ast.CreateTableAs{Pos: pos, Materialized: true, Persistence: persistence}
	p.expect(kwMaterialized, kwView)
	s.IfNotExists = p.ifNotExists()
	s.Name = p.objectName()
	if p.isPunct('(') {
		s.Columns = p.nameList()
	}
	if p.accept(kwUsing) {
		s.Using = p.colID().Text
	}
	if p.accept(kwWith) {
		s.With = p.relOptions()
	}
	if p.accept(kwTablespace) {
		s.Space = p.colID().Text
	}
	p.expect(kwAs)
	s.Query = p.query()
	s.NoData = p.noData()
	return s
}

func (p *parser) createSequence(pos ast.Pos, persistence ast.Persistence) ast.Statement {
	s := &ast.CreateSequence{Pos: pos, Persistence: persistence}
	p.expect(kwSequence)
	s.IfNotExists = p.ifNotExists()
	s.Name = p.objectName()
	s.Options = p.sequenceOptions()
	return s
}

// sequenceOptions reads options as long as there are any.
func (p *parser) sequenceOptions() []ast.Option {
	var opts []ast.Option
	add := func(pos ast.Pos, name string, v ast.Expr) {
		opts = append(opts, ast.Option{Pos: pos, Name: name, Value: v})
	}
	for {
		pos := p.pos()
		switch {
		case p.accept(kwAs):
			add(pos, "as", &ast.String{Pos: p.pos(), Value: ast.Format(p.simpleTypeName())})
		case p.accept(kwIncrement):
			p.accept(kwBy)
			add(pos, "increment", p.number())
		case p.accept(kwMinvalue):
			add(pos, "minvalue", p.number())
		case p.accept(kwMaxvalue):
			add(pos, "maxvalue", p.number())
		case p.accept2(kwNo, kwMinvalue):
			add(pos, "minvalue", nil)
		case p.accept2(kwNo, kwMaxvalue):
			add(pos, "maxvalue", nil)
		case p.accept(kwStart):
			p.accept(kwWith)
			add(pos, "start", p.number())
		case p.accept(kwRestart):
			if k := p.peekAt(0).kind; p.accept(kwWith) || k == tInteger || k == tOp {
				add(pos, "restart", p.number())
			} else {
				add(pos, "restart", nil)
			}
		case p.accept(kwCache):
			add(pos, "cache", p.number())
		case p.accept(kwCycle):
			add(pos, "cycle", &ast.Bool{Pos: pos, Value: true})
		case p.accept2(kwNo, kwCycle):
			add(pos, "cycle", &ast.Bool{Pos: pos})
		case p.accept2(kwOwned, kwBy):
			row := &ast.Row{Pos: p.pos()}
			if p.accept(kwNone) {
				row.Elems = append(row.Elems, &ast.String{Pos: row.Pos, Value: "none"})
			} else {
				for {
					n := p.label()
					row.Elems = append(row.Elems, &ast.String{Pos: n.Pos, Value: n.Text})
					if !p.acceptPunct('.') {
						break
					}
				}
			}
			add(pos, "owned_by", row)
		case p.accept2(kwSequence, kwName):
			n := p.objectName()
			row := &ast.Row{Pos: n.Pos}
			if n.Schema != "" {
				row.Elems = append(row.Elems, &ast.String{Pos: n.Pos, Value: n.Schema})
			}
			row.Elems = append(row.Elems, &ast.String{Pos: n.Pos, Value: n.Name})
			add(pos, "sequence_name", row)
		default:
			return opts
		}
	}
}

func (p *parser) createDatabase(pos ast.Pos) ast.Statement {
	s := &ast.CreateDatabase{Pos: pos}
	p.expect(kwDatabase)
	s.IfNotExists = p.ifNotExists()
	s.Name = p.colID().Text
	p.accept(kwWith)
	s.Options = p.databaseOptions()
	return s
}

// databaseOptions reads name [=] value ... of CREATE and ALTER DATABASE.
func (p *parser) databaseOptions() []ast.Option {
	var opts []ast.Option
	for {
		o := ast.Option{Pos: p.pos()}
		switch {
		case p.accept2(kwConnection, kwLimit):
			o.Name = "connection_limit"
		case p.peek().kind == tIdent && (p.peek().kw == noKeyword || p.is(kwEncoding) || p.is(kwLocation) ||
			p.is(kwOwner) || p.is(kwTablespace) || p.is(kwTemplate)):
			o.Name = p.peek().text
			p.i++
		default:
			return opts
		}
		p.acceptOp("=")
		if !p.accept(kwDefault) {
			o.Value = p.settingValue()
		}
		opts = append(opts, o)
	}
}

func (p *parser) createSchema(pos ast.Pos) ast.Statement {
	s := &ast.CreateSchema{Pos: pos}
	p.expect(kwSchema)
	s.IfNotExists = p.ifNotExists()
	if !p.is(kwAuthorization) {
		s.Name = p.colID().Text
	}
	if p.accept(kwAuthorization) {
		s.Authorization = p.roleName()
	} else if s.Name == "" {
		p.fail()
	}
	for !p.atEnd() {
		switch p.peek().kw {
		case kwCreate:
		case kwGrant:
			s.Elements = append(s.Elements, p.grantOrRevoke())
			continue
		default:
			p.fail()
		}
		at := p.pos()
		e := p.create()
		switch e.(type) {
		case *ast.CreateTable, *ast.CreateIndex, *ast.CreateSequence, *ast.CreateView:
		default:
			p.errorAt(at, sqlstate.SyntaxError, "syntax error at or near \"CREATE\"")
		}
		s.Elements = append(s.Elements, e)
	}
	if s.IfNotExists && s.Elements != nil {
		p.errorAt(pos, sqlstate.FeatureNotSupported, "CREATE SCHEMA IF NOT EXISTS cannot include schema elements")
	}
	return s
}

func (p *parser) createType(pos ast.Pos) ast.Statement {
	p.expect(kwType)
	name := p.objectName()
	if !p.accept(kwAs) {
		p.unsupported(pos, "CREATE TYPE of a base type")
	}
	switch {
	case p.accept(kwEnum):
		s := &ast.CreateEnum{Pos: pos, Name: name}
		p.expectPunct('(')
		for !p.isPunct(')') || s.Labels != nil {
			at := p.pos()
			s.Labels = append(s.Labels, &ast.String{Pos: at, Value: p.stringConst()})
			if !p.acceptPunct(',') {
				break
			}
		}
		p.expectPunct(')')
		return s
	case p.accept(kwRange):
		return &ast.CreateRange{Pos: pos, Name: name, Options: p.relOptions()}
	}
	s := &ast.CreateComposite{Pos: pos, Name: name}
	if p.isPunct('(') && p.peekAt(1).kind == ')' {
		p.i += 2
		return s
	}
	s.Columns = p.columnTypes()
	return s
}

func (p *parser) createDomain(pos ast.Pos) ast.Statement {
	s := &ast.CreateDomain{Pos: pos}
	p.expect(kwDomain)
	s.Name = p.objectName()
	p.accept(kwAs)
	s.Type = p.typeName()
	s.Constraints = p.columnConstraints(&s.Collation)
	return s
}

func (p *parser) createExtension(pos ast.Pos) ast.Statement {
	s := &ast.CreateExtension{Pos: pos}
	p.expect(kwExtension)
	s.IfNotExists = p.ifNotExists()
	s.Name = p.colID().Text
	p.accept(kwWith)
	for {
		at := p.pos()
		switch {
		case p.accept(kwSchema):
			s.Options = append(s.Options, textOption(at, "schema", p.colID().Text))
		case p.accept(kwVersion):
			s.Options = append(s.Options, ast.Option{Pos: at, Name: "version", Value: p.settingValue()})
		case p.accept(kwCascade):
			s.Options = append(s.Options, ast.Option{Pos: at, Name: "cascade"})
		default:
			return s
		}
	}
}

func (p *parser) createCollation(pos ast.Pos) ast.Statement {
	s := &ast.CreateCollation{Pos: pos}
	p.expect(kwCollation)
	s.IfNotExists = p.ifNotExists()
	s.Name = p.objectName()
	if p.accept(kwFrom) {
		s.From = p.objectName()
	} else {
		s.Options = p.relOptions()
	}
	return s
}

func (p *parser) createStatistics(pos ast.Pos) ast.Statement {
	s := &ast.CreateStatistics{Pos: pos}
	p.expect(kwStatistics)
	s.IfNotExists = p.ifNotExists()
	s.Name = p.objectName()
	if p.isPunct('(') {
		s.Kinds = p.nameList()
	}
	p.expect(kwOn)
	for {
		e := &ast.IndexElem{Pos: p.pos()}
		switch {
		case p.acceptPunct('('):
			e.Expr = p.expr()
			p.expectPunct(')')
		case p.isTableFunc():
			e.Expr = p.funcExpr()
		default:
			e.Column = p.colID().Text
		}
		s.Exprs = append(s.Exprs, e)
		if !p.acceptPunct(',') {
			break
		}
	}
	p.expect(kwFrom)
	for {
		ref := p.relation()
		p.alias(&ref.Alias)
		s.From = append(s.From, ref)
		if !p.acceptPunct(',') {
			return s
		}
	}
}

func (p *parser) createFunction(pos ast.Pos, replace bool) ast.Statement {
	s := &ast.CreateFunction{Pos: pos, OrReplace: replace}
	s.Procedure = p.accept(kwProcedure)
	if !s.Procedure {
		p.expect(kwFunction)
	}
	s.Name = p.functionName()
	s.Args = p.funcArgs(true)
	if !s.Procedure && p.accept(kwReturns) {
		if p.accept(kwTable) {
			p.expectPunct('(')
			for {
				a := ast.FuncArg{Pos: p.pos(), Mode: ast.ArgTable}
				a.Name = p.paramName()
				a.Type = p.typeName()
				s.Args = append(s.Args, a)
				if !p.acceptPunct(',') {
					break
				}
			}
			p.expectPunct(')')
		} else {
			s.Returns = p.typeName()
		}
	}
	for p.functionOption(s) {
	}
	switch {
	case p.accept(kwReturn):
		s.Return = p.expr()
	case p.is(kwBegin) && p.peekAt(1).kw == kwAtomic:
		p.unsupported(p.pos(), "a function body with BEGIN ATOMIC")
	}
	for p.functionOption(s) {
	}
	return s
}

// paramName reads a parameter's name (type_function_name).
func (p *parser) paramName() string {
	t := p.peek()
	if !isName(t, typeFuncName) {
		p.fail()
	}
	p.i++
	return t.text
}

// functionOption reads one clause of CREATE FUNCTION; false if there is none.
func (p *parser) functionOption(s *ast.CreateFunction) bool {
	pos := p.pos()
	add := func(name, v string) bool {
		s.Options = append(s.Options, textOption(pos, name, v))
		return true
	}
	switch {
	case p.accept(kwLanguage):
		if p.peek().kind == tString {
			return add("language", p.stringConst())
		}
		return add("language", p.nonReserved().Text)
	case p.accept(kwAs):
		s.Body = p.stringConst()
		if p.acceptPunct(',') {
			return add("link_symbol", p.stringConst())
		}
		return true
	case p.accept(kwImmutable):
		return add("volatility", "immutable")
	case p.accept(kwStable):
		return add("volatility", "stable")
	case p.accept(kwVolatile):
		return add("volatility", "volatile")
	case p.accept(kwStrict):
		return add("strict", "true")
	case p.is(kwReturns) && p.peekAt(1).kw == kwNull:
		p.i += 2
		p.expect(kwOn, kwNull, kwInput)
		return add("strict", "true")
	case p.accept(kwCalled):
		p.expect(kwOn, kwNull, kwInput)
		return add("strict", "false")
	case p.is(kwExternal) || p.is(kwSecurity):
		p.accept(kwExternal)
		p.expect(kwSecurity)
		if p.accept(kwDefiner) {
			return add("security", "definer")
		}
		p.expect(kwInvoker)
		return add("security", "invoker")
	case p.accept(kwLeakproof):
		return add("leakproof", "true")
	case p.accept2(kwNot, kwLeakproof):
		return add("leakproof", "false")
	case p.accept(kwWindow):
		return add("window", "true")
	case p.accept(kwParallel):
		return add("parallel", p.colID().Text)
	case p.accept(kwCost):
		s.Options = append(s.Options, ast.Option{Pos: pos, Name: "cost", Value: p.number()})
		return true
	case p.accept(kwRows):
		s.Options = append(s.Options, ast.Option{Pos: pos, Name: "rows", Value: p.number()})
		return true
	case p.accept(kwSupport):
		return add("support", p.objectName().Name)
	case p.accept(kwSet):
		v := p.setVariable()
		row := &ast.Row{Pos: pos, Elems: append([]ast.Expr{&ast.String{Pos: pos, Value: v.Name}}, v.Values...)}
		s.Options = append(s.Options, ast.Option{Pos: pos, Name: "set", Value: row})
		return true
	}
	return false
}

// funcArgs reads a parameter list in parentheses.
func (p *parser) funcArgs(defaults bool) []ast.FuncArg {
	var args []ast.FuncArg
	p.expectPunct('(')
	if p.acceptPunct(')') {
		return nil
	}
	for {
		args = append(args, p.funcArg(defaults))
		if !p.acceptPunct(',') {
			break
		}
	}
	p.expectPunct(')')
	return args
}

func (p *parser) funcArg(defaults bool) ast.FuncArg {
	a := ast.FuncArg{Pos: p.pos()}
	mode := func() bool {
		switch {
		case p.accept(kwIn):
			a.Mode = ast.ArgIn
			if p.accept(kwOut) {
				a.Mode = ast.ArgInOut
			}
		case p.accept(kwOut):
			a.Mode = ast.ArgOut
		case p.accept(kwInout):
			a.Mode = ast.ArgInOut
		case p.accept(kwVariadic):
			a.Mode = ast.ArgVariadic
		default:
			return false
		}
		return true
	}
	given := mode()
	if p.isParamName() {
		a.Name = p.paramName()
		if !given {
			mode()
		}
	}
	a.Type = p.typeName()
	if defaults && (p.accept(kwDefault) || p.acceptOp("=")) {
		a.Default = p.expr()
	}
	return a
}

// isParamName looks whether the next name is a parameter's and not its type:
// whether a type follows it.
func (p *parser) isParamName() bool {
	t := p.peek()
	if !isName(t, typeFuncName) {
		return false
	}
	next := p.peekAt(1)
	if t.kw == kwDouble && next.kw == kwPrecision {
		return false
	}
	switch next.kw {
	case kwDefault, kwVarying, kwWith, kwWithout, kwArray:
		return false
	case kwIn, kwOut, kwInout, kwVariadic, kwSetof:
		return true
	}
	return next.kind == tQuoted || next.kind == tIdent
}
