//go:build !linux

package server

// memoryShare returns least: the size of the machine's memory is not known here.
func memoryShare(part, least int64) int64 { return least }
