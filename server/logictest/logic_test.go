package logictest

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite"
)

var (
	serverURL = flag.String("url", "", "a PostgreSQL server to run the files against instead of a node of our own")
	rewrite   = flag.Bool("rewrite", false, "write what the server answers into the files")
)

// fileTimeout bounds the run of one file.
const fileTimeout = 60 * time.Second

func TestLogic(t *testing.T) {
	config := target(t)
	paths, err := filepath.Glob("testdata/logic/*.test")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".test")
		for _, protocol := range []string{"simple", "extended"} {
			if *rewrite && protocol == "extended" {
				continue
			}
			t.Run(name+"/"+protocol, func(t *testing.T) { runFile(t, config, path, name+"_"+protocol, protocol) })
		}
	}
}

// target returns how to connect to a database of the server under test.
func target(t *testing.T) func(database string) *pgconn.Config {
	if *serverURL != "" {
		return func(database string) *pgconn.Config {
			cfg, err := pgconn.ParseConfig(*serverURL)
			require.NoError(t, err)
			if database != "" {
				cfg.Database = database
			}
			return cfg
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), fileTimeout)
	defer cancel()
	srv, err := spanlite.Start(ctx, spanlite.Options{NoSocket: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Close()) })
	return func(database string) *pgconn.Config {
		if database == "" {
			database = "defaultdb"
		}
		return &srv.Config(database).Config
	}
}

// runner runs one file.
type runner struct {
	t        *testing.T
	ctx      context.Context
	config   *pgconn.Config
	protocol string
	server   string
	conns    map[string]*client
	current  *client
}

// client is a connection with the async statement that it may be running.
type client struct {
	conn    *pgconn.PgConn
	pending chan answer
}

// answer is what a server says to a statement.
type answer struct {
	rows    []string
	columns string
	count   int64
	err     error
}

func runFile(t *testing.T, config func(string) *pgconn.Config, path, database, protocol string) {
	ctx, cancel := context.WithTimeout(t.Context(), fileTimeout)
	defer cancel()
	admin, err := pgconn.ConnectConfig(ctx, config(""))
	require.NoError(t, err)
	defer admin.Close(context.WithoutCancel(ctx))
	_, err = admin.Exec(ctx, "create database logic_"+database).ReadAll()
	require.NoError(t, err)
	r := &runner{t: t, ctx: ctx, config: config("logic_" + database), protocol: protocol, server: "spanlite", conns: map[string]*client{}}
	if *serverURL != "" {
		r.server = "postgres"
	}
	defer func() {
		for _, c := range r.conns {
			c.conn.Close(context.WithoutCancel(ctx))
		}
		_, err := admin.Exec(context.WithoutCancel(ctx), "drop database logic_"+database+" with (force)").ReadAll()
		require.NoError(t, err)
	}()
	r.use("1")
	directives, err := parseFile(path)
	require.NoError(t, err)
	for i := range directives {
		r.run(&directives[i], path)
	}
	if *rewrite {
		require.NoError(t, os.WriteFile(path, []byte(formatFile(directives)), 0o644))
	}
}

// use makes a connection the current one.
func (r *runner) use(name string) {
	c := r.conns[name]
	if c == nil {
		conn, err := pgconn.ConnectConfig(r.ctx, r.config)
		require.NoError(r.t, err)
		c = &client{conn: conn}
		r.conns[name] = c
		// Both servers are to run at the level that PostgreSQL starts with.
		_, err = conn.Exec(r.ctx, "set default_transaction_isolation = 'read committed'; set timezone = 'UTC'").ReadAll()
		require.NoError(r.t, err)
	}
	r.current = c
}

func (r *runner) run(d *directive, path string) {
	if d.onlyServer != "" && d.onlyServer != r.server || d.onlyProtocol != "" && d.onlyProtocol != r.protocol {
		return
	}
	where := fmt.Sprintf("%s:%d: %s", path, d.line, d.sql)
	c := r.current
	switch d.words[0] {
	case "connection":
		r.use(d.words[1])
	case "statement":
		if d.async {
			c.pending = make(chan answer, 1)
			go func() { c.pending <- r.execute(c, d.sql) }()
			r.settle(c)
			return
		}
		r.check(d, r.execute(c, d.sql), where)
	case "query":
		a := r.execute(c, d.sql)
		if a.err != nil {
			if *rewrite {
				d.head = replaceDirective(d.head, d.words, "statement error "+codeOf(a.err))
				return
			}
			assertf(r.t, a.err == nil, "%s\nunexpected error: %v", where, a.err)
			return
		}
		if slices.Contains(d.words, "sort") {
			slices.Sort(a.rows)
		}
		if slices.Contains(d.words, "typed") {
			a.rows = append([]string{a.columns}, a.rows...)
		}
		r.compare(d, a.rows, where)
	case "await":
		r.check(d, <-c.pending, where)
	case "copyin":
		_, err := c.conn.CopyFrom(r.ctx, strings.NewReader(strings.Join(append(d.expected, ""), "\n")), d.sql)
		r.check(d, answer{err: err}, where)
	case "copyout":
		var b bytes.Buffer
		_, err := c.conn.CopyTo(r.ctx, &b, d.sql)
		assertf(r.t, err == nil, "%s\nunexpected error: %v", where, err)
		var lines []string
		if b.Len() > 0 {
			lines = strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		}
		r.compare(d, lines, where)
	default:
		r.t.Fatalf("%s:%d: unknown directive %s", path, d.line, d.words[0])
	}
}

