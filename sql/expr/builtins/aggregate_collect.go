package builtins

import (
	"math"
	"slices"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// stringAgg is string_agg of text and bytea.
type stringAgg struct {
	noPartial
	have bool
	buf  []byte
}

func (s *stringAgg) add(_ *ctx, a []datum) error {
	if a[0].IsNull() {
		return nil
	}
	if s.have && !a[1].IsNull() {
		s.buf = append(s.buf, a[1].Bytes()...)
	}
	s.have = true
	s.buf = append(s.buf, a[0].Bytes()...)
	return nil
}

func (s *stringAgg) result(*ctx) (datum, error) {
	if !s.have {
		return null, nil
	}
	return types.NewBytes(slices.Clone(s.buf)), nil
}

func (s *stringAgg) size() int64 { return int64(cap(s.buf)) + 32 }

// arrayAgg is array_agg of scalars; of arrays it adds a dimension.
type arrayAgg struct {
	noPartial
	elem   *types.T
	nested bool
	elems  []datum
	dims   []types.ArrayDim
	n      int32
	held   int64
}

func (s *arrayAgg) add(_ *ctx, a []datum) error {
	s.n++
	if !s.nested {
		d := a[0].Clone()
		s.held += d.Size()
		s.elems = append(s.elems, d)
		return nil
	}
	if a[0].IsNull() {
		return errf(sqlstate.NullValueNotAllowed, "cannot accumulate null arrays")
	}
	arr := a[0].Array()
	if len(arr.Dims) == 0 {
		return errf(sqlstate.ArraySubscriptError, "cannot accumulate empty arrays")
	}
	if s.n == 1 {
		s.dims = slices.Clone(arr.Dims)
	} else if !slices.Equal(s.dims, arr.Dims) {
		return errf(sqlstate.ArraySubscriptError, "cannot accumulate arrays of different dimensionality")
	}
	for _, e := range arr.Elems {
		e = e.Clone()
		s.held += e.Size()
		s.elems = append(s.elems, e)
	}
	return nil
}

func (s *arrayAgg) result(*ctx) (datum, error) {
	if s.n == 0 {
		return null, nil
	}
	out := types.NewArray(s.elem, slices.Clone(s.elems))
	if s.nested {
		out.Dims = append([]types.ArrayDim{{Len: s.n, Lower: 1}}, s.dims...)
	}
	return types.NewArrayDatum(out), nil
}

func (s *arrayAgg) size() int64 { return s.held + 64 }

// jsonAgg is json_agg and jsonb_agg.
type jsonAgg struct {
	noPartial
	t      *types.T
	binary bool
	elems  []types.JSONValue
	buf    []byte
	have   bool
	held   int64
}

func (s *jsonAgg) add(ec *ctx, a []datum) error {
	if !s.binary {
		if s.have {
			s.buf = append(s.buf, ", "...)
			if s.t.Family == types.FamRecord || s.t.IsArray() {
				s.buf = append(s.buf, "\n "...) // as PostgreSQL does
			}
		} else {
			s.buf = append(s.buf, '[')
		}
		s.have = true
		var err error
		s.buf, err = appendJSON(ec, s.buf, s.t, a[0], false)
		return err
	}
	s.have = true
	v, err := toJSONB(ec, s.t, a[0])
	if err != nil {
		return err
	}
	v = slices.Clone(v)
	s.held += int64(len(v)) + 24
	s.elems = append(s.elems, v)
	return nil
}

func (s *jsonAgg) result(*ctx) (datum, error) {
	switch {
	case !s.have:
		return null, nil
	case s.binary:
		return types.NewBytesOf(types.FamJSONB, types.JSONFromArray(s.elems)), nil
	}
	return types.NewBytes(append(slices.Clone(s.buf), ']')), nil
}

func (s *jsonAgg) size() int64 { return s.held + int64(cap(s.buf)) + 64 }

// jsonObjectAgg is json_object_agg and jsonb_object_agg.
type jsonObjectAgg struct {
	noPartial
	kt, vt  *types.T
	binary  bool
	members []types.JSONMember
	buf     []byte
	have    bool
	held    int64
}

func (s *jsonObjectAgg) add(ec *ctx, a []datum) error {
	if a[0].IsNull() {
		return errArgument("field name must not be null")
	}
	key := types.TextOf(s.kt, a[0], ec.Settings)
	if s.binary {
		v, err := toJSONB(ec, s.vt, a[1])
		if err != nil {
			return err
		}
		s.have = true
		s.held += int64(len(key)+len(v)) + 40
		s.members = append(s.members, types.JSONMember{Key: key, Value: slices.Clone(v)})
		return nil
	}
	if s.have {
		s.buf = append(s.buf, ", "...)
	} else {
		s.buf = append(s.buf, "{ "...)
	}
	s.have = true
	s.buf = append(types.AppendJSONString(s.buf, key), " : "...)
	var err error
	s.buf, err = appendJSON(ec, s.buf, s.vt, a[1], false)
	return err
}

func (s *jsonObjectAgg) result(*ctx) (datum, error) {
	switch {
	case !s.have:
		return null, nil
	case s.binary:
		return types.NewBytesOf(types.FamJSONB, types.JSONFromMembers(slices.Clone(s.members))), nil
	}
	return types.NewBytes(append(slices.Clone(s.buf), " }"...)), nil
}

func (s *jsonObjectAgg) size() int64 { return s.held + int64(cap(s.buf)) + 64 }

// modeAgg is mode() WITHIN GROUP (ORDER BY x); the executor feeds it in order, so equal
// values are adjacent.
type modeAgg struct {
	noPartial
	best, last datum
	bestN, n   int64
}

func (s *modeAgg) add(_ *ctx, a []datum) error {
	if a[0].IsNull() {
		return nil
	}
	if s.n > 0 && types.Equal(s.last, a[0]) {
		s.n++
	} else {
		s.last, s.n = a[0].Clone(), 1
	}
	if s.n > s.bestN {
		s.best, s.bestN = s.last, s.n
	}
	return nil
}

func (s *modeAgg) result(*ctx) (datum, error) { return s.best, nil }
func (s *modeAgg) size() int64                { return s.best.Size() + s.last.Size() + 16 }

// percentile is percentile_cont and percentile_disc: the first argument is the
// fraction (or an array of them), the second the value; values come in order.
type percentile struct {
	noPartial
	cont     bool
	elem     *types.T
	fraction datum
	values   []datum
	held     int64
}

func (s *percentile) add(_ *ctx, a []datum) error {
	if len(s.values) == 0 {
		s.fraction = a[0].Clone()
	}
	if a[1].IsNull() {
		return nil
	}
	d := a[1].Clone()
	s.held += d.Size()
	s.values = append(s.values, d)
	return nil
}

func (s *percentile) result(*ctx) (datum, error) {
	if len(s.values) == 0 || s.fraction.IsNull() {
		return null, nil
	}
	if s.fraction.Family() != types.FamArray {
		return s.at(s.fraction.Float())
	}
	f := s.fraction.Array()
	out := &types.Array{Elem: s.elem, Dims: f.Dims, Elems: make([]datum, len(f.Elems))}
	for i, p := range f.Elems {
		if p.IsNull() {
			continue
		}
		d, err := s.at(p.Float())
		if err != nil {
			return null, err
		}
		out.Elems[i] = d
	}
	return types.NewArrayDatum(out), nil
}

func (s *percentile) at(p float64) (datum, error) {
	if p < 0 || p > 1 || math.IsNaN(p) {
		return null, errf(sqlstate.NumericOutOfRange, "percentile value %g is not between 0 and 1", p)
	}
	n := float64(len(s.values))
	if !s.cont {
		return s.values[max(int(math.Ceil(p*n))-1, 0)], nil
	}
	pos := p * (n - 1)
	lo, hi := int(math.Floor(pos)), int(math.Ceil(pos))
	if lo == hi {
		return s.values[lo], nil
	}
	a, b, frac := s.values[lo], s.values[hi], pos-float64(lo)
	if a.Family() == types.FamInterval {
		d, err := b.Interval().Sub(a.Interval())
		if err == nil {
			d, err = d.Mul(frac)
		}
		if err == nil {
			d, err = a.Interval().Add(d)
		}
		return types.NewInterval(d), err
	}
	return types.NewFloat(a.Float() + (b.Float()-a.Float())*frac), nil
}

func (s *percentile) size() int64 { return s.held + 64 }

// hypothetical is rank, dense_rank, percent_rank and cume_dist WITHIN GROUP: the rank that
// the direct arguments would have among the rows.
type hypothetical struct {
	noPartial
	kind           string
	less, equal, n int64
	distinctLess   int64
	last           []datum
}

func (s *hypothetical) add(_ *ctx, a []datum) error {
	k := len(a) / 2
	s.n++
	// The sort is taken to be ascending with NULLs last: the call does not know directions.
	c := 0
	for i := range k {
		if c = types.CompareNulls(a[k+i], a[i]); c != 0 {
			break
		}
	}
	switch {
	case c < 0:
		s.less++
		if s.last == nil || !equalRows(s.last, a[k:]) {
			s.distinctLess++
			s.last = s.last[:0]
			for _, d := range a[k:] {
				s.last = append(s.last, d.Clone())
			}
		}
	case c == 0:
		s.equal++
	}
	return nil
}

func equalRows(a, b []datum) bool {
	for i := range a {
		if types.CompareNulls(a[i], b[i]) != 0 {
			return false
		}
	}
	return true
}

func (s *hypothetical) result(*ctx) (datum, error) {
	switch s.kind {
	case "rank":
		return types.NewInt(s.less + 1), nil
	case "dense_rank":
		return types.NewInt(s.distinctLess + 1), nil
	case "percent_rank":
		if s.n == 0 {
			return types.NewFloat(0), nil
		}
		return types.NewFloat(float64(s.less) / float64(s.n)), nil
	}
	return types.NewFloat(float64(s.less+s.equal+1) / float64(s.n+1)), nil
}

func (s *hypothetical) size() int64 { return 96 }

func orderedSet(f *expr.Function) *expr.Function {
	f.OrderedSet = true
	return f
}

func collectingAggregates() []*expr.Function {
	array := func(c *expr.Call) expr.AggState {
		t := c.Args[0].Type()
		if t.IsArray() {
			return newStatesOf(arrayAgg{elem: t.Elem, nested: true})
		}
		return newStatesOf(arrayAgg{elem: t})
	}
	jsonArray := func(binary bool) func(c *expr.Call) expr.AggState {
		return func(c *expr.Call) expr.AggState { return newStatesOf(jsonAgg{t: c.Args[0].Type(), binary: binary}) }
	}
	jsonObject := func(binary bool) func(c *expr.Call) expr.AggState {
		return func(c *expr.Call) expr.AggState {
			return newStatesOf(jsonObjectAgg{kt: c.Args[0].Type(), vt: c.Args[1].Type(), binary: binary})
		}
	}
	pct := func(cont bool) func(c *expr.Call) expr.AggState {
		return func(c *expr.Call) expr.AggState {
			return newStatesOf(percentile{cont: cont, elem: c.Args[1].Type()})
		}
	}
	float8Array, intervalArray := types.Float8Array, types.ArrayOf(interval)
	f := []*expr.Function{
		agg("string_agg", text, args(text, text), func(*expr.Call) expr.AggState { return newStates[stringAgg]() }),
		agg("string_agg", bytea, args(bytea, bytea), func(*expr.Call) expr.AggState { return newStates[stringAgg]() }),
		agg("array_agg", anyarray, args(types.AnyNonArray), array),
		agg("array_agg", anyarray, args(anyarray), array),
		agg("json_agg", json, args(anyelement), jsonArray(false)),
		agg("jsonb_agg", jsonb, args(anyelement), jsonArray(true)),
		agg("json_object_agg", json, args(any_, any_), jsonObject(false)),
		agg("jsonb_object_agg", jsonb, args(any_, any_), jsonObject(true)),
		orderedSet(agg("mode", anyelement, args(anyelement), func(*expr.Call) expr.AggState { return newStates[modeAgg]() })),
		orderedSet(agg("percentile_cont", float8, args(float8, float8), pct(true))),
		orderedSet(agg("percentile_cont", interval, args(float8, interval), pct(true))),
		orderedSet(agg("percentile_cont", float8Array, args(float8Array, float8), pct(true))),
		orderedSet(agg("percentile_cont", intervalArray, args(float8Array, interval), pct(true))),
		orderedSet(agg("percentile_disc", anyelement, args(float8, anyelement), pct(false))),
		orderedSet(agg("percentile_disc", anyarray, args(float8Array, anyelement), pct(false))),
	}
	for _, k := range []string{"rank", "dense_rank", "percent_rank", "cume_dist"} {
		ret := int8
		if k == "percent_rank" || k == "cume_dist" {
			ret = float8
		}
		// Argument types beyond the first pair are the binder's to check: it passes as many
		// direct as sorted arguments.
		h := agg(k, ret, args(any_), func(*expr.Call) expr.AggState { return newStatesOf(hypothetical{kind: k}) })
		f = append(f, orderedSet(variadic(h)))
	}
	return f
}
