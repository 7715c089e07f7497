package sql

import (
	"context"
	"slices"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/catalog/system"
	"github.com/spanlite/spanlite/sql/deparse"
	"github.com/spanlite/spanlite/sql/parser"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
)

// definitions prints what the catalog holds as SQL (system.Definer), by package deparse
// and with the names that the session's search path shows.
type definitions struct{ s *Session }

var _ system.Definer = definitions{}

func (d definitions) printer(coll *catalog.Collection, pretty bool) *deparse.Printer {
	// A statement may be running: its parameters are in the session's evaluation context,
	// which must not be touched.
	params := d.s.eval.ec.Params
	pc := d.s.planContext(coll, nil)
	ec := *pc.Eval
	pc.Eval = &ec
	d.s.eval.ec.Params = params
	return &deparse.Printer{Plan: pc, Names: objectNames{d.s, coll}, Pretty: pretty}
}

// Expr implements system.Definer.
func (d definitions) Expr(ctx context.Context, coll *catalog.Collection, t *catalog.Table, text string, to *types.T, pretty bool) string {
	out, err := d.printer(coll, pretty).Expr(ctx, t, text, to)
	if err != nil {
		return system.ShowExpr(ctx, coll, text)
	}
	return out
}

// ViewQuery implements system.Definer.
func (d definitions) ViewQuery(ctx context.Context, coll *catalog.Collection, v *catalog.View, pretty bool) string {
	out, err := d.printer(coll, pretty).View(ctx, v)
	if err != nil {
		return " " + v.Query + ";"
	}
	return out
}

// ColumnName implements system.Definer.
func (d definitions) ColumnName(text string) string {
	e, err := parser.ParseExpr(text)
	if err != nil {
		return "expr"
	}
	if name := plan.OutputName(e); name != "?column?" {
		return name
	}
	return "expr"
}

// exprOf is pg_get_expr: what column of the table the text belongs to decides the type.
func (d definitions) exprOf(ctx context.Context, coll *catalog.Collection, text string, relation catalog.ID, pretty bool) string {
	t := coll.Table(relation)
	var to *types.T
	if t != nil {
		i := slices.IndexFunc(t.Columns, func(c catalog.Column) bool {
			return c.Default != nil && c.Default.SQL == text || c.Generated != nil && c.Generated.SQL == text
		})
		if i >= 0 {
			to = t.Columns[i].Type
		}
	}
	return d.Expr(ctx, coll, t, text, to, pretty)
}

// objectNames prints names as the search path of a Collection shows them.
type objectNames struct {
	s    *Session
	coll *catalog.Collection
}

// TypeName implements deparse.Names.
func (n objectNames) TypeName(t *types.T, typmod int32) string {
	elem, brackets := t, ""
	for elem.IsArray() && elem.Elem != nil && elem.OID != types.OIDInt2Vector && elem.OID != types.OIDOidVector {
		elem, brackets = elem.Elem, brackets+"[]"
	}
	if types.ByOID(elem.OID) == nil {
		if visible, err := n.coll.Visible(&n.s.ctx, catalog.ID(elem.OID)); err == nil && visible {
			return ast.QuoteIdent(elem.Name) + brackets
		}
	}
	return types.FormatType(elem, typmod, true) + brackets
}

// RelationName implements deparse.Names.
func (n objectNames) RelationName(rel catalog.Relation) string {
	h := rel.Head()
	return system.QualifiedName(&n.s.ctx, n.coll, h, false)
}
