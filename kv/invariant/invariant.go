// Package invariant holds the assertions of the data path. It is a leaf.
//
// A cheap assertion always runs: Check and Failf stop the goroutine with a panic
// whose message carries the values, since a program that has met an impossible
// state must not go on and spread it. An expensive one is guarded by
//
//	if invariant.Expensive { ... }
//
// which is a constant: true under the race detector or the build tag
// "invariants", and compiled away otherwise.
//
// Assertions are for bugs. What a user, a peer or a disk can cause is an error.
package invariant

import "fmt"

// Violation is the value that Check and Failf panic with.
type Violation struct{ Message string }

// Error makes a Violation an error, so that a recovering supervisor can report
// it.
func (v *Violation) Error() string { return "invariant violated: " + v.Message }

// Failf panics with a Violation.
func Failf(format string, args ...any) {
	panic(&Violation{Message: fmt.Sprintf(format, args...)})
}

// Check panics with a Violation if ok is false. The arguments are boxed even if
// ok is true; on a hot path write "if !ok { Failf(...) }".
func Check(ok bool, format string, args ...any) {
	if !ok {
		Failf(format, args...)
	}
}
