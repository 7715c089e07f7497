package logstore

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/spanlite/spanlite/kv/invariant"
	"github.com/spanlite/spanlite/kv/keys"
)

// diskCategory labels our writes in the file system's statistics.
const diskCategory = vfs.DiskWriteCategory("raft-log")

// maxFramePayload is the size at which a large append is cut into several frames.
const maxFramePayload = 1 << 20

// Options configure a Log.
type Options struct {
	FS  vfs.FS
	Dir string
	// SegmentSize is the size of a segment in bytes; a segment that must take a
	// larger frame is larger. Default 64 MB.
	SegmentSize int64
	// CacheBytes bounds the recently appended frames that are kept in memory.
	// Default 32 MB.
	CacheBytes int64
	// Fatal is called once, if a write or sync fails.
	Fatal func(error)
	// Synced is called after each sync with the time it took and the number of entries
	// that it made durable. It must not block. May be nil.
	Synced func(took time.Duration, entries int)
	// SlowSync is called after a sync that took longer than SlowSyncTime.
	SlowSync     func(time.Duration)
	SlowSyncTime time.Duration
}

// Pos is a position in the log; greater is later. Zero is before everything.
type Pos uint64

// Log is an open log. Its methods are safe for concurrent use.
type Log struct {
	opts      Options
	chunkSize int
	dir       vfs.File

	mu struct {
		sync.Mutex
		// turn are two conditions: who waits for sync number n waits on turn[n%2]. When
		// n ends, all of its waiters wake up and one of those that wait for the next.
		turn [2]sync.Cond

		groups map[keys.RangeID]*Group
		blobs  map[uint64]blob

		segments []*segment // oldest first, consecutive numbers; the last one is the tail
		free     []string   // recycled files
		// tail is the offset of the next frame in the tail segment.
		tail int64
		// appended and durable count the bytes of frames ever encoded and synced.
		// Invariant: durable <= appended.
		appended, durable Pos
		// entries counts entries encoded since the last sync began.
		entries int
		syncing bool
		// syncs counts syncs that have ended; target is what the one under way covers.
		syncs  uint64
		target Pos
		// durableSeg and durableOff say how far that segment is known to be durable.
		durableSeg uint64
		durableOff int64
		err        error // sticky: poisoned or closed

		chunk  *chunk   // being filled; belongs to the tail segment
		dirty  []*chunk // with bytes that are not written yet, oldest first
		cached []*chunk // all in memory, oldest first
		cacheN int64
	}
	// durable mirrors mu.durable.
	durable atomic.Uint64
	// writes and out are scratch of the one who syncs.
	writes []write
	out    []byte
	// reclaim serialises Reclaim.
	reclaim sync.Mutex
}

type blob struct {
	data    []byte
	segment uint64
}

// segment is one file. Fields but file are guarded by Log.mu; file is set by the
// one who syncs before any reader can need it.
type segment struct {
	number uint64
	size   int64 // capacity; frames plus seal fit in
	file   vfs.File
	name   string
	chunks []*chunk // in memory, by offset
}

// chunk is a piece of a segment in memory: write buffer first, cache afterwards.
// Its bytes never change once encoded and its array never moves, so what has been
// handed out stays valid as long as anyone holds it.
type chunk struct {
	seg *segment
	off int64 // of buf[0] in the segment
	buf []byte
	// buf[:written] has been handed to a writer, buf[:durable] is synced.
	written, durable int
}

var errClosed = errors.New("logstore: closed")

// Err returns the reason why the log takes nothing any more, or nil.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.err
}

