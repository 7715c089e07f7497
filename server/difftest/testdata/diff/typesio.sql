-- Input, output and casts of the remaining types.
-- @each b = 't' | 'true' | 'TRUE' | ' tru ' | 'y' | 'yes' | 'on' | '1' | 'f' | 'false' | 'n' | 'no' | 'of' | 'off' | '0' | 'o' | '' | '2' | 'truee' | 'nul'
select {b}::bool;
select {b}::text::bool;
-- @each u = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' | 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11' | '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}' | 'a0eebc999c0b4ef8bb6d6bb9bd380a11' | 'a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11' | '{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11' | 'a0eebc99' | 'g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' | '' | 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a111'
select {u}::uuid;
-- @each ip = '192.168.1.5' | '192.168.1.5/24' | '10/8' | '10.1' | '::1' | '2001:db8::/32' | '::ffff:1.2.3.4' | '256.1.1.1' | '1.2.3.4/33' | '' | 'abc' | '2001:4f8:3:ba:2e0:81ff:fe22:d1f1' | '1.2.3' | '1.2.3.4/0' | '192.168.0.0/16'
select {ip}::inet;
select {ip}::cidr;
select host({ip}::inet), text({ip}::inet), masklen({ip}::inet), family({ip}::inet), broadcast({ip}::inet), network({ip}::inet), netmask({ip}::inet), hostmask({ip}::inet), abbrev({ip}::inet), set_masklen({ip}::inet, 16), {ip}::inet::text, {ip}::inet << '192.168.0.0/16', {ip}::inet <<= '::/0', {ip}::inet && '192.168.1.0/24', {ip}::inet = '192.168.1.5', {ip}::inet < '100.0.0.0', {ip}::inet + 1;
select ~ '192.168.1.6'::inet, '192.168.1.6'::inet & '0.0.0.255', '192.168.1.6'::inet | '0.0.0.255', '192.168.1.43'::inet - '192.168.1.19', '10.0.0.1'::inet - 1, inet_same_family('1.2.3.4', '::1'), inet_merge('192.168.1.5/24', '192.168.2.5/24'), '10.1.2.3'::inet::cidr, abbrev('10.1.0.0/16'::cidr);
-- @each mac = '08:00:2b:01:02:03' | '08-00-2b-01-02-03' | '08002b:010203' | '0800.2b01.0203' | '08002b010203' | '08:00:2b:01:02' | 'xx'
select {mac}::macaddr;
-- @each bits = '' | '1' | '101' | '10101010' | '2' | 'x1F' | 'b101' | '1 0'
select {bits}::bit varying;
select {bits}::bit(3);
select {bits}::varbit(2);
select B'101' & B'011', B'101' | B'011', B'101' # B'011', ~ B'101', B'101' << 1, B'101' >> 1, B'101' || B'01', length(B'101'), octet_length(B'101'), bit_length(B'101'), position(B'01' in B'101'), substring(B'10110' from 2 for 3), overlay(B'1111' placing B'00' from 2), get_bit(B'101', 1), set_bit(B'101', 1, 1), bit_count(B'1011'), 5::bit(4), 5::bit(8)::int, (-1)::bit(4), B'101'::text, B'101' = B'101', B'1' < B'11', X'1F'::bit(8), B'101'::bit(5), 44::bit(10), cast(-44 as bit(12)), '1110'::bit(4)::int, B'1'::int8, X'FF'::int;
select B'101' & B'01';
select get_bit(B'101', 3);
create table bits (a bit(3), b varbit(5), c bit);
insert into bits values (B'101', B'11', B'1');
insert into bits values (B'10', B'11', B'1');
insert into bits values (B'101', B'111111', B'1');
select * from bits;
select bit_and(a), bit_or(a), bit_xor(a), max(b), count(distinct a) from bits;
select 1::money;
select '1'::xml;
select 'a'::tsvector;
select '(1,2)'::point;
-- @each reg = 'int4' | 'integer' | 'pg_catalog.int4' | 'nosuch' | '23' | 'pg_class' | '-' | 'varchar(10)' | 'int4[]' | '"Q"' | ''
select {reg}::regtype;
select {reg}::regclass;
select {reg}::regproc;
select {reg}::regnamespace;
select to_regtype({reg}), to_regclass({reg});
select 'pg_class'::regclass::oid = 1259, 1259::regclass, 23::regtype, 'int4'::regtype::oid, 0::regclass, 999999::regclass, 'pg_catalog'::regnamespace, 'lower(text)'::regprocedure, '+(int4,int4)'::regoperator, 'now'::regproc, 'root'::regrole;
select 'abs'::regproc;
select 'nosuch(int)'::regprocedure;
select pg_typeof(1::oid), 4294967295::oid, '-1'::oid, 1::oid = 1, 5::oid::int8, 5::oid::int4, 5::oid < 10;
select 4294967296::oid;
-- Every type to text and to itself.
-- @each val = 1::int2 | 1::int4 | 1::int8 | 1.5::float4 | 1.5::float8 | 1.50::numeric | true | 'x'::text | 'x'::varchar | 'x'::char(3) | 'x'::name | 'x'::"char" | '\x61'::bytea | '2001-01-01'::date | '01:02'::time | '01:02+03'::timetz | '2001-01-01'::timestamp | '2001-01-01'::timestamptz | '1 day'::interval | '[1]'::json | '[1]'::jsonb | 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid | '1.2.3.4'::inet | '1.0.0.0/8'::cidr | 1::oid | 'int4'::regtype | '{1}'::int[] | row(1,2) | null | 'unknown'
-- @each type = int2 | int4 | int8 | float4 | float8 | numeric | numeric(3,1) | bool | text | varchar(2) | char(2) | name | "char" | bytea | date | time | timetz | timestamp | timestamptz | interval | json | jsonb | uuid | inet | cidr | oid | regtype | int[] | text[]
select {val}::{type};
select pg_typeof({val}), {val} is null, {val}::text, to_json({val}), format('%s', {val}), array[{val}], row({val});
select coalesce({val}, {val}), {val} = {val}, {val} in ({val}), {val} < {val}, count({val}), count(distinct {val}), max({val}), min({val});
select {val} union select {val} order by 1;
create table assign (i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric(4,1), b bool, t text, v varchar(2), c char(2), nm name, d date, tm time, ts timestamp, tz timestamptz, iv interval, j json, jb jsonb, u uuid, by bytea, ia int[]);
-- @each col = i2 | i4 | i8 | f4 | f8 | n | b | t | v | c | nm | d | tm | ts | tz | iv | j | jb | u | by | ia
-- @each src = 1 | 1.5 | '1' | 'abc' | true | now()::date | '2001-01-01'::timestamp | 'abc'::text | '{1}'::int[] | 99999999999 | null | 1.5::float8 | '1 day'::interval | '[1]'::jsonb
insert into assign ({col}) values ({src}) returning {col} is null;
update assign set {col} = {src} where false;
