package replica

import (
	"errors"

	"github.com/spanlite/spanlite/raftgroup"
)

var _ raftgroup.StateMachine = (*Replica)(nil)

// Apply implements raftgroup.StateMachine.
func (r *Replica) Apply(entries []raftgroup.Entry) error { return errors.ErrUnsupported }

// AppliedIndex implements raftgroup.StateMachine.
func (r *Replica) AppliedIndex() (raftgroup.Index, raftgroup.Term) { return 0, 0 }

// CreateSnapshot implements raftgroup.StateMachine.
func (r *Replica) CreateSnapshot() (raftgroup.SnapshotSource, error) {
	return nil, errors.ErrUnsupported
}

// ApplySnapshot implements raftgroup.StateMachine.
func (r *Replica) ApplySnapshot(meta raftgroup.SnapshotMeta, files []string) error {
	return errors.ErrUnsupported
}

// LeaseChanged implements raftgroup.StateMachine.
func (r *Replica) LeaseChanged(l raftgroup.Lease) {}
