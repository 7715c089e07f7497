package catalog

import (
	"cmp"
	"fmt"

	"github.com/google/btree"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/sql/types"
)

// Snapshot is an immutable image of the whole catalog. Methods are safe for
// concurrent use; descriptors found in it must not be changed.
type Snapshot struct {
	// AsOf is the timestamp the image is complete up to.
	AsOf hlc.Timestamp

	byID  *btree.BTreeG[Descriptor]
	names *btree.BTreeG[nameItem]
	// owners maps OIDs of parts (indexes, constraints, row types, array types,
	// defaults) to the descriptor that contains them.
	owners *btree.BTreeG[partItem]
}

type nameItem struct {
	nameKey
	nameTarget
}

type partItem struct {
	part  ID
	owner ID
}

const btreeDegree = 32

// NewSnapshot returns an image without objects.
func NewSnapshot() *Snapshot {
	return &Snapshot{
		byID: btree.NewG(btreeDegree, func(a, b Descriptor) bool { return a.Head().ID < b.Head().ID }),
		names: btree.NewG(btreeDegree, func(a, b nameItem) bool {
			return a.nameKey.less(b.nameKey)
		}),
		owners: btree.NewG(btreeDegree, func(a, b partItem) bool { return cmp.Less(a.part, b.part) }),
	}
}

// probe is a Descriptor that only carries an id, to search byID with.
type probe struct{ Header }

func (*probe) DescKind() Kind    { return 0 }
func (*probe) Clone() Descriptor { return nil }

// ByID returns the descriptor with the id, nil if there is none.
func (s *Snapshot) ByID(id ID) Descriptor {
	var p probe
	p.ID = id
	d, _ := s.byID.Get(&p)
	return d
}

// Owner returns the descriptor that contains the index, constraint, row type,
// array type or default with the OID, nil if there is none.
func (s *Snapshot) Owner(part ID) Descriptor {
	if it, ok := s.owners.Get(partItem{part: part}); ok {
		return s.ByID(it.owner)
	}
	return nil
}

// All calls yield for every descriptor in order of id.
func (s *Snapshot) All(yield func(Descriptor) bool) {
	s.byID.Ascend(func(d Descriptor) bool { return yield(d) })
}

// Len returns the number of descriptors.
func (s *Snapshot) Len() int { return s.byID.Len() }

func (s *Snapshot) name(k nameKey) (nameTarget, bool) {
	it, ok := s.names.Get(nameItem{nameKey: k})
	return it.nameTarget, ok
}

// SnapshotEdit makes a new Snapshot out of another one and a set of changes.
type SnapshotEdit struct {
	s *Snapshot
	// typesChanged are enum types whose users must be made anew.
	typesChanged map[ID]bool
	published    []*Table
}

// Edit begins a change of s, which itself stays as it is. Calls of Edit on one
// Snapshot must not run concurrently; readers are not disturbed.
func (s *Snapshot) Edit() *SnapshotEdit {
	return &SnapshotEdit{
		s: &Snapshot{
			AsOf:   s.AsOf,
			byID:   s.byID.Clone(),
			names:  s.names.Clone(),
			owners: s.owners.Clone(),
		},
		typesChanged: map[ID]bool{},
	}
}

// Put adds a descriptor or replaces an older version of it. The edit takes
// ownership of d.
func (e *SnapshotEdit) Put(d Descriptor) {
	id := d.Head().ID
	old := e.s.ByID(id)
	if old != nil {
		e.unlink(old)
	}
	if t, ok := d.(*Type); ok {
		t.t = nil
		e.typesChanged[id] = true
	}
	if t, ok := d.(*Table); ok {
		t.rt = newTableRuntime()
		if old, ok := old.(*Table); ok {
			t.replaces(old)
		}
		e.published = append(e.published, t)
	}
	e.s.byID.ReplaceOrInsert(d)
	names, parts := namesOf(d)
	for _, n := range names {
		e.s.names.ReplaceOrInsert(n)
	}
	for _, p := range parts {
		e.s.owners.ReplaceOrInsert(partItem{part: p, owner: id})
	}
}

// Remove takes a descriptor out.
func (e *SnapshotEdit) Remove(id ID) {
	if old := e.s.ByID(id); old != nil {
		e.unlink(old)
		e.s.byID.Delete(old)
	}
}

func (e *SnapshotEdit) unlink(old Descriptor) {
	names, parts := namesOf(old)
	for _, n := range names {
		// The name may have been taken over by another descriptor already.
		if cur, ok := e.s.names.Get(n); ok && cur.nameTarget == n.nameTarget {
			e.s.names.Delete(n)
		}
	}
	for _, p := range parts {
		e.s.owners.Delete(partItem{part: p})
	}
}

