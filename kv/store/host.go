package store

import (
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/replica"
	"github.com/spanlite/spanlite/raftgroup"
)

// Host is what a store needs of a raftgroup.Host, whose methods these are. Tests
// and simulations may put another one in its place (Config.NewHost).
type Host interface {
	Start() error
	Open(o raftgroup.OpenOptions) (Group, error)
	Prepare(group keys.RangeID, replica keys.ReplicaID) error
	Remove(id keys.RangeID) error
	WatchStore(id keys.StoreID)
	StoreAlive(id keys.StoreID) bool
	LogBytes() int64
	Close() error
}

// Group is what a store needs of a raftgroup.Group.
type Group interface {
	replica.Group
	Status() raftgroup.Status
	Campaign()
	Stop()
}

// newHost makes the real thing.
func newHost(c raftgroup.Config) (Host, error) {
	h, err := raftgroup.NewHost(c)
	if err != nil {
		return nil, err
	}
	return realHost{h}, nil
}

type realHost struct{ *raftgroup.Host }

func (h realHost) Open(o raftgroup.OpenOptions) (Group, error) {
	g, err := h.Host.Open(o)
	if err != nil {
		return nil, err
	}
	return g, nil
}

// groupBox lets an interface be stored atomically.
type groupBox struct{ Group }
