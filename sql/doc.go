// Package sql is the session: it takes statements from a client connection,
// through parser, planner and executor, to a transaction, and gives back rows, a
// command tag or an error. It owns the state of a session: settings, transaction
// block, prepared statements, portals, cursors.
//
// # The pieces
//
//	Server     what the sessions of a node share: plan cache, catalog, memory
//	Session    one client's; used by one goroutine at a time, its connection's
//	Client     what a Session sends to: rows, tags, notices (package pgwire
//	           implements it)
//
// # Life of a statement
//
//	Query                            Parse, Bind, Execute, Sync
//	  parser.Parse                     parser.Parse, compileStatement
//	  runSimple                        Bind: parameters -> portal
//	  bindDirect: plan -> portal       Execute
//	          \                       /
//	           executePortal  <------+    (execute.go)
//	             startPortal             opens the transaction, counts it as a
//	                                     user of the plan's tables, exec.Open
//	             runPortal               Cursor.Next -> Client.Batch, over and over
//	             finishStatement         commit, if the statement is alone
//	             Client.Complete         only now: nothing is acknowledged before
//	                                     it is durable
//
// Statements without a plan (SET, BEGIN, COPY, DDL, ...) take executeUtility
// instead of startPortal. compileStatement finds the plan in the cache by the
// statement's text and everything that names resolve by, or binds (plan.Bind) and
// optimises (opt.Optimize); a plan is used as long as the catalog's generation has
// not moved. Statements on one row by primary key take a shorter way: queryShared
// (shared.go) spares a simple query the parser and the planner, runPoint (point.go)
// the operators.
//
// # Transactions
//
// transaction.go has the states of a transaction block: none, implicit (several
// statements in one Query or before one Sync), open, failed. A statement that is
// alone commits before it is answered. A conflict is retried here (mayRetry,
// prepareRetry) as long as the client has seen nothing of the transaction:
// what was prepared to be sent is taken back with Client.Rewind. Otherwise the
// client gets 40001 and repeats the transaction itself. Errors reach the client
// through Session.failed, which is the only place that turns them into
// *sqlstate.Error.
//
// # Contexts
//
// statementContext (statementctx.go) is a context.Context that a session reuses for
// all of its statements: time-outs and cancel requests end it with the error
// that the client shall see.
//
// # Not done here
//
// Procedural code is refused with 0A000.
package sql
