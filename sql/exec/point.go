package exec

import (
	"context"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/rowenc"
	"github.com/spanlite/spanlite/sql/types"
	"github.com/spanlite/spanlite/txn"
)

// Point is the closed form of a statement on one row by primary key: everything that does not
// depend on the parameters is worked out when it is made. It is immutable and shared; what an
// execution needs is in a PointState.
//
// A point statement is one of
//
//	SELECT expressions FROM t WHERE pk = ... [AND conditions] [FOR UPDATE]
//	INSERT INTO t VALUES (one row)            without ON CONFLICT
//	UPDATE t SET ... WHERE pk = ...           that leaves unique keys alone
//	DELETE FROM t WHERE pk = ...
//
// with or without RETURNING, and without subqueries.
type Point struct {
	plan  *plan.Physical
	table *catalog.Table
	codec *rowenc.Codec
	// prefix is that of the primary index, key gives its columns.
	prefix []byte
	key    []expr.Expr
	lock   txn.Locking

	// SELECT: the columns read, the conditions on them, and the select list over them
	// (nil: the columns themselves).
	scan    *plan.PTableScan
	dec     *rowenc.Decoder
	decPos  []int // per column of the scan: the decoder's, or -1 for a hidden one
	project []expr.Expr

	write  *plan.TableWrite
	insert *plan.PInsert
	values []expr.Expr // by table ordinal; nil for NULL
	update *plan.PUpdate
	delete *plan.PDelete
	// all decodes every live column of the table.
	all    *rowenc.Decoder
	allOrd []int
}

// PointState is the memory of executions of one Point, for one session. The zero value is ready.
type PointState struct {
	run    run
	w      *writer
	key    []byte
	keys   [1][]byte
	vals   [1][]byte
	batch  *types.Batch
	out    *types.Batch
	row    types.Row
	old    types.Row
	in     types.Row
	full   types.Row
	ret    *types.Batch
	uniq   []uniqueKey
	memory []byte
}

// CompilePoint returns the closed form of a plan, nil if it has none.
func CompilePoint(p *plan.Physical) *Point {
	if p.Subqueries > 0 || len(p.CTEs) > 0 || p.AsOf != nil {
		return nil
	}
	pt := &Point{plan: p}
	switch n := p.Root.(type) {
	case *plan.PTableScan:
		if !pt.setScan(n) {
			return nil
		}
	case *plan.PProject:
		s, ok := n.Input.(*plan.PTableScan)
		if !ok || !pt.setScan(s) {
			return nil
		}
		pt.project = n.Exprs
	case *plan.PInsert:
		if !pt.setInsert(n) {
			return nil
		}
	case *plan.PUpdate:
		s, ok := n.Input.(*plan.PTableScan)
		if !ok || n.KeyChanged || !n.Locked || !pt.setScan(s) {
			return nil
		}
		pt.update = n
		pt.setTable(&n.TableWrite)
	case *plan.PDelete:
		s, ok := n.Input.(*plan.PTableScan)
		if !ok || !n.Locked || !pt.setScan(s) {
			return nil
		}
		pt.delete = n
		pt.setTable(&n.TableWrite)
	default:
		return nil
	}
	return pt
}

func (pt *Point) setScan(s *plan.PTableScan) bool {
	b := s.Bounds
	if b == nil || s.Index != &s.Table.Primary || len(b.Prefix) != len(s.Index.Columns) {
		return false
	}
	for _, k := range b.Prefix {
		if len(k.Values) != 1 || k.Array != nil || k.IsNull {
			return false
		}
		pt.key = append(pt.key, k.Values[0])
	}
	pt.scan, pt.table = s, s.Table
	pt.codec = rowenc.Of(s.Table)
	pt.prefix = keys.IndexPrefix(nil, uint32(s.Table.ID), s.Index.ID)
	if s.Lock != nil {
		pt.lock = txn.Locking{Strength: s.Lock.Strength, Wait: s.Lock.Wait}
	}
	var ords []int
	for _, o := range s.Ords {
		if o < 0 {
			pt.decPos = append(pt.decPos, -1)
			continue
		}
		pt.decPos = append(pt.decPos, len(ords))
		ords = append(ords, o)
	}
	pt.dec = pt.codec.NewDecoder(s.Index, ords)
	return true
}

func (pt *Point) setTable(w *plan.TableWrite) {
	pt.write, pt.table = w, w.Table
	pt.codec = rowenc.Of(w.Table)
	for i := range w.Table.Columns {
		if !w.Table.Columns[i].Dropped {
			pt.allOrd = append(pt.allOrd, i)
		}
	}
	pt.all = pt.codec.NewDecoder(&w.Table.Primary, pt.allOrd)
}

