package dist

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// Transport executes batches on other nodes; kv/rpc.Dialer is one.
type Transport interface {
	// Send executes b on a node, which finds the replica by b.RangeID, and fills
	// in b's results. The error is a *SendError if the connection is at fault,
	// else what the replica returned.
	Send(ctx context.Context, node keys.NodeID, b *kv.Batch) error
	// FirstRange asks a node for the descriptor of range 1 as far as it knows.
	FirstRange(ctx context.Context, node keys.NodeID) (*kv.RangeDescriptor, error)
}

// SendError: a batch got no answer.
type SendError struct {
	Node keys.NodeID
	// Sent is false if the batch certainly did not reach the node.
	Sent  bool
	Cause error
}

func (e *SendError) Error() string { return fmt.Sprintf("send to %s: %v", e.Node, e.Cause) }

// Unwrap returns the cause.
func (e *SendError) Unwrap() error { return e.Cause }

// Config configures a Sender.
type Config struct {
	// Clock stamps what goes to other nodes and follows what comes back. Required.
	Clock *hlc.Clock
	// LocalStore and Local are the store in this process; zero and nil for a
	// pure client.
	LocalStore keys.StoreID
	Local      kv.Sender
	// LocalFirstRange returns the descriptor of range 1 if the local store has a
	// replica of it, else nil. May be nil.
	LocalFirstRange func() *kv.RangeDescriptor
	// Transport leads to the other nodes; nil for a lone node.
	Transport Transport
	// Nodes returns nodes that may be asked for range 1. May be nil.
	Nodes func() []keys.NodeID
	// Distance ranks nodes, nearest least, for choosing among replicas that may
	// all serve; nil treats all alike.
	Distance func(keys.NodeID) int

	// MaxWait bounds how long routing errors are retried before
	// kv.UnavailableError. Default 10 s.
	MaxWait time.Duration
	// MinBackoff and MaxBackoff bound the pauses between rounds over a range's
	// replicas. Default 5 ms and 80 ms: an election takes little more than a second.
	MinBackoff, MaxBackoff time.Duration
	// Parallel bounds the parts of one batch under way at a time. Default 16.
	Parallel int
}

func (c Config) withDefaults() Config {
	if c.MaxWait == 0 {
		c.MaxWait = 10 * time.Second
	}
	if c.MinBackoff == 0 {
		c.MinBackoff = 5 * time.Millisecond
	}
	if c.MaxBackoff == 0 {
		c.MaxBackoff = 80 * time.Millisecond
	}
	if c.Parallel == 0 {
		c.Parallel = 16
	}
	return c
}

// Metrics counts what a Sender did since it was made.
type Metrics struct {
	Batches        atomic.Uint64 // given to Send that did not take the local short cut
	Parts          atomic.Uint64 // of batches that spanned ranges
	Remote         atomic.Uint64 // sent over the network
	RoutingRetries atomic.Uint64 // attempts that met a routing error
	DirectoryReads atomic.Uint64
	Unavailable    atomic.Uint64
	Ambiguous      atomic.Uint64
}

// Sender routes batches to ranges; it implements kv.Sender. Safe for concurrent
// use. It owns no goroutine beyond a call of Send.
type Sender struct {
	cfg     Config
	cache   rangeMap
	metrics Metrics
	// reading is held by the one goroutine that reads the directory; a channel,
	// because waiters honour their contexts.
	reading chan struct{}
}

var _ kv.Sender = (*Sender)(nil)

// New returns a Sender with an empty cache.
func New(cfg Config) *Sender {
	return &Sender{cfg: cfg.withDefaults(), reading: make(chan struct{}, 1)}
}

// Metrics returns the live counters.
func (s *Sender) Metrics() *Metrics { return &s.metrics }

// Send executes b wherever its keys live; see kv.Sender and the package comment.
func (s *Sender) Send(ctx context.Context, b *kv.Batch) error {
	if len(b.Ops) == 0 {
		return nil
	}
	// The short cut: one range, led here.
	if e := s.cache.get(b.Ops[0].Key); e != nil && s.cfg.Local != nil &&
		e.leaseholder.Load() == uint32(s.cfg.LocalStore) && fits(e.desc, b.Ops) && readsFit(e.desc, b.Ops) {
		b.RangeID, b.RangeGeneration = e.desc.RangeID, e.desc.Generation
		var few [4]kv.Rows
		marks := rowMarks(few[:0], b.Ops)
		err := s.cfg.Local.Send(ctx, b)
		if err == nil || classify(err) == passUp {
			return err
		}
		truncateRows(b.Ops, marks)
		s.learn(e, err)
	}
	s.metrics.Batches.Add(1)
	return s.route(ctx, b, time.Time{})
}

// fits reports whether all operations lie in the range.
func fits(d *kv.RangeDescriptor, ops []kv.Op) bool {
	for i := range ops {
		if !within(d, ops[i].Key, ops[i].EndKey) {
			return false
		}
	}
	return true
}

