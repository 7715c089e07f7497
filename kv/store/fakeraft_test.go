package store

// An in-memory stand-in for raftgroup: the log of each group is one list that all
// hosts share, so consensus is perfect and instant, and what is tested is the
// store: creation, splits, merges, images, removal. The log survives a crash, as
// a synced log does; engines lose what they have not flushed.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/raftgroup"
)

type fakeNet struct {
	mu    sync.Mutex
	hosts map[keys.StoreID]*fakeHost
	logs  map[keys.RangeID]*fakeLog
	wg    sync.WaitGroup
}

func newFakeNet() *fakeNet {
	return &fakeNet{hosts: make(map[keys.StoreID]*fakeHost), logs: make(map[keys.RangeID]*fakeLog)}
}

// fakeLog is the log of one group.
type fakeLog struct {
	id keys.RangeID
	// turn is held while something is proposed or led: one at a time.
	turn sync.Mutex

	mu      sync.Mutex
	entries []raftgroup.Entry // entries[i] has index InitialIndex+1+i
	members []raftgroup.Member
	term    raftgroup.Term
	leader  keys.StoreID
	start   hlc.Timestamp
}

func (l *fakeLog) last() raftgroup.Index {
	return raftgroup.InitialIndex + raftgroup.Index(len(l.entries))
}

func (n *fakeNet) log(id keys.RangeID) *fakeLog {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.logs[id]
	if l == nil {
		l = &fakeLog{id: id, term: raftgroup.InitialTerm}
		n.logs[id] = l
	}
	return l
}

func (n *fakeNet) host(s keys.StoreID) *fakeHost {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.hosts[s]
}

// fakeHost is one store's host; dead after Close.
type fakeHost struct {
	net *fakeNet
	cfg raftgroup.Config

	mu      sync.Mutex
	groups  map[keys.RangeID]*fakeGroup
	started bool
	closed  chan struct{}
	pumped  sync.WaitGroup // the pump, which uses the store
	wake    chan struct{}
}

func (n *fakeNet) newHost(c raftgroup.Config) (Host, error) {
	h := &fakeHost{net: n, cfg: c, groups: make(map[keys.RangeID]*fakeGroup), closed: make(chan struct{}), wake: make(chan struct{}, 1)}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[c.Store] = h
	return h, nil
}

func (h *fakeHost) up() bool {
	select {
	case <-h.closed:
		return false
	default:
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.started
	}
}

func (h *fakeHost) Start() error {
	h.mu.Lock()
	h.started = true
	h.mu.Unlock()
	h.pumped.Go(h.pump)
	h.kick()
	return nil
}

func (h *fakeHost) Close() error {
	close(h.closed)
	h.mu.Lock()
	groups := maps.Clone(h.groups)
	h.mu.Unlock()
	for _, g := range groups {
		g.Stop()
	}
	h.pumped.Wait()
	return nil
}

func (h *fakeHost) Prepare(id keys.RangeID, _ keys.ReplicaID) error { h.net.log(id); return nil }
func (h *fakeHost) WatchStore(keys.StoreID)                         {}
func (h *fakeHost) LogBytes() int64                                 { return 0 }

func (h *fakeHost) StoreAlive(s keys.StoreID) bool {
	o := h.net.host(s)
	return o != nil && o.up()
}

func (h *fakeHost) Remove(id keys.RangeID) error {
	h.mu.Lock()
	g := h.groups[id]
	delete(h.groups, id)
	h.mu.Unlock()
	if g != nil {
		g.Stop()
	}
	return nil
}

func (h *fakeHost) group(id keys.RangeID) *fakeGroup {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.groups[id]
}

func (h *fakeHost) Open(o raftgroup.OpenOptions) (Group, error) {
	g := &fakeGroup{h: h, l: h.net.log(o.Group), id: o.Group, replica: o.Replica, m: o.Machine}
	h.mu.Lock()
	h.groups[o.Group] = g
	h.mu.Unlock()
	g.l.mu.Lock()
	if g.l.members == nil {
		g.l.members = o.Members
	}
	alone := len(g.l.members) == 1 && g.l.members[0].Store == h.cfg.Store
	g.l.mu.Unlock()
	if at, _ := g.m.AppliedIndex(); at != 0 {
		if err := g.catchUp(); err != nil {
			return nil, err
		}
	}
	if alone {
		g.lead()
	}
	h.kick()
	return g, nil
}