// appendFrame encodes one frame of at most size bytes of payload at the tail and
// returns where the payload begins. Called with mu held.
func (l *Log) appendFrame(kind frameKind, group uint64, size int, payload func(dst []byte) []byte) (seg *segment, off int64) {
	need := align(int64(frameHeaderSize + size))
	seg = l.tailFor(need)
	c := l.mu.chunk
	if c == nil || c.seg != seg || int64(cap(c.buf)-len(c.buf)) < need {
		c = l.newChunk(seg, need)
	}
	if len(c.buf) == c.written {
		l.mu.dirty = append(l.mu.dirty, c)
	}
	start := len(c.buf)
	var synced uint32
	if l.mu.durableSeg == seg.number {
		synced = uint32(l.mu.durableOff)
	}
	c.buf = c.buf[:start+frameHeaderSize]
	clear(c.buf[start:])
	if payload != nil {
		b := payload(c.buf)
		if len(b) > start+frameHeaderSize+size {
			panic(fmt.Sprintf("logstore: payload of %d bytes announced as %d", len(b)-start-frameHeaderSize, size))
		}
		c.buf = b
	}
	end := finishFrame(c.buf[start:], kind, group, uint32(seg.number), synced)
	c.buf = c.buf[:start+len(end)]
	l.mu.tail += int64(len(end))
	l.mu.appended += Pos(len(end))
	return seg, c.off + int64(start) + frameHeaderSize
}

// tailFor returns the tail segment, a new one if need bytes and the seal do not
// fit into the present one. Called with mu held.
func (l *Log) tailFor(need int64) *segment {
	var number uint64 = 1
	if n := len(l.mu.segments); n > 0 {
		tail := l.mu.segments[n-1]
		if l.mu.tail+need+frameHeaderSize <= tail.size {
			return tail
		}
		number = tail.number + 1
		if l.mu.tail < tail.size { // not sealed yet
			l.seal(tail)
		}
	}
	seg := &segment{
		number: number,
		size:   max(l.opts.SegmentSize, segmentHeaderSize+need+frameHeaderSize),
		name:   l.segmentName(number),
	}
	l.mu.segments = append(l.mu.segments, seg)
	l.mu.tail = segmentHeaderSize
	return seg
}

// seal appends the frame that ends a segment. tail.size keeps room for it.
func (l *Log) seal(seg *segment) {
	c := l.mu.chunk
	if c == nil || c.seg != seg || cap(c.buf)-len(c.buf) < frameHeaderSize {
		c = l.newChunk(seg, frameHeaderSize)
	}
	if len(c.buf) == c.written {
		l.mu.dirty = append(l.mu.dirty, c)
	}
	start := len(c.buf)
	c.buf = c.buf[:start+frameHeaderSize]
	clear(c.buf[start:])
	finishFrame(c.buf[start:], kindSeal, 0, uint32(seg.number), 0)
	l.mu.tail += frameHeaderSize
	l.mu.appended += frameHeaderSize
}

func (l *Log) newChunk(seg *segment, need int64) *chunk {
	c := &chunk{seg: seg, off: l.mu.tail, buf: make([]byte, 0, max(int64(l.chunkSize), need))}
	l.mu.chunk = c
	l.mu.cached = append(l.mu.cached, c)
	l.mu.cacheN += int64(cap(c.buf))
	seg.chunks = append(seg.chunks, c)
	l.evict()
	return c
}

// evict drops the oldest written chunks from the cache until it is within bounds.
func (l *Log) evict() {
	n := 0
	for l.mu.cacheN > l.opts.CacheBytes && n < len(l.mu.cached)-1 {
		c := l.mu.cached[n]
		if c.durable < len(c.buf) {
			break
		}
		l.mu.cacheN -= int64(cap(c.buf))
		if i := slices.Index(c.seg.chunks, c); i >= 0 {
			c.seg.chunks = slices.Delete(c.seg.chunks, i, i+1)
		}
		n++
	}
	l.mu.cached = slices.Delete(l.mu.cached, 0, n)
}

// Appended returns the position after everything appended so far.
func (l *Log) Appended() Pos {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.appended
}

// Durable returns the position up to which everything is durable.
func (l *Log) Durable() Pos { return Pos(l.durable.Load()) }

// Sync returns when everything appended before pos was returned is durable, or
// with an error if it cannot be: then nothing is, ever again (L2).
func (l *Log) Sync(pos Pos) error {
	if l.Durable() >= pos {
		return nil
	}
	l.mu.Lock()
	for l.mu.err == nil && l.mu.durable < pos {
		switch {
		case !l.mu.syncing:
			l.syncOnce()
		case pos <= l.mu.target:
			l.mu.turn[l.mu.syncs%2].Wait()
		default:
			l.mu.turn[(l.mu.syncs+1)%2].Wait()
		}
	}
	err := l.mu.err
	if l.mu.durable >= pos {
		err = nil
	}
	l.mu.Unlock()
	return err
}

