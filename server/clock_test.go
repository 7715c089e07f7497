package server

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv/hlc"
)

// A restart after a crash waits until the stored bound has passed: the clock is not
// ahead of time afterwards, however often the node is killed. A clock that has been
// set back is moved above the bound at once.
func TestRestartKeepsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		restart := func(bound hlc.Timestamp) (*hlc.Clock, time.Duration) {
			n := &Node{clock: hlc.NewClock(hlc.WallSource, 0), log: slog.New(slog.DiscardHandler)}
			n.cfg.MaxOffset = 250 * time.Millisecond
			began := time.Now()
			require.NoError(t, n.passClockBound(t.Context(), bound))
			require.Greater(t, n.clock.Now(), bound)
			return n.clock, time.Since(began)
		}
		for range 10 {
			clock, took := restart(hlc.FromMicros(hlc.WallSource()).Add(clockAhead))
			require.LessOrEqual(t, took, clockAhead)
			require.LessOrEqual(t, clock.Peek().Micros(), hlc.WallSource())
		}
		clock, took := restart(hlc.FromMicros(hlc.WallSource()).Add(time.Hour))
		require.Zero(t, took)
		require.Greater(t, clock.Peek().Micros(), hlc.WallSource())
	})
}
