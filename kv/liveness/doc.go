// Package liveness keeps the list of the cluster's nodes: who they are, where
// they listen, what an operator wants of them, and when they were last heard.
//
// # What is durable and what is not
//
// A node's Record (addresses, locality, the wanted State) is a row in range 1,
// at keys.System("node/<id>"), changed by compare-and-put and rarely written.
// Whether a node lives is not written anywhere: stores vouch for each other in
// raftgroup/storeliveness, and their heartbeats carry a small Gossip payload with
// the store's load, so that every node has its own fresh view of all stores
// (Registry.Observe). A store that was not heard for long enough is dead to
// kv/placement; a store heard a moment ago is live.
//
//	rows in range 1 --Refresh--> Registry <--Observe-- heartbeats' payloads
//	                               |  \
//	                   addresses, view  saved copy in the own engine
//
// # Starting without range 1
//
// A node that restarts must know its peers' addresses before it can read range
// 1, which may need those very peers to have a quorum. The Registry therefore
// keeps a copy of all records in the node's own engine, as a store-local item.
//
// Also here, since they live in the same rows: id allocators and cluster
// settings.
package liveness
