package replica

import (
	"errors"
	"fmt"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/invariant"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/storage"
	"github.com/spanlite/spanlite/kv/tscache"
	"github.com/spanlite/spanlite/raftgroup"
)

var _ raftgroup.StateMachine = (*Replica)(nil)

// pending is a command on its way. Its Proposal's Owner points back to it. Once
// its outcome is ambiguous nobody touches it again, since the log may still
// refer to it.
type pending struct {
	proposal raftgroup.Proposal
	id       uint64
	buf      []byte // proposal.Data's memory
	// batch holds the writes of buf, so that the proposer's own process need not
	// take them apart again. Nil for some administrative commands.
	batch *storage.Batch

	// Results, set by Apply.
	rejected bool
	desc     *kv.RangeDescriptor // the descriptor after a trigger
	right    *kv.RangeDescriptor
}

// AppliedIndex implements raftgroup.StateMachine.
func (r *Replica) AppliedIndex() (raftgroup.Index, raftgroup.Term) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.state.index, r.mu.state.term
}

// applier collects the effects of consecutive entries in one engine batch.
type applier struct {
	r     *Replica
	state state
	batch *storage.Batch
	// own: batch is the property of a pending and not closed here.
	own bool
	// orphans are commands of this batch for which nobody waits here.
	orphans []lostCommand
}

// Apply implements raftgroup.StateMachine: one engine batch for all entries
// between two triggers, and one for each trigger, each with the applied index
// (invariants I2 to I4). Application depends on the entries and the state alone;
// what only this process does (hooks, results) comes after the commit.
func (r *Replica) Apply(entries []raftgroup.Entry) error {
	r.mu.Lock()
	a := applier{r: r, state: r.mu.state}
	r.mu.Unlock()
	for i := range entries {
		e := &entries[i]
		if e.Index != a.state.index+1 || e.Term < a.state.term {
			a.drop()
			return fmt.Errorf("replica: %s: entry %d of term %d after %d of term %d",
				r.cfg.RangeID, e.Index, e.Term, a.state.index, a.state.term)
		}
		if err := a.entry(e, len(entries) == 1); err != nil {
			a.drop()
			return fmt.Errorf("replica: %s: apply entry %d: %w", r.cfg.RangeID, e.Index, err)
		}
	}
	return a.commit()
}

// open makes sure that there is a batch.
func (a *applier) open() {
	if a.batch == nil {
		a.batch, a.own = a.r.cfg.Engine.NewBatch(), false
	}
}

func (a *applier) drop() {
	if a.batch != nil && !a.own {
		a.batch.Close()
	}
	a.batch = nil
}

// commit makes everything collected visible, with the state.
func (a *applier) commit() error {
	r := a.r
	if a.batch == nil && a.state == r.mu.state { // mu.state has one writer: us
		return nil
	}
	a.open()
	a.state.encode(&r.applyBuf.state)
	a.batch.Put(r.applyBuf.stateKey, r.applyBuf.state[:])
	err := a.batch.Commit()
	a.drop()
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.mu.state = a.state
	r.mu.Unlock()
	r.intents.Store(a.state.stats.Intents)
	for _, o := range a.orphans {
		r.settle(o.id)
	}
	a.orphans = nil
	return nil
}

