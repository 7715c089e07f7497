package expr

import (
	"github.com/spanlite/spanlite/sql/types"
)

// Volatility says how far a function's result may be trusted to stay the same.
type Volatility uint8

// The volatility classes of PostgreSQL.
const (
	Immutable Volatility = iota // for ever: may be folded when planning
	Stable                      // within a statement
	Volatile                    // never
)

// FunctionKind tells what a function is called as.
type FunctionKind uint8

// The kinds of functions.
const (
	ScalarFunction FunctionKind = iota
	SetFunction                 // returns rows
	AggregateFunction
	WindowFunction
)

// Function is one overload of a function. It is immutable and shared.
type Function struct {
	OID        types.OID // PostgreSQL's, 0 if it has none
	Name       string
	Kind       FunctionKind
	Args       []*types.T // declared types; polymorphic and "any" included
	Variadic   bool       // the last of Args is an array (or "any") that takes any number of values
	ArgNames   []string   // for named notation; may be nil
	Defaults   []types.Datum
	Ret        *types.T      // declared result type
	RetFields  []types.Field // columns of a function with OUT parameters
	NotStrict  bool          // called with NULL arguments as well
	Volatility Volatility
	// OrderedSet marks an aggregate called as f(direct) WITHIN GROUP (ORDER BY args): its
	// direct arguments come first in Args, then the sorted ones.
	OrderedSet bool

	// Scalar implementations: one of them is set. Unless NotStrict, no argument is NULL.
	Fn1 func(ec *EvalContext, a types.Datum) (types.Datum, error)
	Fn2 func(ec *EvalContext, a, b types.Datum) (types.Datum, error)
	FnN func(ec *EvalContext, c *Call, args []types.Datum) (types.Datum, error)
	// Batch is an optional kernel over vectors.
	Batch BatchFn
	// Set starts a set-returning function.
	Set func(ec *EvalContext, c *Call, args []types.Datum) (SetIter, error)
	// Agg makes the states of an aggregate for the resolved call.
	Agg func(c *Call) AggState
	// Window makes the evaluator of a window function.
	Window func(c *Call) WindowEval
}

// BatchFn computes out[i] for each selected i (sel, or 0..n-1 if sel is nil). out
// has the result type, n slots, and, if the function is strict, its NULLs set already
// from the arguments': a kernel that may fail has to skip those rows. Constant arguments are
// vectors with Const set.
type BatchFn func(ec *EvalContext, args []*types.Vec, sel []uint16, n int, out *types.Vec) error

// CompareOp is the meaning of a comparison operator in the order of types.Compare.
type CompareOp uint8

// The comparison operators; CmpNone marks any other operator.
const (
	CmpNone CompareOp = iota
	CmpEQ
	CmpNE
	CmpLT
	CmpLE
	CmpGT
	CmpGE
)

// Commuted returns the operator with its sides exchanged.
func (op CompareOp) Commuted() CompareOp {
	return [...]CompareOp{CmpNone, CmpEQ, CmpNE, CmpGT, CmpGE, CmpLT, CmpLE}[op]
}

// Negated returns the operator that is true where op is false.
func (op CompareOp) Negated() CompareOp {
	return [...]CompareOp{CmpNone, CmpNE, CmpEQ, CmpGE, CmpGT, CmpLE, CmpLT}[op]
}

// String returns the operator's name.
func (op CompareOp) String() string {
	return [...]string{"?", "=", "<>", "<", "<=", ">", ">="}[op]
}

// Holds reports whether the operator is true of a comparison's outcome.
func (op CompareOp) Holds(cmp int) bool {
	switch op {
	case CmpEQ:
		return cmp == 0
	case CmpNE:
		return cmp != 0
	case CmpLT:
		return cmp < 0
	case CmpLE:
		return cmp <= 0
	case CmpGT:
		return cmp > 0
	case CmpGE:
		return cmp >= 0
	}
	return false
}

// Operator is one overload of an operator.
type Operator struct {
	OID   types.OID
	Name  string
	Left  *types.T // nil for a prefix operator
	Right *types.T
	Fn    *Function
	// Compare is set for the operators of a type's sort order: then both operands
	// have one Family and the result is Compare.Holds(types.Compare(l, r)).
	Compare CompareOp
	// Commutator is the name of the operator with the sides exchanged, Negator of its
	// opposite; empty if there is none.
	Commutator, Negator string
}