// within reports whether [start, end), or start alone, lies in the range.
func within(d *kv.RangeDescriptor, start, end keys.Key) bool {
	if bytes.Compare(d.Start, start) > 0 {
		return false
	}
	if end == nil {
		return bytes.Compare(start, d.End) < 0
	}
	return bytes.Compare(end, d.End) <= 0
}

// readsFit reports whether the read spans of a one-phase commit lie in the range
// as well, where alone they can be verified.
func readsFit(d *kv.RangeDescriptor, ops []kv.Op) bool {
	last := &ops[len(ops)-1]
	if last.End == nil || !last.End.OnePhase {
		return true
	}
	for _, s := range last.End.Reads {
		if !within(d, s.Start, s.End) {
			return false
		}
	}
	return true
}

// outcome is what an error means for routing.
type outcome uint8

const (
	passUp    outcome = iota // not ours
	elsewhere                // this replica did nothing; another one may
	redivide                 // the range has other bounds
	broken                   // the connection failed after the batch was sent
)

func classify(err error) outcome {
	switch e := err.(type) {
	case *kv.NotLeaseholderError, *kv.RangeNotFoundError, *kv.UnavailableError:
		return elsewhere
	case *kv.RangeMismatchError:
		return redivide
	case *SendError:
		if e.Sent {
			return broken
		}
		return elsewhere
	}
	// The same, wrapped: not on any path that is taken often.
	if _, ok := errors.AsType[*kv.AmbiguousError](err); ok {
		return passUp
	}
	if e, ok := errors.AsType[*SendError](err); ok && e != err {
		return classify(e)
	}
	if _, ok := errors.AsType[*kv.NotLeaseholderError](err); ok {
		return elsewhere
	}
	if _, ok := errors.AsType[*kv.RangeNotFoundError](err); ok {
		return elsewhere
	}
	if _, ok := errors.AsType[*kv.RangeMismatchError](err); ok {
		return redivide
	}
	if _, ok := errors.AsType[*kv.UnavailableError](err); ok {
		return elsewhere
	}
	return passUp
}

// learn corrects the cache by an error of e's range.
func (s *Sender) learn(e *entry, err error) {
	s.metrics.RoutingRetries.Add(1)
	if m, ok := errors.AsType[*kv.RangeMismatchError](err); ok {
		for _, d := range m.Descs {
			s.cache.insert(d)
		}
		return
	}
	if nl, ok := errors.AsType[*kv.NotLeaseholderError](err); ok {
		if nl.Desc != nil {
			s.cache.insert(nl.Desc)
		}
		e.setLease(nl.Leaseholder.Store)
		if cur := s.cache.get(e.desc.Start); cur != nil && cur != e && cur.desc.RangeID == e.desc.RangeID {
			cur.setLease(nl.Leaseholder.Store)
		}
	}
}

// attempt is the state of one routed batch over its retries.
type attempt struct {
	began  time.Time
	rounds int
	cause  error
	// failed are the stores that could not serve in this round.
	failed []keys.StoreID
	// hops counts retries that followed a hint and did not pause.
	hops int
}

// maxHops bounds the hints followed without a pause, in case replicas point at
// each other while a lease moves.
const maxHops = 4

// route sends b, which may span ranges. began is when the first attempt was made.
func (s *Sender) route(ctx context.Context, b *kv.Batch, began time.Time) error {
	a := attempt{began: began}
	if a.began.IsZero() {
		a.began = time.Now()
	}
	marks := rowMarks(nil, b.Ops)
	for {
		e, err := s.locate(ctx, &b.Ops[0], &a)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			// The directory itself cannot be read.
			a.cause = err
			if err := s.pause(ctx, &a, keys.MetaRangeID); err != nil {
				return err
			}
			continue
		}
		if !fits(e.desc, b.Ops) {
			return s.divide(ctx, b, a.began)
		}
		if !readsFit(e.desc, b.Ops) {
			return &kv.CrossRangeError{}
		}
		target, ok := s.choose(e, b, &a)
		if !ok {
			a.failed = a.failed[:0]
			if err := s.pause(ctx, &a, e.desc.RangeID); err != nil {
				return err
			}
			s.refresh(ctx, e, &b.Ops[0], &a, a.rounds > 1)
			continue
		}
		err = s.sendTo(ctx, target, e, b)
		if err == nil {
			if !b.Inconsistent {
				e.setLease(target.Store)
			}
			return nil
		}
		what := classify(err)
		if what == broken {
			if !idempotent(b) {
				s.metrics.Ambiguous.Add(1)
				return &kv.AmbiguousError{Cause: err}
			}
			what = elsewhere
		}
		if what == passUp {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		a.cause = err
		truncateRows(b.Ops, marks)
		before := e.leaseholder.Load()
		s.learn(e, err)
		if cur := s.cache.get(e.desc.Start); what == redivide && (cur == nil || cur == e) {
			// Told that the descriptor is wrong, but nothing newer.
			if err := s.pause(ctx, &a, e.desc.RangeID); err != nil {
				return err
			}
			s.refresh(ctx, e, &b.Ops[0], &a, true)
			continue
		}
		if what == elsewhere {
			hint := keys.StoreID(e.leaseholder.Load())
			if hint != 0 && uint32(hint) != before && hint != target.Store && a.hops < maxHops {
				a.hops++ // follow the hint
				continue
			}
			a.failed = append(a.failed, target.Store)
			if hint == target.Store {
				e.setLease(0)
			}
		}
	}
}

