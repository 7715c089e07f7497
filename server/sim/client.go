package sim

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/spanlite/spanlite/server/sim/history"
	"github.com/spanlite/spanlite/server/testcluster"
)

const (
	// opTimeout is how long a client waits for one statement before it gives its
	// connection up.
	opTimeout = 20 * time.Second
	// thinkTime is the greatest pause between two transactions of a client.
	thinkTime = 60 * time.Millisecond
)

// client is one client. It belongs to one goroutine.
type client struct {
	r   *run
	id  int
	rng *rand.Rand
	s   *testcluster.Session
	ctx context.Context // of the current step
}

// run does steps until ctx ends.
func (cl *client) run(ctx context.Context, w workload) {
	for ctx.Err() == nil {
		if cl.s == nil && !cl.connect(ctx) {
			continue
		}
		// A step that has begun is finished, so that its outcome is known.
		var cancel context.CancelFunc
		cl.ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), opTimeout)
		w.step(cl)
		if !cl.s.Broken() && cl.s.InTransaction() {
			_, _ = cl.s.Exec(cl.ctx, "ROLLBACK")
		}
		cancel()
		if cl.s.Broken() || cl.rng.IntN(50) == 0 {
			cl.disconnect()
		}
		pause(ctx, time.Duration(cl.rng.Int64N(int64(thinkTime))))
	}
	cl.disconnect()
}

func (cl *client) disconnect() {
	if cl.s != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		cl.s.Close(ctx)
		cl.s = nil
	}
}

// connect opens a session with some node.
func (cl *client) connect(ctx context.Context) bool {
	node := 1 + cl.rng.IntN(cl.r.cfg.Nodes)
	dial, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	s, err := cl.r.c.Connect(dial, node)
	if err != nil {
		pause(ctx, 50*time.Millisecond)
		return false
	}
	cl.s = s
	return true
}

// transact runs body in a transaction and returns how it ended. An error of body
// aborts it.
func (cl *client) transact(level history.Level, body func() error) history.Outcome {
	o := cl.tryTransact(level, body)
	cl.r.note(o)
	return o
}

func (cl *client) tryTransact(level history.Level, body func() error) history.Outcome {
	if _, err := cl.s.Exec(cl.ctx, "BEGIN ISOLATION LEVEL "+level.String()); err != nil {
		return history.Aborted
	}
	if body() != nil {
		return history.Aborted
	}
	_, err := cl.s.Exec(cl.ctx, "COMMIT")
	return outcome(err)
}

// outcome classifies the answer to a COMMIT, or to a statement outside of a block.
func outcome(err error) history.Outcome {
	switch {
	case err == nil:
		return history.Committed
	case testcluster.Definite(err):
		return history.Aborted
	}
	return history.Unknown
}

// now is the time of histories.
func now() int64 { return time.Now().UnixNano() }
