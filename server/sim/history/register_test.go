package history

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRegisters(t *testing.T) {
	write := func(value int, begin, end int64, o Outcome) RegisterOp {
		return RegisterOp{Client: value, Key: 1, Write: true, Value: value, Begin: begin, End: end, Outcome: o}
	}
	read := func(value int, begin, end int64) RegisterOp {
		return RegisterOp{Client: 100, Key: 1, Value: value, Begin: begin, End: end}
	}
	for name, c := range map[string]struct {
		ops []RegisterOp
		bad string
	}{
		"in order":                     {[]RegisterOp{read(0, 0, 1), write(1, 2, 3, Committed), read(1, 4, 5)}, ""},
		"beside":                       {[]RegisterOp{write(1, 0, 10, Committed), read(0, 1, 2), read(1, 3, 4)}, ""},
		"stale read":                   {[]RegisterOp{write(1, 0, 1, Committed), read(0, 2, 3)}, "not linearizable"},
		"back and forth":               {[]RegisterOp{write(1, 0, 10, Committed), read(1, 1, 2), read(0, 3, 4)}, "not linearizable"},
		"unknown, later":               {[]RegisterOp{write(1, 0, 1, Unknown), read(0, 2, 3), read(1, 4, 5)}, ""},
		"unknown, seen and gone again": {[]RegisterOp{write(1, 0, 1, Unknown), read(1, 2, 3), read(0, 4, 5)}, "not linearizable"},
		"failed and seen":              {[]RegisterOp{write(1, 0, 1, Aborted), read(1, 2, 3)}, "G1a"},
	} {
		t.Run(name, func(t *testing.T) {
			found := CheckRegisters(c.ops)
			if c.bad == "" {
				require.Empty(t, found)
			} else {
				require.NotEmpty(t, found)
				require.Equal(t, c.bad, found[0].Name)
			}
		})
	}
}
