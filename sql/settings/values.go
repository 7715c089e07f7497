package settings

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// This file reads the variables whose values have a syntax of their own.

// valueError says that a value is not one of its variable's; canonical adds the
// variable's name.
type valueError struct{ value, detail, hint string }

func (e *valueError) Error() string { return "invalid value " + e.value }

// parseASCII replaces what is not printable ASCII, as PostgreSQL does with
// application names.
func parseASCII(s string) (string, error) {
	b := []byte(s)
	if len(b) > 63 {
		b = b[:63]
	}
	for i, c := range b {
		if c < 32 || c > 126 {
			b[i] = '?'
		}
	}
	return string(b), nil
}

// parseEncoding accepts UTF-8 under its many names; the wire speaks nothing
// else.
func parseEncoding(s string) (string, error) {
	name := strings.ToLower(strings.Trim(strings.TrimSpace(s), `'"`))
	name = strings.NewReplacer("-", "", "_", "", " ", "").Replace(name)
	switch name {
	case "utf8", "unicode", "sqlascii":
		return "UTF8", nil
	}
	return "", sqlstate.New(sqlstate.FeatureNotSupported, "conversion between %s and UTF8 is not supported", strings.ToUpper(s))
}

// parseOnlyOn refuses to turn standard_conforming_strings off: the scanner
// always works in that mode, and accepting the setting would silently change
// what literals mean.
func parseOnlyOn(s string) (string, error) {
	if s != "on" {
		return "", sqlstate.Unsupported("standard_conforming_strings = off")
	}
	return s, nil
}

// parseSynchronousCommit: an acknowledged commit is always durable on a quorum.
func parseSynchronousCommit(s string) (string, error) {
	if s == "off" || s == "local" || s == "remote_write" {
		return "on", nil
	}
	return s, nil
}

// splitNames splits a list of possibly quoted identifiers.
func splitNames(s string) ([]string, bool) {
	var names []string
	s = strings.TrimSpace(s)
	if s == "" {
		return nil, true
	}
	for {
		s = strings.TrimLeft(s, " \t\n\r")
		var name string
		if strings.HasPrefix(s, `"`) {
			var b strings.Builder
			i := 1
			for {
				j := strings.IndexByte(s[i:], '"')
				if j < 0 {
					return nil, false
				}
				b.WriteString(s[i : i+j])
				i += j + 1
				if i < len(s) && s[i] == '"' {
					b.WriteByte('"')
					i++
					continue
				}
				break
			}
			name, s = b.String(), s[i:]
		} else {
			i := strings.IndexAny(s, ", \t\n\r")
			if i < 0 {
				i = len(s)
			}
			if i == 0 {
				return nil, false
			}
			name, s = strings.ToLower(s[:i]), s[i:]
		}
		names = append(names, name)
		s = strings.TrimLeft(s, " \t\n\r")
		if s == "" {
			return names, true
		}
		if s[0] != ',' {
			return nil, false
		}
		s = s[1:]
	}
}

func parseNameList(s string) (string, error) {
	if _, ok := splitNames(s); !ok {
		return "", &valueError{value: s, detail: "List syntax is invalid."}
	}
	return s, nil
}

func applySearchPath(v *Values, s string) { v.SearchPath, _ = splitNames(s) }

func parseDateStyle(s string) (string, error) {
	style, order := "", ""
	for word := range strings.SplitSeq(s, ",") {
		switch w := strings.ToLower(strings.TrimSpace(word)); {
		case w == "iso":
			style = "ISO"
		case w == "sql":
			style = "SQL"
		case strings.HasPrefix(w, "postgres"):
			style = "Postgres"
		case w == "german":
			style = "German"
			if order == "" {
				order = "DMY"
			}
		case w == "ymd":
			order = "YMD"
		case w == "dmy" || strings.HasPrefix(w, "euro"):
			order = "DMY"
		case w == "mdy" || w == "us" || strings.HasPrefix(w, "noneuro"):
			order = "MDY"
		case w == "default":
			style, order = "ISO", "MDY"
		default:
			return "", &valueError{value: s, detail: `Unrecognized key word: "` + w + `".`}
		}
	}
	if style == "" {
		style = "ISO"
	}
	if order == "" {
		order = "MDY"
	}
	return style + ", " + order, nil
}

