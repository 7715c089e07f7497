// Package storeliveness lets stores vouch for each other. Store A asks store B to
// support A's epoch until a timestamp; B promises, durably, and withdraws only
// when its own clock has passed the last timestamp it granted. Leases of any
// number of ranges rest on one such exchange per pair of stores.
//
// # Rules
//
//   - The epoch at which a store asks another for support is new after each restart,
//     and after that other has withdrawn. It is durable before it is used. It belongs
//     to the pair: a store that was cut off and has withdrawn from everyone costs
//     nobody any support but its own.
//   - Support for an epoch that was withdrawn is never given again.
//   - A restart keeps promises: the supported epochs are durable, and their
//     expirations, which are not, are taken to be as late as they can be.
//   - A store that hears but is not heard gets no support: a heartbeat carries the
//     time of the last heartbeat received from the other side, and one that is
//     too old is not answered with a grant. So one-way partitions end leaderships.
//
// Source: the idea of "fortified" leaders on store-level support is CockroachDB's
// (technical note on store liveness); the epochs go back to its node liveness.
package storeliveness

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spanlite/spanlite/kv/hlc"
	"github.com/spanlite/spanlite/kv/keys"
)

// Config configures a Manager.
type Config struct {
	Store keys.StoreID
	Clock *hlc.Clock
	// Duration is how long one promise lasts.
	Duration time.Duration
	// Send sends a message to a store; it may get lost.
	Send func(to keys.StoreID, m *Message)
	// Persist makes the manager's state durable before it returns.
	Persist func(state []byte) error
	// Withdrawn is called, without locks, after support for a store's epoch has
	// durably ended.
	Withdrawn func(store keys.StoreID, epoch uint64)
	// Lost and Gained are called when another store's support for this one runs
	// out or comes (back). May be nil.
	Lost, Gained func(store keys.StoreID)
	// Payload returns bytes that ride along; OnPayload gets them. May be nil.
	Payload   func(to keys.StoreID) []byte
	OnPayload func(from keys.StoreID, payload []byte)
	// Fatal is called if Persist fails.
	Fatal func(error)
}

// Peer is what is known of one other store. The fields are read without locks
// on the path of every request.
type Peer struct {
	own   atomic.Uint64 // the epoch at which this store asks the peer for support
	epoch atomic.Uint64 // for which the peer gave support
	until atomic.Uint64
}

// Epoch returns the epoch at which this store asks the peer for support.
func (p *Peer) Epoch() uint64 { return p.own.Load() }

// Until returns how far the peer has promised to support this store at epoch;
// zero if it has not.
func (p *Peer) Until(epoch uint64) hlc.Timestamp {
	if p.epoch.Load() != epoch {
		return 0
	}
	u := p.until.Load()
	if p.epoch.Load() != epoch {
		return 0
	}
	return hlc.Timestamp(u)
}

// promise is support for another store. Each of its transitions is durable before
// it has an effect: a grant follows saved, and whatever the end of support allows
// (a vote for another leader) follows withdrawn. Without the first a crash would
// break a promise, without the second one would bring back what was withdrawn.
type promise struct {
	epoch uint64
	// saved: the epoch is durable, so it may be granted.
	saved bool
	// withdrawing: never granted again; support stands until the withdrawal is
	// durable, which is when withdrawn is set.
	withdrawing, withdrawn bool
	until                  hlc.Timestamp
}

// Manager owns all support given and received by one store. Safe for concurrent
// use.
type Manager struct {
	cfg Config
	// epoch is the greatest that this store has ever used; durable.
	epoch atomic.Uint64

	mu struct {
		sync.Mutex
		peers map[keys.StoreID]*peerState
	}
	// persist serialises writes of the state.
	persist sync.Mutex
}

type peerState struct {
	Peer
	// next is the epoch for the peer that is being made durable, else 0.
	next  uint64
	given promise
	// lastHeard is the peer's stamp in its last heartbeat; lastEcho is our own
	// stamp that came back; first is when we began to speak to it.
	lastHeard, lastEcho, first hlc.Timestamp
	supported                  bool // as last reported by Gained and Lost
	watched                    bool
}

