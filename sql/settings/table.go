package settings

import (
	"time"

	"github.com/spanlite/spanlite/kv"
	"github.com/spanlite/spanlite/sql/types"
)

// Context says who may change a variable and when (pg_settings.context).
type Context string

// The contexts that occur.
const (
	User      Context = "user"
	Superuser Context = "superuser"
	Backend   Context = "backend"
	Internal  Context = "internal"
)

// Kind is a variable's type (pg_settings.vartype).
type Kind string

// The kinds of variables.
const (
	Bool    Kind = "bool"
	Integer Kind = "integer"
	Real    Kind = "real"
	String  Kind = "string"
	Enum    Kind = "enum"
)

// Variable is a row of the table of run-time parameters.
type Variable struct {
	Name     string // as SHOW ALL and ParameterStatus print it
	Kind     Kind
	Context  Context
	Unit     string // "ms", "kB", "" ...: what a bare number means
	Boot     string // default value
	Min, Max int64  // of Integer, in Unit
	// Values of an Enum.
	Values []string
	// Report: a change is told to the client by ParameterStatus.
	Report bool
	// NoReset: RESET ALL leaves the variable alone.
	NoReset  bool
	Category string
	Desc     string
	// parse checks a new value and returns its canonical form; nil for the
	// check of Kind alone.
	parse func(value string) (string, error)
	// apply copies a value into the fields of Values; it cannot fail.
	apply func(v *Values, value string)
}

const (
	catClient   = "Client Connection Defaults / Statement Behavior"
	catLocale   = "Client Connection Defaults / Locale and Formatting"
	catPlanner  = "Query Tuning / Planner Method Configuration"
	catPreset   = "Preset Options"
	catResource = "Resource Usage / Memory"
	catCompat   = "Version and Platform Compatibility / Previous PostgreSQL Versions"
	catOther    = "Customized Options"
	catLogging  = "Reporting and Logging / When to Log"
	catLock     = "Lock Management"
)

