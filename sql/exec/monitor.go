package exec

import (
	"sync/atomic"

	"github.com/spanlite/spanlite/sql/sqlstate"
)

// Monitor accounts for the memory of one query against the node's pool.
//
// A query's operators call Grow before they keep more and Shrink when they let
// go; Close gives back what is left. Grow takes from the pool in blocks of
// poolBlockBytes, so that the shared counter is touched rarely. A Monitor is
// used by one goroutine at a time, the Pool by any number.
//
// What is accounted for is memory that grows with the data (hash tables, sort
// buffers, materialised rows, write sets), estimated; fixed buffers such as
// one batch per operator are not.
type Monitor struct {
	pool *Pool
	used int64
	got  int64 // taken from the pool
	// limit bounds this query; 0 means only the pool does.
	limit int64
	peak  int64
}

// Pool is the memory that all queries of a node share.
type Pool struct {
	limit int64
	used  atomic.Int64
}

// poolBlockBytes is the unit in which a Monitor takes memory from its Pool.
const poolBlockBytes = 256 << 10

// NewPool returns a pool of limitBytes; 0 means unlimited.
func NewPool(limitBytes int64) *Pool { return &Pool{limit: limitBytes} }

// Used returns the bytes taken by all monitors.
func (p *Pool) Used() int64 { return p.used.Load() }

// NewMonitor returns a monitor of the pool (which may be nil) with its own
// limit in bytes (0 for none).
func NewMonitor(p *Pool, limitBytes int64) *Monitor {
	return &Monitor{pool: p, limit: limitBytes}
}

// Grow accounts for n more bytes, or returns 53200 and accounts for nothing.
// A nil Monitor accepts everything.
func (m *Monitor) Grow(n int64) error {
	if m == nil {
		return nil
	}
	used := m.used + n
	if m.limit > 0 && used > m.limit {
		return outOfMemory(n, m.limit)
	}
	if m.pool != nil && used > m.got {
		need := (used - m.got + poolBlockBytes - 1) / poolBlockBytes * poolBlockBytes
		if total := m.pool.used.Add(need); m.pool.limit > 0 && total > m.pool.limit {
			m.pool.used.Add(-need)
			return outOfMemory(n, m.pool.limit)
		}
		m.got += need
	}
	m.used = used
	m.peak = max(m.peak, used)
	return nil
}

func outOfMemory(n, limit int64) error {
	return sqlstate.New(sqlstate.OutOfMemory, "out of memory").
		WithDetail("Failed on request of size %d: the limit is %d bytes.", n, limit)
}

// Shrink gives back n bytes.
func (m *Monitor) Shrink(n int64) {
	if m != nil {
		m.used -= n
	}
}

// Used returns the bytes accounted for, Peak their maximum so far.
func (m *Monitor) Used() int64 {
	if m == nil {
		return 0
	}
	return m.used
}

// Peak returns the most that was ever accounted for at once.
func (m *Monitor) Peak() int64 {
	if m == nil {
		return 0
	}
	return m.peak
}

// Close returns everything to the pool. The monitor may be used again.
func (m *Monitor) Close() {
	if m == nil {
		return
	}
	if m.pool != nil {
		m.pool.used.Add(-m.got)
	}
	m.used, m.got, m.peak = 0, 0, 0
}
