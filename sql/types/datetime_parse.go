package types

import (
	"strconv"
	"strings"
	"time"

	"github.com/spanlite/spanlite/sql/sqlstate"
)

// dtSpecial is a date/time input that is a word of its own.
type dtSpecial uint8

const (
	dtNone dtSpecial = iota
	dtEpoch
	dtInfinity
	dtNegInfinity
	dtNow
	dtToday
	dtTomorrow
	dtYesterday
)

// dtFields is what has been read of a date/time text.
type dtFields struct {
	clock            Clock
	hasDate, hasTime bool
	special          dtSpecial
	hasZone          bool
	zoneSecs         int            // east, if zone is nil
	zone             *time.Location // a named zone
	bc               bool
	yearTwoDigits    bool
}

var (
	monthNames = map[string]int{"jan": 1, "january": 1, "feb": 2, "february": 2, "mar": 3, "march": 3, "apr": 4, "april": 4, "may": 5,
		"jun": 6, "june": 6, "jul": 7, "july": 7, "aug": 8, "august": 8, "sep": 9, "sept": 9, "september": 9, "oct": 10, "october": 10,
		"nov": 11, "november": 11, "dec": 12, "december": 12}
	dayNames = wordSet(`sun sunday mon monday tue tues tuesday wed weds wednesday thu thur thurs thursday fri friday sat saturday`)
)

// dtError says which of the messages a failed parse gets.
type dtError uint8

const (
	dtOK dtError = iota
	dtBad
	dtRange
	dtZoneRange
	dtZoneUnknown
)

func (e dtError) err(typeName, text, zone string) error {
	switch e {
	case dtRange:
		return sqlstate.New(sqlstate.DatetimeFieldOverflow, "date/time field value out of range: \"%s\"", text)
	case dtZoneRange:
		return sqlstate.New(sqlstate.InvalidTimeZone, "time zone displacement out of range: \"%s\"", text)
	case dtZoneUnknown:
		return sqlstate.New(sqlstate.InvalidParameterValue, "time zone \"%s\" not recognized", zone)
	}
	return sqlstate.New(sqlstate.InvalidDatetimeFormat, "invalid input syntax for type %s: \"%s\"", typeName, text)
}

// dtParser reads PostgreSQL's date/time input: ISO 8601 and the many traditional
// forms. It makes one pass over the text, token by token.
type dtParser struct {
	s     string
	i     int
	order DateOrder
	f     dtFields

	nums    [3]int // date fields whose meaning is not known yet
	digits  [3]int
	numN    int
	month   int // from a month's name
	pm, am  bool
	zoneTxt string
	tSep    bool
	julian  bool
}

