package difftest

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// randomSchema is what random queries read: NULLs, duplicates, an empty table, indexes of
// several kinds, values of all common types. Floats are sums of powers of two, so that adding them up in
// another order gives the same.
var randomSchema = []string{
	`create table r1 (id int primary key, i int, k int not null, n numeric(10,2), f float8, s text, b bool, d date, ts timestamp, arr int[], j jsonb)`,
	`insert into r1 select x, nullif(x % 7, 3), x % 5, nullif(x % 11, 4) * 1.25, (x % 9) * 0.5, nullif(chr(97 + x % 6), 'd'), nullif(x % 3, 2) = 1,
		date '2020-01-01' + nullif(x % 13, 5), timestamp '2020-01-01 06:00' + (x % 17) * interval '7 hours', array[x % 4, null, x % 3],
		case when x % 8 = 0 then null else jsonb_build_object('a', x % 3, 'b', chr(97 + x % 4)) end
		from generate_series(1, 60) x`,
	`create index on r1 (i)`,
	`create index on r1 (s, i)`,
	`create index on r1 (k) where b`,
	`create table r2 (id int primary key, i int, k int, n numeric, f float8, s varchar(10), b bool, d date, ts timestamp, arr int[], j jsonb)`,
	`insert into r2 select x, nullif(x % 4, 1), nullif(x % 6, 0), x * 0.5, nullif(x % 5, 2) * 0.25, case x % 5 when 0 then '' when 1 then null else repeat(chr(97 + x % 7), x % 3 + 1) end,
		x % 2 = 0, date '2020-01-05' - x % 9, null, case when x % 3 = 0 then '{}' when x % 3 = 1 then array[x % 5] end, to_jsonb(x % 5)
		from generate_series(1, 25) x`,
	`create unique index on r2 (k, id desc)`,
	`create table r3 (id int, i int, k int, n numeric, f float8, s char(4), b bool, d date, ts timestamp, arr int[], j jsonb)`,
	`insert into r3 select * from (values (1, 1, 1, 1.00, 1.5::float8, 'a', true, date '2020-01-01', timestamp '2020-01-01', array[1], '1'::jsonb),
		(1, 1, 1, 1.00, 1.5, 'a', true, date '2020-01-01', timestamp '2020-01-01', array[1], '1'),
		(null, null, null, null, null, null, null, null, null, null, null),
		(2, 5, 0, 2.5, -0.5, 'bb', false, null, timestamp '2020-01-02 12:00', '{}', '{"a": 1}')) v`,
	`create table r4 (id int primary key, i int, k int, n numeric, f float8, s text, b bool, d date, ts timestamp, arr int[], j jsonb)`,
	`analyze`,
}

// kind is a type that expressions are made of.
type kind int

const (
	kInt kind = iota
	kNumeric
	kFloat
	kText
	kBool
	kDate
	kTimestamp
	kArray
	kJSON
	kinds
)

// columnsByKind are the columns of every table.
var columnsByKind = [kinds][]string{
	kInt: {"id", "i", "k"}, kNumeric: {"n"}, kFloat: {"f"}, kText: {"s"}, kBool: {"b"}, kDate: {"d"}, kTimestamp: {"ts"}, kArray: {"arr"}, kJSON: {"j"},
}

// scope is what a query can refer to.
type scope struct {
	columns [kinds][]string
	outer   *scope
}

func (s *scope) addTable(alias string) {
	for k, names := range columnsByKind {
		for _, n := range names {
			s.columns[k] = append(s.columns[k], alias+"."+n)
		}
	}
}

// generator writes random queries that cannot fail: no division by zero, no overflow, no input that a type does
// not take. What fails nevertheless, or differs, is a bug.
type generator struct {
	r     *rand.Rand
	names int
}

func newGenerator(seed uint64) *generator {
	return &generator{r: rand.New(rand.NewPCG(seed, 0))}
}

func (g *generator) pick(options ...string) string { return options[g.r.IntN(len(options))] }

func (g *generator) chance(percent int) bool { return g.r.IntN(100) < percent }

