package catalog

import "context"

// Source is a node's view of the committed catalog. Package lease implements
// it; methods are safe for concurrent use.
type Source interface {
	// Snapshot returns the current image.
	Snapshot() *Snapshot
	// Generation is a counter that moves whenever Snapshot returns something
	// else. A plan made at a generation is good while it stands. One atomic load.
	Generation() uint64
	// Refresh brings the image up to everything that was committed before the
	// call.
	Refresh(ctx context.Context) error
	// AwaitUsable waits until t, which Collection.Use refused because a schema
	// change fences it, may be used or has been replaced by another version.
	AwaitUsable(ctx context.Context, t *Table) error
	// Virtual returns the virtual relations.
	Virtual() VirtualSchemas
}
