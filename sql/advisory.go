package sql

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
	"github.com/spanlite/spanlite/txn"
)

// Advisory locks are locks on keys that hold nothing, so they exclude sessions of
// all nodes. Each is held by a transaction of its own, which never writes and
// whose rollback is the unlocking; like a row lock it falls when its node fails.
//
// What a session does not see is a deadlock between an advisory lock and a row
// lock, or between two advisory locks, because the transactions that wait are not
// the ones that hold: lock_timeout ends those.

// advisoryKey names an advisory lock within a database. One key of 64 bits and
// two of 32 bits are different spaces.
type advisoryKey struct {
	space byte // 1 or 2 keys
	value uint64
}

func (k advisoryKey) encode(database catalog.ID) []byte {
	b := catalog.SystemKey(catalog.SysAdvisory, uint64(database))
	return binary.BigEndian.AppendUint64(append(b, k.space), k.value)
}

// heldLock is an advisory lock that the session holds, perhaps several times.
type heldLock struct {
	holder *txn.Txn
	// session and txn count how often it is held until unlocked and until the end
	// of the transaction.
	session, txn int
}

// advisoryLocks are the locks of a session, exclusive and shared ones apart.
type advisoryLocks [2]map[advisoryKey]*heldLock

const (
	advisoryExclusive = iota
	advisoryShared
)

// callAdvisory carries out the pg_advisory functions; ok is false for others.
func (s *Session) callAdvisory(ec *expr.EvalContext, fn *expr.Function, args []types.Datum) (result types.Datum, ok bool, err error) {
	name, advisory := strings.CutPrefix(fn.Name, "pg_advisory_")
	try := false
	if !advisory {
		if name, try = strings.CutPrefix(fn.Name, "pg_try_advisory_"); !try {
			return types.Null, false, nil
		}
	}
	if name == "unlock_all" {
		s.unlockAllAdvisory()
		return types.NewString(""), true, nil
	}
	key := advisoryKey{space: byte(len(args))}
	for _, a := range args {
		if len(args) == 2 {
			key.value = key.value<<32 | uint64(uint32(a.Int()))
		} else {
			key.value = uint64(a.Int())
		}
	}
	mode := advisoryExclusive
	if strings.HasSuffix(name, "_shared") {
		mode = advisoryShared
	}
	if strings.HasPrefix(name, "unlock") {
		return types.NewBool(s.unlockAdvisory(key, mode)), true, nil
	}
	locked, err := s.lockAdvisory(ec.Ctx, key, mode, strings.HasPrefix(name, "xact"), try)
	if err != nil || !try {
		return types.NewString(""), true, err
	}
	return types.NewBool(locked), true, nil
}

// lockAdvisory obtains a lock. With try it gives up, false, instead of waiting.
func (s *Session) lockAdvisory(ctx context.Context, key advisoryKey, mode int, forTxn, try bool) (bool, error) {
	held := s.advisory[mode][key]
	if held == nil {
		strength, wait := kv.LockUpdate, kv.WaitBlock
		if mode == advisoryShared {
			strength = kv.LockKeyShare
		}
		if other := s.advisory[1-mode][key]; other != nil {
			// The session itself is no obstacle to the session.
			held = &heldLock{}
			if mode == advisoryExclusive {
				return false, sqlstate.Unsupported("an exclusive advisory lock on a key that the session has locked in shared mode")
			}
		} else {
			if try {
				wait = kv.WaitError
			}
			t := s.srv.cfg.DB.Begin(txn.Options{Name: "advisory lock", LockTimeout: s.vars.LockTimeout, Isolation: kv.ReadCommitted})
			t.SetLockTimeout(s.vars.LockTimeout)
			if _, _, err := t.Get(ctx, key.encode(s.database), txn.Locking{Strength: strength, Wait: wait}); err != nil {
				t.Rollback(context.WithoutCancel(ctx))
				t.Close()
				if _, taken := errors.AsType[*kv.LockNotAvailableError](err); taken && try {
					return false, nil
				}
				return false, err
			}
			held = &heldLock{holder: t}
		}
		if s.advisory[mode] == nil {
			s.advisory[mode] = map[advisoryKey]*heldLock{}
		}
		s.advisory[mode][key] = held
	}
	if forTxn {
		held.txn++
	} else {
		held.session++
	}
	return true, nil
}

// unlockAdvisory gives a session's lock back once.
func (s *Session) unlockAdvisory(key advisoryKey, mode int) bool {
	held := s.advisory[mode][key]
	if held == nil || held.session == 0 {
		what := "ExclusiveLock"
		if mode == advisoryShared {
			what = "ShareLock"
		}
		s.warning(sqlstate.Warning, "you don't own a lock of type %s", what)
		return false
	}
	held.session--
	s.dropAdvisory(key, mode, held)
	return true
}

// holdsTxnAdvisory reports whether the transaction holds advisory locks.
func (s *Session) holdsTxnAdvisory() bool {
	for mode := range s.advisory {
		for _, held := range s.advisory[mode] {
			if held.txn > 0 {
				return true
			}
		}
	}
	return false
}

// unlockAllAdvisory gives back all locks that the session holds until unlocked.
func (s *Session) unlockAllAdvisory() {
	s.releaseAdvisory(func(l *heldLock) { l.session = 0 })
}

// releaseTxnAdvisory gives back the locks of a transaction that has ended.
func (s *Session) releaseTxnAdvisory() {
	s.releaseAdvisory(func(l *heldLock) { l.txn = 0 })
}

func (s *Session) releaseAdvisory(f func(*heldLock)) {
	for mode := range s.advisory {
		for key, held := range s.advisory[mode] {
			f(held)
			s.dropAdvisory(key, mode, held)
		}
	}
}

// dropAdvisory unlocks what is held no more.
func (s *Session) dropAdvisory(key advisoryKey, mode int, held *heldLock) {
	if held.session+held.txn > 0 {
		return
	}
	delete(s.advisory[mode], key)
	if other := s.advisory[1-mode][key]; other != nil && other.holder == nil {
		other.holder, held.holder = held.holder, nil // a stronger lock than needed
	}
	if held.holder != nil {
		held.holder.Rollback(context.WithoutCancel(&s.ctx))
		held.holder.Close()
	}
}
