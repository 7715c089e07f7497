package pgwire_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlite/spanlite"
)

// panics counts the panics that sessions have recovered from, by their log entries.
type panics struct{ n atomic.Int64 }

func (p *panics) Enabled(context.Context, slog.Level) bool { return true }
func (p *panics) WithAttrs([]slog.Attr) slog.Handler       { return p }
func (p *panics) WithGroup(string) slog.Handler            { return p }
func (p *panics) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "panic") {
		p.n.Add(1)
	}
	return nil
}

// startNode starts a node whose panics are counted.
func startNode(tb testing.TB) (*spanlite.Server, *panics) {
	p := &panics{}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	srv, err := spanlite.Start(ctx, spanlite.Options{NoSocket: true, Logger: slog.New(p)})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, srv.Close()) })
	_, err = srv.DB().ExecContext(ctx, "create table t (id int primary key, v text)")
	require.NoError(tb, err)
	return srv, p
}

// message frames a message of the protocol.
func message(kind byte, body ...string) string {
	text := strings.Join(body, "")
	return string(kind) + string(binary.BigEndian.AppendUint32(nil, uint32(len(text)+4))) + text
}

func int16s(values ...int16) string {
	var b []byte
	for _, v := range values {
		b = binary.BigEndian.AppendUint16(b, uint16(v))
	}
	return string(b)
}

func int32s(values ...int32) string {
	var b []byte
	for _, v := range values {
		b = binary.BigEndian.AppendUint32(b, uint32(v))
	}
	return string(b)
}

var startupMessage = func() string {
	body := int32s(196608) + "user\x00root\x00database\x00defaultdb\x00\x00"
	return int32s(int32(len(body)+4)) + body
}()

// streamTimeout is how long a server may take over one stream of garbage.
const streamTimeout = 20 * time.Second

// converse sends a stream after a valid start-up, ends it, and reads all that the
// server has to say. It fails if the server does not come to an end.
func converse(tb testing.TB, srv *spanlite.Server, stream string, patience time.Duration) string {
	nc, err := srv.Dial()
	require.NoError(tb, err)
	defer nc.Close()
	require.NoError(tb, nc.SetDeadline(time.Now().Add(streamTimeout)))
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		// What the server does not read any more is lost, as it should be. The short
		// time-out of statements keeps an accidental sleep or a cross join short.
		io.WriteString(nc, startupMessage+message('Q', "set statement_timeout = 2000\x00")+stream+message('S')+message('X'))
		// A stream that ends inside of a message keeps the server waiting for the
		// rest of it: the client loses patience and goes away.
		nc.SetReadDeadline(time.Now().Add(patience))
	}()
	answer, err := io.ReadAll(nc)
	nc.Close()
	<-sent
	var netErr net.Error
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !(errors.As(err, &netErr) && netErr.Timeout()) && !errors.Is(err, io.ErrClosedPipe) && !errors.Is(err, io.ErrUnexpectedEOF) {
		tb.Logf("reading: %v", err)
	}
	return string(answer)
}