// New returns a Manager that continues from state, which Persist wrote before
// (nil for a new store), at a new epoch.
func New(cfg Config, state []byte) (*Manager, error) {
	m := &Manager{cfg: cfg}
	m.mu.peers = map[keys.StoreID]*peerState{}
	if state != nil {
		duration, err := m.decode(state)
		if err != nil {
			return nil, err
		}
		// What had been granted before the restart was at most this far: the clock
		// does not go back, and a grant reaches no further than the duration of then.
		until := cfg.Clock.Now().Add(max(duration, cfg.Duration))
		for _, p := range m.mu.peers {
			if p.given.epoch != 0 && !p.given.withdrawn {
				p.given.until = until
			}
		}
	}
	epoch := m.epoch.Add(1)
	for _, p := range m.mu.peers {
		p.own.Store(epoch)
	}
	return m, m.save()
}

// EpochFor returns the epoch at which this store asks another for support.
func (m *Manager) EpochFor(store keys.StoreID) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.peer(store).own.Load()
}

// Peer returns the record of another store, and begins to speak to it.
func (m *Manager) Peer(store keys.StoreID) *Peer {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.peer(store)
	p.watched = true
	return &p.Peer
}

func (m *Manager) peer(store keys.StoreID) *peerState {
	p := m.mu.peers[store]
	if p == nil {
		p = &peerState{first: m.cfg.Clock.Peek()}
		p.own.Store(m.epoch.Load())
		m.mu.peers[store] = p
	}
	return p
}

// SupportFrom returns the epoch and time up to which a store supports this one.
func (m *Manager) SupportFrom(store keys.StoreID) (epoch uint64, until hlc.Timestamp) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.mu.peers[store]
	if p == nil {
		return 0, 0
	}
	e := p.Peer.epoch.Load()
	return e, p.Peer.Until(e)
}

// Alive reports whether a store supports this one now.
func (m *Manager) Alive(store keys.StoreID) bool {
	if store == m.cfg.Store {
		return true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.mu.peers[store]
	return p != nil && p.Until(p.own.Load()) > m.cfg.Clock.Peek()
}

// Supports reports whether this store supports another at epoch: the promise
// stands until it has been withdrawn, even if its time is over.
func (m *Manager) Supports(store keys.StoreID, epoch uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.mu.peers[store]
	return p != nil && p.given.epoch == epoch && !p.given.withdrawn
}

// Tick is Beat and Expire.
func (m *Manager) Tick() {
	m.Beat()
	m.Expire()
}

// Beat sends heartbeats, and reports support for this store that has run out. It
// waits for nothing: stores whose heartbeats are late lose their leases.
func (m *Manager) Beat() {
	type beat struct {
		to keys.StoreID
		m  Message
	}
	now := m.cfg.Clock.Now()
	var beats []beat
	var lost []keys.StoreID
	m.mu.Lock()
	for _, id := range slices.Sorted(maps.Keys(m.mu.peers)) {
		p := m.mu.peers[id]
		epoch := p.own.Load()
		if p.watched {
			beats = append(beats, beat{id, Message{Kind: Heartbeat, Epoch: epoch, Until: now.Add(m.cfg.Duration), Stamp: now, Echo: p.lastHeard}})
		}
		if p.supported && p.Peer.Until(epoch) <= now {
			p.supported = false
			lost = append(lost, id)
		}
	}
	m.mu.Unlock()
	for i := range beats {
		if m.cfg.Payload != nil {
			beats[i].m.Payload = m.cfg.Payload(beats[i].to)
		}
		m.cfg.Send(beats[i].to, &beats[i].m)
	}
	if m.cfg.Lost != nil {
		for _, id := range lost {
			m.cfg.Lost(id)
		}
	}
}

// Expire withdraws support that has expired, which takes a write of the state, and
// returns how long nothing else can expire: at most half of Duration.
func (m *Manager) Expire() time.Duration {
	now := m.cfg.Clock.Now()
	next := now.Add(m.cfg.Duration / 2)
	var ended []keys.StoreID
	m.mu.Lock()
	for _, id := range slices.Sorted(maps.Keys(m.mu.peers)) {
		p := m.mu.peers[id]
		if p.given.epoch == 0 || p.given.withdrawing {
			continue
		}
		if now > p.given.until {
			ended = append(ended, id)
		} else {
			next = min(next, p.given.until)
		}
	}
	m.mu.Unlock()
	if len(ended) > 0 {
		m.withdraw(ended, now)
	}
	return time.Duration(next.Micros()-now.Micros()+1) * time.Microsecond
}

// withdraw durably ends expired promises.
func (m *Manager) withdraw(stores []keys.StoreID, now hlc.Timestamp) {
	ended := map[keys.StoreID]uint64{}
	m.mu.Lock()
	for _, id := range stores {
		p := m.mu.peers[id]
		// A heartbeat may have come in between.
		if !p.given.withdrawing && now > p.given.until {
			p.given.withdrawing = true
			ended[id] = p.given.epoch
		}
	}
	m.mu.Unlock()
	if len(ended) == 0 || m.save() != nil {
		return
	}
	m.mu.Lock()
	for id, epoch := range ended {
		if p := m.mu.peers[id]; p.given.epoch == epoch {
			p.given.withdrawn = true
		}
	}
	m.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(ended)) {
		if m.cfg.Withdrawn != nil {
			m.cfg.Withdrawn(id, ended[id])
		}
	}
}

