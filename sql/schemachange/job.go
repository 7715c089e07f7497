package schemachange

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/catalog/lease"
)

// A job is work that outlives the transaction which asked for it, so it is a row of a
// system table until it is done: whoever finds it when its process has ended takes it over
// (claim).
//
// The row's key is the job's number (catalog.SysJobs); its value is
//
//	format u8, kind u8, then uvarints: node, process, created, table, object, flags,
//	valid from, rows, and then byte strings (a uvarint length and the bytes): next, and
//	after a uvarint number of them the spans, two each
//
// with the node and process that look after it and the time it was written.
type job struct {
	id      uint64
	kind    jobKind
	node    keys.NodeID
	process uint64
	created hlc.Timestamp
	// table and object say what is built: an index by its OID, or a constraint.
	table, object catalog.ID
	flags         jobFlags
	// validFrom is the timestamp at which a backfill was complete.
	validFrom hlc.Timestamp
	// rows have been worked off; the ones from next on remain, nil: all.
	rows  uint64
	next  keys.Key
	spans []keys.Span
}

// jobKind is what a job is about. The values are stored.
type jobKind uint8

const (
	// jobClear removes the data of dropped objects. The row commits with the
	// transaction that drops them.
	jobClear jobKind = 1
	// jobGuard says that a transaction writes data of an index around itself, into
	// spans that only its commit makes reachable. The row is written before the data,
	// and deleted after the commit. If the transaction does not commit, the spans are
	// cleared.
	jobGuard jobKind = 2
	// jobIndex builds an index beside writers (online.go).
	jobIndex jobKind = 3
	// jobConstraint validates a CHECK or FOREIGN KEY constraint beside writers
	// (validate.go).
	jobConstraint jobKind = 4
	// jobTemp drops the temporary schema of a session that has ended (temp.go). The
	// object is the schema.
	jobTemp jobKind = 5
)

// jobFlags say what is to be done at the end. The values are stored.
type jobFlags uint64

const (
	// jobUnique: the index is to become a UNIQUE constraint.
	jobUnique jobFlags = 1 << iota
	// jobDrop: if the constraint is violated it is removed again.
	jobDrop
)

const (
	jobFormat = 1
	// sweepInterval is how often a node looks for jobs that others have left.
	sweepInterval = 5 * time.Second
	// guardPeriod is for how long data are left alone whose transaction has ended with
	// no known outcome, or on a node that is gone: a commit that is still on its way
	// somewhere must not find its index empty.
	guardPeriod = 10 * time.Minute
)

// jobCounter numbers the jobs.
var jobCounter = keys.System("jobs/next-id")

var (
	errJob = errors.New("schemachange: malformed job")
	// errJobTaken: another process has taken the job over, or done it.
	errJobTaken = errors.New("schemachange: the job is no longer this node's")
)

func (j *job) key() keys.Key { return catalog.SystemKey(catalog.SysJobs, j.id) }

func (j *job) encode() []byte {
	b := []byte{jobFormat, byte(j.kind)}
	for _, n := range []uint64{uint64(j.node), j.process, uint64(j.created), uint64(j.table), uint64(j.object), uint64(j.flags), uint64(j.validFrom), j.rows} {
		b = binary.AppendUvarint(b, n)
	}
	text := func(k keys.Key) { b = append(binary.AppendUvarint(b, uint64(len(k))), k...) }
	text(j.next)
	b = binary.AppendUvarint(b, uint64(len(j.spans)))
	for _, s := range j.spans {
		text(s.Start)
		text(s.End)
	}
	return b
}

