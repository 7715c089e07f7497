package mvcc

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/storage"
)

// Intent is a provisional write of an undecided transaction.
type Intent struct {
	Key keys.Key
	// Txn has the fields of the writer that others need: ID, Epoch, Anchor,
	// WriteTS (of the intent), StartTS, Isolation, GatewayNode.
	Txn kv.TxnMeta
	// HadVersions is Newest.HasVersions of the time of writing.
	HadVersions bool
	// Writes are the transaction's writes of this key in this epoch, by ascending
	// sequence number: the last one counts, the others are kept in case it is
	// undone by ROLLBACK TO SAVEPOINT.
	Writes []IntentWrite
}

// IntentWrite is one write of an intent.
type IntentWrite struct {
	Seq     uint32
	Deleted bool
	Value   []byte
}

// Current returns the write that counts given the sequence numbers undone in
// txn, or nil if all of them are undone.
func (i *Intent) Current(txn *kv.TxnMeta) *IntentWrite {
	for k := len(i.Writes) - 1; k >= 0; k-- {
		if !txn.Ignored(i.Writes[k].Seq) {
			return &i.Writes[k]
		}
	}
	return nil
}

// Conflict returns i as what stands in someone's way.
func (i *Intent) Conflict() kv.Conflict {
	return kv.Conflict{Key: i.Key, Holder: i.Txn, Since: i.Txn.WriteTS}
}

// The value of an intent's engine key:
//
//	+------------+------------+-----------------+-----------+-------------+
//	| version u8 | flags u8   | txn id 16 bytes | epoch u32 | writeTS u64 |
//	+------------+------------+-----------------+-----------+-------------+
//	| startTS u64 | isolation u8 | gateway u32 | anchorLen uvarint | anchor |
//	+-------------+--------------+-------------+-------------------+--------+
//	| count uvarint | { seq u32 | deleted u8 | valueLen uvarint | value } ...
//	+---------------+------------------------------------------------+
//
// Integers are little-endian; flag bit 0 is HadVersions.
const (
	intentVersion         = 1
	intentFlagHadVersions = 1
	intentFixedLen        = 1 + 1 + 16 + 4 + 8 + 8 + 1 + 4
)

func (i *Intent) encode(dst []byte) []byte {
	t := &i.Txn
	flags := byte(0)
	if i.HadVersions {
		flags |= intentFlagHadVersions
	}
	dst = append(dst, intentVersion, flags)
	dst = append(dst, t.ID[:]...)
	dst = binary.LittleEndian.AppendUint32(dst, t.Epoch)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(t.WriteTS))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(t.StartTS))
	dst = append(dst, byte(t.Isolation))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(t.GatewayNode))
	dst = binary.AppendUvarint(dst, uint64(len(t.Anchor)))
	dst = append(dst, t.Anchor...)
	dst = binary.AppendUvarint(dst, uint64(len(i.Writes)))
	for k := range i.Writes {
		w := &i.Writes[k]
		dst = binary.LittleEndian.AppendUint32(dst, w.Seq)
		deleted := byte(0)
		if w.Deleted {
			deleted = 1
		}
		dst = append(dst, deleted)
		dst = binary.AppendUvarint(dst, uint64(len(w.Value)))
		dst = append(dst, w.Value...)
	}
	return dst
}

// decodeIntent decodes an intent's value. The result shares no memory with b.
func decodeIntent(key keys.Key, b []byte) (*Intent, error) {
	bad := func() (*Intent, error) {
		return nil, &storage.CorruptionError{Path: "state engine", Cause: fmt.Errorf("mvcc: malformed intent of %d bytes on %x", len(b), key)}
	}
	if len(b) < intentFixedLen || b[0] != intentVersion || b[1] > intentFlagHadVersions {
		return bad()
	}
	b = append([]byte(nil), b...)
	i := &Intent{Key: keys.Clone(key), HadVersions: b[1] == intentFlagHadVersions}
	t := &i.Txn
	copy(t.ID[:], b[2:])
	t.Epoch = binary.LittleEndian.Uint32(b[18:])
	t.WriteTS = hlc.Timestamp(binary.LittleEndian.Uint64(b[22:]))
	t.StartTS = hlc.Timestamp(binary.LittleEndian.Uint64(b[30:]))
	t.Isolation = kv.Isolation(b[38])
	t.GatewayNode = keys.NodeID(binary.LittleEndian.Uint32(b[39:]))
	rest := b[intentFixedLen:]
	anchor, rest, ok := takeBytes(rest)
	if !ok {
		return bad()
	}
	if len(anchor) > 0 {
		t.Anchor = anchor
	}
	count, n := binary.Uvarint(rest)
	// The smallest write has 6 bytes.
	if n <= 0 || count == 0 || count > uint64(len(rest)/6) {
		return bad()
	}
	rest = rest[n:]
	i.Writes = make([]IntentWrite, count)
	for k := range i.Writes {
		w := &i.Writes[k]
		if len(rest) < 5 || rest[4] > 1 {
			return bad()
		}
		w.Seq = binary.LittleEndian.Uint32(rest)
		w.Deleted = rest[4] == 1
		if w.Value, rest, ok = takeBytes(rest[5:]); !ok {
			return bad()
		}
		if k > 0 && w.Seq <= i.Writes[k-1].Seq {
			return bad()
		}
	}
	if len(rest) != 0 {
		return bad()
	}
	return i, nil
}

