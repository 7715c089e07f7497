package pgwire

import (
	"encoding/binary"
	"net"

	"github.com/jackc/pgproto3/v2"
)

// flushBytes is the amount of buffered output past which a connection writes to
// its socket in the middle of a result.
const flushBytes = 32 << 10

// writer collects the messages of one connection in one buffer and writes them
// with one system call at a flush point: when the client's input is exhausted,
// at Flush, or past flushBytes. Once a write has failed every later one fails
// with the same error. Not safe for concurrent use.
type writer struct {
	conn net.Conn
	out  []byte
	err  error
	// flushes counts the writes to the socket.
	flushes uint64
}

// begin starts a message and returns the place of its length field for end.
func (w *writer) begin(typ byte) int {
	w.out = append(w.out, typ, 0, 0, 0, 0)
	return len(w.out) - 4
}

// end completes the message begun at mark.
func (w *writer) end(mark int) {
	binary.BigEndian.PutUint32(w.out[mark:], uint32(len(w.out)-mark))
}

// message appends a message that is not on the hot path.
func (w *writer) message(m pgproto3.BackendMessage) {
	out, err := m.Encode(w.out)
	if err != nil {
		w.err = err
		return
	}
	w.out = out
}

// maybeFlush writes if much has been collected.
func (w *writer) maybeFlush() error {
	if len(w.out) < flushBytes {
		return w.err
	}
	return w.flush()
}

// flush writes what has been collected.
func (w *writer) flush() error {
	if w.err != nil || len(w.out) == 0 {
		w.out = w.out[:0]
		return w.err
	}
	w.flushes++
	_, w.err = w.conn.Write(w.out)
	if cap(w.out) > 8*flushBytes {
		w.out = nil
	} else {
		w.out = w.out[:0]
	}
	return w.err
}

func (w *writer) int16(v int16)   { w.out = binary.BigEndian.AppendUint16(w.out, uint16(v)) }
func (w *writer) int32(v int32)   { w.out = binary.BigEndian.AppendUint32(w.out, uint32(v)) }
func (w *writer) uint32(v uint32) { w.out = binary.BigEndian.AppendUint32(w.out, v) }

func (w *writer) cstring(s string) {
	w.out = append(w.out, s...)
	w.out = append(w.out, 0)
}

// The messages without content.
var (
	parseComplete   = []byte{'1', 0, 0, 0, 4}
	bindComplete    = []byte{'2', 0, 0, 0, 4}
	closeComplete   = []byte{'3', 0, 0, 0, 4}
	noData          = []byte{'n', 0, 0, 0, 4}
	emptyQuery      = []byte{'I', 0, 0, 0, 4}
	portalSuspended = []byte{'s', 0, 0, 0, 4}
	copyDone        = []byte{'c', 0, 0, 0, 4}
)

func (w *writer) static(m []byte) { w.out = append(w.out, m...) }

func (w *writer) readyForQuery(status byte) {
	w.out = append(w.out, 'Z', 0, 0, 0, 5, status)
}

func (w *writer) parameterStatus(name, value string) {
	m := w.begin('S')
	w.cstring(name)
	w.cstring(value)
	w.end(m)
}