func decodeJob(key, value []byte) (*job, error) {
	prefix := catalog.SystemKey(catalog.SysJobs)
	if len(key) != len(prefix)+8 || len(value) < 2 {
		return nil, errJob
	}
	if value[0] != jobFormat {
		return nil, fmt.Errorf("schemachange: job has format %d, this release reads %d", value[0], jobFormat)
	}
	b, bad := value[2:], false
	number := func(limit uint64) uint64 {
		n, l := binary.Uvarint(b)
		if l <= 0 || n > limit {
			bad, b = true, nil
			return 0
		}
		b = b[l:]
		return n
	}
	text := func() keys.Key {
		n := number(uint64(len(b)))
		if n == 0 || n > uint64(len(b)) {
			bad = bad || n != 0
			return nil
		}
		k := slices.Clone(b[:n])
		b = b[n:]
		return k
	}
	j := &job{id: binary.BigEndian.Uint64(key[len(prefix):]), kind: jobKind(value[1])}
	j.node = keys.NodeID(number(math.MaxUint32))
	j.process = number(math.MaxUint64)
	j.created = hlc.Timestamp(number(math.MaxUint64))
	j.table = catalog.ID(number(math.MaxUint32))
	j.object = catalog.ID(number(math.MaxUint32))
	j.flags = jobFlags(number(math.MaxUint64))
	j.validFrom = hlc.Timestamp(number(math.MaxUint64))
	j.rows = number(math.MaxUint64)
	j.next = text()
	for range number(uint64(len(b))) {
		j.spans = append(j.spans, keys.Span{Start: text(), End: text()})
	}
	if bad || len(b) != 0 {
		return nil, errJob
	}
	return j, nil
}

// newJob returns a job of this process, which counts as in hand until letGo.
func (e *Executor) newJob(ctx context.Context, kind jobKind, spans ...keys.Span) (*job, error) {
	id, err := e.cfg.DB.Increment(ctx, jobCounter, 1)
	if err != nil {
		return nil, err
	}
	j := &job{id: uint64(id), kind: kind, node: e.cfg.Source.Node(), process: e.process, created: e.cfg.DB.Now(), spans: spans}
	e.jobsMu.Lock()
	e.inHand[j.id] = true
	e.jobsMu.Unlock()
	return j, nil
}

// letGo leaves a job to the sweep, if its row is still there.
func (e *Executor) letGo(j *job) {
	e.jobsMu.Lock()
	delete(e.inHand, j.id)
	e.jobsMu.Unlock()
}

// write makes a job known before the work it is about begins.
func (e *Executor) write(ctx context.Context, j *job) error {
	b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpPut, Key: j.key(), Value: j.encode()}}}
	return e.cfg.DB.Send(ctx, &b)
}

// done removes a job.
func (e *Executor) done(ctx context.Context, j *job) error {
	b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpDelete, Key: j.key()}}}
	return e.cfg.DB.Send(ctx, &b)
}

// BeforeCommit adds to a transaction that has dropped data the job to clear them. The
// session calls it before it commits a transaction that has changed the catalog.
func (e *Executor) BeforeCommit(ctx context.Context, coll *catalog.Collection) error {
	dropped, err := e.dropAtCommit(ctx, coll)
	if err != nil {
		return err
	}
	spans := garbage(coll)
	for _, t := range dropped {
		spans = append(spans, t.Span())
	}
	if len(spans) == 0 {
		return nil
	}
	j, err := e.newJob(ctx, jobClear, spans...)
	if err != nil {
		return err
	}
	e.note(coll, j)
	return coll.Txn().Put(ctx, j.key(), j.encode())
}

// Guard makes sure that data in spans, which only the transaction's commit makes
// reachable, do not stay for ever if it does not commit. Whoever writes such data around
// the transaction calls it first.
func (e *Executor) Guard(ctx context.Context, coll *catalog.Collection, spans []keys.Span) error {
	j, err := e.newJob(ctx, jobGuard, spans...)
	if err != nil {
		return err
	}
	e.note(coll, j)
	return e.write(ctx, j)
}

// note keeps a job with the transaction until it has ended.
func (e *Executor) note(coll *catalog.Collection, j *job) {
	e.jobsMu.Lock()
	defer e.jobsMu.Unlock()
	if e.noted[coll] == nil {
		coll.AtRelease(func() {
			for _, j := range e.takeJobs(coll) {
				e.letGo(j)
			}
		})
	}
	e.noted[coll] = append(e.noted[coll], j)
}

func (e *Executor) takeJobs(coll *catalog.Collection) []*job {
	e.jobsMu.Lock()
	defer e.jobsMu.Unlock()
	jobs := e.noted[coll]
	delete(e.noted, coll)
	return jobs
}