func (g *generator) name(prefix string) string {
	g.names++
	return fmt.Sprint(prefix, g.names)
}

// literal is a constant, sometimes NULL.
func (g *generator) literal(k kind) string {
	if g.chance(6) {
		return "null::" + g.typeName(k)
	}
	switch k {
	case kInt:
		return fmt.Sprint(g.r.IntN(12) - 2)
	case kNumeric:
		return g.pick("0.0", "1.25", "2.50", "-3.1", "10::numeric", "7.5")
	case kFloat:
		return g.pick("0::float8", "0.5::float8", "-1.25::float8", "4::float8")
	case kText:
		return "'" + g.pick("a", "b", "c", "bb", "", "d%", "A", "e_") + "'::text"
	case kBool:
		return g.pick("true", "false")
	case kDate:
		return "date '2020-01-" + fmt.Sprintf("%02d'", 1+g.r.IntN(14))
	case kTimestamp:
		return "timestamp '2020-01-" + fmt.Sprintf("%02d 12:30'", 1+g.r.IntN(9))
	case kArray:
		return g.pick("array[1, 2]", "'{}'::int[]", "array[null, 0]", "array[3]")
	default:
		return g.pick(`'{"a": 1}'::jsonb`, `'[1, 2]'::jsonb`, `'1'::jsonb`, `'null'::jsonb`, `'"b"'::jsonb`)
	}
}

func (g *generator) typeName(k kind) string {
	return [kinds]string{"int", "numeric", "float8", "text", "bool", "date", "timestamp", "int[]", "jsonb"}[k]
}

// anyKind is a random kind, often an integer.
func (g *generator) anyKind() kind {
	if g.chance(35) {
		return kInt
	}
	return kind(g.r.IntN(int(kinds)))
}

// keyKind is a kind whose equal values look the same: which of 1.0 and 1.00 stands for both is nobody's business.
func (g *generator) keyKind() kind {
	for {
		if k := g.anyKind(); k != kNumeric {
			return k
		}
	}
}

// expr is an expression of a kind.
func (g *generator) expr(k kind, s *scope, depth int) string {
	if depth <= 0 || g.chance(30) {
		return g.leaf(k, s)
	}
	e := func(k kind) string { return g.expr(k, s, depth-1) }
	switch g.r.IntN(12) {
	case 0:
		return fmt.Sprintf("case when %s then %s else %s end", e(kBool), e(k), e(k))
	case 1:
		return fmt.Sprintf("coalesce(%s, %s)", e(k), e(k))
	case 2:
		return fmt.Sprintf("nullif(%s, %s)", e(k), e(k))
	case 3:
		if k != kBool {
			return fmt.Sprintf("%s(%s, %s)", g.pick("greatest", "least"), e(k), e(k))
		}
	case 4:
		if depth > 1 && g.chance(40) {
			return g.scalarSubquery(k, s, depth-1)
		}
	}
	switch k {
	case kInt:
		return g.pick(
			fmt.Sprintf("(%s %s %s)", e(kInt), g.pick("+", "-"), e(kInt)),
			fmt.Sprintf("((%s) %% 5 * %s)", e(kInt), g.literal(kInt)),
			fmt.Sprintf("(%s / nullif((%s) %% 7, 0))", e(kInt), e(kInt)),
			"abs("+e(kInt)+")", "length("+e(kText)+")", "cardinality("+e(kArray)+")",
			"("+e(kDate)+" - "+e(kDate)+")", "extract(day from "+e(kDate)+")::int", "(("+e(kArray)+")[1])",
			"strpos("+e(kText)+", 'b')", "-("+e(kInt)+")", "("+e(kNumeric)+")::int", "ascii("+e(kText)+")")
	case kNumeric:
		return g.pick(fmt.Sprintf("(%s %s %s)", e(kNumeric), g.pick("+", "-"), e(kNumeric)), "round("+e(kNumeric)+", 1)",
			"("+e(kInt)+")::numeric", "abs("+e(kNumeric)+")", "trunc("+e(kNumeric)+")", "(("+e(kInt)+") % 3 * 1.5)", "floor("+e(kNumeric)+")")
	case kFloat:
		return g.pick(fmt.Sprintf("(%s %s %s)", e(kFloat), g.pick("+", "-"), e(kFloat)), "("+e(kInt)+")::float8", "abs("+e(kFloat)+")", "floor("+e(kFloat)+")")
	case kText:
		return g.pick("("+e(kText)+" || "+e(kText)+")", "upper("+e(kText)+")", "left("+e(kText)+", 1)", "("+e(kInt)+")::text",
			"concat("+e(kText)+", "+e(kInt)+")", "replace("+e(kText)+", 'b', 'xx')", "("+e(kJSON)+" ->> 'a')", "("+e(kDate)+")::text", "coalesce("+e(kText)+", 'none')",
			"trim("+e(kText)+")", "md5("+e(kText)+")", "lpad("+e(kText)+", 3, '*')", "("+e(kArray)+")::text", "("+e(kBool)+")::text", "("+e(kNumeric)+")::text")
	case kBool:
		return g.condition(s, depth)
	case kDate:
		return g.pick("("+e(kDate)+" + ("+e(kInt)+") % 100)", "("+e(kTimestamp)+")::date")
	case kTimestamp:
		return g.pick("("+e(kTimestamp)+" + interval '1 day')", "("+e(kDate)+")::timestamp", "date_trunc('day', "+e(kTimestamp)+")")
	case kArray:
		return g.pick("("+e(kArray)+" || "+e(kArray)+")", "array["+e(kInt)+", "+e(kInt)+"]", "array_append("+e(kArray)+", "+e(kInt)+")", "array_remove("+e(kArray)+", "+e(kInt)+")")
	default:
		return g.pick("("+e(kJSON)+" -> 'a')", "to_jsonb("+e(kInt)+")", "jsonb_build_array("+e(kInt)+", "+e(kText)+")", "to_jsonb("+e(kText)+")")
	}
}

