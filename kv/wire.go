package kv

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// ErrCorrupt is wrapped by every error of the decoders in this package: the
// bytes are not what an encoder of a known version wrote.
var ErrCorrupt = errors.New("kv: corrupt encoding")

// wireReader takes a flat encoding apart. The first failure sticks, and every
// later read returns zero, so that decoders check once at the end. Byte slices
// alias the input.
type wireReader struct {
	b   []byte
	err error
}

func (r *wireReader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrCorrupt, what)
	}
	r.b = nil
}

func (r *wireReader) u8() uint8 {
	if len(r.b) < 1 {
		r.fail("truncated")
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *wireReader) u32() uint32 {
	if len(r.b) < 4 {
		r.fail("truncated")
		return 0
	}
	v := binary.LittleEndian.Uint32(r.b)
	r.b = r.b[4:]
	return v
}

func (r *wireReader) u64() uint64 {
	if len(r.b) < 8 {
		r.fail("truncated")
		return 0
	}
	v := binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	return v
}

func (r *wireReader) i64() int64        { return int64(r.u64()) }
func (r *wireReader) ts() hlc.Timestamp { return hlc.Timestamp(r.u64()) }

// bytes reads a length and as many bytes; the result is not nil.
func (r *wireReader) bytes() []byte {
	n := r.u32()
	if uint64(n) > uint64(len(r.b)) {
		r.fail("length beyond the end")
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

// optBytes reads what appendOptBytes wrote: nil and empty are distinct.
func (r *wireReader) optBytes() []byte {
	switch r.u8() {
	case 0:
		return nil
	case 1:
		return r.bytes()
	}
	r.fail("bad presence byte")
	return nil
}

// count reads the length of a list whose elements take at least least bytes
// each, which bounds what a corrupt length can make us allocate.
func (r *wireReader) count(least int) int {
	n := r.u32()
	if uint64(n)*uint64(least) > uint64(len(r.b)) {
		r.fail("list longer than the input")
		return 0
	}
	return int(n)
}

// enum reads one byte that must not exceed last.
func (r *wireReader) enum(last uint8, what string) uint8 {
	v := r.u8()
	if v > last {
		r.fail("unknown " + what)
		return 0
	}
	return v
}

func (r *wireReader) bool() bool { return r.enum(1, "boolean") == 1 }

// version reads the version byte that begins a self-contained encoding.
func (r *wireReader) version(want uint8, what string) {
	if v := r.u8(); r.err == nil && v != want {
		r.fail(fmt.Sprintf("%s of unknown version %d", what, v))
	}
}

// done returns the error met, or one if bytes are left over.
func (r *wireReader) done() error {
	if r.err == nil && len(r.b) > 0 {
		r.fail(fmt.Sprintf("%d trailing bytes", len(r.b)))
	}
	return r.err
}

func appendU32(dst []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(dst, v) }
func appendU64(dst []byte, v uint64) []byte { return binary.LittleEndian.AppendUint64(dst, v) }

func appendBytes(dst, v []byte) []byte {
	return append(appendU32(dst, uint32(len(v))), v...)
}

func appendString(dst []byte, v string) []byte {
	return append(appendU32(dst, uint32(len(v))), v...)
}

func appendOptBytes(dst, v []byte) []byte {
	if v == nil {
		return append(dst, 0)
	}
	return appendBytes(append(dst, 1), v)
}

func appendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func appendSpans(dst []byte, spans []keys.Span) []byte {
	dst = appendU32(dst, uint32(len(spans)))
	for _, s := range spans {
		dst = appendOptBytes(appendBytes(dst, s.Start), s.End)
	}
	return dst
}

func (r *wireReader) spans() []keys.Span {
	n := r.count(5)
	if n == 0 {
		return nil
	}
	s := make([]keys.Span, n)
	for i := range s {
		s[i] = keys.Span{Start: r.bytes(), End: r.optBytes()}
	}
	return s
}
