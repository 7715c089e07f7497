package locktable

// The scenarios in testdata drive a Table without goroutines: acquire queues, and
// the output after each verb shows who has been granted what, so that order and
// fairness are visible. The other tests cover waits, cycles and probes.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

func testTxn(n int) *kv.TxnMeta {
	return &kv.TxnMeta{ID: kv.TxnID{0: byte(n >> 8), 1: byte(n)}, StartTS: hlc.Timestamp(n), Anchor: keys.Key("anchor")}
}

func txnName(id kv.TxnID) string { return "t" + strconv.Itoa(int(id[0])<<8+int(id[1])) }

var strengths = map[string]kv.LockStrength{"none": kv.LockNone, "ks": kv.LockKeyShare, "s": kv.LockShare, "nku": kv.LockNoKeyUpdate, "u": kv.LockUpdate}

func strengthName(s kv.LockStrength) string {
	for n, v := range strengths {
		if v == s {
			return n
		}
	}
	return "?"
}

// describe prints holders and queues, by key.
func describe(t *Table) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []*keyState
	for _, k := range t.mu.keys {
		for ; k != nil; k = k.next {
			all = append(all, k)
		}
	}
	slices.SortFunc(all, func(a, b *keyState) int { return bytes.Compare(a.key, b.key) })
	var out strings.Builder
	for _, k := range all {
		fmt.Fprintf(&out, "%s:", k.key)
		for _, h := range k.holders {
			fmt.Fprintf(&out, " %s=%s", txnName(h.txn.meta.ID), strengthName(h.strength))
			if h.intent {
				out.WriteString("(intent)")
			}
		}
		if len(k.queue) > 0 {
			out.WriteString(" |")
		}
		for _, w := range k.queue {
			fmt.Fprintf(&out, " %s=%s", txnName(w.id), strengthName(w.strength))
			if w.upgrade {
				out.WriteString("(upgrade)")
			}
		}
		out.WriteByte('\n')
	}
	if out.Len() == 0 {
		return "empty\n"
	}
	return out.String()
}

// check asserts the table's invariants.
func check(t testing.TB, tab *Table) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	locks := 0
	for _, k := range tab.mu.keys {
		for ; k != nil; k = k.next {
			require.True(t, len(k.holders)+len(k.queue) > 0, "a state without use")
			locks += len(k.holders)
			for i := range k.holders {
				h := &k.holders[i]
				require.Same(t, k, h.txn.held[h.heldIdx])
				for j := range k.holders[:i] {
					require.False(t, h.strength.Conflicts(k.holders[j].strength) && !h.intent && !k.holders[j].intent,
						"conflicting holders on %s", k.key)
				}
			}
			for i, w := range k.queue {
				require.False(t, w.done)
				require.True(t, k.blocked(w.id, w.strength, w.upgrade, i), "%s could be granted", txnName(w.id))
			}
		}
	}
	require.Equal(t, locks, tab.mu.locks)
	for id, x := range tab.mu.txns {
		require.Equal(t, id, x.meta.ID)
		require.True(t, len(x.held) > 0 || x.waiting > 0)
	}
}

func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		tab := New(NewGraph(GraphConfig{}), 0)
		waiters := map[string]*Waiter{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var n, seq int
			var k, s string
			d.MaybeScanArgs(t, "txn", &n)
			d.MaybeScanArgs(t, "key", &k)
			d.MaybeScanArgs(t, "seq", &seq)
			d.MaybeScanArgs(t, "strength", &s)
			var result string
			switch d.Cmd {
			case "acquire":
				policy := kv.WaitBlock
				if d.HasArg("nowait") {
					policy = kv.WaitError
				}
				w := new(Waiter)
				ok, err := tab.Acquire(w, keys.Key(k), testTxn(n), strengths[s], uint32(seq), policy)
				switch {
				case err != nil:
					var busy *kv.LockNotAvailableError
					require.ErrorAs(t, err, &busy)
					result = "not available: " + txnName(busy.Conflict.Holder.ID) + "\n"
				case ok:
					result = "granted\n"
				default:
					waiters[fmt.Sprintf("%d/%s", n, k)] = w
					result = "queued\n"
				}
			case "watch":
				w := new(Waiter)
				ok, err := tab.Watch(w, keys.Key(k), testTxn(n))
				require.NoError(t, err)
				result = fmt.Sprintf("queued=%t\n", ok)
				if ok {
					waiters[fmt.Sprintf("%d/%s", n, k)] = w
				}
			case "intent":
				tab.AddDiscovered(keys.Key(k), testTxn(n))
			case "release":
				switch {
				case k == "":
					tab.ReleaseTxn(testTxn(n).ID)
				case seq > 0:
					tab.ReleaseSpan(testTxn(n).ID, keys.Span{Start: keys.Key(k), End: keys.Key("~")}, uint32(seq))
				default:
					tab.ReleaseKey(testTxn(n).ID, keys.Key(k))
				}
			case "cancel":
				waiters[fmt.Sprintf("%d/%s", n, k)].Cancel()
				delete(waiters, fmt.Sprintf("%d/%s", n, k))
			case "drop":
				tab.DropSpan(keys.Span{Start: keys.Key(k), End: keys.Key("~")}, errors.New("moved"))
			case "move":
				locks := tab.Export(keys.Span{Start: keys.Key(k), End: keys.Key("~")})
				tab.Clear(errors.New("over"))
				tab.Open()
				tab.Import(locks)
			default:
				t.Fatalf("unknown verb %s", d.Cmd)
			}
			for _, name := range sortedKeys(waiters) {
				if w := waiters[name]; w.done {
					n, key, _ := strings.Cut(name, "/")
					if w.err == nil {
						result += fmt.Sprintf("-> t%s has %s\n", n, key)
					} else {
						result += fmt.Sprintf("-> t%s fails on %s: %v\n", n, key, w.err)
					}
					delete(waiters, name)
				}
			}
			check(t, tab)
			return result + describe(tab)
		})
	})
}

