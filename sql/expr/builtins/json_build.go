package builtins

import (
	"github.com/spanlite/spanlite/sql/types"
)

// appendJSON appends a value as to_json has it. pretty puts a line feed after the commas of
// the outermost array or record.
func appendJSON(ec *ctx, dst []byte, t *types.T, d datum, pretty bool) ([]byte, error) {
	if d.IsNull() {
		return append(dst, "null"...), nil
	}
	switch d.Family() {
	case types.FamBool:
		if d.Bool() {
			return append(dst, "true"...), nil
		}
		return append(dst, "false"...), nil
	case types.FamArray:
		return appendJSONArray(ec, dst, d.Array(), pretty)
	case types.FamRecord:
		return appendJSONRecord(ec, dst, t, d.Record(), pretty)
	case types.FamJSONB:
		return d.JSON().AppendText(dst), nil
	}
	switch {
	case t.OID == types.OIDJSON:
		return append(dst, d.Bytes()...), nil
	case t.IsNumber():
		at := len(dst)
		dst = types.AppendText(dst, t, d, ec.Settings)
		// NaN and the infinities are no JSON numbers.
		if c := dst[len(dst)-1]; c == 'N' || c == 'y' {
			quoted := string(dst[at:])
			dst = types.AppendJSONString(dst[:at], quoted)
		}
		return dst, nil
	case t.OID == types.OIDTimestamp || t.OID == types.OIDTimestampTZ || t.OID == types.OIDDate:
		return types.AppendJSONString(dst, isoText(ec, t, d)), nil
	}
	return types.AppendJSONString(dst, types.TextOf(t, d, ec.Settings)), nil
}

// isoText prints a date or timestamp in XSD's form: with a T, and offsets with minutes.
func isoText(ec *ctx, t *types.T, d datum) string {
	s := *ec.Settings
	s.DateStyle = types.DateStyleISO
	b := types.AppendText(nil, t, d, &s)
	for i, c := range b {
		if c == ' ' && i >= 10 && t.OID != types.OIDDate {
			b[i] = 'T'
			break
		}
	}
	if t.OID == types.OIDTimestampTZ && len(b) > 3 && (b[len(b)-3] == '+' || b[len(b)-3] == '-') {
		b = append(b, ":00"...)
	}
	return string(b)
}

func appendJSONArray(ec *ctx, dst []byte, a *types.Array, pretty bool) ([]byte, error) {
	if len(a.Elems) == 0 {
		return append(dst, "[]"...), nil
	}
	at := 0
	var err error
	var level func(dim int)
	level = func(dim int) {
		dst = append(dst, '[')
		for i := range int(a.Dims[dim].Len) {
			if i > 0 {
				dst = append(dst, ',')
				if pretty && dim == 0 {
					dst = append(dst, "\n "...)
				}
			}
			if dim+1 < len(a.Dims) {
				level(dim + 1)
				continue
			}
			var e error
			if dst, e = appendJSON(ec, dst, a.Elem, a.Elems[at], false); e != nil {
				err = e
			}
			at++
		}
		dst = append(dst, ']')
	}
	level(0)
	return dst, err
}

func appendJSONRecord(ec *ctx, dst []byte, t *types.T, r *types.Record, pretty bool) ([]byte, error) {
	dst = append(dst, '{')
	for i, f := range r.Fields {
		if i > 0 {
			dst = append(dst, ',')
			if pretty {
				dst = append(dst, "\n "...)
			}
		}
		ft, name := fieldOf(t, r, i)
		dst = append(types.AppendJSONString(dst, name), ':')
		var err error
		if dst, err = appendJSON(ec, dst, ft, f, false); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

// fieldOf returns the type and name of a record's field.
func fieldOf(t *types.T, r *types.Record, i int) (*types.T, string) {
	ft, fname := text, "f"+itoa(i+1)
	if i < len(r.Types) {
		ft = r.Types[i]
	}
	if i < len(r.Names) {
		fname = r.Names[i]
	}
	if t != nil && i < len(t.Fields) {
		ft, fname = t.Fields[i].Type, t.Fields[i].Name
	}
	return ft, fname
}

// toJSONB converts a value as to_jsonb does.
func toJSONB(ec *ctx, t *types.T, d datum) (types.JSONValue, error) {
	if d.IsNull() {
		return types.JSONScalar(types.JSONNull), nil
	}
	switch d.Family() {
	case types.FamBool:
		return types.JSONFromBool(d.Bool()), nil
	case types.FamJSONB:
		return d.JSON(), nil
	case types.FamArray:
		return arrayToJSONB(ec, d.Array())
	case types.FamRecord:
		r := d.Record()
		m := make([]types.JSONMember, len(r.Fields))
		for i, f := range r.Fields {
			ft, name := fieldOf(t, r, i)
			v, err := toJSONB(ec, ft, f)
			if err != nil {
				return nil, err
			}
			m[i] = types.JSONMember{Key: name, Value: v}
		}
		return types.JSONFromMembers(m), nil
	case types.FamNumeric:
		if d.Numeric().IsFinite() {
			return types.JSONFromNumeric(d.Numeric()), nil
		}
	}
	switch {
	case t.OID == types.OIDJSON:
		return types.ParseJSONB(d.Str())
	case t.OID == types.OIDInt2 || t.OID == types.OIDInt4 || t.OID == types.OIDInt8:
		return types.JSONFromNumeric(types.NumericFromInt(d.Int())), nil
	case d.Family() == types.FamFloat:
		s := types.TextOf(t, d, ec.Settings)
		if n, err := types.ParseNumeric(s); err == nil && n.IsFinite() {
			return types.JSONFromNumeric(n), nil
		}
		return types.JSONFromString(s), nil
	case t.OID == types.OIDTimestamp || t.OID == types.OIDTimestampTZ || t.OID == types.OIDDate:
		return types.JSONFromString(isoText(ec, t, d)), nil
	}
	return types.JSONFromString(types.TextOf(t, d, ec.Settings)), nil
}

func arrayToJSONB(ec *ctx, a *types.Array) (types.JSONValue, error) {
	if len(a.Elems) == 0 {
		return types.JSONFromArray(nil), nil
	}
	at := 0
	var level func(dim int) (types.JSONValue, error)
	level = func(dim int) (types.JSONValue, error) {
		elems := make([]types.JSONValue, a.Dims[dim].Len)
		for i := range elems {
			var err error
			if dim+1 < len(a.Dims) {
				elems[i], err = level(dim + 1)
			} else {
				elems[i], err = toJSONB(ec, a.Elem, a.Elems[at])
				at++
			}
			if err != nil {
				return nil, err
			}
		}
		return types.JSONFromArray(elems), nil
	}
	return level(0)
}
