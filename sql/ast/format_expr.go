package ast

import (
	"fmt"
	"strconv"
	"strings"
)

// The binding levels of PostgreSQL's operators, loosest first. An operand is
// put in parentheses if it binds less tightly than its place demands.
const (
	lvAny = iota
	lvOr
	lvAnd
	lvNot
	lvIs
	lvCompare
	lvIn
	lvOp
	lvAdd
	lvMul
	lvPow
	lvAt
	lvCollate
	lvSign
	lvPostfix
	lvPrimary
)

func opLevel(op Operator) int {
	if op.Schema != "" {
		return lvOp
	}
	switch op.Name {
	case "=", "<", ">", "<=", ">=", "<>":
		return lvCompare
	case "+", "-":
		return lvAdd
	case "*", "/", "%":
		return lvMul
	case "^":
		return lvPow
	}
	return lvOp
}

func exprLevel(e Expr) int {
	switch e := e.(type) {
	case *Or:
		return lvOr
	case *And:
		return lvAnd
	case *Not:
		return lvNot
	case *IsNull, *IsBool, *IsDistinct:
		return lvIs
	case *Binary:
		return opLevel(e.Op)
	case *Quantified:
		return min(opLevel(e.Op), lvIn)
	case *Between, *In, *Match:
		return lvIn
	case *Unary:
		if e.Op.Schema == "" && (e.Op.Name == "-" || e.Op.Name == "+") {
			return lvSign
		}
		return lvOp
	case *Number:
		if strings.HasPrefix(e.Text, "-") {
			return lvSign
		}
	case *Collate:
		return lvCollate
	case *Cast:
		if e.Literal {
			return lvPrimary
		}
		return lvPostfix
	case *Subscript, *Field, *FieldStar:
		return lvPostfix
	case *FuncCall:
		switch e.Form {
		case FormAtTimeZone:
			return lvAt
		case FormOverlaps:
			return lvOp
		case FormIsNormalized:
			return lvIs
		}
	case *GroupingSet, *NamedArg:
		return lvAny
	}
	return lvPrimary
}

// expr writes e, in parentheses if it binds less tightly than level.
func (f *formatter) expr(e Expr, level int) {
	if exprLevel(e) < level {
		f.w("(")
		f.bareExpr(e)
		f.w(")")
		return
	}
	f.bareExpr(e)
}

