package crashtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

const (
	accounts = 20
	balance  = 1000
)

// fate is what the client knows of one insert.
type fate uint8

const (
	refused   fate = iota + 1 // an error that says "not done"
	ambiguous                 // may or may not be there
	acked
)

// load is a set of clients and what they know.
type load struct {
	c       *cluster
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	workers []*worker
	// ackedAt is the time of the latest acknowledged insert of anyone, and gap
	// the longest time without one since gapReset.
	mu      sync.Mutex
	ackedAt time.Time
	gap     time.Duration

	transfers, retries atomic.Int64
	strange            atomic.Pointer[error] // an error that no fault explains
}

// worker is one inserting client. Its fields are read by others only when the load
// has stopped, but for lastAck.
type worker struct {
	id    int
	fates []fate // by seq
	// lastAck is when an insert was acknowledged that BEGAN after the last reset.
	firstAck atomic.Int64 // unix nanoseconds; of the first after arm
	armed    atomic.Int64
}

// schema makes the tables, with table, index and accounts on ranges of their own.
func schema(t *testing.T, c *cluster) (table string) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, c.nodes[0].url())
	require.NoError(t, err)
	defer conn.Close(ctx)
	for _, q := range []string{
		"CREATE TABLE rows (id int8 PRIMARY KEY, worker int4 NOT NULL, seq int8 NOT NULL, note text NOT NULL)",
		"CREATE UNIQUE INDEX rows_worker_seq ON rows (worker, seq)",
		"CREATE TABLE accounts (id int4 PRIMARY KEY, balance int8 NOT NULL)",
		fmt.Sprintf("INSERT INTO accounts SELECT i, %d FROM generate_series(1, %d) i", balance, accounts),
	} {
		_, err := conn.Exec(ctx, q)
		require.NoError(t, err, q)
	}
	var rows, accts uint32
	require.NoError(t, conn.QueryRow(ctx, "SELECT 'rows'::regclass::oid, 'accounts'::regclass::oid").Scan(&rows, &accts))
	for _, key := range []string{fmt.Sprintf("/Table/%d", rows), fmt.Sprintf("/Table/%d/2", rows), fmt.Sprintf("/Table/%d", accts)} {
		_, err := c.admin(c.nodes[0], "range", "split", key)
		require.NoError(t, err)
	}
	return fmt.Sprintf("/Table/%d", rows)
}

// startLoad starts inserters and bankers, spread over the nodes.
func startLoad(c *cluster, inserters, bankers int) *load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{c: c, cancel: cancel, ackedAt: time.Now()}
	for i := range inserters {
		w := &worker{id: i}
		l.workers = append(l.workers, w)
		l.wg.Go(func() { l.insert(ctx, w) })
	}
	for i := range bankers {
		l.wg.Go(func() { l.bank(ctx, i) })
	}
	return l
}

// resume continues a stopped load with the same history.
func (l *load) resume(bankers int) {
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	l.resetGap()
	for _, w := range l.workers {
		l.wg.Go(func() { l.insert(ctx, w) })
	}
	for i := range bankers {
		l.wg.Go(func() { l.bank(ctx, i) })
	}
}

// stop ends the clients; what they were doing is ambiguous.
func (l *load) stop() {
	l.cancel()
	l.wg.Wait()
}

// connect tries nodes in turn from the i-th.
func (l *load) connect(ctx context.Context, i int) (*pgx.Conn, error) {
	var err error
	for k := range l.c.nodes {
		var conn *pgx.Conn
		if conn, err = pgx.Connect(ctx, l.c.nodes[(i+k)%len(l.c.nodes)].url()); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// pause is short; it keeps clients from spinning while there is nobody to serve.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(20 * time.Millisecond):
	}
}

