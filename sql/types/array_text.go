package types

import (
	"strconv"
	"strings"

	"github.com/spanlite/spanlite/sql/sqlstate"
)

func appendArrayText(dst []byte, t *T, a *Array, s *Settings) []byte {
	elem := a.Elem
	if t.Elem != nil && (elem == nil || t.Elem.OID != elem.OID || elem.IsEnum()) && t.Family == FamArray && t.Elem.Family == elem.Family {
		elem = t.Elem
	}
	if t.OID == OIDInt2Vector || t.OID == OIDOidVector {
		for i, e := range a.Elems {
			if i > 0 {
				dst = append(dst, ' ')
			}
			dst = strconv.AppendInt(dst, e.n, 10)
		}
		return dst
	}
	if len(a.Elems) == 0 {
		return append(dst, '{', '}')
	}
	custom := false
	for _, d := range a.Dims {
		custom = custom || d.Lower != 1
	}
	if custom {
		for _, d := range a.Dims {
			dst = strconv.AppendInt(append(dst, '['), int64(d.Lower), 10)
			dst = strconv.AppendInt(append(dst, ':'), int64(d.Lower+d.Len-1), 10)
			dst = append(dst, ']')
		}
		dst = append(dst, '=')
	}
	at := 0
	var level func(dim int)
	level = func(dim int) {
		dst = append(dst, '{')
		for i := range int(a.Dims[dim].Len) {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dim+1 < len(a.Dims) {
				level(dim + 1)
				continue
			}
			e := a.Elems[at]
			at++
			if e.IsNull() {
				dst = append(dst, "NULL"...)
				continue
			}
			start := len(dst)
			dst = appendText(dst, elem, e, s)
			if arrayNeedsQuotes(dst[start:]) {
				dst = quoteInPlace(dst, start)
			}
		}
		dst = append(dst, '}')
	}
	level(0)
	return dst
}

func arrayNeedsQuotes(b []byte) bool {
	if len(b) == 0 || len(b) == 4 && strings.EqualFold(string(b), "null") {
		return true
	}
	for _, c := range b {
		if c == '"' || c == '\\' || c == '{' || c == '}' || c == ',' || isSpace(c) {
			return true
		}
	}
	return false
}

// quoteInPlace puts dst[start:] in double quotes with backslash escapes.
func quoteInPlace(dst []byte, start int) []byte {
	raw := string(dst[start:])
	dst = append(dst[:start], '"')
	for i := range len(raw) {
		if raw[i] == '"' || raw[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, raw[i])
	}
	return append(dst, '"')
}

func appendRecordText(dst []byte, t *T, r *Record, s *Settings) []byte {
	dst = append(dst, '(')
	for i, f := range r.Fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		if f.IsNull() {
			continue
		}
		ft := Text
		switch {
		case i < len(t.Fields):
			ft = t.Fields[i].Type
		case i < len(r.Types):
			ft = r.Types[i]
		}
		start := len(dst)
		dst = appendText(dst, ft, f, s)
		quote := len(dst) == start
		for _, c := range dst[start:] {
			if c == '"' || c == '\\' || c == '(' || c == ')' || c == ',' || isSpace(c) {
				quote = true
				break
			}
		}
		if quote {
			raw := string(dst[start:])
			dst = append(dst[:start], '"')
			for i := range len(raw) {
				if raw[i] == '"' || raw[i] == '\\' {
					dst = append(dst, raw[i])
				}
				dst = append(dst, raw[i])
			}
			dst = append(dst, '"')
		}
	}
	return append(dst, ')')
}

func errArrayLiteral(text, detail string) error {
	e := sqlstate.New(sqlstate.InvalidTextRepresentation, "malformed array literal: \"%s\"", text)
	if detail != "" {
		return e.WithDetail("%s", detail)
	}
	return e
}

func parseArrayText(t *T, text string, s *Settings) (Datum, error) {
	if t.OID == OIDInt2Vector || t.OID == OIDOidVector {
		var elems []Datum
		for _, f := range strings.Fields(text) {
			d, err := parseText(t.Elem, f, s)
			if err != nil {
				return Null, err
			}
			elems = append(elems, d)
		}
		return NewArrayDatum(NewVector(t.Elem, elems)), nil
	}
	p := arrayParser{text: text, s: text, elem: t.Elem, settings: s}
	a, err := p.parse()
	if err != nil {
		return Null, err
	}
	return NewArrayDatum(a), nil
}