func (f *formatter) bareExpr(e Expr) {
	switch e := e.(type) {
	case *Null:
		f.w("NULL")
	case *Bool:
		if e.Value {
			f.w("true")
		} else {
			f.w("false")
		}
	case *Number:
		f.w(e.Text)
	case *String:
		f.str(e.Value)
	case *BitString:
		if e.Hex {
			f.w("X")
		} else {
			f.w("B")
		}
		f.str(e.Digits)
	case *Param:
		f.w("$", strconv.Itoa(e.Number))
	case *Default:
		f.w("DEFAULT")
	case *ColumnRef:
		f.parts(e.Parts)
	case *Star:
		f.parts(e.Parts)
		f.wIf(len(e.Parts) > 0, ".")
		f.w("*")
	case *Unary:
		f.operator(e.Op)
		if lv := exprLevel(e); lv == lvSign {
			// A minus and a number in brackets are one number to the parser, and
			// two minus signs are a comment.
			if n, ok := e.X.(*Number); !ok || strings.HasPrefix(n.Text, "-") {
				f.w(" ")
			}
			f.expr(e.X, lvSign)
		} else {
			f.w(" ")
			f.expr(e.X, lvAdd)
		}
	case *Binary:
		lv := opLevel(e.Op)
		left := lv
		if lv == lvCompare {
			left++
		}
		f.expr(e.L, left)
		f.w(" ")
		f.operator(e.Op)
		f.w(" ")
		f.expr(e.R, lv+1)
	case *And:
		f.chain(e.Args, " AND ", lvAnd)
	case *Or:
		f.chain(e.Args, " OR ", lvOr)
	case *Not:
		f.w("NOT ")
		f.expr(e.X, lvNot)
	case *IsNull:
		f.expr(e.X, lvCompare)
		f.is(e.Not, "NULL")
	case *IsBool:
		f.expr(e.X, lvCompare)
		f.is(e.Not, [...]string{"TRUE", "FALSE", "UNKNOWN"}[e.Value])
	case *IsDistinct:
		f.expr(e.L, lvCompare)
		f.is(e.Not, "DISTINCT FROM ")
		f.expr(e.R, lvCompare)
	case *Between:
		f.expr(e.X, lvOp)
		f.wIf(e.Not, " NOT")
		f.w(" BETWEEN ")
		f.wIf(e.Symmetric, "SYMMETRIC ")
		f.expr(e.Low, lvOp)
		f.w(" AND ")
		f.expr(e.High, lvOp)
	case *In:
		f.expr(e.X, lvOp)
		f.wIf(e.Not, " NOT")
		f.w(" IN (")
		if e.Query != nil {
			f.query(e.Query)
		} else {
			f.exprs(e.List)
		}
		f.w(")")
	case *Match:
		f.expr(e.X, lvOp)
		f.wIf(e.Not, " NOT")
		f.w([...]string{" LIKE ", " ILIKE ", " SIMILAR TO "}[e.Kind])
		f.expr(e.Pattern, lvOp)
		if e.Escape != nil {
			f.w(" ESCAPE ")
			f.expr(e.Escape, lvOp)
		}
	case *Quantified:
		f.expr(e.X, lvOp+1)
		f.w(" ")
		f.quantifiedOperator(e.Op)
		if e.All {
			f.w(" ALL (")
		} else {
			f.w(" ANY (")
		}
		if e.Query != nil {
			f.query(e.Query)
		} else {
			f.expr(e.Array, lvAny)
		}
		f.w(")")
	case *Case:
		f.w("CASE")
		if e.Operand != nil {
			f.w(" ")
			f.expr(e.Operand, lvAny)
		}
		for _, w := range e.Whens {
			f.w(" WHEN ")
			f.expr(w.Cond, lvAny)
			f.w(" THEN ")
			f.expr(w.Result, lvAny)
		}
		if e.Else != nil {
			f.w(" ELSE ")
			f.expr(e.Else, lvAny)
		}
		f.w(" END")
	case *Coalesce:
		f.call("COALESCE", e.Args)
	case *NullIf:
		f.call("NULLIF", []Expr{e.L, e.R})
	case *MinMax:
		if e.Least {
			f.call("LEAST", e.Args)
		} else {
			f.call("GREATEST", e.Args)
		}
	case *Grouping:
		f.call("GROUPING", e.Args)
	case *Cast:
		f.cast(e)
	case *Collate:
		f.expr(e.X, lvCollate)
		f.w(" COLLATE ")
		f.name(e.Collation)
	case *Subscript:
		switch e.X.(type) {
		case *ColumnRef, *Param, *Field:
			f.bareExpr(e.X)
		default:
			f.w("(")
			f.bareExpr(e.X)
			f.w(")")
		}
		for _, ix := range e.Indexes {
			f.index(ix)
		}
	case *Field:
		f.w("(")
		f.expr(e.X, lvAny)
		f.w(").")
		f.ident(e.Name)
	case *FieldStar:
		f.w("(")
		f.expr(e.X, lvAny)
		f.w(").*")
	case *Subquery:
		f.w("(")
		f.query(e.Query)
		f.w(")")
	case *Exists:
		f.w("EXISTS (")
		f.query(e.Query)
		f.w(")")
	case *Array:
		f.w("ARRAY[")
		f.exprs(e.Elems)
		f.w("]")
	case *ArrayQuery:
		f.w("ARRAY(")
		f.query(e.Query)
		f.w(")")
	case *Row:
		f.wIf(e.Explicit || len(e.Elems) < 2, "ROW")
		f.w("(")
		f.exprs(e.Elems)
		f.w(")")
	case *SessionValue:
		f.w(strings.ToUpper(e.Kind.String()))
		if e.Precision >= 0 {
			f.w("(", strconv.Itoa(e.Precision), ")")
		}
	case *CurrentOf:
		f.w("CURRENT OF ")
		f.ident(e.Cursor)
	case *NamedArg:
		f.ident(e.Name)
		f.w(" => ")
		f.expr(e.Value, lvAny)
	case *FuncCall:
		f.funcCall(e)
	case *GroupingSet:
		f.w([...]string{"", "ROLLUP ", "CUBE ", "GROUPING SETS "}[e.Kind], "(")
		f.exprs(e.Items)
		f.w(")")
	default:
		panic(fmt.Sprintf("ast: Format of %T", e))
	}
}

func (f *formatter) is(not bool, what string) {
	f.w(" IS ")
	f.wIf(not, "NOT ")
	f.w(what)
}

func (f *formatter) chain(args []Expr, op string, level int) {
	for i, a := range args {
		if i > 0 {
			f.w(op)
		}
		f.expr(a, level+1)
	}
}

func (f *formatter) parts(parts []string) {
	for i, s := range parts {
		if i > 0 {
			f.w(".")
		}
		f.ident(s)
	}
}

func (f *formatter) operator(op Operator) {
	if op.Schema != "" {
		f.w("OPERATOR(")
		f.ident(op.Schema)
		f.w(".", op.Name, ")")
		return
	}
	f.w(op.Name)
}

