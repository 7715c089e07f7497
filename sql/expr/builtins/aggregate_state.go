package builtins

import (
	"encoding/binary"

	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// Partial states travel between processes as a sequence of
//
//	integer  8 bytes, big-endian
//	flag     1 byte, 0 or 1
//	text     4 bytes length, bytes
//	datum    4 bytes length (-1: NULL), the binary form of its type
//
// in an order that each aggregate defines. Sender and receiver run the same plan, so the
// bytes carry no types.

func appendI64(dst []byte, n int64) []byte { return binary.BigEndian.AppendUint64(dst, uint64(n)) }

func appendFlag(dst []byte, b bool) []byte {
	if b {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func appendText(dst []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(s))), s...)
}

func appendDatum(dst []byte, t *types.T, d datum) []byte {
	if d.IsNull() {
		return binary.BigEndian.AppendUint32(dst, ^uint32(0))
	}
	at := len(dst)
	dst = types.AppendBinary(append(dst, 0, 0, 0, 0), t, d)
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

var errPartial = sqlstate.New(sqlstate.DataCorrupted, "malformed partial aggregate state")

func readI64(src []byte) (int64, []byte, error) {
	if len(src) < 8 {
		return 0, nil, errPartial
	}
	return int64(binary.BigEndian.Uint64(src)), src[8:], nil
}

func readFlag(src []byte) (bool, []byte, error) {
	if len(src) < 1 {
		return false, nil, errPartial
	}
	return src[0] != 0, src[1:], nil
}

func readText(src []byte) (string, []byte, error) {
	if len(src) < 4 {
		return "", nil, errPartial
	}
	n := int(binary.BigEndian.Uint32(src))
	if n > len(src)-4 {
		return "", nil, errPartial
	}
	return string(src[4 : 4+n]), src[4+n:], nil
}

func readDatum(ec *ctx, t *types.T, src []byte) (datum, []byte, error) {
	if len(src) < 4 {
		return null, nil, errPartial
	}
	n := binary.BigEndian.Uint32(src)
	src = src[4:]
	if n == ^uint32(0) {
		return null, src, nil
	}
	if int64(n) > int64(len(src)) {
		return null, nil, errPartial
	}
	d, err := types.ParseBinary(t, src[:n:n], ec.Settings)
	return d, src[n:], err
}

// accumulator is the state of one group of an aggregate that needs no kernel of its own.
type accumulator[S any] interface {
	*S
	add(ec *ctx, a []datum) error
	result(ec *ctx) (datum, error)
	// partial appends the state, ok false if it cannot be sent; merge reads it.
	partial(dst []byte) ([]byte, bool)
	merge(ec *ctx, src []byte) ([]byte, error)
	size() int64
}

// states makes an expr.AggState of an accumulator.
type states[S any, P accumulator[S]] struct {
	groups []S
	fresh  S // what an empty group looks like
	row    []datum
	held   int64
}

// newStates returns the states of an accumulator whose zero value is an empty group.
func newStates[S any, P accumulator[S]]() *states[S, P] { return &states[S, P]{} }

// newStatesOf is newStates for an accumulator that is configured by the call.
func newStatesOf[S any, P accumulator[S]](fresh S) *states[S, P] { return &states[S, P]{fresh: fresh} }

func (s *states[S, P]) Grow(n int) {
	for len(s.groups) < n {
		s.groups = append(s.groups, s.fresh)
		s.held += P(&s.groups[len(s.groups)-1]).size()
	}
}

func (s *states[S, P]) add(ec *ctx, g int, a []datum) error {
	p := P(&s.groups[g])
	s.held -= p.size()
	err := p.add(ec, a)
	s.held += p.size()
	return err
}

func (s *states[S, P]) Add(ec *ctx, g int, a []datum) error { return s.add(ec, g, a) }

func (s *states[S, P]) AddBatch(ec *ctx, groups []uint32, a []*types.Vec, sel []uint16, n int) error {
	return rowsOf(sel, n, func(i int) error {
		s.row = s.row[:0]
		for _, v := range a {
			s.row = append(s.row, v.Get(i))
		}
		return s.add(ec, groupOf(groups, i), s.row)
	})
}

func (s *states[S, P]) Result(ec *ctx, g int) (datum, error) { return P(&s.groups[g]).result(ec) }

func (s *states[S, P]) AppendPartial(dst []byte, g int) ([]byte, bool) {
	return P(&s.groups[g]).partial(dst)
}

func (s *states[S, P]) MergePartial(ec *ctx, g int, src []byte) ([]byte, error) {
	return P(&s.groups[g]).merge(ec, src)
}

func (s *states[S, P]) Reset(g int) {
	s.held -= P(&s.groups[g]).size()
	s.groups[g] = s.fresh
	s.held += P(&s.groups[g]).size()
}

func (s *states[S, P]) Size() int64 { return s.held }

// noPartial is embedded by accumulators that cannot be split.
type noPartial struct{}

func (noPartial) partial(dst []byte) ([]byte, bool) { return dst, false }

func (noPartial) merge(*ctx, []byte) ([]byte, error) {
	return nil, sqlstate.New(sqlstate.InternalError, "this aggregate has no partial state")
}
