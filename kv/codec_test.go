package kv

// These tests show that every field of a batch, a reply and an error survives
// the wire, that each truncation and each foreign version is refused, and (by
// fuzzing) that no input makes a decoder panic or allocate without bound.

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv/keys"
)

func sampleTxn() *TxnMeta {
	return &TxnMeta{
		ID: TxnID{1, 2, 3}, Epoch: 4, Anchor: keys.Key("anchor"), ReadTS: 5, WriteTS: 6, UncertaintyLimit: 7,
		StartTS: 8, Isolation: Serializable, GatewayNode: 9, Seq: 10, IgnoredSeqs: []SeqRange{{1, 2}, {3, 4}},
	}
}

func sampleRecord() *TxnRecord {
	return &TxnRecord{
		Txn: *sampleTxn(), Status: TxnStaging, LastHeartbeat: 77,
		Intents:  []keys.Span{{Start: keys.Key("a")}, {Start: keys.Key("b"), End: keys.Key("c")}},
		InFlight: []InFlightWrite{{Key: keys.Key("x"), Seq: 3}},
	}
}

func sampleDesc() *RangeDescriptor {
	return &RangeDescriptor{
		RangeID: 7, Start: keys.Key("a"), End: keys.Key("m"), NextReplicaID: 4, Generation: 9,
		Replicas: []ReplicaDescriptor{{1, 1, 1, Voter}, {2, 2, 3, Learner}},
	}
}

// upperFilter is a RowFilter with nothing but a wire form.
type upperFilter struct{ tag string }

func (upperFilter) Next(key keys.Key, value []byte, out *Rows) (bool, error) {
	out.Append(key, value, 0)
	return false, nil
}
func (upperFilter) Finish(*Rows) error           { return nil }
func (f upperFilter) Encode(dst []byte) []byte   { return append(dst, f.tag...) }
func decodeFilter(src []byte) (RowFilter, error) { return upperFilter{string(src)}, nil }

type extError struct{ text string }

func (e *extError) Error() string { return e.text }

var testCodec = Codec{
	DecodeFilter: decodeFilter,
	EncodeError: func(dst []byte, err error) ([]byte, bool) {
		if e, ok := errors.AsType[*extError](err); ok {
			return append(dst, e.text...), true
		}
		return dst, false
	},
	DecodeError: func(src []byte) (error, error) { return &extError{string(src)}, nil },
}

func sampleBatch() *Batch {
	b := &Batch{Header: Header{
		RangeID: 3, RangeGeneration: 4, Txn: sampleTxn(), ReadTS: 5, Now: 6, GatewayNode: 7, Wait: WaitSkipLocked,
		LockTimeoutMicros: 8, MaxRows: 9, MaxBytes: 10, Inconsistent: true,
	}}
	b.Ops = []Op{
		{Kind: OpGet, Key: keys.Key("k"), Lock: LockUpdate, Seq: 3},
		{Kind: OpScan, Key: keys.Key("k"), EndKey: keys.Key("z"), Reverse: true, MaxRows: 1, MaxBytes: 2, Filter: upperFilter{"f"}, Rows: &Rows{}},
		{Kind: OpPut, Key: keys.Key("k"), Value: []byte{}},
		{Kind: OpCompareAndPut, Key: keys.Key("k"), Value: []byte("v"), Expected: []byte("e")},
		{Kind: OpIncrement, Key: keys.Key("k"), Delta: -5},
		{Kind: OpRefresh, Key: keys.Key("k"), RefreshFrom: 11},
		{Kind: OpEndTxn, Key: keys.Key("k"), End: &EndTxn{
			Commit: true, OnePhase: true, ReadsComplete: true,
			Reads:   []keys.Span{{Start: keys.Key("r"), End: keys.Key("s")}},
			Locks:   []LockedKey{{Key: keys.Key("l"), Strength: LockShare, ReadTS: 3, Seq: 4}},
			Intents: []keys.Span{{Start: keys.Key("i")}}, InFlight: []InFlightWrite{{keys.Key("f"), 6}},
			Fences: []Fence{{keys.Key("g"), 12}}, SentAt: 17, Prepare: true,
		}},
		{Kind: OpPushTxn, Key: keys.Key("k"), PushTxn: sampleTxn(), PushKind: PushAbort, PushedTS: 13},
		{Kind: OpResolveIntent, Key: keys.Key("k"), PushTxn: sampleTxn(), TxnStatus: TxnCommitted, Commit: true},
		{Kind: OpUnlock, Key: keys.Key("k"), EndKey: keys.Key("l"), UnlockFrom: 2},
		{Kind: OpGC, Key: keys.Key("k"), GC: &GCRequest{Threshold: 14, Keys: []GCKey{{keys.Key("d"), 15}}}},
		{Kind: OpPut, Key: keys.Key("ts"), TS: 16},
		{Kind: OpQueryOutcome, Key: keys.Key("a"), TS: 18, PushTxn: sampleTxn()},
	}
	return b
}

