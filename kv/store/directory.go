package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
)

// processDirectory publishes the descriptor of a range led here.
func (s *Store) processDirectory(ctx context.Context, id keys.RangeID, h *handle) (time.Duration, error) {
	d := h.r.Desc()
	if d == nil || !h.leased.Load() || h.published.Load() == d.Generation {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := s.publish(ctx, d); err != nil {
		return 0, err
	}
	h.published.Store(d.Generation)
	return 0, nil
}

// publish brings the directory up to d: see DESIGN.md, "The directory". It does
// nothing if the directory knows something newer for any of d's keys.
func (s *Store) publish(ctx context.Context, d *kv.RangeDescriptor) error {
	c := s.cluster.Load()
	if c == nil {
		return errors.New("store: not started")
	}
	for {
		rows, err := s.directoryRows(ctx, d)
		if err != nil {
			return fmt.Errorf("publish %s: %w", d, err)
		}
		b := kv.Batch{}
		var atEnd []byte
		for _, row := range rows {
			if row.desc.Generation > d.Generation && overlaps(row.desc, d) {
				return nil
			}
			switch {
			case bytes.Equal(row.desc.End, d.End):
				if row.desc.Generation == d.Generation && row.desc.RangeID == d.RangeID {
					atEnd = row.value // there already; the other rows may not be
				} else if row.desc.Generation >= d.Generation {
					return nil
				} else {
					atEnd = row.value
				}
			case row.desc.Generation < d.Generation:
				// Ends inside of d: merged away.
				b.Ops = append(b.Ops, kv.Op{Kind: kv.OpCompareAndPut, Key: keys.Meta(row.desc.End), Expected: row.value})
			}
		}
		if enc := d.Encode(nil); !bytes.Equal(enc, atEnd) {
			b.Ops = append(b.Ops, kv.Op{Kind: kv.OpCompareAndPut, Key: keys.Meta(d.End), Value: enc, Expected: atEnd})
		}
		if len(b.Ops) == 0 {
			return nil
		}
		err = c.Sender.Send(ctx, &b)
		if err == nil {
			s.metrics.DirectoryWrites.Add(1)
			return nil
		}
		_, raced := errors.AsType[*kv.ConditionFailedError](err)
		_, unknown := errors.AsType[*kv.AmbiguousError](err)
		if !raced && !unknown || ctx.Err() != nil {
			return fmt.Errorf("publish %s: %w", d, err)
		}
	}
}

func overlaps(a, b *kv.RangeDescriptor) bool {
	return bytes.Compare(a.Start, b.End) < 0 && bytes.Compare(b.Start, a.End) < 0
}

type directoryRow struct {
	desc  *kv.RangeDescriptor
	value []byte
}

// directoryRows returns the rows whose end keys lie in (d.Start, d.End].
func (s *Store) directoryRows(ctx context.Context, d *kv.RangeDescriptor) ([]directoryRow, error) {
	var list []directoryRow
	err := s.scanDirectory(ctx, keys.Next(keys.Meta(d.Start)), keys.Next(keys.Meta(d.End)), 0, func(desc *kv.RangeDescriptor, value []byte) bool {
		list = append(list, directoryRow{desc, value})
		return true
	})
	return list, err
}

// scanDirectory calls fn for directory rows in order, consistently read; desc and
// value are fn's to keep.
func (s *Store) scanDirectory(ctx context.Context, start, end keys.Key, maxRows int64, fn func(desc *kv.RangeDescriptor, value []byte) bool) error {
	c := s.cluster.Load()
	if c == nil {
		return errors.New("store: not started")
	}
	for start != nil {
		var rows kv.Rows
		page := maxRows
		if page == 0 {
			page = 256
		}
		b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpScan, Key: start, EndKey: end, MaxRows: page, Rows: &rows}}}
		if err := c.Sender.Send(ctx, &b); err != nil {
			return err
		}
		for pos := 0; ; {
			_, value, _, next, ok := rows.Next(pos)
			if !ok {
				break
			}
			d := new(kv.RangeDescriptor)
			if err := d.Decode(value); err != nil {
				return err
			}
			if !fn(d, value) {
				return nil
			}
			pos = next
		}
		if maxRows != 0 {
			return nil
		}
		start = bytes.Clone(b.Ops[0].Resume)
	}
	return nil
}

// readDirectoryRow returns the directory's descriptor of the range that holds
// key, nil if it has none.
func (s *Store) readDirectoryRow(ctx context.Context, key keys.Key) (*kv.RangeDescriptor, error) {
	var found *kv.RangeDescriptor
	err := s.scanDirectory(ctx, keys.Next(keys.Meta(key)), keys.MetaMax, 1, func(d *kv.RangeDescriptor, _ []byte) bool {
		if d.Contains(key) {
			found = d
		}
		return false
	})
	return found, err
}

// Directory calls fn for every range by the directory, in key order, until it
// returns false.
func (s *Store) Directory(ctx context.Context, fn func(*kv.RangeDescriptor) bool) error {
	return s.scanDirectory(ctx, keys.MetaMin, keys.MetaMax, 0, func(d *kv.RangeDescriptor, _ []byte) bool { return fn(d) })
}

// ReplicasOn counts the replicas that the directory places on a node: zero ends a
// decommission.
func (s *Store) ReplicasOn(ctx context.Context, n keys.NodeID) (count int, err error) {
	err = s.Directory(ctx, func(d *kv.RangeDescriptor) bool {
		for _, r := range d.Replicas {
			if r.Node == n {
				count++
			}
		}
		return true
	})
	return count, err
}
