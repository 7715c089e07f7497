// Package server is a node: it builds the layers from bottom to top, and stops
// them from top to bottom.
//
// # The pieces of a node, in the order in which Start makes them
//
//	listeners        sockets first, so that an occupied port is a clear error
//	storage.Engine   the state engine; its folder lock keeps a second process out
//	hlc.Clock        starts above every timestamp used before a restart (clock.go)
//	grpc.Server      raftgroup/transport and kv/rpc; serves before the node has an
//	                 identity, so that it can be asked to join or initialise
//	identity         from the engine, by bootstrap, or by joining (join.go)
//	store.Store      replicas over raftgroup.Host; NewParticipant joins kv/replica
//	                 with txn/participant
//	dist.Sender      routes batches
//	txn.DB           transactions
//	lease.Source     the catalog
//	sql.Server       sessions
//	pgwire.Server    connections
//	http.Server      /health, /metrics, the console
//
// # Goroutines
//
// Each layer owns its own and waits for them in its Close. This package's own
// are, per node: the three accept loops, the keeper of the clock bound, the
// registry's refresh, and short searches for deadlocks that other nodes ask for
// (Node.spawn); Stop waits for all of them.
//
// # Who may ask a node for what
//
// Other nodes and administrators use one port and the same calls (calls.go,
// admin.go; AdminClient is the other end). With certificates it wants one that is
// made out to a node or to root; SQL clients need their role's certificate or
// its password; the console wants root's, while /health and /metrics are open
// (security.go, http.go).
package server
