// Package settings holds a session's run-time parameters: PostgreSQL's table of
// variables (table.go), their values in one session, and what transactions do to
// them.
//
// A SET inside of a transaction is undone by its rollback (or by a rollback to
// an earlier savepoint); SET LOCAL is undone by its end in any case. Both keep
// an undo list, as PostgreSQL's guc.c does in spirit.
//
// A Set belongs to one session and one goroutine.
package settings

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// Set is the values of one session.
type Set struct {
	Values
	// byName holds what differs from the table's Boot value, by folded name.
	byName map[string]string
	// session holds the values of the start-up packet: what RESET goes back to.
	session map[string]string
	undo    []undoRecord
	// OnReport is told each change of a variable that the client watches.
	OnReport func(name, value string)
}

// undoRecord restores one variable.
type undoRecord struct {
	name  string
	value string
	set   bool // whether the variable had a value of its own
	local bool
}

// New returns a session's settings at their defaults.
func New() *Set {
	s := &Set{byName: map[string]string{}, session: map[string]string{}}
	s.Values.Conversion = *types.DefaultSettings()
	for i := range table {
		if v := &table[i]; v.apply != nil {
			v.apply(&s.Values, v.Boot)
		}
	}
	return s
}

// Lookup returns the variable of a name, in any case.
func Lookup(name string) (*Variable, bool) {
	name = canonicalName(name)
	i, ok := slices.BinarySearchFunc(table, name, func(v Variable, n string) int {
		return strings.Compare(strings.ToLower(v.Name), n)
	})
	if !ok {
		return nil, false
	}
	return &table[i], true
}

// All returns the table of variables.
func All() []Variable { return table }

func canonicalName(name string) string {
	name = strings.ToLower(name)
	if name == "time zone" {
		return "timezone"
	}
	return name
}

// isCustom reports whether a name with a prefix ("myapp.user") is a custom
// variable, which needs no declaration.
func isCustom(name string) bool {
	prefix, rest, ok := strings.Cut(name, ".")
	return ok && prefix != "" && rest != ""
}

func unknown(name string) *sqlstate.Error {
	return sqlstate.New(sqlstate.UndefinedObject, "unrecognized configuration parameter \"%s\"", name)
}

// Get returns a variable's value as SHOW prints it.
func (s *Set) Get(name string) (string, error) {
	key := canonicalName(name)
	v, ok := Lookup(key)
	if !ok {
		if value, ok := s.byName[key]; ok {
			return value, nil
		}
		return "", unknown(name)
	}
	return v.show(s.raw(key, v)), nil
}

// Raw returns a variable's value in its base unit, as pg_settings has it.
func (s *Set) Raw(v *Variable) string { return s.raw(strings.ToLower(v.Name), v) }

func (s *Set) raw(key string, v *Variable) string {
	if value, ok := s.byName[key]; ok {
		return value
	}
	return v.Boot
}

// Assign executes SET name = value. InTxn says whether an explicit transaction
// is open, so that the change may have to be undone; local is SET LOCAL.
func (s *Set) Assign(name, value string, local, inTxn bool) error {
	key := canonicalName(name)
	v, ok := Lookup(key)
	if !ok {
		if !isCustom(key) {
			return unknown(name)
		}
		s.store(key, nil, value, local, inTxn)
		return nil
	}
	if err := v.writable(); err != nil {
		return err
	}
	canonical, err := v.canonical(value)
	if err != nil {
		return err
	}
	s.store(key, v, canonical, local, inTxn)
	return nil
}

// AssignStartup sets a value of the start-up packet, which becomes what RESET
// returns to. Unknown names are an error, as in PostgreSQL.
func (s *Set) AssignStartup(name, value string) error {
	if err := s.Assign(name, value, false, false); err != nil {
		return err
	}
	key := canonicalName(name)
	s.session[key] = s.byName[key]
	return nil
}

// AssignInternal sets a variable that clients cannot set, such as
// is_superuser.
func (s *Set) AssignInternal(name, value string) {
	key := canonicalName(name)
	v, _ := Lookup(key)
	s.store(key, v, value, false, false)
}

