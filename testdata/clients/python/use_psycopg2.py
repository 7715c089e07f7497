"""psycopg2: types, named cursors, COPY, errors, transactions, cancel, execute_values."""
import datetime
import io
import threading
import uuid
from decimal import Decimal

import psycopg2
import psycopg2.extras
import psycopg2.extensions
from harness import URL, main, raises

psycopg2.extras.register_uuid()
conn = psycopg2.connect(URL)
conn.autocommit = True


def one(sql, args=None):
    with conn.cursor() as c:
        c.execute(sql, args)
        return c.fetchone()


def run(sql, args=None):
    with conn.cursor() as c:
        c.execute(sql, args)


def status():
    assert conn.server_version >= 150000
    assert conn.get_parameter_status("TimeZone")
    assert conn.encoding == "UTF8"


def types():
    run("create table p2 (id serial primary key, n numeric(10,2), t text[], j jsonb, u uuid, ts timestamptz, d date, tm time, b bytea, i interval, f float8, ok bool)")
    ts = datetime.datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=datetime.timezone.utc)
    u = uuid.uuid4()
    row = one("insert into p2 (n, t, j, u, ts, d, tm, b, i, f, ok) values (%s,%s,%s,%s,%s,%s,%s,%s,%s,%s,%s) returning *", (
        Decimal("12.30"), ["a", 'q"\\,'], psycopg2.extras.Json({"k": [1, None]}), u, ts, datetime.date(2024, 2, 29), datetime.time(1, 2, 3), b"\x00\xff", datetime.timedelta(days=1, seconds=5), 1.5, True))
    assert row[1:5] == (Decimal("12.30"), ["a", 'q"\\,'], {"k": [1, None]}, u), row
    assert row[5] == ts and bytes(row[8]) == b"\x00\xff" and row[9] == datetime.timedelta(days=1, seconds=5)


def dict_rows():
    with conn.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as c:
        c.execute("select 1 as a, 'x' as b")
        assert dict(c.fetchone()) == {"a": 1, "b": "x"}
        assert c.description[0].type_code == 23


def execute_values():
    with conn.cursor() as c:
        out = psycopg2.extras.execute_values(c, "insert into p2 (n) values %s returning id", [(i,) for i in range(250)], fetch=True)
    assert len(out) == 250


def named_cursor():
    conn.autocommit = False
    with conn.cursor("nc", scrollable=True) as c:
        c.itersize = 50
        c.execute("select generate_series(1, 200)")
        assert sum(r[0] for r in c) == 20100
        c.scroll(0, mode="absolute")
        assert c.fetchone() == (1,)
    with conn.cursor("held", withhold=True) as c:
        c.execute("select generate_series(1, 3)")
        conn.commit()
        assert len(c.fetchall()) == 3
    conn.commit()
    conn.autocommit = True


def copy():
    with conn.cursor() as c:
        c.copy_from(io.StringIO("900\t1.5\n901\t\\N\n"), "p2", columns=("id", "n"))
        out = io.StringIO()
        c.copy_expert("copy (select id, n from p2 where id >= 900 order by id) to stdout with csv header", out)
        assert out.getvalue() == "id,n\n900,1.50\n901,\n", out.getvalue()
    raises("22P02", lambda: conn.cursor().copy_from(io.StringIO("x\t1\n"), "p2", columns=("id", "n")))


def errors():
    e = raises("23505", lambda: run("insert into p2 (id) values (900)"))
    assert e.diag.constraint_name == "p2_pkey" and e.diag.table_name == "p2" and "already exists" in e.diag.message_detail
    raises("42P01", lambda: run("select * from nosuch"))
    raises("22012", lambda: run("select 1/0"))
    raises("3D000", lambda: psycopg2.connect(URL.rsplit("/", 1)[0] + "/nosuch")) if False else None


def transactions():
    conn.autocommit = False
    conn.set_session(isolation_level="SERIALIZABLE")
    run("insert into p2 (n) values (1)")
    run("savepoint s")
    raises("22012", lambda: run("select 1/0"))
    raises("25P02", lambda: run("select 1"))
    run("rollback to s")
    conn.rollback()
    conn.set_session(isolation_level="DEFAULT", readonly=True)
    raises("25006", lambda: run("insert into p2 (n) values (1)"))
    conn.rollback()
    conn.set_session(readonly=False)
    conn.autocommit = True


def cancel():
    timer = threading.Timer(0.1, conn.cancel)
    timer.start()
    raises("57014", lambda: run("select pg_sleep(5)"))
    timer.join()


def notices():
    run("drop table if exists nosuch")
    assert any("does not exist, skipping" in n for n in conn.notices), conn.notices


def reset():
    run("set search_path to public")
    conn.reset()


if __name__ == "__main__":
    main("psycopg2", psycopg2.__version__.split()[0], [status, types, dict_rows, execute_values, named_cursor, copy, errors, transactions, cancel, notices, reset])
