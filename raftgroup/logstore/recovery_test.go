package logstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/spanlite/spanlite/kv/keys"
)

// These tests are about recovery: what was synced survives a crash at
// any moment, damage is found and named, and files are given back only when
// nothing in them is needed.

const testSegment = 64 << 10

func openSmall(t testing.TB, fs vfs.FS) *Log {
	t.Helper()
	l, err := Open(Options{FS: fs, Dir: "log", SegmentSize: testSegment, CacheBytes: 32 << 10})
	require.NoError(t, err)
	return l
}

func fillers(first, n, term uint64, size int) []raftpb.Entry {
	ents := make([]raftpb.Entry, n)
	for i := range ents {
		ents[i] = raftpb.Entry{Index: first + uint64(i), Term: term, Data: fillerData(first+uint64(i), term, size)}
	}
	return ents
}

// fillerData is a function of the position, so that any entry can be checked.
func fillerData(index, term uint64, size int) []byte {
	if size == 0 {
		return nil
	}
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(index*31 + term*7 + uint64(i))
	}
	return b
}

func entriesIn(t testing.TB, g *Group) []raftpb.Entry {
	t.Helper()
	ents, err := g.Entries(nil, g.First(), g.Last()+1, 1<<40)
	require.NoError(t, err)
	return ents
}

func newGroupIn(l *Log, id keys.RangeID) *Group {
	g := l.Group(id)
	g.SetState(State{Replica: 1, TruncatedIndex: 10, TruncatedTerm: 5, Hard: HardState{Term: 5, Commit: 10}})
	return g
}

func TestAppendReadReopen(t *testing.T) {
	fs := vfs.NewMem()
	l := openSmall(t, fs)
	g := newGroupIn(l, 7)
	g.Append(HardState{Term: 6, Vote: 2, Commit: 12}, fillers(11, 5, 6, 100))
	// A later leader replaces the tail.
	g.Append(HardState{Term: 7, Commit: 12}, fillers(14, 4, 7, 50))
	want := append(fillers(11, 3, 6, 100), fillers(14, 4, 7, 50)...)
	require.Equal(t, want, entriesIn(t, g))
	require.NoError(t, l.Sync(l.SetBlob(3, []byte("blob"))))
	bytes := g.Bytes()
	require.NoError(t, l.Close())
	require.Error(t, l.Sync(l.Appended()+1))

	l = openSmall(t, fs)
	defer l.Close()
	g, ok := l.Lookup(7)
	require.True(t, ok)
	require.Equal(t, want, entriesIn(t, g))
	require.Equal(t, HardState{Term: 7, Commit: 12}, g.State().Hard)
	require.Equal(t, bytes, g.Bytes())
	require.Equal(t, []byte("blob"), l.Blobs()[3])
	_, err := g.Entries(nil, 10, 12, 100)
	require.ErrorIs(t, err, ErrTruncated)
	_, err = g.Entries(nil, 11, 19, 100)
	require.ErrorIs(t, err, ErrOutOfRange)
	ents, err := g.Entries(nil, 11, 18, 1)
	require.NoError(t, err)
	require.Len(t, ents, 1, "at least one entry, whatever the limit")
	for index, term := range map[uint64]uint64{10: 5, 13: 6, 14: 7, 17: 7} {
		got, err := g.Term(index)
		require.NoError(t, err)
		require.Equal(t, term, got)
	}
}

// writeSome writes a log whose newest segment is number 2 and returns its bytes.
func writeSome(t *testing.T, fs vfs.FS) (name string) {
	l := openSmall(t, fs)
	g := newGroupIn(l, 1)
	for i := range uint64(90) {
		require.NoError(t, l.Sync(g.Append(HardState{Term: 6}, fillers(11+i, 1, 6, 1000))))
	}
	require.NoError(t, l.Close())
	return "log/0000000002.log"
}