// AwaitSync returns when the sync that is under way, if there is one, has ended.
func (l *Log) AwaitSync() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n := l.mu.syncs; l.mu.syncing && l.mu.syncs == n; {
		l.mu.turn[n%2].Wait()
	}
}

// write is a piece of a chunk that is to be written.
type write struct {
	c  *chunk
	b  []byte
	to int // end of b in the chunk
}

// syncOnce writes out and syncs everything appended so far, for all who wait.
// Called with mu held, which it gives up during the I/O.
func (l *Log) syncOnce() {
	l.mu.syncing = true
	writes := l.writes[:0]
	for _, c := range l.mu.dirty {
		writes = append(writes, write{c, c.buf[c.written:], len(c.buf)})
		c.written = len(c.buf)
	}
	l.mu.dirty = l.mu.dirty[:0]
	l.mu.target = l.mu.appended
	entries := l.mu.entries
	l.mu.entries = 0
	last := writes[len(writes)-1]
	end := last.c.off + int64(last.to)
	l.mu.Unlock()

	start := time.Now()
	err := l.writeOut(writes)
	took := time.Since(start)
	if l.opts.Synced != nil {
		l.opts.Synced(took, entries)
	}
	if l.opts.SlowSync != nil && took > l.opts.SlowSyncTime {
		l.opts.SlowSync(took)
	}

	l.mu.Lock()
	l.mu.syncing = false
	fatal := false
	switch {
	case err == nil:
		l.mu.durable = l.mu.target
		l.durable.Store(uint64(l.mu.durable))
		l.mu.durableSeg, l.mu.durableOff = last.c.seg.number, end
		for _, w := range writes {
			w.c.durable = w.to
		}
	case l.mu.err == nil:
		l.mu.err = fmt.Errorf("logstore: %w", err)
		fatal = true
	}
	clear(writes)
	l.writes = writes[:0]
	l.mu.turn[l.mu.syncs%2].Broadcast()
	l.mu.syncs++
	if l.mu.err == nil {
		l.mu.turn[l.mu.syncs%2].Signal()
	} else {
		l.mu.turn[l.mu.syncs%2].Broadcast()
	}
	if fatal && l.opts.Fatal != nil {
		err := l.mu.err
		l.mu.Unlock()
		l.opts.Fatal(err)
		l.mu.Lock()
	}
}

// writeOut writes the pieces in order and syncs. A segment is synced, seal and
// all, before the next one is created.
func (l *Log) writeOut(writes []write) error {
	var seg *segment
	for _, w := range writes {
		if w.c.seg != seg {
			if seg != nil {
				if err := seg.file.SyncData(); err != nil {
					return err
				}
			}
			seg = w.c.seg
			if seg.file == nil {
				if err := l.createSegment(seg); err != nil {
					return err
				}
			}
		}
		// vfs.File.Write may change what it is given, and w.b is the entry cache.
		l.out = append(l.out[:0], w.b...)
		if _, err := seg.file.Write(l.out); err != nil {
			return err
		}
	}
	if invariant.Mutated(invariant.SkipSync) {
		return nil
	}
	return seg.file.SyncData()
}

// createSegment makes the file of a segment: header and directory entry are
// durable before the first frame is written. The file's offset is left after the
// header.
func (l *Log) createSegment(seg *segment) error {
	l.mu.Lock()
	recycled := ""
	if n := len(l.mu.free); n > 0 && seg.size == l.opts.SegmentSize {
		recycled = l.mu.free[n-1]
		l.mu.free = l.mu.free[:n-1]
	}
	l.mu.Unlock()

	path := l.path(seg.name)
	if recycled != "" {
		if err := l.opts.FS.Rename(l.path(recycled), path); err != nil {
			return err
		}
	}
	f, err := l.opts.FS.OpenReadWrite(path, diskCategory)
	if err != nil {
		return err
	}
	if recycled == "" {
		// Best effort: a file system that cannot preallocate grows the file instead.
		_ = f.Preallocate(0, seg.size)
	}
	if _, err = f.Write(encodeSegmentHeader(seg.number)); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = l.dir.Sync()
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.mu.Lock()
	seg.file = f
	l.mu.Unlock()
	return nil
}

