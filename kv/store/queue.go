package store

import (
	"context"
	"sync"
	"time"

	"github.com/spanlite/spanlite/kv/keys"
)

// queue is background work of one kind, by range. A range is in it at most once;
// few workers take ranges in order of arrival, urgent ones first. A failed range
// comes back after a pause that doubles.
type queue struct {
	name    string
	workers int
	// process does the work. again > 0 asks to be called again after that time;
	// an error is reported and asks for it after the pause.
	process func(ctx context.Context, id keys.RangeID, h *handle) (again time.Duration, err error)

	mu struct {
		sync.Mutex
		queued map[keys.RangeID]bool
		urgent []keys.RangeID
		normal []keys.RangeID
		later  map[keys.RangeID]time.Time
		fails  map[keys.RangeID]int
		busy   map[keys.RangeID]bool
	}
	wake chan struct{}
}

const (
	queueMinPause = 100 * time.Millisecond
	queueMaxPause = time.Minute
)

func newQueue(name string, workers int, process func(context.Context, keys.RangeID, *handle) (time.Duration, error)) *queue {
	q := &queue{name: name, workers: workers, process: process, wake: make(chan struct{}, workers)}
	q.mu.queued = make(map[keys.RangeID]bool)
	q.mu.later = make(map[keys.RangeID]time.Time)
	q.mu.fails = make(map[keys.RangeID]int)
	q.mu.busy = make(map[keys.RangeID]bool)
	return q
}

// add queues a range. It never blocks.
func (q *queue) add(id keys.RangeID) { q.push(id, false) }

// addUrgent queues a range before the others.
func (q *queue) addUrgent(id keys.RangeID) { q.push(id, true) }

func (q *queue) push(id keys.RangeID, urgent bool) {
	q.mu.Lock()
	delete(q.mu.later, id)
	if q.mu.queued[id] {
		q.mu.Unlock()
		return
	}
	q.mu.queued[id] = true
	if urgent {
		q.mu.urgent = append(q.mu.urgent, id)
	} else {
		q.mu.normal = append(q.mu.normal, id)
	}
	q.mu.Unlock()
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take returns the next range, or how long to wait for one (0: until woken).
func (q *queue) take(now time.Time) (id keys.RangeID, ok bool, wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for id, at := range q.mu.later {
		if d := at.Sub(now); d <= 0 {
			delete(q.mu.later, id)
			if !q.mu.queued[id] {
				q.mu.queued[id] = true
				q.mu.normal = append(q.mu.normal, id)
			}
		} else if wait == 0 || d < wait {
			wait = d
		}
	}
	for _, list := range []*[]keys.RangeID{&q.mu.urgent, &q.mu.normal} {
		for i, id := range *list {
			if q.mu.busy[id] {
				continue // another worker is at it; it looks again when it is done
			}
			*list = append((*list)[:i], (*list)[i+1:]...)
			delete(q.mu.queued, id)
			q.mu.busy[id] = true
			if len(q.mu.urgent)+len(q.mu.normal) > 0 {
				q.signal() // for the next worker
			}
			return id, true, 0
		}
	}
	return 0, false, wait
}

// done ends the turn of a range.
func (q *queue) done(id keys.RangeID, now time.Time, again time.Duration, err error) {
	q.mu.Lock()
	delete(q.mu.busy, id)
	if err != nil {
		n := q.mu.fails[id]
		q.mu.fails[id] = n + 1
		again = min(queueMinPause<<min(n, 12), queueMaxPause)
	} else {
		delete(q.mu.fails, id)
	}
	if again > 0 && !q.mu.queued[id] {
		q.mu.later[id] = now.Add(again)
	}
	q.mu.Unlock()
	q.signal()
}

// run is one worker.
func (q *queue) run(ctx context.Context, s *Store) {
	for ctx.Err() == nil {
		id, ok, wait := q.take(time.Now())
		if !ok {
			var timer <-chan time.Time
			var t *time.Timer
			if wait > 0 {
				t = time.NewTimer(wait)
				timer = t.C
			}
			select {
			case <-ctx.Done():
			case <-q.wake:
			case <-timer:
			}
			if t != nil {
				t.Stop()
			}
			continue
		}
		h := s.table.get(id)
		var again time.Duration
		var err error
		if h != nil {
			again, err = q.process(ctx, id, h)
			if err != nil && ctx.Err() == nil {
				s.metrics.QueueErrors.Add(1)
				if f := s.cfg.Events.QueueFailed; f != nil {
					f(q.name, id, err)
				}
			}
		}
		q.done(id, time.Now(), again, err)
	}
}
