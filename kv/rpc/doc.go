// Package rpc carries batches and administrative requests between nodes over
// gRPC.
//
// # Batches
//
// For each pair of nodes and Class there is one connection with one
// bidirectional stream, made when it is first needed and kept. Requests of all
// goroutines share it: each is a record with an id in a frame; whatever is
// queued while a frame is being written goes out together in the next one. There
// is no writing goroutine and no delay timer: who finds the stream free writes,
// for himself and for those who queue up meanwhile. A unary call costs five times
// as much CPU and is used only for what is rare.
//
//	caller ──> register id, append record ──> frame ──────────> server: decode,
//	   ^                                                        one goroutine per request,
//	   └── reader goroutine <── frame <── append reply record <── Store.Send
//
// The frame (frame.go) carries the sender's clock; the receiver forwards its own.
// Deadlines travel as remaining time, cancellation as a record. Batches and
// replies are package kv's flat codec.
//
// # A broken connection
//
// Requests that had been written end as *dist.SendError with Sent set, others with
// it unset; package dist knows which may be repeated. TCP alone notices a
// vanished peer far too late, so a stream on which requests wait and nothing
// arrives is probed with a ping record and given up after Config.SilentAfter.
//
// # Calls
//
// Everything else is one unary method, Call: a name and bytes (calls.go): range 1
// look-up, admin verbs, joining, clock readings, and what the server registers
// (Service.Handle).
//
// # No generated code
//
// The service has two methods whose messages are byte strings, so there is no
// .proto: the service description is written by hand, and a codec named
// "spanlite" (gRPC content subtype) passes the bytes through. It is in gRPC's
// process-wide registry, which is the only way for a server to pick codecs by
// method; do not set grpc.ForceServerCodec on a server that carries this service.
//
// # Admission
//
// Each stream and call names the cluster, the calling node and the node that it
// means to reach; a server that is someone else refuses. Authentication is TLS's:
// Config.Credentials.
package rpc
