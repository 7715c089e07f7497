package expr

import (
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// NewSubscriptAssign is the value that a column has after UPDATE ... SET column[index] = value: container with a
// part replaced. The error of a value that does not fit names the column.
//
// It is a call of a function that cannot be named: its arguments are the container, the value, and of each
// subscript the lower and the upper bound, a NULL literal where there is none.
func NewSubscriptAssign(s *types.Settings, container, value Expr, index []SubscriptIndex, column string) (Expr, error) {
	place, err := NewSubscript(s, container, index)
	if err != nil {
		return nil, err
	}
	sub := place.(*Subscript)
	v, ok, err := Coerce(s, value, sub.T, types.CastAssignment)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, sqlstate.New(sqlstate.DatatypeMismatch, "subscripted assignment to %q requires type %s but expression is of type %s",
			column, nameOf(sub.T), nameOf(value.Type())).WithHint("You will need to rewrite or cast the expression.")
	}
	args := []Expr{container, v}
	for _, ix := range sub.Index {
		for _, b := range []Expr{ix.Lower, ix.Upper} {
			if b == nil {
				b = &Const{T: types.Int4}
			}
			args = append(args, b)
		}
	}
	fn := &Function{Name: "subscript_assign", Ret: container.Type(), NotStrict: true}
	if container.Type().OID == types.OIDJSONB {
		fn.FnN = assignJSON
	} else {
		a := &arrayAssign{index: sub.Index}
		fn.FnN = a.eval
	}
	return &Call{Fn: fn, Args: args, T: container.Type()}, nil
}

var errNullSubscript = sqlstate.New(sqlstate.NullValueNotAllowed, "array subscript in assignment must not be null")

// arrayAssign replaces an element or a slice of an array.
type arrayAssign struct{ index []SubscriptIndex }

func (a *arrayAssign) eval(_ *EvalContext, c *Call, args []types.Datum) (types.Datum, error) {
	array := &types.Array{Elem: c.T.Elem}
	if !args[0].IsNull() {
		array = args[0].Array()
	}
	bounds := make([]types.Bounds, len(a.index))
	for i, ix := range a.index {
		b, lower, upper := &bounds[i], args[2+2*i], args[3+2*i]
		if ix.Lower != nil && lower.IsNull() || ix.Upper != nil && upper.IsNull() {
			return types.Null, errNullSubscript
		}
		if b.HasLower = ix.Lower != nil; b.HasLower {
			b.Lower = int32(lower.Int())
		}
		if b.HasUpper = ix.Upper != nil; b.HasUpper {
			b.Upper = int32(upper.Int())
		}
		if ix.Slice && !ix.Open { // mixed with slices, [n] means [1:n]
			b.Lower, b.HasLower = 1, true
		}
	}
	if a.index[0].Slice {
		if args[1].IsNull() {
			return args[0], nil
		}
		out, err := array.SetSlice(bounds, args[1].Array())
		return types.NewArrayDatum(out), err
	}
	index := make([]int32, len(bounds))
	for i, b := range bounds {
		index[i] = b.Upper
	}
	out, err := array.SetElem(index, args[1])
	return types.NewArrayDatum(out), err
}

// assignJSON replaces a member or an element of a jsonb value and makes what is missing on the way to it.
func assignJSON(_ *EvalContext, _ *Call, args []types.Datum) (types.Datum, error) {
	value := types.JSONScalar(types.JSONNull)
	if !args[1].IsNull() {
		value = args[1].JSON()
	}
	var path []types.Datum
	for i := 3; i < len(args); i += 2 {
		if args[i].IsNull() {
			return types.Null, sqlstate.New(sqlstate.NullValueNotAllowed, "jsonb subscript in assignment must not be null")
		}
		path = append(path, args[i])
	}
	var container types.JSONValue
	if !args[0].IsNull() {
		container = args[0].JSON()
	}
	out, err := setJSON(container, path, 1, value)
	if err != nil {
		return types.Null, err
	}
	return types.NewBytesOf(types.FamJSONB, out), nil
}

// maxJSONGap bounds the NULLs put in to reach an array's subscript.
const maxJSONGap = 1 << 24

// setJSON sets the place in v that path leads to; v is nil if there is nothing yet. depth counts from 1.
func setJSON(v types.JSONValue, path []types.Datum, depth int, value types.JSONValue) (types.JSONValue, error) {
	if len(path) == 0 {
		return value, nil
	}
	step := path[0]
	isIndex := step.Family() == types.FamInt
	if v == nil {
		if isIndex {
			v = types.JSONFromArray(nil)
		} else {
			v = types.JSONFromMembers(nil)
		}
	}
	switch v.Kind() {
	case types.JSONObject:
		key := string(types.AppendText(nil, types.Int4, step, nil))
		if !isIndex {
			key = step.Str()
		}
		members := v.Members()
		var old types.JSONValue
		at := len(members)
		for i, m := range members {
			if m.Key == key {
				old, at = m.Value, i
			}
		}
		n, err := setJSON(old, path[1:], depth+1, value)
		if err != nil {
			return nil, err
		}
		if at < len(members) {
			members[at].Value = n
		} else {
			members = append(members, types.JSONMember{Key: key, Value: n})
		}
		return types.JSONFromMembers(members), nil
	case types.JSONArray:
		if !isIndex {
			d, err := types.ParseText(types.Int4, step.Str(), nil)
			if err != nil {
				return nil, sqlstate.New(sqlstate.InvalidTextRepresentation, "path element at position %d is not an integer: \"%s\"", depth, step.Str())
			}
			step = d
		}
		elems := v.Elems()
		i := step.Int()
		if i < 0 {
			if -i > int64(len(elems)) {
				return nil, sqlstate.New(sqlstate.InvalidParameterValue, "path element at position %d is out of range: %d", depth, i)
			}
			i += int64(len(elems))
		}
		if i-int64(len(elems)) > maxJSONGap {
			return nil, sqlstate.New(sqlstate.ProgramLimitExceeded, "number of jsonb array elements exceeds the maximum allowed (%d)", maxJSONGap)
		}
		var old types.JSONValue
		if i < int64(len(elems)) {
			old = elems[i]
		}
		n, err := setJSON(old, path[1:], depth+1, value)
		if err != nil {
			return nil, err
		}
		for int64(len(elems)) <= i {
			elems = append(elems, types.JSONScalar(types.JSONNull))
		}
		elems[i] = n
		return types.JSONFromArray(elems), nil
	}
	return nil, sqlstate.New(sqlstate.InvalidParameterValue, "cannot replace existing key").
		WithDetail("The path assumes key is a composite object, but it is a scalar value.")
}
