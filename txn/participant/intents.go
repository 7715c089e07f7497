package participant

import (
	"errors"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/invariant"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/mvcc"
)

var errOnePhaseOps = errors.New("participant: a one-phase commit holds only writes")

// putIntent evaluates an OpPut or OpDelete of a transaction that is not committed
// by the same batch. The intent lands above all reads served and above the newest
// version; Txn.WriteTS follows.
func (e *evaluation) putIntent(o *kv.Op) error {
	t := e.b.Txn
	if err := e.p.checkAlive(t); err != nil {
		return err
	}
	if t.Anchor == nil {
		return errNoAnchor
	}
	if o.Lock != kv.LockNone || t.Isolation == kv.RepeatableRead {
		if err := e.mayOverwrite(o); err != nil {
			return err
		}
	}
	ts, err := mvcc.WriteIntent(e.c, e.write(), &mvcc.IntentRequest{
		Key: o.Key, Value: o.Value, Deleted: o.Kind == kv.OpDelete, Seq: o.Seq, Txn: t,
		MinTS: above(e.req.Cache, o.Key, t.WriteTS, t.ID),
	}, &e.req.Stats)
	if err != nil {
		return err
	}
	if err := e.covered(ts); err != nil {
		return err
	}
	t.WriteTS = max(t.WriteTS, ts)
	return e.wrote()
}

// mayOverwrite checks that the transaction's view of the key is not out of date.
// With Op.Lock the coordinator relies on a lock of that strength, taken when the
// newest version was at Op.TS (I13). Without, REPEATABLE READ does not overwrite
// what its snapshot does not see.
func (e *evaluation) mayOverwrite(o *kv.Op) error {
	t := e.b.Txn
	s := e.p.locks.Check(o.Key, t, o.Lock)
	if s.Held && s.ReadKnown && (o.Lock == kv.LockNone || s.ReadTS <= o.TS) {
		return nil
	}
	n, err := e.c.Newest(o.Key)
	switch {
	case err != nil:
		return err
	case o.Lock != kv.LockNone && n.TS > o.TS && !invariant.Mutated(invariant.ForgetLocks):
		return &kv.RetryError{Reason: kv.RetryLockLost, RetryTS: n.TS,
			Conflict: kv.Conflict{Key: keys.Clone(o.Key), Since: n.TS}}
	case o.Lock == kv.LockNone && n.TS > t.ReadTS:
		return e.tooOld(o.Key, n.TS)
	}
	return nil
}

var errNoAnchor = errors.New("participant: a transaction with intents needs an anchor")

// queryIntent evaluates an OpQueryIntent. If the intent is not there, the
// timestamp cache keeps it from ever appearing at or below PushTxn.WriteTS.
func (e *evaluation) queryIntent(o *kv.Op) error {
	t := o.PushTxn
	if t == nil {
		return errNeedsTxn
	}
	i, err := mvcc.GetIntent(e.c, o.Key)
	if err != nil {
		return err
	}
	o.Found = i != nil && i.Txn.ID == t.ID && i.Txn.Epoch == t.Epoch && i.Txn.WriteTS <= t.WriteTS
	if o.Found && o.Seq != 0 {
		o.Found = false
		for k := range i.Writes {
			o.Found = o.Found || i.Writes[k].Seq == o.Seq
		}
	}
	if !o.Found {
		// Not in the name of t: its own late write has to land above as well.
		e.req.Cache.AddPoint(o.Key, t.WriteTS, kv.TxnID{})
	}
	return nil
}

// maxResolve bounds the intents that one OpResolveIntent of a span resolves; Resume
// says where to go on.
const maxResolve = 10000

// resolveIntent evaluates an OpResolveIntent. The sender vouches that the status
// is the record's decision (I11).
func (e *evaluation) resolveIntent(o *kv.Op) error {
	t := o.PushTxn
	if t == nil {
		return errNeedsTxn
	}
	if !o.TxnStatus.Final() && o.TxnStatus != kv.TxnPending {
		return errors.New("participant: intents are resolved only by a decision")
	}
	r := mvcc.Resolution{Txn: t, Status: o.TxnStatus}
	span := o.Span()
	if o.EndKey == nil {
		if _, err := mvcc.ResolveIntent(e.c, e.write(), o.Key, &r, &e.req.Stats); err != nil {
			return err
		}
	} else {
		_, resume, err := mvcc.ResolveIntents(e.c, e.write(), o.Key, o.EndKey, &r, maxResolve, &e.req.Stats)
		if err != nil {
			return err
		}
		if o.Resume = cloneKey(resume); resume != nil {
			span.End = o.Resume
		}
	}
	if o.TxnStatus == kv.TxnCommitted {
		if err := e.covered(t.WriteTS); err != nil {
			return err
		}
	}
	e.st.resolved = append(e.st.resolved, resolved{id: t.ID, span: span, status: o.TxnStatus})
	return e.wrote()
}
