package exec

import (
	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
	"github.com/spanlite/spanlite/txn"
)

// lookupJoinOp finds the right rows of each batch of left rows by an index. Keys that are equal are looked
// up once per batch.
type lookupJoinOp struct {
	joinState
	n      *plan.PLookupJoin
	leftOp operator
	dec    *decoder
	point  bool // a key is at most one row: GetMany instead of scans
	lock   txn.Locking
	keys   []*types.Vec
	rows   kv.Rows
	// byKey gives the first and last right row of each distinct key.
	byKey  map[string][2]uint32
	ranges [][2]uint32 // by position of the left batch
	mem    []byte
	next   uint32
	inRow  bool
}

func newLookupJoin(r *run, n *plan.PLookupJoin, left operator) (*lookupJoinOp, error) {
	l := &lookupJoinOp{n: n, leftOp: left, byKey: make(map[string][2]uint32)}
	rts := make([]*types.T, len(n.RightCols))
	for i, c := range n.RightCols {
		rts[i] = c.T
	}
	l.joinState.joinOutput = newJoinOutput(r, n.Kind, n.Left.Phys().Types(), rts, n.On, n.Out)
	x := n.Index
	if !n.Covering {
		x = &n.Table.Primary
	}
	var err error
	l.dec, err = newDecoder(n.Table, x, n.Ords, rts, nil)
	l.keys = make([]*types.Vec, len(n.Keys))
	l.point = n.Index == &n.Table.Primary && len(n.Keys) == len(n.Index.Columns)
	l.ranges = make([][2]uint32, types.BatchSize)
	if n.Lock != nil {
		l.lock = txn.Locking{Strength: n.Lock.Strength, Wait: n.Lock.Wait}
	}
	return l, err
}

func (l *lookupJoinOp) Open() error {
	l.left = nil
	l.lIdx, l.rIdx, l.queueL, l.queueR = l.lIdx[:0], l.rIdx[:0], nil, nil
	return l.leftOp.Open()
}

func (l *lookupJoinOp) Close() {
	if l.right != nil {
		l.right.reset()
	}
	l.leftOp.Close()
}

func (l *lookupJoinOp) Next() (*types.Batch, error) {
	for {
		if l.left == nil {
			b, err := l.leftOp.Next()
			if b == nil || err != nil {
				return nil, err
			}
			if err := l.lookup(b); err != nil {
				return nil, err
			}
			l.begin(b)
			l.inRow = false
		}
		out, err := l.step()
		if out != nil || err != nil {
			return out, err
		}
		if err := l.r.canceled(); err != nil {
			return nil, err
		}
	}
}

// lookup fetches the right rows for a left batch.
func (l *lookupJoinOp) lookup(b *types.Batch) error {
	if l.right == nil {
		l.right = newRowStore(l.ts[l.nLeft:], l.r.c.Mem)
	} else {
		l.right.reset()
	}
	clear(l.byKey)
	l.mem = l.mem[:0]
	owned, err := evalAll(l.r.ec, l.n.Keys, b, l.keys)
	if err != nil {
		return err
	}
	defer returnAll(l.r.ec, l.keys, owned)
	codec := codecOf(l.n.Table)
	var order [][]byte
	keyOf := make([]string, types.BatchSize)
rows:
	for k, n := 0, b.Len(); k < n; k++ {
		i := b.RowAt(k)
		keyOf[i] = ""
		for _, v := range l.keys {
			if v.IsNull(i) {
				continue rows
			}
		}
		for c, v := range l.keys {
			ic := &l.n.Index.Columns[c]
			if outOfRange(ic.Type, l.n.Table, ic.Num, v.Get(i)) != 0 {
				continue rows
			}
		}
		at := len(l.mem)
		l.mem = keys.IndexPrefix(l.mem, uint32(l.n.Table.ID), l.n.Index.ID)
		for c, v := range l.keys {
			l.mem = codec.appendKey(l.mem, l.n.Index, c, v.Get(i))
		}
		key := string(l.mem[at:])
		keyOf[i] = key
		if _, ok := l.byKey[key]; !ok {
			l.byKey[key] = [2]uint32{}
			order = append(order, []byte(key))
		}
	}
	if err := l.fetch(order); err != nil {
		return err
	}
	for k, n := 0, b.Len(); k < n; k++ {
		i := b.RowAt(k)
		if keyOf[i] == "" {
			l.ranges[i] = [2]uint32{}
		} else {
			l.ranges[i] = l.byKey[keyOf[i]]
		}
	}
	return nil
}

