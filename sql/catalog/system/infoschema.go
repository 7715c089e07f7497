package system

import (
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/types"
)

// This file has information_schema: the views of the SQL standard over the
// catalog, with PostgreSQL's names, orders and gaps.

func yesNo(b bool) types.Datum {
	if b {
		return text("YES")
	}
	return text("NO")
}

// catalogName is the session's database.
func catalogName(r *reader) types.Datum {
	if db := r.cat.CurrentDatabase(); db != nil {
		return text(db.Name)
	}
	return types.Null
}

func isCatalogName(r *reader) error {
	r.set("catalog_name", catalogName(r))
	return r.emit()
}

func isSchemata(r *reader) error {
	for _, sc := range r.schemas() {
		r.set("catalog_name", catalogName(r))
		r.set("schema_name", text(sc.Name))
		r.set("schema_owner", text(roleName(r, ownerOf(&sc.Header))))
		if err := r.emit(); err != nil {
			return err
		}
	}
	return nil
}

// visibleRelations calls f for tables and views.
func visibleRelations(r *reader, f func(catalog.Relation, *catalog.Header) error) error {
	return r.relations("", "", func(rel catalog.Relation) error {
		if k := rel.RelKind(); k != 'r' && k != 'v' {
			return nil
		}
		return f(rel, rel.Head())
	})
}

func isTables(r *reader) error {
	return visibleRelations(r, func(rel catalog.Relation, h *catalog.Header) error {
		_, base := rel.(*catalog.Table)
		r.set("table_catalog", catalogName(r))
		r.set("table_schema", text(SchemaName(r.cat, h.Schema)))
		r.set("table_name", text(h.Name))
		kind := "BASE TABLE"
		if rel.RelKind() == 'v' {
			kind = "VIEW"
		} else if t, ok := rel.(*catalog.Table); ok && t.Persistence == 't' {
			kind = "LOCAL TEMPORARY"
		}
		r.set("table_type", text(kind))
		r.set("is_insertable_into", yesNo(base))
		r.set("is_typed", yesNo(false))
		return r.emit()
	})
}

func isViews(r *reader) error {
	return r.relations("", "", func(rel catalog.Relation) error {
		v, ok := rel.(*catalog.View)
		if !ok {
			return nil
		}
		r.set("table_catalog", catalogName(r))
		r.set("table_schema", text(SchemaName(r.cat, v.Schema)))
		r.set("table_name", text(v.Name))
		r.set("view_definition", text(r.definer().ViewQuery(r.ctx, r.cat, v, false)))
		r.set("check_option", text("NONE"))
		for _, name := range []string{"is_updatable", "is_insertable_into", "is_trigger_updatable", "is_trigger_deletable", "is_trigger_insertable_into"} {
			r.set(name, yesNo(false))
		}
		return r.emit()
	})
}

func isSequences(r *reader) error {
	return each(r, func(s *catalog.Sequence) error {
		if s.Identity {
			return nil
		}
		r.set("sequence_catalog", catalogName(r))
		r.set("sequence_schema", text(SchemaName(r.cat, s.Schema)))
		r.set("sequence_name", text(s.Name))
		r.set("data_type", text(types.FormatType(s.Type, -1, false)))
		r.set("numeric_precision", number(map[types.OID]int64{types.OIDInt2: 16, types.OIDInt4: 32, types.OIDInt8: 64}[s.Type.OID]))
		r.set("numeric_precision_radix", number(2))
		r.set("numeric_scale", number(0))
		r.set("start_value", text(itoa(int(s.Start))))
		r.set("minimum_value", text(itoa(int(s.Min))))
		r.set("maximum_value", text(itoa(int(s.Max))))
		r.set("increment", text(itoa(int(s.Increment))))
		r.set("cycle_option", yesNo(s.Cycle))
		return r.emit()
	})
}

