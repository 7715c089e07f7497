package catalog

import (
	"context"
	"fmt"
	"slices"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// The rows of the catalog are changed only by the methods in this file. Each
// descriptor is three kinds of rows: the descriptor, its version, and an entry
// for each of its names. They change together, in the user's transaction.
//
// Concurrent schema changes exclude each other by the lock on the descriptor's
// row (Mutable), and creators of one name by the lock on the name's row (Put).

// AllocateIDs returns the first of n fresh consecutive ids. Ids of a transaction
// that rolls back are lost.
func (c *Collection) AllocateIDs(ctx context.Context, n int) (ID, error) {
	end, err := c.db.Increment(ctx, nextIDKey, int64(n))
	if err != nil {
		return 0, err
	}
	first := int64(FirstUserID) + end - int64(n)
	if first+int64(n) > 1<<31 {
		return 0, sqlstate.New(sqlstate.ProgramLimitExceeded, "out of object identifiers")
	}
	return ID(first), nil
}

// Mutable returns a copy of the newest version of a descriptor for changing,
// after locking it until the transaction ends; nil if it has been dropped. The
// changed copy goes to Put.
func (c *Collection) Mutable(ctx context.Context, id ID) (Descriptor, error) {
	if ch, ok := c.changed[id]; ok {
		if ch.desc == nil {
			return nil, nil
		}
		return ch.desc.Clone(), nil
	}
	if c.txn == nil || c.historical != nil {
		return nil, sqlstate.New(sqlstate.ReadOnlySQLTransaction, "cannot change the catalog in a read-only transaction")
	}
	value, ok, err := c.txn.Get(ctx, descriptorKey(id), kv.LockUpdate)
	if err != nil || !ok {
		return nil, err
	}
	d, err := DecodeDescriptor(value)
	if err != nil {
		return nil, err
	}
	if snap := c.src.Snapshot().ByID(id); snap == nil || snap.Head().Version != d.Head().Version {
		// Dependents are searched in the snapshot: it has to be as new as the lock.
		if err := c.src.Refresh(ctx); err != nil {
			return nil, err
		}
	}
	if err := c.resolveDescriptor(d); err != nil {
		return nil, err
	}
	return d, nil
}

// LockShared keeps a descriptor from being dropped until the transaction ends,
// without keeping others from doing the same: for the schema of a new table.
// It reports whether the descriptor exists.
func (c *Collection) LockShared(ctx context.Context, id ID) (bool, error) {
	if ch, ok := c.changed[id]; ok {
		return ch.desc != nil, nil
	}
	if builtinSchema(id) != nil {
		return true, nil
	}
	_, ok, err := c.txn.Get(ctx, descriptorKey(id), kv.LockShare)
	return ok, err
}

// SchemaEmpty reports whether no name is left in a schema (parent the schema's
// id), read in the transaction and not from the snapshot.
func (c *Collection) SchemaEmpty(ctx context.Context, schema ID) (bool, error) {
	prefix := nameKey{parent: schema, class: classRelation}.key()
	var rows kv.Rows
	_, err := c.txn.ScanPage(ctx, prefix, keys.PrefixEnd(prefix), 1, &rows)
	return rows.Count == 0, err
}

// NameTaken reports what kind of object in the schema has the name already, in
// the newest committed state (the name's row is locked): 0 if none.
func (c *Collection) NameTaken(ctx context.Context, schema ID, name string) (ID, error) {
	k := nameKey{schema, classRelation, name}
	if t, ok := c.names[k]; ok {
		return t.id, nil
	}
	return c.lockName(ctx, k)
}

// DatabaseTaken, SchemaTaken and RoleTaken are NameTaken for those name spaces.
func (c *Collection) DatabaseTaken(ctx context.Context, name string) (ID, error) {
	return c.lockName(ctx, nameKey{0, classDatabase, name})
}

// SchemaTaken returns the id of the database's schema with the name, 0 if none.
func (c *Collection) SchemaTaken(ctx context.Context, db ID, name string) (ID, error) {
	return c.lockName(ctx, nameKey{db, classSchema, name})
}

// RoleTaken returns the id of the role with the name, 0 if none.
func (c *Collection) RoleTaken(ctx context.Context, name string) (ID, error) {
	return c.lockName(ctx, nameKey{0, classRole, name})
}

func (c *Collection) lockName(ctx context.Context, k nameKey) (ID, error) {
	if t, ok := c.names[k]; ok {
		return t.id, nil
	}
	value, ok, err := c.txn.Get(ctx, k.key(), kv.LockUpdate)
	if err != nil || !ok {
		return 0, err
	}
	t, err := decodeNameTarget(value)
	return t.id, err
}

// Put writes a new or changed descriptor and makes it visible to the
// transaction. Its version is set to one above the committed one. The
// Collection takes ownership of d. Names must have been checked (NameTaken).
func (c *Collection) Put(ctx context.Context, d Descriptor) error {
	h := d.Head()
	ch := c.changed[h.ID]
	if ch == nil {
		ch = &change{orig: c.src.Snapshot().ByID(h.ID)}
	}
	h.Version = 1
	if ch.orig != nil {
		h.Version = ch.orig.Head().Version + 1
	}
	if err := c.resolveDescriptor(d); err != nil {
		return err
	}
	old := ch.desc
	if old == nil && ch.orig != nil && c.changed[h.ID] == nil {
		old = ch.orig
	}
	if err := c.txn.Put(ctx, descriptorKey(h.ID), EncodeDescriptor(d)); err != nil {
		return err
	}
	if err := c.txn.Put(ctx, versionKey(h.ID), encodeVersion(h.Version)); err != nil {
		return err
	}
	if err := c.putNames(ctx, old, d); err != nil {
		return err
	}
	if t, ok := d.(*Table); ok {
		t.rt = newTableRuntime() // for Aux; never fenced, as only c sees it
	}
	ch.desc = d
	c.setChange(h.ID, ch)
	return nil
}

// Remove deletes a descriptor. What depends on it is the caller's business.
func (c *Collection) Remove(ctx context.Context, d Descriptor) error {
	id := d.Head().ID
	ch := c.changed[id]
	old := d
	if ch == nil {
		ch = &change{orig: c.src.Snapshot().ByID(id)}
	} else if ch.desc != nil {
		old = ch.desc
	}
	if err := c.txn.Delete(ctx, descriptorKey(id)); err != nil {
		return err
	}
	if err := c.txn.Delete(ctx, versionKey(id)); err != nil {
		return err
	}
	if err := c.putNames(ctx, old, nil); err != nil {
		return err
	}
	ch.desc = nil
	c.setChange(id, ch)
	return nil
}

func (c *Collection) setChange(id ID, ch *change) {
	if c.changed == nil {
		c.changed = map[ID]*change{}
		c.names = map[nameKey]nameTarget{}
		c.parts = map[ID]ID{}
	}
	c.changed[id] = ch
}

// putNames moves the names and parts from an old version (nil: none) to a new
// one (nil: none).
func (c *Collection) putNames(ctx context.Context, old, now Descriptor) error {
	c.setChangeMaps()
	var oldNames, newNames []nameItem
	if old != nil {
		var parts []ID
		oldNames, parts = namesOf(old)
		for _, p := range parts {
			c.parts[p] = 0
		}
	}
	if now != nil {
		var parts []ID
		newNames, parts = namesOf(now)
		for _, p := range parts {
			c.parts[p] = now.Head().ID
		}
	}
	keep := make(map[nameItem]bool, len(newNames))
	for _, n := range newNames {
		keep[n] = true
	}
	had := make(map[nameItem]bool, len(oldNames))
	for _, n := range oldNames {
		had[n] = true
		if !keep[n] {
			if err := c.txn.Delete(ctx, n.key()); err != nil {
				return err
			}
			c.names[n.nameKey] = nameTarget{}
		}
	}
	for _, n := range newNames {
		if !had[n] {
			if err := c.txn.Put(ctx, n.key(), n.encode()); err != nil {
				return err
			}
			c.names[n.nameKey] = n.nameTarget
		}
	}
	return nil
}

func (c *Collection) setChangeMaps() {
	if c.changed == nil {
		c.changed = map[ID]*change{}
		c.names = map[nameKey]nameTarget{}
		c.parts = map[ID]ID{}
	}
}

func (c *Collection) forgetChanges() {
	c.changed, c.names, c.parts, c.fenced = nil, nil, nil, nil
}

// resolveDescriptor fills in user-defined types as the transaction sees them.
func (c *Collection) resolveDescriptor(d Descriptor) error {
	switch d := d.(type) {
	case *Table:
		if err := resolveTypes(d.Columns, c.TypeByOID); err != nil {
			return fmt.Errorf("table %q: %w", d.Name, err)
		}
		for x := range d.AllIndexes {
			for i := range x.Columns {
				if err := resolveType(&x.Columns[i].Type, c.TypeByOID); err != nil {
					return fmt.Errorf("index %q: %w", x.Name, err)
				}
			}
		}
	case *View:
		return resolveTypes(d.Columns, c.TypeByOID)
	case *Type:
		d.t = d.makeSQLType(c.schemaName(d.Schema))
	}
	return nil
}

// RolledBackTo makes the view agree with the transaction after ROLLBACK TO
// SAVEPOINT: what was changed since is read again.
func (c *Collection) RolledBackTo(ctx context.Context) error {
	if len(c.changed) == 0 {
		return nil
	}
	changed := c.changed
	fenced := c.fenced
	c.forgetChanges()
	c.fenced = fenced
	for id, ch := range changed {
		value, ok, err := c.txn.Get(ctx, descriptorKey(id), kv.LockNone)
		if err != nil {
			return err
		}
		var d Descriptor
		if ok {
			if d, err = DecodeDescriptor(value); err != nil {
				return err
			}
		}
		switch {
		case d == nil && ch.orig == nil:
			continue
		case d != nil && ch.orig != nil && d.Head().Version == ch.orig.Head().Version:
			continue
		}
		c.setChange(id, &change{desc: d, orig: ch.orig})
	}
	for id, ch := range c.changed {
		if ch.orig != nil {
			names, parts := namesOf(ch.orig)
			for _, n := range names {
				if _, ok := c.names[n.nameKey]; !ok {
					c.names[n.nameKey] = nameTarget{}
				}
			}
			for _, p := range parts {
				if _, ok := c.parts[p]; !ok {
					c.parts[p] = 0
				}
			}
		}
		if ch.desc != nil {
			names, parts := namesOf(ch.desc)
			for _, n := range names {
				c.names[n.nameKey] = n.nameTarget
			}
			for _, p := range parts {
				c.parts[p] = id
			}
		}
	}
	for _, ch := range c.changed {
		if ch.desc != nil {
			if err := c.resolveDescriptor(ch.desc); err != nil {
				return err
			}
		}
	}
	return nil
}

// Change is one committed change, for Source implementations.
type Change struct {
	ID ID
	// Desc is nil if the object was dropped.
	Desc Descriptor
}

// Changes returns what the transaction has changed, with copies that may be
// given to SnapshotEdit.Put.
func (c *Collection) Changes() []Change {
	out := make([]Change, 0, len(c.changed))
	for id, ch := range c.changed {
		switch {
		case ch.desc != nil:
			out = append(out, Change{ID: id, Desc: ch.desc.Clone()})
		case ch.orig != nil:
			out = append(out, Change{ID: id})
		}
	}
	return out
}

// EachChange calls yield for every object that the transaction has changed, with the
// committed version (nil: created) and the present one (nil: dropped), neither of which
// may be changed. The order is undefined.
func (c *Collection) EachChange(yield func(was, is Descriptor) bool) {
	for _, ch := range c.changed {
		if (ch.orig != nil || ch.desc != nil) && !yield(ch.orig, ch.desc) {
			return
		}
	}
}

// Original returns the committed version that a descriptor changed by the
// transaction had before, nil if it was created by it.
func (c *Collection) Original(id ID) Descriptor {
	if ch := c.changed[id]; ch != nil {
		return ch.orig
	}
	return c.snapshot().ByID(id)
}

// SetFenced notes that the transaction's schema change has fenced the table version;
// Release lifts the fence.
func (c *Collection) SetFenced(t *Table) { c.fenced = append(c.fenced, t) }

// Fenced returns whether the transaction has fenced the table version.
func (c *Collection) Fenced(t *Table) bool { return slices.Contains(c.fenced, t) }

// LoadSnapshot reads the whole catalog in a transaction.
func LoadSnapshot(ctx context.Context, txn Txn) (*Snapshot, error) {
	e := NewSnapshot().Edit()
	err := scanAll(ctx, txn, SystemSpan(sysDescriptors), func(_, value []byte) error {
		d, err := DecodeDescriptor(value)
		if err == nil {
			e.Put(d)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return e.Finish(txn.ReadTimestamp())
}

// UpdateSnapshot returns s with everything that was committed up to the
// transaction's read timestamp, and the tables that were replaced or removed.
func UpdateSnapshot(ctx context.Context, txn Txn, s *Snapshot) (now *Snapshot, gone []*Table, err error) {
	type stale struct {
		id      ID
		version uint32
	}
	var changed []stale
	present := 0
	err = scanAll(ctx, txn, SystemSpan(sysVersions), func(key, value []byte) error {
		id, version, err := decodeVersion(key, value)
		if err != nil {
			return err
		}
		d := s.ByID(id)
		if d != nil {
			present++
		}
		if d == nil || d.Head().Version != version {
			changed = append(changed, stale{id, version})
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if len(changed) == 0 && present == s.Len() {
		next := *s
		next.AsOf = max(s.AsOf, txn.ReadTimestamp())
		return &next, nil, nil
	}
	e := s.Edit()
	if present != s.Len() {
		live := make(map[ID]bool, present)
		err = scanAll(ctx, txn, SystemSpan(sysVersions), func(key, value []byte) error {
			id, _, err := decodeVersion(key, value)
			live[id] = true
			return err
		})
		if err != nil {
			return nil, nil, err
		}
		s.All(func(d Descriptor) bool {
			if id := d.Head().ID; !live[id] {
				e.Remove(id)
				if t, ok := d.(*Table); ok {
					gone = append(gone, t)
				}
			}
			return true
		})
	}
	for _, ch := range changed {
		value, ok, err := txn.Get(ctx, descriptorKey(ch.id), kv.LockNone)
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			return nil, nil, fmt.Errorf("catalog: descriptor %d has a version and no row", ch.id)
		}
		d, err := DecodeDescriptor(value)
		if err != nil {
			return nil, nil, err
		}
		if t, ok := s.ByID(ch.id).(*Table); ok {
			gone = append(gone, t)
		}
		e.Put(d)
	}
	now, err = e.Finish(txn.ReadTimestamp())
	if err != nil {
		return nil, nil, err
	}
	return now, append(gone, e.replacedUsers(s)...), nil
}

// replacedUsers returns the tables of s that were made anew only because an
// enum type of theirs changed.
func (e *SnapshotEdit) replacedUsers(s *Snapshot) []*Table {
	var out []*Table
	if len(e.typesChanged) == 0 {
		return nil
	}
	for _, t := range e.published {
		if old, ok := s.ByID(t.ID).(*Table); ok && old.Version == t.Version {
			out = append(out, old)
		}
	}
	return out
}

// ApplyChanges returns s with the changes of a transaction that committed here,
// without reading the key space, and the tables that were replaced or removed.
// AsOf stays: changes of other nodes may be missing.
func ApplyChanges(s *Snapshot, changes []Change) (now *Snapshot, gone []*Table, err error) {
	e := s.Edit()
	for _, ch := range changes {
		old := s.ByID(ch.ID)
		if ch.Desc != nil && old != nil && old.Head().Version >= ch.Desc.Head().Version {
			continue // a refresh was faster
		}
		if t, ok := old.(*Table); ok {
			gone = append(gone, t)
		}
		if ch.Desc == nil {
			e.Remove(ch.ID)
		} else {
			e.Put(ch.Desc)
		}
	}
	now, err = e.Finish(s.AsOf)
	if err != nil {
		return nil, nil, err
	}
	return now, append(gone, e.replacedUsers(s)...), nil
}
