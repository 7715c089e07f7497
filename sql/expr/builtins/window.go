package builtins

import (
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// windowFn makes a window function that needs no memory between rows of an ordinary
// function over the frame.
type windowFn func(ec *ctx, f expr.WindowFrame) (datum, error)

func (windowFn) Begin() {}

// Eval implements expr.WindowEval.
func (w windowFn) Eval(ec *ctx, f expr.WindowFrame) (datum, error) { return w(ec, f) }

func window(name string, ret *types.T, as []*types.T, w func(c *expr.Call) expr.WindowEval) *expr.Function {
	return &expr.Function{Name: name, Kind: expr.WindowFunction, Ret: ret, Args: as, Window: w, NotStrict: true}
}

func windowPlain(name string, ret *types.T, as []*types.T, f windowFn) *expr.Function {
	return window(name, ret, as, func(*expr.Call) expr.WindowEval { return f })
}

// rankState counts peers passed.
type rankState struct {
	dense     bool
	rank      int64
	started   bool
	peerStart int
}

func (s *rankState) Begin() { *s = rankState{dense: s.dense} }

// Eval implements expr.WindowEval.
func (s *rankState) Eval(_ *ctx, f expr.WindowFrame) (datum, error) {
	start, _ := f.Peers()
	if !s.started || start != s.peerStart {
		s.started, s.peerStart = true, start
		if s.dense {
			s.rank++
		} else {
			s.rank = int64(start) + 1
		}
	}
	return types.NewInt(s.rank), nil
}

// lagLead is lag and lead.
type lagLead struct {
	direction int64
	nargs     int
}

func (lagLead) Begin() {}

// Eval implements expr.WindowEval.
func (w lagLead) Eval(ec *ctx, f expr.WindowFrame) (datum, error) {
	offset := int64(1)
	if w.nargs > 1 {
		d, err := f.Arg(ec, 1, f.Row())
		if err != nil || d.IsNull() {
			return null, err
		}
		offset = d.Int()
	}
	at := int64(f.Row()) + w.direction*offset
	if at >= 0 && at < int64(f.Rows()) {
		return f.Arg(ec, 0, int(at))
	}
	if w.nargs > 2 {
		return f.Arg(ec, 2, f.Row())
	}
	return null, nil
}

func windowFunctions() []*expr.Function {
	lag := func(direction int64) func(*expr.Call) expr.WindowEval {
		return func(c *expr.Call) expr.WindowEval { return lagLead{direction, len(c.Args)} }
	}
	f := []*expr.Function{
		windowPlain("row_number", int8, nil, func(_ *ctx, f expr.WindowFrame) (datum, error) {
			return types.NewInt(int64(f.Row()) + 1), nil
		}),
		window("rank", int8, nil, func(*expr.Call) expr.WindowEval { return &rankState{} }),
		window("dense_rank", int8, nil, func(*expr.Call) expr.WindowEval { return &rankState{dense: true} }),
		windowPlain("percent_rank", float8, nil, func(_ *ctx, f expr.WindowFrame) (datum, error) {
			if f.Rows() <= 1 {
				return types.NewFloat(0), nil
			}
			start, _ := f.Peers()
			return types.NewFloat(float64(start) / float64(f.Rows()-1)), nil
		}),
		windowPlain("cume_dist", float8, nil, func(_ *ctx, f expr.WindowFrame) (datum, error) {
			_, end := f.Peers()
			return types.NewFloat(float64(end) / float64(f.Rows())), nil
		}),
		windowPlain("ntile", int4, args(int4), func(ec *ctx, f expr.WindowFrame) (datum, error) {
			d, err := f.Arg(ec, 0, 0)
			if err != nil || d.IsNull() {
				return null, err
			}
			n := d.Int()
			if n <= 0 {
				return null, errf(sqlstate.InvalidNtileArgument, "argument of ntile must be greater than zero")
			}
			// The first rows%n buckets have one row more.
			rows, row := int64(f.Rows()), int64(f.Row())
			small, extra := rows/n, rows%n
			if row < extra*(small+1) {
				return types.NewInt(row/(small+1) + 1), nil
			}
			return types.NewInt((row-extra*(small+1))/small + extra + 1), nil
		}),
		windowPlain("first_value", anyelement, args(anyelement), func(ec *ctx, f expr.WindowFrame) (datum, error) {
			if f.FrameLen() == 0 {
				return null, nil
			}
			return f.Arg(ec, 0, f.FrameRow(0))
		}),
		windowPlain("last_value", anyelement, args(anyelement), func(ec *ctx, f expr.WindowFrame) (datum, error) {
			if f.FrameLen() == 0 {
				return null, nil
			}
			return f.Arg(ec, 0, f.FrameRow(f.FrameLen()-1))
		}),
		windowPlain("nth_value", anyelement, args(anyelement, int4), func(ec *ctx, f expr.WindowFrame) (datum, error) {
			d, err := f.Arg(ec, 1, f.Row())
			if err != nil || d.IsNull() {
				return null, err
			}
			n := d.Int()
			if n <= 0 {
				return null, errf(sqlstate.InvalidNthValueArgument, "argument of nth_value must be greater than zero")
			}
			if n > int64(f.FrameLen()) {
				return null, nil
			}
			return f.Arg(ec, 0, f.FrameRow(int(n-1)))
		}),
	}
	for name, dir := range map[string]int64{"lag": -1, "lead": 1} {
		f = append(f,
			window(name, anyelement, args(anyelement), lag(dir)),
			window(name, anyelement, args(anyelement, int4), lag(dir)),
			window(name, anycompatible, args(anycompatible, int4, anycompatible), lag(dir)))
	}
	return f
}
