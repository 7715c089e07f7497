package plan

import (
	"errors"
	"strings"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// expr binds an expression. Literals and parameters may come out with type unknown.
func (b *binder) expr(e ast.Expr) (expr.Expr, error) {
	x, err := b.bindExpr(e)
	if err == nil && b.pc.Notes != nil {
		b.noteExpr(e, x)
	}
	return x, err
}

func (b *binder) bindExpr(e ast.Expr) (expr.Expr, error) {
	switch e := e.(type) {
	case *ast.Null:
		return expr.NewNull(), nil
	case *ast.Bool:
		return expr.NewConst(types.Bool, types.NewBool(e.Value)), nil
	case *ast.Number:
		return b.number(e)
	case *ast.String:
		return &expr.Const{T: types.Unknown, Value: types.NewString(e.Value), Pos: int(e.Pos) + 1}, nil
	case *ast.BitString:
		return nil, at(sqlstate.Unsupported("type bit"), e.Pos)
	case *ast.Param:
		return b.param(e)
	case *ast.Default:
		return nil, errorf(sqlstate.SyntaxError, e.Pos, "DEFAULT is not allowed in this context")
	case *ast.ColumnRef:
		return b.bindColumnRef(e)
	case *ast.Star:
		if len(e.Parts) == 0 {
			return nil, errorf(sqlstate.SyntaxError, e.Pos, "row expansion via \"*\" is not supported here")
		}
		// Where there is no list to expand it in, t.* is the whole row.
		it, err := b.starItem(e)
		if err != nil {
			return nil, err
		}
		return b.wholeRow(it, e.Pos), nil
	case *ast.FieldStar:
		return nil, errorf(sqlstate.FeatureNotSupported, e.Pos, "row expansion via \"*\" is not supported here")
	case *ast.Unary:
		x, err := b.expr(e.X)
		if err != nil {
			return nil, err
		}
		r, err := b.pc.Registry.Operator(b.s, e.Op.Name, nil, x)
		return r, at(err, e.Pos)
	case *ast.Binary:
		return b.binary(e)
	case *ast.And:
		return b.boolArgs(expr.And, "AND", e.Args)
	case *ast.Or:
		return b.boolArgs(expr.Or, "OR", e.Args)
	case *ast.Not:
		return b.boolArgs(expr.Not, "NOT", []ast.Expr{e.X})
	case *ast.IsNull:
		x, err := b.expr(e.X)
		if err != nil {
			return nil, err
		}
		if _, isParam := x.(*expr.Param); !isParam {
			x = expr.ToKnown(b.s, x)
		}
		return &expr.IsNull{Arg: x, Not: e.Not}, nil
	case *ast.IsBool:
		name := "IS " + [...]string{"TRUE", "FALSE", "UNKNOWN"}[e.Value]
		if e.Not {
			name = "IS NOT " + name[3:]
		}
		x, err := b.boolExpr(e.X, name)
		if err != nil {
			return nil, err
		}
		return &expr.IsTruth{Arg: x, Want: expr.Truth(e.Value), Not: e.Not}, nil
	case *ast.IsDistinct:
		return b.isDistinct(e)
	case *ast.Between:
		return b.between(e)
	case *ast.In:
		return b.in_(e)
	case *ast.Match:
		return b.match(e)
	case *ast.Quantified:
		return b.quantified(e)
	case *ast.Case:
		return b.case_(e)
	case *ast.Coalesce:
		args, t, err := b.common("COALESCE", e.Args)
		if err != nil {
			return nil, err
		}
		return &expr.Coalesce{Args: args, T: t}, nil
	case *ast.NullIf:
		return b.nullIf(e)
	case *ast.MinMax:
		name := "GREATEST"
		if e.Least {
			name = "LEAST"
		}
		args, t, err := b.common(name, e.Args)
		if err != nil {
			return nil, err
		}
		return &expr.MinMax{Args: args, Greatest: !e.Least, T: t}, nil
	case *ast.Grouping:
		return b.groupingCall(e)
	case *ast.Cast:
		return b.cast(e)
	case *ast.Collate:
		x, err := b.expr(e.X)
		if err != nil {
			return nil, err
		}
		x = expr.ToKnown(b.s, x)
		if x.Type().Category != types.CatString && x.Type().Category != types.CatUser {
			return nil, errorf(sqlstate.DatatypeMismatch, e.Pos, "collations are not supported by type %s", types.FormatType(x.Type(), -1, false))
		}
		switch e.Collation.Schema {
		case "", "pg_catalog":
		default:
			return nil, errorf(sqlstate.InvalidSchemaName, e.Pos, "schema %q does not exist", e.Collation.Schema)
		}
		switch e.Collation.Name {
		case "C", "POSIX", "default", "ucs_basic": // all of them order by bytes
			return x, nil
		}
		return nil, errorf(sqlstate.UndefinedObject, e.Pos, "collation %q for encoding \"UTF8\" does not exist", e.Collation.Name)
	case *ast.Subscript:
		return b.subscript(e)
	case *ast.Field:
		x, err := b.expr(e.X)
		if err != nil {
			return nil, err
		}
		return b.fieldSelect(x, e.Name, e.Pos)
	case *ast.Subquery:
		return b.scalarSubquery(e)
	case *ast.Exists:
		sp, _, err := b.subplan(e.Query)
		if err != nil {
			return nil, err
		}
		return b.newSubquery(expr.SubExists, sp, types.Bool), nil
	case *ast.ArrayQuery:
		sp, q, err := b.subplan(e.Query)
		if err != nil {
			return nil, err
		}
		if len(q.cols) != 1 {
			return nil, errorf(sqlstate.SyntaxError, e.Pos, "subquery must return only one column")
		}
		et := b.md.Columns[q.cols[0].id].T
		t := types.ArrayOf(et)
		if t == nil {
			return nil, errorf(sqlstate.UndefinedObject, e.Pos, "could not find array type for data type %s", et)
		}
		return b.newSubquery(expr.SubArray, sp, t), nil
	case *ast.Array:
		return b.array(e, nil)
	case *ast.Row:
		return b.row(e)
	case *ast.SessionValue:
		return b.sessionValue(e)
	case *ast.FuncCall:
		return b.call(e)
	case *ast.CurrentOf:
		return nil, at(sqlstate.Unsupported("WHERE CURRENT OF"), e.Pos)
	case *ast.NamedArg:
		return nil, errorf(sqlstate.SyntaxError, e.Pos, "named argument is not allowed here")
	case *ast.GroupingSet:
		return nil, errorf(sqlstate.SyntaxError, e.Pos, "grouping sets are allowed in GROUP BY only")
	}
	return nil, sqlstate.Unsupported("expression %T", e)
}

func (b *binder) exprs(es []ast.Expr) ([]expr.Expr, error) {
	out := make([]expr.Expr, len(es))
	for i, e := range es {
		x, err := b.expr(e)
		if err != nil {
			return nil, err
		}
		out[i] = x
	}
	return out, nil
}

func (b *binder) boolExpr(e ast.Expr, clause string) (expr.Expr, error) {
	x, err := b.expr(e)
	if err != nil {
		return nil, err
	}
	x, err = expr.ToBool(b.s, x, clause)
	return x, at(err, location(e))
}

func (b *binder) number(e *ast.Number) (expr.Expr, error) {
	if e.IsInteger() {
		if v, ok := parseInt(e.Text); ok {
			if int64(int32(v)) == v {
				return expr.NewConst(types.Int4, types.NewInt(v)), nil
			}
			return expr.NewConst(types.Int8, types.NewInt(v)), nil
		}
	}
	d, err := types.ParseText(types.NumericT, e.Text, b.s)
	if err != nil {
		return nil, at(err, e.Pos)
	}
	return expr.NewConst(types.NumericT, d), nil
}

// parseInt reads a decimal integer with an optional minus sign.
func parseInt(s string) (int64, bool) {
	neg := strings.HasPrefix(s, "-")
	if neg {
		s = s[1:]
	}
	if s == "" {
		return 0, false
	}
	var v uint64
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 || v > (1<<63)/10 {
			return 0, false
		}
		v = v*10 + uint64(d)
	}
	switch {
	case neg && v <= 1<<63:
		return -int64(v), true
	case !neg && v < 1<<63:
		return int64(v), true
	}
	return 0, false
}

