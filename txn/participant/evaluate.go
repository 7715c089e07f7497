package participant

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/invariant"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/mvcc"
	"github.com/spanlite/spanlite/kv/replica"
	"github.com/spanlite/spanlite/kv/storage"
	"github.com/spanlite/spanlite/kv/tscache"
)

// evaluation is one attempt to execute a batch.
type evaluation struct {
	p   *Participant
	req *replica.Request
	b   *kv.Batch
	st  *request
	c   *mvcc.Cursor
	// w is nil until the first write; indexed says that c reads through it.
	w       *storage.Batch
	indexed bool
	// What is left of the batch's limits; negative: no bound.
	rows, bytes int64
	full        bool // a limit is met, later scans are not started
}

// Evaluate implements replica.Evaluator.
func (p *Participant) Evaluate(ctx context.Context, req *replica.Request) error {
	b := req.Batch
	if len(b.Ops) == 1 && b.Ops[0].Kind == kv.OpGet && b.Ops[0].Lock == kv.LockNone {
		return p.pointGet(req, &b.Ops[0])
	}
	st := stateOf(req)
	st.begin(b)
	e := evaluation{p: p, req: req, b: b, st: st, rows: -1, bytes: -1}
	if b.MaxRows > 0 {
		e.rows = b.MaxRows
	}
	if b.MaxBytes > 0 {
		e.bytes = b.MaxBytes
	}
	var err error
	if end := isOnePhase(b); end != nil {
		e.c = mvcc.NewCursor(p.r.Engine())
		err = e.onePhase(end)
	} else {
		if mixed(b) {
			// Later operations see what earlier ones write.
			e.w, e.indexed = req.IndexedWrites(), true
			e.c = mvcc.NewCursor(e.w)
		} else {
			e.c = mvcc.NewCursor(p.r.Engine())
		}
		for i := range b.Ops {
			if err = ctx.Err(); err != nil {
				break
			}
			if err = e.op(i); err != nil {
				break
			}
		}
	}
	if closeErr := e.c.Close(); err == nil {
		err = closeErr
	}
	if ie, ok := err.(*kv.IntentError); ok {
		return e.conflict(ie)
	}
	return err
}

// mixed reports whether an operation may have to see the writes of an earlier one
// in the batch. Writes of single keys in ascending order, as a transaction's buffer
// and the builder of an index send them, never do: reading through the batch, with
// a new iterator for each write, would be most of their cost.
func mixed(b *kv.Batch) bool {
	var last keys.Key // the last written key
	for i := range b.Ops {
		o := &b.Ops[i]
		switch o.Kind {
		case kv.OpPut, kv.OpDelete, kv.OpIncrement, kv.OpCompareAndPut, kv.OpResolveIntent:
			if last != nil && (o.EndKey != nil || bytes.Compare(o.Key, last) <= 0) {
				return true
			}
			last = o.Key
			if o.EndKey != nil {
				last = o.EndKey
			}
		case kv.OpGet, kv.OpScan, kv.OpRefresh, kv.OpQueryIntent:
			if last != nil {
				return true
			}
		}
	}
	return false
}

// conflict queues the request behind the first intent in its way.
func (e *evaluation) conflict(ie *kv.IntentError) error {
	st, req := e.st, e.req
	if e.b.Inconsistent {
		return ie
	}
	for i := range ie.Intents {
		e.p.locks.AddDiscovered(ie.Intents[i].Key, &ie.Intents[i].Holder)
	}
	first := &ie.Intents[0]
	if e.b.Wait == kv.WaitError {
		st.intent = first // look once whether the holder has ended
		return replica.ErrConflict
	}
	id := st.identity(req)
	queued, err := e.p.locks.Watch(&st.waiter, first.Key, id)
	if err != nil {
		return err
	}
	if !queued {
		st.intent = first // the table is full
		return replica.ErrConflict
	}
	st.waiting = true
	if len(ie.Intents) > 1 {
		st.met = ie.Intents
	}
	return replica.ErrConflict
}

