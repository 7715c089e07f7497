package system

import (
	"strings"

	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/types"
)

func pgIndex(r *reader) error {
	ids, byTable := r.wantsIDs("indrelid")
	xids, byIndex := r.wantsIDs("indexrelid")
	idColumn := "indrelid"
	if byIndex {
		idColumn = "indexrelid"
	}
	return r.tables(idColumn, func(t *catalog.Table) error {
		if byTable && !contains(ids, t.ID) {
			return nil
		}
		for x := range t.AllIndexes {
			if x.Hidden || byIndex && !contains(xids, x.OID) {
				continue
			}
			indexRow(r, t, x)
			if err := r.emit(); err != nil {
				return err
			}
		}
		return nil
	})
}

func indexRow(r *reader, t *catalog.Table, x *catalog.Index) {
	n := len(x.Columns) + len(x.Include)
	key := make([]types.Datum, 0, n)
	var collations, classes, options []types.Datum
	var exprs []string
	for i := range x.Columns {
		col := &x.Columns[i]
		key = append(key, number(int64(col.Num)))
		c := indexColumn(t, x, i+1)
		collations = append(collations, oid(collationOf(c.Type)))
		classes = append(classes, oid(opClassOf(c.Type)))
		option := int64(0)
		if col.Desc {
			option |= 1
		}
		if col.NullsFirst {
			option |= 2
		}
		options = append(options, number(option))
		if col.Expr != nil {
			exprs = append(exprs, col.Expr.SQL)
		}
	}
	for _, num := range x.Include {
		key = append(key, number(int64(num)))
	}
	r.set("indexrelid", oid(x.OID))
	r.set("indrelid", oid(t.ID))
	r.set("indnatts", number(int64(n)))
	r.set("indnkeyatts", number(int64(len(x.Columns))))
	r.set("indisunique", boolean(x.Unique || x.Deferrable))
	r.set("indnullsnotdistinct", boolean(x.NullsNotDistinct))
	r.set("indisprimary", boolean(x.Constraint == 'p'))
	r.set("indimmediate", boolean(!x.Deferrable))
	r.set("indisvalid", boolean(x.State.Readable()))
	r.set("indisready", boolean(x.State.WritesInserts()))
	r.set("indislive", boolean(x.State != catalog.IndexDropping))
	r.set("indkey", vectorOf(types.Int2, key))
	r.set("indcollation", vectorOf(types.Oid, collations))
	r.set("indclass", vectorOf(types.Oid, classes))
	r.set("indoption", vectorOf(types.Int2, options))
	if exprs != nil {
		r.set("indexprs", text(strings.Join(exprs, ", ")))
	}
	if x.Predicate != nil {
		r.set("indpred", text(x.Predicate.SQL))
	}
}

// opClasses are the default B-tree operator classes by type.
var opClasses = map[types.OID]catalog.ID{
	types.OIDBool: 10003, types.OIDInt2: 1979, types.OIDInt4: 1978, types.OIDInt8: 3124,
	types.OIDFloat4: 10012, types.OIDFloat8: 3123, types.OIDNumeric: 3125, types.OIDText: 3126, types.OIDVarchar: 3126,
	types.OIDBpchar: 10006, types.OIDBytea: 10007, types.OIDDate: 3122, types.OIDTime: 10029, types.OIDTimeTZ: 10032,
	types.OIDTimestamp: 3128, types.OIDTimestampTZ: 3127, types.OIDInterval: 10022, types.OIDUUID: 10066, types.OIDOid: 1981,
	types.OIDName: 10028, types.OIDJSONB: 10087, types.OIDInet: 10015,
}

func opClassOf(t *types.T) catalog.ID {
	if id, ok := opClasses[t.OID]; ok {
		return id
	}
	if t.Family == types.FamArray {
		return 10004
	}
	return 3126
}

func pgIndexes(r *reader) error {
	return r.tables("", func(t *catalog.Table) error {
		for x := range t.AllIndexes {
			if x.Hidden {
				continue
			}
			r.set("schemaname", text(SchemaName(r.cat, t.Schema)))
			r.set("tablename", text(t.Name))
			r.set("indexname", text(x.Name))
			r.set("indexdef", text(IndexDef(r.ctx, r.cat, r.definer(), t, x, false)))
			if err := r.emit(); err != nil {
				return err
			}
		}
		return nil
	})
}