// garbage returns the spans of indexes that the transaction's commit makes unreachable.
func garbage(coll *catalog.Collection) []keys.Span {
	var out []keys.Span
	coll.EachChange(func(was, is catalog.Descriptor) bool {
		old, ok := was.(*catalog.Table)
		if !ok {
			return true
		}
		now, ok := is.(*catalog.Table)
		if !ok {
			out = append(out, old.Span())
			return true
		}
		live := map[uint32]bool{}
		for ix := range now.AllIndexes {
			live[ix.ID] = true
		}
		for ix := range old.AllIndexes {
			if !live[ix.ID] {
				out = append(out, old.IndexSpan(ix))
			}
		}
		return true
	})
	return out
}

// reachable reports whether the node's image has the table or index of a span.
func (e *Executor) reachable(span keys.Span) bool {
	id, rest, ok := keys.DecodeTable(span.Start)
	if !ok || catalog.ID(id) < catalog.FirstUserID {
		return true // not ours to clear
	}
	t, ok := e.cfg.Source.Snapshot().ByID(catalog.ID(id)).(*catalog.Table)
	if !ok {
		return false
	}
	if len(rest) < 4 {
		return true
	}
	for ix := range t.AllIndexes {
		if ix.ID == binary.BigEndian.Uint32(rest) {
			return true
		}
	}
	return false
}

// clear does a job whose spans nobody reaches, once no node's image knows them and no
// transaction that knew them is left.
func (e *Executor) clear(ctx context.Context, j *job) error {
	for _, s := range j.spans {
		if id, _, ok := keys.DecodeTable(s.Start); ok {
			if err := e.drain(ctx, catalog.ID(id)); err != nil {
				return err
			}
		}
	}
	if err := e.cfg.Source.AwaitAdopted(ctx, e.cfg.DB.Now()); err != nil {
		return err
	}
	for _, s := range j.spans {
		if e.reachable(s) {
			return fmt.Errorf("%x, which is to be cleared, is in use", s.Start)
		}
		b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpDeleteRange, Key: s.Start, EndKey: s.End}}}
		if err := e.cfg.DB.Send(ctx, &b); err != nil {
			return err
		}
	}
	return e.done(ctx, j)
}

// finishJobs does what the jobs of a committed transaction ask for.
func (e *Executor) finishJobs(jobs []*job) {
	for _, j := range jobs {
		var err error
		if j.kind == jobClear {
			err = e.clear(e.ctx, j)
		} else {
			err = e.done(e.ctx, j)
		}
		e.letGo(j)
		if err != nil && e.ctx.Err() == nil {
			e.log.Warn("schema change job, to be tried again", "job", j.id, "error", err)
		}
	}
}

// sweepLoop sweeps now and then until Close.
func (e *Executor) sweepLoop() {
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	for {
		if err := e.Sweep(e.ctx); err != nil && e.ctx.Err() == nil {
			e.log.Warn("schema change jobs", "error", err)
		}
		select {
		case <-ticker.C:
		case <-e.ctx.Done():
			return
		}
	}
}

// Sweep does the jobs that were left by processes that have ended, and those of this one
// that failed. What takes long is begun only.
func (e *Executor) Sweep(ctx context.Context) error {
	jobs, err := e.jobs(ctx)
	if err != nil || len(jobs) == 0 {
		return err
	}
	var holders []lease.Holder
	for _, j := range jobs {
		if j.node != e.cfg.Source.Node() && holders == nil {
			if holders, err = e.cfg.Source.Holders(ctx); err != nil {
				return err
			}
		}
	}
	jobs = slices.DeleteFunc(jobs, func(j *job) bool { return !e.abandoned(j, holders) })
	if len(jobs) == 0 {
		return nil
	}
	if err := e.cfg.Source.Refresh(ctx); err != nil {
		return err
	}
	now := e.cfg.DB.Now()
	var errs []error
	for _, j := range jobs {
		var err error
		switch {
		case j.kind == jobIndex || j.kind == jobConstraint:
			err = e.resume(ctx, j)
		case j.kind == jobTemp:
			if err = e.claim(ctx, j); err == nil {
				err = e.dropTemp(ctx, j)
				e.letGo(j)
			}
			if errors.Is(err, errJobTaken) {
				err = nil
			}
		case j.kind == jobClear:
			err = e.clear(ctx, j)
		case j.created.Add(guardPeriod) > now:
		case slices.ContainsFunc(j.spans, e.reachable):
			err = e.done(ctx, j) // it has committed
		default:
			err = e.clear(ctx, j)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("job %d: %w", j.id, err))
		}
	}
	return errors.Join(errs...)
}

