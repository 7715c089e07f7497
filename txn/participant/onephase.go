package participant

import (
	"bytes"
	"strconv"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/invariant"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/mvcc"
	"github.com/spanlite/spanlite/kv/outcome"
	"github.com/spanlite/spanlite/kv/replica"
)

// onePhase commits a transaction that lies within this range: all its writes are
// in the batch, its reads in End.Reads. The latches of what it writes are held, and
// of its record, so that nobody can push it meanwhile.
//
//  1. The locks still stand, or nothing has changed where they were lost (I13).
//  2. Commit timestamp = max(read timestamp, newest read of others + 1, newest
//     version + 1) over the written keys.
//  3. If that moved: SERIALIZABLE verifies that the read spans have no version in
//     between (I12), for which they have to be latched too (ErrWiden), and enters
//     the reads at the new timestamp. REPEATABLE READ and READ COMMITTED may move:
//     their reads need not hold at the commit timestamp; REPEATABLE READ refuses to
//     overwrite a version newer than its snapshot.
//  4. The versions, at the commit timestamp, in one entry.
func (e *evaluation) onePhase(end *kv.EndTxn) error {
	t := e.b.Txn
	last := len(e.b.Ops) - 1
	if out, ok := e.p.ended(t.ID); ok {
		if out.Status() != kv.TxnCommitted {
			return &kv.TxnAbortedError{ID: t.ID, Reason: "it was aborted before"}
		}
		// A repetition of a request whose answer was lost.
		t.WriteTS = out.TS
		e.b.Ops[last].TxnStatus = kv.TxnCommitted
		return nil
	}
	hasRecord, err := e.recordAllowsCommit(e.b.Ops[last].Key, end.SentAt)
	if err != nil {
		return err
	}

	// Pass 1: locks, and the top of every key's history.
	commit := max(t.ReadTS, t.WriteTS)
	newest := e.st.newest[:0]
	for i := range e.b.Ops[:last] {
		o := &e.b.Ops[i]
		if o.Kind != kv.OpPut && o.Kind != kv.OpDelete {
			return errOnePhaseOps
		}
		var n mvcc.Newest
		if s := &e.st.locks[i]; s.Held && s.ReadKnown {
			// Nobody else has written since the lock was taken.
			n = mvcc.Newest{TS: s.ReadTS, HasVersions: s.ReadTS != 0}
		} else {
			if err := e.checkIntent(o.Key); err != nil {
				return err
			}
			if n, err = e.c.Newest(o.Key); err != nil {
				return err
			}
			if t.Isolation == kv.RepeatableRead && n.TS > t.ReadTS && !locks(end, o.Key) {
				return e.tooOld(o.Key, n.TS)
			}
		}
		commit = max(commit, n.TS.Next())
		commit = above(e.req.Cache, o.Key, commit, t.ID)
		newest = append(newest, n)
	}
	e.st.newest = newest
	if err := e.verifyLocks(end); err != nil {
		return err
	}
	if err := e.verifyFences(end); err != nil {
		return err
	}

	// Pass 2: do the reads hold?
	if commit > t.ReadTS && t.Isolation == kv.Serializable {
		if err := e.verifyReads(end, commit); err != nil {
			return err
		}
	}
	if err := e.covered(commit); err != nil {
		return err
	}

	// Pass 3: write.
	for i := range e.b.Ops[:last] {
		o := &e.b.Ops[i]
		n := newest[i]
		if o.Kind == kv.OpPut {
			mvcc.Put(e.write(), o.Key, commit, o.Value, n, &e.req.Stats)
		} else if n.HasVersions || n.TS != 0 {
			mvcc.Delete(e.write(), o.Key, commit, n, &e.req.Stats)
		} else {
			// There is nothing to remove. Who writes the key from now on has to do so
			// above this commit, or its value would outlive the deletion.
			e.req.Cache.AddPoint(o.Key, commit, t.ID)
		}
	}
	if hasRecord {
		e.write().Clear(keys.TxnRecord(e.b.Ops[last].Key, t.ID))
	}
	t.WriteTS = commit
	e.b.Ops[last].TxnStatus = kv.TxnCommitted
	e.st.ended, e.st.status = true, kv.TxnCommitted
	if e.w != nil {
		e.req.Outcomes = append(e.req.Outcomes, outcome.Outcome{ID: t.ID, TS: commit, At: end.SentAt})
	}
	return nil
}

// locks reports whether the coordinator relies on a lock on key, which verifyLocks
// then looks after.
func locks(end *kv.EndTxn, key keys.Key) bool {
	for i := range end.Locks {
		if bytes.Equal(end.Locks[i].Key, key) {
			return true
		}
	}
	return false
}

// recordAllowsCommit looks at the transaction's record, if it can have one:
// whoever makes, changes or forbids a record enters its key into the timestamp
// cache, at or above the transaction's start. Who has asked for its outcome has done
// so too, and an attempt from before that must not succeed any more.
func (e *evaluation) recordAllowsCommit(anchor keys.Key, sent hlc.Timestamp) (exists bool, err error) {
	t := e.b.Txn
	e.st.key = replica.RecordLatchKey(e.st.key[:0], t.ID)
	if e.req.Cache.GetRecord(e.st.key) < t.StartTS {
		return false, nil
	}
	if e.req.Cache.GetRecord(e.askedKey(t.ID)) >= sent {
		return false, &kv.StaleCommitError{ID: t.ID}
	}
	rec, err := e.readRecord(anchor, t.ID)
	if err != nil || rec == nil {
		return false, err
	}
	switch rec.Status {
	case kv.TxnAborted:
		return true, &kv.TxnAbortedError{ID: t.ID, Reason: "it was aborted by another transaction"}
	case kv.TxnPending:
		return true, nil
	}
	return true, &kv.TxnAbortedError{ID: t.ID, Reason: "its record is " + rec.Status.String()}
}

