package plan

import (
	"strings"

	"slices"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// keySettings print constants in keys of expressions.
var keySettings = types.DefaultSettings()

// from binds a FROM list into a cross product; names become visible in the present
// level. A nil result is an empty list.
func (b *binder) from(list []ast.TableExpr) (Node, error) {
	var node Node
	lv := b.level
	for _, te := range list {
		// LATERAL items see those to their left.
		n, items, err := b.tableExpr(te, lv.items)
		if err != nil {
			return nil, err
		}
		if err := checkAliases(append(lv.items[:len(lv.items):len(lv.items)], items...), te.Position()); err != nil {
			return nil, err
		}
		lv.items = append(lv.items, items...)
		if node == nil {
			node = n
		} else {
			node = &Join{Kind: InnerJoin, Left: node, Right: n}
		}
	}
	return node, nil
}

func checkAliases(items []*nsItem, pos ast.Pos) error {
	for i, it := range items {
		if !it.relVisible || it.name == "" {
			continue
		}
		for _, o := range items[:i] {
			if o.relVisible && o.name == it.name && (o.schema == it.schema || o.rel == nil || it.rel == nil || o.name != o.table || it.name != it.table) {
				return sqlstate.New(sqlstate.DuplicateAlias, "table name %q specified more than once", it.name)
			}
		}
	}
	return nil
}

// tableExpr binds one FROM item; left are the items that a LATERAL one may refer to.
func (b *binder) tableExpr(te ast.TableExpr, left []*nsItem) (Node, []*nsItem, error) {
	switch te := te.(type) {
	case *ast.TableRef:
		return b.tableRef(te)
	case *ast.SubqueryTable:
		return b.subqueryTable(te, left)
	case *ast.FuncTable:
		return b.funcTable(te, left)
	case *ast.Join:
		return b.join(te, left)
	}
	return nil, nil, sqlstate.Unsupported("FROM item %T", te)
}

func objectName(n ast.ObjectName) catalog.Name {
	return catalog.Name{Database: n.Catalog, Schema: n.Schema, Name: n.Name, Offset: int(n.Pos)}
}

func (b *binder) tableRef(te *ast.TableRef) (Node, []*nsItem, error) {
	if te.Name.Schema == "" && te.Name.Catalog == "" {
		if e := b.findCTE(te.Name.Name); e != nil {
			return b.cteRef(e, te)
		}
	}
	rel, err := b.cat.ResolveRelation(b.ctx, objectName(te.Name))
	if err != nil {
		return nil, nil, at(err, te.Pos)
	}
	if err := b.addRelation(rel, catalog.PrivSelect); err != nil {
		return nil, nil, err
	}
	if b.pc.Notes != nil {
		b.pc.Notes.Relations[te] = rel
	}
	if te.Sample != nil {
		// The sampling methods are honoured only where they keep everything.
		if n, ok := onlyNumber(te.Sample.Args); !ok || n != "100" {
			return nil, nil, at(sqlstate.Unsupported("TABLESAMPLE"), te.Sample.Pos)
		}
	}
	if v, ok := rel.(*catalog.View); ok {
		return b.viewRef(v, te)
	}
	if t, ok := rel.(*catalog.Table); ok && t.Materialized() {
		if t.ID == b.pc.Refresh {
			return b.viewRef(t.AsView(), te)
		}
		if !t.Populated {
			return nil, nil, sqlstate.New(sqlstate.ObjectNotInPrereqState, "materialized view %q has not been populated", t.Name).
				WithHint("Use the REFRESH MATERIALIZED VIEW command.")
		}
	}
	r, it := b.newRelation(rel, te)
	return &Scan{Rel: r}, []*nsItem{it}, b.aliasColumns(it, te.Alias)
}

func onlyNumber(args []ast.Expr) (string, bool) {
	if len(args) != 1 {
		return "", false
	}
	n, ok := args[0].(*ast.Number)
	if !ok {
		return "", false
	}
	return n.Text, true
}

// newRelation adds a use of a table to the statement.
func (b *binder) newRelation(rel catalog.Relation, te *ast.TableRef) (*Relation, *nsItem) {
	h := rel.Head()
	r := &Relation{ID: len(b.md.Relations), Source: rel, Alias: h.Name, RowKey: NoCol, TableOID: NoCol}
	r.Table, _ = rel.(*catalog.Table)
	it := &nsItem{name: h.Name, schema: te.Name.Schema, table: h.Name, rel: r, relVisible: true, colsVisible: true}
	if te.Alias.Name != "" {
		r.Alias, it.name = te.Alias.Name, te.Alias.Name
	}
	cols := rel.Cols()
	r.Cols = make([]ColID, len(cols))
	for i := range cols {
		c := &cols[i]
		r.Cols[i] = NoCol
		if c.Dropped {
			continue
		}
		r.Cols[i] = b.newColumn(Column{Name: c.Name, T: c.Type, Rel: r, Ord: i, NotNull: c.NotNull || c.Hidden})
		if !c.Hidden {
			it.cols = append(it.cols, nsCol{name: c.Name, id: r.Cols[i]})
		}
	}
	b.md.Relations = append(b.md.Relations, r)
	b.indexPredicates(r)
	return r, it
}

// indexPredicates binds the predicates of partial indexes over the relation's columns. An index whose
// predicate cannot be bound is not used.
func (b *binder) indexPredicates(r *Relation) {
	if r.Table == nil {
		return
	}
	for i := range r.Table.Indexes {
		x := &r.Table.Indexes[i]
		if x.Predicate == nil || !x.State.Readable() {
			continue
		}
		p, err := b.stored(x.Predicate.SQL, inIndexPred, rowItem(r.Table, r.Table.Name, r.Cols, nil))
		if err != nil {
			continue
		}
		if r.IndexPredicates == nil {
			r.IndexPredicates = make(map[uint32]expr.Expr)
		}
		r.IndexPredicates[x.ID] = p
	}
}

// rowKey makes the row key of a relation part of its columns.
func (b *binder) rowKey(r *Relation) ColID {
	if r.RowKey == NoCol {
		r.RowKey = b.newColumn(Column{Name: "rowkey", T: types.Bytea, Rel: r, Ord: RowKeyOrd, NotNull: true})
	}
	return r.RowKey
}

// aliasColumns renames the columns of an item.
func (b *binder) aliasColumns(it *nsItem, a ast.Alias) error {
	if len(a.Columns) > len(it.cols) {
		return errorf(sqlstate.InvalidColumnReference, ast.NoPos, "table %q has %d columns available but %d columns specified", it.name, len(it.cols), len(a.Columns))
	}
	for i, n := range a.Columns {
		it.cols[i].name = n.Text
	}
	return nil
}

// isSecurityInvoker reports whether the relations of a view are used with the rights of
// who uses the view, and not with its owner's.
func isSecurityInvoker(v *catalog.View) bool {
	for _, o := range v.Options {
		if o.Name == "security_invoker" {
			switch strings.ToLower(o.Value) {
			case "", "true", "on", "yes", "1":
				return true
			}
		}
	}
	return false
}

// viewRef binds a view as the subquery that it stands for.
func (b *binder) viewRef(v *catalog.View, te *ast.TableRef) (Node, []*nsItem, error) {
	if b.viewDepth >= maxViewDepth {
		return nil, nil, errorf(sqlstate.InvalidObjectDefinition, te.Pos, "infinite recursion detected in rules for relation %q", v.Name)
	}
	q, err := b.pc.Parser.ParseQuery(v.Query)
	if err != nil {
		return nil, nil, err
	}
	oldLevel, oldCTEs, oldCat := b.level, b.ctes, b.cat
	b.level, b.ctes = nil, nil
	b.viewDepth++
	oldRights := b.ownerRights
	b.ownerRights = oldRights || !isSecurityInvoker(v)
	if b.pc.ViewCatalog != nil {
		b.cat = b.pc.ViewCatalog(v.SearchPath)
	}
	bq, err := b.query(q, queryOptions{})
	b.level, b.ctes, b.cat = oldLevel, oldCTEs, oldCat
	b.viewDepth--
	b.ownerRights = oldRights
	if err != nil {
		return nil, nil, err
	}
	node, it := b.derived(bq, nil)
	it.name, it.table, it.schema = v.Name, v.Name, te.Name.Schema
	for i := range it.cols {
		if i < len(v.Columns) {
			it.cols[i].name = v.Columns[i].Name
		}
	}
	if te.Alias.Name != "" {
		it.name = te.Alias.Name
	}
	return node, []*nsItem{it}, b.aliasColumns(it, te.Alias)
}

// derived makes a bound query a FROM item: its columns now belong to the present level.
func (b *binder) derived(bq *boundQuery, alias *ast.Alias) (Node, *nsItem) {
	it := &nsItem{relVisible: true, colsVisible: true}
	node := bq.node
	var items []Item
	for _, c := range bq.cols {
		id := c.id
		// A column that appears twice, or belongs to an outer query, gets an identity of its own here.
		nid := b.newColumn(Column{Name: c.name, T: b.md.Columns[id].T, Rel: b.md.Columns[id].Rel, Ord: b.md.Columns[id].Ord, NotNull: b.md.Columns[id].NotNull})
		if b.md.Columns[id].Ord < 0 {
			b.md.Columns[nid].Rel = nil
		}
		items = append(items, Item{ID: nid, Expr: b.md.Ref(id)})
		it.cols = append(it.cols, nsCol{name: c.name, id: nid})
	}
	if alias != nil {
		it.name = alias.Name
	}
	return &Project{Input: node, Items: items}, it
}

func (b *binder) subqueryTable(te *ast.SubqueryTable, left []*nsItem) (Node, []*nsItem, error) {
	if te.Alias.Name == "" {
		hint := "For example, FROM (SELECT ...) [AS] foo."
		what := "subquery in FROM must have an alias"
		if _, ok := te.Query.Body.(*ast.Values); ok {
			what, hint = "VALUES in FROM must have an alias", "For example, FROM (VALUES ...) [AS] foo."
		}
		return nil, nil, errorf(sqlstate.SyntaxError, te.Pos, "%s", what).WithHint("%s", hint)
	}
	var bq *boundQuery
	err := b.withLateral(te.Lateral, left, func() (err error) {
		bq, err = b.query(te.Query, queryOptions{})
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	node, it := b.derived(bq, &te.Alias)
	return node, []*nsItem{it}, b.aliasColumns(it, te.Alias)
}

// withLateral binds a FROM item: the items of its own level are invisible to it, except those to the left if
// it is LATERAL.
func (b *binder) withLateral(lateral bool, left []*nsItem, fn func() error) error {
	lv := b.level
	oldItems, oldLateral := lv.items, lv.lateral
	if !lateral {
		left = nil
		lv.lateral = nil
	}
	lv.items = left
	err := fn()
	lv.items, lv.lateral = oldItems, oldLateral
	return err
}

func (b *binder) funcTable(te *ast.FuncTable, left []*nsItem) (Node, []*nsItem, error) {
	fs := &FuncScan{Ordinality: NoCol}
	it := &nsItem{relVisible: true, colsVisible: true}
	// Functions in FROM are always lateral.
	err := b.withLateral(true, left, func() error {
		return b.in(inFrom, func() error {
			for _, f := range te.Funcs {
				defs := f.ColumnDefs
				if defs == nil {
					defs = te.ColumnDefs
				}
				if err := b.funcItem(fs, it, f.Func, defs, te); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return nil, nil, err
	}
	if te.Ordinality {
		fs.Ordinality = b.newColumn(Column{Name: "ordinality", T: types.Int8, NotNull: true})
		it.cols = append(it.cols, nsCol{name: "ordinality", id: fs.Ordinality})
		it.scalar = false
	}
	if it.name == "" {
		it.name = outputName(te.Funcs[0].Func)
	}
	if te.Alias.Name != "" {
		if len(te.Funcs) == 1 && len(fs.Funcs) == 1 && len(fs.Funcs[0].Cols) == 1 && isScalarFunc(fs.Funcs[0]) {
			it.cols[0].name = te.Alias.Name
		}
		it.name = te.Alias.Name
	}
	it.table = it.name
	fs.Alias = it.name
	return fs, []*nsItem{it}, b.aliasColumns(it, te.Alias)
}

func isScalarFunc(f FuncItem) bool {
	c, ok := f.Call.(*expr.Call)
	return !ok || len(c.Fn.RetFields) == 0 && c.T.Family != types.FamRecord
}

// funcItem adds one function of a FROM item; unnest with several arguments becomes several.
func (b *binder) funcItem(fs *FuncScan, it *nsItem, e ast.Expr, defs []ast.ColumnType, te *ast.FuncTable) error {
	fc, isCall := e.(*ast.FuncCall)
	if isCall && fc.Name.Name == "unnest" && len(fc.Args) > 1 {
		for _, a := range fc.Args {
			one := *fc
			one.Args = []ast.Expr{a}
			if err := b.funcItem(fs, it, &one, nil, te); err != nil {
				return err
			}
		}
		it.scalar = false
		return nil
	}
	var x expr.Expr
	var err error
	if isCall && b.kindOf(fc) == expr.SetFunction {
		var args []expr.Expr
		var opt expr.CallOptions
		if args, opt, err = b.callArgs(fc); err == nil {
			x, err = b.pc.Registry.Call(b.s, fc.Name.Name, args, opt)
			err = at(err, fc.Pos)
		}
	} else {
		x, err = b.expr(e)
		if err == nil {
			x = expr.ToKnown(b.s, x)
		}
	}
	if err != nil {
		return err
	}
	item := FuncItem{Call: x}
	name := outputName(e)
	add := func(name string, t *types.T) {
		id := b.newColumn(Column{Name: name, T: t})
		item.Cols = append(item.Cols, id)
		it.cols = append(it.cols, nsCol{name: name, id: id})
	}
	t := x.Type()
	switch {
	case len(defs) > 0:
		if t.OID != types.OIDRecord {
			return errorf(sqlstate.SyntaxError, te.Pos, "a column definition list is only allowed for functions returning \"record\"")
		}
		fields := make([]types.Field, len(defs))
		for i, d := range defs {
			ct, err := ResolveType(b.ctx, b.cat, d.Type)
			if err != nil {
				return err
			}
			fields[i] = types.Field{Name: d.Name, Type: ct}
			add(d.Name, ct)
		}
		// The function learns the shape of its record from the call's type.
		if c, ok := x.(*expr.Call); ok {
			nc := *c
			nc.T = types.NewRecord(fields)
			item.Call = &nc
		}
	case t.Family == types.FamRecord && len(t.Fields) > 0:
		for _, f := range t.Fields {
			add(f.Name, f.Type)
		}
	case t.OID == types.OIDRecord:
		return errorf(sqlstate.SyntaxError, te.Pos, "a column definition list is required for functions returning \"record\"")
	default:
		if c, ok := x.(*expr.Call); ok && len(c.Fn.RetFields) == 1 {
			name = c.Fn.RetFields[0].Name
		}
		item.Whole = true
		add(name, t)
		it.scalar = len(te.Funcs) == 1
	}
	fs.Funcs = append(fs.Funcs, item)
	return nil
}

func (b *binder) join(te *ast.Join, left []*nsItem) (Node, []*nsItem, error) {
	ln, litems, err := b.tableExpr(te.Left, left)
	if err != nil {
		return nil, nil, err
	}
	// The right side may refer to the left by LATERAL, except under RIGHT and FULL joins.
	rn, ritems, err := b.tableExpr(te.Right, append(left[:len(left):len(left)], litems...))
	if err != nil {
		return nil, nil, err
	}
	items := append(litems[:len(litems):len(litems)], ritems...)
	if err := checkAliases(items, te.Pos); err != nil {
		return nil, nil, err
	}
	if te.Kind == ast.RightJoin || te.Kind == ast.FullJoin {
		lcols := SetOf(ln.Columns(nil))
		for id := range FreeColumns(rn) {
			if lcols.Has(id) {
				return nil, nil, errorf(sqlstate.InvalidColumnReference, te.Pos, "invalid reference to FROM-clause entry for table %q", litems[0].name).
					WithDetail("The combining JOIN type must be INNER or LEFT for a LATERAL reference.")
			}
		}
	}
	j := &Join{Left: ln, Right: rn}
	switch te.Kind {
	case ast.LeftJoin:
		j.Kind = LeftJoin
	case ast.RightJoin:
		j.Kind = RightJoin
	case ast.FullJoin:
		j.Kind = FullJoin
	}
	var node Node = j
	joined := &nsItem{colsVisible: true}
	using := te.Using
	if te.Natural {
		for _, lc := range visibleCols(litems) {
			for _, rc := range visibleCols(ritems) {
				if lc.name == rc.name && !slices.ContainsFunc(using, func(n ast.Name) bool { return n.Text == lc.name }) {
					using = append(using[:len(using):len(using)], ast.Name{Pos: te.Pos, Text: lc.name})
				}
			}
		}
	}
	if len(using) > 0 || te.Natural {
		node, err = b.joinUsing(j, using, litems, ritems, joined)
	} else {
		joined.cols = append(visibleCols(litems), visibleCols(ritems)...)
		if te.On != nil {
			err = b.joinOn(j, te.On, items, left)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	for _, it := range items {
		it.colsVisible = false
	}
	out := items
	if te.UsingAlias != "" {
		alias := &nsItem{name: te.UsingAlias, relVisible: true}
		alias.cols = joined.cols[:len(using)]
		out = append(out, alias)
	}
	if te.Alias.Name != "" {
		joined.name, joined.relVisible = te.Alias.Name, true
		if err := b.aliasColumns(joined, te.Alias); err != nil {
			return nil, nil, err
		}
		// (a JOIN b) AS x hides a and b.
		return node, []*nsItem{joined}, nil
	}
	return node, append(out, joined), nil
}

// visibleCols returns the columns that are visible without qualification.
func visibleCols(items []*nsItem) []nsCol {
	var cols []nsCol
	for _, it := range items {
		if it.colsVisible {
			cols = append(cols, it.cols...)
		}
	}
	return cols
}

// joinOn binds an ON condition: it sees the two sides and, through LATERAL, what the join itself sees.
func (b *binder) joinOn(j *Join, on ast.Expr, items, left []*nsItem) error {
	lv := b.level
	oldItems, oldLateral := lv.items, lv.lateral
	lv.items, lv.lateral = items, nil
	err := b.in(inJoinOn, func() error {
		x, err := b.boolExpr(on, "JOIN/ON")
		if err != nil {
			return err
		}
		j.On = expr.Conjuncts(x)
		return nil
	})
	lv.items, lv.lateral = oldItems, oldLateral
	return err
}

func (b *binder) joinUsing(j *Join, using []ast.Name, litems, ritems []*nsItem, joined *nsItem) (Node, error) {
	lcols, rcols := visibleCols(litems), visibleCols(ritems)
	find := func(cols []nsCol, n ast.Name, side string) (int, error) {
		at := -1
		for i, c := range cols {
			if c.name == n.Text {
				if at >= 0 {
					return 0, errorf(sqlstate.AmbiguousColumn, n.Pos, "common column name %q appears more than once in %s table", n.Text, side)
				}
				at = i
			}
		}
		if at < 0 {
			return 0, errorf(sqlstate.UndefinedColumn, ast.NoPos, "column %q specified in USING clause does not exist in %s table", n.Text, side)
		}
		return at, nil
	}
	usedL, usedR := make(map[int]bool), make(map[int]bool)
	var extra []Item
	for _, n := range using {
		li, err := find(lcols, n, "left")
		if err != nil {
			return nil, err
		}
		ri, err := find(rcols, n, "right")
		if err != nil {
			return nil, err
		}
		usedL[li], usedR[ri] = true, true
		l, r := b.ref(lcols[li].id, n.Pos), b.ref(rcols[ri].id, n.Pos)
		t, err := expr.CommonType("JOIN/USING", []expr.Expr{l, r})
		if err != nil {
			return nil, at(err, n.Pos)
		}
		eq, err := b.op("=", l, r, n.Pos)
		if err != nil {
			return nil, err
		}
		j.On = append(j.On, eq)
		merged, err := b.coerceAll("JOIN/USING", []expr.Expr{l, r}, t, n.Pos)
		if err != nil {
			return nil, err
		}
		var m expr.Expr
		switch j.Kind {
		case FullJoin:
			m = &expr.Coalesce{Args: merged, T: t}
		case RightJoin:
			m = merged[1]
		default:
			m = merged[0]
		}
		id := NoCol
		if ref, ok := m.(*expr.ColumnRef); ok {
			id = ColID(ref.Ordinal)
		} else {
			id = b.newColumn(Column{Name: n.Text, T: t})
			extra = append(extra, Item{ID: id, Expr: m})
		}
		joined.cols = append(joined.cols, nsCol{name: n.Text, id: id})
	}
	for i, c := range lcols {
		if !usedL[i] {
			joined.cols = append(joined.cols, c)
		}
	}
	for i, c := range rcols {
		if !usedR[i] {
			joined.cols = append(joined.cols, c)
		}
	}
	if len(extra) == 0 {
		return j, nil
	}
	p := &Project{Input: j}
	for _, id := range j.Columns(nil) {
		p.Items = append(p.Items, Item{ID: id, Expr: b.md.Ref(id)})
	}
	p.Items = append(p.Items, extra...)
	return p, nil
}

// starItem finds the FROM item of t.*.
func (b *binder) starItem(s *ast.Star) (*nsItem, error) {
	schema, name := "", s.Parts[len(s.Parts)-1]
	if len(s.Parts) > 1 {
		schema = s.Parts[len(s.Parts)-2]
	}
	it := b.findItem(schema, name)
	if it == nil {
		return nil, b.errNoItem(schema, name, s.Pos)
	}
	return it, nil
}

// expandStar returns the columns of * or t.*.
func (b *binder) expandStar(s *ast.Star) ([]nsCol, error) {
	if len(s.Parts) > 0 {
		it, err := b.starItem(s)
		if err != nil {
			return nil, err
		}
		b.noteStar(s, it.cols)
		return it.cols, nil
	}
	if len(b.level.items) == 0 {
		return nil, errorf(sqlstate.SyntaxError, s.Pos, "SELECT * with no tables specified is not valid")
	}
	cols := visibleCols(b.level.items)
	b.noteStar(s, cols)
	return cols, nil
}
