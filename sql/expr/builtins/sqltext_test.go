package builtins_test

import (
	"fmt"
	"strings"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/expr/builtins"
	"github.com/spanlite/spanlite/sql/types"
)

// miniParser reads enough of SQL's expression syntax to write tests in it, and
// builds expressions through the same constructors as the binder. It is no model of
// anything: on bad input it panics.
type miniParser struct {
	s    string
	i    int
	tok  string // "" at the end
	kind byte   // i identifier, q quoted identifier, n number, s string, o operator
	reg  *expr.Registry
	set  *types.Settings
	row  map[string]*expr.ColumnRef
	cast bool // the operand read last was written with ::
}

func parseExpr(s string, set *types.Settings, cols map[string]*expr.ColumnRef) (e expr.Expr, err error) {
	defer func() {
		if r := recover(); r != nil {
			if re, ok := r.(error); ok {
				e, err = nil, re
				return
			}
			panic(r)
		}
	}()
	p := &miniParser{s: s, reg: builtins.Registry(), set: set, row: cols}
	p.next()
	e = p.expr(0)
	if p.tok != "" {
		return nil, fmt.Errorf("trailing %q in %q", p.tok, s)
	}
	return e, nil
}

const opChars = "+-*/<>=~!@#%^&|?"

func (p *miniParser) next() {
	for p.i < len(p.s) && p.s[p.i] == ' ' {
		p.i++
	}
	if p.i >= len(p.s) {
		p.tok, p.kind = "", 0
		return
	}
	start := p.i
	c := p.s[p.i]
	isWord := func(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' }
	switch {
	case c == '\'' || (c == 'E' || c == 'e') && p.i+1 < len(p.s) && p.s[p.i+1] == '\'':
		esc := c != '\''
		if esc {
			p.i++
		}
		var b []byte
		for p.i++; ; p.i++ {
			if p.s[p.i] == '\'' {
				if p.i+1 < len(p.s) && p.s[p.i+1] == '\'' {
					p.i++
				} else {
					break
				}
			}
			if esc && p.s[p.i] == '\\' {
				p.i++
				if r, ok := map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', 'b': '\b'}[p.s[p.i]]; ok {
					b = append(b, r)
					continue
				}
			}
			b = append(b, p.s[p.i])
		}
		p.i++
		p.tok, p.kind = string(b), 's'
		return
	case c == '"':
		end := strings.IndexByte(p.s[p.i+1:], '"')
		p.tok, p.kind = p.s[p.i+1:p.i+1+end], 'q'
		p.i += end + 2
		return
	case c >= '0' && c <= '9' || c == '.' && p.i+1 < len(p.s) && p.s[p.i+1] >= '0' && p.s[p.i+1] <= '9':
		for p.i < len(p.s) && (p.s[p.i] >= '0' && p.s[p.i] <= '9' || p.s[p.i] == '.' || p.s[p.i]|0x20 == 'e' ||
			(p.s[p.i] == '-' || p.s[p.i] == '+') && p.s[p.i-1]|0x20 == 'e') {
			p.i++
		}
		p.kind = 'n'
	case isWord(c):
		for p.i < len(p.s) && isWord(p.s[p.i]) {
			p.i++
		}
		p.tok, p.kind = strings.ToLower(p.s[start:p.i]), 'i'
		return
	case strings.HasPrefix(p.s[p.i:], "::"):
		p.i += 2
		p.kind = 'o'
	case strings.IndexByte(opChars, c) >= 0:
		for p.i < len(p.s) && strings.IndexByte(opChars, p.s[p.i]) >= 0 {
			p.i++
		}
		// A multi-character operator does not end in + or - unless it has an unusual character.
		for p.i-start > 1 && (p.s[p.i-1] == '-' || p.s[p.i-1] == '+') && !strings.ContainsAny(p.s[start:p.i], "~!@#%^&|?") {
			p.i--
		}
		p.kind = 'o'
	default:
		p.i++
		p.kind = 'o'
	}
	p.tok = p.s[start:p.i]
}

func (p *miniParser) is(words ...string) bool {
	for _, w := range words {
		if p.tok == w && (p.kind == 'i' || p.kind == 'o') {
			return true
		}
	}
	return false
}

func (p *miniParser) accept(w string) bool {
	if p.is(w) {
		p.next()
		return true
	}
	return false
}