// Receive handles a message of another store.
func (m *Manager) Receive(from keys.StoreID, msg *Message) {
	if m.cfg.OnPayload != nil && len(msg.Payload) > 0 {
		m.cfg.OnPayload(from, msg.Payload)
	}
	switch msg.Kind {
	case Heartbeat:
		m.heartbeat(from, msg)
	case Grant:
		m.granted(from, msg)
	}
}

// heartbeat answers a request for support.
func (m *Manager) heartbeat(from keys.StoreID, msg *Message) {
	now := m.cfg.Clock.Now()
	reply := Message{Kind: Grant, Epoch: msg.Epoch}
	// A restart takes promises to last for Duration (New): whatever the other side
	// asks for, no grant is longer.
	until := min(msg.Until, now.Add(m.cfg.Duration))
	m.mu.Lock()
	p := m.peer(from)
	p.watched = true
	p.lastHeard = msg.Stamp
	p.lastEcho = max(p.lastEcho, msg.Echo)
	mutual := max(p.lastEcho, p.first).Add(2*m.cfg.Duration) > now
	var ended uint64
	save := false
	switch {
	case msg.Epoch < p.given.epoch:
		reply.Epoch = p.given.epoch
	case msg.Epoch == p.given.epoch && p.given.withdrawing:
		reply.Epoch = p.given.epoch + 1
	case !mutual:
		// It does not hear us: let the promise run out.
	default:
		if msg.Epoch > p.given.epoch {
			if p.given.epoch != 0 && !p.given.withdrawn {
				// The other side holds no lease at its old epoch any more.
				ended = p.given.epoch
			}
			p.given = promise{epoch: msg.Epoch}
		}
		// Two streams of one store may overlap when it reconnects: whoever finds the
		// epoch not durable sees to it himself.
		save = !p.given.saved
		p.given.until = max(p.given.until, until)
		reply.Until = until
	}
	m.mu.Unlock()
	if save {
		if m.save() != nil {
			return
		}
		m.mu.Lock()
		stands := p.given.epoch == msg.Epoch && !p.given.withdrawing
		if p.given.epoch == msg.Epoch {
			p.given.saved = true
		}
		m.mu.Unlock()
		if ended != 0 && m.cfg.Withdrawn != nil {
			m.cfg.Withdrawn(from, ended)
		}
		if !stands {
			return
		}
	}
	m.cfg.Send(from, &reply)
}

