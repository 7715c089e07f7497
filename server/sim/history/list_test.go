package history

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// parse makes a history of lines "outcome: a1=5 r1=5,6 ...": append 5 to list 1,
// read list 1.
func parse(t *testing.T, text string) []ListTxn {
	t.Helper()
	var txns []ListTxn
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		outcome, ops, ok := strings.Cut(strings.TrimSpace(line), ":")
		require.True(t, ok, line)
		txn := ListTxn{Client: fmt.Sprintf("T%d", i+1)}
		txn.Outcome = map[string]Outcome{"ok": Committed, "no": Aborted, "maybe": Unknown}[outcome]
		for _, word := range strings.Fields(ops) {
			key, value, ok := strings.Cut(word[1:], "=")
			require.True(t, ok, word)
			k, err := strconv.Atoi(key)
			require.NoError(t, err)
			var list []int
			for n := range strings.SplitSeq(value, ",") {
				if n != "" {
					v, err := strconv.Atoi(n)
					require.NoError(t, err)
					list = append(list, v)
				}
			}
			if word[0] == 'a' {
				txn.Ops = append(txn.Ops, ListOp{Key: k, Append: list[0]})
			} else {
				txn.Ops = append(txn.Ops, ListOp{Key: k, Read: list})
			}
		}
		txns = append(txns, txn)
	}
	return txns
}

// TestAnomalies shows that each anomaly is found, and at which levels.
func TestAnomalies(t *testing.T) {
	for _, c := range []struct {
		name, history string
		final         map[int][]int
		// want are the names at SERIALIZABLE, REPEATABLE READ and READ COMMITTED.
		want [3]string
	}{
		{"in order", "ok: a1=1 a2=2\nok: r1=1 r2=2 a1=3\nok: r1=1,3 r2=2", nil, [3]string{}},
		{"own appends are read", "ok: a1=1 r1=1 a1=2 r1=1,2\nok: r1=1,2", nil, [3]string{}},
		{"an unknown outcome that was seen", "maybe: a1=1\nok: r1=1", nil, [3]string{}},
		{"an unknown outcome that was not", "maybe: a1=1\nok: r1=", nil, [3]string{}},
		{"dirty write", "ok: a1=1 a2=2\nok: a1=3 a2=4\nok: r1=1,3 r2=4,2", nil, [3]string{"G0", "G0", "G0"}},
		{"aborted read", "no: a1=1\nok: r1=1", nil, [3]string{"G1a", "G1a", "G1a"}},
		{"an aborted write stays", "no: a1=1", map[int][]int{1: {1}}, [3]string{"G1a", "G1a", "G1a"}},
		{"intermediate read", "ok: a1=1 a1=2\nok: r1=1", nil, [3]string{"G1b", "G1b", "G1b"}},
		{"circular information flow", "ok: a1=1 r2=2\nok: a2=2 r1=1", nil, [3]string{"G1c", "G1c", "G1c"}},
		{"read skew", "ok: a1=1 a2=2\nok: r1= r2=2\nok: r1=1", nil, [3]string{"G-single", "G-single", ""}},
		{"lost update", "ok: a1=1\nok: r1=1 a1=2\nok: r1=1 a1=3\nok: r1=1,2,3", nil, [3]string{"G-single", "G-single", ""}},
		{"write skew", "ok: r1= a2=2\nok: r2= a1=1\nok: r1=1 r2=2", nil, [3]string{"G2", "", ""}},
		{"long fork", "ok: a1=1\nok: a2=2\nok: r1=1 r2=\nok: r1= r2=2", nil, [3]string{"G2", "", ""}},
		{"lost write", "ok: a1=1", map[int][]int{1: {}}, [3]string{"lost write", "lost write", "lost write"}},
		{"doubled write", "ok: a1=1\nok: r1=1,1", nil, [3]string{"duplicate", "duplicate", "duplicate"}},
		{"orders differ", "ok: a1=1\nok: a1=2\nok: r1=1,2\nok: r1=2,1", nil, [3]string{"incompatible order", "incompatible order", "incompatible order"}},
		{"own append missing", "ok: a1=1 r1=", nil, [3]string{"internal", "internal", "internal"}},
		{"garbage", "ok: r1=7", nil, [3]string{"garbage", "garbage", "garbage"}},
	} {
		for level, want := range c.want {
			t.Run(fmt.Sprintf("%s at %s", c.name, Level(level)), func(t *testing.T) {
				found := CheckLists(parse(t, c.history), c.final, Level(level))
				if want == "" {
					require.Empty(t, found)
					return
				}
				require.NotEmpty(t, found)
				require.Equal(t, want, found[0].Name, "%v", found)
			})
		}
	}
}
