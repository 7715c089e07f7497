package logstore

// These tests drive a Log against a plain model of what each group must hold, and
// reopen it after crashes at random moments: everything that Sync acknowledged has
// to be there, and nothing that was never appended.

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/spanlite/spanlite/kv/keys"
)

func open(t testing.TB, fs vfs.FS, segment int64) *Log {
	t.Helper()
	l, err := Open(Options{FS: fs, Dir: "log", SegmentSize: segment, CacheBytes: 2 * segment})
	require.NoError(t, err)
	return l
}

func ent(index, term uint64, data string) raftpb.Entry {
	return raftpb.Entry{Index: index, Term: term, Data: []byte(data)}
}

func all(t testing.TB, g *Group) []raftpb.Entry {
	t.Helper()
	es, err := g.Entries(nil, g.First(), g.Last()+1, 1<<40)
	require.NoError(t, err)
	return es
}

func TestAppendReopen(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs, 64<<10)
	g := l.Group(7)
	g.SetState(State{Replica: 3, TruncatedIndex: 10, TruncatedTerm: 5, Hard: HardState{Term: 5, Commit: 10}})
	g.Append(HardState{Term: 6, Vote: 3, Commit: 10}, []raftpb.Entry{ent(11, 6, "a"), ent(12, 6, "b"), ent(13, 6, "c")})
	pos := g.Append(HardState{Term: 7, Vote: 1, Commit: 11}, []raftpb.Entry{ent(12, 7, "B"), {Index: 13, Term: 7, Type: raftpb.EntryConfChangeV2}})
	l.SetBlob(2, []byte("promise"))
	require.NoError(t, l.Sync(pos))
	require.NoError(t, l.Close())

	for range 3 { // a reopened log changes nothing
		l = open(t, fs, 64<<10)
		g, ok := l.Lookup(7)
		require.True(t, ok)
		require.Equal(t, State{Replica: 3, TruncatedIndex: 10, TruncatedTerm: 5, Hard: HardState{Term: 7, Vote: 1, Commit: 11}}, g.State())
		require.Equal(t, []raftpb.Entry{ent(11, 6, "a"), ent(12, 7, "B"), {Index: 13, Term: 7, Type: raftpb.EntryConfChangeV2}}, all(t, g))
		require.Equal(t, []byte("promise"), l.Blobs()[2])
		_, err := g.Term(14)
		require.ErrorIs(t, err, ErrOutOfRange)
		_, err = g.Term(9)
		require.ErrorIs(t, err, ErrTruncated)
		require.NoError(t, l.Close())
	}
}

// TestReclaim rolls through many segments and checks that idle groups, blobs and
// stragglers survive the freeing of the segments they were in.
func TestReclaim(t *testing.T) {
	fs := vfs.NewCrashableMem()
	l := open(t, fs, 64<<10)
	idle := l.Group(1)
	idle.SetState(State{Replica: 1, Hard: HardState{Term: 3, Vote: 1}, TruncatedIndex: 10, TruncatedTerm: 5})
	idle.Append(HardState{Term: 6}, []raftpb.Entry{ent(11, 6, "straggler")})
	gone := l.Group(3)
	gone.Append(HardState{Term: 6}, []raftpb.Entry{ent(1, 6, "x")})
	gone.Remove()
	l.SetBlob(9, []byte("blob"))
	busy := l.Group(2)
	freed := 0
	for i := uint64(1); i <= 4000; i++ {
		busy.Append(HardState{Term: 1, Commit: i - 1}, []raftpb.Entry{ent(i, 1, fmt.Sprintf("entry %d %0100d", i, i))})
		if i%100 == 0 {
			require.NoError(t, l.Sync(l.Appended()))
			busy.Truncate(i - 10)
			n, err := l.Reclaim(0.1)
			require.NoError(t, err)
			freed += n
		}
	}
	require.Greater(t, freed, 5)
	require.Less(t, l.Size(), int64(5*64<<10))
	require.NoError(t, l.Sync(l.Appended()))
	names, err := fs.List("log")
	require.NoError(t, err)
	require.Less(t, len(names), 8)

	l2 := open(t, fs.CrashClone(vfs.CrashCloneCfg{}), 64<<10)
	g, _ := l2.Lookup(1)
	require.Equal(t, idle.State(), g.State())
	require.Equal(t, []raftpb.Entry{ent(11, 6, "straggler")}, all(t, g))
	g, _ = l2.Lookup(2)
	require.Equal(t, uint64(4000), g.Last())
	require.Equal(t, all(t, busy), all(t, g)[busy.First()-g.First():])
	_, ok := l2.Lookup(3)
	require.False(t, ok)
	require.Equal(t, "blob", string(l2.Blobs()[9]))
	require.NoError(t, l2.Close())
	require.NoError(t, l.Close())
}

