package rpc

import (
	"encoding/binary"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/spanlite/spanlite/kv/hlc"
)

// A frame is one gRPC message of the stream. Integers are little-endian.
//
//	 0         1          4        12
//	+---------+----------+--------+-------------
//	| version | 0 (3 B)  | HLC u64| records ...
//	+---------+----------+--------+-------------
//
//	record:
//	 0       1        9         17        21
//	+-------+--------+---------+---------+---------+
//	| kind  | id u64 | arg u64 | len u32 | payload |
//	+-------+--------+---------+---------+---------+
//
//	kind 1  request: arg is the time left in µs (0: no deadline), payload a batch
//	     2  cancel:  the caller of id has given up
//	     3  reply:   payload a reply
//	     4  ping     5  pong: id is echoed
const (
	frameVersion   = 1
	frameHeaderLen = 12
	recordLen      = 21

	recordRequest = 1
	recordCancel  = 2
	recordReply   = 3
	recordPing    = 4
	recordPong    = 5

	// maxMessage bounds a gRPC message in either direction.
	maxMessage = 256 << 20
	// maxQueued bounds what waits to be written on one stream; beyond it senders
	// wait.
	maxQueued = 32 << 20
)

var errFrame = errors.New("rpc: malformed frame")

type record struct {
	kind    uint8
	id, arg uint64
	payload []byte
}

// appendRecord appends a record whose payload fill appends.
func appendRecord(dst []byte, kind uint8, id, arg uint64, fill func([]byte) []byte) []byte {
	at := len(dst)
	dst = append(dst, kind)
	dst = binary.LittleEndian.AppendUint64(dst, id)
	dst = binary.LittleEndian.AppendUint64(dst, arg)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	if fill != nil {
		dst = fill(dst)
	}
	binary.LittleEndian.PutUint32(dst[at+17:], uint32(len(dst)-at-recordLen))
	return dst
}

// readFrame calls fn for the records of a frame, whose payloads alias b.
func readFrame(b []byte, clock func(hlc.Timestamp) error, fn func(record) error) error {
	if len(b) < frameHeaderLen || b[0] != frameVersion {
		return errFrame
	}
	if err := clock(hlc.Timestamp(binary.LittleEndian.Uint64(b[4:]))); err != nil {
		return err
	}
	for b = b[frameHeaderLen:]; len(b) > 0; {
		if len(b) < recordLen {
			return errFrame
		}
		n := binary.LittleEndian.Uint32(b[17:])
		if uint64(n) > uint64(len(b)-recordLen) {
			return errFrame
		}
		r := record{kind: b[0], id: binary.LittleEndian.Uint64(b[1:]), arg: binary.LittleEndian.Uint64(b[9:]),
			payload: b[recordLen : recordLen+n : recordLen+n]}
		if err := fn(r); err != nil {
			return err
		}
		b = b[recordLen+n:]
	}
	return nil
}

// writer turns records into frames on one stream, one frame at a time.
type writer struct {
	clock *hlc.Clock
	send  func([]byte) error // SendMsg: not for concurrent use

	mu      sync.Mutex
	room    sync.Cond // signalled when buf has been taken
	buf     []byte    // records that wait, after room for the header
	spare   []byte
	writing bool
	err     error

	frames, records atomic.Uint64
}

func newWriter(clock *hlc.Clock, send func([]byte) error) *writer {
	w := &writer{clock: clock, send: send}
	w.room.L = &w.mu
	return w
}

// add queues a record and, if nobody else is at it, writes what is queued.
// accepted is false if the record certainly was not sent.
func (w *writer) add(kind uint8, id, arg uint64, fill func([]byte) []byte) (accepted bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.err == nil && w.writing && len(w.buf) > maxQueued {
		w.room.Wait()
	}
	return w.addLocked(kind, id, arg, fill)
}

// tryAdd is add, except that it does nothing if the stream is being written to.
func (w *writer) tryAdd(kind uint8, id uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.writing && w.err == nil {
		_, _ = w.addLocked(kind, id, 0, nil)
	}
}

func (w *writer) addLocked(kind uint8, id, arg uint64, fill func([]byte) []byte) (accepted bool, err error) {
	if w.err != nil {
		return false, w.err
	}
	if len(w.buf) == 0 {
		w.buf = append(w.buf, make([]byte, frameHeaderLen)...)
		w.buf[0] = frameVersion
	}
	w.buf = appendRecord(w.buf, kind, id, arg, fill)
	w.records.Add(1)
	if w.writing {
		return true, nil
	}
	w.writing = true
	for len(w.buf) > 0 && w.err == nil {
		// SendMsg only queues, so on its own it is over before anybody can join in.
		// Goroutines that are ready to run get a chance to: costs 0.1 µs if there
		// are none.
		w.mu.Unlock()
		runtime.Gosched()
		w.mu.Lock()
		out := w.buf
		w.buf = w.spare[:0]
		w.room.Broadcast()
		w.mu.Unlock()
		binary.LittleEndian.PutUint64(out[4:], uint64(w.clock.Peek()))
		err := w.send(out)
		w.frames.Add(1)
		w.mu.Lock()
		if w.spare = out; cap(out) > 1<<20 {
			w.spare = nil // a large reply must not stay for ever
		}
		if err != nil && w.err == nil {
			w.err = err
		}
	}
	w.writing = false
	return true, w.err
}

// fail ends the writer: later records are refused.
func (w *writer) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
	w.room.Broadcast()
}
