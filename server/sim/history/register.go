package history

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// RegisterOp is one statement on one key: a read, or a write of a value.
type RegisterOp struct {
	Client     int
	Key        int
	Write      bool
	Value      int   // written or read
	Begin, End int64 // in one clock
	// Outcome of a write; reads that failed are left out. What failed for sure is
	// Aborted, and its value must not be seen.
	Outcome Outcome
}

// String returns "write 3=17".
func (o RegisterOp) String() string {
	verb := "read"
	if o.Write {
		verb = "write"
	}
	return fmt.Sprintf("client %d %s %d=%d [%d, %d] %s", o.Client, verb, o.Key, o.Value, o.Begin, o.End, o.Outcome)
}

// registerModel is a register that begins as 0; its input is a RegisterOp.
var registerModel = porcupine.Model{
	Init: func() any { return 0 },
	Step: func(state, input, _ any) (bool, any) {
		op := input.(RegisterOp)
		if op.Write {
			return true, op.Value
		}
		return state.(int) == op.Value, state
	},
}

// linearizeWithin bounds the search for an order of one key's history, which is
// exponential at worst.
const linearizeWithin = 30 * time.Second

// CheckRegisters returns an anomaly for every key whose history is not
// linearizable. All registers begin as 0, and values are unique.
func CheckRegisters(ops []RegisterOp) []Anomaly {
	byKey := make(map[int][]RegisterOp)
	aborted := make(map[int]RegisterOp)
	var found []Anomaly
	for _, o := range ops {
		if o.Outcome == Aborted {
			if o.Write {
				aborted[o.Value] = o
			}
			continue
		}
		byKey[o.Key] = append(byKey[o.Key], o)
	}
	for key, list := range byKey {
		var history []porcupine.Operation
		for _, o := range list {
			if w, ok := aborted[o.Value]; ok && !o.Write {
				found = append(found, Anomaly{"G1a", fmt.Sprintf("%s, of %s", o, w)})
			}
			end := o.End
			if o.Outcome == Unknown {
				end = math.MaxInt64 // it may take effect at any time after Begin
			}
			history = append(history, porcupine.Operation{ClientId: o.Client, Input: o, Call: o.Begin, Return: end})
		}
		if porcupine.CheckOperationsTimeout(registerModel, history, linearizeWithin) == porcupine.Illegal {
			slices.SortFunc(list, func(a, b RegisterOp) int { return cmp.Compare(a.Begin, b.Begin) })
			var b strings.Builder
			for _, o := range list {
				fmt.Fprintf(&b, "\n  %s", o)
			}
			found = append(found, Anomaly{"not linearizable", fmt.Sprintf("register %d:%s", key, b.String())})
		}
	}
	return found
}
