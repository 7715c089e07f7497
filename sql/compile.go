package sql

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/exec"
	"github.com/spanlite/spanlite/sql/opt"
	"github.com/spanlite/spanlite/sql/parser"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// compiled is a statement that is bound and optimised. Immutable; shared by
// sessions through the plan cache.
type compiled struct {
	plan *plan.Physical
	// point is the plan's closed form, nil if it has none (point.go).
	point *exec.Point
	// shared is the statement, if its literals were lifted (shared.go).
	shared *sharedStatement
	// generation of the catalog it was made at.
	generation uint64
	// private: made from uncommitted DDL, good for one transaction only.
	private bool
	// user is the role whose privileges were checked.
	user   catalog.ID
	params []*types.T
	// columns is nil if the statement returns no rows.
	columns []Column
}

// isPlanned reports whether a statement has a plan.
func isPlanned(st ast.Statement) bool {
	switch st.(type) {
	case *ast.Select, *ast.Insert, *ast.Update, *ast.Delete:
		return true
	}
	return false
}

// collection returns the catalog as the session sees it now.
func (s *Session) collection() *catalog.Collection {
	coll := s.txn.coll
	if coll == nil {
		if s.idleCatalog == nil {
			s.idleCatalog = catalog.NewCollection(s.srv.cfg.Catalog, s.srv.catalogDB(), nil)
		}
		coll = s.idleCatalog
	}
	s.setPath(coll)
	return coll
}

// setPath gives a collection the session's search path.
func (s *Session) setPath(coll *catalog.Collection) {
	coll.Path.Database = s.database
	coll.Path.Schemas = s.vars.SearchPath
	coll.Path.User = s.user
	if s.tempSchema != 0 { // or else the transaction may have made one
		coll.Path.TempSchema = s.tempSchema
	}
}

// compile makes the plan of a prepared statement.
func (s *Session) compile(ps *preparedStatement) error {
	c, err := s.compileStatement(ps.stmt, ps.declared)
	if err != nil {
		return err
	}
	ps.compiled = c
	return nil
}

// refresh renews the plan of a prepared statement if the catalog has moved on.
// The result the client was told must not change.
func (s *Session) refresh(ps *preparedStatement) error {
	c := ps.compiled
	if s.fresh(c) {
		return nil
	}
	if err := s.compile(ps); err != nil {
		return err
	}
	if ps.described != nil && !sameColumns(ps.described, ps.compiled.columns) {
		return sqlstate.New(sqlstate.FeatureNotSupported, "cached plan must not change result type")
	}
	return nil
}

// fresh reports whether a plan may be used: two atomic loads at most.
func (s *Session) fresh(c *compiled) bool {
	if c.private || c.user != s.userID || c.generation != s.srv.cfg.Catalog.Generation() {
		return false
	}
	return s.txn.coll == nil || !s.txn.coll.HasChanges() && s.txn.asOf == 0
}

func sameColumns(a, b []Column) bool {
	return slices.EqualFunc(a, b, func(x, y Column) bool {
		return x.Name == y.Name && x.Type.OID == y.Type.OID
	})
}

// compileStatement binds and optimises a statement, or finds it in the cache.
func (s *Session) compileStatement(st *parser.Statement, declared []*types.T) (*compiled, error) {
	key := s.planKey(st.Text, declared)
	if c := s.srv.plans.get(key); c != nil && s.fresh(c) {
		s.srv.metrics.PlanHits.Add(1)
		return c, nil
	}
	s.srv.metrics.PlanMisses.Add(1)
	if q := asOfQuery(st.AST); q != nil {
		return s.compileAsOf(q, declared)
	}
	c, err := s.bindAndOptimize(st.AST, declared)
	if err != nil && s.txn.coll == nil && mayBeUnknownYet(err) {
		// The object may have been created on another node a moment ago.
		if refreshErr := s.srv.cfg.Catalog.Refresh(&s.ctx); refreshErr != nil {
			return nil, refreshErr
		}
		c, err = s.bindAndOptimize(st.AST, declared)
	}
	if err != nil {
		return nil, err
	}
	if !c.private {
		s.srv.plans.put(key, c)
	}
	return c, nil
}

// mayBeUnknownYet reports whether an error says that a name was not found.
func mayBeUnknownYet(err error) bool {
	switch sqlstate.CodeOf(err) {
	case sqlstate.UndefinedTable, sqlstate.UndefinedColumn, sqlstate.UndefinedObject, sqlstate.InvalidSchemaName, sqlstate.UndefinedFunction:
		return true
	}
	return false
}

// bindAndOptimize makes a plan.
func (s *Session) bindAndOptimize(st ast.Statement, declared []*types.T) (*compiled, error) {
	coll := s.collection()
	generation := coll.Generation()
	ec := s.evalContext(nil)
	logical, err := plan.Bind(&s.ctx, s.planContext(coll, declared), st)
	if err != nil {
		return nil, err
	}
	if logical.AsOf != nil && s.txn.asOf == 0 {
		return nil, sqlstate.Unsupported("AS OF SYSTEM TIME of a query that is no statement of its own").
			WithHint("BEGIN AS OF SYSTEM TIME makes all of a transaction read the past.")
	}
	physical, err := opt.Optimize(&opt.Config{
		Eval: ec, Registry: s.srv.cfg.Registry, Stats: s.srv.cfg.Stats.Table,
	}, logical)
	if err != nil {
		return nil, err
	}
	c := &compiled{
		plan: physical, point: exec.CompilePoint(physical), generation: generation, private: coll.HasChanges() || s.txn.asOf != 0, user: s.userID,
		params: physical.Params, columns: resultColumns(physical.Result),
	}
	if c.params == nil {
		c.params = []*types.T{}
	}
	return c, nil
}

