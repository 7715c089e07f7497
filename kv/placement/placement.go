// Package placement decides where replicas and leases belong. It is pure: a
// picture of the cluster and of one range goes in, an ordered list of moves
// comes out, and kv/store, which asks on behalf of the ranges it leads, carries
// out the first. After each move it asks again, so no plan outlives its facts.
//
// # Order of concern
//
//  1. finish what is half done: promote learners, or remove those that are lost
//  2. safety: add replicas while there are too few, replace dead ones (silent for
//     longer than Config.TimeUntilDead; the caller says so per store)
//  3. the operator's wishes: empty decommissioning stores, take leases from
//     draining ones
//  4. surplus replicas
//  5. disks that run full
//  6. balance: spread over localities first, then number of ranges, then leases
//     and load
//
// Nothing is planned while a range lacks a quorum or is in a joint
// configuration.
//
// # Not going round in circles
//
// Balance moves must pay: a store gives only if it is above the mean by the
// threshold, takes only if below, and the difference before the move is at least
// two, so that no move can be worth undoing (see TestConvergence). Every node
// decides alone for the ranges it leads, from figures some seconds old; the
// caller limits the pace.
package placement

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/liveness"
)

// Config holds the aims.
type Config struct {
	// Replicas is the wanted number of voters of a range. It shrinks to an odd
	// number of existing stores. Default 3.
	Replicas int
	// TimeUntilDead is how long a store must be silent before its replicas are
	// replaced. Default 1 min.
	TimeUntilDead time.Duration
	// RangeThreshold and LeaseThreshold are how far from the mean, as a fraction,
	// a store may be before balance moves begin. Defaults 0.05 and 0.1; a
	// difference below 2 never counts.
	RangeThreshold, LeaseThreshold float64
	// QPSThreshold likewise for batches per second of the leases, beyond
	// MinQPSDifference. Defaults 0.25 and 100.
	QPSThreshold, MinQPSDifference float64
	// FullFraction is the part of its disk above which a store gets no more
	// replicas, and sheds above the middle between it and 1. Default 0.92.
	FullFraction float64
	// MaxL0Sublevels is the read amplification from which a store gets no more
	// replicas. Default 12.
	MaxL0Sublevels int32
	// NoBalance switches the last concern off.
	NoBalance bool
}

// WithDefaults returns c with defaults filled in.
func (c Config) WithDefaults() Config {
	def(&c.Replicas, 3)
	def(&c.TimeUntilDead, time.Minute)
	def(&c.RangeThreshold, 0.05)
	def(&c.LeaseThreshold, 0.1)
	def(&c.QPSThreshold, 0.25)
	def(&c.MinQPSDifference, 100)
	def(&c.FullFraction, 0.92)
	def(&c.MaxL0Sublevels, 12)
	return c
}