// entry applies one entry. alone says that it is the only one, so the
// proposer's batch can be committed as it is.
func (a *applier) entry(e *raftgroup.Entry, alone bool) error {
	r := a.r
	var p *pending
	if e.Proposal != nil {
		p, _ = e.Proposal.Owner.(*pending)
	}
	if len(e.Data) == 0 {
		a.state.index, a.state.term = e.Index, e.Term
		if e.Members != nil {
			return a.members(e.Members, nil, p)
		}
		return nil
	}
	var c command
	if err := c.decode(e.Data); err != nil {
		return err
	}
	if c.kind != cmdWrite {
		// Hooks find the engine at exactly the index before.
		if err := a.commit(); err != nil {
			return err
		}
	}
	a.state.index, a.state.term = e.Index, e.Term
	if p == nil {
		if r.leaseTerm.Load() == uint64(c.term) {
			a.orphans = append(a.orphans, lostCommand{id: c.id, term: c.term})
		}
	}
	// I9. The group appends a proposal only in the term that it was evaluated
	// under, so this is the second lock on that door; it is a function of the
	// entry alone.
	rejected := c.term != e.Term ||
		a.state.frozen && c.kind != cmdUnfreeze && c.kind != cmdChecksum && c.kind != cmdMembers
	if rejected {
		if e.Members != nil {
			return fmt.Errorf("membership change evaluated in term %d", c.term)
		}
		if p != nil {
			p.rejected = true
		}
		return nil
	}
	a.state.stats.Add(c.stats)
	a.state.closed = max(a.state.closed, c.closed)
	if c.kind == cmdWrite {
		if len(c.trigger) > 0 {
			if err := remember(&r.outcomes, c.trigger); err != nil {
				return err
			}
		}
		if alone && p != nil && p.batch != nil && a.batch == nil {
			if invariant.Expensive && string(p.batch.Repr()) != string(c.writes) {
				invariant.Failf("replica: %s: proposal and entry %d differ", r.cfg.RangeID, e.Index)
			}
			a.batch, a.own = p.batch, true
			return nil
		}
		return a.writes(c.writes)
	}
	return a.trigger(e, &c, p)
}

func (a *applier) writes(repr []byte) error {
	if len(repr) == 0 {
		return nil
	}
	a.open()
	return a.batch.Apply(repr)
}

// trigger applies a command that is more than writes. What precedes it is
// committed already.
func (a *applier) trigger(e *raftgroup.Entry, c *command, p *pending) error {
	if err := a.writes(c.writes); err != nil {
		return err
	}
	switch c.kind {
	case cmdSplit:
		return a.split(c, p)
	case cmdMerge:
		return a.merge(c, p)
	case cmdMembers:
		var d kv.RangeDescriptor
		if err := d.Decode(c.trigger); err != nil {
			return err
		}
		if e.Members == nil {
			return errors.New("members command without a membership change")
		}
		return a.members(e.Members, &d, p)
	case cmdFreeze, cmdUnfreeze:
		return a.freeze(c)
	case cmdThreshold:
		t := triggerReader{b: c.trigger}
		ts := hlc.Timestamp(t.u64())
		if err := t.done(); err != nil {
			return err
		}
		a.state.gcThreshold = max(a.state.gcThreshold, ts)
		if err := a.commit(); err != nil {
			return err
		}
		a.r.gcThreshold.Store(uint64(a.state.gcThreshold))
		return nil
	case cmdChecksum:
		t := triggerReader{b: c.trigger}
		id := t.u64()
		if err := t.done(); err != nil {
			return err
		}
		if err := a.commit(); err != nil {
			return err
		}
		if f := a.r.cfg.Hooks.Checksum; f != nil {
			f(a.r, id, a.state.index, a.r.desc.Load(), a.r.cfg.Engine.NewSnapshot())
		}
		return nil
	case cmdHandover:
		if err := a.commit(); err != nil {
			return err
		}
		a.r.mu.Lock()
		a.r.mu.handover, a.r.mu.handoverTerm = append([]byte(nil), c.trigger...), c.term
		a.r.mu.Unlock()
		return nil
	}
	return fmt.Errorf("no trigger for command %s", c.kind)
}