func (g *generator) leaf(k kind, s *scope) string {
	for o := s; o != nil; o = o.outer {
		if len(o.columns[k]) > 0 && g.chance(map[bool]int{true: 80, false: 30}[o == s]) {
			return o.columns[k][g.r.IntN(len(o.columns[k]))]
		}
	}
	return g.literal(k)
}

// condition is a boolean expression.
func (g *generator) condition(s *scope, depth int) string {
	if depth <= 0 {
		k := g.anyKind()
		return fmt.Sprintf("%s %s %s", g.leaf(k, s), g.pick("=", "<>", "<", "<=", ">", ">="), g.leaf(k, s))
	}
	e := func(k kind) string { return g.expr(k, s, depth-1) }
	k := g.anyKind()
	switch g.r.IntN(16) {
	case 0, 1:
		return fmt.Sprintf("(%s %s %s)", g.condition(s, depth-1), g.pick("and", "or"), g.condition(s, depth-1))
	case 2:
		return "(not " + g.condition(s, depth-1) + ")"
	case 3:
		return fmt.Sprintf("(%s is %snull)", e(k), g.pick("", "not "))
	case 4:
		return fmt.Sprintf("(%s %sbetween %s and %s)", e(k), g.pick("", "not "), e(k), e(k))
	case 5:
		return fmt.Sprintf("(%s %sin (%s, %s, %s))", e(k), g.pick("", "not "), g.literal(k), g.literal(k), e(k))
	case 6:
		return fmt.Sprintf("(%s is %sdistinct from %s)", e(k), g.pick("", "not "), e(k))
	case 7:
		return fmt.Sprintf("(%s %s %s)", e(kText), g.pick("like", "not like", "ilike", "~"), g.pick("'a%'", "'%b%'", "'_'", "'c'", "''"))
	case 8:
		return fmt.Sprintf("((%s) is %s%s)", g.condition(s, depth-1), g.pick("", "not "), g.pick("true", "false", "unknown"))
	case 9:
		return fmt.Sprintf("(%s %s %s(%s))", e(kInt), g.pick("=", "<>", "<"), g.pick("any ", "all "), e(kArray))
	case 10:
		if depth > 1 {
			return g.pick("", "not ") + "exists (" + g.subquery(kInt, s, depth-1, "") + ")"
		}
	case 11:
		if depth > 1 {
			return fmt.Sprintf("(%s %sin (%s))", e(k), g.pick("", "not "), g.subquery(k, s, depth-1, ""))
		}
	case 12:
		if depth > 1 {
			return fmt.Sprintf("(%s %s %s(%s))", e(k), g.pick("=", "<>", "<", ">="), g.pick("any ", "all "), g.subquery(k, s, depth-1, ""))
		}
	case 13:
		return g.pick("("+e(kArray)+" @> "+e(kArray)+")", "("+e(kArray)+" && "+e(kArray)+")", "("+e(kJSON)+" @> '{\"a\": 1}')", "("+e(kJSON)+" ? 'a')")
	case 14:
		return fmt.Sprintf("((%s, %s) %s (%s, %s))", e(kInt), e(k), g.pick("=", "<", ">=", "<>"), e(kInt), e(k))
	}
	return fmt.Sprintf("(%s %s %s)", e(k), g.pick("=", "=", "<>", "<", "<=", ">", ">="), e(k))
}

