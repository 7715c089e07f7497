sql
create table e (id int primary key, dept text, sal numeric(10,2), hired date, mgr int, tags text[], j jsonb)
----
CREATE TABLE

sql
insert into e values (1,'eng',100.50,'2020-01-01',null,'{a,b}','{"k":1}'), (2,'eng',200,'2021-02-03',1,'{b}','{"k":2,"l":[1,2]}'), (3,'ops',150.25,'2019-05-06',1,'{}',null), (4,'ops',50,null,2,null,'[1,2,3]'), (5,null,75,'2022-12-31',3,'{c}','"s"')
----
INSERT 0 5

sql
create table w (a int, b int)
----
CREATE TABLE

sql
insert into w values (1,1),(1,2),(2,1),(2,2),(3,null),(null,null)
----
INSERT 0 6

sql
create table empty (x int, y text)
----
CREATE TABLE

sql
select dept, count(*), avg(sal), min(hired), max(hired) from e group by dept order by dept
----
eng|2|150.2500000000000000|2020-01-01|2021-02-03
ops|2|100.1250000000000000|2019-05-06|2019-05-06
NULL|1|75.0000000000000000|2022-12-31|2022-12-31

sql
select dept, string_agg(id::text, ',' order by sal desc) from e group by dept order by 1
----
eng|2,1
ops|3,4
NULL|5

sql
select dept, array_agg(id order by id) filter (where sal > 60) from e group by dept order by 1 nulls first
----
NULL|{5}
eng|{1,2}
ops|{3}

sql
select count(distinct dept), count(distinct sal), sum(distinct 1) from e
----
2|5|1

sql
select dept, percentile_cont(0.5) within group (order by sal) from e group by dept order by 1
----
eng|150.25
ops|100.125
NULL|75

sql
select mode() within group (order by dept) from e
----
eng

sql
select id, sal, rank() over (partition by dept order by sal desc) r from e order by dept, r
----
2|200.00|1
1|100.50|2
3|150.25|1
4|50.00|2
5|75.00|1

sql
select id, sum(sal) over w, avg(sal) over w from e window w as (partition by dept order by id) order by id
----
1|100.50|100.5000000000000000
2|300.50|150.2500000000000000
3|150.25|150.2500000000000000
4|200.25|100.1250000000000000
5|75.00|75.0000000000000000

sql
select id, sum(id) over (order by id rows between unbounded preceding and current row) s, count(*) over (order by id rows between 1 following and unbounded following) c from e order by id
----
1|1|4
2|3|3
3|6|2
4|10|1
5|15|0

sql
select id, sum(id) over (order by id groups between 1 preceding and 1 following) from e order by id
----
1|3
2|6
3|9
4|12
5|9

sql
select id, sum(id) over (order by id range between 1 preceding and 1 following) from e order by id
----
1|3
2|6
3|9
4|12
5|9

sql
select id, count(*) over (order by hired range between interval '1 year' preceding and current row) from e order by id
----
1|2
2|1
3|1
4|1
5|1

sql
select id, sum(id) over (order by id rows between 1 preceding and 1 following exclude current row) from e order by id
----
1|2
2|4
3|6
4|8
5|4

sql
select id, first_value(id) over (partition by dept order by sal desc), last_value(id) over (partition by dept order by sal desc rows between unbounded preceding and unbounded following) from e order by id
----
1|2|1
2|2|1
3|3|4
4|3|4
5|5|5

sql
select id, lag(sal, 1, 0) over (order by id) from e order by id
----
1|0
2|100.50
3|200.00
4|150.25
5|50.00

sql
select distinct on (dept) dept, id from e order by dept, sal
----
eng|1
ops|4
NULL|5

sql
select dept, id from e where (dept, id) > ('eng', 1) order by 1, 2
----
eng|2
ops|3
ops|4

sql
select e.id, m.id from e left join e m on e.mgr = m.id order by 1
----
1|NULL
2|1
3|1
4|2
5|3

sql
with recursive t(id, path) as (select id, array[id] from e where mgr is null union all select e.id, path || e.id from e join t on e.mgr = t.id) select * from t order by path
----
1|{1}
2|{1,2}
4|{1,2,4}
3|{1,3}
5|{1,3,5}

sql
with recursive t(n) as (values (1) union select n + 1 from t where n < 3) select sum(n) from t
----
6

