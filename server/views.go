package server

import (
	"context"
	"time"

	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/types"
)

// The OIDs of the cluster's views: below users' and above PostgreSQL's.
const (
	nodesViewID  catalog.ID = 15901
	rangesViewID catalog.ID = 15902
)

// clusterViews returns spanlite_nodes, spanlite_ranges and spanlite_jobs, which are in
// pg_catalog and so on everybody's search path.
func clusterViews(c *cluster) []*catalog.Virtual {
	nodes := view(nodesViewID, "spanlite_nodes",
		column("node", types.Int8), column("addr", types.Text), column("sql_addr", types.Text), column("http_addr", types.Text),
		column("locality", types.Text), column("state", types.Text), column("live", types.Bool), column("version", types.Text),
		column("started", types.TimestampTZ), column("silent_ms", types.Int8), column("ranges", types.Int8), column("leases", types.Int8),
		column("used_bytes", types.Int8), column("available_bytes", types.Int8), column("capacity_bytes", types.Int8), column("qps", types.Float8))
	nodes.Scan = func(ctx context.Context, _ *catalog.VirtualEnv, _ catalog.Lookup, emit func(types.Row) error) error {
		list, err := c.Nodes(ctx)
		if err != nil {
			return err
		}
		for _, n := range list {
			err := emit(types.Row{
				types.NewInt(int64(n.Node)), types.NewString(n.Addr), types.NewString(n.SQLAddr), types.NewString(n.HTTPAddr),
				types.NewString(n.Locality), types.NewString(n.State), types.NewBool(n.Live), types.NewString(n.Version),
				types.NewInt(n.Started.UnixMicro() - postgresEpochMicros), types.NewInt(int64(n.Silent / time.Millisecond)),
				types.NewInt(int64(n.Ranges)), types.NewInt(int64(n.Leases)),
				types.NewInt(n.Used), types.NewInt(n.Available), types.NewInt(n.Capacity), types.NewFloat(n.QPS),
			})
			if err != nil {
				return err
			}
		}
		return nil
	}

	ranges := view(rangesViewID, "spanlite_ranges",
		column("range_id", types.Int8), column("start_key", types.Text), column("end_key", types.Text), column("table_name", types.Text),
		column("leaseholder", types.Int8), column("replicas", types.ArrayOf(types.Int8)), column("learners", types.ArrayOf(types.Int8)),
		column("bytes", types.Int8), column("keys", types.Int8), column("intents", types.Int8), column("locks", types.Int8),
		column("qps", types.Float8), column("generation", types.Int8), column("error", types.Text))
	ranges.Scan = func(ctx context.Context, env *catalog.VirtualEnv, _ catalog.Lookup, emit func(types.Row) error) error {
		list, err := c.Ranges(ctx)
		if err != nil {
			return err
		}
		for _, r := range list {
			err := emit(types.Row{
				types.NewInt(int64(r.Range)), types.NewString(KeyString(r.Start)), types.NewString(KeyString(r.End)),
				textOrNull(tableName(env, r.Table())), intOrNull(int64(r.Leaseholder)), nodeArray(r.Replicas), nodeArray(r.Learners),
				types.NewInt(r.Bytes), types.NewInt(r.Keys), types.NewInt(r.Intents), types.NewInt(int64(r.Locks)),
				types.NewFloat(r.QPS), types.NewInt(int64(r.Generation)), textOrNull(r.Error),
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	return []*catalog.Virtual{nodes, ranges, c.jobsView(), conflictsView(c)}
}

// postgresEpochMicros is 2000-01-01, from which SQL counts, in Unix time.
const postgresEpochMicros = 946684800 * 1e6

func view(id catalog.ID, name string, columns ...catalog.Column) *catalog.Virtual {
	for i := range columns {
		columns[i].Num = catalog.AttNum(i + 1)
	}
	v := &catalog.Virtual{Kind: 'v', Columns: columns}
	v.ID, v.Name, v.Schema, v.Owner = id, name, catalog.SchemaPgCatalog, catalog.RoleRoot
	return v
}

func column(name string, t *types.T) catalog.Column { return catalog.Column{Name: name, Type: t} }

func textOrNull(s string) types.Datum {
	if s == "" {
		return types.Null
	}
	return types.NewString(s)
}

func intOrNull(i int64) types.Datum {
	if i == 0 {
		return types.Null
	}
	return types.NewInt(i)
}

func nodeArray(nodes []keys.NodeID) types.Datum {
	elems := make([]types.Datum, len(nodes))
	for i, n := range nodes {
		elems[i] = types.NewInt(int64(n))
	}
	return types.NewArrayDatum(types.NewArray(types.Int8, elems))
}

// tableName returns a table's name, "" if it is none that the reader's catalog
// knows.
func tableName(env *catalog.VirtualEnv, id uint32) string {
	if id == 0 || env == nil || env.Catalog == nil {
		return ""
	}
	if d := env.Catalog.ByID(catalog.ID(id)); d != nil {
		return d.Head().Name
	}
	return ""
}

// tableName returns a table's name by the node's image of the catalog.
func (n *Node) tableName(id uint32) string {
	if id == 0 {
		return ""
	}
	if d := n.catalog.Snapshot().ByID(catalog.ID(id)); d != nil {
		return d.Head().Name
	}
	return ""
}
