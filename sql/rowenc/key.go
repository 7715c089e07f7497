package rowenc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"

	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// The markers before each key column.
const (
	markNullFirst = 0x01
	markValue     = 0x02
	markNullLast  = 0x03
)

var errTruncated = errors.New("rowenc: key ends within a column")

// keyKind is how values of a type are encoded in a key.
type keyKind uint8

const (
	keyInt16 keyKind = iota
	keyInt32
	keyInt64
	keyBool
	keyFloat
	keyBytes
	keyBpchar
	keyUUID
	keyNumeric
	keyInterval
	keyTimeTZ
	keyInet
	keyArray
	keyNone
)

// kindOf returns the encoding of a type, keyNone if it has no order that keys
// could keep.
func kindOf(t *types.T) keyKind {
	switch t.Family {
	case types.FamBool:
		return keyBool
	case types.FamInt:
		switch t.OID {
		case types.OIDInt2:
			return keyInt16
		case types.OIDInt4, types.OIDDate:
			return keyInt32
		}
		return keyInt64
	case types.FamFloat:
		return keyFloat
	case types.FamString:
		if t.OID == types.OIDUUID {
			return keyUUID
		}
		return keyBytes
	case types.FamInet:
		return keyInet
	case types.FamBpchar:
		return keyBpchar
	case types.FamNumeric:
		return keyNumeric
	case types.FamInterval:
		return keyInterval
	case types.FamTimeTZ:
		return keyTimeTZ
	case types.FamArray:
		if t.Elem != nil && kindOf(t.Elem) != keyNone {
			return keyArray
		}
	}
	return keyNone
}

// Indexable reports whether a column of the type can be part of an index key.
func Indexable(t *types.T) bool { return kindOf(t) != keyNone }

// exact reports whether values of the kind can be read back from a key.
func (k keyKind) exact() bool {
	switch k {
	case keyInt16, keyInt32, keyInt64, keyBool, keyBytes, keyUUID, keyInet:
		return true
	}
	return false
}

// AppendKey appends one key column: marker and value.
func AppendKey(dst []byte, t *types.T, d types.Datum, desc, nullsFirst bool) ([]byte, error) {
	if d.IsNull() {
		if nullsFirst {
			return append(dst, markNullFirst), nil
		}
		return append(dst, markNullLast), nil
	}
	dst = append(dst, markValue)
	at := len(dst)
	dst, err := appendKeyValue(dst, t, kindOf(t), d)
	if err != nil {
		return nil, err
	}
	if desc {
		invert(dst[at:])
	}
	return dst, nil
}

func invert(b []byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}

func appendKeyValue(dst []byte, t *types.T, kind keyKind, d types.Datum) ([]byte, error) {
	be := binary.BigEndian
	switch kind {
	case keyInt16:
		return be.AppendUint16(dst, uint16(d.Int())^1<<15), nil
	case keyInt32:
		return be.AppendUint32(dst, uint32(d.Int())^1<<31), nil
	case keyInt64:
		return be.AppendUint64(dst, uint64(d.Int())^1<<63), nil
	case keyBool:
		return append(dst, byte(d.Int()&1)), nil
	case keyFloat:
		return be.AppendUint64(dst, floatOrder(d.Float())), nil
	case keyUUID:
		return append(dst, d.Bytes()...), nil
	case keyBytes:
		return appendEscaped(dst, d.Bytes()), nil
	case keyBpchar:
		return appendEscaped(dst, bytes.TrimRight(d.Bytes(), " ")), nil
	case keyNumeric:
		return appendNumericKey(dst, d.Numeric()), nil
	case keyInterval:
		days, micros := intervalSpan(d.Interval())
		dst = be.AppendUint64(dst, uint64(days)^1<<63)
		return be.AppendUint64(dst, uint64(micros)), nil
	case keyTimeTZ:
		v := d.TimeTZ()
		dst = be.AppendUint64(dst, uint64(v.Micros+int64(v.Zone)*1e6)^1<<63)
		return be.AppendUint32(dst, uint32(v.Zone)^1<<31), nil
	case keyInet:
		return appendInetKey(dst, d.Bytes()), nil
	case keyArray:
		elem := kindOf(t.Elem)
		a := d.Array()
		for _, e := range a.Elems {
			if e.IsNull() {
				dst = append(dst, markNullLast)
				continue
			}
			var err error
			if dst, err = appendKeyValue(append(dst, markValue), t.Elem, elem, e); err != nil {
				return nil, err
			}
		}
		return appendDims(append(dst, 0x00), a.Dims), nil
	}
	return nil, sqlstate.New(sqlstate.FeatureNotSupported, "an index on type %s is not supported", t)
}

