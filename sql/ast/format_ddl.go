package ast

import (
	"strconv"
	"strings"
)

// ddl writes the statements that define objects; false for any other.
func (f *formatter) ddl(s Statement) bool {
	switch s := s.(type) {
	case *CreateTable:
		f.createTable(s)
	case *CreateTableAs:
		f.createTableAs(s)
	case *AlterTable:
		f.w("ALTER ", s.Kind.String(), " ")
		f.wIf(s.IfExists, "IF EXISTS ")
		f.wIf(s.Only, "ONLY ")
		f.name(s.Name)
		f.w(" ")
		f.list(len(s.Actions), func(i int) { f.alterAction(s.Actions[i]) })
	case *Rename:
		f.rename(s)
	case *AlterSchema:
		f.w("ALTER ", s.Kind.String(), " ")
		f.wIf(s.IfExists, "IF EXISTS ")
		f.name(s.Object)
		f.funcArgs(FuncArgs{s.HasArgs, s.Args})
		f.w(" SET SCHEMA ")
		f.ident(s.Schema)
	case *AlterOwner:
		f.w("ALTER ", s.Kind.String(), " ")
		f.name(s.Object)
		f.funcArgs(FuncArgs{s.HasArgs, s.Args})
		f.w(" OWNER TO ")
		f.roleName(s.Owner)
	case *CreateIndex:
		f.createIndex(s)
	case *CreateDatabase:
		f.w("CREATE DATABASE ")
		f.wIf(s.IfNotExists, "IF NOT EXISTS ")
		f.ident(s.Name)
		f.databaseOptions(s.Options)
	case *AlterDatabase:
		f.w("ALTER DATABASE ")
		f.ident(s.Name)
		f.databaseOptions(s.Options)
	case *DropDatabase:
		f.w("DROP DATABASE ")
		f.wIf(s.IfExists, "IF EXISTS ")
		f.ident(s.Name)
		f.wIf(s.Force, " WITH (FORCE)")
	case *CreateSchema:
		f.w("CREATE SCHEMA")
		f.wIf(s.IfNotExists, " IF NOT EXISTS")
		if s.Name != "" {
			f.w(" ")
			f.ident(s.Name)
		}
		if s.Authorization != "" {
			f.w(" AUTHORIZATION ")
			f.roleName(s.Authorization)
		}
		for _, e := range s.Elements {
			f.w(" ")
			f.statement(e)
		}
	case *CreateSequence:
		f.w("CREATE ", persistenceWord(s.Persistence), "SEQUENCE ")
		f.wIf(s.IfNotExists, "IF NOT EXISTS ")
		f.name(s.Name)
		f.sequenceOptions(s.Options)
	case *AlterSequence:
		f.w("ALTER SEQUENCE ")
		f.wIf(s.IfExists, "IF EXISTS ")
		f.name(s.Name)
		f.sequenceOptions(s.Options)
	case *CreateView:
		f.createView(s)
	case *CreateEnum:
		f.w("CREATE TYPE ")
		f.name(s.Name)
		f.w(" AS ENUM (")
		f.list(len(s.Labels), func(i int) { f.str(s.Labels[i].Value) })
		f.w(")")
	case *AlterEnum:
		f.w("ALTER TYPE ")
		f.name(s.Name)
		if s.Old != "" {
			f.w(" RENAME VALUE ")
			f.str(s.Old)
			f.w(" TO ")
			f.str(s.New)
			break
		}
		f.w(" ADD VALUE ")
		f.wIf(s.IfNotExists, "IF NOT EXISTS ")
		f.str(s.New)
		if s.Neighbour != "" {
			f.wIf(s.Before, " BEFORE ")
			f.wIf(!s.Before, " AFTER ")
			f.str(s.Neighbour)
		}
	case *CreateComposite:
		f.w("CREATE TYPE ")
		f.name(s.Name)
		f.w(" AS ")
		f.columnTypes(s.Columns)
	case *CreateRange:
		f.w("CREATE TYPE ")
		f.name(s.Name)
		f.w(" AS RANGE ")
		f.relOptions(s.Options)
	case *CreateDomain:
		f.w("CREATE DOMAIN ")
		f.name(s.Name)
		f.w(" AS ")
		f.typeName(s.Type)
		f.collation(s.Collation)
		f.columnConstraints(s.Constraints)
	case *AlterDomain:
		f.w("ALTER DOMAIN ")
		f.name(s.Name)
		f.w(" ")
		f.domainAction(s.Action)
	case *CreateExtension:
		f.w("CREATE EXTENSION ")
		f.wIf(s.IfNotExists, "IF NOT EXISTS ")
		f.ident(s.Name)
		for _, o := range s.Options {
			f.w(" ", strings.ToUpper(o.Name))
			if v, ok := o.Value.(*String); ok && o.Name == "schema" {
				f.w(" ")
				f.ident(v.Value)
			} else if o.Value != nil {
				f.w(" ")
				f.expr(o.Value, lvAny)
			}
		}
	case *CreateCollation:
		f.w("CREATE COLLATION ")
		f.wIf(s.IfNotExists, "IF NOT EXISTS ")
		f.name(s.Name)
		f.w(" ")
		if !s.From.IsZero() {
			f.w("FROM ")
			f.name(s.From)
		} else {
			f.relOptions(s.Options)
		}
	case *CreateStatistics:
		f.w("CREATE STATISTICS ")
		f.wIf(s.IfNotExists, "IF NOT EXISTS ")
		f.name(s.Name)
		f.nameList(s.Kinds)
		f.w(" ON ")
		f.indexElems(s.Exprs)
		f.w(" FROM ")
		f.tables(s.From)
	case *Drop:
		f.w("DROP ", s.Kind.String(), " ")
		f.wIf(s.Concurrently, "CONCURRENTLY ")
		f.wIf(s.IfExists, "IF EXISTS ")
		f.namesArgs(s.Names, s.Args)
		if !s.On.IsZero() {
			f.w(" ON ")
			f.name(s.On)
		}
		f.wIf(s.Cascade, " CASCADE")
	case *Comment:
		f.comment(s)
	case *CreateFunction:
		f.createFunction(s)
	default:
		return false
	}
	return true
}

