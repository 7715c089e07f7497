package builtins

import (
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/types"
)

// formattingFunctions are to_char, to_date, to_timestamp and to_number.
func formattingFunctions() []*expr.Function {
	numberFn := func(t *types.T, f func(datum) (types.Numeric, error)) *expr.Function {
		return stable(fn2("to_char", text, t, text, func(_ *ctx, a, b datum) (datum, error) {
			v, err := f(a)
			if err != nil {
				return null, err
			}
			s, err := formatNumber(v, string(b.Bytes()))
			return str(s), err
		}))
	}
	intValue := func(a datum) (types.Numeric, error) { return types.NumericFromInt(a.Int()), nil }
	timeFn := func(t *types.T, tz bool) *expr.Function {
		return stable(fn2("to_char", text, t, text, func(ec *ctx, a, b datum) (datum, error) {
			if b.Str() == "" || types.IsInfinite(a.Int()) {
				return null, nil
			}
			s, err := printTemplate(string(b.Bytes()), valueOfTimestamp(ec, a.Int(), tz))
			return str(s), err
		}))
	}
	return []*expr.Function{
		numberFn(int4, intValue), numberFn(int8, intValue),
		numberFn(float4, func(a datum) (types.Numeric, error) { return floatForTemplate(a.Float(), 6) }),
		numberFn(float8, func(a datum) (types.Numeric, error) { return floatForTemplate(a.Float(), 15) }),
		numberFn(numeric, func(a datum) (types.Numeric, error) { return a.Numeric(), nil }),
		timeFn(timestamp, false), timeFn(timestamptz, true),
		stable(fn2("to_char", text, interval, text, func(_ *ctx, a, b datum) (datum, error) {
			if b.Str() == "" {
				return null, nil
			}
			s, err := printTemplate(string(b.Bytes()), valueOfInterval(a.Interval()))
			return str(s), err
		})),
		stable(fn2("to_timestamp", timestamptz, text, text, func(ec *ctx, a, b datum) (datum, error) {
			s := string(a.Bytes())
			p, err := parseByTemplate(s, string(b.Bytes()))
			if err != nil {
				return null, err
			}
			ts, err := p.timestamp(s)
			if err != nil {
				return null, err
			}
			if p.haveZone {
				return types.NewInt(ts - int64(p.zoneSecs)*types.MicrosPerSecond), nil
			}
			return types.NewInt(types.FromLocal(ts, ec.Location)), nil
		})),
		stable(fn2("to_date", date, text, text, func(_ *ctx, a, b datum) (datum, error) {
			s := string(a.Bytes())
			p, err := parseByTemplate(s, string(b.Bytes()))
			if err != nil {
				return null, err
			}
			ts, err := p.timestamp(s)
			if err != nil {
				return null, err
			}
			return types.NewInt(types.TimestampToDate(ts)), nil
		})),
		stable(fn2("to_number", numeric, text, text, func(_ *ctx, a, b datum) (datum, error) {
			v, err := parseNumber(string(a.Bytes()), string(b.Bytes()))
			return types.NewNumeric(v), err
		})),
	}
}
