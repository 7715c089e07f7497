package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/server"
	"github.com/spanlite/spanlite/server/sim/history"
	"github.com/spanlite/spanlite/server/testcluster"
)

// Config describes a run.
type Config struct {
	// Seed decides the faults and what the clients do.
	Seed uint64
	// Nodes is the size of the cluster. Default 3.
	Nodes int
	// Duration is for how long clients and faults go on, in virtual time. Default
	// 30 s.
	Duration time.Duration
	// Clients is how many there are of each workload. Default 3.
	Clients int
	// Level is the isolation level of the transactions.
	Level history.Level
	// Faults are the kinds of faults to choose from. Default: AllFaults.
	Faults []Fault
	// Node changes the configuration of a node.
	Node func(node int, cfg *server.Config)
}

// maxOffset is what the nodes are told of their clocks. The faults keep within.
const maxOffset = 250 * time.Millisecond

// Result is what a run has observed.
type Result struct {
	Anomalies []history.Anomaly
	// Committed, Aborted and Unknown count transactions.
	Committed, Aborted, Unknown int
	// Schedule are the faults, in order.
	Schedule []string
	// Replicas are all replicas, if the cluster has not recovered in full: what each
	// and its Raft group believe.
	Replicas []string
	// LongestGap is the longest time in which nobody committed anything.
	LongestGap time.Duration
}

// String describes the run in a few lines.
func (r *Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d committed, %d aborted, %d unknown, %d faults, longest gap %s", r.Committed, r.Aborted, r.Unknown, len(r.Schedule), r.LongestGap)
	for i, a := range r.Anomalies {
		if i == 5 {
			fmt.Fprintf(&b, "\nand %d more", len(r.Anomalies)-i)
			break
		}
		fmt.Fprintf(&b, "\n%s", a)
	}
	return b.String()
}

// Run makes a cluster, lets clients and faults loose on it, and checks what the
// clients have seen. What no history can show is an anomaly, too: a node that does
// not come back, or data that cannot be read in the end.
func Run(t *testing.T, cfg Config) *Result {
	t.Helper()
	if cfg.Nodes == 0 {
		cfg.Nodes = 3
	}
	if cfg.Duration == 0 {
		cfg.Duration = 30 * time.Second
	}
	if cfg.Clients == 0 {
		cfg.Clients = 3
	}
	if cfg.Faults == nil {
		cfg.Faults = AllFaults
	}
	r := &run{cfg: cfg, workloads: []workload{new(lists), new(registers), new(bank), new(groups)}}
	testcluster.Simulate(t, r.simulate)
	for _, w := range r.workloads {
		r.result.Anomalies = append(r.result.Anomalies, w.check(cfg.Level)...)
	}
	return &r.result
}

// run is one run. It lives in the simulation's bubble but for the checks.
type run struct {
	cfg       Config
	c         *testcluster.Cluster
	workloads []workload

	mu         sync.Mutex
	result     Result
	lastCommit time.Time
}

// workload is a kind of clients and a check of what they have seen.
type workload interface {
	// setup makes the tables.
	setup(s *testcluster.Session) error
	// step does one thing. A session that is no longer good is replaced afterwards.
	step(cl *client)
	// finish reads the final state, when all faults are over.
	finish(s *testcluster.Session) error
	// check returns what must not be. Called after the simulation.
	check(level history.Level) []history.Anomaly
	// split returns a table of the workload, and the least and the greatest of its
	// keys, for splits.
	tables() (name string, keys int)
}

// setupTimeout bounds what is done without faults.
const setupTimeout = 2 * time.Minute

func (r *run) simulate(t *testing.T) {
	r.c = testcluster.Start(t, testcluster.Options{
		Nodes: r.cfg.Nodes, Seed: r.cfg.Seed, MaxOffset: maxOffset, Config: r.cfg.Node,
		Fatal: func(node int, err error) { r.fail("node %d: %v", node, err) },
	})
	ctx, cancel := context.WithTimeout(t.Context(), setupTimeout)
	defer cancel()
	s, err := r.c.Connect(ctx, 1)
	require.NoError(t, err)
	for _, w := range r.workloads {
		require.NoError(t, w.setup(s))
	}
	s.Close(ctx)
	r.lastCommit = time.Now()

	until, stop := context.WithTimeout(t.Context(), r.cfg.Duration)
	defer stop()
	var clients sync.WaitGroup
	for i, w := range r.workloads {
		for n := range r.cfg.Clients {
			cl := &client{
				r: r, id: i*r.cfg.Clients + n + 1,
				rng: rand.New(rand.NewPCG(r.cfg.Seed, uint64(1000+i*100+n))),
			}
			clients.Go(func() { cl.run(until, w) })
		}
	}
	nem := newNemesis(r)
	nem.run(until)
	nem.calm(t)
	clients.Wait()
	r.result.Schedule = nem.schedule
	r.final(t)
}

// final lets every workload read its final state, each from another node.
func (r *run) final(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), setupTimeout)
	defer cancel()
	for i, w := range r.workloads {
		var err error
		for ctx.Err() == nil {
			var s *testcluster.Session
			if s, err = r.c.Connect(ctx, i%r.cfg.Nodes+1); err == nil {
				err = w.finish(s)
				s.Close(ctx)
			}
			if err == nil {
				break
			}
			pause(ctx, 100*time.Millisecond)
		}
		if err != nil {
			r.fail("the cluster has not recovered: %v", err)
		}
	}
	replicas := r.replicas()
	for _, line := range replicas {
		if strings.Contains(line, ", failed: ") {
			r.fail("a replica has failed: %s", line)
		}
	}
	if len(r.result.Anomalies) > 0 {
		r.result.Replicas = replicas
	}
}

// replicas describes the replicas of all nodes, those of a range together.
func (r *run) replicas() []string {
	var lines []string
	for _, node := range r.c.Running() {
		if n := r.c.Node(node); n != nil {
			lines = append(lines, n.DescribeReplicas()...)
		}
	}
	slices.Sort(lines)
	return lines
}

// fail notes what no history shows. The test does not fail here: Simulate would end
// it before anybody could print the schedule.
func (r *run) fail(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Anomalies = append(r.result.Anomalies, history.Anomaly{Name: "failure", Detail: fmt.Sprintf(format, args...)})
}

// note counts an outcome.
func (r *run) note(o history.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch o {
	case history.Committed:
		r.result.Committed++
		r.result.LongestGap = max(r.result.LongestGap, time.Since(r.lastCommit))
		r.lastCommit = time.Now()
	case history.Aborted:
		r.result.Aborted++
	case history.Unknown:
		r.result.Unknown++
	}
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
