package transport

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

type block int

func (b block) Size() int                  { return int(b) }
func (b block) AppendTo(dst []byte) []byte { return append(dst, make([]byte, b)...) }

// TestSilentPeerTakesBoundedMemory: a store that accepts connections and never says
// anything costs no more than its queues, and what does not fit is dropped at once.
func TestSilentPeerTakesBoundedMemory(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	const limit = 64 << 10
	tr := NewGRPC(GRPCConfig{
		Store: 1, Clock: hlc.NewClock(hlc.WallSource, 0), QueueBytes: limit,
		Resolve: func(keys.StoreID) (string, bool) { return l.Addr().String(), true },
	})
	require.NoError(t, tr.Start(Handler{}))
	refused := 0
	for range 1000 {
		if err := tr.Send(2, Raft, block(1<<10)); err != nil {
			require.ErrorIs(t, err, ErrQueueFull)
			refused++
		}
	}
	s := tr.Stats()
	require.EqualValues(t, refused, s.Dropped)
	require.GreaterOrEqual(t, refused, 1000-2*limit>>10, "the queue, and one more on its way")
	require.LessOrEqual(t, s.QueuedBytes, int64(limit))
	require.EqualValues(t, 1, s.SlowPeers)
	// Heartbeats have a queue and a connection of their own.
	require.NoError(t, tr.Send(2, Liveness, block(100)))
	require.NoError(t, tr.Close())
}
