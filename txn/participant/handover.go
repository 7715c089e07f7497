package participant

import (
	"encoding/binary"
	"errors"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/invariant"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/txn/locktable"
)

// The encoded locks of a leaseholder, for the next one. Integers are
// little-endian.
//
//	+------------+-----------+
//	| version u8 | count u32 | count times:
//	+------------+-----------+
//	| strength u8 | readKnown u8 | readTS u64 | seq u32 | keyLen u32 | metaLen u32 |
//	+-------------+--------------+------------+---------+------------+-------------+
//	| key | kv.TxnMeta |
//	+-----+------------+
const (
	handoverVersion  = 1
	handoverFixedLen = 1 + 1 + 8 + 4 + 4 + 4
)

// ExportLocks implements replica.LockKeeper.
func (p *Participant) ExportLocks(span keys.Span) []byte {
	if invariant.Mutated(invariant.ForgetLocks) {
		return nil
	}
	return encodeLocks(p.locks.Export(span))
}

// ImportLocks implements replica.LockKeeper.
func (p *Participant) ImportLocks(data []byte) error {
	locks, err := decodeLocks(data)
	if err == nil {
		p.locks.Import(locks)
	}
	return err
}

func encodeLocks(locks []locktable.Lock) []byte {
	b := binary.LittleEndian.AppendUint32([]byte{handoverVersion}, uint32(len(locks)))
	for i := range locks {
		l := &locks[i]
		known := byte(0)
		if l.ReadKnown {
			known = 1
		}
		b = append(b, byte(l.Strength), known)
		b = binary.LittleEndian.AppendUint64(b, uint64(l.ReadTS))
		b = binary.LittleEndian.AppendUint32(b, l.Seq)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(l.Key)))
		at := len(b)
		b = append(b, 0, 0, 0, 0)
		b = append(b, l.Key...)
		meta := len(b)
		b = l.Txn.Encode(b)
		binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-meta))
	}
	return b
}

var errHandover = errors.New("participant: malformed handover of locks")

func decodeLocks(b []byte) ([]locktable.Lock, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if len(b) < 5 || b[0] != handoverVersion {
		return nil, errHandover
	}
	count := uint64(binary.LittleEndian.Uint32(b[1:]))
	b = b[5:]
	if count > uint64(len(b)/handoverFixedLen) {
		return nil, errHandover
	}
	locks := make([]locktable.Lock, count)
	for i := range locks {
		l := &locks[i]
		if len(b) < handoverFixedLen || b[0] == 0 || kv.LockStrength(b[0]) > kv.LockUpdate || b[1] > 1 {
			return nil, errHandover
		}
		l.Strength, l.ReadKnown = kv.LockStrength(b[0]), b[1] == 1
		l.ReadTS = hlc.Timestamp(binary.LittleEndian.Uint64(b[2:]))
		l.Seq = binary.LittleEndian.Uint32(b[10:])
		keyLen, metaLen := uint64(binary.LittleEndian.Uint32(b[14:])), uint64(binary.LittleEndian.Uint32(b[18:]))
		b = b[handoverFixedLen:]
		if keyLen+metaLen > uint64(len(b)) {
			return nil, errHandover
		}
		l.Key = append(keys.Key{}, b[:keyLen]...)
		if err := l.Txn.Decode(append([]byte(nil), b[keyLen:keyLen+metaLen]...)); err != nil {
			return nil, err
		}
		b = b[keyLen+metaLen:]
	}
	if len(b) != 0 {
		return nil, errHandover
	}
	return locks, nil
}
