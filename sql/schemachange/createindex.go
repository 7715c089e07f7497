package schemachange

import (
	"strings"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/rowenc"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

func (x *statement) createIndex(stmt *ast.CreateIndex) error {
	switch stmt.Method {
	case "", "btree":
	case "hash", "gin", "gist", "brin", "spgist":
		return unsupportedAt(stmt.Pos, "access method %q", stmt.Method)
	default:
		return sqlstate.New(sqlstate.UndefinedObject, "access method %q does not exist", stmt.Method)
	}
	if stmt.Concurrently && !x.s.MayCommit() {
		return sqlstate.New(sqlstate.ActiveSQLTransaction, "CREATE INDEX CONCURRENTLY cannot run inside a transaction block")
	}
	if !stmt.Concurrently && !x.s.Alone() {
		return x.createIndexFenced(stmt)
	}
	rel, err := x.coll.ResolveRelation(x.ctx, catalogName(stmt.Table))
	if err != nil {
		return err
	}
	t, ok := rel.(*catalog.Table)
	if !ok {
		return noIndexOn(rel)
	}
	done, err := x.quickly(stmt, t, func(y *statement) error { return y.createIndexFenced(stmt) })
	if done || err != nil {
		return err
	}
	return x.createIndexOnline(stmt)
}

// createIndexFenced fills the index under a fence.
func (x *statement) createIndexFenced(stmt *ast.CreateIndex) error {
	t, err := x.indexTable(stmt)
	if t == nil || err != nil {
		return err
	}
	ix, err := x.newIndex(t, stmt)
	if err != nil {
		return err
	}
	t.Indexes = append(t.Indexes, *ix)
	if err := x.build(t, &t.Indexes[len(t.Indexes)-1]); err != nil {
		return err
	}
	return x.coll.Put(x.ctx, t)
}

// indexTable returns the table to be indexed, for changing; nil if the index is there and
// need not be made.
func (x *statement) indexTable(stmt *ast.CreateIndex) (*catalog.Table, error) {
	rel, err := x.coll.ResolveRelation(x.ctx, catalogName(stmt.Table))
	if err != nil {
		return nil, err
	}
	old, ok := rel.(*catalog.Table)
	if !ok {
		return nil, noIndexOn(rel)
	}
	if stmt.Name != "" {
		if ok, err := x.claimName(old.Schema, stmt.Name, stmt.IfNotExists); !ok {
			return nil, err
		}
	}
	return x.mutableTable(old.ID)
}

func noIndexOn(rel catalog.Relation) error {
	return sqlstate.New(sqlstate.WrongObjectType, "cannot create index on relation %q", rel.Head().Name).
		WithDetail("This operation is not supported for %ss.", rel.DescKind())
}

// newIndex makes the description of an index of t.
func (x *statement) newIndex(t *catalog.Table, stmt *ast.CreateIndex) (*catalog.Index, error) {
	ix := &catalog.Index{Name: stmt.Name, Unique: stmt.Unique, NullsNotDistinct: stmt.NullsNotDistinct, Options: params(stmt.With)}
	var label []string
	for _, el := range stmt.Elems {
		c := catalog.IndexColumn{Desc: el.Direction == ast.SortDesc, Collation: el.Collation.Name, OpClass: el.OpClass.Name}
		c.NullsFirst = el.Nulls == ast.NullsFirst || el.Nulls == ast.NullsDefault && c.Desc
		if el.Column != "" {
			col, _, ok := t.ColumnByName(el.Column)
			if !ok || col.Hidden {
				return nil, sqlstate.New(sqlstate.UndefinedColumn, "column %q does not exist", el.Column).At(int(el.Pos))
			}
			c.Num, c.Type = col.Num, col.Type
			label = append(label, col.Name)
		} else {
			bound, err := x.bindOver(t, "index expressions", el.Expr)
			if err != nil {
				return nil, err
			}
			if expr.VolatilityOf(bound[0]) != expr.Immutable {
				return nil, sqlstate.New(sqlstate.InvalidObjectDefinition, "functions in index expression must be marked IMMUTABLE").At(int(el.Expr.Position()))
			}
			e := expr.ToKnown(x.s.EvalContext().Settings, bound[0])
			c.Type = e.Type()
			c.Expr = &catalog.Expr{SQL: ast.Format(el.Expr), Columns: columnsOf(t, e)}
			word := "expr"
			if f, ok := el.Expr.(*ast.FuncCall); ok {
				word = f.Name.Name
			}
			label = append(label, word)
		}
		if err := indexable(c.Type); err != nil {
			return nil, err
		}
		ix.Columns = append(ix.Columns, c)
	}
	for _, el := range stmt.Include {
		col, _, ok := t.ColumnByName(el.Column)
		switch {
		case el.Column == "":
			return nil, sqlstate.New(sqlstate.FeatureNotSupported, "expressions are not supported in included columns").At(int(el.Pos))
		case !ok || col.Hidden:
			return nil, sqlstate.New(sqlstate.UndefinedColumn, "column %q does not exist", el.Column).At(int(el.Pos))
		}
		ix.Include = append(ix.Include, col.Num)
		label = append(label, col.Name)
	}
	if stmt.Where != nil {
		bound, err := x.bindOver(t, "index predicates", stmt.Where)
		if err != nil {
			return nil, err
		}
		p, err := expr.ToBool(x.s.EvalContext().Settings, bound[0], "WHERE")
		if err != nil {
			return nil, err
		}
		if expr.VolatilityOf(p) != expr.Immutable {
			return nil, sqlstate.New(sqlstate.InvalidObjectDefinition, "functions in index predicate must be marked IMMUTABLE").At(int(stmt.Where.Position()))
		}
		ix.Predicate = &catalog.Expr{SQL: ast.Format(stmt.Where), Columns: columnsOf(t, p)}
	}
	var err error
	if ix.Name == "" {
		ix.Name, err = x.chooseName(t.Schema, t.Name, strings.Join(label, "_"), "idx", nil)
		if err != nil {
			return nil, err
		}
	}
	if ix.OID, err = x.newID(); err != nil {
		return nil, err
	}
	ix.ID = uint32(ix.OID)
	return ix, nil
}

// build writes the entries of new indexes of t for the rows that are there.
func (x *statement) build(t *catalog.Table, indexes ...*catalog.Index) error {
	codec := rowenc.Of(t)
	var writers []*indexWriter
	for _, ix := range indexes {
		w, err := x.newIndexWriter(t, codec, ix)
		if err != nil {
			return err
		}
		writers = append(writers, w)
	}
	f := x.newFiller(t, indexes...)
	err := x.eachRow(t, func(row types.Row, _, _ []byte) error {
		for _, w := range writers {
			if err := w.add(f, row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		f.abandon()
		return err
	}
	if err := f.finish(t); err != nil {
		return err
	}
	for _, w := range writers {
		if err := x.verify(t, w.ix, &w.unique); err != nil {
			return err
		}
	}
	return nil
}
