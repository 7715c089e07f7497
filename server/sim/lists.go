package sim

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/spanlite/spanlite/server/sim/history"
	"github.com/spanlite/spanlite/server/testcluster"
)

// listKeys is how many lists there are: few, so that transactions meet.
const listKeys = 8

// lists is the workload of lists: transactions of one to four steps on random lists,
// each an append or a read.
type lists struct {
	mu    sync.Mutex
	next  int
	txns  []history.ListTxn
	final map[int][]int
}

func (*lists) tables() (string, int) { return "lists", listKeys }

func (*lists) setup(s *testcluster.Session) error {
	_, err := s.Exec(context.Background(), fmt.Sprintf(
		"CREATE TABLE lists (k int PRIMARY KEY, v text NOT NULL); INSERT INTO lists SELECT g, '' FROM generate_series(0, %d) g", listKeys-1))
	return err
}

func (w *lists) step(cl *client) {
	txn := history.ListTxn{Client: fmt.Sprintf("client %d", cl.id), Begin: now()}
	txn.Outcome = cl.transact(cl.r.cfg.Level, func() error {
		for range 1 + cl.rng.IntN(4) {
			op := history.ListOp{Key: cl.rng.IntN(listKeys)}
			var err error
			if cl.rng.IntN(2) == 0 {
				w.mu.Lock()
				w.next++
				op.Append = w.next
				w.mu.Unlock()
				txn.Ops = append(txn.Ops, op) // even if it fails: the number is taken
				_, err = cl.s.Exec(cl.ctx, fmt.Sprintf("UPDATE lists SET v = v || '%d,' WHERE k = %d", op.Append, op.Key))
			} else {
				var rows [][]string
				rows, err = cl.s.Exec(cl.ctx, fmt.Sprintf("SELECT v FROM lists WHERE k = %d", op.Key))
				if err == nil {
					op.Read, err = parseList(rows)
					txn.Ops = append(txn.Ops, op)
				}
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	txn.End = now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.txns = append(w.txns, txn)
}

func parseList(rows [][]string) ([]int, error) {
	if len(rows) != 1 || len(rows[0]) != 1 {
		return nil, fmt.Errorf("want one list, got %v", rows)
	}
	list := []int{}
	for n := range strings.SplitSeq(rows[0][0], ",") {
		if n == "" {
			continue
		}
		v, err := strconv.Atoi(n)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func (w *lists) finish(s *testcluster.Session) error {
	rows, err := s.Exec(context.Background(), "SELECT k, v FROM lists")
	if err != nil {
		return err
	}
	w.final = make(map[int][]int)
	for _, row := range rows {
		k, err := strconv.Atoi(row[0])
		if err != nil {
			return err
		}
		if w.final[k], err = parseList([][]string{row[1:]}); err != nil {
			return err
		}
	}
	return nil
}

func (w *lists) check(level history.Level) []history.Anomaly {
	return history.CheckLists(w.txns, w.final, level)
}
