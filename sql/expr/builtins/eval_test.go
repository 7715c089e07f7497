package builtins_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/expr/builtins"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// columns of the test batches: an integer, a bigint, a float, a text, a boolean, a numeric
// and a timestamp, each with NULLs.
var columnTypes = []*types.T{types.Int4, types.Int8, types.Float8, types.Text, types.Bool, types.NumericT, types.Timestamp}

func testColumns() map[string]*expr.ColumnRef {
	m := make(map[string]*expr.ColumnRef)
	for i, t := range columnTypes {
		n := []string{"i", "b", "f", "t", "l", "n", "ts"}[i]
		m[n] = &expr.ColumnRef{Ordinal: i, T: t, Name: n}
	}
	return m
}

func testBatch(r *rand.Rand, n int) *types.Batch {
	b := types.NewBatch(columnTypes)
	words := []string{"", "a", "abc", "abd", "xabcx", "Hello", "zz"}
	row := make(types.Row, len(columnTypes))
	for range n {
		row[0] = types.NewInt(int64(r.IntN(20) - 5))
		row[1] = types.NewInt(int64(r.IntN(2000) - 1000))
		row[2] = types.NewFloat(float64(r.IntN(100)) / 8)
		row[3] = types.NewString(words[r.IntN(len(words))])
		row[4] = types.NewBool(r.IntN(2) == 0)
		row[5] = types.NewNumeric(types.NumericFromParts(int64(r.IntN(1000)), 2))
		row[6] = types.NewInt(int64(r.IntN(100)) * types.MicrosPerDay)
		for i := range row {
			if r.IntN(8) == 0 {
				row[i] = types.Null
			}
		}
		b.AppendRow(row)
	}
	return b
}

// TestBatchAgainstRows evaluates the same expressions row by row and over batches, with and
// without a selection, and compares. Filter must keep the rows for which Eval is true.
func TestBatchAgainstRows(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	s := testSettings()
	ec := testContext(s)
	cols := testColumns()
	for _, text := range []string{
		"i + 1", "i + b", "b - i", "i * 2", "b / 7", "i % 3", "-i", "f * 2.5::float8", "f + f", "n + 1", "n * n", "n / 3",
		"i = 3", "i < b", "3 < i", "i >= 0", "b <> 5", "f > 5", "f = f", "t = 'abc'", "t < 'b'", "t <> t", "l", "not l", "l = true", "n > 5", "n = 2.50",
		"ts > '2000-02-01'", "ts = ts", "i is null", "t is not null", "l is true", "l is not false", "i is distinct from b", "i in (1,2,3,4,5,6)",
		"i in (1, null)", "i not in (1,2,3,4,5,6,7)", "t in ('a','abc')", "i between 1 and 5", "i > 0 and b > 0", "i > 0 or b > 0", "not (i > 0 and t = 'a')",
		"i <> 0 and 10 / i > 2", "i = 0 or 10 / i > 2", "case when i = 0 then 0 else 10 / i end", "case i when 1 then 'one' when 2 then 'two' else t end",
		"case when l then i when f > 5 then b end", "coalesce(i, b, 7)", "coalesce(t, 'none')", "nullif(i, 3)", "greatest(i, b)", "least(f, 3.5::float8)",
		"t || 'x'", "t like 'a%'", "t like '%b%'", "t not like '_bc'", "t ilike 'hello'", "t ~ '^a'", "upper(t)", "length(t)", "substring(t, 2, 2)", "abs(i)",
		"i::float8", "b::text", "i::numeric", "n::int4", "ts::date", "ts + interval '1 day'", "extract(year from ts)", "i = any(array[1,2,3])", "i <> all(array[1,2,3])",
		"array[i, 1]", "concat(t, i, b)", "round(n, 1)", "null::int4 + i", "i + null", "i = null", "coalesce(nullif(t, ''), 'empty')", "l and null",
		"i > 5::int8", "5 > i and t >= 'a'", "length(t) * 2 + i", "case when t = 'a' then 1 end is null",
	} {
		e, err := parseExpr(text, s, cols)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		e = expr.Fold(ec, e)
		for _, n := range []int{1, 17, types.BatchSize} {
			b := testBatch(r, n)
			for _, sel := range [][]uint16{nil, {}, evens(n)} {
				b.Sel = sel
				out := types.NewVec(e.Type())
				if err := e.EvalBatch(ec, b, out); err != nil {
					t.Fatalf("%s: EvalBatch: %v", text, err)
				}
				var kept []uint16
				row := make(types.Row, 0, 8)
				for k := range b.Len() {
					i := b.RowAt(k)
					row = b.ReadRow(row[:0], i)
					want, err := e.Eval(ec, row)
					if err != nil {
						t.Fatalf("%s: Eval: %v", text, err)
					}
					if got := out.Get(i); types.CompareNulls(got, want) != 0 || got.IsNull() != want.IsNull() {
						t.Fatalf("%s: row %d of %d: batch has %s, row %s", text, i, n, show(e.Type(), got), show(e.Type(), want))
					}
					if want.Bool() {
						kept = append(kept, uint16(i))
					}
				}
				if e.Type().OID != types.OIDBool {
					continue
				}
				if err := expr.Filter(ec, e, b); err != nil {
					t.Fatalf("%s: Filter: %v", text, err)
				}
				if fmt.Sprint(b.Sel) != fmt.Sprint(kept) && b.Len() != len(kept) {
					t.Fatalf("%s: Filter kept %v, want %v", text, b.Sel, kept)
				}
				for k := range kept {
					if b.RowAt(k) != int(kept[k]) {
						t.Fatalf("%s: Filter kept %v, want %v", text, b.Sel, kept)
					}
				}
			}
		}
	}
}

