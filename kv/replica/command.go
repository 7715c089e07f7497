package replica

import (
	"encoding/binary"
	"fmt"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/mvcc"
	"github.com/spanlite/spanlite/kv/outcome"
	"github.com/spanlite/spanlite/raftgroup"
)

// A command is what a log entry holds: evaluated physical writes and at most one
// trigger. Integers are little-endian.
//
//	offset size
//	0      1     version, 1
//	1      1     kind
//	2      2     zero
//	4      4     n, length of the trigger
//	8      8     term of the lease under which it was evaluated (I9)
//	16     8     closed timestamp: no later command writes at or below it;
//	             0 = none (reserved for follower reads)
//	24     8     id, for a proposer who has given up waiting
//	32     65    change of the statistics (mvcc.Stats)
//	97     n     trigger, by kind
//	97+n   rest  writes: the representation of a storage.Batch, may be empty
//
// Triggers:
//
//	write      the transactions that it commits: id (16), commit timestamp (8), time
//	           (8; outcome.Outcome.At) of each
//	split      left descriptor, right descriptor (each u32 length + bytes),
//	           statistics of the right side (65), floor (8)
//	merge      as split, then the frozen index (8)
//	members    descriptor with the replicas that are being added
//	freeze     floor (8)
//	unfreeze   none
//	threshold  GC threshold (8)
//	checksum   id (8)
//	handover   the leaseholder's memory for the next leaseholder
//
// A floor is the leaseholder's clock at evaluation: every read that it had served
// is below, so the next one to serve these keys starts its timestamp cache there.
const (
	commandVersion   = 1
	commandHeaderLen = 32 + mvcc.StatsLen
)

type commandKind uint8

const (
	cmdWrite commandKind = 1 + iota
	cmdSplit
	cmdMerge
	cmdMembers
	cmdFreeze
	cmdUnfreeze
	cmdThreshold
	cmdChecksum
	cmdHandover
	cmdEnd // not a kind
)

func (k commandKind) String() string {
	if k == 0 || k >= cmdEnd {
		return fmt.Sprintf("kind %d", uint8(k))
	}
	return [...]string{"write", "split", "merge", "members", "freeze", "unfreeze", "threshold", "checksum", "handover"}[k-1]
}

// command is a decoded entry. trigger and writes alias the entry.
type command struct {
	kind    commandKind
	term    raftgroup.Term
	closed  hlc.Timestamp
	id      uint64
	stats   Stats
	trigger []byte
	writes  []byte
	// changes is the membership change that goes with a members command; it is
	// not part of the encoding.
	changes []raftgroup.MemberChange
}

// encode appends the command to dst.
func (c *command) encode(dst []byte) []byte {
	var h [commandHeaderLen - mvcc.StatsLen]byte
	h[0], h[1] = commandVersion, byte(c.kind)
	binary.LittleEndian.PutUint32(h[4:], uint32(len(c.trigger)))
	binary.LittleEndian.PutUint64(h[8:], uint64(c.term))
	binary.LittleEndian.PutUint64(h[16:], uint64(c.closed))
	binary.LittleEndian.PutUint64(h[24:], c.id)
	dst = append(dst, h[:]...)
	dst = c.stats.Encode(dst)
	dst = append(dst, c.trigger...)
	return append(dst, c.writes...)
}

// decode fills in c from an entry. An error is corruption, or a newer release's
// command, and stops the replica.
func (c *command) decode(b []byte) error {
	if len(b) < commandHeaderLen {
		return fmt.Errorf("command of %d bytes", len(b))
	}
	if b[0] != commandVersion || b[2]|b[3] != 0 {
		return fmt.Errorf("command of version %d", b[0])
	}
	c.kind = commandKind(b[1])
	if c.kind == 0 || c.kind >= cmdEnd {
		return fmt.Errorf("command of unknown kind %d", b[1])
	}
	n := uint64(binary.LittleEndian.Uint32(b[4:]))
	if n > uint64(len(b)-commandHeaderLen) {
		return fmt.Errorf("command trigger of %d bytes in %d", n, len(b))
	}
	c.term = raftgroup.Term(binary.LittleEndian.Uint64(b[8:]))
	c.closed = hlc.Timestamp(binary.LittleEndian.Uint64(b[16:]))
	c.id = binary.LittleEndian.Uint64(b[24:])
	var err error
	if c.stats, err = mvcc.DecodeStats(b[32:commandHeaderLen]); err != nil {
		return err
	}
	c.trigger = b[commandHeaderLen : commandHeaderLen+n]
	c.writes = b[commandHeaderLen+n:]
	return nil
}

