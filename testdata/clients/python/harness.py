"""Runs named checks and prints a line for each, in the form that server/clienttest
reads: "ok NAME" or "not ok NAME: MESSAGE"."""
import os
import sys
import traceback

URL = os.environ.get("DATABASE_URL", "")


def main(client, version, checks):
    print("# %s %s" % (client, version))
    failed = 0
    for fn in checks:
        name = fn.__name__.replace("_", " ")
        try:
            fn()
            print("ok", name)
        except Exception as e:
            failed += 1
            where = traceback.extract_tb(sys.exc_info()[2])[1 if len(traceback.extract_tb(sys.exc_info()[2])) > 1 else 0]
            print("not ok %s: %s %s (line %d: %s)" % (name, type(e).__name__, str(e).split("\n")[0], where.lineno, where.line))
    sys.exit(1 if failed else 0)


def raises(code, fn):
    """Requires an error with the SQLSTATE and returns it."""
    try:
        fn()
    except Exception as e:
        orig = getattr(e, "orig", None) or e.__cause__ or e
        got = getattr(orig, "pgcode", None) or getattr(orig, "sqlstate", None)
        assert got == code, "%s instead of %s: %s" % (got, code, e)
        return orig
    raise AssertionError("no error, expected " + code)
