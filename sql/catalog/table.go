package catalog

import (
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql/types"
)

// AttNum is a column's number in its table, PostgreSQL's attnum: from 1, in the
// order of creation, never reused. Negative numbers are system columns.
type AttNum int16

// RowIDNum is the number of the hidden row id, the primary key of a table that
// declares none.
const RowIDNum AttNum = -100

// What happens to a temporary table at commit. The values are stored.
const (
	OnCommitDrop   byte = 'd'
	OnCommitDelete byte = 'r'
)

// RowIDName is the name of the hidden row id column.
const RowIDName = "_rowid_"

// Table describes an ordinary table at one version. It is immutable once a
// Snapshot or a Collection has handed it out; only schemachange changes clones.
//
// Columns[i] for i < the number of user columns has Num i+1: dropped columns
// stay, marked Dropped, so that ordinals and row formats are stable. The hidden
// row id, if there is one, is the last element. Everywhere in Spanlite the
// "ordinal" of a column is its position in Columns.
type Table struct {
	Header  `d:"1"`
	Columns []Column `d:"2"`
	// Primary is the clustered index. Every table has one; if the user
	// declared no primary key, it is on the hidden row id and Primary.Hidden.
	Primary Index `d:"3"`
	// Indexes are the secondary indexes in order of creation, in all states.
	Indexes     []Index      `d:"4"`
	Checks      []Check      `d:"5"`
	ForeignKeys []ForeignKey `d:"6"`
	// Inbound are the foreign keys of other tables (or this one) that
	// reference this table.
	Inbound []InboundKey `d:"7"` // number 8 was a counter of index IDs
	// Persistence is pg_class.relpersistence: p permanent, u unlogged, t temporary.
	Persistence byte    `d:"9"`
	Options     []Param `d:"10"` // WITH (fillfactor=100)
	TypeOID     ID      `d:"11"` // row type
	TypeArray   ID      `d:"12"`
	// ValidFrom is the timestamp at which data written outside of transactions
	// for this version (index backfills, rewrites) is complete. A transaction
	// that reads below it must not use this version.
	ValidFrom hlc.Timestamp `d:"13"`
	// GCTTLSeconds overrides gc.ttl; 0 means the default.
	GCTTLSeconds int32 `d:"14"`
	// OnCommit is what happens to the rows of a temporary table at commit, 0: nothing.
	OnCommit byte `d:"15"`
	// Query makes the table a materialized view: it holds the rows that this SELECT had,
	// resolved along QueryPath, when it was last refreshed. QueryDeps is what that needs.
	Query     string       `d:"16"`
	QueryPath []string     `d:"17"`
	QueryDeps []Dependency `d:"18"`
	// Populated: it has been.
	Populated bool `d:"19"`
	// TriggersOff is DISABLE TRIGGER ALL: what PostgreSQL does in triggers is not done for
	// changes of this table, which is foreign keys, from it and to it, and deferrable
	// unique constraints.
	TriggersOff bool `d:"20"`
	// RowSecurity and the like are not implemented.

	rt *tableRuntime
}

// Column is a column of a relation.
type Column struct {
	Num     AttNum   `d:"1"`
	Name    string   `d:"2"`
	Type    *types.T `d:"3"`
	NotNull bool     `d:"4"`
	Dropped bool     `d:"5"`
	// Hidden columns are not part of * and cannot be named by INSERT's default
	// column list.
	Hidden bool `d:"6"`
	// Default is the DEFAULT expression as SQL text, nil if none. For an
	// identity or serial column it calls nextval.
	Default *Expr `d:"7"`
	// Generated is the expression of a GENERATED ALWAYS AS (...) STORED column.
	Generated *Expr `d:"8"`
	// Identity is pg_attribute.attidentity: 'a' always, 'd' by default, 0 none.
	Identity byte `d:"9"`
	// Sequence is the sequence that an identity column owns.
	Sequence ID `d:"10"`
	// Missing is the encoded value that rows from before ADD COLUMN ... DEFAULT
	// have in this column (package rowenc, EncodeMissing); nil means NULL.
	Missing   []byte  `d:"11"`
	Collation string  `d:"12"`
	Comment   string  `d:"13"`
	Options   []Param `d:"14"`
	// StatTarget is attstattarget, 0 if not set.
	StatTarget int32 `d:"15"`
	// Storage is attstorage as set by ALTER TABLE, 0 for the type's default.
	Storage byte `d:"16"`
	// DefaultOID is the oid of Default in pg_attrdef.
	DefaultOID ID `d:"17"`
}

// Expr is an expression of the schema: SQL text that resolves along the path
// pg_catalog, and what it depends on.
type Expr struct {
	SQL       string       `d:"1"`
	Columns   []AttNum     `d:"2"` // columns of the same table
	DependsOn []Dependency `d:"3"` // sequences, types, other objects
}

