sql
create table t (a int primary key, b text, c float8, d numeric(10,2), e bool)
----

sql
insert into t values (1,'one',1.5,10.25,true),(2,'two',2.5,20.5,false),(3,'three',null,30,null),(4,null,4.5,null,true),(5,'five',-1,5.55,false)
----

sql
select * from t order by a
----

sql
select a, b from t where a = 3
----

sql
select a from t where a in (5, 1, 9, 1) order by a
----

sql
select a from t where a between 2 and 4 order by a desc
----

sql
select a+1 as x, upper(b) from t where c > 2 order by x
----

sql
select b from t where b is null
----

sql
select count(*), count(b), sum(a), avg(a), min(c), max(c), sum(d) from t
----

sql
select e, count(*) from t group by e order by e
----

sql
select e, sum(a) from t group by e having sum(a) > 4 order by 1
----

sql
select e, b from t group by e
----

sql
select x from t
----

sql
select t2.a from t
----

sql
select a from nope
----

sql
select a, a from t t1, t t2
----

sql
select distinct e from t order by e nulls first
----

sql
select distinct on (e) e, a from t order by e, a desc
----

sql
select a from t order by c desc nulls last, a limit 2 offset 1
----

sql
select a, case when a > 3 then 'big' when a > 1 then 'mid' else 'small' end from t order by 1
----

sql
select coalesce(b, 'none'), nullif(a, 2) from t order by a
----

sql
select * from (values (1,'a'),(2,'b')) v(x,y)
----

sql
select 1 as one, 'x' as str, null as nul, 1.5, true
----

sql
select a from t where a = any (array[1,3]) order by a
----

sql
select a from t where (a, b) = (1, 'one')
----

sql
select a from t where (a, e) in ((1, true), (2, true))
----

sql
select t.* from t where t.a < 2
----

sql
select t from t where a = 1
----

sql
select a from t where exists (select 1 from t u where u.a = t.a + 1) order by a
----

sql
select a, (select max(u.a) from t u where u.a < t.a) from t order by a
----

sql
select a from t where a not in (select a from t where e) order by a
----

sql
select a from t where a > all (select a from t where a < 4) order by a
----

sql
select a from t where a < any (select a from t where a < 4) order by a
----

sql
select array(select a from t order by a)
----

sql
select sum(a) filter (where e), count(*) filter (where not e) from t
----

sql
select string_agg(b, ',' order by a desc) from t
----

sql
select count(distinct e) from t
----

sql
select array_agg(a order by a desc) from t where a < 4
----

sql
select generate_series(1,3)
----

sql
select a, generate_series(1,a) from t where a < 3 order by 1,2
----

sql
select * from generate_series(1,5,2) g
----

sql
select * from generate_series(1,3) with ordinality as x(v, o)
----

sql
select a from t order by 2
----

sql
select a from t order by b || 'x', a
----

sql
select a as b from t order by b
----

sql
select max(a) from t where a > 100
----

sql
select a from t limit 0
----

sql
select count(*) from t where false
----

sql
select a from t where a = 1 and a = 2
----

sql
select a from t fetch first 2 rows only
----

sql
select * from t where a = '3'
----

sql
select * from t where a = 'x'
----

sql
select a/0 from t
----

sql
select sum(b) from t
----

sql
select foo(a) from t
----

sql
select a || b from t where a=1
----

sql
select a from t where b like 't%' order by a
----

sql
select a from t where b ~ '^t' order by a
----

sql
select 1 where true union select 2 union all select 2 order by 1
----

sql
select a from t intersect select a+1 from t order by 1
----

sql
select a from t except select a+1 from t order by 1
----

sql
select e from t union all select null order by 1
----

sql
select 1 union select 'a'
----

sql
select a from t union select b, c from t
----

sql
select a, b from t where a > 1 and b is not null order by b limit 2
----

sql
select min(a), max(a) from t
----

sql
select min(a) from t where a > 2
----

sql
select max(b) from t
----

sql
select 1 from t having count(*) > 3
----

sql
select a, sum(a) over (order by a) from t order by a
----

sql
select a, row_number() over (partition by e order by a) from t order by a
----

sql
select a, lag(a) over w, lead(a, 2, -1) over w from t window w as (order by a) order by a
----

sql
select a, rank() over (order by e), dense_rank() over (order by e) from t order by a
----

sql
select a, sum(a) over (order by a rows between 1 preceding and 1 following) from t order by a
----

sql
select a, first_value(b) over (order by a), last_value(b) over (order by a), nth_value(b, 2) over (order by a) from t order by a
----

sql
select a, count(*) over () from t order by a
----

sql
select ntile(2) over (order by a), percent_rank() over (order by a), cume_dist() over (order by a) from t order by a
----

sql
select e, sum(sum(a)) over (order by e) from t group by e order by e
----

sql
select a from t where sum(a) > 1
----

sql
select sum(count(*)) from t
----

sql
with x as (select a, b from t where a < 3) select * from x order by a
----

sql
with x(n) as (select a from t) select sum(n) from x
----

sql
with recursive r(n) as (select 1 union all select n+1 from r where n < 5) select * from r
----

sql
with recursive r(n) as (select 1 union select (n % 3) + 1 from r) select * from r order by n
----

sql
with x as (select 1 as a), y as (select a + 1 as b from x) select * from x, y
----

sql
select e, b, count(*) from t group by grouping sets ((e), (b), ()) order by 1, 2, 3
----

sql
select e, grouping(e), count(*) from t group by rollup (e) order by 2, 1
----

sql
select e, a % 2, count(*) from t group by cube (e, a % 2) order by 1, 2, 3
----

sql
select a % 2 as m, count(*) from t group by m order by m
----

sql
select a % 2 as m, count(*) from t group by 1 order by 1
----

sql
select a + 1, count(*) from t group by a + 1 order by a + 1
----

sql
select a, b, c from t group by a order by a
----

sql
select bool_and(e), bool_or(e), every(e) from t
----

sql
select stddev(a), variance(a), stddev_pop(a) from t
----

sql
select a from t where not e order by a
----

sql
select a from t where e is not true order by a
----

sql
select a is distinct from 3 from t order by a
----

sql
select greatest(a, 3), least(a, 3) from t order by a
----

sql
select a::text || 'x', c::int, '12'::int from t order by a
----

sql
select a from t as tt(x) where x = 1
----

sql
select x from t as tt(x) where x = 1
----

sql
select * from t, lateral (select t.a * 2 as dbl) l order by a
----

sql
select * from (select a, b from t where a < 3) s order by a
----

sql
select s.a from (select a from t) s where s.a = 2
----

sql
select (select a from t)
----

sql
select (select a from t where a = 77)
----

sql
select (select a, b from t where a = 1)
----

sql
select row(1,'a') = row(1,'a')
----

sql
select exists(select 1 from t where a = 9), exists(select 1 from t)
----

sql
select 5 in (select a from t), 6 in (select a from t), null in (select a from t)
----

sql
select a from t where a in (select a from t where e) and exists (select 1) order by 1
----

sql
select all a from t order by a using >
----

sql
select * from t where a = 1 for update
----

sql
select a from t for update nowait
----

sql
select count(*) from t for update
----

sql
select unnest(array[1,2]), unnest(array['a','b','c'])
----

sql
select * from unnest(array[1,2], array['x','y']) u(a,b)
----

sql
select a from t tablesample bernoulli (100) order by a
----

sql
values (1,2),(3,4)
----

sql
values (1),(2) order by 1 desc limit 1
----

sql
table t
----
