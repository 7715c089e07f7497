package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/spanlite/spanlite/kv/keys"
)

// TableWriter writes one sorted table that Ingest and Replace accept:
// strictly ascending engine keys within the table.
type TableWriter struct {
	w    *sstable.Writer
	size uint64
}

// NewTableWriter creates the file path in fs.
func (e *Engine) NewTableWriter(fs vfs.FS, path string) (*TableWriter, error) {
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, fmt.Errorf("storage: create table: %w", err)
	}
	o := e.opts.MakeWriterOptions(6, e.db.TableFormat())
	return &TableWriter{w: sstable.NewWriter(objstorageprovider.NewFileWritable(f), o)}, nil
}

// Set adds an engine key (AppendKey, AppendVersion) with its value.
func (w *TableWriter) Set(engineKey, value []byte) error {
	w.size += uint64(len(engineKey) + len(value))
	return w.w.Set(engineKey, value)
}

// ClearSpan makes the table remove what the engine holds in span when it is
// ingested; the table's own content is not affected.
func (w *TableWriter) ClearSpan(span keys.Span) error {
	start, end := AppendKey(nil, span.Start), AppendKey(nil, span.End)
	return errors.Join(w.w.DeleteRange(start, end), w.w.RangeKeyDelete(start, end))
}

// Close completes and syncs the file.
func (w *TableWriter) Close() error {
	if err := w.w.Close(); err != nil {
		return fmt.Errorf("storage: finish table: %w", err)
	}
	return nil
}

// ExportOptions configures Export.
type ExportOptions struct {
	// FS and Path say where table number n goes.
	FS   vfs.FS
	Path func(n int) string
	// TargetBytes is the size of keys and values after which a new table is
	// begun. Default 16 MiB.
	TargetBytes uint64
	// Clear makes the tables remove what the ingesting engine holds in spans.
	Clear bool
	// Pace, if set, is called for about every 64 KiB with the bytes read since
	// the last call; it may wait, and its error ends the export.
	Pace func(bytes int) error
}

// Export writes everything in the spans, which ascend and do not overlap, as a
// sequence of sorted tables, and returns their paths (also those of an export
// that failed, to be removed).
func (e *Engine) Export(ctx context.Context, r Reader, spans []keys.Span, o ExportOptions) (paths []string, err error) {
	if o.TargetBytes == 0 {
		o.TargetBytes = 16 << 20
	}
	x := exporter{e: e, o: &o}
	defer func() {
		if x.w != nil {
			err = errors.Join(err, x.w.Close())
		}
		paths = x.paths
	}()
	for _, span := range spans {
		if err := x.span(ctx, r, span); err != nil {
			return nil, fmt.Errorf("storage: export [%x, %x): %w", span.Start, span.End, err)
		}
	}
	return nil, nil
}

// An exporter cuts the spans into tables, each of which owns an interval of
// prefixes that no other table touches: Pebble ingests only tables that do not
// overlap, their range deletions included.
type exporter struct {
	e     *Engine
	o     *ExportOptions
	w     *TableWriter
	paths []string
	read  int
}

func (x *exporter) open() error {
	path := x.o.Path(len(x.paths))
	w, err := x.e.NewTableWriter(x.o.FS, path)
	if err != nil {
		return err
	}
	x.w, x.paths = w, append(x.paths, path)
	return nil
}

func (x *exporter) span(ctx context.Context, r Reader, span keys.Span) (err error) {
	end := AppendKey(nil, span.End)
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: AppendKey(nil, span.Start), UpperBound: end})
	if err != nil {
		return readError(err)
	}
	defer func() { err = errors.Join(err, readError(it.Close())) }()

	start := AppendKey(nil, span.Start) // of the open table's interval
	var prefix []byte                   // of the last key written
	for it.First(); it.Valid(); it.Next() {
		ek := it.Key()
		p := ek[:split(ek)]
		newPrefix := !bytes.Equal(p, prefix)
		if x.w != nil && newPrefix && x.w.size >= x.o.TargetBytes {
			if err := x.finish(r, start, p); err != nil {
				return err
			}
			start = append(start[:0], p...)
		}
		if newPrefix {
			prefix = append(prefix[:0], p...)
		}
		if x.w == nil {
			if err := x.open(); err != nil {
				return err
			}
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return readError(err)
		}
		if err := x.w.Set(ek, value); err != nil {
			return err
		}
		if x.read += len(ek) + len(value); x.read >= 64<<10 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if x.o.Pace != nil {
				if err := x.o.Pace(x.read); err != nil {
					return err
				}
			}
			x.read = 0
		}
	}
	if err := it.Error(); err != nil {
		return readError(err)
	}
	return x.finish(r, start, end)
}

// finish completes the table of the interval [start, end) with its clearing and
// its range tombstones. Ingested entries share one sequence number, at which a
// range deletion does not hide points nor a range key deletion range keys.
func (x *exporter) finish(r Reader, start, end []byte) error {
	if x.o.Clear {
		if x.w == nil {
			if err := x.open(); err != nil {
				return err
			}
		}
		if err := errors.Join(x.w.w.DeleteRange(start, end), x.w.w.RangeKeyDelete(start, end)); err != nil {
			return err
		}
	}
	if r.MayHaveRangeTombstones() {
		if err := x.rangeTombstones(r, start, end); err != nil {
			return err
		}
	}
	if x.w == nil {
		return nil
	}
	w := x.w
	x.w = nil
	return w.Close()
}

func (x *exporter) rangeTombstones(r Reader, start, end []byte) error {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: start, UpperBound: end, KeyTypes: pebble.IterKeyTypeRangesOnly})
	if err != nil {
		return readError(err)
	}
	for it.First(); it.Valid(); it.Next() {
		from, to := it.RangeBounds()
		for _, rk := range it.RangeKeys() {
			if x.w == nil {
				err = x.open()
			}
			if err == nil {
				err = x.w.w.RangeKeySet(from, to, rk.Suffix, rk.Value)
			}
			if err != nil {
				return errors.Join(err, it.Close())
			}
		}
	}
	return readError(it.Close())
}

// Replace ingests the tables of an Export with Clear, and removes everything
// else in excise, at once and durably: after a crash either the old state or the
// new one is there. The excise span covers the bulk of the replaced data, whose
// files are dropped whole; spans outside of it are cleared by the tables. Nobody
// reads the spans before Replace has returned.
func (e *Engine) Replace(ctx context.Context, paths []string, excise keys.Span) error {
	kr := pebble.KeyRange{Start: AppendKey(nil, excise.Start), End: AppendKey(nil, excise.End)}
	if _, err := e.db.IngestAndExcise(ctx, paths, nil, nil, kr); err != nil {
		return fmt.Errorf("storage: replace: %w", err)
	}
	return e.noteRangeKeys()
}

// Ingest adds sorted tables to the engine at once, durably. They must not
// overlap each other. The files are linked into the engine's folder and removed
// from where they were. Nobody reads their span before Ingest has returned.
func (e *Engine) Ingest(ctx context.Context, paths []string) error {
	if err := e.db.Ingest(ctx, paths); err != nil {
		return fmt.Errorf("storage: ingest: %w", err)
	}
	return e.noteRangeKeys()
}

// Excise removes everything in span at once, durably, without writing
// tombstones.
func (e *Engine) Excise(ctx context.Context, span keys.Span) error {
	kr := pebble.KeyRange{Start: AppendKey(nil, span.Start), End: AppendKey(nil, span.End)}
	if err := e.db.Excise(ctx, kr); err != nil {
		return fmt.Errorf("storage: excise: %w", err)
	}
	return nil
}
