package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/server"
	"github.com/spanlite/spanlite/server/testcluster"
	"github.com/spanlite/spanlite/sql/rowenc"
	"github.com/spanlite/spanlite/sql/types"
)

// Fault is a kind of fault, or of change that an operator or the allocator makes.
type Fault string

// The faults.
const (
	// Isolate cuts a node off from the others, its clients remain.
	Isolate Fault = "isolate"
	// OneWay stops one direction between two nodes.
	OneWay Fault = "one-way"
	// Bridge leaves two nodes that see only a third one.
	Bridge Fault = "bridge"
	// Crash ends a process or cuts the power; what was not synced is lost.
	Crash Fault = "crash"
	// CrashAll does that to all nodes at once.
	CrashAll Fault = "crash all"
	// StopNode ends a node in good order and starts it again.
	StopNode Fault = "stop"
	// JumpClock sets a node's clock to another offset within the bound.
	JumpClock Fault = "clock"
	// SlowLink delays everything from one node to another.
	SlowLink Fault = "slow link"
	// ResetConns breaks the connections between two nodes.
	ResetConns Fault = "reset"
	// MoveLease, Split and Merge change ranges.
	MoveLease Fault = "lease"
	Split     Fault = "split"
	Merge     Fault = "merge"
)

// AllFaults are all of them, the frequent ones more than once.
var AllFaults = []Fault{
	Isolate, OneWay, Bridge, Crash, Crash, CrashAll, StopNode, JumpClock, JumpClock, SlowLink, ResetConns,
	MoveLease, MoveLease, MoveLease, Split, Split, Merge,
}

// nemesis makes the faults. Its schedule depends on the seed alone; what the
// administrative calls in it do depends on the state of the cluster.
type nemesis struct {
	r        *run
	rng      *rand.Rand
	began    time.Time
	logging  sync.Mutex
	schedule []string // guarded by logging

	mu      sync.Mutex
	work    sync.WaitGroup // restarts and calls under way
	pending map[int]bool   // nodes that are being started
}

func newNemesis(r *run) *nemesis {
	return &nemesis{r: r, rng: rand.New(rand.NewPCG(r.cfg.Seed, 0xfa17)), began: time.Now(), pending: make(map[int]bool)}
}

// run makes faults until ctx ends.
func (n *nemesis) run(ctx context.Context) {
	for {
		pause(ctx, 300*time.Millisecond+time.Duration(n.rng.Int64N(int64(1700*time.Millisecond))))
		if ctx.Err() != nil {
			return
		}
		n.act(ctx, n.r.cfg.Faults[n.rng.IntN(len(n.r.cfg.Faults))])
	}
}

func (n *nemesis) log(format string, args ...any) {
	n.logging.Lock()
	defer n.logging.Unlock()
	n.schedule = append(n.schedule, fmt.Sprintf("%8.3fs ", time.Since(n.began).Seconds())+fmt.Sprintf(format, args...))
}

// node draws a node.
func (n *nemesis) node() int { return 1 + n.rng.IntN(n.r.cfg.Nodes) }

// others draws nodes in random order, first left out.
func (n *nemesis) others(first int) []string {
	var names []string
	for _, i := range n.rng.Perm(n.r.cfg.Nodes) {
		if i+1 != first {
			names = append(names, testcluster.HostName(i+1))
		}
	}
	return names
}

