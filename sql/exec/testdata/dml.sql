sql
create table p (id int primary key, name text unique, n int not null default 7, check (n > 0))
----
CREATE TABLE

sql
create table ch (id int primary key, pid int references p (id), note text)
----
CREATE TABLE

sql
create table cas (id int primary key, pid int references p (id) on delete cascade on update cascade)
----
CREATE TABLE

sql
create table sn (id int primary key, pid int references p (id) on delete set null)
----
CREATE TABLE

sql
create table g (a int primary key, b int, c int generated always as (a + b) stored)
----
CREATE TABLE

sql
insert into p (id, name) values (1, 'x'), (2, 'y') returning id, n
----
1|7
2|7
INSERT 0 2

sql
insert into p values (3, 'z', 9)
----
INSERT 0 1

sql
insert into p values (3, 'zz', 9)
----
ERROR 23505: duplicate key value violates unique constraint "p_pkey"
DETAIL: Key (id)=(3) already exists.

sql
insert into p values (4, 'z', 9)
----
ERROR 23505: duplicate key value violates unique constraint "p_name_key"
DETAIL: Key (name)=(z) already exists.

sql
insert into p values (5, 'q', null)
----
ERROR 23502: null value in column "n" of relation "p" violates not-null constraint
DETAIL: Failing row contains (5, q, null).

sql
insert into p values (5, 'q', 0)
----
ERROR 23514: new row for relation "p" violates check constraint "p_n_check"
DETAIL: Failing row contains (5, q, 0).

sql
insert into p values (5, 'q', default) returning *
----
5|q|7
INSERT 0 1

sql
insert into p (id, nope) values (1, 2)
----
ERROR 42703: column "nope" of relation "p" does not exist

sql
insert into p (id, name) values (6)
----
ERROR 42601: INSERT has more target columns than expressions

sql
insert into p (id) values (6, 7)
----
ERROR 42601: INSERT has more expressions than target columns

sql
insert into p values (6, 'six', 6), (6, 'siix', 6)
----
ERROR 23505: duplicate key value violates unique constraint "p_pkey"
DETAIL: Key (id)=(6) already exists.

sql
insert into p (id, name) select id + 100, name || '!' from p where id < 3 returning id
----
101
102
INSERT 0 2

sql
insert into p values (1, 'x', 1) on conflict do nothing
----
INSERT 0 0

sql
insert into p values (1, 'x', 1) on conflict (id) do update set n = excluded.n + p.n returning id, n
----
1|8
INSERT 0 1

sql
insert into p values (9, 'x', 1) on conflict (name) do update set n = 50 where p.n > 1000
----
INSERT 0 0

sql
insert into p values (9, 'x', 1) on conflict (id) do nothing
----
ERROR 23505: duplicate key value violates unique constraint "p_name_key"
DETAIL: Key (name)=(x) already exists.

sql
insert into p values (20, 'n20', 1), (20, 'n20', 2) on conflict (id) do nothing
----
INSERT 0 1

sql
insert into p values (21, 'n21', 1), (21, 'n21b', 2) on conflict (id) do update set n = 5
----
ERROR 21000: ON CONFLICT DO UPDATE command cannot affect row a second time

sql
insert into p values (9, 'x', 1) on conflict (n) do nothing
----
ERROR 42P10: there is no unique or exclusion constraint matching the ON CONFLICT specification

sql
select * from p order by id
----
1|x|8
2|y|7
3|z|9
5|q|7
20|n20|1
101|x!|7
102|y!|7

sql
update p set n = n + 1 where id = 1 returning *
----
1|x|9
UPDATE 1

sql
update p set n = n + 1 where id = 77
----
UPDATE 0

sql
update p set n = null where id = 1
----
ERROR 23502: null value in column "n" of relation "p" violates not-null constraint
DETAIL: Failing row contains (1, x, null).

sql
update p set n = -5 where id = 1
----
ERROR 23514: new row for relation "p" violates check constraint "p_n_check"
DETAIL: Failing row contains (1, x, -5).

sql
update p set name = 'y' where id = 1
----
ERROR 23505: duplicate key value violates unique constraint "p_name_key"
DETAIL: Key (name)=(y) already exists.

sql
update p set id = 30 where id = 20
----
UPDATE 1

sql
with u as (update p set id = id + 1000, name = name || '?' where id > 25 returning id, name) select * from u order by id
----
1030|n20?
1101|x!?
1102|y!?

sql
update p set (n, name) = (99, 'nn') where id = 3
----
UPDATE 1

