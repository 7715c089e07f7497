package builtins

import (
	"strings"

	"github.com/spanlite/spanlite/sql/types"
)

// Values of type json keep their text, so parts of them are cut out of the text rather
// than printed anew. The functions below read text that has been validated.

// rawMember is a member of a JSON object: the decoded key and the value's text.
type rawMember struct {
	key   string
	value string
}

func jsonSpace(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r') {
		i++
	}
	return i
}

// jsonSkip returns the position after the value at i.
func jsonSkip(s string, i int) int {
	i = jsonSpace(s, i)
	depth := 0
	for i < len(s) {
		switch c := s[i]; c {
		case '"':
			for i++; i < len(s) && s[i] != '"'; i++ {
				if s[i] == '\\' {
					i++
				}
			}
			i++
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\t', '\n', '\r':
			i++
			continue
		default:
			for i < len(s) && strings.IndexByte(",:]} \t\n\r", s[i]) < 0 {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
	return len(s)
}

// jsonKind returns the first character of a value, 0 for none.
func jsonKind(s string) byte {
	if i := jsonSpace(s, 0); i < len(s) {
		return s[i]
	}
	return 0
}

// rawElems returns the texts of an array's elements.
func rawElems(s string) []string {
	var out []string
	i := jsonSpace(s, 0) + 1
	for {
		i = jsonSpace(s, i)
		if i >= len(s) || s[i] == ']' {
			return out
		}
		end := jsonSkip(s, i)
		out = append(out, s[i:end])
		i = jsonSpace(s, end)
		if i < len(s) && s[i] == ',' {
			i++
		}
	}
}

// rawMembers returns the members of an object in the order of the text.
func rawMembers(s string) []rawMember {
	var out []rawMember
	i := jsonSpace(s, 0) + 1
	for {
		i = jsonSpace(s, i)
		if i >= len(s) || s[i] == '}' {
			return out
		}
		end := jsonSkip(s, i)
		key := jsonUnquote(s[i:end])
		i = jsonSpace(s, end) + 1
		i = jsonSpace(s, i)
		end = jsonSkip(s, i)
		out = append(out, rawMember{key, s[i:end]})
		i = jsonSpace(s, end)
		if i < len(s) && s[i] == ',' {
			i++
		}
	}
}

// jsonUnquote decodes a JSON string.
func jsonUnquote(s string) string {
	if strings.IndexByte(s, '\\') < 0 && len(s) >= 2 {
		return s[1 : len(s)-1]
	}
	v, err := types.ParseJSONB(s)
	if err != nil || v.Kind() != types.JSONString {
		return s
	}
	return string(v.Text())
}

// rawGet returns the member with the key; of several the last.
func rawGet(s, key string) (string, bool) {
	if jsonKind(s) != '{' {
		return "", false
	}
	out, ok := "", false
	for _, m := range rawMembers(s) {
		if m.key == key {
			out, ok = m.value, true
		}
	}
	return out, ok
}

func rawIndex(s string, i int) (string, bool) {
	if jsonKind(s) != '[' {
		return "", false
	}
	elems := rawElems(s)
	if i < 0 {
		i += len(elems)
	}
	if i < 0 || i >= len(elems) {
		return "", false
	}
	return elems[i], true
}

// rawText is what ->> gives: a string's contents, NULL for null, else the text.
func rawText(s string) datum {
	switch jsonKind(s) {
	case '"':
		return str(jsonUnquote(strings.TrimSpace(s)))
	case 'n':
		return null
	}
	return str(s)
}
