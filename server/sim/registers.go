package sim

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/spanlite/spanlite/server/sim/history"
	"github.com/spanlite/spanlite/server/testcluster"
)

const registerKeys = 6

// registers is the workload of single statements on single rows, which have to be
// linearizable whatever the clocks do within their bound.
type registers struct {
	mu   sync.Mutex
	next int
	ops  []history.RegisterOp
}

func (*registers) tables() (string, int) { return "registers", registerKeys }

func (*registers) setup(s *testcluster.Session) error {
	_, err := s.Exec(context.Background(), fmt.Sprintf(
		"CREATE TABLE registers (k int PRIMARY KEY, v int NOT NULL); INSERT INTO registers SELECT g, 0 FROM generate_series(0, %d) g", registerKeys-1))
	return err
}

func (w *registers) step(cl *client) {
	op := history.RegisterOp{Client: cl.id, Key: cl.rng.IntN(registerKeys), Write: cl.rng.IntN(2) == 0}
	op.Begin = now()
	if op.Write {
		w.mu.Lock()
		w.next++
		op.Value = w.next
		w.mu.Unlock()
		_, err := cl.s.Exec(cl.ctx, fmt.Sprintf("UPDATE registers SET v = %d WHERE k = %d", op.Value, op.Key))
		op.Outcome = outcome(err)
	} else {
		rows, err := cl.s.Exec(cl.ctx, fmt.Sprintf("SELECT v FROM registers WHERE k = %d", op.Key))
		if err == nil {
			op.Value, err = strconv.Atoi(rows[0][0])
		}
		if err != nil {
			cl.r.note(history.Aborted)
			return
		}
	}
	op.End = now()
	cl.r.note(op.Outcome)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ops = append(w.ops, op)
}

func (*registers) finish(*testcluster.Session) error { return nil }

func (w *registers) check(history.Level) []history.Anomaly { return history.CheckRegisters(w.ops) }
