package raftgroup

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/raft/v3/raftpb"
)

// These tests hold the decoders of what comes from other stores: round trips, and
// no bytes make them panic.

func wireMessages() []outbound {
	from := Member{Replica: 2, Store: 3}
	return []outbound{
		{group: 7, from: from, to: 1, kind: kindGone},
		{group: 7, from: from, to: 1, kind: kindFortify, fort: fortifyMessage{term: 9, epoch: 4}},
		{group: 7, from: from, to: 1, kind: kindFortify, fort: fortifyMessage{response: true, ok: true, term: 9, epoch: 4}},
		{group: 7, from: from, to: 1, kind: kindFortify, fort: fortifyMessage{letGo: true, term: 9}},
		{group: 7, from: from, to: 1, kind: kindRaft, raft: &raftpb.Message{Type: raftpb.MsgHeartbeat, From: 2, To: 1, Term: 9, Commit: 8}},
		{group: 7, from: from, to: 1, kind: kindRaft, raft: &raftpb.Message{Type: raftpb.MsgVote, From: 2, To: 1, Term: 9, LogTerm: 8, Index: 7, Context: campaignTransfer}},
		{group: 7, from: from, to: 1, kind: kindRaft, raft: &raftpb.Message{Type: raftpb.MsgAppResp, From: 2, To: 1, Term: 9, Reject: true, RejectHint: 5}},
		{group: 1 << 60, from: from, to: 1, kind: kindRaft, raft: &raftpb.Message{Type: raftpb.MsgApp, From: 2, To: 1, Term: 9, LogTerm: 8, Index: 7, Commit: 6,
			Entries: []raftpb.Entry{{Term: 9, Index: 8, Data: []byte("data")}, {Term: 9, Index: 9}, {Term: 9, Index: 10, Type: raftpb.EntryConfChangeV2, Data: []byte{1}}}}},
	}
}

func TestWireRoundTrip(t *testing.T) {
	for _, o := range wireMessages() {
		b := o.AppendTo(nil)
		require.LessOrEqual(t, len(b), o.Size())
		group, in, err := decodeMessage(b)
		require.NoError(t, err)
		require.Equal(t, o.group, group)
		require.Equal(t, o.from, in.from)
		require.Equal(t, o.to, in.to)
		require.Equal(t, o.kind, in.kind)
		require.Equal(t, o.fort, in.fort)
		require.Equal(t, len(b), in.size)
		if o.raft != nil {
			require.Equal(t, *o.raft, in.raft)
		}
		for n := range b {
			_, _, err := decodeMessage(b[:n])
			require.Error(t, err, "%d of %d bytes", n, len(b))
		}
	}
}

func FuzzDecodeMessage(f *testing.F) {
	for _, o := range wireMessages() {
		f.Add(o.AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		group, in, err := decodeMessage(b)
		if err != nil || in.kind != kindRaft {
			return
		}
		out := outbound{group: group, from: in.from, to: in.to, kind: in.kind, raft: &in.raft}
		again, in2, err := decodeMessage(out.AppendTo(nil))
		require.NoError(t, err)
		require.Equal(t, group, again)
		require.Equal(t, in.raft, in2.raft)
	})
}

func FuzzSnapshotMeta(f *testing.F) {
	meta := &SnapshotMeta{Group: 7, Index: 11, Term: 6, Members: []Member{{1, 2, Voter}, {2, 3, VoterIncoming}}, Data: []byte("d")}
	f.Add(appendSnapshotMeta(nil, meta, Member{Replica: 1, Store: 2}, 2, 9))
	meta.Members[1].Kind = 9
	f.Add(appendSnapshotMeta(nil, meta, Member{Replica: 1, Store: 2}, 2, 9))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeSnapshotMeta(b)
		if err != nil {
			return
		}
		require.Equal(t, b, appendSnapshotMeta(nil, &r.meta, r.from, r.to, r.term))
		// What comes from elsewhere can be shown.
		for _, m := range r.meta.Members {
			_ = m.String()
		}
		_ = confStateOf(r.meta.Members)
	})
}

func FuzzDecodeChange(f *testing.F) {
	cc := encodeChange([]MemberChange{{AddVoter, 4, 4}, {RemoveMember, 2, 0}}, []byte("command"))
	f.Add(cc.Context)
	f.Fuzz(func(t *testing.T, b []byte) { _, _, _ = decodeChange(b) })
}

// TestMembersAndConfState: the two forms of a configuration agree.
func TestMembersAndConfState(t *testing.T) {
	for _, members := range [][]Member{
		{{1, 1, Voter}},
		{{1, 1, Voter}, {2, 2, Voter}, {3, 3, Learner}},
		{{1, 1, Voter}, {2, 2, VoterOutgoing}, {3, 3, VoterIncoming}, {4, 4, VoterDemoting}, {5, 5, Learner}},
		{{1, 1, VoterOutgoing}, {2, 2, VoterIncoming}},
	} {
		cs := confStateOf(members)
		require.Equal(t, members, membersOf(&cs, members, nil))
	}
}
