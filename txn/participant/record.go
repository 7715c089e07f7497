package participant

import (
	"bytes"
	"errors"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/outcome"
	"github.com/spanlite/spanlite/kv/replica"
	"github.com/spanlite/spanlite/kv/storage"
)

// readRecord returns the record of a transaction, nil if there is none.
func (e *evaluation) readRecord(anchor keys.Key, id kv.TxnID) (*kv.TxnRecord, error) {
	var r storage.Reader = e.p.r.Engine()
	if e.indexed {
		r = e.w
	}
	v, ok, err := r.Get(nil, keys.TxnRecord(anchor, id))
	if err != nil || !ok {
		return nil, err
	}
	rec := new(kv.TxnRecord)
	if err := rec.Decode(v); err != nil {
		return nil, &storage.CorruptionError{Path: "state engine", Cause: err}
	}
	return rec, nil
}

// writeRecord writes a record and notes that it exists.
func (e *evaluation) writeRecord(anchor keys.Key, rec *kv.TxnRecord) {
	e.write().Put(keys.TxnRecord(anchor, rec.Txn.ID), rec.Encode(nil))
	e.markRecord(rec.Txn.ID)
}

// markRecord makes the absence of the record mean that it may not be made any
// more (see the package comment).
func (e *evaluation) markRecord(id kv.TxnID) {
	e.st.key = replica.RecordLatchKey(e.st.key[:0], id)
	e.req.Cache.AddRecord(e.st.key, e.req.Now)
}

// mayCreate reports whether this request of the transaction, which has no record,
// may make one. Requests of the transaction's present snapshot may, late copies
// from before its end may not.
func (e *evaluation) mayCreate(t *kv.TxnMeta) bool {
	e.st.key = replica.RecordLatchKey(e.st.key[:0], t.ID)
	return e.req.Cache.GetRecord(e.st.key) < t.ReadTS
}

// pushKey is the key under which the timestamp cache remembers above what a
// transaction was pushed.
func (e *evaluation) pushKey(id kv.TxnID) keys.Key {
	e.st.key2 = append(replica.RecordLatchKey(e.st.key2[:0], id), 'p')
	return e.st.key2
}

// askedKey is the key under which the timestamp cache remembers until when
// attempts of a transaction to commit are void, because it was asked for.
func (e *evaluation) askedKey(id kv.TxnID) keys.Key {
	e.st.key2 = append(replica.RecordLatchKey(e.st.key2[:0], id), 'a')
	return e.st.key2
}

func gone(t *kv.TxnMeta) error {
	return &kv.TxnAbortedError{ID: t.ID, Reason: "the lease of its record's range has changed, or it has ended before"}
}

// endTxn evaluates an OpEndTxn that is not a one-phase commit.
//
// Commit with InFlight writes: the record becomes STAGING. Without: COMMITTED; a
// COMMITTED record without Intents (they are resolved) is removed. With Prepare it
// becomes PREPARED, which such a request ends. Abort likewise:
// ABORTED with Intents, removed without.
func (e *evaluation) endTxn(o *kv.Op) error {
	t, end := e.b.Txn, o.End
	if t == nil || end == nil {
		return errNeedsTxn
	}
	rec, err := e.readRecord(o.Key, t.ID)
	if err != nil {
		return err
	}
	if !end.Commit {
		return e.abort(o, rec)
	}
	if rec == nil {
		if out, ok := e.p.ended(t.ID); ok && out.Status() == kv.TxnCommitted && len(end.Intents) == 0 && len(end.InFlight) == 0 {
			o.TxnStatus = kv.TxnCommitted // removed already
			return nil
		}
		if !e.mayCreate(t) {
			return gone(t)
		}
		rec = new(kv.TxnRecord)
	} else {
		switch {
		case rec.Status == kv.TxnAborted:
			return &kv.TxnAbortedError{ID: t.ID, Reason: "it was aborted by another transaction"}
		case rec.Status == kv.TxnCommitted:
			o.TxnStatus = kv.TxnCommitted
			t.WriteTS = rec.Txn.WriteTS
			if len(end.Intents) == 0 {
				e.write().Clear(keys.TxnRecord(o.Key, t.ID))
				e.markRecord(t.ID)
			}
			return nil
		case rec.Txn.Epoch > t.Epoch:
			return &kv.TxnAbortedError{ID: t.ID, Reason: "a later epoch has reached the record"}
		}
	}
	// An implicitly committed transaction is made explicit at the timestamp of its
	// record, whatever was pushed since: nothing can move it any more. Likewise a
	// prepared one whose reads were verified there.
	explicit := (rec.Status == kv.TxnStaging && len(end.InFlight) == 0 || rec.Status == kv.TxnPrepared && t.Isolation == kv.Serializable) && rec.Txn.Epoch == t.Epoch && rec.Txn.WriteTS == t.WriteTS
	if !explicit {
		if err := e.verifyLocks(end); err != nil {
			return err
		}
		if err := e.verifyFences(end); err != nil {
			return err
		}
		if ts := e.req.Cache.GetRecord(e.pushKey(t.ID)); ts >= t.WriteTS {
			t.WriteTS = ts.Next()
		}
		if t.WriteTS > t.ReadTS && t.Isolation == kv.Serializable {
			if err := e.verifyReads(end, t.WriteTS); err != nil {
				return err
			}
		}
		if err := e.covered(t.WriteTS); err != nil {
			return err
		}
	}
	rec.Txn = *t
	rec.LastHeartbeat = e.req.Now
	rec.Intents, rec.InFlight = end.Intents, end.InFlight
	rec.Status = kv.TxnCommitted
	switch {
	case end.Prepare:
		rec.Status = kv.TxnPrepared
	case len(end.InFlight) > 0:
		rec.Status = kv.TxnStaging
	}
	e.writeRecord(o.Key, rec)
	o.TxnStatus = rec.Status
	if rec.Status == kv.TxnCommitted {
		e.st.ended, e.st.status = true, kv.TxnCommitted
		e.committed(t)
	}
	return nil
}

