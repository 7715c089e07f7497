package txn

import (
	"sync"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/outcome"
)

// registry lists the transactions of this gateway that hold locks or may have
// written intents, so that those who wait for one can ask whether its coordinator
// still lives and what it is doing. It is sharded by id: adding to it is on the
// path of every UPDATE.
type registry struct {
	shards [registryShards]registryShard
	// ended remembers how the last of them have ended. Of a commit whose outcome is
	// unknown it says nothing.
	ended outcome.Memory
}

const registryShards = 64

type registryShard struct {
	mu   sync.Mutex
	txns map[kv.TxnID]Info
}

// Info is what a gateway tells of one of its transactions.
type Info struct {
	ID        kv.TxnID
	Name      string
	Session   uint64 // Options.Session
	StartTS   hlc.Timestamp
	Isolation kv.Isolation
}

// Age returns how long ago the transaction began.
func (i Info) Age(now hlc.Timestamp) time.Duration { return now.Sub(i.StartTS) }

func (r *registry) init() {
	for i := range r.shards {
		r.shards[i].txns = map[kv.TxnID]Info{}
	}
}

func (r *registry) shard(id kv.TxnID) *registryShard { return &r.shards[id[0]%registryShards] }

func (r *registry) add(t *Txn) {
	if t.registered {
		return
	}
	t.registered = true
	s := r.shard(t.meta.ID)
	s.mu.Lock()
	s.txns[t.meta.ID] = Info{ID: t.meta.ID, Name: t.opts.Name, Session: t.opts.Session, StartTS: t.meta.StartTS, Isolation: t.meta.Isolation}
	s.mu.Unlock()
}

func (t *Txn) unregister() {
	if !t.registered {
		return
	}
	t.registered = false
	// First, so that there is no time at which nothing is known of it.
	switch t.status {
	case statusCommitted:
		t.db.registry.ended.Add(outcome.Outcome{ID: t.meta.ID, TS: t.commitTS, At: t.meta.StartTS})
	case statusAborted:
		t.db.registry.ended.Add(outcome.Outcome{ID: t.meta.ID, At: t.meta.StartTS})
	}
	s := t.db.registry.shard(t.meta.ID)
	s.mu.Lock()
	delete(s.txns, t.meta.ID)
	s.mu.Unlock()
}

// Lookup returns a transaction of this gateway that holds locks or has written
// intents. Not found means that its coordinator has ended it, or died with a former
// process: its memory locks are void.
func (db *DB) Lookup(id kv.TxnID) (Info, bool) {
	s := db.registry.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	info, ok := s.txns[id]
	return info, ok
}

// Holders calls f for every transaction of this gateway that holds locks.
func (db *DB) Holders(f func(Info)) {
	for i := range db.registry.shards {
		s := &db.registry.shards[i]
		s.mu.Lock()
		all := make([]Info, 0, len(s.txns))
		for _, info := range s.txns {
			all = append(all, info)
		}
		s.mu.Unlock()
		for _, info := range all {
			f(info)
		}
	}
}