// pause waits before the next round and returns the error with which to give up,
// if it is time to.
func (s *Sender) pause(ctx context.Context, a *attempt, id keys.RangeID) error {
	d := min(s.cfg.MinBackoff<<min(a.rounds, 16), s.cfg.MaxBackoff)
	a.rounds++
	a.hops = 0
	if waited := time.Since(a.began); waited+d > s.cfg.MaxWait {
		s.metrics.Unavailable.Add(1)
		return &kv.UnavailableError{RangeID: id, Waited: waited, Cause: a.cause}
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// choose picks the replica to try next: the presumed leaseholder, then this
// process's, then the nearest. ok is false if all have failed in this round.
func (s *Sender) choose(e *entry, b *kv.Batch, a *attempt) (best kv.ReplicaDescriptor, ok bool) {
	if lease, known := e.lease(); known && !b.Inconsistent && !a.hasFailed(lease.Store) && s.reachable(lease) {
		return lease, true
	}
	bestRank := 0
	for _, r := range e.desc.Replicas {
		if a.hasFailed(r.Store) || !s.reachable(r) {
			continue
		}
		rank := 1
		switch {
		case r.Store == s.cfg.LocalStore:
			rank = -1
		case s.cfg.Distance != nil:
			rank += s.cfg.Distance(r.Node)
		}
		if r.Role == kv.Learner || r.Role == kv.VoterOutgoing {
			rank += 1 << 20 // cannot hold the lease for long, if at all
		}
		if !ok || rank < bestRank {
			best, bestRank, ok = r, rank, true
		}
	}
	return best, ok
}

func (s *Sender) reachable(r kv.ReplicaDescriptor) bool {
	return s.cfg.Transport != nil || r.Store == s.cfg.LocalStore
}

func (a *attempt) hasFailed(store keys.StoreID) bool {
	for _, f := range a.failed {
		if f == store {
			return true
		}
	}
	return false
}

// sendTo makes one attempt at one replica.
func (s *Sender) sendTo(ctx context.Context, r kv.ReplicaDescriptor, e *entry, b *kv.Batch) error {
	b.RangeID, b.RangeGeneration = e.desc.RangeID, e.desc.Generation
	if r.Store == s.cfg.LocalStore && s.cfg.Local != nil {
		return s.cfg.Local.Send(ctx, b)
	}
	s.metrics.Remote.Add(1)
	b.Now = max(b.Now, s.cfg.Clock.Peek())
	err := s.cfg.Transport.Send(ctx, r.Node, b)
	if b.Now != 0 {
		s.cfg.Clock.Update(b.Now)
	}
	return err
}

// idempotent reports whether all of b may be executed again although it may have
// taken effect already. Writes of a transaction are not: an intent that was
// committed and resolved in the meantime must not be laid again.
func idempotent(b *kv.Batch) bool {
	for i := range b.Ops {
		switch o := &b.Ops[i]; o.Kind {
		case kv.OpPut, kv.OpDelete, kv.OpDeleteRange, kv.OpIncrement, kv.OpCompareAndPut:
			return false
		case kv.OpEndTxn:
			if o.End == nil || o.End.Commit {
				return false
			}
		}
	}
	return true
}

// rowMarks appends to marks, which is empty, where the results of scans begin, to
// undo what a failed attempt has appended: up to the last scan, one for each
// operation.
func rowMarks(marks []kv.Rows, ops []kv.Op) []kv.Rows {
	for i := range ops {
		if r := ops[i].Rows; r != nil {
			for len(marks) < i {
				marks = append(marks, kv.Rows{})
			}
			marks = append(marks, kv.Rows{Buf: r.Buf[:len(r.Buf):len(r.Buf)], Count: r.Count})
		}
	}
	return marks
}

func truncateRows(ops []kv.Op, marks []kv.Rows) {
	for i := range ops {
		r := ops[i].Rows
		switch {
		case r == nil:
		case i < len(marks):
			r.Buf, r.Count = r.Buf[:len(marks[i].Buf)], marks[i].Count
		default: // made by the attempt
			r.Reset()
		}
	}
}
