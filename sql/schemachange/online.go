package schemachange

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/rowenc"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// An index is built while its table is read and written, in transactions of its own and
// without a fence, by the states of F1 (Rae et al., "Online, Asynchronous Schema Change in
// F1", VLDB 2013). Each step is one version of the table:
//
//	delete-only  who removes a row removes its entry, nobody enters any
//	write-only   every write of a row maintains its entry; the backfill enters the
//	             rows from before, chunk by chunk
//	validating   as before; the index is complete
//	public       read
//
// After each step drain waits until no transaction of any node uses an earlier version, so
// that two adjacent ones at most are in use. Nobody waits for the build; it waits for those
// who used the table before, as CREATE INDEX CONCURRENTLY of PostgreSQL does.
//
// Why the index is complete: let r be a row that is there when the build ends. If it was
// written by a transaction that knew the index as write-only, that has written the entry
// e(r). All others had ended when the backfill began, so a chunk has read r and written
// e(r), in one serializable transaction. From then on e(r) is removed or moved by those who
// remove or change r only. For a unique index that takes care: a row d whose entry is not
// there yet may share its key with r, and removing d must not remove e(r); hence writers
// look whose entry it is before they touch it, as long as the index is not public (package
// exec, writer.ownsEntry). A chunk that meets another row's entry at its key has found a
// duplicate, and the build fails.
//
// Why it has nothing else: an entry is written in the transaction that read or wrote its
// row, and whoever removes the row meanwhile knows the index as delete-only at least, and
// removes the entry.
//
// A transaction whose snapshot is older than the entries must not read the index. The drain
// of "validating" waits for those that have used the table, and Table.ValidFrom moves up or
// turns away the others.
//
// The job (job.go) says that the build is under way. All there is to know is in the
// table's descriptor and in the job, so that another process can go on when this one ends.

const (
	// chunkRows is how many rows one transaction of a backfill takes at most. After a
	// conflict with a writer it takes fewer.
	chunkRows = 1024
	// lockRows is below how many rows a chunk that keeps meeting writers locks the rows.
	lockRows = 16
	// saveInterval is how often the state of a backfill is written down.
	saveInterval = time.Second
	// smallRows is up to how many rows of a table a statement goes through under a fence,
	// which is quicker, if the fence is to be had within smallFenceWait.
	smallRows      = 1000
	smallFenceWait = 250 * time.Millisecond
	// otherPoll is how often a job is looked at that another process has taken over.
	otherPoll = 200 * time.Millisecond
	// cleanupTimeout bounds the removal of what a failed statement has begun.
	cleanupTimeout = 30 * time.Second
)

// transact runs fn as a statement in a transaction of its own and commits it. Without a
// session, fn must not bind expressions.
func (e *Executor) transact(ctx context.Context, s Session, stmt ast.Statement, fn func(x *statement) error) error {
	var coll *catalog.Collection
	end := func() {
		if coll != nil {
			coll.Release()
		}
	}
	err := e.cfg.DB.Run(ctx, func(ctx context.Context, txn catalog.Txn) error {
		end()
		coll = catalog.NewCollection(e.cfg.Source, e.cfg.DB, txn)
		if s != nil {
			coll.Path = s.Catalog().Path
		}
		if err := fn(&statement{e: e, s: s, coll: coll, ctx: ctx, direct: true}); err != nil {
			return err
		}
		if s != nil {
			if err := s.Permit(stmt, coll); err != nil {
				return err
			}
		}
		if err := e.BeforeCommit(ctx, coll); err != nil {
			return err
		}
		if err := e.cfg.Source.Check(); err != nil {
			return err
		}
		return coll.Check()
	})
	defer end()
	if err == nil {
		return e.AfterCommit(ctx, coll)
	}
	if _, unknown := errors.AsType[*kv.AmbiguousError](err); unknown {
		e.AfterUnknown(coll)
	}
	return err
}

// drain waits until no transaction of any node uses a version of the table before the
// present one.
func (e *Executor) drain(ctx context.Context, table catalog.ID) error {
	t, _ := e.cfg.Source.Snapshot().ByID(table).(*catalog.Table)
	if t == nil {
		return nil
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return t.AwaitPredecessors(groupCtx, t.Version) })
	if e.cfg.Peers != nil {
		group.Go(func() error { return e.cfg.Peers.Drain(groupCtx, table, t.Version) })
	}
	return group.Wait()
}

