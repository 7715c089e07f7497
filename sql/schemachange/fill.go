package schemachange

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/rowenc"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

const (
	// fillBatchBytes is the size at which a batch of new entries is sent.
	fillBatchBytes = 512 << 10
	// fillInFlight is how many batches are on their way at the same time.
	fillInFlight = 4
	// maxKeyMemory bounds the keys kept to find duplicates in a unique index.
	maxKeyMemory = 1 << 30
)

// eachRow scans a table through the transaction. Row is by ordinal, valid during the call, as
// are key and value.
func (x *statement) eachRow(t *catalog.Table, fn func(row types.Row, key, value []byte) error) error {
	codec := rowenc.Of(t)
	ords := make([]int, len(t.Columns))
	for i := range ords {
		ords[i] = i
	}
	dec := codec.NewDecoder(&t.Primary, ords)
	row := make(types.Row, len(ords))
	span := t.IndexSpan(&t.Primary)
	var rows kv.Rows
	for start := []byte(span.Start); start != nil; {
		rows.Reset()
		resume, err := x.coll.Txn().ScanPage(x.ctx, start, span.End, 0, &rows)
		if err != nil {
			return err
		}
		for pos := 0; ; {
			key, value, _, next, ok := rows.Next(pos)
			if !ok {
				break
			}
			pos = next
			for i := range ords {
				if t.Columns[i].Dropped {
					row[i] = types.Null
					continue
				}
				if row[i], err = dec.Datum(i, key, value); err != nil {
					return fmt.Errorf("table %q: %w", t.Name, err)
				}
			}
			if err := fn(row, key, value); err != nil {
				return err
			}
		}
		start = resume
	}
	return nil
}

// filler writes the entries of indexes that nobody else can reach yet.
type filler struct {
	x       *statement
	batch   *kv.Batch
	arena   []byte
	group   *errgroup.Group
	ctx     context.Context
	written int64
	// spans are what is written to, until a job guards them.
	spans []keys.Span
}

// newFiller returns a filler for indexes of t.
func (x *statement) newFiller(t *catalog.Table, indexes ...*catalog.Index) *filler {
	f := &filler{x: x, batch: &kv.Batch{}}
	for _, ix := range indexes {
		f.spans = append(f.spans, t.IndexSpan(ix))
	}
	f.group, f.ctx = errgroup.WithContext(x.ctx)
	f.group.SetLimit(fillInFlight)
	return f
}

// put writes a pair; key and value are copied.
func (f *filler) put(key, value []byte) error {
	if !f.x.direct {
		return f.x.coll.Txn().Put(f.x.ctx, bytes.Clone(key), bytes.Clone(value))
	}
	if f.arena == nil {
		f.arena = make([]byte, 0, fillBatchBytes+fillBatchBytes/4)
	}
	at := len(f.arena)
	f.arena = append(append(f.arena, key...), value...)
	pair := f.arena[at:]
	f.batch.Ops = append(f.batch.Ops, kv.Op{Kind: kv.OpPut, Key: pair[:len(key):len(key)], Value: pair[len(key):len(pair):len(pair)]})
	f.written++
	if len(f.arena) >= fillBatchBytes {
		return f.flush()
	}
	return nil
}

func (f *filler) flush() error {
	if len(f.batch.Ops) == 0 {
		return nil
	}
	if f.spans != nil {
		if err := f.x.e.Guard(f.x.ctx, f.x.coll, f.spans); err != nil {
			return err
		}
		f.spans = nil
	}
	b := f.batch
	// In key order the leaseholder writes them without reading what it has written.
	slices.SortFunc(b.Ops, func(x, y kv.Op) int { return bytes.Compare(x.Key, y.Key) })
	f.batch, f.arena = &kv.Batch{Ops: make([]kv.Op, 0, len(b.Ops)+8)}, nil
	if err := f.ctx.Err(); err != nil {
		return f.group.Wait()
	}
	f.group.Go(func() error { return f.x.e.cfg.DB.Send(f.ctx, b) })
	return nil
}

