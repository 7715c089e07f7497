package builtins

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/spanlite/spanlite/sql/sqlstate"
)

// PostgreSQL's advanced regular expressions are translated to Go's syntax and run by
// Go's engine, whose time is linear in the text. What such an engine cannot do is refused
// (0A000): back references, and look-ahead and look-behind. Matching prefers the longest match, as
// POSIX has it, unless the expression has a non-greedy quantifier; then Perl's rules hold for the
// whole of it, while PostgreSQL decides by the first quantifier.

// reFlags are the options of an expression.
type reFlags struct {
	fold         bool // i
	global       bool // g, for the functions that take it
	lineDot      bool // p, n: . and [^x] do not match a line feed
	lineAnchors  bool // w, n: ^ and $ match at lines
	extended     bool // x
	literal      bool // q
	noSubmatches bool
}

func parseFlags(s string, allowGlobal bool, fn string) (reFlags, error) {
	var f reFlags
	for _, c := range s {
		if c == 'g' {
			if !allowGlobal {
				return f, errArgument("%s does not support the \"global\" option", fn)
			}
			f.global = true
			continue
		}
		if !f.set(c) {
			return f, errArgument("invalid regular expression option: \"%c\"", c)
		}
	}
	return f, nil
}

func (f *reFlags) set(c rune) bool {
	switch c {
	case 'i':
		f.fold = true
	case 'c':
		f.fold = false
	case 'n', 'm':
		f.lineDot, f.lineAnchors = true, true
	case 's':
		f.lineDot, f.lineAnchors = false, false
	case 'p':
		f.lineDot, f.lineAnchors = true, false
	case 'w':
		f.lineDot, f.lineAnchors = false, true
	case 'x':
		f.extended = true
	case 't':
		f.extended = false
	case 'q':
		f.literal = true
	case 'b', 'e':
	default:
		return false
	}
	return true
}

func errRegexp(format string, a ...any) error {
	return errf(sqlstate.InvalidRegularExpression, "invalid regular expression: "+format, a...)
}

// reTranslator turns one expression into Go's syntax.
type reTranslator struct {
	s      string
	i      int
	out    strings.Builder
	f      reFlags
	lazy   bool
	depth  int
	quants bool // the last thing written can be quantified
}

// translateRegexp returns the expression in Go's syntax and whether it has a non-greedy
// quantifier.
func translateRegexp(pattern string, f reFlags) (string, bool, error) {
	t := reTranslator{s: pattern, f: f}
	switch {
	case strings.HasPrefix(pattern, "***="):
		t.s, t.f.literal = pattern[4:], true
	case strings.HasPrefix(pattern, "***:"):
		t.s = pattern[4:]
	}
	if !t.f.literal && strings.HasPrefix(t.s, "(?") && len(t.s) > 2 && t.s[2] >= 'a' && t.s[2] <= 'z' {
		end := strings.IndexByte(t.s, ')')
		if end < 0 {
			return "", false, errRegexp("parentheses () not balanced")
		}
		for _, c := range t.s[2:end] {
			if !t.f.set(c) {
				return "", false, errRegexp("invalid embedded option")
			}
		}
		t.s = t.s[end+1:]
	}
	opts := ""
	if t.f.fold {
		opts += "i"
	}
	if !t.f.lineDot {
		opts += "s"
	}
	if t.f.lineAnchors {
		opts += "m"
	}
	if opts != "" {
		t.out.WriteString("(?" + opts + ")")
	}
	if t.f.literal {
		t.out.WriteString(regexp.QuoteMeta(t.s))
		return t.out.String(), false, nil
	}
	if err := t.run(); err != nil {
		return "", false, err
	}
	return t.out.String(), t.lazy, nil
}

