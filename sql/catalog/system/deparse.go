package system

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/types"
)

// This file writes definitions as SQL: what pg_get_indexdef and
// pg_get_constraintdef return (PostgreSQL's ruleutils.c).

// QualifiedName returns the name of a relation, with its schema unless the
// search path shows it.
func QualifiedName(ctx context.Context, c *catalog.Collection, h *catalog.Header, always bool) string {
	if !always {
		if visible, err := c.Visible(ctx, h.ID); err == nil && visible {
			return types.QuoteIdent(h.Name)
		}
	}
	return types.QuoteIdent(SchemaName(c, h.Schema)) + "." + types.QuoteIdent(h.Name)
}

// SchemaName returns the name of a schema.
func SchemaName(c *catalog.Collection, id catalog.ID) string {
	switch id {
	case catalog.SchemaPgCatalog:
		return catalog.PgCatalogName
	case catalog.SchemaInformationSchema:
		return catalog.InformationSchemaName
	}
	if d := c.ByID(id); d != nil {
		return d.Head().Name
	}
	return ""
}

// columnName returns the quoted name of a column.
func columnName(t *catalog.Table, num catalog.AttNum) string {
	if c := t.Column(num); c != nil {
		return types.QuoteIdent(c.Name)
	}
	return "?"
}

func columnList(t *catalog.Table, nums []catalog.AttNum) string {
	names := make([]string, len(nums))
	for i, n := range nums {
		names[i] = columnName(t, n)
	}
	return strings.Join(names, ", ")
}

// IndexColumnDef returns the definition of the n-th column (from 1, INCLUDE
// columns after the keys) of an index; "" if there is none.
func IndexColumnDef(ctx context.Context, c *catalog.Collection, d Definer, t *catalog.Table, x *catalog.Index, n int, pretty bool) string {
	switch {
	case n < 1:
		return ""
	case n <= len(x.Columns):
		col := &x.Columns[n-1]
		if col.Expr == nil {
			return columnName(t, col.Num)
		}
		return indexExpression(d.Expr(ctx, c, t, col.Expr.SQL, nil, pretty))
	case n <= len(x.Columns)+len(x.Include):
		return columnName(t, x.Include[n-1-len(x.Columns)])
	}
	return ""
}

// indexExpression puts parentheses around an expression unless it is a call.
func indexExpression(sql string) string {
	if i := strings.IndexByte(sql, '('); i > 0 && strings.HasSuffix(sql, ")") && !strings.ContainsAny(sql[:i], " +-*/|&<>=~!@#%^") {
		depth := 0
		for j := i; j < len(sql); j++ {
			switch sql[j] {
			case '(':
				depth++
			case ')':
				if depth--; depth == 0 && j < len(sql)-1 {
					return "(" + sql + ")"
				}
			}
		}
		return sql
	}
	return "(" + sql + ")"
}

// IndexDef returns CREATE INDEX for an index, in the form of pg_get_indexdef. With
// pretty the table's name is qualified only where the search path needs it.
func IndexDef(ctx context.Context, c *catalog.Collection, d Definer, t *catalog.Table, x *catalog.Index, pretty bool) string {
	var b strings.Builder
	b.WriteString("CREATE ")
	if x.Unique || x.Deferrable {
		b.WriteString("UNIQUE ")
	}
	method := x.Method
	if method == "" {
		method = "btree"
	}
	fmt.Fprintf(&b, "INDEX %s ON %s USING %s (", types.QuoteIdent(x.Name), QualifiedName(ctx, c, &t.Header, !pretty), method)
	for i := range x.Columns {
		if i > 0 {
			b.WriteString(", ")
		}
		col := &x.Columns[i]
		b.WriteString(IndexColumnDef(ctx, c, d, t, x, i+1, pretty))
		if col.Collation != "" {
			b.WriteString(" COLLATE " + types.QuoteIdent(col.Collation))
		}
		if col.OpClass != "" {
			b.WriteString(" " + types.QuoteIdent(col.OpClass))
		}
		if col.Desc {
			b.WriteString(" DESC")
			if !col.NullsFirst {
				b.WriteString(" NULLS LAST")
			}
		} else if col.NullsFirst {
			b.WriteString(" NULLS FIRST")
		}
	}
	b.WriteByte(')')
	if len(x.Include) > 0 {
		b.WriteString(" INCLUDE (" + columnList(t, x.Include) + ")")
	}
	if x.NullsNotDistinct {
		b.WriteString(" NULLS NOT DISTINCT")
	}
	if len(x.Options) > 0 {
		b.WriteString(" WITH (")
		for i, o := range x.Options {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(o.Name + "='" + o.Value + "'")
		}
		b.WriteByte(')')
	}
	if x.Predicate != nil {
		b.WriteString(" WHERE " + d.Expr(ctx, c, t, x.Predicate.SQL, nil, pretty))
	}
	return b.String()
}