type arrayParser struct {
	text     string
	s        string
	elem     *T
	settings *Settings
	out      *Array
	depth    int // dimensions, known after the first innermost brace
}

func (p *arrayParser) skip() {
	for p.s != "" && isSpace(p.s[0]) {
		p.s = p.s[1:]
	}
}

func (p *arrayParser) parse() (*Array, error) {
	p.out = &Array{Elem: p.elem}
	p.skip()
	var explicit []ArrayDim
	for p.s != "" && p.s[0] == '[' {
		end := strings.IndexByte(p.s, ']')
		if end < 0 {
			return nil, errArrayLiteral(p.text, `Missing "]" after array dimensions.`)
		}
		lo, hi, both := strings.Cut(p.s[1:end], ":")
		if !both {
			lo, hi = "1", lo
		}
		l, err1 := strconv.ParseInt(lo, 10, 32)
		h, err2 := strconv.ParseInt(hi, 10, 32)
		if err1 != nil || err2 != nil {
			return nil, errArrayLiteral(p.text, `"[" must introduce explicitly-specified array dimensions.`)
		}
		if h < l {
			return nil, sqlstate.New(sqlstate.ArraySubscriptError, "upper bound cannot be less than lower bound")
		}
		if len(explicit) == arrayMaxDims {
			return nil, sqlstate.New(sqlstate.ProgramLimitExceeded, "number of array dimensions (%d) exceeds the maximum allowed (%d)", len(explicit)+1, arrayMaxDims)
		}
		if h-l+1 > arrayMaxElems {
			return nil, sqlstate.New(sqlstate.ProgramLimitExceeded, "array size exceeds the maximum allowed (%d)", arrayMaxElems)
		}
		explicit = append(explicit, ArrayDim{Len: int32(h - l + 1), Lower: int32(l)})
		p.s = p.s[end+1:]
		p.skip()
	}
	if explicit != nil {
		if p.s == "" || p.s[0] != '=' {
			return nil, errArrayLiteral(p.text, `Missing "=" after array dimensions.`)
		}
		p.s = p.s[1:]
		p.skip()
	}
	if p.s == "" || p.s[0] != '{' {
		if explicit != nil {
			return nil, errArrayLiteral(p.text, "Array contents must start with \"{\".")
		}
		return nil, errArrayLiteral(p.text, `Array value must start with "{" or dimension information.`)
	}
	dims := make([]int32, 0, 1)
	if err := p.level(0, &dims); err != nil {
		return nil, err
	}
	p.skip()
	if p.s != "" {
		return nil, errArrayLiteral(p.text, "Junk after closing right brace.")
	}
	if len(p.out.Elems) > 0 {
		for _, n := range dims {
			p.out.Dims = append(p.out.Dims, ArrayDim{Len: n, Lower: 1})
		}
	}
	if explicit != nil {
		if len(explicit) != len(p.out.Dims) {
			return nil, errArrayLiteral(p.text, "Specified array dimensions do not match array contents.")
		}
		for i, d := range explicit {
			if d.Len != p.out.Dims[i].Len {
				return nil, errArrayLiteral(p.text, "Specified array dimensions do not match array contents.")
			}
			p.out.Dims[i].Lower = d.Lower
		}
	}
	return p.out, nil
}

var errArrayShape = "Multidimensional arrays must have sub-arrays with matching dimensions."

// level reads {...} at the given depth; dims collects the extents.
func (p *arrayParser) level(depth int, dims *[]int32) error {
	if depth >= arrayMaxDims {
		return sqlstate.New(sqlstate.ProgramLimitExceeded, "number of array dimensions (%d) exceeds the maximum allowed (%d)", depth+1, arrayMaxDims)
	}
	if p.depth > 0 && depth >= p.depth {
		return errArrayLiteral(p.text, errArrayShape)
	}
	p.s = p.s[1:]
	first := len(*dims) == depth
	if first {
		*dims = append(*dims, 0)
	}
	n := int32(0)
	p.skip()
	if p.s != "" && p.s[0] == '}' {
		p.s = p.s[1:]
		if depth > 0 {
			if p.depth == 0 {
				p.depth = depth + 1
			}
			if !first && (*dims)[depth] != 0 {
				return errArrayLiteral(p.text, errArrayShape)
			}
		}
		return nil
	}
	for {
		p.skip()
		if p.s == "" {
			return errArrayLiteral(p.text, "Unexpected end of input.")
		}
		if p.s[0] == '{' {
			if err := p.level(depth+1, dims); err != nil {
				return err
			}
		} else {
			if p.depth == 0 {
				p.depth = depth + 1
			}
			if p.depth != depth+1 {
				return errArrayLiteral(p.text, errArrayShape)
			}
			if err := p.element(); err != nil {
				return err
			}
		}
		n++
		p.skip()
		if p.s == "" {
			return errArrayLiteral(p.text, "Unexpected end of input.")
		}
		c := p.s[0]
		p.s = p.s[1:]
		if c == '}' {
			break
		}
		if c != ',' {
			return errArrayLiteral(p.text, "Unexpected array element.")
		}
	}
	if !first && (*dims)[depth] != n {
		return errArrayLiteral(p.text, errArrayShape)
	}
	(*dims)[depth] = n
	return nil
}

