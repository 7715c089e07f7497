package storeliveness

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// These tests run stores on simulated clocks over a scripted network: time and
// messages move only when the test says so.

const duration = time.Second

type message struct {
	from, to keys.StoreID
	at       hlc.Timestamp // the sender's clock, which the receiver's follows
	m        Message
}

type simStore struct {
	w       *world
	id      keys.StoreID
	skew    int64
	clock   *hlc.Clock
	m       *Manager
	durable []byte
	// withdrawn counts calls of Withdrawn per store and epoch.
	withdrawn    map[string]int
	lost, gained int
}

type world struct {
	now    int64 // microseconds
	stores map[keys.StoreID]*simStore
	queue  []message
	cut    map[[2]keys.StoreID]bool
}

func newWorld(n int) *world {
	w := &world{now: 1e12, stores: map[keys.StoreID]*simStore{}, cut: map[[2]keys.StoreID]bool{}}
	for i := range n {
		s := &simStore{w: w, id: keys.StoreID(i + 1), withdrawn: map[string]int{}}
		s.clock = hlc.NewClock(func() int64 { return w.now + s.skew }, 0)
		w.stores[s.id] = s
	}
	return w
}

func (w *world) start(t testing.TB, id keys.StoreID, d time.Duration) *Manager {
	s := w.stores[id]
	m, err := New(Config{
		Store: id, Clock: s.clock, Duration: d,
		Send: func(to keys.StoreID, m *Message) {
			w.queue = append(w.queue, message{id, to, s.clock.Now(), *m})
		},
		Persist: func(b []byte) error { s.durable = slices.Clone(b); return nil },
		Withdrawn: func(store keys.StoreID, epoch uint64) {
			s.withdrawn[fmt.Sprint(store, "@", epoch)]++
		},
		Lost:   func(keys.StoreID) { s.lost++ },
		Gained: func(keys.StoreID) { s.gained++ },
	}, s.durable)
	require.NoError(t, err)
	for o := range w.stores {
		if o != id {
			m.Peer(o)
		}
	}
	s.m = m
	return m
}

// deliver hands out all messages, and those that they bring about.
func (w *world) deliver() {
	for len(w.queue) > 0 {
		m := w.queue[0]
		w.queue = w.queue[1:]
		if w.cut[[2]keys.StoreID{m.from, m.to}] || w.stores[m.to].m == nil {
			continue
		}
		s := w.stores[m.to]
		s.clock.Update(m.at)
		var in Message
		if in.Decode(m.m.AppendTo(nil)) == nil {
			s.m.Receive(m.from, &in)
		}
	}
}

// run lets time pass in steps of a fifth of the duration.
func (w *world) run(d time.Duration) {
	const step = duration / 5
	for ; d > 0; d -= step {
		w.now += step.Microseconds()
		for i := range len(w.stores) {
			if s := w.stores[keys.StoreID(i+1)]; s.m != nil {
				s.m.Tick()
			}
		}
		w.deliver()
	}
}

// supported returns whether a holds the support of b at this moment.
func (w *world) supported(a, b keys.StoreID) bool { return w.stores[a].m.Alive(b) }

func TestSupportIsMutualAndRenewed(t *testing.T) {
	w := newWorld(2)
	w.start(t, 1, duration)
	w.start(t, 2, duration)
	for range 20 {
		w.run(duration)
		require.True(t, w.supported(1, 2))
		require.True(t, w.supported(2, 1))
	}
	require.Equal(t, 1, w.stores[1].gained)
	require.Zero(t, w.stores[1].lost)
	require.Empty(t, w.stores[1].withdrawn)
}

func TestSilenceEndsSupportAfterExpiry(t *testing.T) {
	w := newWorld(2)
	a := w.start(t, 1, duration)
	b := w.start(t, 2, duration)
	w.run(duration)
	epoch := a.EpochFor(2)
	_, until := a.SupportFrom(2)
	w.cut[[2]keys.StoreID{1, 2}] = true
	for b.Supports(1, epoch) {
		// No lease that rests on this promise is valid once it has been withdrawn.
		w.run(duration / 5)
	}
	require.Greater(t, w.stores[2].clock.Now(), until)
	require.Equal(t, 1, w.stores[2].withdrawn[fmt.Sprint(keys.StoreID(1), "@", epoch)])
	// It is never given again: the store moves to a later epoch.
	delete(w.cut, [2]keys.StoreID{1, 2})
	w.run(2 * duration)
	require.Greater(t, a.EpochFor(2), epoch)
	require.True(t, w.supported(1, 2))
	require.False(t, b.Supports(1, epoch))
}

