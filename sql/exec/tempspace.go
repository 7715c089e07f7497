package exec

import (
	"errors"
	"os"
	"sync/atomic"
	"syscall"

	"github.com/spanlite/spanlite/sql/sqlstate"
)

// TempSpace is the disk space for what does not fit into memory: sorts, hash
// tables, materialised queries. All statements of a node share its bound, so that
// one of them cannot fill the disk on which the data are. Safe for concurrent use.
type TempSpace struct {
	dir   string
	limit int64
	used  atomic.Int64
}

// NewTempSpace returns a space of limit bytes in a folder that exists; an empty dir
// is the system's folder for temporary files, limit 0 is no bound.
func NewTempSpace(dir string, limit int64) *TempSpace {
	return &TempSpace{dir: dir, limit: limit}
}

// Used returns the bytes in use.
func (t *TempSpace) Used() int64 {
	if t == nil {
		return 0
	}
	return t.used.Load()
}

// create makes a file without a name: it disappears with its descriptor, even if
// the process dies. A nil space has no bound.
func (t *TempSpace) create() (*os.File, error) {
	dir := ""
	if t != nil {
		dir = t.dir
	}
	f, err := os.CreateTemp(dir, "spanlite-spill-*")
	if err != nil {
		return nil, tempFileError("create", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, tempFileError("unlink", err)
	}
	return f, nil
}

// grow takes n more bytes, or fails with 53400.
func (t *TempSpace) grow(n int64) error {
	if t == nil {
		return nil
	}
	if used := t.used.Add(n); t.limit > 0 && used > t.limit {
		t.used.Add(-n)
		return sqlstate.New(sqlstate.ConfigurationLimitExceeded,
			"temporary files would exceed the node's limit (%dkB)", t.limit>>10).
			WithHint("The limit is for all statements of the node together: see --max-temp-storage.")
	}
	return nil
}

// shrink gives n bytes back.
func (t *TempSpace) shrink(n int64) {
	if t != nil {
		t.used.Add(-n)
	}
}

// tempFileError is what a client sees of an error of a temporary file: 53100 if the
// disk is full, else 58030.
func tempFileError(what string, err error) error {
	code := sqlstate.IOError
	if errors.Is(err, syscall.ENOSPC) {
		code = sqlstate.DiskFull
	}
	return sqlstate.New(code, "could not %s temporary file: %s", what, err)
}
