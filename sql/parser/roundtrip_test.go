package parser

import (
	"reflect"
	"testing"

	"github.com/spanlite/spanlite/sql/ast"
)

// withoutPositions clears what may differ between a tree and the tree of its
// formatted text: positions and source texts.
func withoutPositions(n any) any {
	clearPositions(reflect.ValueOf(n))
	return n
}

var posType = reflect.TypeFor[ast.Pos]()

func clearPositions(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			clearPositions(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			clearPositions(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Field(i)
			switch {
			case f.Type() == posType:
				f.SetInt(0)
			case v.Type().Field(i).Name == "Text" && f.Kind() == reflect.String && v.Type().NumField() > 3:
				f.SetString("") // of views and PREPARE
			default:
				clearPositions(f)
			}
		}
	}
}

// checkRoundTrip formats a tree, parses the text and compares the trees.
func checkRoundTrip(t *testing.T, sql string, tree ast.Statement) string {
	t.Helper()
	text := ast.Format(tree)
	again, err := Parse(text)
	if err != nil || len(again) != 1 {
		t.Errorf("formatted text does not parse: %v\n  from: %s\n  text: %s", err, sql, text)
		return text
	}
	second := ast.Format(again[0].AST)
	if second != text {
		t.Errorf("formatting is not stable\n   from: %s\n  first: %s\n second: %s", sql, text, second)
		return text
	}
	if !reflect.DeepEqual(withoutPositions(tree), withoutPositions(again[0].AST)) {
		t.Errorf("formatted text means something else\n  from: %s\n  text: %s", sql, text)
	}
	return text
}
