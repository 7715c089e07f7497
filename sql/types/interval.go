package types

import (
	"math"
	"strconv"
	"strings"

	"github.com/spanlite/spanlite/sql/sqlstate"
)

// Interval is a span of time in PostgreSQL's three independent parts: a month has
// no fixed number of days, nor a day one of hours.
type Interval struct {
	Months int32
	Days   int32
	Micros int64
}

// TimeTZ is a time of day with a zone.
type TimeTZ struct {
	Micros int64 // local time since midnight, 0..24h inclusive
	Zone   int32 // seconds west of Greenwich, as PostgreSQL keeps it
}

// span returns the length in days of 24 hours and the rest, a month counting 30 days.
func (v Interval) span() (days int64, micros uint64) {
	d := floorDiv64(v.Micros, MicrosPerDay)
	return int64(v.Months)*daysPerMonth + int64(v.Days) + d, uint64(v.Micros - d*MicrosPerDay)
}

// Cmp orders intervals by length, a month counting 30 days and a day 24 hours.
func (v Interval) Cmp(w Interval) int {
	vd, vm := v.span()
	wd, wm := w.span()
	if vd != wd {
		return cmpInt(vd, wd)
	}
	return cmpInt(int64(vm), int64(wm))
}

var errIntervalRange = sqlstate.New(sqlstate.DatetimeFieldOverflow, "interval out of range")

func makeInterval(months, days, micros int64) (Interval, error) {
	if int64(int32(months)) != months || int64(int32(days)) != days {
		return Interval{}, errIntervalRange
	}
	return Interval{Months: int32(months), Days: int32(days), Micros: micros}, nil
}

// Add returns v + w.
func (v Interval) Add(w Interval) (Interval, error) {
	us := v.Micros + w.Micros
	if (us > v.Micros) != (w.Micros > 0) {
		return Interval{}, errIntervalRange
	}
	return makeInterval(int64(v.Months)+int64(w.Months), int64(v.Days)+int64(w.Days), us)
}

// Neg returns -v.
func (v Interval) Neg() (Interval, error) {
	if v.Micros == math.MinInt64 {
		return Interval{}, errIntervalRange
	}
	return makeInterval(-int64(v.Months), -int64(v.Days), -v.Micros)
}

// Sub returns v - w.
func (v Interval) Sub(w Interval) (Interval, error) {
	n, err := w.Neg()
	if err != nil {
		return n, err
	}
	return v.Add(n)
}

// Mul returns v * f; fractions of months become days, of days time.
func (v Interval) Mul(f float64) (Interval, error) {
	months, days := float64(v.Months)*f, float64(v.Days)*f
	if math.IsNaN(months) || months > math.MaxInt32 || months < math.MinInt32 || days > math.MaxInt32 || days < math.MinInt32 {
		return Interval{}, errIntervalRange
	}
	out := Interval{Months: int32(months), Days: int32(days)}
	// Cascade the fractions: months to days of 30, days to time, as PostgreSQL does.
	monthDays := roundTo6((float64(v.Months)*f - float64(out.Months)) * daysPerMonth)
	sec := roundTo6((float64(v.Days)*f - float64(out.Days) + monthDays - math.Trunc(monthDays)) * secondsPerDay)
	if math.Abs(sec) >= secondsPerDay {
		out.Days += int32(sec / secondsPerDay)
		sec -= math.Trunc(sec/secondsPerDay) * secondsPerDay
	}
	out.Days += int32(monthDays)
	us := math.RoundToEven(float64(v.Micros)*f + sec*float64(MicrosPerSecond))
	if math.IsNaN(us) || us >= math.MaxInt64 || us < math.MinInt64 {
		return Interval{}, errIntervalRange
	}
	out.Micros = int64(us)
	return out, nil
}