// SetIter is the rows of a set-returning function in progress.
type SetIter interface {
	// Next returns the next row, ok false at the end. The row is valid until the
	// next call. A function that returns scalars has rows of one column.
	Next() (row types.Row, ok bool, err error)
}

// AggState holds the running states of one aggregate call for all the groups of an
// operator, so that a batch updates many groups in one call. Groups are dense numbers from 0.
// It is owned by one goroutine. Values kept beyond a call are copied.
type AggState interface {
	// Grow makes room for groups 0..n-1; new ones are empty.
	Grow(n int)
	// Add feeds one row to a group.
	Add(ec *EvalContext, group int, args []types.Datum) error
	// AddBatch feeds the selected rows; groups[i] is the group of row i (by position in
	// the columns), nil means group 0 for all.
	AddBatch(ec *EvalContext, groups []uint32, args []*types.Vec, sel []uint16, n int) error
	// Result returns the aggregate of a group. It may be called repeatedly while rows
	// are still being added (window frames).
	Result(ec *EvalContext, group int) (types.Datum, error)
	// AppendPartial appends the state of a group in a form that MergePartial of another
	// process reads; ok is false if the aggregate has no such form.
	AppendPartial(dst []byte, group int) (_ []byte, ok bool)
	// MergePartial adds a partial state to a group and returns the bytes after it.
	MergePartial(ec *EvalContext, group int, src []byte) (rest []byte, err error)
	// Reset empties a group.
	Reset(group int)
	// Size returns the memory held, in bytes.
	Size() int64
}

// WindowFrame gives a window function its partition. Rows are numbered from 0 in
// the window's order.
type WindowFrame interface {
	// Rows returns the number of rows in the partition.
	Rows() int
	// Row returns the current row.
	Row() int
	// Arg evaluates an argument at a row of the partition.
	Arg(ec *EvalContext, arg, row int) (types.Datum, error)
	// Peers returns the first row of the current row's peers and the row after the last.
	Peers() (start, end int)
	// FrameLen returns the number of rows in the current frame, exclusion applied.
	FrameLen() int
	// FrameRow returns the i-th row of the current frame.
	FrameRow(i int) int
}

// WindowEval computes a window function, one row after another of a partition.
type WindowEval interface {
	// Begin starts a partition.
	Begin()
	// Eval returns the value for the current row of f; rows come in order.
	Eval(ec *EvalContext, f WindowFrame) (types.Datum, error)
}

// Registry finds functions and operators by name and argument types. It is
// immutable once built.
type Registry struct {
	functions map[string][]*Function
	operators map[string][]*Operator
	byOID     map[types.OID]*Function
}

// NewRegistry indexes the tables.
func NewRegistry(functions []*Function, operators []*Operator) *Registry {
	r := &Registry{
		functions: make(map[string][]*Function, len(functions)),
		operators: make(map[string][]*Operator),
		byOID:     make(map[types.OID]*Function, len(functions)),
	}
	for _, f := range functions {
		r.functions[f.Name] = append(r.functions[f.Name], f)
		if f.OID != 0 {
			r.byOID[f.OID] = f
		}
	}
	for _, o := range operators {
		r.operators[o.Name] = append(r.operators[o.Name], o)
	}
	return r
}

// Functions returns the overloads of a name.
func (r *Registry) Functions(name string) []*Function { return r.functions[name] }

// Operators returns the overloads of an operator.
func (r *Registry) Operators(name string) []*Operator { return r.operators[name] }

// FunctionByOID returns the function with PostgreSQL's OID, or nil.
func (r *Registry) FunctionByOID(oid types.OID) *Function { return r.byOID[oid] }

// EachFunction calls fn for every overload, in no particular order.
func (r *Registry) EachFunction(fn func(*Function)) {
	for _, fs := range r.functions {
		for _, f := range fs {
			fn(f)
		}
	}
}

// EachOperator calls fn for every overload, in no particular order.
func (r *Registry) EachOperator(fn func(*Operator)) {
	for _, os := range r.operators {
		for _, o := range os {
			fn(o)
		}
	}
}
