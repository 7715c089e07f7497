package exec

import "github.com/spanlite/spanlite/sql/types"

// aggSpill is where the rows of new groups go once the groups in memory fill work_mem. Rows of the groups that are
// there still go to them; when these have been returned, the files are aggregated one after the other, which
// may divide them again.
type aggSpill struct {
	on    bool
	level int
	// only is the grouping set that the present input is of, -1 for all.
	only  int
	files []parts // by grouping set
	sel   []uint16
}

// aggPart is a file that has not been aggregated yet.
type aggPart struct {
	run   *spillRun
	level int
	set   int
}

// checkMemory starts to spill when work_mem is exceeded.
func (a *aggOp) checkMemory() {
	if a.spill == nil {
		a.spill = &aggSpill{only: -1}
	}
	if a.spill.on || a.spill.level >= maxSpillLevel {
		return
	}
	held := a.table.store.held
	for _, g := range a.aggs {
		held += g.size
		if g.seen != nil {
			held += g.seen.store.held
		}
		if g.rows != nil {
			held += g.rows.held
		}
	}
	if held > a.r.workMemBytes() {
		a.spill.on = true
		a.spill.files = make([]parts, max(1, len(a.n.Sets)))
	}
}

// spillNew writes the rows without a group in memory to files and returns the others.
func (a *aggOp) spillNew(vecs []*types.Vec, b *types.Batch, set int) (*types.Batch, error) {
	s := a.spill
	hashVecs(vecs, b, a.hashes[:])
	if s.sel == nil {
		s.sel = make([]uint16, 0, types.BatchSize) // a nil selection would be all rows
	}
	s.sel = s.sel[:0]
	for k, n := 0, b.Len(); k < n; k++ {
		i := b.RowAt(k)
		if a.table.find(a.hashes[i], vecs, i) >= 0 {
			s.sel = append(s.sel, uint16(i))
			continue
		}
		if err := s.files[set].write(a.r, a.hashes[i], s.level, b.Cols, i); err != nil {
			return nil, err
		}
	}
	return &types.Batch{Cols: b.Cols, N: b.N, Sel: s.sel}, nil
}

// nextPart aggregates the next file; false means that there is none.
func (a *aggOp) nextPart() (bool, error) {
	if s := a.spill; s != nil && s.on {
		for set := range s.files {
			for _, run := range s.files[set] {
				if run != nil {
					a.waiting = append(a.waiting, aggPart{run: run, level: s.level + 1, set: set})
				}
			}
		}
		s.on, s.files = false, nil
	}
	if len(a.waiting) == 0 {
		return false, nil
	}
	part := a.waiting[len(a.waiting)-1]
	a.waiting = a.waiting[:len(a.waiting)-1]
	a.reset()
	a.begin()
	a.done = true
	a.spill = &aggSpill{level: part.level, only: part.set}
	in := &spillReader{r: a.r, run: part.run, b: newBatch(a.n.Input.Phys().Types())}
	defer in.Close()
	if err := in.Open(); err != nil {
		return false, err
	}
	if err := a.consume(in); err != nil {
		return false, err
	}
	for _, g := range a.aggs {
		if err := a.finishOrdered(g); err != nil {
			return false, err
		}
	}
	return true, nil
}

// closeParts removes the files of an execution that has not come to its end.
func (a *aggOp) closeParts() {
	if a.spill != nil {
		for i := range a.spill.files {
			a.spill.files[i].close()
		}
		a.spill = nil
	}
	for _, p := range a.waiting {
		p.run.close()
	}
	a.waiting = nil
}
