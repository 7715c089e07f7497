package ast

import "fmt"

func (f *formatter) query(q *Select) {
	f.with(q.With)
	if core, ok := q.Body.(*SelectCore); ok {
		f.core(core, q.Into)
	} else {
		f.body(q.Body)
	}
	f.tails(q)
}

func (f *formatter) tails(q *Select) {
	if q.OrderBy != nil {
		f.w(" ORDER BY ")
		f.sorts(q.OrderBy)
	}
	if q.WithTies {
		if q.Offset != nil {
			f.w(" OFFSET ")
			f.expr(q.Offset, lvAny)
		}
		f.w(" FETCH FIRST ")
		f.expr(q.Limit, lvSign)
		f.w(" ROWS WITH TIES")
	} else {
		if q.Limit != nil {
			f.w(" LIMIT ")
			f.expr(q.Limit, lvAny)
		}
		if q.Offset != nil {
			f.w(" OFFSET ")
			f.expr(q.Offset, lvAny)
		}
	}
	for _, l := range q.Locking {
		f.w([...]string{ForKeyShare: " FOR KEY SHARE", ForShare: " FOR SHARE", ForNoKeyUpdate: " FOR NO KEY UPDATE", ForUpdate: " FOR UPDATE"}[l.Strength])
		if l.Of != nil {
			f.w(" OF ")
			f.objectNames(l.Of)
		}
		f.w([...]string{"", " SKIP LOCKED", " NOWAIT"}[l.Wait])
	}
	if q.AsOf != nil {
		f.w(" AS OF SYSTEM TIME ")
		f.expr(q.AsOf, lvAny)
	}
}

func (f *formatter) with(w *With) {
	if w == nil {
		return
	}
	f.w("WITH ")
	f.wIf(w.Recursive, "RECURSIVE ")
	f.list(len(w.CTEs), func(i int) {
		c := w.CTEs[i]
		f.ident(c.Name)
		f.nameList(c.Columns)
		f.w([...]string{" AS (", " AS MATERIALIZED (", " AS NOT MATERIALIZED ("}[c.Materialize])
		f.statement(c.Statement)
		f.w(")")
	})
	f.w(" ")
}

// body writes a query's body; a Select as one gets parentheses.
func (f *formatter) body(b QueryBody) {
	switch b := b.(type) {
	case *SelectCore:
		f.core(b, nil)
	case *Values:
		f.w("VALUES ")
		f.list(len(b.Rows), func(i int) {
			f.w("(")
			f.exprs(b.Rows[i])
			f.w(")")
		})
	case *SetOp:
		f.setOperand(b, b.Left, false)
		f.w([...]string{" UNION ", " INTERSECT ", " EXCEPT "}[b.Kind])
		f.wIf(b.All, "ALL ")
		f.setOperand(b, b.Right, true)
	case *Select:
		f.w("(")
		f.query(b)
		f.w(")")
	default:
		panic(fmt.Sprintf("ast: Format of %T", b))
	}
}

func (f *formatter) setOperand(op *SetOp, b QueryBody, right bool) {
	inner, ok := b.(*SetOp)
	if ok && (right || op.Kind == Intersect && inner.Kind != Intersect) &&
		!(right && op.Kind != Intersect && inner.Kind == Intersect) {
		f.w("(")
		f.body(b)
		f.w(")")
		return
	}
	f.body(b)
}

func (f *formatter) core(s *SelectCore, into *Into) {
	f.w("SELECT")
	f.wIf(s.Distinct, " DISTINCT")
	if s.DistinctOn != nil {
		f.w(" ON (")
		f.exprs(s.DistinctOn)
		f.w(")")
	}
	f.wIf(len(s.Targets) > 0, " ")
	f.targets(s.Targets)
	if into != nil {
		f.w(" INTO ", persistenceWord(into.Persistence))
		f.name(into.Name)
	}
	if s.From != nil {
		f.w(" FROM ")
		f.tables(s.From)
	}
	if s.Where != nil {
		f.w(" WHERE ")
		f.expr(s.Where, lvAny)
	}
	if s.GroupBy != nil {
		f.w(" GROUP BY ")
		f.wIf(s.GroupDistinct, "DISTINCT ")
		f.exprs(s.GroupBy)
	}
	if s.Having != nil {
		f.w(" HAVING ")
		f.expr(s.Having, lvAny)
	}
	if s.Windows != nil {
		f.w(" WINDOW ")
		f.list(len(s.Windows), func(i int) {
			f.ident(s.Windows[i].Name)
			f.w(" AS ")
			f.window(s.Windows[i])
		})
	}
}

func (f *formatter) targets(list []*Target) {
	f.list(len(list), func(i int) { f.target(list[i]) })
}

func (f *formatter) target(t *Target) {
	f.expr(t.Expr, lvAny)
	if t.As != "" {
		f.w(" AS ")
		f.ident(t.As)
	}
}

func (f *formatter) tables(list []TableExpr) {
	f.list(len(list), func(i int) { f.table(list[i]) })
}

func (f *formatter) alias(a Alias) {
	if a.Name == "" {
		return
	}
	f.w(" AS ")
	f.ident(a.Name)
	f.nameList(a.Columns)
}

func (f *formatter) columnTypes(cols []ColumnType) {
	f.w("(")
	f.list(len(cols), func(i int) {
		f.ident(cols[i].Name)
		f.w(" ")
		f.typeName(cols[i].Type)
		if !cols[i].Collation.IsZero() {
			f.w(" COLLATE ")
			f.name(cols[i].Collation)
		}
	})
	f.w(")")
}

