package difftest

import (
	"errors"
	"flag"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

var seed = flag.Uint64("seed", 1, "of the random queries")

// shortQueries is how many random queries a plain test run sends; SPANLITE_DIFFTEST_QUERIES says otherwise.
const shortQueries = 1000

// mostReports bounds what a failing run prints.
const mostReports = 20

// TestRandom sends random queries to both servers. They are made so that they cannot fail and have one right answer.
func TestRandom(t *testing.T) {
	p := newPair(t, "diff_random")
	for _, sql := range randomSchema {
		require.Empty(t, p.differ(t.Context(), sql, simple), sql)
	}
	n := shortQueries
	if s := os.Getenv("SPANLITE_DIFFTEST_QUERIES"); s != "" {
		var err error
		n, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	g := newGenerator(*seed)
	differing := 0
	for i := range n {
		sql := "/* any order */ " + g.query()
		d := p.differ(t.Context(), sql, []protocol{simple, extended, binary}[i%3])
		if d == "" {
			continue
		}
		if differing++; differing <= mostReports {
			t.Errorf("seed %d, query %d:\n%s\n   %s", *seed, i, sql, d)
		}
	}
	t.Logf("%d queries, %d disagreements", n, differing)
	if differing > mostReports {
		t.Errorf("%d more disagreements", differing-mostReports)
	}
}

// TestGarbage sends random queries with words removed, exchanged and repeated: whatever the answer is, it is no
// internal error, and the server lives on.
func TestGarbage(t *testing.T) {
	p := newPair(t, "diff_garbage")
	ctx := t.Context()
	for _, sql := range randomSchema {
		require.NoError(t, p.spanlite.run(ctx, sql, simple).err, sql)
	}
	g := newGenerator(*seed)
	n := shortQueries
	if os.Getenv("SPANLITE_DIFFTEST_QUERIES") != "" {
		n *= 10
	}
	for range n {
		sql := g.garble(g.query())
		a := p.spanlite.run(ctx, sql, extended)
		if e, ok := errors.AsType[*pgconn.PgError](a.err); a.err != nil && (!ok || strings.HasPrefix(e.Code, "XX")) {
			t.Errorf("seed %d: %s\n   %v", *seed, sql, a.err)
		}
	}
}
