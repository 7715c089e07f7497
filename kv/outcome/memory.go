// Package outcome remembers, in bounded memory, how transactions ended.
//
// # Model
//
//	Add(id, how it ended, when)
//	Get(id)          how it ended, if that is remembered
//	Knows(id, when)  had it ended at or after when, it would be remembered
//
// A commit within one range leaves no record behind: when its answer is lost, the
// versions in the engine do not say whose they are. So every replica remembers the
// commits that it applies (kv/replica), and a coordinator that has lost an answer
// asks the range. The memory is honest about its limits: what is not found is
// "did not happen" only where Knows says so, and otherwise forgotten.
//
// # Structure
//
// A set-associative table: a transaction's bucket follows from its id, and holds
// the last few that fell into it. An entry that falls out raises its bucket's
// floor, not that of the whole memory. The table starts empty and grows while
// what falls out is younger than Retain; an idle range has none. Adding allocates
// nothing but that.
//
// The idea of answering for a lost reply from a table of recent requests is as old
// as remote procedure calls (Birrell and Nelson, 1984; RIFL, Lee et al., SOSP
// 2015, has it durable beside the data). Here the log is the durable part: a
// restart applies its tail again, and what came before is below the horizon.
package outcome

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
)

// Retain is for how long outcomes are kept at least, as far as the bound on the
// memory allows: longer than it takes to replace a leaseholder and ask the next.
const Retain = 30 * time.Second

const (
	ways       = 8
	minBuckets = 16
	maxBuckets = 4096 // 32k entries of 32 bytes
)

// Outcome is how a transaction ended.
type Outcome struct {
	ID kv.TxnID
	// TS is the commit timestamp; zero: it was aborted.
	TS hlc.Timestamp
	// At is a clock reading between the last attempt of the coordinator to end the
	// transaction and the end. Never zero.
	At hlc.Timestamp
}

// Status returns the outcome as a record's status.
func (o *Outcome) Status() kv.TxnStatus {
	if o.TS == 0 {
		return kv.TxnAborted
	}
	return kv.TxnCommitted
}

type bucket struct {
	// floor is the greatest At of what has fallen out.
	floor hlc.Timestamp
	ways  [ways]Outcome
}

// Memory is a bounded memory of outcomes. The zero Memory is empty and knows
// everything. Safe for concurrent use.
type Memory struct {
	mu      sync.Mutex
	buckets []bucket
	// horizon: of what ended at or before it nothing is known but what is there.
	horizon hlc.Timestamp
}

// hash picks a bucket. The second half of an id is a counter from a random start.
func hash(id *kv.TxnID) uint64 {
	return (binary.BigEndian.Uint64(id[:8]) ^ binary.BigEndian.Uint64(id[8:])) * 0x9e3779b97f4a7c15 >> 20
}

func (m *Memory) bucket(id *kv.TxnID) *bucket {
	return &m.buckets[hash(id)&uint64(len(m.buckets)-1)]
}

// Add remembers o. Of several outcomes of one transaction the last counts.
func (m *Memory) Add(o Outcome) {
	m.mu.Lock()
	m.add(o)
	m.mu.Unlock()
}

func (m *Memory) add(o Outcome) {
	o.At = max(o.At, 1)
	if m.buckets == nil {
		m.buckets = make([]bucket, minBuckets)
	}
	b := m.bucket(&o.ID)
	oldest := 0
	for i := range b.ways {
		w := &b.ways[i]
		if w.At == 0 || w.ID == o.ID {
			*w = o
			return
		}
		if w.At < b.ways[oldest].At {
			oldest = i
		}
	}
	w := &b.ways[oldest]
	if len(m.buckets) < maxBuckets && o.At.Sub(w.At) < Retain {
		m.grow()
		m.add(o)
		return
	}
	b.floor = max(b.floor, w.At)
	*w = o
}

// grow doubles the table. Both halves of a bucket keep its floor.
func (m *Memory) grow() {
	old := m.buckets
	m.buckets = make([]bucket, 2*len(old))
	for i := range old {
		m.buckets[i].floor, m.buckets[i+len(old)].floor = old[i].floor, old[i].floor
		for j := range old[i].ways {
			o := &old[i].ways[j]
			if o.At == 0 {
				continue
			}
			b := m.bucket(&o.ID)
			for k := range b.ways {
				if b.ways[k].At == 0 {
					b.ways[k] = *o
					break
				}
			}
		}
	}
}

// Get returns how the transaction ended, if that is remembered.
func (m *Memory) Get(id kv.TxnID) (o Outcome, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.buckets == nil {
		return o, false
	}
	b := m.bucket(&id)
	for i := range b.ways {
		if w := &b.ways[i]; w.At != 0 && w.ID == id {
			return *w, true
		}
	}
	return o, false
}

// Knows reports whether the transaction would be remembered if it had ended at or
// after at.
func (m *Memory) Knows(id kv.TxnID, at hlc.Timestamp) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return at > m.horizon && (m.buckets == nil || at > m.bucket(&id).floor)
}

// Forget notes that outcomes up to ts may be missing.
func (m *Memory) Forget(ts hlc.Timestamp) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.horizon = max(m.horizon, ts)
}

// Reset empties the memory, and makes it know everything again.
func (m *Memory) Reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.buckets, m.horizon = nil, 0
}

// Absorb adds what other remembers, and takes over what it has forgotten.
func (m *Memory) Absorb(other *Memory) {
	other.mu.Lock()
	all := make([]Outcome, 0, ways*len(other.buckets))
	floor := other.horizon
	for i := range other.buckets {
		b := &other.buckets[i]
		floor = max(floor, b.floor)
		for j := range b.ways {
			if b.ways[j].At != 0 {
				all = append(all, b.ways[j])
			}
		}
	}
	other.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.horizon = max(m.horizon, floor)
	for i := range all {
		m.add(all[i])
	}
}
