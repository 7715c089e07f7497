package plan

import (
	"slices"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// generatedAlways is the code of a write to a generated or identity column.
const generatedAlways sqlstate.Code = "428C9"

func (b *binder) bindTopDML(out *Logical, stmt ast.Statement, returning bool) error {
	bq, err := b.dml(stmt)
	if err != nil {
		return err
	}
	if !returning {
		out.Root = bq.node
		return nil
	}
	b.finish(out, bq)
	return nil
}

// dml binds INSERT, UPDATE or DELETE; cols is nil without RETURNING.
func (b *binder) dml(stmt ast.Statement) (*boundQuery, error) {
	_, pop := b.push()
	defer pop()
	var with *ast.With
	switch s := stmt.(type) {
	case *ast.Insert:
		with = s.With
	case *ast.Update:
		with = s.With
	case *ast.Delete:
		with = s.With
	}
	if with != nil {
		// Data-modifying queries are allowed here, as at the top.
		parent := b.level.parent
		b.level.parent = nil
		err := b.with(with)
		b.level.parent = parent
		if err != nil {
			return nil, err
		}
	}
	switch s := stmt.(type) {
	case *ast.Insert:
		return b.insert(s)
	case *ast.Update:
		return b.update(s)
	case *ast.Delete:
		return b.delete(s)
	}
	return nil, sqlstate.Unsupported("%s in WITH", stmt.Tag())
}

// targetTable resolves the table that a statement writes.
func (b *binder) targetTable(te *ast.TableRef, privileges uint32) (*catalog.Table, error) {
	rel, err := b.cat.ResolveRelation(b.ctx, objectName(te.Name))
	if err != nil {
		return nil, at(err, te.Pos)
	}
	if err := b.addRelation(rel, privileges); err != nil {
		return nil, err
	}
	switch rel := rel.(type) {
	case *catalog.Table:
		if rel.Materialized() && rel.ID != b.pc.Refresh {
			return nil, sqlstate.New(sqlstate.WrongObjectType, "cannot change materialized view %q", rel.Name)
		}
		return rel, nil
	case *catalog.View:
		what := map[uint32]string{catalog.PrivInsert: "insert into", catalog.PrivUpdate: "update", catalog.PrivDelete: "delete from"}[privileges]
		return nil, errorf(sqlstate.ObjectNotInPrereqState, te.Pos, "cannot %s view %q", what, rel.Name)
	case *catalog.Sequence:
		return nil, errorf(sqlstate.WrongObjectType, te.Pos, "cannot change sequence %q", rel.Name)
	}
	return nil, errorf(sqlstate.InsufficientPrivilege, te.Pos, "permission denied for table %s", rel.Head().Name)
}

// newRow makes columns for a row of the table.
func (b *binder) newRow(r *Relation) []ColID {
	cols := make([]ColID, len(r.Table.Columns))
	for i := range r.Table.Columns {
		c := &r.Table.Columns[i]
		cols[i] = NoCol
		if !c.Dropped {
			cols[i] = b.newColumn(Column{Name: c.Name, T: c.Type, Rel: r, Ord: i})
		}
	}
	return cols
}

// rowItem makes a row's columns nameable.
func rowItem(t *catalog.Table, name string, cols []ColID, r *Relation) *nsItem {
	it := &nsItem{name: name, table: t.Name, rel: r, relVisible: true, colsVisible: true}
	for i := range t.Columns {
		if c := &t.Columns[i]; !c.Dropped && !c.Hidden {
			it.cols = append(it.cols, nsCol{name: c.Name, id: cols[i]})
		}
	}
	return it
}

// stored binds an expression of the schema over a row.
func (b *binder) stored(sql string, c clause, items ...*nsItem) (expr.Expr, error) {
	e, err := b.pc.Parser.ParseExpr(sql)
	if err != nil {
		return nil, err
	}
	oldLevel, oldCTEs := b.level, b.ctes
	b.level = &level{clause: c, aggPos: ast.NoPos, items: items}
	b.ctes = nil
	x, err := b.expr(e)
	b.level, b.ctes = oldLevel, oldCTEs
	if err != nil {
		return nil, unplaced(err)
	}
	return x, nil
}

// unplaced removes the position from an error: it is one in other text.
func unplaced(err error) error {
	if e, ok := err.(*sqlstate.Error); ok && e.ByteOffset != 0 {
		c := *e
		c.ByteOffset = 0
		return &c
	}
	return err
}

// defaultExpr is the default of a column, a NULL if it has none.
func (b *binder) defaultExpr(c *catalog.Column) (expr.Expr, error) {
	if c.Default == nil {
		return &expr.Const{T: c.Type}, nil
	}
	x, err := b.stored(c.Default.SQL, inDefault)
	if err != nil {
		return nil, err
	}
	return expr.NewAssignment(b.s, x, c.Type, c.Name)
}

// fillWrite binds the stored expressions of the target. related bounds the tables reached by foreign keys.
func (b *binder) fillWrite(w *TargetWrite, related map[catalog.ID]*TargetWrite) error {
	t := w.Rel.Table
	it := rowItem(t, t.Name, w.New, nil)
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Dropped || c.Generated == nil {
			continue
		}
		x, err := b.stored(c.Generated.SQL, inDefault, it)
		if err != nil {
			return err
		}
		if x, err = expr.NewAssignment(b.s, x, c.Type, c.Name); err != nil {
			return err
		}
		w.Generated = append(w.Generated, SetItem{Ord: i, Expr: x})
	}
	for _, k := range t.Checks {
		x, err := b.stored(k.Expr.SQL, inCheck, it)
		if err != nil {
			return err
		}
		if x, err = expr.ToBool(b.s, x, "CHECK"); err != nil {
			return err
		}
		w.Checks = append(w.Checks, Check{Name: k.Name, Expr: x})
	}
	w.IndexPreds = make([]expr.Expr, len(t.Indexes))
	w.IndexExprs = make([][]expr.Expr, len(t.Indexes))
	for i := range t.Indexes {
		x := &t.Indexes[i]
		if x.Predicate != nil {
			p, err := b.stored(x.Predicate.SQL, inIndexPred, it)
			if err != nil {
				return err
			}
			w.IndexPreds[i] = p
		}
		for j, ic := range x.Columns {
			if ic.Expr == nil {
				continue
			}
			e, err := b.stored(ic.Expr.SQL, inIndexPred, it)
			if err != nil {
				return err
			}
			if w.IndexExprs[i] == nil {
				w.IndexExprs[i] = make([]expr.Expr, len(x.Columns))
			}
			if w.IndexExprs[i][j], err = expr.NewAssignment(b.s, e, ic.Type, "index"); err != nil {
				return err
			}
		}
	}
	w.Related = related
	if related == nil {
		w.Related = make(map[catalog.ID]*TargetWrite)
	}
	w.Related[t.ID] = w
	for _, fk := range t.ForeignKeys {
		if fk.OnDelete == catalog.FKSetDefault || fk.OnUpdate == catalog.FKSetDefault {
			for _, n := range fk.Columns {
				ord := t.MustOrdinal(n)
				d, err := b.defaultExpr(&t.Columns[ord])
				if err != nil {
					return err
				}
				w.Defaults = append(w.Defaults, SetItem{Ord: ord, Expr: d})
			}
		}
		if err := b.relate(fk.RefTable, w.Related, false); err != nil {
			return err
		}
	}
	for _, in := range t.Inbound {
		if err := b.relate(in.Table, w.Related, true); err != nil {
			return err
		}
	}
	return nil
}

