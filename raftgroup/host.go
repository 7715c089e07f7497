package raftgroup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spanlite/spanlite/raftgroup/logstore"
	"github.com/spanlite/spanlite/raftgroup/storeliveness"
	"github.com/spanlite/spanlite/raftgroup/transport"
)

// Host owns all groups of one store: their log, their workers, their timers, and
// the store's liveness. All methods are safe for concurrent use.
//
// Life: NewHost recovers the log; the caller opens its groups; Start lets
// messages and time in; Close ends everything. Groups may be opened, stopped and
// removed at any time in between.
type Host struct {
	cfg      Config
	log      *logstore.Log
	liveness *storeliveness.Manager // nil for a store without transport

	mu struct {
		sync.RWMutex
		groups map[GroupID]*Group
		// disowned are groups that have failed while they led.
		disowned map[GroupID]disowned
		closed   bool
	}
	ready  readyQueue
	awake  awakeSet
	gather gathering
	// inflight bounds the proposals of all groups.
	inflight budget
	// inbox counts the bytes of messages in all mailboxes.
	inbox atomic.Int64

	sends, receives chan struct{}
	nextSnapshot    atomic.Uint64
	// creating serialises OnUnknownGroup per group.
	creating sync.Mutex

	closing chan struct{}
	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	fatal   sync.Once
	// truncating: the periodic truncation is under way.
	truncating atomic.Bool
}

// livenessBlob is the key of the liveness state in the log.
const livenessBlob = 1

// GroupState is what the log knows of a group, for recovery.
type GroupState struct {
	Group   GroupID
	Replica ReplicaID
	Term    Term
	Vote    ReplicaID
	Commit  Index
	// Truncated is the position before the first entry.
	Truncated     Index
	TruncatedTerm Term
	Last          Index
}

// OpenOptions describe the replica to open.
type OpenOptions struct {
	Group   GroupID
	Replica ReplicaID
	// Machine is the replica's state. Its AppliedIndex at this moment says whether
	// the replica is initialised ((0, 0) is not), and where Raft resumes.
	Machine StateMachine
	// Members is the configuration at the applied index, as the machine has stored
	// it; empty for an uninitialised replica.
	Members []Member
}

// NewHost opens the log and recovers every group's state from it. A torn tail of
// the newest segment is cut off; any other damage is an error
// (*logstore.CorruptionError) that names file and offset.
func NewHost(cfg Config) (*Host, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	h := &Host{cfg: cfg, closing: make(chan struct{})}
	h.mu.groups = map[GroupID]*Group{}
	h.mu.disowned = map[GroupID]disowned{}
	h.inflight.limit = int64(cfg.MaxStoreInflightBytes)
	h.ready.cond = sync.NewCond(&h.ready.mu)
	h.sends = make(chan struct{}, cfg.SnapshotSends)
	h.receives = make(chan struct{}, cfg.SnapshotReceives)
	h.ctx, h.cancel = context.WithCancel(context.Background())
	if err := cfg.FS.RemoveAll(cfg.SnapshotDir); err != nil {
		return nil, err
	}
	if err := cfg.FS.MkdirAll(cfg.SnapshotDir, 0o755); err != nil {
		return nil, err
	}
	log, err := logstore.Open(logstore.Options{
		FS: cfg.FS, Dir: cfg.Dir, SegmentSize: cfg.SegmentSize, CacheBytes: cfg.CacheBytes,
		Fatal: h.onFatal, SlowSync: cfg.Events.SlowSync, Synced: cfg.Metrics.noteSync,
	})
	if err != nil {
		return nil, err
	}
	h.log = log
	if cfg.Transport != nil {
		h.liveness, err = storeliveness.New(storeliveness.Config{
			Store: cfg.Store, Clock: cfg.Clock, Duration: cfg.SupportDuration,
			Send:      func(to StoreID, m *storeliveness.Message) { _ = cfg.Transport.Send(to, transport.Liveness, m) },
			Persist:   func(state []byte) error { return log.Sync(log.SetBlob(livenessBlob, state)) },
			Withdrawn: h.supportWithdrawn,
			Lost:      h.supportLost, Gained: h.supportGained,
			Payload: cfg.LivenessPayload, OnPayload: cfg.OnLivenessPayload,
			Fatal: h.onFatal,
		}, log.Blobs()[livenessBlob])
		if err != nil {
			return nil, errors.Join(err, log.Close())
		}
	}
	return h, nil
}

func (h *Host) onFatal(err error) {
	h.fatal.Do(func() {
		if f := h.cfg.Events.Fatal; f != nil {
			f(err)
		}
	})
}

