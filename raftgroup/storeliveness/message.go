package storeliveness

import (
	"encoding/binary"
	"fmt"

	"github.com/spanlite/spanlite/kv/hlc"
)

// Kind is what a Message is.
type Kind uint8

// The messages.
const (
	// Heartbeat asks for support of the sender's Epoch until Until.
	Heartbeat Kind = iota
	// Grant gives it; Until zero refuses, and Epoch is then the least that will be
	// supported.
	Grant
)

// Message is what stores say to each other.
//
//	kind(1) epoch(8) until(8) stamp(8) echo(8) payload
//
// Integers are little-endian.
type Message struct {
	Kind  Kind
	Epoch uint64
	Until hlc.Timestamp
	// Stamp is the sender's clock; Echo the last Stamp it has received from the
	// other side. Heartbeats only.
	Stamp, Echo hlc.Timestamp
	Payload     []byte
}

const messageHeader = 33

// Size implements transport.Message.
func (m *Message) Size() int { return messageHeader + len(m.Payload) }

// AppendTo implements transport.Message.
func (m *Message) AppendTo(dst []byte) []byte {
	dst = append(dst, byte(m.Kind))
	dst = binary.LittleEndian.AppendUint64(dst, m.Epoch)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(m.Until))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(m.Stamp))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(m.Echo))
	return append(dst, m.Payload...)
}

// Decode reads a message; Payload aliases b.
func (m *Message) Decode(b []byte) error {
	if len(b) < messageHeader || b[0] > byte(Grant) {
		return fmt.Errorf("storeliveness: message of unknown form")
	}
	*m = Message{
		Kind:  Kind(b[0]),
		Epoch: binary.LittleEndian.Uint64(b[1:]),
		Until: hlc.Timestamp(binary.LittleEndian.Uint64(b[9:])),
		Stamp: hlc.Timestamp(binary.LittleEndian.Uint64(b[17:])),
		Echo:  hlc.Timestamp(binary.LittleEndian.Uint64(b[25:])),
	}
	if len(b) > messageHeader {
		m.Payload = b[messageHeader:]
	}
	return nil
}
