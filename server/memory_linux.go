package server

import "golang.org/x/sys/unix"

// memoryShare returns 1/part of the machine's memory, at least least bytes.
func memoryShare(part, least int64) int64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return least
	}
	return max(least, int64(info.Totalram)*int64(info.Unit)/part)
}
