package logstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/spanlite/spanlite/kv/keys"
)

const (
	segmentSuffix = ".log"
	freeSuffix    = ".free"
)

func (l *Log) segmentName(number uint64) string { return fmt.Sprintf("%010d%s", number, segmentSuffix) }

func (l *Log) path(name string) string { return l.opts.FS.PathJoin(l.opts.Dir, name) }

// Open opens the log in Options.Dir, creating it if there is none, and recovers
// its contents.
func Open(opts Options) (*Log, error) {
	if opts.SegmentSize == 0 {
		opts.SegmentSize = 64 << 20
	}
	if opts.CacheBytes == 0 {
		opts.CacheBytes = 32 << 20
	}
	if opts.SlowSyncTime == 0 {
		opts.SlowSyncTime = time.Second
	}
	l := &Log{opts: opts, chunkSize: int(min(256<<10, opts.SegmentSize/16))}
	l.mu.turn[0].L, l.mu.turn[1].L = &l.mu.Mutex, &l.mu.Mutex
	l.mu.groups = make(map[keys.RangeID]*Group)
	l.mu.blobs = make(map[uint64]blob)
	if err := createDir(opts.FS, opts.Dir); err != nil {
		return nil, fmt.Errorf("logstore: %w", err)
	}
	var err error
	if l.dir, err = opts.FS.OpenDir(opts.Dir); err != nil {
		return nil, fmt.Errorf("logstore: %w", err)
	}
	if err := l.recover(); err != nil {
		for _, s := range l.mu.segments {
			if s.file != nil {
				err = errors.Join(err, s.file.Close())
			}
		}
		return nil, errors.Join(err, l.dir.Close())
	}
	return l, nil
}

// createDir makes the directory and its entry in the parent durable.
func createDir(fs vfs.FS, dir string) error {
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	parent, err := fs.OpenDir(fs.PathDir(dir))
	if err != nil {
		return err
	}
	return errors.Join(parent.Sync(), parent.Close())
}

