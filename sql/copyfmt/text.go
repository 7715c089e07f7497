package copyfmt

import (
	"bytes"

	"github.com/spanlite/spanlite/sql/sqlstate"
)

// textReader reads COPY's text format: one line a row, fields separated by the
// delimiter, backslash escapes, "\." as end of data.
type textReader struct {
	buffer
	o       Options
	columns int
	line    int
	ended   bool
	row     [][]byte
}

// Line implements Reader.
func (r *textReader) Line() int { return r.line }

// Next implements Reader.
func (r *textReader) Next() ([][]byte, bool, error) {
	for {
		line, ok, err := r.nextLine()
		if !ok || err != nil {
			return nil, false, err
		}
		if r.o.Header && r.line == 1 {
			continue
		}
		if err := r.split(line); err != nil {
			return nil, false, err
		}
		return r.row, true, nil
	}
}

// nextLine returns the next line without its end. A backslash makes a following
// newline data.
func (r *textReader) nextLine() ([]byte, bool, error) {
	if r.ended {
		r.pos = len(r.b)
		return nil, false, nil
	}
	in := r.b[r.pos:]
	end, next := -1, 0
	for i := 0; i < len(in); {
		j := bytes.IndexByte(in[i:], '\n')
		if j < 0 {
			break
		}
		j += i
		if trailingBackslashes(in[:j])%2 == 1 {
			i = j + 1
			continue
		}
		end, next = j, j+1
		break
	}
	if end < 0 {
		if err := r.tooLong(); err != nil {
			return nil, false, err
		}
		if !r.finished || len(in) == 0 {
			return nil, false, nil
		}
		end, next = len(in), len(in)
	}
	line := in[:end]
	r.pos += next
	r.line++
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	if len(line) == 2 && line[0] == '\\' && line[1] == '.' {
		r.ended = true
		r.pos = len(r.b)
		return nil, false, nil
	}
	return line, true, nil
}

func trailingBackslashes(b []byte) int {
	n := 0
	for n < len(b) && b[len(b)-1-n] == '\\' {
		n++
	}
	return n
}

// split cuts a line into fields and undoes the escapes in place.
func (r *textReader) split(line []byte) error {
	r.row = r.row[:0]
	if r.columns == 0 {
		if len(line) > 0 {
			return extraData()
		}
		return nil
	}
	start, escaped := 0, false
	for i := 0; ; i++ {
		if i < len(line) && line[i] == '\\' {
			escaped = true
			i++
			continue
		}
		if i < len(line) && line[i] != r.o.Delimiter {
			continue
		}
		field := line[start:min(i, len(line))]
		switch {
		case string(field) == r.o.Null:
			r.row = append(r.row, nil)
		case escaped:
			r.row = append(r.row, unescape(field))
		default:
			r.row = append(r.row, field)
		}
		if i >= len(line) {
			break
		}
		start, escaped = i+1, false
		if len(r.row) == r.columns {
			return extraData()
		}
	}
	switch {
	case len(r.row) < r.columns:
		return missingColumn()
	case len(r.row) > r.columns:
		return extraData()
	}
	return nil
}

// unescape undoes backslash escapes in place; the result is never longer.
func unescape(field []byte) []byte {
	out := field[:0]
	for i := 0; i < len(field); i++ {
		c := field[i]
		if c != '\\' || i+1 == len(field) {
			out = append(out, c)
			continue
		}
		i++
		switch c = field[i]; c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'v':
			c = '\v'
		case '0', '1', '2', '3', '4', '5', '6', '7':
			v := c - '0'
			for k := 0; k < 2 && i+1 < len(field) && field[i+1] >= '0' && field[i+1] <= '7'; k++ {
				i++
				v = v<<3 | (field[i] - '0')
			}
			c = v
		case 'x':
			v, digits := byte(0), 0
			for digits < 2 && i+1 < len(field) && hexValue(field[i+1]) >= 0 {
				i++
				v = v<<4 | byte(hexValue(field[i]))
				digits++
			}
			if digits > 0 {
				c = v
			}
		}
		out = append(out, c)
	}
	return out
}

func hexValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// AppendText appends one field of COPY's text format, its escapes done.
func (o *Options) AppendText(dst, field []byte) []byte {
	for _, c := range field {
		switch c {
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\v':
			dst = append(dst, '\\', 'v')
		case '\\', o.Delimiter:
			dst = append(dst, '\\', c)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// errBadCSV is an unterminated quoted field.
var errBadCSV = sqlstate.New(sqlstate.BadCopyFileFormat, "unterminated CSV quoted field")
