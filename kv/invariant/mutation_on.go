//go:build mutation

package invariant

import "sync/atomic"

var mutation atomic.Pointer[Mutation]

// Mutate puts a mutation in force, "" for none.
func Mutate(m Mutation) { mutation.Store(&m) }

// Mutated reports whether a mutation is in force.
func Mutated(m Mutation) bool {
	p := mutation.Load()
	return p != nil && *p == m
}
