// Package hlc is Spanlite's hybrid logical clock: 64-bit timestamps that follow
// physical time and respect causality.
//
// # Timestamp layout
//
//	63                              12 11          0
//	+---------------------------------+-------------+
//	|  microseconds since 1970, UTC   |   logical   |
//	+---------------------------------+-------------+
//
// Timestamps compare with <. 52 bits of microseconds last until the year 2112;
// 4,096 logical ticks per microsecond are far more than one node can spend.
//
// # Rules
//
//   - Now never repeats and never goes back within a process, and is never
//     behind a timestamp given to Update.
//   - Physical time enters only through the Source given to NewClock, so a test
//     or a simulation steers it.
//   - A node must not promise timestamps that a restart could issue again: the
//     server persists an upper bound ahead of use and starts its Clock above it
//     (Update with the stored bound).
//
// Source: Kulkarni et al., "Logical Physical Clocks and Consistent Snapshots in
// Globally Distributed Databases", 2014.
package hlc

import (
	"fmt"
	"sync/atomic"
	"time"
)

// Timestamp is a hybrid logical time. The zero Timestamp is before all others
// and stands for "none".
type Timestamp uint64

// LogicalBits is the number of low bits that hold the logical counter.
const LogicalBits = 12

// Max is the greatest Timestamp.
const Max = Timestamp(^uint64(0))

// FromTime returns the first Timestamp of t's microsecond.
func FromTime(t time.Time) Timestamp { return FromMicros(t.UnixMicro()) }

// FromMicros returns the first Timestamp of a microsecond since 1970.
func FromMicros(us int64) Timestamp { return Timestamp(us) << LogicalBits }

// Micros returns the physical part, in microseconds since 1970.
func (t Timestamp) Micros() int64 { return int64(t >> LogicalBits) }

// Logical returns the logical part.
func (t Timestamp) Logical() uint32 { return uint32(t & (1<<LogicalBits - 1)) }

// Time returns the physical part as a time.Time in UTC.
func (t Timestamp) Time() time.Time { return time.UnixMicro(t.Micros()).UTC() }

// IsZero reports whether t is the zero Timestamp.
func (t Timestamp) IsZero() bool { return t == 0 }

// Next returns the least Timestamp above t.
func (t Timestamp) Next() Timestamp { return t + 1 }

// Prev returns the greatest Timestamp below t; t must not be zero.
func (t Timestamp) Prev() Timestamp { return t - 1 }

// Add returns t moved by d, which is rounded down to microseconds.
func (t Timestamp) Add(d time.Duration) Timestamp {
	return Timestamp(int64(t) + d.Microseconds()<<LogicalBits)
}

// Sub returns the physical distance t - u.
func (t Timestamp) Sub(u Timestamp) time.Duration {
	return time.Duration(t.Micros()-u.Micros()) * time.Microsecond
}

// String returns seconds.microseconds,logical.
func (t Timestamp) String() string {
	us := t.Micros()
	return fmt.Sprintf("%d.%06d,%d", us/1e6, us%1e6, t.Logical())
}

// Source tells physical time in microseconds since 1970. It may jump.
type Source func() int64

// WallSource is the machine's clock.
func WallSource() int64 { return time.Now().UnixMicro() }

// Clock issues Timestamps. All methods are safe for concurrent use.
type Clock struct {
	source    Source
	maxOffset atomic.Int64 // time.Duration
	last      atomic.Uint64
}

// NewClock returns a Clock that follows source. maxOffset is the greatest
// difference between the physical clocks of two nodes that the cluster is built
// to tolerate; zero for a node that is alone for ever.
func NewClock(source Source, maxOffset time.Duration) *Clock {
	c := &Clock{source: source}
	c.SetMaxOffset(maxOffset)
	return c
}

// Now returns a Timestamp above every one that Now has returned or Update has
// been given, and not below physical time.
func (c *Clock) Now() Timestamp {
	phys := uint64(FromMicros(c.source()))
	for {
		last := c.last.Load()
		next := max(last+1, phys)
		if c.last.CompareAndSwap(last, next) {
			return Timestamp(next)
		}
	}
}

// Update moves the clock forward so that later Timestamps are above ts.
func (c *Clock) Update(ts Timestamp) {
	for {
		last := c.last.Load()
		if uint64(ts) <= last || c.last.CompareAndSwap(last, uint64(ts)) {
			return
		}
	}
}

// Peek returns the greatest Timestamp issued or seen, or physical time if that
// is later, without issuing one.
func (c *Clock) Peek() Timestamp {
	return max(Timestamp(c.last.Load()), FromMicros(c.source()))
}

// Physical returns physical time in microseconds since 1970.
func (c *Clock) Physical() int64 { return c.source() }

// MaxOffset returns the greatest difference of two nodes' clocks that is
// tolerated.
func (c *Clock) MaxOffset() time.Duration { return time.Duration(c.maxOffset.Load()) }

// SetMaxOffset changes MaxOffset: a node that was alone is joined by others.
func (c *Clock) SetMaxOffset(d time.Duration) { c.maxOffset.Store(int64(d)) }