func isColumns(r *reader) error {
	return visibleRelations(r, func(rel catalog.Relation, h *catalog.Header) error {
		table, base := rel.(*catalog.Table)
		cols := rel.Cols()
		for i := range cols {
			c := &cols[i]
			if c.Dropped || c.Hidden {
				continue
			}
			t := c.Type
			r.set("table_catalog", catalogName(r))
			r.set("table_schema", text(SchemaName(r.cat, h.Schema)))
			r.set("table_name", text(h.Name))
			r.set("column_name", text(c.Name))
			r.set("ordinal_position", number(int64(c.Num)))
			if c.Default != nil && c.Identity == 0 {
				r.set("column_default", text(r.definer().Expr(r.ctx, r.cat, table, c.Default.SQL, c.Type, false)))
			}
			r.set("is_nullable", yesNo(!c.NotNull))
			setTypeColumns(r, t)
			r.set("dtd_identifier", text(itoa(int(c.Num))))
			r.set("is_self_referencing", yesNo(false))
			r.set("is_identity", yesNo(c.Identity != 0))
			switch c.Identity {
			case 'a':
				r.set("identity_generation", text("ALWAYS"))
			case 'd':
				r.set("identity_generation", text("BY DEFAULT"))
			}
			if s, ok := r.cat.ByID(c.Sequence).(*catalog.Sequence); ok && c.Identity != 0 {
				r.set("identity_start", text(itoa(int(s.Start))))
				r.set("identity_increment", text(itoa(int(s.Increment))))
				r.set("identity_maximum", text(itoa(int(s.Max))))
				r.set("identity_minimum", text(itoa(int(s.Min))))
			}
			r.set("identity_cycle", yesNo(false))
			r.set("is_generated", text("NEVER"))
			if c.Generated != nil {
				r.set("is_generated", text("ALWAYS"))
				r.set("generation_expression", text(r.definer().Expr(r.ctx, r.cat, table, c.Generated.SQL, c.Type, false)))
			}
			r.set("is_updatable", yesNo(base))
			if err := r.emit(); err != nil {
				return err
			}
		}
		return nil
	})
}

// setTypeColumns fills in what information_schema says of a type.
func setTypeColumns(r *reader, t *types.T) {
	dataType := types.FormatType(t, -1, false)
	switch {
	case t.Family == types.FamArray && t.OID != types.OIDInt2Vector && t.OID != types.OIDOidVector:
		dataType = "ARRAY"
	case t.Schema != "":
		dataType = "USER-DEFINED"
	}
	r.set("data_type", text(dataType))
	r.set("udt_catalog", catalogName(r))
	schema := t.Schema
	if schema == "" {
		schema = catalog.PgCatalogName
	}
	r.set("udt_schema", text(schema))
	r.set("udt_name", text(t.Name))
	switch t.OID {
	case types.OIDInt2, types.OIDInt4, types.OIDInt8:
		r.set("numeric_precision", number(int64(t.Len)*8))
		r.set("numeric_precision_radix", number(2))
		r.set("numeric_scale", number(0))
	case types.OIDFloat4, types.OIDFloat8:
		r.set("numeric_precision", number(map[types.OID]int64{types.OIDFloat4: 24, types.OIDFloat8: 53}[t.OID]))
		r.set("numeric_precision_radix", number(2))
	case types.OIDNumeric:
		r.set("numeric_precision_radix", number(10))
		if t.Typmod >= 4 {
			r.set("numeric_precision", number(int64((t.Typmod-4)>>16)))
			r.set("numeric_scale", number(int64((t.Typmod-4)&0x7ff)))
		}
	case types.OIDVarchar, types.OIDBpchar:
		if t.Typmod >= 4 {
			r.set("character_maximum_length", number(int64(t.Typmod-4)))
			r.set("character_octet_length", number(4*int64(t.Typmod-4)))
		} else {
			r.set("character_octet_length", number(1<<30))
		}
	case types.OIDText:
		r.set("character_octet_length", number(1<<30))
	case types.OIDDate:
		r.set("datetime_precision", number(0))
	case types.OIDTime, types.OIDTimeTZ, types.OIDTimestamp, types.OIDTimestampTZ, types.OIDInterval:
		precision := int64(6)
		if t.Typmod >= 0 && t.Typmod&0xffff <= 6 {
			precision = int64(t.Typmod & 0xffff)
		}
		r.set("datetime_precision", number(precision))
	}
}

// eachConstraint calls f for every constraint of the session's database.
func eachConstraint(r *reader, f func(k constraint) error) error {
	return r.tables("", func(t *catalog.Table) error { return constraintsOf(t, f) })
}

// setConstraint fills in the three columns that name a constraint.
func setConstraint(r *reader, k *constraint) {
	r.set("constraint_catalog", catalogName(r))
	r.set("constraint_schema", text(SchemaName(r.cat, k.table.Schema)))
	r.set("constraint_name", text(k.name))
}

// setTable fills in the three columns that name a table.
func setTable(r *reader, t *catalog.Table) {
	r.set("table_catalog", catalogName(r))
	r.set("table_schema", text(SchemaName(r.cat, t.Schema)))
	r.set("table_name", text(t.Name))
}

var constraintTypes = map[byte]string{'p': "PRIMARY KEY", 'u': "UNIQUE", 'c': "CHECK", 'f': "FOREIGN KEY"}