func (l *load) insert(ctx context.Context, w *worker) {
	for ctx.Err() == nil {
		conn, err := l.connect(ctx, w.id)
		if err != nil {
			pause(ctx)
			continue
		}
		for ctx.Err() == nil && !conn.IsClosed() {
			seq := len(w.fates)
			began := time.Now()
			qctx, cancel := context.WithTimeout(ctx, 15*time.Second)
			_, err := conn.Exec(qctx, "INSERT INTO rows VALUES ($1, $2, $3, $4)", rowID(w.id, seq), w.id, seq, fmt.Sprintf("note %d of %d", seq, w.id))
			cancel()
			f := fateOf(err)
			w.fates = append(w.fates, f)
			if f == acked {
				l.note(w, began)
			} else {
				l.judge(err)
			}
		}
		closeConn(conn)
	}
}

// rowID spreads the rows of all workers over the whole table.
func rowID(worker, seq int) int64 { return int64(uint64(seq*64+worker) * 0x9E3779B97F4A7C15 >> 1) }

func fateOf(err error) fate {
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return acked
	case errors.As(err, &pg) && pg.Code != "40003" && pg.Code[:2] != "XX" && pg.Code[:2] != "57" && pg.Code[:2] != "08" && pg.Code[:2] != "58":
		return refused
	}
	return ambiguous
}

// judge keeps an error that no fault excuses: an internal error, or a duplicate
// key, as no value is used twice.
func (l *load) judge(err error) {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return
	}
	if pg.Code[:2] == "XX" || pg.Code[:2] == "23" || pg.Code[:2] == "42" {
		e := fmt.Errorf("%s: %s %s", pg.Code, pg.Message, pg.Detail)
		l.strange.CompareAndSwap(nil, &e)
	}
}

// detail is what a PostgreSQL error says beyond its message.
func detail(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Detail + " " + pg.Hint
	}
	return ""
}

func (l *load) note(w *worker, began time.Time) {
	now := time.Now()
	if at := w.armed.Load(); at != 0 && began.UnixNano() >= at {
		w.firstAck.CompareAndSwap(0, now.UnixNano())
	}
	l.mu.Lock()
	l.gap = max(l.gap, now.Sub(l.ackedAt))
	l.ackedAt = now
	l.mu.Unlock()
}

func (l *load) resetGap() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gap, l.ackedAt = 0, time.Now()
}

// longestGap is the longest time in which nobody's insert was acknowledged.
func (l *load) longestGap() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(l.gap, time.Since(l.ackedAt))
}

// arm starts the measurement of how long each worker takes to write again.
func (l *load) arm() {
	now := time.Now().UnixNano()
	for _, w := range l.workers {
		w.firstAck.Store(0)
		w.armed.Store(now)
	}
	l.resetGap()
}

// awaitAll waits until every worker has written after arm, and returns how long
// the first and the last one took.
func (l *load) awaitAll(limit time.Duration) (first, last time.Duration) {
	l.c.t.Helper()
	l.c.eventually(limit, "every client writes again", func() error {
		first, last = time.Hour, 0
		for _, w := range l.workers {
			at := w.firstAck.Load()
			if at == 0 {
				return fmt.Errorf("worker %d does not", w.id)
			}
			took := time.Duration(at - w.armed.Load())
			first, last = min(first, took), max(last, took)
		}
		return nil
	})
	return first, last
}

// bank moves money until the context ends.
func (l *load) bank(ctx context.Context, i int) {
	for ctx.Err() == nil {
		conn, err := l.connect(ctx, i)
		if err != nil {
			pause(ctx)
			continue
		}
		for ctx.Err() == nil && !conn.IsClosed() {
			qctx, cancel := context.WithTimeout(ctx, 15*time.Second)
			err := pgx.BeginFunc(qctx, conn, func(tx pgx.Tx) error {
				from, to := 1+rand.IntN(accounts), 1+rand.IntN(accounts)
				amount := rand.IntN(50)
				if _, err := tx.Exec(qctx, "UPDATE accounts SET balance = balance - $1 WHERE id = $2", amount, from); err != nil {
					return err
				}
				_, err := tx.Exec(qctx, "UPDATE accounts SET balance = balance + $1 WHERE id = $2", amount, to)
				return err
			})
			cancel()
			if err == nil {
				l.transfers.Add(1)
			} else {
				l.retries.Add(1)
				l.judge(err)
			}
		}
		closeConn(conn)
	}
}

