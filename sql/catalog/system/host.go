package system

import (
	"context"
	"time"

	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/types"
)

// Host is what these relations need of the session that reads them and of the
// server around it. The session puts one into catalog.VirtualEnv.Host; relations
// over a part that the host lacks are empty.
type Host interface {
	// Definer prints the expressions and queries of the catalog.
	Definer() Definer
	// Settings calls emit for every run-time parameter.
	Settings(emit func(Setting) error) error
	// Activity calls emit for every session of the node.
	Activity(emit func(Activity) error) error
	// Prepared calls emit for every prepared transaction of the cluster.
	Prepared(emit func(PreparedTransaction) error) error
	// PreparedStatements and Cursors are those of the reading session.
	PreparedStatements(emit func(PreparedStatement) error) error
	Cursors(emit func(Cursor) error) error
}

// Definer prints expressions and queries of the catalog as SQL with everything
// resolved, as seen along the session's search path. Pretty leaves out parentheses that
// are not needed.
type Definer interface {
	// Expr prints an expression over a row of a table, which may be nil. to, if set, is
	// the type of the column that the value is for.
	Expr(ctx context.Context, c *catalog.Collection, t *catalog.Table, text string, to *types.T, pretty bool) string
	// ColumnName is the name that a column for an expression has.
	ColumnName(text string) string
	// ViewQuery prints the query of a view.
	ViewQuery(ctx context.Context, c *catalog.Collection, v *catalog.View, pretty bool) string
}

// stored is the Definer where there is no session: texts as they are stored.
type stored struct{}

func (stored) Expr(ctx context.Context, c *catalog.Collection, t *catalog.Table, text string, to *types.T, pretty bool) string {
	return ShowExpr(ctx, c, text)
}

func (stored) ColumnName(string) string { return "expr" }

func (stored) ViewQuery(ctx context.Context, c *catalog.Collection, v *catalog.View, pretty bool) string {
	return " " + v.Query + ";"
}

// definer returns how the reading session prints expressions.
func (r *reader) definer() Definer {
	if h := r.host(); h != nil {
		return h.Definer()
	}
	return stored{}
}

// Setting is a row of pg_settings.
type Setting struct {
	Name, Value, Unit, Category, Desc, Context, Kind, Source, Boot, Reset string
	Min, Max                                                              string
	EnumValues                                                            []string
}

// PreparedTransaction is a row of pg_prepared_xacts.
type PreparedTransaction struct {
	XID             uint32
	GID             string
	Prepared        time.Time
	Owner, Database string
}

func pgPreparedXacts(r *reader) error {
	h := r.host()
	if h == nil {
		return nil
	}
	return h.Prepared(func(p PreparedTransaction) error {
		r.set("transaction", number(int64(p.XID)))
		r.set("gid", text(p.GID))
		r.set("prepared", timestamp(p.Prepared))
		r.set("owner", text(p.Owner))
		r.set("database", text(p.Database))
		return r.emit()
	})
}

// Activity is a row of pg_stat_activity. A zero time is NULL.
type Activity struct {
	PID                                              int64
	DatabaseID, UserID                               uint32
	Database, User, Application, ClientAddr          string
	ClientPort                                       int64
	BackendStart, TxnStart, QueryStart, StateChanged time.Time
	State, Query                                     string
}

// PreparedStatement is a row of pg_prepared_statements.
type PreparedStatement struct {
	Name, Statement string
	PreparedAt      time.Time
	ParamTypes      []types.OID
	FromSQL         bool
}

// Cursor is a row of pg_cursors.
type Cursor struct {
	Name, Statement              string
	Holdable, Binary, Scrollable bool
	Created                      time.Time
}

func (r *reader) host() Host {
	h, _ := r.env.Host.(Host)
	return h
}

const postgresEpochMicros = 946684800 * 1e6

func timestamp(t time.Time) types.Datum {
	if t.IsZero() {
		return types.Null
	}
	return types.NewInt(t.UnixMicro() - postgresEpochMicros)
}

func pgSettings(r *reader) error {
	h := r.host()
	if h == nil {
		return nil
	}
	return h.Settings(func(s Setting) error {
		r.set("name", text(s.Name))
		r.set("setting", text(s.Value))
		r.set("unit", textOrNull(s.Unit))
		r.set("category", text(s.Category))
		r.set("short_desc", text(s.Desc))
		r.set("context", text(s.Context))
		r.set("vartype", text(s.Kind))
		r.set("source", text(s.Source))
		r.set("min_val", textOrNull(s.Min))
		r.set("max_val", textOrNull(s.Max))
		if s.EnumValues != nil {
			r.set("enumvals", texts(types.Text, s.EnumValues))
		}
		r.set("boot_val", text(s.Boot))
		r.set("reset_val", text(s.Reset))
		r.set("pending_restart", boolean(false))
		return r.emit()
	})
}

func pgStatActivity(r *reader) error {
	h := r.host()
	if h == nil {
		return nil
	}
	return h.Activity(func(a Activity) error {
		r.set("datid", types.NewOID(types.OID(a.DatabaseID)))
		r.set("datname", text(a.Database))
		r.set("pid", number(a.PID))
		r.set("usesysid", types.NewOID(types.OID(a.UserID)))
		r.set("usename", text(a.User))
		r.set("application_name", text(a.Application))
		if a.ClientAddr != "" {
			if d, err := types.ParseText(types.Inet, a.ClientAddr, types.DefaultSettings()); err == nil {
				r.set("client_addr", d)
			}
		}
		r.set("client_port", number(a.ClientPort))
		r.set("backend_start", timestamp(a.BackendStart))
		r.set("xact_start", timestamp(a.TxnStart))
		r.set("query_start", timestamp(a.QueryStart))
		r.set("state_change", timestamp(a.StateChanged))
		r.set("state", text(a.State))
		r.set("query", text(a.Query))
		r.set("backend_type", text("client backend"))
		return r.emit()
	})
}

func pgPreparedStatements(r *reader) error {
	h := r.host()
	if h == nil {
		return nil
	}
	return h.PreparedStatements(func(p PreparedStatement) error {
		r.set("name", text(p.Name))
		r.set("statement", text(p.Statement))
		r.set("prepare_time", timestamp(p.PreparedAt))
		elems := make([]types.Datum, len(p.ParamTypes))
		for i, t := range p.ParamTypes {
			elems[i] = types.NewOID(t)
		}
		r.set("parameter_types", types.NewArrayDatum(types.NewArray(types.Regtype, elems)))
		r.set("from_sql", boolean(p.FromSQL))
		r.set("generic_plans", number(0))
		r.set("custom_plans", number(0))
		return r.emit()
	})
}

func pgCursors(r *reader) error {
	h := r.host()
	if h == nil {
		return nil
	}
	return h.Cursors(func(c Cursor) error {
		r.set("name", text(c.Name))
		r.set("statement", text(c.Statement))
		r.set("is_holdable", boolean(c.Holdable))
		r.set("is_binary", boolean(c.Binary))
		r.set("is_scrollable", boolean(c.Scrollable))
		r.set("creation_time", timestamp(c.Created))
		return r.emit()
	})
}