func (p *arrayParser) element() error {
	var buf []byte
	quoted := false
	if p.s[0] == '"' {
		quoted = true
		i := 1
		for {
			if i >= len(p.s) {
				return errArrayLiteral(p.text, "Unexpected end of input.")
			}
			if p.s[i] == '"' {
				break
			}
			if p.s[i] == '\\' && i+1 < len(p.s) {
				i++
			}
			buf = append(buf, p.s[i])
			i++
		}
		p.s = p.s[i+1:]
	} else {
		i, last := 0, 0
		for i < len(p.s) && p.s[i] != ',' && p.s[i] != '}' {
			c := p.s[i]
			if c == '{' {
				return errArrayLiteral(p.text, `Unexpected "{" character.`)
			}
			if c == '"' {
				return errArrayLiteral(p.text, "Incorrectly quoted array element.")
			}
			if c == '\\' && i+1 < len(p.s) {
				i++
				quoted = true
				buf = append(buf, p.s[i])
				last = len(buf)
				i++
				continue
			}
			buf = append(buf, c)
			if !isSpace(c) {
				last = len(buf)
			}
			i++
		}
		buf = buf[:last]
		p.s = p.s[i:]
		if len(buf) == 0 && !quoted {
			if p.s == "" {
				return errArrayLiteral(p.text, "Unexpected end of input.")
			}
			return errArrayLiteral(p.text, "Unexpected \""+p.s[:1]+"\" character.")
		}
		if !quoted && strings.EqualFold(string(buf), "null") {
			p.out.Elems = append(p.out.Elems, Null)
			return nil
		}
	}
	d, err := parseText(p.elem, string(buf), p.settings)
	if err != nil {
		return err
	}
	p.out.Elems = append(p.out.Elems, d)
	return nil
}

func parseRecordText(t *T, text string, s *Settings) (Datum, error) {
	bad := func(detail string) (Datum, error) {
		return Null, sqlstate.New(sqlstate.InvalidTextRepresentation, "malformed record literal: \"%s\"", text).WithDetail("%s", detail)
	}
	rest := strings.TrimLeft(text, " \t\n\r\v\f")
	if !strings.HasPrefix(rest, "(") {
		return bad("Missing left parenthesis.")
	}
	rest = rest[1:]
	r := &Record{}
	for i, f := range t.Fields {
		if i > 0 {
			if !strings.HasPrefix(rest, ",") {
				return bad("Too few columns.")
			}
			rest = rest[1:]
		}
		d := Null
		if rest != "" && rest[0] != ',' && rest[0] != ')' {
			var buf []byte
			inQuote := false
			k := 0
			for ; k < len(rest) && (inQuote || rest[k] != ',' && rest[k] != ')'); k++ {
				switch c := rest[k]; {
				case c == '\\' && k+1 < len(rest):
					k++
					buf = append(buf, rest[k])
				case c == '"' && inQuote && k+1 < len(rest) && rest[k+1] == '"':
					k++
					buf = append(buf, '"')
				case c == '"':
					inQuote = !inQuote
				default:
					buf = append(buf, c)
				}
			}
			if k >= len(rest) {
				return bad("Unexpected end of input.")
			}
			rest = rest[k:]
			var err error
			if d, err = parseText(f.Type, string(buf), s); err != nil {
				return Null, err
			}
		}
		r.Fields = append(r.Fields, d)
		r.Types = append(r.Types, f.Type)
		r.Names = append(r.Names, f.Name)
	}
	if rest == "" || rest[0] != ')' {
		return bad("Too many columns.")
	}
	if trimSpace(rest[1:]) != "" {
		return bad("Junk after right parenthesis.")
	}
	return NewRecordDatum(r), nil
}