func isTableConstraints(r *reader) error {
	return r.tables("", func(t *catalog.Table) error {
		emit := func(k *constraint, kind string) error {
			setConstraint(r, k)
			setTable(r, t)
			r.set("constraint_type", text(kind))
			deferrable, deferred := false, false
			if k.index != nil {
				deferrable, deferred = k.index.Deferrable, k.index.Deferred
			} else if k.fk != nil {
				deferrable, deferred = k.fk.Deferrable, k.fk.Deferred
			}
			r.set("is_deferrable", yesNo(deferrable))
			r.set("initially_deferred", yesNo(deferred))
			r.set("enforced", yesNo(true))
			if k.kind == 'u' {
				r.set("nulls_distinct", yesNo(!k.index.NullsNotDistinct))
			}
			return r.emit()
		}
		if err := constraintsOf(t, func(k constraint) error { return emit(&k, constraintTypes[k.kind]) }); err != nil {
			return err
		}
		return notNulls(t, func(name string, _ *catalog.Column) error {
			return emit(&constraint{name: name, table: t, kind: 'n'}, "CHECK")
		})
	})
}

// notNulls calls f for the NOT NULL columns of a table with the name that
// information_schema gives to their constraint.
func notNulls(t *catalog.Table, f func(name string, c *catalog.Column) error) error {
	for _, c := range t.Live {
		if !c.NotNull || c.Hidden {
			continue
		}
		name := itoa(int(t.Schema)) + "_" + itoa(int(t.ID)) + "_" + itoa(int(c.Num)) + "_not_null"
		if err := f(name, c); err != nil {
			return err
		}
	}
	return nil
}

func isCheckConstraints(r *reader) error {
	return r.tables("", func(t *catalog.Table) error {
		for i := range t.Checks {
			k := constraint{name: t.Checks[i].Name, table: t}
			setConstraint(r, &k)
			r.set("check_clause", text("("+r.definer().Expr(r.ctx, r.cat, t, t.Checks[i].Expr.SQL, types.Bool, false)+")"))
			if err := r.emit(); err != nil {
				return err
			}
		}
		return notNulls(t, func(name string, c *catalog.Column) error {
			setConstraint(r, &constraint{name: name, table: t})
			r.set("check_clause", text(types.QuoteIdent(c.Name)+" IS NOT NULL"))
			return r.emit()
		})
	})
}

func isKeyColumnUsage(r *reader) error {
	return eachConstraint(r, func(k constraint) error {
		if k.kind == 'c' {
			return nil
		}
		for i, num := range k.columns() {
			c := k.table.Column(num)
			if c == nil {
				continue
			}
			setConstraint(r, &k)
			setTable(r, k.table)
			r.set("column_name", text(c.Name))
			r.set("ordinal_position", number(int64(i+1)))
			if k.fk != nil {
				r.set("position_in_unique_constraint", number(int64(positionInKey(r, k.fk, i))))
			}
			if err := r.emit(); err != nil {
				return err
			}
		}
		return nil
	})
}

// positionInKey returns where in the referenced key the i-th column of a foreign
// key points, from 1.
func positionInKey(r *reader, fk *catalog.ForeignKey, i int) int {
	if ref := r.cat.Table(fk.RefTable); ref != nil {
		if x := ref.IndexByOID(fk.RefIndex); x != nil {
			for j := range x.Columns {
				if x.Columns[j].Num == fk.RefColumns[i] {
					return j + 1
				}
			}
		}
	}
	return i + 1
}

func isConstraintColumnUsage(r *reader) error {
	return eachConstraint(r, func(k constraint) error {
		t, nums := k.table, k.columns()
		if k.fk != nil {
			t, nums = r.cat.Table(k.fk.RefTable), k.fk.RefColumns
		}
		if t == nil {
			return nil
		}
		for _, num := range nums {
			c := t.Column(num)
			if c == nil {
				continue
			}
			setConstraint(r, &k)
			setTable(r, t)
			r.set("column_name", text(c.Name))
			if err := r.emit(); err != nil {
				return err
			}
		}
		return nil
	})
}

var referentialActions = map[catalog.FKAction]string{
	catalog.FKNoAction: "NO ACTION", catalog.FKRestrict: "RESTRICT", catalog.FKCascade: "CASCADE", catalog.FKSetNull: "SET NULL", catalog.FKSetDefault: "SET DEFAULT",
}

func isReferentialConstraints(r *reader) error {
	return eachConstraint(r, func(k constraint) error {
		if k.fk == nil {
			return nil
		}
		setConstraint(r, &k)
		if ref := r.cat.Table(k.fk.RefTable); ref != nil {
			r.set("unique_constraint_catalog", catalogName(r))
			if x := ref.IndexByOID(k.fk.RefIndex); x != nil && x.Constraint != 0 {
				r.set("unique_constraint_schema", text(SchemaName(r.cat, ref.Schema)))
				r.set("unique_constraint_name", text(x.Name))
			}
		}
		r.set("match_option", text("NONE"))
		if k.fk.MatchFull {
			r.set("match_option", text("FULL"))
		}
		r.set("update_rule", text(referentialActions[k.fk.OnUpdate]))
		r.set("delete_rule", text(referentialActions[k.fk.OnDelete]))
		return r.emit()
	})
}