func def[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Store is one store as the deciding node sees it.
type Store struct {
	Store    keys.StoreID
	Node     keys.NodeID
	Locality liveness.Locality
	State    liveness.State
	// Alive: heard a moment ago. Dead: silent for longer than TimeUntilDead. A
	// store may be neither.
	Alive, Dead bool
	Load        liveness.Load
}

// StoresOf translates a liveness snapshot.
func StoresOf(nodes []liveness.Status, c Config) []Store {
	c = c.WithDefaults()
	stores := make([]Store, len(nodes))
	for i, n := range nodes {
		stores[i] = Store{
			Store: n.Store, Node: n.Node, Locality: n.Locality, State: n.State, Load: n.Load,
			Alive: n.Alive, Dead: !n.Alive && n.Silent >= c.TimeUntilDead,
		}
	}
	return stores
}

// takes reports whether the store may get replicas.
func (s *Store) takes(c *Config) bool {
	return s.Alive && s.State == liveness.Live && s.fullness() < c.FullFraction && s.Load.L0Sublevels < c.MaxL0Sublevels
}

// fullness is the used part of the disk; 0 if unknown.
func (s *Store) fullness() float64 {
	if s.Load.CapacityBytes <= 0 {
		return 0
	}
	return 1 - float64(s.Load.AvailableBytes)/float64(s.Load.CapacityBytes)
}

func (s *Store) leaving() bool {
	return s.State == liveness.Decommissioning || s.State == liveness.Decommissioned
}

// Range is the range to place.
type Range struct {
	Desc        *kv.RangeDescriptor
	Leaseholder keys.StoreID
	Bytes       int64
	// QPS are the batches per second that its leaseholder serves.
	QPS float64
	// Behind reports whether a store's replica lags too far to take the lease or
	// to be promoted; nil: none does.
	Behind func(keys.StoreID) bool
}

func (r *Range) behind(s keys.StoreID) bool { return r.Behind != nil && r.Behind(s) }

// Kind is the kind of a Move.
type Kind uint8

// The moves.
const (
	// Add puts a replica on Move.To: as a learner, which gets a snapshot and is
	// then promoted.
	Add Kind = iota
	// Promote makes the learner on Move.To a voter.
	Promote
	// Replace is Add on Move.To and removal from Move.From, the promotion and the
	// removal in one joint change.
	Replace
	// Remove removes the replica on Move.From.
	Remove
	// TransferLease hands the lease from Move.From to Move.To.
	TransferLease
)

var kindNames = [...]string{"add", "promote", "replace", "remove", "transfer-lease"}

// String returns the kind's name.
func (k Kind) String() string { return kindNames[k] }

// Move is one change to a range.
type Move struct {
	Kind     Kind
	To, From keys.StoreID
	ToNode   keys.NodeID
	// Urgent moves restore safety and should not wait behind balancing.
	Urgent bool
	Reason string
}

// String renders the move for events.
func (m Move) String() string {
	switch m.Kind {
	case Add, Promote:
		return fmt.Sprintf("%s %s: %s", m.Kind, m.To, m.Reason)
	case Remove:
		return fmt.Sprintf("%s %s: %s", m.Kind, m.From, m.Reason)
	}
	return fmt.Sprintf("%s %s by %s: %s", m.Kind, m.From, m.To, m.Reason)
}

// plan is the state of one call of Plan.
type plan struct {
	c      Config
	stores map[keys.StoreID]*Store
	list   []Store
	r      Range
	moves  []Move
}

// Plan returns what should be done about a range, most important first. stores
// lists every store of the cluster.
func Plan(c Config, stores []Store, r Range) []Move {
	p := plan{c: c.WithDefaults(), list: stores, r: r, stores: make(map[keys.StoreID]*Store, len(stores))}
	for i := range stores {
		p.stores[stores[i].Store] = &stores[i]
	}
	voters, learners := 0, 0
	alive := 0
	for _, rd := range r.Desc.Replicas {
		switch rd.Role {
		case kv.Voter:
			voters++
			if s := p.stores[rd.Store]; s == nil || s.Alive || rd.Store == r.Leaseholder {
				alive++
			}
		case kv.Learner:
			learners++
		default:
			return nil // joint: the leader leaves it by itself
		}
	}
	if alive <= voters/2 {
		return nil // no change can commit
	}
	p.safety(voters, p.learners())
	p.drain()
	if len(p.moves) == 0 && learners == 0 && !p.c.NoBalance {
		p.balanceReplicas()
		p.balanceLeases()
	}
	return p.moves
}

func (p *plan) add(m Move) { p.moves = append(p.moves, m) }

// wanted is the number of voters to aim for: Config.Replicas, or the greatest odd
// number of stores that are to stay. Dead stores count: their number returns, or
// the operator decommissions them.
func (p *plan) wanted() int {
	n := 0
	for i := range p.list {
		if !p.list[i].leaving() {
			n++
		}
	}
	n = min(n, p.c.Replicas)
	if n%2 == 0 {
		n--
	}
	return max(n, 1)
}

// learners plans their ends and returns how many are still on the way to be
// voters.
func (p *plan) learners() (hopeful int) {
	for _, rd := range p.r.Desc.Replicas {
		if rd.Role != kv.Learner {
			continue
		}
		switch s := p.stores[rd.Store]; {
		case s == nil || s.Dead || s.leaving():
			p.add(Move{Kind: Remove, From: rd.Store, Urgent: true, Reason: "learner on a lost store"})
			continue
		case s.Alive && !p.r.behind(rd.Store):
			p.add(Move{Kind: Promote, To: rd.Store, ToNode: rd.Node, Urgent: true, Reason: "learner has caught up"})
		}
		hopeful++
	}
	return hopeful
}

// safety plans additions, replacements and removals.
func (p *plan) safety(voters, hopeful int) {
	wanted := p.wanted()
	if voters < wanted {
		if hopeful >= wanted-voters {
			return
		}
		if to := p.candidate(0); to != nil {
			p.add(Move{Kind: Add, To: to.Store, ToNode: to.Node, Urgent: true,
				Reason: fmt.Sprintf("%d voters of %d", voters, wanted)})
		}
		return
	}
	for _, rd := range p.voters() {
		s := p.stores[rd.Store]
		reason, urgent := "", false
		switch {
		case s == nil || s.State == liveness.Decommissioned:
			reason, urgent = "store is gone", true
		case s.Dead:
			reason, urgent = "store is dead", true
		case s.leaving():
			reason = "store is being decommissioned"
		case s.fullness() > (1+p.c.FullFraction)/2:
			reason = "disk is nearly full"
		default:
			continue
		}
		if voters > wanted {
			if rd.Store != p.r.Leaseholder {
				p.add(Move{Kind: Remove, From: rd.Store, Urgent: urgent, Reason: reason})
				return
			}
		} else if to := p.candidate(rd.Store); to != nil && hopeful == 0 {
			if rd.Store == p.r.Leaseholder {
				p.moveLease(reason) // a leaseholder is not removed before its lease has moved
			} else {
				p.add(Move{Kind: Replace, From: rd.Store, To: to.Store, ToNode: to.Node, Urgent: urgent, Reason: reason})
			}
			return
		}
	}
	if voters > wanted {
		if from := p.surplus(); from != 0 {
			p.add(Move{Kind: Remove, From: from, Reason: fmt.Sprintf("%d voters of %d", voters, wanted)})
		}
	}
}

// drain takes the lease from a store that is to give it up.
func (p *plan) drain() {
	s := p.stores[p.r.Leaseholder]
	if s == nil || s.State == liveness.Live {
		return
	}
	p.moveLease("store is " + s.State.String())
}

func (p *plan) moveLease(reason string) {
	for _, m := range p.moves {
		if m.Kind == TransferLease {
			return
		}
	}
	if to := p.leaseTarget(); to != nil {
		p.add(Move{Kind: TransferLease, From: p.r.Leaseholder, To: to.Store, ToNode: to.Node, Reason: reason})
	}
}

// voters returns the range's voters.
func (p *plan) voters() []kv.ReplicaDescriptor {
	var v []kv.ReplicaDescriptor
	for _, rd := range p.r.Desc.Replicas {
		if rd.Role == kv.Voter {
			v = append(v, rd)
		}
	}
	return v
}

// spread is how far the given stores are apart: the sum of distances of all
// pairs.
func (p *plan) spread(stores []keys.StoreID) int {
	sum := 0
	for i, a := range stores {
		for _, b := range stores[:i] {
			if x, y := p.stores[a], p.stores[b]; x != nil && y != nil {
				sum += x.Locality.Distance(y.Locality)
			}
		}
	}
	return sum
}

// others returns the stores of the range's replicas but one.
func (p *plan) others(without keys.StoreID) []keys.StoreID {
	var ids []keys.StoreID
	for _, rd := range p.r.Desc.Replicas {
		if rd.Store != without {
			ids = append(ids, rd.Store)
		}
	}
	return ids
}

func (p *plan) holds(s keys.StoreID) bool {
	_, ok := p.r.Desc.Replica(s)
	return ok
}

// candidate returns the best store for another replica in place of the one on
// without (0: in addition): the greatest spread, then the fewest ranges.
func (p *plan) candidate(without keys.StoreID) *Store {
	rest := p.others(without)
	var best *Store
	bestSpread := 0
	for i := range p.list {
		s := &p.list[i]
		if !s.takes(&p.c) || p.holds(s.Store) || p.nodeHolds(s.Node, without) {
			continue
		}
		spread := p.spread(append(slices.Clip(rest), s.Store))
		if best == nil || spread > bestSpread || spread == bestSpread && lessLoaded(s, best) {
			best, bestSpread = s, spread
		}
	}
	return best
}

// nodeHolds reports whether another store of the same node holds a replica.
func (p *plan) nodeHolds(n keys.NodeID, without keys.StoreID) bool {
	for _, rd := range p.r.Desc.Replicas {
		if rd.Node == n && rd.Store != without {
			return true
		}
	}
	return false
}

func lessLoaded(a, b *Store) bool {
	if a.Load.Ranges != b.Load.Ranges {
		return a.Load.Ranges < b.Load.Ranges
	}
	return a.Store < b.Store
}

// surplus returns the voter whose removal costs the least: never the
// leaseholder's, the one that adds least spread, then the fullest store's.
func (p *plan) surplus() keys.StoreID {
	var worst *Store
	worstSpread := math.MinInt
	for _, rd := range p.voters() {
		s := p.stores[rd.Store]
		if rd.Store == p.r.Leaseholder || s == nil {
			continue
		}
		left := p.spread(p.others(rd.Store))
		if worst == nil || left > worstSpread || left == worstSpread && lessLoaded(worst, s) {
			worst, worstSpread = s, left
		}
	}
	if worst == nil {
		return 0
	}
	return worst.Store
}

// balanceReplicas plans at most one replacement for the sake of spread or of the
// number of ranges.
func (p *plan) balanceReplicas() {
	mean, n := 0.0, 0
	for i := range p.list {
		if s := &p.list[i]; s.Alive && s.State == liveness.Live {
			mean += float64(s.Load.Ranges)
			n++
		}
	}
	if n == 0 {
		return
	}
	mean /= float64(n)
	now := p.spread(p.others(0))
	var best Move
	gain := 0.0
	for _, rd := range p.voters() {
		from, to := p.stores[rd.Store], p.candidate(rd.Store)
		if from == nil || to == nil {
			continue
		}
		// One tier of distance outweighs any number of ranges.
		better := float64(p.spread(append(p.others(rd.Store), to.Store))-now) * 1e9
		reason := "spread over localities"
		if better < 0 {
			continue
		}
		if better == 0 {
			reason = fmt.Sprintf("%d ranges against %d, mean %.1f", from.Load.Ranges, to.Load.Ranges, mean)
			diff := from.Load.Ranges - to.Load.Ranges
			high := float64(from.Load.Ranges) > mean*(1+p.c.RangeThreshold)
			low := float64(to.Load.Ranges) < mean*(1-p.c.RangeThreshold)
			if diff < 2 || !high && !low {
				continue
			}
			better = float64(diff)
		}
		if better > gain {
			gain = better
			best = Move{Kind: Replace, From: rd.Store, To: to.Store, ToNode: to.Node, Reason: reason}
		}
	}
	if gain == 0 {
		return
	}
	if best.From == p.r.Leaseholder {
		p.moveLease("before: " + best.Reason)
		return
	}
	p.add(best)
}

// leaseTarget returns the voter that should take the lease: alive, up to date,
// wanted, with the fewest leases.
func (p *plan) leaseTarget() *Store {
	var best *Store
	for _, rd := range p.voters() {
		s := p.stores[rd.Store]
		if s == nil || rd.Store == p.r.Leaseholder || !s.Alive || s.State != liveness.Live || p.r.behind(rd.Store) {
			continue
		}
		if best == nil || s.Load.Leases < best.Load.Leases || s.Load.Leases == best.Load.Leases && s.Store < best.Store {
			best = s
		}
	}
	return best
}

// balanceLeases plans a transfer if the leaseholder has many more leases, or
// serves far more, than another voter. The mean is that of the stores of this
// range, which are the ones that could take it.
func (p *plan) balanceLeases() {
	from, to := p.stores[p.r.Leaseholder], p.leaseTarget()
	if from == nil || to == nil || len(p.moves) > 0 {
		return
	}
	var leases, qps, n float64
	var coolest *Store
	for _, rd := range p.voters() {
		s := p.stores[rd.Store]
		if s == nil {
			continue
		}
		leases += float64(s.Load.Leases)
		qps += s.Load.QPS
		n++
		if s != from && s.Alive && s.State == liveness.Live && !p.r.behind(s.Store) && (coolest == nil || s.Load.QPS < coolest.Load.QPS) {
			coolest = s
		}
	}
	leases, qps = leases/n, qps/n
	// Load first: the range must fit into the gap, or the peak merely moves.
	if gap := from.Load.QPS - coolest.Load.QPS; from.Load.QPS > qps*(1+p.c.QPSThreshold) && gap > p.c.MinQPSDifference &&
		p.r.QPS > 0 && p.r.QPS < gap*0.8 && p.r.QPS > gap*0.02 {
		p.add(Move{Kind: TransferLease, From: from.Store, To: coolest.Store, ToNode: coolest.Node,
			Reason: fmt.Sprintf("%.0f batches/s against %.0f", from.Load.QPS, coolest.Load.QPS)})
		return
	}
	diff := from.Load.Leases - to.Load.Leases
	// A transfer by number must not undo one by load.
	if diff >= 2 && float64(from.Load.Leases) > leases*(1+p.c.LeaseThreshold) &&
		to.Load.QPS+p.r.QPS <= from.Load.QPS+p.c.MinQPSDifference {
		p.add(Move{Kind: TransferLease, From: from.Store, To: to.Store, ToNode: to.Node,
			Reason: fmt.Sprintf("%d leases against %d", from.Load.Leases, to.Load.Leases)})
	}
}
