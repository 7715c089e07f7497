package kv

import "github.com/spanlite/spanlite/kv/keys"

// Encodings of transaction metadata, records and range descriptors. They are
// stored on disk (intents, records, directory rows) as well as sent.
//
//	integer     little-endian, of the width named
//	bytes       u32 length, bytes
//	opt bytes   u8 0 for nil, or u8 1 and bytes
//	list        u32 count, elements
//
//	TxnMeta, version 1:
//	+--------+--------+----------+-----------+------------+-------------+---------------------+
//	| ver u8 | id 16B | epoch u32| readTS u64| writeTS u64| startTS u64 | uncertaintyLimit u64|
//	+--------+--------+--+-------+---------+-+-------+----+-------------+---------------------+
//	| gateway u32 | seq u32| isolation u8 | anchor opt bytes | list of (from u32, to u32) |
//	+-------------+--------+--------------+------------------+----------------------------+
//
//	TxnRecord, version 1:
//	+--------+-----------+-------------------+---------------+--------------------------+-------------------------+
//	| ver u8 | status u8 | lastHeartbeat u64 | TxnMeta bytes | list of span (bytes, opt)| list of (bytes, seq u32)|
//	+--------+-----------+-------------------+---------------+--------------------------+-------------------------+
//
//	RangeDescriptor, version 1:
//	+--------+------------+----------------+-------------------+-------------+-----------+
//	| ver u8 | rangeID u64| generation u64 | nextReplicaID u32 | start bytes | end bytes |
//	+--------+------------+----------------+-------------------+-------------+-----------+
//	| list of (node u32, store u32, replica u32, role u8) |
//	+-----------------------------------------------------+
const (
	txnMetaVersion    = 1
	txnRecordVersion  = 1
	descriptorVersion = 1
)

// Encode appends t's encoding to dst.
func (t *TxnMeta) Encode(dst []byte) []byte {
	dst = append(dst, txnMetaVersion)
	dst = append(dst, t.ID[:]...)
	dst = appendU32(dst, t.Epoch)
	dst = appendU64(dst, uint64(t.ReadTS))
	dst = appendU64(dst, uint64(t.WriteTS))
	dst = appendU64(dst, uint64(t.StartTS))
	dst = appendU64(dst, uint64(t.UncertaintyLimit))
	dst = appendU32(dst, uint32(t.GatewayNode))
	dst = appendU32(dst, t.Seq)
	dst = append(dst, uint8(t.Isolation))
	dst = appendOptBytes(dst, t.Anchor)
	dst = appendU32(dst, uint32(len(t.IgnoredSeqs)))
	for _, s := range t.IgnoredSeqs {
		dst = appendU32(appendU32(dst, s.From), s.To)
	}
	return dst
}

// Decode sets *t from src, which must hold exactly one encoding. The result
// aliases src.
func (t *TxnMeta) Decode(src []byte) error {
	r := wireReader{b: src}
	r.txnMeta(t)
	return r.done()
}

func (r *wireReader) txnMeta(t *TxnMeta) {
	r.version(txnMetaVersion, "transaction metadata")
	*t = TxnMeta{}
	if len(r.b) < len(t.ID) {
		r.fail("truncated")
		return
	}
	copy(t.ID[:], r.b)
	r.b = r.b[len(t.ID):]
	t.Epoch = r.u32()
	t.ReadTS, t.WriteTS, t.StartTS, t.UncertaintyLimit = r.ts(), r.ts(), r.ts(), r.ts()
	t.GatewayNode = keys.NodeID(r.u32())
	t.Seq = r.u32()
	t.Isolation = Isolation(r.enum(uint8(Serializable), "isolation level"))
	t.Anchor = r.optBytes()
	if n := r.count(8); n > 0 {
		t.IgnoredSeqs = make([]SeqRange, n)
		for i := range t.IgnoredSeqs {
			t.IgnoredSeqs[i] = SeqRange{From: r.u32(), To: r.u32()}
		}
	}
}