func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

// check compares what a node has with what the clients know. The load has stopped.
func (l *load) check(t *testing.T, p *process) (present int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if e := l.strange.Load(); e != nil {
		t.Errorf("a client met an error that no fault excuses: %v", *e)
	}
	conn, err := pgx.Connect(ctx, p.url())
	require.NoError(t, err)
	defer conn.Close(ctx)

	type key struct{ worker, seq int }
	read := func(into map[key]int, sql string, args ...any) {
		rows, err := conn.Query(ctx, sql, args...)
		require.NoError(t, err)
		var k key
		_, err = pgx.ForEachRow(rows, []any{&k.worker, &k.seq}, func() error {
			into[k]++
			return nil
		})
		require.NoError(t, err, sql)
	}
	// In one snapshot: a commit that was on its way when its client went may still
	// come to its end between two statements.
	_, err = conn.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
	require.NoError(t, err)
	// The table: note is not in the index, so this cannot be answered by it.
	table := map[key]int{}
	rows, err := conn.Query(ctx, "SELECT id, worker, seq, note FROM rows")
	require.NoError(t, err)
	var k key
	var id int64
	var note string
	_, err = pgx.ForEachRow(rows, []any{&id, &k.worker, &k.seq, &note}, func() error {
		table[k]++
		if id != rowID(k.worker, k.seq) || note != fmt.Sprintf("note %d of %d", k.seq, k.worker) {
			t.Errorf("n%d: row (%d, %d) has id %d and note %q", p.i, k.worker, k.seq, id, note)
		}
		return nil
	})
	require.NoError(t, err)
	index := map[key]int{}
	for _, w := range l.workers {
		read(index, "SELECT worker, seq FROM rows WHERE worker = $1", w.id)
	}

	lost, twice, ghosts := 0, 0, 0
	for _, w := range l.workers {
		for seq, f := range w.fates {
			n := table[key{w.id, seq}]
			switch {
			case n > 1:
				twice++
			case n == 0 && f == acked:
				lost++
				if lost <= 3 {
					t.Errorf("n%d: acknowledged row (%d, %d) of %d is lost; in the index: %d", p.i, w.id, seq, len(w.fates), index[key{w.id, seq}])
				}
			case n == 1 && f == refused:
				ghosts++
			}
		}
	}
	known := 0
	for k, n := range table {
		if k.worker < len(l.workers) && k.seq < len(l.workers[k.worker].fates) {
			known++
		}
		if index[k] != n {
			t.Errorf("n%d: row %v is %d times in the table and %d times in the index", p.i, k, n, index[k])
		}
	}
	for k := range index {
		if table[k] == 0 {
			t.Errorf("n%d: row %v is in the index and not in the table", p.i, k)
		}
	}
	require.Zerof(t, lost, "n%d: acknowledged rows are lost", p.i)
	require.Zerof(t, twice, "n%d: rows are there twice", p.i)
	require.Zerof(t, ghosts, "n%d: refused rows are there", p.i)
	require.Equal(t, len(table), known, "n%d: rows nobody wrote", p.i)

	var sum, n int64
	require.NoError(t, conn.QueryRow(ctx, "SELECT sum(balance)::int8, count(*) FROM accounts").Scan(&sum, &n))
	require.EqualValues(t, accounts, n)
	require.EqualValues(t, accounts*balance, sum, "n%d: money was made or lost", p.i)
	return len(table)
}

// counts sums up what the clients know.
func (l *load) counts() (ok, open, no int) {
	for _, w := range l.workers {
		for _, f := range w.fates {
			switch f {
			case acked:
				ok++
			case ambiguous:
				open++
			case refused:
				no++
			}
		}
	}
	return ok, open, no
}