// finish waits for all writes, notes in t from when on they can be read, and moves the
// transaction's own snapshot there.
func (f *filler) finish(t *catalog.Table) error {
	err := f.flush()
	if werr := f.group.Wait(); err == nil {
		err = werr
	}
	if err != nil || f.written == 0 {
		return err
	}
	t.ValidFrom = f.x.e.cfg.DB.Now()
	return f.x.catchUp(t.ValidFrom)
}

// abandon waits for the writes under way after an error.
func (f *filler) abandon() { _ = f.group.Wait() }

// indexWriter computes the entries of one index.
type indexWriter struct {
	x     *statement
	t     *catalog.Table
	codec *rowenc.Codec
	ix    *catalog.Index
	// exprs has the bound expression of each key column that is no plain column.
	exprs  []expr.Expr
	pred   expr.Expr
	unique uniqueKeys
	values []types.Datum
	key    []byte
	value  []byte
	// exclusive says that no other row may have an entry with the same key.
	exclusive bool
}

func (x *statement) newIndexWriter(t *catalog.Table, codec *rowenc.Codec, ix *catalog.Index) (*indexWriter, error) {
	w := &indexWriter{x: x, t: t, codec: codec, ix: ix, values: make([]types.Datum, len(ix.Columns)), exprs: make([]expr.Expr, len(ix.Columns))}
	for i, c := range ix.Columns {
		if c.Expr == nil {
			continue
		}
		bound, err := x.bindStored(t, "index expressions", c.Expr.SQL)
		if err != nil {
			return nil, err
		}
		w.exprs[i], err = expr.NewAssignment(x.s.EvalContext().Settings, bound[0], c.Type, "index")
		if err != nil {
			return nil, err
		}
	}
	if ix.Predicate != nil {
		bound, err := x.bindStored(t, "index predicates", ix.Predicate.SQL)
		if err != nil {
			return nil, err
		}
		w.pred = bound[0]
	}
	return w, nil
}

// entry computes the entry of a row in w.key, w.value and w.exclusive; ok is false if a
// partial index does not have the row.
func (w *indexWriter) entry(row types.Row) (ok bool, err error) {
	ec := w.x.s.EvalContext()
	if w.pred != nil {
		d, err := w.pred.Eval(ec, row)
		if err != nil || d.IsNull() || !d.Bool() {
			return false, err
		}
	}
	for i, c := range w.ix.Columns {
		if e := w.exprs[i]; e != nil {
			d, err := e.Eval(ec, row)
			if err != nil {
				return false, err
			}
			w.values[i] = d
		} else {
			w.values[i] = row[w.t.MustOrdinal(c.Num)]
		}
	}
	w.key, w.value, w.exclusive, err = w.codec.Entry(w.key[:0], w.value[:0], w.ix, w.values, row)
	return err == nil, err
}

// add writes the entry of a row.
func (w *indexWriter) add(f *filler, row types.Row) error {
	if ok, err := w.entry(row); !ok {
		return err
	}
	if w.exclusive && !w.unique.add(w.key) {
		return w.duplicate(w.values)
	}
	if w.ix.Deferrable {
		if err := w.deferrable(); err != nil {
			return err
		}
	}
	return f.put(w.key, w.value)
}

// deferrable verifies a deferrable constraint, whose entries are unique by themselves.
func (w *indexWriter) deferrable() error {
	key := w.codec.AppendPrefix(nil, w.ix)
	for i, d := range w.values {
		if d.IsNull() && !w.ix.NullsNotDistinct {
			return nil
		}
		var err error
		if key, err = w.codec.AppendKeyColumn(key, w.ix, i, d); err != nil {
			return err
		}
	}
	if !w.unique.add(key) {
		return w.duplicate(w.values)
	}
	if w.unique.overflow {
		return sqlstate.New(sqlstate.ProgramLimitExceeded, "too many rows for deferrable unique constraint %q", w.ix.Name)
	}
	return nil
}

// duplicate is the 23505 error for two rows with these values.
func (w *indexWriter) duplicate(values []types.Datum) error {
	return duplicateKey(w.x, w.t, w.ix, values)
}

