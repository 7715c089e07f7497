package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// This file holds the layering of the project: who may import whom. Imports go
// down only. See ARCHITECTURE.md, "Layers".

const module = "github.com/spanlite/spanlite"

// leaves may be imported from anywhere and import only the standard library and
// each other.
var leaves = []string{"kv/hlc", "kv/keys", "kv/invariant"}

// layers lists, from top to bottom, folder trees and the trees of ours that each
// may import besides its own and the leaves. The first match counts.
var layers = []struct {
	tree string
	may  []string
}{
	{"cmd/spanlite", []string{"server", "pgwire", "sql", "txn", "kv", "raftgroup", ""}},
	{"spanlitetest", []string{""}},
	{"server", []string{"pgwire", "sql", "txn", "kv", "raftgroup"}},
	{"pgwire", []string{"sql", "sql/types", "sql/sqlstate", "sql/settings"}},
	{"sql", []string{"txn", "kv"}},
	{"txn", []string{"kv"}},
	{"kv", []string{"raftgroup"}},
	{"raftgroup", nil},
	{"testdata", []string{"server", ""}},
	{"", []string{"server"}},
}

// within restricts imports inside of one layer: the packages on the left may
// not import those on the right.
var within = []struct {
	from   string
	forbid []string
}{
	{"sql/sqlstate", []string{"sql"}},
	{"sql/ast", []string{"sql/parser", "sql/types", "sql/expr", "sql/plan", "sql/catalog"}},
	{"sql/parser", []string{"sql/types", "sql/expr", "sql/plan", "sql/catalog", "sql/exec"}},
	{"sql/types", []string{"sql/expr", "sql/catalog", "sql/plan", "sql/exec", "sql/ast"}},
	{"sql/expr", []string{"sql/plan", "sql/exec", "sql/catalog"}},
	{"sql/rowenc", []string{"sql/plan", "sql/exec"}},
	{"sql/catalog", []string{"sql/plan", "sql/opt", "sql/exec"}},
	{"sql/plan", []string{"sql/exec", "txn"}},
	{"kv/mvcc", []string{"kv/replica", "kv/store", "kv/dist", "raftgroup"}},
	{"kv/replica", []string{"kv/store", "kv/dist", "kv/rpc"}},
	{"kv/placement", []string{"kv/store", "kv/replica", "raftgroup"}},
}

// doors says which packages alone may import a foreign vocabulary.
var doors = []struct {
	foreign string
	allowed []string
}{
	{"github.com/pingcap/tidb", []string{"sql/parser"}},
	{"github.com/jackc/pgproto3", []string{"pgwire", "cmd/spanlite"}},
	{"go.etcd.io/raft", []string{"raftgroup"}},
	{"google.golang.org/grpc", []string{"raftgroup/transport", "kv/rpc", "server", "cmd/spanlite"}},
	{"github.com/cockroachdb/pebble", []string{"kv", "raftgroup", "server", "sql/exec", "cmd/spanlite", "txn/participant", ""}},
}

// goPackage is what `go list -json` says of a package.
type goPackage struct {
	ImportPath  string
	Standard    bool
	Imports     []string
	TestImports []string
}

func TestImportsGoDown(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = root
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for dec := json.NewDecoder(out); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		seen++
		for _, imp := range p.Imports {
			if msg := checkImport(relative(p.ImportPath), imp); msg != "" {
				t.Error(msg)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if seen < 10 {
		t.Fatalf("saw %d packages only", seen)
	}
}

// relative strips the module path; the root package is "".
func relative(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
}

func inTree(pkg, tree string) bool {
	return pkg == tree || tree != "" && strings.HasPrefix(pkg, tree+"/")
}

func inAny(pkg string, trees []string) bool {
	for _, tree := range trees {
		if inTree(pkg, tree) {
			return true
		}
	}
	return false
}

func checkImport(from, imported string) string {
	for _, d := range doors {
		if strings.HasPrefix(imported, d.foreign) && !inAny(from, d.allowed) {
			return from + " imports " + imported + ", which belongs behind " + strings.Join(d.allowed, ", ")
		}
	}
	if imported != module && !strings.HasPrefix(imported, module+"/") {
		if inAny(from, leaves) && strings.Contains(strings.SplitN(imported, "/", 2)[0], ".") {
			return "leaf " + from + " imports " + imported
		}
		return ""
	}
	to := relative(imported)
	if inAny(to, leaves) {
		return ""
	}
	if inAny(from, leaves) {
		return "leaf " + from + " imports " + to
	}
	for _, w := range within {
		if inTree(from, w.from) && !inTree(to, w.from) && inAny(to, w.forbid) {
			return from + " may not import " + to
		}
	}
	for _, l := range layers {
		if !inTree(from, l.tree) {
			continue
		}
		if inTree(to, l.tree) || inAny(to, l.may) {
			return ""
		}
		return from + " (layer " + l.tree + ") may not import " + to
	}
	return from + " is in no layer"
}