func (f *formatter) table(t TableExpr) {
	switch t := t.(type) {
	case *TableRef:
		f.wIf(t.Only, "ONLY ")
		f.name(t.Name)
		f.alias(t.Alias)
		if s := t.Sample; s != nil {
			f.w(" TABLESAMPLE ")
			f.name(s.Method)
			f.w("(")
			f.exprs(s.Args)
			f.w(")")
			if s.Repeatable != nil {
				f.w(" REPEATABLE (")
				f.expr(s.Repeatable, lvAny)
				f.w(")")
			}
		}
	case *SubqueryTable:
		f.wIf(t.Lateral, "LATERAL ")
		f.w("(")
		f.query(t.Query)
		f.w(")")
		f.alias(t.Alias)
	case *FuncTable:
		f.wIf(t.Lateral, "LATERAL ")
		f.wIf(t.RowsFrom, "ROWS FROM (")
		f.list(len(t.Funcs), func(i int) {
			if c, ok := t.Funcs[i].Func.(*Cast); ok { // x::type is no function call
				f.w("CAST(")
				f.expr(c.X, lvAny)
				f.w(" AS ")
				f.typeName(c.Type)
				f.w(")")
			} else {
				f.expr(t.Funcs[i].Func, lvAny)
			}
			if t.Funcs[i].ColumnDefs != nil {
				f.w(" AS ")
				f.columnTypes(t.Funcs[i].ColumnDefs)
			}
		})
		f.wIf(t.RowsFrom, ")")
		f.wIf(t.Ordinality, " WITH ORDINALITY")
		f.alias(t.Alias)
		if t.ColumnDefs != nil {
			f.wIf(t.Alias.Name == "", " AS")
			f.w(" ")
			f.columnTypes(t.ColumnDefs)
		}
	case *Join:
		f.wIf(t.Alias.Name != "", "(")
		f.table(t.Left)
		f.wIf(t.Natural, " NATURAL")
		f.w([...]string{" JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN ", " CROSS JOIN "}[t.Kind])
		if r, ok := t.Right.(*Join); ok && r.Alias.Name == "" {
			f.w("(")
			f.table(r)
			f.w(")")
		} else {
			f.table(t.Right)
		}
		switch {
		case t.Using != nil:
			f.w(" USING")
			f.nameList(t.Using)
			if t.UsingAlias != "" {
				f.w(" AS ")
				f.ident(t.UsingAlias)
			}
		case t.On != nil:
			f.w(" ON ")
			f.expr(t.On, lvAny)
		}
		if t.Alias.Name != "" {
			f.w(")")
			f.alias(t.Alias)
		}
	default:
		panic(fmt.Sprintf("ast: Format of %T", t))
	}
}

func (f *formatter) dmlTarget(t *TableRef) {
	f.wIf(t.Only, "ONLY ")
	f.name(t.Name)
	f.alias(t.Alias)
}

func (f *formatter) returning(list []*Target) {
	if list != nil {
		f.w(" RETURNING ")
		f.targets(list)
	}
}

func (f *formatter) insert(s *Insert) {
	f.with(s.With)
	f.w("INSERT INTO ")
	f.dmlTarget(s.Table)
	if s.Columns != nil {
		f.w(" (")
		f.columns(s.Columns)
		f.w(")")
	}
	f.w([...]string{"", " OVERRIDING USER VALUE", " OVERRIDING SYSTEM VALUE"}[s.Overriding])
	if s.Source == nil {
		f.w(" DEFAULT VALUES")
	} else {
		f.w(" ")
		f.query(s.Source)
	}
	if c := s.OnConflict; c != nil {
		f.w(" ON CONFLICT")
		if c.Elems != nil {
			f.w(" (")
			f.indexElems(c.Elems)
			f.w(")")
		}
		if c.Where != nil {
			f.w(" WHERE ")
			f.expr(c.Where, lvAny)
		}
		if c.Constraint != "" {
			f.w(" ON CONSTRAINT ")
			f.ident(c.Constraint)
		}
		if c.DoUpdate {
			f.w(" DO UPDATE SET ")
			f.assignments(c.Set)
			if c.UpdateWhere != nil {
				f.w(" WHERE ")
				f.expr(c.UpdateWhere, lvAny)
			}
		} else {
			f.w(" DO NOTHING")
		}
	}
	f.returning(s.Returning)
}

func (f *formatter) columns(cols []*InsertColumn) {
	f.list(len(cols), func(i int) {
		f.ident(cols[i].Name)
		for _, ind := range cols[i].Indirection {
			if ind.Field != "" {
				f.w(".")
				f.ident(ind.Field)
			} else {
				f.index(ind.Index)
			}
		}
	})
}

func (f *formatter) assignments(set []*Assignment) {
	f.list(len(set), func(i int) {
		f.wIf(set[i].Multi, "(")
		f.columns(set[i].Columns)
		f.wIf(set[i].Multi, ")")
		f.w(" = ")
		f.expr(set[i].Value, lvAny)
	})
}

func (f *formatter) update(s *Update) {
	f.with(s.With)
	f.w("UPDATE ")
	f.dmlTarget(s.Table)
	f.w(" SET ")
	f.assignments(s.Set)
	if s.From != nil {
		f.w(" FROM ")
		f.tables(s.From)
	}
	f.where(s.Where)
	f.returning(s.Returning)
}

func (f *formatter) delete(s *Delete) {
	f.with(s.With)
	f.w("DELETE FROM ")
	f.dmlTarget(s.Table)
	if s.Using != nil {
		f.w(" USING ")
		f.tables(s.Using)
	}
	f.where(s.Where)
	f.returning(s.Returning)
}

func (f *formatter) where(e Expr) {
	if e != nil {
		f.w(" WHERE ")
		f.expr(e, lvAny)
	}
}

func persistenceWord(p Persistence) string {
	return [...]string{"", "TEMPORARY ", "UNLOGGED "}[p]
}
