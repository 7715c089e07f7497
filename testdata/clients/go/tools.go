package main

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"

	"github.com/golang-migrate/migrate/v4"
	_ "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	_ "github.com/golang-migrate/migrate/v4/database/postgres"
	_ "github.com/golang-migrate/migrate/v4/source/file"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// folder writes files into a temporary folder.
func folder(files map[string]string) string {
	dir := get(os.MkdirTemp("", "migrations"))
	for name, text := range files {
		must(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	return dir
}

func gooseSuite() (string, string, []check) {
	dir := folder(map[string]string{
		"001_one.sql":   "-- +goose Up\ncreate table gs (id int generated always as identity primary key, v text);\ninsert into gs (v) values ('x'), ('y');\n-- +goose Down\ndrop table gs;\n",
		"002_two.sql":   "-- +goose NO TRANSACTION\n-- +goose Up\ncreate index concurrently gs_v on gs (v);\n-- +goose Down\ndrop index concurrently gs_v;\n",
		"003_three.sql": "-- +goose Up\nalter table gs add column n int not null default 5, add constraint gs_n check (n > 0);\n-- +goose Down\nalter table gs drop column n;\n",
	})
	db := get(sql.Open("pgx", url))
	locker := get(lock.NewPostgresSessionLocker())
	p := get(goose.NewProvider(goose.DialectPostgres, db, os.DirFS(dir), goose.WithSessionLocker(locker)))
	return "goose", "github.com/pressly/goose/v3", []check{
		{"up", func() { equal(3, len(get(p.Up(ctx)))) }},
		{"status", func() {
			for _, s := range get(p.Status(ctx)) {
				equal(goose.StateApplied, s.State)
			}
			equal(int64(3), get(p.GetDBVersion(ctx)))
		}},
		{"nothing to do", func() { equal(0, len(get(p.Up(ctx)))) }},
		{"down and up", func() {
			get(p.Down(ctx))
			get(p.Down(ctx))
			equal(2, len(get(p.Up(ctx))))
		}},
		{"down to zero", func() { equal(3, len(get(p.DownTo(ctx, 0)))) }},
	}
}

func migrateSuite() (string, string, []check) {
	dir := folder(map[string]string{
		"1_one.up.sql": "create table gm (id bigserial primary key, v text unique);\ncreate table gm2 (id int references gm (id));", "1_one.down.sql": "drop table gm2; drop table gm;",
		"2_two.up.sql": "begin; alter table gm add column n int; update gm set n = 1; commit;", "2_two.down.sql": "alter table gm drop column n;",
		"3_bad.up.sql": "create table gm3 (id int); select * from nosuch;", "3_bad.down.sql": "select 1;",
	})
	var checks []check
	for driver, prefix := range map[string]string{"lib/pq": "postgres://", "pgx": "pgx5://"} {
		var m *migrate.Migrate
		checks = append(checks,
			check{"up by " + driver, func() {
				m = get(migrate.New("file://"+dir, prefix+strings.TrimPrefix(url, "postgres://")+"?sslmode=disable"))
				must(m.Migrate(2))
				v, dirty, err := m.Version()
				must(err)
				equal(uint(2), v)
				equal(false, dirty)
			}},
			check{"a failing step leaves it dirty by " + driver, func() {
				if err := m.Up(); err == nil {
					panic(failure{os.ErrInvalid})
				}
				_, dirty, err := m.Version()
				must(err)
				equal(true, dirty)
				must(m.Force(2))
			}},
			check{"down by " + driver, func() { must(m.Down()) }},
			check{"drop by " + driver, func() {
				must(m.Migrate(1))
				must(m.Drop())
				m.Close()
			}})
	}
	return "golang-migrate", "github.com/golang-migrate/migrate/v4", checks
}
