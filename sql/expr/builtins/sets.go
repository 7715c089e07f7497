package builtins

import (
	"math"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/types"
)

// setFn is a row for a function that returns a set.
func setFn(name string, ret *types.T, as []*types.T, f func(*ctx, *expr.Call, []datum) (expr.SetIter, error)) *expr.Function {
	return &expr.Function{Name: name, Kind: expr.SetFunction, Ret: ret, Args: as, Set: f}
}

// setRecords is setFn for rows of several columns.
func setRecords(name string, fields []types.Field, as []*types.T, f func(*ctx, *expr.Call, []datum) (expr.SetIter, error)) *expr.Function {
	g := setFn(name, record, as, f)
	g.RetFields = fields
	return g
}

// sliceIter iterates over values that are all there.
type sliceIter struct {
	values []datum
	row    types.Row
}

func newSliceIter(values []datum) *sliceIter {
	return &sliceIter{values: values, row: make(types.Row, 1)}
}

// Next implements expr.SetIter.
func (it *sliceIter) Next() (types.Row, bool, error) {
	if len(it.values) == 0 {
		return nil, false, nil
	}
	it.row[0] = it.values[0]
	it.values = it.values[1:]
	return it.row, true, nil
}

// rowsIter iterates over rows that are all there.
type rowsIter struct{ rows []types.Row }

// Next implements expr.SetIter.
func (it *rowsIter) Next() (types.Row, bool, error) {
	if len(it.rows) == 0 {
		return nil, false, nil
	}
	r := it.rows[0]
	it.rows = it.rows[1:]
	return r, true, nil
}

// funcIter iterates by a function that returns the next value.
type funcIter struct {
	next func() (datum, bool, error)
	row  types.Row
}

func newFuncIter(next func() (datum, bool, error)) *funcIter {
	return &funcIter{next: next, row: make(types.Row, 1)}
}

// Next implements expr.SetIter.
func (it *funcIter) Next() (types.Row, bool, error) {
	d, ok, err := it.next()
	it.row[0] = d
	return it.row, ok, err
}

var errZeroStep = errArgument("step size cannot equal zero")

func seriesInt(_ *ctx, _ *expr.Call, a []datum) (expr.SetIter, error) {
	at, stop, by := a[0].Int(), a[1].Int(), int64(1)
	if len(a) > 2 {
		by = a[2].Int()
	}
	if by == 0 {
		return nil, errZeroStep
	}
	done := false
	return newFuncIter(func() (datum, bool, error) {
		if done || by > 0 && at > stop || by < 0 && at < stop {
			return null, false, nil
		}
		d := types.NewInt(at)
		// Stop instead of wrapping round at the end of the integers.
		if by > 0 && at > math.MaxInt64-by || by < 0 && at < math.MinInt64-by {
			done = true
		} else {
			at += by
		}
		return d, true, nil
	}), nil
}

func seriesNumeric(_ *ctx, _ *expr.Call, a []datum) (expr.SetIter, error) {
	at, stop, by := a[0].Numeric(), a[1].Numeric(), types.NumericFromInt(1)
	if len(a) > 2 {
		by = a[2].Numeric()
	}
	for i, what := range []string{"start", "stop", "step size"} {
		v := [...]types.Numeric{at, stop, by}[i]
		if v.IsNaN() {
			return nil, errArgument("%s value cannot be NaN", what)
		}
		if v.IsInf() {
			return nil, errArgument("%s value cannot be infinity", what)
		}
	}
	if by.Sign() == 0 {
		return nil, errZeroStep
	}
	return newFuncIter(func() (datum, bool, error) {
		c := at.Cmp(stop)
		if by.Sign() > 0 && c > 0 || by.Sign() < 0 && c < 0 {
			return null, false, nil
		}
		d := types.NewNumeric(at)
		var err error
		at, err = at.Add(by)
		return d, true, err
	}), nil
}

func seriesTime(tz bool) func(*ctx, *expr.Call, []datum) (expr.SetIter, error) {
	return func(ec *ctx, _ *expr.Call, a []datum) (expr.SetIter, error) {
		at, stop, by := a[0].Int(), a[1].Int(), a[2].Interval()
		settings := *ec.Settings
		if len(a) > 3 {
			loc, err := zoneNamed(a[3].Str())
			if err != nil {
				return nil, err
			}
			settings.Location = loc
		}
		dir := by.Cmp(types.Interval{})
		if dir == 0 {
			return nil, errZeroStep
		}
		return newFuncIter(func() (datum, bool, error) {
			if dir > 0 && at > stop || dir < 0 && at < stop {
				return null, false, nil
			}
			d := types.NewInt(at)
			var err error
			if tz {
				at, err = types.AddIntervalTZ(at, by, &settings)
			} else {
				at, err = types.AddInterval(at, by)
			}
			return d, true, err
		}), nil
	}
}

func subscripts(_ *ctx, _ *expr.Call, a []datum) (expr.SetIter, error) {
	dim := a[1].Int()
	dims := a[0].Array().Dims
	if dim < 1 || dim > int64(len(dims)) {
		return newSliceIter(nil), nil
	}
	d := dims[dim-1]
	reverse := len(a) > 2 && a[2].Bool()
	out := make([]datum, d.Len)
	for i := range out {
		k := int64(d.Lower) + int64(i)
		if reverse {
			k = int64(d.Lower+d.Len) - 1 - int64(i)
		}
		out[i] = types.NewInt(k)
	}
	return newSliceIter(out), nil
}

func setFunctions() []*expr.Function {
	return []*expr.Function{
		setFn("generate_series", int4, args(int4, int4), seriesInt), setFn("generate_series", int4, args(int4, int4, int4), seriesInt),
		setFn("generate_series", int8, args(int8, int8), seriesInt), setFn("generate_series", int8, args(int8, int8, int8), seriesInt),
		setFn("generate_series", numeric, args(numeric, numeric), seriesNumeric),
		setFn("generate_series", numeric, args(numeric, numeric, numeric), seriesNumeric),
		setFn("generate_series", timestamp, args(timestamp, timestamp, interval), seriesTime(false)),
		stable(setFn("generate_series", timestamptz, args(timestamptz, timestamptz, interval), seriesTime(true))),
		setFn("generate_subscripts", int4, args(anyarray, int4), subscripts),
		setFn("generate_subscripts", int4, args(anyarray, int4, boolean), subscripts),
		setFn("unnest", anyelement, args(anyarray), func(_ *ctx, _ *expr.Call, a []datum) (expr.SetIter, error) {
			return newSliceIter(a[0].Array().Elems), nil
		}),
		setRecords("_pg_expandarray", []types.Field{{Name: "x", Type: anyelement}, {Name: "n", Type: int4}}, args(anyarray),
			func(_ *ctx, _ *expr.Call, a []datum) (expr.SetIter, error) {
				arr := a[0].Array()
				rows := make([]types.Row, len(arr.Elems))
				for i, e := range arr.Elems {
					rows[i] = types.Row{e, types.NewInt(int64(i) + 1)}
				}
				return &rowsIter{rows}, nil
			}),
	}
}
