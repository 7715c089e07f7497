package replica

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/latch"
	"github.com/spanlite/spanlite/kv/mvcc"
	"github.com/spanlite/spanlite/kv/storage"
	"github.com/spanlite/spanlite/raftgroup"
)

// exclusive runs fn with the lease and, if quiet, with a latch on everything, so
// that no request is under way. fn builds a command, or returns nil for none.
func (r *Replica) exclusive(ctx context.Context, expect uint64, quiet bool, fn func(d *kv.RangeDescriptor, now hlc.Timestamp) (*command, error)) (*pending, error) {
	if err := r.lockAdmin(ctx); err != nil {
		return nil, err
	}
	defer r.unlockAdmin()
	for {
		now := r.cfg.Clock.Now()
		if f := r.refuse.Load(); f != nil && !(r.Frozen() && isFrozenError(f.err)) {
			return nil, f.err
		}
		if _, ok := r.lease(now); !ok {
			if err := r.awaitLease(ctx, now); err != nil {
				return nil, err
			}
		}
		var guard *latch.Guard
		if quiet {
			var err error
			if guard, err = r.latch(ctx, []latch.Latch{{Span: everything, Write: true}}); err != nil {
				return nil, err
			}
		}
		now = r.cfg.Clock.Now()
		l, ok := r.lease(now)
		if !ok {
			r.release(guard)
			continue
		}
		d := r.desc.Load()
		if expect != 0 && d.Generation != expect {
			r.release(guard)
			return nil, &kv.RangeMismatchError{RangeID: r.cfg.RangeID, Descs: []*kv.RangeDescriptor{d}}
		}
		c, err := fn(d, now)
		if err != nil || c == nil {
			r.release(guard)
			return nil, err
		}
		p := &pending{}
		p.proposal.Owner = p
		err = r.run(ctx, p, c, l.Term, guard, c.changes)
		if _, ambiguous := err.(*kv.AmbiguousError); !ambiguous {
			r.release(guard)
		}
		return p, err
	}
}