func (h *fakeHost) kick() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// pump makes the host's groups follow their logs, opens groups that it is a member
// of, and exchanges gossip.
func (h *fakeHost) pump() {
	t := time.NewTicker(5 * time.Millisecond)
	defer t.Stop()
	for n := 0; ; n++ {
		select {
		case <-h.closed:
			return
		case <-h.wake:
		case <-t.C:
		}
		h.net.mu.Lock()
		logs := make([]*fakeLog, 0, len(h.net.logs))
		for _, l := range h.net.logs {
			logs = append(logs, l)
		}
		hosts := make([]*fakeHost, 0, len(h.net.hosts))
		for _, o := range h.net.hosts {
			hosts = append(hosts, o)
		}
		h.net.mu.Unlock()
		for _, l := range logs {
			h.follow(l)
		}
		if n%4 == 0 {
			for _, o := range hosts {
				if o != h && o.up() && o.cfg.OnLivenessPayload != nil {
					if p := h.cfg.LivenessPayload(o.cfg.Store); p != nil {
						o.cfg.OnLivenessPayload(h.cfg.Store, p)
					}
				}
			}
		}
	}
}

func (h *fakeHost) follow(l *fakeLog) {
	l.mu.Lock()
	var me *raftgroup.Member
	for i := range l.members {
		if l.members[i].Store == h.cfg.Store {
			m := l.members[i]
			me = &m
		}
	}
	leader := l.leader
	l.mu.Unlock()
	g := h.group(l.id)
	switch {
	case me == nil && g != nil:
		_ = g.catchUp() // it may find its own removal; else others tell it
		h.cfg.OnReplicaGone(l.id, g.replica)
		return
	case me == nil || leader == 0:
		return
	case g == nil || g.replica != me.Replica:
		if err := h.cfg.OnUnknownGroup(l.id, me.Replica, raftgroup.Member{Store: leader}); err != nil {
			return
		}
		if g = h.group(l.id); g == nil {
			return
		}
	}
	if at, _ := g.m.AppliedIndex(); at == 0 {
		if lh := h.net.host(leader); lh != nil && lh.up() {
			if lg := lh.group(l.id); lg != nil {
				if err := g.receive(lg); err != nil && !errors.Is(err, errSplitUnderWay) && h.cfg.Events.GroupFailed != nil {
					h.cfg.Events.GroupFailed(g.id, g.replica, err)
				}
			}
		}
		return
	}
	if err := g.catchUp(); err != nil {
		h.cfg.Events.GroupFailed(g.id, g.replica, err)
	}
}

type fakeGroup struct {
	h       *fakeHost
	l       *fakeLog
	id      keys.RangeID
	replica keys.ReplicaID
	m       raftgroup.StateMachine

	step    sync.Mutex // one step at a time
	stopped bool       // under step
	seen    raftgroup.Lease
}

func (g *fakeGroup) Stop() {
	g.step.Lock()
	defer g.step.Unlock()
	g.stopped = true
}

func (g *fakeGroup) Wake() { g.h.kick() }

func (g *fakeGroup) Lease() raftgroup.Lease {
	g.l.mu.Lock()
	defer g.l.mu.Unlock()
	lease := raftgroup.Lease{Term: g.l.term}
	for _, m := range g.l.members {
		if m.Store == g.l.leader {
			lease.Leader = m
		}
	}
	if g.l.leader == g.h.cfg.Store && lease.Leader.Replica == g.replica {
		lease.Held, lease.Start, lease.Until = true, g.l.start, hlc.Max
	}
	return lease
}

// catchUp applies what the log has.
func (g *fakeGroup) catchUp() error { return g.apply(nil) }

