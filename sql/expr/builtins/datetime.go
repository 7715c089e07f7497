package builtins

import (
	"math"
	"strings"
	"time"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// zoneNamed finds the zone of AT TIME ZONE and its relatives, where a bare offset counts
// west of Greenwich, as in a POSIX zone name.
func zoneNamed(name string) (*time.Location, error) {
	loc, ok := types.LoadZone(name)
	if ok && name != "" && strings.IndexByte("+-0123456789", name[0]) >= 0 {
		off, _ := types.ZoneOffset(0, loc)
		return types.FixedZone(-off), nil
	}
	if !ok {
		return nil, errArgument("time zone \"%s\" not recognized", name)
	}
	return loc, nil
}

// zoneOfInterval is a zone given as an interval, which may have no days or months.
func zoneOfInterval(v types.Interval) (*time.Location, error) {
	if v.Months != 0 || v.Days != 0 {
		s := types.TextOf(interval, types.NewInterval(v), types.DefaultSettings())
		return nil, errArgument("interval time zone \"%s\" must not include months or days", s)
	}
	return types.FixedZone(int(v.Micros / types.MicrosPerSecond)), nil
}

func newTS(ts int64, err error) (datum, error) {
	if err != nil {
		return null, err
	}
	return types.NewInt(ts), nil
}

func newIV(v types.Interval, err error) (datum, error) {
	if err != nil {
		return null, err
	}
	return types.NewInterval(v), nil
}

// timePlus adds an interval to a time of day, wrapping round midnight.
func timePlus(us, add int64) int64 {
	us = (us + add%types.MicrosPerDay) % types.MicrosPerDay
	if us < 0 {
		us += types.MicrosPerDay
	}
	return us
}

// subTimestamps is timestamp - timestamp: days and time, never months.
func subTimestamps(a, b int64) (types.Interval, error) {
	if types.IsInfinite(a) || types.IsInfinite(b) {
		return types.Interval{}, errf(sqlstate.DatetimeFieldOverflow, "cannot subtract infinite timestamps")
	}
	d := a - b
	if (d < a) != (b > 0) && b != 0 {
		return types.Interval{}, errf(sqlstate.DatetimeFieldOverflow, "interval out of range")
	}
	return types.Interval{Micros: d}.JustifyHours(), nil
}

func errDateRange() error { return errf(sqlstate.DatetimeFieldOverflow, "date out of range") }

func dateInfinite(d int64) bool { return d == types.DateInfinity || d == types.DateNegInfinity }

const (
	dateMin = -2451545
	dateEnd = 2147483494 - 2451545
)

func addDays(d, n int64) (datum, error) {
	if dateInfinite(d) {
		return types.NewInt(d), nil
	}
	s := d + n
	if s < dateMin || s >= dateEnd {
		return null, errDateRange()
	}
	return types.NewInt(s), nil
}

func negate(v types.Interval) (types.Interval, error) { return v.Neg() }

func datetimeOperators() []*expr.Operator {
	dateInterval := func(sign bool) func(*ctx, datum, datum) (datum, error) {
		return func(_ *ctx, a, b datum) (datum, error) {
			ts, err := types.DateToTimestamp(a.Int())
			if err != nil {
				return null, err
			}
			v := b.Interval()
			if sign {
				if v, err = negate(v); err != nil {
					return null, err
				}
			}
			return newTS(types.AddInterval(ts, v))
		}
	}
	swap := func(f func(*ctx, datum, datum) (datum, error)) func(*ctx, datum, datum) (datum, error) {
		return func(ec *ctx, a, b datum) (datum, error) { return f(ec, b, a) }
	}
	datePlus := func(_ *ctx, a, b datum) (datum, error) { return addDays(a.Int(), b.Int()) }
	dateTime := func(_ *ctx, a, b datum) (datum, error) {
		ts, err := types.DateToTimestamp(a.Int())
		if err != nil || types.IsInfinite(ts) {
			return newTS(ts, err)
		}
		return newTS(ts+b.Int(), nil)
	}
	dateTimeTZ := func(_ *ctx, a, b datum) (datum, error) {
		ts, err := types.DateToTimestamp(a.Int())
		if err != nil || types.IsInfinite(ts) {
			return newTS(ts, err)
		}
		t := b.TimeTZ()
		return newTS(ts+t.Micros+int64(t.Zone)*types.MicrosPerSecond, nil)
	}
	timeInterval := func(_ *ctx, a, b datum) (datum, error) {
		return types.NewInt(timePlus(a.Int(), b.Interval().Micros)), nil
	}
	timetzInterval := func(_ *ctx, a, b datum) (datum, error) {
		t := a.TimeTZ()
		t.Micros = timePlus(t.Micros, b.Interval().Micros)
		return types.NewTimeTZ(t), nil
	}
	tsInterval := func(_ *ctx, a, b datum) (datum, error) { return newTS(types.AddInterval(a.Int(), b.Interval())) }
	tzInterval := func(ec *ctx, a, b datum) (datum, error) {
		return newTS(types.AddIntervalTZ(a.Int(), b.Interval(), ec.Settings))
	}
	ivFloat := func(_ *ctx, a, b datum) (datum, error) { return newIV(a.Interval().Mul(b.Float())) }
	stableOp := func(o *expr.Operator) *expr.Operator {
		o.Fn.Volatility = expr.Stable
		return o
	}
	return []*expr.Operator{
		op2("+", date, int4, date, datePlus), op2("+", int4, date, date, swap(datePlus)),
		op2("-", date, int4, date, func(_ *ctx, a, b datum) (datum, error) { return addDays(a.Int(), -b.Int()) }),
		op2("-", date, date, int4, func(_ *ctx, a, b datum) (datum, error) {
			if dateInfinite(a.Int()) || dateInfinite(b.Int()) {
				return null, errf(sqlstate.DatetimeFieldOverflow, "cannot subtract infinite dates")
			}
			return types.NewInt(a.Int() - b.Int()), nil
		}),
		op2("+", date, interval, timestamp, dateInterval(false)), op2("+", interval, date, timestamp, swap(dateInterval(false))),
		op2("-", date, interval, timestamp, dateInterval(true)),
		op2("+", date, time_, timestamp, dateTime), op2("+", time_, date, timestamp, swap(dateTime)),
		op2("+", date, timetz, timestamptz, dateTimeTZ), op2("+", timetz, date, timestamptz, swap(dateTimeTZ)),
		op2("+", time_, interval, time_, timeInterval), op2("+", interval, time_, time_, swap(timeInterval)),
		op2("-", time_, interval, time_, func(_ *ctx, a, b datum) (datum, error) {
			return types.NewInt(timePlus(a.Int(), -b.Interval().Micros)), nil
		}),
		op2("-", time_, time_, interval, func(_ *ctx, a, b datum) (datum, error) {
			return types.NewInterval(types.Interval{Micros: a.Int() - b.Int()}), nil
		}),
		op2("+", timetz, interval, timetz, timetzInterval), op2("+", interval, timetz, timetz, swap(timetzInterval)),
		op2("-", timetz, interval, timetz, func(_ *ctx, a, b datum) (datum, error) {
			t := a.TimeTZ()
			t.Micros = timePlus(t.Micros, -b.Interval().Micros)
			return types.NewTimeTZ(t), nil
		}),
		op2("+", timestamp, interval, timestamp, tsInterval), op2("+", interval, timestamp, timestamp, swap(tsInterval)),
		op2("-", timestamp, interval, timestamp, func(_ *ctx, a, b datum) (datum, error) {
			v, err := negate(b.Interval())
			if err != nil {
				return null, err
			}
			return newTS(types.AddInterval(a.Int(), v))
		}),
		op2("-", timestamp, timestamp, interval, func(_ *ctx, a, b datum) (datum, error) { return newIV(subTimestamps(a.Int(), b.Int())) }),
		stableOp(op2("+", timestamptz, interval, timestamptz, tzInterval)), stableOp(op2("+", interval, timestamptz, timestamptz, swap(tzInterval))),
		stableOp(op2("-", timestamptz, interval, timestamptz, func(ec *ctx, a, b datum) (datum, error) {
			v, err := negate(b.Interval())
			if err != nil {
				return null, err
			}
			return newTS(types.AddIntervalTZ(a.Int(), v, ec.Settings))
		})),
		op2("-", timestamptz, timestamptz, interval, func(_ *ctx, a, b datum) (datum, error) { return newIV(subTimestamps(a.Int(), b.Int())) }),
		op2("+", interval, interval, interval, func(_ *ctx, a, b datum) (datum, error) { return newIV(a.Interval().Add(b.Interval())) }),
		op2("-", interval, interval, interval, func(_ *ctx, a, b datum) (datum, error) { return newIV(a.Interval().Sub(b.Interval())) }),
		op1("-", interval, interval, func(_ *ctx, a datum) (datum, error) { return newIV(a.Interval().Neg()) }),
		op2("*", interval, float8, interval, ivFloat), op2("*", float8, interval, interval, swap(ivFloat)),
		op2("/", interval, float8, interval, func(_ *ctx, a, b datum) (datum, error) { return newIV(a.Interval().Div(b.Float())) }),
	}
}

// age is the difference in years, months, days and time of two local times.
func age(a, b int64) (types.Interval, error) {
	if types.IsInfinite(a) || types.IsInfinite(b) {
		return types.Interval{}, errf(sqlstate.DatetimeFieldOverflow, "interval out of range")
	}
	neg := a < b
	if neg {
		a, b = b, a
	}
	x, y := types.ClockOf(a), types.ClockOf(b)
	_, us1 := types.SplitTimestamp(a)
	_, us2 := types.SplitTimestamp(b)
	us := us1 - us2
	days := x.Day - y.Day
	months := (x.Year-y.Year)*12 + x.Month - y.Month
	if us < 0 {
		us += types.MicrosPerDay
		days--
	}
	for days < 0 {
		// Borrow the length of the month in which the earlier time lies.
		days += types.DaysInMonth(y.Year, y.Month)
		months--
	}
	v := types.Interval{Months: int32(months), Days: int32(days), Micros: us}
	if neg {
		return v.Neg()
	}
	return v, nil
}

func overlaps(_ *ctx, _ *expr.Call, a []datum) (datum, error) {
	for i := 0; i < 4; i += 2 {
		// A period may be given in either order, and NULL ends are tolerated.
		if a[i].IsNull() {
			a[i], a[i+1] = a[i+1], null
		} else if !a[i+1].IsNull() && types.Compare(a[i], a[i+1]) > 0 {
			a[i], a[i+1] = a[i+1], a[i]
		}
	}
	s1, e1, s2, e2 := a[0], a[1], a[2], a[3]
	if s1.IsNull() || s2.IsNull() {
		return null, nil
	}
	if types.Compare(s1, s2) > 0 {
		s1, e1, s2, e2 = s2, e2, s1, e1
	}
	if types.Compare(s1, s2) == 0 {
		if e1.IsNull() || e2.IsNull() {
			return null, nil
		}
		return types.True, nil
	}

	if e1.IsNull() {
		return null, nil
	}
	return types.NewBool(types.Compare(s2, e1) < 0), nil
}

// partOf makes date_part, which gives float8, of extract's numeric.
func partOf(f func(*ctx, datum, datum) (datum, error)) func(*ctx, datum, datum) (datum, error) {
	return func(ec *ctx, a, b datum) (datum, error) {
		d, err := f(ec, a, b)
		if err != nil || d.IsNull() {
			return null, err
		}
		x, _ := d.Numeric().Float64()
		return types.NewFloat(x), nil
	}
}

func makeTime(h, m int64, sec float64) (int64, error) {
	if h < 0 || h > 24 || m < 0 || m > 59 || sec < 0 || sec > 60 || math.IsNaN(sec) || h == 24 && (m > 0 || sec > 0) {
		return 0, errf(sqlstate.DatetimeFieldOverflow, "time field value out of range: %d:%02d:%02g", h, m, sec)
	}
	return h*types.MicrosPerHour + m*types.MicrosPerMinute + int64(math.RoundToEven(sec*1e6)), nil
}

func makeDate(y, m, d int64) (int64, error) {
	year := y
	if y < 0 {
		year = y + 1
	}
	if y == 0 || y > 5874897 || y < -4714 || m < 1 || m > 12 || d < 1 || d > int64(types.DaysInMonth(int(year), int(min(max(m, 1), 12)))) {
		return 0, errf(sqlstate.DatetimeFieldOverflow, "date field value out of range: %d-%02d-%02d", y, m, d)
	}
	return types.DaysFromCivil(int(year), int(m), int(d)), nil
}

func makeTimestamp(a []datum) (int64, error) {
	d, err := makeDate(a[0].Int(), a[1].Int(), a[2].Int())
	if err != nil {
		return 0, err
	}
	us, err := makeTime(a[3].Int(), a[4].Int(), a[5].Float())
	if err != nil {
		return 0, err
	}
	ts := d*types.MicrosPerDay + us
	return ts, types.CheckTimestamp(ts)
}

func nowFn(name string) *expr.Function {
	return stable(fn0(name, timestamptz, func(ec *ctx) (datum, error) { return types.NewInt(ec.TxnTime), nil }))
}

func clockNow(ec *ctx) int64 {
	if ec.Clock == nil {
		return ec.StmtTime
	}
	return types.TimestampFromTime(ec.Clock())
}

// dateBin is date_bin: the start of the bin of the stride that ts falls in.
func dateBin(v types.Interval, ts, origin int64) (datum, error) {
	if types.IsInfinite(ts) {
		return types.NewInt(ts), nil
	}
	if types.IsInfinite(origin) {
		return null, errf(sqlstate.DatetimeFieldOverflow, "origin out of range")
	}
	if v.Months != 0 {
		return null, errf(sqlstate.FeatureNotSupported, "timestamps cannot be binned into intervals containing months or years")
	}
	stride := int64(v.Days)*types.MicrosPerDay + v.Micros
	if stride <= 0 {
		return null, errf(sqlstate.DatetimeFieldOverflow, "stride must be greater than zero")
	}
	diff := ts - origin
	bin := diff / stride * stride
	if diff%stride < 0 {
		bin -= stride
	}
	return types.NewInt(origin + bin), nil
}

func datetimeFunctions() []*expr.Function {
	extracts := []struct {
		t      *types.T
		f      func(*ctx, datum, datum) (datum, error)
		stable bool
	}{
		{timestamp, func(ec *ctx, a, b datum) (datum, error) {
			return extractTimestamp(a.Str(), b.Int(), false, ec.Settings)
		}, false},
		{timestamptz, func(ec *ctx, a, b datum) (datum, error) { return extractTimestamp(a.Str(), b.Int(), true, ec.Settings) }, true},
		{date, func(_ *ctx, a, b datum) (datum, error) { return extractDate(a.Str(), b.Int()) }, false},
		{time_, func(_ *ctx, a, b datum) (datum, error) { return extractTime(a.Str(), b.Int(), nil) }, false},
		{timetz, func(_ *ctx, a, b datum) (datum, error) {
			t := b.TimeTZ()
			return extractTime(a.Str(), t.Micros, &t.Zone)
		}, false},
		{interval, func(_ *ctx, a, b datum) (datum, error) { return extractInterval(a.Str(), b.Interval()) }, false},
	}
	var f []*expr.Function
	for _, e := range extracts {
		x := fn2("extract", numeric, text, e.t, e.f)
		p := fn2("date_part", float8, text, e.t, partOf(e.f))
		if e.stable {
			stable(x)
			stable(p)
		}
		f = append(f, x, p)
	}
	ageTS := func(_ *ctx, a, b datum) (datum, error) { return newIV(age(a.Int(), b.Int())) }
	overlapTypes := [][]*types.T{
		{timestamp, timestamp, timestamp, timestamp}, {timestamptz, timestamptz, timestamptz, timestamptz},
		{time_, time_, time_, time_}, {timetz, timetz, timetz, timetz},
	}
	for _, ts := range overlapTypes {
		f = append(f, nullable(fnC("overlaps", boolean, ts, overlaps)))
	}
	// A period of a start and an interval is turned into one of two ends.
	for _, t := range args(timestamp, timestamptz, time_) {
		for mask := 1; mask < 4; mask++ {
			as := args(t, t, t, t)
			if mask&1 != 0 {
				as[1] = interval
			}
			if mask&2 != 0 {
				as[3] = interval
			}
			f = append(f, volatility(t, nullable(fnC("overlaps", boolean, as, func(ec *ctx, c *expr.Call, a []datum) (datum, error) {
				b := append([]datum(nil), a...)
				for i := 0; i < 4; i += 2 {
					if as[i+1] != interval || b[i+1].IsNull() {
						continue
					}
					if b[i].IsNull() {
						b[i+1] = null
						continue
					}
					if t == time_ {
						b[i+1] = types.NewInt(timePlus(b[i].Int(), b[i+1].Interval().Micros))
						continue
					}
					ts, err := types.AddIntervalTZ(b[i].Int(), b[i+1].Interval(), zoneless(ec, t))
					if err != nil {
						return null, err
					}
					b[i+1] = types.NewInt(ts)
				}
				return overlaps(ec, c, b)
			}))))
		}
	}
	atZone := func(_ *ctx, a, b datum) (datum, error) { // timezone(text, timestamp)
		loc, err := zoneNamed(a.Str())
		if err != nil {
			return null, err
		}
		return types.NewInt(types.FromLocal(b.Int(), loc)), nil
	}
	inZone := func(_ *ctx, a, b datum) (datum, error) { // timezone(text, timestamptz)
		loc, err := zoneNamed(a.Str())
		if err != nil {
			return null, err
		}
		return types.NewInt(types.ToLocal(b.Int(), loc)), nil
	}
	timetzInZone := func(ec *ctx, loc *time.Location, t types.TimeTZ) datum {
		off, _ := types.ZoneOffset(ec.Settings.Now, loc)
		us := timePlus(t.Micros, (int64(t.Zone)+int64(off))*types.MicrosPerSecond)
		return types.NewTimeTZ(types.TimeTZ{Micros: us, Zone: int32(-off)})
	}
	return append(f,
		fn2("date_trunc", timestamp, text, timestamp, func(_ *ctx, a, b datum) (datum, error) {
			return truncTimestamp(a.Str(), b.Int(), nil, false)
		}),
		stable(fn2("date_trunc", timestamptz, text, timestamptz, func(ec *ctx, a, b datum) (datum, error) {
			return truncTimestamp(a.Str(), b.Int(), ec.Location, true)
		})),
		stable(fnN("date_trunc", timestamptz, args(text, timestamptz, text), func(_ *ctx, a []datum) (datum, error) {
			loc, err := zoneNamed(a[2].Str())
			if err != nil {
				return null, err
			}
			return truncTimestamp(a[0].Str(), a[1].Int(), loc, true)
		})),
		fn2("date_trunc", interval, text, interval, func(_ *ctx, a, b datum) (datum, error) { return truncInterval(a.Str(), b.Interval()) }),
		fnN("date_bin", timestamp, args(interval, timestamp, timestamp), func(_ *ctx, a []datum) (datum, error) {
			return dateBin(a[0].Interval(), a[1].Int(), a[2].Int())
		}),
		fnN("date_bin", timestamptz, args(interval, timestamptz, timestamptz), func(_ *ctx, a []datum) (datum, error) {
			return dateBin(a[0].Interval(), a[1].Int(), a[2].Int())
		}),
		fn2("age", interval, timestamp, timestamp, ageTS),
		fn2("age", interval, timestamptz, timestamptz, func(ec *ctx, a, b datum) (datum, error) {
			return newIV(age(types.ToLocal(a.Int(), ec.Location), types.ToLocal(b.Int(), ec.Location)))
		}),
		stable(fn1("age", interval, timestamp, func(ec *ctx, a datum) (datum, error) {
			return newIV(age(midnight(ec), a.Int()))
		})),
		stable(fn1("age", interval, timestamptz, func(ec *ctx, a datum) (datum, error) {
			return newIV(age(midnight(ec), types.ToLocal(a.Int(), ec.Location)))
		})),
		nowFn("now"), nowFn("transaction_timestamp"), nowFn("current_timestamp"),
		stable(fn1("current_timestamp", timestamptz, int4, func(ec *ctx, a datum) (datum, error) {
			return types.CoerceTypmod(types.NewInt(ec.TxnTime), timestamptz.WithTypmod(int32(a.Int())), true)
		})),
		stable(fn0("statement_timestamp", timestamptz, func(ec *ctx) (datum, error) { return types.NewInt(ec.StmtTime), nil })),
		volatile(fn0("clock_timestamp", timestamptz, func(ec *ctx) (datum, error) { return types.NewInt(clockNow(ec)), nil })),
		volatile(fn0("timeofday", text, func(ec *ctx) (datum, error) {
			return str(types.TimeFromTimestamp(clockNow(ec)).In(ec.Location).Format("Mon Jan 02 15:04:05.000000 2006 MST")), nil
		})),
		stable(fn0("current_date", date, func(ec *ctx) (datum, error) {
			return types.NewInt(types.TimestampToDate(types.ToLocal(ec.TxnTime, ec.Location))), nil
		})),
		stable(fn0("localtimestamp", timestamp, func(ec *ctx) (datum, error) { return types.NewInt(types.ToLocal(ec.TxnTime, ec.Location)), nil })),
		stable(fn1("localtimestamp", timestamp, int4, func(ec *ctx, a datum) (datum, error) {
			return types.CoerceTypmod(types.NewInt(types.ToLocal(ec.TxnTime, ec.Location)), timestamp.WithTypmod(int32(a.Int())), true)
		})),
		stable(fn0("localtime", time_, func(ec *ctx) (datum, error) {
			_, us := types.SplitTimestamp(types.ToLocal(ec.TxnTime, ec.Location))
			return types.NewInt(us), nil
		})),
		stable(fn1("localtime", time_, int4, func(ec *ctx, a datum) (datum, error) {
			_, us := types.SplitTimestamp(types.ToLocal(ec.TxnTime, ec.Location))
			return types.CoerceTypmod(types.NewInt(us), time_.WithTypmod(int32(a.Int())), true)
		})),
		stable(fn0("current_time", timetz, func(ec *ctx) (datum, error) { return currentTime(ec, -1) })),
		stable(fn1("current_time", timetz, int4, func(ec *ctx, a datum) (datum, error) { return currentTime(ec, int32(a.Int())) })),
		fn2("timezone", timestamptz, text, timestamp, atZone), fn2("timezone", timestamp, text, timestamptz, inZone),
		stable(fn2("timezone", timetz, text, timetz, func(ec *ctx, a, b datum) (datum, error) {
			loc, err := zoneNamed(a.Str())
			if err != nil {
				return null, err
			}
			return timetzInZone(ec, loc, b.TimeTZ()), nil
		})),
		fn2("timezone", timestamptz, interval, timestamp, func(_ *ctx, a, b datum) (datum, error) {
			loc, err := zoneOfInterval(a.Interval())
			if err != nil {
				return null, err
			}
			return types.NewInt(types.FromLocal(b.Int(), loc)), nil
		}),
		fn2("timezone", timestamp, interval, timestamptz, func(_ *ctx, a, b datum) (datum, error) {
			loc, err := zoneOfInterval(a.Interval())
			if err != nil {
				return null, err
			}
			return types.NewInt(types.ToLocal(b.Int(), loc)), nil
		}),
		fn2("timezone", timetz, interval, timetz, func(ec *ctx, a, b datum) (datum, error) {
			loc, err := zoneOfInterval(a.Interval())
			if err != nil {
				return null, err
			}
			return timetzInZone(ec, loc, b.TimeTZ()), nil
		}),
		fn1("justify_hours", interval, interval, func(_ *ctx, a datum) (datum, error) { return newIV(a.Interval().JustifyHours(), nil) }),
		fn1("justify_days", interval, interval, func(_ *ctx, a datum) (datum, error) { return newIV(a.Interval().JustifyDays(), nil) }),
		fn1("justify_interval", interval, interval, func(_ *ctx, a datum) (datum, error) { return newIV(a.Interval().Justify(), nil) }),
		fn1("isfinite", boolean, timestamp, func(_ *ctx, a datum) (datum, error) { return types.NewBool(!types.IsInfinite(a.Int())), nil }),
		fn1("isfinite", boolean, timestamptz, func(_ *ctx, a datum) (datum, error) { return types.NewBool(!types.IsInfinite(a.Int())), nil }),
		fn1("isfinite", boolean, date, func(_ *ctx, a datum) (datum, error) { return types.NewBool(!dateInfinite(a.Int())), nil }),
		fn1("isfinite", boolean, interval, func(*ctx, datum) (datum, error) { return types.True, nil }),
		named(fnN("make_date", date, args(int4, int4, int4), func(_ *ctx, a []datum) (datum, error) {
			return newTS(makeDate(a[0].Int(), a[1].Int(), a[2].Int()))
		}), "year", "month", "day"),
		named(fnN("make_time", time_, args(int4, int4, float8), func(_ *ctx, a []datum) (datum, error) {
			return newTS(makeTime(a[0].Int(), a[1].Int(), a[2].Float()))
		}), "hour", "min", "sec"),
		named(fnN("make_timestamp", timestamp, args(int4, int4, int4, int4, int4, float8), func(_ *ctx, a []datum) (datum, error) {
			return newTS(makeTimestamp(a))
		}), "year", "month", "mday", "hour", "min", "sec"),
		stable(named(fnN("make_timestamptz", timestamptz, args(int4, int4, int4, int4, int4, float8), func(ec *ctx, a []datum) (datum, error) {
			ts, err := makeTimestamp(a)
			return newTS(types.FromLocal(ts, ec.Location), err)
		}), "year", "month", "mday", "hour", "min", "sec")),
		stable(named(fnN("make_timestamptz", timestamptz, args(int4, int4, int4, int4, int4, float8, text), func(_ *ctx, a []datum) (datum, error) {
			loc, err := zoneNamed(a[6].Str())
			if err != nil {
				return null, err
			}
			ts, err := makeTimestamp(a[:6])
			return newTS(types.FromLocal(ts, loc), err)
		}), "year", "month", "mday", "hour", "min", "sec", "timezone")),
		defaults(named(fnN("make_interval", interval, args(int4, int4, int4, int4, int4, int4, float8), func(_ *ctx, a []datum) (datum, error) {
			secs := a[6].Float()
			if math.IsNaN(secs) || math.IsInf(secs, 0) {
				return null, errf(sqlstate.DatetimeFieldOverflow, "interval out of range")
			}
			months := a[0].Int()*12 + a[1].Int()
			days := a[2].Int()*7 + a[3].Int()
			if int64(int32(months)) != months || int64(int32(days)) != days {
				return null, errf(sqlstate.DatetimeFieldOverflow, "interval out of range")
			}
			return types.NewInterval(types.Interval{Months: int32(months), Days: int32(days),
				Micros: a[4].Int()*types.MicrosPerHour + a[5].Int()*types.MicrosPerMinute + int64(math.RoundToEven(secs*1e6))}), nil
		}), "years", "months", "weeks", "days", "hours", "mins", "secs"),
			types.NewInt(0), types.NewInt(0), types.NewInt(0), types.NewInt(0), types.NewInt(0), types.NewInt(0), types.NewFloat(0)),
		fn1("to_timestamp", timestamptz, float8, func(_ *ctx, a datum) (datum, error) {
			x := a.Float()
			switch {
			case math.IsNaN(x):
				return null, errf(sqlstate.DatetimeFieldOverflow, "timestamp cannot be NaN")
			case math.IsInf(x, 1):
				return types.NewInt(types.TimestampInfinity), nil
			case math.IsInf(x, -1):
				return types.NewInt(types.TimestampNegInfinity), nil
			case x < -210866803200 || x >= 9224318016000:
				return null, errf(sqlstate.DatetimeFieldOverflow, "timestamp out of range: \"%g\"", x)
			}
			return types.NewInt(int64(math.RoundToEven((x - 946684800) * 1e6))), nil
		}),
		volatile(fn1("pg_sleep", void, float8, func(ec *ctx, a datum) (datum, error) { return sleep(ec, a.Float()) })),
		volatile(fn1("pg_sleep_for", void, interval, func(ec *ctx, a datum) (datum, error) {
			v := a.Interval()
			return sleep(ec, float64(int64(v.Months)*30*86400+int64(v.Days)*86400)+float64(v.Micros)/1e6)
		})),
		volatile(fn1("pg_sleep_until", void, timestamptz, func(ec *ctx, a datum) (datum, error) {
			return sleep(ec, float64(a.Int()-clockNow(ec))/1e6)
		})),
	)
}

// volatility marks a function as stable if it works in the session's zone.
func volatility(t *types.T, f *expr.Function) *expr.Function {
	if t == timestamptz {
		return stable(f)
	}
	return f
}

func midnight(ec *ctx) int64 {
	days, _ := types.SplitTimestamp(types.ToLocal(ec.TxnTime, ec.Location))
	return days * types.MicrosPerDay
}

// zoneless returns the settings for adding intervals to t: without a zone for timestamp.
func zoneless(ec *ctx, t *types.T) *types.Settings {
	if t == timestamptz {
		return ec.Settings
	}
	return types.DefaultSettings()
}

func currentTime(ec *ctx, precision int32) (datum, error) {
	off, _ := types.ZoneOffset(ec.TxnTime, ec.Location)
	_, us := types.SplitTimestamp(ec.TxnTime + int64(off)*types.MicrosPerSecond)
	return types.CoerceTypmod(types.NewTimeTZ(types.TimeTZ{Micros: us, Zone: int32(-off)}), timetz.WithTypmod(precision), true)
}

// sleep waits for the seconds or the end of the statement.
func sleep(ec *ctx, seconds float64) (datum, error) {
	d := time.Duration(min(seconds, math.MaxInt64/2/1e9) * float64(time.Second))
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ec.Ctx.Done():
			return null, ec.Canceled()
		}
	}
	return str(""), nil
}
