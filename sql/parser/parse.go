package parser

import (
	"fmt"
	"strconv"
	"sync"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// Statement is one parsed statement of a text.
type Statement struct {
	AST ast.Statement
	// Text is the statement's own text, without the blanks and comments around
	// it and without its semicolon. It shares memory with the parsed text.
	Text string
	// Offset is where Text begins in the parsed text. The positions in AST
	// count from the beginning of the parsed text, not of Text.
	Offset int
	// Params is the greatest n of the $n in it.
	Params int
}

const (
	// depthMax bounds how deep brackets, operators, joins and set operations
	// nest. Parsing, planning and evaluation recurse over the tree, and a Go
	// stack overflow cannot be recovered from. PostgreSQL's own bound
	// (max_stack_depth) is of the same order.
	depthMax = 4000
	// logicalMax bounds the ANDs and ORs of a statement. Chains of them are flat
	// in our tree but not in the grammar's.
	logicalMax = 100_000
	// paramMax is the greatest parameter number: the protocol's 16 bits.
	paramMax = 65535
)

// parser is the state of one Parse call, reused through a pool: making the
// grammar's parser costs more than a parse does.
type parser struct {
	src  string
	toks []token
	used int // how much of toks any statement of this text has filled
	i    int // the next token
	scan scanner

	depth    int
	logicals int
	maxParam int

	carriers     []carrier
	usedCarriers int       // as used, for carriers
	frag         *fragment // being written or built
	spare        []*fragment
	grammar      grammar
}

var parsers = sync.Pool{New: func() any { return newParser() }}

func newParser() *parser { return &parser{grammar: newGrammar()} }

// Parse parses a text of any number of statements separated by semicolons.
// Empty statements are left out, so the result may be empty. As in PostgreSQL
// an error in any statement is an error of the whole text. The error is a
// *sqlstate.Error with the byte offset in sql: 42601 for a syntax error, 0A000
// for what PostgreSQL has and Spanlite does not, 54001 for too deep nesting.
//
// Parse may be called from several goroutines at once.
func Parse(sql string) (stmts []Statement, err error) {
	p := parsers.Get().(*parser)
	defer p.finish(&err)
	p.begin(sql)
	for {
		start := p.scanStatement()
		if len(p.toks) > 1 {
			tree := p.statement()
			if !p.atEnd() {
				p.fail()
			}
			end := p.toks[len(p.toks)-2].end
			stmts = append(stmts, Statement{AST: tree, Text: sql[start:end], Offset: start, Params: p.maxParam})
		}
		if p.toks[len(p.toks)-1].kind != ';' {
			break
		}
	}
	return stmts, nil
}

// ParseOne parses a text that must hold exactly one statement, as Parse in the
// extended protocol and a function's body do. An empty text gives a zero
// Statement; more than one statement is PostgreSQL's 42601.
func ParseOne(sql string) (Statement, error) {
	stmts, err := Parse(sql)
	if err != nil || len(stmts) == 0 {
		return Statement{}, err
	}
	if len(stmts) > 1 {
		return Statement{}, sqlstate.New(sqlstate.SyntaxError, "cannot insert multiple commands into a prepared statement")
	}
	return stmts[0], nil
}

// ParseExpr parses a scalar expression, such as a stored column default.
func ParseExpr(sql string) (expr ast.Expr, err error) {
	p := parsers.Get().(*parser)
	defer p.finish(&err)
	p.begin(sql)
	p.scanStatement()
	expr = p.expr()
	p.expectEnd()
	return expr, nil
}

// ParseType parses a type name with its modifiers: numeric(10,2)[].
func ParseType(sql string) (typ *ast.TypeName, err error) {
	p := parsers.Get().(*parser)
	defer p.finish(&err)
	p.begin(sql)
	p.scanStatement()
	typ = p.typeName()
	p.expectEnd()
	return typ, nil
}

// ParseName parses a possibly qualified name, as the text of a regclass or the
// argument of nextval: My.Table, "my"."table".
func ParseName(sql string) (name ast.ObjectName, err error) {
	p := parsers.Get().(*parser)
	defer p.finish(&err)
	p.begin(sql)
	p.scanStatement()
	name = p.objectName()
	p.expectEnd()
	return name, nil
}

func (p *parser) expectEnd() {
	if p.peek().kind != tEOF {
		p.fail()
	}
}

func (p *parser) begin(sql string) {
	p.src = sql
	p.scan = scanner{src: sql}
	if len(sql) > sqlLenMax {
		p.bail(sqlstate.New(sqlstate.ProgramLimitExceeded, "statement is longer than %d bytes", sqlLenMax))
	}
}

// sqlLenMax keeps offsets within int32; PostgreSQL's own limit is the same 1 GB.
const sqlLenMax = 1 << 30

// finish turns the panic that carries an error into that error and gives p back
// to the pool. Syntax errors unwind by panic(bailout) as in the standard
// library's parsers: it keeps a thousand error returns out of the grammar. Any
// other panic would be a bug here or in the grammar's parser, and must not take
// the node down: it becomes XX000, and p is thrown away.
func (p *parser) finish(err *error) {
	switch r := recover().(type) {
	case nil:
	case bailout:
		*err = r.err
	default:
		*err = sqlstate.New(sqlstate.InternalError, "parser: %v", r)
		return
	}
	p.src = ""
	p.scan = scanner{}
	const keep = 4096 // tokens, carriers: what a larger statement took is let go
	if cap(p.toks) > keep || cap(p.carriers) > keep {
		p.toks, p.carriers, p.spare = nil, nil, nil
	}
	// Let go of the text, which the tokens of all its statements point into.
	clear(p.toks[:min(p.used, cap(p.toks))])
	clear(p.carriers[:min(max(p.usedCarriers, len(p.carriers)), cap(p.carriers))])
	p.used, p.usedCarriers = 0, 0
	p.frag = nil
	parsers.Put(p)
}

type bailout struct{ err *sqlstate.Error }

func (p *parser) bail(err *sqlstate.Error) { panic(bailout{err}) }

// scanStatement fills p.toks with the tokens of the next statement. The last
// one is tEOF or the semicolon. It returns where the first token begins.
func (p *parser) scanStatement() int {
	p.toks = p.toks[:0]
	p.i = 0
	p.depth, p.logicals, p.maxParam = 0, 0, 0
	p.usedCarriers = max(p.usedCarriers, len(p.carriers))
	p.carriers = p.carriers[:0]
	p.frag = nil
	for {
		t := p.scan.next()
		p.toks = append(p.toks, t)
		switch t.kind {
		case tError:
			// Whatever meets this token reports it; what comes before it may
			// have an error of its own.
			p.toks = append(p.toks, token{kind: tEOF, pos: t.end, end: t.end})
		case tEOF, ';':
		case tParam:
			n, err := strconv.Atoi(t.text)
			if err != nil || n > paramMax {
				n = paramMax + 1 // refused when the parameter is met
			}
			p.maxParam = max(p.maxParam, n)
			continue
		default:
			continue
		}
		break
	}
	p.used = max(p.used, len(p.toks))
	matchBrackets(p.toks)
	return int(p.toks[0].pos)
}

// peek returns the next token.
func (p *parser) peek() *token { return &p.toks[p.i] }

// peekAt returns the token n places further on, the last one beyond the end.
func (p *parser) peekAt(n int) *token {
	return &p.toks[min(p.i+n, len(p.toks)-1)]
}

// atEnd reports whether the statement's tokens are used up.
func (p *parser) atEnd() bool { return p.i == len(p.toks)-1 }

func (p *parser) pos() ast.Pos { return ast.Pos(p.peek().pos) }

// is reports whether the next token is the keyword k.
func (p *parser) is(k keyword) bool { return p.peek().kw == k }

// isPunct reports whether the next token is the punctuation c.
func (p *parser) isPunct(c tokenKind) bool { return p.peek().kind == c }

// isOp reports whether the next token is the operator op.
func (p *parser) isOp(op string) bool {
	t := p.peek()
	return t.kind == tOp && t.text == op
}

// accept steps over the keyword k if it is next.
func (p *parser) accept(k keyword) bool {
	if p.peek().kw != k {
		return false
	}
	p.i++
	return true
}

// accept2 steps over two keywords if both are next.
func (p *parser) accept2(a, b keyword) bool {
	if p.peek().kw != a || p.peekAt(1).kw != b {
		return false
	}
	p.i += 2
	return true
}

func (p *parser) acceptPunct(c tokenKind) bool {
	if p.peek().kind != c || c == ';' {
		return false
	}
	p.i++
	return true
}

func (p *parser) acceptOp(op string) bool {
	if !p.isOp(op) {
		return false
	}
	p.i++
	return true
}

func (p *parser) expect(ks ...keyword) {
	for _, k := range ks {
		if !p.accept(k) {
			p.fail()
		}
	}
}

func (p *parser) expectPunct(c tokenKind) {
	if !p.acceptPunct(c) {
		p.fail()
	}
}

// fail ends the parse with a syntax error at the next token.
func (p *parser) fail() { p.failAt(p.i) }

func (p *parser) failAt(i int) {
	t := &p.toks[i]
	switch t.kind {
	case tError:
		p.bail(p.scan.err)
	case tEOF:
		p.bail(sqlstate.New(sqlstate.SyntaxError, "syntax error at end of input").At(int(t.pos)))
	}
	p.bail(sqlstate.New(sqlstate.SyntaxError, "syntax error at or near \"%s\"", p.src[t.pos:t.end]).At(int(t.pos)))
}

// errorAt ends the parse with another error at pos.
func (p *parser) errorAt(pos ast.Pos, code sqlstate.Code, format string, args ...any) {
	p.bail(sqlstate.New(code, format, args...).At(int(pos)))
}

// unsupported ends the parse with 0A000.
func (p *parser) unsupported(pos ast.Pos, format string, args ...any) {
	p.bail(sqlstate.Unsupported("%s", fmt.Sprintf(format, args...)).At(int(pos)))
}

// deeper counts one more level of nesting; the caller restores p.depth.
func (p *parser) deeper() {
	p.depth++
	if p.depth > depthMax {
		p.tooDeep()
	}
}

func (p *parser) tooDeep() {
	p.bail(sqlstate.New(sqlstate.StatementTooComplex, "stack depth limit exceeded").
		WithDetail("The statement nests deeper than %d levels.", depthMax).At(int(p.peek().pos)))
}

// matchBrackets sets match for (), [] and CASE ... END. An opener without a
// partner matches the last token, where its missing partner is then reported.
func matchBrackets(toks []token) {
	var fixed [32]int32
	open := fixed[:0]
	for i := range toks {
		t := &toks[i]
		switch t.kind {
		case '(', '[':
			open = append(open, int32(i))
		case ')', ']':
			if n := len(open); n > 0 {
				o := &toks[open[n-1]]
				if o.kind == '(' && t.kind == ')' || o.kind == '[' && t.kind == ']' {
					o.match, t.match = int32(i), open[n-1]
					open = open[:n-1]
				}
			}
		case tIdent:
			if t.kw != kwCase && t.kw != kwEnd {
				continue
			}
			if i > 0 && (toks[i-1].kind == '.' || toks[i-1].kw == kwAs) {
				continue // a name
			}
			if t.kw == kwCase {
				open = append(open, int32(i))
			} else if n := len(open); n > 0 && toks[open[n-1]].kw == kwCase {
				toks[open[n-1]].match, t.match = int32(i), open[n-1]
				open = open[:n-1]
			}
		}
	}
	for _, i := range open {
		toks[i].match = int32(len(toks) - 1)
	}
}