// Div returns v / f.
func (v Interval) Div(f float64) (Interval, error) {
	if f == 0 {
		return Interval{}, errDivisionByZero
	}
	out := Interval{Months: int32(float64(v.Months) / f), Days: int32(float64(v.Days) / f)}
	monthDays := roundTo6((float64(v.Months)/f - float64(out.Months)) * daysPerMonth)
	sec := roundTo6((float64(v.Days)/f - float64(out.Days) + monthDays - math.Trunc(monthDays)) * secondsPerDay)
	if math.Abs(sec) >= secondsPerDay {
		out.Days += int32(sec / secondsPerDay)
		sec -= math.Trunc(sec/secondsPerDay) * secondsPerDay
	}
	out.Days += int32(monthDays)
	us := math.RoundToEven(float64(v.Micros)/f + sec*float64(MicrosPerSecond))
	if math.IsNaN(us) || us >= math.MaxInt64 || us < math.MinInt64 {
		return Interval{}, errIntervalRange
	}
	out.Micros = int64(us)
	return out, nil
}

// roundTo6 removes noise below a microsecond.
func roundTo6(f float64) float64 { return math.RoundToEven(f*1e6) / 1e6 }

// JustifyHours turns 24 hours into days.
func (v Interval) JustifyHours() Interval {
	d := v.Micros / MicrosPerDay
	v.Micros -= d * MicrosPerDay
	v.Days += int32(d)
	if v.Days > 0 && v.Micros < 0 {
		v.Micros += MicrosPerDay
		v.Days--
	} else if v.Days < 0 && v.Micros > 0 {
		v.Micros -= MicrosPerDay
		v.Days++
	}
	return v
}

// JustifyDays turns 30 days into months.
func (v Interval) JustifyDays() Interval {
	m := v.Days / daysPerMonth
	v.Days -= m * daysPerMonth
	v.Months += m
	if v.Months > 0 && v.Days < 0 {
		v.Days += daysPerMonth
		v.Months--
	} else if v.Months < 0 && v.Days > 0 {
		v.Days -= daysPerMonth
		v.Months++
	}
	return v
}

// Justify does both and makes the signs agree.
func (v Interval) Justify() Interval {
	d := v.Micros / MicrosPerDay
	v.Micros -= d * MicrosPerDay
	v.Days += int32(d)
	m := v.Days / daysPerMonth
	v.Days -= m * daysPerMonth
	v.Months += m
	if v.Months > 0 && (v.Days < 0 || v.Days == 0 && v.Micros < 0) {
		v.Days += daysPerMonth
		v.Months--
	} else if v.Months < 0 && (v.Days > 0 || v.Days == 0 && v.Micros > 0) {
		v.Days -= daysPerMonth
		v.Months++
	}
	if v.Days > 0 && v.Micros < 0 {
		v.Micros += MicrosPerDay
		v.Days--
	} else if v.Days < 0 && v.Micros > 0 {
		v.Micros -= MicrosPerDay
		v.Days++
	}
	return v
}

// AddInterval adds an interval to a timestamp without zone: months first (to the last
// day of the month at most), then days, then time.
func AddInterval(ts int64, v Interval) (int64, error) {
	if IsInfinite(ts) {
		return ts, nil
	}
	days, us := SplitTimestamp(ts)
	if v.Months != 0 {
		y, m, d := CivilFromDays(days)
		months := int64(y)*monthsPerYear + int64(m-1) + int64(v.Months)
		y, m = int(floorDiv64(months, monthsPerYear)), int(months-floorDiv64(months, monthsPerYear)*monthsPerYear)+1
		if y > 300000 || y < -4800 {
			return 0, CheckTimestamp(math.MaxInt64 - 1)
		}
		days = DaysFromCivil(y, m, min(d, DaysInMonth(y, m)))
	}
	days += int64(v.Days)
	if days > endTimestamp/MicrosPerDay+1 || days < minTimestamp/MicrosPerDay-1 {
		return 0, CheckTimestamp(math.MaxInt64 - 1)
	}
	base := days*MicrosPerDay + us
	out := base + v.Micros
	if (out > base) != (v.Micros > 0) && v.Micros != 0 {
		return 0, CheckTimestamp(math.MaxInt64 - 1)
	}
	return out, CheckTimestamp(out)
}

