package sql

import (
	"context"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/catalog/system"
	"github.com/spanlite/spanlite/sql/exec"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/parser"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// This file is what a session shows of itself to the packages that execute
// statements for it, and what it asks the catalog for its own needs.

// schemaSession is the session as schemachange sees it.
type schemaSession Session

// Catalog implements schemachange.Session.
func (s *schemaSession) Catalog() *catalog.Collection { return (*Session)(s).collection() }

// Notice implements schemachange.Session.
func (s *schemaSession) Notice(e *sqlstate.Error) { (*Session)(s).notice(e) }

// PlanContext implements schemachange.Session.
func (s *schemaSession) PlanContext() *plan.Context {
	return (*Session)(s).planContext((*Session)(s).collection(), nil)
}

// EvalContext implements schemachange.Session.
func (s *schemaSession) EvalContext() *expr.EvalContext { return (*Session)(s).evalContext(nil) }

// UserID implements schemachange.Session.
func (s *schemaSession) UserID() catalog.ID { return s.userID }

// Alone implements schemachange.Session.
func (s *schemaSession) Alone() bool { return s.txn.block == blockNone }

// MayCommit implements schemachange.Session.
func (s *schemaSession) MayCommit() bool {
	return s.txn.block == blockNone || s.txn.block == blockImplicit && s.txn.statements == 0
}

// Permit implements schemachange.Session.
func (s *schemaSession) Permit(st ast.Statement, coll *catalog.Collection) error {
	if s.superuser {
		return nil
	}
	for _, ch := range coll.Changes() {
		if err := (*Session)(s).checkChange(coll, st, ch); err != nil {
			return err
		}
	}
	return nil
}

// Refresh implements schemachange.Session.
func (s *schemaSession) Refresh(ctx context.Context, view catalog.ID, text string) error {
	s.refreshing = view
	defer func() { s.refreshing = 0 }()
	return s.Query(ctx, text)
}

// Query implements schemachange.Session: it runs a statement with a plan in the
// session's transaction and drops its rows.
func (s *schemaSession) Query(ctx context.Context, text string) error {
	session := (*Session)(s)
	statements, err := parser.Parse(text)
	if err != nil {
		return err
	}
	for i := range statements {
		if !isPlanned(statements[i].AST) {
			return sqlstate.Unsupported("%s within a schema change", statements[i].AST.Tag())
		}
		c, err := session.bindAndOptimize(statements[i].AST, nil)
		if err != nil {
			return err
		}
		mem := exec.NewMonitor(session.srv.cfg.Memory, 0)
		n, err := exec.Run(ctx, c.plan, session.execContext(nil, mem), nil)
		mem.Close()
		if err != nil {
			return err
		}
		session.filled = &n
	}
	return nil
}

// resolveType resolves a type as written.
func (s *Session) resolveType(n *ast.TypeName) (*types.T, error) {
	return plan.ResolveType(&s.ctx, s.collection(), n)
}

// typeByOID returns a type, nil if there is none.
func (s *Session) typeByOID(oid types.OID) *types.T {
	if t := types.ByOID(oid); t != nil {
		return t
	}
	return s.collection().TypeByOID(oid)
}

// login finds the user and the database of a session.
func (s *Session) login(ctx context.Context) error {
	coll := catalog.NewCollection(s.srv.cfg.Catalog, s.srv.catalogDB(), nil)
	role, err := coll.Role(ctx, s.args.User)
	if err != nil {
		if err := s.srv.cfg.Catalog.Refresh(ctx); err != nil {
			return err
		}
		if role, err = coll.Role(ctx, s.args.User); err != nil {
			return sqlstate.New(sqlstate.InvalidAuthorizationSpec, "role \"%s\" does not exist", s.args.User)
		}
	}
	if !role.Login {
		return sqlstate.New(sqlstate.InvalidAuthorizationSpec, "role \"%s\" is not permitted to log in", s.args.User)
	}
	db, err := coll.Database(ctx, s.args.Database)
	if err != nil {
		if err := s.srv.cfg.Catalog.Refresh(ctx); err != nil {
			return err
		}
		if db, err = coll.Database(ctx, s.args.Database); err != nil {
			return err
		}
	}
	if have, _ := privilegesOf(coll, role.ID, db); have&catalog.PrivConnect == 0 {
		return sqlstate.New(sqlstate.InsufficientPrivilege, "permission denied for database \"%s\"", db.Name).
			WithDetail("User does not have CONNECT privilege.")
	}
	s.database, s.user = db.ID, s.args.User
	s.loginUserID = role.ID
	s.sessionUserID, s.userID, s.superuser = role.ID, role.ID, role.Superuser
	return nil
}

// dropTemporary executes DISCARD TEMP, and is the end of a session's temporary tables.
func (s *Session) dropTemporary() error {
	schema := s.tempSchema
	if schema == 0 {
		return nil
	}
	if s.txn.block == blockOpen {
		return sqlstate.New(sqlstate.ActiveSQLTransaction, "DISCARD TEMP cannot run inside a transaction block")
	}
	s.tempSchema, s.tempEmptied = 0, nil
	return s.srv.cfg.Schema.DropTemp(&s.ctx, schema)
}

// adoptTemporary takes note of the temporary tables of a transaction that has committed.
func (s *Session) adoptTemporary(coll *catalog.Collection) {
	if coll.Path.TempSchema == 0 || !coll.HasChanges() {
		return
	}
	s.tempSchema = coll.Path.TempSchema
	coll.EachChange(func(was, is catalog.Descriptor) bool {
		if t, ok := is.(*catalog.Table); ok && was == nil && t.OnCommit == catalog.OnCommitDelete {
			s.tempEmptied = append(s.tempEmptied, t.ID)
		}
		return true
	})
}

// endSessionLocks releases advisory locks of the session.
func (s *Session) endSessionLocks() { s.unlockAllAdvisory() }

// catalogDB returns the transactional store as the catalog wants it.
func (srv *Server) catalogDB() catalog.DB { return catalogDB{srv.cfg.DB} }

// sessionNames resolves reg* types.
type sessionNames struct{ s *Session }

// LookupReg implements types.Names.
func (n sessionNames) LookupReg(t *types.T, text string) (types.OID, error) {
	name, err := parser.ParseName(text)
	if err != nil {
		return 0, err
	}
	ctx, coll := &n.s.ctx, n.s.collection()
	full := objectName(name)
	full.Offset = -1
	switch t.OID {
	case types.OIDRegclass:
		id, err := coll.LookupOID(ctx, full)
		if err == nil && id == 0 {
			err = catalog.UndefinedRelation(full)
		}
		return types.OID(id), err
	case types.OIDRegnamespace:
		sc, err := coll.Schema(ctx, full.Name)
		if err != nil {
			return 0, err
		}
		return types.OID(sc.ID), nil
	case types.OIDRegrole:
		r, err := coll.Role(ctx, full.Name)
		if err != nil {
			return 0, err
		}
		return types.OID(r.ID), nil
	case types.OIDRegtype:
		tn, err := parser.ParseType(text)
		if err != nil {
			return 0, err
		}
		typ, err := n.s.resolveType(tn)
		if err != nil {
			return 0, err
		}
		return typ.OID, nil
	case types.OIDRegproc, types.OIDRegprocedure:
		if fs := n.s.srv.cfg.Registry.Functions(full.Name); len(fs) > 0 {
			if t.OID == types.OIDRegproc && len(fs) > 1 {
				return 0, sqlstate.New(sqlstate.AmbiguousFunction, "more than one function named \"%s\"", full.Name)
			}
			return fs[0].OID, nil
		}
		switch ids := system.FunctionsNamed(full.Name); {
		case len(ids) == 1:
			return ids[0], nil
		case len(ids) > 1:
			return 0, sqlstate.New(sqlstate.AmbiguousFunction, "more than one function named \"%s\"", full.Name)
		}
		return 0, sqlstate.New(sqlstate.UndefinedFunction, "function \"%s\" does not exist", text)
	}
	return 0, sqlstate.Unsupported("look-up of type %s by name", t)
}

// RegName implements types.Names.
func (n sessionNames) RegName(t *types.T, oid types.OID) (string, bool) {
	coll := n.s.collection()
	switch t.OID {
	case types.OIDRegclass:
		return n.relationName(coll, catalog.ID(oid))
	case types.OIDRegtype:
		if typ := n.s.typeByOID(oid); typ != nil {
			return n.typeName(coll, typ), true
		}
		if name := system.TypeName(oid); name != "" {
			return name, true
		}
	case types.OIDRegnamespace, types.OIDRegrole:
		if d := coll.ByID(catalog.ID(oid)); d != nil {
			return ast.QuoteIdent(d.Head().Name), true
		}
	case types.OIDRegproc, types.OIDRegprocedure:
		if f := n.s.srv.cfg.Registry.FunctionByOID(oid); f != nil {
			return f.Name, true
		}
		if name := system.FunctionName(oid); name != "" {
			return name, true
		}
	}
	return "", false
}

// typeName prints a type as format_type does: user-defined ones qualified unless
// they are visible.
func (n sessionNames) typeName(coll *catalog.Collection, t *types.T) string {
	if t.IsArray() && t.Elem != nil && types.ByOID(t.Elem.OID) == nil {
		return n.typeName(coll, t.Elem) + "[]"
	}
	if types.ByOID(t.OID) == nil {
		if visible, err := coll.Visible(&n.s.ctx, catalog.ID(t.OID)); err == nil && visible {
			return ast.QuoteIdent(t.Name)
		}
	}
	return types.FormatType(t, -1, false)
}

// relationName prints a relation or an index, qualified unless it is visible.
func (n sessionNames) relationName(coll *catalog.Collection, id catalog.ID) (string, bool) {
	d := coll.ByID(id)
	name := ""
	if rel, ok := d.(catalog.Relation); ok {
		name = rel.Head().Name
	} else if t, ok := coll.Owner(id).(*catalog.Table); ok {
		if x := t.IndexByOID(id); x != nil {
			d, name = t, x.Name
		}
	}
	if name == "" {
		return "", false
	}
	name = ast.QuoteIdent(name)
	if visible, err := coll.Visible(&n.s.ctx, id); err == nil && !visible {
		name = ast.QuoteIdent(planCatalog{coll}.SchemaName(d.Head().Schema)) + "." + name
	}
	return name, true
}

// LookupType implements types.Names.
func (n sessionNames) LookupType(oid types.OID) *types.T { return n.s.collection().TypeByOID(oid) }