// relate adds a table connected by a foreign key. A referencing table may be written by an
// action, and hence needs everything.
func (b *binder) relate(id catalog.ID, related map[catalog.ID]*TargetWrite, inbound bool) error {
	if w := related[id]; w != nil && (w.New != nil || !inbound) {
		return nil
	}
	t := b.cat.Table(id)
	if t == nil {
		return sqlstate.New(sqlstate.InternalError, "foreign key refers to missing table %d", id)
	}
	if !slices.ContainsFunc(b.relations, func(r catalog.Relation) bool { return r == catalog.Relation(t) }) {
		b.relations = append(b.relations, t)
	}
	r := &Relation{ID: len(b.md.Relations), Source: t, Table: t, Alias: t.Name, RowKey: NoCol, TableOID: NoCol}
	w := &TargetWrite{Rel: r}
	related[id] = w
	if !inbound {
		return nil
	}
	w.New = b.newRow(r)
	r.Cols = w.New
	return b.fillWrite(w, related)
}

// returning binds RETURNING over the names in view; prefer is what * puts first.
func (b *binder) returning(w *TargetWrite, list []*ast.Target, items []*nsItem) ([]outCol, error) {
	if list == nil {
		return nil, nil
	}
	lv := b.level
	old := lv.items
	lv.items = items
	defer func() { lv.items = old }()
	var cols []outCol
	err := b.in(inReturning, func() error {
		ts, err := b.targets(list)
		if err != nil {
			return err
		}
		w.Returning = []Item{}
		for _, t := range ts {
			x := expr.ToKnown(b.s, t.x)
			id := NoCol
			if ref, ok := x.(*expr.ColumnRef); ok {
				src := b.md.Columns[ref.Ordinal]
				id = b.newColumn(Column{Name: t.name, T: src.T, Rel: src.Rel, Ord: src.Ord})
			} else {
				id = b.newColumn(Column{Name: t.name, T: x.Type()})
			}
			w.Returning = append(w.Returning, Item{ID: id, Expr: x})
			cols = append(cols, outCol{name: t.name, id: id})
		}
		return nil
	})
	return cols, err
}

