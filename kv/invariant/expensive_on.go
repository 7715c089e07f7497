//go:build race || invariants

package invariant

// Expensive enables assertions that cost more than the work they guard.
const Expensive = true
