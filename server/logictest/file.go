package logictest

import (
	"fmt"
	"os"
	"strings"
)

// directive is one entry of a file.
type directive struct {
	line int
	// words are those of the directive's own line, only and async removed.
	words []string
	async bool
	// onlyServer and onlyProtocol restrict it; empty for all.
	onlyServer, onlyProtocol string
	sql                      string
	// expected are the lines behind ----; results says that there is such a line.
	expected []string
	results  bool
	// head are the lines as they stand in the file up to the results.
	head []string
}

// parseFile reads a file of directives.
func parseFile(path string) ([]directive, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
	var out []directive
	var d directive
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			d.head = append(d.head, line)
			continue
		}
		d.head = append(d.head, line)
		words := strings.Fields(line)
		switch words[0] {
		case "only":
			if len(words) != 2 {
				return nil, fmt.Errorf("%s:%d: only what?", path, i+1)
			}
			switch words[1] {
			case "simple", "extended":
				d.onlyProtocol = words[1]
			default:
				d.onlyServer = words[1]
			}
			continue
		case "async":
			d.async = true
			continue
		}
		d.line, d.words = i+1, words
		var sql []string
		for i+1 < len(lines) && lines[i+1] != "" && lines[i+1] != "----" {
			i++
			sql = append(sql, lines[i])
			d.head = append(d.head, lines[i])
		}
		d.sql = strings.Join(sql, "\n")
		if i+1 < len(lines) && lines[i+1] == "----" {
			i++
			d.results = true
			d.head = append(d.head, lines[i])
			for i+1 < len(lines) && lines[i+1] != "" {
				i++
				d.expected = append(d.expected, lines[i])
			}
		}
		out = append(out, d)
		d = directive{}
	}
	return out, nil
}

// formatFile is the inverse of parseFile.
func formatFile(directives []directive) string {
	var b strings.Builder
	for _, d := range directives {
		for _, l := range d.head {
			b.WriteString(l + "\n")
		}
		for _, l := range d.expected {
			b.WriteString(l + "\n")
		}
	}
	return b.String()
}
