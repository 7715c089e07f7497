package sql

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/txn"
)

// This file is how notifications get from the transactions that send them to the
// sessions that listen, on whatever nodes they are.
//
// A notification is a row that its transaction writes; it appears when, and only
// when, that commits, at its commit timestamp. Each node with listeners tails these
// rows: a round reads all of them at a timestamp T, the present. By the rule that
// nobody writes below what was read (package kv/tscache, across changes of the lease
// too) nothing can commit at or below T any more, so what the round finds in
// (T of the last round, T] is complete, and in the order of timestamps it is in
// commit order. There is no lock around commits and nothing is paid by transactions
// that do not notify.
//
// When to look is a matter of speed only: whoever has committed notifications wakes
// the other nodes by a message, and they look every tailInterval besides.
//
// LISTEN waits for a round that begins after it: then every transaction that commits
// after LISTEN has returned is above that round's T, whatever the clocks say.
//
// Rows are removed in bulk when they are older than notificationTTL. A node that could
// not look for nearly as long may have missed some, so it ends the sessions that
// listen: a notification is delivered or the connection is lost, never neither. The
// key of a row begins with the time at which its commit began, so a commit that takes
// longer than notificationTTL would lose its notifications; requests give up long
// before.

const (
	// tailInterval bounds the delay of a notification whose wake-up message was lost.
	tailInterval = time.Second
	// tailRetry is the pause after a failed round.
	tailRetry = 200 * time.Millisecond
	// notificationTTL is how long rows are kept, at least.
	notificationTTL = 3 * time.Minute
	// notificationGap is for how long a node may fail to look before it gives its
	// listeners up.
	notificationGap = notificationTTL - 30*time.Second
	// notificationSweep is how often a node that notifies or listens removes old rows.
	notificationSweep = 30 * time.Second
)

// notification is one NOTIFY.
type notification struct {
	database catalog.ID
	pid      uint32
	channel  string
	payload  string
}

// notificationFormat is the first byte of a row:
//
//	+-----------+--------------+---------+------------------+---------+---------+
//	| format u8 | database u32 | pid u32 | channel len u16  | channel | payload |
//	+-----------+--------------+---------+------------------+---------+---------+
const notificationFormat = 1

func (n *notification) encode() []byte {
	b := make([]byte, 0, 11+len(n.channel)+len(n.payload))
	b = append(b, notificationFormat)
	b = binary.BigEndian.AppendUint32(b, uint32(n.database))
	b = binary.BigEndian.AppendUint32(b, n.pid)
	b = binary.BigEndian.AppendUint16(b, uint16(len(n.channel)))
	b = append(b, n.channel...)
	return append(b, n.payload...)
}

func decodeNotification(b []byte) (n notification, err error) {
	if len(b) < 11 || b[0] != notificationFormat {
		return n, errors.New("sql: malformed notification")
	}
	n.database, n.pid = catalog.ID(binary.BigEndian.Uint32(b[1:])), binary.BigEndian.Uint32(b[5:])
	size, b := int(binary.BigEndian.Uint16(b[9:])), b[11:]
	if len(b) < size {
		return n, errors.New("sql: malformed notification")
	}
	n.channel, n.payload = string(b[:size]), string(b[size:])
	return n, nil
}

// notificationKey is the key of the i-th notification of a transaction whose commit
// began at a time in microseconds.
func notificationKey(micros int64, id kv.TxnID, i int) keys.Key {
	k := catalog.SystemKey(catalog.SysNotifications, uint64(micros))
	return binary.BigEndian.AppendUint32(append(k, id[:]...), uint32(i))
}

// notifyHub delivers notifications to the sessions of a node. Its goroutines run from
// the first LISTEN or NOTIFY to close.
type notifyHub struct {
	srv      *Server
	wake     chan struct{} // a round is wanted
	announce chan struct{} // other nodes are to be told

	mu struct {
		sync.Mutex
		started, closed bool
		stop            context.CancelFunc
		listeners       map[*Session]map[string]hlc.Timestamp // channel -> deliver above this
		waiters         []*roundWaiter
		last            hlc.Timestamp // T of the last round
		swept           time.Time
	}
	wg sync.WaitGroup
}

// roundWaiter waits for a round that begins after it has asked.
type roundWaiter struct {
	session  *Session
	channels []string // to be listened to from that round on
	done     chan error
}

