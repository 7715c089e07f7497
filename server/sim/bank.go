package sim

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/spanlite/spanlite/server/sim/history"
	"github.com/spanlite/spanlite/server/testcluster"
)

const (
	accounts       = 10
	initialBalance = 100
)

// bank is the workload of transfers between accounts, and of readers that add them
// all up: at SERIALIZABLE and REPEATABLE READ, and within one statement at every
// level, the sum is always the same.
type bank struct {
	mu    sync.Mutex
	wrong []history.Anomaly
}

func (*bank) tables() (string, int) { return "bank", accounts }

func (*bank) setup(s *testcluster.Session) error {
	_, err := s.Exec(context.Background(), fmt.Sprintf(
		`CREATE TABLE bank (id int PRIMARY KEY, balance int NOT NULL CHECK (balance >= 0));
		CREATE INDEX ON bank (balance);
		INSERT INTO bank SELECT g, %d FROM generate_series(0, %d) g`, initialBalance, accounts-1))
	return err
}

func (w *bank) step(cl *client) {
	if cl.rng.IntN(4) == 0 {
		w.audit(cl)
		return
	}
	from, to, amount := cl.rng.IntN(accounts), cl.rng.IntN(accounts), 1+cl.rng.IntN(20)
	if from == to {
		return
	}
	cl.transact(cl.r.cfg.Level, func() error {
		_, err := cl.s.Exec(cl.ctx, fmt.Sprintf("UPDATE bank SET balance = balance - %d WHERE id = %d", amount, from))
		if err == nil {
			_, err = cl.s.Exec(cl.ctx, fmt.Sprintf("UPDATE bank SET balance = balance + %d WHERE id = %d", amount, to))
		}
		return err
	})
}

// audit adds up the accounts, in one statement or, where the level permits no
// difference, one by one.
func (w *bank) audit(cl *client) {
	total := 0
	add := func(query string) error {
		rows, err := cl.s.Exec(cl.ctx, query)
		if err == nil {
			var n int
			n, err = strconv.Atoi(rows[0][0])
			total += n
		}
		return err
	}
	oneByOne := cl.r.cfg.Level != history.ReadCommitted && cl.rng.IntN(2) == 0
	o := cl.transact(cl.r.cfg.Level, func() error {
		if !oneByOne {
			return add("SELECT sum(balance) FROM bank")
		}
		for id := range accounts {
			if err := add(fmt.Sprintf("SELECT balance FROM bank WHERE id = %d", id)); err != nil {
				return err
			}
		}
		return nil
	})
	if o == history.Committed && total != accounts*initialBalance {
		w.fail("an audit by client %d found %d at %d", cl.id, total, now())
	}
}

func (w *bank) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, history.Anomaly{Name: "bank", Detail: fmt.Sprintf(format, args...)})
}

// finish compares the table with its index, too.
func (w *bank) finish(s *testcluster.Session) error {
	byTable, err := s.Exec(context.Background(), "SELECT id, balance FROM bank ORDER BY id")
	if err != nil {
		return err
	}
	byIndex, err := s.Exec(context.Background(), "SELECT count(*) FROM bank WHERE balance >= 0")
	if err != nil {
		return err
	}
	total := 0
	for _, row := range byTable {
		n, err := strconv.Atoi(row[1])
		if err != nil {
			return err
		}
		total += n
	}
	if total != accounts*initialBalance {
		w.fail("in the end the accounts hold %d: %v", total, byTable)
	}
	if byIndex[0][0] != strconv.Itoa(accounts) {
		w.fail("the index has %s entries for %d accounts", byIndex[0][0], accounts)
	}
	return nil
}

func (w *bank) check(history.Level) []history.Anomaly { return w.wrong }
