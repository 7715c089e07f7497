// Package difftest sends the same statements to PostgreSQL and to Spanlite and
// compares what they answer: PostgreSQL is the oracle, so that a test is just SQL.
//
// # What is compared
//
// Of every statement: whether it succeeds; the command tag; names, types, modifiers
// and sizes of the columns; the rows, in text and, of queries, in the binary format; notices;
// of an error SQLSTATE, message, detail, hint and position. Rows are compared as a set unless the
// statement says ORDER BY. Object ids of user-made types are not compared, and the last digit or two of
// floats may differ: PostgreSQL uses the C library's mathematics, Spanlite Go's.
//
// # Inputs
//
//	testdata/diff/*.sql   statements by feature (file.go has the format)
//	testdata/tpch         the queries of TPC-H; the data is made by SQL on either side
//	random.go             random queries over a fixed schema, from a seed
//
// A statement that is meant to differ says so in the file, with the reason, and
// fails the test when it does not differ any longer.
//
// # The oracle
//
// A PostgreSQL 15 is started in a temporary folder for the run (oracle.go); where
// none is installed the tests are skipped. server/logictest is the twin with recorded answers
// and several connections, which needs no PostgreSQL.
package difftest
