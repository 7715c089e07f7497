package builtins

import (
	"slices"
	"strings"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

func newArray(a *types.Array) datum { return types.NewArrayDatum(a) }

// elemOf returns the element type of a call's array result.
func elemOf(c *expr.Call) *types.T {
	if c.T.Elem != nil {
		return c.T.Elem
	}
	return text
}

var errNotOneDim = sqlstate.New(sqlstate.DataException, "argument must be empty or one-dimensional array")

func arrayAppend(c *expr.Call, arr, elem datum, front bool) (datum, error) {
	out := &types.Array{Elem: elemOf(c), Dims: []types.ArrayDim{{Len: 1, Lower: 1}}}
	if arr.IsNull() || len(arr.Array().Elems) == 0 {
		out.Elems = []datum{elem}
		return newArray(out), nil
	}
	a := arr.Array()
	if len(a.Dims) > 1 {
		return null, errNotOneDim
	}
	out.Elems = make([]datum, 0, len(a.Elems)+1)
	out.Dims[0] = types.ArrayDim{Len: a.Dims[0].Len + 1, Lower: a.Dims[0].Lower}
	if front {
		out.Elems = append(append(out.Elems, elem), a.Elems...)
	} else {
		out.Elems = append(append(out.Elems, a.Elems...), elem)
	}
	return newArray(out), nil
}

func arrayCat(x, y datum) (datum, error) {
	switch {
	case x.IsNull():
		return y, nil
	case y.IsNull():
		return x, nil
	}
	a, b := x.Array(), y.Array()
	switch {
	case len(a.Dims) == 0:
		return y, nil
	case len(b.Dims) == 0:
		return x, nil
	}
	out := &types.Array{Elem: a.Elem, Elems: slices.Concat(a.Elems, b.Elems)}
	mismatch := func(detail string) (datum, error) {
		return null, errf(sqlstate.ArraySubscriptError, "cannot concatenate incompatible arrays").(*sqlstate.Error).WithDetail("%s", detail)
	}
	sameTail := func(p, q []types.ArrayDim) bool {
		for i := range p {
			if p[i].Len != q[i].Len {
				return false
			}
		}
		return true
	}
	switch d := len(a.Dims) - len(b.Dims); d {
	case 0:
		if !sameTail(a.Dims[1:], b.Dims[1:]) {
			return mismatch("Arrays with differing element dimensions are not compatible for concatenation.")
		}
		out.Dims = slices.Clone(a.Dims)
		out.Dims[0].Len += b.Dims[0].Len
	case 1:
		if !sameTail(a.Dims[1:], b.Dims) {
			return mismatch("Arrays with differing dimensions are not compatible for concatenation.")
		}
		out.Dims = slices.Clone(a.Dims)
		out.Dims[0].Len++
	case -1:
		if !sameTail(a.Dims, b.Dims[1:]) {
			return mismatch("Arrays with differing dimensions are not compatible for concatenation.")
		}
		out.Dims = slices.Clone(b.Dims)
		out.Dims[0].Len++
	default:
		return mismatch("Arrays of " + itoa(len(a.Dims)) + " and " + itoa(len(b.Dims)) + " dimensions are not compatible for concatenation.")
	}
	return newArray(out), nil
}

func arrayContains(a, b *types.Array) bool {
	for _, x := range b.Elems {
		if x.IsNull() || !slices.ContainsFunc(a.Elems, func(y datum) bool { return !y.IsNull() && types.Equal(x, y) }) {
			return false
		}
	}
	return true
}

func arrayOverlaps(a, b *types.Array) bool {
	return slices.ContainsFunc(a.Elems, func(x datum) bool {
		return !x.IsNull() && slices.ContainsFunc(b.Elems, func(y datum) bool { return !y.IsNull() && types.Equal(x, y) })
	})
}

func arrayPosition(a []datum) (datum, error) {
	if a[0].IsNull() {
		return null, nil
	}
	arr := a[0].Array()
	if len(arr.Dims) > 1 {
		return null, errf(sqlstate.FeatureNotSupported, "searching for elements in multidimensional arrays is not supported")
	}
	if len(arr.Dims) == 0 {
		return null, nil
	}
	from := int64(arr.Dims[0].Lower)
	if len(a) > 2 {
		if a[2].IsNull() {
			return null, errf(sqlstate.NullValueNotAllowed, "initial position must not be null")
		}
		from = a[2].Int()
	}
	for i, e := range arr.Elems {
		at := int64(arr.Dims[0].Lower) + int64(i)
		if at >= from && types.CompareNulls(e, a[1]) == 0 {
			return types.NewInt(at), nil
		}
	}
	return null, nil
}

// arrayText is array_to_string: the elements' text with a separator; NULLs are left out
// unless they have a text.
func arrayText(ec *ctx, a *types.Array, sep string, nullText datum) datum {
	var out []byte
	first := true
	for _, e := range a.Elems {
		if e.IsNull() && nullText.IsNull() {
			continue
		}
		if !first {
			out = append(out, sep...)
		}
		first = false
		if e.IsNull() {
			out = append(out, nullText.Bytes()...)
		} else {
			out = append(out, types.TextOf(a.Elem, e, ec.Settings)...)
		}
	}
	return types.NewBytes(out)
}

func arrayFill(c *expr.Call, a []datum) (datum, error) {
	if a[1].IsNull() || len(a) > 2 && a[2].IsNull() {
		return null, errf(sqlstate.NullValueNotAllowed, "dimension array or low bound array cannot be null")
	}
	dims := a[1].Array()
	out := &types.Array{Elem: elemOf(c)}
	n := int64(1)
	for i, d := range dims.Elems {
		if d.IsNull() {
			return null, errf(sqlstate.NullValueNotAllowed, "dimension values cannot be null")
		}
		dim := types.ArrayDim{Len: int32(d.Int()), Lower: 1}
		if len(a) > 2 {
			low := a[2].Array().Elems
			if len(low) != len(dims.Elems) {
				return null, errf(sqlstate.ArraySubscriptError, "wrong number of array subscripts").(*sqlstate.Error).
					WithDetail("Low bound array has different size than dimensions array.")
			}
			dim.Lower = int32(low[i].Int())
		}
		n *= d.Int()
		if d.Int() < 0 || n > 1<<27 {
			return null, errf(sqlstate.ProgramLimitExceeded, "array size exceeds the maximum allowed (%d)", 1<<27)
		}
		out.Dims = append(out.Dims, dim)
	}
	if len(dims.Elems) == 0 || n == 0 {
		return newArray(&types.Array{Elem: out.Elem}), nil
	}
	out.Elems = make([]datum, n)
	for i := range out.Elems {
		out.Elems[i] = a[0]
	}
	return newArray(out), nil
}

func arrayFunctions() []*expr.Function {
	dim := func(f func(types.ArrayDim) int64) func(*ctx, datum, datum) (datum, error) {
		return func(_ *ctx, a, b datum) (datum, error) {
			dims, n := a.Array().Dims, b.Int()
			if n < 1 || n > int64(len(dims)) {
				return null, nil
			}
			return types.NewInt(f(dims[n-1])), nil
		}
	}
	appendFn := func(_ *ctx, c *expr.Call, a []datum) (datum, error) { return arrayAppend(c, a[0], a[1], false) }
	prependFn := func(_ *ctx, c *expr.Call, a []datum) (datum, error) { return arrayAppend(c, a[1], a[0], true) }
	toString := func(ec *ctx, a []datum) (datum, error) {
		if a[0].IsNull() || a[1].IsNull() {
			return null, nil
		}
		nullText := null
		if len(a) > 2 {
			nullText = a[2]
		}
		return arrayText(ec, a[0].Array(), a[1].Str(), nullText), nil
	}
	position := func(_ *ctx, a []datum) (datum, error) { return arrayPosition(a) }
	fill := func(_ *ctx, c *expr.Call, a []datum) (datum, error) { return arrayFill(c, a) }
	return []*expr.Function{
		fn2("array_length", int4, anyarray, int4, dim(func(d types.ArrayDim) int64 { return int64(d.Len) })),
		fn2("array_lower", int4, anyarray, int4, dim(func(d types.ArrayDim) int64 { return int64(d.Lower) })),
		fn2("array_upper", int4, anyarray, int4, dim(func(d types.ArrayDim) int64 { return int64(d.Lower+d.Len) - 1 })),
		fn1("array_ndims", int4, anyarray, func(_ *ctx, a datum) (datum, error) {
			if n := len(a.Array().Dims); n > 0 {
				return types.NewInt(int64(n)), nil
			}
			return null, nil
		}),
		fn1("array_dims", text, anyarray, func(_ *ctx, a datum) (datum, error) {
			var b strings.Builder
			for _, d := range a.Array().Dims {
				b.WriteString("[" + itoa(int(d.Lower)) + ":" + itoa(int(d.Lower+d.Len-1)) + "]")
			}
			if b.Len() == 0 {
				return null, nil
			}
			return str(b.String()), nil
		}),
		fn1("cardinality", int4, anyarray, func(_ *ctx, a datum) (datum, error) { return types.NewInt(int64(len(a.Array().Elems))), nil }),
		nullable(fnC("array_append", anycompatiblearr, args(anycompatiblearr, anycompatible), appendFn)),
		nullable(fnC("array_prepend", anycompatiblearr, args(anycompatible, anycompatiblearr), prependFn)),
		nullable(fn2("array_cat", anycompatiblearr, anycompatiblearr, anycompatiblearr, func(_ *ctx, a, b datum) (datum, error) { return arrayCat(a, b) })),
		nullable(fnN("array_position", int4, args(anycompatiblearr, anycompatible), position)),
		nullable(fnN("array_position", int4, args(anycompatiblearr, anycompatible, int4), position)),
		nullable(fn2("array_positions", types.Int4Array, anycompatiblearr, anycompatible, func(_ *ctx, a, b datum) (datum, error) {
			if a.IsNull() {
				return null, nil
			}
			arr := a.Array()
			if len(arr.Dims) > 1 {
				return null, errf(sqlstate.FeatureNotSupported, "searching for elements in multidimensional arrays is not supported")
			}
			var out []datum
			for i, e := range arr.Elems {
				if types.CompareNulls(e, b) == 0 {
					out = append(out, types.NewInt(int64(arr.Dims[0].Lower)+int64(i)))
				}
			}
			return newArray(types.NewArray(int4, out)), nil
		})),
		nullable(fn2("array_remove", anycompatiblearr, anycompatiblearr, anycompatible, func(_ *ctx, a, b datum) (datum, error) {
			if a.IsNull() {
				return null, nil
			}
			arr := a.Array()
			if len(arr.Dims) > 1 {
				return null, errf(sqlstate.FeatureNotSupported, "removing elements from multidimensional arrays is not supported")
			}
			kept := slices.DeleteFunc(slices.Clone(arr.Elems), func(e datum) bool { return types.CompareNulls(e, b) == 0 })
			return newArray(types.NewArray(arr.Elem, kept)), nil
		})),
		nullable(fnN("array_replace", anycompatiblearr, args(anycompatiblearr, anycompatible, anycompatible), func(_ *ctx, a []datum) (datum, error) {
			if a[0].IsNull() {
				return null, nil
			}
			out := *a[0].Array()
			out.Elems = slices.Clone(out.Elems)
			for i, e := range out.Elems {
				if types.CompareNulls(e, a[1]) == 0 {
					out.Elems[i] = a[2]
				}
			}
			return newArray(&out), nil
		})),
		stable(fnN("array_to_string", text, args(anyarray, text), toString)),
		stable(nullable(fnN("array_to_string", text, args(anyarray, text, text), toString))),
		nullable(fnC("array_fill", anyarray, args(anyelement, types.Int4Array), fill)),
		nullable(fnC("array_fill", anyarray, args(anyelement, types.Int4Array, types.Int4Array), fill)),
		fn2("trim_array", anyarray, anyarray, int4, func(_ *ctx, a, b datum) (datum, error) {
			arr, n := a.Array(), b.Int()
			have := int64(0)
			if len(arr.Dims) > 0 {
				have = int64(arr.Dims[0].Len)
			}
			if n < 0 || n > have {
				return null, errf(sqlstate.ArraySubscriptError, "number of elements to trim must be between 0 and %d", have)
			}
			if have == 0 {
				return a, nil
			}
			return newArray(arr.Slice([]types.Bounds{{Upper: arr.Dims[0].Lower + int32(have-n) - 1, HasUpper: true}})), nil
		}),
	}
}

func arrayOperators() []*expr.Operator {
	nullableOp := func(o *expr.Operator) *expr.Operator {
		o.Fn.NotStrict = true
		return o
	}
	return []*expr.Operator{
		nullableOp(op2("||", anycompatiblearr, anycompatiblearr, anycompatiblearr, func(_ *ctx, a, b datum) (datum, error) { return arrayCat(a, b) })),
		nullableOp(op2C("||", anycompatiblearr, anycompatible, anycompatiblearr, func(_ *ctx, c *expr.Call, a []datum) (datum, error) {
			return arrayAppend(c, a[0], a[1], false)
		})),
		nullableOp(op2C("||", anycompatible, anycompatiblearr, anycompatiblearr, func(_ *ctx, c *expr.Call, a []datum) (datum, error) {
			return arrayAppend(c, a[1], a[0], true)
		})),
		op2("@>", anyarray, anyarray, boolean, func(_ *ctx, a, b datum) (datum, error) {
			return types.NewBool(arrayContains(a.Array(), b.Array())), nil
		}),
		op2("<@", anyarray, anyarray, boolean, func(_ *ctx, a, b datum) (datum, error) {
			return types.NewBool(arrayContains(b.Array(), a.Array())), nil
		}),
		op2("&&", anyarray, anyarray, boolean, func(_ *ctx, a, b datum) (datum, error) {
			return types.NewBool(arrayOverlaps(a.Array(), b.Array())), nil
		}),
	}
}

func enumFunctions() []*expr.Function {
	label := func(c *expr.Call, i int) (datum, error) {
		l := c.Args[0].Type().Labels
		if len(l) == 0 {
			return null, nil
		}
		if i < 0 {
			i += len(l)
		}
		return types.NewInt(l[i].Order), nil
	}
	rng := func(_ *ctx, c *expr.Call, a []datum) (datum, error) {
		t := c.Args[0].Type()
		var out []datum
		for _, l := range t.Labels {
			if len(a) > 1 && (!a[0].IsNull() && l.Order < a[0].Int() || !a[1].IsNull() && l.Order > a[1].Int()) {
				continue
			}
			out = append(out, types.NewInt(l.Order))
		}
		return newArray(types.NewArray(t, out)), nil
	}
	return []*expr.Function{
		stable(nullable(fnC("enum_first", anyenum, args(anyenum), func(_ *ctx, c *expr.Call, _ []datum) (datum, error) { return label(c, 0) }))),
		stable(nullable(fnC("enum_last", anyenum, args(anyenum), func(_ *ctx, c *expr.Call, _ []datum) (datum, error) { return label(c, -1) }))),
		stable(nullable(fnC("enum_range", anyarray, args(anyenum), rng))),
		stable(nullable(fnC("enum_range", anyarray, args(anyenum, anyenum), rng))),
	}
}
