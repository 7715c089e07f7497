package raftgroup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/raftgroup/transport"
)

// Scenarios in testdata tell what happens to one group on several stores. Time, the
// network and the disks' syncs move only when a script says so. Replica n lives on
// store n. The verbs, one a line in a "run" block, optional parts in brackets:
//
//	cluster stores=n [voters=m]    begins anew, with all stores in support of each other
//	campaign s
//	propose s name                 leaves a command in the mailbox of the replica on s
//	change s [voter=n] [learner=n] [remove=n] ...    likewise for a membership change
//	transfer s to
//	step                           every store works, then what was sent is delivered
//	stabilize                      steps until nothing happens
//	tick [n]                       n times 50 ms pass, heartbeats of stores included; then stabilize
//	advance ms                     time passes, and nothing else
//	expire s                       store s withdraws what has expired
//	hold s | sync s                the log of s is not synced until it is synced
//	cut a b | isolate s | heal     cuts go in one direction
//	crash s [torn] | restart s     torn leaves half a frame at the end of the log
//	leave name                     the proposer of a command gives up waiting
//	truncate s                     the state of s is flushed and its log given back
//	quiet | loud                   messages are not shown, or are again
//	status | list | log s          replicas | what was applied | the log's entries
//
// Shown are messages as they are delivered, lost ones in brackets, leases as they
// come and go, and proposals as they end.
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &scenario{t: t}
		defer func() { s.close() }()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd != "run" {
				d.Fatalf(t, "unknown command %q", d.Cmd)
			}
			s.t = t
			for line := range strings.Lines(d.Input) {
				line = strings.TrimSpace(line)
				if line == "" || line[0] == '#' {
					continue
				}
				if strings.Count(d.Input, "\n") > 0 {
					s.printf("> %s", line)
				}
				s.run(strings.Fields(line))
			}
			out := s.out.String()
			s.out.Reset()
			if out == "" {
				return "ok\n"
			}
			return out
		})
	})
}

type scenario struct {
	t      *testing.T
	out    strings.Builder
	quiet  bool
	micros int64
	stores []*scriptStore
	cut    map[[2]StoreID]bool
	// mu guards queue.
	mu        sync.Mutex
	queue     []sentMessage
	proposals []*scriptProposal
	ticks     int
}

type scriptStore struct {
	s       *scenario
	id      StoreID
	fs      *vfs.MemFS
	clock   *hlc.Clock
	m       *listMachine
	host    *Host // nil while down
	g       *Group
	handler transport.Handler
	hold    bool
	held    []*Group
	lease   Lease // as last shown
}

type sentMessage struct {
	from, to StoreID
	class    transport.Class
	stamp    hlc.Timestamp
	b        []byte
}

type scriptProposal struct {
	name string
	p    *Proposal
	at   *scriptStore
	told bool
}