func (t *reTranslator) run() error {
	for t.i < len(t.s) {
		c := t.s[t.i]
		if t.f.extended {
			if c == ' ' || c == '\t' || c == '\n' || c == '\r' {
				t.i++
				continue
			}
			if c == '#' {
				for t.i < len(t.s) && t.s[t.i] != '\n' {
					t.i++
				}
				continue
			}
		}
		var err error
		switch c {
		case '\\':
			err = t.escape()
		case '[':
			err = t.bracket()
		case '(':
			err = t.open()
		case ')':
			t.i++
			if t.depth == 0 {
				// A lone closing parenthesis is an ordinary character.
				t.out.WriteString(`\)`)
			} else {
				t.depth--
				t.out.WriteByte(')')
			}
			t.quants = true
		case '*', '+', '?':
			err = t.quantifier(c)
		case '{':
			if t.i+1 < len(t.s) && t.s[t.i+1] >= '0' && t.s[t.i+1] <= '9' {
				err = t.bound()
			} else {
				t.out.WriteString(`\{`)
				t.i++
				t.quants = true
			}
		case '^', '|':
			t.out.WriteByte(c)
			t.i++
			t.quants = false
		case '$':
			if t.f.lineAnchors {
				t.out.WriteByte('$')
			} else {
				t.out.WriteString(`\z`)
			}
			t.i++
			t.quants = false
		case '.':
			t.out.WriteByte('.')
			t.i++
			t.quants = true
		default:
			_, n := utf8.DecodeRuneInString(t.s[t.i:])
			t.out.WriteString(regexp.QuoteMeta(t.s[t.i : t.i+n]))
			t.i += n
			t.quants = true
		}
		if err != nil {
			return err
		}
	}
	if t.depth > 0 {
		return errRegexp("parentheses () not balanced")
	}
	return nil
}

func (t *reTranslator) open() error {
	t.quants = false
	rest := t.s[t.i:]
	switch {
	case strings.HasPrefix(rest, "(?:"):
		t.out.WriteString("(?:")
		t.i += 3
	case strings.HasPrefix(rest, "(?="), strings.HasPrefix(rest, "(?!"), strings.HasPrefix(rest, "(?<="), strings.HasPrefix(rest, "(?<!"):
		return sqlstate.Unsupported("look-around in a regular expression")
	case strings.HasPrefix(rest, "(?#"):
		end := strings.IndexByte(rest, ')')
		if end < 0 {
			return errRegexp("parentheses () not balanced")
		}
		t.i += end + 1
		return nil
	case strings.HasPrefix(rest, "(?"):
		return errRegexp("quantifier operand invalid")
	default:
		if t.f.noSubmatches {
			t.out.WriteString("(?:")
		} else {
			t.out.WriteByte('(')
		}
		t.i++
	}
	t.depth++
	return nil
}

func (t *reTranslator) quantifier(c byte) error {
	if !t.quants {
		return errRegexp("quantifier operand invalid")
	}
	t.out.WriteByte(c)
	t.i++
	return t.afterQuantifier()
}

func (t *reTranslator) afterQuantifier() error {
	if t.i < len(t.s) && t.s[t.i] == '?' {
		t.out.WriteByte('?')
		t.i++
		t.lazy = true
	}
	t.quants = false
	return nil
}

// boundMax is the largest repetition count of {m,n} in PostgreSQL.
const boundMax = 255

func (t *reTranslator) bound() error {
	if !t.quants {
		return errRegexp("quantifier operand invalid")
	}
	end := strings.IndexByte(t.s[t.i:], '}')
	if end < 0 {
		return errRegexp("braces {} not balanced")
	}
	body := t.s[t.i+1 : t.i+end]
	lo, hi, ranged := strings.Cut(body, ",")
	m, err1 := strconv.Atoi(lo)
	n := m
	var err2 error
	if ranged && hi != "" {
		n, err2 = strconv.Atoi(hi)
	}
	if err1 != nil || err2 != nil || m > boundMax || n > boundMax || n < m {
		return errRegexp("invalid repetition count(s)")
	}
	t.out.WriteString("{" + body + "}")
	t.i += end + 1
	return t.afterQuantifier()
}

func (t *reTranslator) escape() error {
	if t.i+1 >= len(t.s) {
		return errRegexp("invalid escape \\ sequence")
	}
	c := t.s[t.i+1]
	t.i += 2
	t.quants = true
	switch c {
	case 'd', 'D', 's', 'S', 'w', 'W':
		t.out.WriteString(unicodeClass(c, false))
	case 'A':
		t.out.WriteString(`\A`)
		t.quants = false
	case 'Z':
		t.out.WriteString(`\z`)
		t.quants = false
	case 'y', 'm', 'M':
		t.out.WriteString(`\b`)
		t.quants = false
	case 'Y':
		t.out.WriteString(`\B`)
		t.quants = false
	default:
		r, err := t.charEscape(c)
		if err != nil {
			return err
		}
		t.out.WriteString(regexp.QuoteMeta(string(r)))
	}
	return nil
}

