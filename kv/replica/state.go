package replica

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/mvcc"
	"github.com/spanlite/spanlite/kv/storage"
	"github.com/spanlite/spanlite/raftgroup"
)

// The range-local items of a replica, by suffix of keys.RangeLocal.
//
//	state      written with every batch that is applied; drawn below
//	desc       kv.RangeDescriptor
//	members    Raft configuration at the applied index:
//	           version 1, then kind u8, replica u32, store u32 for each member
//	tombstone  version 1, u32 least replica id that may come (I5); the only item
//	           of a replica that is gone
const (
	suffixState     = "state"
	suffixDesc      = "desc"
	suffixMembers   = "members"
	suffixTombstone = "tombstone"
)

// state is what application advances. Its stored form, little-endian:
//
//	offset size
//	0      1     version, 1
//	1      1     flags: bit 0 frozen
//	2      6     zero
//	8      8     applied index
//	16     8     applied term
//	24     8     GC threshold
//	32     8     closed timestamp
//	40     8     floor: the timestamp cache of any lease starts at or above it
//	48     65    statistics (mvcc.Stats)
type state struct {
	frozen      bool
	index       raftgroup.Index
	term        raftgroup.Term
	gcThreshold hlc.Timestamp
	closed      hlc.Timestamp
	floor       hlc.Timestamp
	stats       Stats
}

const (
	stateVersion = 1
	stateLen     = 48 + mvcc.StatsLen
)

func (s *state) encode(b *[stateLen]byte) {
	*b = [stateLen]byte{0: stateVersion}
	if s.frozen {
		b[1] = 1
	}
	binary.LittleEndian.PutUint64(b[8:], uint64(s.index))
	binary.LittleEndian.PutUint64(b[16:], uint64(s.term))
	binary.LittleEndian.PutUint64(b[24:], uint64(s.gcThreshold))
	binary.LittleEndian.PutUint64(b[32:], uint64(s.closed))
	binary.LittleEndian.PutUint64(b[40:], uint64(s.floor))
	s.stats.Encode(b[:48])
}

func (s *state) decode(b []byte) error {
	if len(b) != stateLen || b[0] != stateVersion || b[1] > 1 {
		return fmt.Errorf("replica: malformed applied state %x", b)
	}
	s.frozen = b[1] == 1
	s.index = raftgroup.Index(binary.LittleEndian.Uint64(b[8:]))
	s.term = raftgroup.Term(binary.LittleEndian.Uint64(b[16:]))
	s.gcThreshold = hlc.Timestamp(binary.LittleEndian.Uint64(b[24:]))
	s.closed = hlc.Timestamp(binary.LittleEndian.Uint64(b[32:]))
	s.floor = hlc.Timestamp(binary.LittleEndian.Uint64(b[40:]))
	var err error
	s.stats, err = mvcc.DecodeStats(b[48:])
	return err
}

func encodeMembers(dst []byte, members []raftgroup.Member) []byte {
	dst = append(dst, 1)
	for _, m := range members {
		dst = append(dst, byte(m.Kind))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(m.Replica))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(m.Store))
	}
	return dst
}

func decodeMembers(b []byte) ([]raftgroup.Member, error) {
	if len(b) == 0 || b[0] != 1 || (len(b)-1)%9 != 0 {
		return nil, fmt.Errorf("replica: malformed members %x", b)
	}
	var out []raftgroup.Member
	for b = b[1:]; len(b) > 0; b = b[9:] {
		if raftgroup.MemberKind(b[0]) > raftgroup.VoterDemoting {
			return nil, fmt.Errorf("replica: member of kind %d", b[0])
		}
		out = append(out, raftgroup.Member{Kind: raftgroup.MemberKind(b[0]),
			Replica: keys.ReplicaID(binary.LittleEndian.Uint32(b[1:])),
			Store:   keys.StoreID(binary.LittleEndian.Uint32(b[5:]))})
	}
	return out, nil
}

// membersOf returns the Raft configuration that a descriptor describes.
func membersOf(d *kv.RangeDescriptor) []raftgroup.Member {
	out := make([]raftgroup.Member, len(d.Replicas))
	for i, r := range d.Replicas {
		out[i] = raftgroup.Member{Replica: r.Replica, Store: r.Store}
		switch r.Role {
		case kv.Learner:
			out[i].Kind = raftgroup.Learner
		case kv.VoterIncoming:
			out[i].Kind = raftgroup.VoterIncoming
		case kv.VoterOutgoing:
			out[i].Kind = raftgroup.VoterOutgoing
		}
	}
	return out
}

