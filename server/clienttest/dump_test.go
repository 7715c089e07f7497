package clienttest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDump makes the same database on both servers and moves it round in all
// directions; every dump has to be the same SQL.
func TestDump(t *testing.T) {
	psql := clientProgram(t, "psql")
	servers := map[string]string{"postgres": startPostgres(t), "spanlite": startSpanlite(t)}
	schema, err := filepath.Abs("../../testdata/clients/psql/schema.sql")
	require.NoError(t, err)
	for _, name := range []string{"postgres", "spanlite"} {
		url := createDatabase(t, servers[name], "original")
		runPsql(t, psql, url, "-v", "ON_ERROR_STOP=1", "-f", schema)
		servers[name+"/original"] = url
	}
	requireSameDump(t, maskTimes(dumpText(t, servers["postgres/original"])), maskTimes(dumpText(t, servers["spanlite/original"])))

	// PostgreSQL's own dumps change once when they are restored, with a list of varchar
	// literals after IN, and are stable then.
	for _, name := range []string{"postgres", "spanlite"} {
		url := createDatabase(t, servers[name], "second")
		restore(t, servers[name+"/original"], url, "plain")
		servers[name+"/original"] = url
	}
	// From here on the data are copies, so that they have to be equal, too.
	for _, from := range []string{"postgres", "spanlite"} {
		source := dumpText(t, servers[from+"/original"])
		for _, to := range []string{"postgres", "spanlite"} {
			for _, format := range []string{"plain", "custom", "directory"} {
				t.Run(from+"_to_"+to+"_"+format, func(t *testing.T) {
					url := createDatabase(t, servers[to], "copy_"+from+"_"+format)
					restore(t, servers[from+"/original"], url, format)
					requireSameDump(t, source, dumpText(t, url))
				})
			}
		}
	}
}

var (
	// restricted are the lines with a random key, and the server's version.
	restricted = regexp.MustCompile(`(?m)^\\(un)?restrict .*\n|^-- Dumped .*\n`)
	times      = regexp.MustCompile(`\d\d\d\d-\d\d-\d\d( \d\d:\d\d:\d\d(\.\d+)?(\+\d\d)?)?|[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)
)

func maskTimes(dump string) string { return times.ReplaceAllString(dump, "TIME") }

func dumpText(t *testing.T, url string) string {
	t.Helper()
	return restricted.ReplaceAllString(run(t, nil, clientProgram(t, "pg_dump"), "-d", url), "")
}

// restore copies a database by pg_dump and psql or pg_restore.
func restore(t *testing.T, from, to, format string) {
	t.Helper()
	if format == "plain" {
		script := run(t, nil, clientProgram(t, "pg_dump"), "-d", from)
		run(t, []byte(script), clientProgram(t, "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", to)
		return
	}
	file := filepath.Join(t.TempDir(), "dump")
	run(t, nil, clientProgram(t, "pg_dump"), "-d", from, "--format="+format, "-f", file)
	args := []string{"--exit-on-error", "-d", to, file}
	if format == "directory" {
		args = append([]string{"--jobs=2"}, args...)
	}
	run(t, nil, clientProgram(t, "pg_restore"), args...)
}

// run runs a program and returns what it prints.
func run(t *testing.T, stdin []byte, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "PGTZ=UTC", "LC_ALL=C.UTF-8")
	cmd.Stdin = bytes.NewReader(stdin)
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(program), err, messages.String())
	}
	return out.String()
}

func requireSameDump(t *testing.T, want, got string) {
	t.Helper()
	if want != got {
		t.Errorf("the dumps differ\nwanted:\n%s\ngot:\n%s", firstDifference(want, got), firstDifference(got, want))
	}
	require.NotEmpty(t, strings.TrimSpace(want))
}
