package txn

import (
	"bytes"
	"slices"

	"github.com/spanlite/spanlite/kv/keys"
)

// joinSpans sorts spans, merges those that touch, and if more than limit remain
// joins neighbours until there are no more. Spans of different tables are never
// joined as long as that suffices, because the gap between them may be large.
func joinSpans(spans []keys.Span, limit int) []keys.Span {
	slices.SortFunc(spans, func(a, b keys.Span) int { return bytes.Compare(a.Start, b.Start) })
	out := spans[:0]
	for _, s := range spans {
		if n := len(out); n > 0 && touches(out[n-1], s) {
			out[n-1] = union(out[n-1], s)
			continue
		}
		out = append(out, s)
	}
	if len(out) <= limit {
		return out
	}
	// Join runs of neighbours so that about limit spans remain.
	run := (len(out) + limit - 1) / limit
	joined := out[:0]
	for i := 0; i < len(out); {
		s := out[i]
		j := i + 1
		for ; j < len(out) && j-i < run && sameTable(s.Start, out[j].Start); j++ {
			s = union(s, out[j])
		}
		joined = append(joined, s)
		i = j
	}
	return joined
}

// endOf returns the exclusive end of a span, also of a point.
func endOf(s keys.Span) []byte {
	if s.End == nil {
		return keys.Next(s.Start)
	}
	return s.End
}

// touches reports whether b, which does not start before a, begins inside of a
// or right behind it.
func touches(a, b keys.Span) bool {
	if a.End == nil {
		return bytes.Equal(a.Start, b.Start)
	}
	return bytes.Compare(b.Start, a.End) <= 0
}

// union returns the smallest span that covers a and b, where b does not start
// before a.
func union(a, b keys.Span) keys.Span {
	if a.End == nil && b.End == nil && bytes.Equal(a.Start, b.Start) {
		return a
	}
	end := endOf(a)
	if e := endOf(b); bytes.Compare(e, end) > 0 {
		end = e
	}
	return keys.Span{Start: a.Start, End: end}
}

func sameTable(a, b []byte) bool {
	ta, _, ok1 := keys.DecodeTable(a)
	tb, _, ok2 := keys.DecodeTable(b)
	return ok1 && ok2 && ta == tb
}

// intentSet is where a transaction has written intents: single keys, or spans
// once there are many.
type intentSet struct {
	spans []keys.Span
}

func (s *intentSet) empty() bool { return len(s.spans) == 0 }

func (s *intentSet) reset() {
	clear(s.spans)
	s.spans = s.spans[:0]
}

// add notes intents on keys, which the set keeps.
func (s *intentSet) add(ks []keys.Span, limit int) {
	s.spans = append(s.spans, ks...)
	if len(s.spans) > limit {
		s.spans = joinSpans(s.spans, limit/2)
	}
}
