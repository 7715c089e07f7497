package expr

import (
	"bytes"
	"cmp"
	"math"

	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// ordered are the element types with loops of their own.
type ordered interface{ ~int64 | ~float64 }

// CompareKernel returns the batch kernel of a comparison on a family.
func CompareKernel(op CompareOp, fam types.Family) BatchFn {
	switch fam {
	case types.FamInt, types.FamBool:
		return func(_ *EvalContext, a []*types.Vec, sel []uint16, n int, out *types.Vec) error {
			compareOrdered(op, a[0].Ints, a[1].Ints, a[0].Const, a[1].Const, sel, n, out.Ints)
			return nil
		}
	case types.FamFloat:
		return func(_ *EvalContext, a []*types.Vec, sel []uint16, n int, out *types.Vec) error {
			compareFloats(op, a[0], a[1], sel, n, out.Ints)
			return nil
		}
	case types.FamString:
		return func(_ *EvalContext, a []*types.Vec, sel []uint16, n int, out *types.Vec) error {
			compareBytes(op, a[0], a[1], sel, n, out)
			return nil
		}
	}
	return nil
}

func compareOrdered[E ordered](op CompareOp, a, b []E, aConst, bConst bool, sel []uint16, n int, out []int64) {
	if aConst && !bConst {
		a, b, aConst, bConst, op = b, a, bConst, aConst, op.Commuted()
	}
	if bConst && !aConst {
		c := b[0]
		if sel != nil {
			for _, i := range sel {
				out[i] = b2i(holds(op, a[i], c))
			}
			return
		}
		a, out := a[:n], out[:n]
		// One loop per operator: the switch is outside, the body has no branch.
		switch op {
		case CmpEQ:
			for i, x := range a {
				out[i] = b2i(x == c)
			}
		case CmpNE:
			for i, x := range a {
				out[i] = b2i(x != c)
			}
		case CmpLT:
			for i, x := range a {
				out[i] = b2i(x < c)
			}
		case CmpLE:
			for i, x := range a {
				out[i] = b2i(x <= c)
			}
		case CmpGT:
			for i, x := range a {
				out[i] = b2i(x > c)
			}
		case CmpGE:
			for i, x := range a {
				out[i] = b2i(x >= c)
			}
		}
		return
	}
	step := 1
	if aConst {
		step = 0
	}
	if sel != nil {
		for _, i := range sel {
			out[i] = b2i(holds(op, a[int(i)*step], b[int(i)*step]))
		}
		return
	}
	for i := range n {
		out[i] = b2i(holds(op, a[i*step], b[i*step]))
	}
}

func holds[E ordered](op CompareOp, a, b E) bool {
	switch op {
	case CmpEQ:
		return a == b
	case CmpNE:
		return a != b
	case CmpLT:
		return a < b
	case CmpLE:
		return a <= b
	case CmpGT:
		return a > b
	}
	return a >= b
}

// compareFloats compares in PostgreSQL's order, where NaN is equal to itself and above
// all else; the machine's comparison serves when no NaN is in play.
func compareFloats(op CompareOp, a, b *types.Vec, sel []uint16, n int, out []int64) {
	if (a.Const && !math.IsNaN(a.Floats[0]) || b.Const && !math.IsNaN(b.Floats[0])) && (op == CmpEQ || op == CmpNE) {
		compareOrdered(op, a.Floats, b.Floats, a.Const, b.Const, sel, n, out)
		return
	}
	count := n
	if sel != nil {
		count = len(sel)
	}
	for k := range count {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		out[i] = b2i(op.Holds(CompareFloat(a.Floats[constIndex(a, i)], b.Floats[constIndex(b, i)])))
	}
}

// CompareFloat orders floats as PostgreSQL does.
func CompareFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	}
	return -cmp.Compare(b2i(!math.IsNaN(a)), b2i(!math.IsNaN(b)))
}

func compareBytes(op CompareOp, a, b *types.Vec, sel []uint16, n int, out *types.Vec) {
	count := n
	if sel != nil {
		count = len(sel)
	}
	for k := range count {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		x, y := a.Bytes[constIndex(a, i)], b.Bytes[constIndex(b, i)]
		switch op {
		case CmpEQ:
			out.Ints[i] = b2i(string(x) == string(y))
		case CmpNE:
			out.Ints[i] = b2i(string(x) != string(y))
		default:
			out.Ints[i] = b2i(op.Holds(bytes.Compare(x, y)))
		}
	}
}

// filterCompare is Filter for a comparison of a column with a value fixed for the batch; done is
// false if the predicate has another shape.
func filterCompare(ec *EvalContext, c *Call, b *types.Batch) (done bool, err error) {
	op := c.Op.Compare
	col, ok := c.Args[0].(*ColumnRef)
	other := c.Args[1]
	if !ok {
		if col, ok = c.Args[1].(*ColumnRef); !ok {
			return false, nil
		}
		other, op = c.Args[0], op.Commuted()
	}
	switch other.(type) {
	case *Const, *Param, *OuterRef:
	default:
		return false, nil
	}
	v := b.Cols[col.Ordinal]
	fam := col.T.Family
	if fam != types.FamInt && fam != types.FamBool && fam != types.FamString || v.Const {
		return false, nil
	}
	d, err := other.Eval(ec, nil)
	if err != nil {
		return true, err
	}
	sel := b.SelBuffer()
	if d.IsNull() {
		b.Sel = sel
		return true, nil
	}
	if fam == types.FamString {
		b.Sel = selectBytes(op, v, d.Bytes(), b, sel)
		return true, nil
	}
	b.Sel = selectInts(op, v, d.Int(), b, sel)
	return true, nil
}