func (b *binder) insert(s *ast.Insert) (*boundQuery, error) {
	t, err := b.targetTable(s.Table, catalog.PrivInsert)
	if err != nil {
		return nil, err
	}
	r := &Relation{ID: len(b.md.Relations), Source: t, Table: t, Alias: t.Name, RowKey: NoCol, TableOID: NoCol}
	if s.Table.Alias.Name != "" {
		r.Alias = s.Table.Alias.Name
	}
	b.md.Relations = append(b.md.Relations, r)
	ins := &Insert{TargetWrite: TargetWrite{Rel: r}}
	ins.New = b.newRow(r)
	r.Cols = ins.New
	targets, err := b.insertColumns(t, s)
	if err != nil {
		return nil, err
	}
	if err := b.insertSource(ins, t, s, targets); err != nil {
		return nil, err
	}
	if err := b.fillWrite(&ins.TargetWrite, nil); err != nil {
		return nil, err
	}
	if s.OnConflict != nil {
		if s.OnConflict.DoUpdate {
			if err := b.addRelation(t, catalog.PrivUpdate|catalog.PrivSelect); err != nil {
				return nil, err
			}
		}
		if err := b.onConflict(ins, s.OnConflict); err != nil {
			return nil, err
		}
	}
	it := rowItem(t, r.Alias, ins.New, r)
	cols, err := b.returning(&ins.TargetWrite, s.Returning, []*nsItem{it})
	if err != nil {
		return nil, err
	}
	return &boundQuery{node: ins, cols: cols}, nil
}

// insertColumns returns the table ordinals of INSERT's column list.
func (b *binder) insertColumns(t *catalog.Table, s *ast.Insert) ([]int, error) {
	var ords []int
	if len(s.Columns) == 0 {
		for i := range t.Live {
			ords = append(ords, i)
		}
		return ords, nil
	}
	for _, c := range s.Columns {
		ord, err := b.targetColumn(t, c)
		if err != nil {
			return nil, err
		}
		if c.Indirection != nil {
			return nil, at(sqlstate.Unsupported("INSERT into a part of a column"), c.Pos)
		}
		if slices.Contains(ords, ord) {
			return nil, errorf(sqlstate.DuplicateColumn, c.Pos, "column %q specified more than once", c.Name)
		}
		ords = append(ords, ord)
	}
	return ords, nil
}

func (b *binder) targetColumn(t *catalog.Table, c *ast.InsertColumn) (int, error) {
	col, ord, ok := t.ColumnByName(c.Name)
	if !ok || col.Hidden {
		return 0, errorf(sqlstate.UndefinedColumn, c.Pos, "column %q of relation %q does not exist", c.Name, t.Name)
	}
	return ord, nil
}