func (f *formatter) namesArgs(names []ObjectName, args []FuncArgs) {
	f.list(len(names), func(i int) {
		f.name(names[i])
		if i < len(args) {
			f.funcArgs(args[i])
		}
	})
}

func (f *formatter) createTable(s *CreateTable) {
	f.w("CREATE ", persistenceWord(s.Persistence), "TABLE ")
	f.wIf(s.IfNotExists, "IF NOT EXISTS ")
	f.name(s.Name)
	if s.OfType != nil {
		f.w(" OF ")
		f.typeName(s.OfType)
	}
	if s.PartOf != nil {
		f.w(" PARTITION OF ")
		f.name(s.PartOf.Parent)
	}
	if s.Elements != nil || s.OfType == nil && s.PartOf == nil {
		f.w(" (")
		f.list(len(s.Elements), func(i int) {
			switch e := s.Elements[i].(type) {
			case *ColumnDef:
				f.columnDef(e)
			case *TableConstraint:
				f.tableConstraint(e)
			case *LikeClause:
				f.w("LIKE ")
				f.name(e.Table)
				for _, o := range e.Options {
					f.w(" ", strings.ToUpper(o))
				}
			}
		})
		f.w(")")
	}
	if s.PartOf != nil {
		f.w(" ")
		f.partitionBound(s.PartOf)
	}
	if s.Inherits != nil {
		f.w(" INHERITS (")
		f.objectNames(s.Inherits)
		f.w(")")
	}
	if p := s.Partition; p != nil {
		f.w(" PARTITION BY ")
		f.ident(p.Strategy)
		f.w(" (")
		f.indexElems(p.Keys)
		f.w(")")
	}
	f.tableTail(s.Using, s.With, s.OnCommit, s.Space)
}

