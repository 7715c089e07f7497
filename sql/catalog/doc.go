// Package catalog holds the descriptions of databases, schemas, tables,
// indexes, sequences, views, types and roles, where they are stored, and how a
// transaction finds them by name.
//
// # Model
//
//	descriptor   a struct such as *Table: one object, at one version
//	             (stored as rows of system tables, written within the user's
//	             transaction: write.go; the formats are drawn in codec.go)
//	Snapshot     an immutable, complete image of the catalog in memory, with
//	             look-up by id and by name (snapshot.go)
//	Source       the node's current Snapshot and its generation; package lease
//	             implements it for a cluster
//	Collection   what one transaction sees: its own uncommitted changes over a
//	             Snapshot (collection.go)
//
// Every node keeps the whole catalog in memory. Ten thousand tables are about
// twenty megabytes; in exchange name resolution, dependency searches and
// pg_catalog never touch the key space. Snapshots share structure
// (copy-on-write B-trees), so that a change costs what it changes.
//
// # Life of a name
//
// The binder asks Collection.ResolveRelation. It looks at the transaction's own
// changes, then at the node's Snapshot. A name that is in neither is looked up
// once more in the key space at the transaction's timestamp, because another
// node may have created it a moment ago; if it is there, the Source is told to
// catch up. The *Table found is immutable and shared by all sessions.
//
// # Versions
//
// A plan that was made from descriptors is good while Source.Generation has not
// moved, which is one atomic load. Before it runs, the session calls
// Collection.Use with the tables of the plan: it counts the transaction as a
// user of exactly these descriptor versions until it ends. A schema change that
// must not run beside users of the old version waits for the count to fall to
// zero (see package lease, which extends the rule to a cluster).
//
// # Identifiers
//
// A descriptor's id is its OID in pg_catalog, for ever. Ids below FirstUserID
// are assigned by this package or, for built-in types and relations, by
// PostgreSQL. Indexes and constraints have an OID of their own from the same
// counter, and in addition an index has a number from it that addresses its data
// (Index.ID) and changes when the data are written anew.
//
// # Not done here
//
// Statements (package schemachange), virtual relations (package system), row
// formats (package rowenc). Privileges are stored but not enforced here.
package catalog