// fetch reads the rows of the keys into the store and notes where those of each key are.
func (l *lookupJoinOp) fetch(order [][]byte) error {
	if l.point {
		l.rows.Reset()
		var found []int
		err := l.r.c.Txn.GetMany(l.r.ctx, order, l.lock, func(i int, value []byte) error {
			if value != nil {
				l.rows.Append(order[i], value, 0)
				found = append(found, i)
			}
			return nil
		})
		if err != nil {
			return err
		}
		base := uint32(l.right.len())
		for j, i := range found {
			l.byKey[string(order[i])] = [2]uint32{base + uint32(j), base + uint32(j) + 1}
		}
		return l.keep(&l.rows)
	}
	for _, key := range order {
		first := uint32(l.right.len())
		start, end := key, []byte(keys.PrefixEnd(key))
		for start != nil {
			l.rows.Reset()
			resume, err := l.r.c.Txn.Scan(l.r.ctx, start, end, txn.ScanOptions{MaxBytes: pageBytesMax}, &l.rows)
			if err != nil {
				return err
			}
			if err := l.keepEntries(); err != nil {
				return err
			}
			start = append([]byte(nil), resume...)
			if resume == nil {
				start = nil
			}
		}
		l.byKey[string(key)] = [2]uint32{first, uint32(l.right.len())}
		if err := l.r.canceled(); err != nil {
			return err
		}
	}
	return nil
}

// keepEntries stores the rows of index entries, looking up what the index does not hold.
func (l *lookupJoinOp) keepEntries() error {
	if l.n.Covering || l.rows.Count == 0 {
		return l.keep(&l.rows)
	}
	codec := codecOf(l.n.Table)
	var ks [][]byte
	for pos := 0; ; {
		key, value, _, next, ok := l.rows.Next(pos)
		if !ok {
			break
		}
		pos = next
		k, err := codec.rowKeyOfEntry(nil, l.n.Index, key, value)
		if err != nil {
			return err
		}
		ks = append(ks, k)
	}
	var got kv.Rows
	err := l.r.c.Txn.GetMany(l.r.ctx, ks, l.lock, func(i int, value []byte) error {
		if value != nil {
			got.Append(ks[i], value, 0)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return l.keep(&got)
}

// keep decodes packed rows into the store.
func (l *lookupJoinOp) keep(rows *kv.Rows) error {
	for pos := 0; ; {
		l.dec.begin()
		for !l.dec.full() {
			key, value, _, next, ok := rows.Next(pos)
			if !ok {
				break
			}
			pos = next
			l.dec.add(key, value)
		}
		if l.dec.len() == 0 {
			return nil
		}
		b, err := l.dec.decode(l.r.ec)
		if err != nil {
			return err
		}
		if err := l.right.add(b); err != nil {
			return err
		}
	}
}

func (l *lookupJoinOp) step() (*types.Batch, error) {
	if b := l.drain(); b != nil {
		return b, nil
	}
	first := l.kind == plan.SemiJoin || l.kind == plan.AntiJoin
	n := l.left.Len()
	for l.k < n {
		i := l.left.RowAt(l.k)
		rg := l.ranges[i]
		if !l.inRow {
			l.next, l.inRow = rg[0], true
		}
		for l.next < rg[1] {
			if first && len(l.on) == 0 {
				l.matched.Set(i)
				break
			}
			l.lIdx, l.rIdx = append(l.lIdx, uint16(i)), append(l.rIdx, l.next)
			l.next++
			if len(l.lIdx) == types.BatchSize {
				out, err := l.flush(l.k)
				if out != nil || err != nil {
					return out, err
				}
			}
		}
		l.k++
		l.inRow = false
	}
	if l.settled < n || len(l.lIdx) > 0 {
		out, err := l.flush(n)
		if out != nil || err != nil {
			return out, err
		}
	}
	out := l.leftovers()
	l.left = nil
	return out, nil
}
