package builtins

// systemSignatures are the functions that expr.System carries out.
const systemSignatures = `
_aclitem acldefault(char, oid) i
record aclexplode(_aclitem) set: grantor oid, grantee oid, privilege_type text, is_grantable bool
text col_description(oid, int4)
name current_schema()
_name current_schemas(bool)
bool has_any_column_privilege(name, oid, text)
bool has_any_column_privilege(name, text, text)
bool has_any_column_privilege(oid, oid, text)
bool has_any_column_privilege(oid, text)
bool has_any_column_privilege(oid, text, text)
bool has_any_column_privilege(text, text)
bool has_column_privilege(name, oid, int2, text)
bool has_column_privilege(name, oid, text, text)
bool has_column_privilege(name, text, int2, text)
bool has_column_privilege(name, text, text, text)
bool has_column_privilege(oid, int2, text)
bool has_column_privilege(oid, oid, int2, text)
bool has_column_privilege(oid, oid, text, text)
bool has_column_privilege(oid, text, int2, text)
bool has_column_privilege(oid, text, text)
bool has_column_privilege(oid, text, text, text)
bool has_column_privilege(text, int2, text)
bool has_column_privilege(text, text, text)
bool has_database_privilege(name, oid, text)
bool has_database_privilege(name, text, text)
bool has_database_privilege(oid, oid, text)
bool has_database_privilege(oid, text)
bool has_database_privilege(oid, text, text)
bool has_database_privilege(text, text)
bool has_foreign_data_wrapper_privilege(name, oid, text)
bool has_foreign_data_wrapper_privilege(name, text, text)
bool has_foreign_data_wrapper_privilege(oid, oid, text)
bool has_foreign_data_wrapper_privilege(oid, text)
bool has_foreign_data_wrapper_privilege(oid, text, text)
bool has_foreign_data_wrapper_privilege(text, text)
bool has_function_privilege(name, oid, text)
bool has_function_privilege(name, text, text)
bool has_function_privilege(oid, oid, text)
bool has_function_privilege(oid, text)
bool has_function_privilege(oid, text, text)
bool has_function_privilege(text, text)
bool has_language_privilege(name, oid, text)
bool has_language_privilege(name, text, text)
bool has_language_privilege(oid, oid, text)
bool has_language_privilege(oid, text)
bool has_language_privilege(oid, text, text)
bool has_language_privilege(text, text)
bool has_schema_privilege(name, oid, text)
bool has_schema_privilege(name, text, text)
bool has_schema_privilege(oid, oid, text)
bool has_schema_privilege(oid, text)
bool has_schema_privilege(oid, text, text)
bool has_schema_privilege(text, text)
bool has_sequence_privilege(name, oid, text)
bool has_sequence_privilege(name, text, text)
bool has_sequence_privilege(oid, oid, text)
bool has_sequence_privilege(oid, text)
bool has_sequence_privilege(oid, text, text)
bool has_sequence_privilege(text, text)
bool has_server_privilege(name, oid, text)
bool has_server_privilege(name, text, text)
bool has_server_privilege(oid, oid, text)
bool has_server_privilege(oid, text)
bool has_server_privilege(oid, text, text)
bool has_server_privilege(text, text)
bool has_table_privilege(name, oid, text)
bool has_table_privilege(name, text, text)
bool has_table_privilege(oid, oid, text)
bool has_table_privilege(oid, text)
bool has_table_privilege(oid, text, text)
bool has_table_privilege(text, text)
bool has_tablespace_privilege(name, oid, text)
bool has_tablespace_privilege(name, text, text)
bool has_tablespace_privilege(oid, oid, text)
bool has_tablespace_privilege(oid, text)
bool has_tablespace_privilege(oid, text, text)
bool has_tablespace_privilege(text, text)
bool has_type_privilege(name, oid, text)
bool has_type_privilege(name, text, text)
bool has_type_privilege(oid, oid, text)
bool has_type_privilege(oid, text)
bool has_type_privilege(oid, text, text)
bool has_type_privilege(text, text)
inet inet_client_addr() n
int4 inet_client_port() n
inet inet_server_addr() n
int4 inet_server_port() n
text obj_description(oid)
text obj_description(oid, name)
void pg_advisory_lock(int4, int4) v
void pg_advisory_lock(int8) v
void pg_advisory_lock_shared(int4, int4) v
void pg_advisory_lock_shared(int8) v
int8 pg_advisory_lock_token(int4, int4) v
int8 pg_advisory_lock_token(int8) v
bool pg_advisory_unlock(int4, int4) v
bool pg_advisory_unlock(int8) v
void pg_advisory_unlock_all() v
bool pg_advisory_unlock_shared(int4, int4) v
bool pg_advisory_unlock_shared(int8) v
void pg_advisory_xact_lock(int4, int4) v
void pg_advisory_xact_lock(int8) v
void pg_advisory_xact_lock_shared(int4, int4) v
void pg_advisory_xact_lock_shared(int8) v
record pg_available_extensions() set: name name, default_version text, comment text
_int4 pg_blocking_pids(int4) v
bool pg_cancel_backend(int4) v
text pg_collation_actual_version(oid) v
bool pg_column_is_updatable(regclass, int2, bool)
timestamptz pg_conf_load_time()
pg_lsn pg_current_wal_lsn() v
xid8 pg_current_xact_id()
xid8 pg_current_xact_id_if_assigned()
text pg_database_collation_actual_version(oid) v
int8 pg_database_size(name) v
int8 pg_database_size(oid) v
text pg_describe_object(oid, oid, int4)
text pg_export_snapshot() v
text pg_get_constraintdef(oid)
text pg_get_constraintdef(oid, bool)
text pg_get_expr(pg_node_tree, oid)
text pg_get_expr(pg_node_tree, oid, bool)
text pg_get_function_arg_default(oid, int4)
text pg_get_function_arguments(oid)
text pg_get_function_identity_arguments(oid)
text pg_get_function_result(oid)
text pg_get_function_sqlbody(oid)
text pg_get_functiondef(oid)
text pg_get_indexdef(oid)
text pg_get_indexdef(oid, int4, bool)
record pg_get_keywords() set: word text, catcode char, barelabel bool, catdesc text, baredesc text
text pg_get_partition_constraintdef(oid)
text pg_get_partkeydef(oid)
regclass pg_get_replica_identity_index(regclass)
text pg_get_ruledef(oid)
text pg_get_ruledef(oid, bool)
text pg_get_serial_sequence(text, text)
text pg_get_statisticsobjdef(oid)
text pg_get_statisticsobjdef_columns(oid)
_text pg_get_statisticsobjdef_expressions(oid)
text pg_get_triggerdef(oid)
text pg_get_triggerdef(oid, bool)
name pg_get_userbyid(oid)
text pg_get_viewdef(oid)
text pg_get_viewdef(oid, bool)
text pg_get_viewdef(oid, int4)
text pg_get_viewdef(text)
text pg_get_viewdef(text, bool)
bool pg_has_role(name, name, text)
bool pg_has_role(name, oid, text)
bool pg_has_role(name, text)
bool pg_has_role(oid, name, text)
bool pg_has_role(oid, oid, text)
bool pg_has_role(oid, text)
record pg_identify_object(oid, oid, int4): type text, schema text, name text, identity text
int8 pg_indexes_size(regclass) v
bool pg_is_in_recovery() v
bool pg_is_other_temp_schema(oid)
bool pg_jit_available() v
pg_lsn pg_last_wal_replay_lsn() v
text pg_listening_channels() set
record pg_lock_status() v set: locktype text, database oid, relation oid, page int4, tuple int2, virtualxid text, transactionid xid, classid oid, objid oid, objsubid int2, virtualtransaction text, pid int4, mode text, granted bool, fastpath bool, waitstart timestamptz
oid pg_my_temp_schema()
float8 pg_notification_queue_usage() v
void pg_notify(text, text) v n
record pg_options_to_table(_text) set: option_name text, option_value text
regclass pg_partition_ancestors(regclass) v set: relid regclass
regclass pg_partition_root(regclass) i
record pg_partition_tree(regclass) v set: relid regclass, parentrelid regclass, isleaf bool, level int4
timestamptz pg_postmaster_start_time()
oid pg_relation_filenode(regclass)
text pg_relation_filepath(regclass)
bool pg_relation_is_publishable(regclass)
int4 pg_relation_is_updatable(regclass, bool)
int8 pg_relation_size(regclass) v
int8 pg_relation_size(regclass, text) v
bool pg_reload_conf() v
_int4 pg_safe_snapshot_blocking_pids(int4) v
int8 pg_sequence_last_value(regclass) v
record pg_sequence_parameters(oid): start_value int8, minimum_value int8, maximum_value int8, increment int8, cycle_option bool, cache_size int8, data_type oid
record pg_show_all_settings() set: name text, setting text, unit text, category text, short_desc text, extra_desc text, context text, vartype text, source text, min_val text, max_val text, enumvals _text, boot_val text, reset_val text, sourcefile text, sourceline int4, pending_restart bool
int8 pg_stat_get_dead_tuples(oid)
int8 pg_stat_get_live_tuples(oid)
int8 pg_stat_get_numscans(oid)
void pg_stat_reset() v n
int8 pg_table_size(regclass) v
oid pg_tablespace_databases(oid) set
text pg_tablespace_location(oid)
int8 pg_tablespace_size(name) v
int8 pg_tablespace_size(oid) v
bool pg_terminate_backend(int4, int8) v
record pg_timezone_abbrevs() set: abbrev text, utc_offset interval, is_dst bool
record pg_timezone_names() set: name text, abbrev text, utc_offset interval, is_dst bool
int8 pg_total_relation_size(regclass) v
int4 pg_trigger_depth()
bool pg_try_advisory_lock(int4, int4) v
bool pg_try_advisory_lock(int8) v
bool pg_try_advisory_lock_shared(int4, int4) v
bool pg_try_advisory_lock_shared(int8) v
bool pg_try_advisory_xact_lock(int4, int4) v
bool pg_try_advisory_xact_lock(int8) v
bool pg_try_advisory_xact_lock_shared(int4, int4) v
bool pg_try_advisory_xact_lock_shared(int8) v
bool row_security_active(oid)
bool row_security_active(text)
text shobj_description(oid, name)
text spanlite_txn_id() v
record spanlite_txn_outcome(text) v set: outcome text, committed_at timestamptz
int8 txid_current()
int8 txid_current_if_assigned()
`

// visibilitySignatures tell whether an object is found without its schema.
const visibilitySignatures = `
bool pg_collation_is_visible(oid)
bool pg_conversion_is_visible(oid)
bool pg_function_is_visible(oid)
bool pg_opclass_is_visible(oid)
bool pg_operator_is_visible(oid)
bool pg_opfamily_is_visible(oid)
bool pg_statistics_obj_is_visible(oid)
bool pg_table_is_visible(oid)
bool pg_ts_config_is_visible(oid)
bool pg_ts_dict_is_visible(oid)
bool pg_ts_parser_is_visible(oid)
bool pg_ts_template_is_visible(oid)
bool pg_type_is_visible(oid)
`
