package stats

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/types"
)

// Sizes of what is kept, PostgreSQL's for default_statistics_target = 100.
const (
	targetBuckets = 100
	sampleRows    = 300 * targetBuckets
	// maxWidth is the size from which values are too wide to be kept.
	maxWidth = 1024
)

// Collector computes the statistics of a table from its rows. It keeps a random
// sample (Vitter, "Random Sampling with a Reservoir", 1985, algorithm R).
type Collector struct {
	table  *catalog.Table
	cols   []int
	seen   int64
	bytes  int64
	sample []sampled
	rnd    *rand.Rand
}

// sampled is a row of the sample with its place in the table.
type sampled struct {
	seq int64
	row types.Row
}

// NewCollector returns a collector for the live columns of a table. The seed makes the
// sample reproducible.
func NewCollector(t *catalog.Table, seed uint64) *Collector {
	c := &Collector{table: t, rnd: rand.New(rand.NewPCG(seed, uint64(t.ID)))}
	for i := range t.Columns {
		if !t.Columns[i].Dropped && !t.Columns[i].Hidden {
			c.cols = append(c.cols, i)
		}
	}
	return c
}

// Columns are the table ordinals in the order in which Add expects them.
func (c *Collector) Columns() []int { return c.cols }

// Add takes one row, which is copied if it becomes part of the sample.
func (c *Collector) Add(row types.Row) {
	c.seen++
	for _, d := range row {
		c.bytes += d.Size() - 24
	}
	switch {
	case len(c.sample) < sampleRows:
		c.sample = append(c.sample, sampled{c.seen, clone(row)})
	default:
		if i := c.rnd.Int64N(c.seen); i < sampleRows {
			c.sample[i] = sampled{c.seen, clone(row)}
		}
	}
}

func clone(row types.Row) types.Row {
	out := make(types.Row, len(row))
	for i, d := range row {
		if d.Size() > maxWidth {
			continue // counted as NULL: too wide to be worth it
		}
		out[i] = d.Clone()
	}
	return out
}

// Finish returns the statistics; now is in microseconds since 2000-01-01 UTC.
func (c *Collector) Finish(now int64) *Table {
	t := &Table{ID: c.table.ID, Rows: float64(c.seen), Columns: make(map[catalog.AttNum]*Column), CollectedAt: now}
	if c.seen > 0 {
		t.AvgRowBytes = float64(c.bytes) / float64(c.seen)
	}
	slices.SortFunc(c.sample, func(a, b sampled) int { return int(a.seq - b.seq) })
	for i, ord := range c.cols {
		t.Columns[c.table.Columns[ord].Num] = c.column(i)
	}
	return t
}

// column computes the statistics of one column of the sample.
func (c *Collector) column(i int) *Column {
	out := &Column{}
	values := make([]types.Datum, 0, len(c.sample))
	var width int64
	for _, s := range c.sample {
		if s.row[i].IsNull() {
			continue
		}
		values = append(values, s.row[i])
		width += s.row[i].Size()
	}
	n := len(c.sample)
	if n == 0 {
		return out
	}
	out.NullFrac = 1 - float64(len(values))/float64(n)
	if len(values) == 0 {
		return out
	}
	out.AvgWidth = float64(width) / float64(len(values))
	order := make([]int, len(values))
	for k := range order {
		order[k] = k
	}
	slices.SortFunc(order, func(a, b int) int {
		if r := types.Compare(values[a], values[b]); r != 0 {
			return r
		}
		return a - b
	})
	// Runs of equal values.
	type run struct {
		at, n int
	}
	var runs []run
	var corr float64
	for k, o := range order {
		if k > 0 && types.Compare(values[order[k-1]], values[o]) == 0 {
			runs[len(runs)-1].n++
		} else {
			runs = append(runs, run{k, 1})
		}
		corr += float64(k) * float64(o)
	}
	once := 0
	for _, r := range runs {
		if r.n == 1 {
			once++
		}
	}
	out.Distinct = distinct(len(values), len(runs), once, float64(c.seen)*(1-out.NullFrac))
	out.Correlation = correlation(corr, len(values))
	// The most common values: clearly more frequent than the average.
	byFreq := slices.Clone(runs)
	slices.SortStableFunc(byFreq, func(a, b run) int { return b.n - a.n })
	average := float64(len(values)) / float64(len(runs))
	common := make(map[int]bool)
	for _, r := range byFreq {
		if len(out.Common) >= targetBuckets || r.n < 2 {
			break
		}
		if len(runs) > targetBuckets && float64(r.n) < 1.25*average {
			break
		}
		out.Common = append(out.Common, CommonValue{Value: values[order[r.at]], Freq: float64(r.n) / float64(n)})
		common[r.at] = true
	}
	// The histogram covers the rest.
	var rest []int
	for _, r := range runs {
		if !common[r.at] {
			rest = append(rest, order[r.at:r.at+r.n]...)
		}
	}
	if len(rest) >= 2 {
		buckets := min(targetBuckets, len(rest)-1)
		for k := range buckets + 1 {
			out.Histogram = append(out.Histogram, values[rest[k*(len(rest)-1)/buckets]])
		}
	}
	return out
}

// distinct estimates the distinct values of a table of total rows from a sample of n rows with d
// different values, once of which occur once (Haas and Stokes, "Estimating the Number of
// Classes in a Finite Population", 1998: the estimator Duj1).
func distinct(n, d, once int, total float64) float64 {
	if total <= float64(n) {
		return float64(d)
	}
	if once == n {
		return total // all different: taken for unique
	}
	est := float64(n) * float64(d) / (float64(n-once) + float64(once)*float64(n)/total)
	return min(max(math.Round(est), float64(d)), total)
}

// correlation is Pearson's between the physical and the sorted position.
func correlation(sumXY float64, n int) float64 {
	if n < 2 {
		return 1
	}
	x := float64(n-1) * float64(n) / 2
	xx := float64(n-1) * float64(n) * float64(2*n-1) / 6
	return (float64(n)*sumXY - x*x) / (float64(n)*xx - x*x)
}
