// Package stats holds table statistics: what ANALYZE collects and the optimiser
// estimates with.
//
// A Table has a row count and, per column, the share of NULLs, the number of distinct
// values, the most common values with their frequencies, and an equi-depth
// histogram of the rest, as in PostgreSQL's pg_statistic (Piatetsky-Shapiro and
// Connell, "Accurate Estimation of the Number of Tuples Satisfying a Condition", 1984).
// Statistics are estimates and may be missing or old; nothing but speed depends on them.
package stats
