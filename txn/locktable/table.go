package locktable

import (
	"bytes"
	"hash/maphash"
	"slices"
	"sync"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// DefaultMaxLocks bounds the locks of one Table. A lock takes about 250 bytes
// with its bookkeeping, so this is 64 MB in the worst case.
const DefaultMaxLocks = 1 << 18

// Table holds the locks of one range. All methods are safe for concurrent use.
type Table struct {
	graph    *Graph
	maxLocks int
	seed     maphash.Seed

	mu struct {
		sync.Mutex
		// keys maps the hash of a key to a chain of its lock states. Hashing by
		// hand lets states keep their key in a buffer that is reused, so taking
		// a lock on a warm table allocates nothing.
		keys  map[uint64]*keyState
		txns  map[kv.TxnID]*txnState
		locks int // holders over all keys
		// closed is set while the replica has no lease: Acquire fails with it.
		closed error

		freeKeys *keyState
		freeTxns *txnState
	}
}

// keyState is the lock state of one key. It exists while there are holders or
// waiters.
type keyState struct {
	hash    uint64
	key     []byte
	next    *keyState // hash chain, or free list
	holders []holder
	queue   []*Waiter
}

// holder is one transaction's hold on a key.
type holder struct {
	txn *txnState
	// strength is the strongest one held.
	strength kv.LockStrength
	// intent says that a durable intent of txn stands at the key.
	intent bool
	// seq[s-1] is the sequence at which strength s was taken, 0 if never;
	// a rollback to a savepoint gives back what was taken after it.
	seq [kv.LockUpdate]uint32
	// readTS is the timestamp of the newest version as of the lock, if readKnown.
	readTS    hlc.Timestamp
	readKnown bool
	// heldIdx is the index of this key in txn.held.
	heldIdx int
}

// txnState is what the table knows of a transaction. It exists while the
// transaction holds or waits for something.
type txnState struct {
	meta    kv.TxnMeta // Anchor owned, IgnoredSeqs nil
	held    []*keyState
	waiting int
	next    *txnState // free list
}

// New returns an empty, open Table. maxLocks of 0 means DefaultMaxLocks. graph
// is shared by all tables of the process.
func New(graph *Graph, maxLocks int) *Table {
	if maxLocks == 0 {
		maxLocks = DefaultMaxLocks
	}
	t := &Table{graph: graph, maxLocks: maxLocks, seed: maphash.MakeSeed()}
	t.mu.keys = make(map[uint64]*keyState)
	t.mu.txns = make(map[kv.TxnID]*txnState)
	return t
}

// Acquire asks for a lock on key for txn, at sequence seq, with w as the place
// to wait. It does not block:
//
//   - granted (or held already): true;
//   - in the way of another transaction with WaitBlock: false, and w is queued;
//     the caller then calls w.Wait or w.Cancel;
//   - with WaitError or WaitSkipLocked: false and a LockNotAvailableError.
//
// Other errors: the one given to Clear, and TooLargeError when the table is full.
func (t *Table) Acquire(w *Waiter, key keys.Key, txn *kv.TxnMeta, s kv.LockStrength, seq uint32, policy kv.WaitPolicy) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.closed != nil {
		return false, t.mu.closed
	}
	h := maphash.Bytes(t.seed, key)
	k := t.findLocked(h, key)
	if k == nil {
		if t.mu.locks >= t.maxLocks {
			return false, t.fullError()
		}
		k = t.newKeyLocked(h, key)
		t.holdLocked(k, t.txnLocked(txn), s, max(seq, 1))
		return true, nil
	}
	own := k.holder(txn.ID)
	if own != nil && own.strength >= s {
		own.txn.update(txn)
		return true, nil
	}
	if k.blocked(txn.ID, s, own != nil, len(k.queue)) {
		if policy != kv.WaitBlock {
			return false, &kv.LockNotAvailableError{Conflict: k.conflict(txn.ID, s, len(k.queue))}
		}
		t.enqueueLocked(w, k, txn, s, seq, own != nil)
		return false, nil
	}
	if t.mu.locks >= t.maxLocks && own == nil {
		return false, t.fullError()
	}
	t.holdLocked(k, t.txnLocked(txn), s, max(seq, 1))
	return true, nil
}