func parseDateTime(text string, s *Settings) (dtFields, dtError, string) {
	p := dtParser{s: text, order: s.DateOrder}
	if e := p.run(); e != dtOK {
		return p.f, e, p.zoneTxt
	}
	if e := p.finish(); e != dtOK {
		return p.f, e, p.zoneTxt
	}
	return p.f, dtOK, ""
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func (p *dtParser) run() dtError {
	tokens := 0
	for {
		for p.i < len(p.s) && (isSpace(p.s[p.i]) || p.s[p.i] == ',') {
			p.i++
		}
		if p.i >= len(p.s) {
			break
		}
		tokens++
		c := p.s[p.i]
		var e dtError
		switch {
		case isDigit(c):
			e = p.number()
		case isAlpha(c):
			e = p.word()
		case c == '+' || c == '-':
			if p.f.hasTime && !p.f.hasZone {
				e = p.offset()
			} else if rest := p.s[p.i+1:]; len(rest) >= 8 && equalFold(trimSpace(rest), "infinity") {
				p.f.special = dtInfinity
				if c == '-' {
					p.f.special = dtNegInfinity
				}
				p.i = len(p.s)
			} else {
				e = dtBad
			}
		default:
			e = dtBad
		}
		if e != dtOK {
			return e
		}
	}
	if tokens == 0 {
		return dtBad
	}
	return dtOK
}

// number reads a token that begins with a digit: a date, a time, or a part of a date.
func (p *dtParser) number() dtError {
	start := p.i
	n, ok := p.int()
	if !ok {
		return dtRange
	}
	digits := p.i - start
	next := byte(0)
	if p.i < len(p.s) {
		next = p.s[p.i]
	}
	switch {
	case next == ':':
		return p.time(n)
	case p.tSep && !p.f.hasTime:
		p.i = start
		return p.compactTime()
	case (next == '-' || next == '/' || next == '.') && !p.dateComplete() && p.i+1 < len(p.s) && (isDigit(p.s[p.i+1]) || isAlpha(p.s[p.i+1])):
		// A delimited date, unless this is a fraction after a complete date.
		return p.delimitedDate(n, digits, next)
	case p.dateComplete() && !p.f.hasTime && (digits == 4 || digits == 6) && next != '-':
		p.i = start
		return p.compactTime()
	case p.dateComplete():
		// hh AM
		j := p.i
		for j < len(p.s) && isSpace(p.s[j]) {
			j++
		}
		if digits <= 2 && !p.f.hasTime && j+2 <= len(p.s) && (equalFold(p.s[j:j+2], "am") || equalFold(p.s[j:j+2], "pm")) {
			p.f.clock.Hour, p.f.hasTime = n, true
			return dtOK
		}
		return dtBad
	case digits == 8 && p.numN == 0 && p.month == 0:
		p.nums, p.digits, p.numN = [3]int{n / 10000, n / 100 % 100, n % 100}, [3]int{4, 2, 2}, 3
		return dtOK
	case digits == 6 && p.numN == 0 && p.month == 0:
		p.nums, p.digits, p.numN = [3]int{n / 10000, n / 100 % 100, n % 100}, [3]int{2, 2, 2}, 3
		p.order = DateOrderYMD
		return dtOK
	case digits == 7 && p.numN == 0 && p.month == 0:
		return p.ordinalDate(n/1000, n%1000)
	}
	return p.addNum(n, digits)
}

func (p *dtParser) ordinalDate(year, yday int) dtError {
	if yday < 1 || yday > 366 {
		return dtRange
	}
	days := DaysFromCivil(year, 1, 1) + int64(yday) - 1
	p.f.clock.Year, p.f.clock.Month, p.f.clock.Day = CivilFromDays(days)
	p.f.hasDate, p.julian = true, true
	return dtOK
}

func (p *dtParser) addNum(n, digits int) dtError {
	if p.numN >= 3 || p.month != 0 && p.numN >= 2 {
		return dtBad
	}
	p.nums[p.numN], p.digits[p.numN] = n, digits
	p.numN++
	return dtOK
}

func (p *dtParser) dateComplete() bool {
	n := p.numN
	if p.month != 0 {
		n++
	}
	return n >= 3 || p.julian
}

func (p *dtParser) int() (int, bool) {
	n := 0
	for p.i < len(p.s) && isDigit(p.s[p.i]) {
		if n > 1<<40 {
			return 0, false
		}
		n = n*10 + int(p.s[p.i]-'0')
		p.i++
	}
	return n, true
}

func (p *dtParser) delimitedDate(n, digits int, delim byte) dtError {
	if e := p.addNum(n, digits); e != dtOK {
		return e
	}
	for p.i < len(p.s) && p.s[p.i] == delim && p.i+1 < len(p.s) {
		c := p.s[p.i+1]
		switch {
		case isDigit(c):
			p.i++
			start := p.i
			m, ok := p.int()
			if !ok {
				return dtRange
			}
			if p.dateComplete() {
				return dtBad
			}
			if e := p.addNum(m, p.i-start); e != dtOK {
				return e
			}
			if p.numN == 2 && p.month == 0 && p.digits[1] == 3 && p.digits[0] >= 4 && (p.i >= len(p.s) || p.s[p.i] != delim) {
				y, d := p.nums[0], p.nums[1]
				p.numN = 0
				return p.ordinalDate(y, d)
			}
		case isAlpha(c):
			p.i++
			m := monthNames[strings.ToLower(p.letters())]
			if m == 0 || p.month != 0 {
				return dtBad
			}
			p.month = m
		default:
			return dtOK
		}
		if p.dateComplete() {
			break
		}
	}
	if p.dateComplete() && p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case (c == 'T' || c == 't') && p.i+1 < len(p.s) && isDigit(p.s[p.i+1]):
			p.i++
			p.tSep = true
		case c == delim && c != '-', c == '.':
			return dtBad
		case (c == '+' || c == '-') && !p.f.hasTime && p.i+1 < len(p.s) && isDigit(p.s[p.i+1]):
			return p.offset() // a date with a zone
		}
	}
	return dtOK
}