// TestCrash appends, truncates, resets and removes at random, crashes at random
// with part of the unsynced data surviving, and compares with the model: of every
// group the recovered log must be one that existed at or after the last sync.
func TestCrash(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { testCrash(t, seed) })
	}
}

type model struct {
	state   State
	entries []raftpb.Entry
}

func testCrash(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	fs := vfs.NewCrashableMem()
	l := open(t, fs, 64<<10)
	// history[g] are the states since the last acknowledged sync, that one first; nil
	// means that there is no such group.
	history := map[keys.RangeID][]*model{}
	const groups = 4
	for id := keys.RangeID(1); id <= groups; id++ {
		history[id] = []*model{nil}
	}
	for range 6 {
		for range 150 {
			id := keys.RangeID(1 + rng.IntN(groups))
			h := history[id]
			var m model
			if cur := h[len(h)-1]; cur != nil {
				m = model{cur.state, append([]raftpb.Entry(nil), cur.entries...)}
			}
			g := l.Group(id)
			switch op := rng.IntN(40); {
			case h[len(h)-1] == nil:
				m.state = State{Replica: 1, TruncatedIndex: 10, TruncatedTerm: 5, Hard: HardState{Commit: 10}}
				g.SetState(m.state)
				history[id] = append(h, &m)
			case op == 0:
				g.Remove()
				history[id] = append(h, nil)
			case op == 1:
				m.state.TruncatedIndex += uint64(len(m.entries)) + uint64(rng.IntN(5))
				m.state.TruncatedTerm = m.state.Hard.Term
				m.state.Hard.Commit = m.state.TruncatedIndex
				m.entries = nil
				g.Reset(m.state)
				history[id] = append(h, &m)
			case op < 5: // truncation is not an event of its own: the disk may or may not know
				if n := rng.IntN(len(m.entries) + 1); n > 0 {
					i := m.entries[n-1].Index
					g.Truncate(i)
					for _, s := range h {
						if s != nil {
							s.truncate(i)
						}
					}
				}
			case op < 7:
				_, err := l.Reclaim(float64(rng.IntN(2)))
				require.NoError(t, err)
			default:
				n := 1 + rng.IntN(4)
				back := 0
				if rng.IntN(5) == 0 {
					back = rng.IntN(len(m.entries) + 1)
				}
				m.entries = m.entries[:len(m.entries)-back]
				m.state.Hard.Term++
				var es []raftpb.Entry
				for range n {
					size := rng.IntN(600)
					if rng.IntN(100) == 0 {
						size = 100 << 10 // larger than a segment
					}
					es = append(es, raftpb.Entry{
						Index: m.state.TruncatedIndex + uint64(len(m.entries)+len(es)) + 1, Term: m.state.Hard.Term,
						Data: bytes.Repeat([]byte{byte(rng.Uint32()), byte(rng.Uint32())}, size/2+1),
					})
				}
				// The frames of one append may survive in part: every prefix is a state
				// of its own, of which only the last is acknowledged.
				g.Append(m.state.Hard, es)
				for i := range es {
					p := model{m.state, append(append([]raftpb.Entry(nil), m.entries...), es[:i+1]...)}
					history[id] = append(history[id], &p)
				}
			}
			if rng.IntN(4) == 0 {
				require.NoError(t, l.Sync(l.Appended()))
				for id, h := range history {
					history[id] = h[len(h)-1:]
				}
			}
		}
		crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rand.New(rand.NewPCG(seed, 2))})
		require.NoError(t, l.Close())
		fs = crashed
		l = open(t, fs, 64<<10)
		for id, h := range history {
			var got *model
			if g, ok := l.Lookup(id); ok {
				got = &model{g.State(), all(t, g)}
			}
			match := -1
			for i, want := range h {
				if want.matches(got) {
					match = i
				}
			}
			require.GreaterOrEqual(t, match, 0, "%s: recovered %v, want one of %v", id, got, h)
			history[id] = []*model{got}
		}
	}
	require.NoError(t, l.Close())
}

