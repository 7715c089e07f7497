package system

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/types"
)

//go:embed static.gz
var staticGz []byte

// staticText is the contents of static.gz by relation: the columns, and rows in
// COPY's text format.
var staticText = sync.OnceValue(func() map[string]staticPart {
	z, err := gzip.NewReader(bytes.NewReader(staticGz))
	if err != nil {
		panic(fmt.Sprintf("system: static.gz: %v", err))
	}
	all, err := io.ReadAll(z)
	if err != nil {
		panic(fmt.Sprintf("system: static.gz: %v", err))
	}
	parts := map[string]staticPart{}
	for section := range strings.SplitSeq(string(all), "\n>") {
		head, body, _ := strings.Cut(strings.TrimPrefix(section, ">"), "\n")
		name, columns, _ := strings.Cut(head, " ")
		parts[name] = staticPart{columns: strings.Fields(columns), body: strings.TrimSuffix(body, "\n")}
	}
	return parts
})

type staticPart struct {
	columns []string
	body    string
}

// staticRows are the parsed rows of a relation, made on first use and then
// shared by all sessions.
type staticRows struct {
	once sync.Once
	rows []types.Row
}

// initdbInformationSchema is the OID of information_schema in the server that the rows
// were taken from, where it is not fixed.
const initdbInformationSchema = 13207

var unescapeCopy = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t", `\r`, "\r")

func (s *staticRows) load(rel *relation) []types.Row {
	s.once.Do(func() {
		part := staticText()[rel.virtual.Name]
		if part.body == "" {
			return
		}
		settings := types.DefaultSettings()
		for line := range strings.SplitSeq(part.body, "\n") {
			row := make(types.Row, len(rel.zero))
			copy(row, rel.zero)
			i := 0
			for field := range strings.SplitSeq(line, "\t") {
				col := rel.ord[part.columns[i]]
				i++
				if field == `\N` {
					row[col] = types.Null
					continue
				}
				t := rel.virtual.Columns[col].Type
				if t.Family == types.FamInt && t.Category == types.CatNumeric {
					t = types.Int8 // reg* columns hold plain OIDs
				}
				d, err := types.ParseText(t, unescapeCopy.Replace(field), settings)
				if err != nil {
					panic(fmt.Sprintf("system: static row of %s: %s: %v", rel.virtual.Name, part.columns[i-1], err))
				}
				if d.Family() == types.FamInt && d.Int() == initdbInformationSchema && strings.HasSuffix(part.columns[i-1], "namespace") {
					d = oid(catalog.SchemaInformationSchema)
				}
				row[col] = d.Clone()
			}
			s.rows = append(s.rows, row)
		}
	})
	return s.rows
}

// fromStatic serves a relation from static.gz. Keep, if not nil, says which rows
// exist here.
func fromStatic(keep func(r *reader, row types.Row) bool) rowsFunc {
	var s staticRows
	return func(r *reader) error {
		for _, row := range s.load(r.rel) {
			if keep != nil && !keep(r, row) {
				continue
			}
			copy(r.row, row)
			if err := r.emit(); err != nil {
				return err
			}
		}
		return nil
	}
}
