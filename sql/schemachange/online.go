package schemachange

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/rowenc"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// CREATE INDEX CONCURRENTLY builds an index while the table is read and written, in
// transactions of its own:
//
//	attach    under a fence: the index is added in state write-only, and a build job
//	          written. From here on every write of a row maintains its entry.
//	backfill  for each chunk of rows, one serializable transaction reads the rows and
//	          writes the entries that are missing.
//	publish   under a fence: the index becomes public, and the job goes.
//
// F1 (Rae et al., VLDB 2013) needs one more state, delete-only, because two versions of a
// table are in use at a time there. Here the fence lets one end before the next begins,
// on all nodes; it is short, because no work is done under it, and given up and tried
// again if long transactions use the table, so that it holds up others for
// onlineFenceWait at most.
//
// Why the index is complete: let r be a row that is there when the build ends. If it was
// written after attach, its writer has written the entry e(r). Otherwise the chunk that
// contained it has, reading r and writing e(r) in one serializable transaction. From then
// on e(r) is removed or moved by those who remove or change r only. For a unique index
// that takes care: a row d whose entry is not there yet may share its key with r, and
// removing d must not remove e(r); hence writers look whose entry it is before they touch
// it, as long as the index is not public (package exec, writer.ownsEntry). A chunk that
// meets another row's entry at its key has found a duplicate, and the build fails.
//
// Why it has nothing else: an entry is written in the transaction that read or wrote its
// row, and the writer of a row removes it.
//
// A transaction whose snapshot is older than the entries must not read the index; the
// fence of publish waits for those that use the table, and Table.ValidFrom turns away the
// others.
//
// If anything fails, the index is removed again. If the process ends, the build job makes
// another one remove it (removeUnfinished). PostgreSQL would leave an invalid index.