func change(t *testing.T, fs vfs.FS, name string, f func(b []byte) []byte) {
	t.Helper()
	file, err := fs.Open(name)
	require.NoError(t, err)
	b, err := io.ReadAll(file)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	file, err = fs.Create(name, "test")
	require.NoError(t, err)
	_, err = file.Write(f(b))
	require.NoError(t, err)
	require.NoError(t, file.Close())
}

// frameOffsets returns the offsets of the valid frames of a segment, and its end.
func frameOffsets(b []byte, generation uint32) (offs []int64) {
	off := int64(segmentHeaderSize)
	for {
		_, n, ok := decodeFrame(b[off:], generation)
		if !ok {
			return append(offs, off)
		}
		offs = append(offs, off)
		off += n
	}
}

func TestTornTailOfNewestSegment(t *testing.T) {
	fs := vfs.NewMem()
	name := writeSome(t, fs)
	var last int64
	change(t, fs, name, func(b []byte) []byte {
		offs := frameOffsets(b, 2)
		last = offs[len(offs)-2]
		b[last+40] ^= 1
		return b
	})
	l := openSmall(t, fs)
	g, _ := l.Lookup(1)
	require.Equal(t, uint64(99), g.Last(), "without the torn entry")
	// Writing goes on behind a seal, and nothing torn comes back.
	require.NoError(t, l.Sync(g.Append(HardState{Term: 7}, fillers(100, 2, 7, 10))))
	require.NoError(t, l.Close())
	l = openSmall(t, fs)
	g, _ = l.Lookup(1)
	require.Equal(t, append(fillers(11, 89, 6, 1000), fillers(100, 2, 7, 10)...), entriesIn(t, g))
	require.NoError(t, l.Close())
}

func TestDamageIsReported(t *testing.T) {
	for _, test := range []struct {
		name   string
		file   string
		damage func(b []byte) ([]byte, int64)
	}{
		{"frame that was durable in the newest segment", "log/0000000002.log", func(b []byte) ([]byte, int64) {
			off := frameOffsets(b, 2)[3]
			b[off+50] ^= 0x10
			return b, off
		}},
		{"frame in a sealed segment", "log/0000000001.log", func(b []byte) ([]byte, int64) {
			off := frameOffsets(b, 1)[5]
			b[off] ^= 0x80
			return b, off
		}},
		{"no seal", "log/0000000001.log", func(b []byte) ([]byte, int64) {
			offs := frameOffsets(b, 1)
			return b[:offs[len(offs)-2]], offs[len(offs)-2]
		}},
		{"header of a sealed segment", "log/0000000001.log", func(b []byte) ([]byte, int64) {
			b[3] ^= 1
			return b, 0
		}},
		{"header before frames", "log/0000000002.log", func(b []byte) ([]byte, int64) {
			b[3] ^= 1
			return b, 0
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			fs := vfs.NewMem()
			writeSome(t, fs)
			var off int64
			change(t, fs, test.file, func(b []byte) []byte {
				b, off = test.damage(b)
				return b
			})
			_, err := Open(Options{FS: fs, Dir: "log", SegmentSize: testSegment})
			var corrupt *CorruptionError
			require.ErrorAs(t, err, &corrupt)
			require.Equal(t, test.file, corrupt.File)
			require.Equal(t, off, corrupt.Offset)
		})
	}
	fs := vfs.NewMem()
	writeSome(t, fs)
	l := openSmall(t, fs)
	g, _ := l.Lookup(1)
	for i := range uint64(80) {
		require.NoError(t, l.Sync(g.Append(HardState{Term: 6}, fillers(101+i, 1, 6, 1000))))
	}
	require.NoError(t, l.Close())
	require.NoError(t, fs.Remove("log/0000000002.log"))
	_, err := Open(Options{FS: fs, Dir: "log", SegmentSize: testSegment})
	var corrupt *CorruptionError
	require.ErrorAs(t, err, &corrupt)
	require.Contains(t, err.Error(), "segment 2 is missing")
}