// AddIntervalTZ adds an interval to an absolute time: months and days in local time of
// the zone, so that noon stays noon across a change of clocks.
func AddIntervalTZ(ts int64, v Interval, s *Settings) (int64, error) {
	if IsInfinite(ts) {
		return ts, nil
	}
	if v.Months != 0 || v.Days != 0 {
		local, err := AddInterval(ToLocal(ts, s.Location), Interval{Months: v.Months, Days: v.Days})
		if err != nil {
			return 0, err
		}
		ts = FromLocal(local, s.Location)
	}
	return AddInterval(ts, Interval{Micros: v.Micros})
}

// intervalUnits maps the units of interval input to what one of them adds.
var intervalUnits = makeIntervalUnits()

type intervalUnit struct {
	months float64
	days   float64
	micros float64
}

func makeIntervalUnits() map[string]intervalUnit {
	units := make(map[string]intervalUnit)
	add := func(u intervalUnit, names string) {
		for _, n := range strings.Fields(names) {
			units[n] = u
		}
	}
	add(intervalUnit{micros: 1}, "us usec usecs usecond useconds microsecond microseconds microsecon")
	add(intervalUnit{micros: 1e3}, "ms msec msecs msecond mseconds millisecond milliseconds millisecon")
	add(intervalUnit{micros: 1e6}, "s sec secs second seconds")
	add(intervalUnit{micros: 60e6}, "m min mins minute minutes")
	add(intervalUnit{micros: 3600e6}, "h hr hrs hour hours")
	add(intervalUnit{days: 1}, "d day days")
	add(intervalUnit{days: 7}, "w week weeks")
	add(intervalUnit{months: 1}, "mon mons month months")
	add(intervalUnit{months: 12}, "y yr yrs year years")
	add(intervalUnit{months: 120}, "dec decs decade decades")
	add(intervalUnit{months: 1200}, "c cent centuries century")
	add(intervalUnit{months: 12000}, "mil mils millennia millennium")
	return units
}

// intervalAccum sums the parts of an interval text.
type intervalAccum struct {
	months, days, micros float64
	exactMicros          int64
}

// add adds whole+frac units; fractions of months spill to days, of days to time.
func (a *intervalAccum) add(whole int64, frac float64, u intervalUnit) bool {
	w := float64(whole)
	switch {
	case u.micros != 0:
		p, ok := mulInt64(whole, int64(u.micros))
		if !ok {
			return false
		}
		sum := a.exactMicros + p
		if (sum > a.exactMicros) != (p > 0) && p != 0 {
			return false
		}
		a.exactMicros = sum
		a.micros += frac * u.micros
	case u.days != 0:
		a.days += w * u.days
		d := frac * u.days
		whole := math.Trunc(d)
		a.days += whole
		a.micros += math.RoundToEven((d - whole) * float64(MicrosPerDay))
	default:
		a.months += w * u.months
		m := frac * u.months
		if u.months > 1 {
			// A fraction of years or more is rounded to whole months.
			a.months += math.RoundToEven(m)
			break
		}
		d := m * daysPerMonth
		whole := math.Trunc(d)
		a.days += whole
		a.micros += math.RoundToEven((d - whole) * float64(MicrosPerDay))
	}
	return true
}

func (a *intervalAccum) result() (Interval, bool) {
	us := math.RoundToEven(a.micros)
	if math.Abs(a.months) > math.MaxInt32 || math.Abs(a.days) > math.MaxInt32 || math.Abs(us) > 9e18 {
		return Interval{}, false
	}
	sum := a.exactMicros + int64(us)
	if (sum > a.exactMicros) != (us > 0) && us != 0 {
		return Interval{}, false
	}
	return Interval{Months: int32(a.months), Days: int32(a.days), Micros: sum}, true
}

func errInterval(text string) error {
	return sqlstate.New(sqlstate.InvalidDatetimeFormat, "invalid input syntax for type interval: \"%s\"", text)
}

