// Package deparse prints the expressions and queries of the catalog as PostgreSQL
// does: with every name resolved, every type decided and every operator in its place.
// It is behind pg_get_expr, pg_get_viewdef, pg_get_constraintdef and pg_get_indexdef,
// whose texts tools compare with their own (migration generators), or parse (ORMs), or
// send to another server (pg_dump).
//
//	as written     mood IN ('sad', 'ok') AND price > 0
//	as printed     ((mood = ANY (ARRAY['sad'::mood, 'ok'::mood])) AND (price > (0)::numeric))
//	pretty         (mood = ANY (ARRAY['sad'::mood, 'ok'::mood])) AND price > 0::numeric
//
// # How
//
// The catalog keeps the text of an expression, with the schema path along which it
// resolves. To print it, the text is parsed and bound again, now with plan.Notes, which
// tell what each node of the syntax tree means; the printer then walks the syntax tree
// and asks the notes for types, columns and calls. The logical plan itself would not do:
// binding takes queries apart. What the text depends on may have been renamed since;
// the statements that rename keep the stored text up to date.
//
// The layout follows PostgreSQL's ruleutils.c, whose output is what clients know:
// clauses and CASE on lines of their own, in views one column a line, parentheses
// around every operation or (pretty) only where they are needed. A printer test compares
// both servers: package server/clienttest.
//
// What is not recognised makes an error, and callers fall back on the stored text.
package deparse

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
)

// Names prints the names of objects as the session's search path shows them.
type Names interface {
	// TypeName prints a type with its modifier, or without one for a typmod of -1.
	TypeName(t *types.T, typmod int32) string
	// RelationName prints a relation.
	RelationName(rel catalog.Relation) string
}

// Printer prints what is in the catalog. It is used by one goroutine.
type Printer struct {
	// Plan is what binding needs; its parser reads the stored texts.
	Plan  *plan.Context
	Names Names
	// Pretty leaves out the parentheses that are not needed.
	Pretty bool
}

// unknownError is a construct that the package does not print.
type unknownError struct{ what string }

func (e *unknownError) Error() string { return "deparse: " + e.what }

// printer is the state of printing one thing.
type printer struct {
	*Printer
	notes *plan.Notes
	buf   []byte
	// indent is how far the lines of the present clause are indented.
	indent int
	// qualify puts the FROM item in front of columns.
	qualify bool
	// scopes are the FROM items of the queries that are being printed, outermost first,
	// with the names under which they are printed.
	scopes []map[string]string
	err    error
}

func (p *Printer) start(ctx context.Context, pc *plan.Context) *printer {
	pc.Notes = plan.NewNotes()
	pc.Privileges, pc.ParamTypes = nil, nil
	return &printer{Printer: p, notes: pc.Notes}
}

// scratchName names the table that an expression is bound over. No other has it.
const scratchName = "\x00row"

// rowCatalog shows the binder a table under scratchName.
type rowCatalog struct {
	plan.Catalog
	t *catalog.Table
}

func (c rowCatalog) ResolveRelation(ctx context.Context, name catalog.Name) (catalog.Relation, error) {
	if name.Name == scratchName {
		return c.t, nil
	}
	return c.Catalog.ResolveRelation(ctx, name)
}

// Expr prints a stored expression over a row of t, which may be nil. If to is set, the
// expression becomes a value of that type by assignment, as a default does.
func (p *Printer) Expr(ctx context.Context, t *catalog.Table, text string, to *types.T) (string, error) {
	e, err := p.Plan.Parser.ParseExpr(text)
	if err != nil {
		return "", err
	}
	pc := *p.Plan
	out := p.start(ctx, &pc)
	core := &ast.SelectCore{Targets: []*ast.Target{{Pos: ast.NoPos, Expr: e}}}
	if t != nil {
		// Only the columns: what is bound must not depend on the table's other expressions.
		row := &catalog.Table{Header: t.Header, Primary: catalog.Index{ID: 1, Hidden: true}}
		for _, c := range t.Columns {
			c.Default, c.Generated = nil, nil
			row.Columns = append(row.Columns, c)
		}
		pc.Catalog = rowCatalog{pc.Catalog, row}
		core.From = []ast.TableExpr{&ast.TableRef{Name: ast.ObjectName{Name: scratchName, Pos: ast.NoPos}}}
	}
	if _, err := plan.Bind(ctx, &pc, &ast.Select{Body: core}); err != nil {
		return "", err
	}
	if to != nil && to.Typmod != -1 {
		to = to.WithTypmod(-1)
	}
	out.expr(operand{e: e, to: to}, nil)
	return string(out.buf), out.err
}

// View prints the query of a view, with a semicolon.
func (p *Printer) View(ctx context.Context, v *catalog.View) (string, error) {
	q, err := p.Plan.Parser.ParseQuery(v.Query)
	if err != nil {
		return "", err
	}
	pc := *p.Plan
	if pc.ViewCatalog != nil {
		pc.Catalog = pc.ViewCatalog(v.SearchPath)
	}
	out := p.start(ctx, &pc)
	out.qualify = true
	if _, err := plan.Bind(ctx, &pc, q); err != nil {
		return "", err
	}
	names := make([]string, len(v.Columns))
	for i, c := range v.Columns {
		names[i] = c.Name
	}
	out.query(q, queryForm{names: names, visible: true})
	out.w(";")
	return string(out.buf), out.err
}

// fail notes the first thing that cannot be printed.
func (p *printer) fail(format string, args ...any) {
	if p.err == nil {
		p.err = &unknownError{fmt.Sprintf(format, args...)}
	}
}

func (p *printer) w(parts ...string) {
	for _, s := range parts {
		p.buf = append(p.buf, s...)
	}
}

func (p *printer) ident(s string) { p.w(ast.QuoteIdent(s)) }

// paren writes a parenthesis that pretty printing leaves out.
func (p *printer) paren(s string) {
	if !p.Pretty {
		p.w(s)
	}
}

// Steps of indentation, in columns.
const (
	stepStd  = 8
	stepJoin = 4
	stepVar  = 4
	// indentMax is where deep nesting stops moving to the right.
	indentMax = 40
)

// line begins a new line with s. The indentation changes by before now and by after
// for the lines that follow; plus is for this line only.
func (p *printer) line(s string, before, after, plus int) {
	p.indent += before
	p.buf = []byte(strings.TrimRight(string(p.buf), " "))
	n := max(p.indent, 0)
	if n >= indentMax {
		n = indentMax + (n-indentMax)%(indentMax/stepStd)
	}
	p.w("\n", strings.Repeat(" ", n+plus), s)
	p.indent = max(p.indent+after, 0)
}

// aside prints into a buffer of its own.
func (p *printer) aside(print func()) string {
	saved := p.buf
	p.buf = nil
	print()
	text := string(p.buf)
	p.buf = saved
	return text
}

// list prints n items with commas between them.
func (p *printer) list(n int, item func(i int)) {
	for i := range n {
		if i > 0 {
			p.w(", ")
		}
		item(i)
	}
}

// typeName prints a type with its modifier.
func (p *printer) typeName(t *types.T) string { return p.Names.TypeName(t, t.Typmod) }

func (p *printer) literal(s string) { p.w(ast.QuoteString(s)) }

func oneOf[T comparable](v T, list ...T) bool { return slices.Contains(list, v) }