func TestBatchRoundTrip(t *testing.T) {
	want := sampleBatch()
	enc := testCodec.AppendBatch(nil, want)
	var got Batch
	require.NoError(t, testCodec.DecodeBatch(enc, &got))
	require.Equal(t, want, &got)

	// Memory of a former batch is reused without leaking its content.
	require.NoError(t, testCodec.DecodeBatch(enc, &got))
	require.Equal(t, want, &got)

	for n := range enc {
		require.ErrorIs(t, testCodec.DecodeBatch(enc[:n], new(Batch)), ErrCorrupt, "prefix of %d bytes", n)
	}
	require.ErrorIs(t, testCodec.DecodeBatch(append(enc, 0), new(Batch)), ErrCorrupt)
	enc[0]++
	require.ErrorContains(t, testCodec.DecodeBatch(enc, new(Batch)), "unknown version")
}

func TestReplyRoundTrip(t *testing.T) {
	callee := sampleBatch()
	callee.Now, callee.ReadTS, callee.Txn.WriteTS = 100, 101, 102
	callee.Ops[0].Value, callee.Ops[0].Found, callee.Ops[0].TS = []byte{}, true, 55
	callee.Ops[1].Rows.Append([]byte("k1"), []byte("v1"), 1)
	callee.Ops[1].Rows.Append([]byte("k2"), nil, 2)
	callee.Ops[1].Resume = keys.Key("k2")
	callee.Ops[4].Result = -3
	callee.Ops[7].Record, callee.Ops[7].PushedTS, callee.Ops[7].TxnStatus = sampleRecord(), 99, TxnAborted
	enc := testCodec.AppendReply(nil, callee, nil)

	caller := sampleBatch()
	caller.Ops[0].Value = []byte("stale")
	result, err := testCodec.DecodeReply(enc, caller)
	require.NoError(t, err)
	require.NoError(t, result)
	require.Equal(t, callee, caller)

	for n := range enc {
		_, err := testCodec.DecodeReply(enc[:n], sampleBatch())
		require.ErrorIs(t, err, ErrCorrupt, "prefix of %d bytes", n)
	}
}

func TestErrorRoundTrip(t *testing.T) {
	conflict := Conflict{Key: keys.Key("k"), Holder: *sampleTxn(), HolderInfo: "psql", Since: 4}
	for _, want := range []error{
		&NotLeaseholderError{RangeID: 1, Leaseholder: ReplicaDescriptor{1, 2, 3, Learner}, Desc: sampleDesc()},
		&NotLeaseholderError{RangeID: 1},
		&RangeMismatchError{RangeID: 2, Descs: []*RangeDescriptor{sampleDesc(), sampleDesc()}},
		&RangeNotFoundError{RangeID: 3, Store: 4},
		&CrossRangeError{},
		&IntentError{Intents: []Conflict{conflict, conflict}},
		&RetryError{Reason: RetryLockLost, RetryTS: 5, Conflict: conflict},
		&RefreshFailedError{Conflict: conflict},
		&UncertaintyError{Key: keys.Key("u"), ValueTS: 6},
		&TxnAbortedError{ID: TxnID{7}, Reason: "pushed"},
		&StaleCommitError{ID: TxnID{8}},
		&LockNotAvailableError{Conflict: conflict, TimedOut: true},
		&DeadlockError{Path: []Conflict{conflict}},
		&AmbiguousError{Cause: context.DeadlineExceeded},
		&AmbiguousError{},
		&UnavailableError{RangeID: 8, Waited: time.Second, Cause: &RangeNotFoundError{RangeID: 8}},
		&ConditionFailedError{Actual: []byte("now")},
		&ConditionFailedError{},
		&BeforeGCError{TS: 1, Threshold: 2},
		&FenceError{Fence: Fence{keys.Key("f"), 3}, Actual: 4},
		&TooLargeError{What: "row", Size: 5, Limit: 6},
		&extError{"division by zero"},
		&RemoteError{Message: "disk full"},
		context.Canceled,
		context.DeadlineExceeded,
	} {
		b := &Batch{Header: Header{Now: 3}}
		in := fmt.Errorf("wrapped: %w", want)
		if _, opaque := want.(*RemoteError); opaque {
			in = errors.New("disk full")
		}
		enc := testCodec.AppendReply(nil, b, in)
		got, err := testCodec.DecodeReply(enc, new(Batch))
		require.NoError(t, err)
		require.Equal(t, want, got)
		for n := range enc {
			_, err := testCodec.DecodeReply(enc[:n], new(Batch))
			require.Error(t, err)
		}
	}
}

