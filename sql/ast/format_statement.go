package ast

import (
	"fmt"
	"strconv"
	"strings"
)

func (f *formatter) statement(s Statement) {
	switch s := s.(type) {
	case *Select:
		f.query(s)
	case *Insert:
		f.insert(s)
	case *Update:
		f.update(s)
	case *Delete:
		f.delete(s)
	case *Call:
		f.w("CALL ")
		f.expr(s.Func, lvAny)
	case *Do:
		f.w("DO LANGUAGE ")
		f.ident(s.Language)
		f.w(" ")
		f.str(s.Code)
	case *Begin:
		f.w(s.Tag())
		f.modes(s.Modes)
	case *Commit:
		f.w("COMMIT")
		f.wIf(s.Chain, " AND CHAIN")
	case *Rollback:
		f.w("ROLLBACK")
		f.wIf(s.Chain, " AND CHAIN")
	case *Savepoint:
		f.w("SAVEPOINT ")
		f.ident(s.Name)
	case *ReleaseSavepoint:
		f.w("RELEASE SAVEPOINT ")
		f.ident(s.Name)
	case *RollbackTo:
		f.w("ROLLBACK TO SAVEPOINT ")
		f.ident(s.Name)
	case *PrepareTransaction:
		f.w("PREPARE TRANSACTION ")
		f.str(s.ID)
	case *CommitPrepared:
		f.w("COMMIT PREPARED ")
		f.str(s.ID)
	case *RollbackPrepared:
		f.w("ROLLBACK PREPARED ")
		f.str(s.ID)
	case *SetTransaction:
		switch {
		case s.Snapshot != "":
			f.w("SET TRANSACTION SNAPSHOT ")
			f.str(s.Snapshot)
		case s.Session:
			f.w("SET SESSION CHARACTERISTICS AS TRANSACTION")
		default:
			f.w("SET TRANSACTION")
		}
		f.modes(s.Modes)
	case *SetConstraints:
		f.w("SET CONSTRAINTS ")
		f.wIf(s.Names == nil, "ALL")
		f.objectNames(s.Names)
		f.wIf(s.Deferred, " DEFERRED")
		f.wIf(!s.Deferred, " IMMEDIATE")
	case *Lock:
		f.w("LOCK TABLE ")
		f.list(len(s.Tables), func(i int) { f.dmlTarget(s.Tables[i]) })
		f.w(" IN ", s.Mode, " MODE")
		f.wIf(s.NoWait, " NOWAIT")
	case *Set:
		f.w("SET ")
		f.wIf(s.Local, "LOCAL ")
		f.set(s)
	case *Reset:
		f.reset(s)
	case *Show:
		f.w("SHOW ")
		f.variable(s.Name)
	case *Discard:
		f.w("DISCARD ", s.What)
	case *Prepare:
		f.w("PREPARE ")
		f.ident(s.Name)
		if s.Types != nil {
			f.w(" (")
			f.list(len(s.Types), func(i int) { f.typeName(s.Types[i]) })
			f.w(")")
		}
		f.w(" AS ")
		f.statement(s.Query)
	case *Execute:
		f.w("EXECUTE ")
		f.ident(s.Name)
		if s.Args != nil {
			f.w(" (")
			f.exprs(s.Args)
			f.w(")")
		}
	case *Deallocate:
		f.w("DEALLOCATE ")
		f.nameOr(s.Name, "ALL")
	case *Listen:
		f.w("LISTEN ")
		f.ident(s.Channel)
	case *Unlisten:
		f.w("UNLISTEN ")
		f.nameOr(s.Channel, "*")
	case *Notify:
		f.w("NOTIFY ")
		f.ident(s.Channel)
		if s.Payload != "" {
			f.w(", ")
			f.str(s.Payload)
		}
	case *Load:
		f.w("LOAD ")
		f.str(s.File)
	case *DeclareCursor:
		f.declareCursor(s)
	case *Fetch:
		f.fetch(s)
	case *CloseCursor:
		f.w("CLOSE ")
		f.nameOr(s.Name, "ALL")
	case *Copy:
		f.copy(s)
	case *Explain:
		f.w("EXPLAIN ")
		f.options(s.Options)
		f.wIf(s.Options != nil, " ")
		f.statement(s.Statement)
	case *Vacuum:
		f.w(s.Tag())
		f.wIf(s.Options != nil, " ")
		f.options(s.Options)
		f.wIf(s.Tables != nil, " ")
		f.list(len(s.Tables), func(i int) {
			f.name(s.Tables[i].Name)
			f.nameList(s.Tables[i].Columns)
		})
	case *Checkpoint:
		f.w("CHECKPOINT")
	case *Reindex:
		f.w("REINDEX ")
		f.options(s.Options)
		f.wIf(s.Options != nil, " ")
		f.w(s.Kind, " ")
		f.wIf(s.Concurrently, "CONCURRENTLY ")
		f.name(s.Name)
	case *Cluster:
		f.w("CLUSTER")
		f.wIf(s.Options != nil, " ")
		f.options(s.Options)
		if !s.Table.IsZero() {
			f.w(" ")
			f.name(s.Table)
			if s.Index != "" {
				f.w(" USING ")
				f.ident(s.Index)
			}
		}
	case *Truncate:
		f.w("TRUNCATE TABLE ")
		f.list(len(s.Tables), func(i int) { f.dmlTarget(s.Tables[i]) })
		f.wIf(s.RestartIdentity, " RESTART IDENTITY")
		f.wIf(s.Cascade, " CASCADE")
	case *RefreshMaterializedView:
		f.w("REFRESH MATERIALIZED VIEW ")
		f.wIf(s.Concurrently, "CONCURRENTLY ")
		f.name(s.Name)
		f.wIf(s.NoData, " WITH NO DATA")
	case *Unsupported:
		f.w(s.What)
	default:
		if !f.ddl(s) && !f.role(s) {
			panic(fmt.Sprintf("ast: Format of %T", s))
		}
	}
}

