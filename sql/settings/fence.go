package settings

import (
	"strconv"
	"strings"
)

// Fence is the value of spanlite.fence: a grant of an advisory lock, written
// "key:token" or, for a key of two numbers, "key1,key2:token".
type Fence struct {
	Set bool
	// Keys is how many numbers the key has, Key is the number, or both of them.
	Keys  byte
	Key   uint64
	Token int64
}

func readFence(s string) (Fence, bool) {
	if strings.TrimSpace(s) == "" {
		return Fence{}, true
	}
	name, number, ok := strings.Cut(s, ":")
	token, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	if !ok || err != nil {
		return Fence{}, false
	}
	f := Fence{Set: true, Keys: 1, Token: token}
	first, second, two := strings.Cut(name, ",")
	if !two {
		key, err := strconv.ParseInt(strings.TrimSpace(first), 10, 64)
		f.Key = uint64(key)
		return f, err == nil
	}
	a, errA := strconv.ParseInt(strings.TrimSpace(first), 10, 32)
	b, errB := strconv.ParseInt(strings.TrimSpace(second), 10, 32)
	f.Keys, f.Key = 2, uint64(uint32(a))<<32|uint64(uint32(b))
	return f, errA == nil && errB == nil
}

func parseFence(s string) (string, error) {
	if _, ok := readFence(s); !ok {
		return "", &valueError{value: s, hint: `It has the form "key:token".`}
	}
	return s, nil
}
