package spanlitetest_test

import (
	"testing"

	"github.com/spanlite/spanlite/spanlitetest"
)

// BenchmarkNew is what a test pays for a database of its own, once the node runs.
func BenchmarkNew(b *testing.B) {
	spanlitetest.New(b)
	for b.Loop() {
		spanlitetest.New(b)
	}
}

// BenchmarkNewParallel is the same for tests that run at a time.
func BenchmarkNewParallel(b *testing.B) {
	spanlitetest.New(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			spanlitetest.New(b)
		}
	})
}
