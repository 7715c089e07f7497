package raftgroup

import (
	"encoding/binary"
	"fmt"
	"slices"

	"go.etcd.io/raft/v3/raftpb"
)

// A membership change travels as a raft ConfChangeV2 whose context says on which
// stores the new replicas are, followed by the command that goes with it:
//
//	context: count(2), then per addition replica(4) store(4); then the command
//
// Integers are little-endian.

// encodeChange returns the entry for a change.
func encodeChange(changes []MemberChange, data []byte) raftpb.ConfChangeV2 {
	cc := raftpb.ConfChangeV2{}
	ctx := binary.LittleEndian.AppendUint16(nil, uint16(len(changes)))
	for _, c := range changes {
		t := raftpb.ConfChangeAddNode
		switch c.Type {
		case AddLearner:
			t = raftpb.ConfChangeAddLearnerNode
		case RemoveMember:
			t = raftpb.ConfChangeRemoveNode
		}
		cc.Changes = append(cc.Changes, raftpb.ConfChangeSingle{Type: t, NodeID: uint64(c.Replica)})
		ctx = binary.LittleEndian.AppendUint32(ctx, uint32(c.Replica))
		ctx = binary.LittleEndian.AppendUint32(ctx, uint32(c.Store))
	}
	cc.Context = append(ctx, data...)
	return cc
}

// decodeChange returns the stores and the command of a change. The entry that
// leaves a joint configuration has neither.
func decodeChange(context []byte) (stores map[ReplicaID]StoreID, data []byte, err error) {
	if len(context) == 0 {
		return nil, nil, nil
	}
	if len(context) < 2 {
		return nil, nil, fmt.Errorf("raftgroup: context of a membership change is too short")
	}
	n := int(binary.LittleEndian.Uint16(context))
	b := context[2:]
	if len(b) < 8*n {
		return nil, nil, fmt.Errorf("raftgroup: context of a membership change is too short")
	}
	stores = make(map[ReplicaID]StoreID, n)
	for range n {
		stores[ReplicaID(binary.LittleEndian.Uint32(b))] = StoreID(binary.LittleEndian.Uint32(b[4:]))
		b = b[8:]
	}
	return stores, b, nil
}

// confStateOf returns the members as raft wants them.
func confStateOf(members []Member) raftpb.ConfState {
	var cs raftpb.ConfState
	joint := slices.ContainsFunc(members, func(m Member) bool {
		return m.Kind == VoterIncoming || m.Kind == VoterOutgoing || m.Kind == VoterDemoting
	})
	for _, m := range members {
		id := uint64(m.Replica)
		switch m.Kind {
		case Voter:
			cs.Voters = append(cs.Voters, id)
			if joint {
				cs.VotersOutgoing = append(cs.VotersOutgoing, id)
			}
		case VoterIncoming:
			cs.Voters = append(cs.Voters, id)
		case VoterOutgoing:
			cs.VotersOutgoing = append(cs.VotersOutgoing, id)
		case VoterDemoting:
			cs.VotersOutgoing = append(cs.VotersOutgoing, id)
			cs.LearnersNext = append(cs.LearnersNext, id)
		case Learner:
			cs.Learners = append(cs.Learners, id)
		}
	}
	cs.AutoLeave = joint
	return cs
}

// membersOf returns raft's configuration as members, given where each replica
// was known to be.
func membersOf(cs *raftpb.ConfState, known []Member, added map[ReplicaID]StoreID) []Member {
	store := func(id uint64) StoreID {
		if s, ok := added[ReplicaID(id)]; ok && s != 0 {
			return s
		}
		for _, m := range known {
			if m.Replica == ReplicaID(id) {
				return m.Store
			}
		}
		return 0
	}
	kinds := map[uint64]MemberKind{}
	if len(cs.VotersOutgoing) == 0 {
		for _, id := range cs.Voters {
			kinds[id] = Voter
		}
	} else {
		for _, id := range cs.Voters {
			kinds[id] = VoterIncoming
		}
		for _, id := range cs.VotersOutgoing {
			switch {
			case slices.Contains(cs.Voters, id):
				kinds[id] = Voter
			case slices.Contains(cs.LearnersNext, id):
				kinds[id] = VoterDemoting
			default:
				kinds[id] = VoterOutgoing
			}
		}
	}
	for _, id := range cs.Learners {
		kinds[id] = Learner
	}
	out := make([]Member, 0, len(kinds))
	for id, k := range kinds {
		out = append(out, Member{Replica: ReplicaID(id), Store: store(id), Kind: k})
	}
	slices.SortFunc(out, func(a, b Member) int { return int(a.Replica) - int(b.Replica) })
	return out
}

// isVoter reports whether a member votes in the new or the old configuration.
func (m Member) isVoter() bool { return m.Kind != Learner }

func marshalChange(cc raftpb.ConfChangeV2) ([]byte, error) { return cc.Marshal() }

// checkChange refuses changes that make no sense.
func (g *Group) checkChange(changes []MemberChange) error {
	if g.changing || slices.ContainsFunc(g.members, func(m Member) bool { return m.Kind > Learner }) {
		return ErrChangePending
	}
	left := 0
	kind := map[ReplicaID]bool{} // voter?
	for _, m := range g.members {
		kind[m.Replica] = m.Kind == Voter
	}
	for _, c := range changes {
		_, known := kind[c.Replica]
		switch {
		case c.Replica == g.replica && c.Type != AddVoter:
			// Its followers would forget where the leader is to which they are fortified,
			// and its lease would not end with the election of another.
			return &InvalidChangeError{g.id, c, "a leader does not remove itself: transfer first"}
		case c.Replica == 0:
			return &InvalidChangeError{g.id, c, "no replica id"}
		case c.Type == RemoveMember && !known:
			return &InvalidChangeError{g.id, c, "no such member"}
		case c.Type != RemoveMember && !known && c.Store == 0:
			return &InvalidChangeError{g.id, c, "no store"}
		case c.Type == RemoveMember:
			delete(kind, c.Replica)
		default:
			kind[c.Replica] = c.Type == AddVoter
		}
	}
	for _, voter := range kind {
		if voter {
			left++
		}
	}
	if left == 0 {
		return &InvalidChangeError{g.id, changes[0], "no voter would be left"}
	}
	return nil
}