// partOf binds an assignment to a part of a column: the value of the whole is container with the part replaced.
func (b *binder) partOf(c *catalog.Column, col *ast.InsertColumn, container, value expr.Expr) (expr.Expr, error) {
	var indexes []ast.Index
	for _, in := range col.Indirection {
		if in.Field != "" {
			return nil, at(sqlstate.Unsupported("assignment to a field of a column"), col.Pos)
		}
		indexes = append(indexes, in.Index)
	}
	index, err := b.subscripts(indexes)
	if err != nil {
		return nil, err
	}
	x, err := expr.NewSubscriptAssign(b.s, container, value, index, c.Name)
	return x, at(err, col.Pos)
}

// insertSource binds the rows to be inserted, with a column for each table column that needs one.
func (b *binder) insertSource(ins *Insert, t *catalog.Table, s *ast.Insert, targets []int) error {
	ins.From = make([]ColID, len(t.Columns))
	for i := range ins.From {
		ins.From[i] = NoCol
	}
	var given []int // target ordinals in the order of the source's columns
	var source *boundQuery
	var rows [][]expr.Expr
	if s.Source == nil {
		rows = [][]expr.Expr{{}}
	} else if v, ok := s.Source.Body.(*ast.Values); ok && s.Source.With == nil && len(s.Source.OrderBy) == 0 && s.Source.Limit == nil && s.Source.Offset == nil {
		var err error
		if rows, err = b.insertValues(t, s, v, targets); err != nil {
			return err
		}
		given = targets[:len(v.Rows[0])]
	} else {
		var err error
		if source, err = b.query(s.Source, queryOptions{keepUnknown: true}); err != nil {
			return err
		}
		if err := checkWidth(len(source.cols), len(targets), s.Columns, s.Source.Position()); err != nil {
			return err
		}
		given = targets[:len(source.cols)]
	}
	// Defaults of the columns that were not given.
	var defaults []SetItem
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Dropped || c.Hidden || c.Generated != nil || c.Default == nil || slices.Contains(given, i) {
			continue
		}
		d, err := b.defaultExpr(c)
		if err != nil {
			return err
		}
		defaults = append(defaults, SetItem{Ord: i, Expr: d})
	}
	column := func(ord int) ColID {
		id := b.newColumn(Column{Name: t.Columns[ord].Name, T: t.Columns[ord].Type})
		ins.From[ord] = id
		return id
	}
	if source == nil {
		v := &Values{}
		for _, ord := range given {
			v.Cols = append(v.Cols, column(ord))
		}
		for _, d := range defaults {
			v.Cols = append(v.Cols, column(d.Ord))
		}
		for _, row := range rows {
			for _, d := range defaults {
				row = append(row, d.Expr)
			}
			v.Rows = append(v.Rows, row)
		}
		// Generated columns were given as DEFAULT.
		for i, c := range t.Columns {
			if c.Generated != nil {
				ins.From[i] = NoCol
			}
		}
		ins.Source = v
		return nil
	}
	p := &Project{Input: source.node}
	for i, ord := range given {
		c := &t.Columns[ord]
		if err := b.checkAssignable(c, s, false, s.Source.Position()); err != nil {
			return err
		}
		src := expr.Expr(b.md.Ref(source.cols[i].id))
		if lit := unknownSource(source.node, source.cols[i].id); lit != nil {
			src = lit
		}
		x, err := expr.NewAssignment(b.s, src, c.Type, c.Name)
		if err != nil {
			return at(err, s.Source.Position())
		}
		if c.Identity != 0 && s.Overriding == ast.OverridingUser {
			if x, err = b.defaultExpr(c); err != nil {
				return err
			}
		}
		p.Items = append(p.Items, Item{ID: column(ord), Expr: x})
	}
	for _, d := range defaults {
		p.Items = append(p.Items, Item{ID: column(d.Ord), Expr: d.Expr})
	}
	ins.Source = p
	return nil
}

func checkWidth(have, want int, columns []*ast.InsertColumn, pos ast.Pos) error {
	if have > want {
		return errorf(sqlstate.SyntaxError, pos, "INSERT has more expressions than target columns")
	}
	if len(columns) > 0 && have < want {
		return errorf(sqlstate.SyntaxError, columns[have].Pos, "INSERT has more target columns than expressions")
	}
	return nil
}

