package schemachange

import (
	"slices"
	"strings"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// bindQuery binds a query and describes its result as columns of a relation.
func (x *statement) bindQuery(q ast.Statement, names []ast.Name) ([]catalog.Column, []catalog.Relation, error) {
	pc := *x.s.PlanContext()
	pc.ParamTypes = nil
	l, err := plan.Bind(x.ctx, &pc, q)
	if err != nil {
		return nil, nil, err
	}
	if len(l.Params) > 0 {
		return nil, nil, sqlstate.New(sqlstate.UndefinedParameter, "there is no parameter $1")
	}
	if len(names) > len(l.Result) {
		return nil, nil, sqlstate.New(sqlstate.SyntaxError, "too many column names were specified")
	}
	var cols []catalog.Column
	for i, r := range l.Result {
		c := catalog.Column{Num: catalog.AttNum(i + 1), Name: r.Name, Type: r.T}
		if i < len(names) {
			c.Name = names[i].Text
		}
		if slices.ContainsFunc(cols, func(o catalog.Column) bool { return o.Name == c.Name }) {
			return nil, nil, sqlstate.New(sqlstate.DuplicateColumn, "column %q specified more than once", c.Name)
		}
		if c.Type.OID == types.OIDUnknown {
			c.Type = types.Text
		}
		cols = append(cols, c)
	}
	return cols, l.Relations, nil
}

func (x *statement) createView(stmt *ast.CreateView) error {
	switch {
	case stmt.Recursive:
		return unsupportedAt(stmt.Pos, "CREATE RECURSIVE VIEW")
	case stmt.Check != "":
		return unsupportedAt(stmt.Pos, "WITH CHECK OPTION")
	}
	cols, rels, err := x.bindQuery(stmt.Query, stmt.Columns)
	if err != nil {
		return err
	}
	if temp := x.coll.Path.TempSchema; temp != 0 && !isTemp(stmt.Persistence, stmt.Name) &&
		slices.ContainsFunc(rels, func(r catalog.Relation) bool { return r.Head().Schema == temp }) {
		x.notice("00000", "view %q will be a temporary view", stmt.Name.Name)
		stmt.Persistence = ast.Temporary
	}
	schema, err := x.schemaFor(stmt.Persistence, stmt.Name)
	if err != nil {
		return err
	}
	text := strings.TrimRight(strings.TrimSpace(stmt.Text), ";")
	if text == "" {
		text = ast.Format(stmt.Query)
	}
	if len(stmt.Columns) > 0 {
		// The names belong to the view and not to the query.
		text = ast.Format(stmt.Query)
	}
	v := &catalog.View{Columns: cols, Query: text, SearchPath: slices.Clone(x.coll.Path.Schemas), Options: params(stmt.With)}
	for _, r := range rels {
		if id := r.Head().ID; id >= catalog.FirstUserID {
			v.DependsOn = append(v.DependsOn, catalog.Dependency{ID: id})
		}
	}
	id, err := x.coll.NameTaken(x.ctx, schema.ID, stmt.Name.Name)
	if err != nil {
		return err
	}
	if id != 0 {
		old, isView := x.coll.ByID(id).(*catalog.View)
		switch {
		case !stmt.OrReplace:
			_, err = x.claimName(schema.ID, stmt.Name.Name, false)
			return err
		case !isView:
			return sqlstate.New(sqlstate.WrongObjectType, "%q is not a view", stmt.Name.Name)
		}
		if err := replaceable(old, cols); err != nil {
			return err
		}
		m, err := x.mutable(old.ID)
		if err != nil {
			return err
		}
		v.Header, v.TypeOID = *m.Head(), old.TypeOID
		return x.coll.Put(x.ctx, v)
	}
	if v.ID, err = x.newID(); err != nil {
		return err
	}
	if v.TypeOID, err = x.newID(); err != nil {
		return err
	}
	v.Header = x.header(v.ID, stmt.Name.Name, schema)
	return x.coll.Put(x.ctx, v)
}

// replaceable reports whether CREATE OR REPLACE VIEW may give a view these columns.
func replaceable(old *catalog.View, cols []catalog.Column) error {
	if len(cols) < len(old.Columns) {
		return sqlstate.New(sqlstate.InvalidTableDefinition, "cannot drop columns from view")
	}
	for i, c := range old.Columns {
		if c.Name != cols[i].Name {
			return sqlstate.New(sqlstate.InvalidTableDefinition, "cannot change name of view column %q to %q", c.Name, cols[i].Name).
				WithHint("Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead.")
		}
		if !c.Type.Identical(cols[i].Type) {
			return sqlstate.New(sqlstate.InvalidTableDefinition, "cannot change data type of view column %q from %s to %s", c.Name,
				types.FormatType(c.Type, c.Type.Typmod, true), types.FormatType(cols[i].Type, cols[i].Type.Typmod, true))
		}
	}
	return nil
}

func (x *statement) createTableAs(stmt *ast.CreateTableAs) error {
	q, ok := stmt.Query.(*ast.Select)
	if !ok {
		return unsupportedAt(stmt.Pos, "CREATE TABLE AS EXECUTE")
	}
	schema, err := x.schemaFor(stmt.Persistence, stmt.Name)
	if err != nil {
		return err
	}
	if ok, err := x.claimName(schema.ID, stmt.Name.Name, stmt.IfNotExists); !ok {
		return err
	}
	cols, rels, err := x.bindQuery(q, stmt.Columns)
	if err != nil {
		return err
	}
	t, err := x.newTable(stmt.Name.Name, schema)
	if err != nil {
		return err
	}
	t.Columns, t.Options = cols, params(stmt.With)
	if stmt.Persistence == ast.Unlogged {
		t.Persistence = 'u'
	}
	if err := makeTemp(t, schema.ID == x.coll.Path.TempSchema, stmt.OnCommit); err != nil {
		return err
	}
	if err := x.finishTable(t, nil, nil); err != nil {
		return err
	}
	if stmt.Materialized {
		makeMaterialized(t, q, x.coll.Path.Schemas, rels)
		t.Populated = !stmt.NoData
		if err := x.coll.Put(x.ctx, t); err != nil || stmt.NoData {
			return err
		}
		return x.fillMaterialized(t)
	}
	if stmt.NoData {
		return nil
	}
	return x.s.Query(x.ctx, "INSERT INTO "+types.QuoteIdent(schema.Name)+"."+types.QuoteIdent(t.Name)+" "+ast.Format(q))
}
