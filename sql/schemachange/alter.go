package schemachange

import (
	"slices"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/rowenc"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// alteration collects what the actions of one ALTER TABLE ask for, so that the rows are
// gone through once.
type alteration struct {
	x *statement
	// old is the table before, t the one being made.
	old, t *catalog.Table
	schema *catalog.Schema
	// rewrite says that rows must be written anew.
	rewrite   bool
	compute   map[catalog.AttNum]expr.Expr
	generated []catalog.AttNum
	check     validation
	// indexes are those to be built, by OID.
	indexes []catalog.ID
	// references are added last.
	references []*ast.TableConstraint
	dropped    []catalog.Descriptor
}

func (x *statement) alterTable(stmt *ast.AlterTable) error {
	name := catalogName(stmt.Name)
	if stmt.Kind == ast.ObjectIndex {
		return unsupportedAt(stmt.Pos, "ALTER INDEX with this action")
	}
	rel, err := x.coll.LookupRelation(x.ctx, name)
	if err != nil {
		return err
	}
	if rel == nil {
		if stmt.IfExists {
			x.notice("00000", "relation %q does not exist, skipping", name.String())
			return nil
		}
		return catalog.UndefinedRelation(name)
	}
	if t, ok := rel.(*catalog.Table); !ok || t.Materialized() {
		return x.alterOther(rel, stmt)
	}
	if x.s.Alone() && len(stmt.Actions) == 1 && constraintAction(stmt.Actions[0]) {
		id := rel.Head().ID
		done, err := x.quickly(stmt, rel.(*catalog.Table), func(y *statement) error { return y.alterFenced(stmt, id) })
		if done || err != nil {
			return err
		}
		return x.alterOnline(stmt, id)
	}
	return x.alterFenced(stmt, rel.Head().ID)
}

// alterFenced executes the actions of ALTER TABLE under a fence.
func (x *statement) alterFenced(stmt *ast.AlterTable, id catalog.ID) error {
	t, err := x.mutableTable(id)
	if err != nil {
		return err
	}
	a := &alteration{x: x, t: t, old: t.Clone().(*catalog.Table), compute: map[catalog.AttNum]expr.Expr{}}
	a.schema, _ = x.coll.ByID(t.Schema).(*catalog.Schema)
	for _, act := range stmt.Actions {
		if err := a.action(act); err != nil {
			return err
		}
	}
	return a.finish()
}

// alterOther is ALTER VIEW and ALTER SEQUENCE with actions of ALTER TABLE.
func (x *statement) alterOther(rel catalog.Relation, stmt *ast.AlterTable) error {
	for _, act := range stmt.Actions {
		if act.Kind != ast.ChangeOwner {
			return sqlstate.New(sqlstate.WrongObjectType, "ALTER action cannot be performed on relation %q", rel.Head().Name).
				WithDetail("This operation is not supported for %ss.", word(rel))
		}
		if err := x.setOwner(rel.Head().ID, act.Value); err != nil {
			return err
		}
	}
	return nil
}

// column finds a column that an action names.
func (a *alteration) column(name string) (*catalog.Column, error) {
	c, _, ok := a.t.ColumnByName(name)
	if !ok || c.Hidden {
		return nil, sqlstate.New(sqlstate.UndefinedColumn, "column %q of relation %q does not exist", name, a.t.Name)
	}
	return c, nil
}

func (a *alteration) action(act *ast.AlterAction) error {
	x, t := a.x, a.t
	switch act.Kind {
	case ast.AddColumn:
		return a.addColumn(act)
	case ast.DropColumn:
		return a.dropColumn(act)
	case ast.AddConstraint:
		return a.addConstraint(act.Table)
	case ast.DropConstraint:
		return a.dropConstraint(act)
	case ast.AlterColumnType:
		return a.columnType(act)
	case ast.ChangeOwner:
		role, err := x.role(act.Value)
		if err != nil {
			return err
		}
		passOn(&t.Header, role.ID)
		return a.x.passOnSequences(t.ID, role.ID)
	case ast.SetStorageOptions:
		for _, p := range params(act.Options) {
			t.Options = append(slices.DeleteFunc(t.Options, func(o catalog.Param) bool { return o.Name == p.Name }), p)
		}
		return nil
	case ast.ResetStorageOptions:
		for _, p := range params(act.Options) {
			t.Options = slices.DeleteFunc(t.Options, func(o catalog.Param) bool { return o.Name == p.Name })
		}
		return nil
	case ast.SetLogged:
		t.Persistence = 'p'
		return nil
	case ast.SetUnlogged:
		t.Persistence = 'u'
		return nil
	case ast.ClusterOn:
		if t.IndexByName(act.Value) == nil {
			return sqlstate.New(sqlstate.UndefinedObject, "index %q for table %q does not exist", act.Value, t.Name)
		}
		return nil
	case ast.ReplicaIdentity, ast.SetWithoutCluster, ast.SetTableSpace:
		return nil // nothing here depends on them
	case ast.TriggerSwitch:
		return a.switchTriggers(act)
	case ast.ValidateConstraint:
		return a.validate(act)
	case ast.AlterConstraint:
		return a.alterConstraint(act)
	}
	switch act.Kind {
	case ast.AlterColumnSetDefault, ast.AlterColumnDropDefault, ast.AlterColumnSetNotNull, ast.AlterColumnDropNotNull,
		ast.AlterColumnStatistics, ast.AlterColumnStorage, ast.AlterColumnSetIdentity, ast.AlterColumnDropIdentity, ast.AlterColumnAddIdentity, ast.AlterColumnDropExpr:
	default:
		return unsupportedAt(act.Pos, "this ALTER TABLE action")
	}
	c, err := a.column(act.Name)
	if err != nil {
		return err
	}
	switch act.Kind {
	case ast.AlterColumnSetDefault:
		if c.Identity != 0 {
			return sqlstate.New(sqlstate.SyntaxError, "column %q of relation %q is an identity column", c.Name, t.Name)
		}
		if c.Generated != nil {
			return sqlstate.New(sqlstate.SyntaxError, "column %q of relation %q is a generated column", c.Name, t.Name)
		}
		_, err = x.setDefault(c, act.Expr)
	case ast.AlterColumnDropDefault:
		if c.Identity != 0 {
			return sqlstate.New(sqlstate.SyntaxError, "column %q of relation %q is an identity column", c.Name, t.Name)
		}
		c.Default, c.DefaultOID = nil, 0
	case ast.AlterColumnSetNotNull:
		if !c.NotNull {
			c.NotNull = true
			a.check.notNull = append(a.check.notNull, c.Num)
		}
	case ast.AlterColumnDropNotNull:
		if !t.Primary.Hidden && slices.ContainsFunc(t.Primary.Columns, func(k catalog.IndexColumn) bool { return k.Num == c.Num }) {
			return sqlstate.New(sqlstate.InvalidTableDefinition, "column %q is in a primary key", c.Name)
		}
		if c.Identity != 0 {
			return sqlstate.New(sqlstate.SyntaxError, "column %q of relation %q is an identity column", c.Name, t.Name)
		}
		c.NotNull = false
	case ast.AlterColumnAddIdentity:
		if c.Identity != 0 || c.Default != nil {
			return sqlstate.New(sqlstate.ObjectNotInPrereqState, "column %q of relation %q already has a default value", c.Name, t.Name)
		}
		if !c.NotNull {
			return sqlstate.New(sqlstate.ObjectNotInPrereqState, "column %q of relation %q must be declared NOT NULL before identity can be added", c.Name, t.Name)
		}
		identity := byte('d')
		if act.Constraint.Always {
			identity = 'a'
		}
		err = x.addSerial(t, c, a.schema, act.Constraint.Sequence, identity)
	case ast.AlterColumnSetIdentity:
		err = a.setIdentity(c, act.Options)
	case ast.AlterColumnDropIdentity:
		if c.Identity == 0 {
			if act.IfExists {
				x.notice("00000", "column %q of relation %q is not an identity column, skipping", c.Name, t.Name)
				return nil
			}
			return sqlstate.New(sqlstate.ObjectNotInPrereqState, "column %q of relation %q is not an identity column", c.Name, t.Name)
		}
		if seq := x.coll.ByID(c.Sequence); seq != nil {
			a.dropped = append(a.dropped, seq)
		}
		c.Identity, c.Sequence, c.Default, c.DefaultOID = 0, 0, nil, 0
	case ast.AlterColumnDropExpr:
		c.Generated, c.DefaultOID = nil, 0
	}
	return err
}

// switchTriggers is ENABLE and DISABLE TRIGGER. There are no triggers but those by which
// PostgreSQL keeps constraints.
func (a *alteration) switchTriggers(act *ast.AlterAction) error {
	switch {
	case act.Name == "user" && (act.Value == "enable" || act.Value == "disable"):
		return nil
	case act.Name != "all" || act.Value != "enable" && act.Value != "disable":
		return sqlstate.New(sqlstate.UndefinedObject, "trigger %q for table %q does not exist", act.Name, a.t.Name)
	}
	if role, ok := a.x.coll.ByID(a.x.s.UserID()).(*catalog.Role); !ok || !role.Superuser {
		return sqlstate.New(sqlstate.InsufficientPrivilege, "permission denied: triggers of constraints are system triggers")
	}
	a.t.TriggersOff = act.Value == "disable"
	return nil
}

// setIdentity changes an identity column: when it gives out numbers, and its sequence.
func (a *alteration) setIdentity(c *catalog.Column, opts []ast.Option) error {
	x := a.x
	if c.Identity == 0 {
		return sqlstate.New(sqlstate.ObjectNotInPrereqState, "column %q of relation %q is not an identity column", c.Name, a.t.Name)
	}
	for _, o := range opts {
		if b, ok := o.Value.(*ast.Bool); ok && o.Name == "always" {
			if c.Identity = 'd'; b.Value {
				c.Identity = 'a'
			}
		}
	}
	m, err := x.coll.Mutable(x.ctx, c.Sequence)
	if err != nil {
		return err
	}
	seq, ok := m.(*catalog.Sequence)
	if !ok {
		return sqlstate.New(sqlstate.InternalError, "identity column %q has no sequence", c.Name)
	}
	restart, err := x.sequenceOptions(seq, opts, false)
	if err != nil {
		return err
	}
	if restart != nil {
		if err := x.restartSequence(seq, *restart); err != nil {
			return err
		}
	}
	return x.coll.Put(x.ctx, seq)
}

func (a *alteration) addColumn(act *ast.AlterAction) error {
	x, t := a.x, a.t
	if _, _, ok := t.ColumnByName(act.Column.Name); ok && act.IfExists {
		x.notice(sqlstate.DuplicateColumn, "column %q of relation %q already exists, skipping", act.Column.Name, t.Name)
		return nil
	}
	nc, err := x.addColumn(t, act.Column, a.schema)
	if err != nil {
		return err
	}
	col, _, _ := t.ColumnByName(act.Column.Name)
	num := col.Num
	switch {
	case nc.generated != nil:
		if err := x.setGenerated(t, col, nc.generated); err != nil {
			return err
		}
		a.rewrite, a.generated = true, append(a.generated, num)
	case col.Default != nil:
		e := nc.deflt
		if e == nil {
			if e, err = x.bindDefault(col, col.Default.SQL); err != nil {
				return err
			}
		}
		if expr.VolatilityOf(e) == expr.Volatile || len(col.Default.DependsOn) > 0 {
			a.rewrite = true
			a.compute[num] = e
			break
		}
		d, err := e.Eval(x.s.EvalContext(), nil)
		if err != nil {
			return err
		}
		col.Missing = rowenc.EncodeMissing(col.Type, d)
		if d.IsNull() && col.NotNull {
			a.check.notNull = append(a.check.notNull, num)
		}
		a.compute[num] = e
	case col.NotNull:
		a.check.notNull = append(a.check.notNull, num)
	}
	for _, k := range nc.checks {
		if err := a.addConstraint(&ast.TableConstraint{Pos: k.Pos, Name: k.Name, Kind: ast.ConstraintCheck, Expr: k.Expr,
			Columns: []ast.Name{{Text: act.Column.Name}}, NoInherit: k.NoInherit}); err != nil {
			return err
		}
	}
	for _, k := range slices.Concat(nc.keys, nc.references) {
		if err := a.addConstraint(k); err != nil {
			return err
		}
	}
	return nil
}

func (a *alteration) addConstraint(k *ast.TableConstraint) error {
	x, t := a.x, a.t
	switch k.Kind {
	case ast.ConstraintPrimaryKey:
		return a.addPrimaryKey(k)
	case ast.ConstraintUnique:
		if err := x.addKey(t, k); err != nil {
			return err
		}
		a.indexes = append(a.indexes, t.Indexes[len(t.Indexes)-1].OID)
	case ast.ConstraintCheck:
		column := ""
		if len(k.Columns) == 1 {
			column = k.Columns[0].Text
		}
		cond, err := x.addCheck(t, k.Name, k.Expr, column, k.NoInherit, k.NotValid)
		if err != nil {
			return err
		}
		if !k.NotValid {
			a.check.checks = append(a.check.checks, boundCheck{t.Checks[len(t.Checks)-1].Name, cond})
		}
	case ast.ConstraintForeignKey:
		a.references = append(a.references, k)
	default:
		return unsupportedAt(k.Pos, "this constraint")
	}
	return nil
}

// addPrimaryKey makes the rows be clustered by the new key.
func (a *alteration) addPrimaryKey(k *ast.TableConstraint) error {
	t := a.t
	hadNull := map[catalog.AttNum]bool{}
	for i := range t.Columns {
		hadNull[t.Columns[i].Num] = !t.Columns[i].NotNull
	}
	if err := a.x.addKey(t, k); err != nil {
		return err
	}
	for _, c := range t.Primary.Columns {
		if hadNull[c.Num] {
			a.check.notNull = append(a.check.notNull, c.Num)
		}
	}
	t.Columns = slices.DeleteFunc(t.Columns, func(c catalog.Column) bool { return c.Num == catalog.RowIDNum })
	a.rewrite = true
	return nil
}

// finish goes through the rows as far as needed and writes the descriptors.
func (a *alteration) finish() error {
	x, t := a.x, a.t
	if a.rewrite {
		compute := map[catalog.AttNum]expr.Expr{}
		for n, e := range a.compute {
			if c := t.Column(n); c != nil && !c.Dropped {
				compute[n] = e
			}
		}
		generated := map[catalog.AttNum]expr.Expr{}
		for i := range t.Columns {
			c := &t.Columns[i]
			if c.Dropped || c.Generated == nil {
				continue
			}
			bound, err := x.bindStored(t, "column generation expressions", c.Generated.SQL)
			if err != nil {
				return err
			}
			if generated[c.Num], err = expr.NewAssignment(x.s.EvalContext().Settings, bound[0], c.Type, c.Name); err != nil {
				return err
			}
		}
		// Columns may have moved since the checks were bound.
		for i := range a.check.checks {
			if err := a.rebind(&a.check.checks[i]); err != nil {
				return err
			}
		}
		if err := x.rewrite(a.old, t, compute, generated, &a.check); err != nil {
			return err
		}
	} else {
		if err := x.scanValidate(t, &a.check); err != nil {
			return err
		}
		var build []*catalog.Index
		for _, oid := range a.indexes {
			if ix := t.IndexByOID(oid); ix != nil {
				build = append(build, ix)
			}
		}
		if len(build) > 0 {
			if err := x.build(t, build...); err != nil {
				return err
			}
		}
	}
	for _, k := range a.references {
		fk, err := x.addForeignKey(t, k)
		if err != nil {
			return err
		}
		if !fk.NotValid {
			if err := x.validateForeignKey(t, fk); err != nil {
				return err
			}
		}
	}
	if err := x.coll.Put(x.ctx, t); err != nil {
		return err
	}
	for _, d := range a.dropped {
		m, err := x.coll.Mutable(x.ctx, d.Head().ID)
		if err != nil {
			return err
		}
		if m != nil {
			if err := x.coll.Remove(x.ctx, m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *alteration) rebind(c *boundCheck) error {
	for _, k := range a.t.Checks {
		if k.Name == c.name {
			bound, err := a.x.bindStored(a.t, "check constraints", k.Expr.SQL)
			if err != nil {
				return err
			}
			c.cond, err = expr.ToBool(a.x.s.EvalContext().Settings, bound[0], "CHECK")
			return err
		}
	}
	return nil
}

// validate is VALIDATE CONSTRAINT.
func (a *alteration) validate(act *ast.AlterAction) error {
	for i := range a.t.Checks {
		if k := &a.t.Checks[i]; k.Name == act.Name {
			if k.NotValid {
				k.NotValid = false
				a.check.checks = append(a.check.checks, boundCheck{name: k.Name})
				return a.rebind(&a.check.checks[len(a.check.checks)-1])
			}
			return nil
		}
	}
	for i := range a.t.ForeignKeys {
		if fk := &a.t.ForeignKeys[i]; fk.Name == act.Name {
			if fk.NotValid {
				fk.NotValid = false
				return a.x.validateForeignKey(a.old, fk)
			}
			return nil
		}
	}
	return sqlstate.New(sqlstate.UndefinedObject, "constraint %q of relation %q does not exist", act.Name, a.t.Name)
}

// alterConstraint is ALTER CONSTRAINT, which says when a foreign key is checked.
func (a *alteration) alterConstraint(act *ast.AlterAction) error {
	t := a.t
	for i := range t.ForeignKeys {
		if fk := &t.ForeignKeys[i]; fk.Name == act.Name {
			d := act.Table.Deferral
			fk.Deferrable, fk.Deferred = d.Deferrable || d.Deferred, d.Deferred
			return nil
		}
	}
	if constraintNamed(t, act.Name) {
		return sqlstate.New(sqlstate.WrongObjectType, "constraint %q of relation %q is not a foreign key constraint", act.Name, t.Name)
	}
	return sqlstate.New(sqlstate.UndefinedObject, "constraint %q of relation %q does not exist", act.Name, t.Name)
}

// columnType is ALTER COLUMN TYPE.
func (a *alteration) columnType(act *ast.AlterAction) error {
	x, t := a.x, a.t
	c, err := a.column(act.Name)
	if err != nil {
		return err
	}
	typ, err := plan.ResolveType(x.ctx, x.coll, act.Type)
	if err != nil {
		return err
	}
	if c.Generated != nil {
		return sqlstate.Unsupported("changing the type of a generated column")
	}
	for _, k := range t.Columns {
		if k.Generated != nil && slices.Contains(k.Generated.Columns, c.Num) {
			return sqlstate.New(sqlstate.FeatureNotSupported, "cannot alter type of a column used by a generated column").
				WithDetail("Column %q is used by generated column %q.", c.Name, k.Name)
		}
	}
	for d := range x.coll.All {
		if dependsOn(d, t.ID) {
			return sqlstate.New(sqlstate.FeatureNotSupported, "cannot alter type of a column used by a view or rule").
				WithDetail("%s depends on column %q", describe(d), c.Name)
		}
	}
	using := act.Using
	kind := types.CastAssignment
	if using == nil {
		using = &ast.ColumnRef{Pos: ast.NoPos, Parts: []string{c.Name}}
	}
	bound, err := x.bindOver(a.old, "transform expressions", using)
	if err != nil {
		return err
	}
	s := x.s.EvalContext().Settings
	e, ok, err := expr.Coerce(s, bound[0], typ, kind)
	if err != nil {
		return err
	}
	if !ok {
		if act.Using == nil {
			return sqlstate.New(sqlstate.DatatypeMismatch, "column %q cannot be cast automatically to type %s", c.Name, typeName(typ)).
				WithHint("You might need to specify \"USING %s::%s\".", types.QuoteIdent(c.Name), types.FormatType(typ, typ.Typmod, true))
		}
		return sqlstate.New(sqlstate.DatatypeMismatch, "result of USING clause for column %q cannot be cast automatically to type %s", c.Name, typeName(typ)).
			WithHint("You might need to add an explicit cast.")
	}
	c.Type = typ
	if c.Default != nil && c.Identity == 0 {
		if _, err := x.bindDefault(c, c.Default.SQL); err != nil {
			return sqlstate.New(sqlstate.DatatypeMismatch, "default for column %q cannot be cast automatically to type %s", c.Name, typeName(typ))
		}
	}
	for ix := range t.AllIndexes {
		for i := range ix.Columns {
			if k := &ix.Columns[i]; k.Num == c.Num {
				if err := indexable(typ); err != nil {
					return err
				}
				k.Type = typ
			}
		}
	}
	a.rewrite = true
	a.compute[c.Num] = e
	return nil
}
