package storage

import (
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// flushDelay is how long a range tombstone stays in a memtable.
const flushDelay = 10 * time.Second

// eventListener translates Pebble's events to Events.
func eventListener(o *Options) pebble.EventListener {
	ev := o.Events
	var l pebble.EventListener
	if ev.Flushed != nil {
		l.FlushEnd = func(i pebble.FlushInfo) {
			if i.Err == nil {
				ev.Flushed()
			}
		}
	}
	if ev.Compacted != nil {
		l.CompactionEnd = func(i pebble.CompactionInfo) { ev.Compacted(i.TotalDuration) }
	}
	if ev.WriteStall != nil {
		l.WriteStallBegin = func(i pebble.WriteStallBeginInfo) { ev.WriteStall(true, i.Reason) }
		l.WriteStallEnd = func() { ev.WriteStall(false, "") }
	}
	if ev.LowDisk != nil {
		l.LowDiskSpace = func(i pebble.LowDiskSpaceInfo) { ev.LowDisk(i.AvailBytes, i.TotalBytes) }
	}
	l.DataCorruption = func(i pebble.DataCorruptionInfo) {
		if ev.Corruption != nil {
			ev.Corruption(&CorruptionError{Path: i.Path, Cause: i.Details})
		}
	}
	l.BackgroundError = func(err error) {
		// An iterator or a compaction that meets damaged data reports it here
		// too; it shall be told apart from a full disk.
		if pebble.IsCorruptionError(err) && ev.Corruption != nil {
			ce := &CorruptionError{Path: o.Dir, Cause: err}
			if info := pebble.ExtractDataCorruptionInfo(err); info != nil {
				ce.Path = info.Path
			}
			ev.Corruption(ce)
			return
		}
		if ev.BackgroundError != nil && !errors.Is(err, pebble.ErrCancelledCompaction) {
			ev.BackgroundError(err)
		}
	}
	return l
}