// TestDamagedEntryIsNotServed: an entry that is read back from the file is checked.
func TestDamagedEntryIsNotServed(t *testing.T) {
	fs := vfs.NewMem()
	writeSome(t, fs)
	l := openSmall(t, fs)
	defer l.Close()
	g, _ := l.Lookup(1)
	f, err := fs.OpenReadWrite("log/0000000001.log", "test")
	require.NoError(t, err)
	defer f.Close()
	at := int64(g.mu.refs[5].offset) + entryHeaderSize + 3
	var b [1]byte
	_, err = f.ReadAt(b[:], at)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte{b[0] ^ 1}, at)
	require.NoError(t, err)
	_, err = g.Entries(nil, 16, 17, 1<<20)
	var corrupt *CorruptionError
	require.ErrorAs(t, err, &corrupt)
	require.Equal(t, "log/0000000001.log", corrupt.File)
}

func TestReclaimAndRecycle(t *testing.T) {
	fs := vfs.NewMem()
	l := openSmall(t, fs)
	busy := newGroupIn(l, 1)
	idle := newGroupIn(l, 2)
	idle.Append(HardState{Term: 6, Vote: 1}, fillers(11, 3, 6, 10))
	l.SetBlob(9, []byte("kept"))
	total := 0
	for i := range uint64(600) {
		require.NoError(t, l.Sync(busy.Append(HardState{Term: 6}, fillers(11+i, 1, 6, 1000))))
		busy.Truncate(11 + i - min(i, 5))
		freed, err := l.Reclaim(0.25)
		require.NoError(t, err)
		total += freed
	}
	require.Greater(t, total, 5)
	require.LessOrEqual(t, l.Size(), int64(2*testSegment))
	names, err := fs.List("log")
	require.NoError(t, err)
	require.LessOrEqual(t, len(names), 2+maxFree, "%v", names)
	check := func() {
		require.Equal(t, fillers(11, 3, 6, 10), entriesIn(t, idle), "written forward")
		require.Equal(t, HardState{Term: 6, Vote: 1}, idle.State().Hard)
		require.Equal(t, uint64(610), busy.Last())
		require.Equal(t, []byte("kept"), l.Blobs()[9])
	}
	check()
	require.NoError(t, l.Close())
	// Recycled files hold frames of their former lives.
	l = openSmall(t, fs)
	idle, _ = l.Lookup(2)
	busy, _ = l.Lookup(1)
	check()
	require.NoError(t, l.Close())
}

// TestStragglersHoldTheLog: what is too much to write forward stays.
func TestStragglersHoldTheLog(t *testing.T) {
	l := openSmall(t, vfs.NewMem())
	defer l.Close()
	slow := newGroupIn(l, 1)
	slow.Append(HardState{Term: 6}, fillers(11, 30, 6, 1000))
	g := newGroupIn(l, 2)
	for i := range uint64(100) {
		require.NoError(t, l.Sync(g.Append(HardState{Term: 6}, fillers(11+i, 1, 6, 1000))))
	}
	g.Truncate(110)
	freed, err := l.Reclaim(0.25)
	require.NoError(t, err)
	require.Zero(t, freed)
	freed, err = l.Reclaim(1)
	require.NoError(t, err)
	require.NotZero(t, freed)
	require.Equal(t, fillers(11, 30, 6, 1000), entriesIn(t, slow))
}

func TestRemovedGroupStaysRemoved(t *testing.T) {
	fs := vfs.NewMem()
	l := openSmall(t, fs)
	g := newGroupIn(l, 1)
	g.Append(HardState{Term: 6}, fillers(11, 3, 6, 10))
	require.NoError(t, l.Sync(g.Remove()))
	require.NoError(t, l.Close())
	l = openSmall(t, fs)
	_, ok := l.Lookup(1)
	require.False(t, ok)
	// And may come anew.
	g = newGroupIn(l, 1)
	require.NoError(t, l.Sync(g.Append(HardState{Term: 9}, fillers(11, 1, 9, 10))))
	require.NoError(t, l.Close())
	l = openSmall(t, fs)
	defer l.Close()
	g, _ = l.Lookup(1)
	require.Equal(t, fillers(11, 1, 9, 10), entriesIn(t, g))
}

