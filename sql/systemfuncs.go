package sql

import (
	"context"
	"strconv"
	"strings"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/catalog/system"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// systemFunctions carries out the functions that need the catalog, the cluster or
// other sessions (expr.System).
type systemFunctions struct{ s *Session }

func (srv *Server) system(s *Session) expr.System { return systemFunctions{s} }

var null = types.Null

func textDatum(s string) types.Datum { return types.NewString(s) }

// argBool returns argument i as a boolean, false if it is not given.
func argBool(args []types.Datum, i int) bool { return i < len(args) && args[i].Bool() }

// CallSystem implements expr.System.
func (f systemFunctions) CallSystem(ec *expr.EvalContext, fn *expr.Function, args []types.Datum) (types.Datum, error) {
	s := f.s
	coll := s.collection()
	switch fn.Name {
	case "current_schema":
		schemas, err := coll.SearchSchemas(ec.Ctx, false)
		if err != nil || len(schemas) == 0 {
			return null, err
		}
		return textDatum(schemas[0].Name), nil
	case "current_schemas":
		schemas, err := coll.SearchSchemas(ec.Ctx, args[0].Bool())
		if err != nil {
			return null, err
		}
		elems := make([]types.Datum, len(schemas))
		for i, sc := range schemas {
			elems[i] = textDatum(sc.Name)
		}
		return types.NewArrayDatum(types.NewArray(types.Name, elems)), nil
	case "pg_get_expr":
		return textDatum(args[0].Str()), nil
	case "pg_get_constraintdef":
		def, ok := system.ConstraintDef(ec.Ctx, coll, catalog.ID(args[0].OID()), argBool(args, 1))
		if !ok {
			return null, nil
		}
		return textDatum(def), nil
	case "pg_get_indexdef":
		return f.indexDef(ec.Ctx, coll, args), nil
	case "pg_get_viewdef":
		return f.viewDef(coll, args)
	case "pg_get_userbyid":
		if r, ok := coll.ByID(catalog.ID(args[0].OID())).(*catalog.Role); ok {
			return textDatum(r.Name), nil
		}
		return textDatum("unknown (OID=" + strconv.FormatInt(args[0].Int(), 10) + ")"), nil
	case "pg_get_serial_sequence":
		return f.serialSequence(ec, coll, args)
	case "obj_description", "shobj_description":
		return comment(coll, catalog.ID(args[0].OID())), nil
	case "col_description":
		if rel, ok := coll.ByID(catalog.ID(args[0].OID())).(catalog.Relation); ok {
			for _, c := range rel.Cols() {
				if int64(c.Num) == args[1].Int() && c.Comment != "" {
					return textDatum(c.Comment), nil
				}
			}
		}
		return null, nil
	case "pg_cancel_backend", "pg_terminate_backend":
		return types.NewBool(f.signal(uint32(args[0].Int()), fn.Name == "pg_terminate_backend")), nil
	case "pg_is_in_recovery":
		return types.False, nil
	case "pg_encoding_to_char":
		if args[0].Int() == 6 {
			return textDatum("UTF8"), nil
		}
		return textDatum(""), nil
	case "pg_char_to_encoding":
		if strings.EqualFold(args[0].Str(), "utf8") || strings.EqualFold(args[0].Str(), "utf-8") {
			return types.NewInt(6), nil
		}
		return types.NewInt(-1), nil
	case "getdatabaseencoding":
		return textDatum("UTF8"), nil
	case "pg_relation_is_publishable":
		return types.False, nil
	case "pg_my_temp_schema":
		return types.NewOID(types.OID(s.tempSchema)), nil
	case "pg_is_other_temp_schema":
		return types.False, nil
	case "pg_relation_size", "pg_table_size", "pg_total_relation_size", "pg_indexes_size", "pg_database_size", "pg_tablespace_size":
		return null, sqlstate.Unsupported("function %s()", fn.Name)
	case "pg_tablespace_location":
		return textDatum(""), nil
	case "pg_backend_pid":
		return types.NewInt(int64(s.args.PID)), nil
	case "pg_conf_load_time", "pg_postmaster_start_time":
		return types.NewInt(postgresMicros(s.srv.started)), nil
	}
	if strings.HasSuffix(fn.Name, "_is_visible") {
		return f.visible(ec, coll, fn.Name, args)
	}
	if strings.HasPrefix(fn.Name, "has_") || fn.Name == "pg_has_role" {
		// Only superusers can log in so far (Session.login), who may do everything.
		return types.True, nil
	}
	return null, sqlstate.Unsupported("function %s()", fn.Name)
}

// CallSystemSet implements expr.System.
func (f systemFunctions) CallSystemSet(ec *expr.EvalContext, fn *expr.Function, args []types.Datum) (expr.SetIter, error) {
	switch fn.Name {
	case "pg_listening_channels", "aclexplode", "pg_partition_ancestors", "pg_partition_tree", "pg_options_to_table":
		return emptySet{}, nil
	}
	return nil, sqlstate.Unsupported("function %s()", fn.Name)
}

type emptySet struct{}

// Next implements expr.SetIter.
func (emptySet) Next() (types.Row, bool, error) { return nil, false, nil }

// indexDef is pg_get_indexdef(index [, column, pretty]).
func (f systemFunctions) indexDef(ctx context.Context, coll *catalog.Collection, args []types.Datum) types.Datum {
	id := catalog.ID(args[0].OID())
	t, ok := coll.Owner(id).(*catalog.Table)
	if !ok {
		return null
	}
	x := t.IndexByOID(id)
	if x == nil {
		return null
	}
	if len(args) > 1 && args[1].Int() > 0 {
		return textDatum(system.IndexColumnDef(t, x, int(args[1].Int())))
	}
	return textDatum(system.IndexDef(ctx, coll, t, x, argBool(args, 2)))
}

// viewDef is pg_get_viewdef(view [, pretty]).
func (f systemFunctions) viewDef(coll *catalog.Collection, args []types.Datum) (types.Datum, error) {
	id := catalog.ID(0)
	if args[0].Family() == types.FamInt {
		id = catalog.ID(args[0].OID())
	} else {
		oid, err := f.s.eval.names.LookupReg(types.Regclass, args[0].Str())
		if err != nil {
			return null, err
		}
		id = catalog.ID(oid)
	}
	if v, ok := coll.ByID(id).(*catalog.View); ok {
		return textDatum(" " + v.Query + ";"), nil
	}
	return null, nil
}

// serialSequence is pg_get_serial_sequence(table, column).
func (f systemFunctions) serialSequence(ec *expr.EvalContext, coll *catalog.Collection, args []types.Datum) (types.Datum, error) {
	oid, err := f.s.eval.names.LookupReg(types.Regclass, args[0].Str())
	if err != nil {
		return null, err
	}
	t := coll.Table(catalog.ID(oid))
	if t == nil {
		return null, nil
	}
	c, _, ok := t.ColumnByName(args[1].Str())
	if !ok {
		return null, sqlstate.New(sqlstate.UndefinedColumn, "column \"%s\" of relation \"%s\" does not exist", args[1].Str(), t.Name)
	}
	found := null
	coll.All(func(d catalog.Descriptor) bool {
		if q, ok := d.(*catalog.Sequence); ok && q.OwnedBy.Table == t.ID && q.OwnedBy.Column == c.Num {
			found = textDatum(ast.QuoteIdent(system.SchemaName(coll, q.Schema)) + "." + ast.QuoteIdent(q.Name))
			return false
		}
		return true
	})
	return found, nil
}

// comment returns the comment on an object or a part of one.
func comment(coll *catalog.Collection, id catalog.ID) types.Datum {
	text := ""
	if d := coll.ByID(id); d != nil {
		text = d.Head().Comment
	} else if t, ok := coll.Owner(id).(*catalog.Table); ok {
		for x := range t.AllIndexes {
			switch id {
			case x.OID:
				text = x.Comment
			case x.ConstraintOID:
				text = x.ConstraintComment
			}
		}
		for i := range t.Checks {
			if t.Checks[i].OID == id {
				text = t.Checks[i].Comment
			}
		}
		if fk := t.ForeignKeyByOID(id); fk != nil {
			text = fk.Comment
		}
	}
	if text == "" {
		return null
	}
	return textDatum(text)
}

// visible is pg_table_is_visible and its relatives.
func (f systemFunctions) visible(ec *expr.EvalContext, coll *catalog.Collection, name string, args []types.Datum) (types.Datum, error) {
	id := catalog.ID(args[0].OID())
	if name == "pg_table_is_visible" || name == "pg_type_is_visible" {
		if id < catalog.FirstUserID && types.ByOID(types.OID(id)) != nil {
			return types.True, nil
		}
		ok, err := coll.Visible(ec.Ctx, id)
		return types.NewBool(ok), err
	}
	// Everything else is built in, and pg_catalog is always on the path.
	return types.True, nil
}

// signal cancels or ends the session with a process id, on this node.
func (f systemFunctions) signal(pid uint32, terminate bool) bool {
	found := false
	f.s.srv.Sessions(func(s *Session) {
		if s.args.PID != pid {
			return
		}
		found = true
		if terminate {
			s.Terminate()
		} else {
			s.Cancel()
		}
	})
	return found
}
