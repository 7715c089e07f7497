package types

import (
	"unicode/utf8"

	"github.com/spanlite/spanlite/sql/sqlstate"
)

// jsonMaxDepth bounds nesting, so that recursion over a value cannot exhaust the stack.
const jsonMaxDepth = 6400

// ParseJSONB reads JSON text. Numbers keep their digits, the last of duplicate
// keys counts.
func ParseJSONB(text string) (JSONValue, error) {
	p := jsonParser{s: text, build: true, typeName: "json"}
	v, err := p.document()
	if err != nil {
		return nil, err
	}
	return v, nil
}

// ValidateJSON checks JSON text, which the type json keeps as it is.
func ValidateJSON(text string) error {
	p := jsonParser{s: text, typeName: "json"}
	_, err := p.document()
	return err
}

type jsonParser struct {
	s        string
	i        int
	depth    int
	build    bool
	typeName string
	buf      []byte
}

func (p *jsonParser) document() (JSONValue, error) {
	v, err := p.value()
	if err != nil {
		return nil, err
	}
	if p.space(); p.i < len(p.s) {
		return nil, p.unexpected("Expected end of input, but found %s.")
	}
	return v, nil
}

func (p *jsonParser) space() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

func (p *jsonParser) errorf(detail string, args ...any) error {
	return sqlstate.New(sqlstate.InvalidTextRepresentation, "invalid input syntax for type %s", p.typeName).WithDetail(detail, args...)
}

// token returns the offending token in quotes, for messages.
func (p *jsonParser) token() string {
	j := p.i
	for j < len(p.s) && (isWordByte(p.s[j]) || p.s[j] >= 0x80) {
		j++
	}
	if j == p.i && j < len(p.s) {
		j++
	}
	return `"` + p.s[p.i:j] + `"`
}

func isWordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

func (p *jsonParser) unexpected(format string) error {
	if p.i >= len(p.s) {
		return p.errorf("The input string ended unexpectedly.")
	}
	// A token that is none is refused by the scanner, one in the wrong place by the parser.
	switch c := p.s[p.i]; {
	case c == '-' || c >= '0' && c <= '9':
		start := p.i
		if _, err := p.number(); err != nil {
			return err
		}
		return p.errorf(format, `"`+p.s[start:p.i]+`"`)
	case c == '"':
		start := p.i
		if _, err := p.str(); err != nil {
			return err
		}
		return p.errorf(format, `"`+p.s[start:p.i]+`"`)
	case isWordByte(c) || c >= 0x80:
		switch t := p.token(); t {
		case `"true"`, `"false"`, `"null"`:
			return p.errorf(format, t)
		default:
			return p.errorf("Token %s is invalid.", t)
		}
	}
	return p.errorf(format, p.token())
}

func (p *jsonParser) value() (JSONValue, error) {
	p.space()
	if p.i >= len(p.s) {
		return nil, p.errorf("The input string ended unexpectedly.")
	}
	switch c := p.s[p.i]; {
	case c == '{':
		return p.object()
	case c == '[':
		return p.array()
	case c == '"':
		s, err := p.str()
		if err != nil || !p.build {
			return nil, err
		}
		return JSONFromString(s), nil
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	for word, kind := range map[string]JSONKind{"null": JSONNull, "true": JSONTrue, "false": JSONFalse} {
		if len(p.s)-p.i >= len(word) && p.s[p.i:p.i+len(word)] == word &&
			(p.i+len(word) == len(p.s) || !isWordByte(p.s[p.i+len(word)])) {
			p.i += len(word)
			return JSONScalar(kind), nil
		}
	}
	return nil, p.unexpected("Expected JSON value, but found %s.")
}

func (p *jsonParser) enter() error {
	if p.depth++; p.depth > jsonMaxDepth {
		return sqlstate.New(sqlstate.StatementTooComplex, "stack depth limit exceeded")
	}
	p.i++
	p.space()
	return nil
}

func (p *jsonParser) object() (JSONValue, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	var members []JSONMember
	if p.i < len(p.s) && p.s[p.i] == '}' {
		p.i++
		return p.members(members), nil
	}
	for {
		p.space()
		if p.i >= len(p.s) || p.s[p.i] != '"' {
			if len(members) == 0 {
				return nil, p.unexpected(`Expected string or "}", but found %s.`)
			}
			return nil, p.unexpected("Expected string, but found %s.")
		}
		key, err := p.str()
		if err != nil {
			return nil, err
		}
		if p.space(); p.i >= len(p.s) || p.s[p.i] != ':' {
			return nil, p.unexpected(`Expected ":", but found %s.`)
		}
		p.i++
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		if p.build {
			members = append(members, JSONMember{Key: key, Value: v})
		} else if members == nil {
			members = make([]JSONMember, 1)
		}
		p.space()
		switch {
		case p.i < len(p.s) && p.s[p.i] == ',':
			p.i++
		case p.i < len(p.s) && p.s[p.i] == '}':
			p.i++
			return p.members(members), nil
		default:
			return nil, p.unexpected(`Expected "," or "}", but found %s.`)
		}
	}
}

func (p *jsonParser) members(m []JSONMember) JSONValue {
	if !p.build {
		return nil
	}
	return JSONFromMembers(m)
}

func (p *jsonParser) array() (JSONValue, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	var elems []JSONValue
	if p.i < len(p.s) && p.s[p.i] == ']' {
		p.i++
		return p.elems(elems), nil
	}
	for {
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		if p.build {
			elems = append(elems, v)
		}
		p.space()
		switch {
		case p.i < len(p.s) && p.s[p.i] == ',':
			p.i++
		case p.i < len(p.s) && p.s[p.i] == ']':
			p.i++
			return p.elems(elems), nil
		default:
			return nil, p.unexpected(`Expected "," or "]", but found %s.`)
		}
	}
}

func (p *jsonParser) elems(e []JSONValue) JSONValue {
	if !p.build {
		return nil
	}
	return JSONFromArray(e)
}

func (p *jsonParser) number() (JSONValue, error) {
	start := p.i
	digits := func() bool {
		from := p.i
		for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
			p.i++
		}
		return p.i > from
	}
	bad := func() (JSONValue, error) {
		for p.i < len(p.s) && (isWordByte(p.s[p.i]) || p.s[p.i] == '.' || p.s[p.i] == '+' || p.s[p.i] == '-') {
			p.i++
		}
		return nil, p.errorf("Token \"%s\" is invalid.", p.s[start:p.i])
	}
	if p.s[p.i] == '-' {
		p.i++
	}
	if p.i < len(p.s) && p.s[p.i] == '0' {
		p.i++
		if p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
			return bad()
		}
	} else if !digits() {
		return bad()
	}
	if p.i < len(p.s) && p.s[p.i] == '.' {
		p.i++
		if !digits() {
			return bad()
		}
	}
	if p.i < len(p.s) && (p.s[p.i] == 'e' || p.s[p.i] == 'E') {
		p.i++
		if p.i < len(p.s) && (p.s[p.i] == '+' || p.s[p.i] == '-') {
			p.i++
		}
		if !digits() {
			return bad()
		}
	}
	if p.i < len(p.s) && isWordByte(p.s[p.i]) {
		return bad()
	}
	if !p.build {
		return nil, nil
	}
	n, err := ParseNumeric(p.s[start:p.i])
	if err != nil {
		return nil, err
	}
	return JSONFromNumeric(n), nil
}

