// Package schemachange executes DDL, and owns the counters of sequences and of hidden row
// ids.
//
// # Transactions
//
// DDL is transactional: descriptors are changed in the user's transaction through
// catalog.Collection, so that it sees its own changes at once and others see them with the
// commit. After the commit the session calls AfterCommit, which publishes the changes to
// the node's image of the catalog and tells the other nodes (package lease), and then
// Collection.Release.
//
// # The fence
//
// A statement that changes a table locks its descriptor, fences the current version
// (catalog.Table.Fence) on every node (Peers) and waits until the transactions that use the
// table have ended, as PostgreSQL's ACCESS EXCLUSIVE lock does; new ones wait until the
// schema change has committed or rolled back. The other nodes have taken up the new version
// when the commit is acknowledged. Comments, privileges and owners are changed under the
// lock alone. The transaction's snapshot is then moved to the present (statement.catchUp), so
// that its scans see all that the others have committed. Since the fence stands from the
// first look at the rows until the new version is published, an index built in between
// misses no write, and a verified constraint stays true.
//
// # Writing data
//
// The entries of a new index, or the rows of a table that is rewritten (a new primary key,
// a changed column type, a volatile default), are written under index ids that no
// published version knows, in plain batches outside of the transaction (filler): no
// intents, no size limit, nothing to undo if the transaction rolls back. Table.ValidFrom
// keeps a transaction with an older snapshot from using such data before they existed.
// TRUNCATE is the same with no rows: all indexes get new ids. What becomes unreachable is
// cleared in the background after the commit. The job to do so commits with the drop, and
// another one guards the data of a transaction that is still open (job.go), so that nothing
// stays when a process ends.
//
// # Without a fence
//
// CREATE INDEX and constraints of tables that are not small, in statements that stand alone,
// are done beside those who use the table (online.go, validate.go), in several transactions.
// A job says that they are under way; when its process ends, another one goes on.
//
// # Temporary tables and materialized views
//
// See temp.go and matview.go.
//
// # Sequences
//
// A counter holds the number given out last and is moved by non-transactional increments.
// Its key carries the sequence's incarnation, so that RESTART, which takes a new one, is
// transactional. With CACHE n a node takes n numbers at a time.
//
// # Limits
//
// A statement that rewrites a table, and every one in a transaction block, keeps others
// out. Two transactions that wait for each other's tables in a cycle are parted by
// fenceTimeout and not at once. A view keeps the text of its query, hence what it uses
// cannot be renamed. Partitions, inheritance, domains, composite and range types,
// functions, triggers and exclusion constraints are refused with 0A000.
package schemachange
