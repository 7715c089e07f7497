package sql

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

// This file is a session's part in LISTEN and NOTIFY (PostgreSQL's async.c): what its
// transaction has asked for, to be done at commit, and what has arrived for its
// client. notifyhub.go has the way in between.

// PostgreSQL's limits, in bytes.
const (
	channelBytesMax = 63   // NAMEDATALEN - 1
	payloadBytesMax = 7999 // NOTIFY_PAYLOAD_MAX_LENGTH - 1
)

// notifications is what a session's transaction will do at its end, and the channels
// that the session listens to.
type notifications struct {
	// sent are the transaction's, without duplicates; seen finds them once they are
	// many.
	sent []notification
	seen map[notification]bool
	// actions are its LISTENs and UNLISTENs; the channel "" is all of them.
	actions []listenAction
	// channels are listened to by what has been committed, sorted.
	channels []string
	// added and dropped are what the commit that is under way changes.
	added, dropped []string
}

type listenAction struct {
	listen  bool
	channel string
}

// dedupAbove is the number of notifications from which on a map looks for duplicates.
const dedupAbove = 16

// add notes a NOTIFY unless the transaction has it already.
func (n *notifications) add(x notification) {
	if n.seen == nil {
		if slices.Contains(n.sent, x) {
			return
		}
		if len(n.sent) >= dedupAbove {
			n.seen = make(map[notification]bool, 2*dedupAbove)
			for _, s := range n.sent {
				n.seen[s] = true
			}
		}
	}
	if n.seen != nil {
		if n.seen[x] {
			return
		}
		n.seen[x] = true
	}
	n.sent = append(n.sent, x)
}

// notifyMark is a savepoint's position.
type notifyMark struct{ sent, actions int }

func (n *notifications) mark() notifyMark { return notifyMark{len(n.sent), len(n.actions)} }

// rollbackTo forgets what was asked for since a mark.
func (n *notifications) rollbackTo(m notifyMark) {
	n.sent, n.actions = n.sent[:m.sent], n.actions[:m.actions]
	n.seen = nil
}

// pending reports whether the transaction's commit has something to do.
func (n *notifications) pending() bool { return len(n.sent)+len(n.actions) > 0 }

// target returns the channels that will be listened to.
func (n *notifications) target() []string {
	to := slices.Clone(n.channels)
	for _, a := range n.actions {
		i, found := slices.BinarySearch(to, a.channel)
		switch {
		case a.listen && !found:
			to = slices.Insert(to, i, a.channel)
		case !a.listen && a.channel == "":
			to = to[:0]
		case !a.listen && found:
			to = slices.Delete(to, i, i+1)
		}
	}
	return to
}

// prepareNotifications does what has to be done before a commit: the transaction's
// notifications become rows of it, and new channels are listened to, because
// afterwards nothing may fail.
func (s *Session) prepareNotifications() error {
	n := &s.notices
	if len(n.actions) > 0 {
		to := n.target()
		for _, c := range to {
			if _, found := slices.BinarySearch(n.channels, c); !found {
				n.added = append(n.added, c)
			}
		}
		for _, c := range n.channels {
			if _, found := slices.BinarySearch(to, c); !found {
				n.dropped = append(n.dropped, c)
			}
		}
		if len(n.added) > 0 {
			if err := s.srv.notify.awaitRound(&s.ctx, s, n.added); err != nil {
				return err
			}
		}
	}
	if len(n.sent) == 0 {
		return nil
	}
	t := s.ensureTxn()
	began := s.srv.cfg.DB.Now().Time().UnixMicro()
	for i := range n.sent {
		if err := t.Put(&s.ctx, notificationKey(began, t.ID(), i), n.sent[i].encode()); err != nil {
			return err
		}
	}
	return nil
}

// endNotifications does what has to be done when a transaction has ended.
func (s *Session) endNotifications(committed bool) {
	n := &s.notices
	if !n.pending() && len(n.added) == 0 {
		return
	}
	switch {
	case !committed:
		if len(n.added) > 0 {
			s.srv.notify.forget(s, n.added...)
		}
	default:
		if len(n.dropped) > 0 {
			s.srv.notify.forget(s, n.dropped...)
		}
		if len(n.actions) > 0 {
			n.channels = n.target()
		}
		if len(n.sent) > 0 {
			s.srv.notify.notified()
			s.awaitOwn()
		}
	}
	n.sent, n.actions, n.added, n.dropped, n.seen = n.sent[:0], n.actions[:0], nil, nil, nil
	if cap(n.sent) > 64*dedupAbove {
		n.sent = nil
	}
}

// awaitOwn makes a session that listens to what it has sent itself have it before its
// statement is answered, as it has in PostgreSQL.
func (s *Session) awaitOwn() {
	n := &s.notices
	own := slices.ContainsFunc(n.sent, func(x notification) bool {
		_, found := slices.BinarySearch(n.channels, x.channel)
		return found
	})
	if !own {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(&s.ctx), time.Second)
	defer cancel()
	// Should it fail, they arrive later.
	_ = s.srv.notify.awaitRound(ctx, s, nil)
}