// committed has all replicas remember that the record was decided so. It outlives
// the record, which goes when the intents are resolved.
func (e *evaluation) committed(t *kv.TxnMeta) {
	e.req.Outcomes = append(e.req.Outcomes, outcome.Outcome{ID: t.ID, TS: t.WriteTS, At: e.req.Now})
}

func (e *evaluation) abort(o *kv.Op, rec *kv.TxnRecord) error {
	t, end := e.b.Txn, o.End
	o.TxnStatus = kv.TxnAborted
	if rec != nil && rec.Status == kv.TxnCommitted {
		o.TxnStatus = kv.TxnCommitted // decided once (I11)
		return nil
	}
	e.st.ended, e.st.status = true, kv.TxnAborted
	if len(end.Intents) == 0 {
		if rec != nil {
			e.write().Clear(keys.TxnRecord(o.Key, t.ID))
		}
		e.markRecord(t.ID)
		return nil
	}
	next := kv.TxnRecord{Txn: *t, Status: kv.TxnAborted, LastHeartbeat: e.req.Now, Intents: end.Intents}
	e.writeRecord(o.Key, &next)
	return nil
}

// heartbeat evaluates an OpHeartbeatTxn. The first one makes the record.
func (e *evaluation) heartbeat(o *kv.Op) error {
	t := e.b.Txn
	if t == nil {
		return errNeedsTxn
	}
	rec, err := e.readRecord(o.Key, t.ID)
	if err != nil {
		return err
	}
	if rec == nil {
		if !e.mayCreate(t) {
			o.TxnStatus = kv.TxnAborted
			return nil
		}
		rec = &kv.TxnRecord{Txn: *t, Status: kv.TxnPending}
	}
	o.TxnStatus = rec.Status
	if rec.Status.Final() {
		return nil
	}
	rec.LastHeartbeat = max(rec.LastHeartbeat, e.req.Now)
	if rec.Status == kv.TxnPending {
		rec.Txn.Epoch = max(rec.Txn.Epoch, t.Epoch)
	}
	e.writeRecord(o.Key, rec)
	return nil
}

// expired reports whether a transaction that was last heard of at last counts as
// abandoned.
func (e *evaluation) expired(last hlc.Timestamp) bool {
	return e.req.Now.Sub(last) > e.p.cfg.ExpireAfter
}

