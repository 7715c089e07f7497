package main

import (
	"context"
	"math/big"
	"net/netip"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

func pgxSuite() (string, string, []check) {
	conn := get(pgx.Connect(ctx, url))
	exec := func(sql string, args ...any) { get(conn.Exec(ctx, sql, args...)) }
	type row struct {
		ID int32
		N  pgtype.Numeric
		T  []string
		M  [][]int32
		J  map[string]any
		U  [16]byte
		TS time.Time
		D  pgtype.Date
		B  []byte
		I  pgtype.Interval
		IP netip.Prefix
		OK *bool
	}
	modes := map[string]pgx.QueryExecMode{
		"cached statements": pgx.QueryExecModeCacheStatement, "cached descriptions": pgx.QueryExecModeCacheDescribe,
		"describe": pgx.QueryExecModeDescribeExec, "exec": pgx.QueryExecModeExec, "simple": pgx.QueryExecModeSimpleProtocol,
	}
	checks := []check{{"create", func() {
		exec("create table px (id serial primary key, n numeric, t text[], m int[], j jsonb, u uuid, ts timestamptz, d date, b bytea, i interval, ip inet, ok bool)")
	}}}
	for name, mode := range modes {
		checks = append(checks, check{"types by " + name, func() {
			ts := time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)
			for range 3 {
				r := row{
					N: pgtype.Numeric{Int: big.NewInt(1250), Exp: -2, Valid: true}, T: []string{"a", `q"\`}, M: [][]int32{{1, 2}, {3, 4}},
					J: map[string]any{"k": "v"}, U: [16]byte{1, 15: 2}, TS: ts, D: pgtype.Date{Time: ts.Truncate(24 * time.Hour), Valid: true},
					B: []byte{0, 255}, I: pgtype.Interval{Months: 1, Days: 2, Microseconds: 3, Valid: true}, IP: netip.MustParsePrefix("10.0.0.1/24"),
				}
				var u, m, j any = r.U, r.M, r.J
				if mode == pgx.QueryExecModeExec || mode == pgx.QueryExecModeSimpleProtocol {
					u, m, j = pgtype.UUID{Bytes: r.U, Valid: true}, "{{1,2},{3,4}}", `{"k":"v"}` // these modes do not know the server's types
				}
				rows := get(conn.Query(ctx, `insert into px (n, t, m, j, u, ts, d, b, i, ip, ok) values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11) returning *`,
					mode, r.N, r.T, m, j, u, r.TS, r.D, r.B, r.I, r.IP, r.OK))
				got := get(pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[row]))
				equal(r.T, got.T)
				equal(r.M, got.M)
				equal(r.J, got.J)
				equal(r.U, got.U)
				equal(true, got.TS.Equal(r.TS))
				equal(r.B, got.B)
				equal(r.I, got.I)
				equal(r.IP, got.IP)
				equal((*bool)(nil), got.OK)
			}
		}})
	}
	return "pgx", "github.com/jackc/pgx/v5", append(checks, []check{
		{"batch", func() {
			b := &pgx.Batch{}
			for i := range 20 {
				b.Queue("select $1::int + 1", i).QueryRow(func(r pgx.Row) error {
					var n int
					must(r.Scan(&n))
					equal(i+1, n)
					return nil
				})
			}
			must(conn.SendBatch(ctx, b).Close())
		}},
		{"a failing batch is undone", func() {
			b := &pgx.Batch{}
			b.Queue("insert into px (id) values (5000)")
			b.Queue("select 1/0")
			fails("22012", conn.SendBatch(ctx, b).Close())
			var n int
			must(conn.QueryRow(ctx, "select count(*) from px where id = 5000").Scan(&n))
			equal(0, n)
		}},
		{"pipeline", func() {
			p := conn.PgConn().StartPipeline(ctx)
			p.SendPrepare("pl", "select $1::int", nil)
			p.SendQueryPrepared("pl", [][]byte{[]byte("7")}, nil, nil)
			must(p.Sync())
			must(p.Close())
		}},
		{"copy", func() {
			n := get(conn.CopyFrom(ctx, pgx.Identifier{"px"}, []string{"id", "t", "ts"}, pgx.CopyFromSlice(500, func(i int) ([]any, error) {
				return []any{i + 10000, []string{"copy"}, time.Now()}, nil
			})))
			equal(int64(500), n)
			var b strings.Builder
			get(conn.PgConn().CopyTo(ctx, &b, "copy (select id from px where id between 10000 and 10002 order by id) to stdout"))
			equal("10000\n10001\n10002\n", b.String())
		}},
		{"transactions", func() {
			must(pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.Serializable}, func(tx pgx.Tx) error {
				get(tx.Exec(ctx, "insert into px (id) values (6000)"))
				err := pgx.BeginFunc(ctx, tx, func(sp pgx.Tx) error {
					_, err := sp.Exec(ctx, "insert into px (id) values (6000)")
					return err
				})
				fails("23505", err)
				return nil
			}))
			tx := get(conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly, IsoLevel: pgx.Serializable, DeferrableMode: pgx.Deferrable}))
			_, err := tx.Exec(ctx, "delete from px")
			fails("25006", err)
			_, err = tx.Exec(ctx, "select 1")
			fails("25P02", err)
			must(tx.Rollback(ctx))
		}},
		{"users' types", func() {
			exec("create type px_mood as enum ('sad', 'ok')")
			for _, name := range []string{"px_mood", "_px_mood"} {
				conn.TypeMap().RegisterType(get(conn.LoadType(ctx, name)))
			}
			var moods []string
			must(conn.QueryRow(ctx, "select $1::px_mood[]", []string{"ok", "sad"}).Scan(&moods))
			equal([]string{"ok", "sad"}, moods)
			equal(4, len(get(conn.LoadTypes(ctx, []string{"px_mood", "_px_mood"}))))
		}},
		{"change of a table under a cached statement", func() {
			exec("create table px_change (a int)")
			for range 3 {
				get(conn.Exec(ctx, "select * from px_change"))
				rows := get(conn.Query(ctx, "select * from px_change"))
				rows.Close()
				must(rows.Err())
			}
			exec("alter table px_change add b int")
			rows := get(conn.Query(ctx, "select * from px_change"))
			rows.Close()
			if rows.Err() != nil { // the first may fail; the statement is prepared again
				fails("0A000", rows.Err())
			}
			rows = get(conn.Query(ctx, "select * from px_change"))
			equal(2, len(rows.FieldDescriptions()))
			rows.Close()
		}},
		{"errors", func() {
			_, err := conn.Exec(ctx, "insert into px (id) values (6000)")
			fails("23505", err)
			_, err = conn.Exec(ctx, "select * from nosuch")
			fails("42P01", err)
			_, err = conn.Exec(ctx, "select $1::int", "x")
			if err == nil {
				panic(failure{context.Canceled})
			}
		}},
		{"cancellation", func() {
			c, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			defer cancel()
			other := get(pgx.Connect(ctx, url))
			defer other.Close(ctx)
			if _, err := other.Exec(c, "select pg_sleep(5)"); err == nil {
				panic(failure{context.Canceled})
			}
		}},
		{"pool", func() {
			pool := get(pgxpool.New(ctx, url))
			defer pool.Close()
			done := make(chan error, 40)
			for range 40 {
				go func() {
					_, err := pool.Exec(ctx, "update px set ok = true where id = 1")
					done <- err
				}()
			}
			for range 40 {
				must(<-done)
			}
		}},
	}...)
}
