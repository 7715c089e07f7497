sql
create table a (id int primary key, x int, name text)
----
CREATE TABLE

sql
create table b (id int primary key, aid int, v numeric)
----
CREATE TABLE

sql
create index b_aid on b (aid)
----
CREATE INDEX

sql
create table c (k1 int, k2 int, w text, primary key (k1, k2))
----
CREATE TABLE

sql
insert into a values (1,10,'a1'),(2,20,'a2'),(3,30,'a3'),(4,null,'a4')
----
INSERT 0 4

sql
insert into b values (1,1,1.1),(2,1,2.2),(3,2,3.3),(4,9,4.4),(5,null,5.5)
----
INSERT 0 5

sql
insert into c values (1,1,'c11'),(1,2,'c12'),(2,1,'c21'),(5,5,'c55')
----
INSERT 0 4

sql
select a.id, b.id from a join b on a.id = b.aid order by 1, 2
----
1|1
1|2
2|3

sql
select a.id, b.id from a left join b on a.id = b.aid order by 1, 2
----
1|1
1|2
2|3
3|NULL
4|NULL

sql
select a.id, b.id from a right join b on a.id = b.aid order by 1, 2
----
1|1
1|2
2|3
NULL|4
NULL|5

sql
select a.id, b.id from a full join b on a.id = b.aid order by 1, 2
----
1|1
1|2
2|3
3|NULL
4|NULL
NULL|4
NULL|5

sql
select a.id, b.id from a cross join b where a.id = 1 order by 1, 2
----
1|1
1|2
1|3
1|4
1|5

sql
select a.id, b.id from a, b where a.id = b.aid and b.v > 2 order by 1, 2
----
1|2
2|3

sql
select * from a join b using (id) order by id
----
1|10|a1|1|1.1
2|20|a2|1|2.2
3|30|a3|2|3.3
4|NULL|a4|9|4.4

sql
select * from a natural join b order by id
----
1|10|a1|1|1.1
2|20|a2|1|2.2
3|30|a3|2|3.3
4|NULL|a4|9|4.4

sql
select * from a natural left join b order by id
----
1|10|a1|1|1.1
2|20|a2|1|2.2
3|30|a3|2|3.3
4|NULL|a4|9|4.4

sql
select id from a join b using (id) order by 1
----
1
2
3
4

sql
select a.id, b.id from a full join b using (id) order by 1, 2
----
1|1
2|2
3|3
4|4
NULL|5

sql
select id from a full join b using (id) order by 1
----
1
2
3
4
5

sql
select id from a, b
----
ERROR 42702: column reference "id" is ambiguous

sql
select a.id, b.id, c.w from a join b on a.id = b.aid join c on c.k1 = a.id order by 1, 2, 3
----
1|1|c11
1|1|c12
1|2|c11
1|2|c12
2|3|c21

sql
select a.id, b.id, c.w from a left join b on a.id = b.aid left join c on c.k1 = b.id and c.k2 = 1 order by 1, 2, 3
----
1|1|c11
1|2|c21
2|3|NULL
3|NULL|NULL
4|NULL|NULL

sql
select a.id, b.v from a left join b on a.id = b.aid and b.v > 2 order by 1, 2
----
1|2.2
2|3.3
3|NULL
4|NULL

sql
select a.id from a left join b on a.id = b.aid where b.id is null order by 1
----
3
4

sql
select a.id, b.id from a join b on a.id < b.aid order by 1, 2
----
1|3
1|4
2|4
3|4
4|4

sql
select a.id, b.id from a full join b on a.id = b.aid and a.x > 10 order by 1, 2
----
1|NULL
2|3
3|NULL
4|NULL
NULL|1
NULL|2
NULL|4
NULL|5

sql
select a.id, count(b.id), sum(b.v) from a left join b on b.aid = a.id group by a.id order by 1
----
1|2|3.3
2|1|3.3
3|0|NULL
4|0|NULL

sql
select name, (select sum(v) from b where b.aid = a.id) from a order by 1
----
a1|3.3
a2|3.3
a3|NULL
a4|NULL

sql
select name, (select count(*) from b where b.aid = a.id) from a order by 1
----
a1|2
a2|1
a3|0
a4|0

sql
select name from a where exists (select 1 from b where b.aid = a.id) order by 1
----
a1
a2

sql
select name from a where not exists (select 1 from b where b.aid = a.id) order by 1
----
a3
a4

sql
select name from a where id in (select aid from b) order by 1
----
a1
a2

sql
select name from a where id not in (select aid from b where aid is not null) order by 1
----
a3
a4

sql
select name from a where id not in (select aid from b) order by 1
----

sql
select name from a where id in (select aid from b where b.v < a.x) order by 1
----
a1
a2

