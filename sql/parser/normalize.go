package parser

import (
	"strconv"
	"strings"
)

// LiteralKind is the type that a literal has of itself. It is part of a
// Normalizer's Key, since a plan for one type does not do for another.
type LiteralKind byte

// The kinds of literals, with the letters that stand for them in a key.
const (
	LiteralInt4    LiteralKind = 'i'
	LiteralInt8    LiteralKind = 'b'
	LiteralNumeric LiteralKind = 'n'
	// LiteralString is a string of type unknown, as every quoted constant is
	// until its context gives it a type.
	LiteralString LiteralKind = 's'
)

// Literal is a constant that was lifted out of a statement.
type Literal struct {
	Kind LiteralKind
	Text string // decoded; a number's sign is part of it
	// Pos and End are byte offsets in the statement's own text.
	Pos, End int
}

// Normalizer lifts the literals of a statement into parameters, so that
// statements of the simple protocol that differ only in literals share one
// plan. It works on tokens in one pass, without parsing:
//
//	UPDATE t SET a = a + 5 WHERE id = -7 AND s = 'it''s'
//	UPDATE t SET a = a + $1 WHERE id = $2 AND s = $3      5, -7, it's
//
// A literal is lifted only where a parameter of the same type means the same:
// as an operand in WHERE, ON, SET, LIMIT and OFFSET and in the rows of INSERT
// ... VALUES. It stays in the text, and so in the key, in select lists and
// ORDER BY (where 1 is a position), in a function's arguments, in types and
// behind a type's name (date '2020-01-01'), as a pattern (a plan for LIKE 'a%'
// depends on it), behind operators of json and the like, in ON CONFLICT's
// arbiter, and in FETCH and AS OF SYSTEM TIME.
//
// Statements that must not be touched at all are refused: those with GROUP BY
// or DISTINCT (where equal expressions must stay equal), with parameters of
// their own, of other kinds than SELECT, INSERT, UPDATE and DELETE, several in
// one text, and those with lexical errors. Positions in errors about the
// normalized text are not those of the user's; parse the latter to report them.
//
// The zero value is ready. A Normalizer is for one goroutine; its memory is
// used again by the next call.
type Normalizer struct {
	// Key is the normalized text, a zero byte, and the literals' kinds.
	Key      []byte
	Literals []Literal

	textLen int
	outside []liftState // the state outside each open parenthesis
}

// literalsMax bounds what is worth sharing: a bulk INSERT is not.
const literalsMax = 512

// Text returns the normalized statement. It is valid until the next Normalize.
func (n *Normalizer) Text() []byte { return n.Key[:n.textLen] }

// Normalize lifts the literals of sql. It returns false if the statement is
// refused or nothing could be lifted; Key and Literals mean nothing then.
func (n *Normalizer) Normalize(sql string) bool {
	n.Key, n.Literals, n.outside = n.Key[:0], n.Literals[:0], n.outside[:0]
	s := scanner{src: sql}
	t := s.next()
	switch t.kw {
	case kwSelect, kwUpdate, kwDelete, kwInsert:
	default:
		return false
	}
	insert := t.kw == kwInsert
	copied := int(t.pos) // how much of sql is in Key, or left out of it
	var now liftState
	var prev, prev2 token
	arbiter := false // between ON CONFLICT and DO
	for {
		next := s.next()
		switch t.kind {
		case tError, tParam:
			return false
		case tEOF, ';':
			if t.kind == ';' && next.kind != tEOF || len(n.Literals) == 0 {
				return false
			}
			n.copy(sql, &copied, int(prev.end), int(prev.end))
			n.textLen = len(n.Key)
			n.Key = append(n.Key, 0)
			for i := range n.Literals {
				n.Key = append(n.Key, byte(n.Literals[i].Kind))
			}
			return true
		case '(':
			n.outside = append(n.outside, now)
			if prev.kind == tQuoted || prev.kind == tIdent && !opensList(prev.kw) {
				now.call = true
			}
		case ')':
			if len(n.outside) == 0 || next.kind == tString { // numeric(3,1) '1.5'
				return false
			}
			now = n.outside[len(n.outside)-1]
			n.outside = n.outside[:len(n.outside)-1]
		case tInteger, tFloat, tString:
			if !now.lift || now.call || !liftable(&t, &prev, &prev2, &next) {
				break
			}
			if len(n.Literals) == literalsMax {
				return false
			}
			lit := Literal{Kind: LiteralString, Text: t.text, Pos: int(t.pos), End: int(t.end)}
			if t.kind != tString {
				if prev.kind == tOp && prev.text == "-" && isSign(&prev2) {
					if next.kind == tCast {
						break // -5::text is -(5::text)
					}
					lit.Text, lit.Pos = "-"+t.text, int(prev.pos)
				}
				lit.Kind = numberKind(lit.Text)
			}
			n.Literals = append(n.Literals, lit)
			n.copy(sql, &copied, lit.Pos, lit.End)
			if k := n.Key[len(n.Key)-1]; isIdentPart(k) { // where'x'
				n.Key = append(n.Key, ' ')
			}
			n.Key = append(n.Key, '$')
			n.Key = strconv.AppendInt(n.Key, int64(len(n.Literals)), 10)
			if next.pos == t.end { // 'x'and
				n.Key = append(n.Key, ' ')
			}
		case tIdent:
			switch t.kw {
			case kwWhere, kwSet, kwOn, kwLimit, kwOffset:
				now.lift = !arbiter
			case kwConflict:
				now.lift, arbiter = false, true
			case kwDo:
				arbiter = false
			case kwValues:
				now.lift = insert && len(n.outside) == 0
			case kwSelect, kwReturning, kwFetch, kwWindow, kwHaving, kwOrder, kwPartition:
				now.lift = false
			case kwFrom:
				if prev.kw != kwDistinct {
					now.lift = false
				}
			case kwDistinct:
				if prev.kw != kwIs && prev.kw != kwNot {
					return false
				}
			case kwGroup:
				return false
			}
		}
		prev2, prev, t = prev, t, next
	}
}