sql
select * from e where tags @> array['b'] order by id
----
1|eng|100.50|2020-01-01|NULL|{a,b}|{"k": 1}
2|eng|200.00|2021-02-03|1|{b}|{"k": 2, "l": [1, 2]}

sql
select id, unnest(tags) from e order by 1, 2
----
1|a
1|b
2|b
5|c

sql
select id, j->'k', j->>'k' from e where j is not null order by id
----
1|1|1
2|2|2
4|NULL|NULL
5|NULL|NULL

sql
select id, t from e, unnest(tags) t order by 1, 2
----
1|a
1|b
2|b
5|c

sql
select id, x.* from e cross join lateral jsonb_array_elements(case when jsonb_typeof(j) = 'array' then j else '[]' end) x order by 1, 2
----
4|1
4|2
4|3

sql
select * from w order by a nulls first, b desc nulls last
----
NULL|NULL
1|2
1|1
2|2
2|1
3|NULL

sql
select a, b, count(*) from w group by a, b order by a, b
----
1|1|1
1|2|1
2|1|1
2|2|1
3|NULL|1
NULL|NULL|1

sql
select a, sum(b) from w group by a having sum(b) > 2 order by 1
----
1|3
2|3

sql
select w1.a, w2.a from w w1 join w w2 on w1.a = w2.b order by 1, 2
----
1|1
1|1
1|2
1|2
2|1
2|1
2|2
2|2

sql
select * from w w1 where exists (select 1 from w w2 where w2.a = w1.b and w2.b = w1.a) order by 1, 2
----
1|1
1|2
2|1
2|2

sql
select * from w w1 where a in (select b from w w2 where w2.a = w1.a) order by 1, 2
----
1|1
1|2
2|1
2|2

sql
select * from w w1 where not exists (select 1 from w w2 where w2.a > w1.a) order by 1, 2
----
3|NULL
NULL|NULL

sql
select a, (select count(*) from w w2 where w2.a = w1.a) from w w1 order by 1, 2
----
1|2
1|2
2|2
2|2
3|1
NULL|0

sql
select a, (select sum(b) from w w2 where w2.a = w1.a and w2.b > 1) from w w1 group by a order by 1
----
1|2
2|2
3|NULL
NULL|NULL

sql
select a from w group by a having count(*) > (select count(*) from w where a is null) order by 1
----
1
2

sql
select sum(b) from w group by a order by sum(b) nulls first
----
NULL
NULL
3
3

sql
select a + b as s from w group by a + b order by s
----
2
3
4
NULL

sql
select count(*), sum(x), max(y), array_agg(x) from empty
----
0|NULL|NULL|NULL

sql
select x, count(*) from empty group by x
----

sql
select max(x) from empty where x > 3
----
NULL

sql
select * from empty full join w on empty.x = w.a order by a, b
----
NULL|NULL|1|1
NULL|NULL|1|2
NULL|NULL|2|1
NULL|NULL|2|2
NULL|NULL|3|NULL
NULL|NULL|NULL|NULL

sql
select * from w left join empty on empty.x = w.a order by a, b
----
1|1|NULL|NULL
1|2|NULL|NULL
2|1|NULL|NULL
2|2|NULL|NULL
3|NULL|NULL|NULL
NULL|NULL|NULL|NULL

sql
select exists (select * from empty), (select x from empty), array(select x from empty)
----
f|NULL|{}

sql
select a from w where a = all (select x from empty) order by 1
----
1
1
2
2
3
NULL

sql
select a from w where a = any (select x from empty) order by 1
----

sql
select a from w where a not in (select x from empty) order by 1
----
1
1
2
2
3
NULL

sql
select a from w union select b from w order by 1
----
1
2
3
NULL

sql
select a from w union all select b from w order by 1
----
1
1
1
1
2
2
2
2
3
NULL
NULL
NULL

sql
select a from w intersect all select b from w order by 1
----
1
1
2
2
NULL

sql
select a from w except all select b from w order by 1
----
3

sql
select a, b from w except select b, a from w order by 1, 2
----
3|NULL

sql
(select a from w order by a limit 2) union all (select 99) order by 1 desc
----
99
1
1

sql
select * from (select a from w union select 5) s where a > 2 order by 1
----
3
5

sql
select a from w order by a limit 2 offset 1
----
1
2