// granted takes note of support received.
func (m *Manager) granted(from keys.StoreID, msg *Message) {
	if msg.Until == 0 {
		m.raise(from, msg.Epoch)
		return
	}
	gained := false
	m.mu.Lock()
	p := m.peer(from)
	if epoch := p.own.Load(); msg.Epoch == epoch && p.next == 0 {
		if p.Peer.epoch.Load() != epoch {
			p.Peer.until.Store(0)
			p.Peer.epoch.Store(epoch)
		}
		if uint64(msg.Until) > p.Peer.until.Load() {
			p.Peer.until.Store(uint64(msg.Until))
		}
		if !p.supported {
			p.supported, gained = true, true
		}
	}
	m.mu.Unlock()
	if gained && m.cfg.Gained != nil {
		m.cfg.Gained(from)
	}
}

// raise moves to a later epoch with a store that has withdrawn support for the
// present one. What leases rest on at the present epoch ends first: a store that
// hears of the new epoch drops its support for the old one at once, its time not
// being over. The new epoch is durable before the store hears of it.
func (m *Manager) raise(store keys.StoreID, to uint64) {
	m.mu.Lock()
	p := m.peer(store)
	if to <= p.own.Load() || p.next != 0 {
		m.mu.Unlock()
		return
	}
	p.next = to
	p.Peer.until.Store(0)
	p.Peer.epoch.Store(to)
	lost := p.supported
	p.supported = false
	m.mu.Unlock()
	err := m.save()
	m.mu.Lock()
	if err == nil {
		m.epoch.Store(max(m.epoch.Load(), to))
		p.own.Store(to)
		p.next = 0
	}
	m.mu.Unlock()
	if lost && m.cfg.Lost != nil {
		m.cfg.Lost(store)
	}
}

// The persisted state: version(1), greatest own epoch(8), duration(8, ns), count(4), and
// per store store(4) epoch(8) withdrawn(1); little-endian.
const (
	stateVersion = 2
	stateHeader  = 21
	statePeer    = 13
)

func (m *Manager) save() error {
	m.persist.Lock()
	defer m.persist.Unlock()
	m.mu.Lock()
	b := []byte{stateVersion}
	epoch := m.epoch.Load()
	for _, p := range m.mu.peers {
		epoch = max(epoch, p.next)
	}
	b = binary.LittleEndian.AppendUint64(b, epoch)
	b = binary.LittleEndian.AppendUint64(b, uint64(m.cfg.Duration))
	n := len(b)
	b = append(b, 0, 0, 0, 0)
	count := uint32(0)
	for id, p := range m.mu.peers {
		if p.given.epoch == 0 {
			continue
		}
		count++
		b = binary.LittleEndian.AppendUint32(b, uint32(id))
		b = binary.LittleEndian.AppendUint64(b, p.given.epoch)
		withdrawn := byte(0)
		if p.given.withdrawing {
			withdrawn = 1
		}
		b = append(b, withdrawn)
	}
	binary.LittleEndian.PutUint32(b[n:], count)
	m.mu.Unlock()
	err := m.cfg.Persist(b)
	if err != nil && m.cfg.Fatal != nil {
		m.cfg.Fatal(fmt.Errorf("storeliveness: %w", err))
	}
	return err
}

// decode reads what save wrote; duration is that of the process which wrote it.
func (m *Manager) decode(b []byte) (duration time.Duration, err error) {
	if len(b) < stateHeader || b[0] != stateVersion {
		return 0, fmt.Errorf("storeliveness: state of unknown form")
	}
	m.epoch.Store(binary.LittleEndian.Uint64(b[1:]))
	duration = time.Duration(binary.LittleEndian.Uint64(b[9:]))
	count := int(binary.LittleEndian.Uint32(b[17:]))
	b = b[stateHeader:]
	if len(b)%statePeer != 0 || len(b)/statePeer != count || duration < 0 {
		return 0, fmt.Errorf("storeliveness: state of %d stores has %d bytes", count, len(b))
	}
	for range count {
		p := m.peer(keys.StoreID(binary.LittleEndian.Uint32(b)))
		withdrawn := b[12] != 0
		p.given = promise{epoch: binary.LittleEndian.Uint64(b[4:]), saved: true, withdrawing: withdrawn, withdrawn: withdrawn}
		p.watched = true
		b = b[statePeer:]
	}
	return duration, nil
}
