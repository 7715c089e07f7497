package builtins

import (
	"math"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/types"
)

// agg is a row for an aggregate.
func agg(name string, ret *types.T, as []*types.T, f func(*expr.Call) expr.AggState) *expr.Function {
	return &expr.Function{Name: name, Kind: expr.AggregateFunction, Ret: ret, Args: as, Agg: f, NotStrict: true}
}

func aggregateFunctions() []*expr.Function {
	f := []*expr.Function{
		agg("count", int8, nil, func(*expr.Call) expr.AggState { return &countState{star: true} }),
		agg("count", int8, args(any_), func(*expr.Call) expr.AggState { return &countState{} }),
		agg("sum", int8, args(int2), func(*expr.Call) expr.AggState { return &intSumState{} }),
		agg("sum", int8, args(int4), func(*expr.Call) expr.AggState { return &intSumState{} }),
		agg("sum", numeric, args(int8), func(*expr.Call) expr.AggState { return &wideSumState{} }),
		agg("sum", numeric, args(numeric), func(*expr.Call) expr.AggState { return &numericSumState{} }),
		agg("sum", float4, args(float4), func(*expr.Call) expr.AggState { return &floatSumState{single: true} }),
		agg("sum", float8, args(float8), func(*expr.Call) expr.AggState { return &floatSumState{} }),
		agg("sum", interval, args(interval), func(*expr.Call) expr.AggState { return newStates[intervalSum]() }),
		agg("avg", numeric, args(int2), func(*expr.Call) expr.AggState { return &wideSumState{avg: true} }),
		agg("avg", numeric, args(int4), func(*expr.Call) expr.AggState { return &wideSumState{avg: true} }),
		agg("avg", numeric, args(int8), func(*expr.Call) expr.AggState { return &wideSumState{avg: true} }),
		agg("avg", numeric, args(numeric), func(*expr.Call) expr.AggState { return &numericSumState{avg: true} }),
		agg("avg", float8, args(float4), func(*expr.Call) expr.AggState { return &floatSumState{avg: true} }),
		agg("avg", float8, args(float8), func(*expr.Call) expr.AggState { return &floatSumState{avg: true} }),
		agg("avg", interval, args(interval), func(*expr.Call) expr.AggState { return newStates[intervalAvg]() }),
	}
	for _, t := range args(int2, int4, int8, oid, float4, float8, numeric, text, bpchar, date, time_, timetz, timestamp, timestamptz,
		interval, inet, types.PgLSN, types.Xid8, types.Tid, anyarray, anyenum) {
		f = append(f,
			agg("min", t, args(t), func(c *expr.Call) expr.AggState { return newExtreme(c, false) }),
			agg("max", t, args(t), func(c *expr.Call) expr.AggState { return newExtreme(c, true) }))
	}
	return append(append(f, statisticAggregates()...), collectingAggregates()...)
}

// rowsOf calls f with each selected position.
func rowsOf(sel []uint16, n int, f func(i int) error) error {
	if sel == nil {
		for i := range n {
			if err := f(i); err != nil {
				return err
			}
		}
		return nil
	}
	for _, i := range sel {
		if err := f(int(i)); err != nil {
			return err
		}
	}
	return nil
}

func groupOf(groups []uint32, i int) int {
	if groups == nil {
		return 0
	}
	return int(groups[i])
}

// grow extends a slice with zero values to length n.
func grow[S any](s []S, n int) []S {
	for len(s) < n {
		if cap(s) >= n {
			old := len(s)
			s = s[:n]
			clear(s[old:])
			return s
		}
		s = append(s, make([]S, max(n-len(s), len(s)))...)[:n]
	}
	return s
}

// countState is count(*) and count(x).
type countState struct {
	star bool
	n    []int64
}

func (s *countState) Grow(n int) { s.n = grow(s.n, n) }

func (s *countState) Add(_ *ctx, g int, a []datum) error {
	if s.star || !a[0].IsNull() {
		s.n[g]++
	}
	return nil
}

func (s *countState) AddBatch(_ *ctx, groups []uint32, a []*types.Vec, sel []uint16, n int) error {
	noNulls := s.star || !a[0].HasNulls
	if groups == nil && noNulls {
		if sel != nil {
			n = len(sel)
		}
		s.n[0] += int64(n)
		return nil
	}
	if noNulls && sel == nil {
		for _, g := range groups[:n] {
			s.n[g]++
		}
		return nil
	}
	return rowsOf(sel, n, func(i int) error {
		if noNulls || !a[0].IsNull(i) {
			s.n[groupOf(groups, i)]++
		}
		return nil
	})
}

func (s *countState) Result(_ *ctx, g int) (datum, error) { return types.NewInt(s.n[g]), nil }
func (s *countState) Reset(g int)                         { s.n[g] = 0 }
func (s *countState) Size() int64                         { return int64(cap(s.n)) * 8 }

