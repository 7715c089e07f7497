select * from np_t where id = $1 and b = $2 and t = $3
;;
select 1::int2 a, 2::int4 b, 3::int8 c, 1.5::float8 d, 1.50::numeric e, true f, 'x'::text g, '{"k":[1]}'::jsonb h, '\x00ff'::bytea i, null::text j, '2024-02-29 10:00:00+00'::timestamptz k, array[1,2] l, array['a,b','c'] m, '1 day 2 hours'::interval n, '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid o
;;
select $1::int + 1 as x
;;
select 3 as x
;;
BEGIN
;;
BEGIN ISOLATION LEVEL SERIALIZABLE
;;
select pg_notify($1,$2)
;;
insert into np_e (id) values (2)
;;
copy np_c2 from stdin
;;
ROLLBACK TO SAVEPOINT a
;;
select * from np_nosuch
;;
select g from generate_series(1,$1::int) g
;;
insert into np_e values (1,1)
;;
create table np_c (id int primary key, s text)
;;
drop table if exists np_e
;;
select g from generate_series(1,10000) g
;;
copy np_c from stdin with (format csv)
;;
select pg_cancel_backend($1) x
;;
select $1::int * 2 as x
;;
insert into np_tx values (1)
;;
select * from np_tx
;;
select current_setting('application_name') a, current_setting('statement_timeout') t
;;
SAVEPOINT a
;;
create temp table np_m (i int); insert into np_m values (1),(2); select * from np_m
;;
COMMIT
;;
create table np_t (id int primary key, b bool, j jsonb, a int[], t timestamptz, raw bytea, s text, n numeric)
