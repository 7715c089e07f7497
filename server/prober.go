package server

import (
	"context"
	"sync"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/txn/locktable"
)

// probeTimeout bounds the delivery of a deadlock probe; the next one follows soon.
const probeTimeout = time.Second

// probeMessage asks about the waits of a transaction.
type probeMessage struct {
	Target kv.TxnID         `json:"target"`
	Probe  *locktable.Probe `json:"probe"`
}

// prober carries deadlock probes between nodes. A transaction may wait at any
// node, so a probe goes to every other live one: probes are sent only by what
// has waited for locktable.DefaultProbeAfter, and are small.
type prober Node

var _ locktable.Prober = (*prober)(nil)

// Probe implements locktable.Prober. The waits at this node have been searched
// before it is called.
func (p *prober) Probe(ctx context.Context, target *kv.TxnMeta, probe *locktable.Probe) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	msg := probeMessage{Target: target.ID, Probe: probe}
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, s := range p.registry.Snapshot() {
		if s.Alive && s.Node != p.identity.Node {
			wg.Go(func() { _, _ = call[none](ctx, p.dialer, s.Node, callProbe, msg) })
		}
	}
	return nil
}

// Victim implements locktable.Prober.
func (p *prober) Victim(ctx context.Context, node keys.NodeID, v *locktable.Victim) error {
	if node == p.identity.Node {
		p.graph.HandleVictim(v)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	_, err := call[none](ctx, p.dialer, node, callVictim, v)
	return err
}

// handleProbe searches this node's waits. The search goes on at other nodes, so
// the sender does not wait for it: chains of calls would add up.
func (n *Node) handleProbe(_ context.Context, m probeMessage) (none, error) {
	if m.Probe == nil || !n.graph.Waiting(m.Target) {
		return none{}, nil
	}
	n.spawn(func(ctx context.Context) { n.graph.HandleProbe(ctx, m.Target, m.Probe) })
	return none{}, nil
}

func (n *Node) handleVictim(_ context.Context, v *locktable.Victim) (none, error) {
	if v != nil {
		n.graph.HandleVictim(v)
	}
	return none{}, nil
}
