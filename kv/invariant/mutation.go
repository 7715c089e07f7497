package invariant

// Mutation names one protection that a build with the tag "mutation" can take
// away, to prove that the checkers of server/sim notice. In all other builds
// Mutated is a constant false and costs nothing.
type Mutation string

// The mutations.
const (
	// SkipRefresh: a SERIALIZABLE transaction moves its reads up without verifying
	// them (I12).
	SkipRefresh Mutation = "skip-refresh"
	// SkipTimestampCache: writes do not look at what was read above them (I12).
	SkipTimestampCache Mutation = "skip-timestamp-cache"
	// ForgetReads: a new lease does not count every key as read at its start (I8).
	ForgetReads Mutation = "forget-reads"
	// EternalLease: a leader serves although its lease has run out (I6).
	EternalLease Mutation = "eternal-lease"
	// ForgetLocks: locks are lost when the lease moves, and nobody verifies at commit
	// that they stand (I13).
	ForgetLocks Mutation = "forget-locks"
	// SkipSync: the log is acknowledged without a sync (I1).
	SkipSync Mutation = "skip-sync"
	// EarlyAck: a command is acknowledged when the leader has it, before a quorum
	// does.
	EarlyAck Mutation = "early-ack"
	// IgnoreIntents: reads do not look for intents, so they miss transactions that
	// are committed and not yet resolved (I11).
	IgnoreIntents Mutation = "ignore-intents"
)

// Mutations are all of them.
var Mutations = []Mutation{
	SkipRefresh, SkipTimestampCache, ForgetReads, EternalLease, ForgetLocks, SkipSync, EarlyAck, IgnoreIntents,
}
