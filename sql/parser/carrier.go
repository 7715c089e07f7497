package parser

import (
	"sort"
	"strconv"

	"github.com/spanlite/spanlite/sql/ast"
)

// A fragment is a text for the grammar's parser, and the way back from it.
//
// Everything that the user wrote goes in as a reference: an identifier in
// backquotes that is a control character and a number, which no user can
// write since none of the user's characters ever enter a fragment.
//
//	`\x01<n>`    token n: a name (with the dotted tail that follows it in the
//	             source), a number, a string, a parameter, a keyword value
//	`\x02<n>`    carrier n: the side table p.carriers says what it means
//
// A carrier with operands is written as a function call, `\x02<n>`(x, y).
// Only keywords, operators and brackets that we chose stand between the
// references, so a fragment cannot say anything MySQL that PostgreSQL does not.
type fragment struct {
	text []byte
	// starts holds the offset in text of each piece written, in rising order,
	// and toks the source token it stands for. They lead from the grammar's
	// positions back to ours.
	starts []int32
	toks   []int32
}

const (
	tokenRef   = '\x01'
	carrierRef = '\x02'
)

// carrierKind says what a carrier stands for.
type carrierKind uint8

const (
	cLeaf       carrierKind = iota // node is the finished ast.Expr
	cCast                          // (x): node *ast.TypeName
	cPrefix                        // (x): the operator at tok
	cArray                         // (elems...)
	cArrayQuery                    // (query)
	cRow                           // (elems...): ROW(...)
	cSubscript                     // (x, index or cSlice...)
	cSlice                         // (bounds): n&1 lower, n&2 upper given
	cField                         // (x): name at tok
	cFieldStar                     // (x)
	cCollate                       // (x): node *ast.ObjectName
	cAtZone                        // (x, zone)
	cQuantified                    // (array or query): ANY, SOME, ALL at tok
	cPattern                       // (pattern [, escape])
	cTruth                         // leaf behind <=>: IS TRUE ...; n = TruthValue, flag = NOT
	cDistinct                      // (x) behind <=>: IS DISTINCT FROM; flag = NOT
	cNormalized                    // leaf behind <=>: text is the form; flag = NOT
	cSpecial                       // (args...): node *special
	cNamedArg                      // (x): text is the name
	cVariadic                      // (x)
	cAggOrder                      // (cSort...): ORDER BY in an aggregate, WITHIN GROUP if flag
	cFilter                        // (cond)
	cSort                          // (x): node *ast.SortBy to be completed
	cFrame                         // (offsets...): node *ast.Frame, n&1 start, n&2 end have offsets
	cSelect                        // (DISTINCT ON exprs...): node *selectExtra
	cTail                          // (limit, offset): node *tail
	cCTE                           // name in WITH: node *ast.CTE
	cTable                         // table name: node *ast.TableRef
	cAlias                         // alias of a derived table: node ast.TableExpr to be completed
	cCross                         // ON: CROSS JOIN
	cNatural                       // ON: NATURAL JOIN
	cUsing                         // ON: node *ast.Join with the USING part
	cGroup                         // (items...): node ast.GroupingKind in n
	cWindow                        // name in WINDOW or OVER: text
)

// carrier is an entry of the side table. tok is the source token which gives
// its position.
type carrier struct {
	kind carrierKind
	flag bool
	n    uint8
	tok  int32
	text string
	node any
}

// newCarrier adds c to the side table and returns its number.
func (p *parser) newCarrier(c carrier) int {
	p.carriers = append(p.carriers, c)
	return len(p.carriers) - 1
}

// pushFragment starts a fragment and returns the one that was being written.
func (p *parser) pushFragment() *fragment {
	outer := p.frag
	if n := len(p.spare); n > 0 {
		p.frag = p.spare[n-1]
		p.spare = p.spare[:n-1]
	} else {
		p.frag = &fragment{text: make([]byte, 0, 512), starts: make([]int32, 0, 64), toks: make([]int32, 0, 64)}
	}
	p.frag.text = p.frag.text[:0]
	p.frag.starts = p.frag.starts[:0]
	p.frag.toks = p.frag.toks[:0]
	return outer
}