func (g *fakeGroup) apply(p *raftgroup.Proposal) error {
	g.step.Lock()
	defer g.step.Unlock()
	for !g.stopped {
		at, _ := g.m.AppliedIndex()
		if at == 0 {
			return nil
		}
		g.l.mu.Lock()
		next := int(at - raftgroup.InitialIndex)
		if next >= len(g.l.entries) {
			g.l.mu.Unlock()
			break
		}
		e := g.l.entries[next]
		last := next == len(g.l.entries)-1
		g.l.mu.Unlock()
		e.Proposal = nil
		if last {
			e.Proposal = p
		}
		if err := g.m.Apply([]raftgroup.Entry{e}); err != nil {
			g.stopped = true
			return err
		}
		if p != nil && last {
			p.Index = e.Index
		}
	}
	if !g.stopped {
		if l := g.Lease(); l != g.seen {
			g.seen = l
			g.m.LeaseChanged(l)
		}
	}
	return nil
}

// receive gets an image of the leader's replica.
func (g *fakeGroup) receive(from *fakeGroup) error {
	from.step.Lock()
	src, err := from.m.CreateSnapshot()
	from.step.Unlock()
	if err != nil {
		return err
	}
	defer src.Close()
	meta := src.Meta()
	fs := g.h.cfg.FS
	dir := fs.PathJoin(g.h.cfg.Dir, "in")
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var files []string
	for n := 0; ; n++ {
		var buf bytes.Buffer
		if err := src.WriteFile(n, &buf); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		path := fs.PathJoin(dir, fmt.Sprintf("%d-%d-%d", g.id, g.replica, n))
		f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
		if err != nil {
			return err
		}
		if _, err := f.Write(buf.Bytes()); err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
		files = append(files, path)
	}
	g.step.Lock()
	defer g.step.Unlock()
	if g.stopped {
		return nil
	}
	err = g.m.ApplySnapshot(meta, files)
	if err != nil {
		g.stopped = true
	}
	return err
}

// lead makes the group's store the leader in a new term.
func (g *fakeGroup) lead() {
	g.l.turn.Lock()
	defer g.l.turn.Unlock()
	g.leadLocked()
}

func (g *fakeGroup) leadLocked() {
	g.l.mu.Lock()
	g.l.term++
	g.l.leader = g.h.cfg.Store
	g.l.start = g.h.cfg.Clock.Now()
	g.l.entries = append(g.l.entries, raftgroup.Entry{Index: g.l.last() + 1, Term: g.l.term})
	g.l.mu.Unlock()
	_ = g.catchUp()
	g.wakeAll()
}

func (g *fakeGroup) wakeAll() {
	g.h.net.mu.Lock()
	defer g.h.net.mu.Unlock()
	for _, h := range g.h.net.hosts {
		h.kick()
	}
}

func (g *fakeGroup) Campaign() {
	g.l.mu.Lock()
	free := g.l.leader == 0
	g.l.mu.Unlock()
	if free {
		g.lead()
	}
}

func (g *fakeGroup) quorum() bool {
	g.l.mu.Lock()
	members := slices.Clone(g.l.members)
	g.l.mu.Unlock()
	voters, up := 0, 0
	for _, m := range members {
		if m.Kind != raftgroup.Learner {
			voters++
			if h := g.h.net.host(m.Store); m.Store == g.h.cfg.Store || h != nil && h.up() {
				up++
			}
		}
	}
	return up > voters/2
}

func (g *fakeGroup) Propose(ctx context.Context, p *raftgroup.Proposal) error {
	return g.propose(p, nil)
}

func (g *fakeGroup) propose(p *raftgroup.Proposal, members []raftgroup.Member) error {
	g.l.turn.Lock()
	defer g.l.turn.Unlock()
	if l := g.Lease(); !l.Held || l.Term != p.Term || !g.quorum() {
		return &raftgroup.NotLeaderError{Group: g.id, Term: l.Term, Leader: l.Leader}
	}
	g.l.mu.Lock()
	g.l.entries = append(g.l.entries, raftgroup.Entry{Index: g.l.last() + 1, Term: g.l.term, Data: bytes.Clone(p.Data), Members: members})
	if members != nil {
		g.l.members = members
	}
	g.l.mu.Unlock()
	if err := g.apply(p); err != nil {
		return &raftgroup.AmbiguousError{Group: g.id, Cause: err}
	}
	g.wakeAll()
	return nil
}