func takeBytes(b []byte) (v, rest []byte, ok bool) {
	l, n := binary.Uvarint(b)
	if n <= 0 || l > uint64(len(b)-n) {
		return nil, nil, false
	}
	b = b[n:]
	return b[:l:l], b[l:], true
}

// IntentRequest is what WriteIntent shall write.
type IntentRequest struct {
	Key     keys.Key
	Value   []byte
	Deleted bool
	Seq     uint32
	Txn     *kv.TxnMeta
	// MinTS is a lower bound of the intent's timestamp besides Txn.WriteTS: one
	// above the newest read by others (kv/tscache).
	MinTS hlc.Timestamp
}

// WriteIntent writes an intent and returns its timestamp: the least one that is
// not below Txn.WriteTS and MinTS and is above the newest version. If that is
// above Txn.WriteTS the transaction has to follow. An intent of another
// transaction on the key is an *kv.IntentError; one of an older epoch of the same
// transaction is replaced. Repeating a write changes nothing.
func WriteIntent(c *Cursor, w *storage.Batch, req *IntentRequest, d *Stats) (hlc.Timestamp, error) {
	old, oldLen, err := c.intent(req.Key)
	if err != nil {
		return 0, err
	}
	next := Intent{Key: req.Key, Txn: *req.Txn}
	newest, err := c.Newest(req.Key)
	if err != nil {
		return 0, err
	}
	next.HadVersions = newest.HasVersions
	next.Txn.WriteTS = max(req.Txn.WriteTS, req.MinTS, newest.TS+1)
	if old != nil {
		switch {
		case old.Txn.ID != req.Txn.ID:
			return 0, &kv.IntentError{Intents: []kv.Conflict{old.Conflict()}}
		case old.Txn.Epoch > req.Txn.Epoch:
			return 0, &kv.TxnAbortedError{ID: req.Txn.ID, Reason: "a later epoch has written already"}
		case old.Txn.Epoch == req.Txn.Epoch:
			next.Txn.WriteTS = max(next.Txn.WriteTS, old.Txn.WriteTS)
			for _, o := range old.Writes {
				if o.Seq == req.Seq {
					return old.Txn.WriteTS, nil // a repetition
				}
				if !req.Txn.Ignored(o.Seq) {
					next.Writes = append(next.Writes, o)
				}
			}
		}
	}
	// Mostly the last one; a write that a savepoint has brought back into the
	// coordinator's buffer comes behind later, undone ones.
	at := len(next.Writes)
	for at > 0 && next.Writes[at-1].Seq > req.Seq {
		at--
	}
	next.Writes = slices.Insert(next.Writes, at, IntentWrite{Seq: req.Seq, Deleted: req.Deleted, Value: req.Value})
	c.put(w, &next, oldLen, d)
	return next.Txn.WriteTS, nil
}

// put writes an intent over one of oldLen bytes (of engine key and value; zero if
// there is none).
func (c *Cursor) put(w *storage.Batch, i *Intent, oldLen int, d *Stats) {
	c.key = keys.Intent(c.key[:0], i.Key)
	c.val = i.encode(c.val[:0])
	w.Put(c.key, c.val)
	if oldLen == 0 {
		d.Intents++
	}
	d.IntentBytes += int64(len(c.key) + 1 + len(c.val) - oldLen)
}

func (c *Cursor) clear(w *storage.Batch, key keys.Key, oldLen int, d *Stats) {
	c.key = keys.Intent(c.key[:0], key)
	w.Clear(c.key)
	d.Intents--
	d.IntentBytes -= int64(oldLen)
}

