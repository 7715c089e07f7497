package raftgroup

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"github.com/spanlite/spanlite/raftgroup/logstore"
	"github.com/spanlite/spanlite/raftgroup/transport"
)

// This file sends and receives images. An image is a stream of chunks, the first
// byte of each telling what it is:
//
//	'M' group(8) from replica(4) store(4) to replica(4) raft term(8)
//	    index(8) term(8) members: count(4), each replica(4) store(4) kind(1); data
//	'F' a file begins
//	'D' data of the file
//	'E' CRC32C(4) size(8): the file ends
//
// The receiver writes each file, checks and syncs it, and only then hands the
// image to the group; it answers by ending the stream.

const snapshotChunk = 256 << 10

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// startSnapshot makes an image for a follower that is too far behind and sends it
// in the background. In the group's turn.
func (g *Group) startSnapshot(to Member, m *raftpb.Message) {
	report := func(err error) {
		status := raft.SnapshotFinish
		if err != nil {
			status = raft.SnapshotFailure
		}
		g.call(func() { g.rn.ReportSnapshot(m.To, status) })
	}
	src, err := g.machine.CreateSnapshot()
	if err != nil {
		g.rn.ReportSnapshot(m.To, raft.SnapshotFailure)
		return
	}
	meta := src.Meta()
	meta.Group, meta.Members = g.id, append([]Member(nil), g.members...)
	from, term := g.self(), m.Term
	started := g.h.background(func(ctx context.Context) {
		defer src.Close()
		if !g.h.acquire(ctx, g.h.sends) {
			report(ctx.Err())
			return
		}
		defer func() { <-g.h.sends }()
		begin := time.Now()
		ev := SnapshotEvent{Group: g.id, Peer: to, Index: meta.Index}
		ev.Files, ev.Bytes, ev.Err = g.h.sendSnapshot(ctx, src, &meta, from, to, term)
		ev.Took = time.Since(begin)
		report(ev.Err)
		g.h.cfg.Metrics.noteImage(&g.h.cfg.Metrics.SnapshotsSent, ev.Err)
		if f := g.h.cfg.Events.SnapshotSent; f != nil {
			f(ev)
		}
	})
	if !started {
		src.Close()
	}
}

// sendSnapshot streams an image.
func (h *Host) sendSnapshot(ctx context.Context, src SnapshotSource, meta *SnapshotMeta, from, to Member, term uint64) (files int, n int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := h.cfg.Transport.OpenStream(ctx, to.Store)
	if err != nil {
		return 0, 0, err
	}
	if err := s.Send(appendSnapshotMeta([]byte{'M'}, meta, from, to.Replica, term)); err != nil {
		return 0, 0, err
	}
	for ; ; files++ {
		if err := s.Send([]byte{'F'}); err != nil {
			return files, n, err
		}
		w := &snapshotWriter{ctx: ctx, s: s, rate: h.cfg.SnapshotRate, began: time.Now(), buf: make([]byte, 1, snapshotChunk)}
		w.buf[0] = 'D'
		err := src.WriteFile(files, w)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = w.finish()
		}
		if err != nil {
			return files, n, err
		}
		n += w.size
	}
	if err := s.CloseSend(); err != nil {
		return files, n, err
	}
	// The receiver ends the stream when it has installed the image.
	if _, err := s.Recv(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = errors.New("raftgroup: unexpected chunk from the receiver of an image")
		}
		return files, n, err
	}
	return files, n, nil
}

// snapshotWriter cuts a file into chunks and keeps to a rate.
type snapshotWriter struct {
	ctx   context.Context
	s     transport.Stream
	rate  int64
	began time.Time
	buf   []byte
	crc   uint32
	size  int64
}

// Write implements io.Writer.
func (w *snapshotWriter) Write(p []byte) (int, error) {
	total := len(p)
	w.crc = crc32.Update(w.crc, castagnoli, p)
	w.size += int64(total)
	for len(p) > 0 {
		n := copy(w.buf[len(w.buf):cap(w.buf)], p)
		w.buf = w.buf[:len(w.buf)+n]
		p = p[n:]
		if len(w.buf) == cap(w.buf) {
			if err := w.flush(); err != nil {
				return 0, err
			}
		}
	}
	return total, nil
}

