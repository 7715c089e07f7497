package mvcc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/storage"
)

// Scenarios in testdata tell histories of a few keys, and what reads see of them.
// Each file starts with an empty engine. Timestamps are small integers, keys are
// words. The verbs, with their optional arguments in brackets:
//
//	put k v ts | del k ts | delrange a b ts
//	txn name ts [epoch] [ignore=from-to]      begins or moves a transaction
//	intent k [v] txn seq                      v missing: a deletion
//	resolve txn commit|abort|push [ts]
//	get k ts [txn] [limit=ts] [skip]
//	scan a b ts [txn] [limit=ts] [max=n] [reverse] [skip]
//	newest k | refresh a [b] from to [txn] | gc threshold | flush | compact | stats
func TestHistories(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &scenario{e: testEngine(t), txns: map[string]*kv.TxnMeta{}}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd != "run" {
				d.Fatalf(t, "unknown command %q", d.Cmd)
			}
			var out strings.Builder
			for line := range strings.Lines(d.Input) {
				line = strings.TrimSpace(line)
				if line == "" || line[0] == '#' {
					continue
				}
				res := s.step(t, strings.Fields(line))
				if res != "" {
					fmt.Fprintf(&out, "%s -> %s\n", line, res)
				}
			}
			return out.String()
		})
	})
}

type scenario struct {
	e     *storage.Engine
	txns  map[string]*kv.TxnMeta
	stats Stats
}

func (s *scenario) name(id kv.TxnID) string { return strings.TrimRight(string(id[:]), "\x00") }

func (s *scenario) err(err error) string {
	var ie *kv.IntentError
	var ue *kv.UncertaintyError
	var re *kv.RefreshFailedError
	var ae *kv.TxnAbortedError
	switch {
	case errors.As(err, &ie):
		var c []string
		for _, i := range ie.Intents {
			c = append(c, fmt.Sprintf("%s of %s at %d", i.Key, s.name(i.Holder.ID), i.Since))
		}
		return "intent on " + strings.Join(c, ", ")
	case errors.As(err, &ue):
		return fmt.Sprintf("uncertain: %s at %d", ue.Key, ue.ValueTS)
	case errors.As(err, &re):
		return fmt.Sprintf("changed: %s at %d", re.Conflict.Key, re.Conflict.Since)
	case errors.As(err, &ae):
		return "aborted: " + ae.Reason
	}
	return "error: " + err.Error()
}

