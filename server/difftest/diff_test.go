package difftest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite"
)

var rewriteKnown = flag.Bool("known", false, "write the list of statements that are known to differ; of both protocols, so run all files")

var postgresURL = flag.String("postgres", "", "a running PostgreSQL 15 (superuser root, collation C, character type C.UTF-8) to compare with instead of one started for the run")

// servers are the two that are compared.
type servers struct {
	postgres, spanlite func(database string) *pgconn.Config
}

var shared *servers

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(runAll(m))
}

// runAll starts the servers once for all tests.
func runAll(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s := &servers{}
	if *postgresURL != "" {
		s.postgres = urlConfig(*postgresURL)
	} else {
		o, err := startOracle(ctx)
		switch {
		case errors.Is(err, errNoOracle):
			return m.Run() // the tests skip themselves
		case err != nil:
			fmt.Fprintln(os.Stderr, "start PostgreSQL:", err)
			return 1
		}
		defer func() {
			if err := o.stop(); err != nil {
				fmt.Fprintln(os.Stderr, "stop PostgreSQL:", err)
			}
		}()
		s.postgres = urlConfig(o.url("postgres"))
	}
	srv, err := spanlite.Start(ctx, spanlite.Options{NoSocket: true, MemoryBytes: 1 << 30})
	if err != nil {
		fmt.Fprintln(os.Stderr, "start spanlite:", err)
		return 1
	}
	defer srv.Close()
	s.spanlite = func(database string) *pgconn.Config {
		if database == "" {
			database = "defaultdb"
		}
		return &srv.Config(database).Config
	}
	shared = s
	return m.Run()
}

func urlConfig(url string) func(string) *pgconn.Config {
	return func(database string) *pgconn.Config {
		cfg, err := pgconn.ParseConfig(url)
		if err != nil {
			panic(err) // the URL is a flag or our own
		}
		if database != "" {
			cfg.Database = database
		}
		return cfg
	}
}

// pair is a connection to the same new database on either server.
type pair struct {
	postgres, spanlite *client
}

// setUp is run on new connections: Spanlite begins as serializable.
const setUp = "set default_transaction_isolation = 'read committed'; set timezone = 'UTC'"

func newPair(t *testing.T, database string) *pair {
	if shared == nil {
		t.Skip(errNoOracle)
	}
	p := &pair{}
	p.postgres = newDatabase(t, shared.postgres, database)
	p.spanlite = newDatabase(t, shared.spanlite, database)
	return p
}

func newDatabase(t *testing.T, config func(string) *pgconn.Config, database string) *client {
	ctx := t.Context()
	admin, err := pgconn.ConnectConfig(ctx, config(""))
	require.NoError(t, err)
	defer admin.Close(ctx)
	_, err = admin.Exec(ctx, "drop database if exists "+database).ReadAll()
	require.NoError(t, err)
	_, err = admin.Exec(ctx, "create database "+database).ReadAll()
	require.NoError(t, err)
	c, err := dial(ctx, config(database))
	require.NoError(t, err)
	t.Cleanup(func() { c.conn.Close(context.WithoutCancel(ctx)) })
	_, err = c.conn.Exec(ctx, setUp).ReadAll()
	require.NoError(t, err)
	return c
}

// statementTimeout bounds one statement; a server that hangs fails the test.
const statementTimeout = 20 * time.Second

// differ runs a statement on both servers and says how the answers differ.
func (p *pair) differ(ctx context.Context, sql string, how protocol) string {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	return compare(sql, p.postgres.run(ctx, sql, how), p.spanlite.run(ctx, sql, how))
}

// repeatable matches statements that may be run once more in another format.
var repeatable = regexp.MustCompile(`(?is)^\s*(select|values|table|show)\b`)

func TestFiles(t *testing.T) {
	paths, err := filepath.Glob("testdata/diff/*.sql")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	known, err := readKnown()
	require.NoError(t, err)
	differing := knownList{}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".sql")
		for _, how := range []protocol{simple, extended} {
			t.Run(name+"/"+string(how), func(t *testing.T) { runFile(t, path, "diff_"+name+"_"+string(how), how, known, differing) })
		}
	}
	if *rewriteKnown {
		require.NoError(t, differing.write())
	}
}

// reportsPerTemplate bounds how often a statement with placeholders is reported
// without -v.
const reportsPerTemplate = 3

func runFile(t *testing.T, path, database string, how protocol, known, differs knownList) {
	statements, err := parseFile(path)
	require.NoError(t, err)
	p := newPair(t, database)
	differing, owed := 0, 0
	reported := map[int]int{}
	expected := map[int]string{} // templates meant to differ, and those that have not yet
	for _, s := range statements {
		d := p.differ(t.Context(), s.sql, how)
		if d == "" && how == extended && repeatable.MatchString(s.sql) {
			if d = p.differ(t.Context(), s.sql, binary); d != "" {
				d = "binary " + d
			}
		}
		switch {
		case s.differs != "" && d != "":
			expected[s.template] = ""
		case s.differs != "":
			if _, ok := expected[s.template]; !ok {
				expected[s.template] = fmt.Sprintf("%s:%d: does not differ any longer: %s", path, s.line, s.sql)
			}
		case d != "" && (known[key(filepath.Base(path), s.sql)] || *rewriteKnown):
			owed++
			differs[key(filepath.Base(path), s.sql)] = true
		case d != "":
			differing++
			t.Fail()
			if reported[s.template]++; reported[s.template] > reportsPerTemplate && !testing.Verbose() {
				continue
			}
			t.Errorf("%s:%d: %s\n   %s", path, s.line, s.sql, d)
		}
	}
	for _, complaint := range expected {
		if complaint != "" {
			t.Error(complaint)
		}
	}
	t.Logf("%d statements, %d disagreements, %d known", len(statements), differing, owed)
}
