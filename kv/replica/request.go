package replica

import (
	"errors"
	"sync"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/latch"
	"github.com/spanlite/spanlite/kv/outcome"
	"github.com/spanlite/spanlite/kv/storage"
	"github.com/spanlite/spanlite/kv/tscache"
	"github.com/spanlite/spanlite/raftgroup"
)

// Sentinels between the participant and the replica; they never leave Send.
var (
	// ErrConflict: evaluation met what the participant has noted to wait for.
	ErrConflict = errors.New("replica: request has to wait")
	// ErrWiden: evaluation needs read latches on Request.ReadSpans too.
	ErrWiden = errors.New("replica: request needs more latches")
)

// Request is one batch on its way through the replica. It is pooled: nobody keeps
// a reference after Participant.Finish.
type Request struct {
	Replica *Replica
	Batch   *kv.Batch
	// Lease is the one under which the request is served; its Term fences the
	// proposal (I9).
	Lease raftgroup.Lease
	// Cache is the timestamp cache of that lease.
	Cache *tscache.Cache
	// Now is the clock's reading when the request came; zero for plain
	// transactional reads, which need none.
	Now hlc.Timestamp
	// ReadTS is the timestamp of the batch's reads.
	ReadTS hlc.Timestamp
	// NoIntents says that the range holds no intents at all.
	NoIntents bool

	// ReadSpans are further spans to latch for reading, set by the participant
	// along with ErrWiden.
	ReadSpans []keys.Span
	// Stats is what the writes change, set by the participant.
	Stats Stats
	// Outcomes are the transactions that the writes commit here, set by the
	// participant: all replicas remember them. Only together with writes.
	Outcomes []outcome.Outcome
	// State is the participant's memory for the request. It stays with the
	// Request when that is reused.
	State any

	// sequenced says that the participant has seen the request.
	sequenced bool
	writes    *storage.Batch
	latches   []latch.Latch
	guard     *latch.Guard
	keyBuf    []byte
	trigger   []byte
	// keep: an in-flight command still refers to the request's memory.
	keep bool
}

var requestPool = sync.Pool{New: func() any { return new(Request) }}

func newRequest(r *Replica, b *kv.Batch) *Request {
	req := requestPool.Get().(*Request)
	req.Replica, req.Batch = r, b
	return req
}

// free returns the request to the pool.
func (req *Request) free() {
	if req.keep {
		return // left to the collector
	}
	if req.writes != nil {
		req.writes.Close()
	}
	clear(req.latches)
	if cap(req.keyBuf) > 64<<10 {
		req.keyBuf = nil
	}
	*req = Request{State: req.State, latches: req.latches[:0], keyBuf: req.keyBuf[:0], ReadSpans: req.ReadSpans[:0],
		Outcomes: req.Outcomes[:0], trigger: req.trigger[:0]}
	requestPool.Put(req)
}

// Writes returns the batch that collects the request's writes. It is empty when
// Evaluate is called.
func (req *Request) Writes() *storage.Batch {
	if req.writes == nil {
		req.writes = req.Replica.cfg.Engine.NewBatch()
	}
	return req.writes
}

// IndexedWrites is Writes for a batch whose later operations read what earlier
// ones have written. It must be called before Writes.
func (req *Request) IndexedWrites() *storage.Batch {
	if req.writes != nil {
		req.writes.Close()
	}
	req.writes = req.Replica.cfg.Engine.NewIndexedBatch()
	return req.writes
}

// RecordLatchKey appends the key under which requests latch, and the timestamp
// cache remembers, the record of a transaction wherever its anchor is, and its end
// without a record. It sorts outside of the global key space.
func RecordLatchKey(dst []byte, id kv.TxnID) keys.Key {
	return append(append(dst, 0x04), id[:]...)
}

// everything is the latch span of operations on the range itself.
var everything = keys.Span{Start: keys.Key{}, End: keys.Key{0xff, 0xff}}

// declare fills in the latches of the batch. The keys of a batch with writes are
// copied: should the outcome of its command be unknown, the latches outlive the
// caller's memory.
func (req *Request) declare(write bool) {
	req.latches = req.latches[:0]
	req.keyBuf = req.keyBuf[:0]
	ops := req.Batch.Ops
	for i := range ops {
		o := &ops[i]
		l := latch.Latch{Span: keys.Span{Start: o.Key, End: o.EndKey}}
		switch o.Kind {
		case kv.OpGet, kv.OpScan, kv.OpRefresh, kv.OpQueryIntent, kv.OpUnlock:
		case kv.OpPut, kv.OpDelete, kv.OpIncrement, kv.OpCompareAndPut, kv.OpDeleteRange, kv.OpResolveIntent:
			l.Write = true
		case kv.OpEndTxn, kv.OpHeartbeatTxn:
			if req.Batch.Txn == nil {
				continue
			}
			l = latch.Latch{Span: keys.Span{Start: req.recordKey(req.Batch.Txn.ID)}, Write: true}
		case kv.OpPushTxn, kv.OpRecoverTxn, kv.OpQueryTxn, kv.OpQueryOutcome:
			if o.PushTxn == nil {
				continue
			}
			l = latch.Latch{Span: keys.Span{Start: req.recordKey(o.PushTxn.ID)}, Write: o.Kind != kv.OpQueryTxn}
		default:
			continue
		}
		if write {
			l.Start, l.End = req.own(l.Start), req.own(l.End)
		}
		req.latches = append(req.latches, l)
	}
	for _, s := range req.ReadSpans {
		req.latches = append(req.latches, latch.Latch{Span: keys.Span{Start: req.own(s.Start), End: req.own(s.End)}})
	}
}

func (req *Request) recordKey(id kv.TxnID) keys.Key {
	at := len(req.keyBuf)
	req.keyBuf = RecordLatchKey(req.keyBuf, id)
	return req.keyBuf[at:len(req.keyBuf):len(req.keyBuf)]
}

func (req *Request) own(k keys.Key) keys.Key {
	if k == nil {
		return nil
	}
	at := len(req.keyBuf)
	req.keyBuf = append(req.keyBuf, k...)
	return req.keyBuf[at:len(req.keyBuf):len(req.keyBuf)]
}
