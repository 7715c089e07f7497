sql
create table t (a int primary key, b text, c float8, d numeric(10,2), e bool)
----
CREATE TABLE

sql
insert into t values (1,'one',1.5,10.25,true),(2,'two',2.5,20.5,false),(3,'three',null,30,null),(4,null,4.5,null,true),(5,'five',-1,5.55,false)
----
INSERT 0 5

sql
select * from t order by a
----
1|one|1.5|10.25|t
2|two|2.5|20.50|f
3|three|NULL|30.00|NULL
4|NULL|4.5|NULL|t
5|five|-1|5.55|f

sql
select a, b from t where a = 3
----
3|three

sql
select a from t where a in (5, 1, 9, 1) order by a
----
1
5

sql
select a from t where a between 2 and 4 order by a desc
----
4
3
2

sql
select a+1 as x, upper(b) from t where c > 2 order by x
----
3|TWO
5|NULL

sql
select b from t where b is null
----
NULL

sql
select count(*), count(b), sum(a), avg(a), min(c), max(c), sum(d) from t
----
5|4|15|3.0000000000000000|-1|4.5|66.30

sql
select e, count(*) from t group by e order by e
----
f|2
t|2
NULL|1

sql
select e, sum(a) from t group by e having sum(a) > 4 order by 1
----
f|7
t|5

sql
select e, b from t group by e
----
ERROR 42803: column "t.b" must appear in the GROUP BY clause or be used in an aggregate function

sql
select x from t
----
ERROR 42703: column "x" does not exist

sql
select t2.a from t
----
ERROR 42P01: missing FROM-clause entry for table "t2"

sql
select a from nope
----
ERROR 42P01: relation "nope" does not exist

sql
select a, a from t t1, t t2
----
ERROR 42702: column reference "a" is ambiguous

sql
select distinct e from t order by e nulls first
----
NULL
f
t

sql
select distinct on (e) e, a from t order by e, a desc
----
f|5
t|4
NULL|3

sql
select a from t order by c desc nulls last, a limit 2 offset 1
----
2
1

sql
select a, case when a > 3 then 'big' when a > 1 then 'mid' else 'small' end from t order by 1
----
1|small
2|mid
3|mid
4|big
5|big

sql
select coalesce(b, 'none'), nullif(a, 2) from t order by a
----
one|1
two|NULL
three|3
none|4
five|5

sql
select * from (values (1,'a'),(2,'b')) v(x,y)
----
1|a
2|b

sql
select 1 as one, 'x' as str, null as nul, 1.5, true
----
1|x|NULL|1.5|t

sql
select a from t where a = any (array[1,3]) order by a
----
1
3

sql
select a from t where (a, b) = (1, 'one')
----
1

sql
select a from t where (a, e) in ((1, true), (2, true))
----
1

sql
select t.* from t where t.a < 2
----
1|one|1.5|10.25|t

sql
select t from t where a = 1
----
(1,one,1.5,10.25,t)

sql
select a from t where exists (select 1 from t u where u.a = t.a + 1) order by a
----
1
2
3
4

sql
select a, (select max(u.a) from t u where u.a < t.a) from t order by a
----
1|NULL
2|1
3|2
4|3
5|4

sql
select a from t where a not in (select a from t where e) order by a
----
2
3
5

sql
select a from t where a > all (select a from t where a < 4) order by a
----
4
5

sql
select a from t where a < any (select a from t where a < 4) order by a
----
1
2

sql
select array(select a from t order by a)
----
{1,2,3,4,5}

sql
select sum(a) filter (where e), count(*) filter (where not e) from t
----
5|2

sql
select string_agg(b, ',' order by a desc) from t
----
five,three,two,one

sql
select count(distinct e) from t
----
2

sql
select array_agg(a order by a desc) from t where a < 4
----
{3,2,1}

sql
select generate_series(1,3)
----
1
2
3

sql
select a, generate_series(1,a) from t where a < 3 order by 1,2
----
1|1
2|1
2|2

sql
select * from generate_series(1,5,2) g
----
1
3
5

