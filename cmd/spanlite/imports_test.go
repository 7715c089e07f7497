package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// This file holds the layering of the project: who may import whom. Imports go
// down only: the rows of mayImport stand from bottom to top, and a row names rows
// above it in the source, which are below it in the building. An import that is
// missing here is a design decision: add it in the same change, and to
// ARCHITECTURE.md, "Layers", if it crosses one of the lines there.
//
// Only the imports of the packages themselves count. Tests may import more, for
// instance to run a layer on top of real ones.

const module = "github.com/spanlite/spanlite"

// leaves may be imported from anywhere and import only the standard library and
// each other.
var leaves = []string{"kv/hlc", "kv/keys", "kv/invariant"}

// mayImport lists for every package those of ours that it may import besides the
// leaves. The root package is ".".
var mayImport = []struct{ pkg, may string }{
	{"kv/hlc", ""},
	{"kv/invariant", ""},
	{"kv/keys", ""},

	// Many raft groups on few workers: bytes and members, no keys.
	{"raftgroup/logstore", ""},
	{"raftgroup/storeliveness", ""},
	{"raftgroup/transport", ""},
	{"raftgroup", "raftgroup/logstore raftgroup/storeliveness raftgroup/transport"},

	// The key-value store: never txn or sql.
	{"kv", ""},
	{"kv/latch", ""},
	{"kv/tscache", "kv"},
	{"kv/outcome", "kv"},
	{"kv/storage", ""},
	{"kv/mvcc", "kv kv/storage"},
	{"kv/liveness", "kv kv/storage"},
	{"kv/placement", "kv kv/liveness"},
	{"kv/replica", "kv kv/latch kv/mvcc kv/outcome kv/storage kv/tscache raftgroup"},
	{"kv/store", "kv kv/liveness kv/mvcc kv/placement kv/replica kv/storage raftgroup"},
	{"kv/dist", "kv"},
	{"kv/rpc", "kv kv/dist kv/liveness kv/storage kv/store"},

	// Transactions. The coordinator sees a kv.Sender only; the participant is the
	// part that runs at the leaseholder, behind interfaces of kv/replica.
	{"txn/locktable", "kv"},
	{"txn/participant", "kv kv/mvcc kv/outcome kv/replica kv/storage kv/tscache txn/locktable"},
	{"txn", "kv kv/outcome"},

	// SQL. Of these only sql/exec and sql know transactions, and none knows replicas.
	{"sql/sqlstate", "kv"},
	{"sql/types", "sql/sqlstate"},
	{"sql/ast", ""},
	{"sql/parser", "sql/ast sql/sqlstate"},
	{"sql/copyfmt", "sql/sqlstate"},
	{"sql/settings", "kv sql/sqlstate sql/types"},
	{"sql/expr", "sql/sqlstate sql/types"},
	{"sql/expr/builtins", "sql/expr sql/sqlstate sql/types"},
	{"sql/catalog", "kv sql/sqlstate sql/types"},
	{"sql/catalog/lease", "kv sql/catalog sql/sqlstate"},
	{"sql/catalog/system/gen", ""},
	{"sql/catalog/system", "sql/catalog sql/types"},
	{"sql/stats", "kv sql/catalog sql/types"},
	{"sql/rowenc", "sql/catalog sql/sqlstate sql/types"},
	{"sql/plan", "kv sql/ast sql/catalog sql/expr sql/sqlstate sql/types"},
	{"sql/deparse", "sql/ast sql/catalog sql/expr sql/plan sql/types"},
	{"sql/opt", "kv sql/catalog sql/expr sql/plan sql/sqlstate sql/stats sql/types"},
	{"sql/schemachange", "kv sql/ast sql/catalog sql/catalog/lease sql/expr sql/plan sql/rowenc sql/sqlstate sql/types"},
	{"sql/exec", "kv sql/ast sql/catalog sql/expr sql/plan sql/rowenc sql/sqlstate sql/stats sql/types txn"},
	{"sql", "kv txn sql/..."},

	{"pgwire", "sql sql/sqlstate sql/types"},

	// A node, and what wraps one. The server joins the layers, so it sees all.
	{"server", "kv/... raftgroup raftgroup/transport txn/... sql/... pgwire"},
	{".", "server"},
	{"spanlitetest", "."},
	{"cmd/spanlite", "server sql"}, // of sql the rows that administrators' calls return
}