func (s *scenario) printf(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

func (s *scenario) close() {
	for _, st := range s.stores {
		if st.host != nil {
			require.NoError(s.t, st.host.Close())
		}
	}
	s.stores, s.queue, s.proposals = nil, nil, nil
}

func (s *scenario) store(arg string) *scriptStore {
	n, err := strconv.Atoi(strings.TrimPrefix(arg, "s"))
	if err != nil || n < 1 || n > len(s.stores) {
		s.t.Fatalf("no store %q", arg)
	}
	return s.stores[n-1]
}

func (s *scenario) run(f []string) {
	arg := func(i int) string {
		if i < len(f) {
			return f[i]
		}
		return ""
	}
	number := func(a string, d int) int {
		if a == "" {
			return d
		}
		n, err := strconv.Atoi(a)
		require.NoError(s.t, err)
		return n
	}
	switch f[0] {
	case "cluster":
		s.close()
		s.micros, s.cut, s.ticks = 1_000_000, map[[2]StoreID]bool{}, 0
		stores := number(strings.TrimPrefix(arg(1), "stores="), 3)
		voters := number(strings.TrimPrefix(arg(2), "voters="), stores)
		s.begin(stores, voters)
	case "campaign":
		s.store(arg(1)).g.Campaign()
	case "propose":
		s.submit(arg(2), s.store(arg(1)), nil)
	case "change":
		s.submit("change", s.store(arg(1)), s.changes(f[2:]))
	case "transfer":
		st, to := s.store(arg(1)), s.store(arg(2))
		st.g.call(func() {
			if err := st.g.beginTransfer(ReplicaID(to.id)); err != nil {
				s.printf("transfer: %v", err)
			}
		})
	case "step":
		s.step()
	case "stabilize":
	case "tick":
		for range number(arg(1), 1) {
			s.tick()
		}
	case "advance":
		s.micros += int64(number(arg(1), 0)) * 1000
	case "expire":
		s.store(arg(1)).host.liveness.Expire()
	case "hold":
		s.store(arg(1)).hold = true
	case "sync":
		st := s.store(arg(1))
		st.hold = false
		st.host.syncFor(st.held)
		st.held = nil
	case "cut":
		s.cut[[2]StoreID{s.store(arg(1)).id, s.store(arg(2)).id}] = true
	case "isolate":
		for _, o := range s.stores {
			s.cut[[2]StoreID{s.store(arg(1)).id, o.id}], s.cut[[2]StoreID{o.id, s.store(arg(1)).id}] = true, true
		}
	case "heal":
		clear(s.cut)
	case "crash":
		s.crash(s.store(arg(1)), arg(2) == "torn")
	case "restart":
		st := s.store(arg(1))
		s.start(st)
		s.open(st, st.m.members)
	case "leave":
		for _, sp := range s.proposals {
			if sp.name == arg(1) && !sp.told {
				ctx, cancel := context.WithCancelCause(context.Background())
				cancel(errors.New("the proposer has left"))
				sp.told = true
				s.printf("%s: %v", sp.name, sp.at.g.leave(ctx, sp.p))
			}
		}
	case "truncate":
		st := s.store(arg(1))
		st.m.flush()
		st.g.truncate(uint64(st.m.index))
	case "quiet", "loud":
		s.quiet = f[0] == "quiet"
	case "status":
		s.status()
	case "list":
		for _, st := range s.stores {
			if st.m != nil {
				s.printf("s%d: %s", st.id, strings.Join(st.m.list(), " "))
			}
		}
	case "log":
		st := s.store(arg(1))
		l := st.host.log.Group(testGroup)
		ents, err := l.Entries(nil, l.First(), l.Last()+1, 1<<20)
		if err != nil {
			s.printf("%v", err)
		}
		state := l.State()
		s.printf("term %d, vote %d, commit %d, entries %s", state.Hard.Term, state.Hard.Vote, state.Hard.Commit, describe(ents))
	default:
		s.t.Fatalf("unknown verb %q", f[0])
	}
	if f[0] == "stabilize" || f[0] == "tick" {
		s.stabilize()
	}
	s.report()
}

func (s *scenario) changes(args []string) (changes []MemberChange) {
	for _, a := range args {
		kind, n, _ := strings.Cut(a, "=")
		id := s.store(n).id
		c := MemberChange{Replica: ReplicaID(id), Store: id}
		switch kind {
		case "voter":
			c.Type = AddVoter
		case "learner":
			c.Type = AddLearner
		case "remove":
			c.Type = RemoveMember
		default:
			s.t.Fatalf("unknown change %q", a)
		}
		changes = append(changes, c)
	}
	return changes
}

// submit is Propose without the waiting: the turn is taken by a later step.
func (s *scenario) submit(name string, st *scriptStore, changes []MemberChange) {
	p := &Proposal{Data: []byte(name), Term: st.g.Lease().Term}
	require.NoError(s.t, st.g.admit(context.Background(), p))
	p.begin(changes)
	if !st.g.enqueue(func() { st.g.box.proposals = append(st.g.box.proposals, p) }) {
		s.printf("%s: stopped", name)
		return
	}
	s.proposals = append(s.proposals, &scriptProposal{name: name, p: p, at: st})
}

func (s *scenario) begin(stores, voters int) {
	var members []Member
	for i := range voters {
		members = append(members, Member{Replica: ReplicaID(i + 1), Store: StoreID(i + 1)})
	}
	for i := range stores {
		st := &scriptStore{s: s, id: StoreID(i + 1), fs: vfs.NewCrashableMem()}
		st.clock = hlc.NewClock(func() int64 { return s.micros }, 0)
		s.stores = append(s.stores, st)
		s.start(st)
		if i < voters {
			st.m = newList(st.fs)
			st.m.members = members
			st.m.flush()
			require.NoError(s.t, st.host.Prepare(testGroup, ReplicaID(st.id)))
		}
	}
	for i, st := range s.stores {
		if i < voters {
			s.open(st, members)
		}
		for _, o := range s.stores {
			st.host.WatchStore(o.id)
		}
	}
	quiet := s.quiet
	s.quiet = true
	s.beat()
	s.beat()
	s.stabilize()
	s.quiet = quiet
}

func (s *scenario) start(st *scriptStore) {
	cfg := soloConfig(st.fs, func(GroupID) *listMachine { return st.m })
	cfg.Store, cfg.Clock, cfg.Transport, cfg.Manual = st.id, st.clock, (*scriptTransport)(st), true
	cfg.OnUnknownGroup = func(group GroupID, to ReplicaID, _ Member) error {
		if st.m == nil {
			st.m = &listMachine{fs: st.fs}
			st.m.flush()
		}
		g, err := st.host.Open(OpenOptions{Group: group, Replica: to, Machine: st.m})
		st.g = g
		return err
	}
	cfg.OnReplicaGone = func(_ GroupID, r ReplicaID) { s.printf("s%d hears that its replica is gone", st.id) }
	cfg.Events.SupportWithdrawn = func(o StoreID, _ uint64) { s.printf("s%d withdraws its support for s%d", st.id, o) }
	h, err := NewHost(cfg)
	require.NoError(s.t, err)
	st.host = h
	require.NoError(s.t, h.Start())
}

func (s *scenario) open(st *scriptStore, members []Member) {
	g, err := st.host.Open(OpenOptions{Group: testGroup, Replica: ReplicaID(st.id), Machine: st.m, Members: members})
	require.NoError(s.t, err)
	st.g = g
}

func (s *scenario) crash(st *scriptStore, torn bool) {
	crashed := st.fs.CrashClone(vfs.CrashCloneCfg{})
	for _, o := range s.stores {
		s.cut[[2]StoreID{st.id, o.id}] = true
	}
	require.NoError(s.t, st.host.Close())
	for _, o := range s.stores {
		delete(s.cut, [2]StoreID{st.id, o.id})
	}
	s.report()
	if torn {
		names, err := crashed.List("raft")
		require.NoError(s.t, err)
		names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, ".log") })
		slices.Sort(names)
		f, err := crashed.OpenReadWrite("raft/"+names[len(names)-1], "")
		require.NoError(s.t, err)
		info, err := f.Stat()
		require.NoError(s.t, err)
		_, err = f.WriteAt([]byte("half a frame of the log"), info.Size())
		require.NoError(s.t, err)
		require.NoError(s.t, f.Sync())
		require.NoError(s.t, f.Close())
	}
	st.host, st.g, st.fs, st.held, st.hold = nil, nil, crashed, nil, false
	st.m = st.m.afterCrash()
	st.m.fs = crashed
	st.lease = Lease{}
	s.queue = slices.DeleteFunc(s.queue, func(m sentMessage) bool { return m.to == st.id })
}

