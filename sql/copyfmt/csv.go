package copyfmt

import "bytes"

// csvReader reads COPY's CSV format. Quotes may begin and end anywhere in a
// field, as PostgreSQL has it; a quoted field never is NULL unless FORCE_NULL.
type csvReader struct {
	buffer
	o       Options
	columns int
	line    int
	ended   bool
	row     [][]byte
	// scanned is how far the search for the end of the present row has come, and
	// inQuote its state there, so that a row fed in many pieces is scanned once.
	scanned int
	inQuote bool
}

// Line implements Reader.
func (r *csvReader) Line() int { return r.line }

// Feed implements Reader.
func (r *csvReader) Feed(piece []byte) {
	r.scanned -= r.pos
	r.buffer.Feed(piece)
}

// Next implements Reader.
func (r *csvReader) Next() ([][]byte, bool, error) {
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

func (r *csvReader) nextLine() ([]byte, bool, error) {
	if r.ended {
		r.pos = len(r.b)
		return nil, false, nil
	}
	i := max(r.scanned, r.pos)
	for i < len(r.b) {
		c := r.b[i]
		switch {
		case r.inQuote && c == r.o.Escape && r.o.Escape != r.o.Quote:
			if i+1 == len(r.b) && !r.finished {
				r.scanned = i
				return nil, false, r.tooLong()
			}
			if i+1 < len(r.b) && (r.b[i+1] == r.o.Quote || r.b[i+1] == r.o.Escape) {
				i++
			}
		case c == r.o.Quote:
			r.inQuote = !r.inQuote
		case c == '\n' && !r.inQuote:
			line := r.b[r.pos:i]
			r.pos, r.scanned = i+1, i+1
			return r.finishLine(line)
		}
		i++
	}
	r.scanned = i
	if !r.finished || r.pos == len(r.b) {
		return nil, false, r.tooLong()
	}
	if r.inQuote {
		return nil, false, errBadCSV
	}
	line := r.b[r.pos:]
	r.pos = len(r.b)
	return r.finishLine(line)
}

func (r *csvReader) finishLine(line []byte) ([]byte, bool, error) {
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

func (r *csvReader) split(line []byte) error {
	r.row = r.row[:0]
	if r.columns == 0 {
		if len(line) > 0 {
			return extraData()
		}
		return nil
	}
	for i := 0; ; {
		if len(r.row) == r.columns {
			return extraData()
		}
		// The field's bytes without quotes and escapes are written over the
		// line, which they never outgrow.
		start, out, quoted, inQuote := i, i, false, false
		for i < len(line) {
			c := line[i]
			if inQuote {
				switch {
				case c == r.o.Escape && i+1 < len(line) && (line[i+1] == r.o.Quote || line[i+1] == r.o.Escape):
					i++
					line[out] = line[i]
					out++
				case c == r.o.Quote:
					inQuote = false
				default:
					line[out] = c
					out++
				}
				i++
				continue
			}
			if c == r.o.Delimiter {
				break
			}
			if c == r.o.Quote {
				quoted, inQuote = true, true
			} else {
				line[out] = c
				out++
			}
			i++
		}
		if inQuote {
			return errBadCSV
		}
		field := line[start:out]
		if string(field) == r.o.Null && r.isNull(len(r.row), quoted) {
			field = nil
		} else if field == nil {
			field = []byte{}
		}
		r.row = append(r.row, field)
		if i >= len(line) {
			break
		}
		i++
	}
	if len(r.row) < r.columns {
		return missingColumn()
	}
	return nil
}

func (r *csvReader) isNull(column int, quoted bool) bool {
	if quoted {
		return r.o.ForceNull != nil && r.o.ForceNull[column]
	}
	return r.o.ForceNotNull == nil || !r.o.ForceNotNull[column]
}

// AppendCSV appends one field of COPY's CSV format, quoted if need be.
func (o *Options) AppendCSV(dst, field []byte, column int, only bool) []byte {
	quote := o.ForceQuoteAll || o.ForceQuote != nil && o.ForceQuote[column] ||
		string(field) == o.Null || only && string(field) == `\.` ||
		bytes.IndexByte(field, o.Delimiter) >= 0 || bytes.IndexByte(field, o.Quote) >= 0 || bytes.ContainsAny(field, "\r\n")
	if !quote {
		return append(dst, field...)
	}
	dst = append(dst, o.Quote)
	for _, c := range field {
		if c == o.Quote || c == o.Escape {
			dst = append(dst, o.Escape)
		}
		dst = append(dst, c)
	}
	return append(dst, o.Quote)
}
