package exec

import (
	"bytes"
	"slices"
	"sync"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
	"github.com/spanlite/spanlite/txn"
)

// span is one range of an index; a nil end makes start a single key.
type span struct{ start, end []byte }

// Bounds of a page of a scan. The first is small, as the reader may want no more; later ones grow, so that a long
// scan has few requests and holds little.
const (
	pageBytesFirst = 64 << 10
	pageBytesMax   = 2 << 20
)

// scanOp reads an index of a table within bounds, a page of packed rows at a time,
// and decodes the needed columns of up to a batch of rows. Conditions are evaluated before columns that they
// do not use are decoded.
type scanOp struct {
	r     *run
	n     *plan.PTableScan
	dec   *decoder
	lock  txn.Locking
	spans []span
	cur   int
	start []byte // where the current span goes on
	end   []byte
	page  *kv.Rows
	pos   int
	bytes int64
	done  bool // nothing more to fetch of the current span
	// look holds the primary rows of index entries that do not cover the columns.
	look   kv.Rows
	keyBuf [][]byte
	keyMem []byte
}

func newScan(r *run, n *plan.PTableScan) (*scanOp, error) {
	s := &scanOp{r: r, n: n}
	var err error
	if n.Covering {
		s.dec, err = newDecoder(n.Table, n.Index, n.Ords, n.Types(), n.Filter)
	} else {
		s.dec, err = newDecoder(n.Table, &n.Table.Primary, n.Ords, n.Types(), n.Filter)
	}
	if n.Lock != nil {
		s.lock = txn.Locking{Strength: n.Lock.Strength, Wait: n.Lock.Wait}
	}
	return s, err
}

// pages are the buffers of scans that have ended. They are large, and a short scan's is
// soon wanted again.
var pages = sync.Pool{New: func() any { return new(kv.Rows) }}

func (s *scanOp) Close() {
	if s.page != nil {
		s.page.Reset()
		pages.Put(s.page)
		s.page = nil
	}
}

func (s *scanOp) Open() error {
	if s.page == nil {
		s.page = pages.Get().(*kv.Rows)
	}
	s.cur, s.start, s.done = -1, nil, true
	s.page.Reset()
	s.pos = 0
	s.bytes = pageBytesFirst
	var err error
	s.spans, err = s.r.spans(s.n.Table, s.n.Index, s.n.Bounds, s.spans[:0])
	if err == nil && s.n.Reverse {
		slices.Reverse(s.spans)
	}
	return err
}

// allPoints reports whether every span is a single key of the primary index.
func (s *scanOp) allPoints() bool {
	for _, sp := range s.spans {
		if sp.end != nil {
			return false
		}
	}
	return true
}

func (s *scanOp) Next() (*types.Batch, error) {
	for {
		b, err := s.batch()
		if b == nil || err != nil {
			return nil, err
		}
		if b.Len() > 0 {
			return b, nil
		}
		if err := s.r.canceled(); err != nil {
			return nil, err
		}
	}
}

// batch decodes the next rows of the page, fetching one if need be; nil at the end.
func (s *scanOp) batch() (*types.Batch, error) {
	s.dec.begin()
	for {
		for !s.dec.full() {
			key, value, _, next, ok := s.page.Next(s.pos)
			if !ok {
				break
			}
			s.pos = next
			s.dec.add(key, value)
		}
		if s.dec.len() > 0 {
			break
		}
		more, err := s.fetch()
		if err != nil || !more {
			return nil, err
		}
	}
	if !s.n.Covering {
		if err := s.lookup(); err != nil {
			return nil, err
		}
	}
	return s.dec.decode(s.r.ec)
}

// fetch gets the next page; false at the end of the last span.
func (s *scanOp) fetch() (bool, error) {
	s.page.Reset()
	s.pos = 0
	if s.cur < 0 && len(s.spans) > 1 && s.allPoints() {
		return s.fetchPoints()
	}
	for {
		if s.done {
			s.cur++
			if s.cur >= len(s.spans) {
				return false, nil
			}
			sp := s.spans[s.cur]
			s.start, s.end, s.done = sp.start, sp.end, false
		}
		if s.end == nil {
			s.done = true
			v, ok, err := s.r.c.Txn.Get(s.r.ctx, s.start, s.entryLock())
			if err != nil {
				return false, err
			}
			if !ok {
				continue
			}
			s.page.Append(s.start, v, 0)
			return true, nil
		}
		opt := txn.ScanOptions{Reverse: s.n.Reverse, MaxBytes: s.bytes, Lock: s.entryLock()}
		if s.n.Limit > 0 && s.bytes == pageBytesFirst {
			opt.MaxRows = max(s.n.Limit, 1)
		}
		s.bytes = min(4*s.bytes, pageBytesMax)
		resume, err := s.r.c.Txn.Scan(s.r.ctx, s.start, s.end, opt, s.page)
		if err != nil {
			return false, err
		}
		switch {
		case resume == nil:
			s.done = true
		case s.n.Reverse:
			s.end = append([]byte(nil), resume...)
		default:
			s.start = append([]byte(nil), resume...)
		}
		if s.page.Count > 0 {
			return true, nil
		}
		if err := s.r.canceled(); err != nil {
			return false, err
		}
	}
}

