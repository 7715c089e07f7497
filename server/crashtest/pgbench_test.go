package crashtest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPgbenchLosesNode kills the leaseholder of pgbench's tables, and starts it
// again, while pgbench runs through the two other nodes. Their clients must not see
// it: a commit whose answer died with the leaseholder ends as committed or is
// repeated by the server, and what pgbench counts is what is in the tables.
//
// pgbench itself repeats serialization failures (--max-tries): the locks of the
// clients that were queued on pgbench's hottest row die with the leaseholder, and
// only one of them can go on. Any other error ends a client, and the test.
func TestPgbenchLosesNode(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: runs pgbench for some seconds")
	}
	if _, err := exec.LookPath("pgbench"); err != nil {
		t.Skip("pgbench is not installed")
	}
	c := newCluster(t, 3)
	c.awaitReplicas(c.nodes[0], 3, "", 30*time.Second)
	out, err := pgbench(t.Context(), c.nodes[0], "-i", "-s", "1", "-I", "dtgp")
	require.NoErrorf(t, err, "%s", out)
	c.awaitReplicas(c.nodes[0], 3, "", 30*time.Second)
	const seconds = 12
	history := 0
	for round := range rounds(t) {
		victim := c.leaseholder("/Table")
		var others []*process
		for _, p := range c.nodes {
			if p != victim {
				others = append(others, p)
			}
		}
		scripts := [][]string{{"-b", "tpcb-like"}, {"-b", "simple-update"}}
		var wg sync.WaitGroup
		outs, errs := make([]string, 2), make([]error, 2)
		for i, p := range others {
			wg.Go(func() {
				args := append([]string{"-n", "-M", "prepared", "-c", "8", "-T", strconv.Itoa(seconds), "--max-tries=10"}, scripts[i]...)
				outs[i], errs[i] = pgbench(t.Context(), p, args...)
			})
		}
		// The load is another process: there is nothing to wait for but time.
		time.Sleep(seconds * time.Second / 4)
		victim.kill()
		time.Sleep(seconds * time.Second / 3)
		victim.start()
		wg.Wait()
		for i := range others {
			require.NoErrorf(t, errs[i], "pgbench through n%d while n%d was killed:\n%s", others[i].i, victim.i, outs[i])
			require.Zero(t, counted(t, outs[i], `number of failed transactions: (\d+)`), "%s", outs[i])
			history += counted(t, outs[i], `transactions actually processed: (\d+)`)
			t.Logf("round %d: n%d killed, through n%d: %d transactions, %d of them retried", round, victim.i, others[i].i,
				counted(t, outs[i], `transactions actually processed: (\d+)`), counted(t, outs[i], `transactions retried: (\d+)`))
		}
		victim.awaitSQL(15 * time.Second)
		for _, p := range c.nodes {
			var accounts, tellers, branches, deltas int64
			var rows int
			require.NoError(t, p.query("SELECT (SELECT sum(abalance)::int8 FROM pgbench_accounts), (SELECT sum(tbalance)::int8 FROM pgbench_tellers), "+
				"(SELECT sum(bbalance)::int8 FROM pgbench_branches), sum(delta)::int8, count(*)::int4 FROM pgbench_history",
				&accounts, &tellers, &branches, &deltas, &rows))
			require.Equal(t, accounts, deltas, "accounts and history seen through n%d", p.i)
			require.Equal(t, tellers, branches, "tellers and branches seen through n%d", p.i)
			require.Equal(t, history, rows, "transactions that pgbench has counted, and those seen through n%d", p.i)
		}
	}
}

// pgbench runs pgbench through a node.
func pgbench(ctx context.Context, p *process, args ...string) (string, error) {
	host, port, err := net.SplitHostPort(p.sql)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "pgbench", append(args, "-h", host, "-p", port, "-U", "root", "defaultdb")...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("pgbench: %w", err)
	}
	return out.String(), nil
}

// counted returns a number that pgbench has printed.
func counted(t *testing.T, out, pattern string) int {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(out)
	require.NotNilf(t, m, "%s in:\n%s", pattern, out)
	n, err := strconv.Atoi(m[1])
	require.NoError(t, err)
	return n
}