// Start begins to deliver messages and to measure time.
func (h *Host) Start() error {
	if t := h.cfg.Transport; t != nil {
		if err := t.Start(transport.Handler{Frame: h.receiveFrame, Stream: h.serveStream}); err != nil {
			return err
		}
	}
	if h.cfg.Manual {
		return nil
	}
	for range h.cfg.Workers {
		h.wg.Go(h.work)
	}
	h.wg.Go(h.keepTime)
	if h.liveness != nil {
		h.wg.Go(h.keepAlive)
		h.wg.Go(h.keepPromises)
	}
	return nil
}

// keepTime is the goroutine of the groups' timers.
func (h *Host) keepTime() {
	ticker := time.NewTicker(h.cfg.TickInterval)
	defer ticker.Stop()
	perBeat := max(1, int(h.cfg.SupportInterval/h.cfg.TickInterval))
	perTruncate := max(1, int(time.Second/h.cfg.TickInterval))
	for n := 1; ; n++ {
		select {
		case <-ticker.C:
		case <-h.closing:
			return
		}
		h.tickAwake()
		if n%perBeat == 0 {
			h.letGoOfDisowned()
		}
		if n%perTruncate == 0 {
			h.truncateAsNeeded()
		}
	}
}

// keepAlive is the goroutine of the heartbeats. It does nothing else, so that
// nothing delays them.
func (h *Host) keepAlive() {
	ticker := time.NewTicker(h.cfg.SupportInterval)
	defer ticker.Stop()
	for {
		h.liveness.Beat()
		select {
		case <-ticker.C:
		case <-h.closing:
			return
		}
	}
}

// keepPromises is the goroutine that withdraws support as it expires. It waits for
// the disk.
func (h *Host) keepPromises() {
	for {
		timer := time.NewTimer(h.liveness.Expire())
		select {
		case <-timer.C:
		case <-h.closing:
			timer.Stop()
			return
		}
	}
}

// Tick advances all timers by one tick. Only with Config.Manual.
func (h *Host) Tick() {
	h.tickAwake()
	if h.liveness != nil {
		h.liveness.Tick()
		h.letGoOfDisowned()
	}
}

// disowned is what is left of a leader that has failed.
type disowned struct {
	term    uint64
	self    ReplicaID
	members []Member
}

// disown takes note of a leader that has failed: it leads no more, but its store
// has not withdrawn. In the group's turn.
func (h *Host) disown(g *Group) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.disowned[g.id] = disowned{g.term, g.replica, slices.Clone(g.members)}
}