// floatOrder maps a float to an integer of the same order: NaN is above all, -0
// equals 0.
func floatOrder(f float64) uint64 {
	if f == 0 {
		f = 0
	}
	if math.IsNaN(f) {
		return math.MaxUint64
	}
	b := math.Float64bits(f)
	if b>>63 != 0 {
		return ^b
	}
	return b | 1<<63
}

// appendDims appends the shape of an array, which decides among those with the
// same elements: number of dimensions, their lengths, their lower bounds.
func appendDims(dst []byte, dims []types.ArrayDim) []byte {
	dst = append(dst, byte(len(dims)))
	for _, d := range dims {
		dst = binary.BigEndian.AppendUint32(dst, uint32(d.Len)^1<<31)
	}
	for _, d := range dims {
		dst = binary.BigEndian.AppendUint32(dst, uint32(d.Lower)^1<<31)
	}
	return dst
}

// appendInetKey appends an address, held as prefix length and address bytes: size
// of the address, network (host bits zero), prefix length, address. A network is
// so followed by the networks in it, these by the hosts.
func appendInetKey(dst, b []byte) []byte {
	bits, addr := int(b[0]), b[1:]
	dst = append(dst, byte(len(addr)))
	at := len(dst)
	dst = append(dst, addr...)
	for i := range addr {
		dst[at+i] &= byte(0xff << (8 - min(max(bits-8*i, 0), 8)))
	}
	return append(append(dst, b[0]), addr...)
}

const dayMicros = 24 * 3600 * 1e6

// intervalSpan returns an interval's length as days and a rest below one day, a
// month counting 30 days, as comparison does.
func intervalSpan(v types.Interval) (days, micros int64) {
	days = int64(v.Months)*30 + int64(v.Days) + v.Micros/dayMicros
	micros = v.Micros % dayMicros
	if micros < 0 {
		micros += dayMicros
		days--
	}
	return days, micros
}

// appendEscaped appends bytes with 0x00 as 0x00 0xff and the end 0x00 0x01.
func appendEscaped(dst, b []byte) []byte {
	for {
		i := bytes.IndexByte(b, 0)
		if i < 0 {
			dst = append(dst, b...)
			return append(dst, 0x00, 0x01)
		}
		dst = append(dst, b[:i]...)
		dst = append(dst, 0x00, 0xff)
		b = b[i+1:]
	}
}

// The first byte of a numeric key.
const (
	numNegInf = 0x01
	numNeg    = 0x02
	numZero   = 0x03
	numPos    = 0x04
	numInf    = 0x05
	numNaN    = 0x06
)

// appendNumericKey appends sign class, decimal exponent and digits in pairs (each
// plus one), ended by 0x00; all but the class inverted for negative numbers.
func appendNumericKey(dst []byte, v types.Numeric) []byte {
	switch {
	case v.IsNaN():
		return append(dst, numNaN)
	case v.IsInf() && v.Sign() > 0:
		return append(dst, numInf)
	case v.IsInf():
		return append(dst, numNegInf)
	case v.Sign() == 0:
		return append(dst, numZero)
	}
	var buf [64]byte
	text := v.Abs().AppendText(buf[:0])
	// Digits without point and leading zeros; exponent is the number of digits
	// before the point of the normalised number 0.d1d2d3...
	digits := make([]byte, 0, len(text))
	exponent, point := 0, false
	for _, c := range text {
		switch {
		case c == '.':
			point = true
		case c == '0' && len(digits) == 0:
			if point {
				exponent--
			}
		default:
			if !point {
				exponent++
			}
			digits = append(digits, c-'0')
		}
	}
	for len(digits) > 0 && digits[len(digits)-1] == 0 {
		digits = digits[:len(digits)-1]
	}
	if len(digits)%2 == 1 {
		digits = append(digits, 0)
	}
	class := byte(numPos)
	if v.Sign() < 0 {
		class = numNeg
	}
	dst = append(dst, class)
	at := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, uint32(int32(exponent))^1<<31)
	for i := 0; i < len(digits); i += 2 {
		dst = append(dst, digits[i]*10+digits[i+1]+1)
	}
	dst = append(dst, 0)
	if class == numNeg {
		invert(dst[at:])
	}
	return dst
}

