package testcluster

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// replicated waits until every range has a replica on every node.
func replicated(t *testing.T, c *Cluster, by int) {
	t.Helper()
	eventually(t, func() bool {
		ranges, err := c.Ranges(t.Context(), by)
		if err != nil {
			return false
		}
		for _, r := range ranges {
			if len(r.Replicas) < min(3, c.Nodes()) {
				return false
			}
		}
		return true
	})
}

// eventually waits until f returns true.
func eventually(t *testing.T, f func() bool) {
	t.Helper()
	within(t, time.Minute, f)
}

// within waits until f returns true, for at most d.
func within(t *testing.T, d time.Duration, f func() bool) {
	t.Helper()
	for began := time.Now(); !f(); time.Sleep(50 * time.Millisecond) {
		require.Less(t, time.Since(began), d)
	}
}

func connect(t *testing.T, c *Cluster, node int) *Session {
	t.Helper()
	s, err := c.Connect(t.Context(), node)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close(context.Background()) })
	return s
}

func exec(t *testing.T, s *Session, text string) [][]string {
	t.Helper()
	rows, err := s.Exec(t.Context(), text)
	require.NoError(t, err, "%s: %s", text, Detail(err))
	return rows
}

// TestCrashEach crashes one node after the other, in both ways. The others go on
// within the time that failover may take, and it finds its data again.
func TestCrashEach(t *testing.T) {
	for _, silent := range []bool{false, true} {
		t.Run(fmt.Sprintf("silent=%v", silent), func(t *testing.T) {
			Simulate(t, func(t *testing.T) {
				c := Start(t, Options{})
				exec(t, connect(t, c, 1), "CREATE TABLE t (k int PRIMARY KEY)")
				replicated(t, c, 1)
				for node := range 3 {
					node++
					c.Crash(node, CrashMode{Silent: silent})
					s := connect(t, c, node%3+1)
					within(t, 10*time.Second, func() bool {
						_, err := s.Exec(t.Context(), fmt.Sprintf("INSERT INTO t VALUES (%d) ON CONFLICT DO NOTHING", node))
						return err == nil
					})
					require.NoError(t, c.Restart(t.Context(), node))
					rows := exec(t, connect(t, c, node), "SELECT count(*) FROM t")
					require.Equal(t, [][]string{{fmt.Sprint(node)}}, rows)
				}
			})
		})
	}
}

// TestIsolation cuts a node off. Its clients get no answer that could be wrong, the
// others go on, and after the end of the partition all is well.
func TestIsolation(t *testing.T) {
	Simulate(t, func(t *testing.T) {
		c := Start(t, Options{})
		exec(t, connect(t, c, 1), "CREATE TABLE t (k int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 0)")
		replicated(t, c, 1)
		for round := range 6 {
			node := round%3 + 1
			others := []string{HostName(node%3 + 1), HostName((node+1)%3 + 1)}
			inside, outside := connect(t, c, node), connect(t, c, node%3+1)
			if round < 3 {
				c.Net.Partition([]string{HostName(node)}, others)
			} else { // it hears, and nobody hears it
				c.Net.Cut(HostName(node), others[0])
				c.Net.Cut(HostName(node), others[1])
			}
			within(t, 10*time.Second, func() bool {
				_, err := outside.Exec(t.Context(), fmt.Sprintf("UPDATE t SET v = %d", round+1))
				return err == nil
			})
			if rows, err := inside.Exec(t.Context(), "SET statement_timeout = '20s'; SELECT v FROM t"); err == nil {
				require.Equal(t, [][]string{{fmt.Sprint(round + 1)}}, rows)
			}
			c.Net.Heal()
			eventually(t, func() bool {
				rows, err := connect(t, c, node).Exec(t.Context(), "SELECT v FROM t")
				return err == nil && rows[0][0] == fmt.Sprint(round+1)
			})
		}
	})
}

// TestClocks sets the clocks of three nodes as far apart as allowed: a write is
// seen by whoever begins to read after its acknowledgement, wherever that is.
func TestClocks(t *testing.T) {
	Simulate(t, func(t *testing.T) {
		c := Start(t, Options{MaxOffset: 400 * time.Millisecond})
		exec(t, connect(t, c, 1), "CREATE TABLE t (k int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 0)")
		replicated(t, c, 1)
		var sessions []*Session
		for i := range 3 {
			c.Clock(i + 1).Set(time.Duration(i-1) * 199 * time.Millisecond)
			sessions = append(sessions, connect(t, c, i+1))
		}
		for i := range 30 {
			exec(t, sessions[i%3], fmt.Sprintf("UPDATE t SET v = %d", i))
			require.Equal(t, [][]string{{fmt.Sprint(i)}}, exec(t, sessions[(i/3+i)%3], "SELECT v FROM t"))
		}
	})
}