// reader returns the transaction id for the timestamp cache.
func (e *evaluation) reader() (id kv.TxnID) {
	if t := e.b.Txn; t != nil {
		id = t.ID
	}
	return id
}

// write returns the batch that collects writes.
func (e *evaluation) write() *storage.Batch {
	if e.w == nil {
		e.w = e.req.Writes()
	}
	return e.w
}

// wrote makes a write visible to later operations of the batch.
func (e *evaluation) wrote() error {
	if e.indexed {
		return e.c.Refresh()
	}
	return nil
}

// readOptions fills in what a read at ts sees.
func (e *evaluation) readOptions(o *mvcc.ReadOptions, ts hlc.Timestamp) {
	*o = mvcc.ReadOptions{TS: ts, Txn: e.b.Txn, NoIntents: e.req.NoIntents && !e.indexed, Inconsistent: e.b.Inconsistent}
	if t := e.b.Txn; t != nil && ts != hlc.Max {
		o.UncertaintyLimit = t.UncertaintyLimit
	}
}

// pointGet is the short path of a batch that is one plain OpGet.
func (p *Participant) pointGet(req *replica.Request, o *kv.Op) error {
	b := req.Batch
	st := stateOf(req)
	opt := &st.get
	*opt = mvcc.ReadOptions{TS: req.ReadTS, Txn: b.Txn, NoIntents: req.NoIntents, Inconsistent: b.Inconsistent}
	var id kv.TxnID
	if t := b.Txn; t != nil {
		opt.UncertaintyLimit = t.UncertaintyLimit
		id = t.ID
	}
	c := mvcc.NewCursor(p.r.Engine())
	res, err := c.Get(o.Key, opt)
	if err == nil {
		setValue(o, res)
		if !b.Inconsistent {
			req.Cache.AddPoint(o.Key, req.ReadTS, id)
		}
	}
	if closeErr := c.Close(); err == nil {
		err = closeErr
	}
	if ie, ok := err.(*kv.IntentError); ok {
		e := evaluation{p: p, req: req, b: b, st: st}
		st.pushTS = max(opt.TS, opt.UncertaintyLimit)
		return e.conflict(ie)
	}
	return err
}

// setValue copies a result into the caller's memory.
func setValue(o *kv.Op, res mvcc.Result) {
	o.Found, o.TS = res.Found, res.TS
	if !res.Found {
		o.Value = nil
		return
	}
	if o.Value == nil {
		o.Value = make([]byte, 0, len(res.Value))
	}
	o.Value = append(o.Value[:0], res.Value...)
}

// op evaluates operation i.
func (e *evaluation) op(i int) error {
	o := &e.b.Ops[i]
	switch o.Kind {
	case kv.OpGet:
		return e.get(i, o)
	case kv.OpScan:
		return e.scan(i, o)
	case kv.OpPut, kv.OpDelete:
		if e.b.Txn != nil {
			return e.putIntent(o)
		}
		return e.blindWrite(o, o.Value, o.Kind == kv.OpDelete)
	case kv.OpIncrement:
		return e.increment(o)
	case kv.OpCompareAndPut:
		return e.compareAndPut(o)
	case kv.OpDeleteRange:
		return e.deleteRange(o)
	case kv.OpRefresh:
		return e.refresh(o)
	case kv.OpEndTxn:
		return e.endTxn(o)
	case kv.OpHeartbeatTxn:
		return e.heartbeat(o)
	case kv.OpPushTxn:
		return e.pushTxn(o)
	case kv.OpQueryTxn:
		return e.queryTxn(o)
	case kv.OpQueryIntent:
		return e.queryIntent(o)
	case kv.OpQueryOutcome:
		return e.queryOutcome(o)
	case kv.OpRecoverTxn:
		return e.recoverTxn(o)
	case kv.OpResolveIntent:
		return e.resolveIntent(o)
	case kv.OpUnlock:
		if e.b.Txn == nil {
			return errNeedsTxn
		}
		span := o.Span()
		if o.UnlockFrom == 0 && span.IsPoint() {
			e.p.locks.ReleaseKey(e.b.Txn.ID, o.Key)
		} else {
			e.p.locks.ReleaseSpan(e.b.Txn.ID, span, o.UnlockFrom)
		}
		return nil
	case kv.OpGC:
		return e.gc(o)
	}
	return fmt.Errorf("participant: unknown operation %d", o.Kind)
}