// quantifiedOperator writes the operator in front of ANY and ALL, where LIKE
// has no node of its own.
func (f *formatter) quantifiedOperator(op Operator) {
	word, ok := map[string]string{"~~": "LIKE", "!~~": "NOT LIKE", "~~*": "ILIKE", "!~~*": "NOT ILIKE"}[op.Name]
	if !ok || op.Schema != "" {
		f.operator(op)
		return
	}
	f.w(word)
}

func (f *formatter) index(ix Index) {
	f.w("[")
	if ix.Lower != nil {
		f.expr(ix.Lower, lvAny)
	}
	f.wIf(ix.Slice, " : ")
	if ix.Upper != nil {
		f.expr(ix.Upper, lvAny)
	}
	f.w("]")
}

func (f *formatter) call(name string, args []Expr) {
	f.w(name, "(")
	f.exprs(args)
	f.w(")")
}

func (f *formatter) cast(e *Cast) {
	if !e.Literal {
		f.expr(e.X, lvPostfix)
		f.w("::")
		f.typeName(e.Type)
		return
	}
	t := *e.Type
	fields, mods := t.Fields, t.Mods
	if fields != "" { // interval '1' day to second(3)
		t.Fields, t.Mods = "", nil
	}
	f.typeName(&t)
	f.w(" ")
	f.expr(e.X, lvPrimary)
	if fields != "" {
		f.w(" ", fields)
		f.mods(mods)
	}
}

func (f *formatter) mods(mods []Expr) {
	if len(mods) > 0 {
		f.w("(")
		f.exprs(mods)
		f.w(")")
	}
}

// standardNames are the spellings of the catalog's names in the SQL standard.
var standardNames = map[string]string{
	"int2": "smallint", "int4": "integer", "int8": "bigint", "float4": "real", "float8": "double precision",
	"bool": "boolean", "numeric": "numeric", "bpchar": "character", "varchar": "character varying",
	"bit": "bit", "varbit": "bit varying", "interval": "interval",
	"time": "time without time zone", "timetz": "time with time zone",
	"timestamp": "timestamp without time zone", "timestamptz": "timestamp with time zone",
}

func (f *formatter) typeName(t *TypeName) {
	f.wIf(t.SetOf, "SETOF ")
	name, ok := standardNames[t.Name.Name]
	switch {
	case !ok || t.Name.Schema != "pg_catalog" || t.Name.Catalog != "",
		t.Name.Name == "bpchar" && len(t.Mods) == 0, t.Name.Name == "bit" && len(t.Mods) == 0:
		f.name(t.Name)
		f.wIf(t.PctType, "%TYPE")
		f.mods(t.Mods)
	case t.Name.Name == "interval":
		f.w(name)
		if t.Fields != "" {
			f.w(" ", t.Fields)
		}
		f.mods(t.Mods)
	default:
		// The precision of a time stands behind its first word.
		first, rest, _ := strings.Cut(name, " with")
		f.w(first)
		f.mods(t.Mods)
		if rest != "" {
			f.w(" with", rest)
		}
	}
	for _, n := range t.ArrayBounds {
		if n < 0 {
			f.w("[]")
		} else {
			f.w("[", strconv.Itoa(int(n)), "]")
		}
	}
}

