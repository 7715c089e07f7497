package builtins

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
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

func matchFn(fold, not bool) func(*ctx, datum, datum) (datum, error) {
	return func(_ *ctx, a, b datum) (datum, error) {
		re, err := compile(b.Str(), reFlags{fold: fold, noSubmatches: true})
		if err != nil {
			return null, err
		}
		return types.NewBool(re.MatchString(a.Str()) != not), nil
	}
}

func matchKernel(fold, not bool) expr.BatchFn {
	slow := matchFn(fold, not)
	return func(ec *ctx, a []*types.Vec, sel []uint16, n int, out *types.Vec) error {
		var re *regexp.Regexp
		if a[1].Const {
			var err error
			if re, err = compile(string(a[1].Bytes[0]), reFlags{fold: fold, noSubmatches: true}); err != nil {
				return err
			}
		}
		return rowsOf(sel, n, func(i int) error {
			if out.HasNulls && out.Nulls.Get(i) {
				return nil
			}
			if re != nil {
				out.Ints[i] = b2i(re.Match(a[0].Get(i).Bytes()) != not)
				return nil
			}
			d, err := slow(ec, a[0].Get(i), a[1].Get(i))
			out.Ints[i] = d.Int()
			return err
		})
	}
}

func regexpOperators() []*expr.Operator {
	var ops []*expr.Operator
	negator := map[string]string{"~": "!~", "!~": "~", "~*": "!~*", "!~*": "~*"}
	for _, t := range args(text, bpchar, name) {
		for opName, m := range map[string]struct{ fold, not bool }{"~": {false, false}, "!~": {false, true}, "~*": {true, false}, "!~*": {true, true}} {
			o := op2(opName, t, text, boolean, matchFn(m.fold, m.not))
			o.Fn.Batch = matchKernel(m.fold, m.not)
			o.Negator = negator[opName]
			ops = append(ops, o)
		}
	}
	return ops
}

// reArgs reads the pattern and the optional flags of a call.
func reArgs(fn string, a []datum, patternAt, flagsAt int, allowGlobal bool) (*regexp.Regexp, reFlags, error) {
	flags := ""
	if flagsAt < len(a) {
		flags = a[flagsAt].Str()
	}
	f, err := parseFlags(flags, allowGlobal, fn)
	if err != nil {
		return nil, f, err
	}
	re, err := compile(a[patternAt].Str(), f)
	return re, f, err
}

// submatches returns the groups of a match as an array of text: the whole match if the
// expression has no groups.
func submatches(s string, m []int) datum {
	first := 1
	if len(m) == 2 {
		first = 0
	}
	var elems []datum
	for g := first; g < len(m)/2; g++ {
		if m[2*g] < 0 {
			elems = append(elems, null)
		} else {
			elems = append(elems, str(s[m[2*g]:m[2*g+1]]))
		}
	}
	return types.NewArrayDatum(types.NewArray(text, elems))
}

// expandReplacement appends the replacement of a match: \1..\9 are groups, \& the match.
func expandReplacement(dst []byte, repl, s string, m []int) []byte {
	for i := 0; i < len(repl); i++ {
		c := repl[i]
		if c != '\\' || i+1 == len(repl) {
			dst = append(dst, c)
			continue
		}
		i++
		g := -1
		switch e := repl[i]; {
		case e == '&':
			g = 0
		case e >= '1' && e <= '9':
			g = int(e - '0')
		case e == '\\':
			dst = append(dst, '\\')
			continue
		default:
			dst = append(dst, '\\', e)
			continue
		}
		if 2*g+1 < len(m) && m[2*g] >= 0 {
			dst = append(dst, s[m[2*g]:m[2*g+1]]...)
		}
	}
	return dst
}

// allMatches returns the matches from byte position start on. Unlike Go's FindAll it has the
// empty match right after another match, as PostgreSQL does; whether there is one is told without
// what stands before it, so expressions with ^ or \b are left as Go has them.
func allMatches(re *regexp.Regexp, s string, start int) [][]int {
	found := re.FindAllStringSubmatchIndex(s[start:], -1)
	context := strings.ContainsAny(re.String(), "^") || strings.Contains(re.String(), `\b`) || strings.Contains(re.String(), `\B`) ||
		strings.Contains(re.String(), `\A`)
	out := make([][]int, 0, len(found))
	for i, m := range found {
		end := m[1]
		for k := range m {
			if m[k] >= 0 {
				m[k] += start
			}
		}
		out = append(out, m)
		if context || m[0] == m[1] || i+1 < len(found) && found[i+1][0] == end {
			continue
		}
		if e := re.FindStringSubmatchIndex(s[start+end:]); e != nil && e[0] == 0 && e[1] == 0 {
			for k := range e {
				if e[k] >= 0 {
					e[k] += start + end
				}
			}
			out = append(out, e)
		}
	}
	return out
}