const (
	// chunkRows is how many rows one transaction of a backfill takes at most. After a
	// conflict with a writer it takes fewer.
	chunkRows = 512
	// onlineFenceWait is for how long a fence of an online change may hold up others
	// while it waits for transactions that use the table already.
	onlineFenceWait = 2 * time.Second
	// onlinePauseMax is the longest pause between two attempts.
	onlinePauseMax = 5 * time.Second
	// cleanupTimeout bounds the removal of an index whose build has failed.
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
		if err := fn(&statement{e: e, s: s, coll: coll, ctx: ctx, fenceWait: onlineFenceWait}); err != nil {
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
		return e.mayCommit(coll)
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

// mayCommit checks that the node's image of the catalog has been good all along.
func (e *Executor) mayCommit(coll *catalog.Collection) error {
	if err := e.cfg.Source.Check(); err != nil {
		return err
	}
	return coll.Check()
}

// patiently repeats what fails because the table is in use, until it does not.
func patiently(ctx context.Context, try func() error) error {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, onlinePauseMax) {
		err := try()
		if err == nil || sqlstate.CodeOf(err) != sqlstate.LockNotAvailable {
			return err
		}
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}

// build is an index being built.
type build struct {
	x     *statement // the session's statement: expressions are bound in it
	table catalog.ID
	index catalog.ID // OID; 0: there is nothing to build
	job   *job

	// These are of one version of the table.
	t      *catalog.Table
	ix     *catalog.Index
	writer *indexWriter
	next   keys.Key // where the next chunk begins, nil: at the end
	rows   int
}

func (x *statement) createIndexOnline(stmt *ast.CreateIndex) error {
	b := &build{x: x}
	err := patiently(x.ctx, func() error {
		return x.e.transact(x.ctx, x.s, stmt, func(y *statement) error { return b.attach(y, stmt) })
	})
	if b.job != nil {
		defer x.e.letGo(b.job)
	}
	if err != nil || b.index == 0 {
		return err
	}
	if err = b.backfill(x.ctx); err == nil {
		err = patiently(x.ctx, func() error { return x.e.transact(x.ctx, nil, nil, b.publish) })
	}
	if err == nil {
		return nil
	}
	if _, unknown := errors.AsType[*kv.AmbiguousError](err); unknown {
		return err // published or not: the job tells
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.ctx), cleanupTimeout)
	defer cancel()
	if cerr := x.e.removeIndex(ctx, b.table, b.index, b.job); cerr != nil {
		x.e.log.Warn("removing an index whose build has failed, to be tried again", "table", b.table, "index", b.index, "error", cerr)
	}
	return err
}

// attach adds the index in state write-only.
func (b *build) attach(x *statement, stmt *ast.CreateIndex) error {
	b.index = 0
	if b.job != nil {
		x.e.letGo(b.job) // of an attempt before
		b.job = nil
	}
	rel, err := x.coll.ResolveRelation(x.ctx, catalogName(stmt.Table))
	if err != nil {
		return err
	}
	old, ok := rel.(*catalog.Table)
	if !ok {
		return noIndexOn(rel)
	}
	if stmt.Name != "" {
		if ok, err := x.claimName(old.Schema, stmt.Name, stmt.IfNotExists); !ok {
			return err
		}
	}
	t, err := x.mutableTable(old.ID)
	if err != nil {
		return err
	}
	ix, err := x.newIndex(t, stmt)
	if err != nil {
		return err
	}
	ix.State = catalog.IndexWriteOnly
	t.Indexes = append(t.Indexes, *ix)
	if b.job, err = x.e.newJob(x.ctx, jobBuild, []keys.Span{t.IndexSpan(ix)}); err != nil {
		return err
	}
	if err := x.coll.Txn().Put(x.ctx, b.job.key(), b.job.encode()); err != nil {
		return err
	}
	b.table, b.index = t.ID, ix.OID
	return x.coll.Put(x.ctx, t)
}

// errIndexGone: another schema change has dropped the index, or the table.
func errIndexGone() error {
	return sqlstate.New(sqlstate.ObjectNotInPrereqState, "the index was dropped while it was being built")
}

// version takes up the present version of the table. If another schema change has given
// the index or the rows new ids, the build begins again.
func (b *build) version() error {
	t, _ := b.x.e.cfg.Source.Snapshot().ByID(b.table).(*catalog.Table)
	if t != nil && t == b.t {
		return nil
	}
	if t == nil || t.IndexByOID(b.index) == nil {
		return errIndexGone()
	}
	ix := t.IndexByOID(b.index)
	if b.t == nil || b.t.Primary.ID != t.Primary.ID || b.ix.ID != ix.ID {
		b.next = t.IndexSpan(&t.Primary).Start
	}
	w, err := b.x.newIndexWriter(t, rowenc.Of(t), ix)
	if err != nil {
		return err
	}
	b.t, b.ix, b.writer = t, ix, w
	return nil
}

// backfill enters all rows.
func (b *build) backfill(ctx context.Context) error {
	b.rows = chunkRows
	for {
		if err := b.version(); err != nil || b.next == nil {
			return err
		}
		var resume keys.Key
		var coll *catalog.Collection
		end := func() {
			if coll != nil {
				coll.Release()
			}
		}
		attempts, stale := 0, false
		err := b.x.e.cfg.DB.Run(ctx, func(ctx context.Context, txn catalog.Txn) error {
			end()
			coll = catalog.NewCollection(b.x.e.cfg.Source, b.x.e.cfg.DB, txn)
			if attempts++; attempts > 1 {
				b.rows = max(b.rows/2, 1)
			}
			ok, err := coll.Use(ctx, b.t)
			if stale = !ok; !ok || err != nil {
				return err
			}
			if resume, err = b.chunk(ctx, txn); err != nil {
				return err
			}
			return b.x.e.mayCommit(coll)
		})
		end()
		if err != nil {
			return err
		}
		if !stale {
			b.next = resume
			b.rows = min(b.rows+b.rows/4+1, chunkRows)
		}
	}
}

// chunk enters the next rows and returns where the ones after them begin, nil at the end.
func (b *build) chunk(ctx context.Context, txn catalog.Txn) (resume keys.Key, err error) {
	span := b.t.IndexSpan(&b.t.Primary)
	codec := rowenc.Of(b.t)
	row := make(types.Row, len(b.t.Columns))
	var rows kv.Rows
	if resume, err = txn.ScanPage(ctx, b.next, span.End, int64(b.rows), &rows); err != nil {
		return nil, err
	}
	resume = slices.Clone(resume)
	w := b.writer
	for pos := 0; ; {
		key, value, _, next, ok := rows.Next(pos)
		if !ok {
			return resume, nil
		}
		pos = next
		if err := codec.DecodeRow(row, key, value); err != nil {
			return nil, fmt.Errorf("table %q: %w", b.t.Name, err)
		}
		if ok, err = w.entry(row); err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if w.exclusive {
			held, ok, err := txn.Get(ctx, w.key, kv.LockUpdate)
			if err != nil {
				return nil, err
			}
			if ok && !bytes.Equal(held, w.value) {
				return nil, w.duplicate(w.values)
			}
			if ok {
				continue
			}
		}
		if err := txn.Put(ctx, bytes.Clone(w.key), bytes.Clone(w.value)); err != nil {
			return nil, err
		}
	}
}

// publish makes the index public. If the table was truncated or rewritten since the last
// chunk, who did it has kept the index up with the rows.
func (b *build) publish(x *statement) error {
	t, err := x.mutableTable(b.table)
	if err != nil {
		return err
	}
	ix := t.IndexByOID(b.index)
	if ix == nil {
		return errIndexGone()
	}
	ix.State = catalog.IndexPublic
	t.ValidFrom = max(t.ValidFrom, x.e.cfg.DB.Now())
	if err := x.coll.Txn().Delete(x.ctx, b.job.key()); err != nil {
		return err
	}
	return x.coll.Put(x.ctx, t)
}

// removeIndex takes an index out whose build has not come to its end, and deletes the job.
// An index that is public stays.
func (e *Executor) removeIndex(ctx context.Context, table, index catalog.ID, j *job) error {
	return patiently(ctx, func() error {
		return e.transact(ctx, nil, nil, func(x *statement) error {
			if err := x.coll.Txn().Delete(x.ctx, j.key()); err != nil {
				return err
			}
			d, err := x.coll.Mutable(x.ctx, table)
			if err != nil || d == nil {
				return err
			}
			t, ok := d.(*catalog.Table)
			if !ok {
				return errJob
			}
			if ix := t.IndexByOID(index); ix == nil || ix.State == catalog.IndexPublic {
				return nil
			}
			if t, err = x.mutableTable(table); err != nil {
				return err
			}
			t.Indexes = slices.DeleteFunc(t.Indexes, func(ix catalog.Index) bool { return ix.OID == index })
			return x.coll.Put(x.ctx, t)
		})
	})
}

// removeUnfinished is removeIndex for a job that a process has left behind.
func (e *Executor) removeUnfinished(ctx context.Context, j *job) error {
	for _, span := range j.spans {
		id, rest, ok := keys.DecodeTable(span.Start)
		if !ok || len(rest) < 4 {
			return errJob
		}
		// An index's first ID is its OID.
		if err := e.removeIndex(ctx, catalog.ID(id), catalog.ID(binary.BigEndian.Uint32(rest)), j); err != nil {
			return err
		}
	}
	return nil
}