func (f *formatter) funcCall(c *FuncCall) {
	a := c.Args
	if c.Over != nil || c.Filter != nil || c.OrderBy != nil {
		f.plainCall(c)
		return
	}
	arg := func(sep string, i int, level int) {
		f.w(sep)
		f.expr(a[i], level)
	}
	switch c.Form {
	case FormExtract:
		field, ok := a[0].(*String)
		if !ok {
			f.plainCall(c)
			return
		}
		f.w("EXTRACT(")
		if plainIdent(field.Value) && !quotedWords[field.Value] {
			f.w(field.Value)
		} else {
			f.str(field.Value)
		}
		arg(" FROM ", 1, lvAny)
		f.w(")")
	case FormSubstring:
		f.w("SUBSTRING(")
		arg("", 0, lvAny)
		arg(" FROM ", 1, lvAny)
		if len(a) > 2 {
			arg(" FOR ", 2, lvAny)
		}
		f.w(")")
	case FormSimilarSub:
		f.w("SUBSTRING(")
		arg("", 0, lvAny)
		arg(" SIMILAR ", 1, lvAny)
		arg(" ESCAPE ", 2, lvAny)
		f.w(")")
	case FormPosition:
		f.w("POSITION(")
		arg("", 1, lvCollate+1)
		arg(" IN ", 0, lvCollate+1)
		f.w(")")
	case FormOverlay:
		f.w("OVERLAY(")
		arg("", 0, lvAny)
		arg(" PLACING ", 1, lvAny)
		arg(" FROM ", 2, lvAny)
		if len(a) > 3 {
			arg(" FOR ", 3, lvAny)
		}
		f.w(")")
	case FormTrim:
		f.w("TRIM(", map[string]string{"ltrim": "LEADING", "rtrim": "TRAILING"}[c.Name.Name])
		f.wIf(c.Name.Name == "btrim", "BOTH")
		switch len(a) {
		case 1:
			arg(" FROM ", 0, lvAny)
		default:
			arg(" ", len(a)-1, lvAny)
			arg(" FROM ", 0, lvAny)
			for i := 1; i < len(a)-1; i++ {
				arg(", ", i, lvAny)
			}
		}
		f.w(")")
	case FormNormalize:
		f.w("NORMALIZE(")
		arg("", 0, lvAny)
		if len(a) > 1 {
			f.w(", ", a[1].(*String).Value)
		}
		f.w(")")
	case FormCollationFor:
		f.w("COLLATION FOR (")
		arg("", 0, lvAny)
		f.w(")")
	case FormAtTimeZone:
		arg("", 1, lvAt)
		arg(" AT TIME ZONE ", 0, lvCollate)
	case FormOverlaps:
		f.w("(")
		arg("", 0, lvAny)
		arg(", ", 1, lvAny)
		arg(") OVERLAPS (", 2, lvAny)
		arg(", ", 3, lvAny)
		f.w(")")
	case FormIsNormalized:
		arg("", 0, lvCompare)
		f.w(" IS")
		if len(a) > 1 {
			f.w(" ", a[1].(*String).Value)
		}
		f.w(" NORMALIZED")
	default:
		f.plainCall(c)
	}
}

func (f *formatter) plainCall(c *FuncCall) {
	f.name(c.Name)
	f.w("(")
	f.wIf(c.Distinct, "DISTINCT ")
	f.wIf(c.Star, "*")
	f.list(len(c.Args), func(i int) {
		f.wIf(c.Variadic && i == len(c.Args)-1, "VARIADIC ")
		f.expr(c.Args[i], lvAny)
	})
	if c.OrderBy != nil {
		f.wIf(c.WithinGroup, ") WITHIN GROUP (ORDER BY ")
		f.wIf(!c.WithinGroup, " ORDER BY ")
		f.sorts(c.OrderBy)
	}
	f.w(")")
	if c.Filter != nil {
		f.w(" FILTER (WHERE ")
		f.expr(c.Filter, lvAny)
		f.w(")")
	}
	if c.Over != nil {
		f.w(" OVER ")
		if c.Over.Bare {
			f.ident(c.Over.Ref)
		} else {
			f.window(c.Over)
		}
	}
}

func (f *formatter) sorts(list []*SortBy) {
	f.list(len(list), func(i int) { f.sortBy(list[i]) })
}

func (f *formatter) sortBy(s *SortBy) {
	f.expr(s.Expr, lvAny)
	switch s.Direction {
	case SortAsc:
		f.w(" ASC")
	case SortDesc:
		f.w(" DESC")
	case SortUsing:
		f.w(" USING ")
		f.operator(s.Using)
	}
	switch s.Nulls {
	case NullsFirst:
		f.w(" NULLS FIRST")
	case NullsLast:
		f.w(" NULLS LAST")
	}
}

// window writes a definition in parentheses.
func (f *formatter) window(w *Window) {
	f.w("(")
	sep := ""
	if w.Ref != "" {
		f.ident(w.Ref)
		sep = " "
	}
	if w.PartitionBy != nil {
		f.w(sep, "PARTITION BY ")
		f.exprs(w.PartitionBy)
		sep = " "
	}
	if w.OrderBy != nil {
		f.w(sep, "ORDER BY ")
		f.sorts(w.OrderBy)
		sep = " "
	}
	if fr := w.Frame; fr != nil {
		f.w(sep, [...]string{"RANGE", "ROWS", "GROUPS"}[fr.Mode], " BETWEEN ")
		f.bound(fr.Start)
		f.w(" AND ")
		f.bound(fr.End)
		f.w([...]string{"", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES"}[fr.Exclude])
	}
	f.w(")")
}

func (f *formatter) bound(b FrameBound) {
	if b.Offset != nil {
		f.expr(b.Offset, lvIn)
		f.w(" ")
	}
	f.w([...]string{"UNBOUNDED PRECEDING", "PRECEDING", "CURRENT ROW", "FOLLOWING", "UNBOUNDED FOLLOWING"}[b.Kind])
}
