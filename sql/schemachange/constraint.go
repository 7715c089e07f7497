package schemachange

import (
	"slices"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/rowenc"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// newID returns a fresh OID. A statement takes them in blocks.
func (x *statement) newID() (catalog.ID, error) {
	if x.idsLeft == 0 {
		const block = 8
		first, err := x.coll.AllocateIDs(x.ctx, block)
		if err != nil {
			return 0, err
		}
		x.nextID, x.idsLeft = first, block
	}
	id := x.nextID
	x.nextID++
	x.idsLeft--
	return id, nil
}

// columnsByName returns the numbers of columns named in a constraint.
func columnsByName(t *catalog.Table, names []ast.Name, what string) ([]catalog.AttNum, error) {
	var out []catalog.AttNum
	for _, n := range names {
		c, _, ok := t.ColumnByName(n.Text)
		if !ok || c.Hidden {
			if what == "foreign key" {
				return nil, sqlstate.New(sqlstate.UndefinedColumn, "column %q referenced in foreign key constraint does not exist", n.Text)
			}
			return nil, sqlstate.New(sqlstate.UndefinedColumn, "column %q named in key does not exist", n.Text).At(int(n.Pos))
		}
		if slices.Contains(out, c.Num) {
			return nil, sqlstate.New(sqlstate.DuplicateColumn, "column %q appears twice in %s constraint", n.Text, what).At(int(n.Pos))
		}
		out = append(out, c.Num)
	}
	return out, nil
}

// indexable refuses a key type that has no order.
func indexable(t *types.T) error {
	if rowenc.Indexable(t) {
		return nil
	}
	return sqlstate.New(sqlstate.UndefinedObject, "data type %s has no default operator class for access method \"btree\"", typeName(t)).
		WithHint("You must specify an operator class for the index or define a default operator class for the data type.")
}

// addKey adds a PRIMARY KEY or UNIQUE constraint to t. A primary key becomes t.Primary, its
// columns NOT NULL; the data follow later, if there are any.
func (x *statement) addKey(t *catalog.Table, k *ast.TableConstraint) error {
	primary := k.Kind == ast.ConstraintPrimaryKey
	what := "unique"
	if primary {
		what = "primary key"
	}
	if k.UsingIndex != "" {
		return unsupportedAt(k.Pos, "USING INDEX")
	}
	if primary && !t.Primary.Hidden && t.Primary.ID != 0 {
		return sqlstate.New(sqlstate.InvalidTableDefinition, "multiple primary keys for table %q are not allowed", t.Name).At(int(k.Pos))
	}
	nums, err := columnsByName(t, k.Columns, what)
	if err != nil {
		return err
	}
	include, err := columnsByName(t, k.Include, what)
	if err != nil {
		return err
	}
	ix := catalog.Index{Name: k.Name, Unique: true, Include: include, NullsNotDistinct: k.NullsNotDistinct, Constraint: 'u',
		Deferrable: k.Deferral.Deferrable || k.Deferral.Deferred, Deferred: k.Deferral.Deferred, Options: params(k.With)}
	for _, n := range nums {
		c := t.Column(n)
		if err := indexable(c.Type); err != nil {
			return err
		}
		if primary {
			c.NotNull = true
		}
		ix.Columns = append(ix.Columns, catalog.IndexColumn{Num: n, Type: c.Type})
	}
	if ix.Deferrable {
		if primary {
			return unsupportedAt(k.Pos, "a DEFERRABLE primary key")
		}
		// Two rows may have the same key until the check: its entries are told apart by
		// the primary key, as those of an index that is not unique.
		ix.Unique = false
	}
	label, cols := "key", columnNames(t, nums)
	if primary {
		ix.Constraint = 'p'
		label, cols = "pkey", ""
	}
	if ix.Name == "" {
		ix.Name, err = x.chooseName(t.Schema, t.Name, cols, label, func(n string) bool { return n == t.Name || constraintNamed(t, n) })
	} else {
		if constraintNamed(t, ix.Name) {
			return sqlstate.New(sqlstate.DuplicateTable, "relation %q already exists", ix.Name)
		}
		_, err = x.claimName(t.Schema, ix.Name, false)
	}
	if err != nil {
		return err
	}
	if ix.OID, err = x.newID(); err != nil {
		return err
	}
	if ix.ConstraintOID, err = x.newID(); err != nil {
		return err
	}
	ix.ID = uint32(ix.OID)
	if primary {
		t.Primary = ix
	} else {
		t.Indexes = append(t.Indexes, ix)
	}
	return nil
}

// addCheck adds a CHECK constraint; column is set if it was written with a column. It
// returns the bound condition.
func (x *statement) addCheck(t *catalog.Table, name string, e ast.Expr, column string, noInherit, notValid bool) (expr.Expr, error) {
	bound, err := x.bindOver(t, "check constraints", e)
	if err != nil {
		return nil, err
	}
	cond, err := expr.ToBool(x.s.EvalContext().Settings, bound[0], "CHECK")
	if err != nil {
		return nil, err
	}
	nums := columnsOf(t, cond)
	if name == "" {
		col := column
		if col == "" && len(nums) == 1 {
			col = t.Column(nums[0]).Name
		}
		name = chooseConstraintName(t, t.Name, col, "check")
	} else if constraintNamed(t, name) {
		return nil, duplicateConstraint(t, name)
	}
	oid, err := x.newID()
	if err != nil {
		return nil, err
	}
	t.Checks = append(t.Checks, catalog.Check{Name: name, OID: oid, NoInherit: noInherit, NotValid: notValid,
		Expr: catalog.Expr{SQL: ast.Format(e), Columns: nums}})
	return cond, nil
}

func duplicateConstraint(t *catalog.Table, name string) error {
	return sqlstate.New(sqlstate.DuplicateObject, "constraint %q for relation %q already exists", name, t.Name)
}

var fkActions = map[ast.RefAction]catalog.FKAction{ast.NoAction: catalog.FKNoAction, ast.Restrict: catalog.FKRestrict,
	ast.Cascade: catalog.FKCascade, ast.SetNull: catalog.FKSetNull, ast.SetDefault: catalog.FKSetDefault}

// addForeignKey adds a FOREIGN KEY constraint to t and its mirror image to the referenced
// table, which is t itself perhaps.
func (x *statement) addForeignKey(t *catalog.Table, k *ast.TableConstraint) (*catalog.ForeignKey, error) {
	r := k.References
	nums, err := columnsByName(t, k.Columns, "foreign key")
	if err != nil {
		return nil, err
	}
	ref, own := t, false
	if r.Table.Schema == "" && r.Table.Name == t.Name || r.Table.Schema == x.schemaName(t.Schema) && r.Table.Name == t.Name {
		own = true
	} else {
		rel, err := x.coll.ResolveRelation(x.ctx, catalogName(r.Table))
		if err != nil {
			return nil, err
		}
		rt, ok := rel.(*catalog.Table)
		if !ok || rt.Materialized() {
			return nil, sqlstate.New(sqlstate.WrongObjectType, "referenced relation %q is not a table", rel.Head().Name)
		}
		if rt.ID == t.ID {
			own = true
		} else if ref, err = x.mutableTable(rt.ID); err != nil {
			return nil, err
		}
	}
	if (t.Persistence == 't') != (ref.Persistence == 't') {
		what := "permanent"
		if t.Persistence == 't' {
			what = "temporary"
		}
		return nil, sqlstate.New(sqlstate.InvalidTableDefinition, "constraints on %s tables may reference only %s tables", what, what)
	}
	fk := catalog.ForeignKey{Name: k.Name, Columns: nums, RefTable: ref.ID, OnUpdate: fkActions[r.OnUpdate], OnDelete: fkActions[r.OnDelete],
		MatchFull: r.Match == ast.MatchFull, NotValid: k.NotValid,
		Deferrable: k.Deferral.Deferrable || k.Deferral.Deferred, Deferred: k.Deferral.Deferred}
	if r.Match == ast.MatchPartial {
		return nil, unsupportedAt(r.Pos, "MATCH PARTIAL")
	}
	if fk.SetColumns, err = columnsByName(t, r.OnDeleteColumns, "foreign key"); err != nil {
		return nil, err
	}
	var target *catalog.Index
	if len(r.Columns) == 0 {
		if ref.Primary.Hidden {
			return nil, sqlstate.New(sqlstate.UndefinedObject, "there is no primary key for referenced table %q", ref.Name)
		}
		target = &ref.Primary
		for _, c := range target.Columns {
			fk.RefColumns = append(fk.RefColumns, c.Num)
		}
	} else if fk.RefColumns, err = columnsByName(ref, r.Columns, "foreign key"); err != nil {
		return nil, err
	}
	if len(fk.Columns) != len(fk.RefColumns) {
		return nil, sqlstate.New(sqlstate.InvalidForeignKey, "number of referencing and referenced columns for foreign key disagree")
	}
	if target == nil {
		if target = uniqueIndexOver(ref, fk.RefColumns); target == nil {
			return nil, sqlstate.New(sqlstate.InvalidForeignKey, "there is no unique constraint matching given keys for referenced table %q", ref.Name)
		}
	}
	fk.RefIndex = target.OID
	if k.Name == "" {
		fk.Name = chooseConstraintName(t, t.Name, columnNames(t, nums), "fkey")
	} else if constraintNamed(t, k.Name) {
		return nil, duplicateConstraint(t, k.Name)
	}
	for i, n := range nums {
		a, b := t.Column(n), ref.Column(fk.RefColumns[i])
		_, ctx, ok := types.FindCast(a.Type, b.Type)
		if a.Type.Family != b.Type.Family && !a.Type.Same(b.Type) && (!ok || ctx != types.CastImplicit) {
			return nil, sqlstate.New(sqlstate.DatatypeMismatch, "foreign key constraint %q cannot be implemented", fk.Name).
				WithDetail("Key columns %q and %q are of incompatible types: %s and %s.", a.Name, b.Name, typeName(a.Type), typeName(b.Type))
		}
	}
	if fk.OID, err = x.newID(); err != nil {
		return nil, err
	}
	t.ForeignKeys = append(t.ForeignKeys, fk)
	ref.Inbound = append(ref.Inbound, catalog.InboundKey{Table: t.ID, Constraint: fk.OID})
	if !own {
		if err := x.coll.Put(x.ctx, ref); err != nil {
			return nil, err
		}
	}
	return &t.ForeignKeys[len(t.ForeignKeys)-1], nil
}

// uniqueIndexOver returns a unique index over exactly the columns, in any order; nil if
// there is none.
func uniqueIndexOver(t *catalog.Table, nums []catalog.AttNum) *catalog.Index {
	for ix := range t.AllIndexes {
		if !ix.Unique || !ix.State.Readable() || ix.Hidden || ix.Predicate != nil || ix.Deferrable || len(ix.Columns) != len(nums) {
			continue
		}
		if !slices.ContainsFunc(ix.Columns, func(c catalog.IndexColumn) bool { return c.Num == 0 || !slices.Contains(nums, c.Num) }) {
			return ix
		}
	}
	return nil
}

func (x *statement) schemaName(id catalog.ID) string {
	if d := x.coll.ByID(id); d != nil {
		return d.Head().Name
	}
	return ""
}

// hideRowID gives t a hidden row id as its primary key.
func hideRowID(t *catalog.Table, oid catalog.ID) {
	t.Columns = append(t.Columns, catalog.Column{Num: catalog.RowIDNum, Name: catalog.RowIDName, Type: types.Int8, NotNull: true, Hidden: true})
	t.Primary = catalog.Index{ID: uint32(oid), OID: oid, Name: catalog.RowIDName, Unique: true, Hidden: true,
		Columns: []catalog.IndexColumn{{Num: catalog.RowIDNum, Type: types.Int8}}}
}
