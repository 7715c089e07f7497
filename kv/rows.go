package kv

import (
	"encoding/binary"

	"github.com/spanlite/spanlite/kv/hlc"
)

// Rows is a packed list of key-value pairs in one buffer, which is also its
// wire form. Append and Reset reuse memory; iterate with Next.
//
//	+-----------+-----------+-------+-----+-------+
//	| keyLen u32| valLen u32| ts u64| key | value | ...
//	+-----------+-----------+-------+-----+-------+
//
// Integers are little-endian.
type Rows struct {
	Buf   []byte
	Count int
}

const rowHeaderLen = 16

// Append adds a pair; key and value are copied.
func (r *Rows) Append(key, value []byte, ts hlc.Timestamp) {
	var h [rowHeaderLen]byte
	binary.LittleEndian.PutUint32(h[0:], uint32(len(key)))
	binary.LittleEndian.PutUint32(h[4:], uint32(len(value)))
	binary.LittleEndian.PutUint64(h[8:], uint64(ts))
	r.Buf = append(r.Buf, h[:]...)
	r.Buf = append(r.Buf, key...)
	r.Buf = append(r.Buf, value...)
	r.Count++
}

// Reset empties r and keeps its memory.
func (r *Rows) Reset() { r.Buf, r.Count = r.Buf[:0], 0 }

// Next returns the pair at offset pos and the offset of the one after it; ok is
// false at the end. Key and value alias r.Buf.
func (r *Rows) Next(pos int) (key, value []byte, ts hlc.Timestamp, next int, ok bool) {
	b := r.Buf[pos:]
	if len(b) < rowHeaderLen {
		return nil, nil, 0, pos, false
	}
	kl := int(binary.LittleEndian.Uint32(b[0:]))
	vl := int(binary.LittleEndian.Uint32(b[4:]))
	ts = hlc.Timestamp(binary.LittleEndian.Uint64(b[8:]))
	if kl < 0 || vl < 0 || len(b)-rowHeaderLen < kl+vl {
		return nil, nil, 0, pos, false
	}
	key = b[rowHeaderLen : rowHeaderLen+kl : rowHeaderLen+kl]
	value = b[rowHeaderLen+kl : rowHeaderLen+kl+vl : rowHeaderLen+kl+vl]
	return key, value, ts, pos + rowHeaderLen + kl + vl, true
}