func newNotifyHub(srv *Server) *notifyHub {
	h := &notifyHub{srv: srv, wake: make(chan struct{}, 1), announce: make(chan struct{}, 1)}
	h.mu.listeners = map[*Session]map[string]hlc.Timestamp{}
	return h
}

var errHubClosed = &sqlstate.Error{Code: sqlstate.AdminShutdown, Severity: "FATAL", Message: "terminating connection due to administrator command"}

// start starts the goroutines unless they run. It reports false after close.
func (h *notifyHub) start() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.closed || h.mu.started {
		return !h.mu.closed
	}
	h.mu.started = true
	ctx, stop := context.WithCancel(context.Background())
	h.mu.stop = stop
	h.wg.Go(func() { h.tail(ctx) })
	h.wg.Go(func() { h.tellOthers(ctx) })
	return true
}

func (h *notifyHub) close() {
	h.mu.Lock()
	h.mu.closed = true
	if h.mu.stop != nil {
		h.mu.stop()
	}
	h.mu.Unlock()
	h.wg.Wait()
}

func signalOne(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// notified is called when a transaction of this node has committed notifications.
func (h *notifyHub) notified() {
	if h.start() {
		signalOne(h.wake)
		signalOne(h.announce)
	}
}

// awaitRound waits for a round that begins now or later; from it on the session
// listens to the channels.
func (h *notifyHub) awaitRound(ctx context.Context, s *Session, channels []string) error {
	if !h.start() {
		return errHubClosed
	}
	w := &roundWaiter{session: s, channels: channels, done: make(chan error, 1)}
	h.mu.Lock()
	h.mu.waiters = append(h.mu.waiters, w)
	h.mu.Unlock()
	signalOne(h.wake)
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		h.mu.Lock()
		h.mu.waiters = slices.DeleteFunc(h.mu.waiters, func(o *roundWaiter) bool { return o == w })
		h.mu.Unlock()
		return context.Cause(ctx)
	}
}

// forget ends a session's listening to channels, all of them if none are named.
func (h *notifyHub) forget(s *Session, channels ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(channels) == 0 {
		delete(h.mu.listeners, s)
		return
	}
	for _, c := range channels {
		delete(h.mu.listeners[s], c)
	}
	if len(h.mu.listeners[s]) == 0 {
		delete(h.mu.listeners, s)
	}
}

// tail looks for notifications as long as somebody listens.
func (h *notifyHub) tail(ctx context.Context) {
	timer := time.NewTimer(tailInterval)
	defer timer.Stop()
	for ctx.Err() == nil {
		h.mu.Lock()
		idle := len(h.mu.listeners) == 0 && len(h.mu.waiters) == 0
		h.mu.Unlock()
		var tick <-chan time.Time
		if !idle {
			timer.Reset(tailInterval)
			tick = timer.C
		}
		select {
		case <-h.wake:
		case <-tick:
		case <-ctx.Done():
		}
		if err := h.round(ctx); err != nil && ctx.Err() == nil {
			h.srv.cfg.Logger.Warn("looking for notifications", "error", err)
			if pause(ctx, tailRetry) == nil {
				signalOne(h.wake)
			}
		}
		h.sweep(ctx)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.mu.waiters {
		w.done <- errHubClosed
	}
	h.mu.waiters = nil
}

// found is a notification with its place in the order.
type found struct {
	notification
	ts hlc.Timestamp
}

// round reads what has been committed since the last round and delivers it.
func (h *notifyHub) round(ctx context.Context) error {
	h.mu.Lock()
	if len(h.mu.listeners) == 0 && len(h.mu.waiters) == 0 {
		h.mu.last = 0
		h.mu.Unlock()
		return nil
	}
	waiters := slices.Clone(h.mu.waiters)
	since := h.mu.last
	h.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, notificationGap/2)
	defer cancel()
	at := h.srv.cfg.DB.Now() // not before the waiters have been noted
	if since != 0 && at.Sub(since) > notificationGap {
		h.giveUp()
		since = 0
	}
	all, err := h.read(ctx, since, at)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range all {
		n := &all[i]
		for s, channels := range h.mu.listeners {
			if from, ok := channels[n.channel]; ok && n.ts > from && s.database == n.database {
				s.inbox.put(&n.notification)
			}
		}
	}
	h.mu.last = at
	for _, w := range waiters {
		i := slices.Index(h.mu.waiters, w)
		if i < 0 {
			continue // it has given up
		}
		h.mu.waiters = slices.Delete(h.mu.waiters, i, i+1)
		for _, c := range w.channels {
			if h.mu.listeners[w.session] == nil {
				h.mu.listeners[w.session] = map[string]hlc.Timestamp{}
			}
			h.mu.listeners[w.session][c] = at
		}
		w.done <- nil
	}
	return nil
}