func (s *countState) AppendPartial(dst []byte, g int) ([]byte, bool) {
	return appendI64(dst, s.n[g]), true
}

func (s *countState) MergePartial(_ *ctx, g int, src []byte) ([]byte, error) {
	n, rest, err := readI64(src)
	s.n[g] += n
	return rest, err
}

// intSumState is sum(int2) and sum(int4), whose result is bigint.
type intSumState struct {
	sum  []int64
	seen []bool
}

func (s *intSumState) Grow(n int) { s.sum, s.seen = grow(s.sum, n), grow(s.seen, n) }

func (s *intSumState) add(g int, x int64) error {
	c, ok := addInt(s.sum[g], x)
	if !ok {
		return errInt8Range
	}
	s.sum[g], s.seen[g] = c, true
	return nil
}

func (s *intSumState) Add(_ *ctx, g int, a []datum) error {
	if a[0].IsNull() {
		return nil
	}
	return s.add(g, a[0].Int())
}

func (s *intSumState) AddBatch(_ *ctx, groups []uint32, a []*types.Vec, sel []uint16, n int) error {
	v := a[0]
	if groups == nil && !v.HasNulls && !v.Const {
		// Up to 1,024 values of 32 bits cannot overflow 64.
		var sum int64
		if sel == nil {
			for _, x := range v.Ints[:n] {
				sum += x
			}
		} else {
			n = len(sel)
			for _, i := range sel {
				sum += v.Ints[i]
			}
		}
		if n == 0 {
			return nil
		}
		return s.add(0, sum)
	}
	return rowsOf(sel, n, func(i int) error {
		if v.IsNull(i) {
			return nil
		}
		return s.add(groupOf(groups, i), intAt(v, i))
	})
}

func intAt(v *types.Vec, i int) int64 {
	if v.Const {
		return v.Ints[0]
	}
	return v.Ints[i]
}

func floatAt(v *types.Vec, i int) float64 {
	if v.Const {
		return v.Floats[0]
	}
	return v.Floats[i]
}

func (s *intSumState) Result(_ *ctx, g int) (datum, error) {
	if !s.seen[g] {
		return null, nil
	}
	return types.NewInt(s.sum[g]), nil
}

func (s *intSumState) Reset(g int) { s.sum[g], s.seen[g] = 0, false }
func (s *intSumState) Size() int64 { return int64(cap(s.sum)) * 9 }

func (s *intSumState) AppendPartial(dst []byte, g int) ([]byte, bool) {
	return appendI64(appendFlag(dst, s.seen[g]), s.sum[g]), true
}

func (s *intSumState) MergePartial(_ *ctx, g int, src []byte) ([]byte, error) {
	seen, src, err := readFlag(src)
	if err != nil {
		return nil, err
	}
	x, rest, err := readI64(src)
	if err != nil || !seen {
		return rest, err
	}
	return rest, s.add(g, x)
}

// wideSumState is sum(int8), and avg of all integers: a 128-bit sum and a count.
type wideSumState struct {
	avg    bool
	hi     []int64
	lo     []uint64
	counts []int64
}

func (s *wideSumState) Grow(n int) {
	s.hi, s.lo, s.counts = grow(s.hi, n), grow(s.lo, n), grow(s.counts, n)
}

func (s *wideSumState) add(g int, x int64, count int64) {
	lo := s.lo[g] + uint64(x)
	carry := int64(0)
	if lo < uint64(x) {
		carry = 1
	}
	s.hi[g] += x>>63 + carry
	s.lo[g] = lo
	s.counts[g] += count
}

func (s *wideSumState) Add(_ *ctx, g int, a []datum) error {
	if !a[0].IsNull() {
		s.add(g, a[0].Int(), 1)
	}
	return nil
}

func (s *wideSumState) AddBatch(_ *ctx, groups []uint32, a []*types.Vec, sel []uint16, n int) error {
	v := a[0]
	if groups == nil && !v.HasNulls && !v.Const && v.T.Len <= 4 {
		var sum int64
		if sel == nil {
			for _, x := range v.Ints[:n] {
				sum += x
			}
		} else {
			n = len(sel)
			for _, i := range sel {
				sum += v.Ints[i]
			}
		}
		s.add(0, sum, int64(n))
		return nil
	}
	return rowsOf(sel, n, func(i int) error {
		if !v.IsNull(i) {
			s.add(groupOf(groups, i), intAt(v, i), 1)
		}
		return nil
	})
}

func (s *wideSumState) Result(_ *ctx, g int) (datum, error) {
	if s.counts[g] == 0 {
		return null, nil
	}
	sum := types.NumericFromInt128(s.hi[g], s.lo[g])
	if !s.avg {
		return types.NewNumeric(sum), nil
	}
	q, err := sum.Div(types.NumericFromInt(s.counts[g]))
	return types.NewNumeric(q), err
}