func selectInts(op CompareOp, v *types.Vec, c int64, b *types.Batch, sel []uint16) []uint16 {
	// Branch-free compaction: every position is written, the length advances on a match.
	n := b.Len()
	out := sel[:n]
	k := 0
	if b.Sel == nil && !v.HasNulls {
		for i, x := range v.Ints[:n] {
			out[k] = uint16(i)
			k += int(b2i(holds(op, x, c)))
		}
		return out[:k]
	}
	for j := range n {
		i := b.RowAt(j)
		match := holds(op, v.Ints[i], c) && !v.IsNull(i)
		out[k] = uint16(i)
		k += int(b2i(match))
	}
	return out[:k]
}

func selectBytes(op CompareOp, v *types.Vec, c []byte, b *types.Batch, sel []uint16) []uint16 {
	for j, n := 0, b.Len(); j < n; j++ {
		i := b.RowAt(j)
		if v.IsNull(i) {
			continue
		}
		x := v.Bytes[i]
		switch op {
		case CmpEQ:
			if string(x) != string(c) {
				continue
			}
		default:
			if !op.Holds(bytes.Compare(x, c)) {
				continue
			}
		}
		sel = append(sel, uint16(i))
	}
	return sel
}

// ArithOp names the operations that have kernels of their own.
type ArithOp byte

// The operations.
const (
	OpAdd ArithOp = '+'
	OpSub ArithOp = '-'
	OpMul ArithOp = '*'
	OpDiv ArithOp = '/'
)

// IntKernel returns the batch kernel of an integer addition, subtraction or multiplication
// whose result has to lie within lo and hi.
func IntKernel(op ArithOp, lo, hi int64, overflow error) BatchFn {
	return func(_ *EvalContext, args []*types.Vec, sel []uint16, n int, out *types.Vec) error {
		a, b := args[0], args[1]
		as, bs := step(a), step(b)
		bad := false // some result is out of range; whether it counts is found out below
		if sel == nil && as == 1 && bs == 1 && op == OpAdd {
			x, y, z := a.Ints[:n], b.Ints[:n], out.Ints[:n]
			for i := range z {
				r := x[i] + y[i]
				bad = bad || (r > x[i]) != (y[i] > 0) || r < lo || r > hi
				z[i] = r
			}
		} else {
			count := n
			if sel != nil {
				count = len(sel)
			}
			for k := range count {
				i := k
				if sel != nil {
					i = int(sel[k])
				}
				r, ok := arith(op, a.Ints[i*as], b.Ints[i*bs])
				bad = bad || !ok || r < lo || r > hi
				out.Ints[i] = r
			}
		}
		if !bad {
			return nil
		}
		// The slots of NULLs hold anything and may have caused it.
		for k, count := 0, n; k < count; k++ {
			i := k
			if sel != nil {
				if k >= len(sel) {
					break
				}
				i = int(sel[k])
			}
			if out.HasNulls && out.Nulls.Get(i) {
				continue
			}
			if r, ok := arith(op, a.Ints[i*as], b.Ints[i*bs]); !ok || r < lo || r > hi {
				return overflow
			}
		}
		return nil
	}
}

func arith(op ArithOp, a, b int64) (int64, bool) {
	switch op {
	case OpAdd:
		c := a + b
		return c, (c > a) == (b > 0)
	case OpSub:
		c := a - b
		return c, (c < a) == (b > 0)
	}
	if a == 0 || b == 0 {
		return 0, true
	}
	c := a * b
	return c, c/b == a && !(a == -1 && b == math.MinInt64) && !(b == -1 && a == math.MinInt64)
}

// FloatKernel returns the batch kernel of a float operation; exact does one value with
// PostgreSQL's checks and is asked when a result may be an overflow, an underflow or a division by zero.
func FloatKernel(op ArithOp, exact func(a, b float64) (float64, error)) BatchFn {
	return func(_ *EvalContext, args []*types.Vec, sel []uint16, n int, out *types.Vec) error {
		a, b := args[0], args[1]
		as, bs := step(a), step(b)
		count := n
		if sel != nil {
			count = len(sel)
		}
		single := out.T.OID == types.OIDFloat4
		for k := range count {
			i := k
			if sel != nil {
				i = int(sel[k])
			}
			x, y := a.Floats[i*as], b.Floats[i*bs]
			var r float64
			switch op {
			case OpAdd:
				r = x + y
			case OpSub:
				r = x - y
			case OpMul:
				r = x * y
			default:
				r = x / y
			}
			// Zero, infinity and NaN are the results that may stand for an error.
			if r == 0 || r-r != 0 || single {
				var err error
				if r, err = exact(x, y); err != nil && !(out.HasNulls && out.Nulls.Get(i)) {
					return err
				}
			}
			out.Floats[i] = r
		}
		return nil
	}
}

func step(v *types.Vec) int {
	if v.Const {
		return 0
	}
	return 1
}

// ErrDivisionByZero is 22012.
var ErrDivisionByZero = sqlstate.New(sqlstate.DivisionByZero, "division by zero")