sql
select a from w order by a fetch first 2 rows with ties
----
1
1

sql
select a, b from w where a between symmetric 2 and 1 order by 1, 2
----
1|1
1|2
2|1
2|2

sql
select case a when 1 then 'one' when 2 then 'two' else 'other' end, count(*) from w group by 1 order by 1
----
one|2
other|2
two|2

sql
select coalesce(a, -1) as k, count(*) filter (where b > 1) from w group by k order by k
----
-1|0
1|1
2|1
3|0

sql
select w.* from w where w = row(1, 2)
----
1|2

sql
select w from w order by 1
----
(1,1)
(1,2)
(2,1)
(2,2)
(3,)
(,)

sql
select (w).a from w order by 1
----
1
1
2
2
3
NULL

sql
select row_to_json(w) from w where a = 1 and b = 2
----
{"a":1,"b":2}

sql
select to_jsonb(s) from (select 1 as x, 'a' as y) s
----
{"x": 1, "y": "a"}

sql
select json_agg(a order by a, b) from w where a < 3
----
[1, 1, 2, 2]

sql
select count(*) from w a, w b, w c where a.a = b.a and b.b = c.b
----
16

sql
select * from w natural join (values (1, 'x'), (2, 'y')) v(a, name) order by 1, 2
----
1|1|x
1|2|x
2|1|y
2|2|y

sql
select v.a, v.b from (values (1, 'x'), (2, null)) v order by 1
----
ERROR 42703: column v.a does not exist

sql
select v.column1, column2 from (values (1, 'x'), (2, null)) v order by 1
----
1|x
2|NULL

sql
select * from (values (1, 2.5), (2, 3)) v(x, y) where y > 2.7
----
2|3

sql
select null union select null
----
NULL

sql
select 1 as a union select 2.5 order by a
----
1
2.5

sql
select 'a' as x union all select 'b' order by x
----
a
b

sql
select 1 where 1 in (1, null), 2
----
ERROR 42601: syntax error at or near ","

sql
select 1 where null
----

sql
select 1 limit null
----
1

sql
select 3 in (1, 2, null), 1 in (1, null), 3 not in (1, null)
----
NULL|t|NULL

sql
select 1 = any ('{1,2}'), 3 = all ('{3,3}')
----
t|t

sql
select (1, 2) < (1, 3), (1, null) = (1, 2), row(1, 2) is distinct from row(1, 2)
----
t|NULL|f

sql
select generate_series(1, 3) + 10
----
11
12
13

sql
select generate_series(1, 2), generate_series(1, 3)
----
1|1
2|2
NULL|3

sql
select * from generate_series(date '2020-01-01', date '2020-01-03', interval '1 day') d
----
2020-01-01 00:00:00+00
2020-01-02 00:00:00+00
2020-01-03 00:00:00+00

sql
select x from generate_series(1, 10) x where x % 3 = 0
----
3
6
9

sql
select count(*) from generate_series(1, 10000)
----
10000

sql
select sum(g) from generate_series(1, 1000) g where g > 500
----
375250

sql
select g % 7 as m, count(*), min(g), max(g) from generate_series(1, 5000) g group by m order by m
----
0|714|7|4998
1|715|1|4999
2|715|2|5000
3|714|3|4994
4|714|4|4995
5|714|5|4996
6|714|6|4997

sql
select g from generate_series(1, 5000) g order by g % 10, g desc limit 5
----
5000
4990
4980
4970
4960

sql
select count(*) from generate_series(1, 3000) a join generate_series(1, 3000) b on a = b
----
3000

sql
select count(*) from generate_series(1, 2000) a left join generate_series(1000, 3000) b on a = b where b is null
----
999

sql
select count(distinct g % 100) from generate_series(1, 3000) g
----
100

sql
select a, count(*) over (), sum(a) over (order by a) from generate_series(1, 5) a order by a
----
1|5|1
2|5|3
3|5|6
4|5|10
5|5|15

sql
select lead(g, 1000) over (order by g) from generate_series(1, 3000) g order by 1 desc nulls last limit 2
----
3000
2999

sql
select max(s) from (select sum(g) over (order by g rows between 10 preceding and current row) s from generate_series(1, 3000) g) x
----
32945

sql
select x.a from w x where x.a = (select y.a from w y where y.a = x.a limit 1) order by 1
----
1
1
2
2
3

