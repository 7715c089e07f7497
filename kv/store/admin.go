package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/raftgroup"
)

// Verb names an administrative request.
type Verb string

// The verbs. Those above the gap are an operator's; those below are what stores
// ask of each other.
const (
	// VerbSplit splits the range Range at Key. Leaseholder.
	VerbSplit Verb = "split"
	// VerbMerge joins the right neighbour into Range. Leaseholder.
	VerbMerge Verb = "merge"
	// VerbMove moves Range's replica from store From to Store. Leaseholder.
	VerbMove Verb = "move"
	// VerbTransferLease hands the lease of Range to Store. Leaseholder.
	VerbTransferLease Verb = "transfer-lease"
	// VerbGC collects Range's garbage now. Leaseholder.
	VerbGC Verb = "gc"
	// VerbCheck compares the replicas of Range. Leaseholder.
	VerbCheck Verb = "check"
	// VerbInfo describes Range, or all ranges of the store if Range is 0.
	VerbInfo Verb = "info"
	// VerbDrain gives all leases of the store away; VerbUndrain lets them come back.
	VerbDrain   Verb = "drain"
	VerbUndrain Verb = "undrain"

	// VerbRelocate puts Range on exactly Stores and hands its lease to Store.
	VerbRelocate Verb = "relocate"
	// VerbWaitApplied waits until the replica of Range has durably applied Index.
	VerbWaitApplied Verb = "wait-applied"
	// VerbSettleMerge asks the leader of Range whether it has merged what begins at
	// Key.
	VerbSettleMerge Verb = "settle-merge"
	// VerbChecksum fetches the result of check ID of Range.
	VerbChecksum Verb = "checksum"
)

// AdminRequest is an administrative request. It crosses nodes as JSON: it is rare,
// and its fields grow.
type AdminRequest struct {
	Verb   Verb           `json:"verb"`
	Range  keys.RangeID   `json:"range,omitempty"`
	Key    keys.Key       `json:"key,omitempty"`
	Store  keys.StoreID   `json:"store,omitempty"`
	From   keys.StoreID   `json:"from,omitempty"`
	Stores []keys.StoreID `json:"stores,omitempty"`
	Index  uint64         `json:"index,omitempty"`
	ID     uint64         `json:"id,omitempty"`
}

// AdminReply is the answer; which fields are set depends on the verb.
type AdminReply struct {
	Ranges   []RangeInfo    `json:"ranges,omitempty"`
	Merged   bool           `json:"merged,omitempty"`
	Checksum []byte         `json:"checksum,omitempty"`
	Bad      []keys.StoreID `json:"bad,omitempty"`
	Versions int            `json:"versions,omitempty"`
	Bytes    int64          `json:"bytes,omitempty"`
	// Warning is set if the request was carried out but something remains to be
	// done in the background.
	Warning string `json:"warning,omitempty"`
}

// RangeInfo describes a range as one of its replicas sees it.
type RangeInfo struct {
	Desc kv.RangeDescriptor `json:"desc"`
	// Store is whose view this is; Leaseholder the leader as far as it knows.
	Store       keys.StoreID `json:"store"`
	Leaseholder keys.StoreID `json:"leaseholder"`
	Leads       bool         `json:"leads"`
	Bytes       int64        `json:"bytes"`
	Keys        int64        `json:"keys"`
	Versions    int64        `json:"versions"`
	Intents     int64        `json:"intents"`
	Locks       int          `json:"locks"`
	QPS         float64      `json:"qps"`
	Applied     uint64       `json:"applied"`
	Frozen      bool         `json:"frozen,omitempty"`
	Error       string       `json:"error,omitempty"`
}

// Admin executes a request at this store. Requests for a leaseholder that is
// elsewhere end as *kv.NotLeaseholderError or *kv.RangeNotFoundError, for the
// caller to follow.
func (s *Store) Admin(ctx context.Context, req *AdminRequest) (*AdminReply, error) {
	if s.closed.Load() {
		return nil, ErrClosed
	}
	reply := new(AdminReply)
	switch req.Verb {
	case VerbSplit:
		left, right, err := s.AdminSplit(ctx, req.Range, req.Key)
		if left == nil {
			return nil, err
		}
		reply.Ranges = []RangeInfo{{Desc: *left, Store: s.id.Store}, {Desc: *right, Store: s.id.Store}}
		return reply.warn(err), nil
	case VerbMerge:
		d, err := s.AdminMerge(ctx, req.Range)
		if d == nil {
			return nil, err
		}
		reply.Ranges = []RangeInfo{{Desc: *d, Store: s.id.Store}}
		return reply.warn(err), nil
	case VerbMove:
		return reply, s.AdminMove(ctx, req.Range, req.From, req.Store)
	case VerbTransferLease:
		return reply, s.AdminTransferLease(ctx, req.Range, req.Store)
	case VerbGC:
		var err error
		reply.Versions, reply.Bytes, err = s.AdminGC(ctx, req.Range)
		return reply, err
	case VerbCheck:
		var err error
		reply.Bad, err = s.AdminCheck(ctx, req.Range)
		return reply, err
	case VerbInfo:
		if req.Range == 0 {
			reply.Ranges = s.Infos()
			return reply, nil
		}
		h, err := s.leader(req.Range)
		if err != nil {
			return nil, err
		}
		reply.Ranges = []RangeInfo{s.info(h)}
		return reply, nil
	case VerbDrain:
		return reply, s.Drain(ctx)
	case VerbUndrain:
		s.Undrain()
		return reply, nil
	case VerbRelocate:
		h, err := s.leader(req.Range)
		if err != nil {
			return nil, err
		}
		// Keep this store's replica until the lease has moved.
		stores := req.Stores
		if !slices.Contains(stores, s.id.Store) {
			stores = append(slices.Clone(stores), s.id.Store)
		}
		if err := s.relocate(ctx, req.Range, h, stores); err != nil {
			return nil, err
		}
		return reply, s.transferLease(ctx, h, req.Store)
	case VerbWaitApplied:
		return reply, s.waitAppliedHere(ctx, req.Range, raftgroup.Index(req.Index))
	case VerbSettleMerge:
		var err error
		reply.Merged, err = s.settleMerge(ctx, req.Range, req.Key)
		return reply, err
	case VerbChecksum:
		sum, err := s.checksumHere(ctx, req.Range, req.ID)
		reply.Checksum = sum[:]
		return reply, err
	}
	return nil, fmt.Errorf("store: unknown verb %q", req.Verb)
}

