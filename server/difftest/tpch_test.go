package difftest

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tpchSuppliers is the scale of a plain run, 0.002 of TPC-H's unit; SPANLITE_DIFFTEST_TPCH says otherwise, 100 is
// a scale factor of 0.01.
const tpchSuppliers = "20"

// slowFactor is how much slower than PostgreSQL a query may be before it is reported with -v: a plan is then
// probably absurd.
const slowFactor = 20

// TestTPCH compares the answers to the queries of TPC-H and tells the times.
func TestTPCH(t *testing.T) {
	p := newPair(t, "diff_tpch")
	suppliers := tpchSuppliers
	if s := os.Getenv("SPANLITE_DIFFTEST_TPCH"); s != "" {
		suppliers = s
	}
	schema, err := parseFile("testdata/tpch/schema.sql")
	require.NoError(t, err)
	for _, s := range schema {
		sql := strings.ReplaceAll(s.sql, "{sf}", suppliers)
		require.Empty(t, p.differ(t.Context(), sql, simple), sql)
	}
	queries, err := parseFile("testdata/tpch/queries.sql")
	require.NoError(t, err)
	require.Len(t, queries, 22)
	for i, q := range queries {
		t.Run(fmt.Sprint("q", i+1), func(t *testing.T) {
			start := time.Now()
			want := p.postgres.run(t.Context(), q.sql, extended)
			postgres := time.Since(start)
			start = time.Now()
			got := p.spanlite.run(t.Context(), q.sql, extended)
			spanlite := time.Since(start)
			if d := compare(q.sql, want, got); d != "" {
				t.Errorf("%s\n   %s", q.sql, d)
			}
			slow := ""
			if spanlite > slowFactor*postgres {
				slow = ": SLOW"
			}
			t.Logf("%d rows, PostgreSQL %v, Spanlite %v%s", len(want.rows), postgres.Round(time.Millisecond), spanlite.Round(time.Millisecond), slow)
		})
	}
}