func sortedKeys(m map[string]*Waiter) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// Random operations keep the invariants, and everything is granted in the end.
func TestRandom(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 7))
		tab := New(NewGraph(GraphConfig{}), 0)
		waiting := map[int]*Waiter{}
		for range 2000 {
			n := rng.IntN(8)
			k := keys.Key{byte('a' + rng.IntN(4))}
			switch op := rng.IntN(10); {
			case op < 6:
				if w := waiting[n]; w != nil {
					if !w.done {
						continue
					}
					delete(waiting, n)
				}
				w := new(Waiter)
				ok, err := tab.Acquire(w, k, testTxn(n), kv.LockStrength(1+rng.IntN(4)), uint32(1+rng.IntN(5)), kv.WaitBlock)
				require.NoError(t, err)
				if !ok {
					waiting[n] = w
				}
			case op < 7:
				if w := waiting[n]; w != nil {
					w.Cancel()
					delete(waiting, n)
				}
				tab.ReleaseTxn(testTxn(n).ID)
			case op < 8:
				tab.ReleaseSpan(testTxn(n).ID, keys.Span{Start: keys.Key("a"), End: keys.Key("c")}, uint32(rng.IntN(6)))
			case op < 9:
				tab.ReleaseKey(testTxn(n).ID, k)
			default:
				tab.AddDiscovered(k, testTxn(n))
			}
			check(t, tab)
		}
		for n := range 8 {
			if w := waiting[n]; w != nil {
				w.Cancel()
			}
		}
		for n := range 8 {
			tab.ReleaseTxn(testTxn(n).ID)
			check(t, tab)
		}
		require.Equal(t, "empty\n", describe(tab))
		require.Zero(t, tab.Len())
	}
}

func TestTableFull(t *testing.T) {
	tab := New(NewGraph(GraphConfig{}), 2)
	var w Waiter
	for _, k := range []string{"a", "b"} {
		ok, err := tab.Acquire(&w, keys.Key(k), testTxn(1), kv.LockUpdate, 1, kv.WaitBlock)
		require.NoError(t, err)
		require.True(t, ok)
	}
	_, err := tab.Acquire(&w, keys.Key("c"), testTxn(1), kv.LockUpdate, 1, kv.WaitBlock)
	var full *kv.TooLargeError
	require.ErrorAs(t, err, &full)
}

func mustQueue(t *testing.T, tab *Table, n int, k string, s kv.LockStrength) *Waiter {
	w := new(Waiter)
	ok, err := tab.Acquire(w, keys.Key(k), testTxn(n), s, 1, kv.WaitBlock)
	require.NoError(t, err)
	require.False(t, ok)
	return w
}

func mustHold(t *testing.T, tab *Table, n int, k string, s kv.LockStrength) {
	ok, err := tab.Acquire(new(Waiter), keys.Key(k), testTxn(n), s, 1, kv.WaitBlock)
	require.NoError(t, err)
	require.True(t, ok)
}

