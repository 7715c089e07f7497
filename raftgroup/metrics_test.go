package raftgroup

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/raft/v3/raftpb"
)

// TestLostLeaseIsCounted: a leader that hears of a later term has lost its lease; one
// that hands its leadership over has not.
func TestLostLeaseIsCounted(t *testing.T) {
	for _, transfer := range []bool{false, true} {
		h, g, _ := openRecorded(t, &recorder{})
		elect(t, h, g)
		m := h.cfg.Metrics
		require.EqualValues(t, 1, m.Campaigns.Load())
		require.EqualValues(t, 1, m.ElectionsWon.Load())
		want := 1
		if transfer {
			inTurn(t, g, func() { require.NoError(t, g.beginTransfer(2)) })
			want = 0
		}
		deliver(t, g, 3, raftpb.Message{Type: raftpb.MsgHeartbeat, Term: uint64(g.Lease().Term) + 1})
		require.False(t, g.Lease().Held)
		require.EqualValues(t, want, m.LeasesLost.Load())
		count, _, _ := m.SyncSeconds.Load()
		require.NotZero(t, count)
		entries, sum, _ := m.SyncEntries.Load()
		require.Equal(t, count, entries)
		require.Equal(t, float64(m.Entries.Load()), sum, "every entry is synced once")
	}
}

func TestHistogram(t *testing.T) {
	m := NewMetrics()
	m.noteSync(150*time.Microsecond, 1)
	m.noteSync(time.Millisecond, 3)
	m.noteSync(time.Minute, 5000)
	count, sum, cumulative := m.SyncSeconds.Load()
	require.EqualValues(t, 3, count)
	require.InDelta(t, 60.00115, sum, 1e-6)
	require.EqualValues(t, 0, cumulative[100e-6])
	require.EqualValues(t, 1, cumulative[200e-6])
	require.EqualValues(t, 2, cumulative[1e-3], "a bound belongs to its bucket")
	require.EqualValues(t, 2, cumulative[5])
	count, _, cumulative = m.SyncEntries.Load()
	require.EqualValues(t, 3, count)
	require.EqualValues(t, 2, cumulative[4])
}
