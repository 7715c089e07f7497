package ast

// The command tags, as in PostgreSQL's table of them (tcop/cmdtaglist.h).

// Tag returns the command tag.
func (*Select) Tag() string { return "SELECT" }

// Tag returns the command tag.
func (*Insert) Tag() string { return "INSERT" }

// Tag returns the command tag.
func (*Update) Tag() string { return "UPDATE" }

// Tag returns the command tag.
func (*Delete) Tag() string { return "DELETE" }

// Tag returns the command tag.
func (*CreateTable) Tag() string { return "CREATE TABLE" }

// Tag returns the command tag.
func (*CreateIndex) Tag() string { return "CREATE INDEX" }

// Tag returns the command tag.
func (*CreateDatabase) Tag() string { return "CREATE DATABASE" }

// Tag returns the command tag.
func (*AlterDatabase) Tag() string { return "ALTER DATABASE" }

// Tag returns the command tag.
func (*DropDatabase) Tag() string { return "DROP DATABASE" }

// Tag returns the command tag.
func (*CreateSchema) Tag() string { return "CREATE SCHEMA" }

// Tag returns the command tag.
func (*CreateSequence) Tag() string { return "CREATE SEQUENCE" }

// Tag returns the command tag.
func (*AlterSequence) Tag() string { return "ALTER SEQUENCE" }

// Tag returns the command tag.
func (*CreateView) Tag() string { return "CREATE VIEW" }

// Tag returns the command tag.
func (*RefreshMaterializedView) Tag() string { return "REFRESH MATERIALIZED VIEW" }

// Tag returns the command tag.
func (*CreateEnum) Tag() string { return "CREATE TYPE" }

// Tag returns the command tag.
func (*AlterEnum) Tag() string { return "ALTER TYPE" }

// Tag returns the command tag.
func (*CreateComposite) Tag() string { return "CREATE TYPE" }

// Tag returns the command tag.
func (*CreateRange) Tag() string { return "CREATE TYPE" }

// Tag returns the command tag.
func (*CreateDomain) Tag() string { return "CREATE DOMAIN" }

// Tag returns the command tag.
func (*AlterDomain) Tag() string { return "ALTER DOMAIN" }

// Tag returns the command tag.
func (*CreateExtension) Tag() string { return "CREATE EXTENSION" }

// Tag returns the command tag.
func (*CreateCollation) Tag() string { return "CREATE COLLATION" }

// Tag returns the command tag.
func (*CreateStatistics) Tag() string { return "CREATE STATISTICS" }

// Tag returns the command tag.
func (*Truncate) Tag() string { return "TRUNCATE TABLE" }

// Tag returns the command tag.
func (*Comment) Tag() string { return "COMMENT" }

// Tag returns the command tag.
func (*Call) Tag() string { return "CALL" }

// Tag returns the command tag.
func (*Do) Tag() string { return "DO" }

// Tag returns the command tag.
func (*CreateRole) Tag() string { return "CREATE ROLE" }

// Tag returns the command tag.
func (*AlterRole) Tag() string { return "ALTER ROLE" }

// Tag returns the command tag.
func (*DropRole) Tag() string { return "DROP ROLE" }

// Tag returns the command tag.
func (*ReassignOwned) Tag() string { return "REASSIGN OWNED" }

// Tag returns the command tag.
func (*DropOwned) Tag() string { return "DROP OWNED" }

// Tag returns the command tag.
func (*AlterDefaultPrivileges) Tag() string { return "ALTER DEFAULT PRIVILEGES" }

// Tag returns the command tag.
func (*Commit) Tag() string { return "COMMIT" }

// Tag returns the command tag.
func (*Rollback) Tag() string { return "ROLLBACK" }

// Tag returns the command tag.
func (*Savepoint) Tag() string { return "SAVEPOINT" }

// Tag returns the command tag.
func (*ReleaseSavepoint) Tag() string { return "RELEASE" }

// Tag returns the command tag.
func (*RollbackTo) Tag() string { return "ROLLBACK" }

// Tag returns the command tag.
func (*PrepareTransaction) Tag() string { return "PREPARE TRANSACTION" }

// Tag returns the command tag.
func (*CommitPrepared) Tag() string { return "COMMIT PREPARED" }

// Tag returns the command tag.
func (*RollbackPrepared) Tag() string { return "ROLLBACK PREPARED" }

// Tag returns the command tag.
func (*SetTransaction) Tag() string { return "SET" }

