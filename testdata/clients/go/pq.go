package main

import (
	"database/sql"
	"errors"
	"time"

	"github.com/lib/pq"
)

func pqSuite() (string, string, []check) {
	db := get(sql.Open("postgres", url+"?sslmode=disable"))
	exec := func(text string, args ...any) { get(db.Exec(text, args...)) }
	return "lib/pq", "github.com/lib/pq", []check{
		{"types", func() {
			exec("create table lq (id serial primary key, n numeric(10,2), t text[], f float8[], j jsonb, ts timestamptz, b bytea, ok bool)")
			ts := time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)
			var id int
			must(db.QueryRow("insert into lq (n, t, f, j, ts, b, ok) values ($1,$2,$3,$4,$5,$6,$7) returning id",
				"12.5", pq.Array([]string{"a", `"`}), pq.Array([]float64{1.5}), `{"k":1}`, ts, []byte{0, 255}, true).Scan(&id))
			var n string
			var texts []string
			var got time.Time
			var b []byte
			must(db.QueryRow("select n, t, ts, b from lq where id = $1", id).Scan(&n, pq.Array(&texts), &got, &b))
			equal("12.50", n)
			equal([]string{"a", `"`}, texts)
			equal(true, got.Equal(ts))
			equal([]byte{0, 255}, b)
		}},
		{"binary parameters", func() {
			bin := get(sql.Open("postgres", url+"?sslmode=disable&binary_parameters=yes"))
			defer bin.Close()
			var s string
			must(bin.QueryRow("select $1::text || $2::int", "x", 5).Scan(&s))
			equal("x5", s)
		}},
		{"prepared statements", func() {
			st := get(db.Prepare("select $1::int * 2"))
			defer st.Close()
			for i := range 5 {
				var n int
				must(st.QueryRow(i).Scan(&n))
				equal(i*2, n)
			}
		}},
		{"copy", func() {
			tx := get(db.Begin())
			st := get(tx.Prepare(pq.CopyIn("lq", "n", "t")))
			for i := range 100 {
				get(st.Exec(i, "{}"))
			}
			get(st.Exec())
			must(st.Close())
			must(tx.Commit())
			var n int
			must(db.QueryRow("select count(*) from lq").Scan(&n))
			equal(101, n)
		}},
		{"transactions", func() {
			tx := get(db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable}))
			get(tx.Exec("savepoint s"))
			_, err := tx.Exec("select 1/0")
			fails("22012", err)
			get(tx.Exec("rollback to s"))
			must(tx.Commit())
			tx = get(db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}))
			_, err = tx.Exec("insert into lq (n) values (1)")
			fails("25006", err)
			must(tx.Rollback())
		}},
		{"errors", func() {
			_, err := db.Exec("insert into lq (id) values (1)")
			fails("23505", err)
			var e *pq.Error
			errors.As(err, &e)
			equal("unique_violation", e.Code.Name())
			equal("lq_pkey", e.Constraint)
			_, err = db.Exec("selec")
			fails("42601", err)
		}},
		{"several results", func() {
			rows := get(db.Query("select 1; select 'x', 2"))
			defer rows.Close()
			n := 1
			for rows.Next() {
			}
			for rows.NextResultSet() {
				n++
			}
			equal(2, n)
		}},
		{"columns", func() {
			rows := get(db.Query("select id, n, t from lq limit 0"))
			defer rows.Close()
			ts := get(rows.ColumnTypes())
			equal("NUMERIC", ts[1].DatabaseTypeName())
			p, s, _ := ts[1].DecimalSize()
			equal([]int64{10, 2}, []int64{p, s})
		}},
	}
}