// quickly runs a statement under a fence if the table is small and not in use for long;
// done false says that it has to be done beside those who use it.
func (x *statement) quickly(stmt ast.Statement, t *catalog.Table, fn func(x *statement) error) (done bool, err error) {
	b := kv.Batch{Header: kv.Header{ReadTS: x.e.cfg.DB.Now()}}
	span := t.IndexSpan(&t.Primary)
	b.Ops = []kv.Op{{Kind: kv.OpScan, Key: span.Start, EndKey: span.End, MaxRows: smallRows + 1, Rows: new(kv.Rows)}}
	if err := x.e.cfg.DB.Send(x.ctx, &b); err != nil {
		return true, err
	}
	if b.Ops[0].Rows.Count > smallRows {
		return false, nil
	}
	err = x.e.transact(x.ctx, x.s, stmt, func(y *statement) error {
		y.fenceWait = smallFenceWait
		return fn(y)
	})
	switch sqlstate.CodeOf(err) {
	case sqlstate.LockNotAvailable, sqlstate.CannotConnectNow:
		return false, nil // in use, or a node does not answer: the long way is patient
	}
	return true, err
}

// begin runs fn, which makes the first step of a job and returns it, and then the job.
func (x *statement) begin(stmt ast.Statement, fn func(y *statement) (*job, error)) error {
	var j *job
	err := x.e.transact(x.ctx, x.s, stmt, func(y *statement) (err error) {
		if j != nil {
			x.e.letGo(j) // of an attempt before
			j = nil
		}
		y.unfenced = true
		j, err = fn(y)
		if j == nil || err != nil {
			return err
		}
		return y.coll.Txn().Put(y.ctx, j.key(), j.encode())
	})
	if j == nil {
		return err
	}
	defer x.e.letGo(j)
	if err != nil {
		return err
	}
	return x.e.run(x.ctx, j)
}

// createIndexOnline is CREATE INDEX beside writers.
func (x *statement) createIndexOnline(stmt *ast.CreateIndex) error {
	return x.begin(stmt, func(y *statement) (*job, error) {
		t, err := y.indexTable(stmt)
		if t == nil || err != nil {
			return nil, err
		}
		ix, err := y.newIndex(t, stmt)
		if err != nil {
			return nil, err
		}
		t.Indexes = append(t.Indexes, *ix)
		return y.attach(t, 0)
	})
}

// attach makes the last index of t, which is new, delete-only, and a job of it.
func (x *statement) attach(t *catalog.Table, flags jobFlags) (*job, error) {
	ix := &t.Indexes[len(t.Indexes)-1]
	ix.State = catalog.IndexDeleteOnly
	j, err := x.e.newJob(x.ctx, jobIndex)
	if err != nil {
		return nil, err
	}
	j.table, j.object, j.flags = t.ID, ix.OID, flags
	return j, x.coll.Put(x.ctx, t)
}

// errIndexGone: another schema change has dropped the index, or the table.
func errIndexGone() error {
	return sqlstate.New(sqlstate.ObjectNotInPrereqState, "the index was dropped while it was being built")
}

// indexOf returns the index of a job in the present version of its table.
func (e *Executor) indexOf(j *job) (*catalog.Table, *catalog.Index, error) {
	t, _ := e.cfg.Source.Snapshot().ByID(j.table).(*catalog.Table)
	if t == nil || t.IndexByOID(j.object) == nil {
		return nil, nil, errIndexGone()
	}
	return t, t.IndexByOID(j.object), nil
}

// buildIndex takes the index of a job from the state it is in to the last.
func (e *Executor) buildIndex(ctx context.Context, j *job) error {
	for {
		_, ix, err := e.indexOf(j)
		if err != nil {
			return err
		}
		state := ix.State
		if state == catalog.IndexPublic {
			return nil
		}
		if err := e.drain(ctx, j.table); err != nil {
			return err
		}
		if state == catalog.IndexWriteOnly {
			b := &backfill{e: e, job: j}
			if err = b.run(ctx); err == nil {
				j.validFrom = e.cfg.DB.Now()
			}
		}
		if err == nil {
			err = e.advance(ctx, j, state)
		}
		switch {
		case err == nil:
		case errors.Is(err, errJobTaken):
			return e.awaitOther(ctx, func() (bool, error) {
				_, ix, err := e.indexOf(j)
				return err == nil && ix.State == catalog.IndexPublic, err
			})
		default:
			if _, unknown := errors.AsType[*kv.AmbiguousError](err); !unknown {
				return err
			}
			if err := e.cfg.Source.Refresh(ctx); err != nil {
				return err
			}
		}
	}
}

