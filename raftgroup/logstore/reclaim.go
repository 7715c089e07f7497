package logstore

import (
	"errors"
	"fmt"

	"go.etcd.io/raft/v3/raftpb"
)

// maxFree is how many recycled files are kept.
const maxFree = 2

// Reclaim frees the oldest segments as far as they hold nothing but what groups
// have truncated, up to a share of straggling live entries, which are written
// forward: stragglers is that share of a segment, 0 to 1. It returns how many
// segments were freed. What is the newest segment when it begins stays: otherwise
// it would follow for ever what it writes forward itself.
func (l *Log) Reclaim(stragglers float64) (freed int, err error) {
	l.reclaim.Lock()
	defer l.reclaim.Unlock()
	var newest uint64
	l.mu.Lock()
	if n := len(l.mu.segments); n > 0 {
		newest = l.mu.segments[n-1].number
	}
	l.mu.Unlock()
	for {
		l.mu.Lock()
		if l.mu.err != nil || len(l.mu.segments) < 2 || l.mu.segments[0].number >= newest {
			err := l.mu.err
			l.mu.Unlock()
			return freed, err
		}
		seg := l.mu.segments[0]
		l.mu.Unlock()
		if l.liveBytes(seg.number) > int64(stragglers*float64(seg.size)) {
			return freed, nil
		}
		if err := l.free(seg); err != nil {
			return freed, err
		}
		freed++
	}
}

// Roll ends the newest segment, so that Reclaim can get at it once something is
// written behind. For tests and tools.
func (l *Log) Roll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.mu.segments); n > 0 && l.mu.tail < l.mu.segments[n-1].size {
		l.seal(l.mu.segments[n-1])
		l.mu.tail = l.mu.segments[n-1].size
	}
}

// liveBytes returns the size of the live entries in segments up to number.
func (l *Log) liveBytes(number uint64) int64 {
	var n int64
	for _, g := range l.Groups() {
		g.mu.Lock()
		if g.mu.firstAppend != 0 && g.mu.firstAppend <= number {
			for _, r := range g.mu.refs {
				if uint64(r.segment) <= number {
					n += entryHeaderSize + int64(r.length)
				}
			}
		}
		g.mu.Unlock()
	}
	return n
}

// free moves what is live in the oldest segment forward, makes that durable and
// recycles the file (L4).
func (l *Log) free(seg *segment) error {
	for _, g := range l.Groups() {
		if err := g.forward(seg.number); err != nil {
			return err
		}
	}
	l.mu.Lock()
	for key, b := range l.mu.blobs {
		if b.segment <= seg.number {
			to, _ := l.appendFrame(kindBlob, key, len(b.data), func(dst []byte) []byte { return append(dst, b.data...) })
			l.mu.blobs[key] = blob{b.data, to.number}
		}
	}
	pos := l.mu.appended
	l.mu.Unlock()
	if err := l.Sync(pos); err != nil {
		return err
	}

	l.mu.Lock()
	l.mu.segments = l.mu.segments[1:]
	keep := len(l.mu.free) < maxFree && seg.size == l.opts.SegmentSize
	seg.chunks = nil
	file := seg.file
	l.mu.Unlock()

	err := file.Close()
	if keep {
		free := seg.name[:len(seg.name)-len(segmentSuffix)] + freeSuffix
		err = errors.Join(err, l.opts.FS.Rename(l.path(seg.name), l.path(free)))
		defer func() {
			l.mu.Lock()
			l.mu.free = append(l.mu.free, free)
			l.mu.Unlock()
		}()
	} else {
		err = errors.Join(err, l.opts.FS.Remove(l.path(seg.name)))
	}
	// The directory is synced before the next segment goes, so that what a crash
	// brings back is at most the oldest one, next to its successor.
	err = errors.Join(err, l.dir.Sync())
	if err != nil {
		return fmt.Errorf("logstore: free %s: %w", seg.name, err)
	}
	return nil
}

// forward writes again what the group has in segments up to number.
func (g *Group) forward(number uint64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	old := g.mu.firstAppend != 0 && g.mu.firstAppend <= number
	if !old && g.mu.stateSegment > number || g.mu.stateSegment == 0 {
		return nil
	}
	// The state goes first: replay then drops the entries that it truncates, and a
	// relocated entry fills in what has gone with its segment.
	g.writeState(false)
	if !old {
		return nil
	}
	t := g.mu.state.TruncatedIndex
	for i := 0; i < len(g.mu.refs); {
		if uint64(g.mu.refs[i].segment) > number {
			i++
			continue
		}
		j := i
		var batch []raftpb.Entry
		size := 0
		for j < len(g.mu.refs) && uint64(g.mu.refs[j].segment) <= number && size < maxFramePayload {
			size += int(g.mu.refs[j].length)
			j++
		}
		batch, err := g.entries(batch, t+1+uint64(i), t+1+uint64(j))
		if err != nil {
			return err
		}
		l := g.log
		l.mu.Lock()
		l.encodeEntries(kindRelocate, uint64(g.id), g.mu.state.Hard, batch, func(e *raftpb.Entry, r entryRef) {
			g.mu.refs[i] = r
			i++
			g.mu.lastAppend = uint64(r.segment)
		})
		l.mu.Unlock()
	}
	g.mu.firstAppend = 0
	if g.mu.lastAppend > number {
		g.mu.firstAppend = number + 1
	}
	return nil
}
