package system

import (
	"slices"

	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/types"
)

// OIDs of other catalogs' rows that are needed here.
const (
	amHeap  catalog.ID = 2
	amBtree catalog.ID = 403

	classPgClass      catalog.ID = 1259
	classPgType       catalog.ID = 1247
	classPgConstraint catalog.ID = 2606
	classPgNamespace  catalog.ID = 2615
	classPgAttrdef    catalog.ID = 2604
	classPgDatabase   catalog.ID = 1262
	classPgAuthid     catalog.ID = 1260
	classPgRewrite    catalog.ID = 2618
)

func pgClass(r *reader) error {
	ids, byID := r.wantsIDs("oid")
	names, byName := r.wantsNames("relname")
	wanted := func(id catalog.ID, name string) bool {
		switch {
		case byID:
			return contains(ids, id)
		case byName:
			return contains(names, name)
		}
		return true
	}
	return r.relations("oid", "relname", func(rel catalog.Relation) error {
		h := rel.Head()
		if wanted(h.ID, h.Name) {
			classRow(r, rel)
			if err := r.emit(); err != nil {
				return err
			}
		}
		t, ok := rel.(*catalog.Table)
		if !ok {
			return nil
		}
		for x := range t.AllIndexes {
			if x.Hidden || !wanted(x.OID, x.Name) {
				continue
			}
			indexClassRow(r, t, x)
			if err := r.emit(); err != nil {
				return err
			}
		}
		return nil
	})
}

func contains[T comparable](list []T, v T) bool {
	for _, e := range list {
		if e == v {
			return true
		}
	}
	return false
}

// classRow fills in the pg_class row of a relation.
func classRow(r *reader, rel catalog.Relation) {
	h := rel.Head()
	r.set("oid", oid(h.ID))
	r.set("relname", text(h.Name))
	r.set("relnamespace", oid(h.Schema))
	r.set("relowner", oid(ownerOf(h)))
	r.set("relkind", char(rel.RelKind()))
	r.set("relpersistence", char('p'))
	r.set("relreplident", char('n'))
	r.set("reltuples", float(-1))
	populated := true
	if t, ok := rel.(*catalog.Table); ok && t.Materialized() {
		populated = t.Populated
	}
	r.set("relispopulated", boolean(populated))
	n := 0
	for i := range rel.Cols() {
		if !rel.Cols()[i].Hidden {
			n++
		}
	}
	r.set("relnatts", number(int64(n)))
	switch d := rel.(type) {
	case *catalog.Table:
		r.set("relam", oid(amHeap))
		r.set("reltype", oid(d.TypeOID))
		r.set("relfilenode", oid(h.ID))
		r.set("relreplident", char('d'))
		if d.Persistence != 0 {
			r.set("relpersistence", char(d.Persistence))
		}
		hasIndex := !d.Primary.Hidden || len(d.Indexes) > 0
		r.set("relhasindex", boolean(hasIndex))
		r.set("relchecks", number(int64(len(d.Checks))))
		r.set("relhastriggers", boolean(len(d.ForeignKeys)+len(d.Inbound) > 0))
		r.set("reloptions", optionsOf(d.Options))
	case *catalog.View:
		r.set("reltype", oid(d.TypeOID))
		r.set("relhasrules", boolean(true))
		r.set("reloptions", optionsOf(d.Options))
	case *catalog.Sequence:
		r.set("relfilenode", oid(h.ID))
	}
	r.set("relacl", aclOf(r, h))
}

// indexClassRow fills in the pg_class row of an index.
func indexClassRow(r *reader, t *catalog.Table, x *catalog.Index) {
	r.set("oid", oid(x.OID))
	r.set("relname", text(x.Name))
	r.set("relnamespace", oid(t.Schema))
	r.set("relowner", oid(ownerOf(&t.Header)))
	r.set("relkind", char('i'))
	r.set("relam", oid(amBtree))
	r.set("relfilenode", oid(x.OID))
	r.set("relpersistence", char('p'))
	if t.Persistence != 0 {
		r.set("relpersistence", char(t.Persistence))
	}
	r.set("relreplident", char('n'))
	r.set("relispopulated", boolean(true))
	r.set("relnatts", number(int64(len(x.Columns)+len(x.Include))))
	r.set("reloptions", optionsOf(x.Options))
}