// table lists every variable, in alphabetical order of its folded name.
var table = []Variable{
	{Name: "application_name", Kind: String, Context: User, Report: true, Category: "Reporting and Logging / What to Log", Desc: "Sets the application name to be reported in statistics and logs.",
		parse: parseASCII,
		apply: func(v *Values, s string) { v.ApplicationName = s }},
	{Name: "backslash_quote", Kind: Enum, Context: User, Boot: "safe_encoding", Values: []string{"safe_encoding", "on", "off"}, Category: catCompat, Desc: `Sets whether "\'" is allowed in string literals.`},
	{Name: "bytea_output", Kind: Enum, Context: User, Boot: "hex", Values: []string{"escape", "hex"}, Category: catClient, Desc: "Sets the output format for bytea.",
		apply: func(v *Values, s string) { v.Conversion.ByteaEscape = s == "escape" }},
	{Name: "check_function_bodies", Kind: Bool, Context: User, Boot: "on", Category: catClient, Desc: "Check routine bodies during CREATE FUNCTION and CREATE PROCEDURE."},
	{Name: "client_encoding", Kind: String, Context: User, Boot: "UTF8", Report: true, Category: catLocale, Desc: "Sets the client's character set encoding.", parse: parseEncoding},
	{Name: "client_min_messages", Kind: Enum, Context: User, Boot: "notice", Values: []string{"debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error"}, Category: catLogging, Desc: "Sets the message levels that are sent to the client.",
		apply: func(v *Values, s string) { v.ClientMinMessages = s }},
	{Name: "DateStyle", Kind: String, Context: User, Boot: "ISO, MDY", Report: true, Category: catLocale, Desc: "Sets the display format for date and time values.",
		parse: parseDateStyle, apply: applyDateStyle},
	{Name: "default_table_access_method", Kind: String, Context: User, Boot: "heap", Category: catClient, Desc: "Sets the default table access method for new tables."},
	{Name: "default_tablespace", Kind: String, Context: User, Category: catClient, Desc: "Sets the default tablespace to create tables and indexes in."},
	{Name: "default_toast_compression", Kind: Enum, Context: User, Boot: "pglz", Values: []string{"pglz", "lz4"}, Category: catClient, Desc: "Sets the default compression method for compressible values."},
	{Name: "default_transaction_deferrable", Kind: Bool, Context: User, Boot: "off", Category: catClient, Desc: "Sets the default deferrable status of new transactions.",
		apply: func(v *Values, s string) { v.DefaultDeferrable = s == "on" }},
	{Name: "default_transaction_isolation", Kind: Enum, Context: User, Boot: "serializable", Values: isolationNames, Category: catClient, Desc: "Sets the transaction isolation level of each new transaction.",
		apply: func(v *Values, s string) {
			v.DefaultIsolation, _ = ParseIsolation(s)
			v.DefaultIsolationName = s
		}},
	{Name: "default_transaction_read_only", Kind: Bool, Context: User, Boot: "off", Report: true, Category: catClient, Desc: "Sets the default read-only status of new transactions.",
		apply: func(v *Values, s string) { v.DefaultReadOnly = s == "on" }},
	{Name: "enable_bitmapscan", Kind: Bool, Context: User, Boot: "on", Category: catPlanner, Desc: "Enables the planner's use of bitmap-scan plans."},
	{Name: "enable_hashagg", Kind: Bool, Context: User, Boot: "on", Category: catPlanner, Desc: "Enables the planner's use of hashed aggregation plans."},
	{Name: "enable_hashjoin", Kind: Bool, Context: User, Boot: "on", Category: catPlanner, Desc: "Enables the planner's use of hash join plans."},
	{Name: "enable_indexscan", Kind: Bool, Context: User, Boot: "on", Category: catPlanner, Desc: "Enables the planner's use of index-scan plans."},
	{Name: "enable_mergejoin", Kind: Bool, Context: User, Boot: "on", Category: catPlanner, Desc: "Enables the planner's use of merge join plans."},
	{Name: "enable_nestloop", Kind: Bool, Context: User, Boot: "on", Category: catPlanner, Desc: "Enables the planner's use of nested-loop join plans."},
	{Name: "enable_seqscan", Kind: Bool, Context: User, Boot: "on", Category: catPlanner, Desc: "Enables the planner's use of sequential-scan plans."},
	{Name: "enable_sort", Kind: Bool, Context: User, Boot: "on", Category: catPlanner, Desc: "Enables the planner's use of explicit sort steps."},
	{Name: "escape_string_warning", Kind: Bool, Context: User, Boot: "on", Category: catCompat, Desc: "Warn about backslash escapes in ordinary string literals."},
	{Name: "extra_float_digits", Kind: Integer, Context: User, Boot: "1", Min: -15, Max: 3, Category: catLocale, Desc: "Sets the number of digits displayed for floating-point values.",
		apply: func(v *Values, s string) { v.Conversion.ExtraFloatDigits = int(atoi(s)) }},
	{Name: "gin_fuzzy_search_limit", Kind: Integer, Context: User, Boot: "0", Max: 1<<31 - 1, Category: catClient, Desc: "Sets the maximum allowed result for exact search by GIN."},
	{Name: "idle_in_transaction_session_timeout", Kind: Integer, Context: User, Unit: "ms", Boot: "0", Max: 1<<31 - 1, Category: catClient, Desc: "Sets the maximum allowed idle time between queries, when in a transaction.",
		apply: func(v *Values, s string) { v.IdleInTransactionTimeout = millis(s) }},
	{Name: "idle_session_timeout", Kind: Integer, Context: User, Unit: "ms", Boot: "0", Max: 1<<31 - 1, Category: catClient, Desc: "Sets the maximum allowed idle time between queries, when not in a transaction.",
		apply: func(v *Values, s string) { v.IdleSessionTimeout = millis(s) }},
	{Name: "in_hot_standby", Kind: Bool, Context: Internal, Boot: "off", Report: true, Category: catPreset, Desc: "Shows whether hot standby is currently active."},
	{Name: "integer_datetimes", Kind: Bool, Context: Internal, Boot: "on", Report: true, Category: catPreset, Desc: "Shows whether datetimes are integer based."},
	{Name: "IntervalStyle", Kind: Enum, Context: User, Boot: "postgres", Values: []string{"postgres", "postgres_verbose", "sql_standard", "iso_8601"}, Report: true, Category: catLocale, Desc: "Sets the display format for interval values.",
		apply: applyIntervalStyle},
	{Name: "is_superuser", Kind: Bool, Context: Internal, Boot: "on", Report: true, NoReset: true, Category: catPreset, Desc: "Shows whether the current user is a superuser."},
	{Name: "jit", Kind: Bool, Context: User, Boot: "off", Category: catPlanner, Desc: "Allow JIT compilation."},
	{Name: "lc_collate", Kind: String, Context: Internal, Boot: "C", Category: catPreset, Desc: "Shows the collation order locale."},
	{Name: "lc_ctype", Kind: String, Context: Internal, Boot: "C", Category: catPreset, Desc: "Shows the character classification and case conversion locale."},
	{Name: "lc_messages", Kind: String, Context: Superuser, Boot: "C", Category: catLocale, Desc: "Sets the language in which messages are displayed."},
	{Name: "lc_monetary", Kind: String, Context: User, Boot: "C", Category: catLocale, Desc: "Sets the locale for formatting monetary amounts."},
	{Name: "lc_numeric", Kind: String, Context: User, Boot: "C", Category: catLocale, Desc: "Sets the locale for formatting numbers."},
	{Name: "lc_time", Kind: String, Context: User, Boot: "C", Category: catLocale, Desc: "Sets the locale for formatting date and time values."},
	{Name: "lock_timeout", Kind: Integer, Context: User, Unit: "ms", Boot: "0", Max: 1<<31 - 1, Category: catClient, Desc: "Sets the maximum allowed duration of any wait for a lock.",
		apply: func(v *Values, s string) { v.LockTimeout = millis(s) }},
	{Name: "log_statement", Kind: Enum, Context: Superuser, Boot: "none", Values: []string{"none", "ddl", "mod", "all"}, Category: catLogging, Desc: "Sets the type of statements logged."},
	{Name: "maintenance_work_mem", Kind: Integer, Context: User, Unit: "kB", Boot: "65536", Min: 1024, Max: 1<<31 - 1, Category: catResource, Desc: "Sets the maximum memory to be used for maintenance operations."},
	{Name: "max_identifier_length", Kind: Integer, Context: Internal, Boot: "63", Max: 1<<31 - 1, Category: catPreset, Desc: "Shows the maximum identifier length."},
	{Name: "max_index_keys", Kind: Integer, Context: Internal, Boot: "32", Max: 1<<31 - 1, Category: catPreset, Desc: "Shows the maximum number of index keys."},
	{Name: "quote_all_identifiers", Kind: Bool, Context: User, Boot: "off", Category: catCompat, Desc: "When generating SQL fragments, quote all identifiers."},
	{Name: "role", Kind: String, Context: User, Boot: "none", NoReset: true, Category: catClient, Desc: "Sets the current role.", apply: func(v *Values, s string) { v.Role = s }},
	{Name: "row_security", Kind: Bool, Context: User, Boot: "on", Category: catClient, Desc: "Enable row security."},
	{Name: "search_path", Kind: String, Context: User, Boot: `"$user", public`, Category: catClient, Desc: "Sets the schema search order for names that are not schema-qualified.",
		parse: parseNameList, apply: applySearchPath},
	{Name: "server_encoding", Kind: String, Context: Internal, Boot: "UTF8", Report: true, Category: catPreset, Desc: "Shows the server (database) character set encoding."},
	{Name: "server_version", Kind: String, Context: Internal, Boot: ServerVersion, Report: true, Category: catPreset, Desc: "Shows the server version."},
	{Name: "server_version_num", Kind: Integer, Context: Internal, Boot: ServerVersionNum, Max: 1<<31 - 1, Category: catPreset, Desc: "Shows the server version as an integer."},
	{Name: "session_authorization", Kind: String, Context: User, Report: true, NoReset: true, Category: catClient, Desc: "Sets the session user name.",
		apply: func(v *Values, s string) { v.SessionUser = s }},
	{Name: "spanlite.fence", Kind: String, Context: User, Category: catLock, Desc: "Makes transactions fail to commit unless this grant of an advisory lock (key:token) is the last.",
		parse: parseFence,
		apply: func(v *Values, s string) { v.Fence, _ = readFence(s) }},
	{Name: "standard_conforming_strings", Kind: Bool, Context: User, Boot: "on", Report: true, Category: catCompat, Desc: "Causes '...' strings to treat backslashes literally.", parse: parseOnlyOn},
	{Name: "statement_timeout", Kind: Integer, Context: User, Unit: "ms", Boot: "0", Max: 1<<31 - 1, Category: catClient, Desc: "Sets the maximum allowed duration of any statement.",
		apply: func(v *Values, s string) { v.StatementTimeout = millis(s) }},
	{Name: "synchronize_seqscans", Kind: Bool, Context: User, Boot: "on", Category: catCompat, Desc: "Enable synchronized sequential scans."},
	{Name: "synchronous_commit", Kind: Enum, Context: User, Boot: "on", Values: []string{"local", "remote_write", "remote_apply", "on", "off"}, Category: "Write-Ahead Log / Settings", Desc: "Sets the current transaction's synchronization level.", parse: parseSynchronousCommit},
	{Name: "TimeZone", Kind: String, Context: User, Boot: "UTC", Report: true, Category: catLocale, Desc: "Sets the time zone for displaying and interpreting time stamps.",
		parse: parseTimeZone, apply: applyTimeZone},
	{Name: "transaction_deferrable", Kind: Bool, Context: User, Boot: "off", NoReset: true, Category: catClient, Desc: "Whether to defer a read-only serializable transaction until it can be executed with no possible serialization failures."},
	{Name: "transaction_isolation", Kind: Enum, Context: User, Boot: "serializable", Values: isolationNames, NoReset: true, Category: catClient, Desc: "Sets the current transaction's isolation level."},
	{Name: "transaction_read_only", Kind: Bool, Context: User, Boot: "off", NoReset: true, Category: catClient, Desc: "Sets the current transaction's read-only status."},
	{Name: "transaction_timeout", Kind: Integer, Context: User, Unit: "ms", Boot: "0", Max: 1<<31 - 1, Category: catClient, Desc: "Sets the maximum allowed duration of any transaction within a session.",
		apply: func(v *Values, s string) { v.TransactionTimeout = millis(s) }},
	{Name: "work_mem", Kind: Integer, Context: User, Unit: "kB", Boot: "65536", Min: 64, Max: 1<<31 - 1, Category: catResource, Desc: "Sets the maximum memory to be used for query workspaces.",
		apply: func(v *Values, s string) { v.WorkMemBytes = atoi(s) << 10 }},
	{Name: "xmlbinary", Kind: Enum, Context: User, Boot: "base64", Values: []string{"base64", "hex"}, Category: catClient, Desc: "Sets how binary values are to be encoded in XML."},
	{Name: "xmloption", Kind: Enum, Context: User, Boot: "content", Values: []string{"content", "document"}, Category: catClient, Desc: "Sets whether XML data in implicit parsing and serialization operations is to be considered as documents or content fragments."},
}

// The version that Spanlite says it is: clients choose their queries by it.
const (
	ServerVersion    = "15.18"
	ServerVersionNum = "150018"
)

var isolationNames = []string{"serializable", "repeatable read", "read committed", "read uncommitted"}

// Values are the variables that the session itself looks at, in the form it
// needs. They are changed only through Set.
type Values struct {
	ApplicationName          string
	ClientMinMessages        string
	Conversion               types.Settings
	DefaultIsolation         kv.Isolation
	DefaultIsolationName     string
	DefaultReadOnly          bool
	DefaultDeferrable        bool
	Fence                    Fence
	IdleInTransactionTimeout time.Duration
	IdleSessionTimeout       time.Duration
	LockTimeout              time.Duration
	StatementTimeout         time.Duration
	TransactionTimeout       time.Duration
	// Role is the name that SET ROLE gave, "" or "none" for the session's user.
	Role       string
	SearchPath []string
	// SessionUser is the name of the session's user.
	SessionUser  string
	WorkMemBytes int64
}