// nameOr writes a name, or a keyword if there is none.
func (f *formatter) nameOr(name, keyword string) {
	if name == "" {
		f.w(keyword)
		return
	}
	f.ident(name)
}

func (f *formatter) modes(m TransactionModes) {
	if m.Isolation != IsolationDefault {
		f.w(" ISOLATION LEVEL ", strings.ToUpper(m.Isolation.String()))
	}
	if m.ReadOnly != nil {
		f.wIf(*m.ReadOnly, " READ ONLY")
		f.wIf(!*m.ReadOnly, " READ WRITE")
	}
	if m.Deferrable != nil {
		f.wIf(!*m.Deferrable, " NOT")
		f.w(" DEFERRABLE")
	}
	if m.AsOf != nil {
		f.w(" AS OF SYSTEM TIME ")
		f.expr(m.AsOf, lvAny)
	}
}

func (f *formatter) variable(name string) {
	if name == "all" {
		f.w("ALL")
		return
	}
	f.parts(strings.Split(name, "."))
}

// set writes what follows SET [LOCAL].
func (f *formatter) set(s *Set) {
	if s.Name == "timezone" && len(s.Values) == 1 {
		if _, ok := s.Values[0].(*Cast); ok {
			f.w("TIME ZONE ")
			f.expr(s.Values[0], lvAny)
			return
		}
	}
	f.variable(s.Name)
	switch {
	case s.FromCurrent:
		f.w(" FROM CURRENT")
	case s.Default:
		f.w(" TO DEFAULT")
	default:
		f.w(" TO ")
		f.exprs(s.Values)
	}
}

func (f *formatter) reset(s *Reset) {
	f.w("RESET ")
	if s.Name == "" {
		f.w("ALL")
	} else {
		f.variable(s.Name)
	}
}

// options writes (name value, ...), as EXPLAIN, VACUUM and COPY have them.
func (f *formatter) options(opts []Option) {
	if opts == nil {
		return
	}
	f.w("(")
	f.list(len(opts), func(i int) {
		f.ident(opts[i].Name)
		if opts[i].Value != nil {
			f.w(" ")
			f.optionValue(opts[i].Value)
		}
	})
	f.w(")")
}

func (f *formatter) optionValue(v Expr) {
	if row, ok := v.(*Row); ok {
		f.w("(")
		f.exprs(row.Elems)
		f.w(")")
		return
	}
	f.expr(v, lvAny)
}

// relOptions writes (namespace.name = value, ...).
func (f *formatter) relOptions(opts []Option) {
	f.w("(")
	f.list(len(opts), func(i int) {
		if opts[i].Namespace != "" {
			f.ident(opts[i].Namespace)
			f.w(".")
		}
		f.ident(opts[i].Name)
		if opts[i].Value != nil {
			f.w(" = ")
			f.expr(opts[i].Value, lvAny)
		}
	})
	f.w(")")
}

func (f *formatter) declareCursor(s *DeclareCursor) {
	f.w("DECLARE ")
	f.ident(s.Name)
	f.wIf(s.Binary, " BINARY")
	f.wIf(s.Insens, " INSENSITIVE")
	f.wIf(s.Asensitive, " ASENSITIVE")
	if s.Scroll != nil {
		f.wIf(!*s.Scroll, " NO")
		f.w(" SCROLL")
	}
	f.w(" CURSOR ")
	f.wIf(s.Hold, "WITH HOLD ")
	f.w("FOR ")
	f.query(s.Query)
}

func (f *formatter) fetch(s *Fetch) {
	f.w(s.Tag(), " ")
	switch {
	case s.Direction == FetchAbsolute:
		f.w("ABSOLUTE ", strconv.FormatInt(s.Count, 10))
	case s.Direction == FetchRelative:
		f.w("RELATIVE ", strconv.FormatInt(s.Count, 10))
	default:
		f.wIf(s.Direction == FetchForward, "FORWARD ")
		f.wIf(s.Direction == FetchBackward, "BACKWARD ")
		if s.Count == FetchAll {
			f.w("ALL")
		} else {
			f.int(s.Count)
		}
	}
	f.w(" FROM ")
	f.ident(s.Cursor)
}

func (f *formatter) copy(s *Copy) {
	f.w("COPY ")
	if s.Query != nil {
		f.w("(")
		f.statement(s.Query)
		f.w(")")
	} else {
		f.name(s.Table.Name)
		f.nameList(s.Columns)
	}
	f.wIf(s.From, " FROM ")
	f.wIf(!s.From, " TO ")
	f.wIf(s.Program, "PROGRAM ")
	switch {
	case s.File != "" || s.Program:
		f.str(s.File)
	case s.From:
		f.w("STDIN")
	default:
		f.w("STDOUT")
	}
	if s.Options != nil {
		f.w(" WITH ")
		f.options(s.Options)
	}
	f.where(s.Where)
}
