package sql

import (
	"context"
	"encoding/binary"
	"errors"
	"strconv"
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
	// token is the grant's number, 0 if nobody has ever asked for the key's.
	token int64
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
	key := advisoryKeyOf(args)
	if name == "lock_token" {
		token, err := s.advisoryToken(ec.Ctx, key)
		return types.NewInt(token), true, err
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

// advisoryKeyOf returns the key that one or two numbers name.
func advisoryKeyOf(args []types.Datum) advisoryKey {
	key := advisoryKey{space: byte(len(args))}
	for _, a := range args {
		if len(args) == 2 {
			key.value = key.value<<32 | uint64(uint32(a.Int()))
		} else {
			key.value = uint64(a.Int())
		}
	}
	return key
}

// lockAdvisory obtains a lock. With try it gives up, false, instead of waiting.
func (s *Session) lockAdvisory(ctx context.Context, key advisoryKey, mode int, forTxn, try bool) (bool, error) {
	held := s.advisory[mode][key]
	if held == nil {
		strength := kv.LockUpdate
		if mode == advisoryShared {
			strength = kv.LockKeyShare
		}
		if other := s.advisory[1-mode][key]; other != nil {
			// The session itself is no obstacle to the session.
			held = &heldLock{token: other.token}
			if mode == advisoryExclusive {
				if ok, err := s.obtainAdvisory(ctx, other.holder, key, kv.LockUpdate, try); !ok || err != nil {
					return false, err
				}
			}
		} else {
			t := s.srv.cfg.DB.Begin(txn.Options{Name: "advisory lock", LockTimeout: s.vars.LockTimeout, Isolation: kv.ReadCommitted})
			t.SetLockTimeout(s.vars.LockTimeout)
			ok, err := s.obtainAdvisory(ctx, t, key, strength, try)
			token := int64(0)
			if ok && err == nil {
				token, err = s.countGrant(ctx, t, key)
			}
			if !ok || err != nil {
				t.Rollback(context.WithoutCancel(ctx))
				t.Close()
				return false, err
			}
			held = &heldLock{holder: t, token: token}
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

// obtainAdvisory locks a key for t; false if it is taken and try is set.
func (s *Session) obtainAdvisory(ctx context.Context, t *txn.Txn, key advisoryKey, strength kv.LockStrength, try bool) (bool, error) {
	wait := kv.WaitBlock
	if try {
		wait = kv.WaitError
	}
	_, _, err := t.Get(ctx, key.encode(s.database), txn.Locking{Strength: strength, Wait: wait})
	if _, taken := errors.AsType[*kv.LockNotAvailableError](err); taken && try {
		return false, nil
	}
	return err == nil, err
}

// Fencing. A holder that was taken for dead may still act: its node was cut off, say,
// and its lock has gone to another. So each grant has a number, its token, greater
// than those before, and a transaction that carries a token (the setting
// spanlite.fence) does not commit once there is a newer grant. The numbers of a key
// begin when somebody asks for one, so that locks that nobody fences by cost no write.
// (Kleppmann, "How to do distributed locking", 2016.)

// counterKey is where the number of the last grant is counted.
func (k advisoryKey) counterKey(database catalog.ID) []byte {
	return append(k.encode(database), 'n')
}

// countGrant numbers the grant that t has just got, if the key's grants are counted.
func (s *Session) countGrant(ctx context.Context, t *txn.Txn, key advisoryKey) (int64, error) {
	t.StepStatement() // the wait for the lock was before
	if _, counted, err := t.Get(ctx, key.counterKey(s.database), txn.Locking{}); err != nil || !counted {
		return 0, err
	}
	return s.srv.cfg.DB.Increment(ctx, key.counterKey(s.database), 1)
}

// advisoryToken is pg_advisory_lock_token: the number of the session's grant.
func (s *Session) advisoryToken(ctx context.Context, key advisoryKey) (int64, error) {
	held := s.advisory[advisoryExclusive][key]
	if held == nil {
		return 0, sqlstate.New(sqlstate.ObjectNotInPrereqState, "you don't own a lock of type ExclusiveLock")
	}
	if held.token == 0 {
		var err error
		if held.token, err = s.srv.cfg.DB.Increment(ctx, key.counterKey(s.database), 1); err != nil {
			return 0, err
		}
	}
	return held.token, nil
}

// checkFence refuses the commit of a transaction whose token is stale. The counter
// stays locked until the transaction has ended, so a later grant waits for it.
func (s *Session) checkFence() error {
	f := &s.vars.Fence
	t := s.txn.kv
	if !f.Set || !t.HasWrites() {
		return nil
	}
	key := advisoryKey{space: f.Keys, value: f.Key}.counterKey(s.database)
	t.StepStatement()
	value, ok, err := t.Get(&s.ctx, key, txn.Locking{Strength: kv.LockShare})
	if err != nil {
		return err
	}
	actual := int64(0)
	if ok {
		if actual, err = strconv.ParseInt(string(value), 10, 64); err != nil {
			return sqlstate.New(sqlstate.DataCorrupted, "malformed counter of an advisory lock")
		}
	}
	if actual != f.Token {
		return &kv.FenceError{Fence: kv.Fence{Key: key, Token: f.Token}, Actual: actual}
	}
	return nil
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
