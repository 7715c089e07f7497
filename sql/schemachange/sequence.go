package schemachange

import (
	"math"
	"strconv"

	"github.com/spanlite/spanlite/sql/ast"
	"github.com/spanlite/spanlite/sql/catalog"
	"github.com/spanlite/spanlite/sql/plan"
	"github.com/spanlite/spanlite/sql/sqlstate"
	"github.com/spanlite/spanlite/sql/types"
)

func typeBounds(t *types.T) (lo, hi int64) {
	switch t.OID {
	case types.OIDInt2:
		return math.MinInt16, math.MaxInt16
	case types.OIDInt4:
		return math.MinInt32, math.MaxInt32
	}
	return math.MinInt64, math.MaxInt64
}

// sequenceOptions applies the options of CREATE SEQUENCE, ALTER SEQUENCE and identity
// columns. restart is the number that the sequence is to go on with, nil if not given.
func (x *statement) sequenceOptions(seq *catalog.Sequence, opts []ast.Option, create bool) (restart *int64, err error) {
	given := map[string]bool{}
	number := func(o ast.Option) (int64, error) {
		n, ok := o.Value.(*ast.Number)
		if ok {
			if v, err := strconv.ParseInt(n.Text, 10, 64); err == nil {
				return v, nil
			}
		}
		return 0, sqlstate.New(sqlstate.NumericOutOfRange, "value %q is out of range for type bigint", ast.Format(o.Value)).At(int(o.Pos))
	}
	oldLo, oldHi := typeBounds(seq.Type)
	defaultMax := seq.Max == oldHi || create
	defaultMin := seq.Min == oldLo || create
	for _, o := range opts {
		if given[o.Name] {
			return nil, sqlstate.New(sqlstate.SyntaxError, "conflicting or redundant options").At(int(o.Pos))
		}
		given[o.Name] = true
		switch o.Name {
		case "as":
			tn, err := x.parseType(optionText(o.Value))
			if err != nil {
				return nil, err
			}
			t, err := plan.ResolveType(x.ctx, x.coll, tn)
			if err != nil {
				return nil, err
			}
			if t.OID != types.OIDInt2 && t.OID != types.OIDInt4 && t.OID != types.OIDInt8 {
				return nil, sqlstate.New(sqlstate.InvalidParameterValue, "sequence type must be smallint, integer, or bigint")
			}
			seq.Type = t
		case "increment":
			if seq.Increment, err = number(o); err != nil {
				return nil, err
			}
			if seq.Increment == 0 {
				return nil, sqlstate.New(sqlstate.InvalidParameterValue, "INCREMENT must not be zero")
			}
		case "minvalue":
			if defaultMin = o.Value == nil; !defaultMin {
				if seq.Min, err = number(o); err != nil {
					return nil, err
				}
			}
		case "maxvalue":
			if defaultMax = o.Value == nil; !defaultMax {
				if seq.Max, err = number(o); err != nil {
					return nil, err
				}
			}
		case "start":
			if seq.Start, err = number(o); err != nil {
				return nil, err
			}
		case "restart":
			v := seq.Start
			if o.Value != nil {
				if v, err = number(o); err != nil {
					return nil, err
				}
			}
			restart = &v
		case "cache":
			if seq.Cache, err = number(o); err != nil {
				return nil, err
			}
			if seq.Cache <= 0 {
				return nil, sqlstate.New(sqlstate.InvalidParameterValue, "CACHE (%d) must be greater than zero", seq.Cache)
			}
		case "cycle":
			b, _ := o.Value.(*ast.Bool)
			seq.Cycle = b == nil || b.Value
		case "owned_by", "always", "sequence_name":
		default:
			return nil, sqlstate.Unsupported("sequence option %q", o.Name)
		}
	}
	lo, hi := typeBounds(seq.Type)
	if create || given["as"] || given["maxvalue"] || given["minvalue"] {
		if defaultMax && (create || given["maxvalue"] || given["as"]) {
			if seq.Max = hi; seq.Increment < 0 {
				seq.Max = -1
			}
		}
		if defaultMin && (create || given["minvalue"] || given["as"]) {
			if seq.Min = 1; seq.Increment < 0 {
				seq.Min = lo
			}
		}
	}
	if seq.Max < lo || seq.Max > hi {
		return nil, sqlstate.New(sqlstate.InvalidParameterValue, "MAXVALUE (%d) is out of range for sequence data type %s", seq.Max, typeName(seq.Type))
	}
	if seq.Min < lo || seq.Min > hi {
		return nil, sqlstate.New(sqlstate.InvalidParameterValue, "MINVALUE (%d) is out of range for sequence data type %s", seq.Min, typeName(seq.Type))
	}
	if seq.Min >= seq.Max {
		return nil, sqlstate.New(sqlstate.InvalidParameterValue, "MINVALUE (%d) must be less than MAXVALUE (%d)", seq.Min, seq.Max)
	}
	if create && !given["start"] {
		if seq.Start = seq.Min; seq.Increment < 0 {
			seq.Start = seq.Max
		}
	}
	if seq.Start < seq.Min {
		return nil, sqlstate.New(sqlstate.InvalidParameterValue, "START value (%d) cannot be less than MINVALUE (%d)", seq.Start, seq.Min)
	}
	if seq.Start > seq.Max {
		return nil, sqlstate.New(sqlstate.InvalidParameterValue, "START value (%d) cannot be greater than MAXVALUE (%d)", seq.Start, seq.Max)
	}
	if restart != nil && (*restart < seq.Min || *restart > seq.Max) {
		bound, word, than := seq.Min, "less", "MINVALUE"
		if *restart > seq.Max {
			bound, word, than = seq.Max, "greater", "MAXVALUE"
		}
		return nil, sqlstate.New(sqlstate.InvalidParameterValue, "RESTART value (%d) cannot be %s than %s (%d)", *restart, word, than, bound)
	}
	return restart, nil
}

