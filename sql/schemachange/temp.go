package schemachange

import (
	"context"
	"errors"
	"strconv"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// Temporary tables are tables in a schema that belongs to one session, is searched by it
// before all others, and goes with it. The schema is made with the first of them, together
// with a job (job.go): if the process ends before the session has dropped its schema,
// another one does.
//
// They are described in the catalog as all others, so each of them costs a schema change.

// isTemp reports whether a statement makes a temporary object.
func isTemp(p ast.Persistence, n ast.ObjectName) bool {
	return p == ast.Temporary || n.Schema == "pg_temp"
}

// schemaFor returns the schema in which a new object goes that may be temporary.
func (x *statement) schemaFor(p ast.Persistence, n ast.ObjectName) (*catalog.Schema, error) {
	if !isTemp(p, n) {
		return x.targetSchema(n)
	}
	own, _ := x.coll.ByID(x.coll.Path.TempSchema).(*catalog.Schema)
	if n.Schema != "" && n.Schema != "pg_temp" && (own == nil || n.Schema != own.Name) {
		return nil, sqlstate.New(sqlstate.InvalidTableDefinition, "cannot create temporary relation in non-temporary schema").At(int(n.Pos))
	}
	if own != nil {
		return own, nil
	}
	id, err := x.newID()
	if err != nil {
		return nil, err
	}
	sc := &catalog.Schema{Header: catalog.Header{ID: id, Name: catalog.TempSchemaPrefix + strconv.Itoa(int(id)),
		Database: x.coll.Path.Database, Owner: x.s.UserID()}}
	if err := x.coll.Put(x.ctx, sc); err != nil {
		return nil, err
	}
	j, err := x.e.newJob(x.ctx, jobTemp)
	if err != nil {
		return nil, err
	}
	j.object = id
	x.e.jobsMu.Lock()
	x.e.temps[id] = j
	x.e.jobsMu.Unlock()
	x.coll.Path.TempSchema = id
	return sc, x.coll.Txn().Put(x.ctx, j.key(), j.encode())
}

// DropTemp drops a session's temporary objects and their schema, outside of its
// transaction: the session ends, or forgets them.
func (e *Executor) DropTemp(ctx context.Context, schema catalog.ID) error {
	e.jobsMu.Lock()
	j := e.temps[schema]
	delete(e.temps, schema)
	e.jobsMu.Unlock()
	if j == nil {
		return nil
	}
	defer e.letGo(j) // to the sweep, if this fails
	err := e.dropTemp(ctx, j)
	if errors.Is(err, errJobTaken) {
		err = nil
	}
	return err
}

// dropTemp does a job of kind jobTemp.
func (e *Executor) dropTemp(ctx context.Context, j *job) error {
	return e.transact(ctx, nil, nil, func(x *statement) error {
		x.s = e.work(ctx, 0).s
		if err := hold(x.ctx, x.coll.Txn(), j); err != nil {
			return err
		}
		if err := x.coll.Txn().Delete(x.ctx, j.key()); err != nil {
			return err
		}
		sc, err := x.coll.Mutable(x.ctx, j.object)
		if sc == nil || err != nil {
			return err
		}
		x.coll.Path.Database = sc.Head().Database
		d := x.newDropper()
		d.target(sc)
		if err := d.close(); err != nil {
			return err
		}
		return d.run(true, "")
	})
}

// dropAtCommit drops the tables that were made with ON COMMIT DROP in the transaction, and
// returns them: their rows are to be cleared.
func (e *Executor) dropAtCommit(ctx context.Context, coll *catalog.Collection) ([]*catalog.Table, error) {
	var gone []*catalog.Table
	coll.EachChange(func(was, is catalog.Descriptor) bool {
		if t, ok := is.(*catalog.Table); ok && t.OnCommit == catalog.OnCommitDrop {
			gone = append(gone, t)
		}
		return true
	})
	if len(gone) == 0 {
		return nil, nil
	}
	x := &statement{e: e, s: e.work(ctx, 0).s, coll: coll, ctx: ctx}
	d := x.newDropper()
	for _, t := range gone {
		d.target(t)
	}
	if err := d.close(); err != nil {
		return nil, err
	}
	return gone, d.run(true, "")
}

// EmptyTemp removes all rows of a session's temporary tables that are emptied at commit. The
// session calls it between two transactions: nobody else reads or writes them.
func (e *Executor) EmptyTemp(ctx context.Context, schema catalog.ID, tables []catalog.ID) error {
	for _, id := range tables {
		t, ok := e.cfg.Source.Snapshot().ByID(id).(*catalog.Table)
		if !ok || t.Schema != schema {
			continue
		}
		span := t.Span()
		b := kv.Batch{Ops: []kv.Op{{Kind: kv.OpDeleteRange, Key: span.Start, EndKey: span.End}}}
		if err := e.cfg.DB.Send(ctx, &b); err != nil {
			return err
		}
	}
	return nil
}

// onCommits are the actions of ON COMMIT.
var onCommits = map[ast.OnCommit]byte{ast.OnCommitDrop: catalog.OnCommitDrop, ast.OnCommitDeleteRows: catalog.OnCommitDelete}

// makeTemp marks a new table as temporary, if it is.
func makeTemp(t *catalog.Table, temp bool, onCommit ast.OnCommit) error {
	if !temp {
		if onCommit != ast.OnCommitNone {
			return sqlstate.New(sqlstate.InvalidTableDefinition, "ON COMMIT can only be used on temporary tables")
		}
		return nil
	}
	t.Persistence, t.OnCommit = 't', onCommits[onCommit]
	return nil
}
