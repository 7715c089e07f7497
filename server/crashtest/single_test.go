package crashtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// TestCrashSingleNode kills a lone durable node in the middle of the load.
func TestCrashSingleNode(t *testing.T) {
	c := newCluster(t, 1)
	p := c.nodes[0]
	schema(t, c)
	l := startLoad(c, 8, 2)
	defer l.stop()
	for round := range rounds(t) {
		time.Sleep(time.Second + time.Duration(rand.IntN(500))*time.Millisecond)
		p.kill()
		l.arm()
		p.start()
		back := p.awaitSQL(10 * time.Second)
		first, _ := l.awaitAll(10 * time.Second)
		l.stop()
		rows := l.check(t, p)
		ok, open, _ := l.counts()
		t.Logf("round %d: answers SQL %s after the restart, a write after %s; %d rows, %d acknowledged, %d ambiguous", round, back, first, rows, ok, open)
		l.resume(2)
	}
}

// TestCrashTornLog cuts bytes off the newest file of the log, as a crash of the
// machine with a lying disk would: the node comes up with a prefix of the history,
// or says which file it does not trust.
func TestCrashTornLog(t *testing.T) {
	c := newCluster(t, 1)
	p := c.nodes[0]
	schema(t, c)
	for _, cut := range []int64{1, 7, 100, 5000} {
		l := startLoad(c, 4, 2)
		time.Sleep(500 * time.Millisecond)
		p.kill()
		l.stop()
		logs, err := filepath.Glob(filepath.Join(p.store, "log", "*.log"))
		require.NoError(t, err)
		require.NotEmpty(t, logs)
		slices.Sort(logs)
		newest := logs[len(logs)-1]
		info, err := os.Stat(newest)
		require.NoError(t, err)
		require.NoError(t, os.Truncate(newest, max(0, info.Size()-cut)))
		p.start()
		if refused := p.refusal(10 * time.Second); refused != "" {
			require.Contains(t, refused, filepath.Base(newest))
			t.Logf("%d bytes cut off: refused to start: %s", cut, refused)
			return
		}
		table, err := contents(p, "SELECT worker, seq FROM rows WHERE note <> ''")
		require.NoError(t, err)
		var sum int64
		require.NoError(t, p.query("SELECT sum(balance)::int8 FROM accounts", &sum))
		require.EqualValues(t, accounts*balance, sum, "half of a transfer is lost")
		index := map[[2]int]int{}
		for w := range 4 {
			part, err := contents(p, fmt.Sprintf("SELECT worker, seq FROM rows WHERE worker = %d", w))
			require.NoError(t, err)
			for k, n := range part {
				index[k] += n
			}
		}
		require.Equal(t, table, index, "table and index")
		// A worker writes one row after the other: what is lost is a tail.
		for _, w := range l.workers {
			lost := -1
			for seq, f := range w.fates {
				switch n := table[[2]int{w.id, seq}]; {
				case n > 1 || n == 1 && f == refused:
					t.Errorf("row (%d, %d) is there %d times", w.id, seq, n)
				case n == 0 && f == acked:
					lost = seq
				case n == 1 && lost >= 0:
					t.Errorf("row (%d, %d) is there, but (%d, %d), acknowledged before, is not", w.id, seq, w.id, lost)
				}
			}
		}
		t.Logf("%d bytes cut off: came up with %d rows", cut, len(table))
		require.NoError(t, p.query("WITH gone AS (DELETE FROM rows RETURNING id) SELECT count(*) FROM gone", &sum))
	}
}

// TestCrashFlippedByte damages one byte of a table file of the state engine: the
// node refuses to start, or a query that meets it fails, naming the file, or the
// answer is right all the same; it is never wrong.
func TestCrashFlippedByte(t *testing.T) {
	c := newCluster(t, 1)
	p := c.nodes[0]
	schema(t, c)
	l := startLoad(c, 8, 0)
	time.Sleep(time.Second)
	l.stop()
	want, err := contents(p, "SELECT worker, seq FROM rows WHERE note <> ''")
	require.NoError(t, err)
	require.NotEmpty(t, want)
	// A clean stop flushes.
	p.terminate()
	files, err := filepath.Glob(filepath.Join(p.store, "state", "*.sst"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	slices.SortFunc(files, func(a, b string) int { return int(size(t, b) - size(t, a)) })
	whole, err := os.ReadFile(files[0])
	require.NoError(t, err)
	for _, at := range []int{10, len(whole) / 3, len(whole) / 2, len(whole) - 60} {
		damaged := slices.Clone(whole)
		damaged[at] ^= 0x40
		require.NoError(t, os.WriteFile(files[0], damaged, 0o644))
		p.start()
		what := "right answer"
		if refused := p.refusal(10 * time.Second); refused != "" {
			require.Contains(t, refused, ".sst")
			what = "refused to start: " + refused
		} else {
			for _, q := range []string{"SELECT worker, seq FROM rows WHERE note <> ''", "SELECT worker, seq FROM rows WHERE worker >= 0"} {
				got, err := contents(p, q)
				if err != nil {
					said := err.Error()
					if !strings.Contains(said, ".sst") {
						// The node has stopped itself over it.
						said = p.lastWords(5 * time.Second)
						require.Contains(t, said, ".sst", "%v, and no word about the file", err)
					}
					what = "query refused: " + said
					break
				}
				require.Equal(t, want, got, "wrong data from a damaged file")
			}
		}
		t.Logf("byte %d of %d of %s: %s", at, len(whole), filepath.Base(files[0]), what)
		p.kill()
		require.NoError(t, os.WriteFile(files[0], whole, 0o644))
	}
	p.start()
	p.awaitSQL(10 * time.Second)
	got, err := contents(p, "SELECT worker, seq FROM rows WHERE note <> ''")
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// contents returns how often each (worker, seq) is in the result.
func contents(p *process, sql string) (map[[2]int]int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.url())
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	out := map[[2]int]int{}
	var k [2]int
	_, err = pgx.ForEachRow(rows, []any{&k[0], &k[1]}, func() error {
		out[k]++
		return nil
	})
	return out, err
}

func (p *process) query(sql string, into ...any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.url())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return conn.QueryRow(ctx, sql).Scan(into...)
}

// refusal waits until the node answers SQL and returns "", or until it has ended
// by itself and returns what it said last.
func (p *process) refusal(limit time.Duration) string {
	from := size(p.c.t, p.log)
	said := ""
	p.c.eventually(limit, "start or refusal", func() error {
		if !p.running() {
			out, err := os.ReadFile(p.log)
			require.NoError(p.c.t, err)
			said = strings.TrimSpace(string(out[min(from, int64(len(out))):]))
			if said == "" {
				said = string(tail(out, 300))
			}
			return nil
		}
		var one int
		return p.query("SELECT 1", &one)
	})
	return said
}

// lastWords waits until the node has ended by itself and returns the end of its
// log.
func (p *process) lastWords(limit time.Duration) string {
	select {
	case <-p.exited:
	case <-time.After(limit):
		p.c.t.Fatalf("n%d goes on", p.i)
	}
	out, err := os.ReadFile(p.log)
	require.NoError(p.c.t, err)
	return strings.TrimSpace(string(tail(out, 300)))
}

// terminate is SIGTERM, and waits for the end.
func (p *process) terminate() {
	require.NoError(p.c.t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.exited:
	case <-time.After(20 * time.Second):
		p.quit()
		p.c.t.Fatalf("n%d does not end on SIGTERM", p.i)
	}
}

func size(t *testing.T, path string) int64 {
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size()
}