func (w *snapshotWriter) flush() error {
	if len(w.buf) == 1 {
		return nil
	}
	if err := w.s.Send(w.buf); err != nil {
		return err
	}
	w.buf = w.buf[:1]
	if w.rate <= 0 {
		return nil
	}
	ahead := time.Duration(float64(w.size)/float64(w.rate)*float64(time.Second)) - time.Since(w.began)
	if ahead < time.Millisecond {
		return nil
	}
	t := time.NewTimer(ahead)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}

func (w *snapshotWriter) finish() error {
	if err := w.flush(); err != nil {
		return err
	}
	b := binary.LittleEndian.AppendUint32([]byte{'E'}, w.crc)
	return w.s.Send(binary.LittleEndian.AppendUint64(b, uint64(w.size)))
}

func appendSnapshotMeta(b []byte, m *SnapshotMeta, from Member, to ReplicaID, term uint64) []byte {
	le := binary.LittleEndian
	b = le.AppendUint64(b, uint64(m.Group))
	b = le.AppendUint32(b, uint32(from.Replica))
	b = le.AppendUint32(b, uint32(from.Store))
	b = le.AppendUint32(b, uint32(to))
	b = le.AppendUint64(b, term)
	b = le.AppendUint64(b, uint64(m.Index))
	b = le.AppendUint64(b, uint64(m.Term))
	b = le.AppendUint32(b, uint32(len(m.Members)))
	for _, mem := range m.Members {
		b = le.AppendUint32(b, uint32(mem.Replica))
		b = le.AppendUint32(b, uint32(mem.Store))
		b = append(b, byte(mem.Kind))
	}
	return append(b, m.Data...)
}

// receivedSnapshot is an image on this store's disk.
type receivedSnapshot struct {
	meta  SnapshotMeta
	from  Member
	to    ReplicaID
	term  uint64
	files []string
	// done is told, once, what became of it.
	done chan error
}

func decodeSnapshotMeta(b []byte) (*receivedSnapshot, error) {
	le := binary.LittleEndian
	if len(b) < 48 {
		return nil, fmt.Errorf("raftgroup: description of an image is too short")
	}
	r := &receivedSnapshot{done: make(chan error, 1)}
	r.meta.Group = GroupID(le.Uint64(b))
	r.from = Member{Replica: ReplicaID(le.Uint32(b[8:])), Store: StoreID(le.Uint32(b[12:]))}
	r.to = ReplicaID(le.Uint32(b[16:]))
	r.term = le.Uint64(b[20:])
	r.meta.Index, r.meta.Term = Index(le.Uint64(b[28:])), Term(le.Uint64(b[36:]))
	n := int(le.Uint32(b[44:]))
	b = b[48:]
	if n > len(b)/9 {
		return nil, fmt.Errorf("raftgroup: description of an image is too short")
	}
	for range n {
		if MemberKind(b[8]) > VoterDemoting {
			return nil, fmt.Errorf("raftgroup: member of unknown kind %d in the description of an image", b[8])
		}
		r.meta.Members = append(r.meta.Members, Member{Replica: ReplicaID(le.Uint32(b)), Store: StoreID(le.Uint32(b[4:])), Kind: MemberKind(b[8])})
		b = b[9:]
	}
	r.meta.Data = append([]byte(nil), b...)
	return r, nil
}

// serveStream receives an image and waits until it is installed.
func (h *Host) serveStream(ctx context.Context, from StoreID, s transport.Stream) error {
	if !h.acquire(ctx, h.receives) {
		return ctx.Err()
	}
	defer func() { <-h.receives }()
	begin := time.Now()
	chunk, err := s.Recv()
	if err != nil {
		return err
	}
	if len(chunk) == 0 || chunk[0] != 'M' {
		return errors.New("raftgroup: an image does not begin with its description")
	}
	r, err := decodeSnapshotMeta(chunk[1:])
	if err != nil {
		return err
	}
	dir := h.cfg.FS.PathJoin(h.cfg.SnapshotDir, fmt.Sprintf("r%d-%d-%d", uint64(r.meta.Group), uint64(r.meta.Index), h.nextSnapshot.Add(1)))
	if err := h.cfg.FS.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	defer h.cfg.FS.RemoveAll(dir)
	ev := SnapshotEvent{Group: r.meta.Group, Peer: r.from, Index: r.meta.Index}
	ev.Bytes, err = h.receiveFiles(s, dir, r)
	ev.Files = len(r.files)
	if err == nil {
		err = h.deliverSnapshot(ctx, r)
	}
	ev.Err, ev.Took = err, time.Since(begin)
	h.cfg.Metrics.noteImage(&h.cfg.Metrics.SnapshotsReceived, err)
	if f := h.cfg.Events.SnapshotReceived; f != nil {
		f(ev)
	}
	return err
}

