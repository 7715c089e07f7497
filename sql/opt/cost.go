package opt

import "math"

// Cost constants, in units of a sequential page read of PostgreSQL's model (which no longer
// means anything; it is about 10 microseconds here).
const (
	costScanRow   = 0.01   // the next row of a scan, decoded
	costCond      = 0.0025 // one condition or computed column on one row
	costSeek      = 0.25   // positioning an iterator
	costLookup    = 0.3    // one row by key
	costHashBuild = 0.015  // one row into a hash table
	costHashProbe = 0.01   // one probe
	costSortRow   = 0.004  // times log2(n)
	costOutRow    = 0.005  // one row made by a join
	costBatchRead = 0.05   // per key of a batched look-up beyond the first
)

// defaultRows is taken for a table without statistics.
const defaultRows = 1000

func sortCost(rows float64) float64 {
	return costSortRow * rows * math.Log2(max(rows, 2))
}