func (s *wideSumState) Reset(g int) { s.hi[g], s.lo[g], s.counts[g] = 0, 0, 0 }
func (s *wideSumState) Size() int64 { return int64(cap(s.hi)) * 24 }

func (s *wideSumState) AppendPartial(dst []byte, g int) ([]byte, bool) {
	return appendI64(appendI64(appendI64(dst, s.hi[g]), int64(s.lo[g])), s.counts[g]), true
}

func (s *wideSumState) MergePartial(_ *ctx, g int, src []byte) ([]byte, error) {
	hi, src, err := readI64(src)
	if err != nil {
		return nil, err
	}
	lo, src, err := readI64(src)
	if err != nil {
		return nil, err
	}
	n, rest, err := readI64(src)
	sum := s.lo[g] + uint64(lo)
	if sum < uint64(lo) {
		hi++
	}
	s.hi[g] += hi
	s.lo[g] = sum
	s.counts[g] += n
	return rest, err
}

// numericSumState is sum(numeric) and avg(numeric).
type numericSumState struct {
	avg    bool
	sum    []types.Numeric
	counts []int64
}

func (s *numericSumState) Grow(n int) { s.sum, s.counts = grow(s.sum, n), grow(s.counts, n) }

func (s *numericSumState) add(g int, x types.Numeric, n int64) error {
	sum, err := s.sum[g].Add(x)
	s.sum[g] = sum
	s.counts[g] += n
	return err
}

func (s *numericSumState) Add(_ *ctx, g int, a []datum) error {
	if a[0].IsNull() {
		return nil
	}
	return s.add(g, a[0].Numeric(), 1)
}

func (s *numericSumState) AddBatch(_ *ctx, groups []uint32, a []*types.Vec, sel []uint16, n int) error {
	v := a[0]
	return rowsOf(sel, n, func(i int) error {
		if v.IsNull(i) {
			return nil
		}
		return s.add(groupOf(groups, i), v.Get(i).Numeric(), 1)
	})
}

func (s *numericSumState) Result(_ *ctx, g int) (datum, error) {
	if s.counts[g] == 0 {
		return null, nil
	}
	if !s.avg {
		return types.NewNumeric(s.sum[g]), nil
	}
	q, err := s.sum[g].Div(types.NumericFromInt(s.counts[g]))
	return types.NewNumeric(q), err
}

func (s *numericSumState) Reset(g int) { s.sum[g], s.counts[g] = types.Numeric{}, 0 }
func (s *numericSumState) Size() int64 { return int64(cap(s.sum)) * 32 }

func (s *numericSumState) AppendPartial(dst []byte, g int) ([]byte, bool) {
	return appendText(appendI64(dst, s.counts[g]), s.sum[g].String()), true
}

func (s *numericSumState) MergePartial(_ *ctx, g int, src []byte) ([]byte, error) {
	n, src, err := readI64(src)
	if err != nil {
		return nil, err
	}
	t, rest, err := readText(src)
	if err != nil {
		return nil, err
	}
	x, err := types.ParseNumeric(t)
	if err != nil {
		return nil, err
	}
	return rest, s.add(g, x, n)
}

// floatSumState is sum and avg of floats. As PostgreSQL, avg keeps the sum and adds in the
// order of the rows.
type floatSumState struct {
	avg, single bool
	sum         []float64
	counts      []int64
}

func (s *floatSumState) Grow(n int) { s.sum, s.counts = grow(s.sum, n), grow(s.counts, n) }

func (s *floatSumState) add(g int, x float64, n int64) error {
	sum := s.sum[g] + x
	if s.single {
		sum = float64(float32(sum))
	}
	if math.IsInf(sum, 0) && !math.IsInf(x, 0) && !math.IsInf(s.sum[g], 0) {
		return errOverflow
	}
	s.sum[g] = sum
	s.counts[g] += n
	return nil
}

func (s *floatSumState) Add(_ *ctx, g int, a []datum) error {
	if a[0].IsNull() {
		return nil
	}
	return s.add(g, a[0].Float(), 1)
}

func (s *floatSumState) AddBatch(_ *ctx, groups []uint32, a []*types.Vec, sel []uint16, n int) error {
	v := a[0]
	return rowsOf(sel, n, func(i int) error {
		if v.HasNulls && v.IsNull(i) {
			return nil
		}
		return s.add(groupOf(groups, i), floatAt(v, i), 1)
	})
}

func (s *floatSumState) Result(_ *ctx, g int) (datum, error) {
	switch {
	case s.counts[g] == 0:
		return null, nil
	case s.avg:
		return types.NewFloat(s.sum[g] / float64(s.counts[g])), nil
	}
	return types.NewFloat(s.sum[g]), nil
}

