// Package logictest runs files of SQL against an embedded node and compares every
// answer with the one that the file expects. The files are under testdata/logic;
// those that say nothing else hold what PostgreSQL 15 answers, and were written by
// running them there:
//
//	go test ./server/logictest -args -url=postgres://user@host:port/postgres            # compare
//	go test ./server/logictest -args -url=postgres://user@host:port/postgres -rewrite   # record
//
// A file is a list of directives, each a line with the SQL below it up to an empty
// line, after the ideas of sqllogictest:
//
//	statement ok
//	statement count N              N rows are affected or returned
//	statement error SQLSTATE       the answer is that error
//	query [sort] [typed]           the rows follow behind ----, one a line, values
//	                               separated by |, NULL for null; sort: in any order;
//	                               typed: the first line has the names and types
//	async                          before a statement: it may block; it runs while
//	                               the file goes on with other connections
//	await [ok | count N | error SQLSTATE]
//	                               the outcome of the connection's async statement
//	connection NAME                what follows is sent on this connection
//	copyin ok | error SQLSTATE     the data follow behind ----
//	copyout                        the data are expected behind ----
//	only spanlite | postgres       the next directive is for this server alone
//	only simple | extended         likewise for the protocol
//
// Each file runs in a database of its own, once with simple queries and once with
// the extended protocol.
package logictest
