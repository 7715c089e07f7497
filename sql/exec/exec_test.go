// The tests of this package run SQL over an in-memory store and compare what a client would see with
// golden files. The expected output in testdata/*.sql is PostgreSQL 15's own: -pg=URL rewrites it from a
// server. Where Spanlite differs on purpose, the file says so.
package exec_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

var pgURL = flag.String("pg", "", "URL of a PostgreSQL server: rewrite the golden files with its answers")

// block is one statement of a golden file.
type block struct {
	comment, sql, want string
	line               int
}

func readBlocks(t *testing.T, file string) []block {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []block
	var b block
	state := 0
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for n := 1; sc.Scan(); n++ {
		line := sc.Text()
		switch {
		case state == 0 && strings.HasPrefix(line, "#"):
			b.comment += line + "\n"
		case state == 0 && line == "sql":
			state, b.line = 1, n
		case state == 1 && line == "----":
			state = 2
		case state == 1:
			b.sql += line + "\n"
		case state == 2 && line == "":
			out = append(out, b)
			b, state = block{}, 0
		case state == 2:
			b.want += line + "\n"
		}
	}
	if state == 2 {
		out = append(out, b)
	}
	return out
}

func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			blocks := readBlocks(t, file)
			if *pgURL != "" {
				rewrite(t, file, blocks)
				return
			}
			db := newTestDB()
			for _, b := range blocks {
				got := db.safeExec(b.sql)
				if got != b.want {
					t.Errorf("%s:%d: %s got:\n%swant:\n%s", file, b.line, b.sql, got, b.want)
				}
			}
		})
	}
}

// safeExec is exec with a panic as a result.
func (db *testDB) safeExec(sql string) (out string) {
	if os.Getenv("EXEC_PANIC") == "" {
		defer func() {
			if p := recover(); p != nil {
				out = fmt.Sprintf("PANIC %v\n", p)
			}
		}()
	}
	return db.exec(sql)
}

// rewrite asks PostgreSQL.
func rewrite(t *testing.T, file string, blocks []block) {
	ctx := context.Background()
	conn, err := pgconn.Connect(ctx, *pgURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "drop schema if exists g cascade; create schema g; set search_path = g").ReadAll(); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, b := range blocks {
		fmt.Fprintf(&out, "%ssql\n%s----\n%s\n", b.comment, b.sql, ask(ctx, conn, b))
	}
	if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func ask(ctx context.Context, conn *pgconn.PgConn, b block) string {
	if strings.Contains(b.comment, "spanlite only") {
		return b.want
	}
	results, err := conn.Exec(ctx, b.sql).ReadAll()
	if err != nil {
		pe := &pgconn.PgError{}
		if !errors.As(err, &pe) {
			return "ERROR: " + err.Error() + "\n"
		}
		s := fmt.Sprintf("ERROR %s: %s\n", pe.Code, pe.Message)
		if pe.Detail != "" {
			s += "DETAIL: " + pe.Detail + "\n"
		}
		return s
	}
	s := ""
	for _, r := range results {
		for _, row := range r.Rows {
			var line []string
			for _, v := range row {
				if v == nil {
					line = append(line, "NULL")
				} else {
					line = append(line, string(v))
				}
			}
			s += strings.Join(line, "|") + "\n"
		}
		if tag := r.CommandTag.String(); !strings.HasPrefix(tag, "SELECT") {
			s += tag + "\n"
		}
	}
	return s
}