func errIntervalField(text string) error {
	return sqlstate.New(sqlstate.IntervalFieldOverflow, "interval field value out of range: \"%s\"", text)
}

// ParseInterval reads an interval in any of PostgreSQL's forms. fields, from a type
// modifier, says what a bare number means.
func ParseInterval(text string, typmod int32, style IntervalStyle) (Interval, error) {
	s := strings.ToLower(trimSpace(text))
	if s == "" {
		return Interval{}, errInterval(text)
	}
	if s[0] == 'p' {
		return parseISOInterval(text, s)
	}
	var a intervalAccum
	s = strings.TrimPrefix(s, "@")
	ago := false
	if t := strings.TrimSuffix(s, "ago"); t != s {
		ago = true
		s = t
	}
	any, pendingUnit := false, bareUnit(typmod)
	sqlNegative := style == IntervalStyleSQLStandard && strings.HasPrefix(strings.TrimLeft(s, " \t"), "-") && strings.Count(s, "-") == 1 && !strings.Contains(s, "+")
	for {
		s = strings.TrimLeft(s, " \t\n\r\v\f,")
		if s == "" {
			break
		}
		any = true
		n, ok := scanIntervalNumber(s)
		if !ok {
			return Interval{}, errInterval(text)
		}
		neg := n.negative || sqlNegative
		sgn := int64(1)
		if neg {
			sgn = -1
		}
		s = s[n.len:]
		switch {
		case s != "" && s[0] == ':' && n.fracDigits == 0:
			us, rest, ok := scanIntervalClock(n.whole, s, typmod)
			if !ok {
				return Interval{}, errInterval(text)
			}
			if us < 0 {
				return Interval{}, errIntervalField(text)
			}
			s = rest
			a.exactMicros += sgn * us
			continue
		case s != "" && s[0] == '-' && n.fracDigits == 0 && len(s) > 1 && isDigit(s[1]):
			// years-months
			m, ok := scanIntervalNumber(s[1:])
			if !ok || m.whole >= monthsPerYear {
				return Interval{}, errIntervalField(text)
			}
			s = s[1+m.len:]
			a.months += float64(sgn * (n.whole*monthsPerYear + m.whole))
			continue
		}
		s = strings.TrimLeft(s, " \t\n\r\v\f")
		i := 0
		for i < len(s) && isAlpha(s[i]) {
			i++
		}
		unit := pendingUnit
		if i > 0 {
			u, ok := intervalUnits[s[:i]]
			if !ok {
				return Interval{}, errInterval(text)
			}
			unit = u
			s = s[i:]
		} else if s != "" && !strings.Contains(s, ":") {
			return Interval{}, errInterval(text)
		} else if s != "" {
			unit = intervalUnit{days: 1} // "1 02:03:04"
		}
		if n.overflow || !a.add(sgn*n.whole, float64(sgn)*n.frac, unit) {
			return Interval{}, errIntervalField(text)
		}
	}
	if !any {
		return Interval{}, errInterval(text)
	}
	v, ok := a.result()
	if !ok {
		return Interval{}, errIntervalField(text)
	}
	if ago {
		return v.Neg()
	}
	return v, nil
}

func bareUnit(typmod int32) intervalUnit {
	if typmod >= 0 {
		switch f := typmod >> 16 & intervalFullRange; {
		case f == intervalFullRange:
		case f&intervalSecond != 0:
		case f&intervalMinute != 0:
			return intervalUnit{micros: 60e6}
		case f&intervalHour != 0:
			return intervalUnit{micros: 3600e6}
		case f&intervalDay != 0:
			return intervalUnit{days: 1}
		case f&intervalMonth != 0:
			return intervalUnit{months: 1}
		case f&intervalYear != 0:
			return intervalUnit{months: 12}
		}
	}
	return intervalUnit{micros: 1e6}
}

type intervalNumber struct {
	whole      int64
	frac       float64
	fracDigits int
	negative   bool
	overflow   bool
	len        int
}

