package stats

import (
	"sort"

	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/types"
)

// Table is the statistics of one table. It is immutable once published.
type Table struct {
	ID   catalog.ID
	Rows float64
	// AvgRowBytes is the mean size of a row's value.
	AvgRowBytes float64
	// Columns by number.
	Columns map[catalog.AttNum]*Column
	// CollectedAt is in microseconds since 2000-01-01 UTC.
	CollectedAt int64
}

// Column is the statistics of one column.
type Column struct {
	NullFrac float64
	// Distinct is the estimated number of distinct values that are not NULL.
	Distinct float64
	AvgWidth float64
	// Common are the most common values with the share of all rows that each has.
	Common []CommonValue
	// Histogram are bounds of buckets with equal numbers of the remaining rows, ascending.
	Histogram []types.Datum
	// Correlation of the column's order with the primary key's, -1 to 1.
	Correlation float64
}

// CommonValue is a frequent value.
type CommonValue struct {
	Value types.Datum
	Freq  float64
}

// commonFreq is the share of all rows that the common values have together.
func (c *Column) commonFreq() float64 {
	f := 0.0
	for _, v := range c.Common {
		f += v.Freq
	}
	return f
}

// Equal estimates the share of rows whose column equals v.
func (c *Column) Equal(v types.Datum) float64 {
	if v.IsNull() {
		return 0
	}
	for _, m := range c.Common {
		if m.Value.Family() == v.Family() && types.Equal(m.Value, v) {
			return m.Freq
		}
	}
	rest := 1 - c.NullFrac - c.commonFreq()
	n := c.Distinct - float64(len(c.Common))
	if n < 1 {
		n = 1
	}
	return max(rest, 0) / n
}

// EqualUnknown estimates the share of rows whose column equals some unknown value.
func (c *Column) EqualUnknown() float64 {
	return (1 - c.NullFrac) / max(c.Distinct, 1)
}

// Below estimates the share of rows whose column is less than v (or equal, with orEqual).
func (c *Column) Below(v types.Datum, orEqual bool) float64 {
	if v.IsNull() {
		return 0
	}
	f := 0.0
	for _, m := range c.Common {
		if m.Value.Family() != v.Family() {
			return 1.0 / 3
		}
		if cmp := types.Compare(m.Value, v); cmp < 0 || cmp == 0 && orEqual {
			f += m.Freq
		}
	}
	rest := max(1-c.NullFrac-c.commonFreq(), 0)
	if n := len(c.Histogram); n > 1 && c.Histogram[0].Family() == v.Family() {
		i := sort.Search(n, func(i int) bool { return types.Compare(c.Histogram[i], v) > 0 })
		switch {
		case i == 0:
		case i == n:
			f += rest
		default:
			f += rest * (float64(i-1) + within(c.Histogram[i-1], c.Histogram[i], v)) / float64(n-1)
		}
	} else {
		f += rest / 3
	}
	return min(max(f, 0), 1)
}

// within is the position of v between lo and hi, linearly for numbers.
func within(lo, hi, v types.Datum) float64 {
	var l, h, x float64
	switch v.Family() {
	case types.FamInt:
		l, h, x = float64(lo.Int()), float64(hi.Int()), float64(v.Int())
	case types.FamFloat:
		l, h, x = lo.Float(), hi.Float(), v.Float()
	default:
		return 0.5
	}
	if h <= l {
		return 0.5
	}
	return min(max((x-l)/(h-l), 0), 1)
}
