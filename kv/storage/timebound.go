package storage

import (
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"

	"github.com/spanlite/spanlite/kv/hlc"
)

// timestampProperty names the block property that holds the interval of version
// timestamps in a block, index block or table.
const timestampProperty = "spanlite.ts"

// timestampMapper maps an engine key to its timestamp. Pebble's own tombstones
// carry the key of the version they remove, hence fall into the same interval
// and are never filtered apart from it.
type timestampMapper struct{}

func (timestampMapper) MapPointKey(key pebble.InternalKey, _ []byte) (sstable.BlockInterval, error) {
	return suffixInterval(key.UserKey[split(key.UserKey):]), nil
}

func (timestampMapper) MapRangeKeys(span sstable.Span) (sstable.BlockInterval, error) {
	var all sstable.BlockInterval
	for _, k := range span.Keys {
		all.UnionWith(suffixInterval(k.Suffix))
	}
	return all, nil
}

func suffixInterval(suffix []byte) sstable.BlockInterval {
	if len(suffix) != suffixLen {
		return sstable.BlockInterval{}
	}
	ts := uint64(suffixTimestamp(suffix))
	return sstable.BlockInterval{Lower: ts, Upper: ts + 1}
}

func newTimestampCollector() pebble.BlockPropertyCollector {
	return sstable.NewBlockIntervalCollector(timestampProperty, timestampMapper{}, nil)
}

// TimeFilter returns iterator filters that may skip blocks without a version in
// (after, upTo]. Versions outside of the interval can still be seen, and
// unversioned keys may or may not be: check each timestamp.
func TimeFilter(after, upTo hlc.Timestamp) []pebble.BlockPropertyFilter {
	lower, upper := uint64(after)+1, uint64(upTo)
	if upper != ^uint64(0) {
		upper++
	}
	// One slot more than used: see pebble.IterOptions.PointKeyFilters.
	fs := make([]pebble.BlockPropertyFilter, 1, 2)
	fs[0] = sstable.NewBlockIntervalFilter(timestampProperty, lower, upper, nil)
	return fs
}
