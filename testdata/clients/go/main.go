// Clients runs Go's PostgreSQL drivers and tools against the server that DATABASE_URL
// names: go run . pgx | pq | gorm | goose | migrate. It prints a line for each check, in
// the form that server/clienttest reads: "ok NAME" or "not ok NAME: MESSAGE". It is a
// module of its own so that the versions of these packages are nobody else's.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime/debug"
	"strings"
)

var (
	ctx = context.Background()
	url = os.Getenv("DATABASE_URL")
)

// check is one thing that a client has to be able to do.
type check struct {
	name string
	run  func()
}

// failure is what a check panics with.
type failure struct{ err error }

func must(err error) {
	if err != nil {
		panic(failure{err})
	}
}

func get[T any](v T, err error) T {
	must(err)
	return v
}

func equal(want, got any) {
	if !reflect.DeepEqual(want, got) {
		panic(failure{fmt.Errorf("%v instead of %v", got, want)})
	}
}

// fails requires an error with the SQLSTATE.
func fails(code string, err error) {
	var state interface{ SQLState() string }
	switch {
	case err == nil:
		panic(failure{fmt.Errorf("no error, expected %s", code)})
	case !errors.As(err, &state):
		panic(failure{fmt.Errorf("expected %s: %w", code, err)})
	case state.SQLState() != code:
		panic(failure{fmt.Errorf("%s instead of %s: %w", state.SQLState(), code, err)})
	}
}

func version(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, d := range info.Deps {
		if d.Path == module {
			return strings.TrimPrefix(d.Version, "v")
		}
	}
	return "?"
}

func main() {
	suites := map[string]func() (string, string, []check){"pgx": pgxSuite, "pq": pqSuite, "gorm": gormSuite, "goose": gooseSuite, "migrate": migrateSuite}
	if len(os.Args) != 2 || suites[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: go run . pgx | pq | gorm | goose | migrate")
		os.Exit(2)
	}
	client, module, checks := suites[os.Args[1]]()
	fmt.Printf("# %s %s\n", client, version(module))
	failed := false
	for _, c := range checks {
		if err := c.attempt(); err != nil {
			failed = true
			fmt.Printf("not ok %s: %s\n", c.name, strings.Split(err.Error(), "\n")[0])
			continue
		}
		fmt.Printf("ok %s\n", c.name)
	}
	if failed {
		os.Exit(1)
	}
}

func (c check) attempt() (err error) {
	defer func() {
		if r := recover(); r != nil {
			if f, ok := r.(failure); ok {
				err = f.err
				return
			}
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	c.run()
	return nil
}
