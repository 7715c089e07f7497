package raftgroup

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// listMachine is a state machine for tests: the list of the commands applied. Its
// state is durable only when flush is called, like an LSM without a log.
type listMachine struct {
	mu      sync.Mutex
	fs      vfs.FS
	index   Index
	term    Term
	applied []string
	members []Member
	lease   Lease
	leases  []Lease
	// durable is what flush has saved.
	durable *listMachine
}

func (m *listMachine) Apply(entries []Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range entries {
		if e.Index != m.index+1 {
			return fmt.Errorf("apply %d after %d", e.Index, m.index)
		}
		m.index, m.term = e.Index, e.Term
		if len(e.Data) > 0 {
			m.applied = append(m.applied, string(e.Data))
		}
		if e.Members != nil {
			m.members = e.Members
		}
	}
	return nil
}

func (m *listMachine) AppliedIndex() (Index, Term) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.index, m.term
}

func (m *listMachine) list() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.applied...)
}

func (m *listMachine) flush() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.durable = &listMachine{fs: m.fs, index: m.index, term: m.term, applied: append([]string(nil), m.applied...), members: append([]Member(nil), m.members...)}
}

// afterCrash returns the machine as it was last flushed.
func (m *listMachine) afterCrash() *listMachine {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.durable
	out := &listMachine{fs: m.fs, index: d.index, term: d.term, applied: append([]string(nil), d.applied...), members: d.members}
	out.durable = d
	return out
}

func (m *listMachine) LeaseChanged(l Lease) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lease = l
	m.leases = append(m.leases, l)
}

type listSnapshot struct {
	meta SnapshotMeta
	data []byte
}

func (m *listMachine) CreateSnapshot() (SnapshotSource, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b []byte
	for _, s := range m.applied {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return &listSnapshot{meta: SnapshotMeta{Index: m.index, Term: m.term, Data: []byte("list")}, data: b}, nil
}

func (s *listSnapshot) Meta() SnapshotMeta { return s.meta }
func (s *listSnapshot) Close() error       { return nil }

func (s *listSnapshot) WriteFile(n int, w io.Writer) error {
	half := len(s.data) / 2
	switch n {
	case 0:
		_, err := w.Write(s.data[:half])
		return err
	case 1:
		_, err := w.Write(s.data[half:])
		return err
	}
	return io.EOF
}

func (m *listMachine) ApplySnapshot(meta SnapshotMeta, files []string) error {
	var b []byte
	for _, name := range files {
		f, err := m.fs.Open(name)
		if err != nil {
			return err
		}
		part, err := io.ReadAll(f)
		f.Close()
		if err != nil {
			return err
		}
		b = append(b, part...)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.applied = nil
	for len(b) > 0 {
		n, k := binary.Uvarint(b)
		m.applied = append(m.applied, string(b[k:k+int(n)]))
		b = b[k+int(n):]
	}
	m.index, m.term, m.members = meta.Index, meta.Term, meta.Members
	m.durable = &listMachine{fs: m.fs, index: m.index, term: m.term, applied: append([]string(nil), m.applied...), members: m.members}
	return nil
}