func scanIntervalNumber(s string) (intervalNumber, bool) {
	var n intervalNumber
	i := 0
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		n.negative = s[i] == '-'
		i++
	}
	start := i
	for i < len(s) && isDigit(s[i]) {
		if n.whole > (math.MaxInt64-9)/10 {
			n.overflow = true
		} else {
			n.whole = n.whole*10 + int64(s[i]-'0')
		}
		i++
	}
	digits := i - start
	if i < len(s) && s[i] == '.' {
		j := i + 1
		for j < len(s) && isDigit(s[j]) {
			j++
		}
		n.fracDigits = j - i - 1
		if n.fracDigits > 0 {
			n.frac, _ = strconv.ParseFloat("0"+s[i:j], 64)
		}
		i = j
	}
	n.len = i
	return n, digits+n.fracDigits > 0
}

// scanIntervalClock reads the rest of h:mm[:ss[.f]] after the first number; the result is -1 if
// a field is out of range.
func scanIntervalClock(hours int64, s string, typmod int32) (us int64, rest string, ok bool) {
	m, ok := scanIntervalNumber(s[1:])
	if !ok || m.negative {
		return 0, s, false
	}
	s = s[1+m.len:]
	sec := intervalNumber{}
	if s != "" && s[0] == ':' {
		if sec, ok = scanIntervalNumber(s[1:]); !ok || sec.negative {
			return 0, s, false
		}
		s = s[1+sec.len:]
	} else if m.fracDigits > 0 || typmod >= 0 && typmod>>16&intervalFullRange == intervalMinute|intervalSecond {
		// mm:ss
		hours, m, sec = 0, intervalNumber{whole: hours}, m
	}
	if m.whole > 59 || sec.whole > 60 || hours > math.MaxInt64/MicrosPerHour {
		return -1, s, true
	}
	return hours*MicrosPerHour + m.whole*MicrosPerMinute + sec.whole*MicrosPerSecond + int64(math.RoundToEven(sec.frac*1e6)), s, true
}

// parseISOInterval reads P[n]Y[n]M[n]W[n]DT[n]H[n]M[n]S and P0001-02-03T04:05:06.
func parseISOInterval(text, s string) (Interval, error) {
	var a intervalAccum
	s = s[1:]
	inTime, any := false, false
	for s != "" {
		if s[0] == 't' {
			inTime = true
			s = s[1:]
			continue
		}
		n, ok := scanIntervalNumber(s)
		if !ok || n.overflow {
			return Interval{}, errInterval(text)
		}
		any = true
		sgn := int64(1)
		if n.negative {
			sgn = -1
		}
		s = s[n.len:]
		if s == "" || s[0] == '-' || s[0] == ':' {
			// The alternative form: fields in order.
			if inTime {
				us, rest, ok := int64(0), s, true
				if s != "" && s[0] == ':' {
					us, rest, ok = scanIntervalClock(n.whole, s, -1)
				} else {
					us = n.whole * MicrosPerHour
				}
				if !ok || rest != "" {
					return Interval{}, errInterval(text)
				}
				a.exactMicros += sgn * us
				s = ""
				break
			}
			units := []intervalUnit{{months: 12}, {months: 1}, {days: 1}}
			for k := 0; ; k++ {
				if k >= len(units) || !a.add(sgn*n.whole, float64(sgn)*n.frac, units[k]) {
					return Interval{}, errInterval(text)
				}
				if s == "" || s[0] != '-' {
					break
				}
				if n, ok = scanIntervalNumber(s[1:]); !ok {
					return Interval{}, errInterval(text)
				}
				s = s[1+n.len:]
			}
			continue
		}
		var u intervalUnit
		switch {
		case s[0] == 'y' && !inTime:
			u.months = 12
		case s[0] == 'm' && !inTime:
			u.months = 1
		case s[0] == 'w' && !inTime:
			u.days = 7
		case s[0] == 'd' && !inTime:
			u.days = 1
		case s[0] == 'h' && inTime:
			u.micros = 3600e6
		case s[0] == 'm' && inTime:
			u.micros = 60e6
		case s[0] == 's' && inTime:
			u.micros = 1e6
		default:
			return Interval{}, errInterval(text)
		}
		s = s[1:]
		if !a.add(sgn*n.whole, float64(sgn)*n.frac, u) {
			return Interval{}, errIntervalField(text)
		}
	}
	if !any {
		return Interval{}, errInterval(text)
	}
	v, ok := a.result()
	if !ok {
		return Interval{}, errIntervalField(text)
	}
	return v, nil
}

