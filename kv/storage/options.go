package storage

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options configures an engine.
type Options struct {
	// FS holds the files. It is required: vfs.Default, a vfs.NewMem(), or a
	// crashable or faulty file system of a test.
	FS vfs.FS
	// Dir is the engine's folder in FS. It is created if need be.
	Dir string
	// MustExist makes Open fail with a fs.ErrNotExist if Dir holds no engine.
	MustExist bool

	// CacheBytes bounds the block cache. Default 64 MiB; a quarter of the memory
	// is right for a node that owns its machine. The cache is outside of Go's
	// heap and is taken as it fills.
	CacheBytes int64
	// MemTableBytes is the size of one memtable, at most four of which exist.
	// Default 64 MiB. Memtables start at 256 KiB and double.
	MemTableBytes int64
	// MaxCompactions bounds compactions that run at one time. Default 2.
	MaxCompactions int
	// MaxOpenFiles bounds open sorted tables. Default 1000.
	MaxOpenFiles int

	// SlowDisk is how long one file operation may take before Events.DiskSlow;
	// 0 switches the watch (a goroutine for each open file) off.
	SlowDisk time.Duration

	// Events receives what an operator would care about.
	Events Events
	// Log receives Pebble's own messages at debug level; nil drops them.
	Log *slog.Logger
}

func (o *Options) withDefaults() Options {
	c := *o
	if c.CacheBytes == 0 {
		c.CacheBytes = 64 << 20
	}
	if c.MemTableBytes == 0 {
		c.MemTableBytes = 64 << 20
	}
	if c.MaxCompactions == 0 {
		c.MaxCompactions = 2
	}
	if c.MaxOpenFiles == 0 {
		c.MaxOpenFiles = 1000
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate reports the first field with an impossible value.
func (o *Options) Validate() error {
	switch {
	case o.FS == nil:
		return errors.New("storage: Options.FS is not set")
	case o.CacheBytes < 0:
		return fmt.Errorf("storage: Options.CacheBytes is %d", o.CacheBytes)
	case o.MemTableBytes < 0 || o.MemTableBytes > 2<<30:
		return fmt.Errorf("storage: Options.MemTableBytes is %d, outside of [0, 2 GiB]", o.MemTableBytes)
	case o.MaxCompactions < 0:
		return fmt.Errorf("storage: Options.MaxCompactions is %d", o.MaxCompactions)
	case o.MaxOpenFiles < 0:
		return fmt.Errorf("storage: Options.MaxOpenFiles is %d", o.MaxOpenFiles)
	}
	return nil
}

// Events are callbacks; any may be nil. They run on the engine's goroutines and
// must neither block nor call the engine.
type Events struct {
	// Flushed: a memtable has become durable. What GetDurable returns may have
	// moved.
	Flushed func()
	// Compacted: a compaction has ended.
	Compacted func(d time.Duration)
	// WriteStall: commits wait for flushes or compactions (begin), or go on.
	WriteStall func(begin bool, reason string)
	// DiskFull: a write has failed for want of space.
	DiskFull func()
	// LowDisk: little space is left.
	LowDisk func(availableBytes, totalBytes uint64)
	// DiskSlow: a file operation takes longer than Options.SlowDisk.
	DiskSlow func(path string, d time.Duration)
	// Corruption: data on disk are damaged. The store must stop serving.
	Corruption func(*CorruptionError)
	// BackgroundError: a flush or compaction has failed and will be tried again.
	BackgroundError func(error)
	// Fatal: the engine cannot go on (the manifest cannot be written). The
	// process must end; if Fatal is nil or returns, the engine panics.
	Fatal func(error)
}
