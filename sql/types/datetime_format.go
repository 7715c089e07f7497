package types

import (
	"strconv"
	"time"
)

var (
	monthAbbrevs = [...]string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}
	dayAbbrevs   = [...]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}
)

// appendYear appends at least four digits of the year, which counts from 1 BC as 0.
func appendYear(dst []byte, year int) []byte {
	if year <= 0 {
		year = 1 - year
	}
	if year < 10000 {
		return append2(append2(dst, year/100), year%100)
	}
	return strconv.AppendInt(dst, int64(year), 10)
}

func appendEra(dst []byte, year int) []byte {
	if year <= 0 {
		return append(dst, " BC"...)
	}
	return dst
}

func appendDate(dst []byte, days int64, s *Settings) []byte {
	switch days {
	case DateInfinity:
		return append(dst, "infinity"...)
	case DateNegInfinity:
		return append(dst, "-infinity"...)
	}
	y, m, d := CivilFromDays(days)
	return appendEra(appendDay(dst, y, m, d, s), y)
}

// appendDay appends the date without its era.
func appendDay(dst []byte, y, m, d int, s *Settings) []byte {
	two := func(a int, sep byte, b int, sep2 byte) []byte {
		dst = append(append2(dst, a), sep)
		dst = append(append2(dst, b), sep2)
		return appendYear(dst, y)
	}
	dmy := s.DateOrder == DateOrderDMY
	switch s.DateStyle {
	case DateStyleGerman:
		return two(d, '.', m, '.')
	case DateStyleSQL:
		if dmy {
			return two(d, '/', m, '/')
		}
		return two(m, '/', d, '/')
	case DateStylePostgres:
		if dmy {
			return two(d, '-', m, '-')
		}
		return two(m, '-', d, '-')
	}
	dst = append(appendYear(dst, y), '-')
	dst = append(append2(dst, m), '-')
	return append2(dst, d)
}

// appendClock appends hh:mm:ss[.ffffff] without trailing zeros.
func appendClock(dst []byte, us int64) []byte {
	dst = append2(dst, int(us/MicrosPerHour))
	dst = append(dst, ':')
	dst = append2(dst, int(us/MicrosPerMinute%60))
	dst = append(dst, ':')
	dst = append2(dst, int(us/MicrosPerSecond%60))
	return appendFraction(dst, us%MicrosPerSecond)
}

func appendFraction(dst []byte, us int64) []byte {
	if us == 0 {
		return dst
	}
	dst = append(dst, '.')
	for unit := int64(100000); us > 0; unit /= 10 {
		dst = append(dst, byte('0'+us/unit))
		us %= unit
	}
	return dst
}

func appendTimeTZ(dst []byte, t TimeTZ) []byte {
	return appendOffset(appendClock(dst, t.Micros), int(-t.Zone))
}

// appendTimestamp appends a timestamp; loc nil means without time zone.
func appendTimestamp(dst []byte, ts int64, loc *time.Location, s *Settings) []byte {
	switch ts {
	case TimestampInfinity:
		return append(dst, "infinity"...)
	case TimestampNegInfinity:
		return append(dst, "-infinity"...)
	}
	off, abbrev := 0, ""
	local := ts
	if loc != nil {
		off, abbrev = ZoneOffset(ts, loc)
		local += int64(off) * MicrosPerSecond
	}
	days, us := SplitTimestamp(local)
	y, m, d := CivilFromDays(days)
	zone := func() {
		if loc == nil {
			return
		}
		if s.DateStyle == DateStyleISO || !isZoneWord(abbrev) {
			if s.DateStyle != DateStyleISO && s.DateStyle != DateStyleSQL && s.DateStyle != DateStyleGerman {
				dst = append(dst, ' ')
			}
			dst = appendOffset(dst, off)
			return
		}
		dst = append(append(dst, ' '), abbrev...)
	}
	if s.DateStyle == DateStylePostgres {
		dst = append(append(dst, dayAbbrevs[Weekday(days)]...), ' ')
		if s.DateOrder == DateOrderDMY {
			dst = append(append2(dst, d), ' ')
			dst = append(append(dst, monthAbbrevs[m-1]...), ' ')
		} else {
			dst = append(append(dst, monthAbbrevs[m-1]...), ' ')
			dst = append(append2(dst, d), ' ')
		}
		dst = append(appendClock(dst, us), ' ')
		dst = appendYear(dst, y)
		zone()
		return appendEra(dst, y)
	}
	dst = append(appendDay(dst, y, m, d, s), ' ')
	dst = appendClock(dst, us)
	zone()
	return appendEra(dst, y)
}

func isZoneWord(s string) bool { return s != "" && isAlpha(s[0]) }