func (p *dtParser) letters() string {
	start := p.i
	for p.i < len(p.s) && isAlpha(p.s[p.i]) {
		p.i++
	}
	return p.s[start:p.i]
}

// time reads the rest of hh:mm[:ss[.ffffff]].
func (p *dtParser) time(hour int) dtError {
	if p.f.hasTime {
		return dtBad
	}
	p.i++
	start := p.i
	c := &p.f.clock
	c.Hour = hour
	n, ok := p.int()
	if !ok || p.i == start {
		return dtBad
	}
	c.Minute = n
	p.f.hasTime = true
	if p.i < len(p.s) && p.s[p.i] == ':' {
		p.i++
		start = p.i
		if n, ok = p.int(); !ok || p.i == start {
			return dtBad
		}
		c.Second = n
		return p.fraction()
	}
	if p.i < len(p.s) && p.s[p.i] == '.' {
		// mm:ss.fff
		c.Hour, c.Minute, c.Second = 0, hour, n
		return p.fraction()
	}
	return dtOK
}

// compactTime reads hhmmss[.ffffff] or hhmm.
func (p *dtParser) compactTime() dtError {
	start := p.i
	n, ok := p.int()
	if !ok {
		return dtBad
	}
	if p.i < len(p.s) && p.s[p.i] == ':' {
		return p.time(n)
	}
	c := &p.f.clock
	switch p.i - start {
	case 6:
		c.Hour, c.Minute, c.Second = n/10000, n/100%100, n%100
	case 4:
		c.Hour, c.Minute = n/100, n%100
	default:
		return dtBad
	}
	p.f.hasTime = true
	return p.fraction()
}

// fraction reads [.ffffff], rounded to microseconds.
func (p *dtParser) fraction() dtError {
	if p.i >= len(p.s) || p.s[p.i] != '.' && p.s[p.i] != ',' {
		return dtOK
	}
	if p.s[p.i] == ',' && (p.i+1 >= len(p.s) || !isDigit(p.s[p.i+1])) {
		return dtOK
	}
	p.i++
	us, k := 0, 0
	for p.i < len(p.s) && isDigit(p.s[p.i]) {
		d := int(p.s[p.i] - '0')
		switch {
		case k < 6:
			us = us*10 + d
		case k == 6 && d >= 5:
			us++
		}
		k++
		p.i++
	}
	for ; k < 6; k++ {
		us *= 10
	}
	p.f.clock.Micros = us
	return dtOK
}

func (p *dtParser) offset() dtError {
	secs, rest, ok := parseOffset(p.s[p.i:])
	if !ok {
		return dtZoneRange
	}
	p.i = len(p.s) - len(rest)
	p.f.hasZone, p.f.zoneSecs = true, secs
	return dtOK
}

func (p *dtParser) word() dtError {
	start := p.i
	for p.i < len(p.s) && (isAlpha(p.s[p.i]) || p.s[p.i] == '_' || p.s[p.i] == '/') {
		p.i++
	}
	w := strings.ToLower(p.s[start:p.i])
	switch w {
	case "epoch":
		p.f.special = dtEpoch
	case "infinity", "inf":
		p.f.special = dtInfinity
	case "now":
		p.f.special = dtNow
	case "today":
		p.f.special = dtToday
	case "tomorrow":
		p.f.special = dtTomorrow
	case "yesterday":
		p.f.special = dtYesterday
	case "allballs":
		p.f.hasTime = true
	case "am", "a.m.":
		p.am = true
	case "pm", "p.m.":
		p.pm = true
	case "ad":
	case "bc":
		p.f.bc = true
	case "at", "on", "dst":
	case "t":
		p.tSep = true
	case "j", "julian", "jd":
		n, ok := p.int()
		if !ok || n == 0 {
			return dtBad
		}
		p.f.clock.Year, p.f.clock.Month, p.f.clock.Day = CivilFromDays(int64(n) - julianOf2000)
		p.f.hasDate, p.julian = true, true
	default:
		if m := monthNames[w]; m != 0 {
			if p.month != 0 {
				return dtBad
			}
			p.month = m
			// Jan-08-1999 goes on as a delimited date.
			if p.i+1 < len(p.s) && (p.s[p.i] == '-' || p.s[p.i] == '/' || p.s[p.i] == '.') && isDigit(p.s[p.i+1]) {
				p.i++
			}
			return dtOK
		}
		if dayNames[w] {
			return dtOK
		}
		return p.zoneName(start)
	}
	return dtOK
}