func (a *applier) split(c *command, p *pending) error {
	r := a.r
	var s SplitTrigger
	if err := s.decode(c.trigger); err != nil {
		return err
	}
	keep := true
	a.open()
	if f := r.cfg.Hooks.PrepareSplit; f != nil {
		var err error
		if keep, err = f(r, &s, a.batch); err != nil {
			return err
		}
	}
	a.batch.Put(keys.RangeLocal(r.cfg.RangeID, suffixDesc), s.Left.Encode(nil))
	a.state.stats.Sub(s.RightStats)
	a.state.floor = max(a.state.floor, s.Floor)
	if keep {
		writeRange(a.batch, &s.Right, membersOf(&s.Right), &state{
			index: raftgroup.InitialIndex, term: raftgroup.InitialTerm,
			gcThreshold: a.state.gcThreshold, floor: s.Floor, stats: s.RightStats,
		})
	} else {
		for _, span := range replicatedData(s.Right.Start, s.Right.End) {
			a.batch.ClearSpan(span)
		}
	}
	if err := a.commit(); err != nil {
		return err
	}
	r.cfg.Clock.Update(s.Floor)
	left := s.Left
	r.desc.Store(&left)
	s.Handover = &Handover{Outcomes: &r.outcomes}
	if r.Lease().Held {
		span := keys.Span{Start: s.Right.Start, End: s.Right.End}
		s.Handover.Locks = r.p.ExportLocks(span)
		r.p.DropLocks(span, &kv.RangeMismatchError{RangeID: r.cfg.RangeID, Descs: []*kv.RangeDescriptor{&left}})
	}
	if p != nil {
		right := s.Right
		p.desc, p.right = &left, &right
	}
	if f := r.cfg.Hooks.AfterSplit; f != nil {
		if err := f(r, &s, keep); err != nil {
			return err
		}
	}
	if f := r.cfg.Hooks.DescriptorChanged; f != nil {
		f(r, &left)
	}
	return nil
}

func (a *applier) merge(c *command, p *pending) error {
	r := a.r
	var m MergeTrigger
	if err := m.decode(c.trigger); err != nil {
		return err
	}
	a.open()
	if f := r.cfg.Hooks.PrepareMerge; f != nil {
		if err := f(r, &m, a.batch); err != nil {
			return err
		}
	}
	// The right range's own items go, its addressed data stay. Its id can never
	// come back to this store.
	clearReplica(a.batch, m.Right.RangeID, &m.Right, true)
	putTombstone(a.batch, m.Right.RangeID, ^keys.ReplicaID(0))
	a.batch.Put(keys.RangeLocal(r.cfg.RangeID, suffixDesc), m.Left.Encode(nil))
	a.state.stats.Add(m.RightStats)
	a.state.floor = max(a.state.floor, m.Floor)
	if err := a.commit(); err != nil {
		return err
	}
	r.cfg.Clock.Update(m.Floor)
	r.tsc.Load().AddSpan(m.Right.Start, m.Right.End, m.Floor, kv.TxnID{})
	r.tsc.Load().RaiseRecordFloor(m.Floor)
	// What the right range has applied is remembered on its replicas, which go.
	r.outcomes.Forget(m.Floor.Add(r.cfg.Clock.MaxOffset()))
	left := m.Left
	r.desc.Store(&left)
	if p != nil {
		p.desc = &left
	}
	if f := r.cfg.Hooks.AfterMerge; f != nil {
		if err := f(r, &m); err != nil {
			return err
		}
	}
	if f := r.cfg.Hooks.DescriptorChanged; f != nil {
		f(r, &left)
	}
	return nil
}

