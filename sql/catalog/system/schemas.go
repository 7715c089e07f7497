package system

import (
	"slices"

	"github.com/spanlite/spanlite/sql/catalog"
)

// Schemas is the set of virtual relations. It implements
// catalog.VirtualSchemas, is immutable, and is shared by all sessions.
type Schemas struct {
	byName map[catalog.ID]map[string]*catalog.Virtual
	byID   map[catalog.ID]*catalog.Virtual
	all    []*catalog.Virtual
}

// NewSchemas makes the set. Extra are the relations of other packages, such as
// the spanlite_* views.
func NewSchemas(extra ...*catalog.Virtual) *Schemas {
	s := &Schemas{
		byName: map[catalog.ID]map[string]*catalog.Virtual{
			catalog.SchemaPgCatalog:         {},
			catalog.SchemaInformationSchema: {},
		},
		byID: map[catalog.ID]*catalog.Virtual{},
	}
	srcs := sources()
	for i := range definitions {
		d := &definitions[i]
		key := d.name
		if d.schema == catalog.InformationSchemaName {
			key = d.schema + "." + d.name
		}
		s.add(&newRelation(d, srcs[key]).virtual)
	}
	for _, v := range extra {
		s.add(v)
	}
	slices.SortFunc(s.all, func(a, b *catalog.Virtual) int { return int(a.ID) - int(b.ID) })
	return s
}

func (s *Schemas) add(v *catalog.Virtual) {
	s.byName[v.Schema][v.Name] = v
	s.byID[v.ID] = v
	s.all = append(s.all, v)
}

// Relation implements catalog.VirtualSchemas.
func (s *Schemas) Relation(schema catalog.ID, name string) (*catalog.Virtual, bool) {
	v, ok := s.byName[schema][name]
	return v, ok
}

// RelationByID implements catalog.VirtualSchemas.
func (s *Schemas) RelationByID(id catalog.ID) (*catalog.Virtual, bool) {
	v, ok := s.byID[id]
	return v, ok
}

// All implements catalog.VirtualSchemas.
func (s *Schemas) All(yield func(*catalog.Virtual) bool) {
	for _, v := range s.all {
		if !yield(v) {
			return
		}
	}
}

// sources says how relations get their rows. The keys are names of pg_catalog,
// or qualified ones of information_schema. What is not listed is empty.
func sources() map[string]source {
	m := map[string]source{
		"pg_class":     {rows: pgClass, keys: []string{"oid", "relname"}},
		"pg_attribute": {rows: pgAttribute, keys: []string{"attrelid"}},
		"pg_attrdef":   {rows: pgAttrdef, keys: []string{"adrelid"}},
		"pg_index":     {rows: pgIndex, keys: []string{"indrelid", "indexrelid"}},
		"pg_indexes":   {rows: pgIndexes},
		"pg_tables":    {rows: pgTables},
		"pg_views":     {rows: pgViews},
		"pg_matviews":  {rows: pgMatviews},
		"pg_sequences": {rows: pgSequences},
		"pg_sequence":  {rows: pgSequence, keys: []string{"seqrelid"}},

		"pg_constraint": {rows: pgConstraint, keys: []string{"conrelid", "oid", "confrelid"}},
		"pg_depend":     {rows: pgDepend, keys: []string{"refobjid", "objid"}},

		"pg_description":   {rows: pgDescription, keys: []string{"objoid"}},
		"pg_shdescription": {rows: pgShdescription},

		"pg_type": {rows: pgType, keys: []string{"oid", "typname"}},
		"pg_enum": {rows: pgEnum, keys: []string{"enumtypid"}},

		"pg_namespace": {rows: pgNamespace, keys: []string{"oid", "nspname"}},
		"pg_database":  {rows: pgDatabase, keys: []string{"oid", "datname"}},

		"pg_init_privs": {rows: pgInitPrivs},
		"pg_rewrite":    {rows: pgRewrite, keys: []string{"ev_class"}},

		"pg_roles":        {rows: pgRoles},
		"pg_authid":       {rows: pgAuthid},
		"pg_user":         {rows: pgUser},
		"pg_auth_members": {rows: pgAuthMembers},

		"pg_settings":            {rows: pgSettings},
		"pg_stat_activity":       {rows: pgStatActivity},
		"pg_prepared_statements": {rows: pgPreparedStatements},
		"pg_prepared_xacts":      {rows: pgPreparedXacts},
		"pg_cursors":             {rows: pgCursors},
		"pg_locks":               {rows: pgLocks},
		"pg_timezone_names":      {},

		"information_schema.schemata":                        {rows: isSchemata},
		"information_schema.tables":                          {rows: isTables},
		"information_schema.columns":                         {rows: isColumns},
		"information_schema.table_constraints":               {rows: isTableConstraints},
		"information_schema.key_column_usage":                {rows: isKeyColumnUsage},
		"information_schema.constraint_column_usage":         {rows: isConstraintColumnUsage},
		"information_schema.referential_constraints":         {rows: isReferentialConstraints},
		"information_schema.check_constraints":               {rows: isCheckConstraints},
		"information_schema.views":                           {rows: isViews},
		"information_schema.sequences":                       {rows: isSequences},
		"information_schema.information_schema_catalog_name": {rows: isCatalogName},
	}
	for _, name := range []string{
		"pg_aggregate", "pg_am", "pg_amop", "pg_amproc", "pg_cast", "pg_collation", "pg_conversion", "pg_language",
		"pg_opclass", "pg_operator", "pg_opfamily", "pg_proc", "pg_range", "pg_tablespace",
		"pg_ts_config", "pg_ts_dict", "pg_ts_parser", "pg_ts_template",
	} {
		m[name] = source{rows: fromStatic(nil)}
	}
	return m
}