func (s *floatSumState) Reset(g int) { s.sum[g], s.counts[g] = 0, 0 }
func (s *floatSumState) Size() int64 { return int64(cap(s.sum)) * 16 }

func (s *floatSumState) AppendPartial(dst []byte, g int) ([]byte, bool) {
	return appendI64(appendI64(dst, int64(math.Float64bits(s.sum[g]))), s.counts[g]), true
}

func (s *floatSumState) MergePartial(_ *ctx, g int, src []byte) ([]byte, error) {
	b, src, err := readI64(src)
	if err != nil {
		return nil, err
	}
	n, rest, err := readI64(src)
	if err != nil || n == 0 {
		return rest, err
	}
	return rest, s.add(g, math.Float64frombits(uint64(b)), n)
}

// extremeState is min and max of any type with an order.
type extremeState struct {
	max  bool
	t    *types.T
	best []datum
}

func newExtreme(c *expr.Call, max bool) expr.AggState {
	t := c.Args[0].Type()
	if t.Family == types.FamInt {
		return &intExtremeState{max: max}
	}
	return &extremeState{max: max, t: t}
}

func (s *extremeState) Grow(n int) { s.best = grow(s.best, n) }

func (s *extremeState) add(g int, d datum) {
	b := s.best[g]
	if b.IsNull() || (types.Compare(d, b) > 0) == s.max && types.Compare(d, b) != 0 {
		s.best[g] = d.Clone()
	}
}

func (s *extremeState) Add(_ *ctx, g int, a []datum) error {
	if !a[0].IsNull() {
		s.add(g, a[0])
	}
	return nil
}

func (s *extremeState) AddBatch(_ *ctx, groups []uint32, a []*types.Vec, sel []uint16, n int) error {
	return rowsOf(sel, n, func(i int) error {
		if d := a[0].Get(i); !d.IsNull() {
			s.add(groupOf(groups, i), d)
		}
		return nil
	})
}

func (s *extremeState) Result(_ *ctx, g int) (datum, error) { return s.best[g], nil }
func (s *extremeState) Reset(g int)                         { s.best[g] = null }

func (s *extremeState) Size() int64 {
	size := int64(0)
	for _, d := range s.best {
		size += d.Size()
	}
	return size
}

func (s *extremeState) AppendPartial(dst []byte, g int) ([]byte, bool) {
	return appendDatum(dst, s.t, s.best[g]), true
}

func (s *extremeState) MergePartial(ec *ctx, g int, src []byte) ([]byte, error) {
	d, rest, err := readDatum(ec, s.t, src)
	if err == nil && !d.IsNull() {
		s.add(g, d)
	}
	return rest, err
}

// intExtremeState is min and max of the types held as integers.
type intExtremeState struct {
	max  bool
	best []int64
	seen []bool
}

func (s *intExtremeState) Grow(n int) { s.best, s.seen = grow(s.best, n), grow(s.seen, n) }

func (s *intExtremeState) add(g int, x int64) {
	if !s.seen[g] || s.max && x > s.best[g] || !s.max && x < s.best[g] {
		s.best[g], s.seen[g] = x, true
	}
}

func (s *intExtremeState) Add(_ *ctx, g int, a []datum) error {
	if !a[0].IsNull() {
		s.add(g, a[0].Int())
	}
	return nil
}

func (s *intExtremeState) AddBatch(_ *ctx, groups []uint32, a []*types.Vec, sel []uint16, n int) error {
	v := a[0]
	if groups == nil && sel == nil && !v.HasNulls && !v.Const && n > 0 {
		best := v.Ints[0]
		if s.max {
			for _, x := range v.Ints[:n] {
				best = max(best, x)
			}
		} else {
			for _, x := range v.Ints[:n] {
				best = min(best, x)
			}
		}
		s.add(0, best)
		return nil
	}
	return rowsOf(sel, n, func(i int) error {
		if !v.IsNull(i) {
			s.add(groupOf(groups, i), intAt(v, i))
		}
		return nil
	})
}

func (s *intExtremeState) Result(_ *ctx, g int) (datum, error) {
	if !s.seen[g] {
		return null, nil
	}
	return types.NewInt(s.best[g]), nil
}

func (s *intExtremeState) Reset(g int) { s.best[g], s.seen[g] = 0, false }
func (s *intExtremeState) Size() int64 { return int64(cap(s.best)) * 9 }

func (s *intExtremeState) AppendPartial(dst []byte, g int) ([]byte, bool) {
	return appendI64(appendFlag(dst, s.seen[g]), s.best[g]), true
}

func (s *intExtremeState) MergePartial(_ *ctx, g int, src []byte) ([]byte, error) {
	seen, src, err := readFlag(src)
	if err != nil {
		return nil, err
	}
	x, rest, err := readI64(src)
	if err == nil && seen {
		s.add(g, x)
	}
	return rest, err
}
