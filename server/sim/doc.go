// Package sim searches for bugs: it lets random faults and random clients loose on a
// cluster in virtual time (package testcluster), and checks what the clients have
// seen (package history).
//
// # A run
//
//	Config{Seed} ──> nemesis   partitions, one-way cuts, crashes with loss of what was
//	                           not synced, power cuts, clock jumps within the bound,
//	                           slow links, lease moves, splits, merges
//	             ──> clients   of four workloads, at one isolation level
//	                           lists      dependency cycles (G0 to G2)
//	                           registers  linearizability of single rows
//	                           bank       a sum that must not change, and an index
//	                           groups     predicates (phantoms), acknowledged rows
//
// In the end all faults are taken back, every node has to serve again, and the final
// state is read and compared with what was acknowledged. An outcome that a client
// could not know, an error in class 08 or 57P, 40003, or a broken connection during a
// commit, counts as "may or may not have happened", and nothing else does.
//
// # The seed
//
// Everything random derives from it. A failure prints the command that repeats the
// run; see testcluster for what that can and cannot reproduce.
//
// # Can it fail?
//
// A build with the tag "mutation" (make mutations) can take one protection away at a
// time, listed in package invariant: no refresh, no timestamp cache, no syncs, and so
// on. TestMutations expects that each is noticed. Whoever adds a protection to the
// protocol should add the mutation.
//
// The ideas are FoundationDB's simulation, CockroachDB's kvnemesis, and Jepsen's.
package sim
