package plan

import (
	"strings"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// level is one query: its FROM items, and what its expressions have asked for.
type level struct {
	parent *level
	items  []*nsItem
	// clause is where the expression being bound stands, for messages; kind says
	// what may stand there.
	clause clause
	// aggs, windows and sets collect the calls that the query's nodes have to compute.
	aggs    []AggItem
	aggKeys map[string]ColID
	aggPos  ast.Pos
	windows []windowUse
	sets    [][]FuncItem // by nesting depth
	setDeep int
	named   map[string]*ast.Window
	// inAgg and inWindow say that an argument of such a call is being bound.
	inAgg, inWindow bool
	hasAggs         bool
	grouping        []groupingUse
	// lateral are the FROM items to the left that LATERAL items may see.
	lateral []*nsItem
	// hideOuterAgg ...
}

// groupingUse is a GROUPING(...) call, which is resolved after the keys are known.
type groupingUse struct {
	id   ColID
	args []expr.Expr
	pos  ast.Pos
}

// windowUse is a window function call with its window.
type windowUse struct {
	spec *windowSpec
	item WindowItem
}

// clause names a place in a statement and what it allows.
type clause struct {
	name                string
	noAgg, noWin, noSet bool
}

var (
	inTargets   = clause{name: "SELECT"}
	inWhere     = clause{name: "WHERE", noAgg: true, noWin: true, noSet: true}
	inHaving    = clause{name: "HAVING", noWin: true, noSet: true}
	inGroupBy   = clause{name: "GROUP BY", noAgg: true, noWin: true}
	inOrderBy   = clause{name: "ORDER BY"}
	inJoinOn    = clause{name: "JOIN conditions", noAgg: true, noWin: true, noSet: true}
	inFrom      = clause{name: "functions in FROM", noAgg: true, noWin: true}
	inValues    = clause{name: "VALUES", noAgg: true, noWin: true, noSet: true}
	inLimit     = clause{name: "LIMIT", noAgg: true, noWin: true, noSet: true}
	inOffset    = clause{name: "OFFSET", noAgg: true, noWin: true, noSet: true}
	inUpdate    = clause{name: "UPDATE", noAgg: true, noWin: true, noSet: true}
	inReturning = clause{name: "RETURNING", noAgg: true, noWin: true, noSet: true}
	inFilter    = clause{name: "FILTER", noAgg: true, noWin: true, noSet: true}
	inWindowDef = clause{name: "window definitions", noWin: true, noSet: true}
	inCheck     = clause{name: "check constraints", noAgg: true, noWin: true, noSet: true}
	inDefault   = clause{name: "DEFAULT expressions", noAgg: true, noWin: true, noSet: true}
	inIndexPred = clause{name: "index predicates", noAgg: true, noWin: true, noSet: true}
)

// in binds under another clause and restores the present one.
func (b *binder) in(c clause, fn func() error) error {
	old := b.level.clause
	b.level.clause = c
	err := fn()
	b.level.clause = old
	return err
}

// push opens a query level; the returned function closes it.
func (b *binder) push() (*level, func()) {
	old := b.level
	b.level = &level{parent: old, clause: inTargets, aggPos: ast.NoPos}
	oldCTEs := b.ctes
	return b.level, func() { b.level, b.ctes = old, oldCTEs }
}

// nsItem is a FROM item as names see it (PostgreSQL's ParseNamespaceItem).
type nsItem struct {
	name, schema, table string
	cols                []nsCol
	rel                 *Relation
	// relVisible: may be used as a qualifier; colsVisible: columns may be named without one.
	relVisible, colsVisible bool
	// scalar is set for a function item that returns one column of scalars: its name as a
	// value means that column.
	scalar bool
}

type nsCol struct {
	name string
	id   ColID
	// hidden columns do not belong to *.
	hidden bool
}

// find returns the matching column positions of an item.
func (it *nsItem) find(name string) (id ColID, n int) {
	id = NoCol
	for i := range it.cols {
		if it.cols[i].name == name {
			if n == 0 {
				id = it.cols[i].id
			}
			n++
		}
	}
	return id, n
}

func (b *binder) bindColumnRef(e *ast.ColumnRef) (expr.Expr, error) {
	parts := e.Parts
	switch len(parts) {
	case 1:
		id, err := b.findUnqualified(parts[0], e.Pos)
		if err != nil {
			return nil, err
		}
		if id != NoCol {
			return b.ref(id, e.Pos), nil
		}
		if it := b.findItem("", parts[0]); it != nil {
			return b.wholeRow(it, e.Pos), nil
		}
		return nil, b.errNoColumn(parts[0], e.Pos)
	default:
		if len(parts) > 4 {
			return nil, errorf(sqlstate.SyntaxError, e.Pos, "improper qualified name (too many dotted names): %s", strings.Join(parts, "."))
		}
		col, tab, schema := parts[len(parts)-1], parts[len(parts)-2], ""
		if len(parts) >= 3 {
			schema = parts[len(parts)-3]
		}
		it := b.findItem(schema, tab)
		if it == nil {
			// (composite column).field
			if len(parts) == 2 {
				if id, err := b.findUnqualified(tab, e.Pos); err == nil && id != NoCol && b.md.Columns[id].T.Family == types.FamRecord {
					return b.fieldSelect(b.ref(id, e.Pos), col, e.Pos)
				}
			}
			return nil, b.errNoItem(schema, tab, e.Pos)
		}
		id, n := it.find(col)
		if n > 1 {
			return nil, errorf(sqlstate.AmbiguousColumn, e.Pos, "column reference %q is ambiguous", col)
		}
		if n == 0 {
			if id := b.systemColumn(it, col); id != NoCol {
				return b.ref(id, e.Pos), nil
			}
			return nil, errorf(sqlstate.UndefinedColumn, e.Pos, "column %s.%s does not exist", types.QuoteIdent(tab), types.QuoteIdent(col))
		}
		return b.ref(id, e.Pos), nil
	}
}

// findUnqualified looks for a column in the present level, then in the enclosing ones.
func (b *binder) findUnqualified(name string, pos ast.Pos) (ColID, error) {
	for l := b.level; l != nil; l = l.parent {
		found := NoCol
		for _, it := range l.visible() {
			if !it.colsVisible {
				continue
			}
			id, n := it.find(name)
			if n == 0 {
				continue
			}
			if n > 1 || found != NoCol {
				return NoCol, errorf(sqlstate.AmbiguousColumn, pos, "column reference %q is ambiguous", name)
			}
			found = id
		}
		if found != NoCol {
			return found, nil
		}
		for _, it := range l.visible() {
			if it.relVisible && it.rel != nil {
				if id := b.systemColumn(it, name); id != NoCol {
					return id, nil
				}
			}
		}
	}
	return NoCol, nil
}

// visible returns the items of a level that names may refer to now.
func (l *level) visible() []*nsItem {
	if len(l.lateral) == 0 {
		return l.items
	}
	return append(l.lateral[:len(l.lateral):len(l.lateral)], l.items...)
}

// systemColumn returns tableoid (the only system column there is) of a table.
func (b *binder) systemColumn(it *nsItem, name string) ColID {
	if it.rel == nil || name != "tableoid" {
		return NoCol
	}
	if it.rel.TableOID == NoCol {
		it.rel.TableOID = b.newColumn(Column{Name: "tableoid", T: types.Oid, Rel: it.rel, Ord: TableOIDOrd, NotNull: true})
	}
	return it.rel.TableOID
}

// findItem looks for a FROM item by name, inner levels first.
func (b *binder) findItem(schema, name string) *nsItem {
	for l := b.level; l != nil; l = l.parent {
		for _, it := range l.visible() {
			if it.relVisible && it.name == name && (schema == "" || it.schema == schema && it.table == name) {
				return it
			}
		}
	}
	return nil
}

// wholeRow is a relation's name used as a value: a record of its columns.
func (b *binder) wholeRow(it *nsItem, pos ast.Pos) expr.Expr {
	if it.scalar && len(it.cols) >= 1 {
		return b.ref(it.cols[0].id, pos)
	}
	row := &expr.RowExpr{}
	var fields []types.Field
	for _, c := range it.cols {
		if c.hidden {
			continue
		}
		row.Fields = append(row.Fields, b.ref(c.id, pos))
		fields = append(fields, types.Field{Name: c.name, Type: b.md.Columns[c.id].T})
	}
	if it.rel != nil && it.rel.Table != nil && it.rel.Table.TypeOID != 0 {
		t := it.rel.Table
		row.T = types.NewComposite(types.OID(t.TypeOID), types.OID(t.TypeArray), "", t.Name, fields)
	} else {
		row.T = types.NewRecord(fields)
	}
	return row
}

func (b *binder) errNoColumn(name string, pos ast.Pos) error {
	e := errorf(sqlstate.UndefinedColumn, pos, "column %q does not exist", name)
	// The hints of PostgreSQL: a column that exists but is out of reach, or one spelled alike.
	for l := b.level; l != nil; l = l.parent {
		for _, it := range l.items {
			if _, n := it.find(name); n > 0 && !it.colsVisible && it.relVisible {
				return e
			}
		}
	}
	best, bestDist := "", len(name)/2+1
	ties := 0
	for l := b.level; l != nil; l = l.parent {
		for _, it := range l.visible() {
			if !it.relVisible {
				continue
			}
			for _, c := range it.cols {
				if c.hidden {
					continue
				}
				d := editDistance(name, c.name)
				if d > 3 || d > bestDist || d*2 > len(name) {
					continue
				}
				if d < bestDist {
					best, bestDist, ties = it.name+"."+c.name, d, 1
				} else {
					ties++
				}
			}
		}
	}
	if best != "" && ties == 1 {
		e.Hint = "Perhaps you meant to reference the column \"" + best + "\"."
	}
	return e
}

func (b *binder) errNoItem(schema, name string, pos ast.Pos) error {
	full := name
	if schema != "" {
		full = schema + "." + name
	}
	for l := b.level; l != nil; l = l.parent {
		for _, it := range l.items {
			if it.table == name && it.name != name {
				return errorf(sqlstate.UndefinedTable, pos, "invalid reference to FROM-clause entry for table %q", full).
					WithHint("Perhaps you meant to reference the table alias %q.", it.name)
			}
			if it.name == name {
				return errorf(sqlstate.UndefinedTable, pos, "invalid reference to FROM-clause entry for table %q", full).
					WithHint("There is an entry for table %q, but it cannot be referenced from this part of the query.", it.name)
			}
		}
	}
	return errorf(sqlstate.UndefinedTable, pos, "missing FROM-clause entry for table %q", full)
}

// editDistance is Levenshtein's distance.
func editDistance(a, b string) int {
	prev := make([]int, len(b)+1)
	cur := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := range len(a) {
		cur[0] = i + 1
		for j := range len(b) {
			d := prev[j]
			if a[i] != b[j] {
				d++
			}
			cur[j+1] = min(d, prev[j+1]+1, cur[j]+1)
		}
		prev, cur = cur, prev
	}
	return prev[len(b)]
}
