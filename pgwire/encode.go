package pgwire

import (
	"encoding/binary"
	"strconv"

	"github.com/spanlite/spanlite/sql"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// This file implements sql.Client: results become messages in the output buffer.

// SetConversion implements sql.Client.
func (c *conn) SetConversion(s *types.Settings) { c.conversion = s }

// formatOf returns the wire format of column i (Bind message, result formats).
func formatOf(formats []int16, i int) int16 {
	switch {
	case len(formats) == 0:
		return 0
	case len(formats) == 1:
		return formats[0]
	case i < len(formats):
		return formats[i]
	}
	return 0
}

// rowDescription appends a RowDescription, or NoData for a statement without
// result (nil columns).
func (c *conn) rowDescription(columns []sql.Column, formats []int16) {
	w := &c.wr
	if columns == nil {
		w.static(noData)
		return
	}
	m := w.begin('T')
	w.int16(int16(len(columns)))
	for i := range columns {
		col := &columns[i]
		w.cstring(col.Name)
		w.uint32(col.TableOID)
		w.int16(col.Attnum)
		w.uint32(uint32(col.Type.OID))
		w.int16(col.Type.Len)
		w.int32(col.Type.Typmod)
		w.int16(formatOf(formats, i))
	}
	w.end(m)
}

// BeginRows implements sql.Client.
func (c *conn) BeginRows(columns []sql.Column, formats []int16) error {
	if c.describeRows {
		c.rowDescription(columns, formats)
	}
	c.rowColumns, c.rowFormats = columns, formats
	return nil
}

// Batch implements sql.Client.
func (c *conn) Batch(b *types.Batch, from, to int) error {
	for i := from; i < to; i++ {
		if err := c.batchRow(b, b.RowAt(i)); err != nil {
			return err
		}
	}
	return nil
}

// SyncFollows implements sql.Client.
func (c *conn) SyncFollows() bool { return c.rd.r < c.rd.w && c.rd.buf[c.rd.r] == 'S' }

// Mark implements sql.Client.
func (c *conn) Mark() sql.OutputMark {
	return sql.OutputMark{Bytes: len(c.wr.out), Flushes: c.wr.flushes}
}

// Rewind implements sql.Client.
func (c *conn) Rewind(m sql.OutputMark) bool {
	if c.wr.flushes != m.Flushes {
		return false
	}
	c.wr.out = c.wr.out[:m.Bytes]
	return true
}

func (c *conn) batchRow(b *types.Batch, i int) error {
	w := &c.wr
	m := w.begin('D')
	w.int16(int16(len(c.rowColumns)))
	for col := range c.rowColumns {
		v := b.Cols[col]
		if v.IsNull(i) {
			w.int32(-1)
			continue
		}
		c.value(v.Get(i), col)
	}
	w.end(m)
	return w.maybeFlush()
}

// Row implements sql.Client.
func (c *conn) Row(row types.Row) error {
	w := &c.wr
	m := w.begin('D')
	w.int16(int16(len(row)))
	for col, d := range row {
		if d.IsNull() {
			w.int32(-1)
			continue
		}
		c.value(d, col)
	}
	w.end(m)
	return w.maybeFlush()
}

// value appends the length and the wire form of a value that is not NULL.
func (c *conn) value(d types.Datum, col int) {
	w := &c.wr
	t := c.rowColumns[col].Type
	mark := len(w.out)
	w.out = append(w.out, 0, 0, 0, 0)
	if formatOf(c.rowFormats, col) == 0 {
		w.out = types.AppendText(w.out, t, d, c.conversion)
	} else {
		w.out = types.AppendBinary(w.out, t, d)
	}
	binary.BigEndian.PutUint32(w.out[mark:], uint32(len(w.out)-mark-4))
}

// Complete implements sql.Client.
func (c *conn) Complete(tag sql.Tag) error {
	w := &c.wr
	m := w.begin('C')
	w.out = append(w.out, tag.Name...)
	if tag.HasCount {
		w.out = append(w.out, ' ')
		w.out = strconv.AppendInt(w.out, tag.Count, 10)
	}
	w.out = append(w.out, 0)
	w.end(m)
	return w.maybeFlush()
}

// Suspended implements sql.Client.
func (c *conn) Suspended() error {
	c.wr.static(portalSuspended)
	return nil
}

// Empty implements sql.Client.
func (c *conn) Empty() error {
	c.wr.static(emptyQuery)
	return nil
}

// Notice implements sql.Client.
func (c *conn) Notice(e *sqlstate.Error) { c.wr.errorMessage('N', e) }

// ParameterStatus implements sql.Client.
func (c *conn) ParameterStatus(name, value string) { c.wr.parameterStatus(name, value) }

// Notification implements sql.Client.
func (c *conn) Notification(pid uint32, channel, payload string) {
	m := c.wr.begin('A')
	c.wr.uint32(pid)
	c.wr.cstring(channel)
	c.wr.cstring(payload)
	c.wr.end(m)
}