// pushTxn evaluates an OpPushTxn. With PushTimestamp the commit has to move above
// Op.TS (zero: the batch's read timestamp). Besides the results that kv.Op names,
// Found says that a STAGING transaction's coordinator is silent, so that the
// pusher may recover it.
func (e *evaluation) pushTxn(o *kv.Op) error {
	t := o.PushTxn
	if t == nil {
		return errNeedsTxn
	}
	o.Found, o.PushedTS, o.Record = false, 0, nil
	rec, err := e.readRecord(o.Key, t.ID)
	if err != nil {
		return err
	}
	if rec == nil {
		if _, ok := e.p.ended(t.ID); ok {
			// What the pusher has met is the late copy of a request.
			o.TxnStatus = kv.TxnAborted
			return nil
		}
		// Its coordinator lived when it sent what the pusher has met.
		rec = &kv.TxnRecord{Txn: *t, Status: kv.TxnPending, LastHeartbeat: max(t.StartTS, min(t.WriteTS, e.req.Now))}
		if alive, known := e.p.alive(t); known {
			rec.LastHeartbeat = 0
			if alive {
				rec.LastHeartbeat = e.req.Now
			}
		}
	}
	o.TxnStatus = rec.Status
	switch rec.Status {
	case kv.TxnCommitted, kv.TxnAborted:
		o.Record = rec
		return nil
	case kv.TxnStaging:
		o.Record, o.Found = rec, e.expired(rec.LastHeartbeat)
		if alive, known := e.p.alive(&rec.Txn); known {
			// It is listed at its gateway until its client has the answer.
			o.Found = !alive
		}
		return nil
	case kv.TxnPrepared:
		// Reads that have been verified hold at its timestamp only; without any it
		// makes way for readers.
		if rec.Txn.Isolation != kv.Serializable && o.PushKind == kv.PushTimestamp {
			e.pushAbove(o, t.ID)
		}
		return nil
	}
	if o.PushKind == kv.PushAbort || e.expired(rec.LastHeartbeat) {
		rec.Status = kv.TxnAborted
		rec.Txn.WriteTS = max(rec.Txn.WriteTS, t.WriteTS)
		e.writeRecord(o.Key, rec)
		o.TxnStatus, o.Record = kv.TxnAborted, rec
		return nil
	}
	if o.PushKind == kv.PushTimestamp && e.mayMove(&rec.Txn) {
		e.pushAbove(o, t.ID)
	}
	return nil
}

// pushAbove makes a transaction commit above the pusher's read.
func (e *evaluation) pushAbove(o *kv.Op, id kv.TxnID) {
	to := o.TS
	if to == 0 {
		to = e.req.ReadTS
	}
	e.req.Cache.AddRecord(e.pushKey(id), to)
	o.PushedTS = to.Next()
}

// mayMove reports whether the pusher may move t's commit up: always if t does not
// mind or is the younger one, so that an old reader gets through and an old writer
// too.
func (e *evaluation) mayMove(t *kv.TxnMeta) bool {
	pusher := e.b.Txn
	return t.Isolation != kv.Serializable || pusher == nil || pusher.StartTS < t.StartTS
}

// queryTxn evaluates an OpQueryTxn.
func (e *evaluation) queryTxn(o *kv.Op) error {
	t := o.PushTxn
	if t == nil {
		return errNeedsTxn
	}
	rec, err := e.readRecord(o.Key, t.ID)
	if err != nil {
		return err
	}
	o.Record, o.TxnStatus = rec, kv.TxnUnknown
	if rec != nil {
		o.TxnStatus = rec.Status
	} else if out, ok := e.p.ended(t.ID); ok {
		o.TxnStatus = out.Status()
	}
	return nil
}

// queryOutcome evaluates an OpQueryOutcome. The latch on the record's key keeps out
// attempts that are under way; what was sent later has to be sent after the answer.
//
// The replica has applied every commit of earlier leases before it got its own, and
// those of its own before their latches fell, so its memory is complete as far as it
// reaches. Attempts in the other direction, into the past, are what the marks are
// for: from the question on neither a one-phase commit nor a record that was sent
// before it can succeed here. A later lease starts with everything marked.
func (e *evaluation) queryOutcome(o *kv.Op) error {
	t := o.PushTxn
	if t == nil {
		return errNeedsTxn
	}
	o.Record, o.PushedTS = nil, 0
	if o.PushKind != kv.PushTouch {
		e.markRecord(t.ID)
		e.req.Cache.AddRecord(e.askedKey(t.ID), e.req.Now)
	}
	var rec *kv.TxnRecord
	var err error
	if t.Anchor != nil {
		rec, err = e.readRecord(o.Key, t.ID)
	} else {
		rec, err = e.findRecord(t.ID)
	}
	if err != nil {
		return err
	}
	if rec != nil {
		o.Record, o.TxnStatus = rec, rec.Status
		if rec.Status == kv.TxnCommitted {
			o.PushedTS = rec.Txn.WriteTS
		}
		if rec.Status != kv.TxnPending {
			return nil
		}
	}
	if out, ok := e.p.ended(t.ID); ok {
		o.TxnStatus, o.PushedTS = out.Status(), out.TS
		return nil
	}
	switch {
	case rec != nil:
	case e.p.r.Outcomes().Knows(t.ID, o.TS):
		o.TxnStatus = kv.TxnAborted
	default:
		o.TxnStatus = kv.TxnUnknown
	}
	return nil
}

