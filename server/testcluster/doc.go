// Package testcluster runs whole nodes in one process, for tests: the same code as
// a real node's, from the SQL session to the log, on a network, disks and clocks
// that the test controls.
//
//	testcluster.Simulate(t, func(t *testing.T) {
//		c := testcluster.Start(t, testcluster.Options{Nodes: 3, Seed: seed})
//		s, err := c.Connect(t.Context(), 2) // a SQL session with node 2
//		...
//		c.Net.Cut("n1", "n3")               // n3 no longer hears n1
//		c.Crash(1, testcluster.CrashMode{Silent: true})
//		c.Clock(2).Set(100 * time.Millisecond)
//	})
//
// # Virtual time
//
// Simulate runs everything in a bubble of testing/synctest. While any goroutine of
// the bubble can run, its clock stands still; when all of them wait, it jumps to the
// next timer. So a minute of a cluster's life takes as long as its work does, often
// a second or two, and a loaded machine changes nothing: a time-out is never missed
// because a processor was busy with something else.
//
// That holds as long as nobody in the bubble waits for a mutex whose holder waits for
// time to pass: the bubble is then neither idle nor able to run, and hangs until
// Simulate's watchdog prints all goroutines. It is a bug of the code under test, not
// of the test: a mutex that is held across I/O makes its waiters deaf to their
// contexts. The way to find it is to look for sync.Mutex.Lock in the dump. A loop that
// retries without a pause hangs in the same way, with a busy processor.
//
// Nothing here needs Simulate. Without it the cluster lives in real time.
//
// # The network
//
// Network carries bytes between named hosts, as TCP would (net.Conn, beneath gRPC and
// the clients' protocol alike): in order, with a delay, held up by partitions and
// retransmitted after them, reset or left dangling by crashes. Nodes are the hosts n1,
// n2, ...; the clients of each come from client1, client2, ...
//
// # The disk
//
// Each node has a file system in memory that knows what was synced
// (vfs.NewCrashableMem). Crash first takes the node off the network, so that nothing
// it does afterwards can be seen; then it takes the image of the disk that the next
// start finds, with all that was synced and, at random, some of what was not; then
// it lets the dying instance end, on the old disk.
//
// # What is not reproduced
//
// The seed fixes delays and what crashes leave, and package sim's faults and clients;
// the order in which Go runs the goroutines that are ready is not fixed. A failing
// seed therefore repeats its schedule of faults, and most often, not always, the
// failure. Processes that are paused, and disks that are slow or full, are left to
// package crashtest.
package testcluster