// IndexState is how far an index is built; writers obey it. See package
// schemachange for the argument (F1, section 5.1).
type IndexState uint8

// The states. The values are stored.
const (
	// IndexPublic: read and written.
	IndexPublic IndexState = 0
	// IndexDeleteOnly: deletes (and the delete half of updates) remove entries;
	// nothing is inserted, nothing reads.
	IndexDeleteOnly IndexState = 1
	// IndexWriteOnly: all writes maintain it, nothing reads.
	IndexWriteOnly IndexState = 2
	// IndexValidating: written, complete, uniqueness being verified.
	IndexValidating IndexState = 3
	// IndexDropping: as delete-only, on the way out.
	IndexDropping IndexState = 4
)

// Readable reports whether queries may use the index.
func (s IndexState) Readable() bool { return s == IndexPublic }

// WritesInserts reports whether new rows must be entered in the index.
func (s IndexState) WritesInserts() bool {
	return s == IndexPublic || s == IndexWriteOnly || s == IndexValidating
}

// WritesDeletes reports whether entries of removed rows must be removed.
func (s IndexState) WritesDeletes() bool { return true }

// Index describes an index of a table. A primary key and a unique constraint
// are unique indexes with Constraint set.
type Index struct {
	// ID addresses the data: keys.IndexPrefix(table, ID). It is an OID that was
	// fresh when the data were begun: TRUNCATE and rewrites give an index a new ID,
	// and none is ever used twice, not even after a rollback, because data are
	// written outside of transactions. The OID stays.
	ID      uint32        `d:"1"`
	OID     ID            `d:"2"`
	Name    string        `d:"3"`
	Unique  bool          `d:"4"`
	Columns []IndexColumn `d:"5"`
	// Include are the covering columns (INCLUDE), stored in the entry's value.
	Include []AttNum `d:"6"`
	// Predicate makes the index partial.
	Predicate *Expr      `d:"7"`
	State     IndexState `d:"8"`
	// NullsNotDistinct: two NULLs violate uniqueness.
	NullsNotDistinct bool `d:"9"`
	// Constraint is 'p' or 'u' if the index enforces a constraint of the same
	// name, else 0.
	Constraint    byte `d:"10"`
	ConstraintOID ID   `d:"11"`
	Deferrable    bool `d:"12"`
	Deferred      bool `d:"13"`
	// Hidden marks the primary index on the hidden row id; pg_catalog does not
	// show it.
	Hidden            bool    `d:"14"`
	Method            string  `d:"15"` // "btree" if empty
	Comment           string  `d:"16"`
	ConstraintComment string  `d:"17"`
	Options           []Param `d:"18"`
}

// IndexColumn is one key column of an index.
type IndexColumn struct {
	// Num is the column; 0 if the key is an expression.
	Num AttNum `d:"1"`
	// Expr is the indexed expression of type Type, nil for a plain column.
	Expr       *Expr    `d:"2"`
	Type       *types.T `d:"3"`
	Desc       bool     `d:"4"`
	NullsFirst bool     `d:"5"`
	Collation  string   `d:"6"`
	OpClass    string   `d:"7"`
}

// Check is a CHECK constraint.
type Check struct {
	Name      string `d:"1"`
	OID       ID     `d:"2"`
	Expr      Expr   `d:"3"`
	NotValid  bool   `d:"4"`
	NoInherit bool   `d:"5"`
	Comment   string `d:"6"`
}

// FKAction is what a foreign key does when the referenced row changes:
// pg_constraint's letters.
type FKAction byte

// The actions.
const (
	FKNoAction   FKAction = 'a'
	FKRestrict   FKAction = 'r'
	FKCascade    FKAction = 'c'
	FKSetNull    FKAction = 'n'
	FKSetDefault FKAction = 'd'
)

// ForeignKey is a FOREIGN KEY constraint of the referencing table.
type ForeignKey struct {
	Name       string   `d:"1"`
	OID        ID       `d:"2"`
	Columns    []AttNum `d:"3"`
	RefTable   ID       `d:"4"`
	RefColumns []AttNum `d:"5"`
	// RefIndex is the OID of the unique index of RefTable that is referenced.
	RefIndex   ID       `d:"6"`
	OnUpdate   FKAction `d:"7"`
	OnDelete   FKAction `d:"8"`
	MatchFull  bool     `d:"9"`
	Deferrable bool     `d:"10"`
	Deferred   bool     `d:"11"`
	NotValid   bool     `d:"12"`
	Comment    string   `d:"13"`
	// SetColumns restricts SET NULL / SET DEFAULT to these columns.
	SetColumns []AttNum `d:"14"`
}

// InboundKey is the mirror image of a ForeignKey in the referenced table.
type InboundKey struct {
	Table      ID `d:"1"` // the referencing table
	Constraint ID `d:"2"` // ForeignKey.OID
}

