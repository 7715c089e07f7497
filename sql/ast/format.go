package ast

import (
	"fmt"
	"strconv"
	"strings"
)

// Format writes a node as SQL that the parser turns back into an equal tree,
// positions aside. Statements come without a semicolon. It panics on a node of
// a type that is not of this package.
func Format(n Node) string {
	var f formatter
	switch n := n.(type) {
	case nil:
	case Expr:
		f.expr(n, lvAny)
	case *TypeName:
		f.typeName(n)
	case ObjectName:
		f.name(n)
	case Name:
		f.ident(n.Text)
	case TableExpr:
		f.table(n)
	case *Target:
		f.target(n)
	case *SortBy:
		f.sortBy(n)
	case *Window:
		f.window(n)
	case Statement:
		f.statement(n)
	case QueryBody:
		f.body(n)
	case *ColumnDef:
		f.columnDef(n)
	case *TableConstraint:
		f.tableConstraint(n)
	case *IndexElem:
		f.indexElem(n)
	default:
		panic(fmt.Sprintf("ast: Format of %T", n))
	}
	return f.b.String()
}

// formatter collects text. Its methods write one kind of node each.
type formatter struct{ b strings.Builder }

// w writes strings one after the other.
func (f *formatter) w(parts ...string) {
	for _, s := range parts {
		f.b.WriteString(s)
	}
}

// wIf writes s if cond holds.
func (f *formatter) wIf(cond bool, s string) {
	if cond {
		f.b.WriteString(s)
	}
}

func (f *formatter) ident(s string) { f.w(QuoteIdent(s)) }

func (f *formatter) str(s string) { f.w(QuoteString(s)) }

func (f *formatter) int(n int64) { f.w(strconv.FormatInt(n, 10)) }

func (f *formatter) name(n ObjectName) {
	if n.Catalog != "" {
		f.ident(n.Catalog)
		f.w(".")
	}
	if n.Schema != "" {
		f.ident(n.Schema)
		f.w(".")
	}
	f.ident(n.Name)
}

// list writes n items with commas between them.
func (f *formatter) list(n int, item func(i int)) {
	for i := range n {
		if i > 0 {
			f.w(", ")
		}
		item(i)
	}
}

func (f *formatter) names(ns []Name) {
	f.list(len(ns), func(i int) { f.ident(ns[i].Text) })
}

// nameList writes names in parentheses, nothing if there are none.
func (f *formatter) nameList(ns []Name) {
	if ns == nil {
		return
	}
	f.w(" (")
	f.names(ns)
	f.w(")")
}

func (f *formatter) objectNames(ns []ObjectName) {
	f.list(len(ns), func(i int) { f.name(ns[i]) })
}

func (f *formatter) exprs(es []Expr) {
	f.list(len(es), func(i int) { f.expr(es[i], lvAny) })
}
