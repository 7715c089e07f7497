package clienttest

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

const deparseSchema = `
create type mood as enum ('sad', 'ok');
create table t (id int primary key, a int, b text, c text, v varchar(20), n numeric, ok boolean, ts timestamptz, arr int[], j jsonb, m mood);
create table u (id int primary key, x text)`

// deparseExceptions are queries that PostgreSQL prints otherwise, or that cannot be
// views here.
var deparseExceptions = map[string]string{
	"select row(a, b), (a, b) = (1, 'x') from t": "columns of type record",
}

// TestDeparse makes a view of every query in testdata/clients/deparse on both servers
// and compares what pg_get_viewdef says of it.
func TestDeparse(t *testing.T) {
	postgres, ours := startPostgres(t), startSpanlite(t)
	var conns []*pgx.Conn
	for _, url := range []string{postgres, ours} {
		execSQL(t, url, deparseSchema)
		c, err := pgx.Connect(t.Context(), url)
		require.NoError(t, err)
		t.Cleanup(func() { c.Close(t.Context()) })
		conns = append(conns, c)
	}
	b, err := os.ReadFile("../../testdata/clients/deparse/views.txt")
	require.NoError(t, err)
	agreed, total := 0, 0
	for _, query := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		if deparseExceptions[query] != "" {
			continue
		}
		total++
		columns := columnNames(t, conns[0], query)
		var defs [2][2]string
		for i, c := range conns {
			_, err := c.Exec(t.Context(), "create view v "+columns+" as "+query)
			if err != nil {
				t.Errorf("%s: %s: %v", query, []string{"PostgreSQL", "Spanlite"}[i], err)
				continue
			}
			require.NoError(t, c.QueryRow(t.Context(), "select pg_get_viewdef('v'::regclass), pg_get_viewdef('v'::regclass, true)").Scan(&defs[i][0], &defs[i][1]))
			_, err = c.Exec(t.Context(), "drop view v")
			require.NoError(t, err)
		}
		if defs[0] != defs[1] {
			t.Errorf("%s\nPostgreSQL:\n%s\n%s\nSpanlite:\n%s\n%s", query, defs[0][0], defs[0][1], defs[1][0], defs[1][1])
			continue
		}
		agreed++
	}
	t.Logf("%d of %d views print the same", agreed, total)
}

// columnNames returns a list of names for the columns of a query, as a view needs it
// where two of them would have the same.
func columnNames(t *testing.T, c *pgx.Conn, query string) string {
	st, err := c.Prepare(t.Context(), "", query)
	require.NoError(t, err, query)
	seen := map[string]bool{}
	var names []string
	for i, f := range st.Fields {
		seen[f.Name] = true
		names = append(names, fmt.Sprint("c", i+1))
	}
	if len(seen) == len(names) {
		return ""
	}
	return "(" + strings.Join(names, ", ") + ")"
}
