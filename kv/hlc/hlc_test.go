package hlc

import (
	"sync"
	"testing"
	"time"
)

func TestTimestamp(t *testing.T) {
	now := time.Date(2030, 5, 6, 7, 8, 9, 123456000, time.UTC)
	ts := FromTime(now)
	if !ts.Time().Equal(now) || ts.Logical() != 0 {
		t.Errorf("%s is not %s", ts, now)
	}
	if got := ts.Next().Next().String(); got != "1904281689.123456,2" {
		t.Error(got)
	}
	if ts.Next().Prev() != ts || !(ts < ts.Next()) {
		t.Error("Next and Prev")
	}
	if d := ts.Add(1500 * time.Microsecond).Sub(ts); d != 1500*time.Microsecond {
		t.Error(d)
	}
	if d := ts.Add(-time.Hour).Sub(ts); d != -time.Hour {
		t.Error(d)
	}
}

// Physical time may stand still or go back; the clock does neither.
func TestClockFollowsAndNeverRepeats(t *testing.T) {
	phys := int64(100)
	c := NewClock(func() int64 { return phys }, time.Millisecond)
	a := c.Now()
	b := c.Now()
	if a != FromMicros(100) || b != a+1 {
		t.Errorf("%s, %s", a, b)
	}
	phys = 50
	if d := c.Now(); d != b+1 {
		t.Error(d)
	}
	phys = 200
	if d := c.Now(); d != FromMicros(200) {
		t.Error(d)
	}
	c.Update(FromMicros(300))
	if d := c.Now(); d != FromMicros(300)+1 {
		t.Error(d)
	}
	c.Update(FromMicros(10))
	if d := c.Peek(); d != FromMicros(300)+1 {
		t.Error(d)
	}
	if c.MaxOffset() != time.Millisecond || c.Physical() != 200 {
		t.Error("accessors")
	}
}

func TestClockConcurrent(t *testing.T) {
	c := NewClock(func() int64 { return 1 }, 0)
	var mu sync.Mutex
	seen := map[Timestamp]bool{}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var mine []Timestamp
			for range 2000 {
				mine = append(mine, c.Now())
			}
			mu.Lock()
			defer mu.Unlock()
			for i, ts := range mine {
				if seen[ts] || i > 0 && ts <= mine[i-1] {
					t.Errorf("%s was issued before", ts)
				}
				seen[ts] = true
			}
		})
	}
	wg.Wait()
}

func BenchmarkNow(b *testing.B) {
	c := NewClock(WallSource, 0)
	for b.Loop() {
		c.Now()
	}
}
