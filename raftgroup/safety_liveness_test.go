package raftgroup

import (
	"time"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/raftgroup/storeliveness"
)

// grant makes a store support this one.
func grant(h *Host, from StoreID, epoch uint64, until hlc.Timestamp) {
	h.liveness.Receive(from, &storeliveness.Message{Kind: storeliveness.Grant, Epoch: epoch, Until: until})
}

// heartbeatFrom makes this store support another.
func heartbeatFrom(h *Host, from StoreID, epoch uint64) {
	now := h.cfg.Clock.Now()
	h.liveness.Receive(from, &storeliveness.Message{Kind: storeliveness.Heartbeat, Epoch: epoch, Until: now.Add(time.Hour), Stamp: now, Echo: now})
}