// CheckDef returns the definition of a CHECK constraint.
func CheckDef(ctx context.Context, c *catalog.Collection, d Definer, t *catalog.Table, k *catalog.Check, pretty bool) string {
	s := "CHECK (" + d.Expr(ctx, c, t, k.Expr.SQL, types.Bool, pretty) + ")"
	if k.NoInherit {
		s += " NO INHERIT"
	}
	if k.NotValid {
		s += " NOT VALID"
	}
	return s
}

// IndexConstraintDef returns the definition of a PRIMARY KEY or UNIQUE
// constraint.
func IndexConstraintDef(t *catalog.Table, x *catalog.Index) string {
	var b strings.Builder
	b.WriteString("UNIQUE ")
	if x.Constraint == 'p' {
		b.Reset()
		b.WriteString("PRIMARY KEY ")
	}
	if x.NullsNotDistinct {
		b.WriteString("NULLS NOT DISTINCT ")
	}
	nums := make([]catalog.AttNum, len(x.Columns))
	for i := range x.Columns {
		nums[i] = x.Columns[i].Num
	}
	b.WriteString("(" + columnList(t, nums) + ")")
	if len(x.Include) > 0 {
		b.WriteString(" INCLUDE (" + columnList(t, x.Include) + ")")
	}
	b.WriteString(deferral(x.Deferrable, x.Deferred))
	return b.String()
}

func deferral(deferrable, deferred bool) string {
	switch {
	case deferred:
		return " DEFERRABLE INITIALLY DEFERRED"
	case deferrable:
		return " DEFERRABLE"
	}
	return ""
}

var fkActions = map[catalog.FKAction]string{
	catalog.FKRestrict: "RESTRICT", catalog.FKCascade: "CASCADE", catalog.FKSetNull: "SET NULL", catalog.FKSetDefault: "SET DEFAULT",
}

// ForeignKeyDef returns the definition of a FOREIGN KEY constraint.
func ForeignKeyDef(ctx context.Context, c *catalog.Collection, t *catalog.Table, fk *catalog.ForeignKey, pretty bool) string {
	var b strings.Builder
	ref := c.Table(fk.RefTable)
	fmt.Fprintf(&b, "FOREIGN KEY (%s) REFERENCES ", columnList(t, fk.Columns))
	if ref != nil {
		fmt.Fprintf(&b, "%s(%s)", QualifiedName(ctx, c, &ref.Header, false), columnList(ref, fk.RefColumns))
	}
	if fk.MatchFull {
		b.WriteString(" MATCH FULL")
	}
	if a := fkActions[fk.OnUpdate]; a != "" {
		b.WriteString(" ON UPDATE " + a)
	}
	if a := fkActions[fk.OnDelete]; a != "" {
		b.WriteString(" ON DELETE " + a)
		if len(fk.SetColumns) > 0 {
			b.WriteString(" (" + columnList(t, fk.SetColumns) + ")")
		}
	}
	b.WriteString(deferral(fk.Deferrable, fk.Deferred))
	if fk.NotValid {
		b.WriteString(" NOT VALID")
	}
	return b.String()
}

// qualifiedName finds the names with a schema in an expression as it is stored: of
// types behind casts, and of sequences in nextval.
var qualifiedName = regexp.MustCompile(`(::|')([a-z_][a-z0-9_$]*|"(?:[^"]|"")+")\.([a-z_][a-z0-9_$]*|"(?:[^"]|"")+")(\[\]|'::regclass)?`)

// ShowExpr returns a stored expression as pg_get_expr prints it: objects that the
// search path finds lose their schema.
func ShowExpr(ctx context.Context, coll *catalog.Collection, expr string) string {
	if !strings.Contains(expr, ".") {
		return expr
	}
	return qualifiedName.ReplaceAllStringFunc(expr, func(match string) string {
		m := qualifiedName.FindStringSubmatch(match)
		if m[1] == "'" && m[4] != "'::regclass" {
			return match // some other string
		}
		schemas, err := coll.SearchSchemas(ctx, true)
		if err != nil {
			return match
		}
		for _, sc := range schemas {
			if sc.Name == unquoteIdent(m[2]) {
				return m[1] + m[3] + m[4]
			}
			if id, err := coll.LookupOID(ctx, catalog.Name{Schema: sc.Name, Name: unquoteIdent(m[3]), Offset: -1}); err != nil || id != 0 {
				return match // hidden by this one
			}
		}
		return match
	})
}

func unquoteIdent(s string) string {
	if strings.HasPrefix(s, `"`) {
		return strings.ReplaceAll(s[1:len(s)-1], `""`, `"`)
	}
	return s
}