// entryLock is the lock of the keys that are scanned: entries of a secondary index are not locked, their rows are.
func (s *scanOp) entryLock() txn.Locking {
	if s.n.Index != &s.n.Table.Primary {
		return txn.Locking{}
	}
	return s.lock
}

// fetchPoints gets all single keys in one round.
func (s *scanOp) fetchPoints() (bool, error) {
	s.cur = len(s.spans)
	s.keyBuf = s.keyBuf[:0]
	for _, sp := range s.spans {
		s.keyBuf = append(s.keyBuf, sp.start)
	}
	err := s.r.c.Txn.GetMany(s.r.ctx, s.keyBuf, s.lock, func(i int, value []byte) error {
		if value != nil {
			s.page.Append(s.keyBuf[i], value, 0)
		}
		return nil
	})
	return s.page.Count > 0, err
}

// lookup replaces the index entries in the decoder by the rows they point to.
func (s *scanOp) lookup() error {
	s.keyMem = s.keyMem[:0]
	s.keyBuf = s.keyBuf[:0]
	codec := codecOf(s.n.Table)
	offs := make([]int, 0, s.dec.len()+1)
	for i := range s.dec.len() {
		offs = append(offs, len(s.keyMem))
		var err error
		if s.keyMem, err = codec.rowKeyOfEntry(s.keyMem, s.n.Index, s.dec.keys[i], s.dec.values[i]); err != nil {
			return err
		}
	}
	offs = append(offs, len(s.keyMem))
	for i := range len(offs) - 1 {
		s.keyBuf = append(s.keyBuf, s.keyMem[offs[i]:offs[i+1]:offs[i+1]])
	}
	s.look.Reset()
	err := s.r.c.Txn.GetMany(s.r.ctx, s.keyBuf, s.lock, func(i int, value []byte) error {
		if value != nil {
			s.look.Append(s.keyBuf[i], value, 0)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.dec.begin()
	for pos := 0; ; {
		key, value, _, next, ok := s.look.Next(pos)
		if !ok {
			return nil
		}
		pos = next
		s.dec.add(key, value)
	}
}

// spans computes the ranges of an index that bounds describe, in key order.
func (r *run) spans(t *catalog.Table, x *catalog.Index, b *plan.Bounds, dst []span) ([]span, error) {
	prefix := keys.IndexPrefix(nil, uint32(t.ID), x.ID)
	if b == nil {
		return append(dst, span{prefix, keys.PrefixEnd(prefix)}), nil
	}
	codec := codecOf(t)
	heads := [][]byte{prefix}
	for i, part := range b.Prefix {
		values, err := r.alternatives(part)
		if err != nil {
			return nil, err
		}
		next := make([][]byte, 0, len(heads)*len(values))
		for _, v := range values {
			if outOfRange(x.Columns[i].Type, t, x.Columns[i].Num, v) != 0 {
				continue // no row has it
			}
			for _, h := range heads {
				next = append(next, codec.appendKey(h[:len(h):len(h)], x, i, v))
			}
		}
		heads = next
	}
	if len(heads) > 1 {
		slices.SortFunc(heads, bytes.Compare)
		heads = slices.CompactFunc(heads, bytes.Equal)
	}
	col := len(b.Prefix)
	if x == &t.Primary && col == len(x.Columns) {
		for _, h := range heads {
			dst = append(dst, span{start: h})
		}
		return dst, nil
	}
	if b.Lower == nil && b.Upper == nil {
		for _, h := range heads {
			dst = append(dst, span{h, keys.PrefixEnd(h)})
		}
		return dst, nil
	}
	var lower, upper types.Datum
	var err error
	if b.Lower != nil {
		if lower, err = b.Lower.Expr.Eval(r.ec, nil); err != nil {
			return nil, err
		}
		if lower.IsNull() {
			return dst, nil
		}
	}
	if b.Upper != nil {
		if upper, err = b.Upper.Expr.Eval(r.ec, nil); err != nil {
			return nil, err
		}
		if upper.IsNull() {
			return dst, nil
		}
	}
	// A bound beyond what the column's type can hold is no bound, or excludes everything.
	lo, up := b.Lower, b.Upper
	if lo != nil {
		switch outOfRange(x.Columns[col].Type, t, x.Columns[col].Num, lower) {
		case 1:
			return dst, nil
		case -1:
			lo = nil
		}
	}
	if up != nil {
		switch outOfRange(x.Columns[col].Type, t, x.Columns[col].Num, upper) {
		case -1:
			return dst, nil
		case 1:
			up = nil
		}
	}
	desc := x.Columns[col].Desc
	for _, h := range heads {
		// In the order of values; a descending column turns it round.
		var from, to []byte
		fromIncl, toIncl := true, true
		if lo != nil {
			from, fromIncl = codec.appendKey(h[:len(h):len(h)], x, col, lower), lo.Inclusive
		}
		if up != nil {
			to, toIncl = codec.appendKey(h[:len(h):len(h)], x, col, upper), up.Inclusive
		}
		if desc {
			from, to, fromIncl, toIncl = to, from, toIncl, fromIncl
		}
		null := codec.appendKey(h[:len(h):len(h)], x, col, types.Null)
		sp := span{start: h, end: keys.PrefixEnd(h)}
		if x.Columns[col].NullsFirst {
			sp.start = keys.PrefixEnd(null)
		} else {
			sp.end = null
		}
		if from != nil {
			sp.start = from
			if !fromIncl {
				sp.start = keys.PrefixEnd(from)
			}
		}
		if to != nil {
			sp.end = to
			if toIncl {
				sp.end = keys.PrefixEnd(to)
			}
		}
		if bytes.Compare(sp.start, sp.end) < 0 {
			dst = append(dst, sp)
		}
	}
	return dst, nil
}

// outOfRange tells whether an integer is below (-1) or above (1) what the column's type can
// hold: comparisons between integer types are not converted to the narrower one.
func outOfRange(ct *types.T, t *catalog.Table, num catalog.AttNum, d types.Datum) int {
	if d.Family() != types.FamInt {
		return 0
	}
	if ct == nil {
		ct = t.Column(num).Type
	}
	lo, hi := int64(-1<<63), int64(1<<63-1)
	switch ct.OID {
	case types.OIDInt2:
		lo, hi = -1<<15, 1<<15-1
	case types.OIDInt4:
		lo, hi = -1<<31, 1<<31-1
	}
	switch x := d.Int(); {
	case x < lo:
		return -1
	case x > hi:
		return 1
	}
	return 0
}

// alternatives evaluates the values that a key column may have; NULLs match nothing.
func (r *run) alternatives(p plan.KeyPart) ([]types.Datum, error) {
	if p.IsNull {
		return []types.Datum{types.Null}, nil
	}
	if p.Array != nil {
		d, err := p.Array.Eval(r.ec, nil)
		if err != nil || d.IsNull() {
			return nil, err
		}
		out := make([]types.Datum, 0, len(d.Array().Elems))
		for _, e := range d.Array().Elems {
			if !e.IsNull() {
				out = append(out, e)
			}
		}
		return out, nil
	}
	out := make([]types.Datum, 0, len(p.Values))
	for _, v := range p.Values {
		d, err := v.Eval(r.ec, nil)
		if err != nil {
			return nil, err
		}
		if !d.IsNull() {
			out = append(out, d)
		}
	}
	return out, nil
}

// virtualScanOp reads a virtual table, a row at a time from its generator into a store.
type virtualScanOp struct {
	r      *run
	n      *plan.PVirtualScan
	store  *rowStore
	reader storeReader
	filled bool
}

func newVirtualScan(r *run, n *plan.PVirtualScan) *virtualScanOp {
	return &virtualScanOp{r: r, n: n}
}

func (v *virtualScanOp) Open() error {
	v.release()
	v.filled = false
	return nil
}

func (v *virtualScanOp) release() {
	if v.store != nil {
		v.store.reset()
		v.store = nil
	}
}

func (v *virtualScanOp) Close() { v.release() }

func (v *virtualScanOp) fill() error {
	v.store = newRowStore(v.n.Types(), v.r.c.Mem)
	row := make(types.Row, len(v.n.Ords))
	keep := func(full types.Row) error {
		for i, ord := range v.n.Ords {
			if ord == plan.TableOIDOrd {
				row[i] = types.NewInt(int64(v.n.Rel.Head().ID))
				continue
			}
			row[i] = full[ord]
		}
		for _, c := range v.n.Filter {
			d, err := c.Eval(v.r.ec, row)
			if err != nil {
				return err
			}
			if !d.Bool() {
				return nil
			}
		}
		return v.store.addRow(row)
	}
	switch rel := v.n.Rel.(type) {
	case *catalog.Virtual:
		var look catalog.Lookup
		if v.n.Values != nil || v.n.Array != nil {
			values, err := v.r.alternatives(plan.KeyPart{Values: v.n.Values, Array: v.n.Array})
			if err != nil {
				return err
			}
			look = catalog.Lookup{Active: true, Column: v.n.LookupOrd, Values: values}
		}
		env := v.r.c.Virtual
		if env == nil {
			return internalError("virtual table %s without an environment", rel.Name)
		}
		n := 0
		return rel.Scan(v.r.ctx, env, look, func(full types.Row) error {
			if n++; n&255 == 0 {
				if err := v.r.canceled(); err != nil {
					return err
				}
			}
			return keep(full)
		})
	case *catalog.Sequence:
		if v.r.c.SequenceRow == nil {
			return internalError("no reader of sequences")
		}
		full, err := v.r.c.SequenceRow(v.r.ctx, rel)
		if err != nil {
			return err
		}
		return keep(full)
	}
	return internalError("cannot scan %s", v.n.Rel.Head().Name)
}

func (v *virtualScanOp) Next() (*types.Batch, error) {
	if !v.filled {
		v.filled = true
		if err := v.fill(); err != nil {
			return nil, err
		}
		v.reader = storeReader{s: v.store}
	}
	return v.reader.Next(), nil
}
