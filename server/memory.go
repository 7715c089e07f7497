package server

// MemoryLimit is what the process of a node should keep its heap below: two thirds
// of the machine's memory.
func MemoryLimit() int64 { return memoryShare(3, 256<<20) * 2 }