func (r *AdminReply) warn(err error) *AdminReply {
	if err != nil {
		r.Warning = err.Error()
	}
	return r
}

// Infos describes all initialised replicas of this store, by range id.
func (s *Store) Infos() []RangeInfo {
	var list []RangeInfo
	s.table.each(func(_ keys.RangeID, h *handle) bool {
		if h.r.Initialized() {
			list = append(list, s.info(h))
		}
		return true
	})
	slices.SortFunc(list, func(a, b RangeInfo) int { return int(int64(a.Desc.RangeID) - int64(b.Desc.RangeID)) })
	return list
}

func (s *Store) info(h *handle) RangeInfo {
	d, st, l := h.r.Desc(), h.r.Stats(), h.r.Lease()
	applied, _ := h.r.AppliedIndex()
	i := RangeInfo{
		Desc: *d, Store: s.id.Store, Leads: h.holdsLease(), Bytes: st.Bytes(), Keys: st.Keys, Versions: st.Versions,
		Intents: st.Intents, Locks: h.r.Load().Locks, QPS: s.qps(h), Applied: uint64(applied), Frozen: h.r.Frozen(),
	}
	for _, rd := range d.Replicas {
		if rd.Replica == l.Leader.Replica {
			i.Leaseholder = rd.Store
		}
	}
	if err := h.failed.Load(); err != nil {
		i.Error = (*err).Error()
	}
	return i
}

// ask executes a request at a node, this one included.
func (s *Store) ask(ctx context.Context, node keys.NodeID, req *AdminRequest) (*AdminReply, error) {
	if node == s.id.Node {
		return s.Admin(ctx, req)
	}
	c := s.cluster.Load()
	if c == nil || c.Peers == nil {
		return nil, fmt.Errorf("store: no way to %s", node)
	}
	return c.Peers.Admin(ctx, node, req)
}

// askLeader executes a request at the leaseholder of a range.
func (s *Store) askLeader(ctx context.Context, d *kv.RangeDescriptor, req *AdminRequest) (*AdminReply, error) {
	return AskLeader(ctx, d, req, s.ask)
}

// AskLeader executes a request at a range's leaseholder: it tries the members of
// d and follows hints. ask reaches a node.
func AskLeader(ctx context.Context, d *kv.RangeDescriptor, req *AdminRequest,
	ask func(context.Context, keys.NodeID, *AdminRequest) (*AdminReply, error)) (*AdminReply, error) {
	var last error
	for round := range 10 {
		if round > 0 {
			if err := sleep(ctx, min(10*time.Millisecond<<round, time.Second)); err != nil {
				return nil, err
			}
		}
		nodes := make([]keys.NodeID, 0, len(d.Replicas)+1)
		for _, rd := range d.Replicas {
			nodes = append(nodes, rd.Node)
		}
		tried := make(map[keys.NodeID]bool)
		for i := 0; i < len(nodes); i++ {
			n := nodes[i]
			if tried[n] {
				continue
			}
			tried[n] = true
			reply, err := ask(ctx, n, req)
			if err == nil {
				return reply, nil
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			last = err
			nl, moved := errors.AsType[*kv.NotLeaseholderError](err)
			_, gone := errors.AsType[*kv.RangeNotFoundError](err)
			_, unreachable := errors.AsType[interface {
				error
				Unreachable() bool
			}](err)
			if !moved && !gone && !unreachable {
				return nil, err
			}
			if moved && nl.Desc != nil && nl.Desc.Generation > d.Generation {
				d = nl.Desc
				for _, rd := range d.Replicas {
					nodes = append(nodes, rd.Node)
				}
			}
			if moved && nl.Leaseholder.Node != 0 && !tried[nl.Leaseholder.Node] {
				nodes = slices.Insert(nodes, i+1, nl.Leaseholder.Node)
			}
		}
	}
	return nil, fmt.Errorf("%s: no leaseholder found: %w", d.RangeID, last)
}