// testTrees hold whole-system tests and their runners: nothing imports them, and
// they may import everything.
var testTrees = []string{"server/clienttest", "server/crashtest", "server/difftest", "server/logictest", "server/sim", "server/testcluster", "testdata"}

// doors says which packages alone may import a foreign vocabulary. The longest
// match counts.
var doors = []struct {
	foreign string
	allowed []string
}{
	{"github.com/pingcap/tidb", []string{"sql/parser"}},
	{"github.com/jackc/pgproto3", []string{"pgwire"}},
	{"github.com/jackc/pgx", []string{".", "cmd/spanlite", "sql/catalog/system/gen"}}, // clients
	{"go.etcd.io/raft", []string{"raftgroup", "raftgroup/logstore"}},
	{"google.golang.org/grpc", []string{"raftgroup/transport", "kv/rpc", "server"}},
	{"github.com/cockroachdb/pebble", []string{"kv/storage", "kv/mvcc", "kv/replica"}},
	// The file system behind Pebble is the one behind the log, too.
	{"github.com/cockroachdb/pebble/v2/vfs", []string{"kv/storage", "kv/replica", "raftgroup", "raftgroup/logstore", "server"}},
	{"github.com/spf13/cobra", []string{"cmd/spanlite"}},
	{"github.com/prometheus/client_golang", []string{"server"}},
}

func TestImportsGoDown(t *testing.T) {
	checkTable(t)
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
	seen := map[string]bool{}
	for dec := json.NewDecoder(out); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		from := relative(p.ImportPath)
		seen[from] = true
		for _, imported := range p.Imports {
			if msg := checkImport(from, imported); msg != "" {
				t.Error(msg)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, row := range mayImport {
		if !seen[row.pkg] {
			t.Errorf("the table lists %s, which does not exist", row.pkg)
		}
	}
}

// checkTable checks that every row names earlier rows only.
func checkTable(t *testing.T) {
	var before []string
	for _, row := range mayImport {
		for _, may := range strings.Fields(row.may) {
			if !slices.ContainsFunc(before, func(pkg string) bool { return match(pkg, may) }) {
				t.Errorf("the row of %s names %s, which is not below it", row.pkg, may)
			}
		}
		if slices.Contains(before, row.pkg) {
			t.Errorf("two rows for %s", row.pkg)
		}
		before = append(before, row.pkg)
	}
}

// relative strips the module path; the root package is ".".
func relative(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}

// match reports whether pkg is what pattern names: a package, or with "/..." a
// package and all below it.
func match(pkg, pattern string) bool {
	tree, ok := strings.CutSuffix(pattern, "/...")
	return pkg == tree || ok && strings.HasPrefix(pkg, tree+"/")
}

// checkImport returns what is wrong with an import, "" for nothing.
func checkImport(from, imported string) string {
	inTests := slices.ContainsFunc(testTrees, func(tree string) bool { return match(from, tree+"/...") })
	if imported != module && !strings.HasPrefix(imported, module+"/") {
		if slices.Contains(leaves, from) && strings.Contains(strings.SplitN(imported, "/", 2)[0], ".") {
			return "leaf " + from + " imports " + imported
		}
		var allowed []string
		longest := ""
		for _, d := range doors {
			if strings.HasPrefix(imported, d.foreign) && len(d.foreign) > len(longest) {
				longest, allowed = d.foreign, d.allowed
			}
		}
		if longest != "" && !inTests && !slices.Contains(allowed, from) {
			return from + " imports " + imported + ", which belongs behind " + strings.Join(allowed, ", ")
		}
		return ""
	}
	to := relative(imported)
	switch {
	case slices.ContainsFunc(testTrees, func(tree string) bool { return match(to, tree+"/...") }):
		if inTests {
			return ""
		}
		return from + " imports " + to + ", which is for tests"
	case inTests, slices.Contains(leaves, to):
		return ""
	}
	i := slices.IndexFunc(mayImport, func(row struct{ pkg, may string }) bool { return row.pkg == from })
	if i < 0 {
		return from + " is not in the table"
	}
	if !slices.ContainsFunc(strings.Fields(mayImport[i].may), func(may string) bool { return match(to, may) }) {
		return from + " may not import " + to
	}
	return ""
}
