"""What SQLAlchemy makes of a refusal, by driver, and a back-fill: docs/frameworks.md."""

import asyncio

from outcome import case
from sqlalchemy import Column, Integer, MetaData, Table, Text, create_engine, delete, insert, text, update
from sqlalchemy.ext.asyncio import create_async_engine

table = Table("product", MetaData(), Column("id", Integer, primary_key=True), Column("note", Text))
engine = create_engine("postgresql+psycopg://")
table.create(engine)
with engine.begin() as connection:
    connection.execute(insert(table), [{"id": i} for i in range(1, 3201)])
most = delete(table).where(table.c.id <= 3000)


def run(engine, statement, declared=False):
    with engine.begin() as connection:
        if declared:
            connection.execute(text("SELECT set_config('safedelete.allow_rows', '3200', true)"))
        connection.execute(statement)


async def run_async(statement):
    engine = create_async_engine("postgresql+asyncpg://")
    try:
        async with engine.begin() as connection:
            await connection.execute(statement)
    finally:
        await engine.dispose()


for driver in ("psycopg", "psycopg2"):
    one = create_engine(f"postgresql+{driver}://")
    case(f"{driver}: delete", lambda: run(one, delete(table)))
    case(f"{driver}: delete of most", lambda: run(one, most))
case("asyncpg: delete", lambda: asyncio.run(run_async(delete(table))))
case("asyncpg: delete of most", lambda: asyncio.run(run_async(most)))
# What follows add_column.
case("back-fill", lambda: run(engine, update(table).values(note="")))
case("back-fill where it is missing", lambda: run(engine, update(table).where(table.c.note.is_(None)).values(note="")))
case("back-fill, declared", lambda: run(engine, update(table).values(note=""), declared=True))
