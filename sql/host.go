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

// Activity implements system.Host: the sessions of all nodes that answer. What others
// do is shown to those who may cancel it only.
func (h *host) Activity(emit func(system.Activity) error) error {
	s := (*Session)(h)
	var all []Activity
	s.srv.Sessions(func(o *Session) { all = append(all, o.Activity()) })
	if c := s.srv.cfg.Cluster; c != nil {
		all = append(all, c.Sessions(&s.ctx)...)
	}
	coll := s.collection()
	for i := range all {
		a := &all[i]
		out := system.Activity{
			PID: int64(a.PID), Database: a.Database, User: a.User, Application: a.ApplicationName,
			DatabaseID: uint32(a.DatabaseID), UserID: uint32(a.UserID),
		}
		if s.superuser || memberOf(coll, s.userID, a.UserID) {
			out.BackendStart, out.QueryStart, out.StateChanged, out.TxnStart = a.BackendStart, a.QueryStart, a.StateChange, a.TransactionStart
			out.State, out.Query, out.ClientPort = a.State, a.Query, -1
			if hostPart, port, err := net.SplitHostPort(a.RemoteAddr); err == nil {
				out.ClientAddr = hostPart
				out.ClientPort, _ = strconv.ParseInt(port, 10, 64)
			}
		} else {
			out.Query = "<insufficient privilege>"
		}
		if err := emit(out); err != nil {
			return err
		}
	}
	return nil
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
