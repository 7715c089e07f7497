//go:build mutation

package sim

import (
	"testing"
	"time"

	"github.com/spanlite/spanlite/kv/invariant"
	"github.com/spanlite/spanlite/server/sim/history"
)

// mutants says under which faults each mutation shows soonest.
var mutants = map[invariant.Mutation]struct {
	level  history.Level
	faults []Fault
}{
	invariant.SkipRefresh:        {history.Serializable, []Fault{MoveLease, Split}},
	invariant.SkipTimestampCache: {history.Serializable, []Fault{Split}},
	invariant.ForgetReads:        {history.Serializable, []Fault{MoveLease}},
	invariant.EternalLease:       {history.Serializable, []Fault{Isolate, OneWay}},
	invariant.ForgetLocks:        {history.ReadCommitted, []Fault{MoveLease}},
	invariant.SkipSync:           {history.Serializable, []Fault{CrashAll}},
	invariant.EarlyAck:           {history.Serializable, []Fault{Crash, Isolate}},
	invariant.IgnoreIntents:      {history.Serializable, []Fault{Split, SlowLink}},
}

// mutationSeeds is how many runs a mutation has to be caught in.
const mutationSeeds = 20

// TestMutations takes one protection away at a time. If no run notices, the
// checkers, the clients or the faults are too weak.
func TestMutations(t *testing.T) {
	for _, m := range invariant.Mutations {
		t.Run(string(m), func(t *testing.T) {
			how, ok := mutants[m]
			if !ok {
				t.Fatal("no faults are listed for this mutation")
			}
			invariant.Mutate(m)
			defer invariant.Mutate("")
			for seed := range uint64(mutationSeeds) {
				r := Run(t, Config{
					Seed: seed, Level: how.level, Faults: how.faults, Duration: 20 * time.Second, Clients: 5,
				})
				if len(r.Anomalies) > 0 {
					t.Logf("caught with seed %d: %s", seed, r.Anomalies[0].Name)
					return
				}
			}
			t.Errorf("not caught in %d runs", mutationSeeds)
		})
	}
}