// Encode appends the record's encoding to dst.
func (t *TxnRecord) Encode(dst []byte) []byte {
	dst = append(dst, txnRecordVersion, uint8(t.Status))
	dst = appendU64(dst, uint64(t.LastHeartbeat))
	dst = appendNested(dst, t.Txn.Encode)
	dst = appendSpans(dst, t.Intents)
	return appendInFlight(dst, t.InFlight)
}

// Decode sets *t from src, which must hold exactly one encoding. The result
// aliases src.
func (t *TxnRecord) Decode(src []byte) error {
	r := wireReader{b: src}
	r.version(txnRecordVersion, "transaction record")
	*t = TxnRecord{}
	t.Status = TxnStatus(r.enum(uint8(TxnUnknown), "transaction status"))
	t.LastHeartbeat = r.ts()
	if meta := r.bytes(); r.err == nil {
		if err := t.Txn.Decode(meta); err != nil {
			return err
		}
	}
	t.Intents = r.spans()
	t.InFlight = r.inFlight()
	return r.done()
}

// Encode appends the descriptor's encoding to dst.
func (d *RangeDescriptor) Encode(dst []byte) []byte {
	dst = append(dst, descriptorVersion)
	dst = appendU64(dst, uint64(d.RangeID))
	dst = appendU64(dst, d.Generation)
	dst = appendU32(dst, uint32(d.NextReplicaID))
	dst = appendBytes(dst, d.Start)
	dst = appendBytes(dst, d.End)
	dst = appendU32(dst, uint32(len(d.Replicas)))
	for _, r := range d.Replicas {
		dst = appendReplica(dst, r)
	}
	return dst
}

// Decode sets *d from src, which must hold exactly one encoding. The result
// aliases src.
func (d *RangeDescriptor) Decode(src []byte) error {
	r := wireReader{b: src}
	r.version(descriptorVersion, "range descriptor")
	*d = RangeDescriptor{}
	d.RangeID = keys.RangeID(r.u64())
	d.Generation = r.u64()
	d.NextReplicaID = keys.ReplicaID(r.u32())
	d.Start, d.End = r.bytes(), r.bytes()
	if n := r.count(13); n > 0 {
		d.Replicas = make([]ReplicaDescriptor, n)
		for i := range d.Replicas {
			d.Replicas[i] = r.replica()
		}
	}
	return r.done()
}

func appendReplica(dst []byte, r ReplicaDescriptor) []byte {
	dst = appendU32(appendU32(dst, uint32(r.Node)), uint32(r.Store))
	return append(appendU32(dst, uint32(r.Replica)), uint8(r.Role))
}

func (r *wireReader) replica() ReplicaDescriptor {
	return ReplicaDescriptor{
		Node:    keys.NodeID(r.u32()),
		Store:   keys.StoreID(r.u32()),
		Replica: keys.ReplicaID(r.u32()),
		Role:    ReplicaRole(r.enum(uint8(VoterOutgoing), "replica role")),
	}
}

func appendInFlight(dst []byte, w []InFlightWrite) []byte {
	dst = appendU32(dst, uint32(len(w)))
	for _, f := range w {
		dst = appendU32(appendBytes(dst, f.Key), f.Seq)
	}
	return dst
}

func (r *wireReader) inFlight() []InFlightWrite {
	n := r.count(8)
	if n == 0 {
		return nil
	}
	w := make([]InFlightWrite, n)
	for i := range w {
		w[i] = InFlightWrite{Key: r.bytes(), Seq: r.u32()}
	}
	return w
}

// appendNested appends an encoding with its length in front.
func appendNested(dst []byte, encode func([]byte) []byte) []byte {
	at := len(dst)
	dst = encode(appendU32(dst, 0))
	n := uint32(len(dst) - at - 4)
	dst[at], dst[at+1], dst[at+2], dst[at+3] = byte(n), byte(n>>8), byte(n>>16), byte(n>>24)
	return dst
}
