package crashtest

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/server"
)

// TestIdleRanges makes many ranges and measures what the node costs when nobody
// uses them: less than a twentieth of a core.
func TestIdleRanges(t *testing.T) {
	ranges := 1000
	if os.Getenv("SPANLITE_SOAK_ROUNDS") != "" {
		ranges = 10_000
	}
	c := newCluster(t, 1)
	p := c.nodes[0]
	admin, err := server.NewAdminClient(p.listen, "")
	require.NoError(t, err)
	defer admin.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	list, err := admin.Ranges(ctx)
	require.NoError(t, err)
	last := list[len(list)-1].Range
	began := time.Now()
	// From the right: the range that is split keeps its id.
	for i := ranges; i > 0; i-- {
		key := keys.IndexPrefix(nil, 1_000_000, uint32(i))
		_, err := admin.Split(ctx, uint64(last), key)
		require.NoError(t, err)
	}
	took := time.Since(began)
	list, err = admin.Ranges(ctx)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(list), ranges)

	// Background queues look at a new range once; let them finish.
	var share float64
	c.eventually(60*time.Second, "rest", func() error {
		before := p.cpu()
		began := time.Now()
		time.Sleep(5 * time.Second)
		share = float64(p.cpu()-before) / float64(time.Since(began))
		if share >= 0.05 {
			return errTooBusy(share)
		}
		return nil
	})
	t.Logf("%d ranges made in %s; at rest the node takes %.2f %% of a core", len(list), took, 100*share)
}

type errTooBusy float64

func (e errTooBusy) Error() string {
	return "the node takes " + strconv.FormatFloat(100*float64(e), 'f', 1, 64) + " % of a core"
}

// cpu is the processor time that the process has used.
func (p *process) cpu() time.Duration {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/stat")
	if err != nil {
		p.c.t.Skipf("no /proc to measure with: %v", err)
	}
	// Fields 14 and 15, counted behind the name in brackets, in ticks of 10 ms.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, err := strconv.Atoi(fields[11])
	require.NoError(p.c.t, err)
	system, err := strconv.Atoi(fields[12])
	require.NoError(p.c.t, err)
	return time.Duration(user+system) * 10 * time.Millisecond
}
