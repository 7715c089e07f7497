package plan

import (
	"context"
	"errors"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// Catalog is what the binder asks of a transaction's view of the catalog;
// *catalog.Collection implements it.
type Catalog interface {
	// ResolveRelation finds a table, view, sequence or virtual relation by name along the
	// search path. Not found is 42P01 or 3F000.
	ResolveRelation(ctx context.Context, name catalog.Name) (catalog.Relation, error)
	// LookupType finds a type by name, nil if there is none.
	LookupType(ctx context.Context, name catalog.Name) (*types.T, error)
	// Table returns a table by id, nil if there is none.
	Table(id catalog.ID) *catalog.Table
}

// Parser reads the SQL text that is stored in the catalog.
type Parser interface {
	ParseExpr(sql string) (ast.Expr, error)
	ParseQuery(sql string) (*ast.Select, error)
}

// Context is what binding a statement depends on besides the statement.
type Context struct {
	Catalog  Catalog
	Registry *expr.Registry
	Parser   Parser
	// Eval carries the session's settings and folds constants; its Params are not used.
	Eval *expr.EvalContext
	// ParamTypes are the types the client declared for $1, $2, ...; nil elements are to be inferred.
	ParamTypes []*types.T
	// ViewCatalog returns the catalog as a view with the given search path sees it; nil uses Catalog.
	ViewCatalog func(searchPath []string) Catalog
	// Refresh is the materialized view that the statement fills, 0 for none: it may be
	// written, and read it stands for its query.
	Refresh catalog.ID
	// Privileges is called with each relation used and the privileges it needs; nil allows all.
	Privileges func(rel catalog.Relation, privileges uint32, columns []catalog.AttNum) error
	// QualifyTypes puts the schema of users' types into the tree: its text is going to be
	// stored, and has to mean the same along every search path.
	QualifyTypes bool
	// Notes, if set, is filled in with what the nodes of the statement mean.
	Notes *Notes
}

// StatementKind tells what a plan does and how its result is tagged.
type StatementKind uint8

// The kinds.
const (
	KindSelect StatementKind = iota
	KindInsert
	KindUpdate
	KindDelete
)

// Logical is a bound statement.
type Logical struct {
	Kind StatementKind
	Meta *Metadata
	// Root produces OutCols in any order, perhaps with others.
	Root    Node
	OutCols []ColID
	// Result describes the columns that the client sees; nil if the statement returns no rows.
	Result []ResultColumn
	// Params are the types of the parameters.
	Params []*types.T
	// Relations are all relations the statement depends on, views included.
	Relations []catalog.Relation
	// ReadOnly says that the statement neither writes nor locks.
	ReadOnly bool
	// AsOf is the expression of AS OF SYSTEM TIME.
	AsOf expr.Expr
}

// ResultColumn describes a column of the result, as RowDescription does.
type ResultColumn struct {
	Name string
	T    *types.T
	// Table and Num are set if the column is one of a table.
	Table catalog.ID
	Num   catalog.AttNum
}

// Bind resolves and types a SELECT, VALUES, INSERT, UPDATE or DELETE. Errors are
// *sqlstate.Error in PostgreSQL's words with the byte offset of the offending text.
func Bind(ctx context.Context, pc *Context, stmt ast.Statement) (*Logical, error) {
	b := newBinder(ctx, pc)
	out := &Logical{Meta: b.md, ReadOnly: true}
	var err error
	switch s := stmt.(type) {
	case *ast.Select:
		err = b.bindTopSelect(s, out)
	case *ast.Insert:
		out.Kind, out.ReadOnly = KindInsert, false
		err = b.bindTopDML(out, s, s.Returning != nil)
	case *ast.Update:
		out.Kind, out.ReadOnly = KindUpdate, false
		err = b.bindTopDML(out, s, s.Returning != nil)
	case *ast.Delete:
		out.Kind, out.ReadOnly = KindDelete, false
		err = b.bindTopDML(out, s, s.Returning != nil)
	default:
		return nil, sqlstate.Unsupported("planning of %s", stmt.Tag())
	}
	if err != nil {
		return nil, err
	}
	for _, c := range b.md.CTEs {
		if c.Modifies {
			out.ReadOnly = false
		}
	}
	if b.locks {
		out.ReadOnly = false
	}
	out.Params, err = b.finishParams()
	if err != nil {
		return nil, err
	}
	out.Relations = b.relations
	return out, nil
}

// binder holds the state of binding one statement.
type binder struct {
	ctx    context.Context
	pc     *Context
	cat    Catalog
	s      *types.Settings
	md     *Metadata
	params *expr.ParamTypes
	// declared parameters may not change their type.
	declared int
	// refPos has the place in the text of column references, for errors found later.
	refPos map[*expr.ColumnRef]ast.Pos
	// owner tells which query level a column belongs to.
	owner []*level
	// level is the query being bound.
	level     *level
	ctes      *cteScope
	relations []catalog.Relation
	locks     bool
	viewDepth int
	// ownerRights: within a view that is used with its owner's rights.
	ownerRights bool
}

// maxViewDepth bounds the nesting of views.
const maxViewDepth = 64

func newBinder(ctx context.Context, pc *Context) *binder {
	b := &binder{ctx: ctx, pc: pc, cat: pc.Catalog, s: pc.Eval.Settings, md: &Metadata{},
		params: &expr.ParamTypes{}, refPos: make(map[*expr.ColumnRef]ast.Pos)}
	for _, t := range pc.ParamTypes {
		if t != nil && t.OID == types.OIDUnknown {
			t = nil
		}
		b.params.Types = append(b.params.Types, t)
	}
	b.declared = len(pc.ParamTypes)
	return b
}

// finishParams gives the parameters that nothing decided the type text.
func (b *binder) finishParams() ([]*types.T, error) {
	for i, t := range b.params.Types {
		if t == nil || t.OID == types.OIDUnknown {
			if i >= b.declared && t == nil {
				return nil, sqlstate.New(sqlstate.IndeterminateDatatype, "could not determine data type of parameter $%d", i+1)
			}
			b.params.Types[i] = types.Text
		}
	}
	return b.params.Types, nil
}

// newColumn adds a column that belongs to the present level.
func (b *binder) newColumn(c Column) ColID {
	id := b.md.NewColumn(c)
	b.owner = append(b.owner, b.level)
	return id
}

func (b *binder) ref(id ColID, pos ast.Pos) *expr.ColumnRef {
	r := b.md.Ref(id)
	if pos != ast.NoPos {
		b.refPos[r] = pos
	}
	return r
}

// at adds the place in the text to an error that has none.
func at(err error, pos ast.Pos) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*sqlstate.Error](err); ok && e.ByteOffset == 0 && e.Position == 0 && pos >= 0 {
		c := *e
		return c.At(int(pos))
	}
	return err
}

func errorf(code sqlstate.Code, pos ast.Pos, format string, args ...any) *sqlstate.Error {
	return sqlstate.New(code, format, args...).At(int(pos))
}

// addRelation notes that the statement depends on rel.
func (b *binder) addRelation(rel catalog.Relation, privileges uint32) error {
	found := false
	for _, r := range b.relations {
		if r == rel {
			found = true
			break
		}
	}
	if !found {
		b.relations = append(b.relations, rel)
	}
	if b.pc.Privileges != nil && !b.ownerRights {
		return b.pc.Privileges(rel, privileges, nil)
	}
	return nil
}
