package ast

// Isolation is a transaction isolation level, none given being the zero value.
type Isolation uint8

// The isolation levels. READ UNCOMMITTED is kept apart because SHOW repeats it.
const (
	IsolationDefault Isolation = iota
	ReadUncommitted
	ReadCommitted
	RepeatableRead
	Serializable
)

var isolationNames = [...]string{"", "read uncommitted", "read committed", "repeatable read", "serializable"}

// String returns the level as SHOW transaction_isolation prints it.
func (i Isolation) String() string { return isolationNames[i] }

// TransactionModes are the modes of BEGIN and SET TRANSACTION. ReadOnly and
// Deferrable are nil if not given.
type TransactionModes struct {
	Isolation  Isolation
	ReadOnly   *bool
	Deferrable *bool
	// AsOf is AS OF SYSTEM TIME; nil if not given.
	AsOf Expr
}

// Begin is BEGIN or, with Start set, START TRANSACTION (the tags differ).
type Begin struct {
	Pos
	Start bool
	Modes TransactionModes
}

// Commit is COMMIT or END.
type Commit struct {
	Pos
	Chain bool
}

// Rollback is ROLLBACK or ABORT.
type Rollback struct {
	Pos
	Chain bool
}

// Savepoint is SAVEPOINT name.
type Savepoint struct {
	Pos
	Name string
}

// ReleaseSavepoint is RELEASE [SAVEPOINT] name.
type ReleaseSavepoint struct {
	Pos
	Name string
}

// RollbackTo is ROLLBACK TO [SAVEPOINT] name.
type RollbackTo struct {
	Pos
	Name string
}

// PrepareTransaction is PREPARE TRANSACTION 'id'.
type PrepareTransaction struct {
	Pos
	ID string
}

// CommitPrepared is COMMIT PREPARED 'id'.
type CommitPrepared struct {
	Pos
	ID string
}

// RollbackPrepared is ROLLBACK PREPARED 'id'.
type RollbackPrepared struct {
	Pos
	ID string
}

// SetTransaction is SET TRANSACTION or, with Session set, SET SESSION
// CHARACTERISTICS AS TRANSACTION. Snapshot is SET TRANSACTION SNAPSHOT 'id'.
type SetTransaction struct {
	Pos
	Session  bool
	Modes    TransactionModes
	Snapshot string
}

// SetConstraints is SET CONSTRAINTS. Names is empty for ALL.
type SetConstraints struct {
	Pos
	Names    []ObjectName
	Deferred bool
}

// Lock is LOCK TABLE.
type Lock struct {
	Pos
	Tables []*TableRef
	// Mode is in upper case: "ACCESS EXCLUSIVE" ...
	Mode   string
	NoWait bool
}
