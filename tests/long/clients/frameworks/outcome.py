"""What a case comes to: a line 'NAME: through', or the class of the exception, its SQLSTATE, and what it has of DETAIL
and HINT."""

import os

import psycopg


def admin(sql):
    """As the DBA, who sets what docs/frameworks.md says."""
    with psycopg.connect(user="postgres", autocommit=True) as connection:
        connection.execute(sql)


def described(error):
    """The exception that the program sees, and the driver's below it."""
    below = getattr(error, "orig", None) or error.__cause__ or error
    while getattr(below, "sqlstate", getattr(below, "pgcode", None)) is None and below.__cause__:
        below = below.__cause__
    state = getattr(below, "sqlstate", None) or getattr(below, "pgcode", None)
    fields = getattr(below, "diag", below)
    texts = [getattr(fields, name, None) for name in ("message_detail", "message_hint", "detail", "hint")]
    told = len([text for text in texts if text])
    return f"{type(error).__module__}.{type(error).__qualname__} {state}, {told} of DETAIL and HINT"


def case(name, run):
    try:
        run()
    except Exception as error:
        print(f"{name}: {described(error)}", flush=True)
    else:
        print(f"{name}: through", flush=True)


DATABASE = os.environ["PGDATABASE"]
