package schemachange

import (
	"context"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql/catalog"
)

// JobInfo is a row of spanlite_jobs: work of a schema change that goes on, or is left to
// be done.
type JobInfo struct {
	ID      uint64
	Kind    string
	Node    keys.NodeID // who looks after it
	Created hlc.Timestamp
	// Table and Object say what is built, 0 for others. Step is how far it is.
	Table, Object catalog.ID
	Step          string
	// Rows is how many rows a backfill had entered when this was last written down.
	Rows uint64
}

// Jobs returns the jobs of all nodes.
func (e *Executor) Jobs(ctx context.Context) ([]JobInfo, error) {
	jobs, err := e.jobs(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]JobInfo, len(jobs))
	for i, j := range jobs {
		out[i] = JobInfo{ID: j.id, Node: j.node, Created: j.created, Table: j.table, Object: j.object, Rows: j.rows}
		switch j.kind {
		case jobClear:
			out[i].Kind = "clear dropped data"
		case jobTemp:
			out[i].Kind = "temporary schema"
		case jobGuard:
			out[i].Kind = "guard"
		case jobIndex:
			out[i].Kind, out[i].Step = "create index", e.stepOf(j)
		case jobConstraint:
			out[i].Kind, out[i].Step = "validate constraint", "reading rows"
		}
	}
	return out, nil
}

// stepOf returns the state of a job's index in words.
func (e *Executor) stepOf(j *job) string {
	_, ix, err := e.indexOf(j)
	if err != nil {
		return ""
	}
	switch ix.State {
	case catalog.IndexDeleteOnly:
		return "waiting for transactions from before"
	case catalog.IndexWriteOnly:
		return "entering rows"
	}
	return "waiting for snapshots from before"
}
