package sql

import (
	"strings"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/settings"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// This file runs the statements that have no plan and are no DDL: settings,
// transaction control, prepared statements.

// inBlock reports whether changes of settings must be undoable.
func (s *Session) inBlock() bool { return s.txn.block != blockNone }

// set executes SET.
func (s *Session) set(st *ast.Set) error {
	if st.Local && s.txn.block != blockOpen {
		s.warning(sqlstate.NoActiveSQLTransaction, "SET LOCAL can only be used in transaction blocks")
		if s.txn.block == blockNone {
			// The statement is its transaction, so the value ends with it: it is checked
			// and undone.
			defer func(mark int) { s.vars.RollbackTo(mark); s.useRole() }(s.vars.Mark())
		}
	}
	switch st.Name {
	case "transaction_isolation", "transaction_read_only", "transaction_deferrable":
		return s.setTransactionVariable(st)
	case "role", "session_authorization":
		return s.setRole(st)
	}
	if st.Default {
		return s.vars.Reset(st.Name, st.Local, s.inBlock() || st.Local)
	}
	value, err := settingText(st)
	if err != nil {
		return err
	}
	return s.vars.Assign(st.Name, value, st.Local, s.inBlock() || st.Local)
}

// settingText joins the values of a SET into the text of the setting. In a list
// of names every element is quoted as far as needed to be read back.
func settingText(st *ast.Set) (string, error) {
	list := strings.EqualFold(st.Name, "search_path")
	var b strings.Builder
	for i, v := range st.Values {
		if i > 0 {
			b.WriteString(", ")
		}
		text, err := literalText(v)
		if err != nil {
			return "", err
		}
		if list {
			text = quoteName(text)
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

func literalText(e ast.Expr) (string, error) {
	switch v := e.(type) {
	case *ast.String:
		return v.Value, nil
	case *ast.Number:
		return v.Text, nil
	case *ast.Bool:
		return onOff(v.Value), nil
	case *ast.Unary:
		text, err := literalText(v.X)
		return v.Op.Name + text, err
	case *ast.Cast:
		// SET TIME ZONE INTERVAL '+02:00' HOUR TO MINUTE.
		return intervalZone(v)
	}
	return "", sqlstate.New(sqlstate.SyntaxError, "unexpected value in SET").At(e.Position().Offset())
}

// intervalZone turns an interval into the text of a time zone.
func intervalZone(c *ast.Cast) (string, error) {
	text, err := literalText(c.X)
	if err != nil {
		return "", err
	}
	d, err := types.ParseText(types.IntervalT, text, types.DefaultSettings())
	if err != nil {
		return "", err
	}
	iv := d.Interval()
	if iv.Months != 0 || iv.Days != 0 {
		return "", sqlstate.New(sqlstate.InvalidParameterValue, "cannot specify months or days in time zone interval")
	}
	return settings.ZoneOfSeconds(int(iv.Micros / 1e6)), nil
}

func quoteName(s string) string {
	plain := s != ""
	for i, c := range s {
		if !(c >= 'a' && c <= 'z' || c == '_' || i > 0 && c >= '0' && c <= '9') {
			plain = false
		}
	}
	if plain {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// reset executes RESET.
func (s *Session) reset(st *ast.Reset) error {
	if st.Name == "" || strings.EqualFold(st.Name, "all") {
		s.vars.ResetAll(s.inBlock())
		return nil
	}
	switch st.Name {
	case "transaction_isolation", "transaction_read_only", "transaction_deferrable":
		return s.setTransactionVariable(&ast.Set{Name: st.Name, Default: true})
	case "role", "session_authorization":
		return s.setRole(&ast.Set{Name: st.Name, Default: true})
	}
	return s.vars.Reset(st.Name, false, s.inBlock())
}

// setting returns a variable as SHOW prints it.
func (s *Session) setting(name string) (string, error) {
	switch strings.ToLower(name) {
	case "transaction_isolation", "transaction isolation level":
		if s.txn.block == blockNone {
			return s.vars.DefaultIsolationName, nil
		}
		return s.txn.isolationName, nil
	case "transaction_read_only":
		if s.txn.block == blockNone {
			return onOff(s.vars.DefaultReadOnly), nil
		}
		return onOff(s.txn.readOnly), nil
	case "transaction_deferrable":
		if s.txn.block == blockNone {
			return onOff(s.vars.DefaultDeferrable), nil
		}
		return onOff(s.txn.deferrable), nil
	}
	return s.vars.Get(name)
}

// show executes SHOW name and SHOW ALL.
func (s *Session) show(st *ast.Show) (columns []Column, rows []types.Row, err error) {
	columns, err = s.showColumns(st)
	if err != nil {
		return nil, nil, err
	}
	if !showsAll(st) {
		value, err := s.setting(st.Name)
		if err != nil {
			return nil, nil, err
		}
		return columns, []types.Row{{types.NewString(value)}}, nil
	}
	for _, v := range settings.All() {
		value, err := s.setting(v.Name)
		if err != nil {
			return nil, nil, err
		}
		rows = append(rows, types.Row{types.NewString(v.Name), types.NewString(value), types.NewString(v.Desc)})
	}
	return columns, rows, nil
}

// showsAll reports whether a statement is SHOW ALL.
func showsAll(st *ast.Show) bool { return st.Name == "" || strings.EqualFold(st.Name, "all") }

func (s *Session) showColumns(st *ast.Show) ([]Column, error) {
	if showsAll(st) {
		return []Column{{Name: "name", Type: types.Text}, {Name: "setting", Type: types.Text}, {Name: "description", Type: types.Text}}, nil
	}
	name := st.Name
	if v, ok := settings.Lookup(name); ok {
		name = v.Name
	} else if _, err := s.setting(name); err != nil {
		return nil, err
	}
	return []Column{{Name: name, Type: types.Text}}, nil
}

// discard executes DISCARD.
func (s *Session) discard(what string) error {
	if what == "ALL" {
		if s.txn.block == blockOpen {
			return sqlstate.New(sqlstate.ActiveSQLTransaction, "DISCARD ALL cannot run inside a transaction block")
		}
		for _, p := range s.portals {
			s.closePortal(p)
		}
		s.vars.ResetAll(false)
		if err := s.assignRole("none", false); err != nil {
			return err
		}
		clear(s.prepared)
		s.unlistenAll()
		s.endSessionLocks()
	}
	if what == "ALL" || what == "SEQUENCES" {
		s.seq = sequenceState{}
	}
	if what == "ALL" || what == "TEMP" || what == "TEMPORARY" {
		return s.dropTemporary()
	}
	return nil
}

// warning sends a WARNING, as far as client_min_messages lets it through.
func (s *Session) warning(code sqlstate.Code, format string, args ...any) {
	e := sqlstate.New(code, format, args...)
	e.Severity = "WARNING"
	s.notice(e)
}

// notice sends a message that is no error.
func (s *Session) notice(e *sqlstate.Error) {
	if e.Severity == "" {
		e.Severity = "NOTICE"
	}
	if severityRank(e.Severity) >= severityRank(s.vars.ClientMinMessages) {
		s.client.Notice(e)
	}
}

// severityRank orders message levels as client_min_messages does.
func severityRank(severity string) int {
	switch strings.ToLower(severity) {
	case "error":
		return 5
	case "warning":
		return 4
	case "notice":
		return 3
	case "log":
		return 2
	}
	return 1
}