// Reset executes RESET name, or SET name TO DEFAULT.
func (s *Set) Reset(name string, local, inTxn bool) error {
	key := canonicalName(name)
	v, ok := Lookup(key)
	if !ok {
		if !isCustom(key) {
			return unknown(name)
		}
		s.store(key, nil, "", local, inTxn)
		return nil
	}
	if err := v.writable(); err != nil {
		return err
	}
	value, ok := s.session[key]
	if !ok {
		value = v.Boot
	}
	s.store(key, v, value, local, inTxn)
	return nil
}

// ResetAll executes RESET ALL.
func (s *Set) ResetAll(inTxn bool) {
	for i := range table {
		if v := &table[i]; v.Context == User && !v.NoReset {
			_ = s.Reset(v.Name, false, inTxn)
		}
	}
	for key := range s.byName {
		if isCustom(key) {
			_ = s.Reset(key, false, inTxn)
		}
	}
}

func (s *Set) store(key string, v *Variable, value string, local, inTxn bool) {
	old, had := s.byName[key]
	if inTxn {
		s.undo = append(s.undo, undoRecord{name: key, value: old, set: had, local: local})
	}
	s.byName[key] = value
	if v == nil {
		return
	}
	if !had {
		old = v.Boot
	}
	s.changed(v, old, value)
}

func (s *Set) changed(v *Variable, old, value string) {
	if v.apply != nil {
		v.apply(&s.Values, value)
	}
	if v.Report && old != value && s.OnReport != nil {
		s.OnReport(v.Name, v.show(value))
	}
}

// Mark returns a position for RollbackTo: the start of a savepoint.
func (s *Set) Mark() int { return len(s.undo) }

// RollbackTo undoes the changes made since mark.
func (s *Set) RollbackTo(mark int) {
	for i := len(s.undo) - 1; i >= mark; i-- {
		s.restore(s.undo[i])
	}
	s.undo = s.undo[:mark]
}

// EndTxn ends a transaction: a rollback undoes all of its changes, a commit the
// local ones.
func (s *Set) EndTxn(committed bool) {
	if len(s.undo) == 0 {
		return
	}
	if !committed {
		s.RollbackTo(0)
		return
	}
	// A variable goes back to the last value that SET (not SET LOCAL) gave it,
	// or to the one it had before the transaction.
	last := map[string]undoRecord{}
	lastLocal := map[string]bool{}
	for i, u := range s.undo {
		if !u.local {
			lastLocal[u.name] = false
			continue
		}
		if !lastLocal[u.name] {
			last[u.name] = s.undo[i]
			lastLocal[u.name] = true
		}
	}
	for name, isLocal := range lastLocal {
		if isLocal {
			s.restore(last[name])
		}
	}
	s.undo = s.undo[:0]
}

func (s *Set) restore(u undoRecord) {
	now := s.byName[u.name]
	v, ok := Lookup(u.name)
	value := u.value
	if u.set {
		s.byName[u.name] = value
	} else {
		delete(s.byName, u.name)
		if ok {
			value = v.Boot
		}
	}
	if ok {
		s.changed(v, now, value)
	}
}

// Reported returns the variables of ParameterStatus with their values.
func (s *Set) Reported(f func(name, value string)) {
	for i := range table {
		if v := &table[i]; v.Report {
			f(v.Name, v.show(s.Raw(v)))
		}
	}
}

func (v *Variable) writable() error {
	switch v.Context {
	case Internal:
		return sqlstate.New(sqlstate.CantChangeRuntimeParam, "parameter \"%s\" cannot be changed", v.Name)
	case Backend:
		return sqlstate.New(sqlstate.CantChangeRuntimeParam, "parameter \"%s\" cannot be set after connection start", v.Name)
	}
	return nil
}

// canonical checks a value and brings it into the form in which it is kept.
func (v *Variable) canonical(value string) (string, error) {
	var err error
	switch v.Kind {
	case Bool:
		b, ok := ParseBool(value)
		if !ok {
			return "", sqlstate.New(sqlstate.InvalidParameterValue, "parameter \"%s\" requires a Boolean value", v.Name)
		}
		value = onOff(b)
	case Integer:
		n, err := v.parseInteger(value)
		if err != nil {
			return "", err
		}
		value = strconv.FormatInt(n, 10)
	case Real:
		if _, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err != nil {
			return "", v.invalid(value)
		}
	case Enum:
		i := slices.IndexFunc(v.Values, func(s string) bool { return strings.EqualFold(s, value) })
		if i < 0 {
			return "", v.invalid(value).WithHint("Available values: %s.", strings.Join(v.Values, ", "))
		}
		value = v.Values[i]
	}
	if v.parse != nil {
		if value, err = v.parse(value); err != nil {
			if e, ok := err.(*valueError); ok {
				bad := v.invalid(e.value)
				bad.Detail, bad.Hint = e.detail, e.hint
				return "", bad
			}
			return "", err
		}
	}
	return value, nil
}

