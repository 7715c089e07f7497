package parser

import (
	"strings"
	"unicode/utf8"

	"github.com/spanlite/spanlite/sql/sqlstate"
)

// tokenKind classifies a token. Punctuation has its own character as kind.
type tokenKind uint8

const (
	tEOF      tokenKind = iota
	tError              // a lexical error; the scanner stops there
	tIdent              // a word: keyword (token.kw) or unquoted name
	tQuoted             // a "quoted" name
	tString             // '...', E'...', U&'...', $$...$$
	tNational           // N'...'
	tBits               // B'...'
	tHex                // X'...'
	tInteger            // 42
	tFloat              // 4.2, 1e9
	tParam              // $1
	tOp                 // an operator other than those below
	tCast               // ::
	tAssign             // :=
	tArrow              // =>
	tDots               // ..
)

// token is a lexeme with its place. Text is the name, the decoded string, the
// number or the operator.
type token struct {
	kind tokenKind
	kw   keyword
	// match is the index of the partner of a bracket, CASE or END (see
	// matchBrackets); 0 for all other tokens.
	match    int32
	pos, end int32
	text     string
}

// nameLenMax is the length in bytes to which names are cut (NAMEDATALEN - 1).
const nameLenMax = 63

// scanner cuts text into tokens by PostgreSQL's lexical rules with
// standard_conforming_strings on (src/backend/parser/scan.l is the model).
type scanner struct {
	src string
	pos int
	err *sqlstate.Error
}

func isIdentStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