// members applies a membership change. added is the descriptor that names the
// nodes of new replicas; nil where the group moves on by itself (the end of a
// joint configuration).
func (a *applier) members(members []raftgroup.Member, added *kv.RangeDescriptor, p *pending) error {
	r := a.r
	old := r.desc.Load()
	if old == nil {
		return errors.New("membership change on an uninitialised replica")
	}
	d := *old
	d.Generation++
	d.Replicas = make([]kv.ReplicaDescriptor, 0, len(members))
	here := false
	for _, m := range members {
		rd, ok := findReplica(old, m.Replica)
		if !ok && added != nil {
			rd, ok = findReplica(added, m.Replica)
		}
		if !ok {
			return fmt.Errorf("member %s is not described", m)
		}
		switch m.Kind {
		case raftgroup.Voter:
			rd.Role = kv.Voter
		case raftgroup.Learner:
			rd.Role = kv.Learner
		case raftgroup.VoterIncoming:
			rd.Role = kv.VoterIncoming
		case raftgroup.VoterOutgoing, raftgroup.VoterDemoting:
			rd.Role = kv.VoterOutgoing
		}
		d.Replicas = append(d.Replicas, rd)
		here = here || m.Replica == r.cfg.ReplicaID
	}
	if added != nil {
		d.NextReplicaID = max(d.NextReplicaID, added.NextReplicaID)
	}
	a.open()
	a.batch.Put(keys.RangeLocal(r.cfg.RangeID, suffixDesc), d.Encode(nil))
	a.batch.Put(keys.RangeLocal(r.cfg.RangeID, suffixMembers), encodeMembers(nil, members))
	if err := a.commit(); err != nil {
		return err
	}
	r.mu.Lock()
	r.mu.members = append([]raftgroup.Member(nil), members...)
	r.mu.Unlock()
	r.desc.Store(&d)
	if p != nil {
		p.desc = &d
	}
	if f := r.cfg.Hooks.DescriptorChanged; f != nil {
		f(r, &d)
	}
	if f := r.cfg.Hooks.Removed; f != nil && !here {
		f(r)
	}
	return nil
}

func findReplica(d *kv.RangeDescriptor, id keys.ReplicaID) (kv.ReplicaDescriptor, bool) {
	for _, rd := range d.Replicas {
		if rd.Replica == id {
			return rd, true
		}
	}
	return kv.ReplicaDescriptor{}, false
}

func (a *applier) freeze(c *command) error {
	r := a.r
	if c.kind == cmdFreeze {
		t := triggerReader{b: c.trigger}
		floor := hlc.Timestamp(t.u64())
		if err := t.done(); err != nil {
			return err
		}
		a.state.floor = max(a.state.floor, floor)
	}
	a.state.frozen = c.kind == cmdFreeze
	if err := a.commit(); err != nil {
		return err
	}
	r.cfg.Clock.Update(a.state.floor)
	r.setFrozen(a.state.frozen)
	return nil
}

// anyTerm marks a handover that holds for the first lease, whatever its term.
const anyTerm = ^raftgroup.Term(0)

// Seed gives the right-hand replica of a split, before its group is opened, what
// the left one, and if it was the leaseholder its participant, had in memory for
// its keys. h may be nil.
func (r *Replica) Seed(h *Handover) {
	if h == nil {
		return
	}
	if h.Outcomes != nil {
		r.outcomes.Reset()
		r.outcomes.Absorb(h.Outcomes)
	}
	if h.Locks == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.handover, r.mu.handoverTerm = h.Locks, anyTerm
}

// LeaseChanged implements raftgroup.StateMachine.
//
// A lease starts with an empty lock table and a timestamp cache in which every
// key counts as read at the lease's start (I8), or at the floor that splits and
// merges have left.
func (r *Replica) LeaseChanged(l raftgroup.Lease) {
	old := raftgroup.Term(r.leaseTerm.Load())
	if old != 0 && (!l.Held || old != l.Term) {
		r.leaseTerm.Store(0)
		r.p.LeaseEnded(r.notLeaseholder(l))
	}
	if l.Held && old != l.Term {
		r.mu.Lock()
		floor := max(l.Start, r.mu.state.floor)
		handover := r.mu.handover
		if r.mu.handoverTerm != anyTerm && r.mu.handoverTerm+1 != l.Term {
			handover = nil // someone else has led in between
		}
		r.mu.handover = nil
		r.mu.Unlock()
		r.cfg.Clock.Update(floor)
		if invariant.Mutated(invariant.ForgetReads) {
			floor = 0
		}
		r.tsc.Store(tscache.New(floor))
		r.p.LeaseStarted()
		if handover != nil {
			_ = r.p.ImportLocks(handover) // without them I13 decides
		}
		r.leaseTerm.Store(uint64(l.Term))
	}
	r.settleBefore(l.Term)
	r.wakeLeaseWaiters()
	if f := r.cfg.Hooks.LeaseChanged; f != nil {
		f(r, l)
	}
}
