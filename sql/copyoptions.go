package sql

import (
	"strings"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/copyfmt"
	"github.com/spanlite/spanlite/sql/settings"
	"github.com/spanlite/spanlite/sql/sqlstate"
)

// copyOptions reads the options of a COPY statement. Columns are the names of
// the columns copied, for the per-column options.
func copyOptions(st *ast.Copy, columns []string) (copyfmt.Options, error) {
	kind := copyfmt.Text
	for _, o := range st.Options {
		if o.Name != "format" {
			continue
		}
		switch value := optionText(o); value {
		case "text":
		case "csv":
			kind = copyfmt.CSV
		case "binary":
			kind = copyfmt.Binary
		default:
			return copyfmt.Options{}, sqlstate.New(sqlstate.InvalidParameterValue, "COPY format \"%s\" not recognized", value).At(o.Pos.Offset())
		}
	}
	out := copyfmt.Defaults(kind)
	seen := map[string]bool{}
	escapeSet := false
	for _, o := range st.Options {
		if seen[o.Name] {
			return out, sqlstate.New(sqlstate.SyntaxError, "conflicting or redundant options").At(o.Pos.Offset())
		}
		seen[o.Name] = true
		if kind == copyfmt.Binary {
			switch o.Name {
			case "delimiter", "null", "header":
				return out, sqlstate.New(sqlstate.SyntaxError, "cannot specify %s in BINARY mode", strings.ToUpper(o.Name))
			}
		}
		if kind != copyfmt.CSV {
			switch o.Name {
			case "quote", "escape", "force_quote", "force_not_null", "force_null":
				return out, sqlstate.New(sqlstate.FeatureNotSupported, "COPY %s available only in CSV mode", strings.ReplaceAll(o.Name, "_", " "))
			}
		}
		var err error
		switch o.Name {
		case "format":
		case "freeze":
			// Rows are visible to all once committed: FREEZE has nothing to do.
			_, err = optionBool(o)
		case "delimiter":
			out.Delimiter, err = optionByte(o, "COPY delimiter must be a single one-byte character")
		case "null":
			out.Null = optionText(o)
		case "header":
			if optionText(o) == "match" {
				out.Header, out.HeaderMatch = true, true
			} else {
				out.Header, err = optionBool(o)
			}
		case "quote":
			out.Quote, err = optionByte(o, "COPY quote must be a single one-byte character")
			if !escapeSet {
				out.Escape = out.Quote
			}
		case "escape":
			escapeSet = true
			out.Escape, err = optionByte(o, "COPY escape must be a single one-byte character")
		case "force_quote":
			if _, all := o.Value.(*ast.Star); all {
				out.ForceQuoteAll = true
			} else {
				out.ForceQuote, err = optionColumns(o, columns)
			}
		case "force_not_null":
			out.ForceNotNull, err = optionColumns(o, columns)
		case "force_null":
			out.ForceNull, err = optionColumns(o, columns)
		case "encoding":
			if !strings.EqualFold(strings.ReplaceAll(optionText(o), "-", ""), "utf8") {
				err = sqlstate.Unsupported("COPY encoding %s", optionText(o))
			}
		default:
			err = sqlstate.New(sqlstate.SyntaxError, "option \"%s\" not recognized", o.Name).At(o.Pos.Offset())
		}
		if err != nil {
			return out, err
		}
	}
	return out, out.Validate()
}

// optionText returns an option's value as text; "" if it stands alone.
func optionText(o ast.Option) string {
	if o.Value == nil {
		return ""
	}
	text, _ := literalText(o.Value)
	return text
}

// optionBool returns an option's value as a boolean; true if it stands alone.
func optionBool(o ast.Option) (bool, error) {
	if o.Value == nil {
		return true, nil
	}
	b, ok := settings.ParseBool(optionText(o))
	if !ok {
		return false, sqlstate.New(sqlstate.SyntaxError, "%s requires a Boolean value", o.Name).At(o.Pos.Offset())
	}
	return b, nil
}

func optionByte(o ast.Option, message string) (byte, error) {
	text := optionText(o)
	if len(text) != 1 {
		return 0, sqlstate.New(sqlstate.FeatureNotSupported, "%s", message)
	}
	return text[0], nil
}

func optionColumns(o ast.Option, columns []string) ([]bool, error) {
	marks := make([]bool, len(columns))
	items := []ast.Expr{o.Value}
	if row, ok := o.Value.(*ast.Row); ok {
		items = row.Elems
	}
	for _, item := range items {
		name, err := literalText(item)
		if err != nil {
			return nil, err
		}
		found := false
		for i, c := range columns {
			if c == name {
				marks[i], found = true, true
			}
		}
		if !found {
			return nil, sqlstate.New(sqlstate.UndefinedColumn, "column \"%s\" does not exist", name)
		}
	}
	return marks, nil
}
