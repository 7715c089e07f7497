package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// table is the result of an administrative command.
type table struct {
	columns []string
	rows    [][]string
}

// addFormat gives a command its --format flag.
func addFormat(cmd *cobra.Command, format *string) {
	cmd.Flags().StringVar(format, "format", "table", "output format: table or json")
}

// print writes the table in a format.
func (t *table) print(w io.Writer, format string) error {
	switch format {
	case "table":
		t.printAligned(w)
		return nil
	case "json":
		out := make([]map[string]string, len(t.rows))
		for i, r := range t.rows {
			out[i] = map[string]string{}
			for c, name := range t.columns {
				out[i][name] = r[c]
			}
		}
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(out)
	}
	return usageError{fmt.Errorf("unknown --format %q: want table or json", format)}
}

// printAligned writes the table as psql does, without borders.
func (t *table) printAligned(w io.Writer) {
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		widths[i] = utf8.RuneCountInString(c)
	}
	for _, r := range t.rows {
		for i, v := range r {
			for line := range strings.SplitSeq(v, "\n") {
				widths[i] = max(widths[i], utf8.RuneCountInString(line))
			}
		}
	}
	line := func(cells []string) {
		for i, v := range cells {
			if i > 0 {
				fmt.Fprint(w, " | ")
			}
			pad := widths[i] - utf8.RuneCountInString(v)
			if i == len(cells)-1 {
				pad = 0
			}
			fmt.Fprint(w, v, strings.Repeat(" ", max(pad, 0)))
		}
		fmt.Fprintln(w)
	}
	line(t.columns)
	for i, n := range widths {
		if i > 0 {
			fmt.Fprint(w, "-+-")
		}
		fmt.Fprint(w, strings.Repeat("-", n))
	}
	fmt.Fprintln(w)
	for _, r := range t.rows {
		line(r)
	}
	plural := "s"
	if len(t.rows) == 1 {
		plural = ""
	}
	fmt.Fprintf(w, "(%d row%s)\n", len(t.rows), plural)
}
