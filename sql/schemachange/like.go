package schemachange

import (
	"strings"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/types"
)

// like returns the columns and constraints of LIKE table as if they had been written out.
func (x *statement) like(l *ast.LikeClause) ([]ast.TableElement, error) {
	src, err := x.coll.ResolveRelation(x.ctx, catalogName(l.Table))
	if err != nil {
		return nil, err
	}
	with := map[string]bool{}
	for _, o := range l.Options {
		verb, what, _ := strings.Cut(o, " ")
		if what == "all" {
			for _, w := range []string{"constraints", "defaults", "generated", "identity", "indexes"} {
				with[w] = verb == "including"
			}
		}
		with[what] = verb == "including"
	}
	p := x.s.PlanContext().Parser
	var out []ast.TableElement
	names := map[catalog.AttNum]string{}
	for _, c := range src.Cols() {
		if c.Dropped || c.Hidden {
			continue
		}
		names[c.Num] = c.Name
		tn, err := x.parseType(types.FormatType(c.Type, c.Type.Typmod, true))
		if err != nil {
			return nil, err
		}
		def := &ast.ColumnDef{Pos: ast.NoPos, Name: c.Name, Type: tn}
		add := func(k ast.ConstraintKind, sql string) error {
			cc := &ast.ColumnConstraint{Pos: ast.NoPos, Kind: k, Always: c.Identity == 'a'}
			if sql != "" {
				var err error
				if cc.Expr, err = p.ParseExpr(sql); err != nil {
					return err
				}
			}
			def.Constraints = append(def.Constraints, cc)
			return nil
		}
		if c.NotNull {
			err = add(ast.ConstraintNotNull, "")
		}
		switch {
		case err != nil:
		case c.Identity != 0:
			if with["identity"] {
				err = add(ast.ConstraintIdentity, "")
			}
		case c.Default != nil && with["defaults"]:
			err = add(ast.ConstraintDefault, c.Default.SQL)
		case c.Generated != nil && with["generated"]:
			err = add(ast.ConstraintGenerated, c.Generated.SQL)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, def)
	}
	t, ok := src.(*catalog.Table)
	if !ok {
		return out, nil
	}
	if with["constraints"] {
		for _, c := range t.Checks {
			e, err := p.ParseExpr(c.Expr.SQL)
			if err != nil {
				return nil, err
			}
			out = append(out, &ast.TableConstraint{Pos: ast.NoPos, Name: c.Name, Kind: ast.ConstraintCheck, Expr: e, NoInherit: c.NoInherit})
		}
	}
	if with["indexes"] {
		for ix := range t.AllIndexes {
			if ix.Hidden || ix.Constraint == 0 {
				continue
			}
			k := &ast.TableConstraint{Pos: ast.NoPos, Kind: ast.ConstraintUnique, NullsNotDistinct: ix.NullsNotDistinct}
			if ix.Constraint == 'p' {
				k.Kind = ast.ConstraintPrimaryKey
			}
			for _, c := range ix.Columns {
				k.Columns = append(k.Columns, ast.Name{Pos: ast.NoPos, Text: names[c.Num]})
			}
			out = append(out, k)
		}
	}
	return out, nil
}
