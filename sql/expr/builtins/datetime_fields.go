package builtins

import (
	"strings"
	"time"

	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// dateField is one field of extract, date_part and date_trunc.
type dateField uint8

const (
	fMicroseconds dateField = iota
	fMilliseconds
	fSecond
	fMinute
	fHour
	fDay
	fWeek
	fMonth
	fQuarter
	fYear
	fDecade
	fCentury
	fMillennium
	fDow
	fIsodow
	fDoy
	fIsoyear
	fEpoch
	fJulian
	fTimezone
	fTimezoneHour
	fTimezoneMinute
)

var dateFields = map[string]dateField{
	"microseconds": fMicroseconds, "microsecond": fMicroseconds, "us": fMicroseconds, "usec": fMicroseconds, "usecs": fMicroseconds, "usecond": fMicroseconds, "useconds": fMicroseconds,
	"milliseconds": fMilliseconds, "millisecond": fMilliseconds, "ms": fMilliseconds, "msec": fMilliseconds, "msecs": fMilliseconds, "msecond": fMilliseconds, "mseconds": fMilliseconds,
	"second": fSecond, "seconds": fSecond, "s": fSecond, "sec": fSecond, "secs": fSecond,
	"minute": fMinute, "minutes": fMinute, "m": fMinute, "min": fMinute, "mins": fMinute,
	"hour": fHour, "hours": fHour, "h": fHour, "hr": fHour, "hrs": fHour,
	"day": fDay, "days": fDay, "d": fDay, "week": fWeek, "weeks": fWeek, "w": fWeek,
	"month": fMonth, "months": fMonth, "mon": fMonth, "mons": fMonth, "quarter": fQuarter, "qtr": fQuarter,
	"year": fYear, "years": fYear, "y": fYear, "yr": fYear, "yrs": fYear,
	"decade": fDecade, "decades": fDecade, "dec": fDecade, "decs": fDecade,
	"century": fCentury, "centuries": fCentury, "c": fCentury, "cent": fCentury,
	"millennium": fMillennium, "millennia": fMillennium, "mil": fMillennium, "mils": fMillennium,
	"dow": fDow, "isodow": fIsodow, "doy": fDoy, "isoyear": fIsoyear, "epoch": fEpoch, "julian": fJulian, "jd": fJulian, "j": fJulian,
	"timezone": fTimezone, "timezone_h": fTimezoneHour, "timezone_hour": fTimezoneHour, "timezone_m": fTimezoneMinute, "timezone_minute": fTimezoneMinute,
}

func lookupField(name, typeName string) (dateField, error) {
	f, ok := dateFields[strings.ToLower(name)]
	if !ok {
		return 0, errArgument("unit \"%s\" not recognized for type %s", strings.ToLower(name), typeName)
	}
	return f, nil
}

func errField(name, typeName string) error {
	return errf(sqlstate.FeatureNotSupported, "unit \"%s\" not supported for type %s", strings.ToLower(name), typeName)
}

// isoWeek returns the ISO 8601 year and week of a date.
func isoWeek(days int64) (year, week int) {
	// The week belongs to the year that its Thursday is in.
	thursday := days + 4 - int64(isoDow(days))
	year, _, _ = types.CivilFromDays(thursday)
	first := types.DaysFromCivil(year, 1, 1)
	return year, int(thursday-first)/7 + 1
}

func isoDow(days int64) int {
	if d := types.Weekday(days); d != 0 {
		return d
	}
	return 7
}

// era counts year in periods of n years: there is no year 0 in the Gregorian count.
func era(year, n int) int64 {
	if year > 0 {
		return int64((year + n - 1) / n)
	}
	return -int64((n - 1 - (year - 1)) / n)
}

func dec(coef int64, scale int32) types.Numeric { return types.NumericFromParts(coef, scale) }

// clockField extracts the fields of a time of day; ok is false for other fields.
func clockField(f dateField, us int64) (types.Numeric, bool) {
	switch f {
	case fMicroseconds:
		return dec(us%types.MicrosPerMinute, 0), true
	case fMilliseconds:
		return dec(us%types.MicrosPerMinute, 3), true
	case fSecond:
		return dec(us%types.MicrosPerMinute, 6), true
	case fMinute:
		return dec(us/types.MicrosPerMinute%60, 0), true
	case fHour:
		return dec(us/types.MicrosPerHour, 0), true
	}
	return types.Numeric{}, false
}

// calendarField extracts the fields of a date; ok is false for other fields.
func calendarField(f dateField, days int64) (types.Numeric, bool) {
	y, m, d := types.CivilFromDays(days)
	bcYear := y
	if y <= 0 {
		bcYear = y - 1
	}
	var n int64
	switch f {
	case fDay:
		n = int64(d)
	case fWeek:
		_, w := isoWeek(days)
		n = int64(w)
	case fMonth:
		n = int64(m)
	case fQuarter:
		n = int64((m-1)/3 + 1)
	case fYear:
		n = int64(bcYear)
	case fDecade:
		if y >= 0 {
			n = int64(y / 10)
		} else {
			n = -int64((8 - (y - 1)) / 10)
		}
	case fCentury:
		n = era(y, 100)
	case fMillennium:
		n = era(y, 1000)
	case fDow:
		n = int64(types.Weekday(days))
	case fIsodow:
		n = int64(isoDow(days))
	case fDoy:
		n = days - types.DaysFromCivil(y, 1, 1) + 1
	case fIsoyear:
		iy, _ := isoWeek(days)
		if iy <= 0 {
			iy--
		}
		n = int64(iy)
	case fJulian:
		n = days + 2451545
	default:
		return types.Numeric{}, false
	}
	return dec(n, 0), true
}

// infiniteField is what extract gives for an infinite time: fields that only grow are
// infinite, the others NULL.
func infiniteField(f dateField, positive bool) datum {
	switch f {
	case fYear, fDecade, fCentury, fMillennium, fJulian, fIsoyear, fEpoch:
		if positive {
			return types.NewNumeric(types.NumericInf)
		}
		return types.NewNumeric(types.NumericNegInf)
	}
	return null
}

// extractTimestamp extracts from a timestamp; local is the local time, and for timestamptz
// abs the absolute time and off the zone's offset.
func extractTimestamp(name string, ts int64, tz bool, s *types.Settings) (datum, error) {
	typeName := "timestamp without time zone"
	if tz {
		typeName = "timestamp with time zone"
	}
	f, err := lookupField(name, typeName)
	if err != nil {
		return null, err
	}
	if types.IsInfinite(ts) {
		if !tz && f >= fTimezone {
			return null, errField(name, typeName)
		}
		return infiniteField(f, ts > 0), nil
	}
	local, off := ts, 0
	if tz {
		off, _ = types.ZoneOffset(ts, s.Location)
		local = ts + int64(off)*types.MicrosPerSecond
	}
	days, us := types.SplitTimestamp(local)
	switch f {
	case fEpoch:
		n, err := dec(ts, 6).Sub(dec(types.UnixEpochMicros, 6))
		return types.NewNumeric(n), err
	case fJulian:
		day, err := dec(us, 0).Div(dec(types.MicrosPerDay, 0))
		if err != nil {
			return null, err
		}
		n, err := dec(days+2451545, 0).Add(day)
		if us == 0 {
			n = dec(days+2451545, 0)
		}
		return types.NewNumeric(n), err
	case fTimezone, fTimezoneHour, fTimezoneMinute:
		if !tz {
			return null, errField(name, typeName)
		}
		return types.NewNumeric(zoneField(f, off)), nil
	}
	if n, ok := clockField(f, us); ok {
		return types.NewNumeric(n), nil
	}
	n, _ := calendarField(f, days)
	return types.NewNumeric(n), nil
}

func zoneField(f dateField, secondsEast int) types.Numeric {
	switch f {
	case fTimezoneHour:
		return dec(int64(secondsEast/3600), 0)
	case fTimezoneMinute:
		return dec(int64(secondsEast/60%60), 0)
	}
	return dec(int64(secondsEast), 0)
}

func extractDate(name string, d int64) (datum, error) {
	f, err := lookupField(name, "date")
	if err != nil {
		return null, err
	}
	switch f {
	case fMicroseconds, fMilliseconds, fSecond, fMinute, fHour, fTimezone, fTimezoneHour, fTimezoneMinute:
		return null, errField(name, "date")
	}
	if dateInfinite(d) {
		return infiniteField(f, d > 0), nil
	}
	if f == fEpoch {
		return types.NewNumeric(dec((d-types.UnixEpochDays)*86400, 0)), nil
	}
	n, _ := calendarField(f, d)
	return types.NewNumeric(n), nil
}

func extractTime(name string, us int64, zone *int32) (datum, error) {
	typeName := "time without time zone"
	if zone != nil {
		typeName = "time with time zone"
	}
	f, err := lookupField(name, typeName)
	if err != nil {
		return null, err
	}
	if f == fEpoch {
		if zone != nil {
			us += int64(*zone) * types.MicrosPerSecond
		}
		return types.NewNumeric(dec(us, 6)), nil
	}
	if zone != nil && f >= fTimezone {
		return types.NewNumeric(zoneField(f, int(-*zone))), nil
	}
	if n, ok := clockField(f, us); ok {
		return types.NewNumeric(n), nil
	}
	return null, errField(name, typeName)
}

func extractInterval(name string, v types.Interval) (datum, error) {
	f, err := lookupField(name, "interval")
	if err != nil {
		return null, err
	}
	years, months := int64(v.Months/12), int64(v.Months%12)
	if f == fEpoch {
		// A year counts 365.25 days here.
		secs := years*365*86400 + years*86400/4 + months*30*86400 + int64(v.Days)*86400
		n, err := dec(secs, 0).Add(dec(v.Micros, 6))
		return types.NewNumeric(n), err
	}
	if f == fMinute || f == fHour || f == fSecond || f == fMilliseconds || f == fMicroseconds {
		n, _ := clockField(f, v.Micros)
		return types.NewNumeric(n), nil
	}
	var n int64
	switch f {
	case fDay:
		n = int64(v.Days)
	case fMonth:
		n = months
	case fQuarter:
		n = months/3 + 1
	case fYear:
		n = years
	case fDecade:
		n = years / 10
	case fCentury:
		n = years / 100
	case fMillennium:
		n = years / 1000
	default:
		return null, errField(name, "interval")
	}
	return types.NewNumeric(dec(n, 0)), nil
}

// truncLocal is date_trunc on local time.
func truncLocal(f dateField, ts int64) (int64, bool) {
	days, us := types.SplitTimestamp(ts)
	y, m, _ := types.CivilFromDays(days)
	floorYear := func(n int) int { // the first year of the period of n years
		if y > 0 {
			return (y-1)/n*n + 1
		}
		return -((n-1-(y-1))/n)*n + 1
	}
	day := func(d int64) (int64, bool) { return d * types.MicrosPerDay, true }
	switch f {
	case fMicroseconds:
		return ts, true
	case fMilliseconds:
		return days*types.MicrosPerDay + us/1000*1000, true
	case fSecond:
		return days*types.MicrosPerDay + us/types.MicrosPerSecond*types.MicrosPerSecond, true
	case fMinute:
		return days*types.MicrosPerDay + us/types.MicrosPerMinute*types.MicrosPerMinute, true
	case fHour:
		return days*types.MicrosPerDay + us/types.MicrosPerHour*types.MicrosPerHour, true
	case fDay:
		return day(days)
	case fWeek:
		return day(days - int64(isoDow(days)) + 1)
	case fMonth:
		return day(types.DaysFromCivil(y, m, 1))
	case fQuarter:
		return day(types.DaysFromCivil(y, (m-1)/3*3+1, 1))
	case fYear:
		return day(types.DaysFromCivil(y, 1, 1))
	case fDecade:
		if y > 0 {
			y = y / 10 * 10
		} else {
			y = -((8 - (y - 1)) / 10) * 10
		}
		return day(types.DaysFromCivil(y, 1, 1))
	case fCentury:
		return day(types.DaysFromCivil(floorYear(100), 1, 1))
	case fMillennium:
		return day(types.DaysFromCivil(floorYear(1000), 1, 1))
	}
	return 0, false
}

func truncTimestamp(name string, ts int64, loc *time.Location, tz bool) (datum, error) {
	typeName := "timestamp without time zone"
	if tz {
		typeName = "timestamp with time zone"
	}
	f, err := lookupField(name, typeName)
	if err != nil {
		return null, err
	}
	if types.IsInfinite(ts) {
		return types.NewInt(ts), nil
	}
	local := ts
	if tz {
		local = types.ToLocal(ts, loc)
	}
	out, ok := truncLocal(f, local)
	if !ok {
		return null, errField(name, typeName)
	}
	if tz {
		if f <= fHour {
			// Below a day the offset stays what it is, whatever the clocks did meanwhile.
			return types.NewInt(ts - (local - out)), nil
		}
		out = types.FromLocal(out, loc)
	}
	return types.NewInt(out), nil
}

func truncInterval(name string, v types.Interval) (datum, error) {
	f, err := lookupField(name, "interval")
	if err != nil {
		return null, err
	}
	trunc := func(unit int64) { v.Micros = v.Micros / unit * unit }
	months := func(n int32) { v.Days, v.Micros, v.Months = 0, 0, v.Months/n*n }
	switch f {
	case fMicroseconds:
	case fMilliseconds:
		trunc(1000)
	case fSecond:
		trunc(types.MicrosPerSecond)
	case fMinute:
		trunc(types.MicrosPerMinute)
	case fHour:
		trunc(types.MicrosPerHour)
	case fDay:
		v.Micros = 0
	case fMonth:
		months(1)
	case fQuarter:
		months(3)
	case fYear:
		months(12)
	case fDecade:
		months(120)
	case fCentury:
		months(1200)
	case fMillennium:
		months(12000)
	case fWeek:
		return null, errField(name, "interval").(*sqlstate.Error).WithDetail("Months usually have fractional weeks.")
	default:
		return null, errField(name, "interval")
	}
	return types.NewInterval(v), nil
}
