package exec

import (
	"bufio"
	"encoding/binary"
	"io"
	"math"
	"os"

	"github.com/spanlite/spanlite/sql/types"
)

// A spillRun is a sequence of rows in a temporary file that has no name any
// more once it is open. A row is its columns one after the other:
//
//	+--------+----------------------------+
//	| tag u8 | 0: NULL, nothing           |
//	|        | 1: int or float, 8 bytes LE|
//	|        | 2: bytes, uvarint length   |
//	|        | 3: binary form of the type |
//	+--------+----------------------------+
//
// The format lives for one statement in one process and has no version. It is written first, then read.
type spillRun struct {
	f    *os.File
	rows int
	// space has counted bytes for the file.
	space *TempSpace
	bytes int64
	w     *bufio.Writer
	rd    *bufio.Reader
	buf   []byte
}

const (
	spillNull byte = iota
	spillWord
	spillBytes
	spillBinary
)

// newSpillRun makes an empty file. A small buffer does where there are many files.
func (r *run) newSpillRun(bufferBytes int) (*spillRun, error) {
	f, err := r.c.Temp.create()
	if err != nil {
		return nil, err
	}
	return &spillRun{f: f, space: r.c.Temp, w: bufio.NewWriterSize(f, bufferBytes)}, nil
}

// write adds row i of the columns.
func (r *spillRun) write(cols []*types.Vec, i int) error {
	r.buf = r.buf[:0]
	for _, v := range cols {
		r.buf = appendSpilled(r.buf, v, i)
	}
	r.rows++
	if err := r.space.grow(int64(len(r.buf))); err != nil {
		return err
	}
	r.bytes += int64(len(r.buf))
	if _, err := r.w.Write(r.buf); err != nil {
		return tempFileError("write", err)
	}
	return nil
}

// spill writes the rows of s in their order to a new file.
func (s *sortOp) spill() (*spillRun, error) {
	run, err := s.r.newSpillRun(256 << 10)
	if err != nil {
		return nil, err
	}
	for _, e := range s.order {
		c, i := s.store.at(int(e.row))
		if err := run.write(c.Cols, i); err != nil {
			run.close()
			return nil, err
		}
	}
	return run, nil
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
		r.space.shrink(r.bytes)
		r.bytes = 0
	}
}

// rewind ends the writing.
func (r *spillRun) rewind() error {
	if err := r.w.Flush(); err != nil {
		return tempFileError("write", err)
	}
	r.w, r.buf = nil, nil
	if _, err := r.f.Seek(0, io.SeekStart); err != nil {
		return tempFileError("read", err)
	}
	r.rd = bufio.NewReaderSize(r.f, 64<<10)
	return nil
}

// read reads the next row into row 0 of b; ok is false at the end.
func (r *spillRun) read(b *types.Batch, s *types.Settings) (ok bool, err error) {
	b.Reset()
	return r.append(b, s)
}

// append reads the next row behind those of b; ok is false at the end.
func (r *spillRun) append(b *types.Batch, s *types.Settings) (ok bool, err error) {
	if r.rows == 0 {
		return false, nil
	}
	r.rows--
	for _, v := range b.Cols {
		tag, err := r.rd.ReadByte()
		if err != nil {
			return false, tempFileError("read", err)
		}
		switch tag {
		case spillNull:
			v.AppendNull()
		case spillWord:
			var w [8]byte
			if _, err := io.ReadFull(r.rd, w[:]); err != nil {
				return false, tempFileError("read", err)
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
				return false, tempFileError("read", err)
			}
			body := make([]byte, n)
			if _, err := io.ReadFull(r.rd, body); err != nil {
				return false, tempFileError("read", err)
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
	b.N++
	return true, nil
}

// spillReader is an operator that reads a run.
type spillReader struct {
	r   *run
	run *spillRun
	b   *types.Batch
}

func (s *spillReader) Open() error { return s.run.rewind() }

func (s *spillReader) Close() { s.run.close() }

func (s *spillReader) Next() (*types.Batch, error) {
	s.b.Reset()
	for s.b.N < types.BatchSize {
		ok, err := s.run.append(s.b, s.r.ec.Settings)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
	}
	if s.b.N == 0 {
		return nil, nil
	}
	return s.b, nil
}

// spillParts is the number of files over which a hash table that does not fit is divided, maxSpillLevel how often a
// part may be divided again: beyond, the rows of a part are all but the same and go to memory, or end in 53200.
const (
	spillParts    = 16
	maxSpillLevel = 4
)

// spillPart picks the part of a hash. Levels use different bits, none of which pick the slot in a hash table.
func spillPart(h uint64, level int) int { return int(h >> (60 - 4*level) & (spillParts - 1)) }

// partBufferBytes is the write buffer of one part.
const partBufferBytes = 16 << 10

// parts are the files of a level, made when first needed.
type parts [spillParts]*spillRun

func (p *parts) write(r *run, h uint64, level int, cols []*types.Vec, i int) error {
	k := spillPart(h, level)
	if p[k] == nil {
		run, err := r.newSpillRun(partBufferBytes)
		if err != nil {
			return err
		}
		p[k] = run
	}
	return p[k].write(cols, i)
}

func (p *parts) close() {
	for _, run := range p {
		if run != nil {
			run.close()
		}
	}
}

// workMemBytes is what an operator may keep in memory before it spills.
func (r *run) workMemBytes() int64 {
	if r.c.WorkMem > 0 {
		return r.c.WorkMem
	}
	return workMem
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