// TestEveryFieldIsEncoded catches a field that someone adds to a struct of the
// wire and forgets in the codec: it sets one field at a time, by reflection.
func TestEveryFieldIsEncoded(t *testing.T) {
	opResults := map[string]bool{"Found": true, "Result": true, "Rows": true, "Resume": true, "Record": true, "Filter": true}
	opType := reflect.TypeFor[Op]()
	for i := range opType.NumField() {
		f := opType.Field(i)
		if opResults[f.Name] || f.Name == "Kind" {
			continue
		}
		op := Op{Kind: OpPut}
		setNonZero(t, reflect.ValueOf(&op).Elem().Field(i))
		var got Batch
		require.NoError(t, testCodec.DecodeBatch(testCodec.AppendBatch(nil, &Batch{Ops: []Op{op}}), &got), f.Name)
		require.Equal(t, op, got.Ops[0], f.Name)
	}
	header := reflect.TypeFor[Header]()
	for i := range header.NumField() {
		var b, got Batch
		setNonZero(t, reflect.ValueOf(&b.Header).Elem().Field(i))
		require.NoError(t, testCodec.DecodeBatch(testCodec.AppendBatch(nil, &b), &got), header.Field(i).Name)
		require.Equal(t, b.Header, got.Header)
	}
	for _, enc := range []any{&TxnMeta{}, &TxnRecord{}, &RangeDescriptor{}} {
		typ := reflect.TypeOf(enc).Elem()
		for i := range typ.NumField() {
			in, out := reflect.New(typ), reflect.New(typ)
			if typ == reflect.TypeFor[RangeDescriptor]() { // nil and empty bounds are the same
				in.Interface().(*RangeDescriptor).Start, in.Interface().(*RangeDescriptor).End = keys.Key{}, keys.Key{}
			}
			setNonZero(t, in.Elem().Field(i))
			wire := in.Interface().(interface{ Encode([]byte) []byte }).Encode(nil)
			require.NoError(t, out.Interface().(interface{ Decode([]byte) error }).Decode(wire))
			require.Equal(t, in.Interface(), out.Interface(), typ.Field(i).Name)
		}
	}
}

func setNonZero(t *testing.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(1)
	case reflect.Int64:
		v.SetInt(1)
	case reflect.Array:
		setNonZero(t, v.Index(0))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		setNonZero(t, v.Index(0))
	case reflect.Struct:
		for i := range v.NumField() {
			setNonZero(t, v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		setNonZero(t, v.Elem())
	default:
		t.Fatalf("no rule for %s", v.Type())
	}
}

func FuzzDecodeBatch(f *testing.F) {
	f.Add(testCodec.AppendBatch(nil, sampleBatch()))
	f.Add(testCodec.AppendBatch(nil, &Batch{}))
	f.Fuzz(func(t *testing.T, src []byte) {
		var b Batch
		if testCodec.DecodeBatch(src, &b) != nil {
			return
		}
		var again Batch
		require.NoError(t, testCodec.DecodeBatch(testCodec.AppendBatch(nil, &b), &again))
	})
}

func FuzzDecodeReply(f *testing.F) {
	f.Add(testCodec.AppendReply(nil, sampleBatch(), nil))
	f.Add(testCodec.AppendReply(nil, sampleBatch(), &AmbiguousError{Cause: &DeadlockError{Path: []Conflict{{}}}}))
	f.Fuzz(func(t *testing.T, src []byte) {
		result, err := testCodec.DecodeReply(src, sampleBatch())
		if err == nil && result != nil {
			_ = result.Error()
		}
	})
}

func FuzzDecodeMeta(f *testing.F) {
	f.Add(sampleTxn().Encode(nil))
	f.Add(sampleRecord().Encode(nil))
	f.Add(sampleDesc().Encode(nil))
	f.Fuzz(func(t *testing.T, src []byte) {
		var m TxnMeta
		if m.Decode(src) == nil {
			require.Equal(t, src, m.Encode(nil))
		}
		var r TxnRecord
		if r.Decode(src) == nil {
			require.Equal(t, src, r.Encode(nil))
		}
		var d RangeDescriptor
		if d.Decode(src) == nil {
			require.Equal(t, src, d.Encode(nil))
		}
	})
}

func BenchmarkBatchCodec(b *testing.B) {
	batch := &Batch{Header: Header{RangeID: 1, Now: 1, ReadTS: 1}, Ops: []Op{{Kind: OpGet, Key: keys.Key("some key of a table")}}}
	var buf []byte
	var got Batch
	b.ReportAllocs()
	for b.Loop() {
		buf = testCodec.AppendBatch(buf[:0], batch)
		if err := testCodec.DecodeBatch(buf, &got); err != nil {
			b.Fatal(err)
		}
	}
}