// streams are well-formed and ill-formed conversations that fuzzing starts from.
var streams = []string{
	message('Q', "select 1\x00"),
	message('Q', "select 1"),
	message('Q', "\x00"),
	message('Q'),
	message('Q', "select '\xff\xfe'\x00"),
	message('Q', "select 1\x00 select 2\x00"),
	message('P', "s\x00select $1::int\x00", int16s(0)) + message('B', "\x00s\x00", int16s(0, 1), int32s(1), "7", int16s(0)) + message('D', "P\x00") + message('E', "\x00", int32s(0)),
	message('P', "\x00select 1\x00", int16s(1)),
	message('P', "\x00select 1\x00", int16s(-1)),
	message('P', "\x00select $1\x00", int16s(1), int32s(999999)),
	message('P', "\x00select $70000\x00", int16s(0)),
	message('P', "noterminator"),
	message('B', "\x00nosuch\x00", int16s(0, 0, 0)),
	message('B', "\x00\x00", int16s(0, 5), int32s(-1, -1)),
	message('P', "\x00select $1::text\x00", int16s(0)) + message('B', "\x00\x00", int16s(0, 1), int32s(100), "short"),
	message('P', "\x00select $1::text\x00", int16s(0)) + message('B', "\x00\x00", int16s(0, 1), int32s(-5), int16s(0)),
	message('P', "\x00select $1::int\x00", int16s(0)) + message('B', "\x00\x00", int16s(1, 1, 1), int32s(3), "abc", int16s(0)),
	message('P', "\x00select $1::int\x00", int16s(0)) + message('B', "\x00\x00", int16s(1, 7, 1), int32s(4), "abcd", int16s(1, 9)),
	message('P', "\x00select $1::int[]\x00", int16s(0)) + message('B', "\x00\x00", int16s(1, 1, 1), int32s(20), int32s(1<<30, 0, 23, 1<<30, 1), int16s(0)),
	message('P', "\x00select $1::numeric\x00", int16s(0)) + message('B', "\x00\x00", int16s(1, 1, 1), int32s(8), int16s(32767, 0, 0, 0), int16s(0)),
	message('P', "\x00select $1::jsonb\x00", int16s(0)) + message('B', "\x00\x00", int16s(1, 1, 1), int32s(3), "\x02{}", int16s(0)),
	message('P', "\x00select generate_series(1, 100)\x00", int16s(0)) + message('B', "c\x00\x00", int16s(0, 0, 0)) + message('E', "c\x00", int32s(7)) + message('E', "c\x00", int32s(-1)) + message('C', "Pc\x00") + message('E', "c\x00", int32s(1)),
	message('D', "X\x00"), message('D', "S"), message('D'), message('D', "Snosuch\x00"), message('D', "Pnosuch\x00"),
	message('C', "X\x00"), message('C', "Snosuch\x00"), message('C'),
	message('E', "\x00"), message('E', "nosuch\x00", int32s(0)), message('E'),
	message('d', "data outside of COPY"), message('c'), message('f', "fail\x00"), message('f'),
	message('F', int32s(1), int16s(0, 0, 0)), message('p', "password\x00"), message('H'), message('S', "body"), message('X') + message('Q', "select 1\x00"),
	message('Z', "I"), message('T', int16s(1)), message('\x00', "zero"), message('\xff', "ff"), message('!'),
	"Q" + int32s(3), "Q" + int32s(0), "Q" + int32s(-1), "Q" + int32s(0x7fffffff) + "x", "Q\x00\x00", "Q",
	message('Q', "copy t from stdin\x00") + message('d', "1\ta\n2\tb\n") + message('c'),
	message('Q', "copy t from stdin\x00") + message('d', "no tab") + message('d', "\xff\xff\n") + message('c'),
	message('Q', "copy t from stdin\x00") + message('f', "changed my mind\x00"),
	message('Q', "copy t from stdin\x00") + message('Q', "select 1\x00"),
	message('Q', "copy t from stdin\x00") + message('H') + message('S') + message('d', "9\tz\n") + message('X'),
	message('Q', "copy t from stdin (format binary)\x00") + message('d', "PGCOPY\n\xff\r\n\x00", int32s(0, 1<<30)) + message('c'),
	message('Q', "copy t from stdin (format binary)\x00") + message('d', "PGCOPY\n\xff\r\n\x00", int32s(0, 0), int16s(2), int32s(1<<30)) + message('c'),
	message('Q', "copy t from stdin (format binary)\x00") + message('d', "garbage") + message('c'),
	message('Q', "copy t to stdout\x00") + message('d', "x") + message('c'),
	message('P', "\x00copy t from stdin\x00", int16s(0)) + message('B', "\x00\x00", int16s(0, 0, 0)) + message('E', "\x00", int32s(0)) + message('S') + message('c'),
	message('P', "\x00begin\x00", int16s(0)) + message('B', "\x00\x00", int16s(0, 0, 0)) + message('E', "\x00", int32s(0)) + message('P', "\x00select 1/0\x00", int16s(0)) + message('B', "\x00\x00", int16s(0, 0, 0)) + message('E', "\x00", int32s(0)) + message('Q', "select 1\x00"),
	message('P', "a\x00select 1\x00", int16s(0)) + message('P', "a\x00select 2\x00", int16s(0)) + message('S') + message('C', "Sa\x00") + message('B', "\x00a\x00", int16s(0, 0, 0)),
	message('P', "\x00select 1; select 2\x00", int16s(0)), message('P', "\x00\x00", int16s(0)) + message('B', "\x00\x00", int16s(0, 0, 0)) + message('D', "P\x00") + message('E', "\x00", int32s(0)),
}

func TestMalformedStreams(t *testing.T) {
	srv, p := startNode(t)
	random := rand.New(rand.NewPCG(1, 2))
	for i, s := range streams {
		converse(t, srv, s, 50*time.Millisecond)
		require.Zero(t, p.n.Load(), "stream %d: %q", i, s)
		b := []byte(s)
		for range 1 + len(b)/10 {
			b[random.IntN(len(b))] = byte(random.Uint32())
		}
		converse(t, srv, string(b), 50*time.Millisecond)
		require.Zero(t, p.n.Load(), "stream %d changed: %q", i, b)
	}
	var one int
	require.NoError(t, srv.DB().QueryRow("select 1").Scan(&one))
}

