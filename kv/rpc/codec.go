package rpc

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
)

// codecName is the gRPC content subtype of this package's messages.
const codecName = "spanlite"

// message is a gRPC message: bytes as they are.
type message struct{ b []byte }

// bytesCodec passes messages through. Marshal copies into gRPC's pooled memory,
// since gRPC goes on reading after SendMsg has returned; in exchange callers
// reuse their own buffers.
type bytesCodec struct{}

func (bytesCodec) Name() string { return codecName }

func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(*message)
	if !ok {
		return nil, fmt.Errorf("rpc: cannot marshal %T", v)
	}
	return mem.BufferSlice{mem.Copy(m.b, mem.DefaultBufferPool())}, nil
}

func (bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*message)
	if !ok {
		return fmt.Errorf("rpc: cannot unmarshal %T", v)
	}
	m.b = data.Materialize()
	return nil
}

// gRPC's registry may only be written to during initialisation.
func init() { encoding.RegisterCodecV2(bytesCodec{}) }
