package clienttest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// programs are drivers, ORMs and tools at work, each with a suite under
// testdata/clients. A suite prints "# CLIENT VERSION" and then a line for each check,
// "ok NAME" or "not ok NAME: MESSAGE".
var programs = []struct {
	name, dir string
	command   []string
	// needs is what has to be there besides the program; a missing one skips the suite.
	needs func() error
}{
	{"pgx", "go", []string{"go", "run", ".", "pgx"}, extra},
	{"pq", "go", []string{"go", "run", ".", "pq"}, extra},
	{"gorm", "go", []string{"go", "run", ".", "gorm"}, extra},
	{"goose", "go", []string{"go", "run", ".", "goose"}, extra},
	{"migrate", "go", []string{"go", "run", ".", "migrate"}, extra},
	{"psycopg2", "python", python("use_psycopg2.py"), module("psycopg2")},
	{"psycopg3", "python", python("use_psycopg3.py"), module("psycopg")},
	{"sqlalchemy", "python", python("use_sqlalchemy.py"), module("sqlalchemy")},
	{"django", "python", python("use_django.py"), module("django")},
	{"pg", "node", []string{"node", "pg.js"}, nodeModules},
	{"postgresjs", "node", []string{"node", "postgresjs.js"}, nodeModules},
	{"knex", "node", []string{"node", "knex.js"}, nodeModules},
	{"sequelize", "node", []string{"node", "sequelize.js"}, nodeModules},
	{"typeorm", "node", []string{"node", "typeorm.js"}, nodeModules},
	{"pgjdbc", "java", []string{"java", "-cp", driverJar, "Jdbc.java"}, exists(driverJar)},
}

const (
	// driverJar is where Debian's libpostgresql-jdbc-java puts the driver.
	driverJar = "/usr/share/java/postgresql.jar"
	// systemPython has the packages of the distribution.
	systemPython = "/usr/bin/python3"
)

// extra are suites whose packages have to be downloaded: make clients runs them.
func extra() error {
	if os.Getenv("SPANLITE_CLIENTS") == "" {
		return fmt.Errorf("run by make clients")
	}
	return nil
}

func python(script string) []string { return []string{systemPython, script} }

func module(name string) func() error {
	return func() error { return exec.Command(systemPython, "-c", "import "+name).Run() }
}

func exists(path string) func() error {
	return func() error {
		_, err := os.Stat(path)
		return err
	}
}

// nodeModules: npm install in testdata/clients/node makes them.
func nodeModules() error { return exists("../../testdata/clients/node/node_modules")() }

// withPostgres runs the suites against PostgreSQL, too, which shows that they are right.
var withPostgres = os.Getenv("SPANLITE_CLIENTS_POSTGRES") != ""

// programTimeout bounds a suite, its compilation included.
const programTimeout = 5 * time.Minute

var clientLine = regexp.MustCompile(`(?m)^# (.+)$`)

func TestPrograms(t *testing.T) {
	servers := map[string]string{"spanlite": startSpanlite(t)}
	if withPostgres {
		servers["postgres"] = startPostgres(t)
	}
	for server, url := range servers {
		for _, p := range programs {
			t.Run(server+"/"+p.name, func(t *testing.T) {
				if _, err := exec.LookPath(p.command[0]); err != nil {
					t.Skip(err)
				}
				if err := p.needs(); err != nil {
					t.Skip(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), programTimeout)
				defer cancel()
				cmd := exec.CommandContext(ctx, p.command[0], p.command[1:]...)
				cmd.Dir = filepath.Join("../../testdata/clients", p.dir)
				cmd.Env = append(os.Environ(), "DATABASE_URL="+createDatabase(t, url, "program_"+p.name), "GOWORK=off")
				out, err := cmd.CombinedOutput()
				text := string(out)
				passed, failed := strings.Count("\n"+text, "\nok "), strings.Count("\n"+text, "\nnot ok ")
				client := p.name
				if m := clientLine.FindStringSubmatch(text); m != nil {
					client = m[1]
				}
				t.Logf("%s: %d of %d checks passed", client, passed, passed+failed)
				require.NoError(t, err, "%s", text)
				require.Positive(t, passed, "%s", text)
			})
		}
	}
}
