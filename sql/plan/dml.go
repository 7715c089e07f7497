package plan

import (
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
)

// TargetWrite is what INSERT, UPDATE and DELETE need to know of the table they write.
type TargetWrite struct {
	Rel *Relation
	// New are the columns of the row as it is written (for DELETE: as it was), by table ordinal. All
	// expressions here refer to them.
	New       []ColID
	Generated []SetItem
	Checks    []Check
	// IndexPreds are the predicates of Table.Indexes (nil without), IndexExprs
	// their expression keys by column (nil for plain columns).
	IndexPreds []expr.Expr
	IndexExprs [][]expr.Expr
	// Returning may also refer to columns of the source. Nil without RETURNING.
	Returning []Item
	// Defaults are the default expressions of columns, for SET DEFAULT actions.
	Defaults []SetItem
	// Related are the tables that foreign keys connect with this one, as far as actions cascade.
	Related map[catalog.ID]*TargetWrite
}

// SetItem is a value for the column at a table ordinal.
type SetItem struct {
	Ord  int
	Expr expr.Expr
}

// Insert adds the rows of Source to a table. From[ord] is the source's column for each
// table column, NoCol for NULL, generated columns and the hidden row id.
type Insert struct {
	TargetWrite
	Source   Node
	From     []ColID
	Conflict *Conflict
}

// Conflict is ON CONFLICT.
type Conflict struct {
	// Arbiters are the unique indexes that were named; nil means any.
	Arbiters []*catalog.Index
	DoUpdate bool
	// Existing are the columns of the row in the way; the proposed row is
	// TargetWrite.New. Set and Where refer to both.
	Existing []ColID
	Set      []SetItem
	Where    expr.Expr
}

// Update changes the rows of Source, which has the target's columns, row key included, and
// those of FROM.
type Update struct {
	TargetWrite
	Source Node
	// Set is over Source's columns.
	Set []SetItem
}

// Delete removes the rows of Source.
type Delete struct {
	TargetWrite
	Source Node
}

func (w *TargetWrite) mapExprs(fn func(expr.Expr) expr.Expr) TargetWrite {
	c := *w
	sets := func(in []SetItem) []SetItem {
		out := make([]SetItem, len(in))
		for i, s := range in {
			out[i] = SetItem{Ord: s.Ord, Expr: fn(s.Expr)}
		}
		return out
	}
	c.Generated = sets(w.Generated)
	c.Checks = make([]Check, len(w.Checks))
	for i, k := range w.Checks {
		c.Checks[i] = Check{Name: k.Name, Expr: fn(k.Expr)}
	}
	c.IndexPreds = make([]expr.Expr, len(w.IndexPreds))
	for i, p := range w.IndexPreds {
		if p != nil {
			c.IndexPreds[i] = fn(p)
		}
	}
	c.IndexExprs = make([][]expr.Expr, len(w.IndexExprs))
	for i, es := range w.IndexExprs {
		if es == nil {
			continue
		}
		c.IndexExprs[i] = make([]expr.Expr, len(es))
		for j, e := range es {
			if e != nil {
				c.IndexExprs[i][j] = fn(e)
			}
		}
	}
	if w.Returning != nil {
		c.Returning = make([]Item, len(w.Returning))
		for i, it := range w.Returning {
			c.Returning[i] = Item{ID: it.ID, Expr: fn(it.Expr)}
		}
	}
	return c
}

func (w *TargetWrite) returned(dst []ColID) []ColID {
	for _, it := range w.Returning {
		dst = append(dst, it.ID)
	}
	return dst
}

// OwnColumns are the columns that the node itself makes and its expressions use.
func (n *Insert) OwnColumns() []ColID {
	cols := append([]ColID(nil), n.New...)
	if n.Conflict != nil {
		cols = append(cols, n.Conflict.Existing...)
	}
	return cols
}

// OwnColumns are the columns that the node itself makes and its expressions use.
func (n *Update) OwnColumns() []ColID { return n.New }

// OwnColumns are the columns that the node itself makes and its expressions use.
func (n *Delete) OwnColumns() []ColID { return n.New }

// Columns implements Node.
func (n *Insert) Columns(dst []ColID) []ColID { return n.returned(dst) }

// Columns implements Node.
func (n *Update) Columns(dst []ColID) []ColID { return n.returned(dst) }

// Columns implements Node.
func (n *Delete) Columns(dst []ColID) []ColID { return n.returned(dst) }

// Inputs implements Node.
func (n *Insert) Inputs() []Node { return []Node{n.Source} }

// Inputs implements Node.
func (n *Update) Inputs() []Node { return []Node{n.Source} }

// Inputs implements Node.
func (n *Delete) Inputs() []Node { return []Node{n.Source} }
