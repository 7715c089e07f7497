package sim

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/spanlite/spanlite/server/sim/history"
	"github.com/spanlite/spanlite/server/testcluster"
)

const groupKeys = 1 << 20

// groups is the workload of predicates: a transaction counts the rows of a group,
// by an index, and inserts one if there are none. At SERIALIZABLE no group ever has
// two (G2 with phantoms). Every acknowledged row must be there in the end, and no
// row that was refused (a set).
type groups struct {
	mu    sync.Mutex
	next  int
	group int
	rows  map[int]history.Outcome
	final map[int]int // id -> group
}

func (*groups) tables() (string, int) { return "groups", groupKeys }

func (*groups) setup(s *testcluster.Session) error {
	_, err := s.Exec(context.Background(), "CREATE TABLE groups (id int PRIMARY KEY, g int NOT NULL); CREATE INDEX ON groups (g)")
	return err
}

func (w *groups) step(cl *client) {
	w.mu.Lock()
	w.next++
	if w.next%3 == 0 {
		w.group++
	}
	group := w.group - cl.rng.IntN(2)
	// Ids are spread, so that the rows of a group lie in different ranges.
	id := w.next * 7919 % groupKeys
	if w.rows == nil {
		w.rows = make(map[int]history.Outcome)
	}
	w.mu.Unlock()
	tried := false
	o := cl.transact(cl.r.cfg.Level, func() error {
		rows, err := cl.s.Exec(cl.ctx, fmt.Sprintf("SELECT count(*) FROM groups WHERE g = %d", group))
		if err != nil || rows[0][0] != "0" {
			return err
		}
		tried = true
		_, err = cl.s.Exec(cl.ctx, fmt.Sprintf("INSERT INTO groups VALUES (%d, %d)", id, group))
		return err
	})
	if tried {
		w.mu.Lock()
		w.rows[id] = o
		w.mu.Unlock()
	}
}

func (w *groups) finish(s *testcluster.Session) error {
	rows, err := s.Exec(context.Background(), "SELECT id, g FROM groups")
	if err != nil {
		return err
	}
	w.final = make(map[int]int)
	for _, row := range rows {
		id, err := strconv.Atoi(row[0])
		if err != nil {
			return err
		}
		if w.final[id], err = strconv.Atoi(row[1]); err != nil {
			return err
		}
	}
	return nil
}

func (w *groups) check(level history.Level) []history.Anomaly {
	if w.final == nil {
		return nil // it could not be read, which is reported as such
	}
	var found []history.Anomaly
	fail := func(name, format string, args ...any) {
		found = append(found, history.Anomaly{Name: name, Detail: fmt.Sprintf(format, args...)})
	}
	for id, o := range w.rows {
		_, there := w.final[id]
		if o == history.Committed && !there {
			fail("lost write", "row %d of groups was acknowledged and is missing", id)
		}
		if o == history.Aborted && there {
			fail("G1a", "row %d of groups was refused and is there", id)
		}
	}
	members := make(map[int]int)
	for id, group := range w.final {
		if other, ok := members[group]; ok && level == history.Serializable {
			fail("G2", "rows %d and %d are both in group %d", other, id, group)
		}
		members[group] = id
	}
	return found
}
