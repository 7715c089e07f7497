package system

import (
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/types"
)

// This file has the relations over schemas, databases and roles, and the
// comments on everything.

func pgNamespace(r *reader) error {
	for _, sc := range r.schemas() {
		r.set("oid", oid(sc.ID))
		r.set("nspname", text(sc.Name))
		r.set("nspowner", oid(schemaOwner(sc)))
		r.set("nspacl", aclOf(r, &sc.Header))
		if err := r.emit(); err != nil {
			return err
		}
	}
	return nil
}

// pgInitPrivs has the privileges that objects have from the start, which pg_dump leaves
// out.
func pgInitPrivs(r *reader) error {
	for _, sc := range r.schemas() {
		if sc.Name != catalog.PublicSchemaName {
			continue
		}
		owner := roleName(r, schemaOwner(sc))
		r.set("objoid", oid(sc.ID))
		r.set("classoid", oid(classPgNamespace))
		r.set("objsubid", number(0))
		r.set("privtype", char('i'))
		r.set("initprivs", texts(types.Aclitem, []string{owner + "=UC/" + owner, "=U/" + owner}))
		if err := r.emit(); err != nil {
			return err
		}
	}
	return nil
}

func pgDatabase(r *reader) error {
	return each(r, func(d *catalog.Database) error {
		r.set("oid", oid(d.ID))
		r.set("datname", text(d.Name))
		r.set("datdba", oid(ownerOf(&d.Header)))
		r.set("encoding", number(6)) // UTF8
		r.set("datlocprovider", char('c'))
		r.set("datistemplate", boolean(d.Template))
		r.set("datallowconn", boolean(d.Name != "template0"))
		r.set("datconnlimit", number(-1))
		r.set("dattablespace", oid(1663))
		r.set("datcollate", text("C"))
		r.set("datctype", text("C"))
		r.set("datacl", aclOf(r, &d.Header))
		return r.emit()
	})
}

// each calls f for every descriptor of a kind that does not belong to another
// database.
func each[T catalog.Descriptor](r *reader, f func(T) error) error {
	var err error
	r.cat.All(func(d catalog.Descriptor) bool {
		if t, ok := d.(T); ok && r.here(d) {
			err = f(t)
		}
		return err == nil
	})
	return err
}

// roleName returns a role's name.
func roleName(r *reader, id catalog.ID) string {
	if id == RoleDatabaseOwner {
		return DatabaseOwnerName
	}
	if d := r.cat.ByID(id); d != nil {
		return d.Head().Name
	}
	return catalog.RootUser
}

func roleRow(r *reader, d *catalog.Role) {
	r.set("oid", oid(d.ID))
	r.set("rolname", text(d.Name))
	r.set("rolsuper", boolean(d.Superuser))
	r.set("rolinherit", boolean(d.Inherit))
	r.set("rolcreaterole", boolean(d.CreateRole))
	r.set("rolcreatedb", boolean(d.CreateDB))
	r.set("rolcanlogin", boolean(d.Login))
	r.set("rolreplication", boolean(d.Replication))
	r.set("rolbypassrls", boolean(d.BypassRLS))
	r.set("rolconnlimit", number(int64(d.ConnLimit)))
	if d.ValidUntil != 0 {
		r.set("rolvaliduntil", number(d.ValidUntil))
	}
}

func pgRoles(r *reader) error {
	return eachRole(r, func(d *catalog.Role) error {
		roleRow(r, d)
		r.set("rolpassword", text("********"))
		return r.emit()
	})
}

func pgAuthid(r *reader) error {
	return eachRole(r, func(d *catalog.Role) error {
		roleRow(r, d)
		r.set("rolpassword", textOrNull(d.Password))
		return r.emit()
	})
}

func pgUser(r *reader) error {
	return each(r, func(d *catalog.Role) error {
		if !d.Login {
			return nil
		}
		r.set("usename", text(d.Name))
		r.set("usesysid", oid(d.ID))
		r.set("usecreatedb", boolean(d.CreateDB))
		r.set("usesuper", boolean(d.Superuser))
		r.set("userepl", boolean(d.Replication))
		r.set("usebypassrls", boolean(d.BypassRLS))
		r.set("passwd", text("********"))
		return r.emit()
	})
}

func pgAuthMembers(r *reader) error {
	return each(r, func(d *catalog.Role) error {
		for _, m := range d.MemberOf {
			r.set("roleid", oid(m.Role))
			r.set("member", oid(d.ID))
			r.set("grantor", oid(m.Grantor))
			r.set("admin_option", boolean(m.Admin))
			if err := r.emit(); err != nil {
				return err
			}
		}
		return nil
	})
}

// privilegeLetters are the letters of the Priv bits, in their order.
const privilegeLetters = "arwdDxtXUCTc"