func (x *statement) parseType(text string) (*ast.TypeName, error) {
	e, err := x.s.PlanContext().Parser.ParseExpr("NULL::" + text)
	if err != nil {
		return nil, err
	}
	if c, ok := e.(*ast.Cast); ok {
		return c.Type, nil
	}
	return nil, sqlstate.New(sqlstate.SyntaxError, "malformed type name %q", text)
}

// newSequence makes a sequence and writes its descriptor and counter.
func (x *statement) newSequence(schema *catalog.Schema, name string, t *types.T, opts []ast.Option) (*catalog.Sequence, error) {
	id, err := x.newID()
	if err != nil {
		return nil, err
	}
	seq := &catalog.Sequence{Header: x.header(id, name, schema), Type: t, Increment: 1, Cache: 1}
	if _, err := x.sequenceOptions(seq, opts, true); err != nil {
		return nil, err
	}
	// The counter is absent, and so 0, if that is where a sequence begins anyway.
	if last := seq.Start - seq.Increment; last != 0 {
		if err := x.e.setCounter(x.ctx, id, 0, last); err != nil {
			return nil, err
		}
	}
	return seq, nil
}

func (x *statement) header(id catalog.ID, name string, schema *catalog.Schema) catalog.Header {
	return catalog.Header{ID: id, Name: name, Database: x.coll.Path.Database, Schema: schema.ID, Owner: x.s.UserID()}
}

func (x *statement) createSequence(stmt *ast.CreateSequence) error {
	schema, err := x.targetSchema(stmt.Name)
	if err != nil {
		return err
	}
	if ok, err := x.claimName(schema.ID, stmt.Name.Name, stmt.IfNotExists); !ok {
		return err
	}
	seq, err := x.newSequence(schema, stmt.Name.Name, types.Int8, stmt.Options)
	if err != nil {
		return err
	}
	if seq.OwnedBy, err = x.ownedBy(seq, stmt.Options); err != nil {
		return err
	}
	return x.coll.Put(x.ctx, seq)
}

