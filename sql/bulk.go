package sql

import (
	"context"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/txn"
)

// bulkTxn writes the rows of a COPY around the transaction's buffer: as plain
// versions, in large batches. That is right for a table whose data nobody else
// can reach before this transaction commits, because the transaction itself has
// created or truncated it (its primary index is one that no committed descriptor
// names), and which has no uniqueness to check. No savepoint may be open: going
// back to it would leave the rows. If the transaction rolls back, the rows are out of
// reach, and a job clears them later.
type bulkTxn struct {
	*txn.Txn
	db   *txn.DB
	ops  []kv.Op
	size int
	// guard sees to it that the rows do not stay if the transaction does not commit; nil
	// once it has been called.
	guard func(context.Context) error
}

// bulkBatchBytes is the size of one batch.
const bulkBatchBytes = 1 << 20

// bulkFor returns the bulk writer for a table, nil if its rows have to go through
// the transaction.
func (s *Session) bulkFor(t *catalog.Table) *bulkTxn {
	if s.txn.isolation == kv.RepeatableRead || len(s.txn.savepoints) > 0 || !t.Primary.Hidden || len(t.Indexes) > 0 || len(t.ForeignKeys) > 0 {
		return nil
	}
	if old, ok := s.txn.coll.Original(t.ID).(*catalog.Table); ok && old != nil && old.Primary.ID == t.Primary.ID {
		return nil
	}
	coll := s.txn.coll
	return &bulkTxn{Txn: s.txn.kv, db: s.srv.cfg.DB, guard: func(ctx context.Context) error {
		return s.srv.cfg.Schema.Guard(ctx, coll, []keys.Span{t.IndexSpan(&t.Primary)})
	}}
}

// Put implements exec.Txn.
func (b *bulkTxn) Put(ctx context.Context, key, value []byte) error {
	b.ops = append(b.ops, kv.Op{Kind: kv.OpPut, Key: append([]byte(nil), key...), Value: append([]byte(nil), value...)})
	b.size += len(key) + len(value)
	if b.size < bulkBatchBytes {
		return nil
	}
	return b.flush(ctx)
}

func (b *bulkTxn) flush(ctx context.Context) error {
	if len(b.ops) == 0 {
		return nil
	}
	if b.guard != nil {
		if err := b.guard(ctx); err != nil {
			return err
		}
		b.guard = nil
	}
	batch := kv.Batch{Ops: b.ops}
	err := b.db.Send(ctx, &batch)
	b.ops, b.size = b.ops[:0], 0
	return err
}

// finish writes the rest and moves the transaction's snapshot past the rows, so
// that it sees them.
func (b *bulkTxn) finish(ctx context.Context) error {
	if err := b.flush(ctx); err != nil {
		return err
	}
	return b.Txn.Advance(ctx)
}