// Finish returns the new image, complete up to asOf. It resolves user-defined
// types in the descriptors that were put.
func (e *SnapshotEdit) Finish(asOf hlc.Timestamp) (*Snapshot, error) {
	s := e.s
	s.AsOf = max(s.AsOf, asOf)
	for id := range e.typesChanged {
		if t, ok := s.ByID(id).(*Type); ok {
			schema := ""
			if sc, ok := s.ByID(t.Schema).(*Schema); ok {
				schema = sc.Name
			}
			t.t = t.makeSQLType(schema)
		}
	}
	if len(e.typesChanged) > 0 {
		// Tables hold pointers to the types of their columns.
		var users []*Table
		done := make(map[ID]bool, len(e.published))
		for _, t := range e.published {
			done[t.ID] = true
		}
		s.All(func(d Descriptor) bool {
			if t, ok := d.(*Table); ok && !done[t.ID] && e.usesChangedType(t) {
				users = append(users, t)
			}
			return true
		})
		for _, t := range users {
			e.Put(t.Clone())
		}
	}
	for _, t := range e.published {
		if err := resolveTypes(t.Columns, s.lookupType); err != nil {
			return nil, fmt.Errorf("table %q: %w", t.Name, err)
		}
		for x := range t.AllIndexes {
			for i := range x.Columns {
				if err := resolveType(&x.Columns[i].Type, s.lookupType); err != nil {
					return nil, fmt.Errorf("index %q: %w", x.Name, err)
				}
			}
		}
	}
	return s, nil
}

func (e *SnapshotEdit) usesChangedType(t *Table) bool {
	for i := range t.Columns {
		if ty := t.Columns[i].Type; ty != nil {
			if e.typesChanged[ID(ty.OID)] || ty.Elem != nil && e.typesChanged[ID(ty.Elem.OID)] {
				return true
			}
		}
	}
	return false
}

func (s *Snapshot) lookupType(oid types.OID) *types.T {
	if t, ok := s.ByID(ID(oid)).(*Type); ok {
		return t.SQLType()
	}
	if t, ok := s.Owner(ID(oid)).(*Type); ok && t.ArrayOID == ID(oid) {
		return types.ArrayOf(t.SQLType())
	}
	return nil
}

// resolveTypes replaces the placeholders that decoding leaves for user-defined
// types (unresolvedType).
func resolveTypes(cols []Column, lookup func(types.OID) *types.T) error {
	for i := range cols {
		if cols[i].Dropped {
			continue
		}
		if err := resolveType(&cols[i].Type, lookup); err != nil {
			return fmt.Errorf("column %q: %w", cols[i].Name, err)
		}
	}
	return nil
}

func resolveType(tp **types.T, lookup func(types.OID) *types.T) error {
	t := *tp
	if t == nil || t.OID < types.OID(FirstUserID) {
		return nil
	}
	r := lookup(t.OID)
	if r == nil {
		return fmt.Errorf("type %d does not exist", t.OID)
	}
	*tp = r.WithTypmod(t.Typmod)
	return nil
}

// namesOf returns the names that a descriptor occupies, and the OIDs of its
// parts.
func namesOf(d Descriptor) (names []nameItem, parts []ID) {
	h := d.Head()
	self := nameTarget{id: h.ID}
	part := func(id ID) {
		if id != 0 {
			parts = append(parts, id)
		}
	}
	switch d := d.(type) {
	case *Database:
		names = append(names, nameItem{nameKey{0, classDatabase, h.Name}, self})
	case *Role:
		names = append(names, nameItem{nameKey{0, classRole, h.Name}, self})
	case *Schema:
		names = append(names, nameItem{nameKey{h.Database, classSchema, h.Name}, self})
	case *Table:
		names = append(names, nameItem{nameKey{h.Schema, classRelation, h.Name}, self})
		for x := range d.AllIndexes {
			if !x.Hidden {
				names = append(names, nameItem{nameKey{h.Schema, classRelation, x.Name}, nameTarget{x.OID, h.ID}})
			}
			part(x.OID)
			part(x.ConstraintOID)
		}
		part(d.TypeOID)
		part(d.TypeArray)
		for i := range d.Checks {
			part(d.Checks[i].OID)
		}
		for i := range d.ForeignKeys {
			part(d.ForeignKeys[i].OID)
		}
		for i := range d.Columns {
			part(d.Columns[i].DefaultOID)
		}
	case *View:
		names = append(names, nameItem{nameKey{h.Schema, classRelation, h.Name}, self})
		part(d.TypeOID)
	case *Sequence:
		names = append(names, nameItem{nameKey{h.Schema, classRelation, h.Name}, self})
	case *Type:
		names = append(names, nameItem{nameKey{h.Schema, classRelation, h.Name}, self})
		part(d.ArrayOID)
		for i := range d.Labels {
			part(d.Labels[i].OID)
		}
	}
	return names, parts
}

func newTableRuntime() *tableRuntime {
	return &tableRuntime{drained: make(chan struct{}, 1)}
}

// Changed reports whether s holds other descriptors than old.
func (s *Snapshot) Changed(old *Snapshot) bool { return s.byID != old.byID }