// checkAssignable refuses values for generated and identity columns.
func (b *binder) checkAssignable(c *catalog.Column, s *ast.Insert, isDefault bool, pos ast.Pos) error {
	if isDefault {
		return nil
	}
	if c.Generated != nil {
		return sqlstate.New(generatedAlways, "cannot insert a non-DEFAULT value into column %q", c.Name).
			WithDetail("Column %q is a generated column.", c.Name)
	}
	if c.Identity == 'a' && s.Overriding == ast.OverridingNone {
		return sqlstate.New(generatedAlways, "cannot insert a non-DEFAULT value into column %q", c.Name).
			WithDetail("Column %q is an identity column defined as GENERATED ALWAYS.", c.Name).
			WithHint("Use OVERRIDING SYSTEM VALUE to override.")
	}
	return nil
}

// insertValues binds the rows of INSERT ... VALUES, each value converted to its column's type.
func (b *binder) insertValues(t *catalog.Table, s *ast.Insert, v *ast.Values, targets []int) ([][]expr.Expr, error) {
	var rows [][]expr.Expr
	err := b.in(inValues, func() error {
		for _, r := range v.Rows {
			if len(r) != len(v.Rows[0]) {
				return errorf(sqlstate.SyntaxError, r[0].Position(), "VALUES lists must all be the same length")
			}
			pos := v.Pos
			if len(r) > len(targets) {
				pos = r[len(targets)].Position()
			}
			if err := checkWidth(len(r), len(targets), s.Columns, pos); err != nil {
				return err
			}
			row := make([]expr.Expr, 0, len(t.Columns))
			for i, e := range r {
				c := &t.Columns[targets[i]]
				_, isDefault := e.(*ast.Default)
				if err := b.checkAssignable(c, s, isDefault, e.Position()); err != nil {
					return err
				}
				if isDefault || c.Identity != 0 && s.Overriding == ast.OverridingUser {
					d, err := b.defaultExpr(c)
					if err != nil {
						return err
					}
					row = append(row, d)
					continue
				}
				x, err := b.expr(e)
				if err != nil {
					return err
				}
				if x, err = expr.NewAssignment(b.s, x, c.Type, c.Name); err != nil {
					return at(err, location(e))
				}
				row = append(row, x)
			}
			rows = append(rows, row)
		}
		return nil
	})
	return rows, err
}

func (b *binder) onConflict(ins *Insert, oc *ast.OnConflict) error {
	t := ins.Rel.Table
	c := &Conflict{DoUpdate: oc.DoUpdate}
	switch {
	case oc.Constraint != "":
		for x := range t.AllIndexes {
			if x.Name == oc.Constraint && x.Unique && x.Constraint != 0 && x.State.Readable() {
				c.Arbiters = append(c.Arbiters, x)
			}
		}
		if c.Arbiters == nil {
			return errorf(sqlstate.UndefinedObject, ast.NoPos, "constraint %q for table %q does not exist", oc.Constraint, t.Name)
		}
	case len(oc.Elems) > 0:
		arb, err := b.inferArbiters(ins, oc)
		if err != nil {
			return err
		}
		if c.Arbiters = arb; len(arb) == 0 {
			return errorf(sqlstate.InvalidColumnReference, ast.NoPos, "there is no unique or exclusion constraint matching the ON CONFLICT specification")
		}
	case oc.DoUpdate:
		return errorf(sqlstate.SyntaxError, oc.Pos, "ON CONFLICT DO UPDATE requires inference specification or constraint name").
			WithHint("For example, ON CONFLICT (column_name).")
	}
	if oc.DoUpdate {
		c.Existing = b.newRow(ins.Rel)
		lv := b.level
		old := lv.items
		lv.items = []*nsItem{rowItem(t, ins.Rel.Alias, c.Existing, ins.Rel), rowItem(t, "excluded", ins.New, nil)}
		// Only the target's columns may be named alone.
		err := b.in(inUpdate, func() (err error) {
			excluded := lv.items[1]
			excluded.colsVisible = false
			if c.Set, err = b.assignments(t, c.Existing, oc.Set); err != nil {
				return err
			}
			if oc.UpdateWhere != nil {
				b.level.clause = inWhere
				if c.Where, err = b.boolExpr(oc.UpdateWhere, "WHERE"); err != nil {
					return err
				}
			}
			return nil
		})
		lv.items = old
		if err != nil {
			return err
		}
	}
	ins.Conflict = c
	return nil
}