// writeRange writes all items of a replica's beginning.
func writeRange(b *storage.Batch, d *kv.RangeDescriptor, members []raftgroup.Member, s *state) {
	var buf [stateLen]byte
	s.encode(&buf)
	b.Put(keys.RangeLocal(d.RangeID, suffixState), buf[:])
	b.Put(keys.RangeLocal(d.RangeID, suffixDesc), d.Encode(nil))
	b.Put(keys.RangeLocal(d.RangeID, suffixMembers), encodeMembers(nil, members))
}

// WriteInitialState writes the state of a new range at the initial position of
// its log, for bootstrap. The members follow from desc.
func WriteInitialState(b *storage.Batch, desc *kv.RangeDescriptor) {
	writeRange(b, desc, membersOf(desc), &state{index: raftgroup.InitialIndex, term: raftgroup.InitialTerm})
}

// Tombstone returns the least replica id that the range may still have on this
// store; 0 if no replica of it was ever removed from here.
func Tombstone(e storage.Reader, id keys.RangeID) (keys.ReplicaID, error) {
	v, ok, err := e.Get(nil, keys.RangeLocal(id, suffixTombstone))
	if err != nil || !ok {
		return 0, err
	}
	if len(v) != 5 || v[0] != 1 {
		return 0, fmt.Errorf("replica: malformed tombstone %x of %s", v, id)
	}
	return keys.ReplicaID(binary.LittleEndian.Uint32(v[1:])), nil
}

func putTombstone(b *storage.Batch, id keys.RangeID, next keys.ReplicaID) {
	b.Put(keys.RangeLocal(id, suffixTombstone), binary.LittleEndian.AppendUint32([]byte{1}, uint32(next)))
}

// load reads a replica's items; ok is false if there are none.
func load(e storage.Reader, id keys.RangeID) (d *kv.RangeDescriptor, members []raftgroup.Member, s state, ok bool, err error) {
	raw, ok, err := e.Get(nil, keys.RangeLocal(id, suffixState))
	if err != nil || !ok {
		return nil, nil, s, false, err
	}
	if err := s.decode(raw); err != nil {
		return nil, nil, s, false, err
	}
	raw, ok, err = e.Get(nil, keys.RangeLocal(id, suffixDesc))
	if err == nil && !ok {
		err = fmt.Errorf("replica: %s has state and no descriptor", id)
	}
	if err != nil {
		return nil, nil, s, false, err
	}
	d = new(kv.RangeDescriptor)
	if err := d.Decode(raw); err != nil {
		return nil, nil, s, false, fmt.Errorf("replica: descriptor of %s: %w", id, err)
	}
	raw, ok, err = e.Get(nil, keys.RangeLocal(id, suffixMembers))
	if err == nil && !ok {
		err = fmt.Errorf("replica: %s has state and no members", id)
	}
	if err == nil {
		members, err = decodeMembers(raw)
	}
	return d, members, s, err == nil, err
}

// Summary is what the engine knows of a replica, for opening a store.
type Summary struct {
	Desc    kv.RangeDescriptor
	Members []raftgroup.Member
	Applied raftgroup.Index
}

// List calls fn for each initialised replica in the engine, by range id.
func List(e storage.Reader, fn func(Summary) error) error {
	var ids []keys.RangeID
	prefix := keys.RangeLocalPrefix(nil, 0)[:1]
	err := storage.ScanUnversioned(e, keys.Span{Start: prefix, End: keys.PrefixEnd(prefix)}, func(key keys.Key, _ []byte) error {
		if len(key) > 9 && string(key[9:]) == suffixState {
			ids = append(ids, keys.RangeID(binary.BigEndian.Uint64(key[1:9])))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		d, members, s, ok, err := load(e, id)
		if err == nil && ok {
			err = fn(Summary{Desc: *d, Members: members, Applied: s.index})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// DurableApplied fills in the applied indexes that are durable in the engine (0
// if there is none), for raftgroup.Config: the log may be truncated up to them
// (I3).
func DurableApplied(e *storage.Engine, ids []keys.RangeID, applied []raftgroup.Index) error {
	if len(ids) != len(applied) {
		return errors.New("replica: DurableApplied: lengths differ")
	}
	var buf []byte
	for i, id := range ids {
		v, ok, err := e.GetDurable(buf[:0], keys.RangeLocal(id, suffixState))
		if err != nil {
			return err
		}
		buf = v
		applied[i] = 0
		if !ok {
			continue
		}
		var s state
		if err := s.decode(v); err != nil {
			return err
		}
		applied[i] = s.index
	}
	return nil
}