func (l *Log) recover() error {
	names, err := l.opts.FS.List(l.opts.Dir)
	if err != nil {
		return fmt.Errorf("logstore: %w", err)
	}
	var numbers []uint64
	for _, name := range names {
		switch {
		case strings.HasSuffix(name, freeSuffix):
			l.mu.free = append(l.mu.free, name)
		case strings.HasSuffix(name, segmentSuffix):
			n, err := strconv.ParseUint(strings.TrimSuffix(name, segmentSuffix), 10, 64)
			if err != nil || l.segmentName(n) != name {
				return fmt.Errorf("logstore: unexpected file %s", l.path(name))
			}
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	r := replayer{log: l, groups: make(map[keys.RangeID]*replayedGroup)}
	for _, n := range numbers {
		info, err := l.opts.FS.Stat(l.path(l.segmentName(n)))
		if err != nil {
			return fmt.Errorf("logstore: %w", err)
		}
		r.maxHole += uint64(info.Size()) / entryHeaderSize
	}
	for i, n := range numbers {
		if i > 0 && n != numbers[i-1]+1 {
			return &CorruptionError{File: l.path(l.segmentName(n)), Reason: fmt.Sprintf("segment %d is missing", numbers[i-1]+1)}
		}
		if err := l.recoverSegment(&r, n, i == len(numbers)-1); err != nil {
			return err
		}
	}
	return r.finish()
}

// recoverSegment replays one file and leaves it sealed.
func (l *Log) recoverSegment(r *replayer, number uint64, newest bool) error {
	seg := &segment{number: number, name: l.segmentName(number)}
	path := l.path(seg.name)
	f, err := l.opts.FS.OpenReadWrite(path, diskCategory)
	if err != nil {
		return fmt.Errorf("logstore: %w", err)
	}
	seg.file = f
	l.mu.segments = append(l.mu.segments, seg)
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("logstore: %w", err)
	}
	b := make([]byte, info.Size())
	if _, err := f.ReadAt(b, 0); err != nil && !(errors.Is(err, io.EOF) && len(b) == 0) {
		return fmt.Errorf("logstore: read %s: %w", path, err)
	}
	seg.size = max(int64(len(b)), l.opts.SegmentSize)

	n, ok, err := decodeSegmentHeader(b)
	if err != nil {
		return fmt.Errorf("%w (%s)", err, path)
	}
	generation := uint32(number)
	if !ok || n != number {
		// The header is synced before the first frame is written, so a crash during
		// creation leaves no frame of this generation behind.
		if !newest {
			return &CorruptionError{File: path, Reason: "bad segment header"}
		}
		if off, _ := findFrame(b, segmentHeaderSize, generation); off >= 0 {
			return &CorruptionError{File: path, Reason: "bad segment header before valid frames"}
		}
		// Not a segment yet: its number is taken again by the next one created.
		l.mu.segments = l.mu.segments[:len(l.mu.segments)-1]
		if n := len(l.mu.segments); n > 0 {
			l.mu.tail = l.mu.segments[n-1].size
		}
		return f.Close()
	}

	off := int64(segmentHeaderSize)
	for {
		fr, size, ok := decodeFrame(b[min(off, int64(len(b))):], generation)
		if !ok {
			break
		}
		if fr.kind == kindSeal {
			l.mu.tail = seg.size
			return nil
		}
		if err := r.apply(fr, seg, off+frameHeaderSize); err != nil {
			return &CorruptionError{File: path, Offset: off, Reason: err.Error()}
		}
		off += size
	}
	if !newest {
		return &CorruptionError{File: path, Offset: off, Reason: "segment ends without a seal"}
	}
	// The log ends here, unless a later frame knows that this place was durable.
	for at := off; ; {
		next, synced := findFrame(b, at, generation)
		if next < 0 {
			break
		}
		if int64(synced) > off {
			return &CorruptionError{File: path, Offset: off, Reason: fmt.Sprintf("bad frame, but the frame at %d was written after a sync up to %d", next, synced)}
		}
		at = next + frameAlign
	}
	if _, err := f.WriteAt(finishFrame(make([]byte, frameHeaderSize), kindSeal, 0, generation, 0), off); err != nil {
		return fmt.Errorf("logstore: seal %s: %w", path, err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("logstore: seal %s: %w", path, err)
	}
	seg.size = max(seg.size, off+frameHeaderSize)
	l.mu.tail = seg.size
	return nil
}

// findFrame returns the offset of the first valid frame at or after off and what
// it knows to be synced, or -1.
func findFrame(b []byte, off int64, generation uint32) (int64, uint32) {
	for ; off+frameHeaderSize <= int64(len(b)); off += frameAlign {
		if binary.LittleEndian.Uint32(b[off+8:]) != generation {
			continue
		}
		if f, _, ok := decodeFrame(b[off:], generation); ok {
			return off, f.synced
		}
	}
	return -1, 0
}

// replayer builds the groups from frames in log order. Entries may be missing in
// between as long as it runs: what was in freed segments is either truncated by a
// state or brought forward by a relocation further on.
type replayer struct {
	log    *Log
	groups map[keys.RangeID]*replayedGroup
	// maxHole bounds a gap, as the entries that fill it must be in the log too.
	maxHole uint64
}

type replayedGroup struct {
	g *Group
	// refs[i] is entry base+i; a zero segment is a hole.
	base uint64
	refs []entryRef
}

func (r *replayer) group(id keys.RangeID) *replayedGroup {
	rg, ok := r.groups[id]
	if !ok {
		rg = &replayedGroup{g: &Group{log: r.log, id: id}}
		r.groups[id] = rg
	}
	return rg
}

// apply replays one frame whose payload is at off of seg.
func (r *replayer) apply(f frame, seg *segment, off int64) error {
	id := keys.RangeID(f.group)
	switch f.kind {
	case kindState:
		s, reset, err := decodeState(f.payload)
		if err != nil {
			return err
		}
		rg := r.group(id)
		rg.g.mu.state = s
		rg.g.mu.stateSegment = seg.number
		if reset {
			rg.refs = nil
		}
		rg.dropTo(s.TruncatedIndex)
	case kindAppend, kindRelocate:
		if len(f.payload) < appendHeaderSize {
			return fmt.Errorf("append frame of %d bytes", len(f.payload))
		}
		rg := r.group(id)
		if f.kind == kindAppend {
			rg.g.mu.state.Hard = decodeHardState(f.payload)
		}
		b, at := f.payload[appendHeaderSize:], off+appendHeaderSize
		for i := 0; len(b) > 0; i++ {
			e, n, err := decodeEntry(b)
			if err != nil {
				return err
			}
			if i == 0 && f.kind == kindAppend {
				rg.cutFrom(e.Index)
			}
			if err := rg.put(r.maxHole, e.Index, entryRef{term: e.Term, segment: uint32(seg.number), offset: uint32(at), length: uint32(len(e.Data))}); err != nil {
				return err
			}
			b, at = b[n:], at+int64(n)
		}
		rg.g.noteAppend(seg.number)
	case kindRemove:
		delete(r.groups, id)
	case kindBlob:
		r.log.mu.blobs[f.group] = blob{slices.Clone(f.payload), seg.number}
	default:
		return fmt.Errorf("unknown frame kind %d", f.kind)
	}
	return nil
}

func (rg *replayedGroup) cutFrom(index uint64) {
	if index < rg.base {
		rg.refs = rg.refs[:0]
	} else if n := index - rg.base; n < uint64(len(rg.refs)) {
		rg.refs = rg.refs[:n]
	}
}

func (rg *replayedGroup) put(maxHole, index uint64, ref entryRef) error {
	if index <= rg.g.mu.state.TruncatedIndex {
		return nil
	}
	if len(rg.refs) == 0 {
		rg.base = index
	}
	end := rg.base + uint64(len(rg.refs))
	if index > end && index-end > maxHole || index < rg.base && rg.base-index > maxHole {
		return fmt.Errorf("entry %d far from [%d, %d)", index, rg.base, end)
	}
	if index < rg.base {
		rg.refs = slices.Insert(rg.refs, 0, make([]entryRef, rg.base-index)...)
		rg.base = index
	}
	for index-rg.base >= uint64(len(rg.refs)) {
		rg.refs = append(rg.refs, entryRef{})
	}
	rg.refs[index-rg.base] = ref
	return nil
}

func (rg *replayedGroup) dropTo(index uint64) {
	if len(rg.refs) == 0 || index < rg.base {
		return
	}
	n := min(index-rg.base+1, uint64(len(rg.refs)))
	rg.refs = slices.Delete(rg.refs, 0, int(n))
	rg.base += n
}

// finish checks L3 and installs the groups.
func (r *replayer) finish() error {
	for id, rg := range r.groups {
		g := rg.g
		bad := func(reason string, args ...any) error {
			return &CorruptionError{File: r.log.opts.Dir, Reason: fmt.Sprintf("%s: ", id) + fmt.Sprintf(reason, args...)}
		}
		if g.mu.stateSegment == 0 {
			return bad("entries without a state")
		}
		t := g.mu.state.TruncatedIndex
		rg.dropTo(t)
		if len(rg.refs) > 0 && rg.base != t+1 {
			return bad("log truncated at %d but beginning with entry %d", t, rg.base)
		}
		for i, ref := range rg.refs {
			if ref.segment == 0 {
				return bad("entry %d is missing", t+1+uint64(i))
			}
			g.mu.bytes += entryHeaderSize + int64(ref.length)
		}
		g.mu.refs = rg.refs
		r.log.mu.groups[id] = g
	}
	return nil
}
