package transport

import (
	"encoding/binary"
	"fmt"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

const (
	frameVersion    = 1
	frameHeaderSize = 20
	msgHeaderSize   = 4
)

// MaxMessageSize bounds one message; a frame holds at least one.
const MaxMessageSize = 64 << 20

// Frame is a received batch of messages. The bytes it hands out belong to the
// handler, who may keep them.
type Frame struct {
	From, To keys.StoreID
	Class    Class
	Time     hlc.Timestamp
	rest     []byte
}

// Next returns the next message.
func (f *Frame) Next() ([]byte, bool) {
	if len(f.rest) == 0 {
		return nil, false
	}
	n := binary.LittleEndian.Uint32(f.rest)
	m := f.rest[msgHeaderSize : msgHeaderSize+n : msgHeaderSize+n]
	f.rest = f.rest[msgHeaderSize+n:]
	return m, true
}

// appendFrameHeader begins a frame in dst.
func appendFrameHeader(dst []byte, class Class, from, to keys.StoreID) []byte {
	dst = append(dst, frameVersion, byte(class), 0, 0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(from))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(to))
	return binary.LittleEndian.AppendUint64(dst, 0)
}

// stampFrame sets the time of a frame that is about to leave.
func stampFrame(frame []byte, ts hlc.Timestamp) {
	binary.LittleEndian.PutUint64(frame[12:], uint64(ts))
}

// appendMessage adds m to a frame.
func appendMessage(dst []byte, m Message) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = m.AppendTo(dst)
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-msgHeaderSize))
	return dst
}

// decodeFrame checks b, all message lengths included, and keeps it.
func decodeFrame(b []byte) (Frame, error) {
	if len(b) < frameHeaderSize {
		return Frame{}, fmt.Errorf("transport: frame of %d bytes is too short", len(b))
	}
	if b[0] != frameVersion {
		return Frame{}, fmt.Errorf("transport: frame version %d, want %d", b[0], frameVersion)
	}
	if Class(b[1]) >= numClasses {
		return Frame{}, fmt.Errorf("transport: unknown class %d", b[1])
	}
	f := Frame{
		Class: Class(b[1]),
		From:  keys.StoreID(binary.LittleEndian.Uint32(b[4:])),
		To:    keys.StoreID(binary.LittleEndian.Uint32(b[8:])),
		Time:  hlc.Timestamp(binary.LittleEndian.Uint64(b[12:])),
		rest:  b[frameHeaderSize:],
	}
	for rest := f.rest; len(rest) > 0; {
		if len(rest) < msgHeaderSize {
			return Frame{}, fmt.Errorf("transport: frame ends within a message header")
		}
		n := uint64(binary.LittleEndian.Uint32(rest))
		if n > uint64(len(rest)-msgHeaderSize) {
			return Frame{}, fmt.Errorf("transport: message of %d bytes in a frame with %d left", n, len(rest)-msgHeaderSize)
		}
		rest = rest[msgHeaderSize+n:]
	}
	return f, nil
}