// unicodeClass spells a class escape so that it covers letters beyond ASCII, as
// PostgreSQL's do in a UTF-8 database.
func unicodeClass(c byte, inBracket bool) string {
	set := map[byte]string{'d': `\d`, 's': `\s\v`, 'w': `\pL\pN\pM_`, 'D': `\d`, 'S': `\s\v`, 'W': `\pL\pN\pM_`}[c]
	switch {
	case c >= 'a' && inBracket:
		return set
	case c >= 'a':
		return "[" + set + "]"
	}
	return "[^" + set + "]"
}

// charEscape reads the rest of an escape that stands for one character; c is the letter.
func (t *reTranslator) charEscape(c byte) (rune, error) {
	hex := func(n int) (rune, error) {
		j := t.i
		for j < len(t.s) && j < t.i+n && strings.IndexByte("0123456789abcdefABCDEF", t.s[j]) >= 0 {
			j++
		}
		v, err := strconv.ParseUint(t.s[t.i:j], 16, 32)
		if err != nil || v > utf8.MaxRune || n == 4 && j-t.i < 4 {
			return 0, errRegexp("invalid escape \\ sequence")
		}
		t.i = j
		return rune(v), nil
	}
	switch c {
	case 'a':
		return 7, nil
	case 'b':
		return 8, nil
	case 'e':
		return 27, nil
	case 'f':
		return 12, nil
	case 'n':
		return 10, nil
	case 'r':
		return 13, nil
	case 't':
		return 9, nil
	case 'v':
		return 11, nil
	case 'B':
		return '\\', nil
	case 'x':
		return hex(255)
	case 'u':
		return hex(4)
	case 'U':
		return hex(8)
	case 'c':
		if t.i >= len(t.s) {
			return 0, errRegexp("invalid escape \\ sequence")
		}
		r := rune(t.s[t.i] & 31)
		t.i++
		return r, nil
	case '0':
		return 0, nil
	}
	if c >= '1' && c <= '9' {
		return 0, sqlstate.Unsupported("back reference in a regular expression")
	}
	if c|0x20 >= 'a' && c|0x20 <= 'z' {
		return 0, errRegexp("invalid escape \\ sequence")
	}
	t.i--
	r, n := utf8.DecodeRuneInString(t.s[t.i:])
	t.i += n
	return r, nil
}

func (t *reTranslator) bracket() error {
	rest := t.s[t.i:]
	if strings.HasPrefix(rest, "[[:<:]]") || strings.HasPrefix(rest, "[[:>:]]") {
		t.out.WriteString(`\b`)
		t.i += 7
		t.quants = false
		return nil
	}
	unbalanced := errRegexp("brackets [] not balanced")
	t.i++
	t.out.WriteByte('[')
	if t.i < len(t.s) && t.s[t.i] == '^' {
		t.out.WriteByte('^')
		if t.f.lineDot {
			t.out.WriteString(`\n`)
		}
		t.i++
	}
	for first := true; ; first = false {
		if t.i >= len(t.s) {
			return unbalanced
		}
		c := t.s[t.i]
		switch {
		case c == ']' && !first:
			t.i++
			t.out.WriteByte(']')
			t.quants = true
			return nil
		case c == '[' && t.i+1 < len(t.s) && strings.IndexByte(":.=", t.s[t.i+1]) >= 0:
			kind := t.s[t.i+1]
			end := strings.Index(t.s[t.i+2:], string(kind)+"]")
			if end < 0 {
				return unbalanced
			}
			class := t.s[t.i+2 : t.i+2+end]
			t.i += end + 4
			if kind != ':' {
				t.out.WriteString(regexp.QuoteMeta(class))
				continue
			}
			switch class {
			case "alpha":
				t.out.WriteString(`\pL`)
			case "alnum":
				t.out.WriteString(`\pL\pN`)
			case "upper":
				t.out.WriteString(`\p{Lu}`)
			case "lower":
				t.out.WriteString(`\p{Ll}`)
			case "digit", "punct", "space", "blank", "cntrl", "graph", "print", "xdigit", "word":
				t.out.WriteString("[:" + class + ":]")
			default:
				return errRegexp("invalid character class")
			}
		case c == '\\':
			if t.i+1 >= len(t.s) {
				return unbalanced
			}
			e := t.s[t.i+1]
			t.i += 2
			switch e {
			case 'd', 's', 'w':
				t.out.WriteString(unicodeClass(e, true))
			case 'D', 'S', 'W':
				return errRegexp("invalid escape \\ sequence")
			default:
				r, err := t.charEscape(e)
				if err != nil {
					return err
				}
				t.bracketRune(r)
			}
		case c == '-':
			t.i++
			// At the ends it is itself, between characters it makes a range.
			if first || t.i < len(t.s) && t.s[t.i] == ']' {
				t.out.WriteString(`\-`)
			} else {
				t.out.WriteByte('-')
			}
		default:
			r, n := utf8.DecodeRuneInString(t.s[t.i:])
			t.i += n
			t.bracketRune(r)
		}
	}
}

