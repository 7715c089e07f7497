package testcluster

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/server"
)

// splitBefore makes a table begin a range of its own, and returns the range's id.
func splitBefore(t *testing.T, c *Cluster, table string) uint64 {
	t.Helper()
	rows := exec(t, connect(t, c, 1), fmt.Sprintf("SELECT '%s'::regclass::oid", table))
	var id uint32
	_, err := fmt.Sscan(rows[0][0], &id)
	require.NoError(t, err)
	start := keys.TablePrefix(nil, id)
	var found uint64
	eventually(t, func() bool {
		err := c.Admin(1, func(a *server.AdminClient) error {
			_, err := a.Split(t.Context(), 0, start)
			return err
		})
		ranges, listErr := c.Ranges(t.Context(), 1)
		for _, r := range ranges {
			if string(r.Start) == string(start) {
				found = uint64(r.Range)
			}
		}
		return found != 0 && (err == nil || listErr == nil)
	})
	return found
}

// moveLease hands a range to a node, however often it takes.
func moveLease(t *testing.T, c *Cluster, id uint64, to int) {
	t.Helper()
	eventually(t, func() bool {
		return c.Admin(1, func(a *server.AdminClient) error {
			_, err := a.TransferLease(t.Context(), id, uint32(to))
			return err
		}) == nil
	})
}

// TestDeadlockAcrossNodes makes two transactions with gateways on two nodes wait for
// each other on locks that are kept at two nodes.
func TestDeadlockAcrossNodes(t *testing.T) {
	Simulate(t, func(t *testing.T) {
		c := Start(t, Options{})
		x, y := connect(t, c, 1), connect(t, c, 2)
		exec(t, x, "CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE u (id int PRIMARY KEY, v int)")
		exec(t, x, "INSERT INTO t VALUES (1, 0); INSERT INTO u VALUES (1, 0)")
		replicated(t, c, 1)
		moveLease(t, c, splitBefore(t, c, "t"), 1)
		moveLease(t, c, splitBefore(t, c, "u"), 2)

		exec(t, x, "BEGIN; UPDATE t SET v = 1")
		exec(t, y, "BEGIN; UPDATE u SET v = 1")
		began := time.Now()
		ended := make(chan error, 2)
		go func() { _, err := x.Exec(t.Context(), "UPDATE u SET v = 2"); ended <- err }()
		go func() { _, err := y.Exec(t.Context(), "UPDATE t SET v = 2"); ended <- err }()
		// The victim's transaction is over, so the other goes on.
		states := []string{SQLState(<-ended), SQLState(<-ended)}
		require.ElementsMatch(t, []string{"", "40P01"}, states)
		require.Less(t, time.Since(began), 3*time.Second)
	})
}

// TestLocksMoveWithTheLease hands a range to another node while a transaction holds a
// row lock there: a second one still waits.
func TestLocksMoveWithTheLease(t *testing.T) {
	Simulate(t, func(t *testing.T) {
		c := Start(t, Options{})
		x, y := connect(t, c, 1), connect(t, c, 2)
		exec(t, x, "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 0)")
		replicated(t, c, 1)
		id := splitBefore(t, c, "t")
		moveLease(t, c, id, 1)
		exec(t, x, "BEGIN; SELECT * FROM t FOR UPDATE")
		moveLease(t, c, id, 3)
		_, err := y.Exec(t.Context(), "SET lock_timeout = '2s'; UPDATE t SET v = v + 1")
		require.Equal(t, "55P03", SQLState(err))
		// A transaction that is older than the lease of its record's range cannot make
		// that record any more.
		want := "11"
		if _, err := x.Exec(t.Context(), "UPDATE t SET v = v + 10; COMMIT"); err != nil {
			require.Equal(t, "40001", SQLState(err))
			exec(t, x, "ROLLBACK")
			want = "1"
		}
		exec(t, y, "UPDATE t SET v = v + 1")
		require.Equal(t, [][]string{{want}}, exec(t, y, "SELECT v FROM t"))
	})
}

// TestPowerCut cuts the power of all nodes at once, and lets each find a different
// part of what it had not synced. What was acknowledged is there, at every node.
func TestPowerCut(t *testing.T) {
	Simulate(t, func(t *testing.T) {
		c := Start(t, Options{Seed: 7})
		exec(t, connect(t, c, 1), "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE INDEX ON t (v)")
		replicated(t, c, 1)
		for round, percent := range []int{0, 50, 100} {
			s := connect(t, c, round+1)
			for i := range 20 {
				exec(t, s, fmt.Sprintf("INSERT INTO t VALUES (%d, repeat('x', %d))", round*100+i, 10*i))
			}
			for node := range 3 {
				c.Crash(node+1, CrashMode{Silent: true, UnsyncedPercent: percent})
			}
			restarted := make(chan error, 3)
			for node := range 3 {
				go func() { restarted <- c.Restart(t.Context(), node+1) }()
			}
			for range 3 {
				require.NoError(t, <-restarted)
			}
			for node := range 3 {
				want := [][]string{{fmt.Sprint(20 * (round + 1))}}
				within(t, 10*time.Second, func() bool {
					rows, err := connect(t, c, node+1).Exec(t.Context(), "SELECT count(*) FROM t")
					return err == nil && rows[0][0] == want[0][0]
				})
				require.Equal(t, want, exec(t, connect(t, c, node+1), "SELECT count(*) FROM t WHERE v >= ''"))
			}
		}
	})
}
