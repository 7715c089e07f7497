package spanlitetest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/spanlitetest"
)

func TestDatabasesAreSeparate(t *testing.T) {
	for range 2 {
		db := spanlitetest.New(t)
		_, err := db.Exec("CREATE TABLE t (id int PRIMARY KEY)")
		require.NoError(t, err)
	}
}