// Watch queues w until no durable intent of another transaction that has been
// entered with AddDiscovered stands at key; id is the waiting transaction's (or
// zero). It reports false, and does not queue, if there is none now. Plain reads
// wait so.
func (t *Table) Watch(w *Waiter, key keys.Key, txn *kv.TxnMeta) (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.closed != nil {
		return false, t.mu.closed
	}
	k := t.findLocked(maphash.Bytes(t.seed, key), key)
	if k == nil || !k.blocked(txn.ID, kv.LockNone, false, 0) {
		return false, nil
	}
	t.enqueueLocked(w, k, txn, kv.LockNone, 0, false)
	return true, nil
}

// Status is what Check finds of a key.
type Status struct {
	// Free: the transaction could take the lock now, or has it.
	Free bool
	// Held: it has the lock, in the strength asked for or a stronger one.
	Held bool
	// ReadKnown: since the lock was taken ReadTS has been noted as the timestamp
	// of the newest version, and no other has been written.
	ReadKnown bool
	ReadTS    hlc.Timestamp
}

// Check tells how txn (nil: a non-transactional request) stands to a lock of
// strength s on key, without taking it. LockNone stands for the lock of a write
// that does not say whether it changes what foreign keys refer to: LockUpdate,
// unless the transaction has chosen LockNoKeyUpdate when it locked the key. With the key's write latch held, Free is
// as good as taking the lock for as long as the latch: whoever takes the lock
// meanwhile waits for the latch before it reads.
func (t *Table) Check(key keys.Key, txn *kv.TxnMeta, s kv.LockStrength) Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.mu.keys) == 0 {
		return Status{Free: true}
	}
	k := t.findLocked(maphash.Bytes(t.seed, key), key)
	if k == nil {
		return Status{Free: true}
	}
	var id kv.TxnID
	upgrade := false
	enough := s
	if s == kv.LockNone {
		s, enough = kv.LockUpdate, kv.LockNoKeyUpdate
	}
	if txn != nil {
		id = txn.ID
		if own := k.holder(id); own != nil {
			if own.strength >= enough {
				return Status{true, true, own.readKnown, own.readTS}
			}
			upgrade = true
		}
	}
	return Status{Free: !k.blocked(id, s, upgrade, len(k.queue))}
}

// DropSpan drops all locks in span and wakes its waiters with err: the keys have
// left the range.
func (t *Table) DropSpan(span keys.Span, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found []*keyState
	for _, k := range t.mu.keys {
		for ; k != nil; k = k.next {
			if span.Contains(k.key) {
				found = append(found, k)
			}
		}
	}
	for _, k := range found {
		for _, w := range k.queue {
			w.txn.waiting--
			w.finishLocked(err)
			t.maybeFreeTxnLocked(w.txn)
		}
		clear(k.queue)
		k.queue = k.queue[:0]
		for len(k.holders) > 0 {
			t.dropLocked(k, k.holders[0].txn.meta.ID)
		}
		t.maybeFreeKeyLocked(k)
	}
}

// SetReadTS notes the timestamp of the newest version at the time of locking
// (I13). It does nothing if the transaction does not hold the key.
func (t *Table) SetReadTS(id kv.TxnID, key keys.Key, ts hlc.Timestamp) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if k := t.findLocked(maphash.Bytes(t.seed, key), key); k != nil {
		if h := k.holder(id); h != nil {
			h.readTS, h.readKnown = ts, true
		}
	}
}

// AddDiscovered enters the durable intent of holder on key, so that requests
// queue behind it. Called with the key's latch held, before the intent can be
// resolved.
func (t *Table) AddDiscovered(key keys.Key, holder *kv.TxnMeta) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.closed != nil || t.mu.locks >= t.maxLocks {
		return // the intent itself still stands in the way
	}
	h := maphash.Bytes(t.seed, key)
	k := t.findLocked(h, key)
	if k == nil {
		k = t.newKeyLocked(h, key)
	}
	if own := k.holder(holder.ID); own != nil {
		// The memory lock was taken before the transaction had an anchor.
		own.txn.update(holder)
		own.intent = true
		return
	}
	t.holdLocked(k, t.txnLocked(holder), kv.LockUpdate, 0)
	k.holder(holder.ID).intent = true
}

// ReleaseTxn releases everything the transaction holds and grants what has
// become free.
func (t *Table) ReleaseTxn(id kv.TxnID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.mu.txns[id]
	if x == nil {
		return
	}
	x.waiting++ // keeps x until the loop is done
	for len(x.held) > 0 {
		k := x.held[len(x.held)-1]
		t.dropLocked(k, id)
		t.grantLocked(k)
	}
	x.waiting--
	t.maybeFreeTxnLocked(x)
}

