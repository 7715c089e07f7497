package liveness

import (
	"encoding/binary"
	"math"

	"github.com/spanlite/spanlite/kv/keys"
)

// Load are a store's figures, as of its last heartbeat.
type Load struct {
	CapacityBytes  int64 // of the disk
	AvailableBytes int64
	UsedBytes      int64 // by the store
	Ranges, Leases int32
	// QPS are batches per second served by its leaseholders, WriteBPS the bytes
	// they wrote per second.
	QPS, WriteBPS float64
	// L0Sublevels is the store's read amplification, a sign of overload.
	L0Sublevels int32
}

// Gossip is what a store says of itself with every heartbeat.
type Gossip struct {
	Record Record
	Load   Load
	// FirstRange is the encoded descriptor of range 1, if the store knows it.
	FirstRange []byte
}

// The payload, integers little-endian:
//
//	+--------+--------------+-------------+-----------+----------+-----------+-----------+
//	| ver u8 | capacity u64 | avail u64   | used u64  | ranges u32 | leases u32 | qps f64 |
//	+--------+--------------+-------------+-----------+----------+-----------+-----------+
//	| writeBPS f64 | l0 u32 | record: u32 length, bytes | first range: u32 length, bytes  |
//	+--------------+--------+---------------------------+---------------------------------+
const gossipVersion = 1

// Encode appends the payload to dst.
func (g *Gossip) Encode(dst []byte) []byte {
	dst = append(dst, gossipVersion)
	for _, v := range []int64{g.Load.CapacityBytes, g.Load.AvailableBytes, g.Load.UsedBytes} {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v))
	}
	dst = binary.LittleEndian.AppendUint32(dst, uint32(g.Load.Ranges))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(g.Load.Leases))
	dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(g.Load.QPS))
	dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(g.Load.WriteBPS))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(g.Load.L0Sublevels))
	rec := g.Record.Encode(nil)
	dst = append(binary.LittleEndian.AppendUint32(dst, uint32(len(rec))), rec...)
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(g.FirstRange))), g.FirstRange...)
}

// Decode sets *g from src; the result aliases src.
func (g *Gossip) Decode(src []byte) error {
	d := decoder{b: src}
	if d.u8() != gossipVersion {
		return ErrCorrupt
	}
	*g = Gossip{Load: Load{
		CapacityBytes: int64(d.u64()), AvailableBytes: int64(d.u64()), UsedBytes: int64(d.u64()),
		Ranges: int32(d.u32()), Leases: int32(d.u32()),
		QPS: math.Float64frombits(d.u64()), WriteBPS: math.Float64frombits(d.u64()),
		L0Sublevels: int32(d.u32()),
	}}
	rec := d.bytes()
	g.FirstRange = d.bytes()
	if err := d.done(); err != nil {
		return err
	}
	return g.Record.Decode(rec)
}

// Seen is the last word of a store.
type Seen struct {
	Store keys.StoreID
	Load  Load
	// AtMicros is when it arrived, by the local clock.
	AtMicros int64
}
