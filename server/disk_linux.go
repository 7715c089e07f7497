package server

import "golang.org/x/sys/unix"

// diskSpace returns the size of the file system that holds a folder, and what is
// free on it for processes without privileges.
func diskSpace(dir string) (capacity, available int64) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0
	}
	return int64(s.Blocks) * s.Bsize, int64(s.Bavail) * s.Bsize
}
