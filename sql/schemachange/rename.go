package schemachange

import (
	"slices"
	"strings"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

func (x *statement) rename(stmt *ast.Rename) error {
	name := catalogName(stmt.Object)
	missing := func(code sqlstate.Code, what string) error {
		if stmt.IfExists {
			x.notice("00000", "%s %q does not exist, skipping", what, name.String())
			return nil
		}
		return sqlstate.New(code, "%s %q does not exist", what, name.String())
	}
	switch stmt.Kind {
	case ast.ObjectTable, ast.ObjectView, ast.ObjectSequence, ast.ObjectMaterializedView, ast.ObjectIndex:
		t, ix, err := x.coll.ResolveIndex(x.ctx, name)
		if err != nil {
			return err
		}
		if ix != nil {
			return x.renameIndex(t, ix.OID, stmt.New)
		}
		rel, err := x.coll.LookupRelation(x.ctx, name)
		if err != nil {
			return err
		}
		if rel == nil {
			return missing(sqlstate.UndefinedTable, "relation")
		}
		return x.renameRelation(rel, stmt)
	case ast.ObjectColumn:
		rel, err := x.coll.LookupRelation(x.ctx, name)
		if err != nil {
			return err
		}
		if rel == nil {
			return missing(sqlstate.UndefinedTable, "relation")
		}
		return x.renameColumn(rel, stmt.Old, stmt.New)
	case ast.ObjectConstraint:
		t, err := x.coll.ResolveTable(x.ctx, name)
		if err != nil {
			return err
		}
		return x.renameConstraint(t, stmt.Old, stmt.New)
	case ast.ObjectSchema:
		return x.renameSchema(stmt)
	case ast.ObjectDatabase:
		db, err := x.coll.Database(x.ctx, stmt.Object.Name)
		if err != nil {
			return err
		}
		if db.ID == x.coll.Path.Database {
			return sqlstate.New(sqlstate.FeatureNotSupported, "current database cannot be renamed")
		}
		id, err := x.coll.DatabaseTaken(x.ctx, stmt.New)
		if err != nil {
			return err
		}
		if id != 0 {
			return sqlstate.New(sqlstate.DuplicateDatabase, "database %q already exists", stmt.New)
		}
		return x.setName(db.ID, stmt.New)
	case ast.ObjectRole:
		role, err := x.coll.Role(x.ctx, stmt.Object.Name)
		if err != nil {
			return err
		}
		id, err := x.coll.RoleTaken(x.ctx, stmt.New)
		if err != nil {
			return err
		}
		if id != 0 {
			return sqlstate.New(sqlstate.DuplicateObject, "role %q already exists", stmt.New)
		}
		return x.setName(role.ID, stmt.New)
	case ast.ObjectType:
		t, err := x.coll.LookupType(x.ctx, name)
		if err != nil {
			return err
		}
		if t != nil {
			if d, ok := x.coll.ByID(catalog.ID(t.OID)).(*catalog.Type); ok {
				if _, err := x.claimName(d.Schema, stmt.New, false); err != nil {
					return err
				}
				return x.setName(d.ID, stmt.New)
			}
		}
		return missing(sqlstate.UndefinedObject, "type")
	}
	return unsupportedAt(stmt.Pos, "ALTER %s RENAME", stmt.Kind)
}

func (x *statement) setName(id catalog.ID, name string) error {
	d, err := x.mutable(id)
	if err != nil {
		return err
	}
	d.Head().Name = name
	return x.coll.Put(x.ctx, d)
}

func (x *statement) renameRelation(rel catalog.Relation, stmt *ast.Rename) error {
	h := rel.Head()
	if rel.DescKind() == catalog.KindVirtual {
		return sqlstate.New(sqlstate.InsufficientPrivilege, "permission denied: %q is a system catalog", h.Name)
	}
	if err := x.refuseForViews(h.ID, "renaming "+describe(rel)); err != nil {
		return err
	}
	if _, err := x.claimName(h.Schema, stmt.New, false); err != nil {
		return err
	}
	d, err := x.mutable(h.ID)
	if err != nil {
		return err
	}
	old := h.Name
	d.Head().Name = stmt.New
	if t, ok := d.(*catalog.Table); ok {
		eachExpr(t, func(e *catalog.Expr) { e.SQL = renameWord(e.SQL, old, stmt.New, true) })
	}
	if err := x.coll.Put(x.ctx, d); err != nil {
		return err
	}
	if seq, ok := d.(*catalog.Sequence); ok {
		return x.sequenceMoved(seq)
	}
	return nil
}

// refuseForViews refuses a change that the text of a view would not survive.
func (x *statement) refuseForViews(id catalog.ID, what string) error {
	for d := range x.coll.All {
		if dependsOn(d, id) {
			return sqlstate.Unsupported("%s, which %s %q uses,", what, word(d), d.Head().Name).WithHint("Drop the view and create it again.")
		}
	}
	return nil
}

// sequenceMoved brings the defaults that call a sequence up to its new name.
func (x *statement) sequenceMoved(seq *catalog.Sequence) error {
	var users []catalog.ID
	depends := func(e *catalog.Expr) bool {
		return e != nil && slices.ContainsFunc(e.DependsOn, func(dep catalog.Dependency) bool { return dep.ID == seq.ID })
	}
	for d := range x.coll.All {
		if t, ok := d.(*catalog.Table); ok && slices.ContainsFunc(t.Columns, func(c catalog.Column) bool { return depends(c.Default) }) {
			users = append(users, t.ID)
		}
	}
	for _, id := range users {
		t, err := x.mutableTable(id)
		if err != nil {
			return err
		}
		for i := range t.Columns {
			if c := &t.Columns[i]; depends(c.Default) {
				c.Default.SQL = nextvalText(x.schemaName(seq.Schema), seq.Name)
			}
		}
		if err := x.coll.Put(x.ctx, t); err != nil {
			return err
		}
	}
	return nil
}

func (x *statement) renameIndex(old *catalog.Table, oid catalog.ID, name string) error {
	if _, err := x.claimName(old.Schema, name, false); err != nil {
		return err
	}
	t, err := x.mutableTable(old.ID)
	if err != nil {
		return err
	}
	if ix := t.IndexByOID(oid); ix != nil {
		ix.Name = name
	}
	return x.coll.Put(x.ctx, t)
}

func (x *statement) renameConstraint(old *catalog.Table, from, to string) error {
	if ix := old.IndexByName(from); ix != nil && ix.Constraint != 0 {
		return x.renameIndex(old, ix.OID, to)
	}
	t, err := x.mutableTable(old.ID)
	if err != nil {
		return err
	}
	if constraintNamed(t, to) {
		return duplicateConstraint(t, to)
	}
	for i := range t.Checks {
		if t.Checks[i].Name == from {
			t.Checks[i].Name = to
			return x.coll.Put(x.ctx, t)
		}
	}
	for i := range t.ForeignKeys {
		if t.ForeignKeys[i].Name == from {
			t.ForeignKeys[i].Name = to
			return x.coll.Put(x.ctx, t)
		}
	}
	return sqlstate.New(sqlstate.UndefinedObject, "constraint %q for table %q does not exist", from, t.Name)
}

func (x *statement) renameColumn(rel catalog.Relation, from, to string) error {
	h := rel.Head()
	d, err := x.mutable(h.ID)
	if err != nil {
		return err
	}
	var cols []catalog.Column
	switch d := d.(type) {
	case *catalog.Table:
		cols = d.Columns
	case *catalog.View:
		cols = d.Columns
	default:
		return sqlstate.New(sqlstate.WrongObjectType, "cannot rename columns of relation %q", h.Name)
	}
	at := slices.IndexFunc(cols, func(c catalog.Column) bool { return c.Name == from && !c.Dropped && !c.Hidden })
	if at < 0 {
		return sqlstate.New(sqlstate.UndefinedColumn, "column %q does not exist", from)
	}
	if slices.ContainsFunc(cols, func(c catalog.Column) bool { return c.Name == to && !c.Dropped }) {
		return sqlstate.New(sqlstate.DuplicateColumn, "column %q of relation %q already exists", to, h.Name)
	}
	if err := x.refuseForViews(h.ID, "renaming column \""+from+"\" of "+describe(rel)); err != nil {
		return err
	}
	num := cols[at].Num
	cols[at].Name = to
	if t, ok := d.(*catalog.Table); ok {
		eachExpr(t, func(e *catalog.Expr) {
			if slices.Contains(e.Columns, num) {
				e.SQL = renameWord(e.SQL, from, to, false)
			}
		})
	}
	return x.coll.Put(x.ctx, d)
}

func (x *statement) renameSchema(stmt *ast.Rename) error {
	sc, err := x.coll.Schema(x.ctx, stmt.Object.Name)
	if err != nil {
		return err
	}
	if strings.HasPrefix(stmt.New, "pg_") {
		return sqlstate.New(sqlstate.ReservedName, "unacceptable schema name %q", stmt.New).
			WithDetail("The prefix \"pg_\" is reserved for system schemas.")
	}
	id, err := x.coll.SchemaTaken(x.ctx, x.coll.Path.Database, stmt.New)
	if err != nil {
		return err
	}
	if id != 0 {
		return sqlstate.New(sqlstate.DuplicateSchema, "schema %q already exists", stmt.New)
	}
	for d := range x.coll.All {
		if d.Head().Schema == sc.ID {
			if err := x.refuseForViews(d.Head().ID, "renaming the schema of "+describe(d)); err != nil {
				return err
			}
		}
	}
	if err := x.setName(sc.ID, stmt.New); err != nil {
		return err
	}
	var seqs []*catalog.Sequence
	for d := range x.coll.All {
		if seq, ok := d.(*catalog.Sequence); ok && seq.Schema == sc.ID {
			seqs = append(seqs, seq)
		}
	}
	for _, seq := range seqs {
		if err := x.sequenceMoved(seq); err != nil {
			return err
		}
	}
	return nil
}

// setSchema is ALTER ... SET SCHEMA.
func (x *statement) setSchema(stmt *ast.AlterSchema) error {
	name := catalogName(stmt.Object)
	to, err := x.targetSchema(ast.ObjectName{Pos: ast.NoPos, Schema: stmt.Schema, Name: stmt.Object.Name})
	if err != nil {
		return err
	}
	var target catalog.Descriptor
	if stmt.Kind == ast.ObjectType {
		t, err := x.coll.LookupType(x.ctx, name)
		if err != nil {
			return err
		}
		if t != nil {
			target = x.coll.ByID(catalog.ID(t.OID))
		}
	} else {
		rel, err := x.coll.LookupRelation(x.ctx, name)
		if err != nil {
			return err
		}
		if rel != nil {
			target = rel
		}
	}
	if target == nil {
		if stmt.IfExists {
			x.notice("00000", "relation %q does not exist, skipping", name.String())
			return nil
		}
		return catalog.UndefinedRelation(name)
	}
	if target.Head().Schema == to.ID {
		return nil
	}
	if err := x.refuseForViews(target.Head().ID, "moving "+describe(target)); err != nil {
		return err
	}
	move := func(id catalog.ID) error {
		d, err := x.mutable(id)
		if err != nil {
			return err
		}
		if _, err := x.claimName(to.ID, d.Head().Name, false); err != nil {
			return err
		}
		if t, ok := d.(*catalog.Table); ok {
			for ix := range t.AllIndexes {
				if !ix.Hidden {
					if _, err := x.claimName(to.ID, ix.Name, false); err != nil {
						return err
					}
				}
			}
		}
		d.Head().Schema = to.ID
		if err := x.coll.Put(x.ctx, d); err != nil {
			return err
		}
		if seq, ok := d.(*catalog.Sequence); ok {
			return x.sequenceMoved(seq)
		}
		return nil
	}
	id := target.Head().ID
	if err := move(id); err != nil {
		return err
	}
	var owned []catalog.ID
	for d := range x.coll.All {
		if seq, ok := d.(*catalog.Sequence); ok && seq.OwnedBy.Table == id {
			owned = append(owned, seq.ID)
		}
	}
	for _, id := range owned {
		if err := move(id); err != nil {
			return err
		}
	}
	return nil
}

// eachExpr calls fn for the expressions over a row of the table.
func eachExpr(t *catalog.Table, fn func(*catalog.Expr)) {
	for i := range t.Columns {
		if e := t.Columns[i].Generated; e != nil {
			fn(e)
		}
	}
	for i := range t.Checks {
		fn(&t.Checks[i].Expr)
	}
	for ix := range t.AllIndexes {
		if ix.Predicate != nil {
			fn(ix.Predicate)
		}
		for i := range ix.Columns {
			if e := ix.Columns[i].Expr; e != nil {
				fn(e)
			}
		}
	}
}

// renameWord replaces an identifier in an expression's text: as a qualifier (before a dot)
// or else as a column's name (not before a parenthesis or a dot). The text comes from
// ast.Format, so that identifiers are in their canonical form.
func renameWord(sql, from, to string, qualifier bool) string {
	old, repl := types.QuoteIdent(from), types.QuoteIdent(to)
	var b strings.Builder
	word := func(c byte) bool {
		return c == '_' || c == '$' || c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
	}
	for i := 0; i < len(sql); {
		j := i + 1
		switch c := sql[i]; {
		case c == '\'' || c == '"':
			for j < len(sql) {
				if sql[j] == c {
					if j+1 < len(sql) && sql[j+1] == c {
						j += 2
						continue
					}
					break
				}
				if c == '\'' && sql[j] == '\\' && i > 0 && (sql[i-1] == 'E' || sql[i-1] == 'e') {
					j++
				}
				j++
			}
			j = min(j+1, len(sql))
		case word(c):
			for j < len(sql) && word(sql[j]) {
				j++
			}
		}
		tok := sql[i:j]
		next := byte(0)
		if j < len(sql) {
			next = sql[j]
		}
		typePos := strings.HasSuffix(b.String(), "::")
		if tok == old && !typePos && (qualifier && next == '.' || !qualifier && next != '.' && next != '(') {
			tok = repl
		}
		b.WriteString(tok)
		i = j
	}
	return b.String()
}
