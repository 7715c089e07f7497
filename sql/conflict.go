package sql

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/rowenc"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// This file makes errors of conflicts say what was in the way, in the words of the
// client: table, index and key as SQL knows them, and the other transaction. The
// layers below know keys and transaction ids.

// TxnInfo is what a gateway tells of one of its transactions.
type TxnInfo struct {
	Node        keys.NodeID `json:"node"`
	PID         uint32      `json:"pid"`
	User        string      `json:"user"`
	Application string      `json:"application"`
	State       string      `json:"state"`
	// Query is the session's present statement, or its last one.
	Query   string    `json:"query"`
	Started time.Time `json:"started"`
}

// ConflictInfo is a row of spanlite_conflicts: an error that a client got because of
// another transaction.
type ConflictInfo struct {
	At     time.Time     `json:"at"`
	Node   keys.NodeID   `json:"node"`
	Code   sqlstate.Code `json:"code"`
	Reason string        `json:"reason"`
	// Table, Index and Key say where; Key is "(id)=(5)". Empty if it is not known.
	Table string `json:"table"`
	Index string `json:"index"`
	Key   string `json:"key"`
	// The session that got the error.
	PID         uint32 `json:"pid"`
	Application string `json:"application"`
	Query       string `json:"query"`
	// Other is the transaction in the way, and OtherAge for how long it had been
	// going on; nil if it is not known.
	Other    *TxnInfo      `json:"other,omitempty"`
	OtherAge time.Duration `json:"other_age_ns"`
}

// conflictsKept bounds the memory of conflicts on a node.
const conflictsKept = 256

// conflictLog is a ring of the last conflicts.
type conflictLog struct {
	mu   sync.Mutex
	ring []ConflictInfo
	next int
}

func (l *conflictLog) add(c ConflictInfo) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ring) < conflictsKept {
		l.ring = append(l.ring, c)
		return
	}
	l.ring[l.next] = c
	l.next = (l.next + 1) % conflictsKept
}

// Conflicts returns the node's last conflicts, oldest first.
func (srv *Server) Conflicts() []ConflictInfo {
	l := &srv.conflicts
	l.mu.Lock()
	defer l.mu.Unlock()
	return append(append([]ConflictInfo(nil), l.ring[l.next:]...), l.ring[:l.next]...)
}

// DescribeTxn returns what is known of a transaction of this node that holds or
// waits for locks.
func (srv *Server) DescribeTxn(id kv.TxnID) (TxnInfo, bool) {
	info, ok := srv.cfg.DB.Lookup(id)
	if !ok {
		return TxnInfo{}, false
	}
	out := TxnInfo{Node: srv.cfg.Node, Application: info.Name, Started: info.StartTS.Time()}
	srv.mu.Lock()
	s := srv.mu.sessions[info.Session]
	srv.mu.Unlock()
	if s != nil {
		a := s.Activity()
		out.PID, out.User, out.Application, out.State, out.Query = a.PID, a.User, a.ApplicationName, a.State, a.Query
	}
	return out, true
}

// describeTimeout bounds the question about a transaction at its gateway: the
// client waits for its error.
const describeTimeout = 300 * time.Millisecond

// describe asks the gateway of a transaction about it; nil if it does not know.
func (s *Session) describe(t *kv.TxnMeta) *TxnInfo {
	if t.ID == (kv.TxnID{}) {
		return nil
	}
	if info, ok := s.srv.DescribeTxn(t.ID); ok {
		return &info
	}
	if t.GatewayNode == s.srv.cfg.Node || t.GatewayNode == 0 || s.srv.cfg.Cluster == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(&s.ctx), describeTimeout)
	defer cancel()
	info, err := s.srv.cfg.Cluster.DescribeTxn(ctx, t.GatewayNode, t.ID)
	if err != nil {
		return nil
	}
	return info
}