func (v *Variable) invalid(value string) *sqlstate.Error {
	return sqlstate.New(sqlstate.InvalidParameterValue, "invalid value for parameter \"%s\": \"%s\"", v.Name, value)
}

// unit sizes, relative to the base units ms and kB.
var (
	timeUnits   = []unit{{"us", 0.001}, {"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000}}
	memoryUnits = []unit{{"B", 1.0 / 1024}, {"kB", 1}, {"MB", 1 << 10}, {"GB", 1 << 20}, {"TB", 1 << 30}}
)

type unit struct {
	name string
	size float64
}

func (v *Variable) units() []unit {
	switch v.Unit {
	case "ms":
		return timeUnits
	case "kB":
		return memoryUnits
	}
	return nil
}

func (v *Variable) parseInteger(value string) (int64, error) {
	text := strings.TrimSpace(value)
	end := len(text)
	for end > 0 && (text[end-1] >= 'a' && text[end-1] <= 'z' || text[end-1] >= 'A' && text[end-1] <= 'Z') {
		end--
	}
	number, suffix := strings.TrimSpace(text[:end]), text[end:]
	f, err := strconv.ParseFloat(number, 64)
	if err != nil {
		n, err := strconv.ParseInt(text, 0, 64)
		if err != nil {
			return 0, v.invalid(value)
		}
		f, suffix = float64(n), ""
	}
	if suffix != "" {
		i := slices.IndexFunc(v.units(), func(u unit) bool { return u.name == suffix })
		if i < 0 {
			e := v.invalid(value)
			switch v.Unit {
			case "ms":
				e.Hint = `Valid units for this parameter are "us", "ms", "s", "min", "h", and "d".`
			case "kB":
				e.Hint = `Valid units for this parameter are "B", "kB", "MB", "GB", and "TB".`
			}
			return 0, e
		}
		f *= v.units()[i].size
	}
	n := int64(f + 0.5)
	if f < 0 {
		n = int64(f - 0.5)
	}
	if n < v.Min || n > v.Max {
		u := ""
		if v.Unit != "" {
			u = " " + v.Unit
		}
		return 0, sqlstate.New(sqlstate.InvalidParameterValue, "%d%s is outside the valid range for parameter \"%s\" (%d .. %d)", n, u, v.Name, v.Min, v.Max)
	}
	return n, nil
}

// show turns a kept value into SHOW's form: integers with the largest unit that
// divides them.
func (v *Variable) show(value string) string {
	units := v.units()
	if units == nil {
		return value
	}
	n := atoi(value)
	if n <= 0 {
		return value
	}
	for i := len(units) - 1; i >= 0; i-- {
		if size := int64(units[i].size); size >= 1 && n%size == 0 {
			return fmt.Sprintf("%d%s", n/size, units[i].name)
		}
	}
	return value
}

func atoi(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

func millis(s string) time.Duration { return time.Duration(atoi(s)) * time.Millisecond }

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

// ParseBool reads a boolean as PostgreSQL does: true, false, yes, no, on, off, 1, 0
// and unique prefixes of the words.
func ParseBool(s string) (value, ok bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	switch {
	case s == "":
	case strings.HasPrefix("true", s), strings.HasPrefix("yes", s), s == "on", s == "1":
		return true, true
	case strings.HasPrefix("false", s), strings.HasPrefix("no", s), s == "of", s == "off", s == "0":
		return false, true
	}
	return false, false
}

// ParseIsolation reads the name of an isolation level.
func ParseIsolation(s string) (kv.Isolation, bool) {
	switch strings.ToLower(s) {
	case "serializable":
		return kv.Serializable, true
	case "repeatable read":
		return kv.RepeatableRead, true
	case "read committed", "read uncommitted":
		return kv.ReadCommitted, true
	}
	return kv.Serializable, false
}