// act makes one fault. Faults of the network last for half a second to six.
func (n *nemesis) act(ctx context.Context, f Fault) {
	c, node := n.r.c, n.node()
	name, others := testcluster.HostName(node), n.others(node)
	hold := 500*time.Millisecond + time.Duration(n.rng.Int64N(int64(5500*time.Millisecond)))
	switch f {
	case Isolate:
		n.log("isolate %s for %s", name, hold)
		c.Net.Partition([]string{name}, others)
		pause(ctx, hold)
		c.Net.Heal()
	case OneWay:
		n.log("cut %s to %s for %s", name, others[0], hold)
		c.Net.Cut(name, others[0])
		pause(ctx, hold)
		c.Net.Heal()
	case Bridge:
		n.log("cut %s from %s for %s", name, others[0], hold)
		c.Net.Partition([]string{name}, others[:1])
		pause(ctx, hold)
		c.Net.Heal()
	case Crash:
		mode := n.crashMode()
		down := time.Duration(n.rng.Int64N(int64(4 * time.Second)))
		n.log("crash %s %+v for %s", name, mode, down)
		c.Crash(node, mode)
		n.restart(node, down)
	case CrashAll:
		mode := n.crashMode()
		n.log("crash all %+v", mode)
		for node := range n.r.cfg.Nodes {
			c.Crash(node+1, mode)
		}
		for node := range n.r.cfg.Nodes {
			n.restart(node+1, time.Duration(n.rng.Int64N(int64(time.Second))))
		}
	case StopNode:
		down := time.Duration(n.rng.Int64N(int64(2 * time.Second)))
		n.log("stop %s for %s", name, down)
		if err := c.Stop(node); err != nil {
			n.log("stop: %v", err)
		}
		n.restart(node, down)
	case JumpClock:
		// Half of the bound either way keeps every pair within it.
		offset := time.Duration(n.rng.Int64N(int64(maxOffset)*96/100)) - maxOffset*48/100
		n.log("clock of %s to %s", name, offset)
		c.Clock(node).Set(offset)
	case SlowLink:
		d := time.Duration(n.rng.Int64N(int64(300 * time.Millisecond)))
		n.log("slow %s to %s by %s for %s", name, others[0], d, hold)
		c.Net.Slow(name, others[0], d)
		pause(ctx, hold)
		c.Net.Heal()
	case ResetConns:
		n.log("reset %s and %s", name, others[0])
		c.Net.Reset(name, others[0])
	case MoveLease, Split, Merge:
		n.admin(ctx, f, node)
	}
}

func (n *nemesis) crashMode() testcluster.CrashMode {
	return testcluster.CrashMode{Silent: n.rng.IntN(2) == 0, UnsyncedPercent: []int{0, 0, 50, 100}[n.rng.IntN(4)]}
}

// restart starts a node in the background after a while.
func (n *nemesis) restart(node int, after time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.pending[node] {
		return
	}
	n.pending[node] = true
	n.work.Go(func() {
		time.Sleep(after)
		// Without a quorum the start waits; the faults end at some time.
		ctx, cancel := context.WithTimeout(context.Background(), setupTimeout)
		defer cancel()
		err := n.r.c.Restart(ctx, node)
		n.mu.Lock()
		defer n.mu.Unlock()
		n.pending[node] = false
		if err != nil {
			n.log("restart: %v", err)
		}
	})
}

// adminTimeout bounds one call. It goes on beside further faults.
const adminTimeout = 10 * time.Second

// admin changes a range, through a node.
func (n *nemesis) admin(ctx context.Context, f Fault, node int) {
	table, count := n.r.workloads[n.rng.IntN(len(n.r.workloads))].tables()
	row, pick, to := n.rng.IntN(count), n.rng.IntN(1<<20), uint32(n.node())
	n.log("%s by n%d: %s %d, to n%d", f, node, table, row, to)
	n.work.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), adminTimeout)
		defer cancel()
		_ = n.r.c.Admin(node, func(a *server.AdminClient) error {
			if f == Split {
				key, err := n.rowKey(ctx, node, table, row)
				if err == nil {
					_, err = a.Split(ctx, 0, key)
				}
				return err
			}
			ranges, err := a.Ranges(ctx)
			if err != nil || len(ranges) == 0 {
				return err
			}
			r := ranges[pick%len(ranges)]
			if f == Merge {
				_, err = a.Merge(ctx, uint64(r.Range))
				return err
			}
			_, err = a.TransferLease(ctx, uint64(r.Range), to)
			return err
		})
	})
}

// rowKey returns the key of a row, or of the table's begin.
func (n *nemesis) rowKey(ctx context.Context, node int, table string, row int) (keys.Key, error) {
	s, err := n.r.c.Connect(ctx, node)
	if err != nil {
		return nil, err
	}
	defer s.Close(ctx)
	rows, err := s.Exec(ctx, fmt.Sprintf("SELECT '%s'::regclass::oid", table))
	if err != nil {
		return nil, err
	}
	id, err := strconv.ParseUint(rows[0][0], 10, 32)
	if err != nil {
		return nil, err
	}
	if row == 0 {
		return keys.TablePrefix(nil, uint32(id)), nil
	}
	return rowenc.AppendKey(keys.IndexPrefix(nil, uint32(id), 1), types.Int4, types.NewInt(int64(row)), false, false)
}

// calm ends all faults and waits until every node serves.
func (n *nemesis) calm(t *testing.T) {
	n.r.c.Net.Heal()
	n.work.Wait()
	for node := range n.r.cfg.Nodes {
		node++
		ctx, cancel := context.WithTimeout(t.Context(), setupTimeout)
		if n.r.c.Node(node) == nil {
			if err := n.r.c.Restart(ctx, node); err != nil {
				n.r.fail("node %d does not start: %v", node, err)
			}
		}
		cancel()
	}
}
