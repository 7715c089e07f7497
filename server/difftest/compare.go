package difftest

import (
	"context"
	be "encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// protocol is the way in which a statement is sent.
type protocol string

const (
	simple   protocol = "simple"   // a Query message
	extended protocol = "extended" // Parse, Bind and Execute, text results
	binary   protocol = "binary"   // the same with binary results
)

// answer is what a server says to a statement.
type answer struct {
	columns []string
	rows    [][]string
	floats  []bool // which columns are floating point
	tag     string
	notices []string
	err     error
}

// client is a connection that remembers the notices of the current statement.
type client struct {
	conn    *pgconn.PgConn
	cfg     *pgconn.Config
	notices []string
}

func dial(ctx context.Context, cfg *pgconn.Config) (*client, error) {
	c := &client{cfg: cfg}
	cfg.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		c.notices = append(c.notices, n.Severity+" "+n.Code+" "+n.Message)
	}
	conn, err := pgconn.ConnectConfig(ctx, cfg)
	c.conn = conn
	return c, err
}

// firstUserOID is where ids of user-made objects begin; they differ between servers.
const firstUserOID = 16384

const float4OID, float8OID = 700, 701

// run sends a statement and collects the answer.
func (c *client) run(ctx context.Context, sql string, p protocol) answer {
	c.notices = nil
	var a answer
	if c.conn.IsClosed() { // by a time-out or a fatal error of the statement before
		conn, err := pgconn.ConnectConfig(ctx, c.cfg)
		if err != nil {
			a.err = err
			return a
		}
		c.conn = conn
	}
	switch p {
	case simple:
		results := c.conn.Exec(ctx, sql)
		for results.NextResult() {
			a = readResult(results.ResultReader())
		}
		if err := results.Close(); err != nil {
			a.err = err
		}
	case extended:
		a = readResult(c.conn.ExecParams(ctx, sql, nil, nil, nil, nil))
	case binary:
		a = readResult(c.conn.ExecParams(ctx, sql, nil, nil, nil, []int16{1}))
	}
	a.notices = c.notices
	return a
}

func readResult(rr *pgconn.ResultReader) answer {
	a := answer{floats: make([]bool, len(rr.FieldDescriptions()))}
	userType := make([]bool, len(rr.FieldDescriptions()))
	for i, f := range rr.FieldDescriptions() {
		oid := fmt.Sprint(f.DataTypeOID)
		if f.DataTypeOID >= firstUserOID {
			oid, userType[i] = "user", true
		}
		a.floats[i] = f.DataTypeOID == float4OID || f.DataTypeOID == float8OID
		a.columns = append(a.columns, fmt.Sprintf("%s %s(%d)/%d attnum=%d", f.Name, oid, f.TypeModifier, f.DataTypeSize, f.TableAttributeNumber))
	}
	fields := rr.FieldDescriptions()
	for rr.NextRow() {
		row := make([]string, len(fields))
		for i, v := range rr.Values() {
			switch {
			case v == nil:
				row[i] = "NULL"
			case fields[i].Format == 0:
				row[i] = string(v)
			case userType[i]:
				row[i] = "?" // arrays and records hold type ids
			case a.floats[i]:
				row[i] = floatText(v)
			default:
				row[i] = hex.EncodeToString(v)
			}
		}
		a.rows = append(a.rows, row)
	}
	tag, err := rr.Close()
	a.tag, a.err = tag.String(), err
	return a
}

var orderBy = regexp.MustCompile(`(?is)\border\s+by\b`)

// compare returns how two answers to a statement differ, "" if they do not.
func compare(sql string, want, got answer) string {
	if d := compareErrors(want.err, got.err); d != "" {
		return d
	}
	if want.err != nil {
		return "" // how much is said before an error depends on when constants are folded
	}
	switch {
	case want.tag != got.tag:
		return fmt.Sprintf("command tag: want %s, got %s", want.tag, got.tag)
	case !slices.Equal(want.columns, got.columns) && !(anyOrder.MatchString(sql) && sameButModifiers(want.columns, got.columns)):
		return fmt.Sprintf("columns: want %s\n          got %s", strings.Join(want.columns, ", "), strings.Join(got.columns, ", "))
	case !slices.Equal(want.notices, got.notices):
		return fmt.Sprintf("notices: want %q\n          got %q", want.notices, got.notices)
	}
	if !sameRows(sql, want, got) {
		return fmt.Sprintf("rows: want %s\n       got %s", clip(want.texts()), clip(got.texts()))
	}
	return ""
}

// sameButModifiers compares columns without their type modifiers: PostgreSQL may find one when it simplifies a plan.
func sameButModifiers(want, got []string) bool {
	return slices.EqualFunc(want, got, func(a, b string) bool {
		return modifier.ReplaceAllString(a, "") == modifier.ReplaceAllString(b, "")
	})
}

var modifier = regexp.MustCompile(`\(-?\d+\)/`)

// anyOrder marks a random query: its order may leave equal rows that print differently (1.0 and 1.00).
var anyOrder = regexp.MustCompile(`^/\* any order \*/`)

func sameRows(sql string, want, got answer) bool {
	if len(want.rows) != len(got.rows) {
		return false
	}
	if want.equal(got) {
		return true
	}
	if orderBy.MatchString(sql) && !anyOrder.MatchString(sql) {
		return false
	}
	slices.SortFunc(want.rows, slices.Compare)
	slices.SortFunc(got.rows, slices.Compare)
	return want.equal(got)
}

func (a answer) equal(b answer) bool {
	return slices.EqualFunc(a.rows, b.rows, func(r, s []string) bool {
		for i := range r {
			if r[i] != s[i] && (!a.floats[i] || !nearly(r[i], s[i])) {
				return false
			}
		}
		return true
	})
}

// nearly tells of different numbers whether their difference may come from two
// libraries of mathematics. A number written in two ways is not near itself.
func nearly(a, b string) bool {
	const most = 1e-14
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	return err1 == nil && err2 == nil && x != y && math.Abs(x-y) <= most*math.Max(math.Abs(x), math.Abs(y))
}

// floatText writes a binary float down.
func floatText(v []byte) string {
	if len(v) == 4 {
		return strconv.FormatFloat(float64(math.Float32frombits(be.BigEndian.Uint32(v))), 'g', -1, 32)
	}
	return strconv.FormatFloat(math.Float64frombits(be.BigEndian.Uint64(v)), 'g', -1, 64)
}

// texts returns the rows as lines.
func (a answer) texts() []string {
	lines := make([]string, len(a.rows))
	for i, row := range a.rows {
		lines[i] = strings.Join(row, "|")
	}
	return lines
}

// clip bounds what a report shows of the rows.
func clip(rows []string) string {
	const most = 12
	if len(rows) > most {
		rows = append(slices.Clone(rows[:most]), fmt.Sprintf("... (%d rows)", len(rows)))
	}
	return strings.Join(rows, "\n            ")
}

func compareErrors(want, got error) string {
	w, g := describeError(want), describeError(got)
	if w == g {
		return ""
	}
	return fmt.Sprintf("outcome: want %s\n          got %s", w, g)
}

// describeError writes down all of an error that is compared.
func describeError(err error) string {
	if err == nil {
		return "success"
	}
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return "connection error: " + err.Error()
	}
	out := fmt.Sprintf("%s @%d %s", e.Code, e.Position, e.Message)
	if e.Detail != "" {
		out += " DETAIL: " + e.Detail
	}
	if e.Hint != "" {
		out += " HINT: " + e.Hint
	}
	return out
}