func applyDateStyle(v *Values, s string) {
	style, order, _ := strings.Cut(s, ", ")
	v.Conversion.DateStyle = map[string]types.DateStyle{
		"ISO": types.DateStyleISO, "Postgres": types.DateStylePostgres, "SQL": types.DateStyleSQL, "German": types.DateStyleGerman,
	}[style]
	v.Conversion.DateOrder = map[string]types.DateOrder{
		"MDY": types.DateOrderMDY, "DMY": types.DateOrderDMY, "YMD": types.DateOrderYMD,
	}[order]
}

func applyIntervalStyle(v *Values, s string) {
	v.Conversion.IntervalStyle = map[string]types.IntervalStyle{
		"postgres": types.IntervalStylePostgres, "postgres_verbose": types.IntervalStylePostgresVerbose,
		"sql_standard": types.IntervalStyleSQLStandard, "iso_8601": types.IntervalStyleISO8601,
	}[s]
}

func parseTimeZone(s string) (string, error) {
	if _, err := LoadLocation(s); err != nil {
		return "", &valueError{value: s}
	}
	if strings.EqualFold(s, "utc") {
		return "UTC", nil
	}
	return s, nil
}

func applyTimeZone(v *Values, s string) {
	if l, err := LoadLocation(s); err == nil {
		v.Conversion.Location = l
	}
}

// LoadLocation returns the time zone of a name, an offset in hours east of
// Greenwich ("-7", "5.5"), or a POSIX-style "<+02>-02" / "UTC+2" offset, which
// counts west of Greenwich.
func LoadLocation(s string) (*time.Location, error) {
	s = strings.TrimSpace(s)
	if hours, err := strconv.ParseFloat(s, 64); err == nil {
		return time.FixedZone(s, int(hours*3600)), nil
	}
	name, offset := s, ""
	if strings.HasPrefix(s, "<") {
		if i := strings.IndexByte(s, '>'); i > 0 {
			name, offset = s[1:i], s[i+1:]
		}
	} else if i := strings.IndexAny(s, "+-"); i > 0 && !strings.Contains(s, "/") {
		name, offset = s[:i], s[i:]
	}
	if offset != "" {
		if seconds, ok := parseOffset(offset); ok {
			return time.FixedZone(name, -seconds), nil
		}
	}
	if strings.EqualFold(s, "utc") || strings.EqualFold(s, "zulu") || strings.EqualFold(s, "gmt") {
		return time.UTC, nil
	}
	if s == "" || strings.EqualFold(s, "local") {
		return nil, &valueError{value: s}
	}
	if l, err := time.LoadLocation(s); err == nil {
		return l, nil
	}
	return time.LoadLocation(titleZone(s))
}

// titleZone turns "europe/berlin" into "Europe/Berlin".
func titleZone(s string) string {
	b := []byte(strings.ToLower(s))
	up := true
	for i, c := range b {
		if up && c >= 'a' && c <= 'z' {
			b[i] = c - 32
		}
		up = c == '/' || c == '_' || c == '-'
	}
	return string(b)
}

// parseOffset reads [+-]hh[:mm[:ss]] as seconds.
func parseOffset(s string) (int, bool) {
	sign := 1
	switch {
	case strings.HasPrefix(s, "-"):
		sign, s = -1, s[1:]
	case strings.HasPrefix(s, "+"):
		s = s[1:]
	}
	total, unit := 0, 3600
	for part := range strings.SplitSeq(s, ":") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 || unit == 0 || n > 167 {
			return 0, false
		}
		total += n * unit
		unit /= 60
	}
	return sign * total, true
}

// ZoneOfSeconds returns the setting for a zone that is so many seconds east of
// Greenwich, as SET TIME ZONE INTERVAL makes it: <+02>-02.
func ZoneOfSeconds(east int) string {
	form := func(seconds int) string {
		sign := '+'
		if seconds < 0 {
			sign, seconds = '-', -seconds
		}
		text := fmt.Sprintf("%c%02d", sign, seconds/3600)
		if seconds%3600 != 0 {
			text += fmt.Sprintf(":%02d", seconds/60%60)
		}
		if seconds%60 != 0 {
			text += fmt.Sprintf(":%02d", seconds%60)
		}
		return text
	}
	return "<" + form(east) + ">" + form(-east)
}