// tooOld is the error of a write over a version that the snapshot does not see.
func (e *evaluation) tooOld(key keys.Key, ts hlc.Timestamp) error {
	return &kv.RetryError{Reason: kv.RetryWriteTooOld, RetryTS: ts,
		Conflict: kv.Conflict{Key: keys.Clone(key), Since: ts}}
}

// verifyLocks checks invariant I13: a lock that the coordinator relies on stands,
// or else its key has not changed since it was taken.
func (e *evaluation) verifyLocks(end *kv.EndTxn) error {
	t := e.b.Txn
	for i := range end.Locks {
		l := &end.Locks[i]
		if !e.p.r.ContainsKey(l.Key) {
			continue // another range's lock
		}
		s := e.p.locks.Check(l.Key, t, l.Strength)
		// A lock whose version is not known may have been taken anew, by the wait of
		// this very commit, after the one that the coordinator means was lost.
		if s.Held && s.ReadKnown && s.ReadTS <= l.ReadTS {
			continue
		}
		if !e.st.widened && !e.writes(l.Key) {
			return e.widen(end)
		}
		n, err := e.c.Newest(l.Key)
		if err != nil {
			return err
		}
		since := n.TS
		if since <= l.ReadTS && !e.req.NoIntents {
			i, err := mvcc.GetIntent(e.c, l.Key)
			if err != nil {
				return err
			}
			if i != nil && i.Txn.ID != t.ID {
				since = max(i.Txn.WriteTS, l.ReadTS.Next())
			}
		}
		if since > l.ReadTS && !invariant.Mutated(invariant.ForgetLocks) {
			return &kv.RetryError{Reason: kv.RetryLockLost, RetryTS: since,
				Conflict: kv.Conflict{Key: keys.Clone(l.Key), Since: since}}
		}
	}
	return nil
}

// verifyFences checks the advisory-lock tokens: the value at a fence's key is the
// decimal number of the newest grant.
func (e *evaluation) verifyFences(end *kv.EndTxn) error {
	if len(end.Fences) == 0 {
		return nil
	}
	for _, f := range end.Fences {
		if !e.p.r.ContainsKey(f.Key) {
			return &kv.CrossRangeError{}
		}
	}
	if !e.st.widened {
		return e.widen(end)
	}
	for _, f := range end.Fences {
		if err := e.checkIntent(f.Key); err != nil {
			return err
		}
		res, _, err := e.present(f.Key)
		if err != nil {
			return err
		}
		actual := int64(0)
		if res.Found {
			if actual, err = strconv.ParseInt(string(res.Value), 10, 64); err != nil {
				return err
			}
		}
		if actual != f.Token {
			return &kv.FenceError{Fence: f, Actual: actual}
		}
		e.req.Cache.AddPoint(f.Key, e.req.Now, e.b.Txn.ID)
	}
	return nil
}

// verifyReads checks invariant I12: the transaction's reads, phantoms included,
// hold at ts.
func (e *evaluation) verifyReads(end *kv.EndTxn, ts hlc.Timestamp) error {
	t := e.b.Txn
	if invariant.Mutated(invariant.SkipRefresh) {
		return nil
	}
	if !end.ReadsComplete || !e.p.r.Contains(end.Reads) {
		// The coordinator refreshes its reads wherever they are, and tries again.
		return &kv.RetryError{Reason: kv.RetrySerializable, RetryTS: ts}
	}
	if !e.st.widened {
		needs := false
		for _, s := range end.Reads {
			needs = needs || !s.IsPoint() || !e.writes(s.Start)
		}
		if needs {
			return e.widen(end)
		}
	}
	for _, s := range end.Reads {
		err := mvcc.Refresh(e.c, s, t.ReadTS, ts, t.ID, e.req.NoIntents)
		if f, ok := err.(*kv.RefreshFailedError); ok {
			return &kv.RetryError{Reason: kv.RetrySerializable, RetryTS: ts, Conflict: f.Conflict}
		}
		if err != nil {
			return err
		}
		noteRead(e.req.Cache, s, ts, t.ID)
	}
	return nil
}

// writes reports whether the batch writes key, and so has it latched.
func (e *evaluation) writes(key keys.Key) bool {
	for i := range e.b.Ops {
		switch o := &e.b.Ops[i]; o.Kind {
		case kv.OpPut, kv.OpDelete:
			if bytes.Equal(o.Key, key) {
				return true
			}
		}
	}
	return false
}

// widen asks for the latches of everything that the commit may have to verify.
func (e *evaluation) widen(end *kv.EndTxn) error {
	e.st.widened = true
	r := e.req
	r.ReadSpans = append(r.ReadSpans[:0], end.Reads...)
	for i := range end.Locks {
		r.ReadSpans = append(r.ReadSpans, keys.Span{Start: end.Locks[i].Key})
	}
	for i := range end.Fences {
		r.ReadSpans = append(r.ReadSpans, keys.Span{Start: end.Fences[i].Key})
	}
	return replica.ErrWiden
}