// maxParams is the protocol's bound on parameter numbers.
const maxParams = 65535

func (b *binder) param(e *ast.Param) (expr.Expr, error) {
	if e.Number < 1 || e.Number > maxParams {
		return nil, errorf(sqlstate.UndefinedParameter, e.Pos, "there is no parameter $%d", e.Number)
	}
	for len(b.params.Types) < e.Number {
		b.params.Types = append(b.params.Types, nil)
	}
	return &expr.Param{N: e.Number, Types: b.params}, nil
}

func (b *binder) boolArgs(op expr.BoolOpKind, name string, args []ast.Expr) (expr.Expr, error) {
	out := make([]expr.Expr, len(args))
	for i, a := range args {
		x, err := b.boolExpr(a, name)
		if err != nil {
			return nil, err
		}
		out[i] = x
	}
	return &expr.BoolOp{Op: op, Args: out}, nil
}

func (b *binder) binary(e *ast.Binary) (expr.Expr, error) {
	lrow, lok := e.L.(*ast.Row)
	if sub, ok := e.R.(*ast.Subquery); ok && lok && isComparison(e.Op.Name) {
		return b.rowSubquery(e, lrow, sub)
	}
	l, err := b.expr(e.L)
	if err != nil {
		return nil, err
	}
	r, err := b.expr(e.R)
	if err != nil {
		return nil, err
	}
	return b.op(e.Op.Name, l, r, e.Pos)
}