func (r *Replica) lockAdmin(ctx context.Context) error {
	select {
	case r.admin <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (r *Replica) unlockAdmin() { <-r.admin }

func (r *Replica) release(g *latch.Guard) {
	if g != nil {
		r.latches.Release(g)
	}
}

func isFrozenError(err error) bool { return errors.Is(err, errFrozen) }

// Split splits the range at key: the left part keeps id and replica ids, the
// right part is newRange on the same stores, its replicas numbered from 1. It
// returns when this replica has applied the split. The directory is the
// caller's business.
//
// expect is the generation the caller has seen, 0 for any; another one is a
// RangeMismatchError. Errors otherwise as with Send.
func (r *Replica) Split(ctx context.Context, key keys.Key, newRange keys.RangeID, expect uint64) (left, right *kv.RangeDescriptor, err error) {
	p, err := r.exclusive(ctx, expect, true, func(d *kv.RangeDescriptor, now hlc.Timestamp) (*command, error) {
		if bytes.Compare(key, d.Start) <= 0 || bytes.Compare(key, d.End) >= 0 {
			return nil, fmt.Errorf("replica: split of %s at %x, which is not inside: %w", d, key,
				&kv.RangeMismatchError{RangeID: d.RangeID, Descs: []*kv.RangeDescriptor{d}})
		}
		for _, rd := range d.Replicas {
			if rd.Role != kv.Voter && rd.Role != kv.Learner {
				return nil, fmt.Errorf("replica: split of %s during a membership change", d)
			}
		}
		s := SplitTrigger{Left: *d, Floor: now}
		s.Left.End = keys.Clone(key)
		s.Left.Generation++
		s.Right = kv.RangeDescriptor{RangeID: newRange, Start: s.Left.End, End: d.End, Generation: s.Left.Generation}
		for i, rd := range d.Replicas {
			rd.Replica = keys.ReplicaID(i + 1)
			s.Right.Replicas = append(s.Right.Replicas, rd)
		}
		s.Right.NextReplicaID = keys.ReplicaID(len(d.Replicas) + 1)
		var err error
		if s.RightStats, err = r.rightStats(d, key); err != nil {
			return nil, err
		}
		return &command{kind: cmdSplit, trigger: s.encode(nil)}, nil
	})
	if err != nil {
		return nil, nil, err
	}
	return p.desc, p.right, nil
}

// exactSplitBytes is the size up to which a split counts the right side instead
// of estimating it; nothing else runs on the range meanwhile. The estimate is
// poor for what is still in memory, so it is left to ranges of enormous size:
// counting takes about 0.1 s per 64 MB.
const exactSplitBytes = 1 << 30

// rightStats returns the statistics of [key, d.End). The number of intents is
// always exact, since readers rely on it.
func (r *Replica) rightStats(d *kv.RangeDescriptor, key keys.Key) (Stats, error) {
	all := r.Stats()
	if all.Bytes() <= exactSplitBytes {
		return mvcc.ComputeStats(r.cfg.Engine, key, d.End)
	}
	whole, err := r.cfg.Engine.DiskBytes(keys.Span{Start: d.Start, End: d.End})
	if err != nil {
		return Stats{}, err
	}
	part, err := r.cfg.Engine.DiskBytes(keys.Span{Start: key, End: d.End})
	if err != nil {
		return Stats{}, err
	}
	share := 0.5
	if whole > 0 {
		share = float64(part) / float64(whole)
	}
	right := Stats{
		Keys: int64(share * float64(all.Keys)), Versions: int64(share * float64(all.Versions)),
		Tombstones: int64(share * float64(all.Tombstones)), KeyBytes: int64(share * float64(all.KeyBytes)),
		ValueBytes: int64(share * float64(all.ValueBytes)), RangeTombstones: int64(share * float64(all.RangeTombstones)),
	}
	intents, err := mvcc.CountIntents(r.cfg.Engine, key, d.End)
	right.Add(intents)
	return right, err
}

// FindSplitKey returns a key near the middle of the range, by size, at which the
// range may be split, or nil if there is none.
func (r *Replica) FindSplitKey(ctx context.Context) (keys.Key, error) {
	d := r.desc.Load()
	if d == nil {
		return nil, nil
	}
	start := d.Start
	if bytes.Compare(start, keys.SystemEnd) < 0 {
		start = keys.SystemEnd // directory and system rows never split
	}
	if bytes.Compare(start, d.End) >= 0 {
		return nil, nil
	}
	s := r.Stats()
	return mvcc.FindSplitKey(r.cfg.Engine, start, d.End, (s.KeyBytes+s.ValueBytes)/2)
}

// Freeze is the first step of merging this range into its left neighbour: it
// stops all requests, and changes of the members. It returns the index that every
// replica must have applied before Merge is called on the left range. Unfreeze
// takes it back, as long as the merge has not happened.
func (r *Replica) Freeze(ctx context.Context) (raftgroup.Index, Stats, error) {
	p, err := r.exclusive(ctx, 0, true, func(d *kv.RangeDescriptor, now hlc.Timestamp) (*command, error) {
		for _, rd := range d.Replicas {
			if rd.Role != kv.Voter {
				return nil, fmt.Errorf("replica: freeze of %s during a membership change", d)
			}
		}
		return &command{kind: cmdFreeze, trigger: binary.LittleEndian.AppendUint64(nil, uint64(now))}, nil
	})
	if err != nil {
		return 0, Stats{}, err
	}
	return p.proposal.Index, r.Stats(), nil
}

// Unfreeze lets requests in again.
func (r *Replica) Unfreeze(ctx context.Context) error {
	_, err := r.exclusive(ctx, 0, false, func(*kv.RangeDescriptor, hlc.Timestamp) (*command, error) {
		if !r.Frozen() {
			return nil, nil
		}
		return &command{kind: cmdUnfreeze}, nil
	})
	return err
}

// Merge joins the frozen right neighbour into this range. Both must have their
// members on the same stores, and all replicas of right must have applied frozen.
//
// term is this range's term from before the freeze. A later leaseholder may have
// let right go on since, so a merge of a later term must not be.
func (r *Replica) Merge(ctx context.Context, term raftgroup.Term, right *kv.RangeDescriptor, frozen raftgroup.Index, rightStats Stats) (*kv.RangeDescriptor, error) {
	p, err := r.exclusive(ctx, 0, true, func(d *kv.RangeDescriptor, now hlc.Timestamp) (*command, error) {
		if l := r.Lease(); l.Term != term {
			return nil, r.notLeaseholder(l)
		}
		if !bytes.Equal(d.End, right.Start) {
			return nil, fmt.Errorf("replica: merge of %s and %s, which do not adjoin", d, right)
		}
		if len(d.Replicas) != len(right.Replicas) {
			return nil, fmt.Errorf("replica: merge of %s and %s, which are on different stores", d, right)
		}
		for _, rd := range d.Replicas {
			if o, ok := right.Replica(rd.Store); !ok || o.Role != rd.Role || rd.Role != kv.Voter {
				return nil, fmt.Errorf("replica: merge of %s and %s, which are on different stores", d, right)
			}
		}
		// The right range's reads were all below its clock at the freeze, which its
		// caller has passed on with every message since.
		m := MergeTrigger{Left: *d, Right: *right, FrozenIndex: frozen, RightStats: rightStats, Floor: now}
		m.Left.End = right.End
		m.Left.Generation = max(d.Generation, right.Generation) + 1
		return &command{kind: cmdMerge, trigger: m.encode(nil)}, nil
	})
	if err != nil {
		return nil, err
	}
	return p.desc, nil
}

// ReplicaChange is one step of a membership change. The replica id of an addition
// is chosen by ChangeReplicas.
type ReplicaChange struct {
	Type  raftgroup.ChangeType
	Node  keys.NodeID
	Store keys.StoreID
}

// ChangeReplicas changes the members in one step or, if there are several
// changes, through a joint configuration, and returns the descriptor after the
// first step. AddVoter of a store with a learner promotes it. expect as with
// Split. The members of a frozen range do not change: those of the left neighbour,
// which is about to take its data over, are the same.
func (r *Replica) ChangeReplicas(ctx context.Context, changes []ReplicaChange, expect uint64) (*kv.RangeDescriptor, error) {
	p, err := r.exclusive(ctx, expect, false, func(d *kv.RangeDescriptor, _ hlc.Timestamp) (*command, error) {
		if r.Frozen() {
			return nil, &kv.UnavailableError{RangeID: r.cfg.RangeID, Cause: errFrozen}
		}
		next := *d
		next.Replicas = append([]kv.ReplicaDescriptor(nil), d.Replicas...)
		c := &command{kind: cmdMembers}
		for _, ch := range changes {
			rd, exists := d.Replica(ch.Store)
			if !exists {
				if ch.Type == raftgroup.RemoveMember {
					return nil, fmt.Errorf("replica: %s has no replica on %s", d, ch.Store)
				}
				rd = kv.ReplicaDescriptor{Node: ch.Node, Store: ch.Store, Replica: next.NextReplicaID}
				next.NextReplicaID++
				next.Replicas = append(next.Replicas, rd)
			}
			c.changes = append(c.changes, raftgroup.MemberChange{Type: ch.Type, Replica: rd.Replica, Store: ch.Store})
		}
		if len(c.changes) == 0 {
			return nil, nil
		}
		c.trigger = next.Encode(nil)
		return c, nil
	})
	if err != nil {
		return nil, err
	}
	if p == nil {
		return r.desc.Load(), nil
	}
	return p.desc, nil
}

// TransferLease hands leadership and lease to the replica on another store. The
// locks go along in a command of their own.
func (r *Replica) TransferLease(ctx context.Context, to keys.StoreID) error {
	d := r.desc.Load()
	if d == nil {
		return r.notLeaseholder(raftgroup.Lease{})
	}
	target, ok := d.Replica(to)
	if !ok || target.Role != kv.Voter && target.Role != kv.VoterIncoming {
		return fmt.Errorf("replica: %s has no voter on %s", d, to)
	}
	if target.Replica == r.cfg.ReplicaID {
		return nil
	}
	if err := r.lockAdmin(ctx); err != nil {
		return err
	}
	defer r.unlockAdmin()
	// No request may take or drop a lock between the copy and the transfer.
	guard, err := r.latch(ctx, []latch.Latch{{Span: everything, Write: true}})
	if err != nil {
		return err
	}
	l, held := r.lease(r.cfg.Clock.Now())
	if !held {
		r.release(guard)
		return r.notLeaseholder(l)
	}
	if err := r.handOver(ctx, l.Term); err != nil {
		r.release(guard)
		return err
	}
	err = r.group.Load().g.TransferLeader(ctx, target.Replica)
	r.release(guard)
	return err
}

// Handover writes the leaseholder's locks into the log, for the holder of the next
// lease: before a shutdown that lets the lease move by itself. What is locked after
// it is lost with the lease (I13).
func (r *Replica) Handover(ctx context.Context) error {
	if err := r.lockAdmin(ctx); err != nil {
		return err
	}
	defer r.unlockAdmin()
	l, held := r.lease(r.cfg.Clock.Now())
	if !held {
		return r.notLeaseholder(l)
	}
	return r.handOver(ctx, l.Term)
}

func (r *Replica) handOver(ctx context.Context, term raftgroup.Term) error {
	if r.p.LockCount() == 0 {
		return nil
	}
	p := &pending{}
	p.proposal.Owner = p
	return r.run(ctx, p, &command{kind: cmdHandover, trigger: r.p.ExportLocks(everything)}, term, nil, nil)
}

// SetGCThreshold raises the timestamp at or below which reads are refused; the
// GC queue does so before it removes versions with OpGC.
func (r *Replica) SetGCThreshold(ctx context.Context, ts hlc.Timestamp) error {
	_, err := r.exclusive(ctx, 0, false, func(*kv.RangeDescriptor, hlc.Timestamp) (*command, error) {
		if ts <= r.GCThreshold() {
			return nil, nil
		}
		return &command{kind: cmdThreshold, trigger: binary.LittleEndian.AppendUint64(nil, uint64(ts))}, nil
	})
	return err
}

// Checksum makes every replica compute a checksum of its state at one index;
// Hooks.Checksum receives it under id.
func (r *Replica) Checksum(ctx context.Context, id uint64) (raftgroup.Index, error) {
	p, err := r.exclusive(ctx, 0, false, func(*kv.RangeDescriptor, hlc.Timestamp) (*command, error) {
		return &command{kind: cmdChecksum, trigger: binary.LittleEndian.AppendUint64(nil, id)}, nil
	})
	if err != nil {
		return 0, err
	}
	return p.proposal.Index, nil
}

// ComputeChecksum returns the SHA-256 of a replica's replicated state in snap.
// The tombstone of an earlier replica is not part of it. pace, if set, is called
// for about every 64 KB with their number; it may wait, and its error ends the
// computation.
//
// The state item must be at the same index on all replicas, as Hooks.Checksum
// sees to it.
func ComputeChecksum(ctx context.Context, snap *storage.Snapshot, desc *kv.RangeDescriptor, pace func(int) error) (sum [32]byte, err error) {
	h := sha256.New()
	var n [8]byte
	read := 0
	add := func(b []byte) {
		binary.LittleEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
		read += len(b)
	}
	skip := storage.AppendKey(nil, keys.RangeLocal(desc.RangeID, suffixTombstone))
	for _, span := range keys.ReplicatedSpans(desc.RangeID, desc.Start, desc.End) {
		o := pebble.IterOptions{LowerBound: storage.AppendKey(nil, span.Start), UpperBound: storage.AppendKey(nil, span.End)}
		it, err := snap.NewIter(&o)
		if err != nil {
			return sum, storage.ReadError(err)
		}
		for it.First(); it.Valid(); it.Next() {
			v, err := it.ValueAndErr()
			if err != nil {
				return sum, errors.Join(storage.ReadError(err), it.Close())
			}
			if bytes.Equal(it.Key(), skip) {
				continue
			}
			add(it.Key())
			add(v)
			if read >= 64<<10 {
				err := ctx.Err()
				if err == nil && pace != nil {
					err = pace(read)
				}
				if err != nil {
					return sum, errors.Join(err, it.Close())
				}
				read = 0
			}
		}
		if err := it.Close(); err != nil {
			return sum, storage.ReadError(err)
		}
		tombstones, err := mvcc.RangeTombstones(snap, span.Start, span.End)
		if err != nil {
			return sum, err
		}
		for _, t := range tombstones {
			add(t.Start)
			add(t.End)
			add(binary.LittleEndian.AppendUint64(nil, uint64(t.TS)))
		}
	}
	h.Sum(sum[:0])
	return sum, nil
}
