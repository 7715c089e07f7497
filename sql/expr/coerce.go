package expr

import (
	"errors"
	"strings"

	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// canCoerce reports whether a value of type from may become type to in the context.
// Polymorphic targets accept anything here; resolveGenerics checks them together.
func canCoerce(from, to *types.T, context types.CastContext) bool {
	switch {
	case from.OID == to.OID, to.OID == types.OIDAny, to.IsPolymorphic(), from.OID == types.OIDUnknown:
		return true
	case to.OID == types.OIDRecord:
		return from.Family == types.FamRecord
	case to.OID == types.OIDRecordArray:
		return from.IsArray() && from.Elem.Family == types.FamRecord
	}
	_, have, ok := types.FindCast(from, to)
	return ok && castAllowed(have, context)
}

// castAllowed reports whether a cast usable up to have may be applied in context want.
func castAllowed(have, want types.CastContext) bool {
	rank := func(c types.CastContext) int { return strings.IndexByte("iae", byte(c)) }
	return rank(have) <= rank(want)
}

// Coerce converts e to type to, modifier included, inserting a Cast if needed, as
// PostgreSQL's coerce_to_target_type does. An unknown literal is read by the type's
// input function, an unknown parameter takes the type. ok is false if there is
// no such cast in the context; err is a malformed literal.
func Coerce(s *types.Settings, e Expr, to *types.T, context types.CastContext) (_ Expr, ok bool, err error) {
	from := e.Type()
	if to.OID == types.OIDAny || to.OID == types.OIDUnknown || to.IsPolymorphic() {
		return e, true, nil
	}
	if from.OID == types.OIDUnknown {
		return coerceUnknown(s, e, to, context)
	}
	if row, isRow := e.(*RowExpr); isRow && to.Family == types.FamRecord && len(to.Fields) > 0 {
		return coerceRow(s, row, to, context)
	}
	if from.Identical(to) || from.Same(to) && to.Typmod == -1 {
		return e, true, nil
	}
	if arr, isArray := e.(*ArrayExpr); isArray && to.IsArray() && context == types.CastExplicit {
		// ARRAY[...]::t[] casts the elements, which may be unknown or have no array cast.
		return coerceArray(s, arr, to, context)
	}
	if !canCoerce(from, to, context) {
		return nil, false, nil
	}
	if to.OID == types.OIDRecord || to.OID == types.OIDRecordArray {
		return e, true, nil
	}
	fn, _, _ := types.FindCast(from, to)
	return &Cast{Arg: e, T: to, Implicit: context != types.CastExplicit, fn: fn, explicit: context == types.CastExplicit}, true, nil
}

func coerceUnknown(s *types.Settings, e Expr, to *types.T, context types.CastContext) (Expr, bool, error) {
	switch e := e.(type) {
	case *Const:
		if e.Value.IsNull() {
			return &Const{T: to}, true, nil
		}
		if isMutableInput(to, e.Value.Str()) {
			// 'now' and names of objects mean something else at each execution.
			break
		}
		inputT := to.WithTypmod(-1)
		if to.OID == types.OIDInterval {
			inputT = to // the modifier says what a number without a unit is
		}
		d, err := types.ParseText(inputT, string(e.Value.Bytes()), s)
		if err != nil {
			return nil, false, literalError(err, e)
		}
		if to.Typmod != -1 {
			d, err = types.CoerceTypmod(d, to, context == types.CastExplicit)
			if err != nil {
				break // raised at execution, as PostgreSQL does
			}
		}
		return &Const{T: to, Value: d}, true, nil
	case *Param:
		e.Types.set(e.N, to)
		if to.Typmod == -1 {
			return e, true, nil
		}
		return Coerce(s, e, to, context)
	case *Cast:
		// An unknown relabelled; treat it as text below.
	}
	if sub, ok := e.(*Subquery); ok && sub.T.OID == types.OIDUnknown {
		n := *sub
		n.T = types.Text
		return Coerce(s, &n, to, context)
	}
	fn, _, ok := types.FindCast(types.Unknown, to)
	if !ok {
		return nil, false, nil
	}
	return &Cast{Arg: e, T: to, Implicit: context != types.CastExplicit, fn: fn, explicit: context == types.CastExplicit}, true, nil
}

// literalError points at the literal that an input function has refused.
func literalError(err error, c *Const) error {
	e, ok := errors.AsType[*sqlstate.Error](err)
	if !ok || c.Pos == 0 || e.Code == sqlstate.SyntaxError {
		return err
	}
	at := *e
	at.ByteOffset, at.Position = c.Pos, 0
	return &at
}

// isMutableInput reports whether the literal's meaning depends on when it is read.
func isMutableInput(t *types.T, text string) bool {
	switch t.OID {
	case types.OIDDate, types.OIDTime, types.OIDTimeTZ, types.OIDTimestamp, types.OIDTimestampTZ:
		text = strings.ToLower(text)
		for _, w := range []string{"now", "today", "tomorrow", "yesterday"} {
			if strings.Contains(text, w) {
				return true
			}
		}
		// The session's zone decides what an absolute time without a zone is; the plan is
		// the session's own or keyed by its settings.
	}
	return false
}

func coerceRow(s *types.Settings, row *RowExpr, to *types.T, context types.CastContext) (Expr, bool, error) {
	if len(row.Fields) != len(to.Fields) {
		return nil, false, nil
	}
	fields := make([]Expr, len(row.Fields))
	for i, f := range row.Fields {
		c, ok, err := Coerce(s, f, to.Fields[i].Type, context)
		if !ok || err != nil {
			return nil, ok, err
		}
		fields[i] = c
	}
	return &RowExpr{Fields: fields, T: to}, true, nil
}

func coerceArray(s *types.Settings, arr *ArrayExpr, to *types.T, context types.CastContext) (Expr, bool, error) {
	elems := make([]Expr, len(arr.Elems))
	for i, el := range arr.Elems {
		target := to.Elem
		if arr.Nested {
			target = to
		}
		c, ok, err := Coerce(s, el, target, context)
		if !ok || err != nil {
			return nil, ok, err
		}
		elems[i] = c
	}
	return &ArrayExpr{Elems: elems, T: to, Nested: arr.Nested}, true, nil
}

// NewCast is an explicit cast, CAST(e AS to).
func NewCast(s *types.Settings, e Expr, to *types.T) (Expr, error) {
	c, ok, err := Coerce(s, e, to, types.CastExplicit)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errCannotCast(e.Type(), to)
	}
	return c, nil
}

