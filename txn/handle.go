package txn

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// Handle names a transaction for clients, from any node and after its end. As text
// it is "gateway-start-id": the node's number, and start timestamp and id in
// hexadecimal.
type Handle struct {
	Gateway keys.NodeID
	StartTS hlc.Timestamp
	ID      kv.TxnID
}

// Handle returns the transaction's name for clients. A restart after an abort or a
// deadlock gives it another one.
func (t *Txn) Handle() Handle {
	return Handle{Gateway: t.meta.GatewayNode, StartTS: t.meta.StartTS, ID: t.meta.ID}
}

// Announce lists the transaction at its gateway although it holds no locks, so that
// it can be asked for.
func (t *Txn) Announce() {
	if t.status == statusOpen {
		t.db.registry.add(t)
	}
}

// String returns the text form.
func (h Handle) String() string {
	return fmt.Sprintf("%d-%x-%s", uint32(h.Gateway), uint64(h.StartTS), h.ID)
}

// ParseHandle is the inverse of String.
func ParseHandle(s string) (h Handle, err error) {
	parts := strings.Split(s, "-")
	bad := fmt.Errorf("malformed transaction id %q", s)
	if len(parts) != 3 || len(parts[2]) != 2*len(h.ID) {
		return h, bad
	}
	node, err := strconv.ParseUint(parts[0], 10, 32)
	if err != nil {
		return h, bad
	}
	start, err := strconv.ParseUint(parts[1], 16, 64)
	if err != nil {
		return h, bad
	}
	if _, err := hex.Decode(h.ID[:], []byte(parts[2])); err != nil {
		return h, bad
	}
	h.Gateway, h.StartTS = keys.NodeID(node), hlc.Timestamp(start)
	return h, nil
}

// UnknownOutcomeError is the *kv.AmbiguousError of a commit, with the name by which
// the outcome can be asked for later.
type UnknownOutcomeError struct {
	Txn   Handle
	Cause error
}

func (e *UnknownOutcomeError) Error() string { return e.Cause.Error() }

// Unwrap returns the cause.
func (e *UnknownOutcomeError) Unwrap() error { return e.Cause }

// Outcome is what can be said of a transaction.
type Outcome uint8

// The outcomes. Committed and Aborted are final.
const (
	// Forgotten: it may have committed, and nobody remembers.
	Forgotten Outcome = iota
	InProgress
	Committed
	Aborted
)

// String returns the outcome in words.
func (o Outcome) String() string {
	return [...]string{"forgotten", "in progress", "committed", "aborted"}[o]
}

// LocalOutcome says what this node, the gateway of a transaction, remembers of it;
// ts is the commit timestamp.
func (db *DB) LocalOutcome(id kv.TxnID) (out Outcome, ts hlc.Timestamp) {
	if _, ok := db.Lookup(id); ok {
		return InProgress, 0
	}
	if o, ok := db.registry.ended.Get(id); ok {
		if o.Status() == kv.TxnCommitted {
			return Committed, o.TS
		}
		return Aborted, 0
	}
	return Forgotten, 0
}

// RangesOutcome asks ranges, each named by a key in it, for the outcome of a
// transaction whose gateway cannot tell. ended says that its coordinator is certainly
// gone, or has given up: then what is undecided is ended, nothing that is still on
// its way can commit any more, and Aborted is the answer if all of the ranges say
// so. Otherwise the ranges only look, and what is not committed is in progress.
func (db *DB) RangesOutcome(ctx context.Context, h Handle, ranges []keys.Key, ended bool) (out Outcome, ts hlc.Timestamp, err error) {
	meta := kv.TxnMeta{ID: h.ID, StartTS: h.StartTS, GatewayNode: h.Gateway}
	b := kv.Batch{Header: kv.Header{GatewayNode: db.cfg.Node}, Ops: make([]kv.Op, len(ranges))}
	for i, key := range ranges {
		b.Ops[i] = kv.Op{Kind: kv.OpQueryOutcome, Key: key, PushTxn: &meta, TS: h.StartTS}
		if !ended {
			b.Ops[i].PushKind = kv.PushTouch
		}
	}
	if err := db.cfg.Sender.Send(ctx, &b); err != nil {
		return Forgotten, 0, err
	}
	out = Aborted
	if !ended {
		out = InProgress
	}
	for i := range b.Ops {
		o := &b.Ops[i]
		r := rangeOutcome{o.TxnStatus, o.PushedTS, o.Record}
		if r.record != nil && ended {
			m := r.record.Txn
			if r, err = db.decide(ctx, &m, r); err != nil {
				return Forgotten, 0, err
			}
		}
		switch r.status {
		case kv.TxnCommitted:
			return Committed, r.ts, nil
		case kv.TxnAborted:
			if r.record != nil {
				return Aborted, 0, nil
			}
		case kv.TxnUnknown:
			out = Forgotten
		}
	}
	return out, 0, nil
}
