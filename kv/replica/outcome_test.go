package replica

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/kv/outcome"
	"github.com/spanlite/spanlite/raftgroup"
)

// A replica remembers the commits in the commands that it applies, and after it was
// opened again, from when on its memory is complete.
func TestApplyRemembersCommits(t *testing.T) {
	e := openEngine(t, vfs.NewMem())
	defer e.Close()
	create(t, e)
	r := openReplica(t, e, 1, Hooks{})
	at := raftgroup.InitialIndex
	now := r.Clock().Now()
	commit := func(r *Replica, id byte, term raftgroup.Term) error {
		c := put(e, string(id), 5, "x")
		c.trigger = appendOutcomes(nil, []outcome.Outcome{{ID: kv.TxnID{id}, TS: 5, At: now}})
		return r.Apply([]raftgroup.Entry{{Index: at + 1, Term: term, Data: c.encode(nil)}})
	}
	require.NoError(t, commit(r, 'a', 6))
	at++
	got, ok := r.Outcomes().Get(kv.TxnID{'a'})
	require.True(t, ok)
	require.Equal(t, outcome.Outcome{ID: kv.TxnID{'a'}, TS: 5, At: now}, got)
	require.True(t, r.Outcomes().Knows(kv.TxnID{'b'}, now))

	// What has no effect is no commit.
	require.NoError(t, commit(r, 'c', 7))
	at++
	_, ok = r.Outcomes().Get(kv.TxnID{'c'})
	require.False(t, ok)

	// What is in the state has no name.
	later := openReplica(t, e, 1, Hooks{})
	_, ok = later.Outcomes().Get(kv.TxnID{'a'})
	require.False(t, ok)
	require.False(t, later.Outcomes().Knows(kv.TxnID{'a'}, 1), "a clock starts above all that it had read before")
	require.True(t, later.Outcomes().Knows(kv.TxnID{'a'}, later.Clock().Now()))
	require.NoError(t, commit(later, 'd', 7))

	bad := put(e, "e", 5, "x")
	bad.term, bad.trigger = 7, []byte("no outcomes")
	require.Error(t, later.Apply([]raftgroup.Entry{{Index: at + 2, Term: 7, Data: bad.encode(nil)}}))
}