var errNeedsTxn = errors.New("participant: the operation needs a transaction")

// get evaluates an OpGet.
func (e *evaluation) get(i int, o *kv.Op) error {
	if e.st.skipped[i] {
		o.Found, o.Value, o.TS = false, nil, hlc.Max
		return nil
	}
	locking := o.Lock != kv.LockNone && e.b.Txn != nil
	ts := e.req.ReadTS
	if locking {
		ts = hlc.Max
	}
	e.readOptions(&e.st.get, ts)
	res, err := e.c.Get(o.Key, &e.st.get)
	if err != nil {
		if _, ok := err.(*kv.IntentError); ok {
			if locking && e.b.Wait == kv.WaitSkipLocked {
				e.st.skipped[i] = true
				return e.get(i, o)
			}
			if !locking {
				e.st.pushTS = e.horizon()
			}
		}
		return err
	}
	setValue(o, res)
	if !locking {
		if !e.b.Inconsistent {
			e.req.Cache.AddPoint(o.Key, ts, e.reader())
		}
		return nil
	}
	if !e.st.get.NoIntents {
		// It may have read the transaction's own intent; what counts for the lock
		// is the newest version that is committed.
		n, err := e.c.Newest(o.Key)
		if err != nil {
			return err
		}
		o.TS = n.TS
	}
	e.p.locks.SetReadTS(e.b.Txn.ID, o.Key, o.TS)
	e.req.Cache.AddPoint(o.Key, max(e.req.ReadTS, o.TS), e.reader())
	return nil
}

// horizon is the timestamp above which intents do not matter to a plain read.
func (e *evaluation) horizon() hlc.Timestamp {
	if t := e.b.Txn; t != nil {
		return max(e.req.ReadTS, t.UncertaintyLimit)
	}
	return e.req.ReadTS
}

// scan evaluates an OpScan.
func (e *evaluation) scan(i int, o *kv.Op) error {
	if o.Rows == nil {
		o.Rows = new(kv.Rows)
	}
	// A former attempt may have left rows.
	o.Rows.Buf, o.Rows.Count = o.Rows.Buf[:e.st.bases[i].buf], e.st.bases[i].count
	o.Resume = nil
	if e.full {
		if o.Reverse {
			o.Resume = keys.Clone(o.EndKey)
		} else {
			o.Resume = keys.Clone(o.Key)
		}
		return nil
	}
	s := &e.st.scan
	*s = mvcc.ScanOptions{Reverse: o.Reverse, MaxRows: least(o.MaxRows, e.rows), MaxBytes: least(o.MaxBytes, e.bytes), Filter: o.Filter}
	var err error
	if o.Lock != kv.LockNone && e.b.Txn != nil {
		err = e.lockingScan(o, s)
	} else {
		err = e.plainScan(o, s)
	}
	if err != nil {
		return err
	}
	if e.rows >= 0 {
		if e.rows -= int64(o.Rows.Count - e.st.bases[i].count); e.rows <= 0 {
			e.full = true
		}
	}
	if e.bytes >= 0 {
		if e.bytes -= int64(len(o.Rows.Buf) - e.st.bases[i].buf); e.bytes <= 0 {
			e.full = true
		}
	}
	return nil
}

// least combines an operation's bound (0: none) with the batch's (negative: none).
func least(op, batch int64) int64 {
	switch {
	case batch < 0:
		return op
	case op == 0:
		return batch
	}
	return min(op, batch)
}