// letGoOfDisowned tells the followers of failed leaders, again and again, that
// they are free.
func (h *Host) letGoOfDisowned() {
	if h.cfg.Transport == nil {
		return
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	for id, d := range h.mu.disowned {
		for _, m := range d.members {
			if m.Replica == d.self || m.Store == 0 {
				continue
			}
			out := outbound{group: id, from: Member{Replica: d.self, Store: h.cfg.Store}, to: m.Replica, kind: kindFortify,
				fort: fortifyMessage{term: d.term, letGo: true}}
			_ = h.cfg.Transport.Send(m.Store, transport.Raft, &out)
		}
	}
}

func (h *Host) tickAwake() {
	awake := h.awake.snapshot()
	for _, g := range awake {
		g.enqueue(func() { g.box.ticks++ })
	}
	m := h.cfg.Metrics
	m.Ticks.Add(int64(len(awake)))
	m.GroupsAwake.Store(int64(len(awake)))
	m.InflightBytes.Store(h.inflight.used.Load())
	m.MailboxBytes.Store(h.inbox.Load())
}

// LoggedGroups returns what the log knows, open or not, by group id. After a
// crash it may name groups the state engine does not know: the right side of a
// split whose batch was not flushed (harmless: replaying the left side's log
// creates it again) or an uninitialised replica (it has a vote to keep; open it
// again when a message arrives).
func (h *Host) LoggedGroups() []GroupState {
	var out []GroupState
	for _, g := range h.log.Groups() {
		st := g.State()
		if st.Replica == 0 {
			continue
		}
		out = append(out, GroupState{
			Group: g.ID(), Replica: st.Replica, Term: Term(st.Hard.Term), Vote: ReplicaID(st.Hard.Vote), Commit: Index(st.Hard.Commit),
			Truncated: Index(st.TruncatedIndex), TruncatedTerm: Term(st.TruncatedTerm), Last: Index(g.Last()),
		})
	}
	return out
}

// Open starts a replica. If the log does not reach the machine's applied index
// (a crash between the ingestion of a snapshot and the log write, or a replica
// whose state was created by a split or at bootstrap), the log restarts empty at
// the applied position. A replica that is the only voter campaigns at once, and
// leads when Open returns unless the log has entries to apply, which it does then.
//
// Errors: ErrGroupOpen, ErrStopped, or why the log cannot serve the machine.
func (h *Host) Open(o OpenOptions) (*Group, error) {
	h.mu.RLock()
	_, open := h.mu.groups[o.Group]
	closed := h.mu.closed
	h.mu.RUnlock()
	switch {
	case closed:
		return nil, ErrStopped
	case open:
		return nil, fmt.Errorf("%s: %w", o.Group, ErrGroupOpen)
	}
	g, err := newGroup(h, o)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	if h.mu.closed {
		h.mu.Unlock()
		return nil, ErrStopped
	}
	if _, open := h.mu.groups[o.Group]; open {
		h.mu.Unlock()
		return nil, fmt.Errorf("%s: %w", o.Group, ErrGroupOpen)
	}
	h.mu.groups[o.Group] = g
	delete(h.mu.disowned, o.Group)
	h.mu.Unlock()
	if g.alone() && g.selfVoter() {
		_ = g.rn.Campaign()
	} else {
		g.membersChanged()
	}
	g.step(nil, 0, nil)
	g.runTurn(nil)
	g.settle()
	if err := g.failure(); err != nil {
		return nil, err
	}
	return g, nil
}

// Prepare records durably, before the state of a new replica is written, that
// its log begins empty at (InitialIndex, InitialTerm), and its replica id. A term
// and vote which the group may have already (from its time as an uninitialised
// replica) are kept, so that it never votes twice. Used for the right side of a
// split, from the left side's Apply, and for the first replica of a range.
// The group must not be open: Stop an uninitialised one first. If the log has
// the group at or past the initial position with the same replica id, nothing
// changes (replay of a split). Errors: ErrReplicaRemoved if the log knows a higher
// replica id.
func (h *Host) Prepare(group GroupID, replica ReplicaID) error {
	lg := h.log.Group(group)
	st := lg.State()
	switch {
	case st.Replica > replica:
		return ErrReplicaRemoved
	case st.Replica == replica && st.TruncatedIndex >= uint64(InitialIndex):
		return nil
	}
	st.Replica = replica
	st.Hard.Term = max(st.Hard.Term, uint64(InitialTerm))
	st.Hard.Commit = uint64(InitialIndex)
	st.TruncatedIndex, st.TruncatedTerm = uint64(InitialIndex), uint64(InitialTerm)
	return h.log.Sync(lg.Reset(st))
}

// Group returns an open group.
func (h *Host) Group(id GroupID) (*Group, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	g, ok := h.mu.groups[id]
	return g, ok
}

// Groups returns the open groups in no order.
func (h *Host) Groups() []*Group {
	h.mu.RLock()
	defer h.mu.RUnlock()
	out := make([]*Group, 0, len(h.mu.groups))
	for _, g := range h.mu.groups {
		out = append(out, g)
	}
	return out
}

// forget takes a group off the books.
func (h *Host) forget(g *Group) {
	h.mu.Lock()
	if h.mu.groups[g.id] == g {
		delete(h.mu.groups, g.id)
	}
	h.mu.Unlock()
	h.awake.retire(g)
}

// Remove stops the group if it is open and removes it from the log, durably. The
// caller has made its own tombstone durable before (I5).
func (h *Host) Remove(id GroupID) error {
	if g, ok := h.Group(id); ok {
		g.Stop()
	}
	h.mu.Lock()
	delete(h.mu.disowned, id)
	h.mu.Unlock()
	if lg, ok := h.log.Lookup(id); ok {
		return h.log.Sync(lg.Remove())
	}
	return nil
}

// wake lets the ticker look after a group.
func (h *Host) wake(g *Group) {
	g.idleTicks = 0
	h.awake.add(g)
}

// sleep ends that: nothing of the group depends on time.
func (h *Host) sleep(g *Group) { h.awake.remove(g) }

// supportWithdrawn wakes the followers of the leaders on a store.
func (h *Host) supportWithdrawn(store StoreID, epoch uint64) {
	h.cfg.Metrics.SupportWithdrawn.Add(1)
	if f := h.cfg.Events.SupportWithdrawn; f != nil {
		f(store, epoch)
	}
	for _, g := range h.Groups() {
		g.call(func() {
			if g.leader(g.lead).Store == store || g.lead == 0 {
				g.supportWithdrawn()
			}
		})
	}
}

func (h *Host) supportLost(store StoreID) {
	h.cfg.Metrics.SupportLost.Add(1)
	if f := h.cfg.Events.SupportLost; f != nil {
		f(store)
	}
}

// supportGained wakes leaders, which may be able to fortify again.
func (h *Host) supportGained(store StoreID) {
	if f := h.cfg.Events.SupportGained; f != nil {
		f(store)
	}
	for _, g := range h.Groups() {
		g.call(func() {
			if slices.ContainsFunc(g.members, func(m Member) bool { return m.Store == store }) {
				h.wake(g)
			}
		})
	}
}

// receiveFrame takes in a batch of messages.
func (h *Host) receiveFrame(f *transport.Frame) {
	for {
		b, ok := f.Next()
		if !ok {
			return
		}
		h.receiveMessage(f.From, f.Class, b)
	}
}

// receiveMessage takes in one message, whose bytes it may keep.
func (h *Host) receiveMessage(from StoreID, class transport.Class, b []byte) {
	if class == transport.Liveness {
		var m storeliveness.Message
		if m.Decode(b) == nil && h.liveness != nil {
			h.liveness.Receive(from, &m)
		}
		return
	}
	group, in, err := decodeMessage(b)
	if err != nil {
		return
	}
	g, err := h.groupFor(group, in.to, in.from)
	if err != nil {
		if errors.Is(err, ErrReplicaRemoved) && in.kind != kindGone {
			h.sendGone(group, in.to, in.from)
		}
		return
	}
	g.enqueue(func() {
		if g.box.bytes+in.size > h.cfg.MaxInflightBytes || h.inbox.Load() > int64(h.cfg.MaxStoreInflightBytes) {
			h.cfg.Metrics.MessagesDropped.Add(1)
			return // raft sends again
		}
		g.box.bytes += in.size
		h.inbox.Add(int64(in.size))
		h.cfg.Metrics.MessagesReceived.Add(1)
		g.box.messages = append(g.box.messages, in)
	})
}

// groupFor finds the replica that a message is for, letting the store create it.
func (h *Host) groupFor(group GroupID, to ReplicaID, from Member) (*Group, error) {
	g, ok := h.Group(group)
	switch {
	case ok && g.replica == to:
		return g, nil
	case ok && g.replica > to:
		return nil, ErrReplicaRemoved
	case h.cfg.OnUnknownGroup == nil:
		return nil, ErrStopped
	}
	h.creating.Lock()
	defer h.creating.Unlock()
	if g, ok := h.Group(group); ok && g.replica == to {
		return g, nil
	}
	if err := h.cfg.OnUnknownGroup(group, to, from); err != nil {
		return nil, err
	}
	if g, ok := h.Group(group); ok && g.replica == to {
		return g, nil
	}
	return nil, ErrStopped
}

// sendGone tells a sender that the replica it speaks to is no longer here. The
// other side only takes it for a hint about itself if it is the one removed, so
// nothing depends on it.
func (h *Host) sendGone(group GroupID, as ReplicaID, to Member) {
	if h.cfg.Transport == nil {
		return
	}
	out := outbound{group: group, from: Member{Replica: as, Store: h.cfg.Store}, to: to.Replica, kind: kindGone}
	_ = h.cfg.Transport.Send(to.Store, transport.Raft, &out)
}

// background runs f on a goroutine that Close waits for; false if it is too late.
func (h *Host) background(f func(ctx context.Context)) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.mu.closed {
		return false
	}
	h.wg.Add(1)
	go func() {
		defer h.wg.Done()
		f(h.ctx)
	}()
	return true
}