// DescKind returns KindTable.
func (*Table) DescKind() Kind { return KindTable }

// RelKind returns 'r', or 'm' for a materialized view.
func (t *Table) RelKind() byte {
	if t.Materialized() {
		return 'm'
	}
	return 'r'
}

// Materialized reports whether the table is a materialized view.
func (t *Table) Materialized() bool { return t.Query != "" }

// AsView returns the query of a materialized view.
func (t *Table) AsView() *View {
	v := &View{Header: t.Header, Query: t.Query, SearchPath: t.QueryPath, DependsOn: t.QueryDeps}
	for _, c := range t.Live {
		v.Columns = append(v.Columns, *c)
	}
	return v
}

// Cols returns all columns.
func (t *Table) Cols() []Column { return t.Columns }

// HasRowID reports whether the primary key is the hidden row id.
func (t *Table) HasRowID() bool { return t.Primary.Hidden }

// Ordinal returns the position in Columns of the column with the number.
func (t *Table) Ordinal(num AttNum) (int, bool) {
	if num > 0 && int(num) <= len(t.Columns) && t.Columns[num-1].Num == num {
		return int(num) - 1, true
	}
	if n := len(t.Columns) - 1; num == RowIDNum && n >= 0 && t.Columns[n].Num == num {
		return n, true
	}
	return 0, false
}

// MustOrdinal is Ordinal for numbers that the table itself refers to.
func (t *Table) MustOrdinal(num AttNum) int {
	ord, ok := t.Ordinal(num)
	if !ok {
		panic("catalog: table " + t.Name + " refers to a column it does not have")
	}
	return ord
}

// Column returns the column with the number, or nil.
func (t *Table) Column(num AttNum) *Column {
	if ord, ok := t.Ordinal(num); ok {
		return &t.Columns[ord]
	}
	return nil
}

// ColumnByName returns the live column with the name and its ordinal; hidden
// columns are found too.
func (t *Table) ColumnByName(name string) (*Column, int, bool) {
	for i := range t.Columns {
		if c := &t.Columns[i]; c.Name == name && !c.Dropped {
			return c, i, true
		}
	}
	return nil, -1, false
}

// Live calls yield for each column that is neither dropped nor hidden, with its
// ordinal.
func (t *Table) Live(yield func(int, *Column) bool) {
	for i := range t.Columns {
		if c := &t.Columns[i]; !c.Dropped && !c.Hidden && !yield(i, c) {
			return
		}
	}
}

// AllIndexes calls yield for the primary index and then the secondary ones.
func (t *Table) AllIndexes(yield func(*Index) bool) {
	if !yield(&t.Primary) {
		return
	}
	for i := range t.Indexes {
		if !yield(&t.Indexes[i]) {
			return
		}
	}
}

// IndexByOID returns the index with the OID, or nil.
func (t *Table) IndexByOID(oid ID) *Index {
	for x := range t.AllIndexes {
		if x.OID == oid {
			return x
		}
	}
	return nil
}

// IndexByName returns the index with the name, or nil.
func (t *Table) IndexByName(name string) *Index {
	for x := range t.AllIndexes {
		if x.Name == name && !x.Hidden {
			return x
		}
	}
	return nil
}

// ForeignKeyByOID returns the foreign key with the OID, or nil.
func (t *Table) ForeignKeyByOID(oid ID) *ForeignKey {
	for i := range t.ForeignKeys {
		if t.ForeignKeys[i].OID == oid {
			return &t.ForeignKeys[i]
		}
	}
	return nil
}

// IndexSpan returns the keys of an index's entries.
func (t *Table) IndexSpan(x *Index) keys.Span {
	p := keys.IndexPrefix(nil, uint32(t.ID), x.ID)
	return keys.Span{Start: p, End: keys.PrefixEnd(p)}
}

// Span returns the keys of all the table's data.
func (t *Table) Span() keys.Span {
	p := keys.TablePrefix(nil, uint32(t.ID))
	return keys.Span{Start: p, End: keys.PrefixEnd(p)}
}

// AuxSlot names a cache slot on a published table version.
type AuxSlot int

// The slots.
const (
	AuxRowCodec AuxSlot = iota
	AuxBinder
	AuxStats
	auxSlots
)

// Aux returns the cached derived object in the slot, making it with build if
// there is none. Concurrent calls may build twice; one result wins. All values
// of a slot must have the same concrete type. A table that is not published
// (a clone being changed) caches nothing.
func (t *Table) Aux(slot AuxSlot, build func() any) any {
	if t.rt == nil {
		return build()
	}
	if v := t.rt.aux[slot].Load(); v != nil {
		return v
	}
	v := build()
	if !t.rt.aux[slot].CompareAndSwap(nil, v) {
		return t.rt.aux[slot].Load()
	}
	return v
}
