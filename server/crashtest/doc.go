// Package crashtest proves from outside what the cluster promises: it builds the
// binary, runs nodes as processes on loopback, drives them with an ordinary
// client (pgx), kills them with SIGKILL in the middle of the load, damages their
// files, and then asks whether every acknowledged row is there exactly once.
//
// # The load
//
// Inserters write rows whose (worker, seq) is never used twice, into a table
// with a secondary index; table and index lie on different ranges, so that every
// insert is a distributed commit. Bankers move money between accounts in
// explicit transactions. A statement that fails after it may have been sent is
// AMBIGUOUS whatever the client library says of it, and is never repeated with
// the same values.
//
// # The checks
//
//   - every acknowledged row is there once; a row that is there was acknowledged
//     or ambiguous, never refused;
//   - the index has the rows of the table and no others (a scan of each);
//   - the sum of the accounts is what it was;
//   - all nodes give the same answers.
//
// # Running it
//
// `go test ./server/crashtest` is one short round of each test.
// SPANLITE_SOAK_ROUNDS (see `make soak`) is the number of rounds; -short leaves
// out the tests that say so by t.Skip. The figures that a run measured (gaps,
// recovery times) are in its log (-v).
package crashtest
