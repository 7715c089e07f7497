package schemachange

import (
	"slices"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// A materialized view is a table that remembers a query and is written by REFRESH alone.
// That gives its indexes new ids, as TRUNCATE does, and inserts the rows of the query: the
// binder takes the view for its query where it fills it (plan.Context.Refresh), and for a
// table everywhere else.

// makeMaterialized makes a new table a materialized view.
func makeMaterialized(t *catalog.Table, q *ast.Select, path []string, rels []catalog.Relation) {
	t.Query, t.QueryPath = ast.Format(q), slices.Clone(path)
	for _, r := range rels {
		if id := r.Head().ID; id >= catalog.FirstUserID {
			t.QueryDeps = append(t.QueryDeps, catalog.Dependency{ID: id})
		}
	}
}

// refresh is REFRESH MATERIALIZED VIEW.
func (x *statement) refresh(stmt *ast.RefreshMaterializedView) error {
	rel, err := x.coll.ResolveRelation(x.ctx, catalogName(stmt.Name))
	if err != nil {
		return err
	}
	old, ok := rel.(*catalog.Table)
	if !ok || !old.Materialized() {
		return sqlstate.New(sqlstate.FeatureNotSupported, "%q is not a materialized view", rel.Head().Name)
	}
	if stmt.Concurrently {
		switch {
		case stmt.NoData:
			return sqlstate.New(sqlstate.SyntaxError, "CONCURRENTLY and WITH NO DATA options cannot be used together")
		case !old.Populated:
			return sqlstate.New(sqlstate.FeatureNotSupported, "CONCURRENTLY cannot be used when the materialized view is not populated")
		case !slices.ContainsFunc(old.Indexes, func(ix catalog.Index) bool {
			return ix.Unique && ix.Predicate == nil && !slices.ContainsFunc(ix.Columns, func(c catalog.IndexColumn) bool { return c.Num == 0 })
		}):
			return sqlstate.New(sqlstate.ObjectNotInPrereqState, "cannot refresh materialized view %q concurrently", x.schemaName(old.Schema)+"."+old.Name).
				WithHint("Create a unique index with no WHERE clause on one or more columns of the materialized view.")
		}
	}
	t, err := x.mutableTable(old.ID)
	if err != nil {
		return err
	}
	if err := x.renumber(t); err != nil {
		return err
	}
	t.Populated = !stmt.NoData
	if err := x.coll.Put(x.ctx, t); err != nil || stmt.NoData {
		return err
	}
	return x.fillMaterialized(t)
}

// fillMaterialized inserts the rows of the query.
func (x *statement) fillMaterialized(t *catalog.Table) error {
	name := types.QuoteIdent(x.schemaName(t.Schema)) + "." + types.QuoteIdent(t.Name)
	return x.s.Refresh(x.ctx, t.ID, "INSERT INTO "+name+" SELECT * FROM "+name)
}

// dependencies returns what the query of a view depends on, nil for other objects.
func dependencies(d catalog.Descriptor) []catalog.Dependency {
	switch d := d.(type) {
	case *catalog.View:
		return d.DependsOn
	case *catalog.Table:
		return d.QueryDeps
	}
	return nil
}

// dependsOn reports whether the query of a view needs an object.
func dependsOn(d catalog.Descriptor, id catalog.ID) bool {
	return slices.ContainsFunc(dependencies(d), func(dep catalog.Dependency) bool { return dep.ID == id })
}

// word is what messages call an object.
func word(d catalog.Descriptor) string {
	if t, ok := d.(*catalog.Table); ok && t.Materialized() {
		return "materialized view"
	}
	return d.DescKind().String()
}