func (p *miniParser) expect(w string) {
	if !p.accept(w) {
		panic(fmt.Errorf("expected %q, found %q in %q", w, p.tok, p.s))
	}
}

func must(e expr.Expr, err error) expr.Expr {
	if err != nil {
		panic(err)
	}
	return e
}

// expr parses operators of at least the given precedence.
func (p *miniParser) expr(min int) expr.Expr {
	var left expr.Expr
	switch {
	case p.is("not"):
		p.next()
		left = must(expr.NewNot(p.set, p.expr(3)))
	case p.is("-"):
		p.next()
		operand := p.expr(9)
		if c, ok := operand.(*expr.Const); ok && c.T.IsNumber() && !p.cast {
			// The sign belongs to the literal: -2147483648 is an integer.
			text := types.TextOf(c.T, c.Value, p.set)
			if text[0] == '-' {
				text = text[1:]
			} else {
				text = "-" + text
			}
			left = p.number(text)
		} else {
			left = must(p.reg.Operator(p.set, "-", nil, operand))
		}
	case p.kind == 'o' && !p.is("(") && p.tok != "":
		op := p.tok
		p.next()
		left = must(p.reg.Operator(p.set, op, nil, p.expr(6)))
	default:
		left = p.postfix(p.primary())
	}
	for {
		prec := 0
		switch {
		case p.is("or"):
			prec = 1
		case p.is("and"):
			prec = 2
		case p.is("is"):
			prec = 4
		case p.is("=", "<", ">", "<=", ">=", "<>", "!="):
			prec = 4
		case p.is("like", "ilike", "in", "between", "similar", "not"):
			prec = 5
		case p.is("at"):
			prec = 10
		case p.is("+", "-"):
			prec = 7
		case p.is("*", "/", "%"):
			prec = 8
		case p.is("^"):
			prec = 9
		case p.kind == 'o' && strings.IndexByte(opChars, p.tok[0]) >= 0:
			prec = 6
		default:
			return left
		}
		if prec < min || prec == 0 {
			return left
		}
		left = p.infix(left, prec)
	}
}

func (p *miniParser) infix(left expr.Expr, prec int) expr.Expr {
	op := p.tok
	p.next()
	switch op {
	case "or":
		return must(expr.NewOr(p.set, left, p.expr(2)))
	case "and":
		return must(expr.NewAnd(p.set, left, p.expr(3)))
	case "is":
		not := p.accept("not")
		switch {
		case p.accept("null"):
			return &expr.IsNull{Arg: left, Not: not}
		case p.accept("true"):
			return &expr.IsTruth{Arg: must(expr.ToBool(p.set, left, "IS TRUE")), Want: expr.IsTrue, Not: not}
		case p.accept("false"):
			return &expr.IsTruth{Arg: must(expr.ToBool(p.set, left, "IS FALSE")), Want: expr.IsFalse, Not: not}
		case p.accept("unknown"):
			return &expr.IsTruth{Arg: must(expr.ToBool(p.set, left, "IS UNKNOWN")), Want: expr.IsUnknown, Not: not}
		}
		p.expect("distinct")
		p.expect("from")
		return must(p.reg.NewIsDistinct(p.set, left, p.expr(5), not))
	case "at":
		p.expect("time")
		p.expect("zone")
		zone := p.expr(11)
		return must(p.reg.Call(p.set, "timezone", []expr.Expr{zone, left}, expr.CallOptions{}))
	case "not", "like", "ilike", "in", "between", "similar":
		not := op == "not"
		if not {
			op = p.tok
			p.next()
		}
		return p.predicate(left, op, not)
	}
	if p.is("any", "all") && (p.kind == 'i') {
		all := p.tok == "all"
		p.next()
		p.expect("(")
		arr := p.expr(0)
		p.expect(")")
		return must(p.reg.NewScalarArray(p.set, op, left, arr, all))
	}
	right := p.expr(prec + 1)
	return must(p.reg.Compare(p.set, op, left, right))
}

