package exec

import (
	"time"

	"github.com/spanlite/spanlite/sql/types"
)

// NodeStats is what a node did during an execution (EXPLAIN ANALYZE). Times include the nodes
// below.
type NodeStats struct {
	Loops   int64
	Rows    int64
	Startup time.Duration // until the first row of all loops together
	Total   time.Duration
}

// timedOp measures an operator.
type timedOp struct {
	op    operator
	s     *NodeStats
	first bool
}

func (t *timedOp) Open() error {
	start := time.Now()
	t.s.Loops++
	t.first = true
	err := t.op.Open()
	d := time.Since(start)
	t.s.Total += d
	t.s.Startup += d
	return err
}

func (t *timedOp) Next() (*types.Batch, error) {
	start := time.Now()
	b, err := t.op.Next()
	d := time.Since(start)
	t.s.Total += d
	if t.first {
		t.s.Startup += d
		t.first = false
	}
	if b != nil {
		t.s.Rows += int64(b.Len())
	}
	return b, err
}

func (t *timedOp) Close() { t.op.Close() }

// timedDML is timedOp for operators that write.
type timedDML struct {
	timedOp
	d dmlOperator
}

func (t *timedDML) execute() error {
	start := time.Now()
	err := t.d.execute()
	t.s.Total += time.Since(start)
	return err
}

func (t *timedDML) count() int64 { return t.d.count() }
