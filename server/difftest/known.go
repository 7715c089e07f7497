package difftest

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// knownPath is the list of statements that are known to be answered differently: debts, unlike the deliberate
// differences that are marked in the files. A line is the file's name, a colon and the statement. The test fails
// for any other statement; with -known it writes the list anew.
const knownPath = "testdata/known.txt"

type knownList map[string]bool

// key is the line of a statement.
func key(file, sql string) string { return file + ": " + strings.ReplaceAll(sql, "\n", `\n`) }

func readKnown() (knownList, error) {
	raw, err := os.ReadFile(knownPath)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	list := knownList{}
	for line := range strings.Lines(string(raw)) {
		list[strings.TrimSuffix(line, "\n")] = true
	}
	return list, nil
}

func (l knownList) write() error {
	lines := make([]string, 0, len(l))
	for k := range l {
		lines = append(lines, k+"\n")
	}
	slices.Sort(lines)
	return os.WriteFile(knownPath, []byte(strings.Join(lines, "")), 0o644)
}
