package txn_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/txn"
)

func TestHandle(t *testing.T) {
	c := newCluster(t, txn.Config{})
	tx := c.db.Begin(serializable)
	defer tx.Close()
	h, err := txn.ParseHandle(tx.Handle().String())
	require.NoError(t, err)
	require.Equal(t, tx.Handle(), h)
	for _, s := range []string{"", "1", "1-2-3", "1-2-" + h.ID.String() + "0", "x-2-" + h.ID.String(), "1-y-" + h.ID.String(), "1-2-zz" + h.ID.String()[2:]} {
		_, err := txn.ParseHandle(s)
		require.Error(t, err, s)
	}
}

// The gateway tells of its own transactions, and the ranges when it is gone.
func TestOutcome(t *testing.T) {
	ctx := context.Background()
	c := newCluster(t, txn.Config{}, "m")
	ranges := []keys.Key{key("a"), key("x")}
	for _, writes := range [][]string{{"a"}, {"x"}, {"a", "x"}} {
		tx := c.db.Begin(serializable)
		h := tx.Handle()
		out, _ := c.db.LocalOutcome(h.ID)
		require.Equal(t, txn.Forgotten, out, "nobody has asked for its name")
		tx.Announce()
		out, _ = c.db.LocalOutcome(h.ID)
		require.Equal(t, txn.InProgress, out)
		for _, k := range writes {
			require.NoError(t, write(ctx, tx, k, "1"))
		}
		require.NoError(t, tx.Commit(ctx))
		committed := tx.CommitTimestamp()
		tx.Close()
		out, ts := c.db.LocalOutcome(h.ID)
		require.Equal(t, txn.Committed, out)
		require.Equal(t, committed, ts)
		out, ts, err := c.db.RangesOutcome(ctx, h, ranges, true)
		require.NoError(t, err)
		require.Equal(t, txn.Committed, out)
		require.Equal(t, committed, ts)
	}

	tx := c.db.Begin(serializable)
	h := tx.Handle()
	require.NoError(t, write(ctx, tx, "a", "2"))
	tx.Announce()
	tx.Rollback(ctx)
	tx.Close()
	out, _ := c.db.LocalOutcome(h.ID)
	require.Equal(t, txn.Aborted, out)

	// A look does not disturb a transaction that lives; of one that does not, the
	// ranges see to it that it will not commit.
	tx = c.db.Begin(serializable)
	require.NoError(t, write(ctx, tx, "a", "3"))
	out, _, err := c.db.RangesOutcome(ctx, tx.Handle(), ranges, false)
	require.NoError(t, err)
	require.Equal(t, txn.InProgress, out)
	require.NoError(t, tx.Commit(ctx))
	tx.Close()
	tx = c.db.Begin(serializable)
	require.NoError(t, write(ctx, tx, "a", "4"))
	require.NoError(t, write(ctx, tx, "x", "4"))
	out, _, err = c.db.RangesOutcome(ctx, tx.Handle(), ranges, true)
	require.NoError(t, err)
	require.Equal(t, txn.Aborted, out)
	require.Error(t, tx.Commit(ctx))
	tx.Close()
	require.Equal(t, "a=3 x=1 ", c.now("a", "z"))
}
