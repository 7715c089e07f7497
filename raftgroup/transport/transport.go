// Package transport carries messages between stores: small ones in batched
// frames, one ordered connection per pair of stores and class, and images in
// streams with flow control. It knows nothing of what it carries.
//
// Two implementations: GRPC, for nodes, and Network, an in-memory twin for tests
// and the simulation, with partitions, delay, loss and duplication under a seed.
//
// # Frame
//
// What Send queues for one store and class while a frame is under way goes out
// together in the next one; there is no delay timer. All numbers are
// little-endian.
//
//	 0         1        2        4       8      12        20
//	+---------+--------+--------+-------+------+---------+----------------------
//	| version | class  | 0      | from  | to   | HLC     | messages: len(4) data
//	+---------+--------+--------+-------+------+---------+----------------------
//
// Version is 1. HLC is the sender's clock, read after the last message was
// queued; the receiver moves its clock there before it hands out the frame. The
// lease protocol rests on this: what a store did before it sent a message is at
// or below a timestamp which the receiver's clock has passed when it reads it.
//
// Delivery is at most once, in order within a connection; queues are bounded and
// drop. Raft and store liveness retry by themselves.
package transport

import (
	"context"
	"errors"

	"github.com/spanlite/spanlite/kv/keys"
)

// Class is a traffic class. Classes do not delay each other.
type Class uint8

// The classes of Send. Images have streams of their own.
const (
	// Liveness: heartbeats of stores. Small, and must not wait behind anything.
	Liveness Class = iota
	// Raft: messages of groups.
	Raft

	numClasses
)

// String returns the class's name.
func (c Class) String() string {
	return [...]string{"liveness", "raft"}[c]
}

// Errors of Send and OpenStream.
var (
	ErrQueueFull   = errors.New("transport: queue full")
	ErrUnreachable = errors.New("transport: store unreachable")
	ErrNoAddress   = errors.New("transport: address of store unknown")
	ErrClosed      = errors.New("transport: closed")
)

// Message is what Send carries. The transport calls both methods before Send
// returns and keeps nothing of it.
type Message interface {
	// Size returns an upper bound of the encoded size in bytes.
	Size() int
	// AppendTo appends the encoded message to dst.
	AppendTo(dst []byte) []byte
}

// Transport is one store's way to the others.
type Transport interface {
	// Start begins to deliver to h. Called once, before any Send.
	Start(h Handler) error
	// Send queues m for a store and returns. An error means that m was dropped;
	// nil promises nothing.
	Send(to keys.StoreID, class Class, m Message) error
	// OpenStream opens a stream for an image to a store, which gets it in
	// Handler.Stream. It ends with ctx.
	OpenStream(ctx context.Context, to keys.StoreID) (Stream, error)
	// Close stops delivery and waits for the handlers that are at work.
	Close() error
}

// Handler takes what arrives. Frame is called by one goroutine at a time per
// sending store and class, and holds up only that connection.
type Handler struct {
	Frame func(f *Frame)
	// Stream serves an incoming stream and returns when it is done with it; its
	// error is reported to the sender. Called on a goroutine of its own.
	Stream func(ctx context.Context, from keys.StoreID, s Stream) error
	// Unreachable reports that messages queued for a store may have been lost, at
	// most once per lost connection. May be nil.
	Unreachable func(to keys.StoreID, class Class)
}

// Stream is one end of a flow-controlled, ordered, reliable stream of chunks.
// Send and Recv may be called by one goroutine each.
type Stream interface {
	// Send blocks until the chunk is accepted; it does not keep it.
	Send(chunk []byte) error
	// Recv returns the next chunk, valid until the next Recv; io.EOF after the other
	// end has finished in good order.
	Recv() ([]byte, error)
	// CloseSend says that no more chunks come. Only the opening side needs it; the
	// serving side ends the stream by returning from Handler.Stream.
	CloseSend() error
}

// Stats are figures of a transport. Counts are since the start.
type Stats struct {
	// Messages, Frames and Bytes were handed to the network.
	Messages, Frames, Bytes int64
	// Dropped messages found their queue full; FramesLost could not be sent.
	Dropped, FramesLost int64
	// QueuedBytes wait in queues now; SlowPeers are the stores that have had a frame
	// under way for over a second, or half a queue full.
	QueuedBytes, SlowPeers int64
}