func (g *fakeGroup) ChangeMembers(ctx context.Context, p *raftgroup.Proposal, changes []raftgroup.MemberChange) error {
	g.l.mu.Lock()
	joint := slices.Clone(g.l.members)
	g.l.mu.Unlock()
	var final []raftgroup.Member
	for _, c := range changes {
		i := slices.IndexFunc(joint, func(m raftgroup.Member) bool { return m.Replica == c.Replica })
		switch c.Type {
		case raftgroup.RemoveMember:
			joint[i].Kind = raftgroup.VoterOutgoing
		case raftgroup.AddLearner:
			joint = append(joint, raftgroup.Member{Replica: c.Replica, Store: c.Store, Kind: raftgroup.Learner})
		case raftgroup.AddVoter:
			if i < 0 {
				joint = append(joint, raftgroup.Member{Replica: c.Replica, Store: c.Store, Kind: raftgroup.VoterIncoming})
			} else {
				joint[i].Kind = raftgroup.VoterIncoming
			}
		}
	}
	for _, m := range joint {
		if m.Kind == raftgroup.VoterOutgoing {
			continue
		}
		if m.Kind == raftgroup.VoterIncoming {
			m.Kind = raftgroup.Voter
		}
		final = append(final, m)
	}
	if len(changes) == 1 {
		return g.propose(p, final)
	}
	if err := g.propose(p, joint); err != nil {
		return err
	}
	// The leader leaves the joint configuration by itself.
	return g.propose(&raftgroup.Proposal{Term: p.Term}, final)
}

func (g *fakeGroup) TransferLeader(ctx context.Context, to keys.ReplicaID) error {
	g.l.mu.Lock()
	i := slices.IndexFunc(g.l.members, func(m raftgroup.Member) bool { return m.Replica == to })
	var target keys.StoreID
	if i >= 0 {
		target = g.l.members[i].Store
	}
	g.l.mu.Unlock()
	th := g.h.net.host(target)
	if th == nil || !th.up() {
		return raftgroup.ErrTransferFailed
	}
	tg := th.group(g.id)
	if tg == nil {
		return raftgroup.ErrTransferFailed
	}
	g.l.turn.Lock()
	defer g.l.turn.Unlock()
	if err := tg.catchUp(); err != nil {
		return err
	}
	if at, _ := tg.m.AppliedIndex(); at == 0 {
		return raftgroup.ErrTransferFailed
	}
	tg.leadLocked()
	return g.catchUp()
}

func (g *fakeGroup) Status() raftgroup.Status {
	g.l.mu.Lock()
	st := raftgroup.Status{Group: g.id, Replica: g.replica, Term: g.l.term, Commit: g.l.last(), Members: slices.Clone(g.l.members)}
	g.l.mu.Unlock()
	for _, m := range st.Members {
		f := raftgroup.FollowerStatus{Member: m, State: "probe"}
		if h := g.h.net.host(m.Store); h != nil && h.up() {
			if fg := h.group(g.id); fg != nil && fg.replica == m.Replica {
				if f.Match, _ = fg.m.AppliedIndex(); f.Match > 0 {
					f.State = "replicate"
				}
			}
		}
		st.Followers = append(st.Followers, f)
	}
	return st
}

// elect makes up for a dead leader: a living voter takes over every group that
// has none.
func (n *fakeNet) elect() {
	n.mu.Lock()
	logs := make([]*fakeLog, 0, len(n.logs))
	for _, l := range n.logs {
		logs = append(logs, l)
	}
	n.mu.Unlock()
	for _, l := range logs {
		l.mu.Lock()
		leader, members := l.leader, slices.Clone(l.members)
		l.mu.Unlock()
		if h := n.host(leader); h != nil && h.up() {
			continue
		}
		for _, m := range members {
			h := n.host(m.Store)
			if h == nil || !h.up() || m.Kind == raftgroup.Learner {
				continue
			}
			if g := h.group(l.id); g != nil {
				if at, _ := g.m.AppliedIndex(); at != 0 && g.quorum() {
					g.lead()
					break
				}
			}
		}
	}
}
