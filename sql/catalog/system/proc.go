package system

import (
	"strconv"
	"strings"
	"sync"

	"github.com/spanlite/spanlite/sql/types"
)

// proc is what the signature of a built-in function is printed from.
type proc struct {
	name, kind   string
	set          bool
	result       types.OID
	variadic     types.OID
	args, all    []types.OID
	modes, names []string
	defaults     int
	defaultText  string
}

// procs are the built-in functions by OID, out of static.gz.
var procs = sync.OnceValue(func() map[types.OID]*proc {
	part := staticText()["pg_proc"]
	at := map[string]int{}
	for i, c := range part.columns {
		at[c] = i
	}
	out := map[types.OID]*proc{}
	for line := range strings.SplitSeq(part.body, "\n") {
		f := strings.Split(line, "\t")
		get := func(column string) string {
			if v := f[at[column]]; v != `\N` {
				return unescapeCopy.Replace(v)
			}
			return ""
		}
		p := &proc{
			name: get("proname"), kind: get("prokind"), set: get("proretset") == "t", result: oidOf(get("prorettype")),
			variadic: oidOf(get("provariadic")), args: oidsOf(strings.Fields(get("proargtypes"))), all: oidsOf(elements(get("proallargtypes"))),
			modes: elements(get("proargmodes")), names: elements(get("proargnames")), defaultText: get("proargdefaults"),
		}
		p.defaults, _ = strconv.Atoi(get("pronargdefaults"))
		out[oidOf(get("oid"))] = p
	}
	return out
})

func oidOf(s string) types.OID {
	n, _ := strconv.ParseUint(s, 10, 32)
	return types.OID(n)
}

func oidsOf(ss []string) []types.OID {
	var out []types.OID
	for _, s := range ss {
		out = append(out, oidOf(s))
	}
	return out
}

// elements splits a plain array literal.
func elements(s string) []string {
	s = strings.Trim(s, "{}")
	if s == "" {
		return nil
	}
	parts := strings.Split(s, ",")
	for i := range parts {
		parts[i] = strings.Trim(parts[i], `"`)
	}
	return parts
}

// FunctionResult is pg_get_function_result: the type that a built-in function returns.
// ok is false if there is no such function.
func FunctionResult(id types.OID, typeName func(types.OID) string) (string, bool) {
	p := procs()[id]
	if p == nil {
		return "", false
	}
	var columns []string
	for i, m := range p.modes {
		if m == "t" {
			columns = append(columns, p.names[i]+" "+typeName(p.all[i]))
		}
	}
	if columns != nil {
		return "TABLE(" + strings.Join(columns, ", ") + ")", true
	}
	name := typeName(p.result)
	if p.set {
		name = "SETOF " + name
	}
	return name, true
}

// FunctionArguments is pg_get_function_arguments, or with identity
// pg_get_function_identity_arguments, of a built-in function.
func FunctionArguments(id types.OID, identity bool, typeName func(types.OID) string) (string, bool) {
	p := procs()[id]
	if p == nil {
		return "", false
	}
	list := p.args
	if p.all != nil {
		list = p.all
	}
	var defaults []string
	if p.defaults > 0 && !identity {
		defaults = splitList(p.defaultText)
	}
	inputs := 0
	var out []string
	for i, t := range list {
		mode := "i"
		if i < len(p.modes) {
			mode = p.modes[i]
		}
		input := mode == "i" || mode == "b" || mode == "v"
		if input {
			inputs++
		}
		if mode == "t" || identity && mode == "o" {
			continue
		}
		var b strings.Builder
		switch mode {
		case "o":
			b.WriteString("OUT ")
		case "b":
			b.WriteString("INOUT ")
		case "v":
			b.WriteString("VARIADIC ")
		}
		if i < len(p.names) && p.names[i] != "" {
			b.WriteString(types.QuoteIdent(p.names[i]) + " ")
		}
		b.WriteString(typeName(t))
		if d := inputs - 1 - (len(p.args) - len(defaults)); input && len(defaults) > 0 && d >= 0 && d < len(defaults) {
			b.WriteString(" DEFAULT " + defaults[d])
		}
		out = append(out, b.String())
	}
	text := strings.Join(out, ", ")
	if p.kind == "a" && len(out) == 0 {
		text = "*"
	}
	return text, true
}