// resume takes a job over from a process that has ended, and goes on with it in the
// background.
func (e *Executor) resume(ctx context.Context, j *job) error {
	switch err := e.claim(ctx, j); {
	case errors.Is(err, errJobTaken):
		return nil
	case err != nil:
		return err
	}
	e.log.Info("resuming a schema change", "job", j.id, "table", j.table, "object", j.object, "rows", j.rows)
	e.wg.Go(func() {
		defer e.letGo(j)
		if err := e.run(e.ctx, j); err != nil && e.ctx.Err() == nil {
			e.log.Warn("a resumed schema change has failed", "job", j.id, "table", j.table, "object", j.object, "error", err)
		}
	})
	return nil
}

// claim makes this process the one that looks after a job.
func (e *Executor) claim(ctx context.Context, j *job) error {
	mine := *j
	mine.node, mine.process = e.cfg.Source.Node(), e.process
	err := e.cfg.DB.Run(ctx, func(ctx context.Context, txn catalog.Txn) error {
		if err := hold(ctx, txn, j); err != nil {
			return err
		}
		return txn.Put(ctx, j.key(), mine.encode())
	})
	if err != nil {
		return err
	}
	*j = mine
	e.jobsMu.Lock()
	e.inHand[j.id] = true
	e.jobsMu.Unlock()
	return nil
}

// hold locks a job's row, and fails if another process has taken it over or has done it.
func hold(ctx context.Context, txn catalog.Txn, j *job) error {
	value, ok, err := txn.Get(ctx, j.key(), kv.LockUpdate)
	if err != nil {
		return err
	}
	if !ok {
		return errJobTaken
	}
	is, err := decodeJob(j.key(), value)
	if err == nil && (is.node != j.node || is.process != j.process) {
		err = errJobTaken
	}
	return err
}

// run does a job that builds something, from wherever it stands. If it fails, what was
// begun is removed, unless the process is about to end: then another one goes on.
func (e *Executor) run(ctx context.Context, j *job) error {
	work, undo := e.buildIndex, e.removeIndex
	if j.kind == jobConstraint {
		work, undo = e.validateConstraint, e.removeConstraint
	}
	err := work(ctx, j)
	if err == nil || e.ctx.Err() != nil {
		return err
	}
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	if uerr := undo(clean, j); uerr != nil && !errors.Is(uerr, errJobTaken) {
		e.log.Warn("undoing a schema change, to be tried again", "job", j.id, "table", j.table, "object", j.object, "error", uerr)
	}
	return err
}

// abandoned reports whether nobody has a job in hand: its process has ended, or it is our
// own and we have let it go.
func (e *Executor) abandoned(j *job, holders []lease.Holder) bool {
	if j.node == e.cfg.Source.Node() {
		if j.process != e.process {
			return true
		}
		e.jobsMu.Lock()
		defer e.jobsMu.Unlock()
		return !e.inHand[j.id]
	}
	return !slices.ContainsFunc(holders, func(h lease.Holder) bool { return h.Node == j.node })
}

// jobs returns all jobs there are.
func (e *Executor) jobs(ctx context.Context) ([]*job, error) {
	var out []*job
	span := catalog.SystemSpan(catalog.SysJobs)
	var rows kv.Rows
	for start := span.Start; start != nil; {
		rows.Reset()
		b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpScan, Key: start, EndKey: span.End, Rows: &rows}}}
		if err := e.cfg.DB.Send(ctx, &b); err != nil {
			return nil, err
		}
		for pos := 0; ; {
			key, value, _, next, ok := rows.Next(pos)
			if !ok {
				break
			}
			pos = next
			j, err := decodeJob(key, value)
			if err != nil {
				return nil, err
			}
			out = append(out, j)
		}
		start = slices.Clone(b.Ops[0].Resume)
	}
	return out, nil
}