// regexpReplace replaces the n-th match from byte position start on, all of them if n is 0.
func regexpReplace(re *regexp.Regexp, s, repl string, start int, n int) string {
	var out []byte
	out = append(out, s[:start]...)
	last := start
	for i, m := range allMatches(re, s, start) {
		if n > 0 && i+1 != n {
			continue
		}
		out = append(out, s[last:m[0]]...)
		out = expandReplacement(out, repl, s, m)
		last = m[1]
		if n > 0 {
			break
		}
	}
	return string(append(out, s[last:]...))
}

// splitRegexp cuts s at matches. An empty match at the start or end, or right after a
// match, cuts nothing.
func splitRegexp(re *regexp.Regexp, s string) []datum {
	var out []datum
	last := 0
	for _, m := range allMatches(re, s, 0) {
		if m[1] == m[0] && (m[0] == last && m[0] == 0 || m[0] == len(s)) {
			continue
		}
		out = append(out, str(s[last:m[0]]))
		last = m[1]
	}
	return append(out, str(s[last:]))
}

// startAt turns the 1-based character position of an argument into a byte position.
func startAt(s string, d datum, name string) (int, error) {
	if d.Int() < 1 {
		return 0, errArgument("invalid value for parameter \"%s\": %d", name, d.Int())
	}
	return charAt(s, int(min(d.Int()-1, int64(len(s))))), nil
}

func positive(d datum, name string, least int64) error {
	if d.Int() < least {
		return errArgument("invalid value for parameter \"%s\": %d", name, d.Int())
	}
	return nil
}