func (e *evaluation) plainScan(o *kv.Op, s *mvcc.ScanOptions) error {
	e.readOptions(&s.ReadOptions, e.req.ReadTS)
	if o.Filter != nil && !s.NoIntents && !s.Inconsistent {
		// The filter may keep state, so it must see each row once: look for what
		// would end the scan in the middle first.
		if err := e.foreignIntents(o.Key, o.EndKey, e.horizon()); err != nil {
			e.st.pushTS = e.horizon()
			return err
		}
	}
	resume, err := e.c.Scan(o.Key, o.EndKey, s, o.Rows)
	if err != nil {
		e.st.pushTS = e.horizon()
		return err
	}
	o.Resume = cloneKey(resume)
	if !e.b.Inconsistent {
		e.noteScan(o, e.req.ReadTS)
	}
	return nil
}

func cloneKey(k keys.Key) keys.Key {
	if k == nil {
		return nil
	}
	return keys.Clone(k)
}

// noteScan enters what the scan has read into the timestamp cache.
func (e *evaluation) noteScan(o *kv.Op, ts hlc.Timestamp) {
	start, end := o.Key, o.EndKey
	if o.Resume != nil {
		if o.Reverse {
			start = o.Resume
		} else {
			end = o.Resume
		}
	}
	e.req.Cache.AddSpan(start, end, ts, e.reader())
}

// foreignIntents returns an IntentError with others' intents at or below ts in
// the span, if there are any.
func (e *evaluation) foreignIntents(start, end keys.Key, ts hlc.Timestamp) error {
	var found []kv.Conflict
	own := e.reader()
	err := mvcc.ScanIntents(e.c, start, end, func(i *mvcc.Intent) bool {
		if i.Txn.ID != own && i.Txn.WriteTS <= ts {
			found = append(found, i.Conflict())
		}
		return len(found) < 16
	})
	if err == nil && found != nil {
		err = &kv.IntentError{Intents: found}
	}
	return err
}

// lockingScan locks every row before it is returned, and reads the newest
// versions.
func (e *evaluation) lockingScan(o *kv.Op, s *mvcc.ScanOptions) error {
	skip := e.b.Wait == kv.WaitSkipLocked
	filter := s.Filter
	s.Filter = nil
	e.readOptions(&s.ReadOptions, hlc.Max)
	s.SkipConflicts = skip
	maxRows := s.MaxRows
	start, end := o.Key, o.EndKey
	count := o.Rows.Count
	taken := int64(0)
	// Pages are needed only where rows may be left out.
	for {
		page := &e.st.rows
		page.Reset()
		if maxRows > 0 {
			s.MaxRows = maxRows - taken
		}
		resume, err := e.c.Scan(start, end, s, page)
		if err != nil {
			return err
		}
		resume = cloneKey(resume)
		for pos := 0; ; {
			key, _, ts, next, ok := page.Next(pos)
			if !ok {
				break
			}
			granted, err := e.p.locks.Acquire(&e.st.waiter, key, e.b.Txn, o.Lock, o.Seq, e.b.Wait)
			if err != nil {
				if _, busy := err.(*kv.LockNotAvailableError); busy && skip {
					pos = next
					continue
				}
				return err
			}
			if !granted {
				e.st.waiting = true
				return replica.ErrConflict
			}
			if e.req.NoIntents {
				e.p.locks.SetReadTS(e.b.Txn.ID, key, ts)
			}
			if filter == nil {
				_, value, _, _, _ := page.Next(pos)
				o.Rows.Append(key, value, ts)
				taken++
			}
			pos = next
		}
		if filter != nil {
			stop, err := e.filterPage(filter, page, o)
			if err != nil {
				return err
			}
			taken = int64(o.Rows.Count - count)
			if stop {
				break
			}
		}
		o.Resume = resume
		if resume == nil || maxRows > 0 && taken >= maxRows || s.MaxBytes > 0 {
			break
		}
		o.Resume = nil
		if o.Reverse {
			end = resume
		} else {
			start = resume
		}
	}
	if filter != nil {
		if err := filter.Finish(o.Rows); err != nil {
			return err
		}
	}
	first, last := o.Key, o.EndKey
	if o.Resume != nil {
		if o.Reverse {
			first = o.Resume
		} else {
			last = o.Resume
		}
	}
	newest, err := mvcc.NewestInSpan(e.p.r.Engine(), first, last, e.req.ReadTS)
	if err != nil {
		return err
	}
	o.TS = newest
	e.noteScan(o, max(e.req.ReadTS, newest))
	return nil
}

