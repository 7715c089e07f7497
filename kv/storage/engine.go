package storage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/spanlite/spanlite/kv/keys"
)

// FormatVersion is the version of everything this program writes into an
// engine: key order, MVCC values, range-local items. It grows with every change
// that an older program would misread.
const FormatVersion = 1

// pebbleFormat is Pebble's own on-disk version. It is fixed here and not taken
// from the library, so that an upgrade of the library changes no files by
// itself.
const pebbleFormat = pebble.FormatValueSeparation

// formatKey holds FormatVersion as 4 bytes, big-endian, in every engine.
var formatKey = keys.StoreLocal("format")

// Engine is an open state engine. All methods are safe for concurrent use.
type Engine struct {
	db      *pebble.DB
	opts    *pebble.Options
	dir     string
	fs      vfs.FS
	cache   *pebble.Cache
	closers []io.Closer

	// rangeKeys is true if the engine may hold range tombstones. Invariant: it
	// is set before a batch that holds one is committed, and never unset while
	// open; readers that find it false iterate over point keys only.
	rangeKeys atomic.Bool
}

// Open opens the engine in o.Dir, or creates one if the folder is missing or
// empty. See the errors of this package.
func Open(o Options) (*Engine, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	if err := checkFolder(&o); err != nil {
		return nil, err
	}
	e := &Engine{dir: o.Dir}
	e.opts = e.pebbleOptions(&o)
	db, err := pebble.Open(o.Dir, e.opts)
	if err != nil {
		e.release()
		return nil, openError(&o, err)
	}
	e.db = db
	if err := e.checkFormat(); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// checkFolder refuses folders with files of someone else.
func checkFolder(o *Options) error {
	names, err := o.FS.List(o.Dir)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && len(names) == 0:
		if o.MustExist {
			return fmt.Errorf("storage: no store in %s: %w", o.Dir, fs.ErrNotExist)
		}
		return nil
	case err != nil:
		return fmt.Errorf("storage: list %s: %w", o.Dir, err)
	}
	desc, err := pebble.Peek(o.Dir, o.FS)
	if err != nil {
		return openError(o, err)
	}
	if desc.Exists {
		return nil
	}
	// A crash while creating the engine leaves some of its files but no manifest
	// that is marked as current.
	for _, name := range names {
		if name != "LOCK" && !strings.HasPrefix(name, "MANIFEST-") && !strings.HasPrefix(name, "OPTIONS-") &&
			!strings.HasPrefix(name, "marker.") && !strings.HasPrefix(name, "temporary.") {
			return &ForeignFolderError{Dir: o.Dir, Reason: fmt.Sprintf("it has a file %q and no manifest", name)}
		}
	}
	if o.MustExist {
		return fmt.Errorf("storage: no store in %s: %w", o.Dir, fs.ErrNotExist)
	}
	return nil
}

// openError turns an error of pebble.Open into one of ours.
func openError(o *Options, err error) error {
	text := err.Error()
	switch {
	case pebble.IsCorruptionError(err):
		return &CorruptionError{Path: o.Dir, Cause: err}
	case strings.Contains(text, "comparer name from"):
		return &ForeignFolderError{Dir: o.Dir, Reason: text}
	case strings.Contains(text, "unknown format major version"), strings.Contains(text, "unsupported format major version"):
		return &NewerFormatError{Dir: o.Dir, Cause: err}
	case strings.Contains(text, "lock held by"), strings.Contains(text, "resource temporarily unavailable"),
		strings.Contains(text, "being used by another process"):
		return &LockedError{Dir: o.Dir, Cause: err}
	}
	return fmt.Errorf("storage: open %s: %w", o.Dir, err)
}

// checkFormat reads the format record, writes it into a new engine, and notes
// whether range tombstones exist.
func (e *Engine) checkFormat() error {
	value, ok, err := e.Get(nil, formatKey)
	switch {
	case err != nil:
		return err
	case ok && len(value) != 4:
		return &CorruptionError{Path: e.dir, Cause: fmt.Errorf("format record %x", value)}
	case ok:
		if v := binary.BigEndian.Uint32(value); v > FormatVersion {
			return &NewerFormatError{Dir: e.dir, Found: v, Known: FormatVersion}
		}
	default:
		if empty, err := e.empty(); err != nil {
			return err
		} else if !empty {
			return &ForeignFolderError{Dir: e.dir, Reason: "it has data but no format record"}
		}
		b := e.NewBatch()
		defer b.Close()
		b.Put(formatKey, binary.BigEndian.AppendUint32(nil, FormatVersion))
		if err := b.Commit(); err != nil {
			return err
		}
		// Before any other data can become durable, for instance by ingestion.
		if err := e.Flush(); err != nil {
			return err
		}
	}
	return e.noteRangeKeys()
}