// findRecord looks for a record whose anchor is not known.
func (e *evaluation) findRecord(id kv.TxnID) (rec *kv.TxnRecord, err error) {
	d := e.p.r.Desc()
	err = storage.ScanUnversioned(e.p.r.Engine(), keys.TxnRecordSpan(d.Start, d.End), func(key keys.Key, value []byte) error {
		if !bytes.HasSuffix(key, id[:]) {
			return nil
		}
		rec = new(kv.TxnRecord)
		if err := rec.Decode(keys.Clone(value)); err != nil {
			return &storage.CorruptionError{Path: "state engine", Cause: err}
		}
		return errEnough
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return rec, err
}

// recoverTxn evaluates an OpRecoverTxn: PushTxn has the epoch and timestamp of the
// STAGING record that the caller has looked into.
func (e *evaluation) recoverTxn(o *kv.Op) error {
	t := o.PushTxn
	if t == nil {
		return errNeedsTxn
	}
	rec, err := e.readRecord(o.Key, t.ID)
	if err != nil {
		return err
	}
	if o.End != nil && o.Commit && len(o.End.Intents) == 0 {
		return e.removeRecord(o, rec)
	}
	if rec == nil {
		if out, ok := e.p.ended(t.ID); ok || !e.mayCreate(t) {
			o.Record, o.TxnStatus = nil, kv.TxnUnknown
			if ok {
				o.TxnStatus = out.Status()
			}
			return nil
		}
		// The record never arrived, and now never will.
		rec = &kv.TxnRecord{Txn: *t, Status: kv.TxnAborted, LastHeartbeat: e.req.Now}
		e.writeRecord(o.Key, rec)
	}
	if rec.Status == kv.TxnStaging && rec.Txn.Epoch == t.Epoch && rec.Txn.WriteTS == t.WriteTS {
		rec.Status = kv.TxnAborted
		if o.Commit {
			rec.Status = kv.TxnCommitted
			e.committed(&rec.Txn)
		}
		for _, w := range rec.InFlight {
			rec.Intents = append(rec.Intents, keys.Span{Start: w.Key})
		}
		rec.InFlight = nil
		e.writeRecord(o.Key, rec)
	}
	o.Record, o.TxnStatus = rec, rec.Status
	return nil
}

// removeRecord removes the record of a committed transaction whose intents are
// resolved. It is removed already if there is none: only a committed one goes.
func (e *evaluation) removeRecord(o *kv.Op, rec *kv.TxnRecord) error {
	o.Record, o.TxnStatus = nil, kv.TxnCommitted
	if rec == nil {
		return nil
	}
	if o.TxnStatus = rec.Status; rec.Status != kv.TxnCommitted {
		o.Record = rec
		return nil
	}
	e.write().Clear(keys.TxnRecord(o.Key, rec.Txn.ID))
	e.markRecord(rec.Txn.ID)
	e.st.removed = append(e.st.removed, removed{rec.Txn.ID, rec.Txn.WriteTS})
	return nil
}

// maxGCRecords bounds the records looked at by one OpGC.
const maxGCRecords = 1000

// gcRecords removes records that have been final since before the threshold.
// Their intents are resolved by then, or will be found to have no record and be
// treated as aborted, hence only aborted ones may go with intents.
func (e *evaluation) gcRecords(o *kv.Op) error {
	span := keys.TxnRecordSpan(o.Key, o.EndKey)
	seen := 0
	var done []keys.Key
	err := storage.ScanUnversioned(e.p.r.Engine(), span, func(key keys.Key, value []byte) error {
		if seen++; seen > maxGCRecords {
			return errEnough
		}
		rec := new(kv.TxnRecord)
		if err := rec.Decode(value); err != nil {
			return &storage.CorruptionError{Path: "state engine", Cause: err}
		}
		last := max(rec.LastHeartbeat, rec.Txn.WriteTS)
		if last < o.GC.Threshold && (rec.Status == kv.TxnAborted || rec.Status == kv.TxnCommitted && len(rec.Intents) == 0) {
			done = append(done, keys.Clone(key))
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	for _, key := range done {
		e.write().Clear(key)
	}
	return nil
}

var errEnough = errors.New("enough")
