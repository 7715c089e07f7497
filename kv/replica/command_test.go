package replica

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/mvcc"
	"github.com/spanlite/spanlite/raftgroup"
)

func testDesc(id keys.RangeID, start, end string) kv.RangeDescriptor {
	return kv.RangeDescriptor{RangeID: id, Start: keys.Key(start), End: keys.Key(end), Generation: 3, NextReplicaID: 4,
		Replicas: []kv.ReplicaDescriptor{{Node: 1, Store: 1, Replica: 1}, {Node: 2, Store: 2, Replica: 3, Role: kv.Learner}}}
}

func TestCommandRoundTrip(t *testing.T) {
	c := command{kind: cmdSplit, term: 7, closed: 9, id: 11, stats: mvcc.Stats{Keys: 1, Intents: -2, ValueBytes: 1 << 40},
		trigger: []byte("trigger"), writes: []byte("writes")}
	b := c.encode(nil)
	require.Len(t, b, commandHeaderLen+13)
	var d command
	require.NoError(t, d.decode(b))
	require.Equal(t, c, d)
	for i := range commandHeaderLen {
		require.Error(t, d.decode(b[:i]))
	}
	b[1] = byte(cmdEnd)
	require.Error(t, d.decode(b))
}

func TestTriggerRoundTrip(t *testing.T) {
	s := SplitTrigger{Left: testDesc(1, "a", "m"), Right: testDesc(2, "m", "z"), RightStats: mvcc.Stats{Keys: 5}, Floor: 77}
	var s2 SplitTrigger
	require.NoError(t, s2.decode(s.encode(nil)))
	require.Equal(t, s, s2)
	require.Error(t, s2.decode(append(s.encode(nil), 0)))
	m := MergeTrigger{Left: testDesc(1, "a", "z"), Right: testDesc(2, "m", "z"), FrozenIndex: 8, RightStats: mvcc.Stats{Keys: 5}, Floor: 77}
	var m2 MergeTrigger
	require.NoError(t, m2.decode(m.encode(nil)))
	require.Equal(t, m, m2)
	b := m.encode(nil)
	for i := range b {
		require.Error(t, m2.decode(b[:i]))
	}
}

func TestStateRoundTrip(t *testing.T) {
	s := state{frozen: true, index: 5, term: 6, gcThreshold: 7, closed: 8, floor: 9, stats: mvcc.Stats{Versions: 10}}
	var buf [stateLen]byte
	s.encode(&buf)
	var d state
	require.NoError(t, d.decode(buf[:]))
	require.Equal(t, s, d)
	require.Error(t, d.decode(buf[:stateLen-1]))
	members := []raftgroup.Member{{Replica: 1, Store: 2}, {Replica: 3, Store: 4, Kind: raftgroup.VoterDemoting}}
	got, err := decodeMembers(encodeMembers(nil, members))
	require.NoError(t, err)
	require.Equal(t, members, got)
}

func FuzzCommand(f *testing.F) {
	c := command{kind: cmdWrite, term: 7, trigger: []byte("t"), writes: []byte("w")}
	f.Add(c.encode(nil))
	s := SplitTrigger{Left: testDesc(1, "a", "m"), Right: testDesc(2, "m", "z")}
	f.Add((&command{kind: cmdSplit, trigger: s.encode(nil)}).encode(nil))
	m := MergeTrigger{Left: testDesc(1, "a", "m"), Right: testDesc(2, "m", "z")}
	f.Add((&command{kind: cmdMerge, trigger: m.encode(nil)}).encode(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c command
		if c.decode(b) != nil {
			return
		}
		require.Equal(t, b, c.encode(nil))
		var s SplitTrigger
		if s.decode(c.trigger) == nil {
			var again SplitTrigger
			require.NoError(t, again.decode(s.encode(nil)))
		}
		var m MergeTrigger
		_ = m.decode(c.trigger)
		_, _ = decodeMembers(c.trigger)
		var st state
		_ = st.decode(c.trigger)
	})
}