func TestOneWayPartition(t *testing.T) {
	for _, dead := range [][2]keys.StoreID{{1, 2}, {2, 1}} {
		w := newWorld(2)
		a := w.start(t, 1, duration)
		b := w.start(t, 2, duration)
		w.run(duration)
		ea, eb := a.EpochFor(2), b.EpochFor(1)
		w.cut[dead] = true
		w.run(6 * duration)
		require.False(t, w.supported(1, 2), "%v", dead)
		require.False(t, w.supported(2, 1), "%v", dead)
		require.False(t, b.Supports(1, ea))
		require.False(t, a.Supports(2, eb))
	}
}

// TestRestartKeepsPromises: a store that comes back knows whom it supports, and
// that it may have promised as much as it ever does.
func TestRestartKeepsPromises(t *testing.T) {
	for _, next := range []time.Duration{duration, duration / 10} {
		w := newWorld(2)
		a := w.start(t, 1, duration)
		w.start(t, 2, duration)
		w.run(duration)
		epoch := a.EpochFor(2)
		_, until := a.SupportFrom(2)
		w.stores[1].m = nil // gone
		old := w.stores[2].m.EpochFor(1)
		b := w.start(t, 2, next)
		require.Greater(t, b.EpochFor(1), old)
		require.True(t, b.Supports(1, epoch))
		for b.Supports(1, epoch) {
			w.run(duration / 5)
		}
		require.Greater(t, w.stores[2].clock.Now(), until)
		// A withdrawal outlives a restart, too.
		b = w.start(t, 2, next)
		require.False(t, b.Supports(1, epoch))
	}
}

// TestGrantIsBounded: a promise is no longer than what a restart waits out, for
// whatever the other side asks.
func TestGrantIsBounded(t *testing.T) {
	w := newWorld(2)
	b := w.start(t, 2, duration)
	now := w.stores[2].clock.Now()
	b.Receive(1, &Message{Kind: Heartbeat, Epoch: 1, Until: now.Add(time.Hour), Stamp: now})
	require.Len(t, w.queue, 1)
	require.LessOrEqual(t, w.queue[0].m.Until, w.stores[2].clock.Now().Add(duration))
	require.NotZero(t, w.queue[0].m.Until)
}

// TestDurableBeforeEffect looks at the order of persistence and effect from inside
// Persist.
func TestDurableBeforeEffect(t *testing.T) {
	w := newWorld(2)
	b := w.start(t, 2, duration)
	heartbeat := func(epoch uint64) {
		now := w.stores[2].clock.Now()
		b.Receive(1, &Message{Kind: Heartbeat, Epoch: epoch, Until: now.Add(duration), Stamp: now, Echo: now})
	}
	persist := b.cfg.Persist
	var inside func()
	b.cfg.Persist = func(state []byte) error {
		if f := inside; f != nil {
			inside = nil
			f()
		}
		return persist(state)
	}
	inside = func() { require.Empty(t, w.queue, "granted before it was durable") }
	heartbeat(1)
	require.Nil(t, inside)
	require.Len(t, w.queue, 1)

	// While the withdrawal is being written the support stands, but is not renewed.
	w.now += 2 * duration.Microseconds()
	w.queue = nil
	inside = func() {
		require.True(t, b.Supports(1, 1), "withdrawn before it was durable")
		heartbeat(1)
		require.NotEmpty(t, w.queue)
		require.Zero(t, w.queue[len(w.queue)-1].m.Until, "granted while it was being withdrawn")
	}
	b.Tick()
	require.Nil(t, inside)
	require.False(t, b.Supports(1, 1))
}