func duplicateKey(x *statement, t *catalog.Table, ix *catalog.Index, values []types.Datum) error {
	s := x.s.EvalContext().Settings
	var cols, vals []byte
	for i, c := range ix.Columns {
		if i > 0 {
			cols, vals = append(cols, ", "...), append(vals, ", "...)
		}
		typ := c.Type
		if c.Num != 0 {
			col := t.Column(c.Num)
			cols = append(cols, types.QuoteIdent(col.Name)...)
			typ = col.Type
		} else {
			cols = append(cols, c.Expr.SQL...)
		}
		if values[i].IsNull() {
			vals = append(vals, "null"...)
		} else {
			vals = types.AppendText(vals, typ, values[i], s)
		}
	}
	e := sqlstate.New(sqlstate.UniqueViolation, "could not create unique index %q", ix.Name).
		WithDetail("Key (%s)=(%s) is duplicated.", cols, vals)
	e.Schema, e.Table, e.Constraint = x.schemaName(t.Schema), t.Name, ix.Name
	return e
}

// uniqueKeys tells whether keys that come in any order are all different. As long as they
// come in order the last one suffices; afterwards all are kept.
type uniqueKeys struct {
	last []byte
	seen map[string]struct{}
	size int
	// sorted holds the run of keys that came in order, as one arena.
	arena []byte
	ends  []int
	// overflow: too many to keep; duplicates are looked for in the index itself.
	overflow bool
	count    int64
}

// add reports false if the key has been seen before.
func (u *uniqueKeys) add(key []byte) bool {
	u.count++
	if u.overflow {
		return true
	}
	if u.seen == nil {
		c := bytes.Compare(u.last, key)
		if c == 0 {
			return false
		}
		if c < 0 {
			u.last = append(u.last[:0], key...)
			u.keep(key)
			return true
		}
		// Out of order for the first time. The run before is searched by halving.
		u.seen = map[string]struct{}{}
	}
	if u.inRun(key) {
		return false
	}
	if _, dup := u.seen[string(key)]; dup {
		return false
	}
	u.seen[string(key)] = struct{}{}
	if u.size += len(key) + 64; u.size > maxKeyMemory {
		u.overflow, u.seen, u.arena, u.ends = true, nil, nil, nil
	}
	return true
}

func (u *uniqueKeys) keep(key []byte) {
	u.arena = append(u.arena, key...)
	u.ends = append(u.ends, len(u.arena))
	if u.size += len(key) + 8; u.size > maxKeyMemory {
		u.overflow, u.arena, u.ends = true, nil, nil
	}
}

func (u *uniqueKeys) inRun(key []byte) bool {
	n := len(u.ends)
	at := func(i int) []byte {
		start := 0
		if i > 0 {
			start = u.ends[i-1]
		}
		return u.arena[start:u.ends[i]]
	}
	lo, hi := 0, n
	for lo < hi {
		m := (lo + hi) / 2
		if bytes.Compare(at(m), key) < 0 {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo < n && bytes.Equal(at(lo), key)
}

// verify finds out about duplicates where keys were too many to be kept: equal keys have
// overwritten each other, so that the index holds fewer entries than were written.
func (x *statement) verify(t *catalog.Table, ix *catalog.Index, u *uniqueKeys) error {
	if !u.overflow {
		return nil
	}
	span := t.IndexSpan(ix)
	var rows kv.Rows
	var n int64
	for start := span.Start; start != nil; {
		rows.Reset()
		b := kv.Batch{Header: kv.Header{ReadTS: x.e.cfg.DB.Now()}, Ops: []kv.Op{{Kind: kv.OpScan, Key: start, EndKey: span.End, MaxBytes: 4 << 20, Rows: &rows}}}
		if err := x.e.cfg.DB.Send(x.ctx, &b); err != nil {
			return err
		}
		n += int64(rows.Count)
		start = slices.Clone(b.Ops[0].Resume)
	}
	if n < u.count {
		e := sqlstate.New(sqlstate.UniqueViolation, "could not create unique index %q", ix.Name).WithDetail("Some keys are duplicated.")
		e.Schema, e.Table, e.Constraint = x.schemaName(t.Schema), t.Name, ix.Name
		return e
	}
	return nil
}
