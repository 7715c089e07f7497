package rpc

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/liveness"
	"github.com/spanlite/spanlite/kv/storage"
	"github.com/spanlite/spanlite/kv/store"
)

// The request of the unary method Call: version u8, name length u8, name,
// payload. The reply: version u8, then 0 and the payload, or 1 and an error in
// package kv's form.
const callVersion = 1

// The calls of this package. Servers add their own with Service.Handle.
const (
	callFirstRange = "first-range" // -> descriptor, empty if unknown
	callAdmin      = "admin"       // store.AdminRequest -> store.AdminReply, JSON
	callJoin       = "join"        // JoinRequest -> JoinReply, JSON
	callPing       = "ping"        // -> physical clock, µs, u64
)

// ErrNotReady: the node has no store yet; it waits for init or to join.
var ErrNotReady = errors.New("rpc: node is not initialized")

func encodeCall(name string, payload []byte) []byte {
	b := append(make([]byte, 0, 2+len(name)+len(payload)), callVersion, byte(len(name)))
	return append(append(b, name...), payload...)
}

func decodeCall(b []byte) (name string, payload []byte, err error) {
	if len(b) < 2 || b[0] != callVersion || len(b) < 2+int(b[1]) {
		return "", nil, errors.New("rpc: malformed call")
	}
	return string(b[2 : 2+b[1]]), b[2+b[1]:], nil
}

func encodeResult(c kv.Codec, payload []byte, err error) []byte {
	if err != nil {
		return c.AppendError([]byte{callVersion, 1}, err)
	}
	return append([]byte{callVersion, 0}, payload...)
}

func decodeResult(c kv.Codec, b []byte) ([]byte, error) {
	if len(b) < 2 || b[0] != callVersion || b[1] > 1 {
		return nil, errors.New("rpc: malformed reply of a call")
	}
	if b[1] == 0 {
		return b[2:], nil
	}
	result, err := c.ReadError(b[2:])
	if err != nil {
		return nil, err
	}
	return nil, result
}

// JoinRequest is how a node without identity asks to become a member.
type JoinRequest struct {
	// Record is what it will register; Node and Store are empty.
	Record liveness.Record `json:"record"`
}

// JoinReply makes it one.
type JoinReply struct {
	Identity storage.Identity  `json:"identity"`
	Nodes    []liveness.Record `json:"nodes"`
}

// handleBuiltin serves the calls of this package.
func (s *Service) handleBuiltin(ctx context.Context, name string, payload []byte) ([]byte, error) {
	if name == callPing {
		return binary.LittleEndian.AppendUint64(nil, uint64(s.cfg.Clock.Physical())), nil
	}
	st := s.backend()
	if st == nil {
		return nil, ErrNotReady
	}
	switch name {
	case callFirstRange:
		if d := st.FirstRange(); d != nil {
			return d.Encode(nil), nil
		}
		return nil, nil
	case callAdmin:
		req := new(store.AdminRequest)
		if err := json.Unmarshal(payload, req); err != nil {
			return nil, fmt.Errorf("rpc: admin request: %w", err)
		}
		reply, err := st.Admin(ctx, req)
		if err != nil {
			return nil, err
		}
		return json.Marshal(reply)
	case callJoin:
		req := new(JoinRequest)
		if err := json.Unmarshal(payload, req); err != nil {
			return nil, fmt.Errorf("rpc: join request: %w", err)
		}
		var reply JoinReply
		var err error
		if reply.Identity, reply.Nodes, err = st.Admit(ctx, req.Record); err != nil {
			return nil, err
		}
		return json.Marshal(&reply)
	}
	return nil, fmt.Errorf("rpc: unknown call %q", name)
}

// FirstRange implements dist.Transport.
func (d *Dialer) FirstRange(ctx context.Context, node keys.NodeID) (*kv.RangeDescriptor, error) {
	b, err := d.Call(ctx, node, callFirstRange, nil)
	if err != nil || len(b) == 0 {
		return nil, err
	}
	desc := new(kv.RangeDescriptor)
	return desc, desc.Decode(b)
}

// Admin implements store.Peers.
func (d *Dialer) Admin(ctx context.Context, node keys.NodeID, req *store.AdminRequest) (*store.AdminReply, error) {
	payload, err := json.Marshal(req)
	if err != nil {
		return nil, err
	}
	b, err := d.Call(ctx, node, callAdmin, payload)
	if err != nil {
		return nil, err
	}
	reply := new(store.AdminReply)
	return reply, json.Unmarshal(b, reply)
}

// Join asks the node at addr to admit a new one.
func (d *Dialer) Join(ctx context.Context, addr string, req JoinRequest) (reply JoinReply, err error) {
	payload, err := json.Marshal(&req)
	if err != nil {
		return reply, err
	}
	b, err := d.CallAddr(ctx, addr, callJoin, payload)
	if err != nil {
		return reply, err
	}
	return reply, json.Unmarshal(b, &reply)
}
