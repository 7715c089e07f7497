package builtins

import (
	"bytes"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/types"
)

// comparisonOperators are = <> < <= > >= of every type that has an order, and of the
// pairs of number types that compare without conversion. Dates compare with
// timestamps through the implicit casts.
func comparisonOperators() []*expr.Operator {
	var ops []*expr.Operator
	all := []expr.CompareOp{expr.CmpEQ, expr.CmpNE, expr.CmpLT, expr.CmpLE, expr.CmpGT, expr.CmpGE}
	add := func(l, r *types.T, which ...expr.CompareOp) {
		for _, op := range which {
			ops = append(ops, comparison(op, l, r))
		}
	}
	ints := args(int2, int4, int8)
	floats := args(float4, float8)
	for _, l := range ints {
		for _, r := range ints {
			add(l, r, all...)
		}
	}
	for _, l := range floats {
		for _, r := range floats {
			add(l, r, all...)
		}
	}
	for _, t := range args(boolean, char, numeric, text, name, bpchar, bytea, oid, date, time_, timetz, timestamp, timestamptz, interval,
		uuid, jsonb, inet, types.PgLSN, types.Xid8, types.Tid, types.OidVector, anyarray, anyenum, record) {
		add(t, t, all...)
	}
	add(types.Xid, types.Xid, expr.CmpEQ, expr.CmpNE)
	add(types.Xid, int4, expr.CmpEQ, expr.CmpNE)
	add(types.Cid, types.Cid, expr.CmpEQ)
	add(types.Aclitem, types.Aclitem, expr.CmpEQ)
	// The operators of the *_pattern_ops classes order by bytes whatever the collation, as
	// everything does here.
	for name, op := range map[string]expr.CompareOp{"~<~": expr.CmpLT, "~<=~": expr.CmpLE, "~>~": expr.CmpGT, "~>=~": expr.CmpGE} {
		for _, t := range args(text, bpchar) {
			ops = append(ops, op2(name, t, t, boolean, func(_ *ctx, a, b datum) (datum, error) {
				return types.NewBool(op.Holds(types.Compare(a, b))), nil
			}))
		}
	}
	return ops
}

func comparison(op expr.CompareOp, l, r *types.T) *expr.Operator {
	f := fn2(op.String(), boolean, l, r, compareFn(op, l.Family))
	if l.Family == r.Family {
		f.Batch = expr.CompareKernel(op, l.Family)
	}
	return &expr.Operator{Name: op.String(), Left: l, Right: r, Fn: f, Compare: op,
		Commutator: op.Commuted().String(), Negator: op.Negated().String()}
}

// compareFn returns the comparison of two values of a family; integers and strings, which
// short statements compare by the million, skip the dispatch of types.Compare.
func compareFn(op expr.CompareOp, fam types.Family) func(*ctx, datum, datum) (datum, error) {
	switch fam {
	case types.FamInt, types.FamBool:
		switch op {
		case expr.CmpEQ:
			return func(_ *ctx, a, b datum) (datum, error) { return types.NewBool(a.Int() == b.Int()), nil }
		case expr.CmpLT:
			return func(_ *ctx, a, b datum) (datum, error) { return types.NewBool(a.Int() < b.Int()), nil }
		case expr.CmpGT:
			return func(_ *ctx, a, b datum) (datum, error) { return types.NewBool(a.Int() > b.Int()), nil }
		}
	case types.FamString:
		if op == expr.CmpEQ {
			return func(_ *ctx, a, b datum) (datum, error) { return types.NewBool(a.Str() == b.Str()), nil }
		}
		return func(_ *ctx, a, b datum) (datum, error) {
			return types.NewBool(op.Holds(bytes.Compare(a.Bytes(), b.Bytes()))), nil
		}
	}
	return func(_ *ctx, a, b datum) (datum, error) { return types.NewBool(op.Holds(types.Compare(a, b))), nil }
}
