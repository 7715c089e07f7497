package parser

import (
	"strconv"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

func systemType(name string) ast.ObjectName {
	return ast.ObjectName{Pos: ast.NoPos, Schema: "pg_catalog", Name: name}
}

// typeName reads a type: [SETOF] name [(modifiers)] [array bounds].
func (p *parser) typeName() *ast.TypeName {
	pos := p.pos()
	setOf := p.accept(kwSetof)
	typ := p.simpleTypeName()
	typ.Pos, typ.SetOf = pos, setOf
	if p.accept(kwArray) {
		bound := int32(-1)
		if p.acceptPunct('[') {
			bound = int32(p.intConst())
			p.expectPunct(']')
		}
		typ.ArrayBounds = append(typ.ArrayBounds, bound)
		return typ
	}
	for p.isPunct('[') {
		bound := int32(-1)
		p.i++
		if !p.isPunct(']') {
			bound = int32(p.intConst())
		}
		p.expectPunct(']')
		typ.ArrayBounds = append(typ.ArrayBounds, bound)
	}
	return typ
}

// simpleTypeName reads a type without SETOF and array bounds. The standard's
// spellings get their catalog names here.
func (p *parser) simpleTypeName() *ast.TypeName {
	typ := &ast.TypeName{Pos: p.pos()}
	t := p.peek()
	set := func(name string) *ast.TypeName {
		typ.Name = systemType(name)
		typ.Name.Pos = ast.Pos(t.pos)
		return typ
	}
	if t.kw != noKeyword && p.peekAt(1).kind != '.' {
		switch t.kw {
		case kwInt, kwInteger:
			p.i++
			return set("int4")
		case kwSmallint:
			p.i++
			return set("int2")
		case kwBigint:
			p.i++
			return set("int8")
		case kwReal:
			p.i++
			return set("float4")
		case kwFloat:
			p.i++
			set("float8")
			if p.acceptPunct('(') {
				pos := p.pos()
				n := p.intConst()
				p.expectPunct(')')
				switch {
				case n < 1:
					p.errorAt(pos, sqlstate.InvalidParameterValue, "precision for type float must be at least 1 bit")
				case n <= 24:
					set("float4")
				case n > 53:
					p.errorAt(pos, sqlstate.InvalidParameterValue, "precision for type float must be less than 54 bits")
				}
			}
			return typ
		case kwDouble:
			p.i++
			p.expect(kwPrecision)
			return set("float8")
		case kwDecimal, kwDec, kwNumeric:
			p.i++
			set("numeric")
			typ.Mods = p.optTypeMods()
			return typ
		case kwBoolean:
			p.i++
			return set("bool")
		case kwBit:
			p.i++
			if p.accept(kwVarying) {
				set("varbit")
				typ.Mods = p.optTypeMods()
				return typ
			}
			set("bit")
			if typ.Mods = p.optTypeMods(); typ.Mods == nil {
				typ.Mods = []ast.Expr{&ast.Number{Pos: ast.NoPos, Text: "1"}}
			}
			return typ
		case kwCharacter, kwChar, kwNchar, kwVarchar, kwNational:
			p.i++
			if t.kw == kwNational && !p.accept(kwCharacter) {
				p.expect(kwChar)
			}
			varying := t.kw == kwVarchar || p.accept(kwVarying)
			var length []ast.Expr
			if p.acceptPunct('(') {
				length = []ast.Expr{&ast.Number{Pos: p.pos(), Text: strconv.Itoa(p.intConst())}}
				p.expectPunct(')')
			}
			if varying {
				set("varchar")
				typ.Mods = length
				return typ
			}
			set("bpchar")
			if length == nil {
				length = []ast.Expr{&ast.Number{Pos: ast.NoPos, Text: "1"}}
			}
			typ.Mods = length
			return typ
		case kwTime, kwTimestamp:
			p.i++
			if p.acceptPunct('(') {
				typ.Mods = []ast.Expr{&ast.Number{Pos: p.pos(), Text: strconv.Itoa(p.intConst())}}
				p.expectPunct(')')
			}
			name := t.text
			if p.is(kwWith) && p.peekAt(1).kw == kwTime {
				p.i += 2
				p.expect(kwZone)
				name += "tz"
			} else if p.is(kwWithout) && p.peekAt(1).kw == kwTime {
				p.i += 2
				p.expect(kwZone)
			}
			return set(name)
		case kwInterval:
			p.i++
			set("interval")
			if p.acceptPunct('(') {
				typ.Mods = []ast.Expr{&ast.Number{Pos: p.pos(), Text: strconv.Itoa(p.intConst())}}
				p.expectPunct(')')
				return typ
			}
			p.intervalFields(typ)
			return typ
		}
	}
	if !isName(t, typeFuncName) {
		p.fail()
	}
	typ.Name = p.qualified()
	if p.isOp("%") && p.peekAt(1).kw == kwType {
		p.i += 2
		typ.PctType = true
		return typ
	}
	typ.Mods = p.optTypeMods()
	return typ
}

func (p *parser) optTypeMods() []ast.Expr {
	if !p.isPunct('(') {
		return nil
	}
	return p.typeMods()
}

// typeMods reads modifiers in parentheses. PostgreSQL takes any expressions
// here and then refuses all but constants and names.
func (p *parser) typeMods() []ast.Expr {
	p.expectPunct('(')
	mods := p.exprList()
	p.expectPunct(')')
	return mods
}

// intervalFields reads year, day to second(3) and so on.
func (p *parser) intervalFields(typ *ast.TypeName) {
	t := p.peek()
	seconds := func() {
		if p.acceptPunct('(') {
			typ.Mods = []ast.Expr{&ast.Number{Pos: p.pos(), Text: strconv.Itoa(p.intConst())}}
			p.expectPunct(')')
		}
	}
	to := func(kws ...keyword) {
		typ.Fields = t.text
		if !p.is(kwTo) {
			return
		}
		for _, k := range kws {
			if p.peekAt(1).kw == k {
				p.i += 2
				typ.Fields += " to " + keywords[k].word
				if k == kwSecond {
					seconds()
				}
				return
			}
		}
		p.i++
		p.fail()
	}
	switch t.kw {
	case kwYear:
		p.i++
		to(kwMonth)
	case kwDay:
		p.i++
		to(kwHour, kwMinute, kwSecond)
	case kwHour:
		p.i++
		to(kwMinute, kwSecond)
	case kwMinute:
		p.i++
		to(kwSecond)
	case kwMonth:
		p.i++
		typ.Fields = t.text
	case kwSecond:
		p.i++
		typ.Fields = t.text
		seconds()
	}
}
