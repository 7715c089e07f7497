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
	if d, ok, err := s.callAdvisory(ec, fn, args); ok || err != nil {
		return d, err
	}
	if d, ok, err := s.callNotify(fn, args); ok || err != nil {
		return d, err
	}
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
		return textDatum(definitions{s}.exprOf(ec.Ctx, coll, args[0].Str(), catalog.ID(args[1].OID()), argBool(args, 2))), nil
	case "pg_get_constraintdef":
		def, ok := system.ConstraintDef(ec.Ctx, coll, definitions{s}, catalog.ID(args[0].OID()), argBool(args, 1))
		if !ok {
			return null, nil
		}
		return textDatum(def), nil
	case "pg_get_indexdef":
		return f.indexDef(ec.Ctx, coll, args), nil
	case "pg_get_viewdef":
		return f.viewDef(ec.Ctx, coll, args)
	case "pg_get_function_result", "pg_get_function_arguments", "pg_get_function_identity_arguments":
		return f.signature(fn.Name, args[0].OID()), nil
	case "pg_get_function_sqlbody", "pg_get_function_arg_default", "pg_get_partkeydef", "pg_get_partition_constraintdef",
		"pg_get_statisticsobjdef_columns":
		return null, nil
	case "acldefault":
		return aclDefault(coll, byte(args[0].Int()), catalog.ID(args[1].OID()))
	case "pg_get_userbyid":
		if catalog.ID(args[0].OID()) == system.RoleDatabaseOwner {
			return textDatum(system.DatabaseOwnerName), nil
		}
		if r, ok := coll.ByID(catalog.ID(args[0].OID())).(*catalog.Role); ok {
			return textDatum(r.Name), nil
		}
		return textDatum("unknown (OID=" + strconv.FormatInt(args[0].Int(), 10) + ")"), nil
	case "pg_get_serial_sequence":
		return f.serialSequence(ec, coll, args)
	case "obj_description", "shobj_description":
		if len(args) > 1 && args[0].OID() < types.OID(catalog.FirstUserID) {
			if text := system.BuiltinComment(args[0].OID(), args[1].Str()); text != "" {
				return textDatum(text), nil
			}
		}
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
		return f.signal(uint32(args[0].Int()), fn.Name == "pg_terminate_backend")
	case "spanlite_txn_id":
		return s.transactionName(), nil
	case "pg_blocking_pids":
		return s.blockingPIDs(ec.Ctx, uint32(args[0].Int()))
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
		return f.size(ec, coll, fn.Name, args[0])
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
		return f.hasPrivilege(ec, coll, fn, args)
	}
	return null, sqlstate.Unsupported("function %s()", fn.Name)
}

// CallSystemSet implements expr.System.
func (f systemFunctions) CallSystemSet(ec *expr.EvalContext, fn *expr.Function, args []types.Datum) (expr.SetIter, error) {
	switch fn.Name {
	case "spanlite_txn_outcome":
		return f.s.txnOutcome(ec.Ctx, args[0])
	case "pg_get_keywords":
		return &rowSet{rows: system.Keywords()}, nil
	case "aclexplode":
		return aclExplode(f.s.collection(), args[0]), nil
	case "pg_listening_channels":
		return f.s.listeningChannels(), nil
	case "pg_partition_ancestors", "pg_partition_tree", "pg_options_to_table":
		return emptySet{}, nil
	}
	return nil, sqlstate.Unsupported("function %s()", fn.Name)
}

type emptySet struct{}

// Next implements expr.SetIter.
func (emptySet) Next() (types.Row, bool, error) { return nil, false, nil }

// signature is pg_get_function_result and its relatives.
func (f systemFunctions) signature(name string, id types.OID) types.Datum {
	typeName := func(id types.OID) string {
		name, _ := f.s.eval.names.RegName(types.Regtype, id)
		return name
	}
	text, ok := "", false
	if name == "pg_get_function_result" {
		text, ok = system.FunctionResult(id, typeName)
	} else {
		text, ok = system.FunctionArguments(id, name == "pg_get_function_identity_arguments", typeName)
	}
	if !ok {
		return null
	}
	return textDatum(text)
}

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
		return textDatum(system.IndexColumnDef(ctx, coll, definitions(f), t, x, int(args[1].Int()), argBool(args, 2)))
	}
	return textDatum(system.IndexDef(ctx, coll, definitions(f), t, x, argBool(args, 2)))
}

