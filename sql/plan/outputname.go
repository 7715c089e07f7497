package plan

import "github.com/spanlite/spanlite/sql/ast"

// outputName is the name that PostgreSQL gives a select list item without AS
// (FigureColname in parse_target.c).
func outputName(e ast.Expr) string {
	name, _ := figureName(e)
	if name == "" {
		return "?column?"
	}
	return name
}

// figureName returns a name and its strength: 2 for a column or function, 1 for a type, 0 for none.
func figureName(e ast.Expr) (string, int) {
	switch e := e.(type) {
	case *ast.ColumnRef:
		return e.Parts[len(e.Parts)-1], 2
	case *ast.Field:
		return e.Name, 2
	case *ast.Subscript:
		return figureName(e.X)
	case *ast.FuncCall:
		return e.Name.Name, 2
	case *ast.NullIf:
		return "nullif", 2
	case *ast.Cast:
		if name, s := figureName(e.X); s > 1 {
			return name, s
		}
		if e.Type != nil {
			return e.Type.Name.Name, 1
		}
	case *ast.Collate:
		return figureName(e.X)
	case *ast.Grouping:
		return "grouping", 2
	case *ast.Exists:
		return "exists", 2
	case *ast.ArrayQuery, *ast.Array:
		return "array", 2
	case *ast.Subquery:
		if core, ok := e.Query.Body.(*ast.SelectCore); ok && len(core.Targets) > 0 {
			t := core.Targets[0]
			if t.As != "" {
				return t.As, 2
			}
			if _, star := t.Expr.(*ast.Star); star {
				return "", 0
			}
			return figureName(t.Expr)
		}
		if _, ok := e.Query.Body.(*ast.Values); ok {
			return "column1", 2
		}
	case *ast.Case:
		if e.Else != nil {
			if name, s := figureName(e.Else); s > 1 {
				return name, s
			}
		}
		return "case", 1
	case *ast.Star:
		if len(e.Parts) > 0 {
			return e.Parts[len(e.Parts)-1], 2
		}
	case *ast.Row:
		if e.Explicit || len(e.Elems) != 1 {
			return "row", 2
		}
	case *ast.Coalesce:
		return "coalesce", 2
	case *ast.MinMax:
		if e.Least {
			return "least", 2
		}
		return "greatest", 2
	case *ast.SessionValue:
		return e.Kind.String(), 2
	}
	return "", 0
}