// settleTime is how long an async statement has to get as far as the lock that it
// is meant to wait for. Nobody tells a client that it waits, so this is a guess;
// where it fails, the test fails too.
const settleTime = 150 * time.Millisecond

// settle waits until an async statement has ended or should be waiting.
func (r *runner) settle(c *client) {
	timer := time.NewTimer(settleTime)
	defer timer.Stop()
	select {
	case a := <-c.pending:
		c.pending <- a
	case <-timer.C:
	}
}

// compare compares lines with those expected, or records them.
func (r *runner) compare(d *directive, got []string, where string) {
	if *rewrite {
		if !d.results && len(got) > 0 {
			d.head = append(d.head, "----")
		}
		d.expected = got
		return
	}
	assertf(r.t, slices.Equal(d.expected, got), "%s\nexpected:\n%s\ngot:\n%s", where, strings.Join(d.expected, "\n"), strings.Join(got, "\n"))
}

// check compares an outcome with the one that a directive names.
func (r *runner) check(d *directive, a answer, where string) {
	if *rewrite {
		outcome := "ok"
		switch {
		case a.err != nil:
			outcome = "error " + codeOf(a.err)
		case len(d.words) > 1 && d.words[1] == "count":
			outcome = fmt.Sprint("count ", a.count)
		}
		d.head = replaceDirective(d.head, d.words, d.words[0]+" "+outcome)
		return
	}
	if len(d.words) < 2 {
		return
	}
	switch d.words[1] {
	case "ok":
		assertf(r.t, a.err == nil, "%s\nunexpected error: %v", where, a.err)
	case "count":
		assertf(r.t, a.err == nil && fmt.Sprint(a.count) == d.words[2], "%s\nexpected count %s, got %d, error %v", where, d.words[2], a.count, a.err)
	case "error":
		assertf(r.t, codeOf(a.err) == d.words[2], "%s\nexpected error %s, got: %v", where, d.words[2], a.err)
	}
}

func assertf(t *testing.T, ok bool, format string, args ...any) {
	t.Helper()
	if !ok {
		t.Errorf(format, args...)
	}
}

// replaceDirective changes the line of a directive among the lines of its head.
func replaceDirective(head, words []string, to string) []string {
	for i, l := range head {
		if slices.Equal(strings.Fields(l), words) {
			head[i] = to
		}
	}
	return head
}

// codeOf returns the SQLSTATE of an error.
func codeOf(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	if err == nil {
		return "none"
	}
	return err.Error()
}

// execute runs a statement and waits for the answer.
func (r *runner) execute(c *client, sql string) answer {
	if r.protocol == "simple" {
		var a answer
		results := c.conn.Exec(r.ctx, sql)
		for results.NextResult() {
			a = readResult(results.ResultReader())
		}
		a.err = results.Close()
		return a
	}
	return readResult(c.conn.ExecParams(r.ctx, sql, nil, nil, nil, nil))
}

var typeNames = pgtype.NewMap()

func readResult(rr *pgconn.ResultReader) answer {
	var a answer
	var names []string
	for _, f := range rr.FieldDescriptions() {
		kind := "other"
		if t, ok := typeNames.TypeForOID(f.DataTypeOID); ok {
			kind = t.Name
		}
		names = append(names, f.Name+" "+kind)
	}
	a.columns = strings.Join(names, "|")
	for rr.NextRow() {
		values := rr.Values()
		texts := make([]string, len(values))
		for i, v := range values {
			texts[i] = "NULL"
			if v != nil {
				texts[i] = strings.ReplaceAll(string(v), "\n", `\n`)
			}
		}
		line := strings.Join(texts, "|")
		if line == "" {
			line = "(empty)"
		}
		a.rows = append(a.rows, line)
	}
	tag, err := rr.Close()
	a.count, a.err = tag.RowsAffected(), err
	return a
}