func TestWaitTimeoutAndPush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tab := New(NewGraph(GraphConfig{}), 0)
		mustHold(t, tab, 1, "a", kv.LockUpdate)
		w := mustQueue(t, tab, 2, "a", kv.LockShare)
		var pushes []time.Duration
		start := time.Now()
		err := w.Wait(t.Context(), WaitOptions{LockTimeout: time.Second, PushAfter: 20 * time.Millisecond, PushMax: 200 * time.Millisecond,
			Push: func(_ context.Context, b Blocker) error {
				require.Equal(t, "t1", txnName(b.Txn.ID))
				pushes = append(pushes, time.Since(start))
				return nil
			}})
		var busy *kv.LockNotAvailableError
		require.ErrorAs(t, err, &busy)
		require.True(t, busy.TimedOut)
		require.Equal(t, time.Second, time.Since(start))
		require.Equal(t, []time.Duration{20e6, 60e6, 140e6, 300e6, 500e6, 700e6, 900e6}, pushes)
		check(t, tab)

		ctx, cancel := context.WithCancel(t.Context())
		w = mustQueue(t, tab, 2, "a", kv.LockShare)
		done := make(chan error, 1)
		go func() { done <- w.Wait(ctx, WaitOptions{}) }()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		require.Equal(t, "a: t1=u\n", describe(tab))
	})
}

// The youngest on a cycle is the victim, whoever closes it, over tables too.
func TestLocalDeadlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGraph(GraphConfig{Node: 1})
		a, b := New(g, 0), New(g, 0)
		mustHold(t, a, 1, "x", kv.LockUpdate)
		mustHold(t, a, 3, "y", kv.LockShare)
		mustHold(t, b, 2, "z", kv.LockNoKeyUpdate)
		errs := make([]chan error, 4)
		wait := func(n int, tab *Table, k string) {
			w := mustQueue(t, tab, n, k, kv.LockUpdate)
			done := make(chan error, 1)
			errs[n] = done
			go func() { done <- w.Wait(t.Context(), WaitOptions{}) }()
			synctest.Wait()
		}
		wait(3, a, "x") // 3 -> 1
		wait(2, a, "y") // 2 -> 3
		wait(1, b, "z") // 1 -> 2: closes it
		err := <-errs[3]
		var dead *kv.DeadlockError
		require.ErrorAs(t, err, &dead)
		require.Len(t, dead.Path, 3)
		a.ReleaseTxn(testTxn(3).ID)
		require.NoError(t, <-errs[2])
		b.ReleaseTxn(testTxn(2).ID)
		a.ReleaseTxn(testTxn(2).ID)
		require.NoError(t, <-errs[1])
	})
}

// Two shared holders that both upgrade deadlock; the younger one gives way.
func TestUpgradeDeadlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tab := New(NewGraph(GraphConfig{}), 0)
		mustHold(t, tab, 1, "a", kv.LockShare)
		mustHold(t, tab, 2, "a", kv.LockShare)
		w1, w2 := mustQueue(t, tab, 1, "a", kv.LockUpdate), mustQueue(t, tab, 2, "a", kv.LockUpdate)
		done := make(chan error, 2)
		go func() { done <- w1.Wait(t.Context(), WaitOptions{}) }()
		synctest.Wait()
		var dead *kv.DeadlockError
		require.ErrorAs(t, w2.Wait(t.Context(), WaitOptions{}), &dead)
		tab.ReleaseTxn(testTxn(2).ID)
		require.NoError(t, <-done)
	})
}

// network connects the graphs of several processes, all of which may have a
// transaction's waits.
type network struct {
	graphs map[keys.NodeID]*Graph
}

func (n *network) Probe(ctx context.Context, target *kv.TxnMeta, p *Probe) error {
	for _, g := range n.graphs {
		g.HandleProbe(ctx, target.ID, p)
	}
	return nil
}

func (n *network) Victim(_ context.Context, node keys.NodeID, v *Victim) error {
	n.graphs[node].HandleVictim(v)
	return nil
}

// A cycle over three processes is found by probes within a second.
func TestDistributedDeadlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{graphs: map[keys.NodeID]*Graph{}}
		tabs := map[keys.NodeID]*Table{}
		for n := keys.NodeID(1); n <= 3; n++ {
			net.graphs[n] = NewGraph(GraphConfig{Node: n, Prober: net})
			tabs[n] = New(net.graphs[n], 0)
			mustHold(t, tabs[n], int(n), "k", kv.LockUpdate)
		}
		start := time.Now()
		errs := map[int]chan error{}
		for i := 1; i <= 3; i++ {
			on := keys.NodeID(i%3 + 1)
			w := mustQueue(t, tabs[on], i, "k", kv.LockUpdate)
			done := make(chan error, 1)
			errs[i] = done
			go func() { done <- w.Wait(t.Context(), WaitOptions{}) }()
		}
		var dead *kv.DeadlockError
		require.ErrorAs(t, <-errs[3], &dead)
		require.Len(t, dead.Path, 3)
		require.Less(t, time.Since(start), time.Second)
		tabs[3].ReleaseTxn(testTxn(3).ID)
		require.NoError(t, <-errs[2])
		tabs[2].ReleaseTxn(testTxn(2).ID)
		require.NoError(t, <-errs[1])
		// A chain that is no cycle is left alone.
		w := mustQueue(t, tabs[1], 2, "k", kv.LockUpdate)
		require.ErrorIs(t, waitAtMost(t, w, 3*time.Second), context.DeadlineExceeded)
	})
}

