"""psycopg 3: server-side binding, automatic preparation, binary, COPY, pipeline, cursors, types."""
import datetime
import uuid
from decimal import Decimal

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from harness import URL, main, raises

conn = psycopg.connect(URL, autocommit=True)


def types_text_and_binary():
    conn.execute("create table p3 (id int generated always as identity primary key, n numeric, t text[], m int[], j jsonb, u uuid, ts timestamptz, d date, b bytea, i interval, ok bool, f float8)")
    u, ts = uuid.uuid4(), datetime.datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=datetime.timezone.utc)
    args = (Decimal("1.50"), ["a", None, 'x"'], [1, 2], Jsonb({"k": 1}), u, ts, datetime.date(1999, 12, 31), b"\x00\xfe", datetime.timedelta(hours=5), True, 2.5)
    for binary in (False, True):
        cur = conn.cursor(binary=binary)
        fmt = "%b" if binary else "%s"
        row = cur.execute("insert into p3 (n, t, m, j, u, ts, d, b, i, ok, f) values (%s) returning n, t, m, j, u, ts, d, b, i, ok, f" % ",".join([fmt] * len(args)), args).fetchone()
        assert row == tuple(a.obj if isinstance(a, Jsonb) else a for a in args), row


def automatic_preparation():
    for i in range(12):
        assert conn.execute("select %s::int + 1", (i,)).fetchone() == (i + 1,)
    names = conn.execute("select name, statement from pg_prepared_statements").fetchall()
    assert any("_pg3_" in n for n, _ in names), names


def plan_changes():
    conn.execute("create table p3c (a int)")
    for _ in range(7):
        conn.execute("select * from p3c").fetchall()
    conn.execute("alter table p3c add b text")
    try:
        conn.execute("select * from p3c").fetchall()
    except psycopg.errors.FeatureNotSupported:
        pass
    conn.execute("deallocate all")


def dict_rows_and_executemany():
    with conn.cursor(row_factory=dict_row) as c:
        c.executemany("insert into p3 (n) values (%s) returning id", [(i,) for i in range(20)], returning=True)
        n = 1
        while c.nextset():
            n += 1
        assert n == 20, n
        assert c.execute("select 1 as a").fetchone() == {"a": 1}


def copy():
    with conn.cursor() as c:
        with c.copy("copy p3 (n, t) from stdin") as cp:
            cp.write_row((Decimal("7.5"), ["q"]))
            cp.write_row((None, None))
        with c.copy("copy p3 (n, m) from stdin (format binary)") as cp:
            cp.set_types(["numeric", "int4[]"])
            cp.write_row((Decimal("8.5"), [3]))
        with c.copy("copy (select n, m from p3 where n = 8.5) to stdout (format binary)") as cp:
            cp.set_types(["numeric", "int4[]"])
            assert list(cp.rows()) == [(Decimal("8.5"), [3])]


def pipeline():
    with conn.pipeline():
        cs = [conn.execute("select %s::int", (i,)) for i in range(10)]
    assert [c.fetchone()[0] for c in cs] == list(range(10))


def pipeline_with_an_error():
    def fail():
        with conn.pipeline() as p:
            conn.execute("select 1/0")
            conn.execute("select 2")
            p.sync()
    raises("22012", fail)
    assert conn.execute("select 1").fetchone() == (1,)


def server_cursor():
    with conn.transaction():
        with conn.cursor("sc", scrollable=True) as c:
            c.execute("select generate_series(1, 100)")
            assert c.fetchmany(10)[-1] == (10,)
            c.scroll(-5)
            assert c.fetchone() == (6,)
            c.scroll(0, mode="absolute")
            assert len(c.fetchall()) == 100


def transactions():
    with conn.transaction():
        conn.execute("insert into p3 (n) values (77)")
        try:
            with conn.transaction():
                conn.execute("select 1/0")
        except psycopg.errors.DivisionByZero:
            pass
        assert conn.execute("select count(*) from p3 where n = 77").fetchone() == (1,)


def type_info():
    from psycopg.types import TypeInfo
    from psycopg.types.enum import EnumInfo, register_enum
    import enum
    conn.execute("create type p3_mood as enum ('sad', 'ok')")
    info = EnumInfo.fetch(conn, "p3_mood")
    assert info.labels == ["sad", "ok"], info

    class Mood(enum.Enum):
        sad = 1
        ok = 2
    register_enum(info, conn, Mood)
    assert conn.execute("select 'ok'::p3_mood").fetchone() == (Mood.ok,)
    assert conn.execute("select %s::p3_mood[]", ([Mood.sad],)).fetchone() == ([Mood.sad],)
    assert TypeInfo.fetch(conn, "uuid").oid == 2950


def errors():
    e = raises("23505", lambda: conn.execute("insert into p3 (id, n) overriding system value values (1, 1)"))
    assert e.diag.constraint_name == "p3_pkey"
    raises("42703", lambda: conn.execute("select nosuch from p3"))
    raises("22P02", lambda: conn.execute("select %s::int", ("x",)))


def stream():
    assert sum(r[0] for r in conn.cursor().stream("select generate_series(1, 1000)")) == 500500


if __name__ == "__main__":
    main("psycopg", psycopg.__version__, [types_text_and_binary, automatic_preparation, plan_changes, dict_rows_and_executemany, copy, pipeline, pipeline_with_an_error, server_cursor, transactions, type_info, errors, stream])