// scalarSubquery is a subquery of one row at most.
func (g *generator) scalarSubquery(k kind, s *scope, depth int) string {
	agg := map[kind][]string{
		kInt: {"max(%s)", "min(%s)", "count(%s)::int", "sum(%s)::int", "count(distinct %s)::int"}, kNumeric: {"max(%s)", "sum(%s)"}, kFloat: {"max(%s)", "sum(%s)"},
		kText: {"max(%s)", "min(%s)", "string_agg(%[1]s, ',' order by %[1]s)"}, kBool: {"bool_and(%s)", "bool_or(%s)"}, kDate: {"max(%s)", "min(%s)"},
		kTimestamp: {"max(%s)", "min(%s)"}, kArray: {"max(%s)", "min(%s)"}, kJSON: {"jsonb_agg(%[1]s order by %[1]s)"},
	}[k]
	return "(" + g.subquery(k, s, depth, agg[g.r.IntN(len(agg))]) + ")"
}

// subquery is a query of one column; agg, if not empty, is applied to it.
func (g *generator) subquery(k kind, outer *scope, depth int, agg string) string {
	s := &scope{outer: outer}
	from := g.from(s, 1+g.r.IntN(2), depth-1)
	inner := s
	if agg != "" {
		inner = &scope{columns: s.columns} // an aggregate of outer columns would be the outer query's
	}
	e := g.expr(k, inner, depth-1)
	if agg != "" {
		e = fmt.Sprintf(agg, e)
	}
	where := ""
	if g.chance(70) {
		where = " where " + g.condition(s, depth-1)
	}
	return "select " + e + " from " + from + where
}

// from is a FROM list of about n items.
func (g *generator) from(s *scope, n, depth int) string {
	item := func() (string, *scope) {
		own := &scope{outer: s.outer}
		alias := g.name("t")
		if depth > 1 && g.chance(20) {
			return "(" + g.derived(own, alias, depth-1) + ") " + alias, own
		}
		own.addTable(alias)
		return g.pick("r1", "r1", "r2", "r2", "r3", "r4") + " " + alias, own
	}
	merge := func(o *scope) {
		for k := range o.columns {
			s.columns[k] = append(s.columns[k], o.columns[k]...)
		}
	}
	text, own := item()
	merge(own)
	for range n - 1 {
		next, own := item()
		merge(own)
		switch g.r.IntN(6) {
		case 0:
			text += ", " + next // must be the last: a join binds closer
			if g.chance(50) {
				return text
			}
			text = strings.TrimSuffix(text, ", "+next) + " cross join " + next
		case 1, 2:
			text += " left join " + next + " on " + g.joinCondition(s, depth)
		default:
			text += " " + g.pick("join", "join", "right join") + " " + next + " on " + g.joinCondition(s, depth)
		}
	}
	return text
}