sql
select * from generate_series(1,3) with ordinality as x(v, o)
----
1|1
2|2
3|3

sql
select a from t order by 2
----
ERROR 42P10: ORDER BY position 2 is not in select list

sql
select a from t order by b || 'x', a
----
5
1
3
2
4

sql
select a as b from t order by b
----
1
2
3
4
5

sql
select max(a) from t where a > 100
----
NULL

sql
select a from t limit 0
----

sql
select count(*) from t where false
----
0

sql
select a from t where a = 1 and a = 2
----

sql
select a from t fetch first 2 rows only
----
1
2

sql
select * from t where a = '3'
----
3|three|NULL|30.00|NULL

sql
select * from t where a = 'x'
----
ERROR 22P02: invalid input syntax for type integer: "x"

sql
select a/0 from t
----
ERROR 22012: division by zero

sql
select sum(b) from t
----
ERROR 42883: function sum(text) does not exist

sql
select foo(a) from t
----
ERROR 42883: function foo(integer) does not exist

sql
select a || b from t where a=1
----
1one

sql
select a from t where b like 't%' order by a
----
2
3

sql
select a from t where b ~ '^t' order by a
----
2
3

sql
select 1 where true union select 2 union all select 2 order by 1
----
1
2
2

sql
select a from t intersect select a+1 from t order by 1
----
2
3
4
5

sql
select a from t except select a+1 from t order by 1
----
1

sql
select e from t union all select null order by 1
----
f
f
t
t
NULL
NULL

sql
select 1 union select 'a'
----
ERROR 22P02: invalid input syntax for type integer: "a"

sql
select a from t union select b, c from t
----
ERROR 42601: each UNION query must have the same number of columns

sql
select a, b from t where a > 1 and b is not null order by b limit 2
----
5|five
3|three

sql
select min(a), max(a) from t
----
1|5

sql
select min(a) from t where a > 2
----
3

sql
select max(b) from t
----
two

sql
select 1 from t having count(*) > 3
----
1

sql
select a, sum(a) over (order by a) from t order by a
----
1|1
2|3
3|6
4|10
5|15

sql
select a, row_number() over (partition by e order by a) from t order by a
----
1|1
2|1
3|1
4|2
5|2

sql
select a, lag(a) over w, lead(a, 2, -1) over w from t window w as (order by a) order by a
----
1|NULL|3
2|1|4
3|2|5
4|3|-1
5|4|-1

sql
select a, rank() over (order by e), dense_rank() over (order by e) from t order by a
----
1|3|2
2|1|1
3|5|3
4|3|2
5|1|1

sql
select a, sum(a) over (order by a rows between 1 preceding and 1 following) from t order by a
----
1|3
2|6
3|9
4|12
5|9

sql
select a, first_value(b) over (order by a), last_value(b) over (order by a), nth_value(b, 2) over (order by a) from t order by a
----
1|one|one|NULL
2|one|two|two
3|one|three|two
4|one|NULL|two
5|one|five|two

sql
select a, count(*) over () from t order by a
----
1|5
2|5
3|5
4|5
5|5

sql
select ntile(2) over (order by a), percent_rank() over (order by a), cume_dist() over (order by a) from t order by a
----
1|0|0.2
1|0.25|0.4
1|0.5|0.6
2|0.75|0.8
2|1|1

sql
select e, sum(sum(a)) over (order by e) from t group by e order by e
----
f|7
t|12
NULL|15

sql
select a from t where sum(a) > 1
----
ERROR 42803: aggregate functions are not allowed in WHERE

sql
select sum(count(*)) from t
----
ERROR 42803: aggregate function calls cannot be nested

sql
with x as (select a, b from t where a < 3) select * from x order by a
----
1|one
2|two

sql
with x(n) as (select a from t) select sum(n) from x
----
15

sql
with recursive r(n) as (select 1 union all select n+1 from r where n < 5) select * from r
----
1
2
3
4
5

sql
with recursive r(n) as (select 1 union select (n % 3) + 1 from r) select * from r order by n
----
1
2
3

sql
with x as (select 1 as a), y as (select a + 1 as b from x) select * from x, y
----
1|2

