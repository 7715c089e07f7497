package exec

import (
	"context"

	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/stats"
	"github.com/spanlite/spanlite/sql/types"
)

// Analyze reads a table and returns its statistics (ANALYZE). All rows are counted; a sample
// of them is kept.
func Analyze(ctx context.Context, c *Context, t *catalog.Table, seed uint64, now int64) (*stats.Table, error) {
	col := stats.NewCollector(t, seed)
	scan := &plan.PTableScan{Table: t, Alias: t.Name, Index: &t.Primary, Covering: true, Ords: col.Columns()}
	for _, ord := range scan.Ords {
		scan.Cols = append(scan.Cols, plan.PhysCol{ID: plan.NoCol, T: t.Columns[ord].Type, Name: t.Columns[ord].Name})
	}
	sink := &collect{c: col}
	if _, err := Run(ctx, &plan.Physical{Root: scan, Nodes: 1}, c, sink); err != nil {
		return nil, err
	}
	return col.Finish(now), nil
}

// collect feeds rows to a collector.
type collect struct {
	c   *stats.Collector
	row types.Row
}

// Rows implements Sink.
func (s *collect) Rows(b *types.Batch) error {
	for k := range b.Len() {
		s.row = b.ReadRow(s.row[:0], b.RowAt(k))
		s.c.Add(s.row)
	}
	return nil
}