// Resolution is a decision about the intents of a transaction.
type Resolution struct {
	// Txn has the transaction's ID, its final Epoch, its WriteTS (the commit
	// timestamp, or where a pending one was pushed to) and its IgnoredSeqs.
	Txn *kv.TxnMeta
	// Status is TxnCommitted, TxnAborted, or TxnPending for a push.
	Status kv.TxnStatus
}

// ResolveIntent applies a decision to the intent on key and reports whether
// there was one of that transaction: it becomes a version, moves up, or
// disappears.
func ResolveIntent(c *Cursor, w *storage.Batch, key keys.Key, r *Resolution, d *Stats) (found bool, err error) {
	i, size, err := c.intent(key)
	if err != nil || i == nil || i.Txn.ID != r.Txn.ID {
		return false, err
	}
	c.resolve(w, i, size, r, d)
	return true, nil
}

// ResolveIntents applies a decision to the transaction's intents in [start, end),
// at most limit of them (0 = all). resume is nil if none are left.
func ResolveIntents(c *Cursor, w *storage.Batch, start, end keys.Key, r *Resolution, limit int, d *Stats) (n int, resume keys.Key, err error) {
	err = c.eachIntent(start, end, func(i *Intent, size int) bool {
		if i.Txn.ID != r.Txn.ID {
			return true
		}
		if limit > 0 && n == limit {
			resume = i.Key
			return false
		}
		c.resolve(w, i, size, r, d)
		n++
		return true
	})
	return n, resume, err
}

func (c *Cursor) resolve(w *storage.Batch, i *Intent, size int, r *Resolution, d *Stats) {
	switch {
	case r.Status == kv.TxnCommitted && i.Txn.Epoch == r.Txn.Epoch:
		c.clear(w, i.Key, size, d)
		cur := i.Current(r.Txn)
		if cur == nil {
			return
		}
		// No other version can have come between: the intent kept others away.
		prev := Newest{TS: i.Txn.WriteTS - 1, HasVersions: i.HadVersions}
		if cur.Deleted {
			Delete(w, i.Key, r.Txn.WriteTS, prev, d)
		} else {
			Put(w, i.Key, r.Txn.WriteTS, cur.Value, prev, d)
		}
	case r.Status == kv.TxnPending && i.Txn.Epoch >= r.Txn.Epoch:
		if r.Txn.WriteTS > i.Txn.WriteTS {
			i.Txn.WriteTS = r.Txn.WriteTS
			c.put(w, i, size, d)
		}
	default:
		// Aborted, or left behind by an epoch that did not commit.
		c.clear(w, i.Key, size, d)
	}
}

// GetIntent returns the intent on key, nil if there is none.
func GetIntent(c *Cursor, key keys.Key) (*Intent, error) {
	i, _, err := c.intent(key)
	return i, err
}

// ScanIntents calls fn for the intents in [start, end) until it returns false.
func ScanIntents(c *Cursor, start, end keys.Key, fn func(*Intent) bool) error {
	return c.eachIntent(start, end, func(i *Intent, _ int) bool { return fn(i) })
}

// intent returns the intent on key and the size of its engine key and value.
//
// It is a Get and not a seek of the iterator: on a row that is written all the time
// the engine key of its intent has been set and removed thousands of times since
// the last flush, of which a Get looks at the newest only, whereas an iterator
// steps over all of them to find out what follows.
func (c *Cursor) intent(key keys.Key) (*Intent, int, error) {
	c.key = keys.Intent(c.key[:0], key)
	v, ok, err := c.r.Get(c.encoded[:0], c.key)
	c.encoded = v
	if !ok || err != nil {
		return nil, 0, err
	}
	i, err := decodeIntent(key, v)
	return i, len(c.key) + 1 + len(v), err
}

// eachIntent calls fn for the intents in [start, end) with their sizes, until it
// returns false. fn may use the cursor's buffers but not move it.
func (c *Cursor) eachIntent(start, end keys.Key, fn func(i *Intent, size int) bool) error {
	if err := c.open(); err != nil {
		return err
	}
	span := keys.IntentSpan(start, end)
	c.setBounds(span.Start, span.End)
	var user keys.Key
	for valid := c.it.First(); valid; valid = c.it.Next() {
		ek := c.it.Key()
		var err error
		if user, err = keys.DecodeIntent(user[:0], ek[:len(ek)-1]); err != nil {
			return &storage.CorruptionError{Path: "state engine", Cause: err}
		}
		v, err := c.it.ValueAndErr()
		if err != nil {
			return storage.ReadError(err)
		}
		i, err := decodeIntent(user, v)
		if err != nil {
			return err
		}
		if !fn(i, len(ek)+len(v)) {
			return nil
		}
	}
	return storage.ReadError(c.it.Error())
}
