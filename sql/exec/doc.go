// Package exec runs physical plans.
//
// # The model
//
//	Operator   a node of the plan in execution: pulls batches from the operators below
//	Cursor     the root of an execution, from which the session pulls (portals) or
//	           which Run drives into a Sink (everything else)
//	Point      the short path for statements on single rows by primary key: no
//	           operators, no batches on the way in, no allocation in steady use
//
// Rows travel in batches of up to types.BatchSize rows by column. A batch
// belongs to the operator that returned it and is valid until that operator is asked
// again; a consumer may narrow its selection but not touch the vectors. Contents of byte
// columns alias the memory of the scan below, so whoever keeps rows copies them (rowStore).
//
// # Reading in order to write
//
// A statement does not see its own writes: UPDATE, DELETE and INSERT ... SELECT read
// all of their input before they write (the Halloween problem). The rows to be changed
// are locked: while they are scanned, if the bounds of the scan are the whole condition, else by their
// keys afterwards; a row that has changed meanwhile is tested again, as PostgreSQL does at READ COMMITTED.
// Uniqueness is checked by locking reads of the keys to be written, many at a time.
// Foreign keys are checked, and their actions taken, at the end of the statement.
//
// # Memory
//
// What grows with the data is accounted for with the query's Monitor. Beyond work_mem sorts write
// sorted runs to temporary files, hash joins and hashed aggregation divide their input into files by hash (spill.go and
// its neighbours). What is kept in memory otherwise (WITH queries, materialised inner sides, set operations) ends in
// 53200 at the query's limit.
//
// # Not done here
//
// Operators run on one goroutine. Filters and partial aggregates are not yet pushed
// to the leaseholder through kv.RowFilter.
package exec
