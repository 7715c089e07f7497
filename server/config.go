package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/spanlite/spanlite/kv/hlc"
)

// The default ports.
const (
	DefaultListenPort = "7433"
	DefaultSQLPort    = "7432"
	DefaultHTTPPort   = "7480"
)

// Config configures a node. Zero fields take their defaults.
type Config struct {
	// StoreDir is the folder of the node's data; empty for a store in memory.
	StoreDir string
	// FS replaces the file system, and Network the network: for simulation and
	// tests. A node with an FS keeps its files small, as one in memory does.
	FS      vfs.FS
	Network Network
	// ClockSource replaces the machine's clock.
	ClockSource hlc.Source
	// MaxOffset is how far apart the clocks of two nodes may be. Default 250 ms.
	MaxOffset time.Duration

	// ListenAddr is where other nodes and administrators connect; SQLAddr is for
	// clients; HTTPAddr for the console and metrics, "" for none. "none" as
	// ListenAddr or SQLAddr opens no socket (embedded mode).
	ListenAddr, SQLAddr, HTTPAddr string
	// AdvertiseAddr is what other nodes are told instead of ListenAddr.
	AdvertiseAddr string
	// Join lists nodes of the cluster to join. Empty: a node that is its own
	// cluster.
	Join []string
	// Locality describes where the node is, from the largest unit to the smallest:
	// region=eu,zone=a.
	Locality string

	// CertsDir holds ca.crt, node.crt and node.key. Without it the node serves
	// loopback addresses only, unless Insecure is set.
	CertsDir string
	Insecure bool

	// CacheBytes is the size of the block cache; SQLMemoryBytes bounds all queries
	// together. Default: a quarter of the machine's memory each.
	CacheBytes     int64
	SQLMemoryBytes int64
	// TempBytes bounds the temporary files of all queries together. They are in the
	// store's folder or, for a node in memory, in the system's. Default: a quarter of
	// what is free on the disk, but at most 32 GB.
	TempBytes int64
	// MaxConnections bounds SQL connections.
	MaxConnections int

	// RangeMaxBytes is the size at which a range splits. Default 512 MB.
	RangeMaxBytes int64
	// GCTTL is how long old versions are kept. Default 4 h.
	GCTTL time.Duration
	// TimeUntilStoreDead is how long a node may be gone before its replicas are
	// made anew elsewhere. Default 1 min.
	TimeUntilStoreDead time.Duration

	Logger *slog.Logger
}

// Network is how a node is reached by others and by clients, and reaches them.
// Addresses are HOST:PORT.
type Network interface {
	Listen(addr string) (net.Listener, error)
	Dial(ctx context.Context, addr string) (net.Conn, error)
}

// tcp is the network of the machine.
type tcp struct{}

func (tcp) Listen(addr string) (net.Listener, error) { return net.Listen("tcp", addr) }

func (tcp) Dial(ctx context.Context, addr string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", addr)
}

// noSocket as an address opens no listener.
const noSocket = "none"

// withDefaults returns the configuration with defaults filled in.
func (c Config) withDefaults() Config {
	if c.MaxOffset == 0 {
		c.MaxOffset = 250 * time.Millisecond
	}
	if c.ClockSource == nil {
		c.ClockSource = hlc.WallSource
	}
	if c.Network == nil {
		c.Network = tcp{}
	}
	if c.ListenAddr == "" {
		c.ListenAddr = "127.0.0.1:" + DefaultListenPort
	}
	if c.SQLAddr == "" {
		c.SQLAddr = "127.0.0.1:" + DefaultSQLPort
	}
	if c.CacheBytes == 0 {
		c.CacheBytes = memoryShare(4, 64<<20)
	}
	if c.SQLMemoryBytes == 0 {
		c.SQLMemoryBytes = memoryShare(4, 256<<20)
	}
	if c.RangeMaxBytes == 0 {
		c.RangeMaxBytes = 512 << 20
	}
	if c.GCTTL == 0 {
		c.GCTTL = 4 * time.Hour
	}
	if c.TimeUntilStoreDead == 0 {
		c.TimeUntilStoreDead = time.Minute
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate returns an error that names the first flag with a bad value.
func (c Config) Validate() error {
	addrs := []struct{ flag, value string }{
		{"--listen-addr", c.ListenAddr}, {"--sql-addr", c.SQLAddr}, {"--http-addr", c.HTTPAddr}, {"--advertise-addr", c.AdvertiseAddr},
	}
	for _, a := range addrs {
		if a.value == "" || a.value == noSocket {
			continue
		}
		host, _, err := net.SplitHostPort(a.value)
		if err != nil {
			return fmt.Errorf("%s=%s: want HOST:PORT", a.flag, a.value)
		}
		if c.CertsDir == "" && !c.Insecure && !isLoopback(host) && a.flag != "--advertise-addr" {
			return fmt.Errorf("%s=%s is not a loopback address: give --certs-dir (see 'spanlite cert'), or --insecure to run without encryption and passwords", a.flag, a.value)
		}
	}
	for _, j := range c.Join {
		if _, _, err := net.SplitHostPort(j); err != nil {
			return fmt.Errorf("--join=%s: want HOST:PORT", j)
		}
	}
	for item := range strings.SplitSeq(c.Locality, ",") {
		if k, v, ok := strings.Cut(item, "="); c.Locality != "" && (!ok || k == "" || v == "") {
			return fmt.Errorf("--locality=%s: want key=value,key=value", c.Locality)
		}
	}
	if c.CertsDir != "" && c.Insecure {
		return errors.New("--certs-dir and --insecure exclude each other")
	}
	return nil
}

// isLoopback reports whether a host can be reached from this machine only. An
// empty host means every interface.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
