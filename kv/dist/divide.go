package dist

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
)

// cloner is a kv.RowFilter that parts of a scan may use at the same time, each
// its own copy. A filter without it sees the ranges one after the other.
type cloner interface{ Clone() kv.RowFilter }

// divide sends a batch that spans ranges.
func (s *Sender) divide(ctx context.Context, b *kv.Batch, began time.Time) error {
	reads, ordered := false, b.MaxRows != 0 || b.MaxBytes != 0
	end := -1
	for i := range b.Ops {
		switch o := &b.Ops[i]; o.Kind {
		case kv.OpScan:
			reads = true
			if o.MaxRows != 0 || o.MaxBytes != 0 {
				ordered = true
			}
			if _, ok := o.Filter.(cloner); o.Filter != nil && !ok {
				ordered = true
			}
		case kv.OpGet:
			reads = true
		case kv.OpEndTxn:
			if o.End != nil && o.End.OnePhase {
				return &kv.CrossRangeError{}
			}
			end = i
		}
	}
	if reads && b.Txn == nil && b.ReadTS == 0 && !b.Inconsistent {
		// Each leaseholder would choose its own timestamp.
		return &kv.CrossRangeError{}
	}
	if ordered {
		return s.inOrder(ctx, b, began)
	}
	if end >= 0 && len(b.Ops) > 1 {
		if e := b.Ops[end].End; e != nil && len(e.InFlight) == 0 {
			return s.endLast(ctx, b, end, began)
		}
	}
	return s.inParallel(ctx, b, began)
}

// endLast sends everything but the OpEndTxn first, and that once all the rest
// has succeeded.
func (s *Sender) endLast(ctx context.Context, b *kv.Batch, end int, began time.Time) error {
	rest := kv.Batch{Header: b.Header, Ops: make([]kv.Op, 0, len(b.Ops)-1)}
	rest.Ops = append(append(rest.Ops, b.Ops[:end]...), b.Ops[end+1:]...)
	if err := s.route(ctx, &rest, began); err != nil {
		return err
	}
	copy(b.Ops[:end], rest.Ops[:end])
	copy(b.Ops[end+1:], rest.Ops[end:])
	last := kv.Batch{Header: b.Header, Ops: b.Ops[end : end+1 : end+1]}
	err := s.route(ctx, &last, began)
	b.Now = last.Now
	return err
}

// part is what one range gets of a batch.
type part struct {
	id    keys.RangeID
	batch kv.Batch
	txn   kv.TxnMeta
	// from[i] is the index in the parent of batch.Ops[i].
	from []int
	err  error
}

// inParallel cuts the batch by ranges, keeping the order of operations within
// each, and sends the parts concurrently.
func (s *Sender) inParallel(ctx context.Context, b *kv.Batch, began time.Time) error {
	parts, err := s.cut(ctx, b)
	if err != nil {
		return err
	}
	s.metrics.Parts.Add(uint64(len(parts)))
	readOnly := true
	for i := range b.Ops {
		readOnly = readOnly && !b.Ops[i].Kind.IsWrite()
	}
	// Writes under way are not cut off when another part fails: their outcome
	// would be unknown for no reason.
	partCtx, cancel := ctx, context.CancelFunc(func() {})
	if readOnly {
		partCtx, cancel = context.WithCancel(ctx)
	}
	defer cancel()
	send := func(p *part) {
		if p.err = s.route(partCtx, &p.batch, began); p.err != nil && readOnly {
			cancel()
		}
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, s.cfg.Parallel)
	for i := range parts[:len(parts)-1] {
		slots <- struct{}{}
		wg.Go(func() {
			send(parts[i])
			<-slots
		})
	}
	send(parts[len(parts)-1])
	wg.Wait()
	var worst error
	for _, p := range parts {
		worst = worse(worst, p.err)
		b.Now = max(b.Now, p.batch.Now)
		if b.Txn != nil {
			b.Txn.WriteTS = max(b.Txn.WriteTS, p.txn.WriteTS)
		}
	}
	if worst != nil {
		return worst
	}
	gather(b, parts)
	return nil
}

