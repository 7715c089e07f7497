// Package raftgroup runs many Raft groups on one store. It knows bytes and
// members, not keys: what an entry means is the business of the StateMachine
// that each group is given.
//
// # The pieces
//
//	proposers ──┐                     ┌── transport (frames from other stores)
//	            v                     v
//	       ┌──────── Group mailbox (proposals, messages, wake-ups) ───────┐
//	       │  one goroutine at a time takes a turn:                       │
//	       │  what became durable -> messages -> ONE MsgProp -> Ready     │
//	       │  -> append to the store's log, send, apply, wake             │
//	       └───────────────────────────────────────────────────────────────┘
//	       between turns: sync, shared with every other group; acknowledgements and
//	       votes wait for it, nothing else does
//	 Host: all groups of a store, a few workers, the ticker of groups that are awake,
//	       log truncation, snapshots; owns logstore.Log and storeliveness.Manager
//
// Whoever brings work to a group that nobody is processing takes the turn
// himself, if he is a proposer, or leaves it to a worker.
// A group with one replica therefore commits wholly on the proposer's goroutine,
// and a proposer who finds the group busy is served by the one who is at it
// (flat combining; Hendler et al., "Flat Combining and the
// Synchronization-Parallelism Tradeoff", 2010).
//
// # Time
//
// Config.TickInterval drives the groups that are awake and no others. A leader
// ticks until its followers have the whole log and have promised their support;
// a follower that is fortified does not tick at all, since it may not campaign
// while its store supports the leader's. So a group at rest is on no list and
// costs nothing; a proposal, a message, or a store whose support ends wakes it. A
// group with one replica never ticks (lease.go, Group.tick).
//
// # Leases
//
// Stores vouch for each other (package storeliveness); followers record durably
// that they are fortified to the leader of a term, and while their store supports
// the leader's store they neither vote nor campaign. The lease of the leader
// reaches to the largest timestamp up to which a quorum of its voters has promised
// support. DESIGN.md has the argument.
//
// # Rules for the caller
//
//   - To serve a request at timestamp s: have the clock at or above s first, then
//     load Lease, and serve only if it is Held and s < Until. In that order: a
//     leader that lets go stamps its messages after it has withdrawn the Lease.
//   - A Proposal is bound to the term it was evaluated under and is appended at
//     most once; nothing here ever proposes it a second time.
//   - A new leader's Lease begins at Start; everything at or below may have been
//     read under the leader before (I8).
package raftgroup
