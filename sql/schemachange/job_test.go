package schemachange_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/schemachange"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// entries counts the pairs of a span in the store.
func (s *store) entries(span keys.Span) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.data {
		if k >= string(span.Start) && k < string(span.End) {
			n++
		}
	}
	return n
}

// restart makes a new process of the node: what the old one was doing it leaves.
func (n *node) restart() {
	n.ex.Close()
	n.ex = schemachange.New(schemachange.Config{DB: n.db, Source: n.src, Registry: n.reg, Parser: stored{}})
	n.t.Cleanup(n.ex.Close)
}

// noJobs waits until all jobs are done.
func (n *node) noJobs() {
	n.t.Helper()
	require.Eventually(n.t, func() bool {
		jobs, err := n.ex.Jobs(context.Background())
		require.NoError(n.t, err)
		return len(jobs) == 0
	}, 20*time.Second, time.Millisecond)
}

// TestResume ends the process in the middle of a backfill, and lets the next one go on.
func TestResume(t *testing.T) {
	for _, unique := range []bool{false, true} {
		t.Run(fmt.Sprintf("unique=%v", unique), func(t *testing.T) {
			n := newNode(t)
			n.exec("CREATE TABLE t (k int PRIMARY KEY, v int)")
			var rows []types.Row
			for k := range int64(5000) {
				rows = append(rows, types.Row{types.NewInt(k), types.NewInt(k % 4000)})
			}
			n.insert("t", rows...)

			// The process ends in its third chunk.
			chunks := 0
			n.db.onCommit = func(writes int) error {
				if writes < 512 {
					return nil
				}
				if chunks++; chunks < 3 {
					return nil
				}
				n.ex.Close()
				return errRefused
			}
			n.alone = true
			text := "CREATE INDEX i ON t (v)"
			if unique {
				text = "CREATE UNIQUE INDEX i ON t (v)"
			}
			require.ErrorIs(t, n.try(text), errRefused)
			n.db.onCommit = nil
			n.begin()
			require.Equal(t, catalog.IndexWriteOnly, n.table("t").IndexByName("i").State)
			jobs, err := n.ex.Jobs(context.Background())
			require.NoError(t, err)
			require.Len(t, jobs, 1)

			n.restart()
			n.noJobs()
			n.begin()
			x := n.table("t").IndexByName("i")
			if unique {
				require.Nil(t, x, "the values are not unique, and nothing is left behind")
				return
			}
			require.Equal(t, catalog.IndexPublic, x.State)
			require.Equal(t, 5000, n.db.entries(n.table("t").IndexSpan(x)))
		})
	}
}

// TestClearedAfterCrash: data of a dropped table are cleared by the next process, if the one
// that dropped it could not.
func TestClearedAfterCrash(t *testing.T) {
	n := newNode(t)
	n.exec("CREATE TABLE t (k int PRIMARY KEY)")
	n.insert("t", types.Row{types.NewInt(1)}, types.Row{types.NewInt(2)})
	span := n.table("t").Span()
	require.Equal(t, 2, n.db.entries(span))
	n.db.mu.Lock()
	n.db.refuse = kv.OpDeleteRange
	n.db.mu.Unlock()
	n.exec("DROP TABLE t")
	require.Equal(t, 2, n.db.entries(span))
	n.ex.Close()
	n.db.mu.Lock()
	n.db.refuse = 0
	n.db.mu.Unlock()
	n.restart()
	n.noJobs()
	require.Zero(t, n.db.entries(span))
}

var errRefused = sqlstate.New(sqlstate.InternalError, "refused")
