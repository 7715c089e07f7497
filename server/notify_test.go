package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

// listener is a connection that collects what it is notified of.
type listener struct {
	client
	got []string
}

func listenOn(t *testing.T, ctx context.Context, n *Node, channels ...string) *listener {
	t.Helper()
	l := &listener{}
	cfg, err := pgconn.ParseConfig(n.URL())
	require.NoError(t, err)
	cfg.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) {
		l.got = append(l.got, n.Channel+":"+n.Payload)
	}
	c, err := pgconn.ConnectConfig(ctx, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	l.client = client{t, c}
	for _, ch := range channels {
		require.NoError(t, l.exec(ctx, "LISTEN "+ch))
	}
	return l
}

// await waits until so many notifications are there.
func (l *listener) await(ctx context.Context, count int) {
	l.t.Helper()
	for len(l.got) < count {
		require.NoError(l.t, l.c.WaitForNotification(ctx), "after %d of %d", len(l.got), count)
	}
}

// TestNotify shows what a client sees of LISTEN and NOTIFY, within one node.
func TestNotify(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	n := startNode(t, inMemory())
	sender := connectTo(t, ctx, n)
	require.NoError(t, sender.exec(ctx, "NOTIFY a, 'too early'"))
	l := listenOn(t, ctx, n, "a", `"B c"`)
	rows, err := l.query(ctx, "SELECT pg_listening_channels() ORDER BY 1")
	require.NoError(t, err)
	require.Equal(t, []string{"[B c]", "[a]"}, rows)

	require.NoError(t, sender.exec(ctx, "NOTIFY a; NOTIFY b; NOTIFY \"B c\", 'x'"))
	l.await(ctx, 2)
	require.Equal(t, []string{"a:", "B c:x"}, l.got)

	// Duplicates within a transaction, savepoints, and rollback.
	l.got = nil
	require.NoError(t, sender.exec(ctx, `BEGIN; NOTIFY a, '1'; NOTIFY a, '2'; NOTIFY a, '1'; SAVEPOINT s; NOTIFY a, 'undone'; ROLLBACK TO s;
		SELECT pg_notify('a', g::text) FROM generate_series(1, 40) g; COMMIT`))
	require.NoError(t, sender.exec(ctx, "BEGIN; NOTIFY a, 'never'; ROLLBACK"))
	require.NoError(t, sender.exec(ctx, "NOTIFY a, 'last'"))
	l.await(ctx, 41)
	require.Equal(t, "a:1", l.got[0])
	require.Equal(t, "a:40", l.got[39])
	require.Equal(t, "a:last", l.got[40])

	// Not before the listener's own transaction has ended, and its own come at once.
	l.got = nil
	require.NoError(t, l.exec(ctx, "BEGIN"))
	require.NoError(t, sender.exec(ctx, "NOTIFY a, 'meanwhile'"))
	require.NoError(t, l.exec(ctx, "SELECT 1"))
	require.Empty(t, l.got)
	require.NoError(t, l.exec(ctx, "NOTIFY a, 'mine'; COMMIT"))
	require.Equal(t, []string{"a:meanwhile", "a:mine"}, l.got)

	// UNLISTEN and LISTEN belong to the transaction.
	l.got = nil
	require.NoError(t, l.exec(ctx, "BEGIN; UNLISTEN *; LISTEN c; ROLLBACK"))
	require.NoError(t, l.exec(ctx, "BEGIN; UNLISTEN a; LISTEN d; COMMIT"))
	require.NoError(t, sender.exec(ctx, "NOTIFY a; NOTIFY c; NOTIFY d; NOTIFY \"B c\""))
	l.await(ctx, 2)
	require.Equal(t, []string{"d:", "B c:"}, l.got)

	for text, message := range map[string]string{
		"SELECT pg_notify('', 'x')":                       "channel name cannot be empty",
		"SELECT pg_notify(NULL, 'x')":                     "channel name cannot be empty",
		"SELECT pg_notify(repeat('c', 64), 'x')":          "channel name too long",
		"SELECT pg_notify('c', repeat('x', 8000))":        "payload string too long",
		"NOTIFY c, '" + strings.Repeat("x", 8000) + "'":   "payload string too long",
		"SELECT pg_notification_queue_usage() / 0::float": "division by zero",
	} {
		err := sender.exec(ctx, text)
		require.ErrorContains(t, err, message)
	}
	require.NoError(t, sender.exec(ctx, "SELECT pg_notify('d', repeat('x', 7999))"))
	l.await(ctx, 3)
	require.Len(t, l.got[2], 2+7999)
}

// TestNotifyAcrossNodes sends from all nodes to listeners at all nodes: each receives
// everything committed after its LISTEN, once, all in the same order.
func TestNotifyAcrossNodes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	nodes := threeNodes(t)
	var listeners []*listener
	for _, n := range nodes {
		listeners = append(listeners, listenOn(t, ctx, n, "ch"))
	}
	const each = 40
	errs := make(chan error, len(nodes))
	for i, n := range nodes {
		c := connectTo(t, ctx, n)
		go func() {
			for k := range each {
				for {
					err := c.exec(ctx, fmt.Sprintf("BEGIN; NOTIFY ch, '%d-%d'; COMMIT", i, k))
					if code(err) == "40001" {
						_ = c.exec(ctx, "ROLLBACK")
						continue
					}
					if err != nil {
						errs <- err
						return
					}
					break
				}
			}
			errs <- nil
		}()
	}
	for range nodes {
		require.NoError(t, <-errs)
	}
	for _, l := range listeners {
		l.await(ctx, each*len(nodes))
		require.Equal(t, listeners[0].got, l.got)
	}
	for i := range nodes {
		// Commits of one session are in its order.
		var own []string
		for _, x := range listeners[0].got {
			if strings.HasPrefix(x, fmt.Sprintf("ch:%d-", i)) {
				own = append(own, x)
			}
		}
		require.Len(t, own, each)
		require.True(t, slices.IsSortedFunc(own, func(a, b string) int {
			var x, y int
			_, err := fmt.Sscanf(a, fmt.Sprintf("ch:%d-%%d", i), &x)
			require.NoError(t, err)
			_, err = fmt.Sscanf(b, fmt.Sprintf("ch:%d-%%d", i), &y)
			require.NoError(t, err)
			return x - y
		}), "%v", own)
	}
	// A new listener hears nothing of the past and all of the future.
	late := listenOn(t, ctx, nodes[1], "ch")
	require.NoError(t, connectTo(t, ctx, nodes[2]).exec(ctx, "NOTIFY ch, 'new'"))
	late.await(ctx, 1)
	require.Equal(t, []string{"ch:new"}, late.got)
}