sql
update p set (n, name) = (select 98, 'nn2') where id = 3
----
UPDATE 1

sql
update p set n = default where id = 3 returning n
----
7
UPDATE 1

sql
update p set n = s.k from (values (2, 222), (3, 333)) s(id, k) where s.id = p.id returning p.id, n, s.k
----
2|222|222
3|333|333
UPDATE 2

sql
update p set nope = 1
----
ERROR 42703: column "nope" of relation "p" does not exist

sql
update p set n = 'abc'
----
ERROR 22P02: invalid input syntax for type integer: "abc"

sql
update p as q set n = 1000 where q.id = 5
----
UPDATE 1

sql
delete from p where id = 102 returning name
----
DELETE 0

sql
insert into ch values (1, 1, 'c1'), (2, null, 'c2')
----
INSERT 0 2

sql
insert into ch values (3, 888, 'bad')
----
ERROR 23503: insert or update on table "ch" violates foreign key constraint "ch_pid_fkey"
DETAIL: Key (pid)=(888) is not present in table "p".

sql
update ch set pid = 2 where id = 1
----
UPDATE 1

sql
update ch set pid = 999 where id = 1
----
ERROR 23503: insert or update on table "ch" violates foreign key constraint "ch_pid_fkey"
DETAIL: Key (pid)=(999) is not present in table "p".

sql
delete from p where id = 2
----
ERROR 23503: update or delete on table "p" violates foreign key constraint "ch_pid_fkey" on table "ch"
DETAIL: Key (id)=(2) is still referenced from table "ch".

sql
update p set id = 555 where id = 2
----
ERROR 23503: update or delete on table "p" violates foreign key constraint "ch_pid_fkey" on table "ch"
DETAIL: Key (id)=(2) is still referenced from table "ch".

sql
delete from ch
----
DELETE 2

sql
delete from p where id = 2 returning id
----
2
DELETE 1

sql
insert into cas values (1, 1), (2, 1), (3, 3)
----
INSERT 0 3

sql
insert into sn values (1, 3)
----
INSERT 0 1

sql
update p set id = 11 where id = 1
----
UPDATE 1

sql
select * from cas order by id
----
1|11
2|11
3|3

sql
delete from p where id = 11
----
DELETE 1

sql
select * from cas order by id
----
3|3

sql
delete from p where id = 3
----
DELETE 1

sql
select * from sn
----
1|NULL

sql
select * from cas
----

sql
insert into g (a, b) values (1, 2), (3, 4) returning *
----
1|2|3
3|4|7
INSERT 0 2

sql
insert into g values (5, 6, 7)
----
ERROR 428C9: cannot insert a non-DEFAULT value into column "c"
DETAIL: Column "c" is a generated column.

sql
update g set b = 100 where a = 1 returning c
----
101
UPDATE 1

sql
update g set c = 1
----
ERROR 428C9: column "c" can only be updated to DEFAULT
DETAIL: Column "c" is a generated column.

sql
delete from g using (values (1)) v(x) where g.a = v.x returning g.a
----
1
DELETE 1

sql
select * from g
----
3|4|7

sql
insert into g default values
----
ERROR 23502: null value in column "a" of relation "g" violates not-null constraint
DETAIL: Failing row contains (null, null, null).

sql
delete from g
----
DELETE 1

sql
select count(*) from g
----
0

sql
with ins as (insert into g (a, b) values (10, 10), (11, 11) returning a) select sum(a) from ins
----
21

sql
with del as (delete from g where a = 10 returning *) insert into g (a, b) select a + 50, b from del
----
INSERT 0 1

sql
select * from g order by a
----
11|11|22
60|10|70

sql
insert into g (a, b) values (1, 1) on conflict (a) do update set b = excluded.b returning a, b, c
----
1|1|2
INSERT 0 1

sql
insert into g (a, b) values (1, 5) on conflict (a) do update set b = excluded.b returning a, b, c
----
1|5|6
INSERT 0 1

sql
update g set a = a + 1
----
UPDATE 3

sql
select a from g order by a
----
2
12
61

sql
insert into p (id, name, n) values (1, 'a', 1), (2, 'b', 2) returning *
----
1|a|1
2|b|2
INSERT 0 2

sql
insert into p (id, name) values (40, 'b')
----
ERROR 23505: duplicate key value violates unique constraint "p_name_key"
DETAIL: Key (name)=(b) already exists.

sql
insert into p (id, id) values (40, 41)
----
ERROR 42701: column "id" specified more than once

sql
update p set n = 1, n = 2
----
ERROR 42601: multiple assignments to same column "n"

