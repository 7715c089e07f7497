sql
create table p (id int primary key, name text unique, n int not null default 7, check (n > 0))
----

sql
create table ch (id int primary key, pid int references p (id), note text)
----

sql
create table cas (id int primary key, pid int references p (id) on delete cascade on update cascade)
----

sql
create table sn (id int primary key, pid int references p (id) on delete set null)
----

sql
create table g (a int primary key, b int, c int generated always as (a + b) stored)
----

sql
insert into p (id, name) values (1, 'x'), (2, 'y') returning id, n
----

sql
insert into p values (3, 'z', 9)
----

sql
insert into p values (3, 'zz', 9)
----

sql
insert into p values (4, 'z', 9)
----

sql
insert into p values (5, 'q', null)
----

sql
insert into p values (5, 'q', 0)
----

sql
insert into p values (5, 'q', default) returning *
----

sql
insert into p (id, nope) values (1, 2)
----

sql
insert into p (id, name) values (6)
----

sql
insert into p (id) values (6, 7)
----

sql
insert into p values (6, 'six', 6), (6, 'siix', 6)
----

sql
insert into p (id, name) select id + 100, name || '!' from p where id < 3 returning id
----

sql
insert into p values (1, 'x', 1) on conflict do nothing
----

sql
insert into p values (1, 'x', 1) on conflict (id) do update set n = excluded.n + p.n returning id, n
----

sql
insert into p values (9, 'x', 1) on conflict (name) do update set n = 50 where p.n > 1000
----

sql
insert into p values (9, 'x', 1) on conflict (id) do nothing
----

sql
insert into p values (20, 'n20', 1), (20, 'n20', 2) on conflict (id) do nothing
----

sql
insert into p values (21, 'n21', 1), (21, 'n21b', 2) on conflict (id) do update set n = 5
----

sql
insert into p values (9, 'x', 1) on conflict (n) do nothing
----

sql
select * from p order by id
----

sql
update p set n = n + 1 where id = 1 returning *
----

sql
update p set n = n + 1 where id = 77
----

sql
update p set n = null where id = 1
----

sql
update p set n = -5 where id = 1
----

sql
update p set name = 'y' where id = 1
----

sql
update p set id = 30 where id = 20
----

sql
update p set id = id + 1000, name = name || '?' where id > 25 returning id, name
----

sql
update p set (n, name) = (99, 'nn') where id = 3
----

sql
update p set (n, name) = (select 98, 'nn2') where id = 3
----

sql
update p set n = default where id = 3 returning n
----

sql
update p set n = s.k from (values (2, 222), (3, 333)) s(id, k) where s.id = p.id returning p.id, n, s.k
----

sql
update p set nope = 1
----

sql
update p set n = 'abc'
----

sql
update p as q set n = 1000 where q.id = 5
----

sql
delete from p where id = 102 returning name
----

sql
insert into ch values (1, 1, 'c1'), (2, null, 'c2')
----

sql
insert into ch values (3, 888, 'bad')
----

sql
update ch set pid = 2 where id = 1
----

sql
update ch set pid = 999 where id = 1
----

sql
delete from p where id = 2
----

sql
update p set id = 555 where id = 2
----

sql
delete from ch
----

sql
delete from p where id = 2 returning id
----

sql
insert into cas values (1, 1), (2, 1), (3, 3)
----

sql
insert into sn values (1, 3)
----

sql
update p set id = 11 where id = 1
----

sql
select * from cas order by id
----

sql
delete from p where id = 11
----

sql
select * from cas order by id
----

sql
delete from p where id = 3
----

sql
select * from sn
----

sql
select * from cas
----

sql
insert into g (a, b) values (1, 2), (3, 4) returning *
----

sql
insert into g values (5, 6, 7)
----

sql
update g set b = 100 where a = 1 returning c
----

sql
update g set c = 1
----

sql
delete from g using (values (1)) v(x) where g.a = v.x returning g.a
----

sql
select * from g
----

sql
insert into g default values
----

sql
delete from g
----

sql
select count(*) from g
----

sql
with ins as (insert into g (a, b) values (10, 10), (11, 11) returning a) select sum(a) from ins
----

sql
with del as (delete from g where a = 10 returning *) insert into g (a, b) select a + 50, b from del
----

sql
select * from g order by a
----

sql
insert into g (a, b) values (1, 1) on conflict (a) do update set b = excluded.b returning a, b, c
----

sql
insert into g (a, b) values (1, 5) on conflict (a) do update set b = excluded.b returning a, b, c
----

sql
update g set a = a + 1
----

sql
select a from g order by a
----

sql
insert into p (id, name, n) values (1, 'a', 1), (2, 'b', 2) returning *
----

sql
insert into p (id, name) values (40, 'b')
----

sql
insert into p (id, id) values (40, 41)
----

sql
update p set n = 1, n = 2
----
