package server

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/spanlite/spanlite/kv/keys"
)

// KeyString renders a range's boundary for people: /Min, /Max, /Table/104,
// /Table/104/1/8a01 (table, index, the rest in hexadecimal), or /06.. for what
// lies before the tables.
func KeyString(k []byte) string {
	if table, rest, ok := keys.DecodeTable(k); ok {
		s := fmt.Sprintf("/Table/%d", table)
		if len(rest) >= 4 {
			s += fmt.Sprintf("/%d", binary.BigEndian.Uint32(rest))
			rest = rest[4:]
		}
		if len(rest) > 0 {
			s += "/" + hex.EncodeToString(rest)
		}
		return s
	}
	switch string(k) {
	case string(keys.KeyMin):
		return "/Min"
	case string(keys.KeyMax):
		return "/Max"
	case string(keys.SystemEnd):
		return "/Table"
	}
	return "/" + hex.EncodeToString(k)
}

// ParseKey is the inverse of KeyString.
func ParseKey(s string) ([]byte, error) {
	bad := fmt.Errorf("malformed key %q: want /Table/ID, /Table/ID/INDEX, /Table/ID/INDEX/HEX or /HEX", s)
	parts := strings.Split(s, "/")
	if len(parts) < 2 || parts[0] != "" {
		return nil, bad
	}
	switch {
	case s == "/Min":
		return keys.KeyMin, nil
	case s == "/Max":
		return keys.KeyMax, nil
	case s == "/Table":
		return keys.SystemEnd, nil
	case parts[1] != "Table":
		k, err := hex.DecodeString(parts[1])
		if err != nil || len(parts) != 2 || len(k) == 0 {
			return nil, bad
		}
		return k, nil
	case len(parts) > 5:
		return nil, bad
	}
	table, err := strconv.ParseUint(parts[2], 10, 32)
	if err != nil {
		return nil, bad
	}
	k := keys.TablePrefix(nil, uint32(table))
	if len(parts) > 3 {
		index, err := strconv.ParseUint(parts[3], 10, 32)
		if err != nil {
			return nil, bad
		}
		k = keys.IndexPrefix(nil, uint32(table), uint32(index))
	}
	if len(parts) > 4 {
		rest, err := hex.DecodeString(parts[4])
		if err != nil {
			return nil, bad
		}
		k = append(k, rest...)
	}
	return k, nil
}
