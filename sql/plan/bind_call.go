package plan

import (
	"slices"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// call binds a function call of any kind. An aggregate, window or set-returning call is put in the
// query level's lists, and a reference to its result column takes its place.
func (b *binder) call(e *ast.FuncCall) (expr.Expr, error) {
	switch e.Name.Schema {
	case "", "pg_catalog", "public", "information_schema":
	default:
		_, err := b.cat.ResolveRelation(b.ctx, catalog.Name{Schema: e.Name.Schema, Name: e.Name.Name})
		if sqlstate.CodeOf(err) == sqlstate.InvalidSchemaName {
			return nil, at(err, e.Pos)
		}
		return nil, errorf(sqlstate.UndefinedFunction, e.Pos, "function %s.%s does not exist", e.Name.Schema, e.Name.Name)
	}
	if x, done, err := b.wholeRowField(e); done || err != nil {
		return x, err
	}
	kind := b.kindOf(e)
	lv := b.level
	switch kind {
	case expr.AggregateFunction:
		if e.Over == nil {
			return b.aggregate(e)
		}
		return b.windowCall(e)
	case expr.WindowFunction:
		if e.Over == nil {
			return nil, errorf(sqlstate.WrongObjectType, e.Pos, "window function %s requires an OVER clause", e.Name.Name)
		}
		return b.windowCall(e)
	}
	if e.Over != nil && len(b.pc.Registry.Functions(e.Name.Name)) > 0 {
		return nil, errorf(sqlstate.WrongObjectType, e.Pos, "OVER specified, but %s is not a window function nor an aggregate function", e.Name.Name)
	}
	if (e.Distinct || e.Filter != nil || len(e.OrderBy) > 0 || e.WithinGroup) && len(b.pc.Registry.Functions(e.Name.Name)) > 0 {
		what := "FILTER"
		switch {
		case e.Distinct:
			what = "DISTINCT"
		case e.WithinGroup:
			what = "WITHIN GROUP"
		case len(e.OrderBy) > 0:
			what = "ORDER BY"
		}
		return nil, errorf(sqlstate.WrongObjectType, e.Pos, "%s specified, but %s is not an aggregate function", what, e.Name.Name)
	}
	if kind == expr.SetFunction {
		lv.setDeep++
	}
	args, opt, err := b.callArgs(e)
	if kind == expr.SetFunction {
		lv.setDeep--
	}
	if err != nil {
		return nil, err
	}
	x, err := b.pc.Registry.Call(b.s, e.Name.Name, args, opt)
	if err != nil {
		return nil, at(err, e.Pos)
	}
	if c, ok := x.(*expr.Call); ok && c.Fn.Kind == expr.SetFunction {
		b.noteCall(e, c)
		return b.setCall(c, e.Pos)
	}
	return x, nil
}

// kindOf is the kind of the functions with the name; overloads do not mix kinds.
func (b *binder) kindOf(e *ast.FuncCall) expr.FunctionKind {
	kind := expr.ScalarFunction
	for _, f := range b.pc.Registry.Functions(e.Name.Name) {
		if e.WithinGroup && f.Kind == expr.AggregateFunction {
			return f.Kind // rank and its like are window functions, too
		}
		if f.Kind != expr.ScalarFunction {
			kind = f.Kind
		}
	}
	return kind
}

// wholeRowField is f(t) for t.f, PostgreSQL's functional notation for columns.
func (b *binder) wholeRowField(e *ast.FuncCall) (expr.Expr, bool, error) {
	if len(e.Args) != 1 || e.Name.Schema != "" || len(b.pc.Registry.Functions(e.Name.Name)) > 0 {
		return nil, false, nil
	}
	ref, ok := e.Args[0].(*ast.ColumnRef)
	if !ok || len(ref.Parts) != 1 {
		return nil, false, nil
	}
	it := b.findItem("", ref.Parts[0])
	if it == nil {
		return nil, false, nil
	}
	id, n := it.find(e.Name.Name)
	if n != 1 {
		return nil, false, nil
	}
	return b.ref(id, e.Pos), true, nil
}

func (b *binder) callArgs(e *ast.FuncCall) ([]expr.Expr, expr.CallOptions, error) {
	opt := expr.CallOptions{Variadic: e.Variadic, Star: e.Star}
	var args []expr.Expr
	for _, a := range e.Args {
		switch a := a.(type) {
		case *ast.NamedArg:
			if slices.Contains(opt.ArgNames, a.Name) {
				return nil, opt, errorf(sqlstate.SyntaxError, a.Pos, "argument name %q used more than once", a.Name)
			}
			if opt.ArgNames == nil {
				opt.ArgNames = make([]string, len(args))
			}
			x, err := b.expr(a.Value)
			if err != nil {
				return nil, opt, err
			}
			opt.ArgNames = append(opt.ArgNames, a.Name)
			args = append(args, x)
		case *ast.Star:
			if len(a.Parts) == 0 {
				return nil, opt, errorf(sqlstate.SyntaxError, a.Pos, "syntax error at or near \"*\"")
			}
			it, err := b.starItem(a)
			if err != nil {
				return nil, opt, err
			}
			args = append(args, b.wholeRow(it, a.Pos))
		default:
			if opt.ArgNames != nil {
				return nil, opt, errorf(sqlstate.SyntaxError, a.Position(), "positional argument cannot follow named argument")
			}
			x, err := b.expr(a)
			if err != nil {
				return nil, opt, err
			}
			args = append(args, x)
		}
	}
	return args, opt, nil
}

// setCall registers a set-returning call of the select list.
func (b *binder) setCall(c *expr.Call, pos ast.Pos) (expr.Expr, error) {
	lv := b.level
	switch {
	case lv.clause.noSet:
		return nil, errorf(sqlstate.FeatureNotSupported, pos, "set-returning functions are not allowed in %s", lv.clause.name)
	case lv.inAgg:
		return nil, errorf(sqlstate.FeatureNotSupported, pos, "aggregate function calls cannot contain set-returning function calls").
			WithHint("You might be able to move the set-returning function into a LATERAL FROM item.")
	case lv.inWindow:
		return nil, errorf(sqlstate.FeatureNotSupported, pos, "window function calls cannot contain set-returning function calls").
			WithHint("You might be able to move the set-returning function into a LATERAL FROM item.")
	}
	id := b.newColumn(Column{Name: c.Fn.Name, T: c.T})
	for len(lv.sets) <= lv.setDeep {
		lv.sets = append(lv.sets, nil)
	}
	lv.sets[lv.setDeep] = append(lv.sets[lv.setDeep], FuncItem{Call: c, Cols: []ColID{id}, Whole: true})
	return b.ref(id, pos), nil
}

// aggregate binds a plain aggregate call.
func (b *binder) aggregate(e *ast.FuncCall) (expr.Expr, error) {
	lv := b.level
	switch {
	case len(e.Args) == 0 && !e.Star && !e.WithinGroup && e.Name.Name == "count":
		return nil, errorf(sqlstate.WrongObjectType, e.Pos, "count(*) must be used to call a parameterless aggregate function")
	case lv.inAgg && lv.clause.name == inFilter.name:
		return nil, errorf(sqlstate.GroupingError, e.Pos, "aggregate functions are not allowed in FILTER")
	case lv.inAgg:
		return nil, errorf(sqlstate.GroupingError, e.Pos, "aggregate function calls cannot be nested")
	}
	lv.inAgg = true
	ac, err := b.aggCall(e)
	lv.inAgg = false
	if err != nil {
		return nil, err
	}
	// The aggregate belongs to the innermost level whose columns it uses.
	target := b.aggLevel(ac)
	if target.clause.noAgg {
		return nil, errorf(sqlstate.GroupingError, e.Pos, "aggregate functions are not allowed in %s", target.clause.name)
	}
	target.hasAggs = true
	if target.aggPos == ast.NoPos {
		target.aggPos = e.Pos
	}
	key := aggKey(ac)
	if id, ok := target.aggKeys[key]; ok {
		return b.ref(id, ast.NoPos), nil
	}
	id := b.newColumn(Column{Name: e.Name.Name, T: ac.Call.T})
	b.owner[id] = target
	if target.aggKeys == nil {
		target.aggKeys = make(map[string]ColID)
	}
	if expr.VolatilityOf(&expr.ArrayExpr{Elems: ac.Call.Args}) != expr.Volatile {
		target.aggKeys[key] = id
	}
	target.aggs = append(target.aggs, AggItem{ID: id, Call: ac})
	return b.ref(id, ast.NoPos), nil
}

// aggLevel finds the query level that an aggregate belongs to.
func (b *binder) aggLevel(ac *AggCall) *level {
	depth := make(map[*level]int)
	for l, d := b.level, 0; l != nil; l, d = l.parent, d+1 {
		depth[l] = d
	}
	best, bestDepth := b.level, -1
	visit := func(id ColID) {
		l := b.owner[id]
		d, ok := depth[l]
		if ok && (bestDepth < 0 || d < bestDepth) {
			best, bestDepth = l, d
		}
	}
	ac.eachExpr(func(e expr.Expr) {
		FreeOf(e, visit)
	})
	return best
}

// eachExpr calls fn for the expressions of the call.
func (ac *AggCall) eachExpr(fn func(expr.Expr)) {
	for _, a := range ac.Call.Args {
		fn(a)
	}
	for _, o := range ac.OrderBy {
		fn(o.Expr)
	}
	if ac.Filter != nil {
		fn(ac.Filter)
	}
}

// mapExprs returns a copy with each expression replaced.
func (ac *AggCall) mapExprs(fn func(expr.Expr) expr.Expr) *AggCall {
	n := *ac
	args := make([]expr.Expr, len(ac.Call.Args))
	for i, a := range ac.Call.Args {
		args[i] = fn(a)
	}
	n.Call = ac.Call.WithChildren(args).(*expr.Call)
	n.OrderBy = mapSort(ac.OrderBy, fn)
	if ac.Filter != nil {
		n.Filter = fn(ac.Filter)
	}
	return &n
}

// MapExprs is mapExprs for the optimiser.
func (ac *AggCall) MapExprs(fn func(expr.Expr) expr.Expr) *AggCall { return ac.mapExprs(fn) }

// EachExpr is eachExpr for the optimiser.
func (ac *AggCall) EachExpr(fn func(expr.Expr)) { ac.eachExpr(fn) }

func mapSort(keys []SortExpr, fn func(expr.Expr) expr.Expr) []SortExpr {
	if keys == nil {
		return nil
	}
	out := make([]SortExpr, len(keys))
	for i, k := range keys {
		out[i] = k
		out[i].Expr = fn(k.Expr)
	}
	return out
}

// inOrder are the aggregates whose result shows the order of their input.
var inOrder = map[string]bool{"array_agg": true, "string_agg": true, "json_agg": true, "jsonb_agg": true,
	"json_object_agg": true, "jsonb_object_agg": true}

// aggCall binds arguments, ORDER BY and FILTER of an aggregate or window function.
func (b *binder) aggCall(e *ast.FuncCall) (*AggCall, error) {
	args, opt, err := b.callArgs(e)
	if err != nil {
		return nil, err
	}
	ac := &AggCall{Distinct: e.Distinct, Star: e.Star}
	order := make([]SortExpr, len(e.OrderBy))
	for i, o := range e.OrderBy {
		x, err := b.expr(o.Expr)
		if err != nil {
			return nil, err
		}
		order[i] = SortExpr{Expr: expr.ToKnown(b.s, x)}
		if order[i].Desc, order[i].NullsFirst, err = sortDirection(o); err != nil {
			return nil, err
		}
	}
	if e.WithinGroup {
		for _, o := range order {
			args = append(args, o.Expr)
		}
	}
	x, err := b.pc.Registry.Call(b.s, e.Name.Name, args, opt)
	if err != nil {
		return nil, at(err, e.Pos)
	}
	c, ok := x.(*expr.Call)
	if !ok {
		return nil, errorf(sqlstate.WrongObjectType, e.Pos, "%s is not an aggregate function", e.Name.Name)
	}
	b.noteCall(e, c)
	if c.Fn.OrderedSet && !e.WithinGroup && e.Over == nil {
		return nil, errorf(sqlstate.WrongObjectType, e.Pos, "WITHIN GROUP is required for ordered-set aggregate %s", e.Name.Name)
	}
	if !c.Fn.OrderedSet && e.WithinGroup {
		return nil, errorf(sqlstate.WrongObjectType, e.Pos, "%s is not an ordered-set aggregate, so it cannot have WITHIN GROUP", e.Name.Name)
	}
	if e.WithinGroup {
		n := len(order)
		for i := range order {
			order[i].Expr = c.Args[len(c.Args)-n+i]
		}
	}
	if e.Distinct && !e.WithinGroup {
		for i, o := range order {
			found := false
			for _, a := range c.Args {
				found = found || ExprKey(a) == ExprKey(o.Expr)
			}
			if !found {
				return nil, errorf(sqlstate.InvalidColumnReference, location(e.OrderBy[i].Expr), "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list")
			}
		}
	}
	for i, a := range c.Args {
		c.Args[i] = expr.ToKnown(b.s, a)
	}
	if e.Distinct && len(order) == 0 && !e.WithinGroup && inOrder[c.Fn.Name] {
		// PostgreSQL finds what is distinct by sorting, which shows in the result.
		for _, a := range c.Args {
			if expr.Orderable(a.Type()) {
				order = append(order, SortExpr{Expr: a})
			}
		}
	}
	ac.Call, ac.OrderBy = c, order
	if len(order) == 0 {
		ac.OrderBy = nil
	}
	if e.Filter != nil {
		err := b.in(inFilter, func() (err error) {
			ac.Filter, err = b.boolExpr(e.Filter, "FILTER")
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return ac, nil
}

func sortDirection(o *ast.SortBy) (desc, nullsFirst bool, err error) {
	switch o.Direction {
	case ast.SortDesc:
		desc = true
	case ast.SortUsing:
		switch o.Using.Name {
		case "<":
		case ">":
			desc = true
		default:
			return false, false, errorf(sqlstate.WrongObjectType, o.Pos, "operator %s is not a valid ordering operator", o.Using.Name).
				WithHint("Ordering operators must be \"<\" or \">\" members of btree operator families.")
		}
	}
	switch o.Nulls {
	case ast.NullsFirst:
		nullsFirst = true
	case ast.NullsDefault:
		nullsFirst = desc
	}
	return desc, nullsFirst, nil
}

// windowSpec is a resolved window.
type windowSpec struct {
	partition []expr.Expr
	order     []SortExpr
	frame     *ast.Frame
}

func (b *binder) windowCall(e *ast.FuncCall) (expr.Expr, error) {
	lv := b.level
	if lv.clause.noWin {
		return nil, errorf(sqlstate.WindowingError, e.Pos, "window functions are not allowed in %s", lv.clause.name)
	}
	if lv.inWindow {
		return nil, errorf(sqlstate.WindowingError, e.Pos, "window function calls cannot be nested")
	}
	if lv.inAgg {
		return nil, errorf(sqlstate.GroupingError, e.Pos, "aggregate function calls cannot contain window function calls")
	}
	if e.Distinct {
		return nil, errorf(sqlstate.FeatureNotSupported, e.Pos, "DISTINCT is not implemented for window functions")
	}
	if len(e.OrderBy) > 0 {
		return nil, errorf(sqlstate.FeatureNotSupported, e.Pos, "aggregate ORDER BY is not implemented for window functions")
	}
	lv.inWindow = true
	defer func() { lv.inWindow = false }()
	ac, err := b.aggCall(e)
	if err != nil {
		return nil, err
	}
	if ac.Call.Fn.Kind == expr.WindowFunction && ac.Filter != nil {
		return nil, errorf(sqlstate.FeatureNotSupported, e.Pos, "FILTER is not implemented for non-aggregate window functions")
	}
	spec, err := b.window(e.Over)
	if err != nil {
		return nil, err
	}
	item := WindowItem{Call: ac}
	if err := b.frame(spec, &item); err != nil {
		return nil, err
	}
	item.ID = b.newColumn(Column{Name: e.Name.Name, T: ac.Call.T})
	lv.windows = append(lv.windows, windowUse{spec: spec, item: item})
	return b.ref(item.ID, ast.NoPos), nil
}

// window resolves a window definition.
func (b *binder) window(w *ast.Window) (*windowSpec, error) {
	spec := &windowSpec{frame: w.Frame}
	if w.Ref != "" {
		def := b.level.named[w.Ref]
		if def == nil {
			return nil, errorf(sqlstate.UndefinedObject, w.Pos, "window %q does not exist", w.Ref)
		}
		base, err := b.window(def)
		if err != nil {
			return nil, err
		}
		if w.Bare {
			return base, nil
		}
		switch {
		case len(w.PartitionBy) > 0:
			return nil, errorf(sqlstate.WindowingError, w.Pos, "cannot override PARTITION BY clause of window %q", w.Ref)
		case len(w.OrderBy) > 0 && len(base.order) > 0:
			return nil, errorf(sqlstate.WindowingError, w.Pos, "cannot override ORDER BY clause of window %q", w.Ref)
		case base.frame != nil:
			return nil, errorf(sqlstate.WindowingError, w.Pos, "cannot copy window %q because it has a frame clause", w.Ref)
		}
		spec.partition, spec.order = base.partition, base.order
	}
	err := b.in(inWindowDef, func() error {
		for _, p := range w.PartitionBy {
			x, err := b.expr(p)
			if err != nil {
				return err
			}
			spec.partition = append(spec.partition, expr.ToKnown(b.s, x))
		}
		for _, o := range w.OrderBy {
			x, err := b.expr(o.Expr)
			if err != nil {
				return err
			}
			k := SortExpr{Expr: expr.ToKnown(b.s, x)}
			if k.Desc, k.NullsFirst, err = sortDirection(o); err != nil {
				return err
			}
			spec.order = append(spec.order, k)
		}
		return nil
	})
	return spec, err
}

// frame resolves the frame clause for one function.
func (b *binder) frame(spec *windowSpec, item *WindowItem) error {
	f := spec.frame
	if f == nil {
		item.Frame = Frame{Mode: uint8(ast.FrameRange), Start: uint8(ast.UnboundedPreceding), End: uint8(ast.CurrentRow)}
		return nil
	}
	item.Frame = Frame{Mode: uint8(f.Mode), Start: uint8(f.Start.Kind), End: uint8(f.End.Kind), Exclude: uint8(f.Exclude)}
	switch {
	case f.Start.Kind == ast.UnboundedFollowing:
		return errorf(sqlstate.WindowingError, f.Pos, "frame start cannot be UNBOUNDED FOLLOWING")
	case f.End.Kind == ast.UnboundedPreceding:
		return errorf(sqlstate.WindowingError, f.Pos, "frame end cannot be UNBOUNDED PRECEDING")
	case f.Start.Kind == ast.CurrentRow && f.End.Kind == ast.OffsetPreceding:
		return errorf(sqlstate.WindowingError, f.Pos, "frame starting from current row cannot have preceding rows")
	case f.Start.Kind == ast.OffsetFollowing && (f.End.Kind == ast.CurrentRow || f.End.Kind == ast.OffsetPreceding):
		return errorf(sqlstate.WindowingError, f.Pos, "frame starting from following row cannot have preceding rows")
	}
	if f.Mode == ast.FrameGroups && len(spec.order) == 0 {
		return errorf(sqlstate.WindowingError, f.Pos, "GROUPS mode requires an ORDER BY clause")
	}
	for i, bound := range []ast.FrameBound{f.Start, f.End} {
		if bound.Kind != ast.OffsetPreceding && bound.Kind != ast.OffsetFollowing {
			continue
		}
		x, err := b.expr(bound.Offset)
		if err != nil {
			return err
		}
		switch f.Mode {
		case ast.FrameRange:
			if len(spec.order) != 1 {
				return errorf(sqlstate.WindowingError, f.Pos, "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column")
			}
			kt := spec.order[0].Expr.Type()
			want := kt
			if kt.Category == types.CatDateTime {
				want = types.IntervalT
			}
			c, ok, err := expr.Coerce(b.s, x, want, types.CastImplicit)
			if err != nil {
				return at(err, bound.Offset.Position())
			}
			if !ok {
				return errorf(sqlstate.FeatureNotSupported, bound.Offset.Position(),
					"RANGE with offset PRECEDING/FOLLOWING is not supported for column type %s and offset type %s",
					types.FormatType(kt, -1, false), types.FormatType(x.Type(), -1, false))
			}
			x = c
		default:
			name := "ROWS"
			if f.Mode == ast.FrameGroups {
				name = "GROUPS"
			}
			if x, err = expr.ToInt8(b.s, x, name); err != nil {
				return at(err, bound.Offset.Position())
			}
		}
		if !expr.IsRowIndependent(x) {
			return errorf(sqlstate.InvalidColumnReference, bound.Offset.Position(), "argument of %s must not contain variables", [...]string{"RANGE", "ROWS", "GROUPS"}[f.Mode])
		}
		item.Offset[i] = x
	}
	return nil
}

// groupingCall is GROUPING(...), decided once the keys are known.
func (b *binder) groupingCall(e *ast.Grouping) (expr.Expr, error) {
	lv := b.level
	if lv.clause.noAgg {
		return nil, errorf(sqlstate.GroupingError, e.Pos, "grouping operations are not allowed in %s", lv.clause.name)
	}
	args, err := b.exprs(e.Args)
	if err != nil {
		return nil, err
	}
	lv.hasAggs = true
	id := b.newColumn(Column{Name: "grouping", T: types.Int4})
	lv.grouping = append(lv.grouping, groupingUse{id: id, args: args, pos: e.Pos})
	return b.ref(id, e.Pos), nil
}