// liftState is what a Normalizer knows of the place it is at.
type liftState struct {
	lift bool // the clause is one whose operands may be lifted
	call bool // inside a call's parentheses, or a type's, or a name list's
}

// copy appends sql from *copied to pos, with comments blanked out, and goes on
// behind end.
func (n *Normalizer) copy(sql string, copied *int, pos, end int) {
	text := sql[*copied:pos]
	*copied = end
	if !strings.Contains(text, "--") && !strings.Contains(text, "/*") {
		n.Key = append(n.Key, text...)
		return
	}
	s := scanner{src: text}
	for last := 0; ; {
		t := s.next()
		if t.kind == tEOF || t.kind == tError {
			return
		}
		if int(t.pos) > last {
			n.Key = append(n.Key, ' ')
		}
		n.Key = append(n.Key, text[t.pos:t.end]...)
		last = int(t.end)
	}
}

// liftable reports whether the literal t is an operand that a parameter can
// stand for, going by the tokens around it. Strings are of unknown type, which
// an operator other than a comparison may resolve in its own way: they stay.
func liftable(t, prev, prev2, next *token) bool {
	if next.kind == tString {
		return false // an error, of which the original text has the position
	}
	if t.kind == tString && next.kind == tOp && !isComparison(next.text) {
		return false
	}
	switch prev.kind {
	case '(', ',':
		return true
	case tOp:
		if isComparison(prev.text) {
			return true
		}
		switch prev.text {
		case "+", "-", "*", "/", "%":
			return t.kind != tString
		}
		return false
	}
	switch prev.kw {
	case kwLimit, kwOffset:
		return t.kind == tInteger
	case kwFrom:
		return prev2.kw == kwDistinct
	}
	return beginsOperand(prev.kw)
}

func isComparison(op string) bool {
	switch op {
	case "=", "<", ">", "<=", ">=", "<>":
		return true
	}
	return false
}

// beginsOperand reports whether an operand follows the keyword k.
func beginsOperand(k keyword) bool {
	switch k {
	case kwAnd, kwOr, kwNot, kwWhere, kwBetween, kwSymmetric, kwThen, kwElse, kwWhen, kwCase, kwOn:
		return true
	}
	return false
}

// isSign reports whether a minus behind t is a sign.
func isSign(t *token) bool {
	switch t.kind {
	case '(', ',', tOp:
		return true
	}
	return beginsOperand(t.kw) || t.kw == kwLimit || t.kw == kwOffset || t.kw == kwFrom
}

// opensList reports whether a parenthesis behind the keyword k is not that of a
// call.
func opensList(k keyword) bool {
	switch k {
	case kwIn, kwValues, kwAnd, kwOr, kwNot, kwWhere, kwOn, kwSet, kwAny, kwAll, kwSome, kwExists, kwBetween,
		kwThen, kwElse, kwWhen, kwCase, kwSelect, kwFrom, kwJoin, kwUnion, kwExcept, kwIntersect, kwRow,
		kwLimit, kwOffset, kwSymmetric, kwLateral:
		return true
	}
	return false
}

// numberKind returns the type that a numeric constant has.
func numberKind(text string) LiteralKind {
	v, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		return LiteralNumeric
	case v == int64(int32(v)):
		return LiteralInt4
	}
	return LiteralInt8
}
