package testcluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"
)

// Network joins hosts in memory, as TCP would: connections carry bytes in order,
// a partition holds them up instead of losing them, and whoever waits on the far
// side of one learns nothing until it heals. All faults are per direction. Safe
// for concurrent use.
type Network struct {
	mu    sync.Mutex
	rng   *rand.Rand
	hosts map[string]*Host
	cut   map[link]bool
	slow  map[link]time.Duration // added to delay
	delay time.Duration
	// jitter is the greatest random addition to delay.
	jitter time.Duration
	pipes  map[link]map[*pipe]struct{}
	// changed is closed and replaced whenever someone who waits to connect should
	// look again.
	changed chan struct{}
}

// link is one direction between two hosts.
type link struct{ from, to string }

// healPause is the greatest time between the end of a partition and the arrival
// of what was held up: TCP's retransmission timer has backed off meanwhile.
const healPause = 200 * time.Millisecond

// NewNetwork returns a network without faults, with a delay of 0.2 to 0.5 ms each
// way.
func NewNetwork(seed uint64) *Network {
	return &Network{
		rng: rand.New(rand.NewPCG(seed, 0x6e6574)), hosts: make(map[string]*Host),
		cut: make(map[link]bool), slow: make(map[link]time.Duration), pipes: make(map[link]map[*pipe]struct{}),
		delay: 200 * time.Microsecond, jitter: 300 * time.Microsecond, changed: make(chan struct{}),
	}
}

// SetDelay sets the time that everything takes in each direction: d, and a random
// part of jitter.
func (n *Network) SetDelay(d, jitter time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.delay, n.jitter = d, jitter
}

// Slow adds to the delay of one direction; 0 takes that back.
func (n *Network) Slow(from, to string, d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.slow[link{from, to}] = d
}

// Cut stops one direction. Bytes under way arrive after Heal.
func (n *Network) Cut(from, to string) { n.setCut(true, link{from, to}) }

// Partition stops both directions between every host of one side and every host
// of the other.
func (n *Network) Partition(one, other []string) {
	var links []link
	for _, a := range one {
		for _, b := range other {
			links = append(links, link{a, b}, link{b, a})
		}
	}
	n.setCut(true, links...)
}

func (n *Network) setCut(cut bool, links ...link) {
	n.mu.Lock()
	var healed []*pipe
	for _, l := range links {
		if n.cut[l] && !cut {
			for p := range n.pipes[l] {
				healed = append(healed, p)
			}
		}
		n.cut[l] = cut
	}
	holds := make([]time.Time, len(healed))
	for i := range holds {
		holds[i] = time.Now().Add(time.Duration(n.rng.Int64N(int64(healPause))))
	}
	n.change()
	n.mu.Unlock()
	for i, p := range healed {
		p.resume(holds[i])
	}
}

// Heal ends all cuts and what Slow added.
func (n *Network) Heal() {
	n.mu.Lock()
	var links []link
	for l, cut := range n.cut {
		if cut {
			links = append(links, l)
		}
	}
	clear(n.slow)
	n.mu.Unlock()
	n.setCut(false, links...)
}

// Reset breaks all connections between two hosts, as a middlebox does that forgets
// them: both ends get an error at once.
func (n *Network) Reset(a, b string) {
	n.mu.Lock()
	var broken []*pipe
	for _, l := range []link{{a, b}, {b, a}} {
		for p := range n.pipes[l] {
			broken = append(broken, p)
		}
	}
	n.mu.Unlock()
	for _, p := range broken {
		p.fail(errReset)
	}
}

// change wakes those who wait to connect. Called with mu held.
func (n *Network) change() {
	close(n.changed)
	n.changed = make(chan struct{})
}

func (n *Network) isCut(l link) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cut[l]
}

// travel is how long something takes now.
func (n *Network) travel(l link) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.delay + n.slow[l]
	if n.jitter > 0 {
		d += time.Duration(n.rng.Int64N(int64(n.jitter)))
	}
	return d
}

// Host attaches a host, replacing the one of that name, which must be dead.
func (n *Network) Host(name string) *Host {
	h := &Host{net: n, name: name, listeners: make(map[string]*listener), conns: make(map[*conn]struct{})}
	n.mu.Lock()
	old := n.hosts[name]
	n.hosts[name] = h
	n.change()
	n.mu.Unlock()
	if old != nil {
		old.revive()
	}
	return h
}