// cut returns the parts of b, in order of their first operation.
func (s *Sender) cut(ctx context.Context, b *kv.Batch) ([]*part, error) {
	var parts []*part
	index := make(map[keys.RangeID]*part)
	add := func(e *entry, i int, o kv.Op) {
		p := index[e.desc.RangeID]
		if p == nil {
			p = &part{id: e.desc.RangeID, batch: kv.Batch{Header: b.Header}}
			if b.Txn != nil {
				p.txn = *b.Txn
				p.batch.Txn = &p.txn
			}
			index[p.id] = p
			parts = append(parts, p)
		}
		if o.Kind == kv.OpScan {
			o.Rows = &kv.Rows{}
			if c, ok := o.Filter.(cloner); ok {
				o.Filter = c.Clone()
			}
		}
		p.batch.Ops = append(p.batch.Ops, o)
		p.from = append(p.from, i)
	}
	for i := range b.Ops {
		o := b.Ops[i]
		if o.EndKey == nil {
			e, err := s.lookup(ctx, o.Key, false)
			if err != nil {
				return nil, err
			}
			if !within(e.desc, o.Key, nil) {
				return nil, &OutsideError{Kind: o.Kind, Key: o.Key}
			}
			add(e, i, o)
			continue
		}
		for key := o.Key; bytes.Compare(key, o.EndKey) < 0; {
			e, err := s.lookup(ctx, key, false)
			if err != nil {
				return nil, err
			}
			if !within(e.desc, key, nil) {
				return nil, &OutsideError{Kind: o.Kind, Key: key}
			}
			piece := o
			piece.Key = key
			if bytes.Compare(e.desc.End, o.EndKey) < 0 {
				piece.EndKey = e.desc.End
			}
			add(e, i, piece)
			key = piece.EndKey
		}
	}
	return parts, nil
}

// OutsideError reports an operation on a key that no range can hold, such as the
// empty one: a mistake of the caller, and nothing was done.
type OutsideError struct {
	Kind kv.OpKind
	Key  keys.Key
}

func (e *OutsideError) Error() string {
	return fmt.Sprintf("dist: %v on key %x, which is outside of the key space", e.Kind, []byte(e.Key))
}

// gather puts the results of the parts into b.
func gather(b *kv.Batch, parts []*part) {
	// The pieces of one scan are spread over parts, which are in order of their
	// first operation and not of keys.
	pieces := make(map[int][]*kv.Op)
	for _, p := range parts {
		for j, i := range p.from {
			src := &p.batch.Ops[j]
			if src.Kind == kv.OpScan {
				pieces[i] = append(pieces[i], src)
				continue
			}
			dst := &b.Ops[i]
			if dst.EndKey != nil {
				continue // no results but for scans
			}
			*dst = *src
		}
	}
	for i, list := range pieces {
		o := &b.Ops[i]
		sortPieces(list, o.Reverse)
		o.Resume = nil
		if o.Rows == nil {
			o.Rows = &kv.Rows{}
		}
		for _, piece := range list {
			o.TS = max(o.TS, piece.TS)
			o.Rows.Buf = append(o.Rows.Buf, piece.Rows.Buf...)
			o.Rows.Count += piece.Rows.Count
			if piece.Resume != nil {
				// A leaseholder may stop for reasons of its own (memory): what comes
				// after must be read again.
				o.Resume = piece.Resume
				break
			}
		}
	}
}

func sortPieces(list []*kv.Op, reverse bool) {
	// Insertion sort: mostly in order already.
	for i := 1; i < len(list); i++ {
		for j := i; j > 0; j-- {
			c := bytes.Compare(list[j-1].Key, list[j].Key)
			if reverse {
				c = -c
			}
			if c <= 0 {
				break
			}
			list[j-1], list[j] = list[j], list[j-1]
		}
	}
}

// worse returns the error of a divided batch: of several, the one that leaves the
// most open or ends the most.
func worse(a, b error) error {
	if rank(b) > rank(a) {
		return b
	}
	return a
}

func rank(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, context.Canceled): // the consequence of another part's error
		return 1
	}
	if _, ok := errors.AsType[*kv.AmbiguousError](err); ok {
		return 5
	}
	if _, ok := errors.AsType[*kv.TxnAbortedError](err); ok {
		return 4
	}
	if _, ok := errors.AsType[*kv.RetryError](err); ok {
		return 2
	}
	return 3
}

// budget is what is left of a bound on rows or bytes; unbounded if not limited.
type budget struct {
	limited bool
	left    int64
}

func newBudget(n int64) budget { return budget{limited: n != 0, left: n} }

func (b budget) spent() bool { return b.limited && b.left <= 0 }

func (b *budget) take(n int64) { b.left -= n }

// field is the budget as a MaxRows or MaxBytes.
func (b budget) field() int64 {
	if !b.limited {
		return 0
	}
	return max(b.left, 1)
}

