package crashtest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestCrashCluster kills one node after the other and then all at once, while 16
// clients write.
func TestCrashCluster(t *testing.T) {
	c := newCluster(t, 3)
	t.Logf("every range has three replicas after %s", c.awaitReplicas(c.nodes[0], 3, "", 30*time.Second))
	table := schema(t, c)
	c.awaitReplicas(c.nodes[0], 3, "", 30*time.Second)
	l := startLoad(c, 12, 4)
	defer l.stop()
	time.Sleep(time.Second)

	for round := range rounds(t) {
		// The node on which most depends, every other round; else one in turn.
		victim := c.nodes[round%3]
		if round%2 == 0 {
			victim = c.leaseholder(table)
		}
		l.arm()
		victim.kill()
		first, last := l.awaitAll(15 * time.Second)
		gap := l.longestGap()
		t.Logf("round %d: n%d killed: a write after %s, every client after %s, longest silence %s", round, victim.i, first, last, gap)
		require.Less(t, last, 5*time.Second, "a client waited too long for the surviving majority")

		time.Sleep(time.Second)
		victim.start()
		back := victim.awaitSQL(10 * time.Second)
		time.Sleep(time.Second)

		for _, p := range c.nodes {
			p.kill()
		}
		l.arm()
		began := time.Now()
		for _, p := range c.nodes {
			p.start()
		}
		for _, p := range c.nodes {
			p.awaitSQL(15 * time.Second)
		}
		all := time.Since(began)
		first, last = l.awaitAll(15 * time.Second)
		t.Logf("round %d: n%d answers SQL %s after its restart; all killed: a write %s after the restart, every client after %s, all nodes answer after %s",
			round, victim.i, back, first, last, all)
		time.Sleep(500 * time.Millisecond)

		l.stop()
		began = time.Now()
		var rows int
		for _, p := range c.nodes {
			rows = l.check(t, p)
		}
		ok, open, no := l.counts()
		t.Logf("round %d: %d rows; %d acknowledged, %d ambiguous, %d refused; %d transfers, %d retried; checked in %s",
			round, rows, ok, open, no, l.transfers.Load(), l.retries.Load(), time.Since(began))
		if t.Failed() {
			return
		}
		l.resume(4)
	}
}