// segment returns the segment with a number. Called with mu held.
func (l *Log) segment(number uint64) *segment {
	return l.mu.segments[number-l.mu.segments[0].number]
}

// fromCache returns n bytes at off of a segment if they are in memory. Called with
// mu held.
func (s *segment) fromCache(off, n int64) ([]byte, bool) {
	i, found := slices.BinarySearchFunc(s.chunks, off, func(c *chunk, off int64) int { return cmp.Compare(c.off, off) })
	if !found {
		i--
	}
	if i < 0 {
		return nil, false
	}
	c := s.chunks[i]
	from := off - c.off
	if from+n > int64(len(c.buf)) {
		return nil, false
	}
	return c.buf[from : from+n : from+n], true
}

// SetBlob records a store-wide record under a key, replacing the one before. It
// is durable once Sync has reached the returned position.
func (l *Log) SetBlob(key uint64, data []byte) Pos {
	l.mu.Lock()
	defer l.mu.Unlock()
	data = slices.Clone(data)
	seg, _ := l.appendFrame(kindBlob, key, len(data), func(dst []byte) []byte { return append(dst, data...) })
	l.mu.blobs[key] = blob{data, seg.number}
	return l.mu.appended
}

// Blobs returns all store-wide records.
func (l *Log) Blobs() map[uint64][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := make(map[uint64][]byte, len(l.mu.blobs))
	for k, b := range l.mu.blobs {
		m[k] = b.data
	}
	return m
}

// Size returns the bytes of all segments.
func (l *Log) Size() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var n int64
	for i, s := range l.mu.segments {
		if i == len(l.mu.segments)-1 {
			n += l.mu.tail
		} else {
			n += s.size
		}
	}
	return n
}

// Close syncs what has been appended and closes the files. Later calls fail.
func (l *Log) Close() error {
	l.reclaim.Lock()
	defer l.reclaim.Unlock()
	err := l.Sync(l.Appended())
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.mu.syncing {
		l.mu.turn[l.mu.syncs%2].Wait()
	}
	if errors.Is(l.mu.err, errClosed) {
		return nil
	}
	l.mu.err = errors.Join(errClosed, l.mu.err)
	l.mu.turn[0].Broadcast()
	l.mu.turn[1].Broadcast()
	for _, s := range l.mu.segments {
		if s.file != nil {
			err = errors.Join(err, s.file.Close())
			s.file = nil
		}
	}
	return errors.Join(err, l.dir.Close())
}

// encodeEntries cuts entries into frames of a kind. Called with Group.mu and mu
// held; put is told where each entry (its header) is.
func (l *Log) encodeEntries(kind frameKind, group uint64, hs HardState, entries []raftpb.Entry, put func(e *raftpb.Entry, r entryRef)) {
	for len(entries) > 0 {
		n, size := 0, appendHeaderSize
		for n < len(entries) && (n == 0 || size+entryHeaderSize+len(entries[n].Data) <= maxFramePayload) {
			size += entryHeaderSize + len(entries[n].Data)
			n++
		}
		seg, off := l.appendFrame(kind, group, size, func(dst []byte) []byte {
			dst = appendHardState(dst, hs)
			for i := range entries[:n] {
				dst = appendEntry(dst, &entries[i])
			}
			return dst
		})
		off += appendHeaderSize
		for i := range entries[:n] {
			e := &entries[i]
			put(e, entryRef{term: e.Term, segment: uint32(seg.number), offset: uint32(off), length: uint32(len(e.Data))})
			off += entryHeaderSize + int64(len(e.Data))
		}
		entries = entries[n:]
		l.mu.entries += n
	}
}