// committer asks who has committed at ts, the timestamp of a version; nil if nobody
// remembers.
func (s *Session) committer(ts hlc.Timestamp) *TxnInfo {
	if info, ok := s.srv.Committer(ts); ok {
		return &info
	}
	if ts == 0 || s.srv.cfg.Cluster == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(&s.ctx), describeTimeout)
	defer cancel()
	info, err := s.srv.cfg.Cluster.Committer(ctx, ts)
	if err != nil {
		return nil
	}
	return info
}

// place is a key in SQL's words.
type place struct{ schema, table, index, key string }

// placeOf finds the index that a key lies in, and the values of its columns. What is
// no row of a table has no table.
func (s *Session) placeOf(key keys.Key) (p place) {
	id, rest, ok := keys.DecodeTable(key)
	if !ok || len(rest) < 4 {
		return p
	}
	snapshot := s.srv.cfg.Catalog.Snapshot()
	t, ok := snapshot.ByID(catalog.ID(id)).(*catalog.Table)
	if !ok {
		return p
	}
	p.table = t.Name
	if sc := snapshot.ByID(t.Schema); sc != nil {
		p.schema = sc.Head().Name
	}
	codec := rowenc.Of(t)
	for x := range t.AllIndexes {
		if span := t.IndexSpan(x); !span.Contains(key) {
			continue
		}
		p.index = x.Name
		var columns, values []string
		for i := range x.Columns {
			d, ok := codec.KeyDatum(x, i, key)
			if !ok {
				break
			}
			name, typ := "expression", x.Columns[i].Type
			if c := t.Column(x.Columns[i].Num); x.Columns[i].Num != 0 && c != nil {
				name, typ = c.Name, c.Type
			}
			text := "null"
			if !d.IsNull() {
				text = string(types.AppendText(nil, typ, d, &s.vars.Conversion))
			}
			columns, values = append(columns, name), append(values, text)
		}
		if len(columns) > 0 {
			p.key = "(" + strings.Join(columns, ", ") + ")=(" + strings.Join(values, ", ") + ")"
		}
		break
	}
	return p
}

// describe returns: row (id)=(5) of table "t".
func (p place) describe(key keys.Key) string {
	switch {
	case p.table == "":
		return "key " + hex.EncodeToString(key)
	case p.key == "":
		return fmt.Sprintf("a row of table %q", p.table)
	}
	return fmt.Sprintf("row %s of table %q", p.key, p.table)
}

// explainConflict completes the error of a conflict and remembers it for
// spanlite_conflicts. The transaction must still be there, and so what it has run
// into.
func (s *Session) explainConflict(err error, e *sqlstate.Error) *sqlstate.Error {
	switch e.Code {
	case sqlstate.StatementCompletionUnknown:
		return nameUnknown(err, e)
	case sqlstate.SerializationFailure, sqlstate.DeadlockDetected, sqlstate.LockNotAvailable:
	default:
		return e
	}
	if _, explained := errors.AsType[*sqlstate.Error](err); explained {
		return e // its words are its own
	}
	out := *e
	a := s.Activity()
	record := ConflictInfo{At: time.Now(), Node: s.srv.cfg.Node, Code: e.Code, PID: a.PID, Application: a.ApplicationName, Query: a.Query}
	var c kv.Conflict
	if d, ok := errors.AsType[*kv.DeadlockError](err); ok {
		record.Reason = "deadlock"
		if len(d.Path) > 0 {
			// What this session waited for: the edge behind which it stands.
			c = d.Path[0]
			own := s.transactionID()
			for i := range d.Path {
				if d.Path[i].Holder.ID == own {
					c = d.Path[(i+1)%len(d.Path)]
				}
			}
			out.Detail = s.deadlockDetail(d)
		}
	} else if l, ok := errors.AsType[*kv.LockNotAvailableError](err); ok {
		c, record.Reason = l.Conflict, "lock not available"
		if l.TimedOut {
			record.Reason = "lock timeout"
		}
	} else if r, ok := errors.AsType[*kv.RetryError](err); ok {
		c, record.Reason = r.Conflict, r.Reason.String()
	} else if r, ok := errors.AsType[*kv.RefreshFailedError](err); ok {
		c, record.Reason = r.Conflict, kv.RetrySerializable.String()
	} else if r, ok := errors.AsType[*kv.TxnAbortedError](err); ok {
		record.Reason = r.Reason
	}
	if len(c.Key) > 0 {
		p := s.placeOf(c.Key)
		record.Table, record.Index, record.Key = p.table, p.index, p.key
		if record.Other = s.describe(&c.Holder); record.Other == nil && e.Code == sqlstate.SerializationFailure {
			record.Other = s.committer(c.Since)
		}
		out.Schema, out.Table, out.Constraint = p.schema, p.table, p.index
		if e.Code == sqlstate.LockNotAvailable {
			if p.table != "" && out.Message == "could not obtain lock on row" {
				out.Message = fmt.Sprintf("could not obtain lock on row in relation %q", p.table)
			}
			out.Detail = "The lock on " + p.describe(c.Key) + " is held" + byWhom(record.Other, record.At) + "."
		} else if e.Code == sqlstate.SerializationFailure {
			out.Detail = "Reason: " + record.Reason + ". " + staleness(err, p.describe(c.Key), c.Since) + byWhom(record.Other, record.At) + "."
		}
	}
	if record.Other != nil && !record.Other.Started.IsZero() {
		record.OtherAge = record.At.Sub(record.Other.Started)
	}
	s.srv.conflicts.add(record)
	return &out
}