// unlistenAll ends all listening at once, outside of transactions.
func (s *Session) unlistenAll() {
	if len(s.notices.channels) > 0 {
		s.srv.notify.forget(s)
		s.notices.channels = nil
	}
}

// notifyStatement executes LISTEN, UNLISTEN and NOTIFY.
func (s *Session) notifyStatement(st ast.Statement) error {
	switch st := st.(type) {
	case *ast.Listen:
		s.notices.actions = append(s.notices.actions, listenAction{true, truncated(st.Channel)})
	case *ast.Unlisten:
		s.notices.actions = append(s.notices.actions, listenAction{false, truncated(st.Channel)})
	case *ast.Notify:
		return s.sendNotification(truncated(st.Channel), st.Payload)
	}
	return nil
}

// truncated cuts an identifier to PostgreSQL's length.
func truncated(name string) string {
	if len(name) <= channelBytesMax {
		return name
	}
	end := channelBytesMax
	for end > 0 && name[end]&0xc0 == 0x80 {
		end--
	}
	return name[:end]
}

// sendNotification notes a notification of the transaction.
func (s *Session) sendNotification(channel, payload string) error {
	switch {
	case channel == "":
		return sqlstate.New(sqlstate.InvalidParameterValue, "channel name cannot be empty")
	case len(channel) > channelBytesMax:
		return sqlstate.New(sqlstate.InvalidParameterValue, "channel name too long")
	case len(payload) > payloadBytesMax:
		return sqlstate.New(sqlstate.InvalidParameterValue, "payload string too long")
	case s.txn.asOf != 0:
		return readOnlyError("NOTIFY")
	}
	s.notices.add(notification{database: s.database, pid: s.args.PID, channel: channel, payload: payload})
	return nil
}

// callNotify carries out the functions of notifications; ok is false for others.
func (s *Session) callNotify(fn *expr.Function, args []types.Datum) (result types.Datum, ok bool, err error) {
	text := func(i int) string {
		if args[i].IsNull() {
			return ""
		}
		return string(args[i].Bytes())
	}
	switch fn.Name {
	case "pg_notify":
		return types.NewString(""), true, s.sendNotification(text(0), text(1))
	case "pg_notification_queue_usage":
		usage := 0.0
		s.srv.Sessions(func(o *Session) { usage = max(usage, o.inbox.usage()) })
		return types.NewFloat(usage), true, nil
	}
	return types.Null, false, nil
}

// listeningChannels is pg_listening_channels().
func (s *Session) listeningChannels() expr.SetIter {
	set := &rowSet{}
	for _, c := range s.notices.channels {
		set.rows = append(set.rows, types.Row{types.NewString(c)})
	}
	return set
}

// inbox holds what has arrived for a client until it can be sent: between
// transactions. It is filled by the hub's goroutine and emptied by the session's.
type inbox struct {
	session *Session
	full    atomic.Bool // there is something

	mu    sync.Mutex
	queue []notification
	bytes int
}

// inboxBytesMax bounds what waits for a client that stays in a transaction or does not
// read. Past it the session ends: dropping notifications in silence is no choice.
const inboxBytesMax = 64 << 20

const inboxEntryBytes = 64 // of a notification besides its text

func (b *inbox) put(n *notification) {
	b.mu.Lock()
	b.bytes += inboxEntryBytes + len(n.channel) + len(n.payload)
	over := b.bytes > inboxBytesMax
	if !over {
		b.queue = append(b.queue, *n)
	}
	b.mu.Unlock()
	b.full.Store(true)
	if over {
		b.session.terminate(&sqlstate.Error{Code: sqlstate.ProgramLimitExceeded, Severity: "FATAL", Message: "terminating connection because its notifications are not read",
			Detail: "More than 64 MB of them are waiting."})
		return
	}
	b.session.wake()
}

func (b *inbox) take() []notification {
	if !b.full.Swap(false) {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.queue
	b.queue, b.bytes = nil, 0
	return q
}

func (b *inbox) usage() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return float64(b.bytes) / inboxBytesMax
}

// DeliverNotifications sends the client what has arrived, unless a transaction is
// open. It costs one atomic load if there is nothing.
func (s *Session) DeliverNotifications() {
	if s.txn.block != blockNone || !s.inbox.full.Load() {
		return
	}
	for _, n := range s.inbox.take() {
		s.client.Notification(n.pid, n.channel, n.payload)
	}
}

// SetWake gives the session what interrupts its connection's wait for the client: it
// then calls DeliverNotifications and Ended. F is called by any goroutine. It must be
// set before the session is used.
func (s *Session) SetWake(f func()) {
	s.wakeFunc.Store(&f)
	s.ctx.onCancel = f
}

func (s *Session) wake() {
	if f := s.wakeFunc.Load(); f != nil {
		(*f)()
	}
}

// terminate ends the session with an error, now or when its statement notices.
func (s *Session) terminate(err *sqlstate.Error) {
	s.ended.CompareAndSwap(nil, err)
	s.ctx.cancel(err)
	s.wake()
}

// Ended returns the error with which the session has to end, nil if it may go on.
func (s *Session) Ended() error {
	if e := s.ended.Load(); e != nil {
		return e
	}
	return nil
}
