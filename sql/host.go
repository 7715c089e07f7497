package sql

import (
	"net"
	"strconv"

	"github.com/spanlite/spanlite/sql/catalog/system"
	"github.com/spanlite/spanlite/sql/settings"
	"github.com/spanlite/spanlite/sql/types"
)

// host answers the virtual relations for the session that reads them.
type host Session

var _ system.Host = (*host)(nil)

// Definer implements system.Host.
func (h *host) Definer() system.Definer { return definitions{(*Session)(h)} }

// Settings implements system.Host.
func (h *host) Settings(emit func(system.Setting) error) error {
	s := (*Session)(h)
	for i := range settings.All() {
		v := &settings.All()[i]
		out := system.Setting{
			Name: v.Name, Value: s.vars.Raw(v), Unit: v.Unit, Category: v.Category, Desc: v.Desc,
			Context: string(v.Context), Kind: string(v.Kind), Boot: v.Boot, Reset: v.Boot, Source: "default", EnumValues: v.Values,
		}
		if out.Value != v.Boot {
			out.Source = "session"
		}
		if v.Kind == settings.Integer {
			out.Min, out.Max = strconv.FormatInt(v.Min, 10), strconv.FormatInt(v.Max, 10)
		}
		if err := emit(out); err != nil {
			return err
		}
	}
	return nil
}

// Activity implements system.Host.
func (h *host) Activity(emit func(system.Activity) error) error {
	var err error
	(*Session)(h).srv.Sessions(func(s *Session) {
		a := s.Activity()
		out := system.Activity{
			PID: int64(a.PID), Database: a.Database, User: a.User, Application: a.ApplicationName,
			DatabaseID: uint32(s.database), UserID: uint32(s.userID),
			BackendStart: a.BackendStart, QueryStart: a.QueryStart, StateChanged: a.StateChange, TxnStart: a.TransactionStart,
			State: a.State, Query: a.Query, ClientPort: -1,
		}
		if hostPart, port, splitErr := net.SplitHostPort(a.RemoteAddr); splitErr == nil {
			out.ClientAddr = hostPart
			out.ClientPort, _ = strconv.ParseInt(port, 10, 64)
		}
		if err == nil {
			err = emit(out)
		}
	})
	return err
}

// PreparedStatements implements system.Host.
func (h *host) PreparedStatements(emit func(system.PreparedStatement) error) error {
	for _, ps := range h.prepared {
		out := system.PreparedStatement{Name: ps.name, Statement: ps.text, FromSQL: ps.fromSQL, PreparedAt: ps.at}
		if ps.compiled != nil {
			for _, t := range ps.compiled.params {
				out.ParamTypes = append(out.ParamTypes, types.OID(t.OID))
			}
		}
		if err := emit(out); err != nil {
			return err
		}
	}
	return nil
}

// Cursors implements system.Host.
func (h *host) Cursors(emit func(system.Cursor) error) error {
	for _, p := range h.portals {
		if p.cursor == nil {
			continue
		}
		if err := emit(system.Cursor{Name: p.name, Statement: p.text, Holdable: p.cursor.held, Scrollable: !p.cursor.noScroll}); err != nil {
			return err
		}
	}
	return nil
}