func (f *formatter) tableTail(using string, with []Option, oc OnCommit, space string) {
	if using != "" {
		f.w(" USING ")
		f.ident(using)
	}
	if with != nil {
		f.w(" WITH ")
		f.relOptions(with)
	}
	f.w([...]string{"", " ON COMMIT PRESERVE ROWS", " ON COMMIT DELETE ROWS", " ON COMMIT DROP"}[oc])
	if space != "" {
		f.w(" TABLESPACE ")
		f.ident(space)
	}
}

func (f *formatter) createTableAs(s *CreateTableAs) {
	f.w("CREATE ", persistenceWord(s.Persistence))
	f.wIf(s.Materialized, "MATERIALIZED VIEW ")
	f.wIf(!s.Materialized, "TABLE ")
	f.wIf(s.IfNotExists, "IF NOT EXISTS ")
	f.name(s.Name)
	f.nameList(s.Columns)
	f.tableTail(s.Using, s.With, s.OnCommit, s.Space)
	f.w(" AS ")
	f.statement(s.Query)
	f.wIf(s.NoData, " WITH NO DATA")
}

func (f *formatter) collation(n ObjectName) {
	if !n.IsZero() {
		f.w(" COLLATE ")
		f.name(n)
	}
}

func (f *formatter) columnDef(c *ColumnDef) {
	f.ident(c.Name)
	if c.Type != nil {
		f.w(" ")
		f.typeName(c.Type)
	}
	if c.Compression != "" {
		f.w(" COMPRESSION ", c.Compression)
	}
	f.collation(c.Collation)
	f.columnConstraints(c.Constraints)
}

func (f *formatter) columnConstraints(list []*ColumnConstraint) {
	for _, c := range list {
		f.w(" ")
		f.columnConstraint(c)
	}
}

func (f *formatter) columnConstraint(c *ColumnConstraint) {
	if c.Name != "" {
		f.w("CONSTRAINT ")
		f.ident(c.Name)
		f.w(" ")
	}
	switch c.Kind {
	case ConstraintNull:
		f.w("NULL")
	case ConstraintNotNull:
		f.w("NOT NULL")
	case ConstraintDefault:
		f.w("DEFAULT ")
		// NOT NULL, COLLATE and the like may follow.
		f.expr(c.Expr, lvSign)
	case ConstraintGenerated:
		f.w("GENERATED ALWAYS AS (")
		f.expr(c.Expr, lvAny)
		f.w(") STORED")
	case ConstraintIdentity:
		f.w("GENERATED ")
		f.wIf(c.Always, "ALWAYS")
		f.wIf(!c.Always, "BY DEFAULT")
		f.w(" AS IDENTITY")
		if c.Sequence != nil {
			f.w(" (")
			f.sequenceOptions(c.Sequence)
			f.w(")")
		}
	case ConstraintCheck:
		f.w("CHECK (")
		f.expr(c.Expr, lvAny)
		f.w(")")
		f.wIf(c.NoInherit, " NO INHERIT")
	case ConstraintUnique:
		f.w("UNIQUE")
		f.wIf(c.NullsNotDistinct, " NULLS NOT DISTINCT")
		f.indexParameters(c.With, c.Space)
	case ConstraintPrimaryKey:
		f.w("PRIMARY KEY")
		f.indexParameters(c.With, c.Space)
	case ConstraintForeignKey:
		f.references(c.References)
	}
	f.deferral(c.Deferral)
}

func (f *formatter) indexParameters(with []Option, space string) {
	if with != nil {
		f.w(" WITH ")
		f.relOptions(with)
	}
	if space != "" {
		f.w(" USING INDEX TABLESPACE ")
		f.ident(space)
	}
}