// op resolves a binary operator. Comparisons of rows are taken apart.
func (b *binder) op(name string, l, r expr.Expr, pos ast.Pos) (expr.Expr, error) {
	var x expr.Expr
	var err error
	if isComparison(name) {
		x, err = b.pc.Registry.Compare(b.s, name, l, r)
	} else {
		x, err = b.pc.Registry.Operator(b.s, name, l, r)
	}
	return x, at(err, pos)
}

func isComparison(op string) bool {
	switch op {
	case "=", "<>", "!=", "<", "<=", ">", ">=":
		return true
	}
	return false
}

func (b *binder) isDistinct(e *ast.IsDistinct) (expr.Expr, error) {
	l, err := b.expr(e.L)
	if err != nil {
		return nil, err
	}
	r, err := b.expr(e.R)
	if err != nil {
		return nil, err
	}
	if isNullLiteral(r) {
		return &expr.IsNull{Arg: expr.ToKnown(b.s, l), Not: !e.Not}, nil
	}
	if isNullLiteral(l) {
		return &expr.IsNull{Arg: expr.ToKnown(b.s, r), Not: !e.Not}, nil
	}
	x, err := b.pc.Registry.NewIsDistinct(b.s, l, r, e.Not)
	return x, at(err, e.Pos)
}

func isNullLiteral(e expr.Expr) bool {
	c, ok := e.(*expr.Const)
	return ok && c.Value.IsNull() && c.T.OID == types.OIDUnknown
}

func (b *binder) between(e *ast.Between) (expr.Expr, error) {
	x, err := b.expr(e.X)
	if err != nil {
		return nil, err
	}
	lo, err := b.expr(e.Low)
	if err != nil {
		return nil, err
	}
	hi, err := b.expr(e.High)
	if err != nil {
		return nil, err
	}
	within := func(lo, hi expr.Expr) (expr.Expr, error) {
		l, err := b.op(">=", x, lo, e.Pos)
		if err != nil {
			return nil, err
		}
		h, err := b.op("<=", x, hi, e.Pos)
		if err != nil {
			return nil, err
		}
		return &expr.BoolOp{Op: expr.And, Args: []expr.Expr{l, h}}, nil
	}
	r, err := within(lo, hi)
	if err != nil {
		return nil, err
	}
	if e.Symmetric {
		other, err := within(hi, lo)
		if err != nil {
			return nil, err
		}
		r = &expr.BoolOp{Op: expr.Or, Args: []expr.Expr{r, other}}
	}
	if e.Not {
		r = &expr.BoolOp{Op: expr.Not, Args: []expr.Expr{r}}
	}
	return r, nil
}

func (b *binder) match(e *ast.Match) (expr.Expr, error) {
	x, err := b.expr(e.X)
	if err != nil {
		return nil, err
	}
	p, err := b.expr(e.Pattern)
	if err != nil {
		return nil, err
	}
	op := [...]string{ast.Like: "~~", ast.ILike: "~~*", ast.SimilarTo: "~"}[e.Kind]
	if e.Kind == ast.SimilarTo || e.Escape != nil {
		fn := "like_escape"
		args := []expr.Expr{p}
		if e.Kind == ast.SimilarTo {
			fn = "similar_to_escape"
		}
		if e.Escape != nil {
			esc, err := b.expr(e.Escape)
			if err != nil {
				return nil, err
			}
			args = append(args, esc)
		}
		if p, err = b.pc.Registry.Call(b.s, fn, args, expr.CallOptions{}); err != nil {
			return nil, at(err, e.Pos)
		}
	}
	if e.Not {
		op = "!" + op
	}
	return b.op(op, x, p, e.Pos)
}