func (p *miniParser) predicate(left expr.Expr, op string, not bool) expr.Expr {
	switch op {
	case "in":
		p.expect("(")
		list := p.list(")")
		return must(p.reg.NewIn(p.set, left, list, not))
	case "between":
		lo := p.expr(6)
		p.expect("and")
		hi := p.expr(6)
		e := must(expr.NewAnd(p.set, must(p.reg.Operator(p.set, ">=", left, lo)), must(p.reg.Operator(p.set, "<=", left, hi))))
		if not {
			e = must(expr.NewNot(p.set, e))
		}
		return e
	}
	name := map[string]string{"like": "~~", "ilike": "~~*", "similar": "~"}[op]
	if op == "similar" {
		p.expect("to")
	}
	pattern := p.expr(6)
	if op == "similar" {
		pattern = must(p.reg.Call(p.set, "similar_to_escape", []expr.Expr{pattern}, expr.CallOptions{}))
	}
	if p.accept("escape") {
		pattern = must(p.reg.Call(p.set, "like_escape", []expr.Expr{pattern, p.expr(6)}, expr.CallOptions{}))
	}
	if not {
		name = "!" + name
	}
	return must(p.reg.Operator(p.set, name, left, pattern))
}

func (p *miniParser) list(end string) []expr.Expr {
	var out []expr.Expr
	for !p.accept(end) {
		out = append(out, p.expr(0))
		p.accept(",")
	}
	return out
}

func (p *miniParser) postfix(e expr.Expr) expr.Expr {
	var index []expr.SubscriptIndex
	for {
		switch {
		case p.is("["):
			p.next()
			var ix expr.SubscriptIndex
			if !p.is(":") {
				ix.Upper = p.expr(0)
			}
			if p.accept(":") {
				ix.Slice = true
				ix.Lower, ix.Upper = ix.Upper, nil
				if !p.is("]") {
					ix.Upper = p.expr(0)
				}
			}
			p.expect("]")
			index = append(index, ix)
			continue
		case index != nil:
			e = must(expr.NewSubscript(p.set, e, index))
			index = nil
			continue
		case p.is("::"):
			p.next()
			e = must(expr.NewCast(p.set, e, p.typeName()))
			p.cast = true
			continue
		}
		return e
	}
}

func (p *miniParser) typeName() *types.T {
	name := p.tok
	quoted := p.kind == 'q'
	p.next()
	if name == "double" {
		p.next()
		name = "float8"
	}
	if name == "character" && p.accept("varying") {
		name = "varchar"
	}
	t := types.ByName(name)
	if quoted && name == "char" {
		t = types.Char
	} else if name == "char" {
		t = types.BpcharN(1)
	}
	if p.is("(") {
		p.next()
		var mods []int
		for !p.accept(")") {
			n, sign := 0, 1
			if p.accept("-") {
				sign = -1
			}
			fmt.Sscan(p.tok, &n)
			n *= sign
			mods = append(mods, n)
			p.next()
			p.accept(",")
		}
		switch t.OID {
		case types.OIDVarchar:
			t = types.VarcharN(mods[0])
		case types.OIDBpchar:
			t = types.BpcharN(mods[0])
		case types.OIDNumeric:
			mods = append(mods, 0)
			t = types.NumericPS(mods[0], mods[1])
		case types.OIDInterval:
			t = t.WithTypmod(types.IntervalTypmod(0, mods[0]))
		default:
			t = t.WithTypmod(int32(mods[0]))
		}
	}
	if p.is("with", "without") && (t.OID == types.OIDTimestamp || t.OID == types.OIDTime) {
		with := p.tok == "with"
		p.next()
		p.expect("time")
		p.expect("zone")
		if with && t.OID == types.OIDTime {
			t = types.TimeTZT.WithTypmod(t.Typmod)
		} else if with {
			t = types.TimestampTZ.WithTypmod(t.Typmod)
		}
	}
	for p.is("[") {
		p.next()
		p.expect("]")
		t = types.ArrayOf(t)
	}
	return t
}

// number is an integer, bigint or numeric literal, whichever fits first.
func (p *miniParser) number(tok string) expr.Expr {
	for _, t := range []*types.T{types.Int4, types.Int8, types.NumericT} {
		if d, err := types.ParseText(t, tok, p.set); err == nil {
			return expr.NewConst(t, d)
		}
	}
	panic(fmt.Errorf("bad number %q", tok))
}

// literalTypes may stand before a string.
var literalTypes = map[string]bool{"date": true, "time": true, "timetz": true, "timestamp": true, "timestamptz": true, "interval": true, "numeric": true,
	"int": true, "float8": true, "bool": true, "json": true, "jsonb": true, "bytea": true, "inet": true, "uuid": true, "text": true}

