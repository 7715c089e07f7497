package latch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv/keys"
)

func point(k string, write bool) Latch { return Latch{keys.Span{Start: keys.Key(k)}, write} }
func span(a, b string, write bool) Latch {
	return Latch{keys.Span{Start: keys.Key(a), End: keys.Key(b)}, write}
}

// Which pairs of latches exclude each other.
func TestConflicts(t *testing.T) {
	for _, tc := range []struct {
		a, b     Latch
		conflict bool
	}{
		{point("a", false), point("a", false), false},
		{point("a", true), point("a", false), true},
		{point("a", false), point("a", true), true},
		{point("a", true), point("a", true), true},
		{point("a", true), point("b", true), false},
		{point("b", false), span("a", "c", true), true},
		{point("c", true), span("a", "c", true), false},
		{point("b", false), span("a", "c", false), false},
		{span("a", "c", false), point("b", true), true},
		{span("a", "c", true), span("b", "d", false), true},
		{span("a", "c", true), span("c", "d", true), false},
		{span("a", "c", false), span("b", "d", false), false},
	} {
		var m Manager
		g, err := m.Acquire(context.Background(), []Latch{tc.a})
		require.NoError(t, err)
		h, ok := m.TryAcquire([]Latch{tc.b})
		require.Equal(t, !tc.conflict, ok, "%+v %+v", tc.a, tc.b)
		if ok {
			m.Release(h)
		}
		m.Release(g)
		h, ok = m.TryAcquire([]Latch{tc.b})
		require.True(t, ok)
		m.Release(h)
	}
}

// Requests on a key are served in order of arrival: a later reader does not
// overtake a waiting writer, and readers between writers run together.
func TestFIFO(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Manager
		var order []string
		var mu sync.Mutex
		holder, err := m.Acquire(t.Context(), []Latch{point("k", true)})
		require.NoError(t, err)
		release := map[string]chan struct{}{}
		start := func(name string, l Latch) {
			ch := make(chan struct{})
			release[name] = ch
			go func() {
				g, err := m.Acquire(t.Context(), []Latch{l})
				require.NoError(t, err)
				require.True(t, g.Waited)
				mu.Lock()
				order = append(order, name)
				mu.Unlock()
				<-ch
				m.Release(g)
			}()
			synctest.Wait()
		}
		start("r1", point("k", false))
		start("r2", span("a", "z", false))
		start("w1", point("k", true))
		start("r3", point("k", false))
		start("w2", span("j", "l", true))
		require.Empty(t, order)
		m.Release(holder)
		synctest.Wait()
		require.ElementsMatch(t, []string{"r1", "r2"}, order)
		close(release["r1"])
		synctest.Wait()
		require.Len(t, order, 2)
		close(release["r2"])
		synctest.Wait()
		require.Equal(t, "w1", order[2])
		close(release["w1"])
		synctest.Wait()
		require.Equal(t, "r3", order[3])
		close(release["r3"])
		synctest.Wait()
		require.Equal(t, "w2", order[4])
		close(release["w2"])
		synctest.Wait()
		require.Zero(t, m.Waiting())
	})
}

// A waiter that gives up does not let those behind it overtake those before it.
func TestAbandonedWaiterKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Manager
		holder, err := m.Acquire(t.Context(), []Latch{point("k", true)})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		key := []byte("k")
		errs := make(chan error, 1)
		go func() {
			_, err := m.Acquire(ctx, []Latch{{keys.Span{Start: key}, true}})
			errs <- err
		}()
		synctest.Wait()
		got := make(chan *Guard, 1)
		go func() {
			g, err := m.Acquire(t.Context(), []Latch{point("k", true)})
			require.NoError(t, err)
			got <- g
		}()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-errs, context.Canceled)
		key[0] = 'x' // the caller's memory is its own again
		synctest.Wait()
		require.Empty(t, got)
		_, ok := m.TryAcquire([]Latch{span("a", "z", false)})
		require.False(t, ok)
		m.Release(holder)
		m.Release(<-got)
		require.Zero(t, m.Waiting())
		require.Zero(t, m.mu.points)
	})
}

// Many goroutines with random latches: whoever holds a write latch on a cell is
// alone there.
func TestExclusion(t *testing.T) {
	var m Manager
	const cells = 16
	var readers, writers [cells]atomic.Int32
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 3))
			for range 2000 {
				var ls []Latch
				var rs, ws []int
				for range 1 + rng.IntN(3) {
					a, write := rng.IntN(cells), rng.IntN(2) == 0
					b := a
					if rng.IntN(3) == 0 {
						b = min(cells-1, a+rng.IntN(4))
						ls = append(ls, span(fmt.Sprintf("%02d", a), fmt.Sprintf("%02d", b+1), write))
					} else {
						ls = append(ls, point(fmt.Sprintf("%02d", a), write))
					}
					for c := a; c <= b; c++ {
						if write {
							ws = append(ws, c)
						} else {
							rs = append(rs, c)
						}
					}
				}
				ctx, cancel := context.WithCancel(t.Context())
				if rng.IntN(10) == 0 {
					cancel()
				}
				g, err := m.Acquire(ctx, ls)
				if err != nil {
					cancel()
					continue
				}
				id := int32(w + 1)
				for _, c := range ws {
					if old := writers[c].Swap(id); old != 0 && old != id {
						t.Errorf("two writers in cell %d", c)
					}
				}
				for _, c := range rs {
					readers[c].Add(1)
					if old := writers[c].Load(); old != 0 && old != id {
						t.Errorf("reader beside a writer in cell %d", c)
					}
				}
				for _, c := range rs {
					readers[c].Add(-1)
				}
				for _, c := range ws {
					writers[c].Store(0)
				}
				m.Release(g)
				cancel()
			}
		})
	}
	wg.Wait()
	require.Zero(t, m.Waiting())
	require.Zero(t, m.mu.points)
	require.Nil(t, m.mu.spans.head)
}

func TestPointsAllocateNothing(t *testing.T) {
	var m Manager
	ls := []Latch{point("a", false), point("b", true)}
	ctx := context.Background()
	allocs := testing.AllocsPerRun(1000, func() {
		g, _ := m.Acquire(ctx, ls)
		m.Release(g)
	})
	require.Zero(t, allocs)
}

func BenchmarkAcquire(b *testing.B) {
	for _, held := range []int{0, 1000} {
		b.Run(fmt.Sprintf("point/held=%d", held), func(b *testing.B) {
			var m Manager
			ctx := context.Background()
			for i := range held {
				_, _ = m.Acquire(ctx, []Latch{point(fmt.Sprint(i), true)})
			}
			ls := []Latch{point("the key of a row", true)}
			b.ReportAllocs()
			for b.Loop() {
				g, _ := m.Acquire(ctx, ls)
				m.Release(g)
			}
		})
	}
}
