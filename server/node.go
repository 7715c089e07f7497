package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/dist"
	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
	"github.com/spanlite/spanlite/kv/liveness"
	"github.com/spanlite/spanlite/kv/placement"
	"github.com/spanlite/spanlite/kv/rpc"
	"github.com/spanlite/spanlite/kv/storage"
	"github.com/spanlite/spanlite/kv/store"
	"github.com/spanlite/spanlite/pgwire"
	"github.com/spanlite/spanlite/raftgroup"
	"github.com/spanlite/spanlite/raftgroup/transport"
	"github.com/spanlite/spanlite/sql"
	"github.com/spanlite/spanlite/sql/catalog/lease"
	"github.com/spanlite/spanlite/sql/catalog/system"
	"github.com/spanlite/spanlite/sql/exec"
	"github.com/spanlite/spanlite/sql/expr/builtins"
	"github.com/spanlite/spanlite/sql/schemachange"
	"github.com/spanlite/spanlite/txn"
	"github.com/spanlite/spanlite/txn/locktable"
	"github.com/spanlite/spanlite/txn/participant"
)

// Node is a running node. Its methods are safe for concurrent use.
type Node struct {
	cfg Config
	log *slog.Logger
	fs  vfs.FS
	dir string

	listen, sqlListen, httpListen net.Listener

	engine    *storage.Engine
	clock     *hlc.Clock
	service   *rpc.Service
	dialer    *rpc.Dialer
	transport *transport.GRPC
	grpc      *grpc.Server
	identity  storage.Identity
	registry  *liveness.Registry
	graph     *locktable.Graph
	store     *store.Store
	sender    lazySender
	dist      *dist.Sender
	db        *txn.DB
	catalog   *lease.Source
	fences    fences
	schema    *schemachange.Executor
	sql       *sql.Server
	wire      *pgwire.Server
	http      *http.Server

	// raftMetrics are the raftgroup.Host's; made with the store.
	raftMetrics *raftgroup.Metrics

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	ready    atomic.Bool
	draining atomic.Bool
	failure  chan error
	stopOnce sync.Once
	stopErr  error
	// initialise is closed by the init call, identified when the node knows which
	// one it is. Peers are the nodes that were named when it was admitted.
	initialise, identified chan struct{}
	initOnce               sync.Once
	peers                  []liveness.Record
	// stage says which fields calls from outside may use.
	stage    atomic.Int32
	spawning sync.Mutex // orders spawn before the end of ctx
}

// The stages of the start.
const (
	stageStore int32 = 1 + iota // identity, registry, graph, store, dist
	stageSQL                    // db, catalog, sql
)

// lazySender is a kv.Sender that is there before what it sends to.
type lazySender struct{ s atomic.Pointer[dist.Sender] }

// Send implements kv.Sender.
func (l *lazySender) Send(ctx context.Context, b *kv.Batch) error {
	s := l.s.Load()
	if s == nil {
		return errors.New("server: node is starting")
	}
	return s.Send(ctx, b)
}

// Start starts a node and returns when it serves SQL. A node with Join waits for
// its cluster to be initialised first; ctx ends that wait, and nothing else.
func Start(ctx context.Context, cfg Config) (*Node, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, log: cfg.Logger, failure: make(chan error, 1), initialise: make(chan struct{}), identified: make(chan struct{})}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	if err := n.start(ctx); err != nil {
		n.cancel()
		return nil, errors.Join(err, n.Stop())
	}
	n.ready.Store(true)
	return n, nil
}