func (f *formatter) deferral(d Deferral) {
	f.wIf(d.NotDeferrable, " NOT DEFERRABLE")
	f.wIf(d.Deferrable, " DEFERRABLE")
	f.wIf(d.Deferred, " INITIALLY DEFERRED")
	f.wIf(d.Immediate, " INITIALLY IMMEDIATE")
}

func (f *formatter) references(r *References) {
	f.w("REFERENCES ")
	f.name(r.Table)
	f.nameList(r.Columns)
	f.w([...]string{"", " MATCH FULL", " MATCH PARTIAL"}[r.Match])
	actions := [...]string{"NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT"}
	if r.OnDelete != NoAction {
		f.w(" ON DELETE ", actions[r.OnDelete])
		f.nameList(r.OnDeleteColumns)
	}
	if r.OnUpdate != NoAction {
		f.w(" ON UPDATE ", actions[r.OnUpdate])
	}
}

func (f *formatter) tableConstraint(c *TableConstraint) {
	if c.Name != "" {
		f.w("CONSTRAINT ")
		f.ident(c.Name)
		f.w(" ")
	}
	switch c.Kind {
	case ConstraintCheck:
		f.w("CHECK (")
		f.expr(c.Expr, lvAny)
		f.w(")")
	case ConstraintUnique, ConstraintPrimaryKey:
		f.wIf(c.Kind == ConstraintUnique, "UNIQUE")
		f.wIf(c.Kind == ConstraintPrimaryKey, "PRIMARY KEY")
		f.wIf(c.NullsNotDistinct, " NULLS NOT DISTINCT")
		if c.UsingIndex != "" {
			f.w(" USING INDEX ")
			f.ident(c.UsingIndex)
		}
		f.nameList(c.Columns)
	case ConstraintForeignKey:
		f.w("FOREIGN KEY")
		f.nameList(c.Columns)
		f.w(" ")
		f.references(c.References)
	case ConstraintExclude:
		x := c.Exclude
		f.w("EXCLUDE USING ")
		f.ident(x.Method)
		f.w(" (")
		f.list(len(x.Elems), func(i int) {
			f.indexElem(x.Elems[i])
			f.w(" WITH ")
			f.operator(x.Operators[i])
		})
		f.w(")")
	}
	if c.Include != nil {
		f.w(" INCLUDE")
		f.nameList(c.Include)
	}
	f.indexParameters(c.With, c.Space)
	if c.Exclude != nil && c.Exclude.Where != nil {
		f.w(" WHERE (")
		f.expr(c.Exclude.Where, lvAny)
		f.w(")")
	}
	f.wIf(c.NoInherit, " NO INHERIT")
	f.deferral(c.Deferral)
	f.wIf(c.NotValid, " NOT VALID")
}

func (f *formatter) partitionBound(b *PartitionBound) {
	list := func(word string, es []Expr) {
		f.w(word, " (")
		f.exprs(es)
		f.w(")")
	}
	switch {
	case b.Default:
		f.w("DEFAULT")
	case b.In != nil:
		list("FOR VALUES IN", b.In)
	case b.From != nil:
		list("FOR VALUES FROM", b.From)
		list(" TO", b.To)
	default:
		f.w("FOR VALUES WITH (modulus ", strconv.Itoa(b.Modulus), ", remainder ", strconv.Itoa(b.Remain), ")")
	}
}

func (f *formatter) createIndex(s *CreateIndex) {
	f.w("CREATE ")
	f.wIf(s.Unique, "UNIQUE ")
	f.w("INDEX ")
	f.wIf(s.Concurrently, "CONCURRENTLY ")
	f.wIf(s.IfNotExists, "IF NOT EXISTS ")
	if s.Name != "" {
		f.ident(s.Name)
		f.w(" ")
	}
	f.w("ON ")
	f.wIf(s.Only, "ONLY ")
	f.name(s.Table)
	if s.Method != "" {
		f.w(" USING ")
		f.ident(s.Method)
	}
	f.w(" (")
	f.indexElems(s.Elems)
	f.w(")")
	if s.Include != nil {
		f.w(" INCLUDE (")
		f.indexElems(s.Include)
		f.w(")")
	}
	f.wIf(s.NullsNotDistinct, " NULLS NOT DISTINCT")
	if s.With != nil {
		f.w(" WITH ")
		f.relOptions(s.With)
	}
	if s.Space != "" {
		f.w(" TABLESPACE ")
		f.ident(s.Space)
	}
	f.where(s.Where)
}