// receiveFiles writes, checks and syncs the files of an image.
func (h *Host) receiveFiles(s transport.Stream, dir string, r *receivedSnapshot) (total int64, err error) {
	var file vfs.File
	var name string
	var crc uint32
	var size int64
	defer func() {
		if file != nil {
			file.Close()
		}
	}()
	for {
		chunk, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		if len(chunk) == 0 {
			return total, errors.New("raftgroup: empty chunk in an image")
		}
		switch chunk[0] {
		case 'F':
			if file != nil {
				// The sender found that there is no further file.
				file.Close()
				file = nil
			}
			name = h.cfg.FS.PathJoin(dir, fmt.Sprintf("%04d.sst", len(r.files)))
			if file, err = h.cfg.FS.Create(name, "raft-snapshot"); err != nil {
				return total, err
			}
			crc, size = 0, 0
		case 'D':
			if file == nil {
				return total, errors.New("raftgroup: data outside of a file in an image")
			}
			crc = crc32.Update(crc, castagnoli, chunk[1:])
			size += int64(len(chunk) - 1)
			if _, err := file.Write(chunk[1:]); err != nil {
				return total, err
			}
		case 'E':
			if file == nil || len(chunk) != 13 || binary.LittleEndian.Uint32(chunk[1:]) != crc || int64(binary.LittleEndian.Uint64(chunk[5:])) != size {
				return total, errors.New("raftgroup: a file of an image arrived damaged")
			}
			if err := file.Sync(); err != nil {
				return total, err
			}
			if err := file.Close(); err != nil {
				return total, err
			}
			file = nil
			r.files = append(r.files, name)
			total += size
		default:
			return total, fmt.Errorf("raftgroup: chunk of unknown kind %q in an image", chunk[0])
		}
	}
}

// deliverSnapshot gives an image to its group and waits for the outcome.
func (h *Host) deliverSnapshot(ctx context.Context, r *receivedSnapshot) error {
	g, err := h.groupFor(r.meta.Group, r.to, r.from)
	if err != nil {
		return err
	}
	in := inbound{from: r.from, to: r.to, kind: kindSnapshot, snap: r}
	if !g.enqueue(func() { g.box.messages = append(g.box.messages, in) }) {
		return ErrStopped
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		// The group may be using the files: it must be done with them first.
		select {
		case err := <-r.done:
			return err
		case <-h.closing:
			return ErrStopped
		}
	case <-h.closing:
		return ErrStopped
	}
}

// receiveSnapshot steps a received image. In the group's turn.
func (g *Group) receiveSnapshot(in *inbound) {
	r := in.snap
	g.incoming = r
	err := g.rn.Step(raftpb.Message{
		Type: raftpb.MsgSnap, From: uint64(r.from.Replica), To: uint64(g.replica), Term: r.term,
		Snapshot: &raftpb.Snapshot{Metadata: raftpb.SnapshotMetadata{
			ConfState: confStateOf(r.meta.Members), Index: uint64(r.meta.Index), Term: uint64(r.meta.Term),
		}},
	})
	if err == nil {
		err = g.workOff()
	}
	if err != nil {
		g.fail(err)
	}
	g.incoming = nil
	r.done <- err
	g.h.wake(g)
}

// installSnapshot carries out raft's decision to take an image: the state first,
// atomically and durably, then the log. A crash in between
// leaves the log behind the state, which newGroup mends.
func (g *Group) installSnapshot(snap *raftpb.Snapshot, hs logstore.HardState) error {
	r := g.incoming
	if r == nil || uint64(r.meta.Index) != snap.Metadata.Index {
		return fmt.Errorf("raftgroup: no image for index %d", snap.Metadata.Index)
	}
	if err := g.machine.ApplySnapshot(r.meta, r.files); err != nil {
		return fmt.Errorf("install image at %d: %w", r.meta.Index, err)
	}
	g.overtaken(uint64(r.meta.Index))
	st := g.log.State()
	hs.Commit = max(hs.Commit, uint64(r.meta.Index))
	st.Hard, st.Replica = hs, g.replica
	st.TruncatedIndex, st.TruncatedTerm = uint64(r.meta.Index), uint64(r.meta.Term)
	g.appended = g.log.Reset(st)
	g.members = append([]Member(nil), r.meta.Members...)
	g.membersChanged()
	return nil
}
