package ast

// ArgMode is the mode of a function's parameter.
type ArgMode uint8

// The parameter modes.
const (
	ArgIn ArgMode = iota
	ArgOut
	ArgInOut
	ArgVariadic
	ArgTable // a column of RETURNS TABLE
)

// FuncArg is a parameter of a function.
type FuncArg struct {
	Pos
	Mode    ArgMode
	Name    string
	Type    *TypeName
	Default Expr
}

// CreateFunction is CREATE FUNCTION or PROCEDURE. Options holds language, as,
// volatility, strict, security, parallel, cost, rows, set ... by those names.
type CreateFunction struct {
	Pos
	Name      ObjectName
	Procedure bool
	OrReplace bool
	Args      []FuncArg
	Returns   *TypeName // nil for procedures and with OUT arguments or TABLE
	Options   []Option
	// Body is the string after AS; Return is the expression of RETURN expr.
	Body   string
	Return Expr
}

// Call is CALL procedure(args).
type Call struct {
	Pos
	Func *FuncCall
}

// Do is DO 'code'. It is parsed so that it can be refused by name.
type Do struct {
	Pos
	Language string
	Code     string
}