func (m *model) truncate(index uint64) {
	if index <= m.state.TruncatedIndex || index > m.state.TruncatedIndex+uint64(len(m.entries)) {
		return
	}
	n := index - m.state.TruncatedIndex
	m.state.TruncatedIndex, m.state.TruncatedTerm = index, m.entries[n-1].Term
	m.entries = m.entries[n:]
}

// matches reports whether a recovered group is this state, but for truncation of
// which the disk need not know.
func (m *model) matches(got *model) bool {
	if m == nil || got == nil {
		return m == nil && got == nil
	}
	w, g := *m, *got
	if w.state.TruncatedIndex < g.state.TruncatedIndex {
		w.truncate(g.state.TruncatedIndex)
	} else {
		g.truncate(w.state.TruncatedIndex)
	}
	if w.state != g.state || len(w.entries) != len(g.entries) {
		return false
	}
	for i := range w.entries {
		if w.entries[i].Term != g.entries[i].Term || w.entries[i].Index != g.entries[i].Index || !bytes.Equal(w.entries[i].Data, g.entries[i].Data) {
			return false
		}
	}
	return true
}

func (m *model) String() string {
	if m == nil {
		return "none"
	}
	return fmt.Sprintf("%+v +%d", m.state, len(m.entries))
}

func TestCorruption(t *testing.T) {
	write := func() (*vfs.MemFS, string) {
		fs := vfs.NewMem()
		l := open(t, fs, 64<<10)
		g := l.Group(1)
		for i := uint64(1); i <= 300; i++ {
			pos := g.Append(HardState{Term: 1}, []raftpb.Entry{ent(i, 1, fmt.Sprintf("%0400d", i))})
			require.NoError(t, l.Sync(pos))
		}
		// What is left is a log that crashed: the newest segment has no seal.
		names, err := fs.List("log")
		require.NoError(t, err)
		require.Greater(t, len(names), 2)
		return fs, "log/" + l.segmentName(uint64(len(names)))
	}
	flip := func(fs *vfs.MemFS, name string, off int64) {
		f, err := fs.OpenReadWrite(name, diskCategory)
		require.NoError(t, err)
		b := make([]byte, 1)
		_, err = f.ReadAt(b, off)
		require.NoError(t, err)
		b[0] ^= 1
		_, err = f.WriteAt(b, off)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	var corrupt *CorruptionError
	t.Run("sealed segment", func(t *testing.T) {
		fs, _ := write()
		flip(fs, "log/0000000001.log", 1000)
		_, err := Open(Options{FS: fs, Dir: "log", SegmentSize: 64 << 10})
		require.ErrorAs(t, err, &corrupt)
		require.Equal(t, "log/0000000001.log", corrupt.File)
		require.Greater(t, corrupt.Offset, int64(0))
	})
	t.Run("missing segment", func(t *testing.T) {
		fs, _ := write()
		require.NoError(t, fs.Remove("log/0000000002.log"))
		_, err := Open(Options{FS: fs, Dir: "log", SegmentSize: 64 << 10})
		require.ErrorAs(t, err, &corrupt)
	})
	t.Run("durable frame of the newest segment", func(t *testing.T) {
		fs, newest := write()
		flip(fs, newest, segmentHeaderSize+100)
		_, err := Open(Options{FS: fs, Dir: "log", SegmentSize: 64 << 10})
		require.ErrorAs(t, err, &corrupt)
		require.Equal(t, newest, corrupt.File)
	})
	t.Run("header of the newest segment", func(t *testing.T) {
		fs, newest := write()
		flip(fs, newest, 3)
		_, err := Open(Options{FS: fs, Dir: "log", SegmentSize: 64 << 10})
		require.ErrorAs(t, err, &corrupt)
	})
	t.Run("read back", func(t *testing.T) {
		fs, _ := write()
		l, err := Open(Options{FS: fs, Dir: "log", SegmentSize: 64 << 10})
		require.NoError(t, err)
		g, _ := l.Lookup(1)
		flip(fs, "log/0000000001.log", 1000)
		_, err = g.Entries(nil, 1, 10, 1<<30)
		require.ErrorAs(t, err, &corrupt)
		require.NoError(t, l.Close())
	})
}

// TestPoison: after a failed sync nothing is acknowledged (L2).
func TestPoison(t *testing.T) {
	fail := errors.New("disk on fire")
	broken := false
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
			return fail
		}
		return nil
	}))
	fatals := 0
	l, err := Open(Options{FS: fs, Dir: "log", SegmentSize: 64 << 10, Fatal: func(error) { fatals++ }})
	require.NoError(t, err)
	g := l.Group(1)
	ok := g.Append(HardState{}, []raftpb.Entry{ent(1, 1, "a")})
	require.NoError(t, l.Sync(ok))
	broken = true
	pos := g.Append(HardState{}, []raftpb.Entry{ent(2, 1, "b")})
	require.ErrorIs(t, l.Sync(pos), fail)
	broken = false
	require.ErrorIs(t, l.Sync(pos), fail)
	require.ErrorIs(t, l.Sync(g.Append(HardState{}, []raftpb.Entry{ent(3, 1, "c")})), fail)
	require.NoError(t, l.Sync(ok))
	require.Equal(t, 1, fatals)
}