func (b *binder) case_(e *ast.Case) (expr.Expr, error) {
	var operand, els expr.Expr
	var err error
	if e.Operand != nil {
		if operand, err = b.expr(e.Operand); err != nil {
			return nil, err
		}
	}
	whens := make([]expr.When, len(e.Whens))
	for i, w := range e.Whens {
		if operand != nil {
			whens[i].Cond, err = b.expr(w.Cond)
		} else {
			whens[i].Cond, err = b.boolExpr(w.Cond, "CASE/WHEN")
		}
		if err != nil {
			return nil, err
		}
		if whens[i].Result, err = b.expr(w.Result); err != nil {
			return nil, err
		}
	}
	if e.Else != nil {
		if els, err = b.expr(e.Else); err != nil {
			return nil, err
		}
	}
	x, err := b.pc.Registry.NewCase(b.s, operand, whens, els)
	if branch, ok := errors.AsType[*expr.BranchError](err); ok && branch.Branch > 0 {
		return nil, at(err, location(e.Whens[branch.Branch-1].Result)) // ELSE is branch 0
	}
	return x, at(err, e.Pos)
}

func (b *binder) coerceAll(context string, es []expr.Expr, t *types.T, pos ast.Pos) ([]expr.Expr, error) {
	out := make([]expr.Expr, len(es))
	for i, e := range es {
		c, ok, err := expr.Coerce(b.s, e, t, types.CastImplicit)
		if err != nil {
			return nil, at(err, pos)
		}
		if !ok {
			return nil, errorf(sqlstate.CannotCoerce, pos, "%s could not convert type %s to %s", context,
				types.FormatType(e.Type(), -1, false), types.FormatType(t, -1, false))
		}
		out[i] = c
	}
	return out, nil
}

// common binds expressions and converts them to their common type.
func (b *binder) common(context string, args []ast.Expr) ([]expr.Expr, *types.T, error) {
	xs, err := b.exprs(args)
	if err != nil {
		return nil, nil, err
	}
	pos := ast.NoPos
	if len(args) > 0 {
		pos = args[0].Position()
	}
	t, err := expr.CommonType(context, xs)
	if err != nil {
		if branch, ok := errors.AsType[*expr.BranchError](err); ok {
			pos = location(args[branch.Branch])
		}
		return nil, nil, at(err, pos)
	}
	xs, err = b.coerceAll(context, xs, t, pos)
	return xs, t, err
}

func (b *binder) nullIf(e *ast.NullIf) (expr.Expr, error) {
	l, err := b.expr(e.L)
	if err != nil {
		return nil, err
	}
	r, err := b.expr(e.R)
	if err != nil {
		return nil, err
	}
	x, err := b.pc.Registry.NewNullIf(b.s, l, r)
	return x, at(err, e.Pos)
}

func (b *binder) cast(e *ast.Cast) (expr.Expr, error) {
	t, err := ResolveType(b.ctx, b.cat, e.Type)
	if err != nil {
		return nil, at(err, e.Type.Pos)
	}
	if b.pc.QualifyTypes {
		qualifyType(e.Type, t)
	}
	if arr, ok := e.X.(*ast.Array); ok && t.IsArray() {
		return b.array(arr, t)
	}
	x, err := b.expr(e.X)
	if err != nil {
		return nil, err
	}
	x, err = expr.NewCast(b.s, x, t)
	pos := e.Pos
	if p := e.X.Position(); p != ast.NoPos && x == nil {
		if _, isString := e.X.(*ast.String); isString {
			pos = p
		}
	}
	return x, at(err, pos)
}

// array binds ARRAY[...]; target is the type of a cast around it, or nil.
func (b *binder) array(e *ast.Array, target *types.T) (expr.Expr, error) {
	elems := make([]expr.Expr, len(e.Elems))
	for i, el := range e.Elems {
		var err error
		if inner, ok := el.(*ast.Array); ok {
			elems[i], err = b.array(inner, target)
		} else {
			elems[i], err = b.expr(el)
		}
		if err != nil {
			return nil, err
		}
	}
	if target != nil {
		x, err := expr.NewArrayOf(b.s, target, elems)
		return x, at(err, e.Pos)
	}
	x, err := expr.NewArray(b.s, elems)
	pos := e.Pos
	if branch, ok := errors.AsType[*expr.BranchError](err); ok {
		pos = location(e.Elems[branch.Branch])
	}
	return x, at(err, pos)
}