func (pt *Point) setInsert(n *plan.PInsert) bool {
	v, ok := n.Input.(*plan.PValues)
	if !ok || len(v.Rows) != 1 || n.Conflict != nil {
		return false
	}
	pt.insert = n
	pt.setTable(&n.TableWrite)
	pt.values = make([]expr.Expr, len(n.From))
	for ord, c := range n.From {
		if c >= 0 {
			pt.values[ord] = v.Rows[0][c]
		}
	}
	return true
}

// Run executes the statement and returns the number of rows returned or changed. Rows go to sink, which may be
// nil if there are none.
func (pt *Point) Run(ctx context.Context, st *PointState, c *Context, sink Sink) (int64, error) {
	r := &st.run
	r.ctx, r.c, r.ec = ctx, c, c.Eval
	r.ec.Ctx = ctx
	if r.plan == nil {
		r.plan = pt.plan
		r.writes.init(r)
		if pt.write != nil {
			st.w = r.writer(pt.write)
		}
	}
	switch {
	case pt.insert != nil:
		return pt.runInsert(st, sink)
	case pt.update != nil:
		return pt.runUpdate(st, sink)
	case pt.delete != nil:
		return pt.runDelete(st, sink)
	}
	return pt.runSelect(st, sink)
}

// makeKey evaluates the primary key; ok is false if no row can have it.
func (pt *Point) makeKey(st *PointState) (ok bool, err error) {
	st.key = append(st.key[:0], pt.prefix...)
	x := &pt.table.Primary
	for i, e := range pt.key {
		d, err := e.Eval(st.run.ec, nil)
		if err != nil {
			return false, err
		}
		if d.IsNull() || outOfRange(x.Columns[i].Type, pt.table, x.Columns[i].Num, d) != 0 {
			return false, nil
		}
		if st.key, err = pt.codec.AppendKeyColumn(st.key, x, i, d); err != nil {
			return false, err
		}
	}
	return true, nil
}

// read gets the row; value is nil if there is none.
func (pt *Point) read(st *PointState) ([]byte, error) {
	ok, err := pt.makeKey(st)
	if !ok || err != nil {
		return nil, err
	}
	value, ok, err := st.run.c.Txn.Get(st.run.ctx, st.key, pt.lock)
	if !ok || err != nil {
		return nil, err
	}
	return value, nil
}

func (pt *Point) runSelect(st *PointState, sink Sink) (int64, error) {
	value, err := pt.read(st)
	if value == nil || err != nil {
		return 0, err
	}
	if st.batch == nil {
		st.batch = smallBatch(pt.scan.Types())
		if pt.project != nil {
			st.out = smallBatch(pt.plan.Root.Phys().Types())
		}
	}
	b := st.batch
	b.N, b.Sel = 1, nil
	st.keys[0], st.vals[0] = st.key, value
	for i, p := range pt.decPos {
		v := b.Cols[i]
		v.Reset()
		v.Resize(1)
		switch {
		case p >= 0:
			if err := pt.dec.Fill(p, st.keys[:], st.vals[:], v); err != nil {
				return 0, err
			}
		case pt.scan.Ords[i] == plan.TableOIDOrd:
			v.Ints[0] = int64(pt.table.ID)
		default:
			v.Bytes[0] = st.key
		}
	}
	if len(pt.scan.Filter) > 0 {
		if err := filterBatch(st.run.ec, pt.scan.Filter, b); err != nil || b.Len() == 0 {
			return 0, err
		}
	}
	if pt.project == nil {
		return 1, sink.Rows(b)
	}
	out := st.out
	out.N, out.Sel = 1, nil
	for i, e := range pt.project {
		if ref, ok := e.(*expr.ColumnRef); ok {
			out.Cols[i] = b.Cols[ref.Ordinal]
			continue
		}
		if err := e.EvalBatch(st.run.ec, b, out.Cols[i]); err != nil {
			return 0, err
		}
	}
	return 1, sink.Rows(out)
}

// smallBatch makes a batch for single rows.
func smallBatch(ts []*types.T) *types.Batch {
	b := &types.Batch{Cols: make([]*types.Vec, len(ts))}
	vecs := make([]types.Vec, len(ts))
	for i, t := range ts {
		vecs[i].Init(t)
		b.Cols[i] = &vecs[i]
	}
	return b
}

// emit gives RETURNING's row to sink. full is the table row followed by the input row.
func (pt *Point) emit(st *PointState, exprs []expr.Expr, full types.Row, sink Sink) error {
	if exprs == nil || sink == nil {
		return nil
	}
	if st.ret == nil {
		st.ret = smallBatch(pt.plan.Root.Phys().Types())
	}
	st.ret.Reset()
	st.ret.N = 1
	for i, e := range exprs {
		d, err := e.Eval(st.run.ec, full)
		if err != nil {
			return err
		}
		st.ret.Cols[i].Append(d)
	}
	return sink.Rows(st.ret)
}

func sizedRow(row types.Row, n int) types.Row {
	if cap(row) < n {
		return make(types.Row, n)
	}
	row = row[:n]
	clear(row)
	return row
}