// awaitOther waits until another process has done a job.
func (e *Executor) awaitOther(ctx context.Context, done func() (bool, error)) error {
	for {
		if err := e.cfg.Source.Refresh(ctx); err != nil {
			return err
		}
		if ok, err := done(); ok || err != nil {
			return err
		}
		timer := time.NewTimer(otherPoll/2 + rand.N(otherPoll))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}

// advance takes the index one state further, if it is still in the given one.
func (e *Executor) advance(ctx context.Context, j *job, from catalog.IndexState) error {
	return e.transact(ctx, nil, nil, func(x *statement) error {
		txn := x.coll.Txn()
		if err := hold(x.ctx, txn, j); err != nil {
			return err
		}
		t, err := x.lockTable(j.table)
		if err != nil {
			return err
		}
		ix := t.IndexByOID(j.object)
		if ix == nil {
			return errIndexGone()
		}
		if ix.State != from {
			return nil
		}
		switch from {
		case catalog.IndexDeleteOnly:
			ix.State = catalog.IndexWriteOnly
		case catalog.IndexWriteOnly:
			ix.State = catalog.IndexValidating
			if err := txn.Put(x.ctx, j.key(), j.encode()); err != nil {
				return err
			}
		case catalog.IndexValidating:
			ix.State = catalog.IndexPublic
			t.ValidFrom = max(t.ValidFrom, j.validFrom)
			if j.flags&jobUnique != 0 {
				ix.Constraint = 'u'
				if ix.ConstraintOID, err = x.newID(); err != nil {
					return err
				}
			}
			if err := txn.Delete(x.ctx, j.key()); err != nil {
				return err
			}
		}
		return x.coll.Put(x.ctx, t)
	})
}

// removeIndex takes an index out whose build has failed, and deletes the job. Writers that
// still know the index go on with it; nobody reads it.
func (e *Executor) removeIndex(ctx context.Context, j *job) error {
	return e.transact(ctx, nil, nil, func(x *statement) error {
		if err := hold(x.ctx, x.coll.Txn(), j); err != nil {
			return err
		}
		if err := x.coll.Txn().Delete(x.ctx, j.key()); err != nil {
			return err
		}
		d, err := x.coll.Mutable(x.ctx, j.table)
		if d == nil || err != nil {
			return err
		}
		t, ok := d.(*catalog.Table)
		if !ok {
			return errJob
		}
		if ix := t.IndexByOID(j.object); ix == nil || ix.State == catalog.IndexPublic {
			return nil
		}
		t.Indexes = slices.DeleteFunc(t.Indexes, func(ix catalog.Index) bool { return ix.OID == j.object })
		return x.coll.Put(x.ctx, t)
	})
}

// backfill enters the rows of a table in an index that is write-only.
type backfill struct {
	e   *Executor
	job *job

	// These are of one version of the table.
	t       *catalog.Table
	ix      *catalog.Index
	codec   *rowenc.Codec
	decoder *rowenc.Decoder
	// ords are the columns that the index depends on, rows are laid out as the table.
	ords   []int
	row    types.Row
	writer *indexWriter

	// next is where the next chunk begins, nil at the end.
	next  keys.Key
	limit int
	saved time.Time
}

// version takes up the present version of the table. If another schema change has given
// the index or the rows new ids, the backfill begins again.
func (b *backfill) version(ctx context.Context) error {
	t, ix, err := b.e.indexOf(b.job)
	if err != nil || t == b.t {
		return err
	}
	x := b.e.work(ctx, 0)
	x.coll.Path = catalog.SearchPath{Database: t.Database, Schemas: []string{x.schemaName(t.Schema), "public"}}
	codec := rowenc.Of(t)
	w, err := x.newIndexWriter(t, codec, ix)
	if err != nil {
		return err
	}
	span := t.IndexSpan(&t.Primary)
	switch {
	case b.t == nil && span.Contains(b.job.next):
		b.next = b.job.next
	case b.t == nil || b.t.Primary.ID != t.Primary.ID || b.ix.ID != ix.ID:
		b.next, b.job.rows = span.Start, 0
	}
	b.t, b.ix, b.codec, b.writer = t, ix, codec, w
	b.row = make(types.Row, len(t.Columns))
	b.ords = b.ords[:0]
	for i := range t.Columns {
		if c := &t.Columns[i]; !c.Dropped && (uses(ix, c.Num) || uses(&t.Primary, c.Num)) {
			b.ords = append(b.ords, i)
		}
	}
	b.decoder = codec.NewDecoder(&t.Primary, b.ords)
	return nil
}

func (b *backfill) run(ctx context.Context) error {
	b.limit, b.saved = chunkRows, time.Now()
	for {
		if err := b.version(ctx); err != nil || b.next == nil {
			return err
		}
		var resume keys.Key
		var rows int
		var coll *catalog.Collection
		end := func() {
			if coll != nil {
				coll.Release()
			}
		}
		attempts, stale := 0, false
		err := b.e.cfg.DB.Run(ctx, func(ctx context.Context, txn catalog.Txn) error {
			end()
			coll = catalog.NewCollection(b.e.cfg.Source, b.e.cfg.DB, txn)
			if attempts++; attempts > 1 {
				b.limit = max(b.limit/4, 1)
			}
			ok, err := coll.Use(ctx, b.t)
			if stale = !ok; !ok || err != nil {
				return err
			}
			if resume, rows, err = b.chunk(ctx, txn); err != nil {
				return err
			}
			if err := b.e.cfg.Source.Check(); err != nil {
				return err
			}
			return coll.Check()
		})
		end()
		if err != nil {
			return err
		}
		if stale {
			continue
		}
		b.next = resume
		b.job.rows += uint64(rows)
		if attempts == 1 {
			b.limit = min(2*b.limit, chunkRows)
		}
		if b.next != nil && time.Since(b.saved) >= saveInterval {
			if err := b.save(ctx); err != nil {
				return err
			}
		}
	}
}

// save writes down how far the backfill has come.
func (b *backfill) save(ctx context.Context) error {
	b.job.next, b.saved = b.next, time.Now()
	return b.e.cfg.DB.Run(ctx, func(ctx context.Context, txn catalog.Txn) error {
		if err := hold(ctx, txn, b.job); err != nil {
			return err
		}
		return txn.Put(ctx, b.job.key(), b.job.encode())
	})
}

// chunk enters the next rows and returns where the ones after them begin, nil at the end,
// and how many they were.
func (b *backfill) chunk(ctx context.Context, txn catalog.Txn) (resume keys.Key, n int, err error) {
	span := b.t.IndexSpan(&b.t.Primary)
	var rows kv.Rows
	if resume, err = txn.ScanPage(ctx, b.next, span.End, int64(b.limit), &rows); err != nil {
		return nil, 0, err
	}
	resume = slices.Clone(resume)
	w := b.writer
	for pos := 0; ; n++ {
		key, value, _, next, ok := rows.Next(pos)
		if !ok {
			return resume, n, nil
		}
		pos = next
		if b.limit <= lockRows {
			if value, ok, err = txn.Get(ctx, key, kv.LockShare); err != nil {
				return nil, 0, err
			}
			if !ok {
				continue
			}
			value = bytes.Clone(value)
		}
		for i, ord := range b.ords {
			if b.row[ord], err = b.decoder.Datum(i, key, value); err != nil {
				return nil, 0, err
			}
		}
		if ok, err = w.entry(b.row); err != nil {
			return nil, 0, err
		}
		if !ok {
			continue
		}
		if w.exclusive {
			held, ok, err := txn.Get(ctx, w.key, kv.LockUpdate)
			if err != nil {
				return nil, 0, err
			}
			if ok && !bytes.Equal(held, w.value) {
				return nil, 0, w.duplicate(w.values)
			}
			if ok {
				continue
			}
		}
		if err := txn.Put(ctx, bytes.Clone(w.key), bytes.Clone(w.value)); err != nil {
			return nil, 0, err
		}
	}
}
