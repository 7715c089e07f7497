package pgwire

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Sizes of the input side.
const (
	readBufferBytes = 8 << 10
	// startupBytesMax is PostgreSQL's MAX_STARTUP_PACKET_LENGTH.
	startupBytesMax = 10000
	// readGrowthBytesMax bounds how much memory a claimed message length
	// obtains before its bytes have arrived.
	readGrowthBytesMax = 1 << 20
)

// messageTooLargeError is a frame whose length field is impossible or over the
// limit. The stream cannot be resynchronised, so the connection ends.
type messageTooLargeError struct {
	typ    byte
	length int
	limit  int
}

func (e *messageTooLargeError) Error() string {
	return fmt.Sprintf("invalid message length %d of message %q (limit %d)", e.length, e.typ, e.limit)
}

// reader frames the messages of one connection out of one reused buffer. A
// body that it returned is valid until the next call. Not safe for concurrent
// use.
//
//	buf: | consumed | unread r..w | free |
type reader struct {
	src   io.Reader
	buf   []byte
	r, w  int
	limit int // of a message body, in bytes
}

func newReader(src io.Reader, limit int) *reader {
	return &reader{src: src, buf: make([]byte, readBufferBytes), limit: limit}
}

// buffered reports whether unread input is at hand, in which case the answer to
// the last message need not be flushed yet: the client is pipelining.
func (f *reader) buffered() bool { return f.r < f.w }

// fill makes at least n unread bytes available.
func (f *reader) fill(n int) error {
	for f.w-f.r < n {
		if f.r > 0 && (f.r == f.w || len(f.buf)-f.r < n) {
			copy(f.buf, f.buf[f.r:f.w])
			f.w -= f.r
			f.r = 0
		}
		if f.w == len(f.buf) {
			grown := make([]byte, min(max(n, readBufferBytes), len(f.buf)+min(len(f.buf), readGrowthBytesMax)))
			copy(grown, f.buf[f.r:f.w])
			f.w -= f.r
			f.r = 0
			f.buf = grown
		}
		m, err := f.src.Read(f.buf[f.w:])
		f.w += m
		if err != nil && f.w-f.r < n {
			if err == io.EOF && f.w > f.r {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// next returns the next message: its type and its body. After an error that is
// a timeout it may be called again and goes on where it stopped.
func (f *reader) next() (typ byte, body []byte, err error) {
	f.shrink()
	if err := f.fill(5); err != nil {
		return 0, nil, err
	}
	typ = f.buf[f.r]
	length := int(int32(binary.BigEndian.Uint32(f.buf[f.r+1:]))) - 4
	if length < 0 || length > f.limit {
		return typ, nil, &messageTooLargeError{typ: typ, length: length + 4, limit: f.limit}
	}
	if err := f.fill(5 + length); err != nil {
		return typ, nil, err
	}
	f.r += 5
	body = f.buf[f.r : f.r+length : f.r+length]
	f.r += length
	return typ, body, nil
}

// nextStartup returns the body of an untyped start-up packet.
func (f *reader) nextStartup() ([]byte, error) {
	if err := f.fill(4); err != nil {
		return nil, err
	}
	length := int(int32(binary.BigEndian.Uint32(f.buf[f.r:]))) - 4
	if length < 4 || length > startupBytesMax {
		return nil, &messageTooLargeError{length: length + 4, limit: startupBytesMax}
	}
	f.r += 4
	if err := f.fill(length); err != nil {
		return nil, err
	}
	body := f.buf[f.r : f.r+length : f.r+length]
	f.r += length
	return body, nil
}

// shrink gives a large buffer back once it is empty, so that an idle connection
// costs one small buffer.
func (f *reader) shrink() {
	if f.r == f.w {
		f.r, f.w = 0, 0
		if len(f.buf) > 8*readBufferBytes {
			f.buf = make([]byte, readBufferBytes)
		}
	}
}

// fields decodes the fields of a message body. The first failure sticks; ok
// tells at the end whether every field was there. Strings and byte slices alias
// the body.
type fields struct {
	b   []byte
	bad bool
}

func (d *fields) ok() bool { return !d.bad && len(d.b) == 0 }

func (d *fields) take(n int) []byte {
	if d.bad || n < 0 || n > len(d.b) {
		d.bad = true
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *fields) byte() byte {
	if v := d.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (d *fields) int16() int16 {
	if v := d.take(2); v != nil {
		return int16(binary.BigEndian.Uint16(v))
	}
	return 0
}

func (d *fields) int32() int32 {
	if v := d.take(4); v != nil {
		return int32(binary.BigEndian.Uint32(v))
	}
	return 0
}

// cstring returns a zero-terminated string without its terminator.
func (d *fields) cstring() []byte {
	for i, c := range d.b {
		if c == 0 {
			v := d.b[:i:i]
			d.b = d.b[i+1:]
			return v
		}
	}
	d.bad = true
	return nil
}

// count returns a 16-bit number of things of at least size bytes each, and
// refuses one that the rest of the body cannot hold.
func (d *fields) count(size int) int {
	n := int(uint16(d.int16()))
	if n*size > len(d.b) {
		d.bad = true
		return 0
	}
	return n
}