func isIdentPart(c byte) bool {
	return isIdentStart(c) || c >= '0' && c <= '9' || c == '$'
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isSpace(c byte) bool {
	return c == ' ' || c >= '\t' && c <= '\r' && c != '\v'
}

func isOpChar(c byte) bool {
	switch c {
	case '~', '!', '@', '#', '^', '&', '|', '`', '?', '+', '-', '*', '/', '%', '<', '>', '=':
		return true
	}
	return false
}

func (s *scanner) peekAt(i int) byte {
	if i < len(s.src) {
		return s.src[i]
	}
	return 0
}

// fail records a lexical error and returns the token that stands for it.
func (s *scanner) fail(pos int, format string, args ...any) token {
	s.err = sqlstate.New(sqlstate.SyntaxError, format, args...).At(pos)
	s.pos = len(s.src)
	return token{kind: tError, pos: int32(pos), end: int32(len(s.src))}
}

// skipSpace skips white space and comments. It reports whether a newline was
// among them, and false for ok if a comment does not end.
func (s *scanner) skipSpace() (newline, ok bool) {
	for s.pos < len(s.src) {
		c := s.src[s.pos]
		switch {
		case isSpace(c):
			if c == '\n' || c == '\r' {
				newline = true
			}
			s.pos++
		case c == '-' && s.peekAt(s.pos+1) == '-':
			s.pos += 2
			for s.pos < len(s.src) && s.src[s.pos] != '\n' && s.src[s.pos] != '\r' {
				s.pos++
			}
		case c == '/' && s.peekAt(s.pos+1) == '*':
			start := s.pos
			depth := 1
			s.pos += 2
			for depth > 0 {
				if s.pos+1 >= len(s.src) {
					s.pos = start
					return newline, false
				}
				switch {
				case s.src[s.pos] == '/' && s.src[s.pos+1] == '*':
					depth++
					s.pos += 2
				case s.src[s.pos] == '*' && s.src[s.pos+1] == '/':
					depth--
					s.pos += 2
				default:
					s.pos++
				}
			}
		default:
			return newline, true
		}
	}
	return newline, true
}

// next returns the next token; tEOF at the end.
func (s *scanner) next() token {
	if _, ok := s.skipSpace(); !ok {
		return s.fail(s.pos, "unterminated /* comment at or near \"%s\"", s.src[s.pos:])
	}
	if s.pos >= len(s.src) {
		return token{kind: tEOF, pos: int32(len(s.src)), end: int32(len(s.src))}
	}
	start := s.pos
	c := s.src[start]
	switch {
	case isIdentStart(c):
		if s.peekAt(start+1) == '\'' {
			switch c {
			case 'e', 'E':
				s.pos = start + 1
				return s.str(start, tString, true)
			case 'b', 'B':
				s.pos = start + 1
				return s.bits(start, tBits)
			case 'x', 'X':
				s.pos = start + 1
				return s.bits(start, tHex)
			case 'n', 'N':
				s.pos = start + 1
				return s.str(start, tNational, false)
			}
		}
		if (c == 'u' || c == 'U') && s.peekAt(start+1) == '&' {
			switch s.peekAt(start + 2) {
			case '\'':
				s.pos = start + 2
				return s.unicode(start, s.str(start, tString, false))
			case '"':
				s.pos = start + 2
				return s.unicode(start, s.quoted(start))
			}
		}
		return s.word(start)
	case isDigit(c), c == '.' && isDigit(s.peekAt(start+1)):
		return s.number(start)
	case c == '\'':
		return s.str(start, tString, false)
	case c == '"':
		return s.quoted(start)
	case c == '$':
		return s.dollar(start)
	case c == '(', c == ')', c == '[', c == ']', c == ',', c == ';':
		s.pos++
		return s.make(tokenKind(c), start, "")
	case c == '.':
		if s.peekAt(start+1) == '.' {
			s.pos += 2
			return s.make(tDots, start, "")
		}
		s.pos++
		return s.make('.', start, "")
	case c == ':':
		switch s.peekAt(start + 1) {
		case ':':
			s.pos += 2
			return s.make(tCast, start, "")
		case '=':
			s.pos += 2
			return s.make(tAssign, start, "")
		}
		s.pos++
		return s.make(':', start, "")
	case isOpChar(c):
		return s.operator(start)
	}
	_, n := utf8.DecodeRuneInString(s.src[start:])
	s.pos += n
	return s.make(tokenKind('?'), start, "")
}

func (s *scanner) make(kind tokenKind, start int, text string) token {
	return token{kind: kind, pos: int32(start), end: int32(s.pos), text: text}
}

// word scans an unquoted name or keyword and folds it to lower case: ASCII
// letters only, as PostgreSQL does for UTF-8.
func (s *scanner) word(start int) token {
	i := start
	upper := false
	for i < len(s.src) && isIdentPart(s.src[i]) {
		if s.src[i]-'A' < 26 {
			upper = true
		}
		i++
	}
	s.pos = i
	text := s.src[start:i]
	t := s.make(tIdent, start, text)
	if upper {
		// Keywords, which are often written in capitals, cost no allocation.
		var buf [keywordLenMax]byte
		if len(text) <= len(buf) {
			t.kw = lookupKeyword(string(appendFolded(buf[:0], text)))
		}
		if t.kw == noKeyword {
			t.text = cutName(foldASCII(text))
			return t
		}
	} else {
		t.kw = lookupKeyword(text)
	}
	if t.kw == noKeyword {
		t.text = cutName(text)
	} else {
		t.text = keywords[t.kw].word
	}
	return t
}

func appendFolded(b []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if c-'A' < 26 {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}

func foldASCII(s string) string {
	return string(appendFolded(make([]byte, 0, len(s)), s))
}

// cutName cuts a name to nameLenMax bytes at a character's end.
func cutName(s string) string {
	if len(s) <= nameLenMax {
		return s
	}
	n := nameLenMax
	for n > nameLenMax-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func (s *scanner) quoted(start int) token {
	i := s.pos + 1
	from := i
	var b strings.Builder
	for {
		j := strings.IndexByte(s.src[i:], '"')
		if j < 0 {
			return s.fail(start, "unterminated quoted identifier at or near \"%s\"", s.src[start:])
		}
		i += j
		if s.peekAt(i+1) != '"' {
			break
		}
		b.WriteString(s.src[from : i+1])
		i += 2
		from = i
	}
	text := s.src[from:i]
	if b.Len() > 0 {
		b.WriteString(text)
		text = b.String()
	}
	s.pos = i + 1
	if text == "" {
		return s.fail(start, "zero-length delimited identifier at or near \"%s\"", s.src[start:s.pos])
	}
	if s.src[start] == '"' { // U& names are cut after decoding
		text = cutName(text)
	}
	return s.make(tQuoted, start, text)
}

// str scans a quoted string at s.pos, with its continuations: pieces with
// nothing but white space and at least one newline between them are one string.
func (s *scanner) str(start int, kind tokenKind, escapes bool) token {
	var b strings.Builder
	simple := ""
	for {
		i := s.pos + 1
		from := i
		for {
			if i >= len(s.src) {
				return s.fail(start, "unterminated quoted string at or near \"%s\"", s.src[start:])
			}
			c := s.src[i]
			if c == '\'' {
				if s.peekAt(i+1) != '\'' {
					break
				}
				b.WriteString(s.src[from : i+1])
				i += 2
				from = i
				continue
			}
			if c == '\\' && escapes {
				b.WriteString(s.src[from:i])
				n, err := s.escape(i, &b)
				if err != nil {
					s.err = err
					s.pos = len(s.src)
					return token{kind: tError, pos: int32(start), end: int32(len(s.src))}
				}
				i = n
				from = i
				continue
			}
			i++
		}
		s.pos = i + 1
		if b.Len() == 0 && simple == "" {
			simple = s.src[from:i]
		} else {
			if simple != "" {
				b.WriteString(simple)
				simple = ""
			}
			b.WriteString(s.src[from:i])
		}
		end := s.pos
		if newline, ok := s.skipBlank(); !ok || !newline || s.peekAt(s.pos) != '\'' {
			s.pos = end
			break
		}
		if simple != "" {
			b.WriteString(simple)
			simple = ""
		}
	}
	text := simple
	if b.Len() > 0 {
		text = b.String()
	}
	if escapes && !utf8.ValidString(text) && utf8.ValidString(s.src[start:s.pos]) {
		s.err = sqlstate.New(sqlstate.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\"").At(start)
		s.pos = len(s.src)
		return token{kind: tError, pos: int32(start), end: int32(len(s.src))}
	}
	return s.make(kind, start, text)
}

// skipBlank skips white space and -- comments, which may stand between the
// pieces of a string; a /* comment may not.
func (s *scanner) skipBlank() (newline, ok bool) {
	for s.pos < len(s.src) {
		c := s.src[s.pos]
		switch {
		case isSpace(c):
			if c == '\n' || c == '\r' {
				newline = true
			}
			s.pos++
		case c == '-' && s.peekAt(s.pos+1) == '-':
			for s.pos < len(s.src) && s.src[s.pos] != '\n' && s.src[s.pos] != '\r' {
				s.pos++
			}
		default:
			return newline, true
		}
	}
	return newline, true
}

// escape decodes the backslash sequence at i of an E'...' string into b and
// returns the offset behind it.
func (s *scanner) escape(i int, b *strings.Builder) (int, *sqlstate.Error) {
	c := s.peekAt(i + 1)
	switch c {
	case 'b':
		b.WriteByte('\b')
	case 'f':
		b.WriteByte('\f')
	case 'n':
		b.WriteByte('\n')
	case 'r':
		b.WriteByte('\r')
	case 't':
		b.WriteByte('\t')
	case '0', '1', '2', '3', '4', '5', '6', '7':
		v, j := 0, i+1
		for j < i+4 && s.peekAt(j) >= '0' && s.peekAt(j) <= '7' {
			v = v*8 + int(s.src[j]-'0')
			j++
		}
		return j, s.putByte(i, byte(v), b)
	case 'x':
		v, j := 0, i+2
		for j < i+4 && hexValue(s.peekAt(j)) >= 0 {
			v = v*16 + hexValue(s.src[j])
			j++
		}
		if j == i+2 {
			b.WriteByte('x')
			return j, nil
		}
		return j, s.putByte(i, byte(v), b)
	case 'u', 'U':
		n := 4
		if c == 'U' {
			n = 8
		}
		r, ok := s.hexRune(i+2, n)
		if !ok {
			return 0, sqlstate.New(sqlstate.InvalidEscapeSequence, "invalid Unicode escape").At(i).
				WithHint(`Unicode escapes must be \uXXXX or \UXXXXXXXX.`)
		}
		j := i + 2 + n
		if r >= 0xD800 && r < 0xDC00 && s.peekAt(j) == '\\' && (s.peekAt(j+1) == 'u' || s.peekAt(j+1) == 'U') {
			m := 4
			if s.src[j+1] == 'U' {
				m = 8
			}
			if low, ok := s.hexRune(j+2, m); ok && low >= 0xDC00 && low < 0xE000 {
				r = 0x10000 + (r-0xD800)<<10 + (low - 0xDC00)
				j += 2 + m
			}
		}
		if r == 0 || r > utf8.MaxRune || r >= 0xD800 && r < 0xE000 {
			return 0, sqlstate.New(sqlstate.SyntaxError, "invalid Unicode escape value").At(i)
		}
		b.WriteRune(r)
		return j, nil
	default:
		if i+1 >= len(s.src) {
			return i + 1, nil // the caller reports the unterminated string
		}
		_, n := utf8.DecodeRuneInString(s.src[i+1:])
		b.WriteString(s.src[i+1 : i+1+n])
		return i + 1 + n, nil
	}
	return i + 2, nil
}

func (s *scanner) putByte(at int, c byte, b *strings.Builder) *sqlstate.Error {
	if c == 0 {
		return sqlstate.New(sqlstate.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": 0x00").At(at)
	}
	b.WriteByte(c)
	return nil
}

func hexValue(c byte) int {
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

func (s *scanner) hexRune(i, n int) (rune, bool) {
	var r rune
	for j := i; j < i+n; j++ {
		v := hexValue(s.peekAt(j))
		if v < 0 || r > 0x10FFFFF {
			return 0, false
		}
		r = r<<4 | rune(v)
	}
	return r, true
}

// unicode decodes U&'...' and U&"...", whose escapes are \XXXX and \+XXXXXX,
// with another escape character if UESCAPE follows.
func (s *scanner) unicode(start int, t token) token {
	if t.kind == tError {
		return t
	}
	esc := byte('\\')
	end := s.pos
	if _, ok := s.skipSpace(); ok && isIdentStart(s.peekAt(s.pos)) {
		if w := s.word(s.pos); w.kw == kwUescape {
			if _, ok := s.skipSpace(); !ok || s.peekAt(s.pos) != '\'' {
				return s.fail(s.pos, "UESCAPE must be followed by a simple string literal at or near \"%s\"", s.src[min(s.pos, len(s.src)):min(s.pos+1, len(s.src))])
			}
			at := s.pos
			u := s.str(at, tString, false)
			if u.kind == tError {
				return u
			}
			if len(u.text) != 1 || hexValue(u.text[0]) >= 0 || u.text[0] == '+' || u.text[0] == '\'' || u.text[0] == '"' || isSpace(u.text[0]) {
				return s.fail(at, "invalid Unicode escape character at or near \"%s\"", s.src[at:u.end])
			}
			esc = u.text[0]
			end = s.pos
		}
	}
	s.pos = end
	var b strings.Builder
	in := t.text
	var high rune
	for i := 0; i < len(in); {
		if in[i] != esc {
			if high != 0 {
				return s.fail(start, "invalid Unicode surrogate pair")
			}
			b.WriteByte(in[i])
			i++
			continue
		}
		if i+1 < len(in) && in[i+1] == esc {
			b.WriteByte(esc)
			i += 2
			continue
		}
		sub := scanner{src: in}
		n, from := 4, i+1
		if sub.peekAt(i+1) == '+' {
			n, from = 6, i+2
		}
		r, ok := sub.hexRune(from, n)
		if !ok {
			return s.fail(start, "invalid Unicode escape")
		}
		i = from + n
		switch {
		case high != 0 && r >= 0xDC00 && r < 0xE000:
			b.WriteRune(0x10000 + (high-0xD800)<<10 + (r - 0xDC00))
			high = 0
		case high != 0:
			return s.fail(start, "invalid Unicode surrogate pair")
		case r >= 0xD800 && r < 0xDC00:
			high = r
		case r == 0 || r > utf8.MaxRune || r >= 0xDC00 && r < 0xE000:
			return s.fail(start, "invalid Unicode escape value")
		default:
			b.WriteRune(r)
		}
	}
	if high != 0 {
		return s.fail(start, "invalid Unicode surrogate pair")
	}
	text := b.String()
	if t.kind == tQuoted {
		text = cutName(text)
	}
	return s.make(t.kind, start, text)
}

func (s *scanner) bits(start int, kind tokenKind) token {
	t := s.str(start, kind, false)
	if t.kind == tError {
		return t
	}
	for i := range len(t.text) {
		c := t.text[i]
		if kind == tBits && c != '0' && c != '1' {
			s.err = sqlstate.New(sqlstate.InvalidTextRepresentation, "\"%c\" is not a valid binary digit", c).At(start)
		} else if kind == tHex && hexValue(c) < 0 {
			s.err = sqlstate.New(sqlstate.InvalidTextRepresentation, "\"%c\" is not a valid hexadecimal digit", c).At(start)
		} else {
			continue
		}
		s.pos = len(s.src)
		return token{kind: tError, pos: int32(start), end: int32(len(s.src))}
	}
	return t
}

func (s *scanner) number(start int) token {
	i := start
	kind := tInteger
	for isDigit(s.peekAt(i)) {
		i++
	}
	if s.peekAt(i) == '.' && s.peekAt(i+1) != '.' {
		kind = tFloat
		i++
		for isDigit(s.peekAt(i)) {
			i++
		}
	}
	if c := s.peekAt(i); c == 'e' || c == 'E' {
		j := i + 1
		if c := s.peekAt(j); c == '+' || c == '-' {
			j++
		}
		if isDigit(s.peekAt(j)) {
			kind = tFloat
			for i = j; isDigit(s.peekAt(i)); {
				i++
			}
		}
	}
	if isIdentStart(s.peekAt(i)) {
		_, n := utf8.DecodeRuneInString(s.src[i:])
		return s.fail(start, "trailing junk after numeric literal at or near \"%s\"", s.src[start:i+n])
	}
	s.pos = i
	return s.make(kind, start, s.src[start:i])
}

// dollar scans $1 and $tag$...$tag$.
func (s *scanner) dollar(start int) token {
	i := start + 1
	if isDigit(s.peekAt(i)) {
		for isDigit(s.peekAt(i)) {
			i++
		}
		if isIdentStart(s.peekAt(i)) {
			_, n := utf8.DecodeRuneInString(s.src[i:])
			return s.fail(start, "trailing junk after parameter at or near \"%s\"", s.src[start:i+n])
		}
		s.pos = i
		return s.make(tParam, start, s.src[start+1:i])
	}
	if isIdentStart(s.peekAt(i)) {
		for isIdentPart(s.peekAt(i)) && s.src[i] != '$' {
			i++
		}
	}
	if s.peekAt(i) != '$' {
		s.pos = start + 1
		return s.make(tokenKind('?'), start, "")
	}
	tag := s.src[start : i+1]
	j := strings.Index(s.src[i+1:], tag)
	if j < 0 {
		return s.fail(start, "unterminated dollar-quoted string at or near \"%s\"", s.src[start:])
	}
	s.pos = i + 1 + j + len(tag)
	return s.make(tString, start, s.src[i+1:i+1+j])
}

// operator scans the longest run of operator characters, less what belongs to
// a comment, less trailing + and - unless one of ~!@#^&|`?% is in it (so that
// a=-1 is three tokens, as the SQL standard wants).
func (s *scanner) operator(start int) token {
	i := start
	for i < len(s.src) && isOpChar(s.src[i]) {
		if i+1 < len(s.src) && (s.src[i] == '/' && s.src[i+1] == '*' || s.src[i] == '-' && s.src[i+1] == '-') {
			break
		}
		i++
	}
	n := i - start
	if n > 1 && (s.src[i-1] == '+' || s.src[i-1] == '-') && !strings.ContainsAny(s.src[start:i], "~!@#^&|`?%") {
		for n > 1 && (s.src[start+n-1] == '+' || s.src[start+n-1] == '-') {
			n--
		}
	}
	s.pos = start + n
	text := s.src[start:s.pos]
	switch text {
	case "=>":
		return s.make(tArrow, start, text)
	case "!=":
		text = "<>"
	}
	if n > nameLenMax {
		return s.fail(start, "operator too long at or near \"%s\"", text)
	}
	return s.make(tOp, start, text)
}
