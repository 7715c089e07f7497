package store

import (
	"fmt"
	"slices"
	"time"

	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/raftgroup"
)

// describeTimeout bounds how long Describe waits for the turn of a group. One that
// is not free by then is part of the answer.
const describeTimeout = 2 * time.Second

// Describe returns a line for every replica of this store, without state or failed
// ones too, by range id: what it and its group believe. For the search for errors.
func (s *Store) Describe() []string {
	type found struct {
		id keys.RangeID
		h  *handle
	}
	var all []found
	s.table.each(func(id keys.RangeID, h *handle) bool {
		all = append(all, found{id, h})
		return true
	})
	slices.SortFunc(all, func(a, b found) int { return int(int64(a.id) - int64(b.id)) })
	var lines []string
	for _, f := range all {
		line := fmt.Sprintf("%s on %s, replica %d, leased %t", f.id, s.id.Store, f.h.r.ReplicaID(), f.h.leased.Load())
		if f.h.r.Initialized() {
			line += fmt.Sprintf(", frozen %t, %s", f.h.r.Frozen(), f.h.r.Desc())
		} else {
			line += ", without state"
		}
		if err := f.h.failed.Load(); err != nil {
			line += fmt.Sprintf(", failed: %v", *err)
		}
		lines = append(lines, line+"\n    "+describeGroup(f.h.g.Load()))
	}
	return lines
}

func describeGroup(g *groupBox) string {
	if g == nil {
		return "no group"
	}
	status := make(chan raftgroup.Status, 1)
	go func() { status <- g.Status() }()
	timer := time.NewTimer(describeTimeout)
	defer timer.Stop()
	select {
	case st := <-status:
		return fmt.Sprintf("%+v", st)
	case <-timer.C:
		return "the group's turn does not end"
	}
}
