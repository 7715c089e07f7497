package server

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/spanlite/spanlite/kv/hlc"
)

// clockFile holds an upper bound of the timestamps that this node has issued:
// eight bytes, little-endian. A restart begins above it, even if the machine's
// clock has been set back.
const clockFile = "clock-bound"

// The bound is written clockAhead ahead of use, every clockEvery. A restart after a
// crash waits until it has passed, so they are short.
const (
	clockAhead = 800 * time.Millisecond
	clockEvery = 300 * time.Millisecond
)

// passClockBound moves the clock above the stored bound: by waiting, since a clock
// that is ahead of time takes those of the other nodes along, and what is promised
// until a timestamp, support above all, would then last longer by that much. Only
// if the machine's clock has been set back is time itself no help.
func (n *Node) passClockBound(ctx context.Context, bound hlc.Timestamp) error {
	ahead := time.Duration(bound.Micros()-n.clock.Physical()) * time.Microsecond
	switch {
	case ahead <= 0:
	case ahead > clockAhead+n.cfg.MaxOffset:
		n.log.Warn("the machine's clock is behind what this node has used before", "by", ahead)
	default:
		timer := time.NewTimer(ahead)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	n.clock.Update(bound)
	return nil
}

// readClockBound returns the stored bound, zero if there is none.
func readClockBound(fs vfs.FS, dir string) (hlc.Timestamp, error) {
	f, err := fs.Open(fs.PathJoin(dir, clockFile))
	if err != nil {
		return 0, nil // a new store
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("%s is damaged: %d bytes", clockFile, len(b))
	}
	return hlc.Timestamp(binary.LittleEndian.Uint64(b)), nil
}

// writeClockBound stores a bound durably.
func writeClockBound(fs vfs.FS, dir string, ts hlc.Timestamp) error {
	tmp := fs.PathJoin(dir, clockFile+".tmp")
	f, err := fs.Create(tmp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(binary.LittleEndian.AppendUint64(nil, uint64(ts)))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := fs.Rename(tmp, fs.PathJoin(dir, clockFile)); err != nil {
		return err
	}
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// makeDir makes a folder that is found after a crash: the entries of it and of the
// folders above are durable.
func makeDir(fs vfs.FS, dir string) error {
	if _, err := fs.Stat(dir); err == nil {
		return nil
	}
	parent := fs.PathDir(dir)
	if parent != dir {
		if err := makeDir(fs, parent); err != nil {
			return err
		}
	}
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	d, err := fs.OpenDir(parent)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// keepClockBound keeps the stored bound ahead of the clock until the node stops.
func (n *Node) keepClockBound() {
	defer n.wg.Done()
	ticker := time.NewTicker(clockEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if err := writeClockBound(n.fs, n.dir, n.clock.Peek().Add(clockAhead)); err != nil {
				n.fatal(fmt.Errorf("store the clock bound: %w", err))
				return
			}
		case <-n.ctx.Done():
			return
		}
	}
}