// inferArbiters finds the unique indexes over exactly the columns (or expressions) given.
func (b *binder) inferArbiters(ins *Insert, oc *ast.OnConflict) ([]*catalog.Index, error) {
	t := ins.Rel.Table
	cols := map[catalog.AttNum]bool{}
	exprs := map[string]bool{}
	it := rowItem(t, ins.Rel.Alias, ins.New, nil)
	for _, e := range oc.Elems {
		if e.Column != "" {
			c, _, found := t.ColumnByName(e.Column)
			if !found || c.Hidden {
				return nil, errorf(sqlstate.UndefinedColumn, e.Pos, "column %q does not exist", e.Column)
			}
			cols[c.Num] = true
			continue
		}
		lv := b.level
		old := lv.items
		lv.items = []*nsItem{it}
		x, err := b.expr(e.Expr)
		lv.items = old
		if err != nil {
			return nil, err
		}
		exprs[ExprKey(x)] = true
	}
	where := ""
	if oc.Where != nil {
		lv := b.level
		old := lv.items
		lv.items = []*nsItem{it}
		x, err := b.boolExpr(oc.Where, "WHERE")
		lv.items = old
		if err != nil {
			return nil, err
		}
		where = ExprKey(x)
	}
	var out []*catalog.Index
	match := func(x *catalog.Index, i int) {
		// An index that is still being built misses conflicts.
		if !x.Unique || !x.State.Readable() {
			return
		}
		if i >= 0 && ins.IndexPreds[i] != nil && ExprKey(ins.IndexPreds[i]) != where {
			return
		}
		n := 0
		for j, ic := range x.Columns {
			if ic.Expr != nil {
				if !exprs[ExprKey(ins.IndexExprs[i][j])] {
					return
				}
			} else if !cols[ic.Num] {
				return
			}
			n++
		}
		if n == len(cols)+len(exprs) {
			out = append(out, x)
		}
	}
	if !t.HasRowID() {
		match(&t.Primary, -1)
	}
	for i := range t.Indexes {
		match(&t.Indexes[i], i)
	}
	return out, nil
}

// assignments binds SET. old are the columns of the row before.
func (b *binder) assignments(t *catalog.Table, old []ColID, list []*ast.Assignment) ([]SetItem, error) {
	var out []SetItem
	parts := map[int]bool{} // columns of which parts are assigned
	add := func(col *ast.InsertColumn, value ast.Expr, x expr.Expr, pos ast.Pos) error {
		ord, err := b.targetColumn(t, col)
		if err != nil {
			return err
		}
		c := &t.Columns[ord]
		earlier := slices.IndexFunc(out, func(o SetItem) bool { return o.Ord == ord })
		if earlier >= 0 && (col.Indirection == nil || !parts[ord]) {
			return errorf(sqlstate.SyntaxError, ast.NoPos, "multiple assignments to same column %q", c.Name)
		}
		_, isDefault := value.(*ast.Default)
		if !isDefault {
			if c.Generated != nil {
				return errorf(generatedAlways, ast.NoPos, "column %q can only be updated to DEFAULT", c.Name).
					WithDetail("Column %q is a generated column.", c.Name)
			}
			if c.Identity == 'a' {
				return errorf(generatedAlways, ast.NoPos, "column %q can only be updated to DEFAULT", c.Name).
					WithDetail("Column %q is an identity column defined as GENERATED ALWAYS.", c.Name)
			}
		}
		switch {
		case isDefault && c.Generated != nil:
			return nil
		case isDefault:
			if x, err = b.defaultExpr(c); err != nil {
				return err
			}
		case x == nil:
			if x, err = b.expr(value); err != nil {
				return err
			}
		}
		if col.Indirection != nil {
			container := expr.Expr(b.ref(old[ord], ast.NoPos))
			if earlier >= 0 {
				container = out[earlier].Expr
			}
			if x, err = b.partOf(c, col, container, x); err != nil {
				return err
			}
			parts[ord] = true
			if earlier >= 0 {
				out[earlier].Expr = x
				return nil
			}
			out = append(out, SetItem{Ord: ord, Expr: x})
			return nil
		}
		x, err = expr.NewAssignment(b.s, x, c.Type, c.Name)
		if err != nil {
			return at(err, pos)
		}
		out = append(out, SetItem{Ord: ord, Expr: x})
		return nil
	}
	for _, a := range list {
		if !a.Multi {
			if err := add(a.Columns[0], a.Value, nil, location(a.Value)); err != nil {
				return nil, err
			}
			continue
		}
		switch v := a.Value.(type) {
		case *ast.Row:
			if len(v.Elems) != len(a.Columns) {
				return nil, errorf(sqlstate.SyntaxError, v.Pos, "number of columns does not match number of values")
			}
			for i, col := range a.Columns {
				if err := add(col, v.Elems[i], nil, location(v.Elems[i])); err != nil {
					return nil, err
				}
			}
		case *ast.Subquery:
			sp, bq, err := b.subplan(v.Query)
			if err != nil {
				return nil, err
			}
			if len(bq.cols) != len(a.Columns) {
				return nil, errorf(sqlstate.SyntaxError, v.Pos, "number of columns does not match number of values")
			}
			rec := b.rowValue(sp, bq)
			for i, col := range a.Columns {
				x := &expr.FieldSelect{Arg: rec, Index: i, T: rec.T.Fields[i].Type, Name: rec.T.Fields[i].Name}
				if err := add(col, nil, x, v.Pos); err != nil {
					return nil, err
				}
			}
		default:
			return nil, errorf(sqlstate.FeatureNotSupported, a.Value.Position(), "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression")
		}
	}
	return out, nil
}

