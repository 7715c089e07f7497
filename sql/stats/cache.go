package stats

import (
	"context"
	"sync"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/sql/catalog"
)

// Cache is a node's statistics by table, as the planner sees them. Looking up never waits:
// a table that nobody has loaded has no statistics. Safe for concurrent use.
type Cache struct {
	tables sync.Map // catalog.ID -> *Table
}

// NewCache returns an empty cache.
func NewCache() *Cache { return &Cache{} }

// Table returns the statistics of a table, nil if there are none.
func (c *Cache) Table(id catalog.ID) *Table {
	if c == nil {
		return nil
	}
	t, ok := c.tables.Load(id)
	if !ok {
		return nil
	}
	return t.(*Table)
}

// Put replaces the statistics of a table.
func (c *Cache) Put(t *Table) { c.tables.Store(t.ID, t) }

// Forget drops the statistics of a table.
func (c *Cache) Forget(id catalog.ID) { c.tables.Delete(id) }

// Key is where the statistics of a table are stored.
func Key(id catalog.ID) []byte { return catalog.SystemKey(catalog.SysStatistics, uint64(id)) }

// Save stores the statistics of a table, as part of the transaction.
func Save(ctx context.Context, txn catalog.Txn, table *catalog.Table, t *Table) error {
	return txn.Put(ctx, Key(table.ID), t.Encode(nil, table))
}

// Load reads the stored statistics of a table into the cache; a table without any is no error.
func (c *Cache) Load(ctx context.Context, txn catalog.Txn, table *catalog.Table) error {
	b, ok, err := txn.Get(ctx, Key(table.ID), kv.LockNone)
	if err != nil || !ok {
		return err
	}
	t, err := Decode(table, b)
	if err != nil {
		return err
	}
	c.Put(t)
	return nil
}
