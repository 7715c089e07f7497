package types

import (
	"math"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // zones must not depend on the machine

	"github.com/spanlite/spanlite/sql/sqlstate"
)

// Units of time in microseconds, and days between epochs.
const (
	MicrosPerSecond = int64(1_000_000)
	MicrosPerMinute = 60 * MicrosPerSecond
	MicrosPerHour   = 60 * MicrosPerMinute
	MicrosPerDay    = 24 * MicrosPerHour

	secondsPerDay = 86400
	// UnixEpochDays is 1970-01-01 in days since 2000-01-01.
	UnixEpochDays = -10957
	// UnixEpochMicros is 1970-01-01 in microseconds since 2000-01-01.
	UnixEpochMicros = UnixEpochDays * MicrosPerDay
	julianOf2000    = 2451545

	monthsPerYear = 12
	daysPerMonth  = 30 // for comparing and estimating intervals only
)

// The limits of date and timestamp, as in PostgreSQL: 4714-11-24 BC to
// 5874897-12-31 and 294276-12-31.
const (
	DateInfinity         = int64(math.MaxInt32)
	DateNegInfinity      = int64(math.MinInt32)
	TimestampInfinity    = int64(math.MaxInt64)
	TimestampNegInfinity = int64(math.MinInt64)

	minDate      = int64(-julianOf2000)
	endDate      = int64(2147483494 - julianOf2000)
	minTimestamp = int64(-211813488000000000)
	endTimestamp = int64(9223371331200000000)
)

// DaysFromCivil returns days since 2000-01-01 of a date in the proleptic Gregorian
// calendar; year 0 is 1 BC.
func DaysFromCivil(year, month, day int) int64 {
	y, m := int64(year), int64(month)
	if m <= 2 {
		y--
	}
	era := floorDiv64(y, 400)
	yoe := y - era*400
	mp := (m + 9) % 12
	doy := (153*mp+2)/5 + int64(day) - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return era*146097 + doe - 730425
}

// CivilFromDays is the inverse of DaysFromCivil.
func CivilFromDays(days int64) (year, month, day int) {
	z := days + 730425
	era := floorDiv64(z, 146097)
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	day = int(doy - (153*mp+2)/5 + 1)
	month = int(mp + 3)
	y := yoe + era*400
	if month > 12 {
		month -= 12
		y++
	}
	return int(y), month, day
}

