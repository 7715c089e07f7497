package raftgroup

import (
	"errors"
	"fmt"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/spanlite/spanlite/raftgroup/logstore"
)

// groupStorage shows a group's log to etcd's raft. All methods are called in the
// group's turn.
type groupStorage struct {
	g *Group
}

var _ raft.Storage = groupStorage{}

// InitialState implements raft.Storage.
func (s groupStorage) InitialState() (raftpb.HardState, raftpb.ConfState, error) {
	st := s.g.log.State()
	return raftpb.HardState{Term: st.Hard.Term, Vote: st.Hard.Vote, Commit: st.Hard.Commit}, confStateOf(s.g.members), nil
}

// Entries implements raft.Storage.
func (s groupStorage) Entries(lo, hi, maxSize uint64) ([]raftpb.Entry, error) {
	ents, err := s.g.log.Entries(nil, lo, hi, maxSize)
	return ents, storageError(err)
}

// Term implements raft.Storage.
func (s groupStorage) Term(i uint64) (uint64, error) {
	t, err := s.g.log.Term(i)
	return t, storageError(err)
}

// LastIndex implements raft.Storage.
func (s groupStorage) LastIndex() (uint64, error) { return s.g.log.Last(), nil }

// FirstIndex implements raft.Storage.
func (s groupStorage) FirstIndex() (uint64, error) { return s.g.log.First(), nil }

// Snapshot implements raft.Storage. The image itself is made when the message
// that carries this position is about to be sent; see snapshot.go.
func (s groupStorage) Snapshot() (raftpb.Snapshot, error) {
	index, term := s.g.machine.AppliedIndex()
	if index == 0 {
		return raftpb.Snapshot{}, raft.ErrSnapshotTemporarilyUnavailable
	}
	return raftpb.Snapshot{Metadata: raftpb.SnapshotMetadata{
		ConfState: confStateOf(s.g.members), Index: uint64(index), Term: uint64(term),
	}}, nil
}

func storageError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, logstore.ErrTruncated):
		return raft.ErrCompacted
	case errors.Is(err, logstore.ErrOutOfRange):
		return raft.ErrUnavailable
	}
	return err
}

// quietLogger drops raft's own log, whose events the Host reports in its own
// words; a panic of raft's is one of ours.
type quietLogger struct{}

var _ raft.Logger = quietLogger{}

func (quietLogger) Debug(...any)            {}
func (quietLogger) Debugf(string, ...any)   {}
func (quietLogger) Error(...any)            {}
func (quietLogger) Errorf(string, ...any)   {}
func (quietLogger) Info(...any)             {}
func (quietLogger) Infof(string, ...any)    {}
func (quietLogger) Warning(...any)          {}
func (quietLogger) Warningf(string, ...any) {}

func (quietLogger) Fatal(v ...any)            { panic(fmt.Sprint(v...)) }
func (quietLogger) Fatalf(f string, v ...any) { panic(fmt.Sprintf(f, v...)) }
func (quietLogger) Panic(v ...any)            { panic(fmt.Sprint(v...)) }
func (quietLogger) Panicf(f string, v ...any) { panic(fmt.Sprintf(f, v...)) }
