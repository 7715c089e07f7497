package server

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spanlite/spanlite/sql/settings"
)

// release is the version of this source tree.
const release = "0.1.0"

// commit is set by the Makefile, for builds without stamps of version control.
var commit string

// Version returns the version with the commit and the compiler it was built
// from and by.
func Version() string {
	commit, dirty := commit, ""
	if commit == "" {
		commit = "unknown"
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision" && len(s.Value) >= 10:
				commit = s.Value[:10]
			case s.Key == "vcs.modified" && s.Value == "true":
				dirty = "+"
			}
		}
	}
	return fmt.Sprintf("Spanlite %s (commit %s%s, %s, %s/%s, PostgreSQL %s compatible)",
		release, commit, dirty, runtime.Version(), runtime.GOOS, runtime.GOARCH, settings.ServerVersion)
}