// Tag returns the command tag.
func (*SetConstraints) Tag() string { return "SET CONSTRAINTS" }

// Tag returns the command tag.
func (*Lock) Tag() string { return "LOCK TABLE" }

// Tag returns the command tag.
func (*Set) Tag() string { return "SET" }

// Tag returns the command tag.
func (*Reset) Tag() string { return "RESET" }

// Tag returns the command tag.
func (*Show) Tag() string { return "SHOW" }

// Tag returns the command tag.
func (*Prepare) Tag() string { return "PREPARE" }

// Tag returns the command tag.
func (*Execute) Tag() string { return "EXECUTE" }

// Tag returns the command tag.
func (*Listen) Tag() string { return "LISTEN" }

// Tag returns the command tag.
func (*Notify) Tag() string { return "NOTIFY" }

// Tag returns the command tag.
func (*Unlisten) Tag() string { return "UNLISTEN" }

// Tag returns the command tag.
func (*Load) Tag() string { return "LOAD" }

// Tag returns the command tag.
func (*DeclareCursor) Tag() string { return "DECLARE CURSOR" }

// Tag returns the command tag.
func (*Copy) Tag() string { return "COPY" }

// Tag returns the command tag.
func (*Explain) Tag() string { return "EXPLAIN" }

// Tag returns the command tag.
func (*Checkpoint) Tag() string { return "CHECKPOINT" }

// Tag returns the command tag.
func (*Reindex) Tag() string { return "REINDEX" }

// Tag returns the command tag.
func (*Cluster) Tag() string { return "CLUSTER" }

// Tag returns the command tag.
func (s *CreateTableAs) Tag() string {
	if s.Materialized {
		return "CREATE MATERIALIZED VIEW"
	}
	return "CREATE TABLE AS"
}

// Tag returns the command tag.
func (s *AlterTable) Tag() string { return "ALTER " + s.Kind.String() }

// Tag returns the command tag.
func (s *Rename) Tag() string {
	switch s.Kind {
	case ObjectColumn, ObjectConstraint, ObjectDomainConstraint:
		return "ALTER " + s.Of.String()
	}
	return "ALTER " + s.Kind.String()
}

// Tag returns the command tag.
func (s *AlterSchema) Tag() string { return "ALTER " + s.Kind.String() }

// Tag returns the command tag.
func (s *AlterOwner) Tag() string { return "ALTER " + s.Kind.String() }

// Tag returns the command tag.
func (s *AlterSetting) Tag() string {
	switch {
	case s.System:
		return "ALTER SYSTEM"
	case s.Role != nil || s.AllRoles:
		return "ALTER ROLE"
	}
	return "ALTER DATABASE"
}

// Tag returns the command tag.
func (s *CreateFunction) Tag() string {
	if s.Procedure {
		return "CREATE PROCEDURE"
	}
	return "CREATE FUNCTION"
}

// Tag returns the command tag.
func (s *Drop) Tag() string { return "DROP " + s.Kind.String() }

// Tag returns the command tag.
func (s *Grant) Tag() string {
	if s.Revoke {
		return "REVOKE"
	}
	return "GRANT"
}

// Tag returns the command tag.
func (s *GrantRole) Tag() string {
	if s.Revoke {
		return "REVOKE ROLE"
	}
	return "GRANT ROLE"
}

// Tag returns the command tag.
func (s *Begin) Tag() string {
	if s.Start {
		return "START TRANSACTION"
	}
	return "BEGIN"
}

// Tag returns the command tag.
func (s *Discard) Tag() string { return "DISCARD " + s.What }

// Tag returns the command tag.
func (s *Deallocate) Tag() string {
	if s.Name == "" {
		return "DEALLOCATE ALL"
	}
	return "DEALLOCATE"
}

// Tag returns the command tag.
func (s *Fetch) Tag() string {
	if s.Move {
		return "MOVE"
	}
	return "FETCH"
}

// Tag returns the command tag.
func (s *CloseCursor) Tag() string {
	if s.Name == "" {
		return "CLOSE CURSOR ALL"
	}
	return "CLOSE CURSOR"
}

// Tag returns the command tag.
func (s *Vacuum) Tag() string {
	if s.AnalyzeOnly {
		return "ANALYZE"
	}
	return "VACUUM"
}

// Tag returns what the statement is.
func (s *Unsupported) Tag() string { return s.What }
