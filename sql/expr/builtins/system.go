package builtins

import (
	"math"
	"regexp"
	"strings"

	crand "crypto/rand"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// ServerVersion is the version of PostgreSQL that Spanlite claims to be: clients choose
// their queries by it. ServerVersionNum is the same as a number.
const (
	ServerVersion    = "15.18"
	ServerVersionNum = 150018
)

// VersionText is what version() returns; clients look for "PostgreSQL (\d+)\.(\d+)" in it.
const VersionText = "PostgreSQL " + ServerVersion + " (Spanlite) on x86_64-pc-linux-gnu, compiled by go, 64-bit"

func settingFunctions() []*expr.Function {
	get := func(ec *ctx, a []datum) (datum, error) {
		if ec.Session == nil {
			return null, errNoSystem("current_setting")
		}
		v, ok := ec.Session.Setting(a[0].Str())
		switch {
		case ok:
			return str(v), nil
		case len(a) > 1 && a[1].Bool():
			return null, nil
		}
		return null, errf(sqlstate.UndefinedObject, "unrecognized configuration parameter \"%s\"", a[0].Str())
	}
	return []*expr.Function{
		stable(fnN("current_setting", text, args(text), get)),
		stable(fnN("current_setting", text, args(text, boolean), get)),
		volatile(nullable(fnN("set_config", text, args(text, text, boolean), func(ec *ctx, a []datum) (datum, error) {
			if a[0].IsNull() {
				return null, errf(sqlstate.NullValueNotAllowed, "SET requires parameter name")
			}
			if ec.Session == nil {
				return null, errNoSystem("set_config")
			}
			value := ""
			if !a[1].IsNull() {
				value = string(a[1].Bytes())
			}
			v, err := ec.Session.SetSetting(string(a[0].Bytes()), value, a[2].Bool())
			return str(v), err
		}))),
	}
}

func sequenceFunctions() []*expr.Function {
	need := func(ec *ctx) error {
		if ec.Sequences == nil {
			return errNoSystem("nextval")
		}
		return nil
	}
	intOf := func(n int64, err error) (datum, error) {
		if err != nil {
			return null, err
		}
		return types.NewInt(n), nil
	}
	set := func(ec *ctx, a []datum) (datum, error) {
		if err := need(ec); err != nil {
			return null, err
		}
		called := len(a) < 3 || a[2].Bool()
		return a[1], ec.Sequences.Setval(ec.Ctx, a[0].OID(), a[1].Int(), called)
	}
	return []*expr.Function{
		volatile(fn1("nextval", int8, regclass, func(ec *ctx, a datum) (datum, error) {
			if err := need(ec); err != nil {
				return null, err
			}
			return intOf(ec.Sequences.Nextval(ec.Ctx, a.OID()))
		})),
		volatile(fn1("currval", int8, regclass, func(ec *ctx, a datum) (datum, error) {
			if err := need(ec); err != nil {
				return null, err
			}
			return intOf(ec.Sequences.Currval(ec.Ctx, a.OID()))
		})),
		volatile(fn0("lastval", int8, func(ec *ctx) (datum, error) {
			if err := need(ec); err != nil {
				return null, err
			}
			return intOf(ec.Sequences.Lastval(ec.Ctx))
		})),
		volatile(fnN("setval", int8, args(regclass, int8), set)),
		volatile(fnN("setval", int8, args(regclass, int8, boolean), set)),
	}
}

// sizeUnits are the steps of pg_size_pretty.
var sizeUnits = []string{"kB", "MB", "GB", "TB", "PB"}

func sizePretty(n int64) string {
	abs := n
	if n < 0 {
		abs = -n
	}
	if n == math.MinInt64 {
		abs = math.MaxInt64
	}
	if abs < 10*1024 {
		return itoa(int(n)) + " bytes"
	}
	// Keep one bit more than needed, so that the last division can round.
	half := abs >> 9
	i := 0
	for ; half >= 20*1024-1 && i < len(sizeUnits)-1; i++ {
		half >>= 10
	}
	v := (half + 1) / 2
	if n < 0 {
		v = -v
	}
	return itoa(int(v)) + " " + sizeUnits[i]
}

var sizeSyntax = regexp.MustCompile(`^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([a-zA-Z]*)\s*$`)

func sizeBytes(s string) (int64, error) {
	bad := errArgument("invalid size: \"%s\"", s).(*sqlstate.Error)
	m := sizeSyntax.FindStringSubmatch(s)
	if m == nil {
		return 0, bad
	}
	n, err := types.ParseNumeric(m[1])
	if err != nil {
		return 0, err
	}
	factor := int64(1)
	switch u := strings.ToUpper(m[2]); u {
	case "", "B", "BYTES":
	default:
		found := false
		for i, name := range sizeUnits {
			if strings.ToUpper(name) == u {
				factor, found = 1<<(10*(i+1)), true
			}
		}
		if !found {
			return 0, bad.WithDetail("Invalid size unit: \"%s\".", m[2]).
				WithHint("Valid units are \"bytes\", \"B\", \"kB\", \"MB\", \"GB\", \"TB\", and \"PB\".")
		}
	}
	p, err := n.Mul(types.NumericFromInt(factor))
	if err != nil {
		return 0, err
	}
	out, ok := p.Int64()
	if !ok {
		return 0, errInt8Range
	}
	return out, nil
}

func typeOf(ec *ctx, o types.OID) *types.T {
	if t := types.ByOID(o); t != nil {
		return t
	}
	if ec.Settings.Names != nil {
		return ec.Settings.Names.LookupType(o)
	}
	return nil
}

// toReg is to_regclass and its relatives: NULL instead of an error for an unknown name.
func toReg(name string, t *types.T) *expr.Function {
	return stable(fn1(name, t, text, func(ec *ctx, a datum) (datum, error) {
		d, err := types.ParseText(t, string(a.Bytes()), ec.Settings)
		if err != nil {
			switch sqlstate.CodeOf(err) {
			case sqlstate.UndefinedTable, sqlstate.UndefinedObject, sqlstate.UndefinedFunction, sqlstate.InvalidSchemaName, sqlstate.AmbiguousFunction:
				return null, nil
			}
			return null, err
		}
		return d, nil
	}))
}

func systemFunctions() []*expr.Function {
	ident := func(name string, f func(ec *ctx) string) *expr.Function {
		return stable(fn0(name, types.Name, func(ec *ctx) (datum, error) { return str(f(ec)), nil }))
	}
	user := func(ec *ctx) string { return ec.User }
	f := []*expr.Function{
		stable(fn0("version", text, func(*ctx) (datum, error) { return str(VersionText), nil })),
		ident("current_database", func(ec *ctx) string { return ec.Database }),
		ident("current_catalog", func(ec *ctx) string { return ec.Database }),
		ident("current_user", user), ident("current_role", user), ident("user", user), ident("getpgusername", user),
		ident("session_user", func(ec *ctx) string { return ec.SessionUser }),
		ident("getdatabaseencoding", func(*ctx) string { return "UTF8" }), ident("pg_client_encoding", func(*ctx) string { return "UTF8" }),
		stable(fn0("pg_backend_pid", int4, func(ec *ctx) (datum, error) { return types.NewInt(int64(ec.BackendPID)), nil })),
		nullable(stable(fnC("pg_typeof", regtype, args(any_), func(_ *ctx, c *expr.Call, _ []datum) (datum, error) {
			return types.NewOID(c.Args[0].Type().OID), nil
		}))),
		stable(nullable(fn2("format_type", text, oid, int4, func(ec *ctx, a, b datum) (datum, error) {
			if a.IsNull() {
				return null, nil
			}
			if a.OID() == 0 {
				return str("-"), nil
			}
			mod := int32(-1)
			if !b.IsNull() {
				mod = int32(b.Int())
			}
			if types.ByOID(a.OID()) == nil && ec.Settings.Names != nil {
				// A user-defined type, which has no modifiers and perhaps needs its schema.
				if name, ok := ec.Settings.Names.RegName(types.Regtype, a.OID()); ok {
					return str(name), nil
				}
			}
			return str(types.FormatType(typeOf(ec, a.OID()), mod, !b.IsNull())), nil
		}))),
		stable(fn1("oidvectortypes", text, types.OidVector, func(ec *ctx, a datum) (datum, error) {
			var parts []string
			for _, e := range a.Array().Elems {
				parts = append(parts, types.FormatType(typeOf(ec, e.OID()), -1, false))
			}
			return str(strings.Join(parts, ", ")), nil
		})),
		fn1("pg_size_pretty", text, int8, func(_ *ctx, a datum) (datum, error) { return str(sizePretty(a.Int())), nil }),
		fn1("pg_size_pretty", text, numeric, func(_ *ctx, a datum) (datum, error) {
			if n, ok := a.Numeric().Int64(); ok {
				if n > -10*1024 && n < 10*1024 {
					return str(a.Numeric().String() + " bytes"), nil
				}
				return str(sizePretty(n)), nil
			}
			return null, errInt8Range
		}),
		fn1("pg_size_bytes", int8, text, func(_ *ctx, a datum) (datum, error) {
			n, err := sizeBytes(a.Str())
			return types.NewInt(n), err
		}),
		stable(fnC("pg_column_size", int4, args(any_), func(ec *ctx, c *expr.Call, a []datum) (datum, error) {
			return types.NewInt(int64(len(types.AppendBinary(nil, c.Args[0].Type(), a[0])))), nil
		})),
		stable(nullable(fnC("pg_collation_for", text, args(any_), func(_ *ctx, c *expr.Call, _ []datum) (datum, error) {
			if t := c.Args[0].Type(); t.Category == types.CatString || t.OID == types.OIDUnknown {
				return str(`"default"`), nil
			}
			return null, nil
		}))),
		stable(fn1("pg_encoding_to_char", name, int4, func(_ *ctx, a datum) (datum, error) {
			if a.Int() == encodingUTF8 {
				return str("UTF8"), nil
			}
			return str(""), nil
		})),
		stable(fn1("pg_char_to_encoding", int4, name, func(_ *ctx, a datum) (datum, error) {
			if isUTF8Name(a.Str()) {
				return types.NewInt(encodingUTF8), nil
			}
			return types.NewInt(-1), nil
		})),
		volatile(fn0("gen_random_uuid", uuid, func(*ctx) (datum, error) {
			b := make([]byte, 16)
			if _, err := crand.Read(b); err != nil {
				return null, err
			}
			b[6] = b[6]&0x0f | 0x40 // version 4
			b[8] = b[8]&0x3f | 0x80 // variant of RFC 4122
			return types.NewBytes(b), nil
		})),
		fn2("pg_wal_lsn_diff", numeric, types.PgLSN, types.PgLSN, func(_ *ctx, a, b datum) (datum, error) {
			return types.NewNumeric(types.NumericFromInt(a.Int() - b.Int())), nil
		}),
		toReg("to_regclass", regclass), toReg("to_regtype", regtype), toReg("to_regproc", types.Regproc),
		toReg("to_regprocedure", types.Regprocedure), toReg("to_regnamespace", types.Regnamespace), toReg("to_regrole", types.Regrole),
		toReg("to_regoper", types.Regoper), toReg("to_regoperator", types.Regoperator),
	}
	return append(f, delegated(systemSignatures)...)
}

// encodingUTF8 is UTF8's number in PostgreSQL.
const encodingUTF8 = 6

func visibilityFunctions() []*expr.Function { return delegated(visibilitySignatures) }

// delegated makes rows of signatures, one a line: result type, name(argument types) and
// flags: v volatile, i immutable (else stable), n called with NULLs, set returns a set, and after a
// colon the columns of a record. They are carried out by expr.System.
func delegated(table string) []*expr.Function {
	var f []*expr.Function
	for line := range strings.Lines(table) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		line, columns, _ := strings.Cut(line, ": ")
		ret, rest, _ := strings.Cut(line, " ")
		fnName, rest, _ := strings.Cut(rest, "(")
		params, flags, _ := strings.Cut(rest, ")")
		fn := &expr.Function{Name: fnName, Ret: mustType(ret), Volatility: expr.Stable}
		for _, p := range strings.Split(params, ",") {
			if p = strings.TrimSpace(p); p != "" {
				fn.Args = append(fn.Args, mustType(p))
			}
		}
		for _, c := range strings.Split(columns, ",") {
			if cn, ct, ok := strings.Cut(strings.TrimSpace(c), " "); ok {
				fn.RetFields = append(fn.RetFields, types.Field{Name: cn, Type: mustType(ct)})
			}
		}
		for _, flag := range strings.Fields(flags) {
			switch flag {
			case "v":
				fn.Volatility = expr.Volatile
			case "i":
				fn.Volatility = expr.Immutable
			case "n":
				fn.NotStrict = true
			case "set":
				fn.Kind = expr.SetFunction
			default:
				panic("builtins: bad flag in signature: " + line)
			}
		}
		if fn.Kind == expr.SetFunction {
			fn.Set = func(ec *ctx, _ *expr.Call, a []datum) (expr.SetIter, error) {
				if ec.System == nil {
					return nil, errNoSystem(fn.Name)
				}
				return ec.System.CallSystemSet(ec, fn, a)
			}
		} else {
			fn.FnN = func(ec *ctx, _ *expr.Call, a []datum) (datum, error) {
				if ec.System == nil {
					return null, errNoSystem(fn.Name)
				}
				return ec.System.CallSystem(ec, fn, a)
			}
		}
		if fn.Name == "pg_terminate_backend" {
			named(defaults(fn, types.NewInt(0)), "pid", "timeout")
		}
		f = append(f, fn)
	}
	return f
}

func mustType(s string) *types.T {
	t := types.ByName(s)
	if t == nil {
		panic("builtins: unknown type in signature: " + s)
	}
	return t
}