// decodeAll decodes the row into st.old, copying it first, as the value lives only until the next request.
func (pt *Point) decodeAll(st *PointState, value []byte) error {
	st.memory = append(st.memory[:0], value...)
	st.old = sizedRow(st.old, len(pt.table.Columns))
	for i, ord := range pt.allOrd {
		d, err := pt.all.Datum(i, st.key, st.memory)
		if err != nil {
			return err
		}
		st.old[ord] = d
	}
	return nil
}

// input makes the row that a scan would have returned, and tests the conditions on it.
func (pt *Point) input(st *PointState) (bool, error) {
	st.in = sizedRow(st.in, len(pt.scan.Ords))
	for i, o := range pt.scan.Ords {
		switch o {
		case plan.RowKeyOrd:
			st.in[i] = types.NewBytes(st.key)
		case plan.TableOIDOrd:
			st.in[i] = types.NewInt(int64(pt.table.ID))
		default:
			st.in[i] = st.old[o]
		}
	}
	return allTrue(st.run.ec, pt.scan.Filter, st.in)
}

func (pt *Point) runUpdate(st *PointState, sink Sink) (int64, error) {
	value, err := pt.read(st)
	if value == nil || err != nil {
		return 0, err
	}
	if err := pt.decodeAll(st, value); err != nil {
		return 0, err
	}
	if ok, err := pt.input(st); !ok || err != nil {
		return 0, err
	}
	st.row = sizedRow(st.row, len(st.old))
	copy(st.row, st.old)
	for _, s := range pt.update.Set {
		d, err := s.Expr.Eval(st.run.ec, st.in)
		if err != nil {
			return 0, err
		}
		st.row[s.Ord] = d
	}
	if err := st.w.complete(st.row); err != nil {
		return 0, err
	}
	if err := st.w.update(st.old, st.row, st.key); err != nil {
		return 0, err
	}
	if pt.update.Returning != nil {
		st.full = append(append(st.full[:0], st.row...), st.in...)
		if err := pt.emit(st, pt.update.Returning, st.full, sink); err != nil {
			return 0, err
		}
	}
	return 1, st.run.writes.finish()
}

func (pt *Point) runDelete(st *PointState, sink Sink) (int64, error) {
	value, err := pt.read(st)
	if value == nil || err != nil {
		return 0, err
	}
	if err := pt.decodeAll(st, value); err != nil {
		return 0, err
	}
	if ok, err := pt.input(st); !ok || err != nil {
		return 0, err
	}
	if err := st.w.remove(st.old, st.key); err != nil {
		return 0, err
	}
	if pt.delete.Returning != nil {
		st.full = append(append(st.full[:0], st.old...), st.in...)
		if err := pt.emit(st, pt.delete.Returning, st.full, sink); err != nil {
			return 0, err
		}
	}
	return 1, st.run.writes.finish()
}

func (pt *Point) runInsert(st *PointState, sink Sink) (int64, error) {
	r := &st.run
	st.row = sizedRow(st.row, len(pt.table.Columns))
	for ord, e := range pt.values {
		if e == nil {
			continue
		}
		d, err := e.Eval(r.ec, nil)
		if err != nil {
			return 0, err
		}
		st.row[ord] = d
	}
	if pt.table.HasRowID() {
		id, err := r.c.RowID(r.ctx, pt.table)
		if err != nil {
			return 0, err
		}
		st.row[len(st.row)-1] = types.NewInt(id)
	}
	if err := st.w.complete(st.row); err != nil {
		return 0, err
	}
	if err := pt.checkUnique(st); err != nil {
		return 0, err
	}
	if err := st.w.insert(st.row); err != nil {
		return 0, err
	}
	if err := pt.emit(st, pt.insert.Returning, st.row, sink); err != nil {
		return 0, err
	}
	return 1, r.writes.finish()
}

// checkUnique verifies that no other row has the new row's keys.
func (pt *Point) checkUnique(st *PointState) error {
	unique := false
	for i := range pt.table.Indexes {
		unique = unique || pt.table.Indexes[i].Unique
	}
	if unique {
		var err error
		if st.uniq, err = st.w.uniqueKeys(st.uniq[:0], 0, st.row, nil); err != nil {
			return err
		}
		return st.w.checkAbsent(st.uniq, func(int) types.Row { return st.row })
	}
	if pt.table.HasRowID() {
		return nil
	}
	var err error
	if st.key, err = pt.codec.AppendRowKey(st.key[:0], st.row); err != nil {
		return err
	}
	_, exists, err := st.run.c.Txn.Get(st.run.ctx, st.key, txn.Locking{Strength: kv.LockUpdate})
	if err != nil {
		return err
	}
	if exists {
		return st.w.duplicate(&pt.table.Primary, st.row)
	}
	return nil
}
