package rowenc

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/spanlite/spanlite/sql/types"
)

// fixedWidth returns the bytes that a value of the type takes in the fixed
// section, 0 if it is variable.
func fixedWidth(t *types.T) int {
	switch t.Family {
	case types.FamBool:
		return 1
	case types.FamInt:
		switch t.OID {
		case types.OIDInt2:
			return 2
		case types.OIDInt4, types.OIDDate:
			return 4
		}
		return 8
	case types.FamFloat:
		if t.OID == types.OIDFloat4 {
			return 4
		}
		return 8
	case types.FamString:
		if t.OID == types.OIDUUID {
			return 16
		}
	case types.FamInterval:
		return 16
	case types.FamTimeTZ:
		return 12
	}
	return 0
}

// putFixed writes a value of fixed width.
func putFixed(b []byte, t *types.T, d types.Datum) {
	le := binary.LittleEndian
	switch t.Family {
	case types.FamBool:
		b[0] = byte(d.Int() & 1)
	case types.FamInt:
		switch len(b) {
		case 2:
			le.PutUint16(b, uint16(d.Int()))
		case 4:
			le.PutUint32(b, uint32(d.Int()))
		default:
			le.PutUint64(b, uint64(d.Int()))
		}
	case types.FamFloat:
		if len(b) == 4 {
			le.PutUint32(b, math.Float32bits(float32(d.Float())))
		} else {
			le.PutUint64(b, math.Float64bits(d.Float()))
		}
	case types.FamString:
		copy(b, d.Bytes())
	case types.FamInterval:
		v := d.Interval()
		le.PutUint32(b, uint32(v.Months))
		le.PutUint32(b[4:], uint32(v.Days))
		le.PutUint64(b[8:], uint64(v.Micros))
	case types.FamTimeTZ:
		v := d.TimeTZ()
		le.PutUint64(b, uint64(v.Micros))
		le.PutUint32(b[8:], uint32(v.Zone))
	}
}

// getFixed reads a value of fixed width.
func getFixed(b []byte, t *types.T) types.Datum {
	le := binary.LittleEndian
	switch t.Family {
	case types.FamBool:
		return types.NewBool(b[0] != 0)
	case types.FamInt:
		return types.NewInt(fixedInt(b))
	case types.FamFloat:
		return types.NewFloat(fixedFloat(b))
	case types.FamString:
		return types.NewBytesOf(types.FamString, b)
	case types.FamInterval:
		return types.NewInterval(types.Interval{Months: int32(le.Uint32(b)), Days: int32(le.Uint32(b[4:])), Micros: int64(le.Uint64(b[8:]))})
	}
	return types.NewTimeTZ(types.TimeTZ{Micros: int64(le.Uint64(b)), Zone: int32(le.Uint32(b[8:]))})
}

func fixedInt(b []byte) int64 {
	switch len(b) {
	case 1:
		return int64(b[0])
	case 2:
		return int64(int16(binary.LittleEndian.Uint16(b)))
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(b)))
	}
	return int64(binary.LittleEndian.Uint64(b))
}

func fixedFloat(b []byte) float64 {
	if len(b) == 4 {
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
}

// The first byte of a stored numeric.
const (
	numericSmall = 0 // scale (uvarint), coefficient (varint)
	numericText  = 1
)

// appendVariable appends a value of a variable type.
func appendVariable(dst []byte, t *types.T, d types.Datum) []byte {
	switch t.Family {
	case types.FamString, types.FamBpchar, types.FamJSONB, types.FamInet:
		return append(dst, d.Bytes()...)
	case types.FamNumeric:
		v := d.Numeric()
		if coef, scale, ok := v.Small(); ok {
			dst = append(dst, numericSmall)
			dst = binary.AppendUvarint(dst, uint64(scale))
			return binary.AppendVarint(dst, coef)
		}
		return v.AppendText(append(dst, numericText))
	}
	return types.AppendBinary(dst, t, d)
}

// getVariable reads a value of a variable type; bytes alias b.
func getVariable(b []byte, t *types.T) (types.Datum, error) {
	switch t.Family {
	case types.FamString, types.FamBpchar, types.FamJSONB, types.FamInet:
		return types.NewBytesOf(t.Family, b), nil
	case types.FamNumeric:
		if len(b) > 0 && b[0] == numericSmall {
			scale, n := binary.Uvarint(b[1:])
			if n > 0 && scale <= math.MaxInt32 {
				coef, m := binary.Varint(b[1+n:])
				if m > 0 && 1+n+m == len(b) {
					return types.NewNumeric(types.NumericFromParts(coef, int32(scale))), nil
				}
			}
		} else if len(b) > 1 && b[0] == numericText {
			v, err := types.ParseNumeric(string(b[1:]))
			return types.NewNumeric(v), err
		}
		return types.Null, fmt.Errorf("rowenc: malformed numeric of %d bytes", len(b))
	}
	return types.ParseBinary(t, b, types.DefaultSettings())
}

// appendAny and getAny code a value of any type with its length known from
// outside.
func appendAny(dst []byte, t *types.T, d types.Datum) []byte {
	if w := fixedWidth(t); w > 0 {
		var b [16]byte
		putFixed(b[:w], t, d)
		return append(dst, b[:w]...)
	}
	return appendVariable(dst, t, d)
}

func getAny(b []byte, t *types.T) (types.Datum, error) {
	if w := fixedWidth(t); w > 0 {
		if len(b) != w {
			return types.Null, fmt.Errorf("rowenc: %d bytes of type %s, want %d", len(b), t, w)
		}
		return getFixed(b, t), nil
	}
	return getVariable(b, t)
}

// EncodeMissing returns the form in which a descriptor keeps the value that rows
// from before ADD COLUMN have (catalog.Column.Missing); nil is NULL.
func EncodeMissing(t *types.T, d types.Datum) []byte {
	if d.IsNull() {
		return nil
	}
	return appendAny([]byte{1}, t, d)
}

// DecodeMissing is the inverse of EncodeMissing.
func DecodeMissing(t *types.T, b []byte) (types.Datum, error) {
	if len(b) == 0 {
		return types.Null, nil
	}
	if b[0] != 1 {
		return types.Null, fmt.Errorf("rowenc: missing value of unknown version %d", b[0])
	}
	return getAny(b[1:], t)
}
