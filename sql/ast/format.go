package ast

// Format writes a node as SQL text.
func Format(n Node) string { return "" }
