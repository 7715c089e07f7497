package parser

import (
	"errors"
	"regexp"
	"strconv"
	"sync"

	tidb "github.com/pingcap/tidb/pkg/parser"
	gast "github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/mysql"
)

// grammar is the TiDB parser that fragments are given to.
type grammar struct{ p *tidb.Parser }

// The TiDB parser makes literals, parameters and decimals through these hooks.
// No fragment holds any of them, so they are never called.
var installHooks = sync.OnceFunc(func() {
	errLiteral := errors.New("literal in a fragment")
	gast.NewValueExpr = func(any, string, string) gast.ValueExpr { panic(errLiteral) }
	gast.NewParamMarkerExpr = func(int) gast.ParamMarkerExpr { panic(errLiteral) }
	gast.NewDecimal = func(string) (any, error) { return nil, errLiteral }
	gast.NewHexLiteral = func(string) (any, error) { return nil, errLiteral }
	gast.NewBitLiteral = func(string) (any, error) { return nil, errLiteral }
})

func newGrammar() grammar {
	installHooks()
	g := tidb.New()
	g.SetSQLMode(mysql.ModeANSIQuotes | mysql.ModePipesAsConcat | mysql.ModeNoBackslashEscapes | mysql.ModeIgnoreSpace)
	return grammar{g}
}

var errorColumn = regexp.MustCompile(`^line \d+ column (\d+) near "`)

// run parses the current fragment. An error is reported at the source token
// that the grammar did not expect.
func (p *parser) run() gast.StmtNode {
	stmts, _, err := p.grammar.p.ParseSQL(string(p.frag.text))
	if err != nil {
		tok := p.i
		if m := errorColumn.FindStringSubmatch(err.Error()); m != nil {
			// The column is that of the end of the unexpected piece.
			if col, err := strconv.Atoi(m[1]); err == nil && col < len(p.frag.text)-1 {
				if i := p.frag.pieceAt(col - 1); i >= 0 {
					tok = int(p.frag.toks[i])
				}
			}
		}
		p.failAt(tok)
	}
	if len(stmts) != 1 {
		p.fail()
	}
	return stmts[0]
}
