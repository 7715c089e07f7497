// The tests collect statistics of made-up columns and hold the estimates against the truth.
package stats

import (
	"math"
	"testing"

	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/types"
)

func testTable() *catalog.Table {
	t := &catalog.Table{}
	t.ID, t.Name = 20000, "t"
	for i, c := range []struct {
		name string
		t    *types.T
	}{{"id", types.Int4}, {"kind", types.Text}, {"v", types.Float8}, {"n", types.Int8}} {
		t.Columns = append(t.Columns, catalog.Column{Num: catalog.AttNum(i + 1), Name: c.name, Type: c.t})
	}
	return t
}

// collect makes rows with a unique id, a skewed text, a uniform float and an integer that is NULL in a quarter
// of the rows.
func collect(rows int) *Table {
	c := NewCollector(testTable(), 1)
	kinds := []string{"a", "a", "a", "a", "b", "b", "c", "d"}
	for i := range rows {
		n := types.Null
		if i%4 != 0 {
			n = types.NewInt(int64(i % 50))
		}
		c.Add(types.Row{types.NewInt(int64(i)), types.NewString(kinds[i%8]), types.NewFloat(float64(i%1000) / 10), n})
	}
	return c.Finish(7)
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance {
		t.Errorf("%s is %v, want %v within %v", what, got, want, tolerance)
	}
}

func TestEstimates(t *testing.T) {
	for _, rows := range []int{1000, 100_000} {
		s := collect(rows)
		near(t, "rows", s.Rows, float64(rows), 0)
		near(t, "distinct ids", s.Columns[1].Distinct, float64(rows), float64(rows)/100)
		near(t, "correlation of ids", s.Columns[1].Correlation, 1, 0.4)
		near(t, "ids below a third", s.Columns[1].Below(types.NewInt(int64(rows/3)), false), 1.0/3, 0.02)
		near(t, "share of a", s.Columns[2].Equal(types.NewString("a")), 0.5, 0.02)
		near(t, "share of c", s.Columns[2].Equal(types.NewString("c")), 0.125, 0.02)
		near(t, "share of none", s.Columns[2].Equal(types.NewString("zz")), 0, 0.01)
		near(t, "floats below 25", s.Columns[3].Below(types.NewFloat(25), false), 0.25, 0.03)
		near(t, "NULLs", s.Columns[4].NullFrac, 0.25, 0.02)
		near(t, "distinct n", s.Columns[4].Distinct, 50, 15)
	}
}

func TestCodec(t *testing.T) {
	table := testTable()
	s := collect(5000)
	b := s.Encode(nil, table)
	got, err := Decode(table, b)
	if err != nil {
		t.Fatal(err)
	}
	if string(got.Encode(nil, table)) != string(b) {
		t.Error("statistics change when stored and read back")
	}
	// A column that is gone takes its part with it.
	less := testTable()
	less.Columns = less.Columns[:2]
	if got, err = Decode(less, b); err != nil || len(got.Columns) != 2 {
		t.Errorf("Decode for a table of two columns: %d columns, %v", len(got.Columns), err)
	}
}

func FuzzDecode(f *testing.F) {
	table := testTable()
	f.Add(collect(300).Encode(nil, table))
	f.Add([]byte{codecVersion})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Decode(table, b)
		if err == nil {
			s.Encode(nil, table)
		}
	})
}

func TestEmpty(t *testing.T) {
	s := NewCollector(testTable(), 1).Finish(0)
	if s.Rows != 0 || s.Columns[1].Equal(types.NewInt(1)) < 0 {
		t.Error("statistics of an empty table make no sense")
	}
	var c *Cache
	if c.Table(1) != nil {
		t.Error("a nil cache has statistics")
	}
}
