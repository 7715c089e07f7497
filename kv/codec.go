package kv

import (
	"fmt"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// The wire form of a Batch and of its reply. The integers and byte strings are
// those of codec_txn.go.
//
//	Batch, version 2:
//	+--------+---------+---------+------------+---------------+-----------+--------+-------------+
//	| ver u8 | flags u8| wait u8 | rangeID u64| generation u64| readTS u64| now u64| gateway u32 |
//	+--------+---------+---------+------------+---------------+-----------+--------+-------------+
//	| lockTimeout u64 | maxRows u64 | maxBytes u64 | [TxnMeta as bytes] | op count u32 | ops ... |
//	+-----------------+-------------+--------------+--------------------+--------------+---------+
//	flags: bit 0 a transaction follows, bit 1 inconsistent
//
//	Op:
//	+---------+---------+------------+----------------------------------------+
//	| kind u8 | lock u8 | fields u32 | the fields whose bit is set, low first |
//	+---------+---------+------------+----------------------------------------+
//
//	Reply, version 1, success:
//	+--------+------+--------+-----------+--------------+------------------+----------+------------------+
//	| ver u8 | 0 u8 | now u64| readTS u64| txnReadTS u64| txnWriteTS u64   | limit u64| op results ...   |
//	+--------+------+--------+-----------+--------------+------------------+----------+------------------+
//	(the last three of the transaction; zero without one)
//	Op result: fields u32, then the fields whose bit is set, low first.
//
//	Reply, version 1, error:
//	+--------+------+--------+-------------------------+
//	| ver u8 | 1 u8 | now u64| error, see codec_err.go |
//	+--------+------+--------+-------------------------+
//
// A receiver that does not know a version or a bit rejects the message: fields
// may only be added together with a version that the receiver has announced.
const (
	batchVersion = 2
	replyVersion = 1

	batchHasTxn       = 1 << 0
	batchInconsistent = 1 << 1
)

// Presence bits of an Op. The first few carry no payload.
const (
	opReverse = 1 << iota
	opCommit
	opKey
	opEndKey
	opValue
	opExpected
	opDelta
	opMaxRows
	opMaxBytes
	opTS
	opRefreshFrom
	opSeq
	opUnlockFrom
	opFilter
	opEnd
	opTxnStatus
	opPushTxn
	opPushKind
	opGC
	opPushedTS
	opFieldsKnown = 1<<iota - 1
)

// Presence bits of an op result.
const (
	resFound = 1 << iota
	resValue
	resResult
	resTS
	resPushedTS
	resRows
	resResume
	resTxnStatus
	resRecord
	resFieldsKnown = 1<<iota - 1
)

// Codec turns batches and replies into bytes and back. Its functions connect
// what package kv does not know; each may be nil, and then the feature is
// refused with an error. A Codec is immutable and safe for concurrent use.
type Codec struct {
	// DecodeFilter rebuilds a RowFilter from the bytes of its Encode.
	DecodeFilter func(src []byte) (RowFilter, error)
	// EncodeError and DecodeError carry errors of higher layers, which a
	// RowFilter may return at the leaseholder. EncodeError says ok if it knows
	// err, and appends its form to dst.
	EncodeError func(dst []byte, err error) (out []byte, ok bool)
	DecodeError func(src []byte) (error, error)
}

// AppendBatch appends the wire form of b's arguments to dst.
func (c Codec) AppendBatch(dst []byte, b *Batch) []byte {
	var flags uint8
	if b.Txn != nil {
		flags |= batchHasTxn
	}
	if b.Inconsistent {
		flags |= batchInconsistent
	}
	dst = append(dst, batchVersion, flags, uint8(b.Wait))
	dst = appendU64(dst, uint64(b.RangeID))
	dst = appendU64(dst, b.RangeGeneration)
	dst = appendU64(dst, uint64(b.ReadTS))
	dst = appendU64(dst, uint64(b.Now))
	dst = appendU32(dst, uint32(b.GatewayNode))
	dst = appendU64(dst, uint64(b.LockTimeoutMicros))
	dst = appendU64(dst, uint64(b.MaxRows))
	dst = appendU64(dst, uint64(b.MaxBytes))
	if b.Txn != nil {
		dst = appendNested(dst, b.Txn.Encode)
	}
	dst = appendU32(dst, uint32(len(b.Ops)))
	for i := range b.Ops {
		dst = appendOp(dst, &b.Ops[i])
	}
	return dst
}

// DecodeBatch sets *b from src. Byte slices in b alias src. The memory of b.Ops
// and of the Rows in it is reused; every OpScan gets empty Rows.
func (c Codec) DecodeBatch(src []byte, b *Batch) error {
	r := wireReader{b: src}
	r.version(batchVersion, "batch")
	flags := r.u8()
	if flags&^(batchHasTxn|batchInconsistent) != 0 {
		r.fail("unknown batch flag")
	}
	b.Header = Header{
		Inconsistent:      flags&batchInconsistent != 0,
		Wait:              WaitPolicy(r.enum(uint8(WaitSkipLocked), "wait policy")),
		RangeID:           keys.RangeID(r.u64()),
		RangeGeneration:   r.u64(),
		ReadTS:            r.ts(),
		Now:               r.ts(),
		GatewayNode:       keys.NodeID(r.u32()),
		LockTimeoutMicros: r.i64(),
		MaxRows:           r.i64(),
		MaxBytes:          r.i64(),
	}
	if flags&batchHasTxn != 0 {
		if meta := r.bytes(); r.err == nil {
			b.Txn = new(TxnMeta)
			if err := b.Txn.Decode(meta); err != nil {
				return err
			}
		}
	}
	n := r.count(6)
	if cap(b.Ops) < n {
		b.Ops = append(b.Ops[:cap(b.Ops)], make([]Op, n-cap(b.Ops))...)
	}
	b.Ops = b.Ops[:n]
	for i := range b.Ops {
		if err := c.decodeOp(&r, &b.Ops[i]); err != nil {
			return err
		}
		if r.err != nil {
			return r.err
		}
	}
	return r.done()
}

func appendOp(dst []byte, o *Op) []byte {
	dst = append(dst, uint8(o.Kind), uint8(o.Lock))
	at := len(dst)
	dst = appendU32(dst, 0)
	var f uint32
	if o.Reverse {
		f |= opReverse
	}
	if o.Commit {
		f |= opCommit
	}
	if o.Key != nil {
		f |= opKey
		dst = appendBytes(dst, o.Key)
	}
	if o.EndKey != nil {
		f |= opEndKey
		dst = appendBytes(dst, o.EndKey)
	}
	// Value is an argument of writes and a stale result of reads.
	if o.Value != nil && o.Kind != OpGet {
		f |= opValue
		dst = appendBytes(dst, o.Value)
	}
	if o.Expected != nil {
		f |= opExpected
		dst = appendBytes(dst, o.Expected)
	}
	if o.Delta != 0 {
		f |= opDelta
		dst = appendU64(dst, uint64(o.Delta))
	}
	if o.MaxRows != 0 {
		f |= opMaxRows
		dst = appendU64(dst, uint64(o.MaxRows))
	}
	if o.MaxBytes != 0 {
		f |= opMaxBytes
		dst = appendU64(dst, uint64(o.MaxBytes))
	}
	if o.TS != 0 && o.Kind != OpGet {
		f |= opTS
		dst = appendU64(dst, uint64(o.TS))
	}
	if o.RefreshFrom != 0 {
		f |= opRefreshFrom
		dst = appendU64(dst, uint64(o.RefreshFrom))
	}
	if o.Seq != 0 {
		f |= opSeq
		dst = appendU32(dst, o.Seq)
	}
	if o.UnlockFrom != 0 {
		f |= opUnlockFrom
		dst = appendU32(dst, o.UnlockFrom)
	}
	if o.Filter != nil {
		f |= opFilter
		dst = appendNested(dst, o.Filter.Encode)
	}
	if o.End != nil {
		f |= opEnd
		dst = appendEndTxn(dst, o.End)
	}
	if o.TxnStatus != 0 {
		f |= opTxnStatus
		dst = append(dst, uint8(o.TxnStatus))
	}
	if o.PushTxn != nil {
		f |= opPushTxn
		dst = appendNested(dst, o.PushTxn.Encode)
	}
	if o.PushKind != 0 {
		f |= opPushKind
		dst = append(dst, uint8(o.PushKind))
	}
	if o.GC != nil {
		f |= opGC
		dst = appendU64(dst, uint64(o.GC.Threshold))
		dst = appendU32(dst, uint32(len(o.GC.Keys)))
		for _, k := range o.GC.Keys {
			dst = appendU64(appendBytes(dst, k.Key), uint64(k.TS))
		}
	}
	if o.PushedTS != 0 {
		f |= opPushedTS
		dst = appendU64(dst, uint64(o.PushedTS))
	}
	putU32(dst[at:], f)
	return dst
}

func putU32(b []byte, v uint32) {
	b[0], b[1], b[2], b[3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
}

func (c Codec) decodeOp(r *wireReader, o *Op) error {
	rows := o.Rows
	*o = Op{
		Kind: OpKind(r.enum(uint8(OpQueryOutcome), "operation")),
		Lock: LockStrength(r.enum(uint8(LockUpdate), "lock strength")),
	}
	if o.Kind == OpInvalid {
		r.fail("operation 0")
	}
	if o.Kind == OpScan {
		if rows == nil {
			rows = new(Rows)
		}
		rows.Reset()
		o.Rows = rows
	}
	f := r.u32()
	if f&^uint32(opFieldsKnown) != 0 {
		r.fail("unknown operation field")
	}
	has := func(bit uint32) bool { return f&bit != 0 && r.err == nil }
	o.Reverse, o.Commit = has(opReverse), has(opCommit)
	if has(opKey) {
		o.Key = r.bytes()
	}
	if has(opEndKey) {
		o.EndKey = r.bytes()
	}
	if has(opValue) {
		o.Value = r.bytes()
	}
	if has(opExpected) {
		o.Expected = r.bytes()
	}
	if has(opDelta) {
		o.Delta = r.i64()
	}
	if has(opMaxRows) {
		o.MaxRows = r.i64()
	}
	if has(opMaxBytes) {
		o.MaxBytes = r.i64()
	}
	if has(opTS) {
		o.TS = r.ts()
	}
	if has(opRefreshFrom) {
		o.RefreshFrom = r.ts()
	}
	if has(opSeq) {
		o.Seq = r.u32()
	}
	if has(opUnlockFrom) {
		o.UnlockFrom = r.u32()
	}
	if has(opFilter) {
		enc := r.bytes()
		if r.err != nil {
			return r.err
		}
		if c.DecodeFilter == nil {
			return fmt.Errorf("%w: no decoder for row filters", ErrCorrupt)
		}
		var err error
		if o.Filter, err = c.DecodeFilter(enc); err != nil {
			return fmt.Errorf("decode row filter: %w", err)
		}
	}
	if has(opEnd) {
		o.End = r.endTxn()
	}
	if has(opTxnStatus) {
		o.TxnStatus = TxnStatus(r.enum(uint8(TxnUnknown), "transaction status"))
	}
	if has(opPushTxn) {
		meta := r.bytes()
		if r.err != nil {
			return r.err
		}
		o.PushTxn = new(TxnMeta)
		if err := o.PushTxn.Decode(meta); err != nil {
			return err
		}
	}
	if has(opPushKind) {
		o.PushKind = PushKind(r.enum(uint8(PushTouch), "kind of push"))
	}
	if has(opGC) {
		o.GC = &GCRequest{Threshold: r.ts()}
		if n := r.count(12); n > 0 {
			o.GC.Keys = make([]GCKey, n)
			for i := range o.GC.Keys {
				o.GC.Keys[i] = GCKey{Key: r.bytes(), TS: r.ts()}
			}
		}
	}
	if has(opPushedTS) {
		o.PushedTS = r.ts()
	}
	return r.err
}

func appendEndTxn(dst []byte, e *EndTxn) []byte {
	dst = appendBool(dst, e.Commit)
	dst = appendBool(dst, e.OnePhase)
	dst = appendBool(dst, e.ReadsComplete)
	dst = appendSpans(dst, e.Reads)
	dst = appendU32(dst, uint32(len(e.Locks)))
	for _, l := range e.Locks {
		dst = append(appendBytes(dst, l.Key), uint8(l.Strength))
		dst = appendU32(appendU64(dst, uint64(l.ReadTS)), l.Seq)
	}
	dst = appendSpans(dst, e.Intents)
	dst = appendInFlight(dst, e.InFlight)
	dst = appendU32(dst, uint32(len(e.Fences)))
	for _, f := range e.Fences {
		dst = appendU64(appendBytes(dst, f.Key), uint64(f.Token))
	}
	return appendBool(appendU64(dst, uint64(e.SentAt)), e.Prepare)
}

func (r *wireReader) endTxn() *EndTxn {
	e := &EndTxn{Commit: r.bool(), OnePhase: r.bool(), ReadsComplete: r.bool(), Reads: r.spans()}
	if n := r.count(17); n > 0 {
		e.Locks = make([]LockedKey, n)
		for i := range e.Locks {
			e.Locks[i] = LockedKey{
				Key:      r.bytes(),
				Strength: LockStrength(r.enum(uint8(LockUpdate), "lock strength")),
				ReadTS:   r.ts(),
				Seq:      r.u32(),
			}
		}
	}
	e.Intents = r.spans()
	e.InFlight = r.inFlight()
	if n := r.count(12); n > 0 {
		e.Fences = make([]Fence, n)
		for i := range e.Fences {
			e.Fences[i] = Fence{Key: r.bytes(), Token: r.i64()}
		}
	}
	e.SentAt = r.ts()
	e.Prepare = r.bool()
	return e
}

// AppendReply appends the wire form of b's results, or of err if it is not nil,
// to dst.
func (c Codec) AppendReply(dst []byte, b *Batch, err error) []byte {
	if err != nil {
		dst = append(dst, replyVersion, 1)
		dst = appendU64(dst, uint64(b.Now))
		return c.appendError(dst, err, 0)
	}
	dst = append(dst, replyVersion, 0)
	dst = appendU64(dst, uint64(b.Now))
	dst = appendU64(dst, uint64(b.ReadTS))
	var readTS, writeTS, limit hlc.Timestamp
	if b.Txn != nil {
		readTS, writeTS, limit = b.Txn.ReadTS, b.Txn.WriteTS, b.Txn.UncertaintyLimit
	}
	dst = appendU64(dst, uint64(readTS))
	dst = appendU64(dst, uint64(writeTS))
	dst = appendU64(dst, uint64(limit))
	for i := range b.Ops {
		dst = appendOpResult(dst, &b.Ops[i])
	}
	return dst
}

func appendOpResult(dst []byte, o *Op) []byte {
	at := len(dst)
	dst = appendU32(dst, 0)
	var f uint32
	if o.Found {
		f |= resFound
	}
	if o.Kind == OpGet {
		if o.Value != nil {
			f |= resValue
			dst = appendBytes(dst, o.Value)
		}
	}
	if o.Result != 0 {
		f |= resResult
		dst = appendU64(dst, uint64(o.Result))
	}
	if o.TS != 0 {
		f |= resTS
		dst = appendU64(dst, uint64(o.TS))
	}
	if o.PushedTS != 0 {
		f |= resPushedTS
		dst = appendU64(dst, uint64(o.PushedTS))
	}
	if o.Rows != nil && o.Rows.Count > 0 {
		f |= resRows
		dst = appendU32(dst, uint32(o.Rows.Count))
		dst = appendBytes(dst, o.Rows.Buf)
	}
	if o.Resume != nil {
		f |= resResume
		dst = appendBytes(dst, o.Resume)
	}
	if o.TxnStatus != 0 {
		f |= resTxnStatus
		dst = append(dst, uint8(o.TxnStatus))
	}
	if o.Record != nil {
		f |= resRecord
		dst = appendNested(dst, o.Record.Encode)
	}
	putU32(dst[at:], f)
	return dst
}

// DecodeReply fills in the results of b, the batch that was sent, in place: rows
// are appended to the caller's Rows, other byte slices alias src. It returns
// the error that the callee returned, and as err why src could not be decoded.
func (c Codec) DecodeReply(src []byte, b *Batch) (result error, err error) {
	r := wireReader{b: src}
	r.version(replyVersion, "reply")
	failed := r.bool()
	now := r.ts()
	if r.err != nil {
		return nil, r.err
	}
	b.Now = now
	if failed {
		result = c.readError(&r, 0)
		return result, r.done()
	}
	b.ReadTS = r.ts()
	readTS, writeTS, limit := r.ts(), r.ts(), r.ts()
	if b.Txn != nil && r.err == nil {
		b.Txn.ReadTS, b.Txn.WriteTS, b.Txn.UncertaintyLimit = readTS, writeTS, limit
	}
	for i := range b.Ops {
		if err := r.opResult(&b.Ops[i]); err != nil {
			return nil, err
		}
	}
	return nil, r.done()
}

func (r *wireReader) opResult(o *Op) error {
	f := r.u32()
	if f&^uint32(resFieldsKnown) != 0 {
		r.fail("unknown result field")
	}
	has := func(bit uint32) bool { return f&bit != 0 && r.err == nil }
	o.Found = has(resFound)
	if o.Kind == OpGet {
		o.Value = nil
	}
	if has(resValue) {
		o.Value = r.bytes()
	}
	o.Result = 0
	if has(resResult) {
		o.Result = r.i64()
	}
	o.TS = 0
	if has(resTS) {
		o.TS = r.ts()
	}
	o.PushedTS = 0
	if has(resPushedTS) {
		o.PushedTS = r.ts()
	}
	if has(resRows) {
		count, buf := r.u32(), r.bytes()
		if r.err == nil {
			if err := checkRows(buf, int(count)); err != nil {
				return err
			}
			if o.Rows == nil {
				o.Rows = new(Rows)
			}
			o.Rows.Buf = append(o.Rows.Buf, buf...)
			o.Rows.Count += int(count)
		}
	}
	o.Resume = nil
	if has(resResume) {
		o.Resume = r.bytes()
	}
	o.TxnStatus = 0
	if has(resTxnStatus) {
		o.TxnStatus = TxnStatus(r.enum(uint8(TxnUnknown), "transaction status"))
	}
	o.Record = nil
	if has(resRecord) {
		enc := r.bytes()
		if r.err != nil {
			return r.err
		}
		o.Record = new(TxnRecord)
		if err := o.Record.Decode(enc); err != nil {
			return err
		}
	}
	return r.err
}

// checkRows verifies that buf holds exactly count packed rows, so that whoever
// walks them later meets no surprise.
func checkRows(buf []byte, count int) error {
	rows, pos := Rows{Buf: buf, Count: count}, 0
	for range count {
		_, _, _, next, ok := rows.Next(pos)
		if !ok {
			return fmt.Errorf("%w: rows are truncated", ErrCorrupt)
		}
		pos = next
	}
	if pos != len(buf) {
		return fmt.Errorf("%w: %d bytes after the last row", ErrCorrupt, len(buf)-pos)
	}
	return nil
}
