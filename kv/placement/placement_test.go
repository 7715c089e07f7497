package placement

// One row, one fact: what is planned for a range in a small cluster. Then a
// simulation shows that carrying out the first move again and again comes to
// rest in a balanced cluster.

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/liveness"
)

func store(id keys.StoreID, mutate ...func(*Store)) Store {
	s := Store{Store: id, Node: keys.NodeID(id), Alive: true}
	for _, m := range mutate {
		m(&s)
	}
	return s
}

func dead(s *Store)   { s.Alive, s.Dead = false, true }
func silent(s *Store) { s.Alive = false }
func state(st liveness.State) func(*Store) {
	return func(s *Store) { s.State = st }
}
func ranges(n int32) func(*Store) { return func(s *Store) { s.Load.Ranges = n } }
func leases(n int32) func(*Store) { return func(s *Store) { s.Load.Leases = n } }
func qps(n float64) func(*Store)  { return func(s *Store) { s.Load.QPS = n } }
func disk(used float64) func(*Store) {
	return func(s *Store) { s.Load.CapacityBytes, s.Load.AvailableBytes = 1000, int64(1000*(1-used)) }
}
func in(locality string) func(*Store) {
	return func(s *Store) { s.Locality, _ = liveness.ParseLocality(locality) }
}

// rng makes a range led by the first store; negative ids are learners.
func rng(stores ...int) Range {
	d := &kv.RangeDescriptor{RangeID: 1}
	for i, s := range stores {
		rd := kv.ReplicaDescriptor{Replica: keys.ReplicaID(i + 1), Store: keys.StoreID(max(s, -s)), Node: keys.NodeID(max(s, -s))}
		if s < 0 {
			rd.Role = kv.Learner
		}
		d.Replicas = append(d.Replicas, rd)
	}
	return Range{Desc: d, Leaseholder: d.Replicas[0].Store}
}

func TestPlan(t *testing.T) {
	behind := func(s keys.StoreID) func(keys.StoreID) bool { return func(o keys.StoreID) bool { return o == s } }
	joint := rng(1, 2, 3)
	joint.Desc.Replicas[2].Role = kv.VoterOutgoing
	lagging := rng(1, 2, -3)
	lagging.Behind = behind(3)
	hot := rng(1, 2, 3)
	hot.QPS = 300
	for _, c := range []struct {
		name   string
		stores []Store
		r      Range
		want   string
	}{
		{"alone", []Store{store(1)}, rng(1), "[]"},
		{"two stores are no better than one", []Store{store(1), store(2)}, rng(1), "[]"},
		{"third store", []Store{store(1), store(2), store(3, ranges(9))}, rng(1), "[add s2: 1 voters of 3]"},
		{"second step", []Store{store(1), store(2), store(3)}, rng(1, 2), "[add s3: 2 voters of 3]"},
		{"not on a silent store", []Store{store(1), store(2, silent), store(3)}, rng(1), "[add s3: 1 voters of 3]"},
		{"content", []Store{store(1), store(2), store(3)}, rng(1, 2, 3), "[]"},
		{"learner is promoted", []Store{store(1), store(2), store(3)}, rng(1, 2, -3), "[promote s3: learner has caught up]"},
		{"learner that lags is waited for", []Store{store(1), store(2), store(3), store(4)}, lagging, "[]"},
		{"learner on a dead store", []Store{store(1), store(2), store(3, dead), store(4)}, rng(1, 2, -3),
			"[remove s3: learner on a lost store add s4: 2 voters of 3]"},
		{"joint configuration", []Store{store(1), store(2), store(3), store(4)}, joint, "[]"},
		{"silent but not dead", []Store{store(1), store(2), store(3, silent), store(4)}, rng(1, 2, 3), "[]"},
		{"dead is replaced", []Store{store(1), store(2), store(3, dead), store(4)}, rng(1, 2, 3), "[replace s3 by s4: store is dead]"},
		{"dead without a substitute", []Store{store(1), store(2), store(3, dead)}, rng(1, 2, 3), "[]"},
		{"no quorum", []Store{store(1), store(2, dead), store(3, dead), store(4)}, rng(1, 2, 3), "[]"},
		{"decommissioning", []Store{store(1), store(2), store(3, state(liveness.Decommissioning)), store(4)}, rng(1, 2, 3),
			"[replace s3 by s4: store is being decommissioned]"},
		{"decommissioning leaseholder", []Store{store(1, state(liveness.Decommissioning)), store(2), store(3), store(4)}, rng(1, 2, 3),
			"[transfer-lease s1 by s2: store is being decommissioned]"},
		{"decommissioning one of three", []Store{store(1), store(2), store(3, state(liveness.Decommissioning))}, rng(1, 2, 3),
			"[remove s3: store is being decommissioned]"},
		{"draining", []Store{store(1, state(liveness.Draining)), store(2, leases(5)), store(3)}, rng(1, 2, 3),
			"[transfer-lease s1 by s3: store is draining]"},
		{"surplus", []Store{store(1), store(2, ranges(1)), store(3, ranges(4)), store(4, ranges(2))}, rng(1, 2, 3, 4),
			"[remove s3: 4 voters of 3]"},
		{"surplus dead first", []Store{store(1), store(2, dead), store(3, ranges(4)), store(4)}, rng(1, 2, 3, 4), "[remove s2: store is dead]"},
		{"full disk sheds", []Store{store(1), store(2, disk(0.97)), store(3), store(4)}, rng(1, 2, 3), "[replace s2 by s4: disk is nearly full]"},
		{"full disk takes nothing", []Store{store(1), store(2), store(3, disk(0.93))}, rng(1, 2), "[]"},
		{"zones", []Store{store(1, in("z=a")), store(2, in("z=b")), store(3, in("z=b")), store(4, in("z=c"), ranges(50))}, rng(1, 2),
			"[add s4: 2 voters of 3]"},
		{"spread is restored", []Store{store(1, in("z=a")), store(2, in("z=b")), store(3, in("z=b")), store(4, in("z=c"), ranges(50))}, rng(1, 2, 3),
			"[replace s2 by s4: spread over localities]"},
		{"balance", []Store{store(1, ranges(9)), store(2, ranges(10)), store(3, ranges(9)), store(4)}, rng(1, 2, 3),
			"[replace s2 by s4: 10 ranges against 0, mean 7.0]"},
		{"balance keeps zones", []Store{store(1, in("z=a"), ranges(9)), store(2, in("z=b"), ranges(10)), store(3, in("z=c"), ranges(9)), store(4, in("z=a"))}, rng(2, 1, 3),
			"[replace s1 by s4: 9 ranges against 0, mean 7.0]"},
		{"leases", []Store{store(1, leases(10)), store(2, leases(2)), store(3)}, rng(1, 2, 3), "[transfer-lease s1 by s3: 10 leases against 0]"},
		{"leases about even", []Store{store(1, leases(10)), store(2, leases(9)), store(3, leases(10))}, rng(1, 2, 3), "[]"},
		{"load", []Store{store(1, qps(1000)), store(2, qps(100)), store(3, qps(200))}, hot, "[transfer-lease s1 by s2: 1000 batches/s against 100]"},
		{"load that would merely move", []Store{store(1, qps(310)), store(2), store(3)}, hot, "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, fmt.Sprint(Plan(Config{}, c.stores, c.r)))
		})
	}
}

