package logstore

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"go.etcd.io/raft/v3/raftpb"

	"github.com/spanlite/spanlite/kv/keys"
)

const (
	formatVersion     = 1
	segmentHeaderSize = 32
	frameHeaderSize   = 32
	entryHeaderSize   = 32
	hardStateSize     = 24
	stateSize         = 8 + hardStateSize + 16 + 24
	appendHeaderSize  = hardStateSize
	frameAlign        = 8
)

var (
	segmentMagic = [8]byte{'S', 'P', 'A', 'N', 'L', 'O', 'G', '\n'}
	castagnoli   = crc32.MakeTable(crc32.Castagnoli)
)

type frameKind uint8

const (
	kindAppend frameKind = 1 + iota
	kindState
	kindRelocate
	kindRemove
	kindBlob
	kindSeal
	kindEnd // first value that is not a kind
)

const stateFlagReset = 1

// HardState is what Raft must not forget of its own decisions.
type HardState struct {
	Term   uint64
	Vote   uint64
	Commit uint64
}

// Fortification is a follower's durable promise to the leader of a term: not to
// vote for or stand against it while the local store supports the leader's store
// at Epoch. The zero value is none.
type Fortification struct {
	Term   uint64
	Leader keys.ReplicaID
	Epoch  uint64
}

// State is everything the log holds of a group but its entries.
type State struct {
	Replica        keys.ReplicaID
	Hard           HardState
	TruncatedIndex uint64
	TruncatedTerm  uint64
	Fortified      Fortification
}

// CorruptionError tells of damage that a crash cannot have caused.
type CorruptionError struct {
	File   string
	Offset int64
	Reason string
}

func (e *CorruptionError) Error() string {
	return fmt.Sprintf("logstore: %s is corrupt at offset %d: %s", e.File, e.Offset, e.Reason)
}

func align(n int64) int64 { return (n + frameAlign - 1) &^ (frameAlign - 1) }

func encodeSegmentHeader(number uint64) []byte {
	b := make([]byte, segmentHeaderSize)
	copy(b, segmentMagic[:])
	binary.LittleEndian.PutUint32(b[8:], formatVersion)
	binary.LittleEndian.PutUint64(b[12:], number)
	binary.LittleEndian.PutUint32(b[28:], crc32.Checksum(b[:28], castagnoli))
	return b
}

// decodeSegmentHeader returns the number in the header; ok is false if the bytes
// are no valid header. An unknown version is an error of its own: such a file
// must not be overwritten.
func decodeSegmentHeader(b []byte) (number uint64, ok bool, err error) {
	if len(b) < segmentHeaderSize || [8]byte(b[:8]) != segmentMagic ||
		binary.LittleEndian.Uint32(b[28:]) != crc32.Checksum(b[:28], castagnoli) {
		return 0, false, nil
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != formatVersion {
		return 0, false, fmt.Errorf("logstore: format version %d, this program knows %d", v, formatVersion)
	}
	return binary.LittleEndian.Uint64(b[12:]), true, nil
}

// frame is a decoded frame header with its payload.
type frame struct {
	kind    frameKind
	group   uint64
	synced  uint32
	payload []byte
}

// finishFrame fills in the header of the frame that starts at b[0] and pads it.
func finishFrame(b []byte, kind frameKind, group uint64, generation, synced uint32) []byte {
	n := len(b) - frameHeaderSize
	binary.LittleEndian.PutUint32(b[4:], uint32(n))
	binary.LittleEndian.PutUint32(b[8:], generation)
	b[12] = byte(kind)
	binary.LittleEndian.PutUint64(b[16:], group)
	binary.LittleEndian.PutUint32(b[24:], synced)
	binary.LittleEndian.PutUint32(b, crc32.Checksum(b[4:], castagnoli))
	for len(b)%frameAlign != 0 {
		b = append(b, 0)
	}
	return b
}

// decodeFrame decodes the frame at the start of b and returns its padded size. ok
// is false if there is no valid frame of the generation.
func decodeFrame(b []byte, generation uint32) (f frame, size int64, ok bool) {
	if len(b) < frameHeaderSize {
		return f, 0, false
	}
	n := int64(binary.LittleEndian.Uint32(b[4:]))
	if binary.LittleEndian.Uint32(b[8:]) != generation || n > int64(len(b)-frameHeaderSize) {
		return f, 0, false
	}
	if binary.LittleEndian.Uint32(b) != crc32.Checksum(b[4:frameHeaderSize+n], castagnoli) {
		return f, 0, false
	}
	f = frame{
		kind:    frameKind(b[12]),
		group:   binary.LittleEndian.Uint64(b[16:]),
		synced:  binary.LittleEndian.Uint32(b[24:]),
		payload: b[frameHeaderSize : frameHeaderSize+n],
	}
	return f, align(frameHeaderSize + n), true
}

func appendHardState(dst []byte, hs HardState) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, hs.Term)
	dst = binary.LittleEndian.AppendUint64(dst, hs.Vote)
	return binary.LittleEndian.AppendUint64(dst, hs.Commit)
}

