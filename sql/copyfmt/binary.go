package copyfmt

import (
	"encoding/binary"

	"github.com/spanlite/spanlite/sql/sqlstate"
)

// BinarySignature begins a binary COPY stream, followed by a flags word and the
// length of a header extension.
const BinarySignature = "PGCOPY\n\xff\r\n\x00"

// AppendBinaryHeader appends the header of a binary stream.
func AppendBinaryHeader(dst []byte) []byte {
	dst = append(dst, BinarySignature...)
	return append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
}

// AppendBinaryTrailer appends the end of a binary stream.
func AppendBinaryTrailer(dst []byte) []byte { return append(dst, 0xff, 0xff) }

// binaryReader reads COPY's binary format.
type binaryReader struct {
	buffer
	columns   int
	line      int
	gotHeader bool
	ended     bool
	row       [][]byte
}

// Line implements Reader.
func (r *binaryReader) Line() int { return r.line }

// Next implements Reader.
func (r *binaryReader) Next() ([][]byte, bool, error) {
	if r.ended {
		if r.pos < len(r.b) {
			return nil, false, sqlstate.New(sqlstate.BadCopyFileFormat, "received copy data after EOF marker")
		}
		return nil, false, nil
	}
	if !r.gotHeader {
		if ok, err := r.header(); !ok || err != nil {
			return nil, false, err
		}
	}
	in := r.b[r.pos:]
	if len(in) < 2 {
		return nil, false, r.starved()
	}
	n := int(int16(binary.BigEndian.Uint16(in)))
	if n == -1 {
		r.ended = true
		r.pos += 2
		return r.Next()
	}
	if n != r.columns {
		return nil, false, sqlstate.New(sqlstate.BadCopyFileFormat, "row field count is %d, expected %d", n, r.columns)
	}
	at := 2
	r.row = r.row[:0]
	for range n {
		if len(in)-at < 4 {
			return nil, false, r.starved()
		}
		size := int(int32(binary.BigEndian.Uint32(in[at:])))
		at += 4
		switch {
		case size == -1:
			r.row = append(r.row, nil)
			continue
		case size < 0 || size > RowBytesMax:
			return nil, false, sqlstate.New(sqlstate.BadCopyFileFormat, "invalid field size")
		case len(in)-at < size:
			return nil, false, r.starved()
		}
		r.row = append(r.row, in[at:at+size:at+size])
		at += size
	}
	r.pos += at
	r.line++
	return r.row, true, nil
}

func (r *binaryReader) header() (bool, error) {
	in := r.b[r.pos:]
	if len(in) < len(BinarySignature)+8 {
		if r.finished {
			return false, sqlstate.New(sqlstate.BadCopyFileFormat, "COPY file signature not recognized")
		}
		return false, nil
	}
	if string(in[:len(BinarySignature)]) != BinarySignature {
		return false, sqlstate.New(sqlstate.BadCopyFileFormat, "COPY file signature not recognized")
	}
	flags := binary.BigEndian.Uint32(in[11:])
	if flags&(1<<16) != 0 {
		return false, sqlstate.New(sqlstate.BadCopyFileFormat, "invalid COPY file header (WITH OIDS)")
	}
	if flags>>16 != 0 {
		return false, sqlstate.New(sqlstate.BadCopyFileFormat, "unrecognized critical flags in COPY file header")
	}
	extension := int(int32(binary.BigEndian.Uint32(in[15:])))
	if extension < 0 || extension > RowBytesMax {
		return false, sqlstate.New(sqlstate.BadCopyFileFormat, "invalid COPY file header (wrong length)")
	}
	if len(in) < 19+extension {
		return false, r.starved()
	}
	r.pos += 19 + extension
	r.gotHeader = true
	return true, nil
}

// starved is called when a row is not complete: an error if no more can come.
func (r *binaryReader) starved() error {
	if r.finished && (r.pos < len(r.b) || !r.gotHeader) {
		return sqlstate.New(sqlstate.BadCopyFileFormat, "unexpected EOF in COPY data")
	}
	return r.tooLong()
}
