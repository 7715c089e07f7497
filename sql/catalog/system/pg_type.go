package system

import (
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/types"
)

var builtinTypes = fromStatic(nil)

// pgType serves the built-in types, the user's types, and the row types of
// relations.
func pgType(r *reader) error {
	if ids, ok := r.wantsIDs("oid"); ok && len(ids) > 0 && ids[0] >= catalog.FirstUserID {
		return userTypes(r, func(id catalog.ID, _ string) bool { return contains(ids, id) }, ids)
	}
	if err := builtinTypes(r); err != nil {
		return err
	}
	ids, byID := r.wantsIDs("oid")
	names, byName := r.wantsNames("typname")
	return userTypes(r, func(id catalog.ID, name string) bool {
		return (!byID || contains(ids, id)) && (!byName || contains(names, name))
	}, nil)
}

// userTypes emits the wanted types of the session's database. Only, if not nil,
// limits the search to the descriptors that own those OIDs.
func userTypes(r *reader, wanted func(catalog.ID, string) bool, only []catalog.ID) error {
	visit := func(d catalog.Descriptor) error {
		if !r.here(d) {
			return nil
		}
		h := d.Head()
		switch d := d.(type) {
		case *catalog.Type:
			if wanted(d.ID, d.Name) {
				typeRow(r, d.ID, h, d.Name, 'e', types.CatEnum, 4)
				r.set("typarray", oid(d.ArrayOID))
				r.set("typinput", oid(3504))
				r.set("typoutput", oid(3505))
				r.set("typreceive", oid(3532))
				r.set("typsend", oid(3533))
				if err := r.emit(); err != nil {
					return err
				}
			}
			if wanted(d.ArrayOID, "_"+d.Name) {
				arrayTypeRow(r, d.ArrayOID, h, d.Name, d.ID)
				return r.emit()
			}
		case *catalog.Table:
			return rowTypes(r, wanted, h, d.TypeOID, d.TypeArray)
		case *catalog.View:
			return rowTypes(r, wanted, h, d.TypeOID, 0)
		}
		return nil
	}
	if only != nil {
		seen := map[catalog.ID]bool{}
		for _, id := range only {
			d := r.cat.ByID(id)
			if d == nil {
				d = r.cat.Owner(id)
			}
			if d == nil || seen[d.Head().ID] {
				continue
			}
			seen[d.Head().ID] = true
			if err := visit(d); err != nil {
				return err
			}
		}
		return nil
	}
	var err error
	r.cat.All(func(d catalog.Descriptor) bool {
		err = visit(d)
		return err == nil
	})
	return err
}

// rowTypes emits the row type of a relation and its array.
func rowTypes(r *reader, wanted func(catalog.ID, string) bool, h *catalog.Header, rowType, array catalog.ID) error {
	if rowType != 0 && wanted(rowType, h.Name) {
		typeRow(r, rowType, h, h.Name, 'c', types.CatComposite, -1)
		r.set("typrelid", oid(h.ID))
		r.set("typarray", oid(array))
		r.set("typinput", oid(2290))
		r.set("typoutput", oid(2291))
		r.set("typreceive", oid(2402))
		r.set("typsend", oid(2403))
		if err := r.emit(); err != nil {
			return err
		}
	}
	if array != 0 && wanted(array, "_"+h.Name) {
		arrayTypeRow(r, array, h, h.Name, rowType)
		return r.emit()
	}
	return nil
}

func typeRow(r *reader, id catalog.ID, h *catalog.Header, name string, kind, category byte, length int16) {
	r.set("oid", oid(id))
	r.set("typname", text(name))
	r.set("typnamespace", oid(h.Schema))
	r.set("typowner", oid(ownerOf(h)))
	r.set("typlen", number(int64(length)))
	r.set("typbyval", boolean(length > 0))
	r.set("typtype", char(kind))
	r.set("typcategory", char(category))
	r.set("typisdefined", boolean(true))
	r.set("typdelim", char(','))
	r.set("typtypmod", number(-1))
	r.set("typalign", char('i'))
	if length < 0 {
		r.set("typalign", char('d'))
	}
	r.set("typstorage", char('p'))
	if length < 0 {
		r.set("typstorage", char('x'))
	}
}

func arrayTypeRow(r *reader, id catalog.ID, h *catalog.Header, elem string, elemID catalog.ID) {
	typeRow(r, id, h, "_"+elem, 'b', types.CatArray, -1)
	r.set("typelem", oid(elemID))
	r.set("typsubscript", oid(6179))
	r.set("typinput", oid(750))
	r.set("typoutput", oid(751))
	r.set("typreceive", oid(2400))
	r.set("typsend", oid(2401))
	r.set("typalign", char('i'))
}

func pgEnum(r *reader) error {
	ids, byID := r.wantsIDs("enumtypid")
	var err error
	r.cat.All(func(d catalog.Descriptor) bool {
		t, ok := d.(*catalog.Type)
		if !ok || !r.here(d) || byID && !contains(ids, t.ID) {
			return true
		}
		for i, l := range t.Labels {
			r.set("oid", oid(l.OID))
			r.set("enumtypid", oid(t.ID))
			r.set("enumsortorder", float(float64(i+1)))
			r.set("enumlabel", text(l.Name))
			if err = r.emit(); err != nil {
				return false
			}
		}
		return true
	})
	return err
}
