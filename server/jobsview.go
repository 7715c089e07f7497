package server

import (
	"context"

	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/types"
)

const jobsViewID catalog.ID = 15903

// jobsView returns spanlite_jobs: the schema changes of all nodes that are under way, and
// what is left to be done after others.
func (c *cluster) jobsView() *catalog.Virtual {
	v := view(jobsViewID, "spanlite_jobs",
		column("job", types.Int8), column("kind", types.Text), column("node", types.Int8), column("created", types.TimestampTZ),
		column("table_name", types.Text), column("object", types.Text), column("step", types.Text), column("rows_done", types.Int8))
	v.Scan = func(ctx context.Context, env *catalog.VirtualEnv, _ catalog.Lookup, emit func(types.Row) error) error {
		jobs, err := c.schema.Jobs(ctx)
		if err != nil {
			return err
		}
		for _, j := range jobs {
			err := emit(types.Row{
				types.NewInt(int64(j.ID)), types.NewString(j.Kind), types.NewInt(int64(j.Node)), types.NewInt(j.Created.Micros() - postgresEpochMicros),
				textOrNull(tableName(env, uint32(j.Table))), textOrNull(objectName(env, j.Table, j.Object)), textOrNull(j.Step), types.NewInt(int64(j.Rows)),
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	return v
}

// objectName returns the name of an index or constraint of a table, "" if it is none that
// the reader's catalog knows.
func objectName(env *catalog.VirtualEnv, table, object catalog.ID) string {
	if env == nil || env.Catalog == nil {
		return ""
	}
	t, ok := env.Catalog.ByID(table).(*catalog.Table)
	if !ok {
		return ""
	}
	if x := t.IndexByOID(object); x != nil {
		return x.Name
	}
	if fk := t.ForeignKeyByOID(object); fk != nil {
		return fk.Name
	}
	for i := range t.Checks {
		if t.Checks[i].OID == object {
			return t.Checks[i].Name
		}
	}
	return ""
}