func (n *Node) start(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		n.openListeners, n.openEngine, n.serveRPC, n.identify, n.openStore, n.joinCluster, n.openSQL, n.serveClients,
	} {
		if err := step(ctx); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// openListeners opens the sockets.
func (n *Node) openListeners(context.Context) error {
	for _, l := range []struct {
		flag, addr string
		to         *net.Listener
	}{
		{"--listen-addr", n.cfg.ListenAddr, &n.listen},
		{"--sql-addr", n.cfg.SQLAddr, &n.sqlListen},
		{"--http-addr", n.cfg.HTTPAddr, &n.httpListen},
	} {
		if l.addr == "" || l.addr == noSocket {
			continue
		}
		s, err := n.cfg.Network.Listen(l.addr)
		if err != nil {
			return fmt.Errorf("%s=%s: %w", l.flag, l.addr, err)
		}
		*l.to = s
	}
	return nil
}

// openEngine opens the folder, the engine and the clock.
func (n *Node) openEngine(ctx context.Context) error {
	n.fs, n.dir = n.cfg.FS, n.cfg.StoreDir
	opts := storage.Options{CacheBytes: n.cfg.CacheBytes, Log: n.log}
	switch {
	case n.fs == nil && n.dir == "":
		n.fs, n.dir = vfs.NewMem(), "store"
		opts.CacheBytes, opts.MemTableBytes = min(n.cfg.CacheBytes, 16<<20), 16<<20
	case n.fs == nil:
		n.fs = vfs.Default
	case n.dir == "":
		n.dir = "store"
	}
	if n.cfg.FS != nil {
		opts.MemTableBytes = 16 << 20
	}
	if err := makeDir(n.fs, n.dir); err != nil {
		return fmt.Errorf("--store=%s: %w", n.dir, err)
	}
	opts.FS, opts.Dir = n.fs, n.fs.PathJoin(n.dir, "state")
	opts.Events = storage.Events{
		Fatal:           n.fatal,
		Corruption:      func(e *storage.CorruptionError) { n.fatal(e) },
		DiskFull:        func() { n.log.Error("disk is full", "store", n.dir) },
		DiskSlow:        func(path string, d time.Duration) { n.log.Warn("disk is slow", "file", path, "took", d) },
		BackgroundError: func(err error) { n.log.Error("state engine", "error", err) },
		WriteStall: func(begin bool, reason string) {
			if begin {
				n.log.Warn("writes wait for the state engine", "reason", reason)
			}
		},
	}
	engine, err := storage.Open(opts)
	if err != nil {
		return fmt.Errorf("--store=%s: %w", n.dir, err)
	}
	n.engine = engine
	bound, err := readClockBound(n.fs, n.dir)
	if err != nil {
		return fmt.Errorf("--store=%s: %w", n.dir, err)
	}
	n.clock = hlc.NewClock(n.cfg.ClockSource, 0)
	if err := n.passClockBound(ctx, bound); err != nil {
		return err
	}
	if len(n.cfg.Join) > 0 {
		n.clock.SetMaxOffset(n.cfg.MaxOffset)
	}
	if err := writeClockBound(n.fs, n.dir, n.clock.Peek().Add(clockAhead)); err != nil {
		return fmt.Errorf("--store=%s: %w", n.dir, err)
	}
	n.wg.Add(1)
	go n.keepClockBound()
	return nil
}

// serveRPC starts the server for other nodes.
func (n *Node) serveRPC(context.Context) error {
	serverTLS, clientTLS, err := n.nodeTLS()
	if err != nil {
		return err
	}
	var clientCreds credentials.TransportCredentials
	opts := rpc.ServerOptions()
	if serverTLS != nil {
		opts = append(opts, grpc.Creds(credentials.NewTLS(serverTLS)))
		clientCreds = credentials.NewTLS(clientTLS)
	}
	n.service = rpc.NewService(rpc.ServiceConfig{Clock: n.clock})
	n.registerCalls()
	n.transport = transport.NewGRPC(transport.GRPCConfig{
		Clock: n.clock, Credentials: clientCreds, Dial: n.cfg.Network.Dial,
		Resolve: func(id keys.StoreID) (string, bool) {
			if n.registry == nil {
				return "", false
			}
			return n.registry.StoreAddr(id)
		},
	})
	n.dialer = rpc.NewDialer(rpc.Config{
		Clock: n.clock, Credentials: clientCreds, Dial: n.cfg.Network.Dial,
		Identity: func() storage.Identity { return n.identity },
		Resolve: func(id keys.NodeID) (string, bool) {
			if n.registry == nil {
				return "", false
			}
			return n.registry.NodeAddr(id)
		},
	})
	n.grpc = grpc.NewServer(opts...)
	n.service.Register(n.grpc)
	n.transport.Register(n.grpc)
	if n.listen != nil {
		n.wg.Add(1)
		go func() {
			defer n.wg.Done()
			if err := n.grpc.Serve(n.listen); err != nil && n.ctx.Err() == nil {
				n.fatal(fmt.Errorf("serve nodes: %w", err))
			}
		}()
	}
	return nil
}

// openStore opens the replicas and what routes to them.
func (n *Node) openStore(context.Context) error {
	var err error
	n.registry, err = liveness.NewRegistry(liveness.Config{
		Self: n.identity.Node, Clock: n.clock, Engine: n.engine, Changed: n.nodesChanged,
	})
	if err != nil {
		return err
	}
	n.adoptPeers(n.peers)
	n.nodesChanged() // the offset of other clocks counts from the start
	n.graph = locktable.NewGraph(locktable.GraphConfig{Node: n.identity.Node, Prober: (*prober)(n)})
	locality, err := liveness.ParseLocality(n.cfg.Locality)
	if err != nil {
		return fmt.Errorf("--locality: %w", err)
	}
	inMemory := n.cfg.StoreDir == "" || n.cfg.FS != nil
	n.raftMetrics = raftgroup.NewMetrics()
	raft := raftgroup.Config{
		FS: n.fs, Dir: n.fs.PathJoin(n.dir, "log"), SnapshotDir: n.fs.PathJoin(n.dir, "snapshots"), Metrics: n.raftMetrics,
		Events: raftgroup.EventListener{
			Fatal:    n.fatal,
			SlowSync: func(d time.Duration) { n.log.Warn("slow sync of the log", "took", d) },
			SupportWithdrawn: func(s keys.StoreID, _ uint64) {
				n.log.Info("store is silent; support withdrawn", "store", s)
				if node, ok := n.registry.StoreNode(s); ok {
					n.dialer.Suspect(node)
				}
			},
			SnapshotReceived: func(e raftgroup.SnapshotEvent) {
				n.log.Info("replica image received", "range", e.Group, "from", e.Peer.Store, "bytes", e.Bytes, "took", e.Took, "error", e.Err)
			},
		},
	}
	if inMemory {
		raft.SegmentSize, raft.CacheBytes = 1<<20, 2<<20
	}
	if n.listen != nil {
		n.transport.Identify(n.identity.Store, n.identity.Cluster.String())
		raft.Transport = n.transport
	}
	var disk func() (capacity, available int64)
	if !inMemory {
		disk = func() (capacity, available int64) { return diskSpace(n.dir) }
	}
	ttl := n.cfg.GCTTL
	n.store, err = store.Open(store.Config{
		Engine: n.engine, Clock: n.clock, Raft: raft, Registry: n.registry, Record: n.record(locality),
		NewParticipant: participant.Factory(participant.Config{
			Graph: n.graph, Sender: &n.sender, CoordinatorAlive: n.coordinatorAlive,
		}),
		RangeMaxBytes:       n.cfg.RangeMaxBytes,
		GCTTL:               func(*kv.RangeDescriptor) time.Duration { return ttl },
		ConsistencyInterval: consistencyInterval,
		Disk:                disk,
		Placement:           placement.Config{TimeUntilDead: n.cfg.TimeUntilStoreDead},
		Events:              n.storeEvents(),
	})
	if err != nil {
		return fmt.Errorf("--store=%s: %w", n.dir, err)
	}
	n.registry.SetStoreAlive(n.store.Host().StoreAlive)
	n.dist = dist.New(dist.Config{
		Clock: n.clock, LocalStore: n.identity.Store, Local: n.store, LocalFirstRange: n.store.FirstRange,
		Transport: n.dialer, Nodes: n.registry.Nodes, Distance: n.registry.Distance,
	})
	n.sender.s.Store(n.dist)
	n.stage.Store(stageStore)
	n.service.SetStore(n.store)
	return n.store.Start(store.Cluster{Sender: n.dist, Learn: n.dist.Learn, Peers: n.dialer})
}

// consistencyInterval is how often the replicas of a range are compared.
const consistencyInterval = 24 * time.Hour

// record is what this node says of itself.
func (n *Node) record(l liveness.Locality) liveness.Record {
	r := liveness.Record{
		Node: n.identity.Node, Store: n.identity.Store, Locality: l, State: liveness.Live,
		Version: release, StartedMicros: n.clock.Physical(),
	}
	if n.listen != nil {
		r.Addr = n.advertised()
	}
	r.SQLAddr, r.HTTPAddr = n.SQLAddr(), reachable(n.httpListen, n.cfg.HTTPAddr)
	return r
}

func (n *Node) advertised() string {
	if n.cfg.AdvertiseAddr != "" {
		return n.cfg.AdvertiseAddr
	}
	return reachable(n.listen, n.cfg.ListenAddr)
}

// nodesChanged reacts to news about nodes.
func (n *Node) nodesChanged() {
	if n.registry == nil {
		return
	}
	if len(n.registry.Nodes()) > 1 {
		n.clock.SetMaxOffset(n.cfg.MaxOffset)
	}
	if n.store != nil {
		n.store.ClusterChanged()
	}
}

// joinCluster registers the node with the cluster, which needs range 1.
func (n *Node) joinCluster(ctx context.Context) error {
	locality, _ := liveness.ParseLocality(n.cfg.Locality)
	for {
		err := n.registry.Register(ctx, n.dist, n.record(locality))
		if err == nil {
			break
		}
		if errors.Is(err, liveness.ErrDecommissioned) {
			return err
		}
		n.log.Warn("waiting for the cluster", "error", err)
		n.findPeers(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	n.nodesChanged()
	n.wg.Add(1)
	go func() {
		defer n.wg.Done()
		n.registry.Run(n.ctx, n.dist)
	}()
	return nil
}

// maxTempBytes bounds the default of Config.TempBytes.
const maxTempBytes = 32 << 30

// tempSpace returns where queries keep what does not fit into memory.
func (n *Node) tempSpace() (*exec.TempSpace, error) {
	dir := os.TempDir()
	if n.fs == vfs.Default {
		dir = filepath.Join(n.dir, "temp")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("--store=%s: %w", n.dir, err)
		}
	}
	limit := n.cfg.TempBytes
	if limit == 0 {
		limit = maxTempBytes
		if _, available := diskSpace(dir); available > 0 {
			limit = min(limit, available/4)
		}
	}
	return exec.NewTempSpace(dir, limit), nil
}

// openSQL opens the transactional and the SQL layer.
func (n *Node) openSQL(ctx context.Context) error {
	n.db = txn.NewDB(txn.Config{Sender: n.dist, Clock: n.clock, Node: n.identity.Node, Logger: n.log})
	catalogDB := sql.CatalogDB(n.db)
	var err error
	n.catalog, err = lease.Open(ctx, lease.Config{
		DB: catalogDB, Node: n.identity.Node, Virtual: system.NewSchemas(clusterViews((*cluster)(n))...), Logger: n.log,
		Alone:    func() bool { return len(n.registry.Nodes()) <= 1 },
		Acquired: n.takeUpFences,
	})
	if err != nil {
		return err
	}
	temp, err := n.tempSpace()
	if err != nil {
		return err
	}
	registry := builtins.Registry()
	n.schema = schemachange.New(schemachange.Config{DB: catalogDB, Source: n.catalog, Registry: registry, Parser: sql.CatalogParser(), Peers: (*fencePeers)(n), Logger: n.log})
	n.sql = sql.NewServer(sql.Config{
		DB: n.db, Catalog: n.catalog, Registry: registry, Schema: n.schema, Node: n.identity.Node,
		Memory: exec.NewPool(n.cfg.SQLMemoryBytes), Version: release, Temp: temp,
		Cluster: (*cluster)(n), Logger: n.log,
	})
	n.stage.Store(stageSQL)
	return nil
}

// serveClients starts the servers for clients.
func (n *Node) serveClients(context.Context) error {
	auth, tlsConfig, err := n.clientSecurity()
	if err != nil {
		return err
	}
	n.wire = pgwire.NewServer(pgwire.Config{
		SQL: n.sql, Node: uint32(n.identity.Node), TLS: tlsConfig, Auth: auth, MaxConnections: n.cfg.MaxConnections, Logger: n.log,
	})
	if n.sqlListen != nil {
		n.wg.Add(1)
		go func() {
			defer n.wg.Done()
			if err := n.wire.Serve(n.sqlListen); err != nil && n.ctx.Err() == nil {
				n.fatal(fmt.Errorf("serve SQL clients: %w", err))
			}
		}()
	}
	if n.httpListen != nil {
		n.http = &http.Server{Handler: n.httpHandler(), ReadHeaderTimeout: 10 * time.Second, TLSConfig: tlsConfig}
		n.wg.Add(1)
		go func() {
			defer n.wg.Done()
			if err := n.serveHTTP(tlsConfig); err != nil && !errors.Is(err, http.ErrServerClosed) {
				n.fatal(fmt.Errorf("serve HTTP: %w", err))
			}
		}()
	}
	return nil
}

func (n *Node) serveHTTP(tlsConfig *tls.Config) error {
	if tlsConfig != nil {
		return n.http.ServeTLS(n.httpListen, "", "")
	}
	return n.http.Serve(n.httpListen)
}

// spawn runs f on a goroutine that the node's end waits for, unless the node has
// begun to end.
func (n *Node) spawn(f func(ctx context.Context)) {
	n.spawning.Lock()
	defer n.spawning.Unlock()
	if n.ctx.Err() == nil {
		n.wg.Go(func() { f(n.ctx) })
	}
}

// fatal reports an error after which the node must not go on.
func (n *Node) fatal(err error) {
	n.log.Error("fatal error", "error", err)
	select {
	case n.failure <- err:
	default:
	}
}

// Fatal yields the error after which the process must end without flushing
// anything.
func (n *Node) Fatal() <-chan error { return n.failure }

// ID returns the node's id.
func (n *Node) ID() uint32 { return uint32(n.identity.Node) }

// ClusterID returns the id of the cluster.
func (n *Node) ClusterID() string { return n.identity.Cluster.String() }

// SQL returns the SQL layer, and Wire the server of client connections: for
// embedding.
func (n *Node) SQL() *sql.Server { return n.sql }

// Wire returns the server of client connections.
func (n *Node) Wire() *pgwire.Server { return n.wire }

// ListenAddr returns the address for other nodes, "" if there is none.
func (n *Node) ListenAddr() string { return reachable(n.listen, n.cfg.ListenAddr) }

// SQLAddr returns the address of the SQL listener, "" if there is none.
func (n *Node) SQLAddr() string { return reachable(n.sqlListen, n.cfg.SQLAddr) }

// URL returns how to connect as root.
func (n *Node) URL() string {
	mode := "disable"
	if n.cfg.CertsDir != "" {
		mode = "verify-full"
	}
	return fmt.Sprintf("postgresql://%s@%s/%s?sslmode=%s", sql.RootUser, n.SQLAddr(), sql.DefaultDatabase, mode)
}

// ConsoleURL returns the address of the console, "" if there is none.
func (n *Node) ConsoleURL() string {
	if n.httpListen == nil {
		return ""
	}
	scheme := "http"
	if n.cfg.CertsDir != "" {
		scheme = "https"
	}
	return scheme + "://" + reachable(n.httpListen, n.cfg.HTTPAddr) + "/"
}

// Drain takes the node out of service: no new clients, the present ones end with
// their transactions, and the leases go to other nodes. Ctx bounds it.
func (n *Node) Drain(ctx context.Context) {
	if n.draining.Swap(true) {
		return
	}
	if n.wire != nil {
		if err := n.wire.Drain(ctx); err != nil {
			n.log.Warn("clients did not finish in time", "connections", n.wire.Connections())
		}
	}
	if n.store != nil && len(n.registry.Nodes()) > 1 {
		if err := n.store.Drain(ctx); err != nil {
			n.log.Warn("leases were not all handed over", "error", err)
		}
	}
}

// Stop ends the node and waits for everything it has started. It is idempotent.
func (n *Node) Stop() error {
	n.stopOnce.Do(func() { n.stopErr = n.stop() })
	return n.stopErr
}

func (n *Node) stop() error {
	n.ready.Store(false)
	var errs []error
	add := func(err error) { errs = append(errs, err) }
	if n.http != nil {
		add(n.http.Close())
	}
	if n.wire != nil {
		add(n.wire.Close())
	}
	if n.sql != nil {
		n.sql.Close()
	}
	if n.schema != nil {
		n.schema.Close()
	}
	if n.catalog != nil {
		n.catalog.Close()
	}
	if n.db != nil {
		n.db.Close()
	}
	n.spawning.Lock()
	n.cancel()
	n.spawning.Unlock()
	if n.dialer != nil {
		add(n.dialer.Close())
	}
	if n.store != nil {
		add(n.store.Close())
	}
	if n.transport != nil {
		add(n.transport.Close())
	}
	if n.grpc != nil {
		n.grpc.Stop()
	}
	n.wg.Wait()
	if n.engine != nil {
		if n.clock != nil {
			// What was promised is known exactly now.
			add(writeClockBound(n.fs, n.dir, n.clock.Peek()))
		}
		add(n.engine.Flush())
		add(n.engine.Close())
	}
	for _, l := range []net.Listener{n.listen, n.sqlListen, n.httpListen} {
		if l != nil {
			l.Close()
		}
	}
	return errors.Join(errs...)
}
