package testcluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/server"
	"github.com/spanlite/spanlite/sql"
)

// Options configure a cluster. The zero value is three nodes without faults.
type Options struct {
	// Nodes is how many there are. Default 3.
	Nodes int
	// Seed decides delays and what of the unsynced data a crash leaves.
	Seed uint64
	// MaxOffset is what the nodes are told of their clocks. Default 250 ms.
	MaxOffset time.Duration
	// Config changes the configuration of a node before each of its starts.
	Config func(node int, cfg *server.Config)
	// Fatal is called when a node reports that it must not go on. Default: the test
	// fails.
	Fatal func(node int, err error)
	// Logger receives what the nodes have to say. Default: nobody.
	Logger *slog.Logger
}

// Cluster is a number of nodes in this process, named 1 to Nodes. Its methods are
// safe for concurrent use, except that a node is started and ended by one goroutine
// at a time.
type Cluster struct {
	Net *Network

	tb    testing.TB
	opts  Options
	rng   *rand.Rand // guarded by mu
	mu    sync.Mutex
	nodes []*member
	// dying counts instances that have crashed and have not ended yet.
	dying sync.WaitGroup
	// clients are the hosts that sessions come from, one for each node.
	clients []*Host
}

// member is one node over all of its lives.
type member struct {
	clock *Clock

	// Guarded by Cluster.mu.
	fs   *vfs.MemFS
	node *server.Node // nil: down
	host *Host
	stop context.CancelFunc // ends the watch over node
}

// Start starts a cluster whose nodes know each other, and ends it with the test.
func Start(tb testing.TB, opts Options) *Cluster {
	tb.Helper()
	if opts.Nodes == 0 {
		opts.Nodes = 3
	}
	if opts.MaxOffset == 0 {
		opts.MaxOffset = 250 * time.Millisecond
	}
	if opts.Fatal == nil {
		opts.Fatal = func(node int, err error) { tb.Errorf("node %d: %v", node, err) }
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Cluster{Net: NewNetwork(opts.Seed), tb: tb, opts: opts, rng: rand.New(rand.NewPCG(opts.Seed, 0x6e6f6465))}
	tb.Cleanup(c.Close)
	for i := range opts.Nodes {
		c.nodes = append(c.nodes, &member{clock: new(Clock), fs: vfs.NewCrashableMem()})
		c.clients = append(c.clients, c.Net.Host(fmt.Sprintf("client%d", i+1)))
	}
	for i := range opts.Nodes {
		require.NoError(tb, c.Restart(context.Background(), i+1))
	}
	return c
}

// HostName is the name of a node's host in the network. Clients of the node come
// from another host, ClientName.
func HostName(node int) string { return fmt.Sprintf("n%d", node) }

// ClientName is the name of the host that a node's clients come from.
func ClientName(node int) string { return fmt.Sprintf("client%d", node) }

func listenAddr(node int) string { return HostName(node) + ":" + server.DefaultListenPort }
func sqlAddr(node int) string    { return HostName(node) + ":" + server.DefaultSQLPort }

// Nodes returns how many nodes there are, whether they run or not.
func (c *Cluster) Nodes() int { return len(c.nodes) }

// Clock returns a node's clock.
func (c *Cluster) Clock(node int) *Clock { return c.nodes[node-1].clock }

// Node returns a node, nil if it is down.
func (c *Cluster) Node(node int) *server.Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes[node-1].node
}

// Running returns the nodes that are not down.
func (c *Cluster) Running() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	var up []int
	for i, m := range c.nodes {
		if m.node != nil {
			up = append(up, i+1)
		}
	}
	return up
}