// work has every group of a store that has work take its turn, and syncs.
func (st *scriptStore) work() (did bool) {
	for {
		var unsynced []*Group
		for g := st.host.ready.tryPop(); g != nil; g = st.host.ready.tryPop() {
			did = true
			if _, sync := g.takeTurn(nil); sync {
				unsynced = append(unsynced, g)
			}
		}
		if st.hold {
			st.held = append(st.held, unsynced...)
			return did
		}
		if len(unsynced) == 0 {
			return did
		}
		st.host.syncFor(unsynced)
	}
}

// step lets every store work and delivers what was sent before.
func (s *scenario) step() (did bool) {
	for _, st := range s.stores {
		if st.host != nil {
			did = st.work() || did
		}
	}
	s.report()
	s.mu.Lock()
	queue := s.queue
	s.queue = nil
	s.mu.Unlock()
	for _, class := range []transport.Class{transport.Liveness, transport.Raft} {
		for _, m := range queue {
			if m.class == class {
				s.deliver(m)
			}
		}
	}
	images := s.images()
	if images && !did && len(queue) == 0 {
		time.Sleep(100 * time.Microsecond) // on goroutines of its own
	}
	return did || len(queue) > 0 || images
}

// images reports whether an image is on its way.
func (s *scenario) images() (any bool) {
	for _, st := range s.stores {
		if st.g == nil || st.g.failed != nil {
			continue
		}
		st.g.rn.WithProgress(func(_ uint64, _ raft.ProgressType, pr trackerProgress) {
			any = any || st.g.state == raft.StateLeader && pr.State == tracker.StateSnapshot
		})
	}
	return any
}