// ownedBy resolves OWNED BY among the options of a sequence.
func (x *statement) ownedBy(seq *catalog.Sequence, opts []ast.Option) (catalog.ColumnRef, error) {
	for _, o := range opts {
		row, ok := o.Value.(*ast.Row)
		if o.Name != "owned_by" || !ok {
			continue
		}
		var parts []string
		for _, e := range row.Elems {
			parts = append(parts, optionText(e))
		}
		n := len(parts)
		if n == 1 && parts[0] == "none" {
			return catalog.ColumnRef{}, nil
		}
		if n < 2 || n > 3 {
			return catalog.ColumnRef{}, sqlstate.New(sqlstate.SyntaxError, "invalid OWNED BY option").
				WithHint("Specify OWNED BY table.column or OWNED BY NONE.")
		}
		name := catalog.Name{Name: parts[n-2], Offset: -1}
		if n == 3 {
			name.Schema = parts[0]
		}
		t, err := x.coll.ResolveTable(x.ctx, name)
		if err != nil {
			return catalog.ColumnRef{}, err
		}
		if t.Schema != seq.Schema {
			return catalog.ColumnRef{}, sqlstate.New(sqlstate.ObjectNotInPrereqState, "sequence must be in same schema as table it is linked to")
		}
		c, _, ok := t.ColumnByName(parts[n-1])
		if !ok {
			return catalog.ColumnRef{}, sqlstate.New(sqlstate.UndefinedColumn, "column %q of relation %q does not exist", parts[n-1], t.Name)
		}
		return catalog.ColumnRef{Table: t.ID, Column: c.Num}, nil
	}
	return seq.OwnedBy, nil
}

func (x *statement) mutableSequence(name ast.ObjectName, ifExists bool) (*catalog.Sequence, error) {
	rel, err := x.coll.LookupRelation(x.ctx, catalogName(name))
	if err != nil {
		return nil, err
	}
	if rel == nil {
		if ifExists {
			x.notice(sqlstate.UndefinedTable, "relation %q does not exist, skipping", nameText(name))
			return nil, nil
		}
		return nil, catalog.UndefinedRelation(catalogName(name))
	}
	if _, ok := rel.(*catalog.Sequence); !ok {
		return nil, sqlstate.New(sqlstate.WrongObjectType, "%q is not a sequence", rel.Head().Name)
	}
	d, err := x.coll.Mutable(x.ctx, rel.Head().ID)
	if err != nil {
		return nil, err
	}
	seq, ok := d.(*catalog.Sequence)
	if !ok {
		return nil, catalog.UndefinedRelation(catalogName(name))
	}
	return seq, nil
}

func (x *statement) alterSequence(stmt *ast.AlterSequence) error {
	seq, err := x.mutableSequence(stmt.Name, stmt.IfExists)
	if seq == nil || err != nil {
		return err
	}
	restart, err := x.sequenceOptions(seq, stmt.Options, false)
	if err != nil {
		return err
	}
	if restart != nil {
		if err := x.restartSequence(seq, *restart); err != nil {
			return err
		}
	}
	if seq.OwnedBy, err = x.ownedBy(seq, stmt.Options); err != nil {
		return err
	}
	return x.coll.Put(x.ctx, seq)
}

// restartSequence gives a sequence a fresh counter, which takes effect with the commit.
func (x *statement) restartSequence(seq *catalog.Sequence, next int64) error {
	seq.Incarnation++
	// The number may have been used by a transaction that rolled back.
	x.e.sequences.drop(cacheKey{seq.ID, seq.Incarnation})
	return x.e.setCounter(x.ctx, seq.ID, seq.Incarnation, next-seq.Increment)
}