func TestLargeEntriesAndSeals(t *testing.T) {
	fs := vfs.NewMem()
	l := openSmall(t, fs)
	g := newGroupIn(l, 1)
	var want []raftpb.Entry
	next := uint64(11)
	for _, size := range []int{0, 1, 7, 8, testSegment - 200, testSegment, 3 * testSegment, 2 << 20, 30, testSegment/2 - 20} {
		e := fillers(next, 2, 6, size)
		g.Append(HardState{Term: 6}, e)
		want = append(want, e...)
		next += 2
	}
	require.NoError(t, l.Sync(l.Appended()))
	require.Equal(t, want, entriesIn(t, g))
	require.NoError(t, l.Close())
	l = openSmall(t, fs)
	defer l.Close()
	g, _ = l.Lookup(1)
	require.Equal(t, want, entriesIn(t, g))
}

// TestFailedSyncPoisons is L2.
func TestFailedSyncPoisons(t *testing.T) {
	broken := false
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken && (op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSync) {
			return errors.New("disk")
		}
		return nil
	}))
	fatal := 0
	l, err := Open(Options{FS: fs, Dir: "log", SegmentSize: testSegment, Fatal: func(error) { fatal++ }})
	require.NoError(t, err)
	g := newGroupIn(l, 1)
	first := g.Append(HardState{Term: 6}, fillers(11, 1, 6, 10))
	require.NoError(t, l.Sync(first))
	broken = true
	second := g.Append(HardState{Term: 6}, fillers(12, 1, 6, 10))
	require.ErrorContains(t, l.Sync(second), "disk")
	broken = false
	require.ErrorContains(t, l.Sync(second), "disk", "a later sync that succeeds proves nothing")
	require.NoError(t, l.Sync(first))
	require.Equal(t, 1, fatal)
	require.Error(t, l.Err())
	require.Error(t, l.Close())
}

