package schemachange

import (
	"context"
	"errors"
	"strconv"
	"sync"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// numberCache holds blocks of numbers that this node has taken from counters.
type numberCache struct {
	mu      sync.Mutex
	entries map[cacheKey]*block
}

type cacheKey struct {
	id          catalog.ID
	incarnation uint32
}

// block is a run of numbers not handed out yet: next, next+step ... left of them.
type block struct {
	mu   sync.Mutex
	next int64
	left int64
	// size is how many numbers were taken the last time.
	size int64
}

func (c *numberCache) get(k cacheKey) *block {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = map[cacheKey]*block{}
	}
	b := c.entries[k]
	if b == nil {
		b = &block{}
		c.entries[k] = b
	}
	return b
}

func (c *numberCache) drop(k cacheKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, k)
}

// counterKey addresses a sequence's counter, which holds the number given out last.
func counterKey(id catalog.ID, incarnation uint32) keys.Key {
	return catalog.SystemKey(catalog.SysSequences, uint64(id), uint64(incarnation))
}

func (e *Executor) sequence(coll *catalog.Collection, oid types.OID) (*catalog.Sequence, error) {
	switch d := coll.ByID(catalog.ID(oid)).(type) {
	case *catalog.Sequence:
		return d, nil
	case nil:
		return nil, sqlstate.New(sqlstate.UndefinedTable, "could not open relation with OID %d", oid)
	default:
		return nil, sqlstate.New(sqlstate.WrongObjectType, "%q is not a sequence", d.Head().Name)
	}
}

// Nextval takes the next number of a sequence. It does not take part in the transaction: a
// number is lost if the transaction rolls back, and no two calls return the same.
func (e *Executor) Nextval(ctx context.Context, coll *catalog.Collection, oid types.OID) (int64, error) {
	seq, err := e.sequence(coll, oid)
	if err != nil {
		return 0, err
	}
	if seq.Cache <= 1 {
		return e.take(ctx, seq, 1)
	}
	b := e.sequences.get(cacheKey{seq.ID, seq.Incarnation})
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left == 0 {
		first, err := e.take(ctx, seq, seq.Cache)
		if err != nil {
			return 0, err
		}
		b.next, b.left = first, seq.Cache
	}
	v := b.next
	if v > seq.Max || v < seq.Min {
		// The block reaches beyond the end.
		b.left = 0
		return e.take(ctx, seq, 1)
	}
	b.left--
	b.next += seq.Increment
	return v, nil
}

// take moves the counter by n numbers and returns the first of them.
func (e *Executor) take(ctx context.Context, seq *catalog.Sequence, n int64) (int64, error) {
	key := counterKey(seq.ID, seq.Incarnation)
	for {
		last, err := e.cfg.DB.Increment(ctx, key, n*seq.Increment)
		if err != nil {
			return 0, err
		}
		first := last - (n-1)*seq.Increment
		if first >= seq.Min && first <= seq.Max {
			return first, nil
		}
		if !seq.Cycle {
			// Once at most: given back twice, numbers would come again.
			back := kv.Batch{Ops: []kv.Op{{Kind: kv.OpIncrement, Key: key, Delta: -n * seq.Increment}}}
			if err := e.cfg.DB.Send(ctx, &back); err != nil && !isAmbiguous(err) {
				return 0, err
			}
			if seq.Increment > 0 {
				return 0, sqlstate.New(sqlstate.SequenceGeneratorLimit, "nextval: reached maximum value of sequence %q (%d)", seq.Name, seq.Max)
			}
			return 0, sqlstate.New(sqlstate.SequenceGeneratorLimit, "nextval: reached minimum value of sequence %q (%d)", seq.Name, seq.Min)
		}
		start := seq.Min
		if seq.Increment < 0 {
			start = seq.Max
		}
		b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpCompareAndPut, Key: key,
			Expected: strconv.AppendInt(nil, last, 10), Value: strconv.AppendInt(nil, start-seq.Increment, 10)}}}
		// If another was faster the counter has wrapped round already. If the answer
		// got lost the next round tells.
		if err := e.cfg.DB.Send(ctx, &b); err != nil && !isConditionFailed(err) && !isAmbiguous(err) {
			return 0, err
		}
	}
}

// setCounter makes last the number given out last.
func (e *Executor) setCounter(ctx context.Context, id catalog.ID, incarnation uint32, last int64) error {
	b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpPut, Key: counterKey(id, incarnation), Value: strconv.AppendInt(nil, last, 10)}}}
	return e.cfg.DB.Send(ctx, &b)
}

// Setval sets what the next Nextval returns: value if not isCalled, else the one after it.
func (e *Executor) Setval(ctx context.Context, coll *catalog.Collection, oid types.OID, value int64, isCalled bool) error {
	seq, err := e.sequence(coll, oid)
	if err != nil {
		return err
	}
	if value < seq.Min || value > seq.Max {
		return sqlstate.New(sqlstate.NumericOutOfRange, "setval: value %d is out of bounds for sequence %q (%d..%d)", value, seq.Name, seq.Min, seq.Max)
	}
	if !isCalled {
		value -= seq.Increment
	}
	if err := e.setCounter(ctx, seq.ID, seq.Incarnation, value); err != nil {
		return err
	}
	e.sequences.drop(cacheKey{seq.ID, seq.Incarnation})
	return nil
}

// SequenceRow returns the row of a sequence read as a relation: last_value, log_cnt, is_called.
func (e *Executor) SequenceRow(ctx context.Context, seq *catalog.Sequence) (types.Row, error) {
	b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpGet, Key: counterKey(seq.ID, seq.Incarnation)}}}
	if err := e.cfg.DB.Send(ctx, &b); err != nil {
		return nil, err
	}
	last := int64(0)
	if op := &b.Ops[0]; op.Found {
		var err error
		if last, err = strconv.ParseInt(string(op.Value), 10, 64); err != nil {
			return nil, sqlstate.New(sqlstate.DataCorrupted, "counter of sequence %q is damaged", seq.Name)
		}
	}
	called := last >= seq.Min && last <= seq.Max && last != seq.Start-seq.Increment
	if !called {
		last += seq.Increment
	}
	return types.Row{types.NewInt(last), types.NewInt(0), types.NewBool(called)}, nil
}

// Blocks of row ids grow with use from minRowIDs to maxRowIDs.
const (
	minRowIDs = 64
	maxRowIDs = 8192
)

// RowID returns a new hidden row id for a table without a primary key.
func (e *Executor) RowID(ctx context.Context, t *catalog.Table) (int64, error) {
	b := e.rowIDs.get(cacheKey{id: t.ID})
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left == 0 {
		n := max(minRowIDs, min(maxRowIDs, 2*b.size))
		end, err := e.cfg.DB.Increment(ctx, catalog.SystemKey(catalog.SysRowIDs, uint64(t.ID)), n)
		if err != nil {
			return 0, err
		}
		b.next, b.left, b.size = end-n+1, n, n
	}
	v := b.next
	b.next++
	b.left--
	return v, nil
}

// isAmbiguous reports whether a write may have happened or not.
func isAmbiguous(err error) bool {
	_, ok := errors.AsType[*kv.AmbiguousError](err)
	return ok
}