// ReleaseKey releases the transaction's hold on key, of a lock as of a
// discovered intent.
func (t *Table) ReleaseKey(id kv.TxnID, key keys.Key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.mu.keys) == 0 {
		return
	}
	k := t.findLocked(maphash.Bytes(t.seed, key), key)
	if k == nil || k.holder(id) == nil {
		return
	}
	t.dropLocked(k, id)
	t.grantLocked(k)
}

// Supersede tells that the transaction's intent on key is durable. The lock is not
// needed any more then, since whoever meets the intent enters it again: it is
// dropped if nobody waits for it and the table is filling up, so that a transaction
// may write any number of rows.
func (t *Table) Supersede(id kv.TxnID, key keys.Key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.locks < t.maxLocks/superseded {
		return
	}
	k := t.findLocked(maphash.Bytes(t.seed, key), key)
	if k == nil || len(k.queue) > 0 || k.holder(id) == nil {
		return
	}
	t.dropLocked(k, id)
	t.maybeFreeKeyLocked(k)
}

// superseded is the part of the table from which on superseded locks are dropped.
const superseded = 8

// ReleaseSpan releases the transaction's holds in span. With fromSeq > 0 it
// gives back only what was taken at a sequence >= fromSeq; a key that was held
// in a weaker strength before stays held in it.
func (t *Table) ReleaseSpan(id kv.TxnID, span keys.Span, fromSeq uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.mu.txns[id]
	if x == nil {
		return
	}
	x.waiting++
	for i := len(x.held) - 1; i >= 0; i-- {
		k := x.held[i]
		if !span.Contains(k.key) {
			continue
		}
		h := k.holder(id)
		if fromSeq == 0 {
			t.dropLocked(k, id)
			t.grantLocked(k)
			continue
		}
		keep := kv.LockNone
		for s := kv.LockKeyShare; s <= kv.LockUpdate; s++ {
			if h.seq[s-1] == 0 {
				continue
			}
			if h.seq[s-1] >= fromSeq {
				h.seq[s-1] = 0
			} else {
				keep = s
			}
		}
		switch {
		case keep == h.strength || h.intent:
		case keep == kv.LockNone:
			t.dropLocked(k, id)
			t.grantLocked(k)
		default:
			h.strength = keep
			t.grantLocked(k)
		}
	}
	x.waiting--
	t.maybeFreeTxnLocked(x)
}

// Clear drops all locks and wakes all waiters with err. Until Open is called
// Acquire fails with err. Called when the lease is lost or the replica goes.
func (t *Table) Clear(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.closed = err
	for _, k := range t.mu.keys {
		for ; k != nil; k = k.next {
			for _, w := range k.queue {
				w.finishLocked(err)
			}
		}
	}
	// Waiters hold on to nothing of the old maps, so they can go as a whole.
	t.mu.keys = make(map[uint64]*keyState)
	t.mu.txns = make(map[kv.TxnID]*txnState)
	t.mu.locks = 0
}

// Open lets Acquire work again after Clear.
func (t *Table) Open() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.closed = nil
}

// Len returns the number of locks held.
func (t *Table) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.locks
}

// Lock is one hold, for export to another leaseholder and for display.
type Lock struct {
	Key      keys.Key
	Txn      kv.TxnMeta
	Strength kv.LockStrength
	Intent   bool
	// ReadTS is the timestamp of the newest version, if ReadKnown.
	ReadTS    hlc.Timestamp
	ReadKnown bool
	Seq       uint32
}

// Export returns the locks held in span, sorted by key, with memory of their
// own. Discovered intents are left out: they are in the engine.
func (t *Table) Export(span keys.Span) []Lock {
	t.mu.Lock()
	var out []Lock
	for _, k := range t.mu.keys {
		for ; k != nil; k = k.next {
			if !span.Contains(k.key) {
				continue
			}
			for i := range k.holders {
				h := &k.holders[i]
				if h.seq == ([kv.LockUpdate]uint32{}) && h.intent {
					continue
				}
				l := Lock{Key: bytes.Clone(k.key), Txn: h.txn.meta, Strength: h.strength,
					Intent: h.intent, ReadTS: h.readTS, ReadKnown: h.readKnown, Seq: h.seq[h.strength-1]}
				l.Txn.Anchor = bytes.Clone(h.txn.meta.Anchor)
				out = append(out, l)
			}
		}
	}
	t.mu.Unlock()
	slices.SortFunc(out, func(a, b Lock) int {
		if c := bytes.Compare(a.Key, b.Key); c != 0 {
			return c
		}
		return bytes.Compare(a.Txn.ID[:], b.Txn.ID[:])
	})
	return out
}