func (s *scenario) stabilize() {
	for n := 0; s.step(); n++ {
		if n > 100_000 {
			s.t.Fatalf("no end:\n%s", s.out.String())
		}
	}
}

func (s *scenario) deliver(m sentMessage) {
	to := s.stores[m.to-1]
	lost := to.host == nil || s.cut[[2]StoreID{m.from, m.to}]
	if m.class == transport.Raft && !s.quiet {
		format := "%d->%d %s"
		if lost {
			format = "(%d->%d %s)"
		}
		s.printf(format, m.from, m.to, describeMessage(m.b))
	}
	if lost {
		return
	}
	to.clock.Update(m.stamp)
	to.host.receiveMessage(m.from, m.class, m.b)
}

// beat exchanges the heartbeats of all stores.
func (s *scenario) beat() {
	for _, st := range s.stores {
		if st.host != nil {
			st.host.liveness.Beat()
		}
	}
	// Heartbeats and grants, before anything else moves.
	for range 2 {
		s.mu.Lock()
		queue := s.queue
		s.queue = nil
		s.mu.Unlock()
		for _, m := range queue {
			if m.class == transport.Liveness {
				s.deliver(m)
			} else {
				s.queue = append(s.queue, m)
			}
		}
	}
}

func (s *scenario) tick() {
	s.micros += 50_000
	s.ticks++
	if s.ticks%4 == 0 {
		s.beat()
	}
	for _, st := range s.stores {
		if st.host != nil {
			st.host.liveness.Expire()
			st.host.tickAwake()
		}
	}
	s.stabilize()
}

// report shows leases that came or went and proposals that have ended.
func (s *scenario) report() {
	for _, st := range s.stores {
		if st.g == nil {
			continue
		}
		l := st.g.Lease()
		switch {
		case l.Held && (!st.lease.Held || st.lease.Term != l.Term):
			s.printf("s%d has the lease at term %d", st.id, l.Term)
		case !l.Held && st.lease.Held:
			s.printf("s%d has no lease any more", st.id)
		}
		st.lease = l
	}
	for _, sp := range s.proposals {
		if sp.told || !sp.p.done.Load() {
			continue
		}
		sp.told = true
		if sp.p.err != nil {
			s.printf("%s: %v", sp.name, sp.p.err)
		} else {
			s.printf("%s: applied at %d", sp.name, sp.p.Index)
		}
	}
}

func (s *scenario) status() {
	for _, st := range s.stores {
		switch {
		case st.host == nil:
			s.printf("s%d: down", st.id)
			continue
		case st.g == nil:
			s.printf("s%d: no replica", st.id)
			continue
		}
		stat := st.g.status()
		line := fmt.Sprintf("s%d: %s at term %d, leader %s, commit %d, applied %d, log %d-%d", st.id, stat.Role, stat.Term, stat.Leader,
			stat.Commit, stat.Applied, stat.First, stat.Last)
		if l := stat.Lease; l.Held && l.Until == hlc.Max {
			line += ", lease for ever"
		} else if l.Held {
			if left := l.Until.Micros() - st.clock.Peek().Micros(); left > 0 {
				line += fmt.Sprintf(", lease for %d ms", left/1000)
			} else {
				line += ", lease expired"
			}
		}
		if stat.Asleep {
			line += ", asleep"
		}
		if stat.Pending > 0 {
			line += fmt.Sprintf(", %d pending", stat.Pending)
		}
		s.printf("%s; members %v", line, stat.Members)
	}
}

