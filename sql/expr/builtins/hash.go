package builtins

import (
	"encoding/binary"
	"math/bits"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/types"
)

// hashFunctions are PostgreSQL's hash functions that applications call, mostly to make keys of advisory locks. The
// values are PostgreSQL's: Bob Jenkins' lookup3 with other constants.
func hashFunctions() []*expr.Function {
	return []*expr.Function{
		fn1("hashtext", int4, text, func(_ *ctx, a datum) (datum, error) {
			_, c := hashBytes(a.Bytes(), 0)
			return types.NewInt(int64(int32(c))), nil
		}),
		fn2("hashtextextended", int8, text, int8, func(_ *ctx, a, seed datum) (datum, error) {
			b, c := hashBytes(a.Bytes(), uint64(seed.Int()))
			return types.NewInt(int64(uint64(b)<<32 | uint64(c))), nil
		}),
	}
}

// hashBytes returns the two words of the hash.
func hashBytes(k []byte, seed uint64) (uint32, uint32) {
	a := 0x9e3779b9 + uint32(len(k)) + 3923095
	b, c := a, a
	if seed != 0 {
		a += uint32(seed >> 32)
		b += uint32(seed)
		a, b, c = hashMix(a, b, c)
	}
	for len(k) >= 12 {
		a += binary.LittleEndian.Uint32(k)
		b += binary.LittleEndian.Uint32(k[4:])
		c += binary.LittleEndian.Uint32(k[8:])
		a, b, c = hashMix(a, b, c)
		k = k[12:]
	}
	for i, x := range k {
		switch {
		case i < 4:
			a += uint32(x) << (8 * i)
		case i < 8:
			b += uint32(x) << (8 * (i - 4))
		default: // the lowest byte of c is the length's
			c += uint32(x) << (8 * (i - 7))
		}
	}
	c ^= b
	c -= bits.RotateLeft32(b, 14)
	a ^= c
	a -= bits.RotateLeft32(c, 11)
	b ^= a
	b -= bits.RotateLeft32(a, 25)
	c ^= b
	c -= bits.RotateLeft32(b, 16)
	a ^= c
	a -= bits.RotateLeft32(c, 4)
	b ^= a
	b -= bits.RotateLeft32(a, 14)
	c ^= b
	c -= bits.RotateLeft32(b, 24)
	return b, c
}

func hashMix(a, b, c uint32) (uint32, uint32, uint32) {
	a = (a - c) ^ bits.RotateLeft32(c, 4)
	c += b
	b = (b - a) ^ bits.RotateLeft32(a, 6)
	a += c
	c = (c - b) ^ bits.RotateLeft32(b, 8)
	b += a
	a = (a - c) ^ bits.RotateLeft32(c, 16)
	c += b
	b = (b - a) ^ bits.RotateLeft32(a, 19)
	a += c
	c = (c - b) ^ bits.RotateLeft32(b, 4)
	b += a
	return a, b, c
}