// skipKey returns the length of the key column at the start of b.
func skipKey(b []byte, t *types.T, kind keyKind, desc bool) (int, error) {
	if len(b) == 0 {
		return 0, errTruncated
	}
	if b[0] != markValue {
		return 1, nil
	}
	n, err := skipValue(b[1:], t, kind, desc)
	return n + 1, err
}

func skipValue(b []byte, t *types.T, kind keyKind, desc bool) (int, error) {
	n := 0
	switch kind {
	case keyInt16:
		n = 2
	case keyInt32:
		n = 4
	case keyInt64, keyFloat:
		n = 8
	case keyBool:
		n = 1
	case keyUUID, keyInterval:
		n = 16
	case keyTimeTZ:
		n = 12
	case keyBytes, keyBpchar:
		return skipEscaped(b, desc)
	case keyNumeric:
		return skipNumeric(b, desc)
	case keyInet:
		if len(b) == 0 {
			return 0, errTruncated
		}
		size := b[0]
		if desc {
			size = ^size
		}
		if size != 4 && size != 16 {
			return 0, errTruncated
		}
		n = 2 + 2*int(size)
	case keyArray:
		return skipArray(b, t, desc)
	default:
		return 0, errTruncated
	}
	if len(b) < n {
		return 0, errTruncated
	}
	return n, nil
}

func skipEscaped(b []byte, desc bool) (int, error) {
	zero, end := byte(0x00), byte(0x01)
	if desc {
		zero, end = 0xff, 0xfe
	}
	for i := 0; ; {
		j := bytes.IndexByte(b[i:], zero)
		if j < 0 || i+j+1 >= len(b) {
			return 0, errTruncated
		}
		i += j + 2
		if b[i-1] == end {
			return i, nil
		}
	}
}

func skipNumeric(b []byte, desc bool) (int, error) {
	if len(b) == 0 {
		return 0, errTruncated
	}
	class := b[0]
	if desc {
		class = ^class
	}
	if class != numPos && class != numNeg {
		return 1, nil
	}
	end := byte(0)
	if (class == numNeg) != desc {
		end = 0xff
	}
	if len(b) < 6 {
		return 0, errTruncated
	}
	i := bytes.IndexByte(b[5:], end)
	if i < 0 {
		return 0, errTruncated
	}
	return 5 + i + 1, nil
}

func skipArray(b []byte, t *types.T, desc bool) (int, error) {
	flip := byte(0)
	if desc {
		flip = 0xff
	}
	elem := kindOf(t.Elem)
	for i := 0; i < len(b); {
		switch b[i] ^ flip {
		case 0x00:
			if i+2 > len(b) {
				return 0, errTruncated
			}
			n := i + 2 + 8*int(b[i+1]^flip)
			if n > len(b) {
				return 0, errTruncated
			}
			return n, nil
		case markNullLast:
			i++
		case markValue:
			n, err := skipValue(b[i+1:], t.Elem, elem, desc)
			if err != nil {
				return 0, err
			}
			i += 1 + n
		default:
			return 0, errTruncated
		}
	}
	return 0, errTruncated
}

// decodeKey reads the key column at the start of b, of an exact kind, and returns
// its length. Bytes alias b unless they hold zero bytes or are inverted.
func decodeKey(b []byte, t *types.T, kind keyKind, desc bool) (types.Datum, int, error) {
	n, err := skipKey(b, t, kind, desc)
	if err != nil || b[0] != markValue {
		return types.Null, n, err
	}
	v := b[1:n]
	if kind == keyBytes || kind == keyUUID || kind == keyInet {
		if desc {
			v = bytes.Clone(v)
			invert(v)
		}
		switch kind {
		case keyBytes:
			v = unescape(v[:len(v)-2])
		case keyInet:
			v = v[1+int(v[0]):] // behind the network: prefix length and address
		}
		return types.NewBytesOf(t.Family, v), n, nil
	}
	var u uint64
	for _, c := range v {
		u = u<<8 | uint64(c)
	}
	if desc {
		u = ^u
	}
	switch kind {
	case keyInt16:
		return types.NewInt(int64(int16(uint16(u) ^ 1<<15))), n, nil
	case keyInt32:
		return types.NewInt(int64(int32(uint32(u) ^ 1<<31))), n, nil
	case keyBool:
		return types.NewBool(u&1 != 0), n, nil
	}
	return types.NewInt(int64(u ^ 1<<63)), n, nil
}

func unescape(b []byte) []byte {
	if bytes.IndexByte(b, 0) < 0 {
		return b
	}
	return bytes.ReplaceAll(b, []byte{0x00, 0xff}, []byte{0x00})
}