func describe(ents []raftpb.Entry) string {
	var parts []string
	for _, e := range ents {
		what := string(e.Data)
		switch {
		case e.Type != raftpb.EntryNormal:
			var cc raftpb.ConfChangeV2
			if cc.Unmarshal(e.Data) == nil && len(cc.Changes) > 0 {
				what = "change"
			} else {
				what = "leave-joint"
			}
		case what == "":
			what = "empty"
		}
		parts = append(parts, fmt.Sprintf("%d/%d:%s", e.Term, e.Index, what))
	}
	return "[" + strings.Join(parts, " ") + "]"
}

func describeMessage(b []byte) string {
	_, in, err := decodeMessage(b)
	if err != nil {
		return err.Error()
	}
	switch in.kind {
	case kindGone:
		return "gone"
	case kindFortify:
		f := in.fort
		switch {
		case f.letGo:
			return fmt.Sprintf("let go t%d", f.term)
		case !f.response:
			return fmt.Sprintf("fortify? t%d epoch %d", f.term, f.epoch)
		case f.ok:
			return fmt.Sprintf("fortified t%d epoch %d", f.term, f.epoch)
		}
		return fmt.Sprintf("not fortified t%d epoch %d", f.term, f.epoch)
	}
	m := in.raft
	out := fmt.Sprintf("%s t%d", strings.TrimPrefix(m.Type.String(), "Msg"), m.Term)
	switch m.Type {
	case raftpb.MsgApp:
		out += fmt.Sprintf(" after %d/%d %s commit %d", m.LogTerm, m.Index, describe(m.Entries), m.Commit)
	case raftpb.MsgAppResp:
		out += fmt.Sprintf(" up to %d", m.Index)
	case raftpb.MsgVote, raftpb.MsgPreVote:
		out += fmt.Sprintf(" with %d/%d %s", m.LogTerm, m.Index, m.Context)
	case raftpb.MsgHeartbeat:
		out += fmt.Sprintf(" commit %d", m.Commit)
	}
	if m.Reject {
		out += " rejected"
	}
	return strings.TrimSpace(out)
}

// scriptTransport is a store's end of the network.
type scriptTransport scriptStore

var _ transport.Transport = (*scriptTransport)(nil)

func (t *scriptTransport) Start(h transport.Handler) error {
	t.handler = h
	return nil
}

func (t *scriptTransport) Close() error { return nil }

func (t *scriptTransport) Send(to StoreID, class transport.Class, m transport.Message) error {
	s := t.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, sentMessage{from: t.id, to: to, class: class, stamp: t.clock.Now(), b: m.AppendTo(nil)})
	return nil
}

// OpenStream implements transport.Transport: an image goes through at once.
func (t *scriptTransport) OpenStream(ctx context.Context, to StoreID) (transport.Stream, error) {
	s := t.s
	dst := s.stores[to-1]
	if dst.host == nil || s.cut[[2]StoreID{t.id, to}] {
		return nil, transport.ErrUnreachable
	}
	p := &scriptStream{ctx: ctx, chunks: make(chan []byte, 1024), done: make(chan error, 1)}
	go func() {
		p.done <- dst.handler.Stream(ctx, t.id, (*scriptStreamServer)(p))
	}()
	return p, nil
}

type scriptStream struct {
	ctx    context.Context
	chunks chan []byte
	done   chan error
}

func (p *scriptStream) Send(chunk []byte) error {
	p.chunks <- slices.Clone(chunk)
	return nil
}

func (p *scriptStream) Recv() ([]byte, error) {
	select {
	case err := <-p.done:
		if err != nil {
			return nil, err
		}
		return nil, io.EOF
	case <-p.ctx.Done():
		return nil, p.ctx.Err()
	}
}

func (p *scriptStream) CloseSend() error {
	close(p.chunks)
	return nil
}

type scriptStreamServer scriptStream

func (p *scriptStreamServer) Send([]byte) error { return nil }
func (p *scriptStreamServer) CloseSend() error  { return nil }

func (p *scriptStreamServer) Recv() ([]byte, error) {
	select {
	case c, ok := <-p.chunks:
		if !ok {
			return nil, io.EOF
		}
		return c, nil
	case <-p.ctx.Done():
		return nil, p.ctx.Err()
	}
}