// A probe from the end of a long queue finds the holder once, however many ways lead
// there through the waiters in between.
func TestProbeThroughLongQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		count := &probeCounter{}
		g := NewGraph(GraphConfig{Node: 1, Prober: count})
		tab := New(g, 0)
		mustHold(t, tab, 1, "a", kv.LockUpdate)
		const n = 200
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, n)
		var last *Waiter
		for i := range n {
			last = mustQueue(t, tab, i+2, "a", kv.LockUpdate)
			w := last
			go func() { done <- w.Wait(ctx, WaitOptions{}) }()
			synctest.Wait()
		}
		g.probe(ctx, last)
		require.Equal(t, []kv.TxnID{testTxn(1).ID}, count.targets)
		require.Len(t, count.paths[0], 1)
		cancel()
		for range n {
			require.ErrorIs(t, <-done, context.Canceled)
		}
	})
}

// probeCounter notes what is sent.
type probeCounter struct {
	targets []kv.TxnID
	paths   [][]Edge
}

func (c *probeCounter) Probe(_ context.Context, target *kv.TxnMeta, p *Probe) error {
	c.targets, c.paths = append(c.targets, target.ID), append(c.paths, p.Path)
	return nil
}

func (c *probeCounter) Victim(context.Context, keys.NodeID, *Victim) error { return nil }

// A probe about a wait that has ended does nothing.
func TestStaleVictim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGraph(GraphConfig{Node: 1})
		tab := New(g, 0)
		mustHold(t, tab, 1, "a", kv.LockUpdate)
		w := mustQueue(t, tab, 2, "a", kv.LockUpdate)
		done := make(chan error, 1)
		go func() { done <- w.Wait(t.Context(), WaitOptions{}) }()
		synctest.Wait()
		e := Edge{Waiter: testTxn(2).ID, Node: 1, WaitSeq: w.waitSeq - 1}
		g.HandleVictim(&Victim{Edge: e, Path: []Edge{e}})
		synctest.Wait()
		require.Empty(t, done)
		e.WaitSeq++
		g.HandleVictim(&Victim{Edge: e, Path: []Edge{e}})
		var dead *kv.DeadlockError
		require.ErrorAs(t, <-done, &dead)
	})
}

func waitAtMost(t *testing.T, w *Waiter, d time.Duration) error {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	return w.Wait(ctx, WaitOptions{})
}

func BenchmarkAcquireRelease(b *testing.B) {
	tab := New(NewGraph(GraphConfig{}), 0)
	var w Waiter
	txn := testTxn(1)
	ks := make([]keys.Key, 4)
	for i := range ks {
		ks[i] = fmt.Appendf(nil, "table/12/row/%08d", i)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, k := range ks {
			if ok, err := tab.Acquire(&w, k, txn, kv.LockUpdate, 1, kv.WaitBlock); !ok || err != nil {
				b.Fatal(err)
			}
		}
		tab.ReleaseTxn(txn.ID)
	}
}

// Intents that are durable make room for other locks, unless somebody waits.
func TestSupersede(t *testing.T) {
	table := New(NewGraph(GraphConfig{}), 16)
	one, two := testTxn(1), testTxn(2)
	for i := range 16 {
		ok, err := table.Acquire(nil, keys.Key{'k', byte(i)}, one, kv.LockUpdate, 1, kv.WaitBlock)
		require.True(t, ok)
		require.NoError(t, err)
	}
	_, err := table.Acquire(nil, keys.Key("more"), one, kv.LockUpdate, 1, kv.WaitBlock)
	require.EqualError(t, err, "lock table of 16 locks exceeds the limit of 16")
	var w Waiter
	ok, err := table.Acquire(&w, keys.Key{'k', 3}, two, kv.LockUpdate, 1, kv.WaitBlock)
	require.False(t, ok)
	require.NoError(t, err)
	for i := range 16 {
		table.Supersede(one.ID, keys.Key{'k', byte(i)})
	}
	require.Equal(t, 1, table.Len(), "only the one that is waited for")
	table.ReleaseTxn(one.ID)
	require.NoError(t, w.Wait(t.Context(), WaitOptions{}))
	table.ReleaseTxn(two.ID)
	require.Zero(t, table.Len())
}