// noteRangeKeys sets rangeKeys if there are any. Pebble knows which tables hold
// some and looks at no others.
func (e *Engine) noteRangeKeys() error {
	if e.rangeKeys.Load() {
		return nil
	}
	it, err := e.db.NewIter(&pebble.IterOptions{KeyTypes: pebble.IterKeyTypeRangesOnly})
	if err != nil {
		return readError(err)
	}
	if it.First() {
		e.rangeKeys.Store(true)
	}
	return readError(it.Close())
}

func (e *Engine) empty() (bool, error) {
	it, err := e.db.NewIter(&pebble.IterOptions{KeyTypes: pebble.IterKeyTypePointsAndRanges})
	if err != nil {
		return false, err
	}
	empty := !it.First()
	return empty, it.Close()
}

func (e *Engine) pebbleOptions(o *Options) *pebble.Options {
	e.cache = pebble.NewCache(o.CacheBytes)
	fsys := o.FS
	if o.Events.DiskFull != nil {
		fsys = vfs.OnDiskFull(fsys, o.Events.DiskFull)
	}
	if o.SlowDisk > 0 {
		var closer io.Closer
		fsys, closer = vfs.WithDiskHealthChecks(fsys, o.SlowDisk, nil, func(i vfs.DiskSlowInfo) {
			if f := o.Events.DiskSlow; f != nil {
				f(i.Path, i.Duration)
			}
		})
		e.closers = append(e.closers, closer)
	}
	e.fs = fsys
	p := &pebble.Options{
		FS:                 fsys,
		Comparer:           Comparer,
		FormatMajorVersion: pebbleFormat,
		DisableWAL:         true,
		Cache:              e.cache,
		MaxOpenFiles:       o.MaxOpenFiles,
		MemTableSize:       uint64(o.MemTableBytes),
		// Commits stall when this many memtables wait for their flush.
		MemTableStopWritesThreshold: 4,
		// A point read pays for every sublevel of level 0, hence compact early
		// (read amplification 4 doubles its cost); the limit is kept low as well
		// since kv/store sheds load by Metrics().L0Sublevels long before it.
		L0CompactionThreshold:     2,
		L0CompactionFileThreshold: 500,
		L0StopWritesThreshold:     24,
		LBaseMaxBytes:             64 << 20,
		BlockPropertyCollectors:   []func() pebble.BlockPropertyCollector{newTimestampCollector},
		Logger:                    &pebbleLogger{log: o.Log, events: &o.Events, dir: o.Dir},
	}
	maxCompactions := o.MaxCompactions
	p.CompactionConcurrencyRange = func() (int, int) { return 1, maxCompactions }
	// Range tombstones in a memtable slow every scan down; flush them soon.
	p.FlushDelayRangeKey = flushDelay
	p.FlushDelayDeleteRange = flushDelay
	p.FlushSplitBytes = 10 << 20
	p.TargetFileSizes[0] = 4 << 20
	for i := range p.Levels {
		l := &p.Levels[i]
		l.BlockSize = 32 << 10
		l.IndexBlockSize = 256 << 10
		l.FilterPolicy = bloom.FilterPolicy(10)
		l.FilterType = pebble.TableFilter
		if i > 0 {
			l.EnsureL1PlusDefaults(&p.Levels[i-1])
		} else {
			l.EnsureL0Defaults()
		}
	}
	p.Experimental.FileCacheShards = 2
	// Ingested tables must be durable when the call returns; without a log they
	// cannot wait in the queue of memtables.
	p.Experimental.DisableIngestAsFlushable = func() bool { return true }
	listener := eventListener(o)
	p.EventListener = &listener
	return p
}

// release frees what Open took before Pebble did.
func (e *Engine) release() {
	e.cache.Unref()
	for _, c := range e.closers {
		_ = c.Close()
	}
}

