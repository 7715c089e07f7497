package system

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/types"
)

// These tests scan every relation over a small catalog: nothing may fail, and
// the rows that clients count on are there.

// fixedSource is a catalog that does not change.
type fixedSource struct {
	snapshot *catalog.Snapshot
	schemas  *Schemas
}

func (s fixedSource) Snapshot() *catalog.Snapshot                       { return s.snapshot }
func (s fixedSource) Generation() uint64                                { return 1 }
func (s fixedSource) Refresh(context.Context) error                     { return nil }
func (s fixedSource) AwaitUsable(context.Context, *catalog.Table) error { return nil }
func (s fixedSource) Virtual() catalog.VirtualSchemas                   { return s.schemas }

func testCatalog(t testing.TB) *catalog.Collection {
	table := &catalog.Table{
		Header: catalog.Header{ID: 20000, Name: "accounts", Database: catalog.DatabaseDefault, Schema: catalog.SchemaPublic, Owner: catalog.RoleRoot, Comment: "money"},
		Columns: []catalog.Column{
			{Num: 1, Name: "id", Type: types.Int4, NotNull: true},
			{Num: 2, Name: "owner", Type: types.Text, Default: &catalog.Expr{SQL: "'nobody'::text"}, DefaultOID: 20010, Comment: "who"},
			{Num: 3, Name: "gone", Type: types.Int8, Dropped: true},
		},
		Primary: catalog.Index{ID: 1, OID: 20001, Name: "accounts_pkey", Unique: true, Constraint: 'p', ConstraintOID: 20002,
			Columns: []catalog.IndexColumn{{Num: 1, Type: types.Int4}}},
		Indexes: []catalog.Index{{ID: 2, OID: 20003, Name: "accounts_lower_idx",
			Columns: []catalog.IndexColumn{{Expr: &catalog.Expr{SQL: "lower(owner)"}, Type: types.Text, Desc: true, NullsFirst: true}}}},
		Checks:    []catalog.Check{{Name: "accounts_id_check", OID: 20004, Expr: catalog.Expr{SQL: "id > 0", Columns: []catalog.AttNum{1}}}},
		TypeOID:   20005,
		TypeArray: 20006,
	}
	edit := catalog.NewSnapshot().Edit()
	edit.Put(&catalog.Database{Header: catalog.Header{ID: catalog.DatabaseDefault, Name: "defaultdb"}})
	edit.Put(&catalog.Schema{Header: catalog.Header{ID: catalog.SchemaPublic, Name: "public", Database: catalog.DatabaseDefault}})
	edit.Put(&catalog.Role{Header: catalog.Header{ID: catalog.RoleRoot, Name: "root"}, Superuser: true, Login: true})
	edit.Put(table)
	snapshot, err := edit.Finish(hlc.Timestamp(1))
	require.NoError(t, err)
	c := catalog.NewCollection(fixedSource{snapshot, NewSchemas()}, nil, nil)
	c.Path.Database = catalog.DatabaseDefault
	c.Path.Schemas = []string{"public"}
	return c
}

// scan returns the chosen columns of all rows of a relation as text.
func scan(t testing.TB, c *catalog.Collection, schema catalog.ID, name string, look catalog.Lookup, columns ...string) []string {
	v, ok := c.Source().Virtual().Relation(schema, name)
	require.True(t, ok, name)
	var out []string
	err := v.Scan(context.Background(), &catalog.VirtualEnv{Catalog: c}, look, func(row types.Row) error {
		line := ""
		for i, col := range columns {
			if i > 0 {
				line += "|"
			}
			for j := range v.Columns {
				if v.Columns[j].Name != col {
					continue
				}
				if row[j].IsNull() {
					line += "<null>"
				} else {
					line += string(types.AppendText(nil, v.Columns[j].Type, row[j], types.DefaultSettings()))
				}
			}
		}
		out = append(out, line)
		return nil
	})
	require.NoError(t, err, name)
	return out
}

func TestEveryRelationScans(t *testing.T) {
	c := testCatalog(t)
	n := 0
	c.Source().Virtual().All(func(v *catalog.Virtual) bool {
		rows := 0
		err := v.Scan(context.Background(), &catalog.VirtualEnv{Catalog: c}, catalog.Lookup{}, func(row types.Row) error {
			rows++
			for i := range v.Columns {
				col := &v.Columns[i]
				if col.NotNull && row[i].IsNull() {
					t.Fatalf("%s.%s is NULL", v.Name, col.Name)
				}
				if got := row[i].Family(); got != types.FamNull && got != col.Type.Family {
					t.Errorf("%s.%s has a value of family %d, want %d", v.Name, col.Name, got, col.Type.Family)
				}
			}
			return nil
		})
		require.NoError(t, err, v.Name)
		n++
		return true
	})
	require.Greater(t, n, 190)
}

func TestTableRows(t *testing.T) {
	c := testCatalog(t)
	pg := catalog.SchemaPgCatalog
	all := scan(t, c, pg, "pg_class", catalog.Lookup{}, "oid", "relname", "relkind")
	require.Contains(t, all, "20000|accounts|r")
	require.Contains(t, all, "20001|accounts_pkey|i")
	require.Contains(t, all, "1259|pg_class|r")

	class, _ := c.Source().Virtual().Relation(pg, "pg_class")
	byName := catalog.Lookup{Active: true, Column: class.Keys[1], Values: []types.Datum{types.NewString("accounts_pkey")}}
	require.Equal(t, []string{"20001|accounts_pkey|i"}, scan(t, c, pg, "pg_class", byName, "oid", "relname", "relkind"))
	byID := catalog.Lookup{Active: true, Column: class.Keys[0], Values: []types.Datum{types.NewOID(20000)}}
	require.Equal(t, []string{"accounts|3"}, scan(t, c, pg, "pg_class", byID, "relname", "relnatts")[:1])

	attr, _ := c.Source().Virtual().Relation(pg, "pg_attribute")
	look := catalog.Lookup{Active: true, Column: attr.Keys[0], Values: []types.Datum{types.NewOID(20000)}}
	require.Equal(t, []string{
		"1|id|23|t|f", "2|owner|25|f|t", "3|........pg.dropped.3........|0|f|f",
	}, scan(t, c, pg, "pg_attribute", look, "attnum", "attname", "atttypid", "attnotnull", "atthasdef")[len(systemColumns):])

	require.Contains(t, scan(t, c, pg, "pg_indexes", catalog.Lookup{}, "indexdef"),
		"CREATE INDEX accounts_lower_idx ON public.accounts USING btree (lower(owner) DESC)")
	def, ok := ConstraintDef(t.Context(), c, stored{}, 20004, false)
	require.True(t, ok)
	require.Equal(t, "CHECK (id > 0)", def)
	require.Contains(t, scan(t, c, catalog.SchemaInformationSchema, "table_constraints", catalog.Lookup{}, "constraint_name", "constraint_type"), "accounts_pkey|PRIMARY KEY")
	require.Contains(t, scan(t, c, pg, "pg_description", catalog.Lookup{}, "objoid", "objsubid", "description"), "20000|2|who")
}

func TestStaticRows(t *testing.T) {
	c := testCatalog(t)
	pg := catalog.SchemaPgCatalog
	require.Contains(t, scan(t, c, pg, "pg_type", catalog.Lookup{}, "oid", "typname", "typarray", "typlen"), "23|int4|1007|4")
	require.Contains(t, scan(t, c, pg, "pg_am", catalog.Lookup{}, "amname"), "btree")
	require.Greater(t, len(scan(t, c, pg, "pg_proc", catalog.Lookup{}, "proname")), 3000)
}
