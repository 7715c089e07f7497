package schemachange

import (
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// columnLimit is the greatest number of columns of a table, as in PostgreSQL.
const columnLimit = 1600

var serialTypes = map[string]*types.T{"serial": types.Int4, "serial4": types.Int4, "bigserial": types.Int8, "serial8": types.Int8,
	"smallserial": types.Int2, "serial2": types.Int2}

// newColumn is a column being added, with what follows from its constraints.
type newColumn struct {
	// keys, checks and references are for after all columns are known.
	keys, references []*ast.TableConstraint
	checks           []*ast.ColumnConstraint
	generated        ast.Expr
	// deflt is the bound DEFAULT, nil if there is none.
	deflt expr.Expr
}

func (x *statement) createTable(stmt *ast.CreateTable) error {
	switch {
	case stmt.OfType != nil:
		return unsupportedAt(stmt.Pos, "CREATE TABLE OF")
	case len(stmt.Inherits) > 0:
		return unsupportedAt(stmt.Pos, "INHERITS")
	case stmt.Partition != nil || stmt.PartOf != nil:
		return unsupportedAt(stmt.Pos, "partitioning")
	}
	schema, err := x.schemaFor(stmt.Persistence, stmt.Name)
	if err != nil {
		return err
	}
	if ok, err := x.claimName(schema.ID, stmt.Name.Name, stmt.IfNotExists); !ok {
		return err
	}
	t, err := x.newTable(stmt.Name.Name, schema)
	if err != nil {
		return err
	}
	t.Options = params(stmt.With)
	if t.Persistence = 'p'; stmt.Persistence == ast.Unlogged {
		t.Persistence = 'u'
	}
	if err := makeTemp(t, schema.ID == x.coll.Path.TempSchema, stmt.OnCommit); err != nil {
		return err
	}
	elements, err := x.expandLike(t, stmt.Elements)
	if err != nil {
		return err
	}
	var cols []*newColumn
	var constraints []*ast.TableConstraint
	for _, el := range elements {
		switch el := el.(type) {
		case *ast.ColumnDef:
			c, err := x.addColumn(t, el, schema)
			if err != nil {
				return err
			}
			cols = append(cols, c)
		case *ast.TableConstraint:
			constraints = append(constraints, el)
		}
	}
	return x.finishTable(t, cols, constraints)
}

// newTable returns a table without columns.
func (x *statement) newTable(name string, schema *catalog.Schema) (*catalog.Table, error) {
	t := &catalog.Table{Persistence: 'p'}
	for _, id := range []*catalog.ID{&t.ID, &t.TypeOID, &t.TypeArray} {
		var err error
		if *id, err = x.newID(); err != nil {
			return nil, err
		}
	}
	t.Header = x.header(t.ID, name, schema)
	return t, nil
}

// finishTable adds the constraints to a new table and writes it.
func (x *statement) finishTable(t *catalog.Table, cols []*newColumn, constraints []*ast.TableConstraint) error {
	var keys, refs []*ast.TableConstraint
	for _, c := range cols {
		keys = append(keys, c.keys...)
		refs = append(refs, c.references...)
	}
	for _, k := range constraints {
		switch k.Kind {
		case ast.ConstraintPrimaryKey, ast.ConstraintUnique:
			keys = append(keys, k)
		case ast.ConstraintForeignKey:
			refs = append(refs, k)
		case ast.ConstraintExclude:
			return unsupportedAt(k.Pos, "EXCLUDE")
		}
	}
	// The primary key comes first, so that rows have one when other indexes are looked at.
	for _, primary := range []bool{true, false} {
		for _, k := range keys {
			if (k.Kind == ast.ConstraintPrimaryKey) == primary {
				if err := x.addKey(t, k); err != nil {
					return err
				}
			}
		}
	}
	if t.Primary.ID == 0 {
		oid, err := x.newID()
		if err != nil {
			return err
		}
		hideRowID(t, oid)
	}
	for i, c := range cols {
		if c.generated != nil {
			if err := x.setGenerated(t, &t.Columns[i], c.generated); err != nil {
				return err
			}
		}
		for _, k := range c.checks {
			if _, err := x.addCheck(t, k.Name, k.Expr, t.Columns[i].Name, k.NoInherit, false); err != nil {
				return err
			}
		}
	}
	for _, k := range constraints {
		if k.Kind == ast.ConstraintCheck {
			if _, err := x.addCheck(t, k.Name, k.Expr, "", k.NoInherit, false); err != nil {
				return err
			}
		}
	}
	for _, k := range refs {
		if _, err := x.addForeignKey(t, k); err != nil {
			return err
		}
	}
	return x.coll.Put(x.ctx, t)
}

// addColumn appends a column to t (before the hidden row id) and returns what its
// constraints ask for.
func (x *statement) addColumn(t *catalog.Table, def *ast.ColumnDef, schema *catalog.Schema) (*newColumn, error) {
	if _, _, taken := t.ColumnByName(def.Name); taken {
		e := sqlstate.New(sqlstate.DuplicateColumn, "column %q specified more than once", def.Name)
		if x.coll.Original(t.ID) != nil || x.coll.ByID(t.ID) != nil {
			e = sqlstate.New(sqlstate.DuplicateColumn, "column %q of relation %q already exists", def.Name, t.Name)
		}
		return nil, e
	}
	switch def.Name {
	case "tableoid", "xmin", "cmin", "xmax", "cmax", "ctid", catalog.RowIDName:
		return nil, sqlstate.New(sqlstate.DuplicateColumn, "column name %q conflicts with a system column name", def.Name)
	}
	col := catalog.Column{Name: def.Name, Collation: def.Collation.Name}
	serial := serialTypes[def.Type.Name.Name]
	if serial != nil && (def.Type.Name.Schema == "" || def.Type.Name.Schema == catalog.PgCatalogName) {
		if len(def.Type.ArrayBounds) > 0 {
			return nil, sqlstate.New(sqlstate.FeatureNotSupported, "array of serial is not implemented").At(int(def.Type.Pos))
		}
		col.Type, col.NotNull = serial, true
	} else {
		serial = nil
		typ, err := plan.ResolveType(x.ctx, x.coll, def.Type)
		if err != nil {
			return nil, err
		}
		if typ.Category == types.CatPseudo {
			return nil, sqlstate.New(sqlstate.InvalidTableDefinition, "column %q has pseudo-type %s", def.Name, typeName(typ))
		}
		col.Type = typ
	}
	live := len(t.Columns)
	hidden := live > 0 && t.Columns[live-1].Hidden
	if hidden {
		live--
	}
	if live >= columnLimit {
		return nil, sqlstate.New(sqlstate.TooManyColumns, "tables can have at most %d columns", columnLimit)
	}
	col.Num = catalog.AttNum(live + 1)
	nc := &newColumn{}
	var err error
	if serial != nil {
		err = x.addSerial(t, &col, schema, nil, 0)
	}
	null := false
	for _, k := range def.Constraints {
		if err != nil {
			return nil, err
		}
		switch k.Kind {
		case ast.ConstraintNull:
			null = true
		case ast.ConstraintNotNull:
			col.NotNull = true
		case ast.ConstraintDefault:
			if col.Default != nil || k.Expr == nil {
				return nil, sqlstate.New(sqlstate.SyntaxError, "multiple default values specified for column %q of table %q", col.Name, t.Name).At(int(k.Pos))
			}
			nc.deflt, err = x.setDefault(&col, k.Expr)
		case ast.ConstraintGenerated:
			nc.generated = k.Expr
		case ast.ConstraintIdentity:
			if col.Default != nil {
				return nil, sqlstate.New(sqlstate.SyntaxError, "both default and identity specified for column %q of table %q", col.Name, t.Name).At(int(k.Pos))
			}
			identity := byte('d')
			if k.Always {
				identity = 'a'
			}
			col.NotNull = true
			err = x.addSerial(t, &col, schema, k.Sequence, identity)
		case ast.ConstraintCheck:
			nc.checks = append(nc.checks, k)
		case ast.ConstraintUnique, ast.ConstraintPrimaryKey:
			col.NotNull = col.NotNull || k.Kind == ast.ConstraintPrimaryKey
			nc.keys = append(nc.keys, &ast.TableConstraint{Pos: k.Pos, Name: k.Name, Kind: k.Kind, NullsNotDistinct: k.NullsNotDistinct,
				Columns: []ast.Name{{Pos: k.Pos, Text: col.Name}}, With: k.With, Deferral: k.Deferral})
		case ast.ConstraintForeignKey:
			nc.references = append(nc.references, &ast.TableConstraint{Pos: k.Pos, Name: k.Name, Kind: k.Kind,
				Columns: []ast.Name{{Pos: k.Pos, Text: col.Name}}, References: k.References, Deferral: k.Deferral})
		default:
			err = unsupportedAt(k.Pos, "this constraint")
		}
	}
	if err != nil {
		return nil, err
	}
	if null && col.NotNull {
		return nil, sqlstate.New(sqlstate.SyntaxError, "conflicting NULL/NOT NULL declarations for column %q of table %q", col.Name, t.Name)
	}
	if nc.generated != nil && col.Default != nil {
		return nil, sqlstate.New(sqlstate.SyntaxError, "both default and generation expression specified for column %q of table %q", col.Name, t.Name)
	}
	if hidden {
		t.Columns = append(t.Columns[:live:live], col, t.Columns[live])
	} else {
		t.Columns = append(t.Columns, col)
	}
	return nc, nil
}

// setDefault gives a column its DEFAULT and returns it bound.
func (x *statement) setDefault(col *catalog.Column, e ast.Expr) (expr.Expr, error) {
	e, deps, err := x.qualifySequences(e)
	if err != nil {
		return nil, err
	}
	if _, isNull := e.(*ast.Null); isNull {
		col.Default = nil
		return nil, nil
	}
	x.qualifyTypes(e)
	sql := storedText(e, col.Type)
	bound, err := x.bindDefault(col, sql)
	if err != nil {
		if se, ok := err.(*sqlstate.Error); ok && se.Code == sqlstate.UndefinedColumn {
			return nil, sqlstate.New(sqlstate.FeatureNotSupported, "cannot use column reference in DEFAULT expression").At(int(e.Position()))
		}
		return nil, err
	}
	col.Default = &catalog.Expr{SQL: sql, DependsOn: deps}
	if col.DefaultOID == 0 {
		if col.DefaultOID, err = x.newID(); err != nil {
			return nil, err
		}
	}
	return bound, nil
}

// setGenerated makes a column GENERATED ALWAYS AS (e) STORED.
func (x *statement) setGenerated(t *catalog.Table, col *catalog.Column, e ast.Expr) error {
	bound, err := x.bindOver(t, "column generation expressions", e)
	if err != nil {
		return err
	}
	if expr.VolatilityOf(bound[0]) != expr.Immutable {
		return sqlstate.New(sqlstate.InvalidObjectDefinition, "generation expression is not immutable")
	}
	conv, err := expr.NewAssignment(x.s.EvalContext().Settings, bound[0], col.Type, col.Name)
	if err != nil {
		return err
	}
	for _, n := range columnsOf(t, conv) {
		if n == col.Num || t.Column(n).Generated != nil {
			return sqlstate.New(sqlstate.InvalidObjectDefinition, "cannot use generated column %q in column generation expression", t.Column(n).Name).
				WithDetail("A generated column cannot reference another generated column.")
		}
	}
	col.Generated = &catalog.Expr{SQL: storedText(e, col.Type), Columns: columnsOf(t, conv)}
	col.DefaultOID, err = x.newID()
	return err
}

// addSerial gives a serial or identity column its sequence.
func (x *statement) addSerial(t *catalog.Table, col *catalog.Column, schema *catalog.Schema, opts []ast.Option, identity byte) error {
	if identity != 0 && col.Type.OID != types.OIDInt2 && col.Type.OID != types.OIDInt4 && col.Type.OID != types.OIDInt8 {
		return sqlstate.New(sqlstate.InvalidParameterValue, "identity column type must be smallint, integer, or bigint")
	}
	name, err := x.chooseName(schema.ID, t.Name, col.Name, "seq", func(n string) bool { return n == t.Name })
	if err != nil {
		return err
	}
	seq, err := x.newSequence(schema, name, col.Type, opts)
	if err != nil {
		return err
	}
	seq.Identity = identity != 0
	seq.OwnedBy = catalog.ColumnRef{Table: t.ID, Column: col.Num}
	col.Identity, col.Sequence = identity, seq.ID
	col.Default = &catalog.Expr{SQL: nextvalText(schema.Name, name), DependsOn: []catalog.Dependency{{ID: seq.ID}}}
	col.DefaultOID, err = x.newID()
	if err != nil {
		return err
	}
	// Another column may have the same name once shortened.
	return x.coll.Put(x.ctx, seq)
}

// nextvalText is the DEFAULT of a serial column. The name is qualified, since the text is
// read along the reader's search path.
func nextvalText(schema, name string) string {
	return "nextval(" + ast.QuoteString(types.QuoteIdent(schema)+"."+types.QuoteIdent(name)) + "::regclass)"
}

// qualifySequences rewrites nextval('name') as a default to what is kept of it, and
// returns the sequences that it depends on.
func (x *statement) qualifySequences(e ast.Expr) (ast.Expr, []catalog.Dependency, error) {
	f, ok := e.(*ast.FuncCall)
	if !ok || f.Name.Name != "nextval" || len(f.Args) != 1 {
		return e, nil, nil
	}
	arg := f.Args[0]
	if c, ok := arg.(*ast.Cast); ok {
		arg = c.X
	}
	lit, ok := arg.(*ast.String)
	names := x.s.EvalContext().Settings.Names
	if !ok || names == nil {
		return e, nil, nil
	}
	oid, err := names.LookupReg(types.Regclass, lit.Value)
	if err != nil {
		return nil, nil, err
	}
	seq, ok := x.coll.ByID(catalog.ID(oid)).(*catalog.Sequence)
	if !ok {
		return e, nil, nil
	}
	q, err := x.s.PlanContext().Parser.ParseExpr(nextvalText(x.schemaName(seq.Schema), seq.Name))
	return q, []catalog.Dependency{{ID: seq.ID}}, err
}

// expandLike replaces LIKE clauses by what they stand for.
func (x *statement) expandLike(t *catalog.Table, elements []ast.TableElement) ([]ast.TableElement, error) {
	var out []ast.TableElement
	for _, el := range elements {
		like, ok := el.(*ast.LikeClause)
		if !ok {
			out = append(out, el)
			continue
		}
		more, err := x.like(like)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}
