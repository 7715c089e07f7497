// Package opt turns a bound statement into a physical plan.
//
// # Stages
//
//  1. normalise (normalize.go): fold constants, inline WITH queries, turn subqueries in
//     conditions into semi and anti joins (unnest.go), turn right joins round, make outer joins inner where
//     a condition rejects NULLs, and push conditions down as far as they go.
//  2. plan (physical.go and its neighbours): bottom up, choose access paths
//     (access.go), the order and the methods of joins (joins.go, joinorder.go), aggregation and sorting, by
//     estimated cost (cost.go, selectivity.go), asking each input for the columns and
//     perhaps the order that are needed.
//  3. lower (lower.go): as a physical node is made, its expressions are rewritten from column
//     identities to positions in its input.
//
// A physical plan depends on nothing but the statement's text, the types of its
// parameters and the catalog's generation (and on statistics for its speed), so it can be
// cached and shared. Constants of parameters are not looked at: a plan is
// generic, as PostgreSQL's are after five executions.
//
// # Costs
//
// Costs are in PostgreSQL's unit, so that EXPLAIN looks familiar, but the constants are those of a
// store where everything is an LSM lookup in memory: no distinction of random and
// sequential pages, a look-up by key about thirty times the next row of a scan.
package opt
