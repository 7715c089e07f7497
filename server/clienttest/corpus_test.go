package clienttest

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"
)

// statement is an entry of the corpus; testdata/clients/corpus/README.md describes
// the form.
type statement struct {
	text     string
	extended bool
	oids     []uint32
	params   [][]byte
	formats  []int16
	results  []int16
}

var header = regexp.MustCompile(`(?m)^-- @@ ([^\n]*)\n`)

func readCorpus(tb testing.TB, path string) []statement {
	b, err := os.ReadFile(path)
	require.NoError(tb, err)
	text := string(b)
	var all []statement
	marks := header.FindAllStringSubmatchIndex(text, -1)
	for i, m := range marks {
		end := len(text)
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		all = append(all, parseStatement(tb, text[m[2]:m[3]], strings.TrimSuffix(text[m[1]:end], "\n")))
	}
	return all
}

// field returns the JSON or bare value of a header's field.
func field(head, name string) string {
	i := strings.Index(" "+head, " "+name+"=")
	if i < 0 {
		return ""
	}
	rest := head[i+len(name)+1:]
	if strings.HasPrefix(rest, "[") {
		var raw json.RawMessage
		if err := json.NewDecoder(strings.NewReader(rest)).Decode(&raw); err == nil {
			return string(raw)
		}
	}
	value, _, _ := strings.Cut(rest, " ")
	return value
}

func parseStatement(tb testing.TB, head, text string) statement {
	s := statement{text: text, extended: field(head, "kind") == "parse"}
	if !s.extended {
		return s
	}
	for o := range strings.FieldsFuncSeq(field(head, "oids"), func(r rune) bool { return r < '0' || r > '9' }) {
		var oid uint32
		fmt.Sscan(o, &oid)
		s.oids = append(s.oids, oid)
	}
	var examples []any
	if e := field(head, "example"); e != "" {
		require.NoError(tb, json.Unmarshal([]byte(e), &examples), "%s", head)
	}
	for _, e := range examples {
		format := int16(0)
		var value []byte
		if e != nil {
			text := fmt.Sprint(e)
			value = []byte(text)
			if digits, ok := strings.CutPrefix(text, "bin:"); ok {
				b, err := hex.DecodeString(digits)
				require.NoError(tb, err)
				format, value = 1, b
			}
		}
		s.params, s.formats = append(s.params, value), append(s.formats, format)
	}
	if field(head, "results") == "binary" {
		s.results = []int16{1}
	}
	return s
}

// answer is what a server says to a statement, made comparable.
type answer struct {
	Code    string   // SQLSTATE, if it fails
	Columns []string // name:type of every result set
	Rows    []string
	Tags    []string
}

// replay sends statements one after the other on a connection.
type replay struct {
	tb       testing.TB
	url      string
	conn     *pgconn.PgConn
	frontend *pgproto3.Frontend
}

func newReplay(tb testing.TB, url string) *replay {
	r := &replay{tb: tb, url: url}
	r.connect()
	tb.Cleanup(func() { r.close() })
	return r
}

func (r *replay) connect() {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	conn, err := pgconn.Connect(ctx, r.url)
	require.NoError(r.tb, err)
	r.conn, r.frontend = conn, conn.Frontend()
}

func (r *replay) close() {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	r.conn.Close(ctx)
}

// patience is how long a statement may take before it is cancelled: some of the
// corpus sleep in order to be cancelled.
const patience = 2 * time.Second

// run sends a statement and collects the answer. An ended connection is replaced.
func (r *replay) run(s *statement) answer {
	if s.extended {
		r.frontend.Send(&pgproto3.Parse{Query: s.text, ParameterOIDs: s.oids})
		r.frontend.Send(&pgproto3.Describe{ObjectType: 'S'})
		if s.params != nil || !strings.Contains(s.text, "$1") {
			r.frontend.Send(&pgproto3.Bind{Parameters: s.params, ParameterFormatCodes: s.formats, ResultFormatCodes: s.results})
			r.frontend.Send(&pgproto3.Execute{})
		}
		r.frontend.Send(&pgproto3.Sync{})
	} else {
		r.frontend.Send(&pgproto3.Query{String: s.text})
	}
	require.NoError(r.tb, r.frontend.Flush())
	timer := time.AfterFunc(patience, func() {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		r.conn.CancelRequest(ctx)
	})
	defer timer.Stop()
	var a answer
	var fields []pgproto3.FieldDescription
	for {
		msg, err := r.frontend.Receive()
		if err != nil {
			r.close()
			r.connect()
			return a
		}
		switch m := msg.(type) {
		case *pgproto3.RowDescription:
			fields = slices.Clone(m.Fields)
			var cols []string
			for _, f := range m.Fields {
				cols = append(cols, fmt.Sprintf("%s:%s:%d", f.Name, typeOf(f.DataTypeOID), f.TypeModifier))
			}
			a.Columns = append(a.Columns, strings.Join(cols, " "))
		case *pgproto3.ParameterDescription:
			params := "params"
			for _, oid := range m.ParameterOIDs {
				params += " " + typeOf(oid)
			}
			a.Columns = append(a.Columns, params)
		case *pgproto3.DataRow:
			var row []string
			for i, v := range m.Values {
				row = append(row, r.value(fields, i, v))
			}
			a.Rows = append(a.Rows, strings.Join(row, "|"))
		case *pgproto3.CommandComplete:
			a.Tags = append(a.Tags, string(m.CommandTag))
		case *pgproto3.EmptyQueryResponse:
			a.Tags = append(a.Tags, "EMPTY")
		case *pgproto3.CopyInResponse:
			r.frontend.Send(&pgproto3.CopyDone{})
			if s.extended {
				r.frontend.Send(&pgproto3.Sync{})
			}
			require.NoError(r.tb, r.frontend.Flush())
		case *pgproto3.CopyData:
			a.Rows = append(a.Rows, string(m.Data))
		case *pgproto3.ErrorResponse:
			if a.Code == "" {
				a.Code = m.Code
			}
			if m.Severity == "FATAL" {
				r.close()
				r.connect()
				return a
			}
		case *pgproto3.ReadyForQuery:
			slices.Sort(a.Rows)
			return a
		}
	}
}

