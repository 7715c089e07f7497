package builtins

import "github.com/spanlite/spanlite/sql/expr"

func formattingFunctions() []*expr.Function { return nil }
func settingFunctions() []*expr.Function    { return nil }
func sequenceFunctions() []*expr.Function   { return nil }
func systemFunctions() []*expr.Function     { return nil }
func visibilityFunctions() []*expr.Function { return nil }