func (f *formatter) indexElems(es []*IndexElem) {
	f.list(len(es), func(i int) { f.indexElem(es[i]) })
}

func (f *formatter) indexElem(e *IndexElem) {
	if e.Expr != nil {
		f.w("(")
		f.expr(e.Expr, lvAny)
		f.w(")")
	} else {
		f.ident(e.Column)
	}
	f.collation(e.Collation)
	if !e.OpClass.IsZero() {
		f.w(" ")
		f.name(e.OpClass)
		if e.OpOptions != nil {
			f.w(" ")
			f.relOptions(e.OpOptions)
		}
	}
	f.w([...]string{"", " ASC", " DESC", ""}[e.Direction])
	f.w([...]string{"", " NULLS FIRST", " NULLS LAST"}[e.Nulls])
}

func (f *formatter) databaseOptions(opts []Option) {
	for _, o := range opts {
		if o.Name == "connection_limit" {
			f.w(" CONNECTION LIMIT = ")
		} else {
			f.w(" ", strings.ToUpper(o.Name), " = ")
		}
		if o.Value == nil {
			f.w("DEFAULT")
		} else {
			f.expr(o.Value, lvAny)
		}
	}
}

func (f *formatter) sequenceOptions(opts []Option) {
	for _, o := range opts {
		num, _ := o.Value.(*Number)
		switch o.Name {
		case "as":
			f.w(" AS ", o.Value.(*String).Value)
		case "owned_by", "sequence_name":
			f.wIf(o.Name == "owned_by", " OWNED BY ")
			f.wIf(o.Name == "sequence_name", " SEQUENCE NAME ")
			for i, e := range o.Value.(*Row).Elems {
				f.wIf(i > 0, ".")
				f.ident(e.(*String).Value)
			}
		case "cycle":
			f.wIf(!o.Value.(*Bool).Value, " NO")
			f.w(" CYCLE")
		case "minvalue", "maxvalue":
			f.wIf(num == nil, " NO")
			f.w(" ", strings.ToUpper(o.Name))
		case "increment":
			f.w(" INCREMENT BY")
		default:
			f.w(" ", strings.ToUpper(o.Name))
			f.wIf(num != nil && o.Name != "cache", " WITH")
		}
		if num != nil {
			f.w(" ", num.Text)
		}
	}
}

func (f *formatter) createView(s *CreateView) {
	f.w("CREATE ")
	f.wIf(s.OrReplace, "OR REPLACE ")
	f.w(persistenceWord(s.Persistence))
	f.wIf(s.Recursive, "RECURSIVE ")
	f.w("VIEW ")
	f.name(s.Name)
	f.nameList(s.Columns)
	if s.With != nil {
		f.w(" WITH ")
		f.relOptions(s.With)
	}
	f.w(" AS ")
	f.query(s.Query)
	if s.Check != "" {
		f.w(" WITH ", strings.ToUpper(s.Check), " CHECK OPTION")
	}
}

func (f *formatter) comment(s *Comment) {
	f.w("COMMENT ON ", s.Kind.String(), " ")
	switch s.Kind {
	case ObjectColumn:
		f.name(s.Object)
		f.w(".")
		f.ident(s.Part)
	case ObjectConstraint, ObjectDomainConstraint, ObjectTrigger, ObjectRule, ObjectPolicy:
		f.ident(s.Part)
		f.w(" ON ")
		f.wIf(s.Kind == ObjectDomainConstraint, "DOMAIN ")
		f.name(s.Object)
	case ObjectLargeObject:
		f.w(s.Object.Name)
	default:
		f.name(s.Object)
		f.funcArgs(s.Args)
	}
	f.w(" IS ")
	if s.Text == nil {
		f.w("NULL")
	} else {
		f.str(*s.Text)
	}
}

