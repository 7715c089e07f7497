//go:build !mutation

package invariant

// Mutated reports whether a mutation is in force: never in this build.
func Mutated(Mutation) bool { return false }
