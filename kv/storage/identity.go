package storage

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/spanlite/spanlite/kv/keys"
)

// ClusterID tells clusters apart for ever.
type ClusterID [16]byte

// String returns the id in hexadecimal.
func (c ClusterID) String() string { return hex.EncodeToString(c[:]) }

// Identity says to which cluster, node and store an engine belongs. It is written
// once, when the node is initialised or admitted.
type Identity struct {
	Cluster ClusterID
	Node    keys.NodeID
	Store   keys.StoreID
}

// String returns "cluster <id> n<node> s<store>".
func (i Identity) String() string { return fmt.Sprintf("cluster %s %s %s", i.Cluster, i.Node, i.Store) }

// The identity record:
//
//	+------------+-------------------+--------------+---------------+
//	| version u8 | cluster, 16 bytes | node u32, BE | store u32, BE |
//	+------------+-------------------+--------------+---------------+
const (
	identityVersion = 1
	identityLen     = 1 + 16 + 4 + 4
)

var identityKey = keys.StoreLocal("identity")

func (i Identity) encode() []byte {
	b := append([]byte{identityVersion}, i.Cluster[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(i.Node))
	return binary.BigEndian.AppendUint32(b, uint32(i.Store))
}

func decodeIdentity(b []byte) (i Identity, err error) {
	if len(b) != identityLen || b[0] != identityVersion {
		return i, fmt.Errorf("identity record %x", b)
	}
	copy(i.Cluster[:], b[1:])
	i.Node = keys.NodeID(binary.BigEndian.Uint32(b[17:]))
	i.Store = keys.StoreID(binary.BigEndian.Uint32(b[21:]))
	return i, nil
}

// Identity returns the engine's identity; ok is false if it has none yet.
func (e *Engine) Identity() (id Identity, ok bool, err error) {
	b, ok, err := e.Get(nil, identityKey)
	if err != nil || !ok {
		return Identity{}, false, err
	}
	if id, err = decodeIdentity(b); err != nil {
		return Identity{}, false, &CorruptionError{Path: e.dir, Cause: err}
	}
	return id, true, nil
}

// SetIdentity writes the engine's identity and makes it durable. An engine that
// has another identity keeps it, and SetIdentity fails.
func (e *Engine) SetIdentity(id Identity) error {
	old, ok, err := e.Identity()
	switch {
	case err != nil:
		return err
	case ok && old == id:
		return nil
	case ok:
		return fmt.Errorf("storage: %s belongs to %s and cannot become %s", e.dir, old, id)
	}
	b := e.NewBatch()
	defer b.Close()
	b.Put(identityKey, id.encode())
	if err := b.Commit(); err != nil {
		return err
	}
	return e.Flush()
}
