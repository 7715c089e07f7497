package liveness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
)

// Names of the allocators.
const (
	NodeIDs  = "node"
	StoreIDs = "store"
	RangeIDs = "range"
)

// AllocatorKey is where the last id given out of a kind is kept, in decimal.
func AllocatorKey(kind string) keys.Key { return keys.System("alloc/" + kind) }

// Allocate takes n ids of a kind and returns the first. Ids are unique for ever;
// a lost answer loses ids.
func Allocate(ctx context.Context, s kv.Sender, kind string, n int64) (first uint64, err error) {
	for {
		b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpIncrement, Key: AllocatorKey(kind), Delta: n}}}
		err := s.Send(ctx, &b)
		if err == nil {
			return uint64(b.Ops[0].Result - n + 1), nil
		}
		// Doing it twice is harmless here, unlike anywhere else.
		if _, ok := errors.AsType[*kv.AmbiguousError](err); !ok || ctx.Err() != nil {
			return 0, fmt.Errorf("allocate a %s id: %w", kind, err)
		}
	}
}

// NodeKey is the row of a node's record.
func NodeKey(n keys.NodeID) keys.Key { return keys.System(fmt.Sprintf("node/%08d", uint32(n))) }

const (
	nodePrefix    = "node/"
	settingPrefix = "setting/"
)

// SettingKey is the row of a cluster setting.
func SettingKey(name string) keys.Key { return keys.System(settingPrefix + name) }

// Settings returns all cluster settings that were set.
func Settings(ctx context.Context, s kv.Sender) (map[string]string, error) {
	m := make(map[string]string)
	err := scanPrefix(ctx, s, settingPrefix, func(name string, value []byte) error {
		m[name] = string(value)
		return nil
	})
	return m, err
}

// SetSetting writes a cluster setting; an empty value resets it.
func SetSetting(ctx context.Context, s kv.Sender, name, value string) error {
	op := kv.Op{Kind: kv.OpPut, Key: SettingKey(name), Value: []byte(value)}
	if value == "" {
		op = kv.Op{Kind: kv.OpDelete, Key: SettingKey(name)}
	}
	return s.Send(ctx, &kv.Batch{Ops: []kv.Op{op}})
}

// scanPrefix calls fn for the system rows whose names begin with prefix; fn gets
// the rest of the name.
func scanPrefix(ctx context.Context, s kv.Sender, prefix string, fn func(name string, value []byte) error) error {
	start := keys.System(prefix)
	end := keys.PrefixEnd(start)
	var rows kv.Rows
	for start != nil {
		rows.Reset()
		b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpScan, Key: start, EndKey: end, MaxRows: 256, Rows: &rows}}}
		if err := s.Send(ctx, &b); err != nil {
			return err
		}
		for pos := 0; ; {
			key, value, _, next, ok := rows.Next(pos)
			if !ok {
				break
			}
			if err := fn(strings.TrimPrefix(string(key), string(keys.System(prefix))), value); err != nil {
				return err
			}
			pos = next
		}
		start = bytes.Clone(b.Ops[0].Resume)
	}
	return nil
}

// readNode returns a node's record and its encoding, nil if there is none.
func readNode(ctx context.Context, s kv.Sender, n keys.NodeID) (*Record, []byte, error) {
	b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpGet, Key: NodeKey(n)}}}
	if err := s.Send(ctx, &b); err != nil {
		return nil, nil, err
	}
	if b.Ops[0].Value == nil {
		return nil, nil, nil
	}
	enc := bytes.Clone(b.Ops[0].Value)
	r := new(Record)
	if err := r.Decode(enc); err != nil {
		return nil, nil, fmt.Errorf("record of %s: %w", n, err)
	}
	return r, enc, nil
}

// updateNode changes a node's record; change gets nil if there is none and
// returns nil to leave all as it is.
func updateNode(ctx context.Context, s kv.Sender, n keys.NodeID, change func(*Record) (*Record, error)) (*Record, error) {
	for {
		old, enc, err := readNode(ctx, s, n)
		if err != nil {
			return nil, err
		}
		next, err := change(old)
		if err != nil || next == nil {
			return old, err
		}
		b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpCompareAndPut, Key: NodeKey(n), Value: next.Encode(nil), Expected: enc}}}
		err = s.Send(ctx, &b)
		if err == nil {
			return next, nil
		}
		_, raced := errors.AsType[*kv.ConditionFailedError](err)
		_, unknown := errors.AsType[*kv.AmbiguousError](err)
		// Either way the row decides: the change is computed anew from it.
		if !raced && !unknown || ctx.Err() != nil {
			return nil, err
		}
	}
}
