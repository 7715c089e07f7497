package txn

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// Config configures a DB.
type Config struct {
	// Sender executes batches; kv/dist in a node. Required.
	Sender kv.Sender
	// Clock is the node's clock. Required. Its MaxOffset is the uncertainty of reads.
	Clock *hlc.Clock
	Node  keys.NodeID
	// BufferBytesMax is the size of a write buffer at which it spills into
	// intents. Default 16 MB.
	BufferBytesMax int64
	// IntentsMax bounds how many single keys a transaction remembers for
	// resolution before it keeps spans instead. Default 20,000.
	IntentsMax int
	// ReadSpansMax bounds the read spans a SERIALIZABLE transaction remembers
	// one by one; neighbours are then joined. Default 2,000.
	ReadSpansMax int
	// HeartbeatInterval is how often a transaction with a record says that it is
	// alive. Default 1 s.
	HeartbeatInterval time.Duration
	// OutcomeWait bounds how long a coordinator tries to learn the outcome of a
	// commit whose answer got lost. Meanwhile the client waits, as for any commit.
	// Default 20 s: longer than it takes to replace a leaseholder that died.
	OutcomeWait time.Duration
	// Resolvers is the number of goroutines that resolve intents of finished
	// transactions. Default 4.
	Resolvers int
	Logger    *slog.Logger
}

// DB makes transactions and owns their background work. Safe for concurrent use.
type DB struct {
	cfg      Config
	idPrefix uint64 // random per process; with idCounter it makes ids unique
	idNext   atomic.Uint64
	pool     sync.Pool
	finisher finisher
	registry registry
	metrics  Metrics
}

// Metrics counts what happened. All fields may be read at any time.
type Metrics struct {
	Begun, Committed, Aborted           atomic.Int64
	OnePhase, ParallelCommits, ReadOnly atomic.Int64
	Refreshes, RefreshFailures          atomic.Int64
	Restarts, Spills, Ambiguous         atomic.Int64
	ResolveErrors, OutcomeQueries       atomic.Int64
}

// NewDB starts the background work; Close ends it.
func NewDB(cfg Config) *DB {
	if cfg.BufferBytesMax == 0 {
		cfg.BufferBytesMax = 16 << 20
	}
	if cfg.IntentsMax == 0 {
		cfg.IntentsMax = 20_000
	}
	if cfg.ReadSpansMax == 0 {
		cfg.ReadSpansMax = 2_000
	}
	if cfg.HeartbeatInterval == 0 {
		cfg.HeartbeatInterval = time.Second
	}
	if cfg.OutcomeWait == 0 {
		cfg.OutcomeWait = 20 * time.Second
	}
	if cfg.Resolvers == 0 {
		cfg.Resolvers = 4
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	db := &DB{cfg: cfg}
	var seed [8]byte
	rand.Read(seed[:])
	db.idPrefix = binary.BigEndian.Uint64(seed[:])
	db.pool.New = func() any { return &Txn{db: db} }
	db.registry.init()
	db.finisher.start(db)
	return db
}

// Close stops the background work and waits for it. Transactions that are open
// must have ended. What was not resolved is resolved by whoever meets it.
func (db *DB) Close() { db.finisher.stop() }

// Metrics returns the counters.
func (db *DB) Metrics() *Metrics { return &db.metrics }

// Clock returns the node's clock.
func (db *DB) Clock() *hlc.Clock { return db.cfg.Clock }

// Now returns a reading of the node's clock.
func (db *DB) Now() hlc.Timestamp { return db.cfg.Clock.Now() }

// Send executes a batch outside of transactions.
func (db *DB) Send(ctx context.Context, b *kv.Batch) error {
	b.GatewayNode = db.cfg.Node
	return db.cfg.Sender.Send(ctx, b)
}

// Increment adds by to the counter at key, not transactionally, and returns the
// sum. When an answer gets lost it adds again: numbers may be skipped, but nobody
// gets one twice.
func (db *DB) Increment(ctx context.Context, key []byte, by int64) (int64, error) {
	for attempt := 0; ; attempt++ {
		b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpIncrement, Key: key, Delta: by}}}
		err := db.Send(ctx, &b)
		if err == nil {
			return b.Ops[0].Result, nil
		}
		if _, lost := errors.AsType[*kv.AmbiguousError](err); !lost || attempt == attemptsMax {
			return 0, err
		}
		if sleep(ctx, outcomePause) != nil {
			return 0, err
		}
	}
}

// DeleteRange removes [start, end) with range tombstones, not transactionally: the
// keys must be out of everybody's reach already (dropped data).
func (db *DB) DeleteRange(ctx context.Context, start, end []byte) error {
	b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpDeleteRange, Key: start, EndKey: end}}}
	return db.Send(ctx, &b)
}

// newID returns an id that no other transaction has.
func (db *DB) newID() kv.TxnID {
	var id kv.TxnID
	n := db.idNext.Add(1)
	// The counter is mixed in reversed, so that ids spread from their first bytes
	// on: shards and short forms take those.
	binary.BigEndian.PutUint64(id[:8], db.idPrefix^bits.Reverse64(n))
	binary.BigEndian.PutUint64(id[8:], db.idPrefix+n)
	return id
}

// Run executes fn in a transaction and commits it. If it meets a conflict it is
// run again, so fn must have no effects outside of its transaction.
func (db *DB) Run(ctx context.Context, opts Options, fn func(ctx context.Context, t *Txn) error) error {
	t := db.Begin(opts)
	defer t.Close()
	for attempt := 0; ; attempt++ {
		err := fn(ctx, t)
		if err == nil {
			if err = t.Commit(ctx); err == nil {
				return nil
			}
		}
		if !Retryable(err) || attempt >= runAttemptsMax || ctx.Err() != nil {
			t.Rollback(context.WithoutCancel(ctx))
			return err
		}
		if err := t.Restart(ctx, err); err != nil {
			return err
		}
		if err := backoff(ctx, attempt); err != nil {
			t.Rollback(context.WithoutCancel(ctx))
			return err
		}
	}
}

// runAttemptsMax bounds Run's restarts: past it there is livelock or a bug.
const runAttemptsMax = 200

// Retryable reports whether a transaction that ended with err may be run again
// from its beginning (SQLSTATE 40001 and 40P01).
func Retryable(err error) bool {
	if _, ok := errors.AsType[*kv.AmbiguousError](err); ok {
		return false
	}
	if _, ok := errors.AsType[*kv.RetryError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*kv.TxnAbortedError](err); ok {
		return true
	}
	_, ok := errors.AsType[*kv.DeadlockError](err)
	return ok
}

// backoff waits a little longer after each attempt, the first ones not at all.
func backoff(ctx context.Context, attempt int) error {
	if attempt < 3 {
		return ctx.Err()
	}
	d := min(time.Millisecond<<min(attempt-3, 6), 50*time.Millisecond)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