// transactionID returns the id of the session's transaction, zero if there is none.
func (s *Session) transactionID() kv.TxnID {
	if s.txn.kv == nil {
		return kv.TxnID{}
	}
	return s.txn.kv.ID()
}

// staleness says in what way a transaction came too late for a row.
func staleness(err error, row string, since hlc.Timestamp) string {
	when := "has been changed"
	if since != 0 {
		when += " at " + since.Time().UTC().Format("2006-01-02 15:04:05.000000+00")
	}
	reason := kv.RetrySerializable
	if r, ok := errors.AsType[*kv.RetryError](err); ok {
		reason = r.Reason
	}
	switch reason {
	case kv.RetrySerializable:
		return "The transaction has read " + row + ", which " + when + " since"
	case kv.RetryLockLost:
		return "The lock on " + row + " was lost with the leaseholder of its range, and the row " + when
	}
	return "Since the transaction's snapshot was taken, " + row + " " + when
}

// byWhom describes the other transaction of a conflict, "" if it is not known.
func byWhom(t *TxnInfo, now time.Time) string {
	if t == nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, " by process %d on node %d", t.PID, t.Node)
	if t.Application != "" {
		fmt.Fprintf(&b, " (application %q)", t.Application)
	}
	if !t.Started.IsZero() {
		fmt.Fprintf(&b, ", whose transaction began %s ago", now.Sub(t.Started).Round(time.Millisecond))
	}
	if t.Query != "" {
		fmt.Fprintf(&b, ", in: %s", strings.TrimRight(t.Query, "; \n"))
	}
	return b.String()
}

// deadlockDetail describes a cycle of waits in PostgreSQL's words, with the
// statements that PostgreSQL leaves to its log.
func (s *Session) deadlockDetail(d *kv.DeadlockError) string {
	n := len(d.Path)
	infos := make([]*TxnInfo, n)
	for i := range d.Path {
		infos[i] = s.describe(&d.Path[i].Holder)
	}
	name := func(i int) string {
		if t := infos[(i+n)%n]; t != nil {
			return fmt.Sprintf("%d", t.PID)
		}
		return "of transaction " + d.Path[(i+n)%n].Holder.ID.Short()
	}
	var b strings.Builder
	for i := range d.Path {
		// Whoever waits at edge i is in the way at the edge before.
		p := s.placeOf(d.Path[i].Key)
		fmt.Fprintf(&b, "Process %s waits for a lock on %s; blocked by process %s.\n", name(i-1), p.describe(d.Path[i].Key), name(i))
	}
	for i := range d.Path {
		if t := infos[(i-1+n)%n]; t != nil && t.Query != "" {
			fmt.Fprintf(&b, "Process %s: %s\n", name(i-1), t.Query)
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}