sql
select name from a where exists (select 1 from b where b.aid = a.id and b.v > 2) or a.id = 3 order by 1
----
a1
a2
a3

sql
select a.id, l.m from a left join lateral (select max(v) as m from b where b.aid = a.id) l on true order by 1
----
1|2.2
2|3.3
3|NULL
4|NULL

sql
select a.id, l.id from a cross join lateral (select id from b where b.aid = a.id order by v desc limit 1) l order by 1
----
1|2
2|3

sql
select a.id, g from a, generate_series(1, a.id) g where a.id < 3 order by 1, 2
----
1|1
2|1
2|2

sql
select x.id, y.id from a x join a y on x.id = y.id + 1 order by 1
----
2|1
3|2
4|3

sql
select c.w from c where k1 = 1 order by k2
----
c11
c12

sql
select c.w from c where k1 = 1 and k2 > 1
----
c12

sql
select c.w from c where (k1, k2) in ((1,2),(5,5),(7,7)) order by 1
----
c12
c55

sql
select c.w from c order by k1 desc, k2 desc
----
c55
c21
c12
c11

sql
select c.w from c where k1 = 1 order by k2 desc limit 1
----
c12

sql
select b.id from b where aid = 1 order by id
----
1
2

sql
select b.id from b where aid is null
----
5

sql
select b.id from b where aid in (1, 2) order by aid desc, id
----
3
1
2

sql
select count(*) from a, b, c
----
80

sql
select a.id from a join b on a.id = b.id join c on b.id = c.k1 and c.k2 = b.id order by 1
----
1

sql
select a.id, b.id from a join b on a.id = b.aid where a.id = 1 order by 2
----
1|1
1|2

sql
select a.id, s.cnt from a join (select aid, count(*) as cnt from b group by aid) s on s.aid = a.id order by 1
----
1|2
2|1

sql
select * from a join b on true and a.id = b.id and a.x is not null order by 1
----
1|10|a1|1|1|1.1
2|20|a2|2|1|2.2
3|30|a3|3|2|3.3

sql
select * from (a join b on a.id = b.aid) j order by 1, 4
----
1|10|a1|1|1|1.1
1|10|a1|2|1|2.2
2|20|a2|3|2|3.3

sql
select a.* from a join b on a.id = b.aid where b.v = (select max(v) from b b2 where b2.aid = a.id) order by 1
----
1|10|a1
2|20|a2

sql
select a.id from a where a.id = (select max(aid) from b where aid < 3)
----
2

sql
select a.id, (select b.v from b where b.aid = a.id order by b.v limit 1) as v from a order by 1
----
1|1.1
2|3.3
3|NULL
4|NULL

sql
select count(*) from a where (select count(*) from b where b.aid = a.id) > 0
----
2

sql
select a.id, b.id from a join b on b.aid = a.id or b.id = a.id order by 1, 2
----
1|1
1|2
2|2
2|3
3|3
4|4

sql
select distinct a.name from a join b on b.aid = a.id order by 1
----
a1
a2

sql
select sum(v) from b where aid in (select id from a where x >= 10)
----
6.6

sql
select a.id from a join b on a.id = b.nope
----
ERROR 42703: column b.nope does not exist

sql
select a.id from a join a on true
----
ERROR 42712: table name "a" specified more than once

sql
select a.id from a, lateral (select b.id from b where b.aid = a.id) z where z.id > 1
----
1
2

sql
select b.id, a.id from a left join b on b.aid = a.id and a.x = 20 order by 2, 1
----
NULL|1
3|2
NULL|3
NULL|4

sql
select a.id, b.id from a left join (select * from b where v > 3) b on b.aid = a.id order by 1
----
1|NULL
2|3
3|NULL
4|NULL

sql
select coalesce(a.id, b.id) from a full outer join b on a.id = b.id order by 1
----
1
2
3
4
5

sql
select a.name, b.v, rank() over (partition by a.id order by b.v desc) from a join b on a.id = b.aid order by 1, 2
----
a1|1.1|2
a1|2.2|1
a2|3.3|1

sql
select a.id from a where a.id > all (select aid from b where aid < 3) order by 1
----
3
4

sql
select a.id, exists (select 1 from b where b.aid = a.id) from a order by 1
----
1|t
2|t
3|f
4|f

sql
select a.id, a.id in (select aid from b) from a order by 1
----
1|t
2|t
3|NULL
4|NULL

sql
with x as (select aid, sum(v) s from b group by aid) select a.name, x.s from a join x on x.aid = a.id order by 1
----
a1|3.3
a2|3.3

sql
with x as (select * from b) select x1.id from x x1 join x x2 on x1.id = x2.aid order by 1
----
1
1
2

