package replica

import (
	"errors"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/raftgroup"
)

// Sentinels between the participant and the replica; they never leave Send.
var (
	// ErrConflict: evaluation met what the participant has noted to wait for.
	ErrConflict = errors.New("replica: request has to wait")
	// ErrWiden: evaluation needs the latches of Request.ReadSpans.
	ErrWiden = errors.New("replica: request needs more latches")
)

// Request is one batch on its way through the replica. It is pooled: nobody keeps
// a reference after Participant.Finish.
type Request struct {
	Replica *Replica
	Batch   *kv.Batch
	// Lease is the one under which the request is served; Term fences its
	// proposal (I9).
	Lease raftgroup.Lease
	// Now is the clock's reading for this request.
	Now hlc.Timestamp
	// ReadTS is the timestamp of the batch's reads.
	ReadTS hlc.Timestamp
}