// inOrder sends a batch with limits: range by range in the order of operations,
// stopping where a bound is reached.
func (s *Sender) inOrder(ctx context.Context, b *kv.Batch, began time.Time) error {
	rows, size := newBudget(b.MaxRows), newBudget(b.MaxBytes)
	stopped := false
	for i := 0; i < len(b.Ops); {
		o := &b.Ops[i]
		if stopped && o.Kind == kv.OpScan {
			o.Resume = scanStart(o)
			i++
			continue
		}
		e, err := s.lookupOp(ctx, o)
		if err != nil {
			return err
		}
		if !within(e.desc, o.Key, o.EndKey) {
			if stopped, err = s.spanInOrder(ctx, b, o, &rows, &size, began); err != nil {
				return err
			}
			i++
			continue
		}
		j := i + 1
		for j < len(b.Ops) && within(e.desc, b.Ops[j].Key, b.Ops[j].EndKey) && !(stopped && b.Ops[j].Kind == kv.OpScan) {
			j++
		}
		sub := kv.Batch{Header: b.Header, Ops: b.Ops[i:j:j]}
		sub.MaxRows, sub.MaxBytes = rows.field(), size.field()
		before := totals(sub.Ops)
		if err := s.route(ctx, &sub, began); err != nil {
			return err
		}
		b.Now = max(b.Now, sub.Now)
		after := totals(sub.Ops)
		rows.take(after.rows - before.rows)
		size.take(after.bytes - before.bytes)
		if rows.spent() || size.spent() || (rows.limited || size.limited) && stoppedEarly(sub.Ops) {
			stopped = true
		}
		i = j
	}
	return nil
}

// spanInOrder executes one operation that spans ranges; stopped says that the
// batch's bounds are used up.
func (s *Sender) spanInOrder(ctx context.Context, b *kv.Batch, o *kv.Op, rows, size *budget, began time.Time) (stopped bool, err error) {
	opRows, opSize := newBudget(o.MaxRows), newBudget(o.MaxBytes)
	start, end := o.Key, o.EndKey
	for {
		piece := *o
		piece.Key, piece.EndKey = start, end
		e, err := s.lookupOp(ctx, &piece)
		if err != nil {
			return false, err
		}
		last := true
		if o.Reverse {
			if bytes.Compare(e.desc.Start, start) > 0 {
				piece.Key, last = e.desc.Start, false
			}
		} else if bytes.Compare(e.desc.End, end) < 0 {
			piece.EndKey, last = e.desc.End, false
		}
		piece.MaxRows, piece.MaxBytes = opRows.field(), opSize.field()
		sub := kv.Batch{Header: b.Header, Ops: []kv.Op{piece}}
		sub.MaxRows, sub.MaxBytes = rows.field(), size.field()
		before := totals(sub.Ops)
		if err := s.route(ctx, &sub, began); err != nil {
			return false, err
		}
		b.Now = max(b.Now, sub.Now)
		after := totals(sub.Ops)
		for _, bud := range []*budget{rows, &opRows} {
			bud.take(after.rows - before.rows)
		}
		for _, bud := range []*budget{size, &opSize} {
			bud.take(after.bytes - before.bytes)
		}
		got := &sub.Ops[0]
		o.Rows, o.Resume = got.Rows, got.Resume
		o.TS = max(o.TS, got.TS)
		if o.Kind != kv.OpScan {
			o.Resume = nil
		}
		spent := rows.spent() || size.spent()
		if o.Resume != nil {
			return spent || (rows.limited || size.limited) && !opRows.spent() && !opSize.spent(), nil
		}
		if last {
			return spent, nil
		}
		if o.Reverse {
			end = piece.Key
		} else {
			start = piece.EndKey
		}
		if spent || opRows.spent() || opSize.spent() {
			if o.Kind == kv.OpScan {
				o.Resume = start
				if o.Reverse {
					o.Resume = end
				}
			}
			return spent, nil
		}
	}
}

// scanStart is the Resume of a scan that was not begun.
func scanStart(o *kv.Op) keys.Key {
	if o.Reverse {
		return o.EndKey
	}
	return o.Key
}

type rowTotals struct{ rows, bytes int64 }

func totals(ops []kv.Op) (t rowTotals) {
	for i := range ops {
		if r := ops[i].Rows; r != nil {
			t.rows += int64(r.Count)
			t.bytes += int64(len(r.Buf))
		}
	}
	return t
}

// stoppedEarly reports whether a scan has stopped although its own bounds, if
// any, leave that to those of the batch.
func stoppedEarly(ops []kv.Op) bool {
	for i := range ops {
		if o := &ops[i]; o.Kind == kv.OpScan && o.Resume != nil && o.MaxRows == 0 && o.MaxBytes == 0 {
			return true
		}
	}
	return false
}
