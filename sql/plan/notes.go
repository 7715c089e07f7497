package plan

import (
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/types"
)

// Notes holds what binding has found out about the nodes of a syntax tree. Package
// deparse asks for them, in order to print a statement with everything resolved; the
// logical plan, which has lost the statement's form, does not serve for that.
type Notes struct {
	// Exprs has what each expression was bound to, before it was converted to the type
	// that its place wants.
	Exprs map[ast.Expr]expr.Expr
	// Calls has the calls of aggregate, window and set-returning functions, whose entry
	// in Exprs is only a reference to their result.
	Calls map[*ast.FuncCall]*expr.Call
	// Columns says what column references (one each) and stars stand for.
	Columns map[ast.Expr][]NotedColumn
	// Relations has the relations of FROM items that are not names of CTEs.
	Relations map[*ast.TableRef]catalog.Relation
}

// NotedColumn is a column of a FROM item by the names it has in the query. Item is
// empty for a column that a join has merged out of two.
type NotedColumn struct{ Item, Name string }

// NewNotes returns empty notes, for Context.Notes.
func NewNotes() *Notes {
	return &Notes{
		Exprs: map[ast.Expr]expr.Expr{}, Calls: map[*ast.FuncCall]*expr.Call{},
		Columns: map[ast.Expr][]NotedColumn{}, Relations: map[*ast.TableRef]catalog.Relation{},
	}
}

// noteExpr notes what an expression was bound to.
func (b *binder) noteExpr(e ast.Expr, x expr.Expr) {
	n := b.pc.Notes
	n.Exprs[e] = x
	if _, ok := e.(*ast.ColumnRef); ok {
		if ref, ok := x.(*expr.ColumnRef); ok {
			n.Columns[e] = []NotedColumn{b.named(ColID(ref.Ordinal))}
		}
	}
}

// noteStar notes the columns that a star stands for.
func (b *binder) noteStar(s *ast.Star, cols []nsCol) {
	if b.pc.Notes == nil {
		return
	}
	var out []NotedColumn
	for _, c := range cols {
		if !c.hidden {
			out = append(out, b.named(c.id))
		}
	}
	b.pc.Notes.Columns[s] = out
}

// noteCall notes the call behind a reference to its result.
func (b *binder) noteCall(e *ast.FuncCall, c *expr.Call) {
	if b.pc.Notes != nil {
		b.pc.Notes.Calls[e] = c
	}
}

// named returns the names of a column in the query being bound.
func (b *binder) named(id ColID) NotedColumn {
	merged := NotedColumn{Name: b.md.Columns[id].Name}
	for l := b.level; l != nil; l = l.parent {
		for _, it := range l.visible() {
			for _, c := range it.cols {
				if c.id != id {
					continue
				}
				if it.relVisible && it.name != "" {
					return NotedColumn{it.name, c.name}
				}
				merged.Name = c.name
			}
		}
	}
	return merged
}

// qualifyType puts the schema of a user's type into its name.
func qualifyType(n *ast.TypeName, t *types.T) {
	for t.IsArray() && t.Elem != nil {
		t = t.Elem
	}
	if n.Name.Schema == "" && t.Schema != "" && types.ByOID(t.OID) == nil {
		n.Name.Schema = t.Schema
	}
}

// OutputName returns the name that an item of a select list has without AS.
func OutputName(e ast.Expr) string { return outputName(e) }
