package server

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv/liveness"
)

func inMemory() Config {
	return Config{ListenAddr: "127.0.0.1:0", SQLAddr: "127.0.0.1:0", CacheBytes: 8 << 20, SQLMemoryBytes: 32 << 20}
}

func startNode(t testing.TB, cfg Config) *Node {
	t.Helper()
	n, err := Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Stop()) })
	return n
}

func TestHTTP(t *testing.T) {
	n := startNode(t, inMemory())
	h := n.httpHandler()
	get := func(path string) (int, string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		body, err := io.ReadAll(w.Body)
		require.NoError(t, err)
		return w.Code, string(body)
	}
	for path, want := range map[string]string{
		"/health": "ok", "/metrics": "spanlite_store_ranges 2", "/": "<title>Spanlite</title>", "/console.js": "poll",
		"/api/nodes": `"node":1`, "/api/ranges": `"from":"/Min"`, "/api/sessions": "[", "/api/self": `"cluster"`,
	} {
		code, body := get(path)
		require.Equal(t, http.StatusOK, code, path)
		require.Contains(t, body, want, path)
	}
	n.Drain(t.Context())
	code, body := get("/health")
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Contains(t, body, "draining")
	code, _ = get("/health?live=1")
	require.Equal(t, http.StatusOK, code)
}

// TestInitAndJoin starts two nodes that wait for each other's cluster, and
// initialises it.
func TestInitAndJoin(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	type started struct {
		n   *Node
		err error
	}
	first := make(chan started, 1)
	cfg := inMemory()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	cfg.ListenAddr = l.Addr().String()
	cfg.Join = []string{cfg.ListenAddr}
	require.NoError(t, l.Close())
	go func() {
		n, err := Start(ctx, cfg)
		first <- started{n, err}
	}()
	c, err := NewAdminClient(cfg.ListenAddr, "")
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	var id string
	require.Eventually(t, func() bool {
		id, err = c.Init(ctx)
		return err == nil
	}, 10*time.Second, 10*time.Millisecond, "%v", err)
	a := <-first
	require.NoError(t, a.err)
	defer func() { require.NoError(t, a.n.Stop()) }()
	require.Equal(t, a.n.ClusterID(), id)

	_, err = c.Init(ctx)
	require.EqualError(t, err, errInitialised.Error())

	other := inMemory()
	other.Join = cfg.Join
	b, err := Start(ctx, other)
	require.NoError(t, err)
	defer func() { require.NoError(t, b.Stop()) }()
	require.Equal(t, id, b.ClusterID())
	require.Equal(t, uint32(2), b.ID())

	nodes, err := c.Nodes(ctx)
	require.NoError(t, err)
	require.Len(t, nodes, 2)
	ranges, err := c.Ranges(ctx)
	require.NoError(t, err)
	require.Len(t, ranges, 2)
	_, err = c.Move(ctx, 99, 1, 2)
	require.EqualError(t, err, "there is no range r99")
	_, err = c.Drain(ctx, 9)
	require.Error(t, err)
}

func TestStartIsInterrupted(t *testing.T) {
	cfg := inMemory()
	cfg.Join = []string{"127.0.0.1:1"}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := Start(ctx, cfg)
	require.True(t, errors.Is(err, context.Canceled), "%v", err)
}

func TestKeyText(t *testing.T) {
	for _, s := range []string{"/Min", "/Max", "/Table", "/Table/104", "/Table/104/1", "/Table/104/1/8a01", "/0601"} {
		k, err := ParseKey(s)
		require.NoError(t, err, s)
		require.Equal(t, s, KeyString(k))
	}
	for _, s := range []string{"", "x", "/", "/Table/x", "/Table/1/x", "/Table/1/1/x", "/Table/1/1/00/00", "/zz"} {
		_, err := ParseKey(s)
		require.Error(t, err, s)
	}
}

func TestSnakeCase(t *testing.T) {
	for in, want := range map[string]string{"GCBytes": "gc_bytes", "OnePhase": "one_phase", "Reads": "reads", "QPS": "qps", "WriteBPS": "write_bps"} {
		require.Equal(t, want, snakeCase(in))
	}
}

func TestVerifier(t *testing.T) {
	c, err := parseVerifier("SCRAM-SHA-256$4096:QnCBpPxqlZFYvkC5JCXLcg==$V9hYVBkhPrWxeHPGPk3MdHSSYlNvqfJwJpbHpAXQ8XA=:GRwhRSnSGDgEu5xIx7sg5XBUNnd8rdiA4DqwTBGOhNw=")
	require.NoError(t, err)
	require.Equal(t, 4096, c.Iters)
	require.Len(t, c.Salt, 16)
	for _, bad := range []string{"", "md5abc", "SCRAM-SHA-256$0:AA==$AA==:AA==", "SCRAM-SHA-256$4096:AA==$AA==:AA==", "SCRAM-SHA-256$4096$x:y"} {
		_, err := parseVerifier(bad)
		require.Error(t, err, bad)
	}
}

func TestReachable(t *testing.T) {
	n := startNode(t, Config{ListenAddr: "localhost:0", SQLAddr: "none", CacheBytes: 8 << 20, SQLMemoryBytes: 32 << 20})
	require.Regexp(t, `^localhost:\d+$`, n.ListenAddr())
	require.Empty(t, n.SQLAddr())
	require.Equal(t, n.ListenAddr(), n.record(liveness.Locality(nil)).Addr)
}