// FuzzServeConn sends anything after a valid start-up.
func FuzzServeConn(f *testing.F) {
	srv, p := startNode(f)
	for _, s := range streams {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		converse(t, srv, string(stream), 50*time.Millisecond)
		require.Zero(t, p.n.Load())
	})
}

// malformed are statements that must be answered with an error and nothing worse.
var malformed = strings.Split(strings.TrimSpace(`
select ,
select * from
select from where
select * form t
select 1 +
select (1
select 1)
select 'unterminated
select "unterminated
select $$unterminated
select /* unterminated
select e'\
select e'\u12'
select e'\xZZ', 1 from
select u&'\00'
select 1e
select 1e+
select 0x
select 99999999999999999999999999999999999999::int
select 1e400::float8
select 1e999999999::numeric
select '1e999999999'::numeric
select 10::numeric ^ 1000000
select power(10::numeric, 200000)
select repeat('x', 2000000000)
select lpad('x', 2000000000, 'y')
select repeat('x', -1), array_fill(0, array[100000, 100000])
select generate_series(1, 10, 0)
select 1 from t group by 2
select t.* from t t2
select * from t, t
select * from t join t t2
select * from t natural join
select * from t where
select * from t where id =
select * from t where id in ()
select * from t where id between 1
select * from t order by
select * from t limit -1
select * from t limit 'x'
select * from t offset -1
select * from t limit 1 limit 2
select count(*) filter (where) from t
select count(distinct) from t
select count(*) over (partition by) from t
select sum(sum(id)) from t
select sum(id) over (order by sum(id) over ()) from t
select rank() from t
select * from t where count(*) > 1
select * from t where rank() over () = 1
select * from generate_series(1)
select * from unnest(1)
select * from nosuch()
select nosuch.x from t
select id.x from t
select (id).x from t
select t.id.x.y.z from t
select a.b.c.d.e.f from t
select array[1, 'x']
select array[[1], [2, 3]]
select array[]
select '{1,2}'::int
select '{{1},{2,3}}'::int[]
select '{1,2'::int[]
select '{"a'::text[]
select '[2147483647:2147483648]={1}'::int[]
select (array[1])[1:2:3]
select case end
select case when 1 then 2 end
select case 1 when 'x' then 2 end
select cast(1 as)
select cast(1 nosuch)
select 1::nosuch
select 1::numeric(2000, 1)
select 1::varchar(0)
select 1::varchar(-1)
select ''::date
select '2024-99-99'::date
select '99999999-01-01'::date
select '25:00:00'::time
select 'x'::interval
select '999999999999 years'::interval
select now() + interval '99999999 years'
select to_timestamp(1e300)
select make_date(0, 0, 0)
select extract(nosuch from now())
select date_trunc('nosuch', now())
select timestamp '2024-01-01' at time zone 'No/Where'
select '{'::json
select '{"a":}'::jsonb
select '[1,]'::jsonb
select jsonb_set('{"a":1}', '{a,b,c}', '1', true, 5)
select '\u0000'::jsonb
select '"\u0000"'::jsonb
select 'x'::uuid, '1'::inet / 0
select '300.1.1.1'::inet
select '\xZ'::bytea
select decode('zz', 'hex'), decode('a', 'base64')
select convert_from('\xff', 'utf8')
select chr(0)
select chr(-1)
select substring('abc' from 1 for -1)
select regexp_replace('a', '(', 'b')
select 'a' ~ '['
select 'a' ~ '*'
select 'a' ~ 'a{99999}'
select 'a' similar to '('
select format('%', 1)
select format('%s')
select format('%99999999999$s', 1)
select set_byte('x', 5, 1)
select get_bit('x', 99)
select overlay('abc' placing 'x' from 0 for -5)
select nth_value(1, 0) over ()
select sum(1) over (rows between unbounded following and 1 preceding)
select sum(1) over (range between 1 preceding and 1 following)
select lag(1, 'x') over ()
select percentile_cont(2) within group (order by 1)
select mode() from t
select string_agg('x')
with x as select 1 from x
with x as (select 1), x as (select 2) select 1
with recursive x as (select * from x) select * from x
with recursive x(n) as (select 1 union select 'a' from x) select * from x
with recursive x(n) as (select 1 union all select count(n)::int from x) select * from x
with x as (insert into t values (1)) select * from x
select (with x as (delete from t returning 1) select 1)
select 1 union select
select 1 union select 1, 2
select 1 intersect all
values
values ()
values (1), (1, 2)
table
table nosuch
insert
insert into
insert into t
insert into t values
insert into t values (1, 2, 3)
insert into t (id, id) values (1, 2)
insert into t (nosuch) values (1)
insert into t values (default, default, default)
insert into t select
insert into t values (1) on conflict
insert into t values (1) on conflict (nosuch) do nothing
insert into t values (1) on conflict do update set v = 1
insert into t values (1) on conflict (id) do update
insert into t values (1) returning
insert into t values (1) returning nosuch
update
update t
update t set
update t set id
update t set id =
update t set nosuch = 1
update t set (id, v) = (1)
update t set (id, v) = (select 1)
update t set id = 1 from
update t set id = sum(1)
delete
delete t
delete from t where sum(id) = 1
delete from t using
truncate
truncate nosuch
create
create table
create table x
create table x (
create table x (a)
create table x (a int,)
create table x (a int a int)
create table x (a int primary)
create table x (a int references)
create table x (a int references nosuch)
create table x (a int check)
create table x (a int check (nosuch > 1))
create table x (a int default b)
create table x (a int default (select 1))
create table x (a int, primary key (b))
create table x (a int, foreign key (a, a) references t (id))
create table x (a int generated always as (a) stored)
create table x (a nosuch[])
create table x (a serial[])
create table x as
create table "" (a int)
create table x (like nosuch)
create index on
create index on t ()
create index on t (nosuch)
create index on t using nosuch (id)
create index i on t ((select 1))
create index i on t (id) where count(*) > 1
create unique index
create view v as
create view v as select * from nosuch
create view v (a, b) as select 1
create sequence
create sequence s increment 0
create sequence s minvalue 5 maxvalue 1
create type x as enum ('a', 'a')
create type x
create schema
create schema pg_x
create database
create role
create user u nosuchoption
alter
alter table
alter table t
alter table t add
alter table t add column id int
alter table t add primary key (v)
alter table t drop column nosuch
alter table t alter column id type nosuch
alter table t alter column v type int using nosuch
alter table t add constraint c check (1)
alter table nosuch rename to x
alter role nosuch
drop
drop table
drop table nosuch
drop nosuch x
drop index t
drop view t
grant
grant nosuch on t to root
grant select on t to nosuch
revoke select on t
comment on table t
comment on nosuch t is 'x'
copy
copy t
copy t from
copy nosuch from stdin
copy t to stdout (format nosuch)
copy t to stdout (delimiter 'xx')
begin isolation level nosuch
set
set nosuch = 1
set statement_timeout = 'x'
set timezone = 'No/Where'
reset nosuch
show nosuch
prepare
prepare x as
prepare x as select $0
prepare x (nosuch) as select 1
execute nosuch
execute nosuch(
deallocate nosuch
declare c cursor for
declare c cursor for select 1
fetch nosuch
fetch absolute from nosuch
close nosuch
explain
explain nosuch
explain (analyze maybe) select 1
vacuum nosuch
analyze nosuch
lock t
savepoint x
release nosuch
rollback to nosuch
nosuch
;;;; nosuch
!@#$%^&*()
select $1
select $0
select $99999999999
select 'a' collate nosuch
select row(1, 2) = row(1)
select (1, 2) in ((1))
select 1 in (select 1, 2)
select (select 1, 2)
select exists (1)
select any (1)
select 1 = any (1)
select 1 @@@ 2
select - 'x'
select not 1
select 1 and 2
select null::record.x
select * from t for update of nosuch
select distinct on (id) v from t order by v
select distinct id from t order by v
select lastval()
select nextval('nosuch'), setval('t', 1)
select currval('t')
select 'nosuch'::regclass
select '1 2'::regtype
select pg_get_viewdef('nosuch')
select current_setting('nosuch')
select set_config('nosuch', 'x', false)
`), "\n")

func TestMalformedStatements(t *testing.T) {
	srv, p := startNode(t)
	for _, text := range malformed {
		for _, stream := range []string{
			message('Q', text, "\x00"),
			message('P', "\x00", text, "\x00", int16s(0)) + message('B', "\x00\x00", int16s(0, 0, 0)) + message('E', "\x00", int32s(0)),
		} {
			answer := converse(t, srv, stream, 5*time.Second)
			require.Zero(t, p.n.Load(), "panic: %s", text)
			for unwanted, what := range map[string]string{"CXX000\x00": "internal error", "C57014\x00": "took too long"} {
				if strings.Contains(answer, unwanted) {
					t.Errorf("%s: %s", what, text)
				}
			}
			if !strings.Contains(answer, "SERROR\x00") {
				t.Errorf("no error: %s", text)
			}
		}
	}
	require.Greater(t, len(malformed), 200)
}
