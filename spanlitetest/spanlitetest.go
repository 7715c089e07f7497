// Package spanlitetest gives every test a database of its own.
//
//	func TestTransfer(t *testing.T) {
//		db := spanlitetest.New(t)
//		_, err := db.Exec(`CREATE TABLE account (id int PRIMARY KEY, balance int)`)
//		...
//	}
//
// All tests of a process share one node in memory, started by the first of them;
// a database costs about as much as a table. Tests may run in parallel.
package spanlitetest

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spanlite/spanlite"
)

// startTimeout bounds the start of the node and the making of a database.
const startTimeout = 30 * time.Second

// shared is the node of the process. It ends with the process.
var shared = sync.OnceValues(func() (*spanlite.Server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	return spanlite.Start(ctx, spanlite.Options{NoSocket: true})
})

var databases atomic.Int64

// New returns the connection pool of a new, empty database, which is dropped when
// the test ends.
func New(tb testing.TB) *sql.DB {
	tb.Helper()
	srv, err := shared()
	if err != nil {
		tb.Fatalf("spanlitetest: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	name := fmt.Sprintf("test_%d", databases.Add(1))
	if _, err := srv.DB().ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
		tb.Fatalf("spanlitetest: %v", err)
	}
	db := srv.OpenDB(name)
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("spanlitetest: %v", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		if _, err := srv.DB().ExecContext(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			tb.Errorf("spanlitetest: %v", err)
		}
	})
	return db
}
