// Package history checks what clients of a database have observed against what an
// isolation level permits. It knows nothing of the database: its input is a list of
// transactions with what they read and wrote.
//
// # Lists
//
// The main workload appends unique numbers to lists, and reads whole lists
// (Kingsbury and Alvaro, "Elle: Inferring Isolation Anomalies from Experimental
// Observations", VLDB 2020). A list that has been read shows the order in which its
// appends took effect, so the dependencies of Adya's formalism ("Weak Consistency",
// 1999) follow:
//
//	ww  T2's append follows T1's directly in the list
//	wr  T2 read a list whose last element T1 appended
//	rw  T1 read a list to which T2's append is the next (anti-dependency)
//	rt  T2 began after T1 had ended (only for what must be linearizable)
//
// A cycle of them is an anomaly, named by its edges:
//
//	G0        ww only: dirty write
//	G1c       ww and wr: circular information flow
//	G-single  exactly one rw: read skew, lost update
//	G2        two or more rw: write skew, phantoms
//
// and some need no cycle: G1a, a read of what an aborted transaction wrote; G1b, a
// read of a state in the middle of a transaction; a lost or doubled append; reads of
// one list that do not agree on an order.
//
// A transaction whose outcome is unknown counts as committed if somebody has read
// what it wrote, and does not count otherwise.
//
// # What each level permits
//
//	SERIALIZABLE     nothing
//	REPEATABLE READ  snapshot isolation: G2, if no two rw edges of the cycle but
//	                 adjacent ones exist, which G-single excludes
//	READ COMMITTED   G-single and G2
//
// # Registers
//
// Single keys must be linearizable at every level. That is decided by porcupine
// (Athalye, "Porcupine: A fast linearizability checker in Go", 2017).
package history
