package server

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/store"
	"github.com/spanlite/spanlite/sql"
	"github.com/spanlite/spanlite/sql/catalog"
)

// TestDeadlockAcrossNodes makes two transactions with gateways on two nodes wait
// for each other on locks that are kept at two nodes.
func TestDeadlockAcrossNodes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	a := startNode(t, inMemory())
	cfg := inMemory()
	cfg.Join = []string{a.ListenAddr()}
	b := startNode(t, cfg)
	startNode(t, cfg) // three nodes make three replicas

	connect := func(n *Node) *pgconn.PgConn {
		c, err := pgconn.Connect(ctx, n.URL())
		require.NoError(t, err)
		t.Cleanup(func() { c.Close(context.Background()) })
		return c
	}
	exec := func(c *pgconn.PgConn, text string) error {
		_, err := c.Exec(ctx, text).ReadAll()
		return err
	}
	x, y := connect(a), connect(b)
	require.NoError(t, exec(x, "CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE u (id int PRIMARY KEY, v int)"))
	require.NoError(t, exec(x, "INSERT INTO t VALUES (1, 0); INSERT INTO u VALUES (1, 0)"))
	table := tableID(t, a, "u")
	_, err := a.handleRange(ctx, rangeRequest{Verb: store.VerbSplit, Key: keys.TablePrefix(nil, table)})
	require.NoError(t, err)
	move := rangeRequest{Verb: store.VerbTransferLease, To: 2}
	for _, r := range ranges(t, a) {
		if string(r.Start) == string(keys.TablePrefix(nil, table)) {
			move.Range = r.Range
		}
	}
	require.Eventually(t, func() bool {
		_, err := a.handleRange(ctx, move)
		return err == nil
	}, 20*time.Second, 50*time.Millisecond, "the right half gets a replica on the second node and its lease")

	require.NoError(t, exec(x, "BEGIN; UPDATE t SET v = 1"))
	require.NoError(t, exec(y, "BEGIN; UPDATE u SET v = 1"))
	errs := make(chan error, 2)
	go func() { errs <- exec(x, "UPDATE u SET v = 2") }()
	go func() { errs <- exec(y, "UPDATE t SET v = 2") }()
	// The victim's rollback lets the other go on.
	require.ErrorContains(t, <-errs, "40P01")
	var victim *pgconn.PgConn
	if x.TxStatus() == 'E' {
		victim = x
	} else {
		victim = y
	}
	require.NoError(t, exec(victim, "ROLLBACK"))
	require.NoError(t, <-errs)
}

func tableID(t *testing.T, n *Node, name string) (id uint32) {
	t.Helper()
	n.catalog.Snapshot().All(func(d catalog.Descriptor) bool {
		if table, ok := d.(*catalog.Table); ok && table.Name == name {
			id = uint32(table.ID)
		}
		return true
	})
	require.NotZero(t, id)
	return id
}

func ranges(t *testing.T, n *Node) []sql.RangeInfo {
	t.Helper()
	list, err := (*cluster)(n).Ranges(t.Context())
	require.NoError(t, err)
	return list
}