func (f *formatter) funcArgs(a FuncArgs) {
	if !a.Given {
		return
	}
	f.w("(")
	f.list(len(a.Args), func(i int) { f.funcArg(a.Args[i]) })
	f.w(")")
}

func (f *formatter) funcArg(a FuncArg) {
	f.w([...]string{"", "OUT ", "INOUT ", "VARIADIC ", ""}[a.Mode])
	if a.Name != "" {
		f.ident(a.Name)
		f.w(" ")
	}
	f.typeName(a.Type)
	if a.Default != nil {
		f.w(" DEFAULT ")
		f.expr(a.Default, lvAny)
	}
}

func (f *formatter) createFunction(s *CreateFunction) {
	f.w("CREATE ")
	f.wIf(s.OrReplace, "OR REPLACE ")
	f.wIf(s.Procedure, "PROCEDURE ")
	f.wIf(!s.Procedure, "FUNCTION ")
	f.name(s.Name)
	n := 0
	for n < len(s.Args) && s.Args[n].Mode != ArgTable {
		n++
	}
	f.funcArgs(FuncArgs{true, s.Args[:n]})
	switch {
	case n < len(s.Args):
		f.w(" RETURNS TABLE")
		f.funcArgs(FuncArgs{true, s.Args[n:]})
	case s.Returns != nil:
		f.w(" RETURNS ")
		f.typeName(s.Returns)
	}
	for _, o := range s.Options {
		text := ""
		if v, ok := o.Value.(*String); ok {
			text = v.Value
		}
		switch o.Name {
		case "language", "parallel", "support":
			f.w(" ", strings.ToUpper(o.Name), " ")
			f.ident(text)
		case "volatility":
			f.w(" ", strings.ToUpper(text))
		case "strict":
			f.wIf(text == "true", " STRICT")
			f.wIf(text != "true", " CALLED ON NULL INPUT")
		case "leakproof":
			f.wIf(text != "true", " NOT")
			f.w(" LEAKPROOF")
		case "window":
			f.w(" WINDOW")
		case "security":
			f.w(" SECURITY ", strings.ToUpper(text))
		case "cost", "rows":
			f.w(" ", strings.ToUpper(o.Name), " ")
			f.expr(o.Value, lvAny)
		case "set":
			row := o.Value.(*Row).Elems
			f.w(" SET ")
			f.variable(row[0].(*String).Value)
			f.wIf(len(row) == 1, " TO DEFAULT")
			f.wIf(len(row) > 1, " TO ")
			f.exprs(row[1:])
		}
	}
	if s.Return != nil {
		f.w(" RETURN ")
		f.expr(s.Return, lvAny)
		return
	}
	f.w(" AS ")
	f.str(s.Body)
}

func (f *formatter) rename(s *Rename) {
	kind := s.Kind
	switch kind {
	case ObjectColumn, ObjectConstraint, ObjectDomainConstraint:
		kind = s.Of
	}
	f.w("ALTER ", kind.String(), " ")
	f.wIf(s.IfExists, "IF EXISTS ")
	f.wIf(s.Only, "ONLY ")
	f.name(s.Object)
	f.funcArgs(FuncArgs{s.HasArgs, s.Args})
	f.w(" RENAME ")
	if kind != s.Kind {
		switch {
		case s.Kind != ObjectColumn:
			f.w("CONSTRAINT ")
		case s.Of == ObjectType:
			f.w("ATTRIBUTE ")
		default:
			f.w("COLUMN ")
		}
		f.ident(s.Old)
		f.w(" ")
	}
	f.w("TO ")
	f.ident(s.New)
}