// triggerReader takes a trigger apart; the first failure sticks.
type triggerReader struct {
	b   []byte
	err error
}

func (t *triggerReader) take(n uint64) []byte {
	if t.err != nil || n > uint64(len(t.b)) {
		if t.err == nil {
			t.err = fmt.Errorf("trigger ends %d bytes early", n-uint64(len(t.b)))
		}
		return make([]byte, min(n, 8))
	}
	b := t.b[:n]
	t.b = t.b[n:]
	return b
}

func (t *triggerReader) u64() uint64 { return binary.LittleEndian.Uint64(t.take(8)) }

func (t *triggerReader) stats() (s Stats) {
	b := t.take(mvcc.StatsLen)
	if t.err == nil {
		s, t.err = mvcc.DecodeStats(b)
	}
	return s
}

func (t *triggerReader) desc(d *kv.RangeDescriptor) {
	b := t.take(uint64(binary.LittleEndian.Uint32(t.take(4))))
	if t.err == nil {
		t.err = d.Decode(b)
	}
}

func (t *triggerReader) done() error {
	if t.err == nil && len(t.b) != 0 {
		t.err = fmt.Errorf("trigger has %d trailing bytes", len(t.b))
	}
	return t.err
}

func appendDesc(dst []byte, d *kv.RangeDescriptor) []byte {
	at := len(dst)
	dst = d.Encode(append(dst, 0, 0, 0, 0))
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

// outcomeLen is the length of one outcome in the trigger of a write.
const outcomeLen = 16 + 8 + 8

func appendOutcomes(dst []byte, list []outcome.Outcome) []byte {
	for i := range list {
		o := &list[i]
		dst = append(dst, o.ID[:]...)
		dst = binary.LittleEndian.AppendUint64(dst, uint64(o.TS))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(o.At))
	}
	return dst
}

// remember adds the outcomes in the trigger of a write to m.
func remember(m *outcome.Memory, trigger []byte) error {
	if len(trigger)%outcomeLen != 0 {
		return fmt.Errorf("command trigger of %d bytes with outcomes", len(trigger))
	}
	for b := trigger; len(b) > 0; b = b[outcomeLen:] {
		m.Add(outcome.Outcome{
			ID: kv.TxnID(b[:16]),
			TS: hlc.Timestamp(binary.LittleEndian.Uint64(b[16:])),
			At: hlc.Timestamp(binary.LittleEndian.Uint64(b[24:])),
		})
	}
	return nil
}

func (s *SplitTrigger) encode(dst []byte) []byte {
	dst = appendDesc(appendDesc(dst, &s.Left), &s.Right)
	return binary.LittleEndian.AppendUint64(s.RightStats.Encode(dst), uint64(s.Floor))
}

func (s *SplitTrigger) decode(b []byte) error {
	t := triggerReader{b: b}
	t.desc(&s.Left)
	t.desc(&s.Right)
	s.RightStats = t.stats()
	s.Floor = hlc.Timestamp(t.u64())
	return t.done()
}

func (m *MergeTrigger) encode(dst []byte) []byte {
	dst = appendDesc(appendDesc(dst, &m.Left), &m.Right)
	dst = binary.LittleEndian.AppendUint64(m.RightStats.Encode(dst), uint64(m.Floor))
	return binary.LittleEndian.AppendUint64(dst, uint64(m.FrozenIndex))
}

func (m *MergeTrigger) decode(b []byte) error {
	t := triggerReader{b: b}
	t.desc(&m.Left)
	t.desc(&m.Right)
	m.RightStats = t.stats()
	m.Floor = hlc.Timestamp(t.u64())
	m.FrozenIndex = raftgroup.Index(t.u64())
	return t.done()
}