func TestConcurrentSync(t *testing.T) {
	fs := vfs.NewCrashableMem()
	l := openSmall(t, fs)
	var wg sync.WaitGroup
	for id := range keys.RangeID(8) {
		g := newGroupIn(l, id+1)
		wg.Go(func() {
			for i := range uint64(150) {
				if err := l.Sync(g.Append(HardState{Term: 6}, fillers(11+i, 1, 6, 300))); err != nil {
					t.Error(err)
					return
				}
				if i%10 == 9 {
					g.Truncate(11 + i - 5)
				}
				if _, err := g.Entries(nil, g.First(), g.Last()+1, 1<<20); err != nil {
					t.Error(err)
					return
				}
				if i%40 == 0 {
					if _, err := l.Reclaim(0.25); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	crashed := fs.CrashClone(vfs.CrashCloneCfg{})
	require.NoError(t, l.Close())
	l = openSmall(t, crashed)
	defer l.Close()
	for id := range keys.RangeID(8) {
		g, ok := l.Lookup(id + 1)
		require.True(t, ok)
		require.Equal(t, uint64(160), g.Last())
		require.Equal(t, fillers(g.First(), g.Last()+1-g.First(), 6, 300), entriesIn(t, g))
	}
}

// expectedGroup is what the log should hold of a group.
type expectedGroup struct {
	state State
	ents  []raftpb.Entry
}

func (m expectedGroup) clone() expectedGroup {
	m.ents = slices.Clone(m.ents)
	return m
}

// sameLog says why a recovered group cannot be the one that was written. Synced is
// what Sync acknowledged, latest what was written at the crash: a recovered log is
// a prefix of the writes in between.
func sameLog(g *Group, history []expectedGroup) error {
	last := g.Last()
	t := g.State().TruncatedIndex
	got, err := g.Entries(nil, t+1, last+1, 1<<40)
	if err != nil {
		return err
	}
	for _, m := range history {
		// Truncation is not written by itself, so the recovered log may begin earlier.
		if t > m.state.TruncatedIndex || m.state.TruncatedIndex+uint64(len(m.ents)) != last || m.state.Hard.Term != g.State().Hard.Term ||
			m.state.Hard.Vote != g.State().Hard.Vote || m.state.Fortified != g.State().Fortified {
			continue
		}
		n := len(m.ents)
		if n <= len(got) && slices.EqualFunc(m.ents, got[len(got)-n:], func(a, b raftpb.Entry) bool {
			return a.Index == b.Index && a.Term == b.Term && string(a.Data) == string(b.Data)
		}) {
			return nil
		}
	}
	return fmt.Errorf("log [%d, %d] with %+v is none of %d states since the last sync", t+1, last, g.State(), len(history))
}

// TestCrashes crashes a log at random points under a random load, many times over:
// whatever Sync has acknowledged is there (L1), without gaps (L3), also after
// segments were freed and recycled (L4).
func TestCrashes(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 3))
		fs := vfs.NewCrashableMem()
		// history[id] are the states of a group since the last sync, the first one
		// being durable.
		history := map[keys.RangeID][]expectedGroup{}
		for range 4 {
			l := openSmall(t, fs)
			for id, h := range history {
				g, ok := l.Lookup(id)
				require.True(t, ok, "seed %d: group %d is gone", seed, id)
				require.NoError(t, sameLog(g, h), "seed %d: group %d", seed, id)
				st := g.State()
				history[id] = []expectedGroup{{st, entriesIn(t, g)}}
			}
			for range 20 + rng.IntN(150) {
				id := keys.RangeID(1 + rng.IntN(4))
				g := l.Group(id)
				h := history[id]
				if h == nil {
					newGroupIn(l, id)
					require.NoError(t, l.Sync(l.Appended()))
					history[id] = []expectedGroup{{state: g.State()}}
					continue
				}
				m := h[len(h)-1].clone()
				switch rng.IntN(12) {
				case 0: // truncate
					if len(m.ents) > 0 {
						n := 1 + rng.IntN(len(m.ents))
						g.Truncate(m.ents[n-1].Index)
						m.state.TruncatedIndex, m.state.TruncatedTerm = m.ents[n-1].Index, m.ents[n-1].Term
						m.ents = m.ents[n:]
					}
				case 1: // a promise
					m.state.Fortified = Fortification{Term: m.state.Hard.Term, Leader: 2, Epoch: rng.Uint64N(9)}
					st := g.State()
					st.Fortified = m.state.Fortified
					g.SetState(st)
				case 2: // an image
					if rng.IntN(3) == 0 {
						m.state.TruncatedIndex += uint64(len(m.ents)) + rng.Uint64N(20)
						m.state.TruncatedTerm = m.state.Hard.Term
						m.ents = nil
						st := m.state
						st.Hard.Commit = st.TruncatedIndex
						g.Reset(st)
					}
				case 3:
					_, err := l.Reclaim([]float64{0, 0.25, 1}[rng.IntN(3)])
					require.NoError(t, err)
					continue
				case 4:
					m.state.Hard.Term++
					m.state.Hard.Vote = rng.Uint64N(4)
					g.Append(m.state.Hard, nil)
				default:
					keep := len(m.ents)
					if keep > 0 && rng.IntN(5) == 0 {
						keep -= rng.IntN(keep)
						m.state.Hard.Term++
					}
					add := fillers(m.state.TruncatedIndex+uint64(keep)+1, uint64(1+rng.IntN(5)), m.state.Hard.Term, rng.IntN(3000))
					m.ents = append(m.ents[:keep], add...)
					g.Append(m.state.Hard, add)
				}
				m.state.Hard.Commit = g.State().Hard.Commit
				history[id] = append(history[id], m)
				if rng.IntN(4) == 0 {
					require.NoError(t, l.Sync(l.Appended()))
					for id, h := range history {
						history[id] = h[len(h)-1:]
					}
				}
			}
			crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
			require.NoError(t, l.Close())
			fs = crashed
		}
	}
}

func TestUnknownVersionIsNotOverwritten(t *testing.T) {
	fs := vfs.NewMem()
	writeSome(t, fs)
	change(t, fs, "log/0000000002.log", func(b []byte) []byte {
		h := encodeSegmentHeader(2)
		binary.LittleEndian.PutUint32(h[8:], 9)
		binary.LittleEndian.PutUint32(h[28:], crc32.Checksum(h[:28], castagnoli))
		copy(b, h)
		return b
	})
	_, err := Open(Options{FS: fs, Dir: "log", SegmentSize: testSegment})
	require.ErrorContains(t, err, "format version 9")
	require.True(t, strings.Contains(err.Error(), "0000000002.log"))
}

// FuzzSegment opens a log whose newest segment holds anything.
func FuzzSegment(f *testing.F) {
	fs := vfs.NewMem()
	l := openSmall(f, fs)
	g := newGroupIn(l, 1)
	g.Append(HardState{Term: 6}, fillers(11, 3, 6, 20))
	l.SetBlob(1, []byte("blob"))
	require.NoError(f, l.Close())
	file, err := fs.Open("log/0000000001.log")
	require.NoError(f, err)
	b, err := io.ReadAll(file)
	require.NoError(f, err)
	f.Add(b[segmentHeaderSize:min(len(b), 1024)])
	f.Fuzz(func(t *testing.T, body []byte) {
		fs := vfs.NewMem()
		require.NoError(t, fs.MkdirAll("log", 0o755))
		file, err := fs.Create("log/0000000001.log", "test")
		require.NoError(t, err)
		_, err = file.Write(append(encodeSegmentHeader(1), body...))
		require.NoError(t, err)
		require.NoError(t, file.Close())
		l, err := Open(Options{FS: fs, Dir: "log", SegmentSize: testSegment})
		if err != nil {
			return
		}
		for _, g := range l.Groups() {
			_, _ = g.Entries(nil, g.First(), g.Last()+1, 1<<20)
		}
		_ = l.Close()
	})
}

// FuzzPayload replays frames with a right checksum around anything.
func FuzzPayload(f *testing.F) {
	f.Add(byte(kindState), appendState(nil, State{Replica: 1, TruncatedIndex: 10}, true))
	f.Add(byte(kindAppend), appendEntry(appendHardState(nil, HardState{Term: 1}), &raftpb.Entry{Index: 11, Term: 1, Data: []byte("d")}))
	f.Add(byte(kindRelocate), appendEntry(appendHardState(nil, HardState{Term: 1}), &raftpb.Entry{Index: 1, Term: 1}))
	f.Add(byte(kindBlob), []byte("b"))
	f.Fuzz(func(t *testing.T, kind byte, payload []byte) {
		fs := vfs.NewMem()
		require.NoError(t, fs.MkdirAll("log", 0o755))
		b := encodeSegmentHeader(1)
		state := finishFrame(append(make([]byte, frameHeaderSize), appendState(nil, State{Replica: 1, TruncatedIndex: 10}, false)...), kindState, 1, 1, 0)
		b = append(b, state...)
		b = append(b, finishFrame(append(make([]byte, frameHeaderSize), payload...), frameKind(kind), 1, 1, 0)...)
		file, err := fs.Create("log/0000000001.log", "test")
		require.NoError(t, err)
		_, err = file.Write(b)
		require.NoError(t, err)
		require.NoError(t, file.Close())
		l, err := Open(Options{FS: fs, Dir: "log", SegmentSize: testSegment})
		if err != nil {
			return
		}
		for _, g := range l.Groups() {
			_, err := g.Entries(nil, g.First(), g.Last()+1, 1<<20)
			_ = err
		}
		_ = l.Close()
	})
}
