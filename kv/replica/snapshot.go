package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/storage"
	"github.com/spanlite/spanlite/raftgroup"
)

// snapshotBytes is the size of one sorted table of a snapshot: small enough to be
// sent again after an interruption.
const snapshotBytes = 16 << 20

// snapshotSeq tells the temporary files of this process apart.
var snapshotSeq atomic.Uint64

// snapshotSource is an image on its way: a snapshot of the engine, written as
// sorted tables when the first of them is asked for.
type snapshotSource struct {
	r     *Replica
	snap  *storage.Snapshot
	meta  raftgroup.SnapshotMeta
	spans []keys.Span
	seq   uint64
	paths []string
	done  bool
}

// CreateSnapshot implements raftgroup.StateMachine. SnapshotMeta.Data is the
// encoded descriptor.
func (r *Replica) CreateSnapshot() (raftgroup.SnapshotSource, error) {
	d := r.desc.Load()
	if d == nil {
		return nil, fmt.Errorf("replica: snapshot of %s, which has no state", r.cfg.RangeID)
	}
	s := &snapshotSource{r: r, snap: r.cfg.Engine.NewSnapshot(), seq: snapshotSeq.Add(1)}
	// Called between two applications, so engine and memory agree.
	r.mu.Lock()
	s.meta = raftgroup.SnapshotMeta{Group: r.cfg.RangeID, Index: r.mu.state.index, Term: r.mu.state.term,
		Members: r.mu.members, Data: d.Encode(nil)}
	r.mu.Unlock()
	spans := keys.ReplicatedSpans(d.RangeID, d.Start, d.End)
	s.spans = spans[:]
	return s, nil
}

// Meta implements raftgroup.SnapshotSource.
func (s *snapshotSource) Meta() raftgroup.SnapshotMeta { return s.meta }

// WriteFile implements raftgroup.SnapshotSource.
func (s *snapshotSource) WriteFile(n int, w io.Writer) error {
	fs := s.r.cfg.Engine.FS()
	if !s.done {
		if err := fs.MkdirAll(s.r.cfg.TempDir, 0o755); err != nil {
			return err
		}
		paths, err := s.r.cfg.Engine.Export(context.Background(), s.snap, s.spans, storage.ExportOptions{
			FS:          fs,
			Path:        func(n int) string { return fs.PathJoin(s.r.cfg.TempDir, fmt.Sprintf("snap-%d-%d.sst", s.seq, n)) },
			TargetBytes: snapshotBytes,
			Clear:       true,
		})
		s.paths = paths
		if err != nil {
			return err
		}
		s.done = true
	}
	if n >= len(s.paths) {
		return io.EOF
	}
	f, err := fs.Open(s.paths[n], vfs.SequentialReadsOption)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return errors.Join(err, f.Close())
}

// Close implements raftgroup.SnapshotSource.
func (s *snapshotSource) Close() error {
	var errs []error
	for _, p := range s.paths {
		errs = append(errs, s.r.cfg.Engine.FS().Remove(p))
	}
	s.paths = nil
	return errors.Join(append(errs, s.snap.Close())...)
}

// ApplySnapshot implements raftgroup.StateMachine: one ingestion replaces the
// replica's spans, its applied index included, so that a crash leaves the old
// state or the new one.
func (r *Replica) ApplySnapshot(meta raftgroup.SnapshotMeta, files []string) error {
	d := new(kv.RangeDescriptor)
	if err := d.Decode(meta.Data); err != nil {
		return fmt.Errorf("replica: snapshot of %s: %w", r.cfg.RangeID, err)
	}
	if d.RangeID != r.cfg.RangeID {
		return fmt.Errorf("replica: snapshot of %s for %s", d.RangeID, r.cfg.RangeID)
	}
	if f := r.cfg.Hooks.BeforeSnapshot; f != nil {
		if err := f(r, d); err != nil {
			return err
		}
	}
	old := r.desc.Load()
	if err := r.cfg.Engine.Replace(context.Background(), files, keys.Span{Start: d.Start, End: d.End}); err != nil {
		return fmt.Errorf("replica: snapshot of %s: %w", r.cfg.RangeID, err)
	}
	loaded, members, s, ok, err := load(r.cfg.Engine, r.cfg.RangeID)
	if err == nil && !ok {
		err = errors.New("no state in it")
	}
	if err == nil && s.index != meta.Index {
		err = fmt.Errorf("state at index %d, announced at %d", s.index, meta.Index)
	}
	if err != nil {
		return fmt.Errorf("replica: snapshot of %s: %w", r.cfg.RangeID, err)
	}
	// What the replica had to the right of its new end was split off before the
	// snapshot was made, and nobody on this store has it: the store lets no
	// replica overlap this one.
	if old != nil && string(old.End) > string(loaded.End) {
		b := r.cfg.Engine.NewBatch()
		defer b.Close()
		for _, span := range replicatedData(loaded.End, old.End) {
			b.ClearSpan(span)
		}
		if err := b.Commit(); err != nil {
			return err
		}
	}
	r.install(loaded, members, s)
	if f := r.cfg.Hooks.DescriptorChanged; f != nil {
		f(r, loaded)
	}
	return nil
}

// replicatedData returns the engine spans of what is addressed by [start, end).
func replicatedData(start, end keys.Key) [3]keys.Span {
	s := keys.ReplicatedSpans(0, start, end)
	return [3]keys.Span(s[1:])
}
