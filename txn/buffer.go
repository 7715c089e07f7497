package txn

import (
	"bytes"

	"github.com/google/btree"
)

// writeBuffer holds a transaction's writes in key order. Overwritten entries are
// kept on an undo list as long as a savepoint may need them.
//
// Invariant: size is the sum of entryOverhead and the lengths of key and value
// over all entries in the tree.
type writeBuffer struct {
	tree *btree.BTreeG[bufferedWrite]
	size int64
	undo []undoEntry
	// mem holds keys and values; reset with the transaction.
	mem arena
}

// bufferedWrite is the last write of one key. A nil value is a deletion.
type bufferedWrite struct {
	key   []byte
	value []byte
	seq   uint32
}

// undoEntry restores one key to what it was: a former entry, or none.
type undoEntry struct {
	write  bufferedWrite
	exists bool
}

// entryOverhead is the estimated memory of an entry besides its bytes.
const entryOverhead = 96

func lessWrite(a, b bufferedWrite) bool { return bytes.Compare(a.key, b.key) < 0 }

func (b *writeBuffer) len() int {
	if b.tree == nil {
		return 0
	}
	return b.tree.Len()
}

// put sets key to value, or deletes it if value is nil. Both are copied. With
// keepUndo the former entry can be restored.
func (b *writeBuffer) put(key, value []byte, seq uint32, keepUndo bool) {
	if b.tree == nil {
		b.tree = btree.NewG(16, lessWrite)
	}
	w := bufferedWrite{key: b.mem.copy(key), seq: seq}
	if value != nil {
		w.value = b.mem.copy(value)
	}
	b.size += entryOverhead + int64(len(key)+len(value))
	old, replaced := b.tree.ReplaceOrInsert(w)
	if replaced {
		b.size -= entryOverhead + int64(len(old.key)+len(old.value))
	}
	if keepUndo {
		if !replaced {
			old = bufferedWrite{key: w.key}
		}
		b.undo = append(b.undo, undoEntry{write: old, exists: replaced})
	}
}

// get returns the write of key, if there is one.
func (b *writeBuffer) get(key []byte) (bufferedWrite, bool) {
	if b.len() == 0 {
		return bufferedWrite{}, false
	}
	return b.tree.Get(bufferedWrite{key: key})
}

// rollback undoes the writes made since the undo list was mark long.
func (b *writeBuffer) rollback(mark int) {
	for i := len(b.undo) - 1; i >= mark; i-- {
		u := b.undo[i]
		if now, ok := b.tree.Get(bufferedWrite{key: u.write.key}); ok {
			b.size -= entryOverhead + int64(len(now.key)+len(now.value))
		}
		if u.exists {
			b.tree.ReplaceOrInsert(u.write)
			b.size += entryOverhead + int64(len(u.write.key)+len(u.write.value))
		} else {
			b.tree.Delete(u.write)
		}
	}
	b.undo = b.undo[:mark]
}

// any reports whether the buffer holds a key of [start, end).
func (b *writeBuffer) any(start, end []byte) bool {
	found := false
	b.ascend(start, end, func(bufferedWrite) bool {
		found = true
		return false
	})
	return found
}

// ascend calls f for the writes in [start, end) in key order until it returns
// false.
func (b *writeBuffer) ascend(start, end []byte, f func(bufferedWrite) bool) {
	if b.len() > 0 {
		b.tree.AscendRange(bufferedWrite{key: start}, bufferedWrite{key: end}, f)
	}
}

// descend calls f for the writes in [start, end) in reverse order until it
// returns false.
func (b *writeBuffer) descend(start, end []byte, f func(bufferedWrite) bool) {
	if b.len() == 0 {
		return
	}
	b.tree.DescendLessOrEqual(bufferedWrite{key: end}, func(w bufferedWrite) bool {
		if bytes.Compare(w.key, end) >= 0 {
			return true
		}
		if bytes.Compare(w.key, start) < 0 {
			return false
		}
		return f(w)
	})
}

// reset empties the buffer and keeps a modest amount of memory.
func (b *writeBuffer) reset() {
	if b.tree != nil {
		b.tree.Clear(true)
	}
	b.size = 0
	clear(b.undo)
	b.undo = b.undo[:0]
	b.mem.reset()
}

// arena hands out byte slices that live until reset.
type arena struct {
	chunk []byte
	first []byte // kept over reset
}

const (
	arenaFirstBytes = 4 << 10
	arenaChunkBytes = 64 << 10
)

// copy returns a copy of b with no spare capacity; never nil.
func (a *arena) copy(b []byte) []byte {
	if a.chunk == nil || cap(a.chunk)-len(a.chunk) < len(b) {
		switch {
		case a.first == nil && len(b) <= arenaFirstBytes:
			a.first = make([]byte, 0, arenaFirstBytes)
			a.chunk = a.first
		case len(b) > arenaChunkBytes/4:
			return append(make([]byte, 0, len(b)), b...)
		default:
			a.chunk = make([]byte, 0, arenaChunkBytes)
		}
	}
	n := len(a.chunk)
	a.chunk = append(a.chunk, b...)
	return a.chunk[n:len(a.chunk):len(a.chunk)]
}

func (a *arena) reset() { a.chunk = a.first[:0] }
