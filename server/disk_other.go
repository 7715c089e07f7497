//go:build !linux

package server

// diskSpace returns zeros, which stand for unknown.
func diskSpace(string) (capacity, available int64) { return 0, 0 }
