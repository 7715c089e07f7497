package builtins

import (
	"regexp"
	"strings"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

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