// ownerOf returns an object's owner; objects without one belong to root.
func ownerOf(h *catalog.Header) catalog.ID {
	if h.Owner == 0 {
		return catalog.RoleRoot
	}
	return h.Owner
}

// attributeRow fills in the pg_attribute row of one column.
// h is the relation's header, nil for what has no privileges.
func attributeRow(r *reader, relation catalog.ID, h *catalog.Header, c *catalog.Column) {
	t := c.Type
	r.set("attrelid", oid(relation))
	r.set("attname", text(c.Name))
	r.set("attnum", number(int64(c.Num)))
	r.set("attstattarget", number(-1))
	if c.StatTarget != 0 {
		r.set("attstattarget", number(int64(c.StatTarget)))
	}
	r.set("attcacheoff", number(-1))
	r.set("atttypmod", number(-1))
	r.set("attislocal", boolean(true))
	r.set("attstorage", char('p'))
	r.set("attalign", char('i'))
	if c.Dropped {
		r.set("attname", text("........pg.dropped."+itoa(int(c.Num))+"........"))
		r.set("attisdropped", boolean(true))
		return
	}
	r.set("atttypid", types.NewOID(t.OID))
	r.set("attlen", number(int64(t.Len)))
	r.set("atttypmod", number(int64(t.Typmod)))
	if t.Elem != nil && t.Family == types.FamArray && t.OID != types.OIDInt2Vector && t.OID != types.OIDOidVector {
		r.set("attndims", number(1))
	}
	r.set("attbyval", boolean(t.Len > 0 && t.Len <= 8))
	if align := typeAlign(t); align != 0 {
		r.set("attalign", char(align))
	}
	r.set("attstorage", char(typeStorage(t)))
	if c.Storage != 0 {
		r.set("attstorage", char(c.Storage))
	}
	r.set("attnotnull", boolean(c.NotNull))
	r.set("atthasdef", boolean(c.Default != nil && c.Identity == 0 || c.Generated != nil))
	if c.Identity != 0 {
		r.set("attidentity", char(c.Identity))
	}
	if c.Generated != nil {
		r.set("attgenerated", char('s'))
	}
	r.set("attcollation", oid(collationOf(t)))
	if id := collations[c.Collation]; id != 0 {
		r.set("attcollation", oid(id))
	}
	r.set("attoptions", optionsOf(c.Options))
	if h != nil {
		r.set("attacl", aclOfPart(r, h, c.Num))
	}
}

// typeAlign is pg_type.typalign.
func typeAlign(t *types.T) byte {
	switch t.Len {
	case 1:
		return 'c'
	case 2:
		return 's'
	case 8:
		return 'd'
	case 16:
		if t.OID == types.OIDInterval {
			return 'd'
		}
		return 'c'
	case 64:
		return 'c'
	}
	return 'i'
}

// typeStorage is pg_type.typstorage.
func typeStorage(t *types.T) byte {
	switch {
	case t.Len != -1:
		return 'p'
	case t.OID == types.OIDNumeric || t.OID == types.OIDInet || t.OID == types.OIDCidr:
		return 'm'
	case t.OID == types.OIDInt2Vector || t.OID == types.OIDOidVector:
		return 'p'
	}
	return 'x'
}

// collationOf returns the collation of a type's values: the default one for
// text types.
func collationOf(t *types.T) catalog.ID {
	e := t
	if t.Elem != nil {
		e = t.Elem
	}
	switch {
	case e.OID == types.OIDName:
		return 950
	case e.Category == types.CatString && e.OID != types.OIDUnknown:
		return 100
	}
	return 0
}

// collations are the collations that a column can name.
var collations = map[string]catalog.ID{"C": 950, "POSIX": 951, "ucs_basic": 12340}

