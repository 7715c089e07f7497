// Package system serves the virtual relations: pg_catalog, information_schema
// and Spanlite's own spanlite_* views. Their rows are computed from the catalog
// as the reading transaction sees it, its own uncommitted DDL included.
//
// # Where things are
//
//	columns_gen.go  names, OIDs and columns of PostgreSQL 15's system relations,
//	                written by gen from a running server
//	static.gz       rows that describe the system itself (built-in types,
//	                operators, ...), also from gen; static.go reads them
//	schemas.go      the set of relations; a relation without rows of its own here
//	                is there and empty, which is what clients need of most
//	relation.go     how a relation's rows are made, and look-up by key
//	pg_*.go         rows computed from descriptors, a file per subject
//	infoschema.go   information_schema
//
// # Look-up
//
// A query that fixes a key column (oid, relname, attrelid, ...) reaches Scan as
// a catalog.Lookup. The relations over tables then visit only the descriptors
// asked for, so that \d on one of ten thousand tables costs what the table
// costs. Whoever asks still filters: a Scan may return too much, never too
// little.
//
// # Not done here
//
// The functions that go with the catalogs (pg_get_indexdef ...) are in package
// sql, which has a session to answer from; their texts are made in package
// catalog's deparser.
package system
