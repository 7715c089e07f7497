package crashtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// binary builds cmd/spanlite once per test process.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "spanlite-crashtest-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "spanlite")
	out, err := exec.Command("go", "build", "-o", path, "github.com/spanlite/spanlite/cmd/spanlite").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// rounds is how many times a test does its damage.
func rounds(t *testing.T) int {
	s := os.Getenv("SPANLITE_SOAK_ROUNDS")
	if s == "" {
		return 1
	}
	n, err := strconv.Atoi(s)
	require.NoError(t, err, "SPANLITE_SOAK_ROUNDS")
	return n
}

// cluster is a set of node processes.
type cluster struct {
	t     *testing.T
	bin   string
	dir   string
	flags []string
	nodes []*process
}

// process is one node: its folder and addresses outlive the process.
type process struct {
	c                *cluster
	i                int
	store, log       string
	listen, sql, web string
	join             string
	cmd              *exec.Cmd
	exited           chan struct{}
	err              error // of the exit, once exited is closed
}

// newCluster starts n nodes; one is a cluster of its own, more are initialised.
func newCluster(t *testing.T, n int, flags ...string) *cluster {
	bin, err := binary()
	require.NoError(t, err)
	c := &cluster{t: t, bin: bin, dir: t.TempDir(), flags: flags}
	t.Cleanup(func() {
		if t.Failed() {
			// What the nodes are doing, in their logs.
			for _, p := range c.nodes {
				p.quit()
			}
		}
		for _, p := range c.nodes {
			p.kill()
		}
		if t.Failed() {
			keep, err := os.MkdirTemp("", "crashtest-failed-")
			if err != nil {
				t.Log(err)
				return
			}
			for _, p := range c.nodes {
				out, _ := os.ReadFile(p.log)
				_ = os.WriteFile(filepath.Join(keep, filepath.Base(p.log)), out, 0o644)
			}
			t.Logf("the logs of the nodes, with their goroutines, are kept in %s", keep)
		}
	})
	for range n {
		c.add()
	}
	if n > 1 {
		var join []string
		for _, p := range c.nodes {
			join = append(join, p.listen)
		}
		for _, p := range c.nodes {
			p.join = strings.Join(join, ",")
		}
	}
	for _, p := range c.nodes {
		p.start()
	}
	if n > 1 {
		c.eventually(20*time.Second, "init", func() error {
			_, err := c.admin(c.nodes[0], "init")
			return err
		})
	}
	for _, p := range c.nodes {
		p.awaitSQL(20 * time.Second)
	}
	return c
}

// add makes the folder and addresses of a further node.
func (c *cluster) add() *process {
	p := &process{c: c, i: len(c.nodes) + 1}
	p.store = filepath.Join(c.dir, fmt.Sprintf("n%d", p.i))
	p.log = p.store + ".log"
	p.listen, p.sql, p.web = freeAddr(c.t), freeAddr(c.t), freeAddr(c.t)
	c.nodes = append(c.nodes, p)
	return p
}

