package builtins

import (
	"slices"
	"strconv"
	"strings"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

func newJSONB(v types.JSONValue) datum { return types.NewBytesOf(types.FamJSONB, v) }

// jsonbText is what ->> gives.
func jsonbText(v types.JSONValue) datum {
	switch v.Kind() {
	case types.JSONNull:
		return null
	case types.JSONString:
		return types.NewBytes(v.Text())
	}
	return types.NewBytes(v.AppendText(nil))
}

func jsonbResult(v types.JSONValue, ok, asText bool) (datum, error) {
	switch {
	case !ok:
		return null, nil
	case asText:
		return jsonbText(v), nil
	}
	return newJSONB(v), nil
}

func rawResult(s string, ok, asText bool) (datum, error) {
	switch {
	case !ok:
		return null, nil
	case asText:
		return rawText(s), nil
	}
	return str(s), nil
}

// pathOf returns the steps of a text[] path, ok false if one is NULL.
func pathOf(d datum) ([]string, bool) {
	elems := d.Array().Elems
	out := make([]string, len(elems))
	for i, e := range elems {
		if e.IsNull() {
			return nil, false
		}
		out[i] = e.Str()
	}
	return out, true
}

func jsonbField(asText bool) func(*ctx, datum, datum) (datum, error) {
	return func(_ *ctx, a, b datum) (datum, error) {
		v, ok := a.JSON().Get(b.Str())
		return jsonbResult(v, ok, asText)
	}
}

func jsonbElement(asText bool) func(*ctx, datum, datum) (datum, error) {
	return func(_ *ctx, a, b datum) (datum, error) {
		v, i := a.JSON(), b.Int()
		if v.IsScalar() { // which PostgreSQL keeps in an array of one element
			return jsonbResult(v, i == 0 || i == -1, asText)
		}
		v, ok := v.Index(int(i))
		return jsonbResult(v, ok, asText)
	}
}

func jsonbPath(asText bool) func(*ctx, datum, datum) (datum, error) {
	return func(_ *ctx, a, b datum) (datum, error) {
		path, ok := pathOf(b)
		if !ok {
			return null, nil
		}
		v := a.JSON()
		for _, step := range path {
			if v, ok = v.PathStep(step); !ok {
				return null, nil
			}
		}
		return jsonbResult(v, true, asText)
	}
}

func jsonField(asText bool) func(*ctx, datum, datum) (datum, error) {
	return func(_ *ctx, a, b datum) (datum, error) {
		s, ok := rawGet(string(a.Bytes()), b.Str())
		return rawResult(s, ok, asText)
	}
}

func jsonElement(asText bool) func(*ctx, datum, datum) (datum, error) {
	return func(_ *ctx, a, b datum) (datum, error) {
		s, ok := rawIndex(string(a.Bytes()), int(b.Int()))
		return rawResult(s, ok, asText)
	}
}

func jsonPath(asText bool) func(*ctx, datum, datum) (datum, error) {
	return func(_ *ctx, a, b datum) (datum, error) {
		path, ok := pathOf(b)
		if !ok {
			return null, nil
		}
		s := string(a.Bytes())
		for _, step := range path {
			if jsonKind(s) == '[' {
				i, err := strconv.Atoi(step)
				if err != nil {
					return null, nil //nolint:nilerr // a step that is no number finds nothing
				}
				s, ok = rawIndex(s, i)
			} else {
				s, ok = rawGet(s, step)
			}
			if !ok {
				return null, nil
			}
		}
		return rawResult(s, true, asText)
	}
}

// jsonbConcat is jsonb || jsonb.
func jsonbConcat(_ *ctx, a, b datum) (datum, error) {
	v, w := a.JSON(), b.JSON()
	if v.Kind() == types.JSONObject && w.Kind() == types.JSONObject {
		return newJSONB(types.JSONFromMembers(append(v.Members(), w.Members()...))), nil
	}
	list := func(x types.JSONValue) []types.JSONValue {
		if x.Kind() == types.JSONArray {
			return x.Elems()
		}
		return []types.JSONValue{x}
	}
	return newJSONB(types.JSONFromArray(append(list(v), list(w)...))), nil
}

func jsonbDeleteKeys(_ *ctx, a datum, drop func(key string) bool) (datum, error) {
	v := a.JSON()
	switch v.Kind() {
	case types.JSONObject:
		m := slices.DeleteFunc(v.Members(), func(m types.JSONMember) bool { return drop(m.Key) })
		return newJSONB(types.JSONFromMembers(m)), nil
	case types.JSONArray:
		e := slices.DeleteFunc(v.Elems(), func(e types.JSONValue) bool { return e.Kind() == types.JSONString && drop(string(e.Text())) })
		return newJSONB(types.JSONFromArray(e)), nil
	}
	return null, errArgument("cannot delete from scalar")
}

func jsonbDeleteIndex(_ *ctx, a, b datum) (datum, error) {
	v := a.JSON()
	switch v.Kind() {
	case types.JSONObject:
		return null, errArgument("cannot delete from object using integer index")
	case types.JSONArray:
	default:
		return null, errArgument("cannot delete from scalar")
	}
	i, n := b.Int(), int64(v.Len())
	if i < 0 {
		i += n
	}
	if i < 0 || i >= n {
		return a, nil
	}
	return newJSONB(types.JSONFromArray(slices.Delete(v.Elems(), int(i), int(i)+1))), nil
}

// jsonbEdit says what jsonbSetPath does at the end of the path.
type jsonbEdit uint8

const (
	editSet jsonbEdit = iota
	editSetExisting
	editInsertBefore
	editInsertAfter
	editDelete
)

// jsonbSetPath returns v changed at the path.
func jsonbSetPath(v types.JSONValue, path []string, depth int, repl types.JSONValue, edit jsonbEdit) (types.JSONValue, error) {
	step := path[depth]
	last := depth == len(path)-1
	switch v.Kind() {
	case types.JSONObject:
		members := v.Members()
		for i := range members {
			if members[i].Key != step {
				continue
			}
			switch {
			case !last:
				n, err := jsonbSetPath(members[i].Value, path, depth+1, repl, edit)
				if err != nil {
					return nil, err
				}
				members[i].Value = n
			case edit == editDelete:
				members = slices.Delete(members, i, i+1)
			case edit == editInsertBefore || edit == editInsertAfter:
				return nil, errArgument("cannot replace existing key").(*sqlstate.Error).WithHint("Try using the function jsonb_set to replace key value.")
			default:
				members[i].Value = repl
			}
			return types.JSONFromMembers(members), nil
		}
		if last && edit != editSetExisting && edit != editDelete {
			return types.JSONFromMembers(append(members, types.JSONMember{Key: step, Value: repl})), nil
		}
		return v, nil
	case types.JSONArray:
		i, err := strconv.Atoi(step)
		if err != nil {
			return nil, errf(sqlstate.InvalidTextRepresentation, "path element at position %d is not an integer: \"%s\"", depth+1, step)
		}
		elems := v.Elems()
		n := len(elems)
		if i < 0 {
			i += n
		}
		if i < 0 || i >= n {
			if !last || edit == editSetExisting || edit == editDelete {
				return v, nil
			}
			if i < 0 {
				return types.JSONFromArray(append([]types.JSONValue{repl}, elems...)), nil
			}
			return types.JSONFromArray(append(elems, repl)), nil
		}
		switch {
		case !last:
			e, err := jsonbSetPath(elems[i], path, depth+1, repl, edit)
			if err != nil {
				return nil, err
			}
			elems[i] = e
		case edit == editDelete:
			elems = slices.Delete(elems, i, i+1)
		case edit == editInsertBefore:
			elems = slices.Insert(elems, i, repl)
		case edit == editInsertAfter:
			elems = slices.Insert(elems, i+1, repl)
		default:
			elems[i] = repl
		}
		return types.JSONFromArray(elems), nil
	}
	return v, nil
}

func jsonbEditAt(a, path datum, repl types.JSONValue, edit jsonbEdit, verb string) (datum, error) {
	v := a.JSON()
	if v.IsScalar() {
		return null, errArgument("cannot %s", verb)
	}
	steps := path.Array().Elems
	if len(path.Array().Dims) > 1 {
		return null, errf(sqlstate.ArraySubscriptError, "wrong number of array subscripts")
	}
	if len(steps) == 0 {
		return a, nil
	}
	p := make([]string, len(steps))
	for i, s := range steps {
		if s.IsNull() {
			return null, errf(sqlstate.NullValueNotAllowed, "path element at position %d is null", i+1)
		}
		p[i] = s.Str()
	}
	out, err := jsonbSetPath(v, p, 0, repl, edit)
	return newJSONB(out), err
}

func stripNulls(v types.JSONValue) types.JSONValue {
	switch v.Kind() {
	case types.JSONObject:
		var kept []types.JSONMember
		for _, m := range v.Members() {
			if m.Value.Kind() != types.JSONNull {
				kept = append(kept, types.JSONMember{Key: m.Key, Value: stripNulls(m.Value)})
			}
		}
		return types.JSONFromMembers(kept)
	case types.JSONArray:
		elems := v.Elems()
		for i := range elems {
			elems[i] = stripNulls(elems[i])
		}
		return types.JSONFromArray(elems)
	}
	return v
}

func stripNullsText(dst []byte, s string) []byte {
	switch jsonKind(s) {
	case '{':
		dst = append(dst, '{')
		first := true
		for _, m := range rawMembers(s) {
			if jsonKind(m.value) == 'n' {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = append(types.AppendJSONString(dst, m.key), ':')
			dst = stripNullsText(dst, m.value)
		}
		return append(dst, '}')
	case '[':
		dst = append(dst, '[')
		for i, e := range rawElems(s) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = stripNullsText(dst, e)
		}
		return append(dst, ']')
	}
	return append(dst, strings.TrimSpace(s)...)
}

func jsonTypeName(c byte) string {
	switch c {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "number"
}

func jsonbTypeName(v types.JSONValue) string {
	return [...]string{"null", "boolean", "boolean", "number", "string", "array", "object"}[v.Kind()]
}

// buildObject is json_build_object and its binary twin: pairs of key and value.
func buildObject(ec *ctx, c *expr.Call, a []datum, binary bool) (datum, error) {
	var vals []datum
	var ts []*types.T
	if c.Variadic && a[len(a)-1].IsNull() {
		return null, nil
	}
	if err := eachArg(c, a, 0, func(t *types.T, d datum) error {
		vals, ts = append(vals, d), append(ts, t)
		return nil
	}); err != nil {
		return null, err
	}
	fn := "json_build_object()"
	if binary {
		fn = "jsonb_build_object()"
	}
	if len(vals)%2 != 0 {
		return null, errArgument("argument list must have even number of elements").(*sqlstate.Error).
			WithHint("The arguments of %s must consist of alternating keys and values.", fn)
	}
	var members []types.JSONMember
	buf := []byte{'{'}
	for i := 0; i < len(vals); i += 2 {
		if vals[i].IsNull() {
			if binary {
				return null, errArgument("argument %d: key must not be null", i+1)
			}
			return null, errArgument("argument %d cannot be null", i+1).(*sqlstate.Error).WithHint("Object keys should be text.")
		}
		if f := vals[i].Family(); f == types.FamArray || f == types.FamRecord || f == types.FamJSONB || ts[i].OID == types.OIDJSON {
			return null, errArgument("key value must be scalar, not array, composite, or json")
		}
		key := types.TextOf(ts[i], vals[i], ec.Settings)
		if ts[i] == boolean {
			key = strconv.FormatBool(vals[i].Bool())
		}
		if binary {
			v, err := toJSONB(ec, ts[i+1], vals[i+1])
			if err != nil {
				return null, err
			}
			members = append(members, types.JSONMember{Key: key, Value: v})
			continue
		}
		if i > 0 {
			buf = append(buf, ", "...)
		}
		buf = append(types.AppendJSONString(buf, key), " : "...)
		var err error
		if buf, err = appendJSON(ec, buf, ts[i+1], vals[i+1], false); err != nil {
			return null, err
		}
	}
	if binary {
		return newJSONB(types.JSONFromMembers(members)), nil
	}
	return types.NewBytes(append(buf, '}')), nil
}

func buildArray(ec *ctx, c *expr.Call, a []datum, binary bool) (datum, error) {
	if c.Variadic && a[len(a)-1].IsNull() {
		return null, nil
	}
	var elems []types.JSONValue
	buf := []byte{'['}
	first := true
	err := eachArg(c, a, 0, func(t *types.T, d datum) (err error) {
		if binary {
			v, err := toJSONB(ec, t, d)
			elems = append(elems, v)
			return err
		}
		if !first {
			buf = append(buf, ", "...)
		}
		first = false
		buf, err = appendJSON(ec, buf, t, d, false)
		return err
	})
	if binary {
		return newJSONB(types.JSONFromArray(elems)), err
	}
	return types.NewBytes(append(buf, ']')), err
}

// objectOfText is json_object of a text[] of pairs, or of one of keys and one of values.
func objectOfText(a []datum, binary bool) (datum, error) {
	var keys, vals []datum
	if len(a) == 1 {
		arr := a[0].Array()
		switch {
		case len(arr.Dims) > 2:
			return null, errf(sqlstate.ArraySubscriptError, "wrong number of array subscripts")
		case len(arr.Dims) == 2 && arr.Dims[1].Len != 2:
			return null, errf(sqlstate.ArraySubscriptError, "array must have two columns")
		case len(arr.Elems)%2 != 0:
			return null, errf(sqlstate.ArraySubscriptError, "array must have even number of elements")
		}
		for i := 0; i < len(arr.Elems); i += 2 {
			keys, vals = append(keys, arr.Elems[i]), append(vals, arr.Elems[i+1])
		}
	} else {
		keys, vals = a[0].Array().Elems, a[1].Array().Elems
		if len(keys) != len(vals) {
			return null, errf(sqlstate.ArraySubscriptError, "mismatched array dimensions")
		}
	}
	var members []types.JSONMember
	buf := []byte{'{'}
	for i, k := range keys {
		if k.IsNull() {
			return null, errf(sqlstate.NullValueNotAllowed, "null value not allowed for object key")
		}
		v := types.JSONScalar(types.JSONNull)
		if !vals[i].IsNull() {
			v = types.JSONFromString(vals[i].Bytes())
		}
		if binary {
			members = append(members, types.JSONMember{Key: k.Str(), Value: v})
			continue
		}
		if i > 0 {
			buf = append(buf, ", "...)
		}
		buf = append(types.AppendJSONString(buf, k.Str()), " : "...)
		buf = v.AppendText(buf)
	}
	if binary {
		return newJSONB(types.JSONFromMembers(members)), nil
	}
	return types.NewBytes(append(buf, '}')), nil
}

// populate makes a record of type t of a JSON object; missing members keep the base's fields.
func populate(ec *ctx, t *types.T, base datum, v types.JSONValue) (datum, error) {
	if v.Kind() == types.JSONNull {
		return base, nil
	}
	if v.Kind() != types.JSONObject {
		return null, errArgument("cannot call %s on a %s", "populate_composite", jsonbTypeName(v))
	}
	r := &types.Record{}
	for i, f := range t.Fields {
		d := null
		if !base.IsNull() && i < len(base.Record().Fields) {
			d = base.Record().Fields[i]
		}
		if m, ok := v.Get(f.Name); ok {
			var err error
			if d, err = populateField(ec, f.Type, m); err != nil {
				return null, err
			}
		}
		r.Fields, r.Types, r.Names = append(r.Fields, d), append(r.Types, f.Type), append(r.Names, f.Name)
	}
	return types.NewRecordDatum(r), nil
}

func populateField(ec *ctx, t *types.T, v types.JSONValue) (datum, error) {
	switch {
	case v.Kind() == types.JSONNull:
		return null, nil
	case t.OID == types.OIDJSONB:
		return newJSONB(v), nil
	case t.Family == types.FamRecord:
		return populate(ec, t, null, v)
	case t.IsArray() && v.Kind() == types.JSONArray:
		return populateArray(ec, t, v)
	}
	var s string
	if v.Kind() == types.JSONString && t.OID != types.OIDJSON {
		s = string(v.Text())
	} else {
		s = string(v.AppendText(nil))
	}
	return types.ParseText(t, s, ec.Settings)
}

func populateArray(ec *ctx, t *types.T, v types.JSONValue) (datum, error) {
	a := &types.Array{Elem: t.Elem}
	var walk func(v types.JSONValue, depth int) error
	walk = func(v types.JSONValue, depth int) error {
		n := int32(v.Len())
		if len(a.Dims) == depth {
			a.Dims = append(a.Dims, types.ArrayDim{Len: n, Lower: 1})
		} else if a.Dims[depth].Len != n {
			return errf(sqlstate.InvalidTextRepresentation, "malformed JSON array").(*sqlstate.Error).
				WithDetail("Multidimensional arrays must have sub-arrays with matching dimensions.")
		}
		for i := range v.Len() {
			e := v.Elem(i)
			if e.Kind() == types.JSONArray && t.Elem.OID != types.OIDJSON && t.Elem.OID != types.OIDJSONB {
				if err := walk(e, depth+1); err != nil {
					return err
				}
				continue
			}
			d, err := populateField(ec, t.Elem, e)
			if err != nil {
				return err
			}
			a.Elems = append(a.Elems, d)
		}
		return nil
	}
	if err := walk(v, 0); err != nil {
		return null, err
	}
	if len(a.Elems) == 0 {
		a.Dims = nil
	}
	return types.NewArrayDatum(a), nil
}

// asJSONB returns a json or jsonb argument as a JSONValue.
func asJSONB(d datum) (types.JSONValue, error) {
	if d.Family() == types.FamJSONB {
		return d.JSON(), nil
	}
	return types.ParseJSONB(d.Str())
}

// expand returns the rows of json_to_record, json_populate_record and their set forms.
func populateSet(fn string, t *types.T, base, d datum, ec *ctx, many bool) (expr.SetIter, error) {
	if d.IsNull() {
		if many {
			return &rowsIter{}, nil
		}
		if base.IsNull() {
			return &rowsIter{[]types.Row{make(types.Row, len(t.Fields))}}, nil
		}
		return &rowsIter{[]types.Row{base.Record().Fields}}, nil
	}
	v, err := asJSONB(d)
	if err != nil {
		return nil, err
	}
	if len(t.Fields) == 0 {
		return nil, errf(sqlstate.DatatypeMismatch, "could not determine row type for result of %s", fn)
	}
	elems := []types.JSONValue{v}
	if many {
		if v.Kind() != types.JSONArray {
			return nil, errArgument("cannot call %s on a non-array", fn)
		}
		elems = v.Elems()
	}
	rows := make([]types.Row, 0, len(elems))
	for _, e := range elems {
		if many && e.Kind() != types.JSONObject {
			return nil, errArgument("argument of %s must be an array of objects", fn)
		}
		if !many && e.Kind() != types.JSONObject {
			return nil, errArgument("cannot call %s on a %s", fn, nonObjectName(e))
		}
		r, err := populate(ec, t, base, e)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r.Record().Fields)
	}
	return &rowsIter{rows}, nil
}

func nonObjectName(v types.JSONValue) string {
	if v.Kind() == types.JSONArray {
		return "array"
	}
	return "scalar"
}

func jsonEach(binary, asText bool) func(*ctx, *expr.Call, []datum) (expr.SetIter, error) {
	return func(_ *ctx, c *expr.Call, a []datum) (expr.SetIter, error) {
		var rows []types.Row
		if binary {
			v := a[0].JSON()
			if v.Kind() != types.JSONObject {
				return nil, errArgument("cannot call %s on a non-object", c.Fn.Name)
			}
			for _, m := range v.Members() {
				d, _ := jsonbResult(m.Value, true, asText)
				rows = append(rows, types.Row{str(m.Key), d})
			}
			return &rowsIter{rows}, nil
		}
		s := string(a[0].Bytes())
		switch jsonKind(s) {
		case '{':
		case '[':
			return nil, errArgument("cannot deconstruct an array as an object")
		default:
			return nil, errArgument("cannot deconstruct a scalar")
		}
		for _, m := range rawMembers(s) {
			d, _ := rawResult(m.value, true, asText)
			rows = append(rows, types.Row{str(m.key), d})
		}
		return &rowsIter{rows}, nil
	}
}

func jsonElements(binary, asText bool) func(*ctx, *expr.Call, []datum) (expr.SetIter, error) {
	return func(_ *ctx, c *expr.Call, a []datum) (expr.SetIter, error) {
		var out []datum
		if binary {
			v := a[0].JSON()
			switch v.Kind() {
			case types.JSONArray:
			case types.JSONObject:
				return nil, errArgument("cannot extract elements from an object")
			default:
				return nil, errArgument("cannot extract elements from a scalar")
			}
			for _, e := range v.Elems() {
				d, _ := jsonbResult(e, true, asText)
				out = append(out, d)
			}
			return newSliceIter(out), nil
		}
		s := string(a[0].Bytes())
		switch jsonKind(s) {
		case '[':
		case '{':
			return nil, errArgument("cannot call %s on a non-array", c.Fn.Name)
		default:
			return nil, errArgument("cannot call %s on a scalar", c.Fn.Name)
		}
		for _, e := range rawElems(s) {
			d, _ := rawResult(e, true, asText)
			out = append(out, d)
		}
		return newSliceIter(out), nil
	}
}

func jsonKeys(binary bool) func(*ctx, *expr.Call, []datum) (expr.SetIter, error) {
	return func(_ *ctx, c *expr.Call, a []datum) (expr.SetIter, error) {
		var out []datum
		kind := byte('"')
		if binary {
			v := a[0].JSON()
			switch v.Kind() {
			case types.JSONObject:
				for _, m := range v.Members() {
					out = append(out, str(m.Key))
				}
				return newSliceIter(out), nil
			case types.JSONArray:
				kind = '['
			}
		} else {
			s := string(a[0].Bytes())
			if kind = jsonKind(s); kind == '{' {
				for _, m := range rawMembers(s) {
					out = append(out, str(m.key))
				}
				return newSliceIter(out), nil
			}
		}
		if kind == '[' {
			return nil, errArgument("cannot call %s on an array", c.Fn.Name)
		}
		return nil, errArgument("cannot call %s on a scalar", c.Fn.Name)
	}
}

func existsKey(v types.JSONValue, key string) bool {
	switch v.Kind() {
	case types.JSONObject:
		_, ok := v.Get(key)
		return ok
	case types.JSONArray:
		for i := range v.Len() {
			if e := v.Elem(i); e.Kind() == types.JSONString && string(e.Text()) == key {
				return true
			}
		}
		return false
	case types.JSONString:
		return string(v.Text()) == key
	}
	return false
}

func existsKeys(all bool) func(*ctx, datum, datum) (datum, error) {
	return func(_ *ctx, a, b datum) (datum, error) {
		for _, e := range b.Array().Elems {
			if !e.IsNull() && existsKey(a.JSON(), e.Str()) != all {
				return types.NewBool(!all), nil
			}
		}
		return types.NewBool(all), nil
	}
}

func jsonArrayLength(_ *ctx, a datum) (datum, error) {
	s := string(a.Bytes())
	switch jsonKind(s) {
	case '[':
		return types.NewInt(int64(len(rawElems(s)))), nil
	case '{':
		return null, errArgument("cannot get array length of a non-array")
	}
	return null, errArgument("cannot get array length of a scalar")
}

func jsonbArrayLength(_ *ctx, a datum) (datum, error) {
	switch v := a.JSON(); v.Kind() {
	case types.JSONArray:
		return types.NewInt(int64(v.Len())), nil
	case types.JSONObject:
		return null, errArgument("cannot get array length of a non-array")
	}
	return null, errArgument("cannot get array length of a scalar")
}

// populating marks json_populate_record and its relatives; those on json have a third
// argument, of no effect, for compatibility with old releases.
func populating(binary bool, f *expr.Function) *expr.Function {
	if !binary {
		f.Args = append(f.Args, boolean)
		f = defaults(named(f, "base", "from_json", "use_json_as_text"), types.False)
	}
	return stable(nullable(f))
}

func jsonFunctions() []*expr.Function {
	pretty := func(ec *ctx, c *expr.Call, a []datum) (datum, error) {
		b, err := appendJSON(ec, nil, c.Args[0].Type(), a[0], len(a) > 1 && a[1].Bool())
		return types.NewBytes(b), err
	}
	keyValue := func(v *types.T) []types.Field {
		return []types.Field{{Name: "key", Type: text}, {Name: "value", Type: v}}
	}
	delKeys := func(ec *ctx, a, b datum) (datum, error) {
		return jsonbDeleteKeys(ec, a, func(k string) bool {
			return slices.ContainsFunc(b.Array().Elems, func(e datum) bool { return !e.IsNull() && e.Str() == k })
		})
	}
	lax := func(_ *ctx, a []datum) (datum, error) {
		if a[0].IsNull() || a[1].IsNull() || a[3].IsNull() {
			return null, nil
		}
		edit := editSet
		if !a[3].Bool() {
			edit = editSetExisting
		}
		if !a[2].IsNull() {
			return jsonbEditAt(a[0], a[1], a[2].JSON(), edit, "set path in scalar")
		}
		switch a[4].Str() {
		case "raise_exception":
			return null, errf(sqlstate.NullValueNotAllowed, "JSON value must not be null").(*sqlstate.Error).
				WithDetail("Exception was raised because null_value_treatment is \"raise_exception\".").
				WithHint("To avoid, either change the null_value_treatment argument or ensure that an SQL NULL is not passed.")
		case "use_json_null":
			return jsonbEditAt(a[0], a[1], types.JSONScalar(types.JSONNull), edit, "set path in scalar")
		case "delete_key":
			return jsonbEditAt(a[0], a[1], nil, editDelete, "delete path in scalar")
		case "return_target":
			return a[0], nil
		}
		return null, errArgument("null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\"")
	}
	f := []*expr.Function{
		stable(fnC("to_json", json, args(anyelement), pretty)),
		stable(fnC("array_to_json", json, args(anyarray), pretty)), stable(fnC("array_to_json", json, args(anyarray, boolean), pretty)),
		stable(fnC("row_to_json", json, args(record), pretty)), stable(fnC("row_to_json", json, args(record, boolean), pretty)),
		stable(fnC("to_jsonb", jsonb, args(anyelement), func(ec *ctx, c *expr.Call, a []datum) (datum, error) {
			v, err := toJSONB(ec, c.Args[0].Type(), a[0])
			return newJSONB(v), err
		})),
		fn1("json_array_length", int4, json, jsonArrayLength), fn1("jsonb_array_length", int4, jsonb, jsonbArrayLength),
		fn1("json_typeof", text, json, func(_ *ctx, a datum) (datum, error) { return str(jsonTypeName(jsonKind(a.Str()))), nil }),
		fn1("jsonb_typeof", text, jsonb, func(_ *ctx, a datum) (datum, error) { return str(jsonbTypeName(a.JSON())), nil }),
		fn1("jsonb_pretty", text, jsonb, func(_ *ctx, a datum) (datum, error) { return types.NewBytes(a.JSON().AppendPretty(nil, 0)), nil }),
		fn1("json_strip_nulls", json, json, func(_ *ctx, a datum) (datum, error) {
			return types.NewBytes(stripNullsText(nil, string(a.Bytes()))), nil
		}),
		fn1("jsonb_strip_nulls", jsonb, jsonb, func(_ *ctx, a datum) (datum, error) { return newJSONB(stripNulls(a.JSON())), nil }),
		variadic(fn2("json_extract_path", json, json, textArray, jsonPath(false))),
		variadic(fn2("json_extract_path_text", text, json, textArray, jsonPath(true))),
		variadic(fn2("jsonb_extract_path", jsonb, jsonb, textArray, jsonbPath(false))),
		variadic(fn2("jsonb_extract_path_text", text, jsonb, textArray, jsonbPath(true))),
		fn2("jsonb_object_field", jsonb, jsonb, text, jsonbField(false)), fn2("jsonb_object_field_text", text, jsonb, text, jsonbField(true)),
		fn2("jsonb_array_element", jsonb, jsonb, int4, jsonbElement(false)), fn2("jsonb_array_element_text", text, jsonb, int4, jsonbElement(true)),
		fn2("json_object_field", json, json, text, jsonField(false)), fn2("json_object_field_text", text, json, text, jsonField(true)),
		fn2("json_array_element", json, json, int4, jsonElement(false)), fn2("json_array_element_text", text, json, int4, jsonElement(true)),
		fn2("jsonb_concat", jsonb, jsonb, jsonb, jsonbConcat),
		fn2("jsonb_contains", boolean, jsonb, jsonb, func(_ *ctx, a, b datum) (datum, error) {
			return types.NewBool(a.JSON().Contains(b.JSON())), nil
		}),
		fn2("jsonb_exists", boolean, jsonb, text, func(_ *ctx, a, b datum) (datum, error) { return types.NewBool(existsKey(a.JSON(), b.Str())), nil }),
		fn2("jsonb_delete", jsonb, jsonb, text, func(ec *ctx, a, b datum) (datum, error) {
			return jsonbDeleteKeys(ec, a, func(k string) bool { return k == b.Str() })
		}),
		fn2("jsonb_delete", jsonb, jsonb, int4, jsonbDeleteIndex),
		variadic(fn2("jsonb_delete", jsonb, jsonb, textArray, delKeys)),
		fn2("jsonb_delete_path", jsonb, jsonb, textArray, func(_ *ctx, a, b datum) (datum, error) {
			return jsonbEditAt(a, b, nil, editDelete, "delete path in scalar")
		}),
		defaults(named(fnN("jsonb_set", jsonb, args(jsonb, textArray, jsonb, boolean), func(_ *ctx, a []datum) (datum, error) {
			edit := editSet
			if !a[3].Bool() {
				edit = editSetExisting
			}
			return jsonbEditAt(a[0], a[1], a[2].JSON(), edit, "set path in scalar")
		}), "jsonb_in", "path", "replacement", "create_if_missing"), types.True),
		nullable(defaults(named(fnN("jsonb_set_lax", jsonb, args(jsonb, textArray, jsonb, boolean, text), lax),
			"jsonb_in", "path", "replacement", "create_if_missing", "null_value_treatment"), types.True, str("use_json_null"))),
		defaults(named(fnN("jsonb_insert", jsonb, args(jsonb, textArray, jsonb, boolean), func(_ *ctx, a []datum) (datum, error) {
			edit := editInsertBefore
			if a[3].Bool() {
				edit = editInsertAfter
			}
			return jsonbEditAt(a[0], a[1], a[2].JSON(), edit, "set path in scalar")
		}), "jsonb_in", "path", "replacement", "insert_after"), types.False),
	}
	for _, b := range []struct {
		prefix string
		t      *types.T
		binary bool
	}{{"json", json, false}, {"jsonb", jsonb, true}} {
		f = append(f,
			stable(nullable(variadic(fnC(b.prefix+"_build_object", b.t, args(any_), func(ec *ctx, c *expr.Call, a []datum) (datum, error) {
				return buildObject(ec, c, a, b.binary)
			})))),
			stable(nullable(fnC(b.prefix+"_build_object", b.t, nil, func(ec *ctx, c *expr.Call, a []datum) (datum, error) {
				return buildObject(ec, c, a, b.binary)
			}))),
			stable(nullable(variadic(fnC(b.prefix+"_build_array", b.t, args(any_), func(ec *ctx, c *expr.Call, a []datum) (datum, error) {
				return buildArray(ec, c, a, b.binary)
			})))),
			stable(nullable(fnC(b.prefix+"_build_array", b.t, nil, func(ec *ctx, c *expr.Call, a []datum) (datum, error) {
				return buildArray(ec, c, a, b.binary)
			}))),
			fnN(b.prefix+"_object", b.t, args(textArray), func(_ *ctx, a []datum) (datum, error) { return objectOfText(a, b.binary) }),
			fnN(b.prefix+"_object", b.t, args(textArray, textArray), func(_ *ctx, a []datum) (datum, error) { return objectOfText(a, b.binary) }),
			setRecords(b.prefix+"_each", keyValue(b.t), args(b.t), jsonEach(b.binary, false)),
			setRecords(b.prefix+"_each_text", keyValue(text), args(b.t), jsonEach(b.binary, true)),
			setFn(b.prefix+"_array_elements", b.t, args(b.t), jsonElements(b.binary, false)),
			setFn(b.prefix+"_array_elements_text", text, args(b.t), jsonElements(b.binary, true)),
			setFn(b.prefix+"_object_keys", text, args(b.t), jsonKeys(b.binary)),
			populating(b.binary, setFn(b.prefix+"_populate_recordset", anyelement, args(anyelement, b.t), func(ec *ctx, c *expr.Call, a []datum) (expr.SetIter, error) {
				return populateSet(c.Fn.Name, c.T, a[0], a[1], ec, true)
			})),
			populating(b.binary, fnC(b.prefix+"_populate_record", anyelement, args(anyelement, b.t), func(ec *ctx, c *expr.Call, a []datum) (datum, error) {
				if a[1].IsNull() {
					return a[0], nil
				}
				v, err := asJSONB(a[1])
				if err != nil {
					return null, err
				}
				return populate(ec, c.T, a[0], v)
			})),
			stable(setFn(b.prefix+"_to_record", record, args(b.t), func(ec *ctx, c *expr.Call, a []datum) (expr.SetIter, error) {
				return populateSet(c.Fn.Name, c.T, null, a[0], ec, false)
			})),
			stable(setFn(b.prefix+"_to_recordset", record, args(b.t), func(ec *ctx, c *expr.Call, a []datum) (expr.SetIter, error) {
				return populateSet(c.Fn.Name, c.T, null, a[0], ec, true)
			})),
		)
	}
	for _, fn := range f {
		if strings.HasSuffix(fn.Name, "_elements") || strings.HasSuffix(fn.Name, "_elements_text") {
			// The single OUT column is called value.
			fn.RetFields = []types.Field{{Name: "value", Type: fn.Ret}}
		}
	}
	return f
}

func jsonOperators() []*expr.Operator {
	contains := func(_ *ctx, a, b datum) (datum, error) { return types.NewBool(a.JSON().Contains(b.JSON())), nil }
	return []*expr.Operator{
		op2("->", jsonb, text, jsonb, jsonbField(false)), op2("->>", jsonb, text, text, jsonbField(true)),
		op2("->", jsonb, int4, jsonb, jsonbElement(false)), op2("->>", jsonb, int4, text, jsonbElement(true)),
		op2("#>", jsonb, textArray, jsonb, jsonbPath(false)), op2("#>>", jsonb, textArray, text, jsonbPath(true)),
		op2("->", json, text, json, jsonField(false)), op2("->>", json, text, text, jsonField(true)),
		op2("->", json, int4, json, jsonElement(false)), op2("->>", json, int4, text, jsonElement(true)),
		op2("#>", json, textArray, json, jsonPath(false)), op2("#>>", json, textArray, text, jsonPath(true)),
		op2("@>", jsonb, jsonb, boolean, contains),
		op2("<@", jsonb, jsonb, boolean, func(ec *ctx, a, b datum) (datum, error) { return contains(ec, b, a) }),
		op2("?", jsonb, text, boolean, func(_ *ctx, a, b datum) (datum, error) { return types.NewBool(existsKey(a.JSON(), b.Str())), nil }),
		op2("?|", jsonb, textArray, boolean, existsKeys(false)), op2("?&", jsonb, textArray, boolean, existsKeys(true)),
		op2("||", jsonb, jsonb, jsonb, jsonbConcat),
		op2("-", jsonb, text, jsonb, func(ec *ctx, a, b datum) (datum, error) {
			return jsonbDeleteKeys(ec, a, func(k string) bool { return k == b.Str() })
		}),
		op2("-", jsonb, int4, jsonb, jsonbDeleteIndex),
		op2("-", jsonb, textArray, jsonb, func(ec *ctx, a, b datum) (datum, error) {
			return jsonbDeleteKeys(ec, a, func(k string) bool {
				return slices.ContainsFunc(b.Array().Elems, func(e datum) bool { return !e.IsNull() && e.Str() == k })
			})
		}),
		op2("#-", jsonb, textArray, jsonb, func(_ *ctx, a, b datum) (datum, error) {
			return jsonbEditAt(a, b, nil, editDelete, "delete path in scalar")
		}),
	}
}
