package pgwire

import (
	"net"
	"sync"
	"time"

	"github.com/spanlite/spanlite/sql/sqlstate"
)

// Guessing passwords is slowed down by address: after a few failed log-ins each further
// one makes the next wait, longer every time, and those of the same address that come
// at once wait behind each other. Nobody is locked out for longer than a minute, and
// other addresses notice nothing. A success does not end it: whoever has one account
// could otherwise guess at the others.
const (
	// freeFailures may be made without consequences.
	freeFailures = 5
	// firstDelay follows the first failure beyond them and doubles up to maxDelay.
	firstDelay = 100 * time.Millisecond
	maxDelay   = 5 * time.Second
	// forgetAfter is how long an address has to be quiet in order to begin anew.
	forgetAfter = time.Minute
	// throttledMax bounds the addresses that are remembered.
	throttledMax = 4096
)

// throttle remembers failed log-ins. Its methods are safe for concurrent use.
type throttle struct {
	now func() time.Time

	mu   sync.Mutex
	seen map[string]*failures
}

// failures are those of one address.
type failures struct {
	n    int
	last time.Time
	// until is when the next log-in may go on.
	until time.Time
}

func newThrottle() *throttle {
	return &throttle{now: time.Now, seen: map[string]*failures{}}
}

// throttled returns what an address counts under, "" if it is not limited: those
// without a network do not guess.
func throttled(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return tcp.IP.String()
	}
	return ""
}

// reserve returns how long a log-in from an address has to wait, and makes the one
// after it wait for it.
func (t *throttle) reserve(addr string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.seen[addr]
	if f == nil || addr == "" {
		return 0
	}
	now := t.now()
	if now.Sub(f.last) > forgetAfter {
		delete(t.seen, addr)
		return 0
	}
	wait := max(0, f.until.Sub(now))
	if f.n > freeFailures {
		f.until = now.Add(wait + f.delay())
	}
	return wait
}

func (f *failures) delay() time.Duration {
	if f.n <= freeFailures {
		return 0
	}
	return min(maxDelay, firstDelay<<min(f.n-freeFailures-1, 10))
}

// failed counts a failed log-in.
func (t *throttle) failed(addr string) {
	if addr == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	f := t.seen[addr]
	if f == nil {
		if len(t.seen) >= throttledMax {
			t.forget(now)
		}
		f = &failures{}
		t.seen[addr] = f
	}
	f.n++
	f.last = now
	if next := now.Add(f.delay()); next.After(f.until) {
		f.until = next
	}
}

// forget makes room: who has been quiet goes, else anybody.
func (t *throttle) forget(now time.Time) {
	for addr, f := range t.seen {
		if now.Sub(f.last) > forgetAfter || len(t.seen) >= throttledMax {
			delete(t.seen, addr)
		}
	}
}

// throttle waits until the client's address may try to log in.
func (c *conn) throttle(addr string) error {
	wait := c.srv.throttle.reserve(addr)
	if wait == 0 {
		return nil
	}
	if wait >= c.srv.cfg.AuthTimeout {
		return fatal(sqlstate.TooManyConnections, "too many failed log-ins from this address; try again later")
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.srv.stopping:
		return errShutdown
	}
}
