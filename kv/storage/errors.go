package storage

import (
	"fmt"
	"strings"
)

// ForeignFolderError: the folder holds files that no Spanlite engine wrote.
// Nothing was touched.
type ForeignFolderError struct {
	Dir    string
	Reason string
}

func (e *ForeignFolderError) Error() string {
	return fmt.Sprintf("storage: %s is not a Spanlite store: %s", e.Dir, e.Reason)
}

// NewerFormatError: a later release wrote the folder. Nothing was touched.
type NewerFormatError struct {
	Dir string
	// Found is the format of the folder and Known the newest one that this
	// program reads; both are zero if the engine's own files say so already.
	Found, Known uint32
	Cause        error
}

func (e *NewerFormatError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("storage: %s was written by a newer release: %v", e.Dir, e.Cause)
	}
	return fmt.Sprintf("storage: %s has format version %d, this release reads up to %d", e.Dir, e.Found, e.Known)
}

// Unwrap returns the cause, if any.
func (e *NewerFormatError) Unwrap() error { return e.Cause }

// LockedError: another process, or another engine of this one, has the folder
// open.
type LockedError struct {
	Dir   string
	Cause error
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("storage: %s is in use by another process: %v", e.Dir, e.Cause)
}

// Unwrap returns the cause.
func (e *LockedError) Unwrap() error { return e.Cause }

// CorruptionError: a checksum or a structure on disk is wrong. The data must not
// be served.
type CorruptionError struct {
	// Path is the damaged file, or the folder if the file is not known.
	Path  string
	Cause error
}

func (e *CorruptionError) Error() string {
	// Pebble joins an error without a text of its own to the cause.
	text := strings.ReplaceAll(fmt.Sprint(e.Cause), "<corruption detail carrier>", "")
	return fmt.Sprintf("storage: %s is corrupt: %s", e.Path, strings.TrimSpace(text))
}

// Unwrap returns the cause.
func (e *CorruptionError) Unwrap() error { return e.Cause }