sql
select e, b, count(*) from t group by grouping sets ((e), (b), ()) order by 1, 2, 3
----
f|NULL|2
t|NULL|2
NULL|five|1
NULL|one|1
NULL|three|1
NULL|two|1
NULL|NULL|1
NULL|NULL|1
NULL|NULL|5

sql
select e, grouping(e), count(*) from t group by rollup (e) order by 2, 1
----
f|0|2
t|0|2
NULL|0|1
NULL|1|5

sql
select e, a % 2, count(*) from t group by cube (e, a % 2) order by 1, 2, 3
----
f|0|1
f|1|1
f|NULL|2
t|0|1
t|1|1
t|NULL|2
NULL|0|2
NULL|1|1
NULL|1|3
NULL|NULL|1
NULL|NULL|5

sql
select a % 2 as m, count(*) from t group by m order by m
----
0|2
1|3

sql
select a % 2 as m, count(*) from t group by 1 order by 1
----
0|2
1|3

sql
select a + 1, count(*) from t group by a + 1 order by a + 1
----
2|1
3|1
4|1
5|1
6|1

sql
select a, b, c from t group by a order by a
----
1|one|1.5
2|two|2.5
3|three|NULL
4|NULL|4.5
5|five|-1

sql
select bool_and(e), bool_or(e), every(e) from t
----
f|t|f

sql
select stddev(a), variance(a), stddev_pop(a) from t
----
1.5811388300841897|2.5000000000000000|1.4142135623730950

sql
select a from t where not e order by a
----
2
5

sql
select a from t where e is not true order by a
----
2
3
5

sql
select a is distinct from 3 from t order by a
----
t
t
f
t
t

sql
select greatest(a, 3), least(a, 3) from t order by a
----
3|1
3|2
3|3
4|3
5|3

sql
select a::text || 'x', c::int, '12'::int from t order by a
----
1x|2|12
2x|2|12
3x|NULL|12
4x|4|12
5x|-1|12

sql
select a from t as tt(x) where x = 1
----
ERROR 42703: column "a" does not exist

sql
select x from t as tt(x) where x = 1
----
1

sql
select * from t, lateral (select t.a * 2 as dbl) l order by a
----
1|one|1.5|10.25|t|2
2|two|2.5|20.50|f|4
3|three|NULL|30.00|NULL|6
4|NULL|4.5|NULL|t|8
5|five|-1|5.55|f|10

sql
select * from (select a, b from t where a < 3) s order by a
----
1|one
2|two

sql
select s.a from (select a from t) s where s.a = 2
----
2

sql
select (select a from t)
----
ERROR 21000: more than one row returned by a subquery used as an expression

sql
select (select a from t where a = 77)
----
NULL

sql
select (select a, b from t where a = 1)
----
ERROR 42601: subquery must return only one column

sql
select row(1,'a') = row(1,'a')
----
t

sql
select exists(select 1 from t where a = 9), exists(select 1 from t)
----
f|t

sql
select 5 in (select a from t), 6 in (select a from t), null in (select a from t)
----
t|f|NULL

sql
select a from t where a in (select a from t where e) and exists (select 1) order by 1
----
1
4

sql
select all a from t order by a using >
----
5
4
3
2
1

sql
select * from t where a = 1 for update
----
1|one|1.5|10.25|t

sql
select a from t for update nowait
----
1
2
3
4
5

sql
select count(*) from t for update
----
ERROR 0A000: FOR UPDATE is not allowed with aggregate functions

sql
select unnest(array[1,2]), unnest(array['a','b','c'])
----
1|a
2|b
NULL|c

sql
select * from unnest(array[1,2], array['x','y']) u(a,b)
----
1|x
2|y

sql
select a from t tablesample bernoulli (100) order by a
----
1
2
3
4
5

sql
values (1,2),(3,4)
----
1|2
3|4

sql
values (1),(2) order by 1 desc limit 1
----
2

sql
table t
----
1|one|1.5|10.25|t
2|two|2.5|20.50|f
3|three|NULL|30.00|NULL
4|NULL|4.5|NULL|t
5|five|-1|5.55|f

