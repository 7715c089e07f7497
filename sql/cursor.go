package sql

import (
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/exec"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// cursor is a portal made by DECLARE. Its rows are materialised when it is
// declared, so that it can be scrolled and, WITH HOLD, outlive its transaction.
type cursor struct {
	held bool
	rows []types.Row
	// pos is the row the cursor stands on: 0 before the first, len+1 behind the last.
	pos int
	mem *exec.Monitor
	// noScroll refuses to go back.
	noScroll bool
	// savepoints is the number of savepoints around the cursor: going back to one of
	// them closes it.
	savepoints int
}

// declareCursor executes DECLARE.
func (s *Session) declareCursor(p *portal, st *ast.DeclareCursor) error {
	if s.txn.block != blockOpen && !st.Hold {
		return sqlstate.New(sqlstate.NoActiveSQLTransaction, "DECLARE CURSOR can only be used in transaction blocks")
	}
	if _, exists := s.portals[st.Name]; exists {
		return sqlstate.New(sqlstate.DuplicateCursor, "cursor \"%s\" already exists", st.Name)
	}
	s.ensureTxn()
	s.setPath(s.txn.coll)
	c, err := s.bindAndOptimize(st.Query, paramTypes(p))
	if err != nil {
		return err
	}
	if ok, err := s.txn.coll.Use(&s.ctx, c.plan.Tables...); err != nil || !ok {
		if err == nil {
			err = errTableChanging(false)
		}
		return err
	}
	cur := &cursor{held: st.Hold, mem: exec.NewMonitor(s.srv.cfg.Memory, 0), noScroll: st.Scroll != nil && !*st.Scroll, savepoints: len(s.txn.savepoints)}
	if _, err := exec.Run(&s.ctx, c.plan, s.execContext(p.params, cur.mem), cursorSink{cur}); err != nil {
		cur.mem.Close()
		return err
	}
	format := int16(0)
	if st.Binary {
		format = 1
	}
	s.portals[st.Name] = &portal{name: st.Name, open: true, text: p.text, columns: c.columns, cursor: cur, formats: []int16{format}}
	return nil
}

func paramTypes(p *portal) []*types.T {
	if p.ps != nil {
		return p.ps.declared
	}
	return nil
}

// cursorSink keeps rows.
type cursorSink struct{ c *cursor }

// Rows implements exec.Sink.
func (k cursorSink) Rows(b *types.Batch) error {
	for i := range b.Len() {
		row := make(types.Row, len(b.Cols))
		size := int64(0)
		for col := range b.Cols {
			row[col] = b.Cols[col].Get(b.RowAt(i)).Clone()
			size += row[col].Size()
		}
		if err := k.c.mem.Grow(size + 24); err != nil {
			return err
		}
		k.c.rows = append(k.c.rows, row)
	}
	return nil
}

// fetch executes FETCH and MOVE.
func (s *Session) fetch(p *portal, st *ast.Fetch) (Tag, error) {
	target := s.portals[st.Cursor]
	if target == nil || target.cursor == nil {
		return Tag{}, sqlstate.New(sqlstate.InvalidCursorName, "cursor \"%s\" does not exist", st.Cursor)
	}
	rows, err := target.cursor.move(st)
	if err != nil {
		return Tag{}, err
	}
	if !st.Move {
		formats := target.formats
		if len(p.formats) > 0 {
			formats = p.formats
		}
		if err := s.client.BeginRows(target.columns, formats); err != nil {
			return Tag{}, err
		}
		for _, r := range rows {
			if err := s.client.Row(r); err != nil {
				return Tag{}, err
			}
		}
	}
	return Tag{Name: st.Tag(), Count: int64(len(rows)), HasCount: true}, nil
}

// move carries out the movement and returns the rows passed, in order.
func (c *cursor) move(st *ast.Fetch) ([]types.Row, error) {
	n := len(c.rows)
	clamp := func(p int64) int { return int(max(0, min(p, int64(n)+1))) }
	switch st.Direction {
	case ast.FetchAbsolute, ast.FetchRelative:
		to := st.Count
		if st.Direction == ast.FetchRelative {
			to += int64(c.pos)
		} else if to < 0 {
			to = int64(n) + 1 + to
		}
		if err := c.mayGo(clamp(to)); err != nil {
			return nil, err
		}
		c.pos = clamp(to)
		return c.here(), nil
	}
	count := st.Count
	if st.Direction == ast.FetchBackward {
		if count == ast.FetchAll {
			count = int64(n) + 1
		}
		count = -count
	}
	if count == 0 {
		return c.here(), nil
	}
	if count > 0 {
		from := c.pos
		to := n + 1
		if count <= int64(n+1-from) {
			to = from + int(count)
		}
		c.pos = to
		return c.rows[min(from, n):min(to, n)], nil
	}
	to := clamp(int64(c.pos) + count)
	if err := c.mayGo(to); err != nil {
		return nil, err
	}
	var out []types.Row
	for i := c.pos - 1; i >= max(to, 1); i-- {
		out = append(out, c.rows[i-1])
	}
	c.pos = to
	return out, nil
}

func (c *cursor) mayGo(to int) error {
	if c.noScroll && to < c.pos {
		return sqlstate.New(sqlstate.ObjectNotInPrereqState, "cursor can only scan forward").
			WithHint("Declare it with SCROLL option to enable backward scan.")
	}
	return nil
}

// here returns the row the cursor stands on.
func (c *cursor) here() []types.Row {
	if c.pos < 1 || c.pos > len(c.rows) {
		return nil
	}
	return c.rows[c.pos-1 : c.pos]
}

// closeCursor executes CLOSE.
func (s *Session) closeCursor(st *ast.CloseCursor) error {
	if st.Name == "" {
		for _, p := range s.portals {
			s.closePortal(p)
		}
		return nil
	}
	p := s.portals[st.Name]
	if p == nil {
		return sqlstate.New(sqlstate.InvalidCursorName, "cursor \"%s\" does not exist", st.Name)
	}
	s.closePortal(p)
	return nil
}