// splitList splits a list of expressions at its commas.
func splitList(s string) []string {
	var out []string
	depth, quoted, start := 0, false, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\'':
			quoted = !quoted
		case quoted:
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			depth--
		case c == ',' && depth == 0:
			out = append(out, strings.TrimSpace(s[start:i]))
			start = i + 1
		}
	}
	return append(out, strings.TrimSpace(s[start:]))
}

// builtinTypeNames are the names of PostgreSQL's types by OID, as format_type prints
// them: those that Spanlite does not have occur in the descriptions of functions.
var builtinTypeNames = sync.OnceValue(func() map[types.OID]string {
	part := staticText()["pg_type"]
	at := map[string]int{}
	for i, c := range part.columns {
		at[c] = i
	}
	out, elems := map[types.OID]string{}, map[types.OID]types.OID{}
	for line := range strings.SplitSeq(part.body, "\n") {
		f := strings.Split(line, "\t")
		id, name := oidOf(f[at["oid"]]), f[at["typname"]]
		if name == "varbit" {
			name = "bit varying"
		}
		out[id] = name
		if elem := oidOf(f[at["typelem"]]); elem != 0 && strings.HasPrefix(name, "_") {
			elems[id] = elem
		}
	}
	for id, elem := range elems {
		out[id] = out[elem] + "[]"
	}
	return out
})

// TypeName returns the name of a built-in type, "" if there is none.
func TypeName(id types.OID) string {
	if t := types.ByOID(id); t != nil {
		return types.FormatType(t, -1, false)
	}
	return builtinTypeNames()[id]
}

// classes are the OIDs of the catalogs whose objects have comments.
var classes = map[string]types.OID{
	"pg_type": 1247, "pg_proc": 1255, "pg_class": 1259, "pg_operator": 2617, "pg_namespace": 2615, "pg_cast": 2605,
	"pg_opclass": 2616, "pg_am": 2601, "pg_collation": 3456, "pg_conversion": 2607, "pg_language": 2612, "pg_ts_config": 3602,
	"pg_ts_dict": 3600, "pg_ts_parser": 3601, "pg_ts_template": 3764, "pg_opfamily": 2753,
}

type commentKey struct{ object, class types.OID }

// staticComments are the comments on built-in objects.
var staticComments = sync.OnceValue(func() map[commentKey]string {
	part := staticText()["pg_description"]
	at := map[string]int{}
	for i, c := range part.columns {
		at[c] = i
	}
	out := map[commentKey]string{}
	for line := range strings.SplitSeq(part.body, "\n") {
		f := strings.Split(line, "\t")
		if f[at["objsubid"]] == "0" {
			out[commentKey{oidOf(f[at["objoid"]]), oidOf(f[at["classoid"]])}] = unescapeCopy.Replace(f[at["description"]])
		}
	}
	return out
})

// BuiltinComment returns the comment on a built-in object of a catalog, "" if there is none.
func BuiltinComment(id types.OID, class string) string {
	return staticComments()[commentKey{id, classes[class]}]
}

// procNames finds the built-in functions of a name.
var procNames = sync.OnceValue(func() map[string][]types.OID {
	out := map[string][]types.OID{}
	for id, p := range procs() {
		out[p.name] = append(out[p.name], id)
	}
	return out
})

// FunctionsNamed returns the built-in functions of a name, those that only PostgreSQL
// has included: clients ask for array_in and its like in order to recognise them.
func FunctionsNamed(name string) []types.OID { return procNames()[name] }

// FunctionName returns the name of a built-in function, "" if there is none.
func FunctionName(id types.OID) string {
	if p := procs()[id]; p != nil {
		return p.name
	}
	return ""
}

// Keywords returns the rows of pg_get_keywords: word, catcode, barelabel, catdesc,
// baredesc.
func Keywords() []types.Row {
	var rows []types.Row
	for line := range strings.SplitSeq(staticText()["pg_get_keywords"].body, "\n") {
		f := strings.Split(line, "\t")
		rows = append(rows, types.Row{text(f[0]), char(f[1][0]), boolean(f[2] == "t"), text(f[3]), text(f[4])})
	}
	return rows
}