// freeAddr returns a loopback address that nobody listens on at the moment. Nodes
// keep theirs over restarts, so the kernel cannot choose at every start.
func freeAddr(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

func (p *process) start() {
	t := p.c.t
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	require.NoError(t, err)
	defer log.Close()
	args := []string{"start", "--store=" + p.store, "--listen-addr=" + p.listen, "--sql-addr=" + p.sql, "--http-addr=" + p.web, "--cache=67108864"}
	if p.join != "" {
		args = append(args, "--join="+p.join)
	}
	cmd := exec.Command(p.c.bin, append(args, p.c.flags...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "GOTRACEBACK=all")
	// A killed test binary must not leave nodes behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, cmd.Start())
	p.cmd, p.exited = cmd, make(chan struct{})
	exited := p.exited
	go func() {
		p.err = cmd.Wait()
		close(exited)
	}()
}

// kill is SIGKILL; it returns when the process is gone.
func (p *process) kill() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// quit asks for a dump of all goroutines and gives the process time to write it.
func (p *process) quit() {
	if p.cmd == nil || !p.running() {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-p.exited:
	case <-time.After(5 * time.Second):
	}
}

// running reports whether the process lives.
func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// awaitSQL waits until the node answers a query, and returns how long that took.
func (p *process) awaitSQL(limit time.Duration) time.Duration {
	p.c.t.Helper()
	began := time.Now()
	p.c.eventually(limit, fmt.Sprintf("SQL on n%d", p.i), func() error {
		if !p.running() {
			out, _ := os.ReadFile(p.log)
			p.c.t.Fatalf("n%d ended: %v\n%s", p.i, p.err, tail(out, 2000))
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, p.url())
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, "SELECT count(*) FROM pg_namespace")
		return err
	})
	return time.Since(began)
}

func (p *process) url() string {
	return "postgresql://root@" + p.sql + "/defaultdb?sslmode=disable&connect_timeout=2"
}

// admin runs a verb of the command line against a node.
func (c *cluster) admin(p *process, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, c.bin, append(args, "--host="+p.listen)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("spanlite %s: %w: %s", strings.Join(args, " "), err, errs.String())
	}
	return out.String(), nil
}

// table runs an admin verb that prints a table.
func (c *cluster) table(p *process, args ...string) ([]map[string]string, error) {
	out, err := c.admin(p, append(args, "--format=json")...)
	if err != nil {
		return nil, err
	}
	var rows []map[string]string
	return rows, json.Unmarshal([]byte(out), &rows)
}

// awaitReplicas waits until every range has its replicas on exactly these nodes
// (as many as n), and none is a learner.
func (c *cluster) awaitReplicas(p *process, n int, not string, limit time.Duration) time.Duration {
	c.t.Helper()
	began := time.Now()
	c.eventually(limit, "replicas", func() error {
		rows, err := c.table(p, "range", "list")
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return fmt.Errorf("no ranges")
		}
		for _, r := range rows {
			on := strings.Split(r["replicas"], ",")
			if len(on) != n || r["learners"] != "" || r["leaseholder"] == "" || r["error"] != "" {
				return fmt.Errorf("%v", r)
			}
			for _, node := range on {
				if node == not {
					return fmt.Errorf("%v", r)
				}
			}
		}
		return nil
	})
	return time.Since(began)
}

// leaseholder returns the node that leads the range which begins at the key.
func (c *cluster) leaseholder(from string) (leads *process) {
	c.eventually(20*time.Second, "leaseholder of "+from, func() error {
		ranges, err := c.table(c.nodes[0], "range", "list")
		if err != nil {
			return err
		}
		nodes, err := c.table(c.nodes[0], "node", "status")
		if err != nil {
			return err
		}
		for _, r := range ranges {
			for _, n := range nodes {
				for _, p := range c.nodes {
					if r["from"] == from && r["leaseholder"] == n["node"] && n["address"] == p.listen {
						leads = p
						return nil
					}
				}
			}
		}
		return fmt.Errorf("none")
	})
	return leads
}

// id returns the node's id as the cluster names it ("n1"): the order in which
// nodes join is not the order in which they were started.
func (p *process) id() string {
	var id string
	p.c.eventually(20*time.Second, "node id", func() error {
		for _, via := range p.c.nodes {
			if via.cmd == nil || !via.running() {
				continue
			}
			rows, err := p.c.table(via, "node", "status")
			if err != nil {
				return err
			}
			for _, r := range rows {
				if r["address"] == p.listen {
					id = r["node"]
					return nil
				}
			}
		}
		return fmt.Errorf("not listed")
	})
	return id
}

// eventually polls, because what it waits for happens in other processes.
func (c *cluster) eventually(limit time.Duration, what string, f func() error) {
	c.t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%s: not within %s: %v", what, limit, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func tail(b []byte, n int) []byte {
	if len(b) > n {
		return b[len(b)-n:]
	}
	return b
}
