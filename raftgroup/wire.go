package raftgroup

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
)

type trackerProgress = tracker.Progress

// Messages between replicas, little-endian:
//
//	 0      1         9          13        17          21
//	+------+---------+----------+---------+-----------+------------
//	| kind | group 8 | from rep | from st | to rep  4 | body
//	+------+---------+----------+---------+-----------+------------
//
//	raft (0):     type(1) reject(1) term(8) logTerm(8) index(8) commit(8)
//	              rejectHint(8) context: len(4) bytes, entries: count(4), each
//	              term(8) index(8) type(1) len(4) data
//	fortify (1):  flags(1: response, 2: ok, 4: the leader lets go) term(8) epoch(8)
//	gone (2):     empty: the addressed replica may have been removed
type messageKind uint8

const (
	kindRaft messageKind = iota
	kindFortify
	kindGone
	// kindSnapshot is local: an image that has been received.
	kindSnapshot
)

const wireHeader = 21

// fortifyMessage asks for, or answers about, a promise; see lease.go.
type fortifyMessage struct {
	response, ok, letGo bool
	term, epoch         uint64
}

// outbound is one message on its way to the transport, which encodes it at once.
type outbound struct {
	group GroupID
	from  Member
	to    ReplicaID
	kind  messageKind
	raft  *raftpb.Message
	fort  fortifyMessage
}

// Size implements transport.Message.
func (o *outbound) Size() int {
	n := wireHeader
	switch o.kind {
	case kindRaft:
		n += 50 + len(o.raft.Context)
		for i := range o.raft.Entries {
			n += 21 + len(o.raft.Entries[i].Data)
		}
	case kindFortify:
		n += 17
	}
	return n
}

// AppendTo implements transport.Message.
func (o *outbound) AppendTo(b []byte) []byte {
	le := binary.LittleEndian
	b = append(b, byte(o.kind))
	b = le.AppendUint64(b, uint64(o.group))
	b = le.AppendUint32(b, uint32(o.from.Replica))
	b = le.AppendUint32(b, uint32(o.from.Store))
	b = le.AppendUint32(b, uint32(o.to))
	switch o.kind {
	case kindRaft:
		m := o.raft
		reject := byte(0)
		if m.Reject {
			reject = 1
		}
		b = append(b, byte(m.Type), reject)
		for _, v := range [...]uint64{m.Term, m.LogTerm, m.Index, m.Commit, m.RejectHint} {
			b = le.AppendUint64(b, v)
		}
		b = le.AppendUint32(b, uint32(len(m.Context)))
		b = append(b, m.Context...)
		b = le.AppendUint32(b, uint32(len(m.Entries)))
		for i := range m.Entries {
			e := &m.Entries[i]
			b = le.AppendUint64(b, e.Term)
			b = le.AppendUint64(b, e.Index)
			b = append(b, byte(e.Type))
			b = le.AppendUint32(b, uint32(len(e.Data)))
			b = append(b, e.Data...)
		}
	case kindFortify:
		flags := byte(0)
		if o.fort.response {
			flags |= 1
		}
		if o.fort.ok {
			flags |= 2
		}
		if o.fort.letGo {
			flags |= 4
		}
		b = append(b, flags)
		b = le.AppendUint64(b, o.fort.term)
		b = le.AppendUint64(b, o.fort.epoch)
	}
	return b
}

// decodeMessage reads a message; the data of entries alias b.
func decodeMessage(b []byte) (group GroupID, in inbound, err error) {
	bad := fmt.Errorf("raftgroup: malformed message of %d bytes", len(b))
	if len(b) < wireHeader {
		return 0, in, bad
	}
	le := binary.LittleEndian
	in.kind = messageKind(b[0])
	group = GroupID(le.Uint64(b[1:]))
	in.from = Member{Replica: ReplicaID(le.Uint32(b[9:])), Store: StoreID(le.Uint32(b[13:]))}
	in.to = ReplicaID(le.Uint32(b[17:]))
	in.size = len(b)
	b = b[wireHeader:]
	switch in.kind {
	case kindGone:
		return group, in, nil
	case kindFortify:
		if len(b) != 17 {
			return 0, in, bad
		}
		in.fort = fortifyMessage{response: b[0]&1 != 0, ok: b[0]&2 != 0, letGo: b[0]&4 != 0, term: le.Uint64(b[1:]), epoch: le.Uint64(b[9:])}
		return group, in, nil
	case kindRaft:
	default:
		return 0, in, bad
	}
	if len(b) < 46 {
		return 0, in, bad
	}
	m := &in.raft
	if _, known := raftpb.MessageType_name[int32(b[0])]; !known {
		return 0, in, bad
	}
	m.Type, m.Reject = raftpb.MessageType(b[0]), b[1] != 0
	m.Term, m.LogTerm, m.Index, m.Commit, m.RejectHint = le.Uint64(b[2:]), le.Uint64(b[10:]), le.Uint64(b[18:]), le.Uint64(b[26:]), le.Uint64(b[34:])
	m.From, m.To = uint64(in.from.Replica), uint64(in.to)
	n := int(le.Uint32(b[42:]))
	b = b[46:]
	if n > len(b) || len(b)-n < 4 {
		return 0, in, bad
	}
	if n > 0 {
		m.Context = b[:n:n]
	}
	count := int(le.Uint32(b[n:]))
	b = b[n+4:]
	if count > len(b)/21 {
		return 0, in, bad
	}
	if count > 0 {
		m.Entries = make([]raftpb.Entry, count)
	}
	for i := range m.Entries {
		if len(b) < 21 {
			return 0, in, bad
		}
		e := &m.Entries[i]
		e.Term, e.Index, e.Type = le.Uint64(b), le.Uint64(b[8:]), raftpb.EntryType(b[16])
		size := int(le.Uint32(b[17:]))
		b = b[21:]
		if size > len(b) || e.Type > raftpb.EntryConfChangeV2 {
			return 0, in, bad
		}
		if size > 0 {
			e.Data = b[:size:size]
		}
		b = b[size:]
	}
	if len(b) != 0 {
		return 0, in, bad
	}
	return group, in, nil
}