func (e *evaluation) filterPage(f kv.RowFilter, page *kv.Rows, o *kv.Op) (stop bool, err error) {
	for pos := 0; ; {
		key, value, _, next, ok := page.Next(pos)
		if !ok {
			return false, nil
		}
		if stop, err = f.Next(key, value, o.Rows); stop || err != nil {
			return stop, err
		}
		pos = next
	}
}

// refresh evaluates an OpRefresh.
func (e *evaluation) refresh(o *kv.Op) error {
	t := e.b.Txn
	if t == nil {
		return errNeedsTxn
	}
	if t.WriteTS <= o.RefreshFrom {
		return nil
	}
	if err := mvcc.Refresh(e.c, o.Span(), o.RefreshFrom, t.WriteTS, t.ID, e.req.NoIntents); err != nil {
		return err
	}
	noteRead(e.req.Cache, o.Span(), t.WriteTS, t.ID)
	return nil
}

// noteRead enters a span into the timestamp cache.
func noteRead(c *tscache.Cache, s keys.Span, ts hlc.Timestamp, id kv.TxnID) {
	if s.IsPoint() {
		c.AddPoint(s.Start, ts, id)
	} else {
		c.AddSpan(s.Start, s.End, ts, id)
	}
}

// above returns the least timestamp, not below ts, at which the transaction id
// may write key without being seen by a read that was served already.
func above(c *tscache.Cache, key keys.Key, ts hlc.Timestamp, id kv.TxnID) hlc.Timestamp {
	read, reader := c.GetPoint(key)
	if read < ts || invariant.Mutated(invariant.SkipTimestampCache) {
		return ts
	}
	if reader == id && id != (kv.TxnID{}) {
		return read
	}
	return read.Next()
}

// blindWrite writes a version without a transaction.
func (e *evaluation) blindWrite(o *kv.Op, value []byte, deleted bool) error {
	if err := e.checkIntent(o.Key); err != nil {
		return err
	}
	n, err := e.c.Newest(o.Key)
	if err != nil {
		return err
	}
	return e.writeVersion(o, value, deleted, n)
}

func (e *evaluation) writeVersion(o *kv.Op, value []byte, deleted bool, n mvcc.Newest) error {
	ts := max(above(e.req.Cache, o.Key, e.req.Now, kv.TxnID{}), n.TS.Next())
	if err := e.covered(ts); err != nil {
		return err
	}
	if deleted {
		if !n.HasVersions && n.TS == 0 {
			e.req.Cache.AddPoint(o.Key, ts, kv.TxnID{}) // as in onePhase
			return nil
		}
		mvcc.Delete(e.write(), o.Key, ts, n, &e.req.Stats)
	} else {
		mvcc.Put(e.write(), o.Key, ts, value, n, &e.req.Stats)
	}
	o.TS = ts
	return e.wrote()
}

// covered checks that a write at ts is within the lease (I6) and moves the clock
// there, so that later reads see it.
func (e *evaluation) covered(ts hlc.Timestamp) error {
	e.p.r.Clock().Update(ts)
	if !e.req.Lease.Covers(ts) {
		return &kv.UnavailableError{RangeID: e.p.r.RangeID(), Cause: errBeyondLease}
	}
	return nil
}

var errBeyondLease = errors.New("the write's timestamp is beyond the lease")

// checkIntent returns an IntentError if another transaction's intent is on key.
func (e *evaluation) checkIntent(key keys.Key) error {
	if e.req.NoIntents && !e.indexed {
		return nil
	}
	i, err := mvcc.GetIntent(e.c, key)
	if err != nil || i == nil || i.Txn.ID == e.reader() {
		return err
	}
	return &kv.IntentError{Intents: []kv.Conflict{i.Conflict()}}
}

