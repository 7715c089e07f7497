package participant

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/outcome"
	"github.com/spanlite/spanlite/kv/replica"
	"github.com/spanlite/spanlite/txn/locktable"
)

// The defaults of Config.
const (
	// DefaultExpireAfter is how long a transaction may be silent before others may
	// abort it: several heartbeats, and less than people wait for a stuck lock.
	DefaultExpireAfter = 5 * time.Second
	// DefaultPushAfter is how long a request waits for an intent or lock before it
	// looks after the holder: longer than a commit that is on its way takes.
	DefaultPushAfter = 20 * time.Millisecond
	// DefaultPushMax is the longest interval between such looks.
	DefaultPushMax = time.Second
)

// Config is shared by the participants of a process.
type Config struct {
	// Graph is the waits-for graph of the process. Required.
	Graph *locktable.Graph
	// Sender reaches any range, for pushing and resolving. Required unless all
	// transactions stay within one range.
	Sender kv.Sender
	// CoordinatorAlive, if set, tells whether the gateway of a transaction that
	// holds locks and has no record yet still runs it; known is false if that
	// cannot be told. Without it, and without an anchor, such a holder counts as
	// alive.
	CoordinatorAlive func(txn *kv.TxnMeta) (alive, known bool)
	// ExpireAfter, PushAfter and PushMax: see the defaults.
	ExpireAfter, PushAfter, PushMax time.Duration
	// MaxLocks bounds the locks of one range; 0 means locktable's default.
	MaxLocks int
}

// Participant implements replica.Participant for one replica.
type Participant struct {
	cfg   Config
	r     *replica.Replica
	locks *locktable.Table
	// finished remembers ends that no command has told the replica of: see ended.
	finished outcome.Memory
	// resolutions counts the resolutions of intents that were applied.
	resolutions atomic.Uint64
}

var _ replica.Participant = (*Participant)(nil)

// Factory returns what kv/replica.Config.NewParticipant wants.
func Factory(cfg Config) func(*replica.Replica) replica.Participant {
	return func(r *replica.Replica) replica.Participant { return New(cfg, r) }
}

// New returns the participant of r.
func New(cfg Config, r *replica.Replica) *Participant {
	if cfg.Graph == nil {
		panic(errors.New("participant: Config.Graph is not set"))
	}
	if cfg.ExpireAfter == 0 {
		cfg.ExpireAfter = DefaultExpireAfter
	}
	if cfg.PushAfter == 0 {
		cfg.PushAfter = DefaultPushAfter
	}
	if cfg.PushMax == 0 {
		cfg.PushMax = DefaultPushMax
	}
	return &Participant{cfg: cfg, r: r, locks: locktable.New(cfg.Graph, cfg.MaxLocks)}
}

// Locks returns the lock table, for displays.
func (p *Participant) Locks() *locktable.Table { return p.locks }

// LeaseStarted implements replica.LockKeeper.
func (p *Participant) LeaseStarted() { p.locks.Open() }

// LeaseEnded implements replica.LockKeeper.
func (p *Participant) LeaseEnded(err error) {
	p.locks.Clear(err)
	p.finished.Reset()
}

// DropLocks implements replica.LockKeeper.
func (p *Participant) DropLocks(span keys.Span, err error) { p.locks.DropSpan(span, err) }

// LockCount implements replica.LockKeeper.
func (p *Participant) LockCount() int { return p.locks.Len() }

// ended returns how a transaction ended at this range, if that is remembered. It
// makes the repetition of a one-phase commit harmless, and keeps aborted
// transactions from writing again (I11); both are also ensured by slower means.
func (p *Participant) ended(id kv.TxnID) (outcome.Outcome, bool) {
	if o, ok := p.r.Outcomes().Get(id); ok {
		return o, true
	}
	return p.finished.Get(id)
}

// finish remembers, for as long as the lease lasts, the end of a transaction that
// is not in the replica's memory: ts is zero if it was aborted.
func (p *Participant) finish(id kv.TxnID, ts hlc.Timestamp) {
	p.finished.Add(outcome.Outcome{ID: id, TS: ts, At: p.r.Clock().Peek()})
}
