package liveness

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/spanlite/spanlite/kv/keys"
)

// State is what an operator wants of a node.
type State uint8

// The states.
const (
	// Live: takes part in everything.
	Live State = iota
	// Draining: gives its leases away and takes no new ones; about to stop.
	Draining
	// Decommissioning: its replicas are moved to other nodes.
	Decommissioning
	// Decommissioned: holds nothing and must not come back. Final, except through
	// an explicit recommission before its data are gone.
	Decommissioned
)

// String returns the state's name.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

var stateNames = [...]string{"live", "draining", "decommissioning", "decommissioned"}

// Tier is one level of a locality: region=eu.
type Tier struct{ Key, Value string }

// Locality says where a node stands, widest tier first.
type Locality []Tier

// ParseLocality reads "region=eu,zone=a"; the empty string is no locality.
func ParseLocality(s string) (Locality, error) {
	if s == "" {
		return nil, nil
	}
	var l Locality
	for part := range strings.SplitSeq(s, ",") {
		key, value, ok := strings.Cut(part, "=")
		if !ok || key == "" || value == "" {
			return nil, fmt.Errorf("locality %q: want key=value pairs with commas between", s)
		}
		l = append(l, Tier{key, value})
	}
	return l, nil
}

// String is the inverse of ParseLocality.
func (l Locality) String() string {
	var b strings.Builder
	for i, t := range l {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(t.Key + "=" + t.Value)
	}
	return b.String()
}

// Distance counts the tiers from the first difference on: 0 for the same place.
// It ranks replicas for reads that any of them may serve.
func (l Locality) Distance(o Locality) int {
	n := min(len(l), len(o))
	for i := range n {
		if l[i] != o[i] {
			return max(len(l), len(o)) - i
		}
	}
	return max(len(l), len(o)) - n
}

// Record is what the cluster durably knows of a node. There is one store per
// node.
type Record struct {
	Node  keys.NodeID
	Store keys.StoreID
	// Addr is where other nodes reach it; SQLAddr and HTTPAddr are for display
	// and for redirecting clients.
	Addr, SQLAddr, HTTPAddr string
	Locality                Locality
	State                   State
	// Version is the program's version.
	Version string
	// StartedMicros is when the process started, in microseconds since 1970.
	StartedMicros int64
}

// A record's encoding, integers little-endian, strings as u32 length and bytes:
//
//	+--------+----------+-----------+----------+----------------+------+---------+----------+
//	| ver u8 | node u32 | store u32 | state u8 | started (u64)  | addr | sqlAddr | httpAddr |
//	+--------+----------+-----------+----------+----------------+------+---------+----------+
//	| version | u32 number of tiers | key, value ... |
//	+---------+---------------------+----------------+
const recordVersion = 1

// ErrCorrupt is wrapped by decoding errors.
var ErrCorrupt = errors.New("liveness: corrupt encoding")

// Encode appends the record's encoding to dst.
func (r *Record) Encode(dst []byte) []byte {
	dst = append(dst, recordVersion)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(r.Node))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(r.Store))
	dst = append(dst, uint8(r.State))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.StartedMicros))
	for _, s := range []string{r.Addr, r.SQLAddr, r.HTTPAddr, r.Version} {
		dst = appendString(dst, s)
	}
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(r.Locality)))
	for _, t := range r.Locality {
		dst = appendString(appendString(dst, t.Key), t.Value)
	}
	return dst
}

// Decode sets *r from src, which holds exactly one encoding.
func (r *Record) Decode(src []byte) error {
	d := decoder{b: src}
	d.record(r)
	return d.done()
}

func appendString(dst []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(s))), s...)
}

// decoder reads encodings; its first failure sticks.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.bad, d.b = true, nil
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) u8() uint8 {
	if v := d.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (d *decoder) u32() uint32 {
	if v := d.take(4); v != nil {
		return binary.LittleEndian.Uint32(v)
	}
	return 0
}

func (d *decoder) u64() uint64 {
	if v := d.take(8); v != nil {
		return binary.LittleEndian.Uint64(v)
	}
	return 0
}

func (d *decoder) bytes() []byte  { return d.take(int(d.u32())) }
func (d *decoder) string() string { return string(d.bytes()) }

func (d *decoder) record(r *Record) {
	if d.u8() != recordVersion {
		d.bad, d.b = true, nil
	}
	*r = Record{Node: keys.NodeID(d.u32()), Store: keys.StoreID(d.u32()), State: State(d.u8()), StartedMicros: int64(d.u64())}
	if r.State > Decommissioned {
		d.bad = true
	}
	r.Addr, r.SQLAddr, r.HTTPAddr, r.Version = d.string(), d.string(), d.string(), d.string()
	n := int(d.u32())
	if n > len(d.b)/8 {
		d.bad = true
		return
	}
	for range n {
		r.Locality = append(r.Locality, Tier{d.string(), d.string()})
	}
}

func (d *decoder) done() error {
	if d.bad || len(d.b) > 0 {
		return ErrCorrupt
	}
	return nil
}