func itoa(n int) string {
	return string(types.AppendText(nil, types.Int8, types.NewInt(int64(n)), nil))
}

// systemColumns are the columns that every table has besides its own.
var systemColumns = []catalog.Column{
	{Num: -6, Name: "tableoid", Type: types.Oid, NotNull: true},
	{Num: -5, Name: "cmax", Type: types.Cid, NotNull: true},
	{Num: -4, Name: "xmax", Type: types.Xid, NotNull: true},
	{Num: -3, Name: "cmin", Type: types.Cid, NotNull: true},
	{Num: -2, Name: "xmin", Type: types.Xid, NotNull: true},
	{Num: -1, Name: "ctid", Type: types.Tid, NotNull: true},
}

func pgAttribute(r *reader) error {
	ids, byID := r.wantsIDs("attrelid")
	return r.relations("attrelid", "", func(rel catalog.Relation) error {
		h := rel.Head()
		if !byID || contains(ids, h.ID) {
			if _, ok := rel.(*catalog.Table); ok {
				for i := range systemColumns {
					attributeRow(r, h.ID, nil, &systemColumns[i])
					if err := r.emit(); err != nil {
						return err
					}
				}
			}
			cols := rel.Cols()
			for i := range cols {
				if cols[i].Hidden {
					continue
				}
				attributeRow(r, h.ID, h, &cols[i])
				if err := r.emit(); err != nil {
					return err
				}
			}
		}
		t, ok := rel.(*catalog.Table)
		if !ok {
			return nil
		}
		for x := range t.AllIndexes {
			if x.Hidden || byID && !contains(ids, x.OID) {
				continue
			}
			cols := indexColumns(r.definer(), t, x)
			for i := range cols {
				attributeRow(r, x.OID, nil, &cols[i])
				if err := r.emit(); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// indexColumns returns the columns of an index as those of a relation. Columns of
// expressions are named after them, with a number if the name is taken.
func indexColumns(d Definer, t *catalog.Table, x *catalog.Index) []catalog.Column {
	var out []catalog.Column
	for n := 1; n <= len(x.Columns)+len(x.Include); n++ {
		c := indexColumn(t, x, n)
		if n <= len(x.Columns) && x.Columns[n-1].Expr != nil {
			base := d.ColumnName(x.Columns[n-1].Expr.SQL)
			c.Name = base
			for i := 1; slices.ContainsFunc(out, func(o catalog.Column) bool { return o.Name == c.Name }); i++ {
				c.Name = base + itoa(i)
			}
		}
		out = append(out, c)
	}
	return out
}

// indexColumn returns the n-th column of an index; one of an expression has no name.
func indexColumn(t *catalog.Table, x *catalog.Index, n int) catalog.Column {
	var num catalog.AttNum
	c := catalog.Column{Num: catalog.AttNum(n), Type: types.Text}
	if n <= len(x.Columns) {
		col := &x.Columns[n-1]
		num = col.Num
		if col.Type != nil {
			c.Type = col.Type
		}
	} else {
		num = x.Include[n-1-len(x.Columns)]
	}
	if base := t.Column(num); num != 0 && base != nil {
		c.Name, c.Type, c.Collation = base.Name, base.Type, base.Collation
	}
	return c
}

func pgAttrdef(r *reader) error {
	return r.tables("adrelid", func(t *catalog.Table) error {
		for i := range t.Columns {
			c := &t.Columns[i]
			e := c.Default
			if c.Generated != nil {
				e = c.Generated
			}
			if e == nil || c.Dropped || c.Hidden || c.Identity != 0 {
				continue
			}
			r.set("oid", oid(c.DefaultOID))
			r.set("adrelid", oid(t.ID))
			r.set("adnum", number(int64(c.Num)))
			r.set("adbin", text(e.SQL))
			if err := r.emit(); err != nil {
				return err
			}
		}
		return nil
	})
}

func pgTables(r *reader) error {
	return r.relations("", "", func(rel catalog.Relation) error {
		if rel.RelKind() != 'r' {
			return nil
		}
		h := rel.Head()
		r.set("schemaname", text(SchemaName(r.cat, h.Schema)))
		r.set("tablename", text(h.Name))
		r.set("tableowner", text(roleName(r, ownerOf(h))))
		r.set("rowsecurity", boolean(false))
		r.set("hasrules", boolean(false))
		r.set("hastriggers", boolean(false))
		r.set("hasindexes", boolean(true))
		if t, ok := rel.(*catalog.Table); ok {
			r.set("hastriggers", boolean(len(t.ForeignKeys)+len(t.Inbound) > 0))
			r.set("hasindexes", boolean(!t.Primary.Hidden || len(t.Indexes) > 0))
		}
		return r.emit()
	})
}

func pgViews(r *reader) error {
	return r.relations("", "", func(rel catalog.Relation) error {
		if rel.RelKind() != 'v' {
			return nil
		}
		h := rel.Head()
		r.set("schemaname", text(SchemaName(r.cat, h.Schema)))
		r.set("viewname", text(h.Name))
		r.set("viewowner", text(roleName(r, ownerOf(h))))
		if v, ok := rel.(*catalog.View); ok {
			r.set("definition", text(r.definer().ViewQuery(r.ctx, r.cat, v, false)))
		}
		return r.emit()
	})
}

func pgMatviews(r *reader) error {
	return r.relations("", "", func(rel catalog.Relation) error {
		t, ok := rel.(*catalog.Table)
		if !ok || !t.Materialized() {
			return nil
		}
		r.set("schemaname", text(SchemaName(r.cat, t.Schema)))
		r.set("matviewname", text(t.Name))
		r.set("matviewowner", text(roleName(r, ownerOf(&t.Header))))
		r.set("hasindexes", boolean(len(t.Indexes) > 0))
		r.set("ispopulated", boolean(t.Populated))
		r.set("definition", text(r.definer().ViewQuery(r.ctx, r.cat, t.AsView(), false)))
		return r.emit()
	})
}

// pgRewrite has the rule that makes a view a view. Its OID is the view's.
func pgRewrite(r *reader) error {
	return r.relations("ev_class", "", func(rel catalog.Relation) error {
		v, ok := rel.(*catalog.View)
		if !ok {
			return nil
		}
		r.set("oid", oid(v.ID))
		r.set("rulename", text("_RETURN"))
		r.set("ev_class", oid(v.ID))
		r.set("ev_type", char('1'))
		r.set("ev_enabled", char('O'))
		r.set("is_instead", boolean(true))
		r.set("ev_qual", text("<>"))
		r.set("ev_action", text("<>"))
		return r.emit()
	})
}

func pgSequence(r *reader) error {
	return r.relations("seqrelid", "", func(rel catalog.Relation) error {
		s, ok := rel.(*catalog.Sequence)
		if !ok {
			return nil
		}
		r.set("seqrelid", oid(s.ID))
		r.set("seqtypid", types.NewOID(s.Type.OID))
		r.set("seqstart", number(s.Start))
		r.set("seqincrement", number(s.Increment))
		r.set("seqmax", number(s.Max))
		r.set("seqmin", number(s.Min))
		r.set("seqcache", number(s.Cache))
		r.set("seqcycle", boolean(s.Cycle))
		return r.emit()
	})
}

// pgSequences leaves last_value NULL, which is in the counter and not in the catalog.
func pgSequences(r *reader) error {
	return each(r, func(s *catalog.Sequence) error {
		r.set("schemaname", text(SchemaName(r.cat, s.Schema)))
		r.set("sequencename", text(s.Name))
		r.set("sequenceowner", text(roleName(r, ownerOf(&s.Header))))
		r.set("data_type", oid(catalog.ID(s.Type.OID)))
		r.set("start_value", number(s.Start))
		r.set("min_value", number(s.Min))
		r.set("max_value", number(s.Max))
		r.set("increment_by", number(s.Increment))
		r.set("cycle", types.NewBool(s.Cycle))
		r.set("cache_size", number(s.Cache))
		return r.emit()
	})
}