// planContext returns what the binder needs.
func (s *Session) planContext(coll *catalog.Collection, declared []*types.T) *plan.Context {
	return &plan.Context{
		Catalog:    planCatalog{coll},
		Registry:   s.srv.cfg.Registry,
		Parser:     catalogParser{},
		Eval:       s.evalContext(nil),
		ParamTypes: slices.Clone(declared),
		ViewCatalog: func(searchPath []string) plan.Catalog {
			view := *coll
			view.Path.Schemas = searchPath
			return planCatalog{&view}
		},
		Privileges: s.checkPrivileges,
		Refresh:    s.refreshing,
	}
}

func resultColumns(result []plan.ResultColumn) []Column {
	if result == nil {
		return nil
	}
	out := make([]Column, len(result))
	for i, r := range result {
		out[i] = Column{Name: r.Name, TableOID: uint32(r.Table), Attnum: int16(r.Num), Type: r.T}
	}
	return out
}

// planCatalog is a Collection as the binder wants it.
type planCatalog struct{ *catalog.Collection }

// Relation implements plan.Catalog.
func (c planCatalog) Relation(ctx context.Context, name ast.ObjectName) (catalog.Relation, error) {
	return c.ResolveRelation(ctx, objectName(name))
}

// Type implements plan.Catalog.
func (c planCatalog) Type(ctx context.Context, name *ast.TypeName) (*types.T, error) {
	return plan.ResolveType(ctx, c.Collection, name)
}

// SchemaName implements plan.Catalog.
func (c planCatalog) SchemaName(id catalog.ID) string {
	if d := c.ByID(id); d != nil {
		return d.Head().Name
	}
	return ""
}

func objectName(n ast.ObjectName) catalog.Name {
	return catalog.Name{Database: n.Catalog, Schema: n.Schema, Name: n.Name, Offset: n.Pos.Offset()}
}

// CatalogParser returns what reads SQL that is stored in the catalog.
func CatalogParser() plan.Parser { return catalogParser{} }

// catalogParser reads SQL that is stored in the catalog.
type catalogParser struct{}

// ParseExpr implements plan.Parser.
func (catalogParser) ParseExpr(text string) (ast.Expr, error) { return parser.ParseExpr(text) }

// ParseQuery implements plan.Parser.
func (catalogParser) ParseQuery(text string) (*ast.Select, error) {
	statements, err := parser.Parse(text)
	if err != nil {
		return nil, err
	}
	if len(statements) == 1 {
		if q, ok := statements[0].AST.(*ast.Select); ok {
			return q, nil
		}
	}
	return nil, sqlstate.New(sqlstate.DataCorrupted, "stored query is no SELECT")
}

// planKey identifies a statement among all that a node has planned: its text and
// everything that names and types resolve by.
func (s *Session) planKey(text string, declared []*types.T) planKey {
	key := planKey{text: text, database: uint32(s.database), temp: uint32(s.tempSchema), path: s.pathKey(), user: s.user}
	if len(declared) > 0 {
		var b strings.Builder
		for _, t := range declared {
			if t != nil {
				b.WriteString(t.String())
			}
			b.WriteByte(',')
		}
		key.params = b.String()
	}
	return key
}

// pathKey returns the search path as text, made anew only when it changed.
func (s *Session) pathKey() string {
	if !slices.Equal(s.pathKeyOf, s.vars.SearchPath) {
		s.pathKeyOf = s.vars.SearchPath
		s.pathKeyText = strings.Join(s.vars.SearchPath, "\x00")
	}
	return s.pathKeyText
}

// planKey is a key of the plan cache.
type planKey struct {
	text, path, user, params string
	database, temp           uint32
}

// planCache holds recent plans by text. When it is full an arbitrary entry makes
// room: with thousands of entries that is close to the best policy and needs no
// bookkeeping on a hit.
type planCache struct {
	mu  sync.RWMutex
	m   map[planKey]*compiled
	max int
}

// planCacheSize bounds the cached plans of a node.
const planCacheSize = 4096

// planTextMax is the longest text worth caching: longer ones are bulk inserts.
const planTextMax = 16 << 10

func newPlanCache(size int) *planCache {
	return &planCache{m: map[planKey]*compiled{}, max: size}
}

func (c *planCache) get(k planKey) *compiled {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.m[k]
}

func (c *planCache) put(k planKey, p *compiled) {
	if len(k.text) > planTextMax {
		return
	}
	k.text = strings.Clone(k.text)
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.m[k]; !ok && len(c.m) >= c.max {
		for old := range c.m {
			delete(c.m, old)
			break
		}
	}
	c.m[k] = p
}