func (t *reTranslator) bracketRune(r rune) {
	if strings.ContainsRune(`[]\^-&~`, r) {
		t.out.WriteByte('\\')
	}
	t.out.WriteRune(r)
}

// reCache keeps compiled expressions, as statements use few over and over.
type reCache struct {
	mu      sync.Mutex
	entries map[reKey]*regexp.Regexp
}

type reKey struct {
	pattern string
	f       reFlags
}

// reCacheMax bounds the cache; when it is full it starts afresh, which costs less than
// keeping an order of use.
const reCacheMax = 512

var compiled = reCache{entries: make(map[reKey]*regexp.Regexp)}

func compile(pattern string, f reFlags) (*regexp.Regexp, error) {
	f.global = false
	key := reKey{pattern, f}
	compiled.mu.Lock()
	re := compiled.entries[key]
	compiled.mu.Unlock()
	if re != nil {
		return re, nil
	}
	src, lazy, err := translateRegexp(pattern, f)
	if err != nil {
		return nil, err
	}
	re, goErr := regexp.Compile(src)
	if goErr != nil {
		msg := goErr.Error()
		if _, reason, ok := strings.Cut(msg, ": "); ok {
			msg = reason
		}
		return nil, errRegexp("%s", msg)
	}
	if !lazy {
		re.Longest()
	}
	key.pattern = strings.Clone(pattern)
	compiled.mu.Lock()
	if len(compiled.entries) >= reCacheMax {
		clear(compiled.entries)
	}
	compiled.entries[key] = re
	compiled.mu.Unlock()
	return re, nil
}

// similarPattern turns an SQL regular expression (SIMILAR TO) into an advanced one. In the
// SUBSTRING form two escape-double-quote separators part the pattern in three, and the middle
// is what is returned.
func similarPattern(p, esc string, substringForm bool) (string, error) {
	if charLen(esc) > 1 {
		return "", sqlstate.New(sqlstate.InvalidEscapeSequence, "invalid escape string").WithHint("Escape string must be empty or one character.")
	}
	e, _ := utf8.DecodeRuneInString(esc)
	hasEsc := esc != ""
	var b strings.Builder
	b.WriteString("^(?:")
	after, inBracket := false, false
	separators := 0
	for _, r := range p {
		switch {
		case after:
			if r == '"' && !inBracket && substringForm {
				switch separators {
				case 0:
					b.WriteString("){1,1}?(")
				case 1:
					b.WriteString("){1,1}(?:")
				default:
					return "", errf(sqlstate.InvalidEscapeSequence, "SQL regular expression may not contain more than two escape-double-quote separators")
				}
				separators++
			} else {
				b.WriteByte('\\')
				b.WriteRune(r)
			}
			after = false
		case hasEsc && r == e:
			after = true
		case inBracket:
			if r == '\\' {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
			inBracket = r != ']'
		case r == '[':
			b.WriteRune(r)
			inBracket = true
		case r == '%':
			b.WriteString(".*")
		case r == '_':
			b.WriteByte('.')
		case r == '(':
			b.WriteString("(?:")
		case r == '\\' || r == '.' || r == '^' || r == '$':
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteString(")$")
	return b.String(), nil
}