func floorDiv64(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

func isLeap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

// DaysInMonth returns the number of days of a month.
func DaysInMonth(year, month int) int {
	if month == 2 && isLeap(year) {
		return 29
	}
	return [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month-1]
}

// Weekday returns 0 for Sunday .. 6 for Saturday of a date.
func Weekday(days int64) int { return int(((days+6)%7 + 7) % 7) }

// SplitTimestamp returns the date and the microseconds of the day.
func SplitTimestamp(ts int64) (days, micros int64) {
	days = floorDiv64(ts, MicrosPerDay)
	return days, ts - days*MicrosPerDay
}

// Clock is a broken-down local time.
type Clock struct {
	Year, Month, Day     int // year 0 is 1 BC
	Hour, Minute, Second int
	Micros               int
}

// ClockOf breaks a timestamp without zone down.
func ClockOf(ts int64) Clock {
	days, us := SplitTimestamp(ts)
	var c Clock
	c.Year, c.Month, c.Day = CivilFromDays(days)
	c.setTime(us)
	return c
}

func (c *Clock) setTime(us int64) {
	c.Hour = int(us / MicrosPerHour)
	c.Minute = int(us / MicrosPerMinute % 60)
	c.Second = int(us / MicrosPerSecond % 60)
	c.Micros = int(us % MicrosPerSecond)
}

// Timestamp puts the parts together, without range checks.
func (c Clock) Timestamp() int64 {
	return DaysFromCivil(c.Year, c.Month, c.Day)*MicrosPerDay + c.timeMicros()
}

func (c Clock) timeMicros() int64 {
	return int64(c.Hour)*MicrosPerHour + int64(c.Minute)*MicrosPerMinute + int64(c.Second)*MicrosPerSecond + int64(c.Micros)
}

// ZoneOffset returns the seconds east of Greenwich of a location at an absolute time
// in microseconds since 2000-01-01 UTC, and the zone's abbreviation.
func ZoneOffset(ts int64, loc *time.Location) (seconds int, abbrev string) {
	if loc == time.UTC {
		return 0, "UTC"
	}
	abbrev, seconds = time.Unix(floorDiv64(ts-UnixEpochMicros, MicrosPerSecond), 0).In(loc).Zone()
	return seconds, abbrev
}

// ToLocal converts an absolute time to local time of the location.
func ToLocal(ts int64, loc *time.Location) int64 {
	if loc == time.UTC || IsInfinite(ts) {
		return ts
	}
	off, _ := ZoneOffset(ts, loc)
	return ts + int64(off)*MicrosPerSecond
}

// FromLocal converts local time of the location to absolute time. A time skipped when
// clocks go forward is read with the offset before, an ambiguous one with the offset
// after the change, as PostgreSQL does.
func FromLocal(ts int64, loc *time.Location) int64 {
	if loc == time.UTC || IsInfinite(ts) {
		return ts
	}
	before, _ := ZoneOffset(ts-MicrosPerDay, loc)
	after, _ := ZoneOffset(ts+MicrosPerDay, loc)
	t1, t2 := ts-int64(before)*MicrosPerSecond, ts-int64(after)*MicrosPerSecond
	if before == after {
		return t1
	}
	if off, _ := ZoneOffset(t2, loc); off == after {
		return t2
	}
	return t1
}

// IsInfinite reports whether a timestamp is one of the infinities.
func IsInfinite(ts int64) bool { return ts == TimestampInfinity || ts == TimestampNegInfinity }

// CheckTimestamp returns the error 22008 if a finite timestamp is out of range.
func CheckTimestamp(ts int64) error {
	if ts < minTimestamp || ts >= endTimestamp {
		return sqlstate.New(sqlstate.DatetimeFieldOverflow, "timestamp out of range")
	}
	return nil
}

// TimestampFromTime converts to microseconds since 2000-01-01 UTC.
func TimestampFromTime(t time.Time) int64 { return t.UnixMicro() + UnixEpochMicros }

// TimeFromTimestamp is the inverse of TimestampFromTime for finite values.
func TimeFromTimestamp(ts int64) time.Time { return time.UnixMicro(ts - UnixEpochMicros).UTC() }

// zoneAbbrevs are PostgreSQL's default abbreviations in most use, in minutes east.
var zoneAbbrevs = map[string]int{
	"utc": 0, "gmt": 0, "z": 0, "zulu": 0, "ut": 0, "uct": 0, "wet": 0, "west": 60, "bst": 60, "cet": 60, "cest": 120, "met": 60, "mest": 120,
	"eet": 120, "eest": 180, "msk": 180, "msd": 240, "ist": 120, "sast": 120, "pkt": 300, "npt": 345, "ict": 420, "wib": 420,
	"sgt": 480, "cct": 480, "hkt": 480, "awst": 480, "jst": 540, "kst": 540, "acst": 570, "acdt": 630, "aest": 600, "aedt": 660,
	"nzst": 720, "nzdt": 780, "nst": -210, "ndt": -150, "ast": -240, "adt": -180, "est": -300, "edt": -240,
	"cst": -360, "cdt": -300, "mst": -420, "mdt": -360, "pst": -480, "pdt": -420, "akst": -540, "akdt": -480, "hst": -600,
	"art": -180, "brt": -180, "brst": -120, "clt": -240, "clst": -180,
}

var zoneCache sync.Map // lower-case name -> *time.Location

// zoneFold maps lower-case zone names to their spelling, for the names that title
// case does not give.
var zoneFold = map[string]string{"utc": "UTC", "gmt": "GMT", "uct": "UCT", "est": "EST", "mst": "MST", "hst": "HST", "est5edt": "EST5EDT",
	"cst6cdt": "CST6CDT", "mst7mdt": "MST7MDT", "pst8pdt": "PST8PDT", "cet": "CET", "met": "MET", "eet": "EET", "wet": "WET",
	"prc": "PRC", "rok": "ROK", "roc": "ROC", "nz": "NZ", "gb": "GB", "w-su": "W-SU", "etc/utc": "Etc/UTC", "etc/gmt": "Etc/GMT", "zulu": "Zulu"}

// LoadZone finds a time zone by name (in any case), abbreviation, or offset: '+02', '-03:30'
// count east of Greenwich as ISO does; a POSIX form such as 'UTC+3' or 'XYZ3' counts west. ok is
// false if it means nothing.
func LoadZone(name string) (*time.Location, bool) {
	key := strings.ToLower(trimSpace(name))
	if key == "" {
		return nil, false
	}
	if loc, ok := zoneCache.Load(key); ok {
		return loc.(*time.Location), true
	}
	loc, ok := loadZone(name, key)
	if ok {
		zoneCache.Store(key, loc)
	}
	return loc, ok
}

func loadZone(name, key string) (*time.Location, bool) {
	if key == "utc" || key == "z" || key == "zulu" {
		return time.UTC, true
	}
	if c := key[0]; c == '+' || c == '-' || c >= '0' && c <= '9' {
		secs, rest, ok := parseOffset(key)
		if !ok || rest != "" {
			return nil, false
		}
		return fixedZone(secs), true
	}
	if key == "local" {
		return nil, false
	}
	for _, n := range []string{trimSpace(name), zoneFold[key], titleZone(key), strings.ToUpper(key)} {
		if n == "" {
			continue
		}
		if loc, err := time.LoadLocation(n); err == nil {
			return loc, true
		}
	}
	if m, ok := zoneAbbrevs[key]; ok {
		return time.FixedZone(strings.ToUpper(key), m*60), true
	}
	// POSIX: letters, then an offset that counts westwards.
	i := 0
	for i < len(key) && key[i] >= 'a' && key[i] <= 'z' {
		i++
	}
	if i >= 3 && i < len(key) {
		if secs, rest, ok := parseOffset(key[i:]); ok && rest == "" {
			return time.FixedZone(strings.ToUpper(key[:i]), -secs), true
		}
	}
	return nil, false
}

// titleZone spells a lower-case zone name the usual way: America/New_York, Etc/GMT+5.
func titleZone(key string) string {
	b := []byte(key)
	up := true
	for i, c := range b {
		if up && c >= 'a' && c <= 'z' {
			b[i] = c - 32
		}
		up = c == '/' || c == '_' || c == '-'
	}
	s := string(b)
	for _, w := range []string{"_Of_", "_Es_"} {
		s = strings.ReplaceAll(s, w, strings.ToLower(w))
	}
	if strings.HasPrefix(s, "Etc/") {
		s = "Etc/" + strings.ToUpper(s[4:])
	}
	return s
}

// fixedZone names an offset as PostgreSQL prints it in TimeZone: <+02>-02.
func fixedZone(secs int) *time.Location {
	if secs == 0 {
		return time.FixedZone("<+00>-00", 0)
	}
	text := string(appendOffset(nil, secs))
	inverse := string(appendOffset(nil, -secs))
	return time.FixedZone("<"+text+">"+inverse, secs)
}

// FixedZone returns the location of an offset in seconds east of Greenwich.
func FixedZone(secondsEast int) *time.Location { return fixedZone(secondsEast) }

// appendOffset appends an offset east of Greenwich as +hh[:mm[:ss]].
func appendOffset(dst []byte, secs int) []byte {
	if secs < 0 {
		dst = append(dst, '-')
		secs = -secs
	} else {
		dst = append(dst, '+')
	}
	dst = append2(dst, secs/3600)
	if secs%3600 != 0 {
		dst = append2(append(dst, ':'), secs/60%60)
		if secs%60 != 0 {
			dst = append2(append(dst, ':'), secs%60)
		}
	}
	return dst
}

func append2(dst []byte, n int) []byte {
	return append(dst, byte('0'+n/10%10), byte('0'+n%10))
}

// parseOffset reads [+-]h, hh, hhmm, hh:mm or hh:mm:ss at the start of s.
func parseOffset(s string) (secs int, rest string, ok bool) {
	neg := false
	if s != "" && (s[0] == '+' || s[0] == '-') {
		neg = s[0] == '-'
		s = s[1:]
	}
	number := func(maxDigits int) (n, digits int) {
		for digits < len(s) && digits < maxDigits && s[digits] >= '0' && s[digits] <= '9' {
			n = n*10 + int(s[digits]-'0')
			digits++
		}
		s = s[digits:]
		return n, digits
	}
	h, digits := number(6)
	m, sec := 0, 0
	switch digits {
	case 1, 2:
		if s != "" && s[0] == ':' {
			s = s[1:]
			var d int
			if m, d = number(2); d == 0 {
				return 0, s, false
			}
			if s != "" && s[0] == ':' {
				s = s[1:]
				if sec, d = number(2); d == 0 {
					return 0, s, false
				}
			}
		}
	case 3, 4:
		h, m = h/100, h%100
	case 5, 6:
		h, m, sec = h/10000, h/100%100, h%100
	default:
		return 0, s, false
	}
	if h > 15 || m > 59 || sec > 59 {
		return 0, s, false
	}
	secs = h*3600 + m*60 + sec
	if neg {
		secs = -secs
	}
	return secs, s, true
}
