package builtins

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

var errLikeEscape = sqlstate.New(sqlstate.InvalidEscapeSequence, "LIKE pattern must not end with escape character")

// like matches s against a LIKE pattern with backslash as escape: % is any text, _ any
// character. With fold both are compared without regard to case. It backtracks only to the
// last %, so it takes O(len(s) * len(p)) at worst.
func like(s, p string, fold bool) (bool, error) {
	starP, starS := -1, 0
	i, j := 0, 0
	for i < len(s) {
		matched := false
		if j < len(p) {
			switch p[j] {
			case '%':
				starP, starS = j, i
				j++
				continue
			case '_':
				_, n := utf8.DecodeRuneInString(s[i:])
				i += n
				j++
				matched = true
			default:
				k := j
				if p[k] == '\\' {
					if k++; k >= len(p) {
						return false, errLikeEscape
					}
				}
				if p[k] < utf8.RuneSelf && s[i] < utf8.RuneSelf {
					a, b := p[k], s[i]
					if fold {
						a, b = lowerByte(a), lowerByte(b)
					}
					if a == b {
						i++
						j = k + 1
						matched = true
					}
				} else {
					rp, np := utf8.DecodeRuneInString(p[k:])
					rs, ns := utf8.DecodeRuneInString(s[i:])
					if rp == rs || fold && unicode.ToLower(rp) == unicode.ToLower(rs) {
						i += ns
						j = k + np
						matched = true
					}
				}
			}
		}
		if matched {
			continue
		}
		if starP < 0 {
			return false, nil
		}
		// Let the last % take one character more.
		_, n := utf8.DecodeRuneInString(s[starS:])
		starS += n
		i, j = starS, starP+1
	}
	for j < len(p) && p[j] == '%' {
		j++
	}
	return j == len(p), nil
}

func lowerByte(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// likeKernel is LIKE over a vector. Patterns without wildcards inside, such as 'abc%' and
// '%abc%', which most are, become comparisons with a fixed string.
func likeKernel(fold, not bool) expr.BatchFn {
	return func(_ *ctx, a []*types.Vec, sel []uint16, n int, out *types.Vec) error {
		match := func(s, p string) (bool, error) { return like(s, p, fold) }
		if a[1].Const && !fold {
			if m := simplePattern(string(a[1].Bytes[0])); m != nil {
				match = func(s, _ string) (bool, error) { return m(s), nil }
			}
		}
		return rowsOf(sel, n, func(i int) error {
			if out.HasNulls && out.Nulls.Get(i) {
				return nil
			}
			ok, err := match(a[0].Get(i).Str(), a[1].Get(i).Str())
			out.Ints[i] = b2i(ok != not)
			return err
		})
	}
}

// simplePattern returns a matcher for a pattern whose only wildcards are % at its ends,
// nil for any other.
func simplePattern(p string) func(string) bool {
	body := strings.TrimPrefix(p, "%")
	lead := body != p
	trimmed := strings.TrimSuffix(body, "%")
	trail := trimmed != body
	if strings.ContainsAny(trimmed, `%_\`) {
		return nil
	}
	switch {
	case lead && trail:
		return func(s string) bool { return strings.Contains(s, trimmed) }
	case lead && body == "":
		return func(string) bool { return true }
	case lead:
		return func(s string) bool { return strings.HasSuffix(s, trimmed) }
	case trail:
		return func(s string) bool { return strings.HasPrefix(s, trimmed) }
	}
	return func(s string) bool { return s == trimmed }
}

func b2i(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func likeFn(fold, not bool) func(*ctx, datum, datum) (datum, error) {
	return func(_ *ctx, a, b datum) (datum, error) {
		ok, err := like(a.Str(), b.Str(), fold)
		return types.NewBool(ok != not), err
	}
}

// likeEscape rewrites a pattern with another escape character to one with backslashes.
func likeEscape(p, esc string) (string, error) {
	if charLen(esc) > 1 {
		return "", sqlstate.New(sqlstate.InvalidEscapeSequence, "invalid escape string").WithHint("Escape string must be empty or one character.")
	}
	if esc == `\` {
		return p, nil
	}
	e, _ := utf8.DecodeRuneInString(esc)
	var b strings.Builder
	after := false
	for _, r := range p {
		switch {
		case esc != "" && r == e && !after:
			b.WriteByte('\\')
			after = true
			continue
		case r == '\\' && !after:
			b.WriteString(`\\`)
		default:
			b.WriteRune(r)
		}
		after = false
	}
	return b.String(), nil
}

func likeFunctions() []*expr.Function {
	esc := func(_ *ctx, a, b datum) (datum, error) {
		s, err := likeEscape(a.Str(), b.Str())
		return str(s), err
	}
	var f []*expr.Function
	for _, t := range args(text, name) {
		f = append(f, fn2("like", boolean, t, text, likeFn(false, false)), fn2("notlike", boolean, t, text, likeFn(false, true)))
	}
	return append(f,
		fn2("like", boolean, bytea, bytea, likeFn(false, false)), fn2("notlike", boolean, bytea, bytea, likeFn(false, true)),
		fn2("like_escape", text, text, text, esc), fn2("like_escape", bytea, bytea, bytea, esc),
	)
}

func likeOperators() []*expr.Operator {
	var ops []*expr.Operator
	add := func(name string, l, r *types.T, fold, not bool) {
		o := op2(name, l, r, boolean, likeFn(fold, not))
		if l.Family != types.FamBpchar {
			o.Fn.Batch = likeKernel(fold, not)
		}
		o.Negator = negatedLike[name]
		ops = append(ops, o)
	}
	for _, t := range args(text, bpchar, name) {
		add("~~", t, text, false, false)
		add("!~~", t, text, false, true)
		add("~~*", t, text, true, false)
		add("!~~*", t, text, true, true)
	}
	add("~~", bytea, bytea, false, false)
	add("!~~", bytea, bytea, false, true)
	return ops
}

var negatedLike = map[string]string{"~~": "!~~", "!~~": "~~", "~~*": "!~~*", "!~~*": "~~*"}
