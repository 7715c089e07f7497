package clienttest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// psqlExceptions are what psql prints differently, with the reason. The lines that
// match are left out on both sides before they are compared.
var psqlExceptions = []struct{ command, line, reason string }{
	{`\d pg_`, `(?s)Indexes:\n(    .*?\n)+`, "the system relations are virtual and have no indexes"},
	{`\dS pg_`, `(?s)Indexes:\n(    .*?\n)+`, "the system relations are virtual and have no indexes"},
	{`\dnS`, ` pg_toast .*\n|\(\d+ rows\)\n`, "there are no TOAST tables"},
	{`\du`, ` postgres .*\n`, "the role postgres is there beside root, for tools that take it for granted"},
	{`\l`, `(?m)^ (template0|template1|postgres) .*\n|^ +\| +\| +\| +\| +\| +\| +\| .*\n|\(\d+ rows\)\n`, "there is no template0; sizes are estimates"},
	{`\dT int`, `.*range.*\n|\(\d+ rows\)\n`, "there are no range types"},
}

// psqlSkipped are commands whose output is not compared.
var psqlSkipped = map[string]string{
	`\dx`: "PostgreSQL has plpgsql, a procedural language", `\dL`: "PostgreSQL has plpgsql, a procedural language",
	`\dF`: "there is only the text search configuration that initdb makes for every language", `\dFd`: "likewise",
	`\db+`: "sizes", `\dc`: "conversions", `\conninfo`: "ports", `\dA+`: "access methods' handlers", `\l+`: "sizes and template0",
	`\daS sum`: "there is no type money", `\drds`: "ALTER ROLE SET", `\ddp`: "ALTER DEFAULT PRIVILEGES", `\ddp shop`: "ALTER DEFAULT PRIVILEGES",
	`\dAf btree`: "names in no order", `\sf upper`: "\\sf of a function of C", `\dconfig work_*`: "settings of memory", `\dd`: "comments of initdb", `\d information_schema.tables`: "its columns are of domains",
	`\d pg_class`: "the system relations are virtual and have no indexes",
}

var (
	size   = regexp.MustCompile(`\b\d+ (bytes|kB|MB)\b`)
	spaces = regexp.MustCompile(`[ -]+`)
)

func TestPsql(t *testing.T) {
	psql := clientProgram(t, "psql")
	postgres, ours := createDatabase(t, startPostgres(t), "rich"), createDatabase(t, startSpanlite(t), "rich")
	schema, err := filepath.Abs("../../testdata/clients/psql/schema.sql")
	require.NoError(t, err)
	for _, url := range []string{postgres, ours} {
		runPsql(t, psql, url, "-v", "ON_ERROR_STOP=1", "-f", schema)
	}
	b, err := os.ReadFile("../../testdata/clients/psql/commands.txt")
	require.NoError(t, err)
	var script strings.Builder
	commands := strings.Split(strings.TrimSpace(string(b)), "\n")
	for _, c := range commands {
		fmt.Fprintf(&script, "\\echo ==\n%s\n", c)
	}
	file := filepath.Join(t.TempDir(), "commands.sql")
	require.NoError(t, os.WriteFile(file, []byte(script.String()), 0o644))
	want := strings.Split(runPsql(t, psql, postgres, "-f", file), "==\n")[1:]
	got := strings.Split(runPsql(t, psql, ours, "-f", file), "==\n")[1:]
	require.Len(t, got, len(commands))
	require.Len(t, want, len(commands))
	agreed := 0
	for i, c := range commands {
		if psqlSkipped[c] != "" {
			continue
		}
		w, g := comparable(c, want[i]), comparable(c, got[i])
		if w != g {
			t.Errorf("%s\nPostgreSQL:\n%s\nSpanlite:\n%s", c, firstDifference(w, g), firstDifference(g, w))
			continue
		}
		agreed++
	}
	t.Logf("%d of %d commands print the same, %d are not compared", agreed, len(commands), len(psqlSkipped))
}

// runPsql returns what psql prints, messages included.
func runPsql(t *testing.T, psql, url string, args ...string) string {
	cmd := exec.Command(psql, append([]string{"-X", "-q", url}, args...)...)
	cmd.Env = append(os.Environ(), "PGTZ=UTC", "LC_ALL=C.UTF-8", "PAGER=")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil && len(args) > 2 {
		t.Fatalf("psql: %v\n%s", err, out.String())
	}
	return out.String()
}

// comparable removes from an output what differs for a reason, and the widths of the
// columns, which differ with it.
func comparable(command, out string) string {
	for _, e := range psqlExceptions {
		if strings.HasPrefix(command, e.command) {
			out = regexp.MustCompile(e.line).ReplaceAllString(out, "")
		}
	}
	out = regexp.MustCompile(`psql:[^ ]*:\d+: `).ReplaceAllString(out, "")
	out = size.ReplaceAllString(out, "SIZE")
	return spaces.ReplaceAllString(out, " ")
}

// firstDifference returns the lines of a from the first that b does not have there.
func firstDifference(a, b string) string {
	la, lb := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range la {
		if i >= len(lb) || la[i] != lb[i] {
			return strings.Join(la[i:min(i+6, len(la))], "\n")
		}
	}
	return "(nothing more)"
}