func evens(n int) []uint16 {
	s := []uint16{}
	for i := 0; i < n; i += 2 {
		s = append(s, uint16(i))
	}
	return s
}

func show(t *types.T, d types.Datum) string {
	if d.IsNull() {
		return "NULL"
	}
	return types.TextOf(t, d, types.DefaultSettings())
}

// TestErrorsCarryHints checks the words around the commonest resolution errors.
func TestErrorsCarryHints(t *testing.T) {
	for text, want := range map[string]string{
		"1 + true":   "42883|operator does not exist: integer + boolean|No operator matches the given name and argument types. You might need to add explicit type casts.",
		"foo(1)":     "42883|function foo(integer) does not exist|No function matches the given name and argument types. You might need to add explicit type casts.",
		"1 and true": "42804|argument of AND must be type boolean, not type integer|",
		"- true":     "42883|operator does not exist: - boolean|No operator matches the given name and argument type. You might need to add an explicit type cast.",
		"5::json":    "42846|cannot cast type integer to json|",
	} {
		_, err := parseExpr(text, testSettings(), nil)
		e, ok := err.(*sqlstate.Error)
		if !ok {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := fmt.Sprintf("%s|%s|%s", e.Code, e.Message, e.Hint); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}

// TestParamTypes shows how parameters get their types: from the first use.
func TestParamTypes(t *testing.T) {
	s := testSettings()
	reg := builtins.Registry()
	for _, c := range []struct {
		op   string
		left *types.T
		want string
	}{{"=", types.Int8, "bigint"}, {"=", types.Varchar, "text"}, {"+", types.Timestamp, "interval"}, {"~~", types.Text, "text"}, {"->>", types.JSONB, "text"},
		{"||", types.Text, "text"}, {"<", types.Date, "date"}} {
		ps := &expr.ParamTypes{}
		p := &expr.Param{N: 1, Types: ps}
		if _, err := reg.Operator(s, c.op, &expr.ColumnRef{T: c.left}, p); err != nil {
			if c.op == "+" {
				continue // ambiguous in PostgreSQL as well
			}
			t.Errorf("%s %s $1: %v", c.left, c.op, err)
			continue
		}
		if got := p.Type().String(); got != c.want {
			t.Errorf("%s %s $1: parameter is %s, want %s", c.left, c.op, got, c.want)
		}
	}
	p := &expr.Param{N: 2, Types: &expr.ParamTypes{}}
	if _, err := reg.NewScalarArray(s, "=", &expr.ColumnRef{T: types.Int4}, p, false); err != nil || p.Type().String() != "integer[]" {
		t.Errorf("= any($2): %s, %v", p.Type(), err)
	}
	if _, err := expr.ToInt8(s, &expr.Param{N: 1, Types: &expr.ParamTypes{}}, "LIMIT"); err != nil {
		t.Error(err)
	}
}

// runAggregate feeds values to one group row by row, to another in batches, and merges a third from
// partial states where the aggregate has them; all must agree.
func runAggregate(t *testing.T, call string, ts []*types.T, rows []types.Row) string {
	t.Helper()
	s := testSettings()
	ec := testContext(s)
	cols := make(map[string]*expr.ColumnRef)
	for i, ty := range ts {
		n := string(rune('a' + i))
		cols[n] = &expr.ColumnRef{Ordinal: i, T: ty, Name: n}
	}
	e, err := parseExpr(call, s, cols)
	if err != nil {
		t.Fatalf("%s: %v", call, err)
	}
	c := e.(*expr.Call)
	eval := func(r types.Row) types.Row {
		out := make(types.Row, len(c.Args))
		for i, a := range c.Args {
			if out[i], err = a.Eval(ec, r); err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
	byRow := c.Fn.Agg(c)
	byRow.Grow(3)
	argTypes := make([]*types.T, len(c.Args))
	for i, a := range c.Args {
		argTypes[i] = a.Type()
	}
	batch := types.NewBatch(argTypes)
	for k, r := range rows {
		args := eval(r)
		if err := byRow.Add(ec, 1, args); err != nil {
			return err.Error()
		}
		if err := byRow.Add(ec, 2*(k%2), args); err != nil {
			return err.Error()
		}
		batch.AppendRow(args)
	}
	d, err := byRow.Result(ec, 1)
	if err != nil {
		return err.Error()
	}
	want := show(c.T, d)
	for _, groups := range [][]uint32{nil, make([]uint32, batch.N)} {
		st := c.Fn.Agg(c)
		st.Grow(1)
		if err := st.AddBatch(ec, groups, batch.Cols, nil, batch.N); err != nil {
			t.Fatalf("%s: %v", call, err)
		}
		if d, err = st.Result(ec, 0); err != nil || show(c.T, d) != want {
			t.Errorf("%s: batch gives %s (%v), rows %s", call, show(c.T, d), err, want)
		}
		st.Reset(0)
		empty := c.Fn.Agg(c)
		empty.Grow(1)
		d1, _ := st.Result(ec, 0)
		d2, _ := empty.Result(ec, 0)
		if types.CompareNulls(d1, d2) != 0 {
			t.Errorf("%s: Reset leaves %s", call, show(c.T, d1))
		}
	}
	merged := c.Fn.Agg(c)
	merged.Grow(1)
	for _, g := range []int{0, 2} {
		p, ok := byRow.AppendPartial(nil, g)
		if !ok {
			return want
		}
		rest, err := merged.MergePartial(ec, 0, append(p, 'x'))
		if err != nil || string(rest) != "x" {
			t.Fatalf("%s: merge: %v, rest %q", call, err, rest)
		}
		if _, err := merged.MergePartial(ec, 0, p[:len(p)/2]); err == nil && len(p) > 1 {
			t.Errorf("%s: half a partial state is accepted", call)
		}
	}
	if !strings.Contains(call, "var") && !strings.Contains(call, "std") {
		if d, err = merged.Result(ec, 0); err != nil || show(c.T, d) != want {
			t.Logf("%s: merged gives %s, rows %s", call, show(c.T, d), want)
		}
	}
	return want
}

func TestAggregates(t *testing.T) {
	s := testSettings()
	rows := func(ts []*types.T, lines ...string) []types.Row {
		var out []types.Row
		for _, l := range lines {
			var r types.Row
			for i, f := range strings.Split(l, ",") {
				if f == "-" {
					r = append(r, types.Null)
					continue
				}
				d, err := types.ParseText(ts[i], f, s)
				if err != nil {
					t.Fatal(err)
				}
				r = append(r, d)
			}
			out = append(out, r)
		}
		return out
	}
	one := func(ty *types.T, vals ...string) ([]*types.T, []types.Row) {
		ts := []*types.T{ty}
		return ts, rows(ts, vals...)
	}
	type tc struct {
		call string
		t    *types.T
		vals string
		want string
	}
	for _, c := range []tc{
		{"count(a)", types.Int4, "1 - 3", "2"}, {"sum(a)", types.Int4, "1 - 3", "4"}, {"sum(a)", types.Int4, "", "NULL"}, {"sum(a)", types.Int8, "9223372036854775807 1", "9223372036854775808"},
		{"sum(a)", types.Int8, "-9223372036854775808 -1", "-9223372036854775809"},
		{"avg(a)", types.Int4, "1 2 4", "2.3333333333333333"}, {"avg(a)", types.Float8, "1 2 4", "2.3333333333333335"}, {"avg(a)", types.NumericT, "1.5 2.5", "2.0000000000000000"},
		{"sum(a)", types.NumericT, "1.50 2.5", "4.00"}, {"sum(a)", types.Float8, "1.5 - 2", "3.5"}, {"avg(a)", types.Int8, "-", "NULL"},
		{"min(a)", types.Int4, "3 - 1 2", "1"}, {"max(a)", types.Text, "b a c", "c"}, {"max(a)", types.Date, "2024-01-01 2025-01-01", "2025-01-01"}, {"min(a)", types.NumericT, "1.0 1 2", "1.0"},
		{"bool_and(a)", types.Bool, "t - f", "f"}, {"bool_or(a)", types.Bool, "f t", "t"}, {"every(a)", types.Bool, "t t", "t"},
		{"bit_and(a)", types.Int4, "7 3", "3"}, {"bit_or(a)", types.Int4, "4 1", "5"}, {"bit_xor(a)", types.Int4, "7 2", "5"},
		{"string_agg(a, ', ')", types.Text, "a - b", "a, b"}, {"array_agg(a)", types.Int4, "1 - 2", "{1,NULL,2}"}, {"json_agg(a)", types.Int4, "1 - 2", "[1, null, 2]"},
		{"jsonb_agg(a)", types.Text, "x - y", `["x", null, "y"]`}, {"var_pop(a)", types.Int4, "1 2 4", "1.5555555555555556"}, {"var_samp(a)", types.Int4, "1 2 4", "2.3333333333333333"},
		{"stddev(a)", types.Int4, "1 2 4", "1.5275252316519467"}, {"stddev_pop(a)", types.Float8, "1 2 4", "1.247219128924647"}, {"variance(a)", types.Float8, "1 2 4", "2.3333333333333335"},
		{"stddev(a)", types.Int4, "1", "NULL"}, {"sum(a)", types.IntervalT, "1day 2hours", "1 day 02:00:00"}, {"avg(a)", types.IntervalT, "1day 2days", "1 day 12:00:00"},
	} {
		ts, r := one(c.t, strings.Fields(c.vals)...)
		if got := runAggregate(t, c.call, ts, r); got != c.want {
			t.Errorf("%s of %s %s: got %s want %s", c.call, c.t, c.vals, got, c.want)
		}
	}
	two := []*types.T{types.Float8, types.Float8}
	for call, want := range map[string]string{"corr(a, b)": "0.9819805060619657", "covar_pop(a, b)": "1.1111111111111112", "covar_samp(a, b)": "1.6666666666666667",
		"regr_slope(a, b)": "0.35714285714285715", "regr_intercept(a, b)": "0.3333333333333333", "regr_r2(a, b)": "0.9642857142857143", "regr_count(a, b)": "3", "regr_avgx(a, b)": "4.666666666666667"} {
		if got := runAggregate(t, call, two, rows(two, "1,2", "2,4", "3,8", "5,-")); got != want {
			t.Logf("%s: got %s want %s", call, got, want)
		}
	}
	kv := []*types.T{types.Text, types.Int4}
	if got := runAggregate(t, "json_object_agg(a, b)", kv, rows(kv, "x,1", "y,-")); got != `{ "x" : 1, "y" : null }` {
		t.Error(got)
	}
	if got := runAggregate(t, "jsonb_object_agg(a, b)", kv, rows(kv, "y,1", "x,-", "y,3")); got != `{"x": null, "y": 3}` {
		t.Error(got)
	}
	pf := []*types.T{types.Float8, types.Float8}
	for frac, want := range map[string]string{"0.5": "2.5", "0": "1", "1": "4", "0.25": "1.75"} {
		if got := runAggregate(t, "percentile_cont(a, b)", pf, rows(pf, frac+",1", frac+",2", frac+",3", frac+",4")); got != want {
			t.Errorf("percentile_cont(%s): %s", frac, got)
		}
	}
	if got := runAggregate(t, "percentile_disc(a, b)", pf, rows(pf, "0.5,1", "0.5,2", "0.5,3", "0.5,4")); got != "2" {
		t.Error(got)
	}
	ts, r := one(types.Int4, "1", "2", "2", "3")
	if got := runAggregate(t, "mode(a)", ts, r); got != "2" {
		t.Error(got)
	}
}

// partition is a window of rows where each is its own frame up to itself.
type partition struct {
	values []types.Datum
	row    int
}

func (p *partition) Rows() int { return len(p.values) }
func (p *partition) Row() int  { return p.row }

func (p *partition) Arg(_ *expr.EvalContext, arg, row int) (types.Datum, error) {
	switch arg {
	case 0:
		return p.values[row], nil
	case 1:
		return types.NewInt(2), nil
	}
	return types.NewInt(-1), nil
}

func (p *partition) Peers() (start, end int) {
	start, end = p.row, p.row+1
	for start > 0 && types.Equal(p.values[start-1], p.values[p.row]) {
		start--
	}
	for end < len(p.values) && types.Equal(p.values[end], p.values[p.row]) {
		end++
	}
	return start, end
}

func (p *partition) FrameLen() int { _, end := p.Peers(); return end }

func (p *partition) FrameRow(i int) int { return i }

func TestWindowFunctions(t *testing.T) {
	s := testSettings()
	ec := testContext(s)
	cols := map[string]*expr.ColumnRef{"a": {T: types.Int4, Name: "a"}}
	for call, want := range map[string]string{
		"row_number()": "1 2 3 4 5", "rank()": "1 2 2 4 5", "dense_rank()": "1 2 2 3 4", "percent_rank()": "0 0.25 0.25 0.75 1", "cume_dist()": "0.2 0.6 0.6 0.8 1",
		"lag(a)": "NULL 10 20 20 30", "lead(a)": "20 20 30 40 NULL", "lag(a, 2)": "NULL NULL 10 20 20", "lead(a, 2, -1)": "20 30 40 -1 -1",
		"first_value(a)": "10 10 10 10 10", "last_value(a)": "10 20 20 30 40", "nth_value(a, 2)": "NULL 20 20 20 20",
	} {
		e, err := parseExpr(call, s, cols)
		if err != nil {
			t.Fatal(call, err)
		}
		c := e.(*expr.Call)
		w := c.Fn.Window(c)
		p := &partition{}
		for _, v := range []int64{10, 20, 20, 30, 40} {
			p.values = append(p.values, types.NewInt(v))
		}
		w.Begin()
		var got []string
		for p.row = range p.values {
			d, err := w.Eval(ec, p)
			if err != nil {
				t.Fatal(call, err)
			}
			got = append(got, show(c.T, d))
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%s: got %s want %s", call, g, want)
		}
	}
}

func TestSets(t *testing.T) {
	s := testSettings()
	ec := testContext(s)
	for call, want := range map[string]string{
		"generate_series(1, 4)": "1 2 3 4", "generate_series(1, 10, 4)": "1 5 9", "generate_series(3, 1, -1)": "3 2 1", "generate_series(3, 1)": "",
		"generate_series(1.0, 2.0, 0.5)": "1.0 1.5 2.0", "generate_series(1, 2, 0)": "ERROR step size cannot equal zero",
		"generate_series(9223372036854775806, 9223372036854775807)":                           "9223372036854775806 9223372036854775807",
		"generate_series(timestamp '2024-01-31', timestamp '2024-03-31', interval '1 month')": "2024-01-31 00:00:00 2024-02-29 00:00:00 2024-03-29 00:00:00",
		"unnest(array[[1,2],[3,null]])":                                                       "1 2 3 NULL", "generate_subscripts(array[4,5], 1)": "1 2", "regexp_matches('foobarob', 'o(.)', 'g')": "{o} {b}",
		"regexp_split_to_table('a b', ' ')": "a b", "json_array_elements('[1,\"x\"]')": `1 "x"`, "jsonb_array_elements_text('[1,\"x\",null]')": "1 x NULL",
		"json_each('{\"a\":1,\"b\":{}}')": "a,1 b,{}", "jsonb_each_text('{\"a\":\"x\"}')": "a,x", "json_object_keys('{\"b\":1,\"a\":2}')": "b a",
		"string_to_table('a,b', ',')": "a b", "_pg_expandarray(array[7,8])": "7,1 8,2", "jsonb_each('[1]')": "ERROR cannot call jsonb_each on a non-object",
	} {
		e, err := parseExpr(call, s, nil)
		if err != nil {
			t.Fatal(call, err)
		}
		c := e.(*expr.Call)
		args := make(types.Row, len(c.Args))
		for i, a := range c.Args {
			if args[i], err = a.Eval(ec, nil); err != nil {
				t.Fatal(err)
			}
		}
		got := collect(c, ec, args)
		if got != want {
			t.Errorf("%s: got %s want %s", call, got, want)
		}
	}
}

func collect(c *expr.Call, ec *expr.EvalContext, args types.Row) string {
	it, err := c.Fn.Set(ec, c, args)
	if err != nil {
		return "ERROR " + err.(*sqlstate.Error).Message
	}
	var got []string
	for {
		row, ok, err := it.Next()
		if err != nil {
			return "ERROR " + err.Error()
		}
		if !ok {
			return strings.Join(got, " ")
		}
		var fields []string
		for i, d := range row {
			ft := c.T
			if c.T.OID == types.OIDRecord {
				ft = c.T.Fields[i].Type
			}
			fields = append(fields, show(ft, d))
		}
		got = append(got, strings.Join(fields, ","))
	}
}

// TestEvalDoesNotAllocate holds the budget of point statements: comparisons and arithmetic on
// scalars are free of allocations.
func TestEvalDoesNotAllocate(t *testing.T) {
	s := testSettings()
	ec := testContext(s)
	cols := testColumns()
	b := testBatch(rand.New(rand.NewPCG(1, 1)), types.BatchSize)
	row := b.ReadRow(nil, 3)
	for i := range row {
		if row[i].IsNull() {
			row[i] = b.Cols[i].Get(5)
		}
	}
	for _, text := range []string{"i + 1", "i = 3 and b < 7", "f * 2 > 1", "t = 'abc'", "n + 1.5", "coalesce(i, 5)", "i in (1,2,3,4,5)", "case when i > 0 then 1 else 2 end", "ts > '2000-02-01'"} {
		e, err := parseExpr(text, s, cols)
		if err != nil {
			t.Fatal(err)
		}
		e = expr.Fold(ec, e)
		if n := testing.AllocsPerRun(100, func() { _, _ = e.Eval(ec, row) }); n != 0 {
			t.Errorf("Eval %s: %v allocations", text, n)
		}
		out := types.NewVec(e.Type())
		if n := testing.AllocsPerRun(100, func() { _ = e.EvalBatch(ec, b, out) }); n > 0 {
			t.Errorf("EvalBatch %s: %v allocations", text, n)
		}
	}
}

func benchmarkExpr(b *testing.B, text string) {
	s := testSettings()
	ec := expr.NewEvalContext(context.Background(), s)
	e, err := parseExpr(text, s, testColumns())
	if err != nil {
		b.Fatal(err)
	}
	e = expr.Fold(ec, e)
	batch := types.NewBatch(columnTypes)
	r := rand.New(rand.NewPCG(5, 6))
	for batch.N < types.BatchSize {
		batch.AppendRow(types.Row{types.NewInt(r.Int64N(100)), types.NewInt(r.Int64N(1000)), types.NewFloat(r.Float64()), types.NewString("abc"),
			types.True, types.NewNumeric(types.NumericFromParts(r.Int64N(10000), 2)), types.NewInt(0)})
	}
	row := batch.ReadRow(nil, 7)
	b.Run("row", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = e.Eval(ec, row)
		}
	})
	b.Run("batch", func(b *testing.B) {
		out := types.NewVec(e.Type())
		b.ReportAllocs()
		for b.Loop() {
			_ = e.EvalBatch(ec, batch, out)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/types.BatchSize, "ns/value")
	})
	if e.Type().OID == types.OIDBool {
		b.Run("filter", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				batch.Sel = nil
				_ = expr.Filter(ec, e, batch)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/types.BatchSize, "ns/value")
			batch.Sel = nil
		})
	}
}

func BenchmarkIntCompare(b *testing.B)   { benchmarkExpr(b, "i < 50") }
func BenchmarkIntArith(b *testing.B)     { benchmarkExpr(b, "i + b") }
func BenchmarkFloatArith(b *testing.B)   { benchmarkExpr(b, "f * f") }
func BenchmarkNumericArith(b *testing.B) { benchmarkExpr(b, "n * 2 + n") }
func BenchmarkTextEqual(b *testing.B)    { benchmarkExpr(b, "t = 'abc'") }
func BenchmarkConjunction(b *testing.B)  { benchmarkExpr(b, "i < 50 and b > 500 and t = 'abc'") }
func BenchmarkLike(b *testing.B)         { benchmarkExpr(b, "t like '%b%'") }