sql
select (select (select a from w where a = 3))
----
3

sql
select (select max(b) from w w2 where w2.a = w1.a and exists (select 1 from w w3 where w3.b = w2.b and w3.a = w1.a)) from w w1 order by 1
----
2
2
2
2
NULL
NULL

sql
select a, lat.c from w, lateral (select count(*) c from w i where i.a <= w.a) lat order by 1, 2
----
1|2
1|2
2|4
2|4
3|5
NULL|0

sql
select a, l.b from w left join lateral (select i.b from w i where i.a = w.a order by i.b desc limit 1) l on l.b > 1 order by 1, 2
----
1|2
1|2
2|2
2|2
3|NULL
NULL|NULL

sql
select sum(sum(b)) over () from w group by a
----
6
6
6
6

sql
select rank() over (order by count(*) desc), a from w group by a order by 2
----
1|1
1|2
3|3
3|NULL

sql
select a from w where a > 1 and a < 3 or b = 1 order by 1
----
1
2
2

sql
select not true and false or true
----
t

sql
select nullif(a, 1), greatest(a, b), least(a, b) from w order by a, b
----
NULL|1|1
NULL|2|1
2|2|1
2|2|2
3|3|3
NULL|NULL|NULL

sql
update w set b = 10 where a = 1
----
UPDATE 2

sql
update w set (a, b) = (b, a) where a = 2
----
UPDATE 2

sql
select * from w order by 1, 2
----
1|2
1|10
1|10
2|2
3|NULL
NULL|NULL

sql
update w set b = s.c from (select a, count(*) c from w group by a) s where s.a = w.a
----
UPDATE 5

sql
select * from w order by 1, 2
----
1|3
1|3
1|3
2|1
3|1
NULL|NULL

sql
delete from w where a in (select a from w group by a having count(*) > 1)
----
DELETE 3

sql
select count(*) from w
----
3

sql
insert into w select g, g * 2 from generate_series(1, 3000) g
----
INSERT 0 3000

sql
select count(*), sum(a), sum(b) from w
----
3003|4501505|9003002

sql
update w set b = b + 1 where a % 2 = 0
----
UPDATE 1501

sql
delete from w where a % 3 = 0
----
DELETE 1001

sql
select count(*), sum(a), sum(b) from w
----
2002|3000002|6001002

sql
insert into w default values returning *
----
NULL|NULL
INSERT 0 1

sql
insert into w (b) values (1), (2) returning b, a
----
1|NULL
2|NULL
INSERT 0 2

sql
insert into w (a) select x from empty returning a
----
INSERT 0 0

sql
create table s (id int primary key, parent int references s (id), v int default 5 check (v > 0))
----
CREATE TABLE

sql
insert into s values (1, null), (2, 1), (3, 2)
----
INSERT 0 3

sql
insert into s values (4, 5), (5, 4)
----
INSERT 0 2

sql
insert into s values (6, 77)
----
ERROR 23503: insert or update on table "s" violates foreign key constraint "s_parent_fkey"
DETAIL: Key (parent)=(77) is not present in table "s".

sql
delete from s where id = 1
----
ERROR 23503: update or delete on table "s" violates foreign key constraint "s_parent_fkey" on table "s"
DETAIL: Key (id)=(1) is still referenced from table "s".

sql
delete from s where id in (4, 5)
----
DELETE 2

sql
delete from s
----
DELETE 3

sql
select count(*) from s
----
0

sql
create table k (a int, b int, c int, primary key (a, b), unique (c))
----
CREATE TABLE

sql
insert into k select i / 10, i % 10, i from generate_series(0, 99) i
----
INSERT 0 100

sql
select * from k where a = 3 and b in (1, 5, 99) order by b desc
----
3|5|35
3|1|31

sql
select * from k where a in (2, 4) and b = 7 order by a
----
2|7|27
4|7|47

sql
select * from k where a >= 8 and b < 2 order by a, b
----
8|0|80
8|1|81
9|0|90
9|1|91

sql
select a, max(b), min(c) from k group by a order by a limit 3
----
0|9|0
1|9|10
2|9|20

sql
select * from k where c = 55
----
5|5|55

sql
select * from k where c between 20 and 22 order by c desc
----
2|2|22
2|1|21
2|0|20