func (p *jsonParser) str() (string, error) {
	p.i++
	start := p.i
	for p.i < len(p.s) {
		c := p.s[p.i]
		switch {
		case c == '"':
			s := p.s[start:p.i]
			p.i++
			return s, nil
		case c == '\\':
			return p.escapedStr(start)
		case c < ' ':
			return "", p.errorf("Character with value 0x%02x must be escaped.", c)
		}
		p.i++
	}
	return "", p.errorf("Token \"%s\" is invalid.", p.s[start-1:])
}

func (p *jsonParser) escapedStr(start int) (string, error) {
	p.buf = append(p.buf[:0], p.s[start:p.i]...)
	high := rune(-1) // the first half of a surrogate pair
	for p.i < len(p.s) {
		c := p.s[p.i]
		isU := c == '\\' && p.i+1 < len(p.s) && p.s[p.i+1] == 'u'
		if high >= 0 && !isU {
			return "", p.errorf("Unicode low surrogate must follow a high surrogate.")
		}
		switch {
		case c == '"':
			p.i++
			return string(p.buf), nil
		case c < ' ':
			return "", p.errorf("Character with value 0x%02x must be escaped.", c)
		case c != '\\':
			p.buf = append(p.buf, c)
			p.i++
			continue
		}
		p.i++
		if p.i >= len(p.s) {
			break
		}
		esc := p.s[p.i]
		p.i++
		switch esc {
		case '"', '\\', '/':
			p.buf = append(p.buf, esc)
		case 'b':
			p.buf = append(p.buf, '\b')
		case 'f':
			p.buf = append(p.buf, '\f')
		case 'n':
			p.buf = append(p.buf, '\n')
		case 'r':
			p.buf = append(p.buf, '\r')
		case 't':
			p.buf = append(p.buf, '\t')
		case 'u':
			r := rune(0)
			for range 4 {
				if p.i >= len(p.s) {
					return "", p.errorf("The input string ended unexpectedly.")
				}
				h := hexDigit(p.s[p.i])
				if h < 0 {
					return "", p.errorf("\"\\u\" must be followed by four hexadecimal digits.")
				}
				r = r<<4 | rune(h)
				p.i++
			}
			switch {
			case r >= 0xd800 && r < 0xdc00:
				if high >= 0 {
					return "", p.errorf("Unicode high surrogate must not follow a high surrogate.")
				}
				high = r
			case r >= 0xdc00 && r < 0xe000:
				if high < 0 {
					return "", p.errorf("Unicode low surrogate must follow a high surrogate.")
				}
				p.buf = utf8.AppendRune(p.buf, 0x10000+(high-0xd800)<<10+(r-0xdc00))
				high = -1
			case high >= 0:
				return "", p.errorf("Unicode low surrogate must follow a high surrogate.")
			case r == 0 && p.build:
				return "", sqlstate.New(sqlstate.UntranslatableCharacter, "unsupported Unicode escape sequence").
					WithDetail("\\u0000 cannot be converted to text.")
			default:
				p.buf = utf8.AppendRune(p.buf, r)
			}
		default:
			return "", p.errorf("Escape sequence \"\\%c\" is invalid.", esc)
		}
	}
	return "", p.errorf("Token \"%s\" is invalid.", p.s[start-1:])
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
