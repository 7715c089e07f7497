drop table if exists jd_e
;;
insert into jd_e values (1,1)
;;
select 1/0
;;
update jd_a set name = $1 where id = $2
RETURNING "name"
;;
COMMIT
;;
select pg_sleep(12)
;;
select 1
;;
select $1::int2, $2::int4, $3::int8, $4::float8, $5::numeric, $6::text, $7::bool, $8::date, $9::timestamp, $10::timestamptz, $11::bytea, $12::uuid, $13::time, $14::text
;;
create table jd_a (id serial primary key, name varchar(30), at timestamptz default now())
;;
select g from generate_series(1, $1) g
;;
select string_agg(id::text, ',' order by id) from jd_t
;;
create table jd_t (id int primary key)
;;
SHOW TRANSACTION ISOLATION LEVEL
;;
show application_name
;;
BEGIN
;;
ROLLBACK TO SAVEPOINT JDBC_SAVEPOINT_0
;;
create table jd_e (id int constraint jd_e_pk primary key, v int not null)
;;
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ
;;
SET extra_float_digits = 3
;;
drop table if exists jd_b
;;
ROLLBACK TO SAVEPOINT "s p"
;;
drop table if exists jd_t
;;
drop table if exists jd_a
;;
SET application_name = 'holdout_jdbc'
;;
select g from generate_series(1,100) g
;;
select ('41'::int4)::int4 + 1, ('it''s \ é')::text, ('TRUE')::bool, ('1.50'::numeric)::numeric, ('2024-02-29 01:02:03+00'::timestamp)::timestamp
