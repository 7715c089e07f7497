package parser

import (
	"testing"

	"github.com/spanlite/spanlite/sql/ast"
)

var benchStatements = []struct{ name, sql string }{
	{"point select", "SELECT abalance FROM pgbench_accounts WHERE aid = $1"},
	{"point select literal", "SELECT abalance FROM pgbench_accounts WHERE aid = 12345"},
	{"tpcb update", "UPDATE pgbench_accounts SET abalance = abalance + -1234 WHERE aid = 98765"},
	{"tpcb insert", "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (7, 1, 98765, -1234, CURRENT_TIMESTAMP)"},
	{"insert 4 columns", "INSERT INTO t (a, b, c, d) VALUES (1, 'two', 3.5, NULL)"},
	{"tpcc join", "SELECT count(DISTINCT s_i_id) FROM order_line, stock WHERE ol_w_id = $1 AND ol_d_id = $2 AND ol_o_id < $3 AND ol_o_id >= $3 - 20 AND s_w_id = $1 AND s_i_id = ol_i_id AND s_quantity < $4"},
	{"begin", "BEGIN"},
}

func BenchmarkParse(b *testing.B) {
	for _, s := range benchStatements {
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if _, err := Parse(s.sql); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkParseStages shows where the time of a point select goes.
func BenchmarkParseStages(b *testing.B) {
	sql := benchStatements[0].sql
	p := newParser()
	b.Run("scan", func(b *testing.B) {
		for range b.N {
			p.begin(sql)
			p.scanStatement()
		}
	})
	b.Run("rewrite", func(b *testing.B) {
		for range b.N {
			p.i = 0
			p.carriers = p.carriers[:0]
			outer := p.pushFragment()
			p.rwQuery()
			p.popFragment(outer)
		}
	})
	b.Run("grammar", func(b *testing.B) {
		p.i = 0
		p.pushFragment()
		p.rwQuery()
		b.ReportAllocs()
		for range b.N {
			p.run()
		}
	})
	b.Run("build", func(b *testing.B) {
		tree := p.run()
		b.ReportAllocs()
		for range b.N {
			p.buildQuery(tree, 0)
		}
	})
}

func BenchmarkNormalize(b *testing.B) {
	for _, s := range benchStatements {
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			var n Normalizer
			for range b.N {
				n.Normalize(s.sql)
			}
		})
	}
}

func BenchmarkFormat(b *testing.B) {
	stmts, err := Parse(benchStatements[5].sql)
	if err != nil {
		b.Fatal(err)
	}
	for range b.N {
		ast.Format(stmts[0].AST)
	}
}