// TestConvergence carries out first moves for all ranges of a cluster, with
// stores added and taken away, until nothing is planned.
func TestConvergence(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	stores := []Store{store(1)}
	var all []Range
	for range 60 {
		all = append(all, rng(1))
	}
	settle := func(what string) {
		for round := range 1000 {
			moved := false
			for _, i := range rnd.Perm(len(all)) {
				count(stores, all)
				moves := Plan(Config{}, stores, all[i])
				if len(moves) > 0 {
					moved = true
					apply(&all[i], moves[0])
				}
			}
			if !moved {
				return
			}
			require.Less(t, round, 200, "%s: no rest", what)
		}
	}
	check := func(what string, live ...int) {
		count(stores, all)
		low, high, lowL, highL := int32(1e9), int32(0), int32(1e9), int32(0)
		for _, i := range live {
			l := stores[i-1].Load
			low, high = min(low, l.Ranges), max(high, l.Ranges)
			lowL, highL = min(lowL, l.Leases), max(highL, l.Leases)
		}
		require.LessOrEqual(t, float64(high-low), max(2, 0.15*float64(high)), "%s: ranges", what)
		require.LessOrEqual(t, float64(highL-lowL), max(3, 0.3*float64(highL)), "%s: leases", what)
		for _, r := range all {
			require.Len(t, r.Desc.Replicas, 3, what)
		}
	}
	stores = append(stores, store(2), store(3))
	settle("three stores")
	check("three stores", 1, 2, 3)
	stores = append(stores, store(4), store(5))
	settle("five stores")
	check("five stores", 1, 2, 3, 4, 5)
	stores[1].Alive, stores[1].Dead = false, true
	for i := range all { // the leases of the dead store go elsewhere by themselves
		if all[i].Leaseholder == 2 {
			all[i].Leaseholder = p1(all[i].Desc, 2)
		}
	}
	settle("one dead")
	check("one dead", 1, 3, 4, 5)
	stores[0].State = liveness.Decommissioning
	settle("one decommissioned")
	count(stores, all)
	require.Zero(t, stores[0].Load.Ranges)
	require.Zero(t, stores[1].Load.Ranges)
	check("one decommissioned", 3, 4, 5)
}

func p1(d *kv.RangeDescriptor, not keys.StoreID) keys.StoreID {
	for _, rd := range d.Replicas {
		if rd.Store != not {
			return rd.Store
		}
	}
	return 0
}

func count(stores []Store, all []Range) {
	for i := range stores {
		stores[i].Load = liveness.Load{}
	}
	for _, r := range all {
		for _, rd := range r.Desc.Replicas {
			stores[rd.Store-1].Load.Ranges++
		}
		stores[r.Leaseholder-1].Load.Leases++
	}
}

func apply(r *Range, m Move) {
	d := *r.Desc
	d.Replicas = append([]kv.ReplicaDescriptor(nil), d.Replicas...)
	if m.Kind == Remove || m.Kind == Replace {
		for i, rd := range d.Replicas {
			if rd.Store == m.From {
				d.Replicas = append(d.Replicas[:i], d.Replicas[i+1:]...)
				break
			}
		}
	}
	if m.Kind == Add || m.Kind == Replace {
		d.Replicas = append(d.Replicas, kv.ReplicaDescriptor{Node: m.ToNode, Store: m.To})
	}
	if m.Kind == TransferLease {
		r.Leaseholder = m.To
	}
	r.Desc = &d
}