// Host is one machine, from the start of its process to its end. It implements
// server.Network.
type Host struct {
	net  *Network
	name string

	// Guarded by net.mu.
	dead, silent bool
	listeners    map[string]*listener
	conns        map[*conn]struct{}
	// dangling are those that it had when it died silently.
	dangling []*conn
}

// Listen implements server.Network.
func (h *Host) Listen(addr string) (net.Listener, error) {
	l := &listener{host: h, addr: address(addr), conns: make(chan *conn, 128), closed: make(chan struct{})}
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if h.dead || h.listeners[addr] != nil {
		return nil, fmt.Errorf("listen %s: %w", addr, syscall.EADDRINUSE)
	}
	h.listeners[addr] = l
	return l, nil
}

// Dial implements server.Network. While the way there or back is cut it waits, as
// TCP does.
func (h *Host) Dial(ctx context.Context, addr string) (net.Conn, error) {
	to, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	n := h.net
	there, back := link{h.name, to}, link{to, h.name}
	for {
		if err := sleep(ctx, n.travel(there)+n.travel(back)); err != nil {
			return nil, err
		}
		n.mu.Lock()
		dst := n.hosts[to]
		changed := n.changed
		switch {
		case h.dead:
			n.mu.Unlock()
			return nil, net.ErrClosed
		case n.cut[there] || n.cut[back] || dst == nil || dst.dead && dst.silent:
			n.mu.Unlock()
			select {
			case <-changed:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			continue
		case dst.dead || dst.listeners[addr] == nil:
			n.mu.Unlock()
			return nil, fmt.Errorf("dial %s: %w", addr, syscall.ECONNREFUSED)
		}
		c, err := n.connect(h, dst, dst.listeners[addr])
		n.mu.Unlock()
		return c, err
	}
}

// connect makes a connection. Called with mu held.
func (n *Network) connect(from, to *Host, l *listener) (net.Conn, error) {
	there, back := newPipe(n, link{from.name, to.name}), newPipe(n, link{to.name, from.name})
	near := &conn{host: from, local: address(from.name), remote: l.addr, in: back, out: there}
	far := &conn{host: to, local: l.addr, remote: address(from.name), in: there, out: back}
	select {
	case l.conns <- far:
	default:
		return nil, fmt.Errorf("dial %s: %w", l.addr, syscall.ECONNREFUSED)
	}
	for _, p := range []*pipe{there, back} {
		if n.pipes[p.link] == nil {
			n.pipes[p.link] = make(map[*pipe]struct{})
		}
		n.pipes[p.link][p] = struct{}{}
	}
	from.conns[near], to.conns[far] = struct{}{}, struct{}{}
	return near, nil
}

// kill ends the host's part in the network: what its process does from now on has
// no effect outside. If silent, as after a power cut, the others are told nothing
// until a new host takes the name; otherwise their connections are reset.
func (h *Host) kill(silent bool) {
	h.net.mu.Lock()
	h.dead, h.silent = true, silent
	conns := make([]*conn, 0, len(h.conns))
	for c := range h.conns {
		conns = append(conns, c)
	}
	h.listeners = nil
	if silent {
		h.dangling, h.conns = conns, nil
	}
	h.net.change()
	h.net.mu.Unlock()
	for _, c := range conns {
		c.orphan(silent)
	}
}

// revive resets what was connected to a host that died silently and has a
// successor now.
func (h *Host) revive() {
	h.net.mu.Lock()
	conns := h.dangling
	h.dangling = nil
	h.net.mu.Unlock()
	for _, c := range conns {
		c.out.push(segment{err: errReset})
	}
}

// forget removes a closed connection.
func (h *Host) forget(c *conn) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	delete(h.conns, c)
	if c.in.bothClosed() {
		delete(h.net.pipes[c.in.link], c.in)
		delete(h.net.pipes[c.out.link], c.out)
	}
}

// listener implements net.Listener.
type listener struct {
	host   *Host
	addr   address
	conns  chan *conn
	once   sync.Once
	closed chan struct{}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() {
		l.host.net.mu.Lock()
		delete(l.host.listeners, string(l.addr))
		l.host.net.mu.Unlock()
		close(l.closed)
		for {
			select {
			case c := <-l.conns:
				c.Close()
			default:
				return
			}
		}
	})
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.addr }

// address is HOST:PORT, or HOST for the side that dialled.
type address string

// Network implements net.Addr.
func (address) Network() string { return "memory" }

// String implements net.Addr.
func (a address) String() string { return string(a) }

// sleep waits for d.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