sql
select * from k where a > 5 order by a desc, b desc limit 3
----
9|9|99
9|8|98
9|7|97

sql
select count(*) from k where a = 3 or a = 5
----
20

sql
select k1.c, k2.c from k k1 join k k2 on k1.a = k2.b and k1.b = k2.a where k1.a = 1 order by 1
----
10|1
11|11
12|21
13|31
14|41
15|51
16|61
17|71
18|81
19|91

sql
update k set c = c + 1000 where a = 1
----
UPDATE 10

sql
update k set c = 5 where c = 6
----
ERROR 23505: duplicate key value violates unique constraint "k_c_key"
DETAIL: Key (c)=(5) already exists.

sql
update k set a = 100, b = b where a = 2 and b = 2
----
UPDATE 1

sql
select * from k where a = 100
----
100|2|22

sql
select * from k where c in (1010, 1019, 22) order by c
----
100|2|22
1|0|1010
1|9|1019

# spanlite only: uniqueness is judged by the outcome of the whole statement, where PostgreSQL
# fails or succeeds by the order in which it meets the rows.
sql
update k set b = b + 1 where a = 9
----
UPDATE 10

# spanlite only
sql
select count(*), min(b), max(b) from k where a = 9
----
10|1|10

sql
select a.id from e a where a.sal > (select avg(b.sal) from e b where b.dept = a.dept) order by 1
----
2
3

sql
select dept from e group by dept having every(sal > 60) order by 1
----
eng
NULL

sql
select dept, (array_agg(id order by sal))[1] from e group by dept order by 1
----
eng|1
ops|4
NULL|5

sql
select id, extract(year from hired) from e order by id
----
1|2020
2|2021
3|2019
4|NULL
5|2022

sql
select date_trunc('month', hired) m, count(*) from e group by m order by m
----
2019-05-01 00:00:00+00|1
2020-01-01 00:00:00+00|1
2021-02-01 00:00:00+00|1
2022-12-01 00:00:00+00|1
NULL|1

sql
select id from e order by sal desc offset 2 rows fetch next 2 rows only
----
1
5

sql
select to_char(sal, '999.99') from e order by id
----
 100.50
 200.00
 150.25
  50.00
  75.00

sql
select sal::int, sal::text, round(sal, 1) from e order by id
----
101|100.50|100.5
200|200.00|200.0
150|150.25|150.3
50|50.00|50.0
75|75.00|75.0

sql
select * from e where hired > '2020-06-01' order by id
----
2|eng|200.00|2021-02-03|1|{b}|{"k": 2, "l": [1, 2]}
5|NULL|75.00|2022-12-31|3|{c}|"s"

sql
select * from e where hired = any ('{2020-01-01,2019-05-06}'::date[]) order by id
----
1|eng|100.50|2020-01-01|NULL|{a,b}|{"k": 1}
3|ops|150.25|2019-05-06|1|{}|NULL

sql
select nosuch(1)
----
ERROR 42883: function nosuch(integer) does not exist

sql
select 1 + 'a'
----
ERROR 22P02: invalid input syntax for type integer: "a"

sql
select 'a' + 1
----
ERROR 22P02: invalid input syntax for type integer: "a"

sql
select a.b.c.d.e from w
----
ERROR 42601: improper qualified name (too many dotted names): a.b.c.d.e

sql
select w.zzz from w
----
ERROR 42703: column w.zzz does not exist

sql
select zzz.a from w
----
ERROR 42P01: missing FROM-clause entry for table "zzz"

sql
select sum(a), b from w
----
ERROR 42803: column "w.b" must appear in the GROUP BY clause or be used in an aggregate function

sql
select * from w where count(*) > 1
----
ERROR 42803: aggregate functions are not allowed in WHERE

sql
select * from w group by 1
----
ERROR 42803: column "w.b" must appear in the GROUP BY clause or be used in an aggregate function

sql
select a from w group by b
----
ERROR 42803: column "w.a" must appear in the GROUP BY clause or be used in an aggregate function

sql
select a as x from w where x = 1
----
ERROR 42703: column "x" does not exist

sql
select * from w order by 5
----
ERROR 42P10: ORDER BY position 5 is not in select list

sql
select distinct a from w order by b
----
ERROR 42P10: for SELECT DISTINCT, ORDER BY expressions must appear in select list