// TestConcurrent lets many groups commit at once and checks that they shared syncs.
func TestConcurrent(t *testing.T) {
	var mu sync.Mutex
	syncs := 0
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSyncData {
			mu.Lock()
			syncs++
			mu.Unlock()
		}
		return nil
	}))
	l := open(t, fs, 256<<10)
	var wg sync.WaitGroup
	for id := keys.RangeID(1); id <= 8; id++ {
		wg.Go(func() {
			g := l.Group(id)
			for i := uint64(1); i <= 200; i++ {
				if err := l.Sync(g.Append(HardState{Term: 1}, []raftpb.Entry{ent(i, 1, "data")})); err != nil {
					t.Error(err)
				}
				if i%50 == 0 {
					g.Truncate(i - 5)
					if _, err := l.Reclaim(1); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, syncs, 1700)
	for _, g := range l.Groups() {
		require.Equal(t, uint64(200), g.Last())
		all(t, g)
	}
	require.NoError(t, l.Close())
}

func FuzzDecodeFrame(f *testing.F) {
	l := open(f, vfs.NewMem(), 64<<10)
	l.Group(1).Append(HardState{1, 2, 3}, []raftpb.Entry{ent(1, 1, "abc"), ent(2, 1, "")})
	f.Add(append([]byte(nil), l.mu.chunk.buf...))
	f.Add(finishFrame(make([]byte, frameHeaderSize), kindSeal, 0, 1, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := replayer{log: &Log{}, groups: map[keys.RangeID]*replayedGroup{}, maxHole: 1000}
		r.log.mu.blobs = map[uint64]blob{}
		r.log.mu.groups = map[keys.RangeID]*Group{}
		for off := int64(0); ; {
			fr, n, ok := decodeFrame(b[min(off, int64(len(b))):], 1)
			if !ok {
				break
			}
			_ = r.apply(fr, &segment{number: 1}, off)
			off += n
		}
		_ = r.finish()
		// Payloads whose checksum does not match reach the decoders too.
		for k := kindAppend; k < kindEnd; k++ {
			_ = r.apply(frame{kind: k, group: 2, payload: b}, &segment{number: 1}, 0)
		}
	})
}

func BenchmarkAppendSync(b *testing.B) {
	for _, fs := range []struct {
		name string
		fs   vfs.FS
		dir  string
	}{{"mem", vfs.NewMem(), "log"}, {"disk", vfs.Default, b.TempDir()}} {
		b.Run(fs.name, func(b *testing.B) {
			l, err := Open(Options{FS: fs.fs, Dir: fs.dir, SegmentSize: 16 << 20})
			require.NoError(b, err)
			defer l.Close()
			g := l.Group(1)
			data := make([]byte, 128)
			es := make([]raftpb.Entry, 1)
			b.ReportAllocs()
			for i := uint64(1); b.Loop(); i++ {
				es[0] = raftpb.Entry{Index: i, Term: 1, Data: data}
				if err := l.Sync(g.Append(HardState{Term: 1}, es)); err != nil {
					b.Fatal(err)
				}
				if i%10000 == 0 {
					g.Truncate(i - 1)
					_, _ = l.Reclaim(0.1)
				}
			}
		})
	}
}
