package schemachange

import (
	"slices"
	"strconv"
	"strings"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// maxName is the length of an identifier in bytes (PostgreSQL's NAMEDATALEN-1).
const maxName = 63

func catalogName(n ast.ObjectName) catalog.Name {
	return catalog.Name{Database: n.Catalog, Schema: n.Schema, Name: n.Name, Offset: int(n.Pos)}
}

func nameText(n ast.ObjectName) string { return catalogName(n).String() }

// notice sends a NOTICE.
func (x *statement) notice(code sqlstate.Code, format string, args ...any) {
	e := sqlstate.New(code, format, args...)
	e.Severity = "NOTICE"
	x.s.Notice(e)
}

// targetSchema returns the schema in which a new object of the name goes, kept from being dropped.
func (x *statement) targetSchema(n ast.ObjectName) (*catalog.Schema, error) {
	if n.Catalog != "" {
		if db := x.coll.CurrentDatabase(); db == nil || db.Name != n.Catalog {
			return nil, sqlstate.New(sqlstate.FeatureNotSupported, "cross-database references are not implemented: %q", nameText(n)).At(int(n.Pos))
		}
	}
	var sc *catalog.Schema
	var err error
	if n.Schema != "" {
		if sc, err = x.coll.Schema(x.ctx, n.Schema); err != nil {
			if e, ok := err.(*sqlstate.Error); ok {
				return nil, e.At(int(n.Pos))
			}
			return nil, err
		}
	} else if sc, err = x.coll.CreationSchema(x.ctx); err != nil {
		return nil, err
	}
	if sc.ID == catalog.SchemaPgCatalog || sc.ID == catalog.SchemaInformationSchema {
		return nil, sqlstate.New(sqlstate.InsufficientPrivilege, "permission denied to create %q", sc.Name+"."+n.Name).
			WithDetail("System catalog modifications are currently disallowed.")
	}
	ok, err := x.coll.LockShared(x.ctx, sc.ID)
	if err == nil && !ok {
		return nil, sqlstate.New(sqlstate.InvalidSchemaName, "schema %q does not exist", sc.Name)
	}
	return sc, err
}

// claimName reports whether a new relation may have the name. If not, the error is 42P07,
// or a notice with ifNotExists.
func (x *statement) claimName(schema catalog.ID, name string, ifNotExists bool) (bool, error) {
	id, err := x.coll.NameTaken(x.ctx, schema, name)
	if err != nil || id == 0 {
		return err == nil, err
	}
	what, code := "relation", sqlstate.DuplicateTable
	if _, isType := x.coll.ByID(id).(*catalog.Type); isType {
		what, code = "type", sqlstate.DuplicateObject
	}
	if ifNotExists {
		x.notice(code, "%s %q already exists, skipping", what, name)
		return false, nil
	}
	return false, sqlstate.New(code, "%s %q already exists", what, name)
}

// makeName joins the parts of a generated name, shortening the longer of the first two
// until it fits (PostgreSQL's makeObjectName).
func makeName(name1, name2, label string) string {
	over := len(label)
	if label != "" {
		over++
	}
	if name2 != "" {
		over++
	}
	n1, n2 := len(name1), len(name2)
	for n1+n2 > maxName-over {
		if n1 > n2 {
			n1--
		} else {
			n2--
		}
	}
	parts := []string{clip(name1, n1)}
	if name2 != "" {
		parts = append(parts, clip(name2, n2))
	}
	if label != "" {
		parts = append(parts, label)
	}
	return strings.Join(parts, "_")
}

// clip cuts s to n bytes without splitting a character.
func clip(s string, n int) string {
	if n >= len(s) {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}

// chooseName returns a free name for an index, constraint or sequence. taken names those
// that are used by the statement itself.
func (x *statement) chooseName(schema catalog.ID, name1, name2, label string, taken func(string) bool) (string, error) {
	for pass := 0; ; pass++ {
		l := label
		if pass > 0 {
			l += strconv.Itoa(pass)
		}
		name := makeName(name1, name2, l)
		if taken != nil && taken(name) {
			continue
		}
		id, err := x.coll.NameTaken(x.ctx, schema, name)
		if err != nil {
			return "", err
		}
		if id == 0 {
			return name, nil
		}
	}
}

// constraintNamed reports whether the table has a constraint of the name.
func constraintNamed(t *catalog.Table, name string) bool {
	for i := range t.AllIndexes {
		if i.Name == name && !i.Hidden {
			return true
		}
	}
	return slices.ContainsFunc(t.Checks, func(c catalog.Check) bool { return c.Name == name }) ||
		slices.ContainsFunc(t.ForeignKeys, func(f catalog.ForeignKey) bool { return f.Name == name })
}

// chooseConstraintName is chooseName for a constraint that is no relation.
func chooseConstraintName(t *catalog.Table, name1, name2, label string) string {
	for pass := 0; ; pass++ {
		l := label
		if pass > 0 {
			l += strconv.Itoa(pass)
		}
		if name := makeName(name1, name2, l); !constraintNamed(t, name) {
			return name
		}
	}
}

// columnNames joins the names of columns for a generated name.
func columnNames(t *catalog.Table, nums []catalog.AttNum) string {
	names := make([]string, len(nums))
	for i, n := range nums {
		names[i] = t.Column(n).Name
	}
	return strings.Join(names, "_")
}

func unsupportedAt(pos ast.Pos, format string, args ...any) error {
	return sqlstate.Unsupported(format, args...).At(int(pos))
}

func params(opts []ast.Option) []catalog.Param {
	var out []catalog.Param
	for _, o := range opts {
		name := o.Name
		if o.Namespace != "" {
			name = o.Namespace + "." + name
		}
		out = append(out, catalog.Param{Name: name, Value: optionText(o.Value)})
	}
	return out
}

// optionText is the value of an option as text; "true" if it stands alone.
func optionText(v ast.Expr) string {
	switch v := v.(type) {
	case nil:
		return "true"
	case *ast.String:
		return v.Value
	case *ast.Number:
		return v.Text
	case *ast.Bool:
		return strconv.FormatBool(v.Value)
	}
	return ast.Format(v)
}

// typeName prints a type as messages do.
func typeName(t *types.T) string { return types.FormatType(t, -1, false) }