func decodeHardState(b []byte) HardState {
	return HardState{
		Term:   binary.LittleEndian.Uint64(b),
		Vote:   binary.LittleEndian.Uint64(b[8:]),
		Commit: binary.LittleEndian.Uint64(b[16:]),
	}
}

func appendState(dst []byte, s State, reset bool) []byte {
	var flags uint32
	if reset {
		flags = stateFlagReset
	}
	dst = binary.LittleEndian.AppendUint32(dst, flags)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(s.Replica))
	dst = appendHardState(dst, s.Hard)
	dst = binary.LittleEndian.AppendUint64(dst, s.TruncatedIndex)
	dst = binary.LittleEndian.AppendUint64(dst, s.TruncatedTerm)
	dst = binary.LittleEndian.AppendUint64(dst, s.Fortified.Term)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(s.Fortified.Leader))
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	return binary.LittleEndian.AppendUint64(dst, s.Fortified.Epoch)
}

func decodeState(b []byte) (s State, reset bool, err error) {
	if len(b) != stateSize {
		return s, false, fmt.Errorf("state of %d bytes, want %d", len(b), stateSize)
	}
	reset = binary.LittleEndian.Uint32(b)&stateFlagReset != 0
	s.Replica = keys.ReplicaID(binary.LittleEndian.Uint32(b[4:]))
	s.Hard = decodeHardState(b[8:])
	b = b[8+hardStateSize:]
	s.TruncatedIndex = binary.LittleEndian.Uint64(b)
	s.TruncatedTerm = binary.LittleEndian.Uint64(b[8:])
	s.Fortified = Fortification{
		Term:   binary.LittleEndian.Uint64(b[16:]),
		Leader: keys.ReplicaID(binary.LittleEndian.Uint32(b[24:])),
		Epoch:  binary.LittleEndian.Uint64(b[32:]),
	}
	return s, reset, nil
}

func appendEntry(dst []byte, e *raftpb.Entry) []byte {
	at := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(e.Data)))
	dst = binary.LittleEndian.AppendUint64(dst, e.Term)
	dst = binary.LittleEndian.AppendUint64(dst, e.Index)
	dst = append(dst, byte(e.Type), 0, 0, 0, 0, 0, 0, 0)
	dst = append(dst, e.Data...)
	binary.LittleEndian.PutUint32(dst[at:], crc32.Checksum(dst[at+4:], castagnoli))
	return dst
}

// decodeEntry decodes the entry at the start of b, its Data aliasing b, and
// returns its size. It does not check the CRC: the frame's covers it.
func decodeEntry(b []byte) (e raftpb.Entry, size int, err error) {
	if len(b) < entryHeaderSize {
		return e, 0, fmt.Errorf("entry ends within its header")
	}
	n := int64(binary.LittleEndian.Uint32(b[4:]))
	if n > int64(len(b)-entryHeaderSize) {
		return e, 0, fmt.Errorf("entry of %d bytes, %d left", n, len(b)-entryHeaderSize)
	}
	e.Term = binary.LittleEndian.Uint64(b[8:])
	e.Index = binary.LittleEndian.Uint64(b[16:])
	e.Type = raftpb.EntryType(b[24])
	if b[24] > byte(raftpb.EntryConfChangeV2) || b[25] != 0 {
		return e, 0, fmt.Errorf("entry %d has unknown type %d or flags %#x", e.Index, b[24], b[25])
	}
	if n > 0 {
		e.Data = b[entryHeaderSize : entryHeaderSize+n : entryHeaderSize+n]
	}
	return e, entryHeaderSize + int(n), nil
}

// checkEntry verifies the CRC of the entry that fills b.
func checkEntry(b []byte) bool {
	return binary.LittleEndian.Uint32(b) == crc32.Checksum(b[4:], castagnoli)
}