func (p *dtParser) zoneName(start int) dtError {
	for p.i < len(p.s) && !isSpace(p.s[p.i]) {
		p.i++
	}
	name := p.s[start:p.i]
	if strings.EqualFold(name, "z") {
		p.f.hasZone = true
		return dtOK
	}
	loc, ok := LoadZone(name)
	if !ok || p.f.hasZone {
		if strings.ContainsAny(name, "/_") || len(name) > 10 {
			p.zoneTxt = strings.ToLower(name)
			return dtZoneUnknown
		}
		return dtBad
	}
	p.f.hasZone, p.f.zone = true, loc
	return dtOK
}

// finish decides what the numbers of the date mean and checks the fields.
func (p *dtParser) finish() dtError {
	f := &p.f
	c := &f.clock
	if f.special != dtNone {
		if p.numN > 0 || p.month != 0 {
			return dtBad
		}
		return p.checkTime()
	}
	if !p.julian && (p.numN > 0 || p.month != 0) {
		if e := p.assignDate(); e != dtOK {
			return e
		}
	}
	if f.hasDate {
		if f.yearTwoDigits && !f.bc {
			if c.Year < 70 {
				c.Year += 2000
			} else {
				c.Year += 1900
			}
		}
		if f.bc {
			if c.Year <= 0 {
				return dtRange
			}
			c.Year = 1 - c.Year
		} else if c.Year == 0 && !p.julian {
			return dtRange
		}
		if c.Month < 1 || c.Month > 12 || c.Day < 1 || c.Day > 31 || c.Year > 5874898 {
			return dtRange
		}
		if c.Day > DaysInMonth(c.Year, c.Month) {
			return dtRange
		}
	} else if !f.hasTime {
		return dtBad
	}
	return p.checkTime()
}

func (p *dtParser) checkTime() dtError {
	c := &p.f.clock
	if p.am || p.pm {
		if !p.f.hasTime {
			return dtBad
		}
		if c.Hour > 12 {
			return dtRange
		}
		if p.pm && c.Hour != 12 {
			c.Hour += 12
		}
		if p.am && c.Hour == 12 {
			c.Hour = 0
		}
	}
	if c.Hour > 24 || c.Minute > 59 || c.Second > 60 || c.Hour == 24 && (c.Minute != 0 || c.Second != 0 || c.Micros != 0) {
		return dtRange
	}
	return dtOK
}

func (p *dtParser) assignDate() dtError {
	f, c := &p.f, &p.f.clock
	f.hasDate = true
	y, yDigits := 0, 0
	if p.month != 0 {
		c.Month = p.month
		switch p.numN {
		case 2:
			a, b := 0, 1 // day, year
			if p.digits[0] >= 3 || p.nums[0] > 31 || p.order == DateOrderYMD && p.digits[1] < 3 {
				a, b = 1, 0
			}
			c.Day = p.nums[a]
			y, yDigits = p.nums[b], p.digits[b]
		default:
			return dtBad
		}
	} else {
		if p.numN != 3 {
			return dtBad
		}
		var m, d, yi int
		switch {
		case p.digits[0] >= 3 || p.order == DateOrderYMD:
			yi, m, d = 0, 1, 2
		case p.order == DateOrderDMY:
			d, m, yi = 0, 1, 2
		default:
			m, d, yi = 0, 1, 2
		}
		c.Month, c.Day = p.nums[m], p.nums[d]
		y, yDigits = p.nums[yi], p.digits[yi]
	}
	c.Year = y
	f.yearTwoDigits = yDigits <= 2
	return dtOK
}

