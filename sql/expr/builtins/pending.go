package builtins

import "github.com/spanlite/spanlite/sql/expr"

func formattingFunctions() []*expr.Function { return nil }
func arrayFunctions() []*expr.Function      { return nil }
func jsonFunctions() []*expr.Function       { return nil }
func enumFunctions() []*expr.Function       { return nil }
func networkFunctions() []*expr.Function    { return nil }
func settingFunctions() []*expr.Function    { return nil }
func sequenceFunctions() []*expr.Function   { return nil }
func systemFunctions() []*expr.Function     { return nil }
func visibilityFunctions() []*expr.Function { return nil }

func arrayOperators() []*expr.Operator   { return nil }
func jsonOperators() []*expr.Operator    { return nil }
func networkOperators() []*expr.Operator { return nil }
