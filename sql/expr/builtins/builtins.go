// Package builtins holds the tables of PostgreSQL's functions, operators,
// aggregates and window functions that Spanlite has, one file per family.
//
// A family is a function that returns rows of a table; Registry puts the families
// together, looks PostgreSQL's OIDs up in oids.go, and indexes them. Nothing registers itself:
// a function exists because its row is in a table that Registry reads.
//
// A row gives the name, the argument types, the result type and the implementation.
// Unless it says otherwise a function is strict (NULL in, NULL out) and immutable.
//
// Functions that need the catalog, other sessions or the cluster have their rows
// in system_table.go, and are carried out by the expr.System of the evaluation context.
//
// # How it is tested
//
// testdata holds thousands of expressions with PostgreSQL's answers, and pg_proc's
// view of every function here; known.txt lists what differs on purpose.
//
// # Not done here
//
// jsonpath, ranges, text search, XML, geometry, money and bit strings. Regular expressions
// have neither back references nor look-around (regexp.go says why). Text is compared and cased without
// regard to locale. Hypothetical-set aggregates assume ascending order.
package builtins

import (
	"strconv"
	"strings"
	"sync"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// Registry returns the registry of all built-in functions and operators. It is made
// once and immutable.
var Registry = sync.OnceValue(func() *expr.Registry {
	functions := concat(
		arithmeticFunctions(), mathFunctions(), stringFunctions(), likeFunctions(), regexpFunctions(),
		datetimeFunctions(), formattingFunctions(), arrayFunctions(), jsonFunctions(), enumFunctions(), networkFunctions(),
		settingFunctions(), sequenceFunctions(), systemFunctions(), visibilityFunctions(),
		hashFunctions(), setFunctions(), aggregateFunctions(), windowFunctions(),
	)
	operators := concat(
		comparisonOperators(), arithmeticOperators(), datetimeOperators(), stringOperators(), likeOperators(),
		regexpOperators(), arrayOperators(), jsonOperators(), networkOperators(),
	)
	oids := functionOIDs()
	for _, f := range functions {
		f.OID = oids[Signature(f)]
	}
	opOIDs := operatorOIDs()
	for _, o := range operators {
		o.OID = opOIDs[operatorKey(o)]
	}
	return expr.NewRegistry(functions, operators)
})

func concat[E any](lists ...[]E) []E {
	var out []E
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

// Signature returns name(oid,oid...) with the OIDs of the declared arguments.
func Signature(f *expr.Function) string {
	var b strings.Builder
	b.WriteString(f.Name)
	b.WriteByte('(')
	for i, a := range f.Args {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(int(a.OID)))
	}
	b.WriteByte(')')
	return b.String()
}

func operatorKey(o *expr.Operator) string {
	left := 0
	if o.Left != nil {
		left = int(o.Left.OID)
	}
	return o.Name + "(" + strconv.Itoa(left) + "," + strconv.Itoa(int(o.Right.OID)) + ")"
}

// Short names for the types in the tables.
var (
	boolean, char, name             = types.Bool, types.Char, types.Name
	int2, int4, int8                = types.Int2, types.Int4, types.Int8
	float4, float8, numeric         = types.Float4, types.Float8, types.NumericT
	text, bpchar, bytea             = types.Text, types.Bpchar, types.Bytea
	date, time_, timetz             = types.Date, types.Time, types.TimeTZT
	timestamp, timestamptz          = types.Timestamp, types.TimestampTZ
	interval, uuid, json, jsonb     = types.IntervalT, types.UUID, types.JSON, types.JSONB
	oid, regclass, regtype          = types.Oid, types.Regclass, types.Regtype
	record, void, any_              = types.RecordT, types.Void, types.Any
	anyelement, anyarray            = types.AnyElement, types.AnyArray
	anycompatible, anycompatiblearr = types.AnyCompatible, types.AnyCompatibleArray
	anyenum, inet, cidr             = types.AnyEnum, types.Inet, types.Cidr
	textArray                       = types.TextArray
)

type (
	datum = types.Datum
	ctx   = expr.EvalContext
)

var null = types.Null

func args(ts ...*types.T) []*types.T { return ts }

// fn0 is a row for a function without arguments; they are stable unless marked.
func fn0(name string, ret *types.T, f func(*ctx) (datum, error)) *expr.Function {
	return &expr.Function{Name: name, Ret: ret, FnN: func(ec *ctx, _ *expr.Call, _ []datum) (datum, error) { return f(ec) }}
}

func fn1(name string, ret, a *types.T, f func(*ctx, datum) (datum, error)) *expr.Function {
	return &expr.Function{Name: name, Ret: ret, Args: args(a), Fn1: f}
}

func fn2(name string, ret, a, b *types.T, f func(*ctx, datum, datum) (datum, error)) *expr.Function {
	return &expr.Function{Name: name, Ret: ret, Args: args(a, b), Fn2: f}
}

func fnN(name string, ret *types.T, as []*types.T, f func(*ctx, []datum) (datum, error)) *expr.Function {
	return &expr.Function{Name: name, Ret: ret, Args: as,
		FnN: func(ec *ctx, _ *expr.Call, a []datum) (datum, error) { return f(ec, a) }}
}

// fnC is a row for a function that looks at the resolved types of its call.
func fnC(name string, ret *types.T, as []*types.T, f func(*ctx, *expr.Call, []datum) (datum, error)) *expr.Function {
	return &expr.Function{Name: name, Ret: ret, Args: as, FnN: f}
}

// stable marks a function as such; volatile and nullable likewise.
func stable(f *expr.Function) *expr.Function {
	f.Volatility = expr.Stable
	return f
}

func volatile(f *expr.Function) *expr.Function {
	f.Volatility = expr.Volatile
	return f
}

// nullable marks a function that is called with NULL arguments.
func nullable(f *expr.Function) *expr.Function {
	f.NotStrict = true
	return f
}

// variadic marks the last argument as taking any number of values.
func variadic(f *expr.Function) *expr.Function {
	f.Variadic = true
	return f
}

// named gives the arguments names for named notation.
func named(f *expr.Function, names ...string) *expr.Function {
	f.ArgNames = names
	return f
}

// defaults gives the last arguments default values.
func defaults(f *expr.Function, values ...datum) *expr.Function {
	f.Defaults = values
	return f
}

// op2 is a row for an infix operator.
func op2(name string, l, r, ret *types.T, f func(*ctx, datum, datum) (datum, error)) *expr.Operator {
	return &expr.Operator{Name: name, Left: l, Right: r, Fn: fn2(name, ret, l, r, f)}
}

// op2C is op2 for an implementation that looks at the resolved types.
func op2C(name string, l, r, ret *types.T, f func(*ctx, *expr.Call, []datum) (datum, error)) *expr.Operator {
	return &expr.Operator{Name: name, Left: l, Right: r, Fn: fnC(name, ret, args(l, r), f)}
}

// op1 is a row for a prefix operator.
func op1(name string, r, ret *types.T, f func(*ctx, datum) (datum, error)) *expr.Operator {
	return &expr.Operator{Name: name, Right: r, Fn: fn1(name, ret, r, f)}
}

func str(s string) datum { return types.NewString(s) }

func errf(code sqlstate.Code, format string, a ...any) error { return sqlstate.New(code, format, a...) }

// errNoSystem is raised by functions whose callback is missing from the context.
func errNoSystem(name string) error {
	return sqlstate.New(sqlstate.FeatureNotSupported, "function %s is not available in this context", name)
}
