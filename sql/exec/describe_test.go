package exec_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/parser"
)

// TestDescribe compares what Describe tells a client of a prepared statement, the types of its parameters and the
// columns of its result, with PostgreSQL's answer in testdata/describe.txt.
func TestDescribe(t *testing.T) {
	const file = "testdata/describe.txt"
	blocks := readBlocks(t, file)
	if *pgURL != "" {
		describePostgres(t, file, blocks)
		return
	}
	db := newTestDB()
	for _, b := range blocks {
		if got := db.describe(b.sql); got != b.want {
			t.Errorf("%s:%d: %s got:\n%swant:\n%s", file, b.line, b.sql, got, b.want)
		}
	}
}

func (db *testDB) describe(sql string) string {
	s, err := parser.ParseOne(sql)
	if err != nil {
		return errorText(err)
	}
	if _, ok := s.AST.(*ast.CreateTable); ok {
		return db.exec(sql)
	}
	ctx := context.Background()
	l, err := db.bind(ctx, db.eval(ctx), s.AST)
	if err != nil {
		return errorText(err)
	}
	var out strings.Builder
	out.WriteString("params")
	for _, p := range l.Params {
		fmt.Fprintf(&out, " %d", p.OID)
	}
	out.WriteByte('\n')
	for _, c := range l.Result {
		fmt.Fprintf(&out, "%s %d %d %v %d\n", c.Name, c.T.OID, c.T.Typmod, c.Table != 0, c.Num)
	}
	return out.String()
}

func describePostgres(t *testing.T, file string, blocks []block) {
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
		var got strings.Builder
		switch {
		case strings.HasPrefix(b.sql, "create"):
			got.WriteString(ask(ctx, conn, b))
		default:
			d, err := conn.Prepare(ctx, "", b.sql, nil)
			pe := &pgconn.PgError{}
			switch {
			case errors.As(err, &pe):
				fmt.Fprintf(&got, "ERROR %s: %s\n", pe.Code, pe.Message)
				if pe.Detail != "" {
					fmt.Fprintf(&got, "DETAIL: %s\n", pe.Detail)
				}
			case err != nil:
				t.Fatal(err)
			default:
				got.WriteString("params")
				for _, p := range d.ParamOIDs {
					fmt.Fprintf(&got, " %d", p)
				}
				got.WriteByte('\n')
				for _, f := range d.Fields {
					fmt.Fprintf(&got, "%s %d %d %v %d\n", f.Name, f.DataTypeOID, f.TypeModifier, f.TableOID != 0, f.TableAttributeNumber)
				}
			}
		}
		fmt.Fprintf(&out, "%ssql\n%s----\n%s\n", b.comment, b.sql, got.String())
	}
	if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