// applyIntervalTypmod drops the fields that the type does not have and rounds.
func applyIntervalTypmod(v Interval, typmod int32) Interval {
	if typmod < 0 {
		return v
	}
	fields := typmod >> 16 & intervalFullRange
	switch {
	case fields == intervalFullRange, fields&intervalSecond != 0:
	case fields == intervalYear:
		v = Interval{Months: v.Months / monthsPerYear * monthsPerYear}
	case fields == intervalMonth, fields == intervalYear|intervalMonth:
		v = Interval{Months: v.Months}
	case fields&intervalMinute != 0:
		v.Micros = v.Micros / MicrosPerMinute * MicrosPerMinute
	case fields&intervalHour != 0:
		v.Micros = v.Micros / MicrosPerHour * MicrosPerHour
	case fields == intervalDay:
		v.Micros = 0
	}
	if p := typmod & 0xffff; p != intervalFullPrec {
		v.Micros = roundMicros(v.Micros, p)
	}
	return v
}

// AppendInterval appends the interval in a style.
func AppendInterval(dst []byte, v Interval, style IntervalStyle) []byte {
	years, months := v.Months/monthsPerYear, v.Months%monthsPerYear
	switch style {
	case IntervalStyleISO8601:
		return appendISOInterval(dst, years, months, v)
	case IntervalStyleSQLStandard:
		return appendSQLInterval(dst, years, months, v)
	case IntervalStylePostgresVerbose:
		return appendVerboseInterval(dst, years, months, v)
	}
	first, wasNegative := true, false
	part := func(n int64, unit string) {
		if n == 0 {
			return
		}
		if !first {
			dst = append(dst, ' ')
		}
		if wasNegative && n > 0 {
			dst = append(dst, '+')
		}
		dst = strconv.AppendInt(dst, n, 10)
		dst = append(append(dst, ' '), unit...)
		if n != 1 {
			dst = append(dst, 's')
		}
		wasNegative, first = n < 0, false
	}
	part(int64(years), "year")
	part(int64(months), "mon")
	part(int64(v.Days), "day")
	if first || v.Micros != 0 {
		if !first {
			dst = append(dst, ' ')
		}
		us := uint64(v.Micros)
		if v.Micros < 0 {
			dst = append(dst, '-')
			us = -us
		} else if wasNegative {
			dst = append(dst, '+')
		}
		dst = appendLongClock(dst, us)
	}
	return dst
}

// appendLongClock appends hh:mm:ss where hours may exceed two digits.
func appendLongClock(dst []byte, us uint64) []byte {
	h := us / uint64(MicrosPerHour)
	if h < 10 {
		dst = append(dst, '0')
	}
	dst = strconv.AppendUint(dst, h, 10)
	dst = append(dst, ':')
	dst = append2(dst, int(us/uint64(MicrosPerMinute)%60))
	dst = append(dst, ':')
	dst = append2(dst, int(us/uint64(MicrosPerSecond)%60))
	return appendFraction(dst, int64(us%uint64(MicrosPerSecond)))
}

// clockParts splits a signed time in parts that share its sign.
func clockParts(us int64) (h, m, s, frac int64) {
	return us / MicrosPerHour, us / MicrosPerMinute % 60, us / MicrosPerSecond % 60, us % MicrosPerSecond
}

func appendSeconds(dst []byte, s, frac int64) []byte {
	if s < 0 || frac < 0 {
		dst = append(dst, '-')
		s, frac = -s, -frac
	}
	dst = strconv.AppendInt(dst, s, 10)
	return appendFraction(dst, frac)
}