func (b *binder) update(s *ast.Update) (*boundQuery, error) {
	t, err := b.targetTable(s.Table, catalog.PrivUpdate)
	if err != nil {
		return nil, err
	}
	r, it := b.newRelation(t, s.Table)
	b.rowKey(r)
	up := &Update{TargetWrite: TargetWrite{Rel: r}}
	node, err := b.dmlSource(&Scan{Rel: r}, it, s.From)
	if err != nil {
		return nil, err
	}
	if err := b.in(inUpdate, func() (err error) {
		up.Set, err = b.assignments(t, r.Cols, s.Set)
		return err
	}); err != nil {
		return nil, err
	}
	if up.Source, err = b.dmlWhere(node, s.Where); err != nil {
		return nil, err
	}
	up.New = b.newRow(r)
	if err := b.fillWrite(&up.TargetWrite, nil); err != nil {
		return nil, err
	}
	items := append([]*nsItem{rowItem(t, r.Alias, up.New, r)}, b.level.items[1:]...)
	cols, err := b.returning(&up.TargetWrite, s.Returning, items)
	if err != nil {
		return nil, err
	}
	return &boundQuery{node: up, cols: cols}, nil
}

// dmlSource joins the target with FROM or USING.
func (b *binder) dmlSource(scan Node, it *nsItem, from []ast.TableExpr) (Node, error) {
	lv := b.level
	lv.items = []*nsItem{it}
	if len(from) == 0 {
		return scan, nil
	}
	node, err := b.from(from)
	if err != nil {
		return nil, err
	}
	return &Join{Kind: InnerJoin, Left: scan, Right: node}, nil
}

func (b *binder) dmlWhere(node Node, where ast.Expr) (Node, error) {
	if where == nil {
		return node, nil
	}
	var out Node
	err := b.in(inWhere, func() error {
		x, err := b.boolExpr(where, "WHERE")
		out = &Filter{Input: node, Conds: expr.Conjuncts(x)}
		return err
	})
	return out, err
}

func (b *binder) delete(s *ast.Delete) (*boundQuery, error) {
	t, err := b.targetTable(s.Table, catalog.PrivDelete)
	if err != nil {
		return nil, err
	}
	r, it := b.newRelation(t, s.Table)
	b.rowKey(r)
	del := &Delete{TargetWrite: TargetWrite{Rel: r, New: r.Cols}}
	node, err := b.dmlSource(&Scan{Rel: r}, it, s.Using)
	if err != nil {
		return nil, err
	}
	if del.Source, err = b.dmlWhere(node, s.Where); err != nil {
		return nil, err
	}
	if err := b.fillWrite(&del.TargetWrite, nil); err != nil {
		return nil, err
	}
	cols, err := b.returning(&del.TargetWrite, s.Returning, b.level.items)
	if err != nil {
		return nil, err
	}
	return &boundQuery{node: del, cols: cols}, nil
}
