package testcluster

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"testing"
	"testing/synctest"
	"time"
)

// stuckAfter is how long, in real time, a simulation may take before it counts as
// hung.
const stuckAfter = 5 * time.Minute

// Simulate runs f in virtual time: the clock stands still while anything runs, and
// jumps to the next timer when everything waits. Everything f uses must be made
// within f and end with it.
func Simulate(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	// Pools keep objects with channels of an earlier simulation, which may not be
	// used in another. Two collections empty them.
	runtime.GC()
	runtime.GC()
	watchdog := time.AfterFunc(stuckAfter, func() {
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
		panic(fmt.Sprintf("testcluster: %s hangs", t.Name()))
	})
	defer watchdog.Stop()
	synctest.Test(t, f)
}