// Import enters exported locks: the ones of a previous leaseholder at a planned
// transfer, or of the other half at a split or merge. Locks that conflict with
// what is held already are dropped, as if lost with the lease (I13).
func (t *Table) Import(locks []Lock) {
	var w Waiter
	for i := range locks {
		l := &locks[i]
		ok, err := t.Acquire(&w, l.Key, &l.Txn, l.Strength, max(l.Seq, 1), kv.WaitError)
		if ok && err == nil && l.ReadKnown {
			t.SetReadTS(l.Txn.ID, l.Key, l.ReadTS)
		}
	}
}

// Waits returns the waiters, for display: who waits for which key, behind whom.
func (t *Table) Waits() []Wait {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []Wait
	for _, k := range t.mu.keys {
		for ; k != nil; k = k.next {
			for i, w := range k.queue {
				c := k.conflict(w.txn.meta.ID, w.strength, i)
				out = append(out, Wait{Key: bytes.Clone(k.key), Txn: w.txn.meta, Strength: w.strength, Holder: c.Holder})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Wait) int { return bytes.Compare(a.Key, b.Key) })
	return out
}

// Wait is one queued request, for display.
type Wait struct {
	Key      keys.Key
	Txn      kv.TxnMeta
	Strength kv.LockStrength
	Holder   kv.TxnMeta
}

func (t *Table) fullError() error {
	return &kv.TooLargeError{What: "lock table", Size: int64(t.mu.locks), Limit: int64(t.maxLocks), Unit: "locks"}
}

func (t *Table) findLocked(h uint64, key []byte) *keyState {
	k := t.mu.keys[h]
	for k != nil && !bytes.Equal(k.key, key) {
		k = k.next
	}
	return k
}

func (t *Table) newKeyLocked(h uint64, key []byte) *keyState {
	k := t.mu.freeKeys
	if k != nil {
		t.mu.freeKeys = k.next
	} else {
		k = new(keyState)
	}
	k.hash, k.key = h, append(k.key[:0], key...)
	k.next = t.mu.keys[h]
	t.mu.keys[h] = k
	return k
}

func (t *Table) maybeFreeKeyLocked(k *keyState) {
	if len(k.holders) > 0 || len(k.queue) > 0 {
		return
	}
	if t.mu.keys[k.hash] == k {
		if k.next == nil {
			delete(t.mu.keys, k.hash)
		} else {
			t.mu.keys[k.hash] = k.next
		}
	} else {
		p := t.mu.keys[k.hash]
		for p.next != k {
			p = p.next
		}
		p.next = k.next
	}
	k.next = t.mu.freeKeys
	t.mu.freeKeys = k
}

func (t *Table) txnLocked(m *kv.TxnMeta) *txnState {
	x := t.mu.txns[m.ID]
	if x != nil {
		x.update(m)
		return x
	}
	x = t.mu.freeTxns
	if x != nil {
		t.mu.freeTxns = x.next
		x.next = nil
	} else {
		x = new(txnState)
	}
	anchor := append(x.meta.Anchor[:0], m.Anchor...)
	x.meta = *m
	x.meta.Anchor, x.meta.IgnoredSeqs = anchor, nil
	t.mu.txns[m.ID] = x
	return x
}

// update takes over what changes in the course of a transaction.
func (x *txnState) update(m *kv.TxnMeta) {
	x.meta.Epoch, x.meta.ReadTS, x.meta.WriteTS = m.Epoch, m.ReadTS, m.WriteTS
	if len(x.meta.Anchor) == 0 && len(m.Anchor) > 0 {
		x.meta.Anchor = append(x.meta.Anchor[:0], m.Anchor...)
	}
}

func (t *Table) maybeFreeTxnLocked(x *txnState) {
	if len(x.held) > 0 || x.waiting > 0 || t.mu.txns[x.meta.ID] != x {
		return
	}
	delete(t.mu.txns, x.meta.ID)
	x.next = t.mu.freeTxns
	t.mu.freeTxns = x
}

// holdLocked makes x a holder of k, or strengthens its hold.
func (t *Table) holdLocked(k *keyState, x *txnState, s kv.LockStrength, seq uint32) {
	h := k.holder(x.meta.ID)
	if h == nil {
		k.holders = append(k.holders, holder{txn: x, heldIdx: len(x.held)})
		x.held = append(x.held, k)
		h = &k.holders[len(k.holders)-1]
		t.mu.locks++
	}
	if s > h.strength {
		// Others may have written under the weaker lock.
		h.strength, h.readKnown = s, false
	}
	if seq > 0 {
		h.seq[s-1] = seq
	}
}

// dropLocked ends the transaction's hold on k.
func (t *Table) dropLocked(k *keyState, id kv.TxnID) {
	i := slices.IndexFunc(k.holders, func(h holder) bool { return h.txn.meta.ID == id })
	h := k.holders[i]
	k.holders = slices.Delete(k.holders, i, i+1)
	x := h.txn
	last := len(x.held) - 1
	if moved := x.held[last]; moved != k {
		x.held[h.heldIdx] = moved
		moved.holder(id).heldIdx = h.heldIdx
	}
	x.held[last] = nil
	x.held = x.held[:last]
	t.mu.locks--
	t.maybeFreeTxnLocked(x)
}

// grantLocked hands k to every waiter that nothing is in the way of any more,
// in order.
func (t *Table) grantLocked(k *keyState) {
	for i := 0; i < len(k.queue); {
		w := k.queue[i]
		if k.blocked(w.txn.meta.ID, w.strength, w.upgrade, i) {
			i++
			continue
		}
		k.queue = slices.Delete(k.queue, i, i+1)
		w.txn.waiting--
		if w.strength != kv.LockNone {
			t.holdLocked(k, w.txn, w.strength, w.seq)
		} else {
			t.maybeFreeTxnLocked(w.txn)
		}
		w.finishLocked(nil)
	}
	t.maybeFreeKeyLocked(k)
}

func (t *Table) enqueueLocked(w *Waiter, k *keyState, txn *kv.TxnMeta, s kv.LockStrength, seq uint32, upgrade bool) {
	x := t.txnLocked(txn)
	x.waiting++
	w.start(t, k, x, s, seq, upgrade)
	at := len(k.queue)
	if upgrade {
		at = 0
		for at < len(k.queue) && k.queue[at].upgrade {
			at++
		}
	}
	k.queue = slices.Insert(k.queue, at, w)
}

// removeLocked takes a queued waiter out, which may unblock those behind it.
func (t *Table) removeLocked(w *Waiter) {
	k := w.key
	i := slices.Index(k.queue, w)
	if i < 0 {
		return
	}
	k.queue = slices.Delete(k.queue, i, i+1)
	w.txn.waiting--
	t.maybeFreeTxnLocked(w.txn)
	t.grantLocked(k)
}

func (k *keyState) holder(id kv.TxnID) *holder {
	for i := range k.holders {
		if k.holders[i].txn.meta.ID == id {
			return &k.holders[i]
		}
	}
	return nil
}

// blocks reports whether h is in the way of s for the transaction. LockNone is
// the strength of a Watch, which only intents stop.
func (h *holder) blocks(id kv.TxnID, s kv.LockStrength) bool {
	if h.txn.meta.ID == id {
		return false
	}
	return s.Conflicts(h.strength) || s == kv.LockNone && h.intent
}

// blocked reports whether s for the transaction has to wait for a holder or for
// one of the first ahead waiters. An upgrade passes all waiters but upgrades.
func (k *keyState) blocked(id kv.TxnID, s kv.LockStrength, upgrade bool, ahead int) bool {
	for i := range k.holders {
		if k.holders[i].blocks(id, s) {
			return true
		}
	}
	for _, w := range k.queue[:ahead] {
		if w.txn.meta.ID != id && (!upgrade || w.upgrade) && s.Conflicts(w.strength) {
			return true
		}
	}
	return false
}

// appendBlockers appends the transactions that block is about.
func (k *keyState) appendBlockers(dst []*txnState, id kv.TxnID, s kv.LockStrength, upgrade bool, ahead int) []*txnState {
	for i := range k.holders {
		if h := &k.holders[i]; h.blocks(id, s) {
			dst = append(dst, h.txn)
		}
	}
	for _, w := range k.queue[:ahead] {
		if w.txn.meta.ID != id && (!upgrade || w.upgrade) && s.Conflicts(w.strength) {
			dst = append(dst, w.txn)
		}
	}
	return dst
}

// conflict describes the first blocker.
func (k *keyState) conflict(id kv.TxnID, s kv.LockStrength, ahead int) kv.Conflict {
	c := kv.Conflict{Key: bytes.Clone(k.key)}
	if b := k.appendBlockers(nil, id, s, false, ahead); len(b) > 0 {
		c.Holder = b[0].meta
		c.Holder.Anchor = bytes.Clone(b[0].meta.Anchor)
	}
	return c
}
