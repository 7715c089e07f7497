package logstore

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/spanlite/spanlite/kv/keys"
)

// ErrTruncated and ErrOutOfRange are returned for entries that are no longer, or
// not yet, in the log.
var (
	ErrTruncated  = errors.New("logstore: entry has been truncated")
	ErrOutOfRange = errors.New("logstore: entry is past the end of the log")
)

// entryRef says where an entry is.
type entryRef struct {
	term    uint64
	segment uint32 // low bits of the number; 0 is no entry
	offset  uint32 // of the entry's header
	length  uint32 // of the data
}

// Group is the log of one group. Reads and writes may come from several
// goroutines, but the order of appends is the caller's business.
//
// Lock order: Group.mu before Log.mu.
type Group struct {
	log *Log
	id  keys.RangeID

	mu struct {
		sync.Mutex
		state State
		// refs[i] is the entry TruncatedIndex+1+i.
		refs  []entryRef
		bytes int64 // of the entries, headers included
		// stateSegment holds the newest state frame, 0 if there is none yet;
		// firstAppend is the oldest segment that may hold entries, live or not, which
		// no state frame in a later segment has declared void, 0 if there is none.
		stateSegment, firstAppend, lastAppend uint64
	}
}

// Group returns the log of a group, an empty one if there is none.
func (l *Log) Group(id keys.RangeID) *Group {
	l.mu.Lock()
	defer l.mu.Unlock()
	g, ok := l.mu.groups[id]
	if !ok {
		g = &Group{log: l, id: id}
		l.mu.groups[id] = g
	}
	return g
}

// Lookup returns the log of a group if there is one.
func (l *Log) Lookup(id keys.RangeID) (*Group, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g, ok := l.mu.groups[id]
	return g, ok
}

// Groups returns all groups by id.
func (l *Log) Groups() []*Group {
	l.mu.Lock()
	gs := make([]*Group, 0, len(l.mu.groups))
	for _, g := range l.mu.groups {
		gs = append(gs, g)
	}
	l.mu.Unlock()
	slices.SortFunc(gs, func(a, b *Group) int { return cmp.Compare(a.id, b.id) })
	return gs
}

// ID returns the group's id.
func (g *Group) ID() keys.RangeID { return g.id }

// State returns the group's state.
func (g *Group) State() State {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.mu.state
}

// First returns the index of the first entry, or of the next one if there is none.
func (g *Group) First() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.mu.state.TruncatedIndex + 1
}

// Last returns the index of the last entry, or the truncated one if there is none.
func (g *Group) Last() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.last()
}

func (g *Group) last() uint64 { return g.mu.state.TruncatedIndex + uint64(len(g.mu.refs)) }

// Bytes returns the size of the group's entries in the log.
func (g *Group) Bytes() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.mu.bytes
}

// Term returns the term of an entry, which may be the truncated one.
func (g *Group) Term(index uint64) (uint64, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch t := g.mu.state.TruncatedIndex; {
	case index == t:
		return g.mu.state.TruncatedTerm, nil
	case index < t:
		return 0, ErrTruncated
	case index > g.last():
		return 0, ErrOutOfRange
	default:
		return g.mu.refs[index-t-1].term, nil
	}
}

// BytesAfter returns the size of the entries after index.
func (g *Group) BytesAfter(index uint64) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	var n int64
	for i := max(index, g.mu.state.TruncatedIndex) - g.mu.state.TruncatedIndex; i < uint64(len(g.mu.refs)); i++ {
		n += entryHeaderSize + int64(g.mu.refs[i].length)
	}
	return n
}

// SetState writes the group's state without entries: for a fresh replica, or a
// changed fortification. Truncation does not go back: TruncatedIndex must be what
// State returns, or past the last entry, which empties the log.
func (g *Group) SetState(s State) Pos { return g.setState(s, false) }

// Reset voids all entries and begins the log anew after s.TruncatedIndex.
func (g *Group) Reset(s State) Pos { return g.setState(s, true) }

func (g *Group) setState(s State, reset bool) Pos {
	g.mu.Lock()
	defer g.mu.Unlock()
	if reset || s.TruncatedIndex > g.last() {
		g.mu.refs, g.mu.bytes = nil, 0
	} else if s.TruncatedIndex != g.mu.state.TruncatedIndex {
		panic(fmt.Sprintf("logstore: %s: state truncated at %d, log at %d", g.id, s.TruncatedIndex, g.mu.state.TruncatedIndex))
	}
	g.mu.state = s
	return g.writeState(reset)
}

// writeState appends a state frame. Called with g.mu held.
func (g *Group) writeState(reset bool) Pos {
	l := g.log
	l.mu.Lock()
	defer l.mu.Unlock()
	seg, _ := l.appendFrame(kindState, uint64(g.id), stateSize, func(dst []byte) []byte {
		return appendState(dst, g.mu.state, reset)
	})
	g.mu.stateSegment = seg.number
	return l.mu.appended
}

// SetCommit remembers the commit index; it reaches the disk with the next frame
// of the group. Losing it costs nothing but a moment's ignorance.
func (g *Group) SetCommit(commit uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.state.Hard.Commit = commit
}

