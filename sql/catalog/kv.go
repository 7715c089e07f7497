package catalog

import (
	"context"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// Txn is what the catalog needs of a transaction.
type Txn interface {
	// Get reads the newest visible value of key, own writes included, locking it
	// first if lock is not LockNone. The value is valid until the next call.
	Get(ctx context.Context, key []byte, lock kv.LockStrength) (value []byte, ok bool, err error)
	// ScanPage appends pairs of [start, end) to dst, own writes included, and
	// returns where to go on, nil at the end. maxRows 0 leaves the size of a
	// page to the implementation.
	ScanPage(ctx context.Context, start, end []byte, maxRows int64, dst *kv.Rows) (resume []byte, err error)
	// Put and Delete write; key and value are copied or kept: the caller does
	// not change them afterwards.
	Put(ctx context.Context, key, value []byte) error
	Delete(ctx context.Context, key []byte) error
	// ReadTimestamp is the timestamp of the transaction's reads.
	ReadTimestamp() hlc.Timestamp
}

// DB is what the catalog and schema changes need of the transactional store,
// besides the user's transaction.
type DB interface {
	// Run executes fn in a transaction of its own and commits it, running it
	// again after a conflict.
	Run(ctx context.Context, fn func(context.Context, Txn) error) error
	// Increment adds to a counter, not transactionally, and returns the sum.
	Increment(ctx context.Context, key []byte, by int64) (int64, error)
	// Send executes a batch outside of transactions: bulk writes to spans that
	// nobody else can reach, clearing of dropped spans.
	Send(ctx context.Context, b *kv.Batch) error
	// Now returns the node's clock.
	Now() hlc.Timestamp
}

// scanAll reads all pairs of span.
func scanAll(ctx context.Context, txn Txn, span keys.Span, fn func(key, value []byte) error) error {
	var rows kv.Rows
	start := []byte(span.Start)
	for start != nil {
		rows.Reset()
		resume, err := txn.ScanPage(ctx, start, span.End, 0, &rows)
		if err != nil {
			return err
		}
		for pos := 0; ; {
			key, value, _, next, ok := rows.Next(pos)
			if !ok {
				break
			}
			pos = next
			if err := fn(key, value); err != nil {
				return err
			}
		}
		start = resume
	}
	return nil
}
