package builtins

import "github.com/spanlite/spanlite/sql/expr"

func stringFunctions() []*expr.Function     { return nil }
func likeFunctions() []*expr.Function       { return nil }
func regexpFunctions() []*expr.Function     { return nil }
func datetimeFunctions() []*expr.Function   { return nil }
func formattingFunctions() []*expr.Function { return nil }
func arrayFunctions() []*expr.Function      { return nil }
func jsonFunctions() []*expr.Function       { return nil }
func enumFunctions() []*expr.Function       { return nil }
func networkFunctions() []*expr.Function    { return nil }
func settingFunctions() []*expr.Function    { return nil }
func sequenceFunctions() []*expr.Function   { return nil }
func systemFunctions() []*expr.Function     { return nil }
func visibilityFunctions() []*expr.Function { return nil }
func setFunctions() []*expr.Function        { return nil }

func datetimeOperators() []*expr.Operator { return nil }
func stringOperators() []*expr.Operator   { return nil }
func likeOperators() []*expr.Operator     { return nil }
func regexpOperators() []*expr.Operator   { return nil }
func arrayOperators() []*expr.Operator    { return nil }
func jsonOperators() []*expr.Operator     { return nil }
func networkOperators() []*expr.Operator  { return nil }
