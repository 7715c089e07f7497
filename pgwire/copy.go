package pgwire

import (
	"io"
	"time"

	"github.com/spanlite/spanlite/sql"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// CopyIn implements sql.Client: it sends CopyInResponse and returns the client's
// data as they come.
func (c *conn) CopyIn(binary bool, columns int) (sql.CopySource, error) {
	c.copyResponse('G', binary, columns)
	if err := c.wr.flush(); err != nil {
		return nil, err
	}
	return &copySource{c: c}, nil
}

// CopyOut implements sql.Client.
func (c *conn) CopyOut(binary bool, columns int) error {
	c.copyResponse('H', binary, columns)
	return nil
}

func (c *conn) copyResponse(typ byte, binary bool, columns int) {
	format := byte(0)
	if binary {
		format = 1
	}
	m := c.wr.begin(typ)
	c.wr.out = append(c.wr.out, format)
	c.wr.int16(int16(columns))
	for range columns {
		c.wr.int16(int16(format))
	}
	c.wr.end(m)
}

// CopyData implements sql.Client.
func (c *conn) CopyData(data []byte) error {
	m := c.wr.begin('d')
	c.wr.out = append(c.wr.out, data...)
	c.wr.end(m)
	return c.wr.maybeFlush()
}

// CopyDone implements sql.Client.
func (c *conn) CopyDone() error {
	c.wr.static(copyDone)
	return nil
}

// copySource reads the CopyData messages of one COPY FROM STDIN.
type copySource struct {
	c    *conn
	done error
}

// Next implements sql.CopySource.
func (s *copySource) Next() ([]byte, error) {
	for s.done == nil {
		typ, body, err := s.c.rd.next()
		if err != nil {
			if isTimeout(err) && s.c.killed.Load() {
				err = errShutdown
			} else if isTimeout(err) {
				if err = s.c.session.Load().Interrupted(); err == nil {
					s.c.nc.SetReadDeadline(time.Time{})
					continue
				}
			}
			s.done = err
			break
		}
		switch typ {
		case 'd':
			return body, nil
		case 'c':
			s.done = io.EOF
		case 'f':
			d := fields{b: body}
			s.done = sqlstate.New(sqlstate.QueryCanceled, "COPY from stdin failed: %s", d.cstring())
		case 'H', 'S':
			// Flush and Sync are ignored during COPY.
		default:
			s.done = fatal(sqlstate.ProtocolViolation, "unexpected message type 0x%02X during COPY from stdin", typ)
		}
	}
	return nil, s.done
}