// increment evaluates an OpIncrement: the value is a decimal integer, absent
// means zero.
func (e *evaluation) increment(o *kv.Op) error {
	if e.b.Txn != nil {
		return errNoTxn
	}
	cur, n, err := e.present(o.Key)
	if err != nil {
		return err
	}
	value := int64(0)
	if cur.Found {
		if value, err = strconv.ParseInt(string(cur.Value), 10, 64); err != nil {
			return fmt.Errorf("participant: increment of %x: %w", o.Key, err)
		}
	}
	if sum := value + o.Delta; (sum > value) != (o.Delta > 0) && o.Delta != 0 {
		return fmt.Errorf("participant: increment of %x: %d + %d overflows", o.Key, value, o.Delta)
	}
	o.Result = value + o.Delta
	return e.writeVersion(o, strconv.AppendInt(nil, o.Result, 10), false, n)
}

// compareAndPut evaluates an OpCompareAndPut.
func (e *evaluation) compareAndPut(o *kv.Op) error {
	if e.b.Txn != nil {
		return errNoTxn
	}
	cur, n, err := e.present(o.Key)
	if err != nil {
		return err
	}
	if cur.Found != (o.Expected != nil) || string(cur.Value) != string(o.Expected) {
		f := &kv.ConditionFailedError{}
		if cur.Found {
			f.Actual = append([]byte{}, cur.Value...)
		}
		// The answer is a read.
		e.req.Cache.AddPoint(o.Key, e.req.Now, kv.TxnID{})
		return f
	}
	return e.writeVersion(o, o.Value, o.Value == nil, n)
}

var errNoTxn = errors.New("participant: the operation is not part of a transaction")

// present returns the committed state of key now.
func (e *evaluation) present(key keys.Key) (mvcc.Result, mvcc.Newest, error) {
	n, err := e.c.Newest(key)
	if err != nil {
		return mvcc.Result{}, n, err
	}
	e.readOptions(&e.st.get, hlc.Max)
	res, err := e.c.Get(key, &e.st.get)
	return res, n, err
}

// deleteRange evaluates an OpDeleteRange.
func (e *evaluation) deleteRange(o *kv.Op) error {
	if e.b.Txn != nil {
		return errNoTxn
	}
	if !e.req.NoIntents {
		if err := e.foreignIntents(o.Key, o.EndKey, hlc.Max); err != nil {
			return err
		}
	}
	newest, err := mvcc.NewestInSpan(e.p.r.Engine(), o.Key, o.EndKey, 0)
	if err != nil {
		return err
	}
	read, _ := e.req.Cache.GetSpan(o.Key, o.EndKey)
	ts := max(e.req.Now, newest.Next(), read.Next())
	if err := e.covered(ts); err != nil {
		return err
	}
	mvcc.DeleteRange(e.write(), o.Key, o.EndKey, ts, &e.req.Stats)
	o.TS = ts
	return e.wrote()
}

// gc evaluates an OpGC: listed versions, or, with an EndKey, what range
// tombstones cover; and the records in its span that are over.
func (e *evaluation) gc(o *kv.Op) error {
	if o.GC == nil || o.GC.Threshold > e.p.r.GCThreshold() {
		return errors.New("participant: garbage collection above the range's threshold")
	}
	if len(o.GC.Keys) > 0 {
		return mvcc.CollectGarbage(e.c, e.write(), o.GC.Keys, &e.req.Stats)
	}
	if o.EndKey == nil {
		return nil
	}
	if err := e.gcRecords(o); err != nil {
		return err
	}
	span, ok, err := mvcc.FindDropped(e.p.r.Engine(), o.Key, o.EndKey, o.GC.Threshold)
	if err != nil || !ok {
		return err
	}
	o.Found = true // there may be more
	return mvcc.DropSpan(e.p.r.Engine(), e.write(), span, &e.req.Stats)
}
