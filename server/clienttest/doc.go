// Package clienttest shows that the programs of the PostgreSQL world cannot tell
// the difference. It has only tests; they run a node of ours beside a PostgreSQL 15
// of their own, which they start from what is installed, and are skipped where
// nothing is.
//
//	corpus_test.go    the statements that seven clients were seen to send
//	                  (testdata/clients/corpus), answered alike by both servers
//	psql_test.go      psql's backslash commands on a rich schema, printed alike
//	deparse_test.go   how pg_get_viewdef prints queries of all kinds
//	dump_test.go      pg_dump and pg_restore between both servers, in all directions
//	programs_test.go  drivers, ORMs and migration tools at work (testdata/clients)
//
// What differs for a reason is listed, with the reason, in each test's table of
// exceptions: a difference that is
// not in the table fails the test.
package clienttest
