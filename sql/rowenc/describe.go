package rowenc

import (
	"bytes"

	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/types"
)

// KeyDatum reads the i-th column of a key of an index, of the primary key's for the
// key of a row. ok is false if the key is not the index's, ends before the column,
// or does not hold the value itself. The result aliases key.
func (c *Codec) KeyDatum(x *catalog.Index, i int, key []byte) (d types.Datum, ok bool) {
	l := c.index(x)
	if !bytes.HasPrefix(key, l.prefix) || i >= len(l.cols) || !l.cols[i].kind.exact() {
		return types.Null, false
	}
	d, err := l.keyColumn(key, i, 0)
	return d, err == nil
}