// popFragment ends the current fragment and takes up outer again.
func (p *parser) popFragment(outer *fragment) {
	if cap(p.frag.text) <= 1<<16 {
		p.spare = append(p.spare, p.frag)
	}
	p.frag = outer
}

// emit writes text that stands for token tok.
func (p *parser) emit(text string, tok int) {
	f := p.frag
	f.starts = append(f.starts, int32(len(f.text)))
	f.toks = append(f.toks, int32(tok))
	f.text = append(f.text, text...)
	f.text = append(f.text, ' ')
}

// emitRef writes a reference to a token or carrier.
func (p *parser) emitRef(kind byte, n, tok int) {
	f := p.frag
	f.starts = append(f.starts, int32(len(f.text)))
	f.toks = append(f.toks, int32(tok))
	f.text = appendRef(f.text, kind, n)
	f.text = append(f.text, ' ')
}

func appendRef(b []byte, kind byte, n int) []byte {
	b = append(b, '`', kind)
	b = strconv.AppendInt(b, int64(n), 10)
	return append(b, '`')
}

// emitToken writes a reference to the token tok.
func (p *parser) emitToken(tok int) { p.emitRef(tokenRef, tok, tok) }

// emitCarrier adds a carrier and writes the reference to it.
func (p *parser) emitCarrier(c carrier) {
	p.emitRef(carrierRef, p.newCarrier(c), int(c.tok))
}

// emitCall adds a carrier and opens the call of it; the caller closes it.
func (p *parser) emitCall(c carrier) {
	p.emitCarrier(c)
	p.emit("(", int(c.tok))
}

// mark is a place in the fragment where something may be inserted later.
type mark struct{ text, piece int }

func (p *parser) mark() mark { return mark{len(p.frag.text), len(p.frag.starts)} }

// insertCall opens a carrier's call in front of what was written since m: the
// way of postfix operators, whose operand is written before they are seen.
func (p *parser) insertCall(m mark, c carrier) {
	var buf [24]byte
	head := appendRef(buf[:0], carrierRef, p.newCarrier(c))
	p.insert(m, append(head, '('), int(c.tok))
}

func (p *parser) insert(m mark, head []byte, tok int) {
	f := p.frag
	n := len(head)
	f.text = append(f.text, head...)
	copy(f.text[m.text+n:], f.text[m.text:])
	copy(f.text[m.text:], head)
	f.starts = append(f.starts, 0)
	f.toks = append(f.toks, 0)
	copy(f.starts[m.piece+1:], f.starts[m.piece:])
	copy(f.toks[m.piece+1:], f.toks[m.piece:])
	f.starts[m.piece], f.toks[m.piece] = int32(m.text), int32(tok)
	for i := m.piece + 1; i < len(f.starts); i++ {
		f.starts[i] += int32(n)
	}
}

// pieceAt returns the index of the last piece that begins at or before offset.
func (f *fragment) pieceAt(offset int) int {
	return sort.Search(len(f.starts), func(i int) bool { return f.starts[i] > int32(offset) }) - 1
}

// tokenAt returns the source token of the piece that begins at offset.
func (f *fragment) tokenAt(offset int) int {
	if i := f.pieceAt(offset); i >= 0 {
		return int(f.toks[i])
	}
	return 0
}

// tokenBefore returns the source token of the piece in front of the one that
// begins at offset: the operator, if an operand begins there.
func (f *fragment) tokenBefore(offset int) int {
	if i := f.pieceAt(offset) - 1; i >= 0 {
		return int(f.toks[i])
	}
	return 0
}

// decodeRef takes a reference apart. ok is false for a name that is none.
func decodeRef(s string) (kind byte, n int, ok bool) {
	if len(s) < 2 || s[0] != tokenRef && s[0] != carrierRef {
		return 0, 0, false
	}
	for i := 1; i < len(s); i++ {
		if !isDigit(s[i]) {
			return 0, 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return s[0], n, true
}

// tokPos returns the position of token i.
func (p *parser) tokPos(i int) ast.Pos { return ast.Pos(p.toks[i].pos) }
