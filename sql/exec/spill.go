package exec

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/spanlite/spanlite/sql/types"
)

// A sorted run on disk is a sequence of rows in a temporary file that has no name any
// more once it is open. A row is its columns one after the other:
//
//	+--------+----------------------------+
//	| tag u8 | 0: NULL, nothing           |
//	|        | 1: int or float, 8 bytes LE|
//	|        | 2: bytes, uvarint length   |
//	|        | 3: binary form of the type |
//	+--------+----------------------------+
//
// The format lives for one statement in one process and has no version.
type spillRun struct {
	f    *os.File
	rows int
	rd   *bufio.Reader
}

const (
	spillNull byte = iota
	spillWord
	spillBytes
	spillBinary
)

// spill writes the rows of s in their order to a new file.
func (s *sortOp) spill() (*spillRun, error) {
	f, err := os.CreateTemp(s.r.c.TempDir, "spanlite-sort-*")
	if err != nil {
		return nil, fmt.Errorf("create temporary file of a sort: %w", err)
	}
	// The file disappears with its descriptor, even if the process dies.
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("unlink temporary file of a sort: %w", err)
	}
	w := bufio.NewWriterSize(f, 256<<10)
	var buf []byte
	for _, e := range s.order {
		c, i := s.store.at(int(e.row))
		buf = buf[:0]
		for _, v := range c.Cols {
			buf = appendSpilled(buf, v, i)
		}
		if _, err := w.Write(buf); err != nil {
			f.Close()
			return nil, fmt.Errorf("write temporary file of a sort: %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		f.Close()
		return nil, fmt.Errorf("write temporary file of a sort: %w", err)
	}
	return &spillRun{f: f, rows: len(s.order)}, nil
}

func appendSpilled(buf []byte, v *types.Vec, i int) []byte {
	if v.IsNull(i) {
		return append(buf, spillNull)
	}
	switch v.T.Family {
	case types.FamInt, types.FamBool:
		return binary.LittleEndian.AppendUint64(append(buf, spillWord), uint64(v.Ints[i]))
	case types.FamFloat:
		return binary.LittleEndian.AppendUint64(append(buf, spillWord), math.Float64bits(v.Floats[i]))
	case types.FamString, types.FamBpchar, types.FamJSONB, types.FamInet:
		buf = binary.AppendUvarint(append(buf, spillBytes), uint64(len(v.Bytes[i])))
		return append(buf, v.Bytes[i]...)
	}
	body := types.AppendBinary(nil, v.T, v.Get(i))
	buf = binary.AppendUvarint(append(buf, spillBinary), uint64(len(body)))
	return append(buf, body...)
}

func (r *spillRun) close() {
	if r.f != nil {
		r.f.Close()
		r.f = nil
	}
}

func (r *spillRun) rewind() error {
	if _, err := r.f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read temporary file of a sort: %w", err)
	}
	r.rd = bufio.NewReaderSize(r.f, 64<<10)
	return nil
}

// read reads the next row into row 0 of b; ok is false at the end.
func (r *spillRun) read(b *types.Batch, s *types.Settings) (ok bool, err error) {
	if r.rows == 0 {
		return false, nil
	}
	r.rows--
	b.Reset()
	for _, v := range b.Cols {
		tag, err := r.rd.ReadByte()
		if err != nil {
			return false, fmt.Errorf("read temporary file of a sort: %w", err)
		}
		switch tag {
		case spillNull:
			v.AppendNull()
		case spillWord:
			var w [8]byte
			if _, err := io.ReadFull(r.rd, w[:]); err != nil {
				return false, fmt.Errorf("read temporary file of a sort: %w", err)
			}
			x := binary.LittleEndian.Uint64(w[:])
			if v.T.Family == types.FamFloat {
				v.AppendFloat(math.Float64frombits(x))
			} else {
				v.AppendInt(int64(x))
			}
		default:
			n, err := binary.ReadUvarint(r.rd)
			if err != nil {
				return false, fmt.Errorf("read temporary file of a sort: %w", err)
			}
			body := make([]byte, n)
			if _, err := io.ReadFull(r.rd, body); err != nil {
				return false, fmt.Errorf("read temporary file of a sort: %w", err)
			}
			if tag == spillBytes {
				v.AppendBytes(body)
				continue
			}
			d, err := types.ParseBinary(v.T, body, s)
			if err != nil {
				return false, err
			}
			v.Append(d)
		}
	}
	b.N = 1
	return true, nil
}

// merger merges sorted runs with a binary heap.
type merger struct {
	s     *sortOp
	heads []*mergeHead
	out   *types.Batch
}

type mergeHead struct {
	run *spillRun
	row *types.Batch
	seq int
}

func newMerger(s *sortOp, runs []*spillRun) (*merger, error) {
	m := &merger{s: s, out: newBatch(s.n.Types())}
	for i, r := range runs {
		if err := r.rewind(); err != nil {
			return nil, err
		}
		h := &mergeHead{run: r, row: newBatch(s.n.Types()), seq: i}
		ok, err := r.read(h.row, s.r.ec.Settings)
		if err != nil {
			return nil, err
		}
		if ok {
			m.heads = append(m.heads, h)
		}
	}
	for i := len(m.heads)/2 - 1; i >= 0; i-- {
		m.down(i)
	}
	return m, nil
}

func (m *merger) less(a, b *mergeHead) bool {
	c := compareRows(a.row.Cols, 0, b.row.Cols, 0, m.s.n.Keys)
	return c < 0 || c == 0 && a.seq < b.seq
}

func (m *merger) down(i int) {
	for {
		l, least := 2*i+1, i
		if l < len(m.heads) && m.less(m.heads[l], m.heads[least]) {
			least = l
		}
		if l+1 < len(m.heads) && m.less(m.heads[l+1], m.heads[least]) {
			least = l + 1
		}
		if least == i {
			return
		}
		m.heads[i], m.heads[least] = m.heads[least], m.heads[i]
		i = least
	}
}

func (m *merger) next() (*types.Batch, error) {
	m.out.Reset()
	for m.out.N < types.BatchSize && len(m.heads) > 0 {
		h := m.heads[0]
		for c, v := range m.out.Cols {
			v.AppendCopy(h.row.Cols[c].Get(0))
		}
		m.out.N++
		ok, err := h.run.read(h.row, m.s.r.ec.Settings)
		if err != nil {
			return nil, err
		}
		if !ok {
			last := len(m.heads) - 1
			m.heads[0] = m.heads[last]
			m.heads = m.heads[:last]
		}
		m.down(0)
	}
	if m.out.N == 0 {
		return nil, nil
	}
	return m.out, nil
}
