package sql

import (
	"context"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/txn"
)

// This file shows transactions to the catalog in the form it wants.

// CatalogDB returns db as package catalog and schemachange use it.
func CatalogDB(db *txn.DB) catalog.DB { return catalogDB{db} }

type catalogDB struct{ db *txn.DB }

// Run implements catalog.DB.
func (d catalogDB) Run(ctx context.Context, fn func(context.Context, catalog.Txn) error) error {
	return d.db.Run(ctx, txn.Options{Isolation: kv.Serializable, Name: "catalog"}, func(ctx context.Context, t *txn.Txn) error {
		return fn(ctx, catalogTxn{t})
	})
}

// Increment implements catalog.DB.
func (d catalogDB) Increment(ctx context.Context, key []byte, by int64) (int64, error) {
	return d.db.Increment(ctx, key, by)
}

// Send implements catalog.DB.
func (d catalogDB) Send(ctx context.Context, b *kv.Batch) error { return d.db.Send(ctx, b) }

// Now implements catalog.DB.
func (d catalogDB) Now() hlc.Timestamp { return d.db.Now() }

// catalogTxn is a transaction as the catalog uses it.
type catalogTxn struct{ *txn.Txn }

// Get implements catalog.Txn.
func (t catalogTxn) Get(ctx context.Context, key []byte, lock kv.LockStrength) ([]byte, bool, error) {
	return t.Txn.Get(ctx, key, txn.Locking{Strength: lock})
}

// ScanPage implements catalog.Txn.
func (t catalogTxn) ScanPage(ctx context.Context, start, end []byte, maxRows int64, dst *kv.Rows) ([]byte, error) {
	return t.Txn.Scan(ctx, start, end, txn.ScanOptions{MaxRows: maxRows}, dst)
}
