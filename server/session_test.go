package server

import (
	"errors"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/sql"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// discardClient is a sql.Client that counts rows and forgets everything.
type discardClient struct{ rows int }

func (c *discardClient) BeginRows([]sql.Column, []int16) error { return nil }
func (c *discardClient) Batch(_ *types.Batch, from, to int) error {
	c.rows += to - from
	return nil
}
func (c *discardClient) Row(types.Row) error                 { c.rows++; return nil }
func (c *discardClient) Complete(sql.Tag) error              { return nil }
func (c *discardClient) Suspended() error                    { return nil }
func (c *discardClient) Empty() error                        { return nil }
func (c *discardClient) Notice(*sqlstate.Error)              {}
func (c *discardClient) ParameterStatus(string, string)      {}
func (c *discardClient) Notification(uint32, string, string) {}
func (c *discardClient) CopyIn(bool, int) (sql.CopySource, error) {
	return nil, errors.New("no data")
}
func (c *discardClient) CopyOut(bool, int) error       { return nil }
func (c *discardClient) CopyData([]byte) error         { return nil }
func (c *discardClient) CopyDone() error               { return nil }
func (c *discardClient) SetConversion(*types.Settings) {}
func (c *discardClient) SyncFollows() bool             { return true }
func (c *discardClient) Mark() sql.OutputMark          { return sql.OutputMark{} }
func (c *discardClient) Rewind(sql.OutputMark) bool    { return true }

// preparedSession opens a session on a table of 1000 rows, with the statements of
// the hot path prepared.
func preparedSession(t testing.TB) (*sql.Session, *discardClient) {
	n := startNode(t, inMemory())
	c := new(discardClient)
	s, err := n.sql.NewSession(t.Context(), sql.SessionArgs{User: sql.RootUser, Database: sql.DefaultDatabase}, c)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	require.NoError(t, s.Query("CREATE TABLE accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84))"))
	require.NoError(t, s.Query("INSERT INTO accounts SELECT g, 1, 0, '' FROM generate_series(1, 1000) g"))
	require.NoError(t, s.Parse("read", "SELECT abalance FROM accounts WHERE aid = $1", nil))
	require.NoError(t, s.Parse("write", "UPDATE accounts SET abalance = abalance + $1 WHERE aid = $2", nil))
	return s, c
}

// run executes a prepared statement as Bind, Execute and Sync do.
func run(t testing.TB, s *sql.Session, name []byte, params ...[]byte) {
	if err := errors.Join(s.Bind(nil, name, nil, params, nil), s.Execute(nil, 0), s.Sync()); err != nil {
		t.Fatal(err)
	}
}

// TestAllocations guards the number of allocations of point statements, end to
// end but for the socket. They are what a statement costs next to the storage
// engine; see the bounds as a budget and not as a measurement.
func TestAllocations(t *testing.T) {
	s, c := preparedSession(t)
	key, delta := []byte("77"), []byte("5")
	keys := [][]byte{key}
	both := [][]byte{delta, key}
	simple := "SELECT abalance FROM accounts WHERE aid = 77"
	for _, tc := range []struct {
		name string
		max  float64
		f    func()
	}{
		{"prepared select", 5, func() { run(t, s, []byte("read"), keys...) }},
		{"simple select", 5, func() {
			if err := s.Query(simple); err != nil {
				t.Fatal(err)
			}
		}},
		{"prepared update", 20, func() { run(t, s, []byte("write"), both...) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.f()
			got := testing.AllocsPerRun(500, tc.f)
			t.Logf("%.1f allocations", got)
			require.LessOrEqual(t, got, tc.max)
		})
	}
	require.Positive(t, c.rows)
}

// BenchmarkSession is the cost of statements without a socket.
func BenchmarkSession(b *testing.B) {
	s, _ := preparedSession(b)
	var key []byte
	b.Run("prepared select", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			key = strconv.AppendInt(key[:0], int64(i%1000+1), 10)
			run(b, s, []byte("read"), key)
		}
	})
	b.Run("simple select", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if err := s.Query("SELECT abalance FROM accounts WHERE aid = " + strconv.Itoa(i%1000+1)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("prepared update", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			key = strconv.AppendInt(key[:0], int64(i%1000+1), 10)
			run(b, s, []byte("write"), []byte("5"), key)
		}
	})
}

// TestSharedPlans runs simple queries that differ in their literals only, and those
// whose literals do not fit: errors point into the client's own text.
func TestSharedPlans(t *testing.T) {
	const anywhere = -1
	s, c := preparedSession(t)
	rows := func(text string) int {
		before := c.rows
		require.NoError(t, s.Query(text), text)
		return c.rows - before
	}
	for range 2 { // the first makes the plan, the second finds it
		require.Equal(t, 1, rows("SELECT abalance FROM accounts WHERE aid = 7"))
		require.Equal(t, 0, rows("SELECT abalance FROM accounts WHERE aid = 7000"))
		require.Equal(t, 0, rows("SELECT abalance FROM accounts WHERE aid = 7000000000"))
		require.Equal(t, 1, rows("SELECT abalance FROM accounts WHERE aid = '7'"))
		require.Equal(t, 1, rows("UPDATE accounts SET abalance = abalance + -5 WHERE aid = 7 RETURNING aid"))
		require.Equal(t, 0, rows("SELECT aid FROM accounts WHERE aid = 7 AND filler = 'x'"))
		for text, want := range map[string]struct {
			code     sqlstate.Code
			position int
		}{
			"SELECT aid FROM accounts WHERE aid = 'x'":                  {sqlstate.InvalidTextRepresentation, anywhere},
			"SELECT aid FROM accounts WHERE  ad = 7":                    {sqlstate.UndefinedColumn, 33},
			"UPDATE accounts SET abalance = abalance / 0 WHERE aid = 7": {sqlstate.DivisionByZero, 0},
		} {
			e, ok := errors.AsType[*sqlstate.Error](s.Query(text))
			require.True(t, ok, text)
			require.Equal(t, want.code, e.Code, text)
			if want.position == anywhere {
				require.Positive(t, e.Position, text)
			} else {
				require.Equal(t, want.position, e.Position, text)
			}
		}
	}
	require.NoError(t, s.Query("BEGIN"))
	require.Equal(t, byte(sql.TxnOpen), s.TxnStatus())
	require.Equal(t, 1, rows("SELECT abalance FROM accounts WHERE aid = 8"))
	require.Error(t, s.Query("SELECT abalance / 0 FROM accounts WHERE aid = 8"))
	err := s.Query("SELECT abalance FROM accounts WHERE aid = 8")
	require.Equal(t, sqlstate.InFailedSQLTransaction, sqlstate.CodeOf(err))
	require.NoError(t, s.Query("END;"))
	require.NoError(t, s.Query("ALTER TABLE accounts DROP COLUMN filler"))
	require.Equal(t, 1, rows("SELECT * FROM accounts WHERE aid = 7"))
}