// typeOf prints a type; the OIDs of users' types, and of information_schema's, are the
// server's own.
func typeOf(oid uint32) string {
	if oid >= 13000 {
		return "user"
	}
	return fmt.Sprint(oid)
}

// value prints a value; OIDs of users' objects, which differ, are hidden.
func (r *replay) value(fields []pgproto3.FieldDescription, i int, v []byte) string {
	if v == nil {
		return "NULL"
	}
	if i < len(fields) && fields[i].DataTypeOID == 26 {
		return "oid"
	}
	if i < len(fields) && fields[i].Format == 1 {
		return hex.EncodeToString(v)
	}
	return now.ReplaceAllString(string(v), "now")
}

// now is a time of this day.
var now = regexp.MustCompile(time.Now().UTC().Format("2006-01-02") + `[T ]\d\d:\d\d:\d\d\.\d+(\+00)?`)

// volatile are statements whose rows differ from run to run.
var volatile = regexp.MustCompile(`(?i)now\(\)|current_timestamp|clock_|random|pg_backend_pid|pg_stat|version\(\)|txid|xmin|ctid|_size\(|uuid|pg_settings|oid|inet_|show all|pg_locks|current_date|EXPLAIN`)

// corpusExceptions are the statements, by file and a part of the text, that are
// answered differently for a reason.
var corpusExceptions = []struct{ file, part, reason string }{
	{"psql", "FROM pg_catalog.pg_database d", "there is no template0"},
	{"psql", "create function", "functions"},
	{"psql", "ps_add", "functions"},
	{"psql", "pg_get_functiondef", "functions"},
	{"psql", "ps_.*)$", "functions"},
	{"psql", "FROM pg_catalog.pg_roles r", "the role postgres is there beside root"},
	{"psql", "FROM pg_catalog.pg_extension e", "there is no plpgsql"},
	{"psql", "FROM pg_catalog.pg_language l", "there is no plpgsql"},
	{"psql", "FROM pg_catalog.pg_cast c", "casts of types that do not exist"},
	{"psql", "s.setting IS DISTINCT FROM s.boot_val", "PostgreSQL's configuration file"},
	{"psql", "show server_version", "the packager's suffix"},
	{"psql", "create aggregate", "user-defined aggregates"},
	{"psql", "create trigger", "triggers"},
	{"psql", "create rule", "rules"},
	{"psql", "create policy", "row security"},
	{"pgx", "px_pair", "composite types"},
	{"pgx", "WITH RECURSIVE", "composite types"},
}

func TestCorpus(t *testing.T) {
	postgres, ours := startPostgres(t), startSpanlite(t)
	paths, err := filepath.Glob("../../testdata/clients/corpus/*.sql")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".sql")
		t.Run(name, func(t *testing.T) {
			database := "corpus_" + strings.ReplaceAll(name, "-", "_")
			theirs, mine := newReplay(t, createDatabase(t, postgres, database)), newReplay(t, createDatabase(t, ours, database))
			agreed, total, excepted := 0, 0, 0
		statements:
			for _, s := range readCorpus(t, path) {
				want, got := theirs.run(&s), mine.run(&s)
				if volatile.MatchString(s.text) {
					want.Rows, got.Rows = nil, nil
				}
				total++
				if diff := compare(want, got); diff != "" {
					for _, e := range corpusExceptions {
						if e.file == name && strings.Contains(s.text, e.part) {
							excepted++
							continue statements
						}
					}
					t.Errorf("%s\n%s", s.text, diff)
				} else {
					agreed++
				}
			}
			t.Logf("%d of %d statements agree, %d are exceptions", agreed, total, excepted)
		})
	}
}

// compare returns what is different, "" if nothing is.
func compare(want, got answer) string {
	var b strings.Builder
	line := func(what string, want, got any) {
		if w, g := fmt.Sprint(want), fmt.Sprint(got); w != g {
			fmt.Fprintf(&b, "  %s: PostgreSQL %s\n  %s: Spanlite   %s\n", what, clip(w), what, clip(g))
		}
	}
	line("error", want.Code, got.Code)
	if want.Code == "" && got.Code == "" {
		line("columns", want.Columns, got.Columns)
		line("tags", want.Tags, got.Tags)
		line("rows", strings.Join(want.Rows, "\n"), strings.Join(got.Rows, "\n"))
	}
	return b.String()
}

func clip(s string) string {
	const longest = 1500
	if len(s) > longest {
		return s[:longest] + "..."
	}
	return s
}
