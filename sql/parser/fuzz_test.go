package parser

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// seeds adds the statements of the test data to a fuzz target's corpus.
func seeds(f *testing.F) {
	clients, _ := filepath.Glob("testdata/clients/*.sql")
	for _, path := range clients {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, sql := range strings.Split(string(text), "\n;;\n") {
			f.Add(sql)
		}
	}
	data, _ := filepath.Glob("testdata/*.txt")
	for _, path := range data {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, line := range strings.Split(string(text), "\n") {
			f.Add(line)
		}
	}
	for _, s := range benchStatements {
		f.Add(s.sql)
	}
}

// FuzzParse holds that Parse gives a tree or a *sqlstate.Error whose position
// lies in the text, that it never meets a bug of its own (XX000), and that a
// tree's text parses to an equal tree.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, sql string) {
		stmts, err := Parse(sql)
		if err != nil {
			e, ok := errors.AsType[*sqlstate.Error](err)
			if !ok || e.Code == sqlstate.InternalError {
				t.Fatalf("%q: %v", sql, err)
			}
			if e.ByteOffset < 0 || e.ByteOffset > len(sql)+1 {
				t.Fatalf("%q: error at %d: %v", sql, e.ByteOffset, err)
			}
			return
		}
		for _, s := range stmts {
			if sql[s.Offset:s.Offset+len(s.Text)] != s.Text {
				t.Fatalf("%q: statement's text is %q at %d", sql, s.Text, s.Offset)
			}
			if pos := s.AST.Position().Offset(); pos < s.Offset || pos > s.Offset+len(s.Text) {
				t.Fatalf("%q: tree begins at %d", sql, pos)
			}
			checkRoundTrip(t, sql, s.AST)
		}
	})
}

// FuzzScan holds that tokens lie in the text, in order, without gaps but for
// blanks and comments, and that folding and unquoting make valid names.
func FuzzScan(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, sql string) {
		s := scanner{src: sql}
		end := int32(0)
		for {
			tok := s.next()
			if tok.pos < end || tok.end < tok.pos || int(tok.end) > len(sql) {
				t.Fatalf("%q: token %d at %d..%d behind %d", sql, tok.kind, tok.pos, tok.end, end)
			}
			if tok.kind == tError {
				if s.err == nil {
					t.Fatalf("%q: error token without an error", sql)
				}
				return
			}
			if tok.kind == tEOF {
				return
			}
			if tok.pos == tok.end {
				t.Fatalf("%q: empty token %d at %d", sql, tok.kind, tok.pos)
			}
			end = tok.end
			if (tok.kind == tIdent || tok.kind == tQuoted) && (tok.text == "" || len(tok.text) > nameLenMax) {
				t.Fatalf("%q: name %q", sql, tok.text)
			}
			if tok.kind == tIdent || tok.kind == tQuoted {
				again := scanner{src: ast.QuoteIdent(tok.text)}
				if q := again.next(); q.text != tok.text {
					t.Fatalf("%q: name %q reads back as %q", sql, tok.text, q.text)
				}
			}
		}
	})
}

// FuzzExpr holds for expressions what FuzzParse does for statements.
func FuzzExpr(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, sql string) {
		e, err := ParseExpr(sql)
		if err != nil {
			if sqlstate.CodeOf(err) == sqlstate.InternalError {
				t.Fatalf("%q: %v", sql, err)
			}
			return
		}
		text := ast.Format(e)
		again, err := ParseExpr(text)
		if err != nil {
			t.Fatalf("%q: formatted as %q: %v", sql, text, err)
		}
		if !reflect.DeepEqual(withoutPositions(e), withoutPositions(again)) {
			t.Fatalf("%q: formatted as %q means something else", sql, text)
		}
	})
}

// FuzzNormalize holds that a statement with its literals lifted, and put back,
// is the statement.
func FuzzNormalize(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, sql string) {
		var n Normalizer
		if n.Normalize(sql) {
			checkNormalized(t, sql, &n)
		}
	})
}
