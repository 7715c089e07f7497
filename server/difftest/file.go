package difftest

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// A file is SQL. A statement ends with a line that ends in a semicolon. Comments
// that begin with @ are for the runner:
//
//	-- @each x = 0 | 1 | null    {x} in the statements below stands for each of these; {x.2}
//	                             for each of them again, independently of {x}
//	-- @differs why              the next statement is meant to be answered differently
//
// A statement with placeholders is run for all combinations.

// statement is one statement to run.
type statement struct {
	line int
	sql  string
	// template numbers the statement in the file that this one was made from.
	template int
	// differs is why the answers are meant to differ; empty if they are not.
	differs string
}

var placeholder = regexp.MustCompile(`\{([a-z_]+[0-9]*)(?:\.[0-9])?\}`)

// parseFile reads a file of statements.
func parseFile(path string) ([]statement, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var out []statement
	lists := map[string][]string{}
	var sql []string
	var differs string
	start, template := 0, 0
	for i, line := range strings.Split(string(raw), "\n") {
		if directive, ok := strings.CutPrefix(line, "-- @"); ok && len(sql) == 0 {
			word, rest, _ := strings.Cut(directive, " ")
			switch word {
			case "each":
				name, values, ok := strings.Cut(rest, " = ")
				if !ok {
					return nil, fmt.Errorf("%s:%d: @each what?", path, i+1)
				}
				lists[name] = strings.Split(values, " | ")
			case "differs":
				differs = rest
			default:
				return nil, fmt.Errorf("%s:%d: unknown directive @%s", path, i+1, word)
			}
			continue
		}
		trimmed := strings.TrimSpace(line)
		if len(sql) == 0 && (trimmed == "" || strings.HasPrefix(trimmed, "--")) {
			continue
		}
		if len(sql) == 0 {
			start = i + 1
		}
		sql = append(sql, line)
		if !strings.HasSuffix(trimmed, ";") {
			continue
		}
		text := strings.TrimSuffix(strings.TrimRight(strings.Join(sql, "\n"), " \t"), ";")
		template++
		for _, s := range expand(text, lists) {
			out = append(out, statement{line: start, sql: s, template: template, differs: differs})
		}
		sql, differs = nil, ""
	}
	if len(sql) > 0 {
		return nil, fmt.Errorf("%s:%d: statement without an end", path, start)
	}
	return out, nil
}

// expand puts the values of lists in for the placeholders of a statement.
func expand(sql string, lists map[string][]string) []string {
	done := []string{sql}
	seen := map[string]bool{}
	for _, m := range placeholder.FindAllStringSubmatch(sql, -1) {
		values, ok := lists[m[1]]
		if !ok || seen[m[0]] {
			continue
		}
		seen[m[0]] = true
		var next []string
		for _, s := range done {
			for _, v := range values {
				next = append(next, strings.ReplaceAll(s, m[0], v))
			}
		}
		done = next
	}
	return done
}