// aclOf returns an object's access control list, NULL if it is the default.
func aclOf(r *reader, h *catalog.Header) types.Datum {
	return aclOfPart(r, h, 0)
}

// aclOfPart is aclOf for a column of the object, or with 0 for the object itself.
func aclOfPart(r *reader, h *catalog.Header, column catalog.AttNum) types.Datum {
	own := ownerOf(h)
	shown := own
	if h.Name == catalog.PublicSchemaName && h.Schema == 0 && own == catalog.RoleRoot {
		shown = RoleDatabaseOwner
	}
	var items []string
	for _, g := range h.Grants {
		if g.Column != column {
			continue
		}
		item := ""
		if g.Grantee != 0 {
			item = types.QuoteIdent(roleName(r, aclRole(g.Grantee, own, shown)))
		}
		item += "="
		for i := range len(privilegeLetters) {
			if g.Privileges&(1<<i) != 0 {
				item += privilegeLetters[i : i+1]
				if g.GrantOption&(1<<i) != 0 {
					item += "*"
				}
			}
		}
		items = append(items, item+"/"+types.QuoteIdent(roleName(r, aclRole(g.Grantor, own, shown))))
	}
	if items == nil {
		return types.Null
	}
	return texts(types.Aclitem, items)
}

// aclRole replaces the owner of an object by the role that is shown as its owner.
func aclRole(id, own, shown catalog.ID) catalog.ID {
	if id == own {
		return shown
	}
	return id
}

func pgDescription(r *reader) error {
	if err := builtinDescriptions(r); err != nil {
		return err
	}
	emit := func(obj, class catalog.ID, sub catalog.AttNum, comment string) error {
		if comment == "" {
			return nil
		}
		r.set("objoid", oid(obj))
		r.set("classoid", oid(class))
		r.set("objsubid", number(int64(sub)))
		r.set("description", text(comment))
		return r.emit()
	}
	var err error
	visit := func(d catalog.Descriptor) bool {
		h := d.Head()
		if !r.here(d) {
			return true
		}
		switch d := d.(type) {
		case *catalog.Schema:
			err = emit(h.ID, classPgNamespace, 0, h.Comment)
		case *catalog.Type:
			err = emit(h.ID, classPgType, 0, h.Comment)
		case catalog.Relation:
			if err = emit(h.ID, classPgClass, 0, h.Comment); err != nil {
				return false
			}
			for i := range d.Cols() {
				c := &d.Cols()[i]
				if err = emit(h.ID, classPgClass, c.Num, c.Comment); err != nil {
					return false
				}
			}
			if t, ok := d.(*catalog.Table); ok {
				err = tableComments(t, emit)
			}
		}
		return err == nil
	}
	if ids, ok := r.wantsIDs("objoid"); ok {
		for _, id := range ids {
			d := r.cat.ByID(id)
			if d == nil {
				d = r.cat.Owner(id)
			}
			if d != nil && !visit(d) {
				return err
			}
		}
		return err
	}
	r.cat.All(visit)
	return err
}

// builtinComments are the comments on what PostgreSQL itself has.
var builtinComments = fromStatic(nil)

// builtinDescriptions emits the comments on built-in objects. A look-up for objects of
// users does not visit them.
func builtinDescriptions(r *reader) error {
	if ids, ok := r.wantsIDs("objoid"); ok && (len(ids) == 0 || ids[0] >= catalog.FirstUserID) {
		return nil
	}
	return builtinComments(r)
}

// tableComments emits the comments on a table's indexes and constraints.
func tableComments(t *catalog.Table, emit func(obj, class catalog.ID, sub catalog.AttNum, comment string) error) error {
	for x := range t.AllIndexes {
		if err := emit(x.OID, classPgClass, 0, x.Comment); err != nil {
			return err
		}
		if err := emit(x.ConstraintOID, classPgConstraint, 0, x.ConstraintComment); err != nil {
			return err
		}
	}
	for i := range t.Checks {
		if err := emit(t.Checks[i].OID, classPgConstraint, 0, t.Checks[i].Comment); err != nil {
			return err
		}
	}
	for i := range t.ForeignKeys {
		if err := emit(t.ForeignKeys[i].OID, classPgConstraint, 0, t.ForeignKeys[i].Comment); err != nil {
			return err
		}
	}
	return nil
}

func pgShdescription(r *reader) error {
	var err error
	r.cat.All(func(d catalog.Descriptor) bool {
		h := d.Head()
		class := catalog.ID(0)
		switch d.(type) {
		case *catalog.Database:
			class = classPgDatabase
		case *catalog.Role:
			class = classPgAuthid
		}
		if class == 0 || h.Comment == "" {
			return true
		}
		r.set("objoid", oid(h.ID))
		r.set("classoid", oid(class))
		r.set("description", text(h.Comment))
		err = r.emit()
		return err == nil
	})
	return err
}
