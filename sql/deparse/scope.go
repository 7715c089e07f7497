package deparse

import (
	"strconv"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/plan"
)

// Names of FROM items are unique in what is printed: an item of an inner query that is
// called like one of the queries around it gets a number, c_1. (PostgreSQL has to, since
// its trees know no shadowing; it does no harm to readers.)

// itemNames returns the names of FROM items, those within joins included.
func itemNames(items []ast.TableExpr) []string {
	var names []string
	for _, te := range items {
		switch t := te.(type) {
		case *ast.TableRef:
			if t.Alias.Name != "" {
				names = append(names, t.Alias.Name)
			} else {
				names = append(names, t.Name.Name)
			}
		case *ast.SubqueryTable:
			names = append(names, t.Alias.Name)
		case *ast.FuncTable:
			switch {
			case t.Alias.Name != "":
				names = append(names, t.Alias.Name)
			case len(t.Funcs) > 0:
				names = append(names, plan.OutputName(t.Funcs[0].Func))
			}
		case *ast.Join:
			names = append(names, itemNames([]ast.TableExpr{t.Left, t.Right})...)
			if t.Alias.Name != "" {
				names = append(names, t.Alias.Name)
			}
		}
	}
	return names
}

// pushScope enters a query; core is nil for one without a FROM clause of its own.
func (p *printer) pushScope(core *ast.SelectCore) {
	scope := map[string]string{}
	p.scopes = append(p.scopes, scope)
	if core == nil {
		return
	}
	for _, name := range itemNames(core.From) {
		printed := name
		for i := 1; p.printedOutside(printed); i++ {
			printed = name + "_" + strconv.Itoa(i)
		}
		scope[name] = printed
	}
}

func (p *printer) popScope() { p.scopes = p.scopes[:len(p.scopes)-1] }

// printedOutside reports whether an enclosing query has an item that is printed under
// the name.
func (p *printer) printedOutside(name string) bool {
	for _, scope := range p.scopes[:len(p.scopes)-1] {
		for _, printed := range scope {
			if printed == name {
				return true
			}
		}
	}
	return false
}

// itemName returns the name under which a FROM item is printed.
func (p *printer) itemName(name string) string {
	for i := len(p.scopes) - 1; i >= 0; i-- {
		if printed, ok := p.scopes[i][name]; ok {
			return printed
		}
	}
	return name
}