func (s *scenario) step(t *testing.T, f []string) string {
	// Named arguments apart from those by position.
	opt := map[string]string{}
	var args []string
	for _, w := range f[1:] {
		k, v, named := strings.Cut(w, "=")
		switch {
		case named:
			opt[k] = v
		case w == "reverse" || w == "skip" || w == "commit" || w == "abort" || w == "push":
			opt[w] = w
		default:
			args = append(args, w)
		}
	}
	arg := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	num := func(w string) (n hlc.Timestamp) {
		if w == "max" {
			return hlc.Max
		}
		if w != "" {
			_, err := fmt.Sscanf(w, "%d", &n)
			require.NoError(t, err, "%v", f)
		}
		return n
	}
	key := func(i int) keys.Key { return keys.Key(arg(i)) }
	read := func(i int) ReadOptions {
		o := ReadOptions{TS: num(arg(i)), UncertaintyLimit: num(opt["limit"]), SkipConflicts: opt["skip"] != ""}
		if n := arg(i + 1); n != "" {
			o.Txn = s.txns[n]
			require.NotNil(t, o.Txn, "%v", f)
		}
		return o
	}

	c, w := NewCursor(s.e), s.e.NewBatch()
	out := ""
	switch f[0] {
	case "put", "del":
		prev, err := c.Newest(key(0))
		require.NoError(t, err)
		if f[0] == "put" {
			Put(w, key(0), num(arg(2)), []byte(arg(1)), prev, &s.stats)
		} else {
			Delete(w, key(0), num(arg(1)), prev, &s.stats)
		}
	case "delrange":
		DeleteRange(w, key(0), key(1), num(arg(2)), &s.stats)
	case "txn":
		m := &kv.TxnMeta{Anchor: keys.Key("anchor"), ReadTS: num(arg(1)), WriteTS: num(arg(1)), Epoch: uint32(num(arg(2)))}
		copy(m.ID[:], arg(0))
		if r, ok := opt["ignore"]; ok {
			var from, to uint32
			_, err := fmt.Sscanf(r, "%d-%d", &from, &to)
			require.NoError(t, err)
			m.IgnoredSeqs = []kv.SeqRange{{From: from, To: to}}
		}
		s.txns[arg(0)] = m
	case "intent":
		req := IntentRequest{Key: key(0)}
		if len(args) == 4 {
			req.Value, args = []byte(args[1]), append(args[:1], args[2:]...)
		} else {
			req.Deleted = true
		}
		req.Txn, req.Seq = s.txns[arg(1)], uint32(num(arg(2)))
		ts, err := WriteIntent(c, w, &req, &s.stats)
		if err != nil {
			out = s.err(err)
		} else if ts != req.Txn.WriteTS {
			out = fmt.Sprintf("at %d", ts)
		}
	case "resolve":
		m := *s.txns[arg(0)]
		if ts := num(arg(1)); ts != 0 {
			m.WriteTS = ts
		}
		r := Resolution{Txn: &m, Status: kv.TxnPending}
		switch {
		case opt["commit"] != "":
			r.Status = kv.TxnCommitted
		case opt["abort"] != "":
			r.Status = kv.TxnAborted
		}
		n, _, err := ResolveIntents(c, w, keys.Key("0"), keys.Key("~"), &r, 0, &s.stats)
		require.NoError(t, err)
		out = fmt.Sprintf("%d intents", n)
	case "get":
		o := read(1)
		r, err := c.Get(key(0), &o)
		switch {
		case err != nil:
			out = s.err(err)
		case r.Found:
			out = fmt.Sprintf("%s at %d", r.Value, r.TS)
		case r.TS != 0:
			out = fmt.Sprintf("deleted at %d", r.TS)
		default:
			out = "nothing"
		}
	case "scan":
		o := ScanOptions{ReadOptions: read(2), Reverse: opt["reverse"] != "", MaxRows: int64(num(opt["max"]))}
		var rows kv.Rows
		resume, err := c.Scan(key(0), key(1), &o, &rows)
		if err != nil {
			out = s.err(err)
			break
		}
		var words []string
		for pos := 0; ; {
			k, v, ts, next, ok := rows.Next(pos)
			if !ok {
				break
			}
			words = append(words, fmt.Sprintf("%s=%s@%d", k, v, ts))
			pos = next
		}
		if resume != nil {
			words = append(words, fmt.Sprintf("resume %q", resume))
		}
		if out = strings.Join(words, " "); out == "" {
			out = "nothing"
		}
	case "newest":
		n, err := c.Newest(key(0))
		require.NoError(t, err)
		out = fmt.Sprintf("%d live=%v versions=%v", n.TS, n.Live, n.HasVersions)
	case "refresh":
		span := keys.Span{Start: key(0)}
		i := 1
		if c := arg(1); c != "" && (c[0] < '0' || c[0] > '9') {
			span.End, i = key(1), 2
		}
		var id kv.TxnID
		if m := s.txns[arg(i+2)]; m != nil {
			id = m.ID
		}
		out = "holds"
		if err := Refresh(c, span, num(arg(i)), num(arg(i+1)), id, false); err != nil {
			out = s.err(err)
		}
	case "gc":
		g, err := FindGarbage(s.e, keys.Key("0"), keys.Key("~"), num(arg(0)), 1000)
		require.NoError(t, err)
		require.NoError(t, CollectGarbage(c, w, g.Keys, &s.stats))
		out = fmt.Sprintf("%d versions", g.Versions)
	case "flush":
		require.NoError(t, s.e.Flush())
	case "compact":
		require.NoError(t, s.e.Compact(context.Background(), keys.Span{Start: keys.Key{0}, End: keys.Key("~")}))
	case "stats":
		out = s.stats.String()
	default:
		t.Fatalf("unknown verb %q", f[0])
	}
	require.NoError(t, c.Close())
	require.NoError(t, w.Commit())
	w.Close()
	return out
}
