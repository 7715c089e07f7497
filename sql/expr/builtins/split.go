package builtins

import (
	"strings"

	"github.com/spanlite/spanlite/sql/expr"
	"github.com/spanlite/spanlite/sql/types"
)

// splitText splits as string_to_array does: a NULL separator splits into characters, an
// empty one not at all; fields equal to nullText are NULL.
func splitText(s datum, sep, nullText datum) []datum {
	var parts []string
	switch {
	case s.Str() == "":
		return nil
	case sep.IsNull():
		for _, r := range s.Str() {
			parts = append(parts, string(r))
		}
	case sep.Str() == "":
		parts = []string{s.Str()}
	default:
		parts = strings.Split(s.Str(), sep.Str())
	}
	out := make([]datum, len(parts))
	for i, p := range parts {
		if nullText.IsNull() || p != nullText.Str() {
			out[i] = str(p)
		}
	}
	return out
}

func splitFunctions() []*expr.Function {
	toArray := func(_ *ctx, a []datum) (datum, error) {
		if a[0].IsNull() {
			return null, nil
		}
		nullText := null
		if len(a) > 2 {
			nullText = a[2]
		}
		return types.NewArrayDatum(types.NewArray(text, splitText(a[0], a[1], nullText))), nil
	}
	toTable := func(_ *ctx, _ *expr.Call, a []datum) (expr.SetIter, error) {
		if a[0].IsNull() {
			return newSliceIter(nil), nil
		}
		nullText := null
		if len(a) > 2 {
			nullText = a[2]
		}
		return newSliceIter(splitText(a[0], a[1], nullText)), nil
	}
	return []*expr.Function{
		nullable(fnN("string_to_array", textArray, args(text, text), toArray)),
		nullable(fnN("string_to_array", textArray, args(text, text, text), toArray)),
		nullable(setFn("string_to_table", text, args(text, text), toTable)),
		nullable(setFn("string_to_table", text, args(text, text, text), toTable)),
	}
}