// absolute returns the timestamp with time zone that the fields mean.
func (f *dtFields) absolute(local int64, s *Settings) int64 {
	switch {
	case f.hasZone && f.zone != nil:
		return FromLocal(local, f.zone)
	case f.hasZone:
		return local - int64(f.zoneSecs)*MicrosPerSecond
	}
	return FromLocal(local, s.Location)
}

// timestamp resolves the fields to a local timestamp (tz false) or an absolute one.
func (f *dtFields) timestamp(s *Settings, tz bool) (int64, dtError) {
	nowLocal := func() int64 { return ToLocal(s.Now, s.Location) }
	midnight := func(shift int64) int64 {
		d, _ := SplitTimestamp(nowLocal())
		return (d+shift)*MicrosPerDay + f.clock.timeMicros()
	}
	var local int64
	switch f.special {
	case dtEpoch:
		return UnixEpochMicros, dtOK
	case dtInfinity:
		return TimestampInfinity, dtOK
	case dtNegInfinity:
		return TimestampNegInfinity, dtOK
	case dtNow:
		if tz {
			return s.Now, dtOK
		}
		return nowLocal(), dtOK
	case dtToday:
		local = midnight(0)
	case dtTomorrow:
		local = midnight(1)
	case dtYesterday:
		local = midnight(-1)
	default:
		if !f.hasDate {
			return 0, dtBad
		}
		if f.clock.Year > 294277 || f.clock.Year < -4714 {
			return 0, dtRange
		}
		local = f.clock.Timestamp()
	}
	if tz {
		local = f.absolute(local, s)
	}
	return local, dtOK
}

func parseTimestamp(text string, s *Settings, tz bool) (int64, error) {
	name := "timestamp"
	if tz {
		name = "timestamp with time zone"
	}
	if ts, ok := parseISOTimestamp(text); ok && !tz {
		return ts, nil
	}
	f, e, zone := parseDateTime(text, s)
	if e == dtOK {
		var ts int64
		if ts, e = f.timestamp(s, tz); e == dtOK {
			if !IsInfinite(ts) && (ts < minTimestamp || ts >= endTimestamp) {
				return 0, sqlstate.New(sqlstate.DatetimeFieldOverflow, "timestamp out of range: \"%s\"", text)
			}
			return ts, nil
		}
	}
	return 0, dtHint(e.err(name, text, zone), e, text)
}

// dtHint adds PostgreSQL's hint where another field order would have made sense.
func dtHint(err error, e dtError, text string) error {
	se := err.(*sqlstate.Error)
	if e == dtRange && looksLikeDate(text) {
		return se.WithHint("Perhaps you need a different \"datestyle\" setting.")
	}
	return se
}

// looksLikeDate reports whether month or day were out of bounds, the case for the hint.
func looksLikeDate(text string) bool {
	var m, d int
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == '-' || r == '/' || r == '.' || r == ' ' })
	if len(parts) < 3 {
		return false
	}
	first, second, third := atoi(parts[0]), atoi(parts[1]), atoi(parts[2])
	if len(parts[0]) >= 3 {
		m, d = second, third
	} else {
		m, d = first, second
	}
	return m > 12 || m == 0 || d > 31 || d == 0
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// parseISOTimestamp is the short path for "YYYY-MM-DD HH:MM:SS[.ffffff]".
func parseISOTimestamp(s string) (int64, bool) {
	if len(s) < 19 || len(s) > 26 || s[4] != '-' || s[7] != '-' || s[10] != ' ' && s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return 0, false
	}
	ok := true
	num := func(from, to int) int {
		n := 0
		for _, c := range []byte(s[from:to]) {
			if !isDigit(c) {
				ok = false
			}
			n = n*10 + int(c-'0')
		}
		return n
	}
	c := Clock{Year: num(0, 4), Month: num(5, 7), Day: num(8, 10), Hour: num(11, 13), Minute: num(14, 16), Second: num(17, 19)}
	if len(s) > 19 {
		if s[19] != '.' || len(s) == 20 {
			return 0, false
		}
		c.Micros = num(20, len(s))
		for range 26 - len(s) {
			c.Micros *= 10
		}
	}
	if !ok || c.Year == 0 || c.Month < 1 || c.Month > 12 || c.Day < 1 || c.Day > DaysInMonth(c.Year, c.Month) || c.Hour > 23 || c.Minute > 59 || c.Second > 59 {
		return 0, false
	}
	return c.Timestamp(), true
}

