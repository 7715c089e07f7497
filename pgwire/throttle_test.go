package pgwire

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestThrottle(t *testing.T) {
	now := time.Unix(1000, 0)
	th := newThrottle()
	th.now = func() time.Time { return now }
	const addr = "10.0.0.1"
	for range freeFailures {
		require.Zero(t, th.reserve(addr))
		th.failed(addr)
	}
	require.Zero(t, th.reserve(addr), "a few failures are free")
	th.failed(addr)
	require.Equal(t, firstDelay, th.reserve(addr))
	require.Equal(t, 2*firstDelay, th.reserve(addr), "those at a time wait behind each other")
	require.Zero(t, th.reserve("10.0.0.2"), "others notice nothing")

	for range 20 {
		now = now.Add(maxDelay)
		th.failed(addr)
	}
	now = now.Add(time.Millisecond)
	require.LessOrEqual(t, th.reserve(addr), maxDelay)
	require.Positive(t, th.reserve(addr))

	now = now.Add(forgetAfter + time.Second)
	require.Zero(t, th.reserve(addr), "it is forgotten")
}

func TestThrottleIsBounded(t *testing.T) {
	th := newThrottle()
	for i := range 3 * throttledMax {
		th.failed(fmt.Sprint(i))
	}
	require.LessOrEqual(t, len(th.seen), throttledMax)
	require.Empty(t, throttled(&net.UnixAddr{}))
}
