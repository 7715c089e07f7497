drop table if exists lq_lock
;;
drop table if exists lq_ct
;;
create table lq_crud (id serial primary key, name varchar(50) not null, note text, created timestamptz not null default now())
;;
select 42::int8, 1.5::float8, true, 'x y'::text, 12.340::numeric(8,3), '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid, '2024-02-29'::date::text, '{"a": 1}'::jsonb, '1 day 02:03:04'::interval, '\x00ff'::bytea, '2024-02-29 12:00:00+02'::timestamptz, '2024-02-29'::date
;;
select count(*), count(s), max(s) from lq_copy
;;
delete from lq_crud where id=$1
;;
savepoint b
;;
update lq_crud set note=$1 where id=$2
;;
drop table if exists lq_sp
;;
show transaction_read_only
;;
select current_setting('TimeZone'), ('2024-07-01 12:00:00+00'::timestamptz)::text
;;
select * from lq_nosuch
;;
select g, md5(g::text) from generate_series(1,$1::int) g
;;
insert into lq_conc values ($1,$2)
;;
drop table if exists lq_tx
;;
insert into lq_err (id) values (2)
;;
create table lq_ct (a int4, b varchar(20), c numeric(10,2), d timestamptz, e text[], f uuid, g jsonb)
;;
ROLLBACK
;;
create table lq_tx (id int primary key)
;;
set time zone 'America/New_York'
;;
select * from lq_ct
;;
insert into lq_sp values (1)
;;
select string_agg(id::text, ',' order by id) from lq_tx
;;
insert into lq_lock values (1)
;;
UNLISTEN "lq_events"
;;
drop table if exists lq_multi; create table lq_multi (i int primary key); insert into lq_multi values (1),(2); create index lq_multi_i on lq_multi (i desc)