func (g *generator) joinCondition(s *scope, depth int) string {
	inner := &scope{columns: s.columns, outer: s.outer}
	k := g.pick2(kInt, kInt, kInt, kText, kDate)
	on := fmt.Sprintf("%s = %s", g.leaf(k, inner), g.leaf(k, inner))
	if g.chance(40) {
		on += " and " + g.condition(inner, min(depth, 1))
	}
	return on
}

func (g *generator) pick2(options ...kind) kind { return options[g.r.IntN(len(options))] }

// derived is a table expression with the columns c1, c2, ...
func (g *generator) derived(own *scope, alias string, depth int) string {
	s := &scope{outer: own.outer}
	from := g.from(s, 1, depth) // products of products take too long
	var out []string
	for i := range 1 + g.r.IntN(3) {
		k := g.keyKind()
		name := fmt.Sprint("c", i+1)
		out = append(out, g.expr(k, s, depth-1)+" as "+name)
		own.columns[k] = append(own.columns[k], alias+"."+name)
	}
	q := "select " + g.pick("", "distinct ") + strings.Join(out, ", ") + " from " + from
	if g.chance(50) {
		q += " where " + g.condition(s, depth-1)
	}
	return q
}

// query is a whole SELECT.
func (g *generator) query() string {
	g.names = 0
	switch g.r.IntN(10) {
	case 0:
		return g.setOperation()
	case 1, 2, 3:
		return g.grouped()
	case 4:
		return g.windowed()
	}
	return g.plain()
}

// plain is SELECT ... FROM ... WHERE ... ORDER BY all columns.
func (g *generator) plain() string {
	s := &scope{}
	from := g.from(s, 1+g.r.IntN(3), 3)
	n := 1 + g.r.IntN(4)
	var out, order []string
	for i := range n {
		out = append(out, g.expr(g.anyKind(), s, 3)+fmt.Sprint(" as x", i+1))
		order = append(order, fmt.Sprint(i+1)+g.pick("", "", " desc", " nulls first", " desc nulls last"))
	}
	q := "select " + strings.Join(out, ", ") + " from " + from
	if g.chance(75) {
		q += " where " + g.condition(s, 3)
	}
	q += " order by " + strings.Join(order, ", ")
	if g.chance(30) {
		q += fmt.Sprint(" limit ", g.r.IntN(20))
	}
	if g.chance(15) {
		q += fmt.Sprint(" offset ", g.r.IntN(5))
	}
	if g.chance(10) {
		return "with w as (" + q + ") select count(*), min(x1), max(x1::text) from w"
	}
	return q
}

// grouped is a query with GROUP BY.
func (g *generator) grouped() string {
	s := &scope{}
	from := g.from(s, 1+g.r.IntN(2), 2)
	var keys, out []string
	for i := range g.r.IntN(3) {
		keys = append(keys, fmt.Sprint("g", i+1))
		out = append(out, g.expr(g.keyKind(), s, 1)+fmt.Sprint(" as g", i+1))
	}
	agg := func() string {
		a := g.pick("count(*)", "count("+g.expr(g.anyKind(), s, 1)+")", "sum("+g.expr(kInt, s, 1)+")", "avg("+g.expr(kInt, s, 1)+")", "min("+g.expr(kText, s, 1)+")",
			"max("+g.expr(kDate, s, 1)+")", "sum("+g.expr(kNumeric, s, 1)+")", "count(distinct "+g.expr(g.anyKind(), s, 1)+")", "bool_or("+g.expr(kBool, s, 1)+")", "sum(distinct "+g.expr(kInt, s, 0)+")",
			"max("+g.expr(kFloat, s, 1)+")", "sum("+g.expr(kFloat, s, 1)+")", "min("+g.expr(kArray, s, 0)+")", "bit_or("+g.expr(kInt, s, 1)+")")
		if g.chance(20) {
			a += " filter (where " + g.condition(s, 1) + ")"
		}
		return a
	}
	// Aggregates of arguments that are all of an outer query do not occur here: there is none.
	having := ""
	for i := range 1 + g.r.IntN(3) {
		out = append(out, agg()+fmt.Sprint(" as a", i+1))
	}
	if g.chance(25) {
		having = fmt.Sprintf(" having %s %s %d", g.pick("count(*)", "sum("+g.expr(kInt, s, 1)+")"), g.pick(">", "<", "="), g.r.IntN(8))
	}
	q := "select " + strings.Join(out, ", ") + " from " + from
	if g.chance(60) {
		q += " where " + g.condition(s, 2)
	}
	if len(keys) > 0 {
		list := strings.Join(ordinals(len(keys)), ", ")
		if g.chance(25) {
			// Ordinals inside of ROLLUP are constants; name the columns of a derived table instead.
			return "select * from (" + q + " group by " + list + having + ") s order by " + strings.Join(ordinals(len(out)), ", ")
		}
		q += " group by " + list
	}
	return q + having + " order by " + strings.Join(ordinals(len(out)), ", ")
}

