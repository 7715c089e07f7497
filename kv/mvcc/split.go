package mvcc

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/storage"
)

// FindSplitKey returns the key in (start, end) at which the versions below it
// have reached leftBytes; nil if there is no such key. All versions of a key stay
// on one side. It reads the span up to that key.
func FindSplitKey(r storage.Reader, start, end keys.Key, leftBytes int64) (key keys.Key, err error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: storage.AppendKey(nil, start), UpperBound: storage.AppendKey(nil, end)})
	if err != nil {
		return nil, storage.ReadError(err)
	}
	defer func() { err = errors.Join(err, storage.ReadError(it.Close())) }()
	size := int64(0)
	var last []byte
	for valid := it.First(); valid; valid = it.Next() {
		ek := it.Key()
		k, _, err := splitVersion(ek)
		if err != nil {
			return nil, err
		}
		if size >= leftBytes && last != nil && string(k) != string(last) {
			return keys.Clone(k), nil
		}
		last = append(last[:0], k...)
		v := it.LazyValue()
		size += int64(len(ek) + v.Len())
	}
	return nil, nil
}