// acquire takes a place in sem.
func (h *Host) acquire(ctx context.Context, sem chan struct{}) bool {
	select {
	case sem <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	case <-h.closing:
		return false
	}
}

// WatchStore keeps the heartbeats with a store going although no group is shared
// with it, for those that use the liveness payload.
func (h *Host) WatchStore(id StoreID) {
	if h.liveness != nil && id != h.cfg.Store {
		h.liveness.Peer(id)
	}
}

// StoreAlive reports whether a store supports this one at the moment: the best
// sign that it can be reached. True for this store.
func (h *Host) StoreAlive(id StoreID) bool {
	return id == h.cfg.Store || h.liveness != nil && h.liveness.Alive(id)
}

// LogBytes returns the size of the log's segments.
func (h *Host) LogBytes() int64 { return h.log.Size() }

// Close stops all groups, the transport and the log, and waits for every
// goroutine. Proposals that wait end as ambiguous.
func (h *Host) Close() error {
	h.mu.Lock()
	if h.mu.closed {
		h.mu.Unlock()
		return nil
	}
	h.mu.closed = true
	groups := h.mu.groups
	h.mu.groups = map[GroupID]*Group{}
	h.mu.Unlock()
	close(h.closing)
	h.cancel()
	var err error
	if h.cfg.Transport != nil {
		err = h.cfg.Transport.Close()
	}
	if h.cfg.Manual {
		h.RunPending()
	}
	for _, g := range groups {
		h.awake.retire(g)
		g.stop()
	}
	h.ready.close()
	h.wg.Wait()
	return errors.Join(err, h.log.Close())
}