func (b *binder) row(e *ast.Row) (expr.Expr, error) {
	var fields []expr.Expr
	for _, el := range e.Elems {
		if star, ok := el.(*ast.Star); ok {
			cols, err := b.expandStar(star)
			if err != nil {
				return nil, err
			}
			for _, c := range cols {
				fields = append(fields, b.ref(c.id, star.Pos))
			}
			continue
		}
		x, err := b.expr(el)
		if err != nil {
			return nil, err
		}
		fields = append(fields, x)
	}
	return expr.NewRow(fields, nil), nil
}

func (b *binder) fieldSelect(x expr.Expr, name string, pos ast.Pos) (expr.Expr, error) {
	r, err := expr.NewFieldSelect(x, name)
	return r, at(err, pos)
}

func (b *binder) subscript(e *ast.Subscript) (expr.Expr, error) {
	x, err := b.expr(e.X)
	if err != nil {
		return nil, err
	}
	x = expr.ToKnown(b.s, x)
	index, err := b.subscripts(e.Indexes)
	if err != nil {
		return nil, err
	}
	r, err := expr.NewSubscript(b.s, x, index)
	return r, at(err, location(e))
}

// subscripts binds the bounds of [i] and [lo:hi].
func (b *binder) subscripts(indexes []ast.Index) (index []expr.SubscriptIndex, err error) {
	index = make([]expr.SubscriptIndex, len(indexes))
	for i, ix := range indexes {
		index[i].Slice = ix.Slice
		if ix.Lower != nil {
			if index[i].Lower, err = b.expr(ix.Lower); err != nil {
				return nil, err
			}
		}
		if ix.Upper != nil {
			if index[i].Upper, err = b.expr(ix.Upper); err != nil {
				return nil, err
			}
		}
	}
	return index, nil
}

// location is where the text of an expression begins, PostgreSQL's exprLocation: errors about an expression as a whole
// point there, those about an operator point at the operator.
func location(e ast.Expr) ast.Pos {
	first := func(pos ast.Pos, args ...ast.Expr) ast.Pos {
		for _, a := range args {
			if p := location(a); p != ast.NoPos && p < pos {
				pos = p
			}
		}
		return pos
	}
	switch e := e.(type) {
	case *ast.Cast:
		if !e.Literal {
			return first(e.Pos, e.X)
		}
	case *ast.Binary:
		return first(e.Pos, e.L)
	case *ast.Subscript:
		return first(e.Pos, e.X)
	case *ast.Field:
		return first(e.Pos, e.X)
	case *ast.Match:
		return first(e.Pos, e.X)
	case *ast.In:
		return first(e.Pos, e.X)
	case *ast.Between:
		return first(e.Pos, e.X)
	case *ast.IsNull:
		return first(e.Pos, e.X)
	case *ast.IsBool:
		return first(e.Pos, e.X)
	case *ast.Collate:
		return first(e.Pos, e.X)
	case *ast.IsDistinct:
		return first(e.Pos, e.L)
	case *ast.And:
		return first(e.Pos, e.Args...)
	case *ast.Or:
		return first(e.Pos, e.Args...)
	}
	return e.Position()
}

func (b *binder) sessionValue(e *ast.SessionValue) (expr.Expr, error) {
	name := e.Kind.String()
	switch e.Kind {
	case ast.CurrentRole, ast.User:
		name = "current_user"
	case ast.CurrentCatalog:
		name = "current_database"
	}
	var cast *types.T
	switch e.Kind {
	case ast.CurrentDate:
		name, cast = "now", types.Date
	case ast.CurrentTime:
		name, cast = "now", types.TimeTZT.WithTypmod(int32(e.Precision))
	case ast.CurrentTimestamp:
		name, cast = "now", types.TimestampTZ.WithTypmod(int32(e.Precision))
	case ast.LocalTime:
		name, cast = "now", types.Time.WithTypmod(int32(e.Precision))
	case ast.LocalTimestamp:
		name, cast = "now", types.Timestamp.WithTypmod(int32(e.Precision))
	}
	x, err := b.pc.Registry.Call(b.s, name, nil, expr.CallOptions{})
	if err != nil || cast == nil {
		return x, at(err, e.Pos)
	}
	x, err = expr.NewCast(b.s, x, cast)
	return x, at(err, e.Pos)
}