// read returns the notifications committed in (since, at] in their order.
func (h *notifyHub) read(ctx context.Context, since, at hlc.Timestamp) ([]found, error) {
	t := h.srv.cfg.DB.Begin(txn.Options{Isolation: kv.RepeatableRead, Name: "notifications", AsOf: at})
	defer t.Close()
	span := catalog.SystemSpan(catalog.SysNotifications)
	type located struct {
		found
		key []byte
	}
	var list []located
	var rows kv.Rows
	for start := []byte(span.Start); start != nil; {
		rows.Reset()
		resume, err := t.Scan(ctx, start, span.End, txn.ScanOptions{}, &rows)
		if err != nil {
			return nil, err
		}
		for pos := 0; ; {
			key, value, ts, next, ok := rows.Next(pos)
			if !ok {
				break
			}
			pos = next
			if ts <= since || since == 0 {
				continue
			}
			n, err := decodeNotification(value)
			if err != nil {
				return nil, err
			}
			list = append(list, located{found{n, ts}, keys.Clone(key)})
		}
		start = resume
	}
	// Keys begin with the time at which the commit began, so this is not their order;
	// within a transaction it is.
	slices.SortFunc(list, func(a, b located) int {
		if a.ts != b.ts {
			if a.ts < b.ts {
				return -1
			}
			return 1
		}
		return bytes.Compare(a.key, b.key)
	})
	out := make([]found, len(list))
	for i := range list {
		out[i] = list[i].found
	}
	return out, nil
}

// giveUp ends the sessions that listen, because they may have missed something.
func (h *notifyHub) giveUp() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.mu.listeners {
		s.terminate(&sqlstate.Error{Code: sqlstate.ConnectionFailure, Severity: "FATAL", Message: "terminating connection because notifications may have been lost",
			Detail: fmt.Sprintf("The node could not read them for more than %s.", notificationGap)})
	}
	clear(h.mu.listeners)
}

// sweep removes the rows that nobody needs any more.
func (h *notifyHub) sweep(ctx context.Context) {
	h.mu.Lock()
	now := time.Now()
	due := now.Sub(h.mu.swept) >= notificationSweep
	if due {
		h.mu.swept = now
	}
	h.mu.Unlock()
	if !due {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	span := catalog.SystemSpan(catalog.SysNotifications)
	end := catalog.SystemKey(catalog.SysNotifications, uint64(h.srv.cfg.DB.Now().Time().Add(-notificationTTL).UnixMicro()))
	t := h.srv.cfg.DB.Begin(txn.Options{Isolation: kv.ReadCommitted, Name: "notifications"})
	defer t.Close()
	var rows kv.Rows
	if _, err := t.Scan(ctx, span.Start, end, txn.ScanOptions{MaxRows: 1}, &rows); err != nil || rows.Count == 0 {
		return // nothing is old; a failure is repaired by the next sweep
	}
	if err := h.srv.cfg.DB.DeleteRange(ctx, span.Start, end); err != nil && ctx.Err() == nil {
		h.srv.cfg.Logger.Warn("removal of old notifications", "error", err)
	}
}

// tellOthers wakes the other nodes.
func (h *notifyHub) tellOthers(ctx context.Context) {
	for {
		select {
		case <-h.announce:
			if c := h.srv.cfg.Cluster; c != nil {
				c.WakeListeners(ctx)
			}
		case <-ctx.Done():
			return
		}
	}
}

// WakeListeners makes the node look for notifications now: another one has committed
// some.
func (srv *Server) WakeListeners() {
	h := srv.notify
	h.mu.Lock()
	wanted := len(h.mu.listeners) > 0
	h.mu.Unlock()
	if wanted {
		signalOne(h.wake)
	}
}
