package ast

// Null is the keyword NULL.
type Null struct{ Pos }

// Bool is TRUE or FALSE.
type Bool struct {
	Pos
	Value bool
}

// Number is a numeric constant as written; a minus sign directly in front of
// the digits is part of it, as PostgreSQL folds it too.
type Number struct {
	Pos
	Text string
}

// IsInteger reports whether the constant has neither point nor exponent. Its
// size is for the binder to see: int4, else int8, else numeric.
func (n *Number) IsInteger() bool {
	for i := range len(n.Text) {
		switch n.Text[i] {
		case '.', 'e', 'E':
			return false
		}
	}
	return true
}

// String is a character constant, decoded.
type String struct {
	Pos
	Value string
}

// BitString is B'0101' or, with Hex set, X'1FF'. Digits is without prefix.
type BitString struct {
	Pos
	Digits string
	Hex    bool
}

// Param is $1, $2, ...
type Param struct {
	Pos
	Number int
}

// Default is the keyword DEFAULT as a value in INSERT and UPDATE.
type Default struct{ Pos }

func (*Null) exprNode()      {}
func (*Bool) exprNode()      {}
func (*Number) exprNode()    {}
func (*String) exprNode()    {}
func (*BitString) exprNode() {}
func (*Param) exprNode()     {}
func (*Default) exprNode()   {}
