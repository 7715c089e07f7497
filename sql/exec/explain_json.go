package exec

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/types"
)

// explainNode is a node of EXPLAIN (FORMAT JSON): PostgreSQL's keys in PostgreSQL's order.
type explainNode struct {
	keys   []string
	values map[string]any
	kids   []*explainNode
	at     int // where its properties stand in the text
	// hasInput: there is a kid that is not a subquery.
	hasInput bool
}

func (n *explainNode) set(key string, value any) {
	if _, ok := n.values[key]; !ok {
		n.keys = append(n.keys, key)
	}
	n.values[key] = value
}

// ExplainJSON is Explain in the JSON format. planning and execution are shown if they are not negative.
//
// It is made of the lines of the text, which has all there is to say.
func ExplainJSON(p *plan.Physical, opt ExplainOptions, planning, execution time.Duration) string {
	var root *explainNode
	var stack []*explainNode
	relationship, subplan := "", ""
	for _, line := range Explain(p, opt) {
		text := strings.TrimLeft(line, " ")
		at := len(line) - len(text)
		title, isNode := strings.CutPrefix(text, "->  ")
		if !isNode && root != nil {
			for len(stack) > 1 && at < stack[len(stack)-1].at {
				stack = stack[:len(stack)-1]
			}
			if m := explainLabel.FindStringSubmatch(text); m != nil {
				relationship, subplan = m[1], text
				if m[1] == "CTE" {
					relationship = "InitPlan"
				}
				continue
			}
			stack[len(stack)-1].property(text)
			continue
		}
		n := parseExplainNode(text)
		if isNode {
			n = parseExplainNode(title)
			n.at = body(at)
			for len(stack) > 1 && at < stack[len(stack)-1].at {
				stack = stack[:len(stack)-1]
			}
			parent := stack[len(stack)-1]
			switch {
			case relationship != "":
				n.set("Parent Relationship", relationship)
				n.set("Subplan Name", subplan)
			case !parent.hasInput:
				n.set("Parent Relationship", "Outer")
				parent.hasInput = true
			default:
				n.set("Parent Relationship", "Inner")
			}
			parent.kids = append(parent.kids, n)
		} else {
			n.at = body(topNode)
			root = n
		}
		relationship, subplan = "", ""
		stack = append(stack, n)
	}
	top := &explainNode{values: map[string]any{}}
	top.set("Plan", root)
	if planning >= 0 {
		top.set("Planning Time", milliseconds(planning))
	}
	if execution >= 0 {
		top.set("Execution Time", milliseconds(execution))
	}
	var b strings.Builder
	b.WriteString("[\n  ")
	top.write(&b, "  ")
	b.WriteString("\n]")
	return b.String()
}

func milliseconds(d time.Duration) json.Number {
	return json.Number(strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 3, 64))
}

var (
	explainLabel = regexp.MustCompile(`^(SubPlan|InitPlan|CTE)\b[^:]*$`)
	explainCost  = regexp.MustCompile(`^(.*?)(?:  \(cost=([0-9.]+)\.\.([0-9.]+) rows=(\d+) width=(\d+)\))?(?: \(actual (?:time=([0-9.]+)\.\.([0-9.]+) )?rows=(\d+) loops=(\d+)\))?( \(never executed\))?$`)
	explainScan  = regexp.MustCompile(`^(.*?)( Backward)?(?: using (\S+))? on (\S+)(?: (\S+))?$`)
	explainJoin  = regexp.MustCompile(`^(Hash|Merge|Nested Loop) ?(Left|Right|Full|Semi|Anti)?(?: Join)?$`)
)

// parseExplainNode takes the line of a node apart.
func parseExplainNode(text string) *explainNode {
	n := &explainNode{values: map[string]any{}}
	m := explainCost.FindStringSubmatch(text)
	title := m[1]
	switch scan, join := explainScan.FindStringSubmatch(title), explainJoin.FindStringSubmatch(title); {
	case join != nil && title != "Hash":
		kind := map[string]string{"Hash": "Hash Join", "Merge": "Merge Join", "Nested Loop": "Nested Loop"}[join[1]]
		n.set("Node Type", kind)
		if join[2] == "" {
			join[2] = "Inner"
		}
		n.set("Join Type", join[2])
	case scan != nil && (scan[1] == "Insert" || scan[1] == "Update" || scan[1] == "Delete"):
		n.set("Node Type", "ModifyTable")
		n.set("Operation", scan[1])
		n.relation("Relation Name", scan)
	case scan != nil:
		n.set("Node Type", scan[1])
		if scan[3] != "" {
			direction := "Forward"
			if scan[2] != "" {
				direction = "Backward"
			}
			n.set("Scan Direction", direction)
			n.set("Index Name", scan[3])
		}
		n.relation(map[string]string{"CTE Scan": "CTE Name", "WorkTable Scan": "CTE Name", "Function Scan": "Function Name"}[scan[1]], scan)
	case strings.HasSuffix(title, "Aggregate"):
		n.set("Node Type", "Aggregate")
		n.set("Strategy", map[string]string{"HashAggregate": "Hashed", "GroupAggregate": "Sorted", "MixedAggregate": "Mixed", "Aggregate": "Plain"}[title])
		n.set("Partial Mode", "Simple")
	default:
		n.set("Node Type", title)
	}
	for i, key := range []string{2: "Startup Cost", 3: "Total Cost", 4: "Plan Rows", 5: "Plan Width", 6: "Actual Startup Time", 7: "Actual Total Time", 8: "Actual Rows", 9: "Actual Loops"} {
		if key != "" && m[i] != "" {
			n.set(key, json.Number(m[i]))
		}
	}
	if m[10] != "" {
		n.set("Actual Rows", 0)
		n.set("Actual Loops", 0)
	}
	return n
}

func (n *explainNode) relation(key string, scan []string) {
	alias := scan[5]
	if alias == "" {
		alias = scan[4]
	}
	if key == "" {
		key = "Relation Name"
	}
	n.set(key, scan[4])
	n.set("Alias", alias)
}

// property adds a line "Key: value".
func (n *explainNode) property(text string) {
	key, value, ok := strings.Cut(text, ": ")
	if !ok {
		key, value = text, ""
	}
	switch key {
	case "Sort Key", "Group Key", "Output", "Presorted Key":
		n.set(key, strings.Split(value, ", "))
	default:
		n.set(key, value)
	}
}

func (n *explainNode) write(b *strings.Builder, indent string) {
	b.WriteString("{\n")
	inner := indent + "  "
	for i, key := range n.keys {
		if i > 0 {
			b.WriteString(",\n")
		}
		b.WriteString(inner + quoteJSON(key) + ": ")
		switch v := n.values[key].(type) {
		case *explainNode:
			v.write(b, inner)
		case []string:
			quoted := make([]string, len(v))
			for i, s := range v {
				quoted[i] = quoteJSON(s)
			}
			b.WriteString("[" + strings.Join(quoted, ", ") + "]")
		case string:
			b.WriteString(quoteJSON(v))
		case json.Number:
			b.WriteString(string(v))
		case int:
			b.WriteString(strconv.Itoa(v))
		}
	}
	if len(n.kids) > 0 {
		b.WriteString(",\n" + inner + `"Plans": [` + "\n")
		for i, k := range n.kids {
			if i > 0 {
				b.WriteString(",\n")
			}
			b.WriteString(inner + "  ")
			k.write(b, inner+"  ")
		}
		b.WriteString("\n" + inner + "]")
	}
	b.WriteString("\n" + indent + "}")
}

func quoteJSON(s string) string {
	return string(types.AppendJSONString(nil, s))
}
