package catalog

import (
	"context"

	"github.com/spanlite/spanlite/sql/types"
)

// Virtual is a relation whose rows are computed: those of pg_catalog and
// information_schema, and Spanlite's own spanlite_* views. It is immutable.
type Virtual struct {
	Header
	Columns []Column
	// Kind is pg_class.relkind: 'r' for catalogs, 'v' for views.
	Kind byte
	// Keys are the ordinals of columns by which rows can be looked up; see
	// Lookup.
	Keys []int
	// Scan calls emit for every row, or at least for every row that matches
	// look. The row belongs to the callee and is valid during the call. If emit
	// returns an error, Scan returns it.
	Scan func(ctx context.Context, env *VirtualEnv, look Lookup, emit func(types.Row) error) error
}

// Lookup is a condition that a virtual relation may use to do less: the column
// (one of Virtual.Keys) equals one of Values. The zero Lookup asks for all
// rows. Whoever asks still filters.
type Lookup struct {
	// Active says that there is a condition; Column is an ordinal.
	Active bool
	Column int
	Values []types.Datum
}

// VirtualEnv is the session that reads a virtual relation.
type VirtualEnv struct {
	Catalog *Collection
	// Host answers what the catalog does not hold: settings, cluster state,
	// running sessions. Package system names the interfaces it looks for.
	Host any
}

// DescKind returns KindVirtual.
func (*Virtual) DescKind() Kind { return KindVirtual }

// RelKind returns pg_class.relkind.
func (v *Virtual) RelKind() byte { return v.Kind }

// Cols returns the columns.
func (v *Virtual) Cols() []Column { return v.Columns }

// Clone returns v: virtual relations do not change.
func (v *Virtual) Clone() Descriptor { return v }

// VirtualSchemas finds virtual relations; package system implements it.
type VirtualSchemas interface {
	// Relation returns the virtual relation with the name in the schema.
	Relation(schema ID, name string) (*Virtual, bool)
	// RelationByID returns the virtual relation with the OID.
	RelationByID(id ID) (*Virtual, bool)
	// All calls yield for every virtual relation, in order of OID.
	All(yield func(*Virtual) bool)
}