// Append writes the hard state and entries, which must be consecutive and follow
// on an entry in the log (or the truncated one); they replace everything from
// their first index on. It keeps no reference to entries.
func (g *Group) Append(hs HardState, entries []raftpb.Entry) Pos {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.state.Hard = hs
	if len(entries) == 0 {
		return g.writeState(false)
	}
	t := g.mu.state.TruncatedIndex
	if first := entries[0].Index; first <= t || first > g.last()+1 {
		panic(fmt.Sprintf("logstore: %s: append at %d to a log of [%d, %d]", g.id, first, t+1, g.last()))
	}
	if g.mu.stateSegment == 0 {
		g.writeState(false) // recovery wants one for every group
	}
	keep := entries[0].Index - t - 1
	for _, r := range g.mu.refs[keep:] {
		g.mu.bytes -= entryHeaderSize + int64(r.length)
	}
	g.mu.refs = g.mu.refs[:keep]

	l := g.log
	l.mu.Lock()
	defer l.mu.Unlock()
	l.encodeEntries(kindAppend, uint64(g.id), hs, entries, func(e *raftpb.Entry, r entryRef) {
		g.mu.refs = append(g.mu.refs, r)
		g.mu.bytes += entryHeaderSize + int64(r.length)
		g.noteAppend(uint64(r.segment))
	})
	return l.mu.appended
}

func (g *Group) noteAppend(segment uint64) {
	if g.mu.firstAppend == 0 {
		g.mu.firstAppend = segment
	}
	g.mu.lastAppend = segment
}

// Truncate forgets the entries up to index, which must be durably applied (I3).
// It changes memory only: Reclaim makes use of it. An index outside of the log's
// entries is ignored.
func (g *Group) Truncate(index uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.mu.state.TruncatedIndex
	if index <= t || index > g.last() {
		return
	}
	n := index - t
	g.mu.state.TruncatedIndex, g.mu.state.TruncatedTerm = index, g.mu.refs[n-1].term
	for _, r := range g.mu.refs[:n] {
		g.mu.bytes -= entryHeaderSize + int64(r.length)
	}
	if rest := g.mu.refs[n:]; len(rest) < cap(g.mu.refs)/4 {
		g.mu.refs = slices.Clone(rest)
	} else {
		g.mu.refs = slices.Delete(g.mu.refs, 0, int(n))
	}
}

// Entries appends the entries [lo, hi) to dst, fewer if their size exceeds
// maxBytes (but at least one). Data of recent entries alias the log's memory,
// which never changes; others are read from the file and checked.
func (g *Group) Entries(dst []raftpb.Entry, lo, hi, maxBytes uint64) ([]raftpb.Entry, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.mu.state.TruncatedIndex
	if lo <= t {
		return dst, ErrTruncated
	}
	if hi > g.last()+1 {
		return dst, ErrOutOfRange
	}
	var size uint64
	end := lo
	for ; end < hi; end++ {
		size += uint64(g.mu.refs[end-t-1].length) + entryOverhead
		if size > maxBytes && end > lo {
			break
		}
	}
	return g.entries(dst, lo, end)
}

// entries appends [lo, hi), which must be in the log, to dst. Called with g.mu held.
func (g *Group) entries(dst []raftpb.Entry, lo, hi uint64) ([]raftpb.Entry, error) {
	l, t := g.log, g.mu.state.TruncatedIndex
	for i := lo; i < hi; i++ {
		r := g.mu.refs[i-t-1]
		n := entryHeaderSize + int64(r.length)
		l.mu.Lock()
		seg := l.segment(uint64(r.segment))
		b, cached := seg.fromCache(int64(r.offset), n)
		file, err := seg.file, l.mu.err
		l.mu.Unlock()
		if !cached {
			if file == nil {
				return dst, fmt.Errorf("logstore: read %s entry %d: %w", g.id, i, err)
			}
			// The file stays open: g.mu is held, and a segment is freed only after
			// every group has been seen without an entry in it.
			b = make([]byte, n)
			if _, err := file.ReadAt(b, int64(r.offset)); err != nil {
				return dst, fmt.Errorf("logstore: read %s entry %d: %w", g.id, i, err)
			}
			if !checkEntry(b) {
				return dst, &CorruptionError{File: l.path(seg.name), Offset: int64(r.offset), Reason: fmt.Sprintf("checksum of entry %d of %s", i, g.id)}
			}
		}
		e, _, err := decodeEntry(b)
		if err != nil || e.Index != i || e.Term != r.term {
			return dst, &CorruptionError{File: l.path(seg.name), Offset: int64(r.offset), Reason: fmt.Sprintf("entry (%d, %d) in place of (%d, %d) of %s", e.Index, e.Term, i, r.term, g.id)}
		}
		dst = append(dst, e)
	}
	return dst, nil
}

// entryOverhead stands for an entry's header when sizes are bounded; no less than
// what Raft counts for it.
const entryOverhead = 24

// Remove forgets the group, which must not be used afterwards.
func (g *Group) Remove() Pos {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.log
	l.mu.Lock()
	defer l.mu.Unlock()
	l.appendFrame(kindRemove, uint64(g.id), 0, nil)
	delete(l.mu.groups, g.id)
	return l.mu.appended
}
