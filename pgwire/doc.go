// Package pgwire speaks version 3 of the PostgreSQL protocol: bytes on one side,
// calls on a sql.Session on the other. It knows no SQL.
//
// # The model
//
// A Server accepts connections. Each has one goroutine, which reads a message,
// calls the session, and collects the answers in one output buffer. The buffer
// is written when the client's input is exhausted (so a pipelined batch is
// answered with one system call), at Flush, and whenever it exceeds 32 KB.
//
//	socket -> reader (one buffer) -> conn.dispatch -> sql.Session
//	socket <- writer (one buffer) <- conn (sql.Results) <-+
//
// The messages that decide throughput (Bind, Execute, DataRow, CommandComplete)
// are coded by hand and allocate nothing; the others go through pgproto3.
//
// # Invariants
//
//   - After an error in the extended protocol every message up to Sync is read
//     and ignored, except those of a COPY in progress.
//   - ReadyForQuery is sent exactly once per Query and per Sync, with the
//     session's true transaction status.
//   - No message length obtains memory before its bytes arrive; one over the
//     limit ends the connection with an error that names the limit.
//   - An unauthenticated connection holds a slot for at most authTimeout.
//   - Server.Close ends every connection with 57P01 and returns after the last
//     goroutine.
//
// Source: PostgreSQL 15 manual, chapter 55 "Frontend/Backend Protocol".
package pgwire