func (p *miniParser) primary() expr.Expr {
	tok, kind := p.tok, p.kind
	switch {
	case kind == 'n':
		p.next()
		p.cast = false
		return p.number(tok)
	case kind == 's':
		p.next()
		return expr.NewConst(types.Unknown, types.NewString(tok))
	case p.accept("("):
		e := p.expr(0)
		if p.accept(",") {
			return expr.NewRow(append([]expr.Expr{e}, p.list(")")...), nil)
		}
		p.expect(")")
		return e
	case p.accept("null"):
		return expr.NewNull()
	case p.accept("true"):
		return expr.NewConst(types.Bool, types.True)
	case p.accept("false"):
		return expr.NewConst(types.Bool, types.False)
	case p.accept("array"):
		p.expect("[")
		return p.array()
	case p.accept("row"):
		p.expect("(")
		return expr.NewRow(p.list(")"), nil)
	case p.accept("case"):
		return p.caseExpr()
	case p.accept("cast"):
		p.expect("(")
		e := p.expr(0)
		p.expect("as")
		t := p.typeName()
		p.expect(")")
		return must(expr.NewCast(p.set, e, t))
	case p.accept("extract"):
		p.expect("(")
		field := p.tok
		p.next()
		p.expect("from")
		e := p.expr(0)
		p.expect(")")
		return must(p.reg.Call(p.set, "extract", []expr.Expr{expr.NewConst(types.Text, types.NewString(field)), e}, expr.CallOptions{}))
	}
	if kind != 'i' && kind != 'q' {
		panic(fmt.Errorf("unexpected %q in %q", tok, p.s))
	}
	if literalTypes[tok] {
		save := *p
		t := p.typeName()
		if p.kind == 's' {
			text := p.tok
			p.next()
			return must(expr.NewCast(p.set, expr.NewConst(types.Unknown, types.NewString(text)), t))
		}
		*p = save
	}
	p.next()
	if c, ok := p.row[tok]; ok && !p.is("(") {
		return c
	}
	if !p.accept("(") {
		return must(p.reg.Call(p.set, tok, nil, expr.CallOptions{}))
	}
	return p.call(tok)
}

func (p *miniParser) array() expr.Expr {
	elems := p.arrayElems()
	if p.is("::") {
		p.next()
		return must(expr.NewArrayOf(p.set, p.typeName(), elems))
	}
	return must(expr.NewArray(p.set, elems))
}

func (p *miniParser) arrayElems() []expr.Expr {
	var elems []expr.Expr
	for !p.accept("]") {
		if p.accept("[") {
			elems = append(elems, must(expr.NewArray(p.set, p.arrayElems())))
		} else {
			elems = append(elems, p.expr(0))
		}
		p.accept(",")
	}
	return elems
}

func (p *miniParser) caseExpr() expr.Expr {
	var operand, els expr.Expr
	if !p.is("when") {
		operand = p.expr(0)
	}
	var whens []expr.When
	for p.accept("when") {
		c := p.expr(0)
		p.expect("then")
		whens = append(whens, expr.When{Cond: c, Result: p.expr(0)})
	}
	if p.accept("else") {
		els = p.expr(0)
	}
	p.expect("end")
	return must(p.reg.NewCase(p.set, operand, whens, els))
}

func (p *miniParser) call(name string) expr.Expr {
	var args []expr.Expr
	var opt expr.CallOptions
	named := false
	for !p.accept(")") {
		if p.accept("variadic") {
			opt.Variadic = true
		}
		argName := ""
		if p.kind == 'i' {
			save := *p
			word := p.tok
			p.next()
			if p.tok == "=>" {
				p.next()
				argName, named = word, true
			} else {
				*p = save
			}
		}
		args = append(args, p.expr(0))
		opt.ArgNames = append(opt.ArgNames, argName)
		p.accept(",")
		if p.is("from", "for") && name == "substring" {
			p.next()
		}
	}
	if !named {
		opt.ArgNames = nil
	}
	switch name {
	case "coalesce":
		return must(expr.NewCoalesce(p.set, args))
	case "greatest":
		return must(expr.NewGreatest(p.set, args))
	case "least":
		return must(expr.NewLeast(p.set, args))
	case "nullif":
		return must(p.reg.NewNullIf(p.set, args[0], args[1]))
	}
	return must(p.reg.Call(p.set, name, args, opt))
}
