// Package spanlite runs a Spanlite node inside of a Go program: in memory for
// tests, or in a folder as an application's own database.
//
//	srv, err := spanlite.Start(ctx, spanlite.Options{})
//	if err != nil { ... }
//	defer srv.Close()
//	db := srv.DB() // a *database/sql.DB
//
// The node is the same as that of the spanlite command, with one replica of
// everything, and speaks PostgreSQL's protocol: DB goes through an in-process
// pipe, and any PostgreSQL driver can connect to URL. For databases per test see
// package spanlitetest.
//
// An in-process node serves loopback addresses only, without passwords.
package spanlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/spanlite/spanlite/server"
)

// Options configure a node. The zero value is a node in memory with a socket on
// a free port of the loopback interface.
type Options struct {
	// Dir is the folder that holds the data; it is made if it does not exist, and
	// one process at a time may use it. Empty: in memory, gone with Close.
	Dir string
	// SQLAddr is where other processes connect, host:port on the loopback interface.
	// Default: a free port.
	SQLAddr string
	// NoSocket opens no socket: only this process can connect, by DB and Dial.
	NoSocket bool
	// HTTPAddr is where the console and the metrics are; empty for nowhere.
	HTTPAddr string
	// CacheBytes is the size of the block cache. Default 64 MB.
	CacheBytes int64
	// MemoryBytes bounds what all queries together may use. Default 256 MB.
	MemoryBytes int64
	// GCTTL is for how long old versions of rows are kept. Default 4 h.
	GCTTL time.Duration
	// Logger receives what the node has to say. Default: nobody.
	Logger *slog.Logger
}

// Server is a running node. Its methods are safe for concurrent use.
type Server struct {
	node *server.Node

	mu     sync.Mutex
	pools  []*sql.DB
	db     *sql.DB
	closed bool
}

// ErrClosed: the server has been closed.
var ErrClosed = errors.New("spanlite: server is closed")

// Start starts a node and returns when it serves. Ctx bounds the start only;
// Close ends the node.
func Start(ctx context.Context, opts Options) (*Server, error) {
	cfg := server.Config{
		StoreDir: opts.Dir, ListenAddr: "none", SQLAddr: opts.SQLAddr, HTTPAddr: opts.HTTPAddr,
		CacheBytes: opts.CacheBytes, SQLMemoryBytes: opts.MemoryBytes, GCTTL: opts.GCTTL, Logger: opts.Logger,
	}
	switch {
	case opts.NoSocket && opts.SQLAddr != "":
		return nil, errors.New("spanlite: NoSocket and SQLAddr exclude each other")
	case opts.NoSocket:
		cfg.SQLAddr = "none"
	case cfg.SQLAddr == "":
		cfg.SQLAddr = "127.0.0.1:0"
	}
	if cfg.CacheBytes == 0 {
		cfg.CacheBytes = 64 << 20
	}
	if cfg.SQLMemoryBytes == 0 {
		cfg.SQLMemoryBytes = 256 << 20
	}
	node, err := server.Start(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("spanlite: %w", err)
	}
	return &Server{node: node}, nil
}

// URL returns how to connect to the default database as root, for any PostgreSQL
// client; "" with NoSocket.
func (s *Server) URL() string {
	if s.node.SQLAddr() == "" {
		return ""
	}
	return s.node.URL()
}

// ConsoleURL returns the address of the console, "" if there is none.
func (s *Server) ConsoleURL() string { return s.node.ConsoleURL() }

// Dial returns a new connection that speaks PostgreSQL's protocol, without a
// socket: for drivers that let the caller dial.
func (s *Server) Dial() (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	client, peer := newPipe()
	s.node.Wire().ServeConn(peer)
	return client, nil
}

// Config returns a configuration for pgx that connects to a database through
// Dial, as root.
func (s *Server) Config(database string) *pgx.ConnConfig {
	cfg, err := pgx.ParseConfig("host=127.0.0.1 port=1 user=root sslmode=disable")
	if err != nil {
		panic(err) // a constant, but for the environment's PG* variables
	}
	cfg.Host, cfg.Port, cfg.User, cfg.Password, cfg.Database = "spanlite", 1, "root", "", database
	cfg.TLSConfig, cfg.Fallbacks = nil, nil
	cfg.DialFunc = func(context.Context, string, string) (net.Conn, error) { return s.Dial() }
	cfg.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	return cfg
}

// DB returns the connection pool of the default database. It is always the same
// one, and Close closes it.
func (s *Server) DB() *sql.DB {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		s.db = stdlib.OpenDB(*s.Config("defaultdb"))
		s.pools = append(s.pools, s.db)
	}
	return s.db
}

// OpenDB returns a new connection pool of a database, which must exist. The
// caller may close it; Close does at the latest.
func (s *Server) OpenDB(database string) *sql.DB {
	db := stdlib.OpenDB(*s.Config(database))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pools = append(s.pools, db)
	return db
}

// Close closes the pools, ends all connections and stops the node. It is
// idempotent.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	pools := s.pools
	s.pools = nil
	s.mu.Unlock()
	var errs []error
	for _, db := range pools {
		errs = append(errs, db.Close())
	}
	return errors.Join(append(errs, s.node.Stop())...)
}
