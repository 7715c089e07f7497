package pgwire

import (
	"github.com/spanlite/spanlite/sql"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// bindBuffers are reused from one Bind to the next.
type bindBuffers struct {
	paramFormats  []int16
	resultFormats []int16
	params        [][]byte
}

// parse serves Parse: name, text, parameter types.
func (c *conn) parse(session *sql.Session, body []byte) error {
	d := fields{b: body}
	name, text := d.cstring(), d.cstring()
	types := make([]uint32, d.count(4))
	for i := range types {
		types[i] = uint32(d.int32())
	}
	if !d.ok() {
		return badMessage("Parse")
	}
	if err := session.Parse(string(name), string(text), types); err != nil {
		return err
	}
	c.wr.static(parseComplete)
	return nil
}

// bindMessage serves Bind: portal, statement, parameter formats and values,
// result formats.
func (c *conn) bindMessage(session *sql.Session, body []byte) error {
	b := &c.bind
	d := fields{b: body}
	portal, statement := d.cstring(), d.cstring()
	b.paramFormats = b.paramFormats[:0]
	for range d.count(2) {
		b.paramFormats = append(b.paramFormats, d.int16())
	}
	b.params = b.params[:0]
	for range d.count(4) {
		n := d.int32()
		switch {
		case n == -1:
			b.params = append(b.params, nil)
		case n == 0:
			b.params = append(b.params, emptyParam)
		default:
			b.params = append(b.params, d.take(int(n)))
		}
	}
	b.resultFormats = b.resultFormats[:0]
	for range d.count(2) {
		b.resultFormats = append(b.resultFormats, d.int16())
	}
	if !d.ok() {
		return badMessage("Bind")
	}
	for _, formats := range [2][]int16{b.paramFormats, b.resultFormats} {
		for _, f := range formats {
			if f != 0 && f != 1 {
				return sqlstate.New(sqlstate.InvalidParameterValue, "unsupported format code: %d", f)
			}
		}
	}
	// The names are looked up without being copied.
	if err := session.Bind(portal, statement, b.paramFormats, b.params, b.resultFormats); err != nil {
		return err
	}
	c.wr.static(bindComplete)
	return nil
}

// emptyParam is a value of length zero, as opposed to NULL.
var emptyParam = []byte{}

// describe serves Describe of a statement ('S') or a portal ('P').
func (c *conn) describe(session *sql.Session, body []byte) error {
	d := fields{b: body}
	kind, name := d.byte(), d.cstring()
	if !d.ok() {
		return badMessage("Describe")
	}
	switch kind {
	case 'S':
		desc, err := session.DescribeStatement(name)
		if err != nil {
			return err
		}
		m := c.wr.begin('t')
		c.wr.int16(int16(len(desc.Params)))
		for _, t := range desc.Params {
			c.wr.uint32(t)
		}
		c.wr.end(m)
		c.rowDescription(desc.Columns, nil)
	case 'P':
		columns, formats, err := session.DescribePortal(name)
		if err != nil {
			return err
		}
		c.rowDescription(columns, formats)
	default:
		return sqlstate.New(sqlstate.ProtocolViolation, "invalid DESCRIBE message subtype %d", kind)
	}
	return nil
}

// execute serves Execute: portal and row limit.
func (c *conn) execute(session *sql.Session, body []byte) error {
	d := fields{b: body}
	portal, rowsMax := d.cstring(), d.int32()
	if !d.ok() {
		return badMessage("Execute")
	}
	return session.Execute(portal, int64(max(rowsMax, 0)))
}

// close serves Close of a statement or a portal; a missing one is no error.
func (c *conn) close(session *sql.Session, body []byte) error {
	d := fields{b: body}
	kind, name := d.byte(), d.cstring()
	if !d.ok() {
		return badMessage("Close")
	}
	switch kind {
	case 'S':
		session.CloseStatement(name)
	case 'P':
		session.ClosePortal(name)
	default:
		return sqlstate.New(sqlstate.ProtocolViolation, "invalid CLOSE message subtype %d", kind)
	}
	c.wr.static(closeComplete)
	return nil
}
