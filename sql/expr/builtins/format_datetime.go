package builtins

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// dtToken is a piece of a date/time template: a field with its modifiers, or literal text.
type dtToken struct {
	field    string // upper-case name; empty for a literal
	spelled  string // as written, which decides the case of names
	literal  string
	fillMode bool // FM: no padding
	ordinal  byte // 't' or 'T' for th, TH
	space    bool // the literal came unquoted and is made of separators
}

// dtFieldNames are the template fields, longer ones before their prefixes.
var dtFieldNames = []string{
	"A.D.", "A.M.", "AD", "AM", "B.C.", "BC", "CC", "DAY", "DDD", "DD", "DY", "D",
	"FF1", "FF2", "FF3", "FF4", "FF5", "FF6", "HH24", "HH12", "HH", "IDDD", "ID", "IW", "IYYY", "IYY", "IY", "I", "J",
	"MI", "MM", "MONTH", "MON", "MS", "OF", "P.M.", "PM", "Q", "RM", "SSSSS", "SSSS", "SS", "TZH", "TZM", "TZ", "US", "WW", "W",
	"Y,YYY", "YYYY", "YYY", "YY", "Y",
}

func parseTemplate(f string) []dtToken {
	var out []dtToken
	literal := func(s string, space bool) {
		out = append(out, dtToken{literal: s, space: space})
	}
	for i := 0; i < len(f); {
		if f[i] == '"' {
			j := i + 1
			var b []byte
			for j < len(f) && f[j] != '"' {
				if f[j] == '\\' && j+1 < len(f) {
					j++
				}
				b = append(b, f[j])
				j++
			}
			literal(string(b), false)
			i = min(j+1, len(f))
			continue
		}
		if f[i] == '\\' && i+1 < len(f) && f[i+1] == '"' {
			literal(`"`, false)
			i += 2
			continue
		}
		fill := false
		j := i
		for j+2 <= len(f) {
			p := strings.ToUpper(f[j : j+2])
			if p == "FM" || p == "TM" { // names in the session's language are not padded
				fill = true
			} else if p != "FX" {
				break
			}
			j += 2
		}
		name := ""
		for _, n := range dtFieldNames {
			if len(f)-j >= len(n) && strings.EqualFold(f[j:j+len(n)], n) {
				name = n
				break
			}
		}
		if name == "" {
			if j > i {
				i = j
				continue
			}
			c := f[i]
			literal(f[i:i+1], !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'))
			i++
			continue
		}
		t := dtToken{field: name, spelled: f[j : j+len(name)], fillMode: fill}
		j += len(name)
		if j+2 <= len(f) && strings.EqualFold(f[j:j+2], "TH") {
			t.ordinal = f[j]
			j += 2
		}
		if j+2 <= len(f) && strings.EqualFold(f[j:j+2], "SP") {
			j += 2
		}
		out = append(out, t)
		i = j
	}
	return out
}

var (
	fullMonths = []string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
	fullDays   = []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	romanMonth = []string{"I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"}
)

// inCaseOf writes a name in the case of the field: MONTH, Month or month.
func inCaseOf(name, spelled string) string {
	switch {
	case spelled == strings.ToUpper(spelled):
		return strings.ToUpper(name)
	case spelled[0] >= 'A' && spelled[0] <= 'Z':
		return name
	}
	return strings.ToLower(name)
}

func ordinalSuffix(n int64) string {
	if n < 0 {
		n = -n
	}
	if n%100 >= 11 && n%100 <= 13 {
		return "th"
	}
	switch n % 10 {
	case 1:
		return "st"
	case 2:
		return "nd"
	case 3:
		return "rd"
	}
	return "th"
}

// dtValue is what a template prints: a broken-down time or interval.
type dtValue struct {
	year                     int64 // 0 is 1 BC for times
	month, day               int64
	hour, minute, second, us int64
	days                     int64 // since 2000-01-01, for calendar fields
	interval                 bool
	offset                   int
	zone                     string
	hasZone                  bool
}

func valueOfTimestamp(ec *ctx, ts int64, tz bool) dtValue {
	v := dtValue{hasZone: tz}
	if tz {
		v.offset, v.zone = types.ZoneOffset(ts, ec.Location)
		ts += int64(v.offset) * types.MicrosPerSecond
	}
	c := types.ClockOf(ts)
	v.year, v.month, v.day = int64(c.Year), int64(c.Month), int64(c.Day)
	v.hour, v.minute, v.second, v.us = int64(c.Hour), int64(c.Minute), int64(c.Second), int64(c.Micros)
	v.days, _ = types.SplitTimestamp(ts)
	return v
}

func valueOfInterval(i types.Interval) dtValue {
	v := dtValue{interval: true, year: int64(i.Months / 12), month: int64(i.Months % 12), day: int64(i.Days)}
	us := i.Micros
	v.hour, v.minute, v.second, v.us = us/types.MicrosPerHour, us/types.MicrosPerMinute%60, us/types.MicrosPerSecond%60, us%types.MicrosPerSecond
	v.days = int64(i.Months)*30 + int64(i.Days)
	return v
}

// printTemplate is to_char of a time.
func printTemplate(f string, v dtValue) (string, error) {
	var b strings.Builder
	for _, t := range parseTemplate(f) {
		if t.field == "" {
			b.WriteString(t.literal)
			continue
		}
		num := func(n int64, width int) {
			if t.fillMode {
				width = 0
			}
			if n < 0 && width > 0 {
				width++
			}
			fmt.Fprintf(&b, "%0*d", width, n)
			if t.ordinal != 0 {
				s := ordinalSuffix(n)
				if t.ordinal == 'T' {
					s = strings.ToUpper(s)
				}
				b.WriteString(s)
			}
		}
		word := func(s string, width int) {
			b.WriteString(s)
			if !t.fillMode {
				b.WriteString(strings.Repeat(" ", max(width-len(s), 0)))
			}
		}
		year := v.year
		if year <= 0 && !v.interval {
			year = 1 - year
		}
		if v.interval {
			switch t.field {
			case "DAY", "DY", "MONTH", "MON", "RM", "D", "ID", "J", "BC", "B.C.", "AD", "A.D.":
				if t.field != "RM" && t.field != "J" {
					return "", errf(sqlstate.InvalidDatetimeFormat, "invalid format specification for an interval value").(*sqlstate.Error).
						WithHint("Intervals are not tied to specific calendar dates.")
				}
			}
		}
		switch t.field {
		case "AM", "PM", "A.M.", "P.M.":
			s := "AM"
			if v.hour%24 >= 12 {
				s = "PM"
			}
			if strings.Contains(t.field, ".") {
				s = s[:1] + "." + s[1:] + "."
			}
			if t.spelled[0] >= 'a' {
				s = strings.ToLower(s)
			}
			b.WriteString(s)
		case "AD", "BC", "A.D.", "B.C.":
			s := "AD"
			if v.year <= 0 {
				s = "BC"
			}
			if strings.Contains(t.field, ".") {
				s = s[:1] + "." + s[1:] + "."
			}
			if t.spelled[0] >= 'a' {
				s = strings.ToLower(s)
			}
			b.WriteString(s)
		case "HH", "HH12":
			h := v.hour % 12
			if h == 0 {
				h = 12
			}
			num(h, 2)
		case "HH24":
			num(v.hour, 2)
		case "MI":
			num(v.minute, 2)
		case "SS":
			num(v.second, 2)
		case "MS":
			num(v.us/1000, 3)
		case "US":
			num(v.us, 6)
		case "FF1", "FF2", "FF3", "FF4", "FF5", "FF6":
			n := int(t.field[2] - '0')
			s := fmt.Sprintf("%06d", v.us)
			b.WriteString(s[:n])
		case "SSSS", "SSSSS":
			num(v.hour*3600+v.minute*60+v.second, 0)
		case "TZ":
			if !v.hasZone {
				continue
			}
			if t.spelled[0] >= 'a' {
				b.WriteString(strings.ToLower(v.zone))
			} else {
				b.WriteString(v.zone)
			}
		case "TZH":
			sign := '+'
			if v.offset < 0 {
				sign = '-'
			}
			fmt.Fprintf(&b, "%c%02d", sign, abs(v.offset)/3600)
		case "TZM":
			fmt.Fprintf(&b, "%02d", abs(v.offset)/60%60)
		case "OF":
			sign := '+'
			if v.offset < 0 {
				sign = '-'
			}
			fmt.Fprintf(&b, "%c%02d", sign, abs(v.offset)/3600)
			if m := abs(v.offset) / 60 % 60; m != 0 {
				fmt.Fprintf(&b, ":%02d", m)
			}
		case "MONTH":
			word(inCaseOf(fullMonths[v.month-1], t.spelled), 9)
		case "MON":
			b.WriteString(inCaseOf(fullMonths[v.month-1][:3], t.spelled))
		case "MM":
			num(v.month, 2)
		case "RM":
			if v.month == 0 && v.year == 0 && v.interval {
				continue
			}
			m := romanMonth[((v.month-1)%12+12)%12]
			if t.spelled[0] >= 'a' {
				m = strings.ToLower(m)
			}
			word(m, 4)
		case "DAY":
			word(inCaseOf(fullDays[types.Weekday(v.days)], t.spelled), 9)
		case "DY":
			b.WriteString(inCaseOf(fullDays[types.Weekday(v.days)][:3], t.spelled))
		case "DDD":
			if v.interval {
				num(v.days, 3)
			} else {
				num(v.days-types.DaysFromCivil(int(v.year), 1, 1)+1, 3)
			}
		case "IDDD":
			y, w := isoWeek(v.days)
			_ = y
			num(int64((w-1)*7+isoDow(v.days)), 3)
		case "DD":
			num(v.day, 2)
		case "D":
			num(int64(types.Weekday(v.days))+1, 1)
		case "ID":
			num(int64(isoDow(v.days)), 1)
		case "WW":
			num((v.days-types.DaysFromCivil(int(v.year), 1, 1))/7+1, 2)
		case "IW":
			_, w := isoWeek(v.days)
			num(int64(w), 2)
		case "W":
			num((v.day-1)/7+1, 1)
		case "Q":
			if v.month == 0 {
				continue
			}
			num((v.month-1)/3+1, 1)
		case "CC":
			if v.interval {
				num(v.year/100, 2)
			} else {
				num(era(int(v.year), 100), 2)
			}
		case "Y,YYY":
			s := fmt.Sprintf("%d,%03d", year/1000, year%1000)
			b.WriteString(s)
		case "YYYY", "IYYY":
			y := year
			if t.field[0] == 'I' {
				iy, _ := isoWeek(v.days)
				y = int64(iy)
			}
			num(y, 4)
		case "YYY", "IYY", "YY", "IY", "Y", "I":
			y := year
			if t.field[0] == 'I' {
				iy, _ := isoWeek(v.days)
				y = int64(iy)
			}
			n := strings.Count(t.field, "Y")
			if t.field[0] == 'I' {
				n++
			}
			num(y%[...]int64{1, 10, 100, 1000}[n], n)
		case "J":
			num(v.days+2451545, 0)
		}
	}
	return b.String(), nil
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

// dtParsed is what a text gave for the fields of a template.
type dtParsed struct {
	c                              types.Clock
	haveYear, bc, pm, am, hour12   bool
	doy, week, weekMonth, isoWeekN int
	isoYear, isoDay, century       int
	julian                         int64
	haveJulian                     bool
	yearDigits                     int
	ssss                           int
	haveSSSS                       bool
	zoneSecs                       int
	haveZone                       bool
	us                             int64
}

// maxDigits is how many digits a number field takes when another number follows it.
var maxDigits = map[string]int{
	"HH": 2, "HH12": 2, "HH24": 2, "MI": 2, "SS": 2, "MS": 3, "US": 6, "SSSS": 5, "SSSSS": 5, "MM": 2, "DDD": 3, "IDDD": 3, "DD": 2, "D": 1, "ID": 1,
	"WW": 2, "IW": 2, "W": 1, "Q": 1, "CC": 2, "YYYY": 4, "IYYY": 4, "YYY": 3, "IYY": 3, "YY": 2, "IY": 2, "Y": 1, "I": 1, "J": 7,
	"FF1": 1, "FF2": 2, "FF3": 3, "FF4": 4, "FF5": 5, "FF6": 6, "TZH": 2, "TZM": 2,
}

func errTemplate(format string, a ...any) error {
	return errf(sqlstate.InvalidDatetimeFormat, format, a...)
}

// parseByTemplate reads text by a template, as to_timestamp and to_date do.
func parseByTemplate(text, f string) (dtParsed, error) {
	var p dtParsed
	toks := parseTemplate(f)
	s := text
	spaces := func() {
		for s != "" && (s[0] == ' ' || s[0] == '\t' || s[0] == '\n') {
			s = s[1:]
		}
	}
	for i, t := range toks {
		if t.field == "" {
			if t.space {
				// A separator in the template takes any separator, or nothing.
				if s != "" && !isAlnum(s[0]) && !(s[0] == '-' || s[0] == '+') || s != "" && t.literal == s[:1] {
					if strings.TrimSpace(t.literal) == "" {
						spaces()
						if s != "" && !isAlnum(s[0]) && s[0] != '-' && s[0] != '+' {
							s = s[1:]
						}
					} else {
						s = s[1:]
					}
				} else if s != "" && (s[0] == '-' || s[0] == '+') && i+1 < len(toks) && toks[i+1].field != "TZH" {
					s = s[1:]
				}
			} else {
				n := min(len(t.literal), len(s))
				s = s[n:]
			}
			continue
		}
		spaces()
		if s == "" {
			break
		}
		rest, err := p.field(t, s, i+1 < len(toks) && toks[i+1].field != "" && toks[i+1].field[0] != 'A' && isNumberField(toks[i+1].field), text)
		if err != nil {
			return p, err
		}
		s = rest
		if t.ordinal != 0 && len(s) >= 2 {
			s = s[2:]
		}
	}
	return p, nil
}

func isNumberField(f string) bool { return maxDigits[f] > 0 && f != "TZH" }

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80
}

func (p *dtParsed) field(t dtToken, s string, numberFollows bool, whole string) (string, error) {
	number := func() (int64, int, error) {
		j := 0
		neg := false
		if j < len(s) && (s[j] == '-' || s[j] == '+') {
			neg = s[j] == '-'
			j++
		}
		start := j
		limit := len(s)
		if numberFollows || t.fillMode && false || strings.HasPrefix(t.field, "FF") || t.field == "MS" || t.field == "US" {
			limit = min(limit, start+maxDigits[t.field])
		}
		n := int64(0)
		for j < limit && s[j] >= '0' && s[j] <= '9' && j-start < 18 {
			n = n*10 + int64(s[j]-'0')
			j++
		}
		if j == start {
			return 0, 0, errTemplate("invalid value \"%s\" for \"%s\"", s[:min(len(s), max(maxDigits[t.field], 1))], t.spelled).(*sqlstate.Error).
				WithDetail("Value must be an integer.")
		}
		if neg {
			n = -n
		}
		digits := j - start
		s = s[j:]
		return n, digits, nil
	}
	inRange := func(n, lo, hi int64) error {
		if n < lo || n > hi {
			return errf(sqlstate.DatetimeFieldOverflow, "date/time field value out of range: \"%s\"", whole)
		}
		return nil
	}
	names := func(list []string, what string) (int, error) {
		best, n := -1, 0
		for i, name := range list {
			if len(s) >= len(name) && strings.EqualFold(s[:len(name)], name) && len(name) > n {
				best, n = i, len(name)
			}
		}
		if best < 0 {
			end := strings.IndexFunc(s, func(r rune) bool { return r == ' ' })
			if end < 0 {
				end = len(s)
			}
			return 0, errTemplate("invalid value \"%s\" for \"%s\"", s[:end], t.spelled).(*sqlstate.Error).
				WithDetail("The given value did not match any of the allowed values for this field.")
		}
		s = s[n:]
		return best, nil
	}
	short := func(list []string) []string {
		out := make([]string, len(list))
		for i, n := range list {
			out[i] = n[:3]
		}
		return out
	}
	switch t.field {
	case "AM", "PM", "A.M.", "P.M.":
		k, err := names([]string{"am", "pm", "a.m.", "p.m."}, "")
		p.pm, p.am = k%2 == 1, k%2 == 0
		return s, err
	case "AD", "BC", "A.D.", "B.C.":
		k, err := names([]string{"ad", "bc", "a.d.", "b.c."}, "")
		p.bc = k%2 == 1
		return s, err
	case "MONTH":
		k, err := names(fullMonths, "")
		p.c.Month = k + 1
		return s, err
	case "MON":
		k, err := names(short(fullMonths), "")
		p.c.Month = k + 1
		return s, err
	case "DAY":
		_, err := names(fullDays, "")
		return s, err
	case "DY":
		_, err := names(short(fullDays), "")
		return s, err
	case "RM":
		k, err := names(romanMonth, "")
		p.c.Month = k + 1
		return s, err
	case "TZ", "OF":
		if t.field == "TZ" {
			end := 0
			for end < len(s) && (isAlnum(s[end]) || strings.IndexByte("/_+-:", s[end]) >= 0) {
				end++
			}
			loc, ok := types.LoadZone(s[:end])
			if !ok {
				return s, errTemplate("invalid value \"%s\" for \"%s\"", s[:end], t.spelled)
			}
			p.zoneSecs, _ = types.ZoneOffset(0, loc)
			p.haveZone = true
			return s[end:], nil
		}
		return s, errf(sqlstate.FeatureNotSupported, "formatting field \"%s\" is only supported in to_char", t.spelled)
	case "Y,YYY":
		head, tail, ok := strings.Cut(s, ",")
		a, err := strconv.Atoi(strings.TrimSpace(head))
		if !ok || err != nil || len(tail) < 3 {
			return s, errTemplate("invalid input string for \"Y,YYY\"")
		}
		b, err := strconv.Atoi(tail[:3])
		if err != nil {
			return s, errTemplate("invalid input string for \"Y,YYY\"")
		}
		p.c.Year, p.haveYear, p.yearDigits = a*1000+b, true, 4
		return tail[3:], nil
	}
	n, digits, err := number()
	if err != nil {
		return s, err
	}
	switch t.field {
	case "HH", "HH12":
		p.c.Hour, p.hour12 = int(n), true
		if n < 1 || n > 12 {
			return s, errf(sqlstate.InvalidDatetimeFormat, "hour \"%d\" is invalid for the 12-hour clock", n).(*sqlstate.Error).
				WithHint("Use the 24-hour clock, or give an hour between 1 and 12.")
		}
	case "HH24":
		p.c.Hour = int(n)
		return s, inRange(n, 0, 24)
	case "MI":
		p.c.Minute = int(n)
		return s, inRange(n, 0, 59)
	case "SS":
		p.c.Second = int(n)
		return s, inRange(n, 0, 60)
	case "MS", "US", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6":
		width := 6
		us := n
		for ; digits < width; digits++ {
			us *= 10
		}
		if t.field == "MS" && us > 999999 {
			us /= 1000
		}
		p.us += us
	case "SSSS", "SSSSS":
		p.ssss, p.haveSSSS = int(n), true
		return s, inRange(n, 0, 86399)
	case "MM":
		p.c.Month = int(n)
		return s, inRange(n, 1, 12)
	case "DD":
		p.c.Day = int(n)
		return s, inRange(n, 1, 31)
	case "DDD":
		p.doy = int(n)
		return s, inRange(n, 1, 366)
	case "IDDD":
		p.isoWeekN, p.isoDay = int(n-1)/7+1, int(n-1)%7+1
	case "D":
	case "ID":
		p.isoDay = int(n)
	case "WW":
		p.week = int(n)
	case "W":
		p.weekMonth = int(n)
	case "IW":
		p.isoWeekN = int(n)
	case "Q":
	case "CC":
		p.century = int(n)
	case "J":
		p.julian, p.haveJulian = n, true
	case "TZH":
		p.zoneSecs += int(n) * 3600
		p.haveZone = true
	case "TZM":
		if p.zoneSecs < 0 {
			n = -n
		}
		p.zoneSecs += int(n) * 60
	case "YYYY", "YYY", "YY", "Y":
		p.c.Year, p.haveYear, p.yearDigits = int(n), true, digits
		if t.field == "YYYY" && digits < 4 && digits > 2 || t.field == "YYYY" && digits <= 2 {
			p.yearDigits = 4
			if t.fillMode || digits < 4 {
				p.c.Year = adjustYear(int(n), digits)
			}
		} else if t.field != "YYYY" {
			p.c.Year = adjustYear(int(n), digits)
		}
	case "IYYY", "IYY", "IY", "I":
		p.isoYear = int(n)
		if t.field != "IYYY" {
			p.isoYear = adjustYear(int(n), digits)
		}
	}
	return s, nil
}

// adjustYear puts a year of few digits close to 2020, as PostgreSQL does.
func adjustYear(y, digits int) int {
	switch {
	case digits >= 4 || y >= 1000:
		return y
	case y < 70:
		return y + 2000
	case y < 100:
		return y + 1900
	case y < 520:
		return y + 2000
	}
	return y + 1000
}

// timestamp puts the fields together: what was not given is the first of January 1 BC at
// midnight.
func (p *dtParsed) timestamp(whole string) (int64, error) {
	c := p.c
	if p.haveSSSS {
		c.Hour, c.Minute, c.Second = p.ssss/3600, p.ssss/60%60, p.ssss%60
	}
	if p.hour12 {
		if p.pm && c.Hour < 12 {
			c.Hour += 12
		} else if p.am && c.Hour == 12 {
			c.Hour = 0
		} else if !p.pm && !p.am && c.Hour == 12 {
			c.Hour = 0
		}
	}
	year := c.Year
	if p.century != 0 && p.haveYear && p.yearDigits <= 2 {
		year = (p.century-1)*100 + year%100
		if year%100 == 0 {
			year += 100
		}
	} else if p.century != 0 && !p.haveYear {
		year = (p.century-1)*100 + 1
		p.haveYear = true
	}
	switch {
	case p.bc && year > 0:
		year = 1 - year
	case year < 0:
		year++
	case !p.haveYear:
		year = 0
	}
	if p.haveYear && c.Year == 0 && p.century == 0 {
		year = 0
	}
	month, day := max(c.Month, 1), max(c.Day, 1)
	var days int64
	switch {
	case p.haveJulian:
		days = p.julian - 2451545
	case p.isoWeekN > 0 || p.isoYear != 0:
		y := p.isoYear
		jan4 := types.DaysFromCivil(y, 1, 4)
		monday := jan4 - int64(isoDow(jan4)) + 1
		days = monday + int64(max(p.isoWeekN, 1)-1)*7 + int64(max(p.isoDay, 1)-1)
	case p.doy > 0:
		days = types.DaysFromCivil(year, 1, 1) + int64(p.doy) - 1
	case p.week > 0:
		days = types.DaysFromCivil(year, 1, 1) + int64(p.week-1)*7
	case p.weekMonth > 0:
		days = types.DaysFromCivil(year, month, 1+(p.weekMonth-1)*7)
	default:
		if day > types.DaysInMonth(year, month) {
			return 0, errf(sqlstate.DatetimeFieldOverflow, "date/time field value out of range: \"%s\"", whole)
		}
		days = types.DaysFromCivil(year, month, day)
	}
	ts := days*types.MicrosPerDay + int64(c.Hour)*types.MicrosPerHour + int64(c.Minute)*types.MicrosPerMinute +
		int64(c.Second)*types.MicrosPerSecond + p.us
	return ts, types.CheckTimestamp(ts)
}
