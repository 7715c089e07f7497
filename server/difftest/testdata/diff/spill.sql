-- Joins, aggregates and sorts that do not fit into work_mem and go through temporary files.
set work_mem = '400kB';
create table big (id int primary key, k int, m int, s text);
insert into big select x, nullif(x % 5000, 17), x % 7, 'value ' || x % 3000 from generate_series(1, 20000) x;
create table other (id int primary key, k int, s text);
insert into other select x, nullif(x % 6000, 23), repeat('z', x % 30) from generate_series(1, 9000) x;
analyze big;
analyze other;
-- @each join = join | left join | right join | full join
select count(*), sum(b.id), sum(o.id), count(b.s), count(o.s) from big b {join} other o on b.k = o.k;
select count(*), sum(b.id), sum(o.id), max(o.s) from big b {join} other o on b.k = o.k and b.m = 3;
select b.id, o.id from big b {join} other o on b.k = o.k order by b.id, o.id offset 9000 limit 20;
select md5(string_agg(coalesce(x::text, '-') || coalesce(y::text, '-'), ',' order by x, y)) from (select b.id as x, o.id as y from big b {join} other o on b.k = o.k and length(o.s) < b.m) q;
select count(*) from big where k in (select k from other);
select count(*) from big where k not in (select k from other);
select count(*) from big where k not in (select k from other where k is not null);
select count(*) from big b where exists (select 1 from other o where o.k = b.k and o.id > b.id);
select count(*) from big b where not exists (select 1 from other o where o.k = b.k and o.id > b.id);
select count(*), sum(c), sum(m), min(s), max(s) from (select k, count(*) as c, max(id) as m, min(s) as s from big group by k) q;
select count(*), sum(c), sum(d) from (select s, k, count(*) as c, count(distinct m) as d from big group by s, k) q;
select count(*), md5(string_agg(a, '' order by k)) from (select k, string_agg(s, ',' order by id) as a from big group by k) q;
select count(*), sum(c), count(k), count(m) from (select k, m, count(*) as c from big group by cube (k, m)) q;
select count(*), sum(g), sum(c) from (select grouping(s, k) as g, count(*) filter (where m > 2) as c from big group by grouping sets ((s), (k), ())) q;
select k, count(*), sum(id) from big group by k having count(*) > 4 order by k desc nulls last limit 5;
select count(*) from (select distinct s, m from big) q;
select count(*) from (select s from big union select s from other) q;
select id, s from big order by s, id desc offset 10000 limit 3;
select count(*) from big a join big b on a.s = b.s join other o on o.id = b.id;
select count(*), sum(x) from (select b.id, sum(o.id) as x from big b left join other o using (k) group by b.id) q;
-- Parts that are divided again.
set work_mem = '64kB';
select count(*), sum(b.id), sum(o.id) from big b left join other o on b.k = o.k;
select count(*), sum(c) from (select k, count(*) as c from big group by k) q;
reset work_mem;