func appendISOInterval(dst []byte, years, months int32, v Interval) []byte {
	if v == (Interval{}) {
		return append(dst, "PT0S"...)
	}
	part := func(n int64, unit byte) {
		if n != 0 {
			dst = append(strconv.AppendInt(dst, n, 10), unit)
		}
	}
	dst = append(dst, 'P')
	part(int64(years), 'Y')
	part(int64(months), 'M')
	part(int64(v.Days), 'D')
	if v.Micros != 0 {
		h, m, s, f := clockParts(v.Micros)
		dst = append(dst, 'T')
		part(h, 'H')
		part(m, 'M')
		if s != 0 || f != 0 {
			dst = append(appendSeconds(dst, s, f), 'S')
		}
	}
	return dst
}

func appendVerboseInterval(dst []byte, years, months int32, v Interval) []byte {
	dst = append(dst, '@')
	any, ago := false, false
	part := func(n int64, unit string) {
		if n == 0 {
			return
		}
		if !any {
			ago = n < 0
		}
		if ago {
			n = -n
		}
		dst = strconv.AppendInt(append(dst, ' '), n, 10)
		dst = append(append(dst, ' '), unit...)
		if n != 1 {
			dst = append(dst, 's')
		}
		any = true
	}
	part(int64(years), "year")
	part(int64(months), "mon")
	part(int64(v.Days), "day")
	h, m, s, f := clockParts(v.Micros)
	part(h, "hour")
	part(m, "min")
	if s != 0 || f != 0 {
		if !any {
			ago = s < 0 || f < 0
		}
		if ago {
			s, f = -s, -f
		}
		dst = appendSeconds(append(dst, ' '), s, f)
		dst = append(dst, " sec"...)
		if s != 1 && s != -1 || f != 0 {
			dst = append(dst, 's')
		}
		any = true
	}
	if !any {
		dst = append(dst, " 0"...)
	}
	if ago {
		dst = append(dst, " ago"...)
	}
	return dst
}

func appendSQLInterval(dst []byte, years, months int32, v Interval) []byte {
	h, m, s, f := clockParts(v.Micros)
	neg := v.Months < 0 || v.Days < 0 || v.Micros < 0
	pos := v.Months > 0 || v.Days > 0 || v.Micros > 0
	ym, d, t := v.Months != 0, v.Days != 0, v.Micros != 0
	switch {
	case !neg && !pos:
		return append(dst, '0')
	case neg && pos || ym && (d || t):
		// Mixed: sign every part.
		sgn := func(negative bool) {
			if negative {
				dst = append(dst, '-')
			} else {
				dst = append(dst, '+')
			}
		}
		sgn(v.Months < 0)
		dst = strconv.AppendInt(dst, int64(abs32(years)), 10)
		dst = strconv.AppendInt(append(dst, '-'), int64(abs32(months)), 10)
		dst = append(dst, ' ')
		sgn(v.Days < 0)
		dst = strconv.AppendInt(dst, abs64(int64(v.Days)), 10)
		dst = append(dst, ' ')
		sgn(v.Micros < 0)
		return appendSQLClock(dst, h, m, s, f)
	case ym:
		if neg {
			dst = append(dst, '-')
		}
		dst = strconv.AppendInt(dst, int64(abs32(years)), 10)
		return strconv.AppendInt(append(dst, '-'), int64(abs32(months)), 10)
	}
	if neg {
		dst = append(dst, '-')
	}
	if d {
		dst = append(strconv.AppendInt(dst, abs64(int64(v.Days)), 10), ' ')
	}
	return appendSQLClock(dst, h, m, s, f)
}

func appendSQLClock(dst []byte, h, m, s, f int64) []byte {
	dst = strconv.AppendInt(dst, abs64(h), 10)
	dst = append2(append(dst, ':'), int(abs64(m)))
	dst = append2(append(dst, ':'), int(abs64(s)))
	return appendFraction(dst, abs64(f))
}

func abs32(n int32) int32 {
	if n < 0 {
		return -n
	}
	return n
}

func abs64(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}