// Close closes the engine. Iterators, snapshots and batches must be closed
// before. What was not flushed is lost, as in a crash: the log has it.
func (e *Engine) Close() error {
	err := e.db.Close()
	e.release()
	if err != nil {
		return fmt.Errorf("storage: close %s: %w", e.dir, err)
	}
	return nil
}

// Flush makes everything committed before the call durable.
func (e *Engine) Flush() error {
	if err := e.db.Flush(); err != nil {
		return fmt.Errorf("storage: flush: %w", err)
	}
	return nil
}

// FlushAsync starts a flush and returns a channel that is closed when it is
// done.
func (e *Engine) FlushAsync() (<-chan struct{}, error) {
	done, err := e.db.AsyncFlush()
	if err != nil {
		return nil, fmt.Errorf("storage: flush: %w", err)
	}
	return done, nil
}

// Checkpoint flushes and writes a consistent copy of the engine into dir, which
// must not exist. Files are linked where the file system allows.
func (e *Engine) Checkpoint(dir string) error {
	if err := e.Flush(); err != nil {
		return err
	}
	if err := e.db.Checkpoint(dir); err != nil {
		return fmt.Errorf("storage: checkpoint into %s: %w", dir, err)
	}
	return nil
}

// Compact rewrites the sorted tables that overlap span to the last level; for
// tests, benchmarks and an operator's request.
func (e *Engine) Compact(ctx context.Context, span keys.Span) error {
	return e.db.Compact(ctx, AppendKey(nil, span.Start), AppendKey(nil, span.End), true)
}

// FS returns the file system as the engine sees it, and Dir its folder in it.
func (e *Engine) FS() vfs.FS { return e.fs }

// Dir returns the engine's folder.
func (e *Engine) Dir() string { return e.dir }

// DiskBytes estimates the space that the versions of span take on disk.
func (e *Engine) DiskBytes(span keys.Span) (uint64, error) {
	return e.db.EstimateDiskUsage(AppendKey(nil, span.Start), AppendKey(nil, span.End))
}

// Metrics are the figures for admission and for the console.
type Metrics struct {
	DiskBytes       uint64 // all files
	MemTableBytes   uint64
	MemTables       int64 // including those that wait for a flush
	L0Sublevels     int   // a point read's cost grows with it
	L0Files         int64
	ReadAmp         int
	CompactionDebt  uint64 // bytes to be rewritten before the shape is right
	Compactions     int64  // since open
	Flushes         int64  // since open
	CacheBytes      int64
	CacheHits       int64
	CacheMisses     int64
	OpenIterators   int64
	PebbleRendering fmt.Stringer // everything, as a text
}

// Metrics returns the figures of this moment. It takes the engine's lock; call
// it some times a second at most.
func (e *Engine) Metrics() Metrics {
	m := e.db.Metrics()
	return Metrics{
		DiskBytes:       m.DiskSpaceUsage(),
		MemTableBytes:   m.MemTable.Size,
		MemTables:       m.MemTable.Count,
		L0Sublevels:     int(m.Levels[0].Sublevels),
		L0Files:         m.Levels[0].TablesCount,
		ReadAmp:         m.ReadAmp(),
		CompactionDebt:  m.Compact.EstimatedDebt,
		Compactions:     m.Compact.Count,
		Flushes:         m.Flush.Count,
		CacheBytes:      m.BlockCache.Size,
		CacheHits:       m.BlockCache.Hits,
		CacheMisses:     m.BlockCache.Misses,
		OpenIterators:   m.TableIters,
		PebbleRendering: m,
	}
}

// pebbleLogger gives Pebble's messages to slog, and its fatal errors to
// Events.Fatal.
type pebbleLogger struct {
	log    *slog.Logger
	events *Events
	dir    string
}

func (l *pebbleLogger) Infof(format string, args ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug(fmt.Sprintf(format, args...))
	}
}

func (l *pebbleLogger) Errorf(format string, args ...any) {
	l.log.Error(fmt.Sprintf(format, args...))
}

func (l *pebbleLogger) Fatalf(format string, args ...any) {
	err := fmt.Errorf("storage: %s: "+format, append([]any{l.dir}, args...)...)
	if f := l.events.Fatal; f != nil {
		f(err)
	}
	panic(err)
}