// Restart starts a node that is down, and returns when it serves SQL or ctx has
// ended: without a quorum it does not start, and stays down then.
func (c *Cluster) Restart(ctx context.Context, node int) error {
	c.mu.Lock()
	m := c.nodes[node-1]
	if m.node != nil {
		c.mu.Unlock()
		return fmt.Errorf("testcluster: node %d is running", node)
	}
	host := c.Net.Host(HostName(node))
	cfg := server.Config{
		FS: m.fs, Network: host, ClockSource: m.clock.Now, MaxOffset: c.opts.MaxOffset,
		ListenAddr: listenAddr(node), SQLAddr: sqlAddr(node), Insecure: true,
		CacheBytes: 4 << 20, SQLMemoryBytes: 64 << 20,
		Logger: c.opts.Logger.With("node", node),
	}
	if node > 1 {
		cfg.Join = []string{listenAddr(1)}
	}
	if c.opts.Config != nil {
		c.opts.Config(node, &cfg)
	}
	m.host = host
	c.mu.Unlock()

	n, err := server.Start(ctx, cfg)
	if err != nil {
		host.kill(false)
		return fmt.Errorf("start node %d: %w", node, err)
	}
	watch, stop := context.WithCancel(context.Background())
	c.mu.Lock()
	m.node, m.stop = n, stop
	c.mu.Unlock()
	c.dying.Go(func() {
		select {
		case err := <-n.Fatal():
			c.opts.Fatal(node, err)
		case <-watch.Done():
		}
	})
	return nil
}

// take marks a node as down and returns its last instance.
func (c *Cluster) take(node int) (*member, *server.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.nodes[node-1]
	n := m.node
	m.node = nil
	if n != nil {
		m.stop()
	}
	return m, n
}

// Stop ends a node in good order.
func (c *Cluster) Stop(node int) error {
	m, n := c.take(node)
	if n == nil {
		return nil
	}
	err := n.Stop()
	m.host.kill(false)
	return err
}

// CrashMode says what a crash looks like.
type CrashMode struct {
	// Silent: as when the power fails, nobody is told; otherwise only the process
	// dies, and its peers' connections are reset.
	Silent bool
	// UnsyncedPercent is how likely each piece of data that was not synced is found
	// after the restart.
	UnsyncedPercent int
}

// Crash ends a node at once. What it did not sync is lost but for
// UnsyncedPercent; what it sent is under way.
func (c *Cluster) Crash(node int, mode CrashMode) {
	m, n := c.take(node)
	if n == nil {
		return
	}
	// First the network: what was promised to others before is synced, and what the
	// dying instance still does is told to nobody.
	m.host.kill(mode.Silent)
	c.mu.Lock()
	cfg := vfs.CrashCloneCfg{UnsyncedDataPercent: mode.UnsyncedPercent, RNG: rand.New(rand.NewPCG(c.rng.Uint64(), 1))}
	m.fs = m.fs.CrashClone(cfg)
	c.mu.Unlock()
	c.dying.Go(func() { _ = n.Stop() }) // on the old file system
}

// Close ends all nodes. It is idempotent.
func (c *Cluster) Close() {
	c.Net.Heal()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for i := range c.nodes {
		wg.Go(func() {
			if err := c.Stop(i + 1); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, fmt.Errorf("stop node %d: %w", i+1, err))
			}
		})
	}
	wg.Wait()
	c.dying.Wait()
	for _, h := range c.clients {
		h.kill(false)
	}
	if err := errors.Join(errs...); err != nil {
		c.tb.Error(err)
	}
}

// Ranges returns all ranges as a node knows them.
func (c *Cluster) Ranges(ctx context.Context, node int) ([]sql.RangeInfo, error) {
	var list []sql.RangeInfo
	err := c.Admin(node, func(a *server.AdminClient) (err error) {
		list, err = a.Ranges(ctx)
		return err
	})
	return list, err
}

// ErrDown: the node is not running.
var ErrDown = errors.New("testcluster: node is down")

// Admin makes administrative calls at a node.
func (c *Cluster) Admin(node int, f func(*server.AdminClient) error) error {
	n := c.Node(node)
	if n == nil {
		return ErrDown
	}
	a := n.Admin()
	defer a.Close()
	return f(a)
}