func regexpFunctions() []*expr.Function {
	match := func(_ *ctx, a []datum) (datum, error) {
		re, _, err := reArgs("regexp_match()", a, 1, 2, false)
		if err != nil {
			return null, hintMatches(err)
		}
		m := re.FindStringSubmatchIndex(a[0].Str())
		if m == nil {
			return null, nil
		}
		return submatches(string(a[0].Bytes()), m), nil
	}
	matches := func(_ *ctx, _ *expr.Call, a []datum) (expr.SetIter, error) {
		re, f, err := reArgs("regexp_matches()", a, 1, 2, true)
		if err != nil {
			return nil, err
		}
		s := string(a[0].Bytes())
		var out []datum
		for _, m := range allMatches(re, s, 0) {
			out = append(out, submatches(s, m))
			if !f.global {
				break
			}
		}
		return newSliceIter(out), nil
	}
	replace := func(_ *ctx, a []datum) (datum, error) {
		re, f, err := reArgs("regexp_replace()", a, 1, 3, true)
		if err != nil {
			return null, err
		}
		n := 1
		if f.global {
			n = 0
		}
		return str(regexpReplace(re, a[0].Str(), a[2].Str(), 0, n)), nil
	}
	replaceAt := func(_ *ctx, a []datum) (datum, error) {
		re, f, err := reArgs("regexp_replace()", a, 1, 5, true)
		if err != nil {
			return null, err
		}
		start, err := startAt(a[0].Str(), a[3], "start")
		if err != nil {
			return null, err
		}
		n := 1
		if f.global {
			n = 0
		}
		if len(a) > 4 {
			if err := positive(a[4], "n", 0); err != nil {
				return null, err
			}
			n = int(a[4].Int())
		}
		return str(regexpReplace(re, a[0].Str(), a[2].Str(), start, n)), nil
	}
	splitArray := func(_ *ctx, a []datum) (datum, error) {
		re, _, err := reArgs("regexp_split_to_array()", a, 1, 2, false)
		if err != nil {
			return null, err
		}
		return types.NewArrayDatum(types.NewArray(text, splitRegexp(re, string(a[0].Bytes())))), nil
	}
	splitTable := func(_ *ctx, _ *expr.Call, a []datum) (expr.SetIter, error) {
		re, _, err := reArgs("regexp_split_to_table()", a, 1, 2, false)
		if err != nil {
			return nil, err
		}
		return newSliceIter(splitRegexp(re, string(a[0].Bytes()))), nil
	}
	likeRe := func(_ *ctx, a []datum) (datum, error) {
		re, _, err := reArgs("regexp_like()", a, 1, 2, false)
		if err != nil {
			return null, err
		}
		return types.NewBool(re.MatchString(a[0].Str())), nil
	}
	count := func(_ *ctx, a []datum) (datum, error) {
		re, _, err := reArgs("regexp_count()", a, 1, 3, false)
		if err != nil {
			return null, err
		}
		start := 0
		if len(a) > 2 {
			if start, err = startAt(a[0].Str(), a[2], "start"); err != nil {
				return null, err
			}
		}
		return types.NewInt(int64(len(allMatches(re, a[0].Str(), start)))), nil
	}
	substrPattern := func(_ *ctx, a, b datum) (datum, error) {
		re, err := compile(b.Str(), reFlags{})
		if err != nil {
			return null, err
		}
		m := re.FindStringSubmatchIndex(a.Str())
		if m == nil {
			return null, nil
		}
		g := 0
		if len(m) > 2 {
			g = 1
		}
		if m[2*g] < 0 {
			return null, nil
		}
		return str(a.Str()[m[2*g]:m[2*g+1]]), nil
	}
	textT := args(text, text)
	f := []*expr.Function{
		fnN("regexp_match", textArray, textT, match), fnN("regexp_match", textArray, args(text, text, text), match),
		setFn("regexp_matches", textArray, textT, matches), setFn("regexp_matches", textArray, args(text, text, text), matches),
		fnN("regexp_replace", text, args(text, text, text), replace), fnN("regexp_replace", text, args(text, text, text, text), replace),
		fnN("regexp_replace", text, args(text, text, text, int4), replaceAt),
		fnN("regexp_replace", text, args(text, text, text, int4, int4), replaceAt),
		fnN("regexp_replace", text, args(text, text, text, int4, int4, text), replaceAt),
		fnN("regexp_split_to_array", textArray, textT, splitArray), fnN("regexp_split_to_array", textArray, args(text, text, text), splitArray),
		setFn("regexp_split_to_table", text, textT, splitTable), setFn("regexp_split_to_table", text, args(text, text, text), splitTable),
		fnN("regexp_like", boolean, textT, likeRe), fnN("regexp_like", boolean, args(text, text, text), likeRe),
		fnN("regexp_count", int4, textT, count), fnN("regexp_count", int4, args(text, text, int4), count),
		fnN("regexp_count", int4, args(text, text, int4, text), count),
		fn2("substring", text, text, text, substrPattern),
		fnN("substring", text, args(text, text, text), func(_ *ctx, a []datum) (datum, error) {
			p, err := similarPattern(a[1].Str(), a[2].Str(), true)
			if err != nil {
				return null, err
			}
			return substrPattern(nil, a[0], str(p))
		}),
		fn2("similar_to_escape", text, text, text, func(_ *ctx, a, b datum) (datum, error) {
			p, err := similarPattern(a.Str(), b.Str(), false)
			return str(p), err
		}),
		fn1("similar_to_escape", text, text, func(_ *ctx, a datum) (datum, error) {
			p, err := similarPattern(a.Str(), `\`, false)
			return str(p), err
		}),
	}
	for n := 2; n <= 7; n++ {
		as := args(text, text, int4, int4, int4, text, int4)[:n]
		f = append(f, fnN("regexp_instr", int4, as, regexpInstr))
	}
	for n := 2; n <= 6; n++ {
		as := args(text, text, int4, int4, text, int4)[:n]
		f = append(f, fnN("regexp_substr", text, as, regexpSubstr))
	}
	return f
}

func hintMatches(err error) error {
	if e, ok := err.(*sqlstate.Error); ok && strings.Contains(e.Message, `"global"`) {
		return e.WithHint("Use the regexp_matches function instead.")
	}
	return err
}

// findNth returns the submatches of the n-th match from start on, nil if there are fewer.
func findNth(re *regexp.Regexp, s string, start, n int) []int {
	all := allMatches(re, s, start)
	if len(all) < n {
		return nil
	}
	return all[n-1]
}

// regexpInstr has the arguments string, pattern, start, N, endoption, flags, subexpr.
func regexpInstr(_ *ctx, a []datum) (datum, error) {
	re, _, err := reArgs("regexp_instr()", a, 1, 5, false)
	if err != nil {
		return null, err
	}
	s, start, n, end, sub := a[0].Str(), 0, 1, false, 0
	if len(a) > 2 {
		if start, err = startAt(s, a[2], "start"); err != nil {
			return null, err
		}
	}
	if len(a) > 3 {
		if err := positive(a[3], "n", 1); err != nil {
			return null, err
		}
		n = int(a[3].Int())
	}
	if len(a) > 4 {
		if a[4].Int() != 0 && a[4].Int() != 1 {
			return null, errArgument("invalid value for parameter \"%s\": %d", "endoption", a[4].Int())
		}
		end = a[4].Int() == 1
	}
	if len(a) > 6 {
		if err := positive(a[6], "subexpr", 0); err != nil {
			return null, err
		}
		sub = int(a[6].Int())
	}
	m := findNth(re, s, start, n)
	if m == nil || 2*sub+1 >= len(m) || m[2*sub] < 0 {
		return types.NewInt(0), nil
	}
	at := m[2*sub]
	if end {
		at = m[2*sub+1]
	}
	return types.NewInt(int64(charLen(s[:at])) + 1), nil
}

// regexpSubstr has the arguments string, pattern, start, N, flags, subexpr.
func regexpSubstr(_ *ctx, a []datum) (datum, error) {
	re, _, err := reArgs("regexp_substr()", a, 1, 4, false)
	if err != nil {
		return null, err
	}
	s, start, n, sub := a[0].Str(), 0, 1, 0
	if len(a) > 2 {
		if start, err = startAt(s, a[2], "start"); err != nil {
			return null, err
		}
	}
	if len(a) > 3 {
		if err := positive(a[3], "n", 1); err != nil {
			return null, err
		}
		n = int(a[3].Int())
	}
	if len(a) > 5 {
		if err := positive(a[5], "subexpr", 0); err != nil {
			return null, err
		}
		sub = int(a[5].Int())
	}
	m := findNth(re, s, start, n)
	if m == nil || 2*sub+1 >= len(m) || m[2*sub] < 0 {
		return null, nil
	}
	return str(s[m[2*sub]:m[2*sub+1]]), nil
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
