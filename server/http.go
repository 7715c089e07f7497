package server

import (
	"context"
	"crypto/tls"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"github.com/spanlite/spanlite/kv/liveness"
	"github.com/spanlite/spanlite/sql"
)

//go:embed console
var consoleFiles embed.FS

// healthTimeout bounds the read that /health makes.
const healthTimeout = time.Second

// httpHandler serves /health, /metrics, the console and the JSON it polls.
func (n *Node) httpHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", n.serveHealth)
	mux.Handle("GET /metrics", n.metricsHandler())
	mux.HandleFunc("GET /api/nodes", serveJSON(func(ctx context.Context) (any, error) {
		return (*cluster)(n).Nodes(ctx)
	}))
	mux.HandleFunc("GET /api/ranges", serveJSON(n.rangesForConsole))
	mux.HandleFunc("GET /api/sessions", serveJSON(func(context.Context) (any, error) {
		sessions := []sql.Activity{}
		n.sql.Sessions(func(s *sql.Session) { sessions = append(sessions, s.Activity()) })
		return sessions, nil
	}))
	mux.HandleFunc("GET /api/self", serveJSON(func(context.Context) (any, error) {
		m := n.sql.Metrics()
		return map[string]any{
			"node": n.identity.Node, "cluster": n.ClusterID(), "version": Version(), "connections": n.wire.Connections(),
			"statements": m.Statements.Load(), "commits": m.Commits.Load(), "rollbacks": m.Rollbacks.Load(), "retries": m.Retries.Load(),
		}, nil
	}))
	mux.Handle("GET /debug/pprof/", debugHandler())
	page, err := fs.Sub(consoleFiles, "console")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	mux.Handle("GET /", http.FileServerFS(page))
	return n.restrict(secureHeaders(mux))
}

// restrict shows what other people's sessions do to administrators only: with
// certificates, the console wants root's. Health and metrics are for machines.
func (n *Node) restrict(h http.Handler) http.Handler {
	if n.cfg.CertsDir == "" {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		open := r.URL.Path == "/health" || r.URL.Path == "/metrics"
		if !open && !isAdministrator(r.TLS) {
			http.Error(w, "the console needs the client certificate of root", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func isAdministrator(s *tls.ConnectionState) bool {
	if s == nil || len(s.VerifiedChains) == 0 {
		return false
	}
	name := s.VerifiedChains[0][0].Subject.CommonName
	return name == sql.RootUser || name == NodeCertName
}

// secureHeaders keeps pages of others from embedding the console or running
// scripts in it.
func secureHeaders(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self'; frame-ancestors 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		h.ServeHTTP(w, r)
	})
}

// serveHealth answers 200 if the node can serve clients: it is ready and can
// read range 1. With ?live=1 it only says that the process runs.
func (n *Node) serveHealth(w http.ResponseWriter, r *http.Request) {
	if !r.URL.Query().Has("live") {
		if err := n.health(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
	}
	fmt.Fprintln(w, "ok")
}

// health returns why the node cannot serve clients, nil if it can.
func (n *Node) health(ctx context.Context) error {
	switch {
	case !n.ready.Load():
		return errors.New("node is starting or stopping")
	case n.draining.Load():
		return errors.New("node is draining")
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	if _, err := liveness.Settings(ctx, n.dist); err != nil {
		return fmt.Errorf("range 1 cannot be read: %w", err)
	}
	return nil
}

// consoleRange is a range as the console shows it.
type consoleRange struct {
	sql.RangeInfo
	From string `json:"from"`
	To   string `json:"to"`
	Name string `json:"table"`
}

func (n *Node) rangesForConsole(ctx context.Context) (any, error) {
	ranges, err := (*cluster)(n).Ranges(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]consoleRange, len(ranges))
	for i, r := range ranges {
		list[i] = consoleRange{RangeInfo: r, From: KeyString(r.Start), To: KeyString(r.End), Name: n.tableName(r.Table())}
	}
	return list, nil
}

// apiTimeout bounds what the console asks for.
const apiTimeout = 5 * time.Second

func serveJSON(f func(context.Context) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), apiTimeout)
		defer cancel()
		v, err := f(ctx)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(v) // a client that has gone needs no answer
	}
}
