package catalog

import (
	"encoding/binary"
	"fmt"

	"github.com/spanlite/spanlite/kv/keys"
)

// Ids that this package assigns. Where PostgreSQL has the object, the id is
// PostgreSQL's OID.
const (
	DatabaseTemplate1 ID = 1
	DatabaseTemplate0 ID = 4
	DatabasePostgres  ID = 5
	DatabaseDefault   ID = 16380

	RoleRoot     ID = 10
	RolePostgres ID = 16370

	SchemaPgCatalog         ID = 11
	SchemaPgToast           ID = 99
	SchemaPublic            ID = 2200 // of defaultdb
	SchemaPublicPostgres    ID = 16381
	SchemaPublicTemplate1   ID = 16382
	SchemaInformationSchema ID = 13190

	// FirstUserID is the first id given to users' objects, as in PostgreSQL
	// (FirstNormalObjectId).
	FirstUserID ID = 16384
)

// Names of the built-in objects.
const (
	DefaultDatabase       = "defaultdb"
	RootUser              = "root"
	PublicSchemaName      = "public"
	PgCatalogName         = "pg_catalog"
	InformationSchemaName = "information_schema"
	// TempSchemaPrefix begins the names of the schemas of temporary tables.
	TempSchemaPrefix = "pg_temp_"
)

// The system tables live in the table key space below FirstUserID, so that the
// catalog splits and moves like any data and a schema change of a small cluster
// commits in one range with the data beside it.
//
//	table 1  descriptors   id u32                     -> descriptor (codec.go)
//	table 2  names         parent u32, class u8, name -> id
//	table 3  versions      id u32                     -> version
//	table 4  leases        node u32, epoch u64        -> package lease
//	table 5  fences        table u32                  -> package lease
//	table 6  jobs          job u64                    -> package schemachange
//	table 7  sequences     sequence u32, incarnation  -> counter
//	table 8  row ids       table u32                  -> counter
//	table 9  statistics    table u32                  -> package stats
//	table 10 advisory      database u32, space, key   -> nothing is stored, only locked
//	table 11 notifications time u64, txn, number u32   -> package sql (notifyhub.go)
//	table 12 prepared      'g' gid                    -> package sql (twophase.go)
//
// All integers in keys are big-endian; the index id is 1.
const (
	sysDescriptors uint32 = 1
	sysNames       uint32 = 2
	sysVersions    uint32 = 3
	SysLeases      uint32 = 4
	SysFences      uint32 = 5
	SysJobs        uint32 = 6
	SysSequences   uint32 = 7
	SysRowIDs      uint32 = 8
	SysStatistics  uint32 = 9
	SysAdvisory    uint32 = 10

	SysNotifications uint32 = 11
	SysPrepared      uint32 = 12
)

// SystemKey returns the key of a row of a system table: the table's prefix and
// the big-endian numbers.
func SystemKey(table uint32, nums ...uint64) keys.Key {
	k := keys.IndexPrefix(make([]byte, 0, 9+8*len(nums)), table, 1)
	for _, n := range nums {
		k = binary.BigEndian.AppendUint64(k, n)
	}
	return k
}

// SystemSpan returns the span of a system table.
func SystemSpan(table uint32) keys.Span {
	p := keys.IndexPrefix(nil, table, 1)
	return keys.Span{Start: p, End: keys.PrefixEnd(p)}
}

// nextIDKey counts the ids given out, minus FirstUserID.
var nextIDKey = keys.System("catalog/next-id")

// RevisionKey is a counter that grows after every schema change. It tells other
// nodes to look at the catalog; it is a hint and no part of any protocol.
var RevisionKey = keys.System("catalog/revision")

func descriptorKey(id ID) keys.Key {
	k := keys.IndexPrefix(make([]byte, 0, 13), sysDescriptors, 1)
	return binary.BigEndian.AppendUint32(k, uint32(id))
}

func versionKey(id ID) keys.Key {
	k := keys.IndexPrefix(make([]byte, 0, 13), sysVersions, 1)
	return binary.BigEndian.AppendUint32(k, uint32(id))
}

// nameClass separates name spaces that share a parent.
type nameClass byte

const (
	classRelation nameClass = 'r' // tables, views, sequences, indexes, types; parent is the schema
	classSchema   nameClass = 'n' // parent is the database
	classDatabase nameClass = 'd' // parent 0
	classRole     nameClass = 'o' // parent 0
)

type nameKey struct {
	parent ID
	class  nameClass
	name   string
}

func (n nameKey) key() keys.Key {
	k := keys.IndexPrefix(make([]byte, 0, 14+len(n.name)), sysNames, 1)
	k = binary.BigEndian.AppendUint32(k, uint32(n.parent))
	k = append(k, byte(n.class))
	return append(k, n.name...)
}

func (n nameKey) less(o nameKey) bool {
	if n.parent != o.parent {
		return n.parent < o.parent
	}
	if n.class != o.class {
		return n.class < o.class
	}
	return n.name < o.name
}

// nameTarget is what a name stands for: a descriptor, or an index of one.
//
//	+-----------+-----------+-------------+
//	| format u8 | id uvarint| table uvarint |   table is 0 unless id is an index's OID
//	+-----------+-----------+-------------+
type nameTarget struct {
	id    ID
	table ID
}

const nameFormat = 1

func (n nameTarget) encode() []byte {
	b := append(make([]byte, 0, 12), nameFormat)
	b = binary.AppendUvarint(b, uint64(n.id))
	return binary.AppendUvarint(b, uint64(n.table))
}

func decodeNameTarget(b []byte) (nameTarget, error) {
	if len(b) < 3 || b[0] != nameFormat {
		return nameTarget{}, fmt.Errorf("catalog: bad name entry %x", b)
	}
	id, n := binary.Uvarint(b[1:])
	if n <= 0 {
		return nameTarget{}, fmt.Errorf("catalog: bad name entry %x", b)
	}
	table, m := binary.Uvarint(b[1+n:])
	if m <= 0 || 1+n+m != len(b) || id > 1<<32-1 || table > 1<<32-1 {
		return nameTarget{}, fmt.Errorf("catalog: bad name entry %x", b)
	}
	return nameTarget{id: ID(id), table: ID(table)}, nil
}