func parseDate(text string, s *Settings) (int64, error) {
	f, e, zone := parseDateTime(text, s)
	if e == dtOK {
		switch f.special {
		case dtNone:
			if !f.hasDate {
				e = dtBad
				break
			}
			d := DaysFromCivil(f.clock.Year, f.clock.Month, f.clock.Day)
			if d < minDate || d >= endDate {
				return 0, sqlstate.New(sqlstate.DatetimeFieldOverflow, "date out of range: \"%s\"", text)
			}
			return d, nil
		case dtInfinity:
			return DateInfinity, nil
		case dtNegInfinity:
			return DateNegInfinity, nil
		default:
			var ts int64
			if ts, e = f.timestamp(s, false); e == dtOK {
				d, _ := SplitTimestamp(ts)
				return d, nil
			}
		}
	}
	return 0, dtHint(e.err("date", text, zone), e, text)
}

func parseTime(text string, s *Settings) (int64, error) {
	f, e, zone := parseTimeFields(text, s)
	if e != dtOK {
		return 0, e.err("time", text, zone)
	}
	if f.special == dtNow {
		_, us := SplitTimestamp(ToLocal(s.Now, s.Location))
		return us, nil
	}
	return f.clock.timeMicros(), nil
}

func parseTimeFields(text string, s *Settings) (dtFields, dtError, string) {
	f, e, zone := parseDateTime(text, s)
	if e == dtBad && len(trimSpace(text)) > 0 {
		// 'hhmmss' and 'hh' alone are times here.
		p := dtParser{s: trimSpace(text), tSep: true}
		if p.s[0] == 'T' || p.s[0] == 't' {
			p.s = p.s[1:]
		}
		if e2 := p.run(); e2 == dtOK {
			if e2 = p.finish(); e2 == dtOK {
				f, e = p.f, dtOK
			}
		}
	} else if e == dtOK && f.hasDate && !f.hasTime {
		p := dtParser{s: trimSpace(text), tSep: true}
		if e2 := p.run(); e2 == dtOK && p.finish() == dtOK && p.f.hasTime {
			return p.f, dtOK, ""
		}
	}
	if e == dtOK && !f.hasTime && f.special != dtNow {
		e = dtBad
	}
	return f, e, zone
}

func parseTimeTZ(text string, s *Settings) (TimeTZ, error) {
	f, e, zone := parseTimeFields(text, s)
	if e != dtOK {
		return TimeTZ{}, e.err("time with time zone", text, zone)
	}
	if f.special == dtNow {
		_, us := SplitTimestamp(ToLocal(s.Now, s.Location))
		off, _ := ZoneOffset(s.Now, s.Location)
		return TimeTZ{Micros: us, Zone: int32(-off)}, nil
	}
	secs := f.zoneSecs
	if f.zone != nil || !f.hasZone {
		loc := f.zone
		if loc == nil {
			loc = s.Location
		}
		at := s.Now
		if f.hasDate {
			at = FromLocal(f.clock.Timestamp(), loc)
		}
		secs, _ = ZoneOffset(at, loc)
	}
	return TimeTZ{Micros: f.clock.timeMicros(), Zone: int32(-secs)}, nil
}

func (t TimeTZ) cmp(u TimeTZ) int {
	a, b := t.Micros+int64(t.Zone)*MicrosPerSecond, u.Micros+int64(u.Zone)*MicrosPerSecond
	if a != b {
		return cmpInt(a, b)
	}
	return cmpInt(int64(t.Zone), int64(u.Zone))
}

// roundMicros rounds microseconds to a number of decimals, half away from zero.
func roundMicros(us int64, precision int32) int64 {
	if precision < 0 || precision >= 6 {
		return us
	}
	unit := pow10[6-precision]
	half := unit / 2
	if us < 0 {
		return -((-us + half) / unit * unit)
	}
	return (us + half) / unit * unit
}