sql
select (select 1, 2)
----
ERROR 42601: subquery must return only one column

sql
select * from w join w on true
----
ERROR 42712: table name "w" specified more than once

sql
select a from w w1, w w2
----
ERROR 42702: column reference "a" is ambiguous

sql
select * from w limit -1
----
ERROR 2201W: LIMIT must not be negative

sql
select * from w limit 'x'
----
ERROR 22P02: invalid input syntax for type bigint: "x"

sql
insert into w values (1, 2, 3)
----
ERROR 42601: INSERT has more expressions than target columns

sql
insert into w (a, a) values (1, 2)
----
ERROR 42701: column "a" specified more than once

sql
insert into w (zz) values (1)
----
ERROR 42703: column "zz" of relation "w" does not exist

sql
insert into w (a, b) values (1)
----
ERROR 42601: INSERT has more target columns than expressions

sql
insert into w (a) values ('abc')
----
ERROR 22P02: invalid input syntax for type integer: "abc"

sql
insert into w (a) values (true)
----
ERROR 42804: column "a" is of type integer but expression is of type boolean

sql
update w set zz = 1
----
ERROR 42703: column "zz" of relation "w" does not exist

sql
update w set a = 1, a = 2
----
ERROR 42601: multiple assignments to same column "a"

sql
delete from nosuch
----
ERROR 42P01: relation "nosuch" does not exist

sql
select count(*) filter (where sum(a) > 1) from w
----
ERROR 42803: aggregate functions are not allowed in FILTER

sql
select sum(sum(a)) from w
----
ERROR 42803: aggregate function calls cannot be nested

sql
select row_number() from w
----
ERROR 42809: window function row_number requires an OVER clause

sql
select a from w where row_number() over () = 1
----
ERROR 42P20: window functions are not allowed in WHERE

sql
select avg(a) over (partition by sum(b)) from w group by a limit 0
----

sql
select * from (select a from w)
----
ERROR 42601: subquery in FROM must have an alias

sql
values (1, 2), (3)
----
ERROR 42601: VALUES lists must all be the same length

sql
select case when true then 1 else 'x' end
----
ERROR 22P02: invalid input syntax for type integer: "x"

sql
select array[1, 'x']
----
ERROR 22P02: invalid input syntax for type integer: "x"

sql
select coalesce(1, 'x')
----
ERROR 22P02: invalid input syntax for type integer: "x"

sql
select 1 union select 'x'
----
ERROR 22P02: invalid input syntax for type integer: "x"

sql
select 1, 2 union select 3
----
ERROR 42601: each UNION query must have the same number of columns

sql
select a from w intersect select 'x'
----
ERROR 22P02: invalid input syntax for type integer: "x"

sql
with x as (select 1), x as (select 2) select 1
----
ERROR 42712: WITH query name "x" specified more than once

sql
with x(a, b) as (select 1) select * from x
----
ERROR 42P10: WITH query "x" has 1 columns available but 2 columns specified

sql
select * from x
----
ERROR 42P01: relation "x" does not exist

sql
with recursive r as (select 1 from r) select * from r
----
ERROR 42P19: recursive query "r" does not have the form non-recursive-term UNION [ALL] recursive-term

sql
select 1 from w having a > 1
----
ERROR 42803: column "w.a" must appear in the GROUP BY clause or be used in an aggregate function

sql
select $$dollar$$ || e'\\n' is null
----
f

sql
select current_date = now()::date
----
t

sql
select 1.0 / 3, 7 / 2, 7 % 3, -7 / 2, 2 ^ 10
----
0.33333333333333333333|3|1|-3|1024

sql
select 9223372036854775807 + 1
----
ERROR 22003: bigint out of range

sql
select 2147483647 + 1
----
ERROR 22003: integer out of range

sql
select 1 / 0
----
ERROR 22012: division by zero

sql
select 'abc'::int
----
ERROR 22P02: invalid input syntax for type integer: "abc"

sql
select cast('2020-13-01' as date)
----
ERROR 22008: date/time field value out of range: "2020-13-01"

sql
select 1::bool, 't'::bool, 0::bool
----
t|t|f

sql
select '{1,2,3}'::int[] || 4, array_length(array[1,2], 1), (array[1,2,3])[2:3]
----
{1,2,3,4}|2|{2,3}