// viewDef is pg_get_viewdef(view [, pretty]).
func (f systemFunctions) viewDef(ctx context.Context, coll *catalog.Collection, args []types.Datum) (types.Datum, error) {
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
	v, ok := coll.ByID(id).(*catalog.View)
	if t, is := coll.ByID(id).(*catalog.Table); is && t.Materialized() {
		v, ok = t.AsView(), true
	}
	if ok {
		pretty := len(args) > 1 && (args[1].Family() == types.FamInt || args[1].Bool())
		return textDatum(definitions(f).ViewQuery(ctx, coll, v, pretty)), nil
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

// signal cancels or ends the session with a process id, at whatever node it is. It
// takes the rights of the session's user.
func (f systemFunctions) signal(pid uint32, terminate bool) (types.Datum, error) {
	req := SignalRequest{PID: pid, Terminate: terminate, User: f.s.userID}
	result := f.s.srv.Signal(req)
	if c := f.s.srv.cfg.Cluster; result == SignalNoSession && c != nil {
		result = c.Signal(&f.s.ctx, req)
	}
	switch result {
	case SignalSent:
		return types.True, nil
	case SignalNeedsSuperuser:
		return null, sqlstate.New(sqlstate.InsufficientPrivilege, "must be a superuser to %s superuser %s", signalVerb(terminate), signalWhat(terminate))
	case SignalNeedsMember:
		return null, sqlstate.New(sqlstate.InsufficientPrivilege, "must be a member of the role whose %s is being %s or member of pg_signal_backend", signalWhat(terminate), signalDone(terminate))
	}
	f.s.warning(sqlstate.Warning, "PID %d is not a PostgreSQL server process", int32(pid))
	return types.False, nil
}

// PostgreSQL's words for the two functions.

func signalVerb(terminate bool) string {
	if terminate {
		return "terminate"
	}
	return "cancel"
}

func signalWhat(terminate bool) string {
	if terminate {
		return "process"
	}
	return "query"
}

func signalDone(terminate bool) string {
	if terminate {
		return "terminated"
	}
	return "canceled"
}

// size is pg_table_size and its relatives: an estimate by the statistics of
// ANALYZE, since tables share ranges and nothing counts the bytes of one alone.
// A table that was never analysed counts as empty.
func (f systemFunctions) size(ec *expr.EvalContext, coll *catalog.Collection, name string, arg types.Datum) (types.Datum, error) {
	id := catalog.ID(0)
	if arg.Family() == types.FamInt {
		id = catalog.ID(arg.OID())
	} else if name == "pg_database_size" {
		db, err := coll.Database(ec.Ctx, arg.Str())
		if err != nil {
			return null, err
		}
		id = db.ID
	}
	tableBytes := func(t *catalog.Table) float64 {
		if st := f.s.srv.cfg.Stats.Table(t.ID); st != nil {
			return st.Rows * (st.AvgRowBytes + rowOverheadBytes)
		}
		return 0
	}
	indexBytes := func(t *catalog.Table) float64 {
		if st := f.s.srv.cfg.Stats.Table(t.ID); st != nil {
			return st.Rows * indexEntryBytes
		}
		return 0
	}
	sum := float64(0)
	switch d := coll.ByID(id).(type) {
	case *catalog.Table:
		secondary := 0
		for x := range d.AllIndexes {
			if x.OID != 0 {
				secondary++
			}
		}
		if name != "pg_indexes_size" {
			sum += tableBytes(d)
		}
		if name == "pg_indexes_size" || name == "pg_total_relation_size" {
			sum += indexBytes(d) * float64(secondary)
		}
	case nil:
		t, ok := coll.Owner(id).(*catalog.Table)
		switch {
		case ok:
			sum = indexBytes(t)
		case name != "pg_tablespace_size":
			return null, nil
		}
	}
	if name == "pg_database_size" || name == "pg_tablespace_size" {
		coll.All(func(d catalog.Descriptor) bool {
			if t, ok := d.(*catalog.Table); ok && (t.Database == id || name == "pg_tablespace_size") {
				sum += tableBytes(t) + indexBytes(t)
			}
			return true
		})
	}
	return types.NewInt(int64(sum)), nil
}

// The shares of keys and versions in the size of a row and of an index entry.
const (
	rowOverheadBytes = 24
	indexEntryBytes  = 32
)

// hasPrivilege is has_table_privilege and its relatives: ([user,] object [,
// column], privileges). Objects that have no privileges here, such as functions
// and languages, may be used by all.
func (f systemFunctions) hasPrivilege(ec *expr.EvalContext, coll *catalog.Collection, fn *expr.Function, args []types.Datum) (types.Datum, error) {
	what := strings.TrimSuffix(strings.TrimPrefix(fn.Name, "has_"), "_privilege")
	role := f.s.userID
	withUser := 3
	switch what {
	case "column":
		withUser = 4
	case "any_column":
		what = "column"
	}
	if len(args) == withUser {
		var err error
		if role, err = roleArgument(ec, coll, args[0]); err != nil {
			return null, err
		}
		args = args[1:]
	}
	if fn.Name == "pg_has_role" {
		group, err := roleArgument(ec, coll, args[0])
		if err != nil {
			return null, err
		}
		return types.NewBool(isSuperuser(coll, role) || memberOf(coll, role, group)), nil
	}
	var d catalog.Descriptor
	switch what {
	case "table", "column", "sequence", "schema", "database", "type":
		id := catalog.ID(0)
		switch {
		case args[0].Family() == types.FamInt:
			id = catalog.ID(args[0].OID())
		case what == "schema":
			sc, err := coll.Schema(ec.Ctx, args[0].Str())
			if err != nil {
				return null, err
			}
			id = sc.ID
		case what == "database":
			db, err := coll.Database(ec.Ctx, args[0].Str())
			if err != nil {
				return null, err
			}
			id = db.ID
		case what == "type":
			oid, err := f.s.eval.names.LookupReg(types.Regtype, args[0].Str())
			if err != nil {
				return null, err
			}
			id = catalog.ID(oid)
		default:
			oid, err := f.s.eval.names.LookupReg(types.Regclass, args[0].Str())
			if err != nil {
				return null, err
			}
			id = catalog.ID(oid)
		}
		if d = coll.ByID(id); d == nil {
			if what == "type" && types.ByOID(types.OID(id)) != nil {
				return types.True, nil
			}
			return null, nil
		}
	}
	any := false
	for word := range strings.SplitSeq(args[len(args)-1].Str(), ",") {
		word = strings.ToLower(strings.TrimSpace(word))
		word, grantOption := strings.CutSuffix(word, " with grant option")
		bit, ok := privilegeNames[word]
		if !ok {
			return null, sqlstate.New(sqlstate.InvalidParameterValue, "unrecognized privilege type: \"%s\"", word)
		}
		if d == nil || d.DescKind() == catalog.KindVirtual && bit == catalog.PrivSelect {
			any = true
			continue
		}
		have, grantable := privilegesOf(coll, role, d)
		if grantOption {
			have = grantable
		}
		any = any || have&bit != 0
	}
	return types.NewBool(any), nil
}

// roleArgument finds a role by name or OID.
func roleArgument(ec *expr.EvalContext, coll *catalog.Collection, arg types.Datum) (catalog.ID, error) {
	if arg.Family() == types.FamInt {
		return catalog.ID(arg.OID()), nil
	}
	r, err := coll.Role(ec.Ctx, arg.Str())
	if err != nil {
		return 0, err
	}
	return r.ID, nil
}