// TestRaisedEpochEndsSupport: before a store hears of a later epoch, nothing rests
// on its support at the earlier one. That of others is not touched.
func TestRaisedEpochEndsSupport(t *testing.T) {
	w := newWorld(3)
	a := w.start(t, 1, duration)
	w.start(t, 2, duration)
	w.start(t, 3, duration)
	w.run(duration)
	epoch, other := a.EpochFor(3), a.EpochFor(2)
	p, untouched := a.Peer(3), a.Peer(2)
	require.NotZero(t, p.Until(epoch))
	persist := a.cfg.Persist
	a.cfg.Persist = func(b []byte) error {
		require.Zero(t, p.Until(epoch))
		require.Equal(t, epoch, a.EpochFor(3), "used before it was durable")
		return persist(b)
	}
	a.Receive(3, &Message{Kind: Grant, Epoch: epoch + 1})
	require.Equal(t, epoch+1, a.EpochFor(3))
	require.Equal(t, epoch+1, binary.LittleEndian.Uint64(w.stores[1].durable[1:]))
	require.Zero(t, p.Until(epoch))
	require.Equal(t, other, a.EpochFor(2))
	require.NotZero(t, untouched.Until(other))
	w.run(duration)
	require.True(t, w.supported(1, 3))
	require.Equal(t, 1, w.stores[1].lost, "leaders on the store are told")
	// After a restart every epoch is new to everyone.
	w.stores[1].m = nil
	a = w.start(t, 1, duration)
	require.Greater(t, a.EpochFor(2), epoch+1)
	require.Equal(t, a.EpochFor(2), a.EpochFor(3))
}

// TestRandomHistories: with skewed clocks, restarts and partitions, a store is
// never supported by its own account at an epoch which the other side has
// withdrawn.
func TestRandomHistories(t *testing.T) {
	for seed := range 60 {
		rng := rand.New(rand.NewPCG(uint64(seed), 7))
		w := newWorld(3)
		for i := range 3 {
			s := w.stores[keys.StoreID(i+1)]
			s.skew = rng.Int64N(400_000) - 200_000
			w.start(t, s.id, duration)
		}
		for step := range 300 {
			switch a, b := keys.StoreID(1+rng.IntN(3)), keys.StoreID(1+rng.IntN(3)); rng.IntN(12) {
			case 0:
				w.cut[[2]keys.StoreID{a, b}] = true
			case 1, 2:
				clear(w.cut)
			case 3:
				if rng.IntN(3) == 0 {
					w.start(t, a, duration)
				}
			case 4:
				rng.Shuffle(len(w.queue), func(i, j int) { w.queue[i], w.queue[j] = w.queue[j], w.queue[i] })
				w.deliver()
			case 5:
				w.now += rng.Int64N(3e6)
			default:
				w.now += rng.Int64N(3e5)
				w.stores[a].m.Tick()
				if rng.IntN(2) == 0 {
					w.deliver()
				}
			}
			for i := range 3 {
				for j := range 3 {
					a, b := w.stores[keys.StoreID(i+1)], w.stores[keys.StoreID(j+1)]
					if i == j {
						continue
					}
					epoch, until := a.m.SupportFrom(b.id)
					if epoch != a.m.EpochFor(b.id) || until == 0 || b.m.Supports(a.id, epoch) {
						continue
					}
					// Withdrawn: the lease is over by the clock of the one who withdrew,
					// whatever the other's says.
					require.Greater(t, b.clock.Now(), until, "seed %d step %d: %d relies on %d", seed, step, a.id, b.id)
				}
			}
		}
	}
}

func TestStateRejectsGarbage(t *testing.T) {
	cfg := Config{Store: 1, Clock: hlc.NewClock(hlc.WallSource, 0), Duration: duration, Persist: func([]byte) error { return nil }}
	for _, b := range [][]byte{{}, {stateVersion}, make([]byte, 21), append([]byte{stateVersion + 1}, make([]byte, 20)...), append([]byte{stateVersion}, make([]byte, 25)...)} {
		_, err := New(cfg, b)
		require.Error(t, err)
	}
}

func FuzzMessage(f *testing.F) {
	f.Add((&Message{Kind: Grant, Epoch: 1, Until: 2, Stamp: 3, Echo: 4, Payload: []byte("p")}).AppendTo(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var m Message
		if m.Decode(b) != nil {
			return
		}
		require.Equal(t, b, m.AppendTo(nil))
		require.Equal(t, len(b), m.Size())
	})
}

func FuzzState(f *testing.F) {
	var state []byte
	cfg := Config{Store: 1, Clock: hlc.NewClock(hlc.WallSource, 0), Duration: duration, Persist: func(b []byte) error { state = b; return nil },
		Send: func(keys.StoreID, *Message) {}}
	m, err := New(cfg, nil)
	require.NoError(f, err)
	m.Receive(2, &Message{Kind: Heartbeat, Epoch: 3, Until: hlc.Max, Stamp: cfg.Clock.Now()})
	f.Add(slices.Clone(state))
	f.Fuzz(func(t *testing.T, b []byte) { _, _ = New(cfg, b) })
}
