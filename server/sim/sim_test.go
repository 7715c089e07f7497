package sim

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/spanlite/spanlite/server/sim/history"
)

// number returns the value of an environment variable.
func number(t *testing.T, name string, or int) int {
	s := os.Getenv(name)
	if s == "" {
		return or
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s=%s: want a number", name, s)
	}
	return n
}

// TestRandom runs random faults against random clients. SPANLITE_SIM_SEED is the
// first seed, SPANLITE_SIM_RUNS how many there are, SPANLITE_SIM_SECONDS how long
// each is in virtual time.
func TestRandom(t *testing.T) {
	runs := 6
	if testing.Short() {
		runs = 2
	}
	first := number(t, "SPANLITE_SIM_SEED", 1)
	runs = number(t, "SPANLITE_SIM_RUNS", runs)
	seconds := number(t, "SPANLITE_SIM_SECONDS", 20)
	for seed := first; seed < first+runs; seed++ {
		level := history.Level(seed % 3)
		t.Run(fmt.Sprintf("seed=%d/%s", seed, level), func(t *testing.T) {
			cfg := Config{Seed: uint64(seed), Level: level, Duration: time.Duration(seconds) * time.Second}
			if seed%4 == 3 {
				cfg.Nodes = 5
			}
			r := Run(t, cfg)
			if len(r.Anomalies) > 0 || t.Failed() {
				for _, line := range r.Schedule {
					t.Log(line)
				}
				for _, line := range r.Replicas {
					t.Log(line)
				}
				t.Errorf("SPANLITE_SIM_SEED=%d SPANLITE_SIM_RUNS=%s SPANLITE_SIM_SECONDS=%d go test -run TestRandom ./server/sim\n%s", seed, os.Getenv("SPANLITE_SIM_RUNS"), seconds, r)
			} else {
				t.Log(r)
			}
		})
	}
}