func ordinals(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(i + 1)
	}
	return out
}

// windowed is a query with window functions over a total order.
func (g *generator) windowed() string {
	table := g.pick("r1", "r2")
	s := &scope{}
	s.addTable("t")
	part := ""
	if g.chance(60) {
		part = "partition by " + g.expr(g.anyKind(), s, 1) + " "
	}
	frame := g.pick("", "", "rows between 2 preceding and 1 following", "rows unbounded preceding", "groups between 1 preceding and current row", "range between unbounded preceding and unbounded following",
		"rows between current row and unbounded following exclude current row", "rows between 1 preceding and 1 following exclude ties")
	fn := g.pick("row_number()", "rank()", "dense_rank()", "lag("+g.expr(kInt, s, 1)+")", "lead("+g.expr(kText, s, 1)+", 2)", "sum("+g.expr(kInt, s, 1)+")", "count("+g.expr(kText, s, 1)+")",
		"first_value("+g.expr(kDate, s, 1)+")", "last_value("+g.expr(kInt, s, 1)+")", "ntile(4)", "min("+g.expr(kNumeric, s, 1)+")", "max("+g.expr(kText, s, 1)+")", "nth_value("+g.expr(kInt, s, 1)+", 2)",
		"avg("+g.expr(kInt, s, 1)+")", "percent_rank()", "cume_dist()")
	q := fmt.Sprintf("select t.id, %s over (%sorder by %s%s, t.id %s) as w from %s t", fn, part, g.expr(g.anyKind(), s, 1), g.pick("", " desc", " nulls first"), frame, table)
	if g.chance(50) {
		q += " where " + g.condition(s, 2)
	}
	return q + " order by 1"
}

// setOperation combines two queries.
func (g *generator) setOperation() string {
	ks := make([]kind, 1+g.r.IntN(2))
	for i := range ks {
		ks[i] = g.keyKind()
	}
	arm := func() string {
		s := &scope{}
		from := g.from(s, 1+g.r.IntN(2), 2)
		var out []string
		for _, k := range ks {
			out = append(out, g.expr(k, s, 2))
		}
		q := "select " + strings.Join(out, ", ") + " from " + from
		if g.chance(60) {
			q += " where " + g.condition(s, 2)
		}
		return q
	}
	op := func() string {
		return g.pick(" union ", " union all ", " intersect ", " except ", " intersect all ", " except all ")
	}
	q := arm() + op() + arm()
	if g.chance(30) {
		q = "(" + q + ")" + op() + arm()
	}
	return q + " order by " + strings.Join(ordinals(len(ks)), ", ")
}

// garble makes a few random changes to the words of a statement.
func (g *generator) garble(sql string) string {
	words := strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ", ",", " , ").Replace(sql))
	for range 1 + g.r.IntN(3) {
		i, j := g.r.IntN(len(words)), g.r.IntN(len(words))
		switch g.r.IntN(4) {
		case 0:
			words[i], words[j] = words[j], words[i]
		case 1:
			words[i] = words[j]
		case 2:
			words[i] = g.pick("null", "*", "''", "-1", "over", "array[", "::text", "::int[]", "9223372036854775807", "1e300", "'{}'", "lateral", ".", "distinct", "$1")
		default:
			words[i] = ""
		}
	}
	return strings.Join(words, " ")
}