func errCannotCast(from, to *types.T) error {
	return sqlstate.New(sqlstate.CannotCoerce, "cannot cast type %s to %s", nameOf(from), nameOf(to))
}

// nameOf prints a type without its modifier, as messages do.
// The schema that is on everybody's search path is left out.
func nameOf(t *types.T) string {
	return strings.TrimPrefix(types.FormatType(t, -1, false), "public.")
}

// NewAssignment converts e to the type of a column that it is stored in. The error
// names the column (42804).
func NewAssignment(s *types.Settings, e Expr, to *types.T, column string) (Expr, error) {
	c, ok, err := Coerce(s, e, to, types.CastAssignment)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, sqlstate.New(sqlstate.DatatypeMismatch, "column %q is of type %s but expression is of type %s",
			column, nameOf(to), nameOf(e.Type())).WithHint("You will need to rewrite or cast the expression.")
	}
	return c, nil
}

// ToBool converts e to boolean for a clause such as "WHERE" or "AND" that takes nothing else.
func ToBool(s *types.Settings, e Expr, clause string) (Expr, error) {
	c, ok, err := Coerce(s, e, types.Bool, types.CastAssignment)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, sqlstate.New(sqlstate.DatatypeMismatch, "argument of %s must be type boolean, not type %s", clause, nameOf(e.Type()))
	}
	return c, nil
}

// ToInt8 converts e to bigint for a clause such as "LIMIT" or "OFFSET".
func ToInt8(s *types.Settings, e Expr, clause string) (Expr, error) {
	c, ok, err := Coerce(s, e, types.Int8, types.CastAssignment)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, sqlstate.New(sqlstate.DatatypeMismatch, "argument of %s must be type bigint, not type %s", clause, nameOf(e.Type()))
	}
	return c, nil
}

// ToKnown gives an expression that is still of unknown type the type text, as the
// output columns of a query have.
func ToKnown(s *types.Settings, e Expr) Expr {
	if e.Type().OID != types.OIDUnknown {
		return e
	}
	c, ok, err := Coerce(s, e, types.Text, types.CastImplicit)
	if !ok || err != nil {
		return e
	}
	return c
}

// CommonType is the type that the branches of CASE, COALESCE, UNION, VALUES or
// ARRAY have in common (PostgreSQL's select_common_type). context begins the
// error message, such as "CASE", "UNION" or "ARRAY". All unknown is text.
func CommonType(context string, exprs []Expr) (*types.T, error) {
	ts := make([]*types.T, len(exprs))
	for i, e := range exprs {
		ts[i] = e.Type()
	}
	return commonType(context, ts)
}

// BranchError is an error of CommonType that one of the expressions is to blame for.
type BranchError struct {
	Branch int // which expression
	Err    *sqlstate.Error
}

// Error and Unwrap are those of Err.
func (e *BranchError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *BranchError) Unwrap() error { return e.Err }

// CommonTypeOf is CommonType for the column types of set operations.
func CommonTypeOf(context string, ts ...*types.T) (*types.T, error) { return commonType(context, ts) }

func commonType(context string, ts []*types.T) (*types.T, error) {
	var best *types.T
	same := true
	for i, t := range ts {
		switch {
		case t.OID == types.OIDUnknown:
			same = false
		case best == nil:
			best = t
		case !best.Same(t):
			same = false
			switch {
			case best.Category != t.Category:
				if context == "" {
					return nil, nil
				}
				return nil, &BranchError{Branch: i,
					Err: sqlstate.New(sqlstate.DatatypeMismatch, "%s types %s and %s cannot be matched", context, nameOf(best), nameOf(t))}
			case !best.Preferred && canCoerce(best, t, types.CastImplicit) && !canCoerce(t, best, types.CastImplicit):
				best = t
			}
		}
	}
	if best == nil {
		return types.Text, nil
	}
	// A modifier survives only if every branch has it.
	for _, t := range ts {
		if !same || !t.Identical(best) {
			return best.WithTypmod(-1), nil
		}
	}
	return best, nil
}

// coerceAll converts every expression to t, implicitly.
func coerceAll(s *types.Settings, context string, exprs []Expr, t *types.T) ([]Expr, error) {
	out := make([]Expr, len(exprs))
	for i, e := range exprs {
		c, ok, err := Coerce(s, e, t, types.CastImplicit)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, sqlstate.New(sqlstate.CannotCoerce, "%s could not convert type %s to %s", context, nameOf(e.Type()), nameOf(t))
		}
		out[i] = c
	}
	return out, nil
}
