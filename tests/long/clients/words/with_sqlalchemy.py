"""The example of docs/declare.md for SQLAlchemy: with customers of 20 rows and of 60."""
import sys

import sqlalchemy
from sections import code

engine = sqlalchemy.create_engine("postgresql+psycopg://")
orders = sqlalchemy.Table("orders", sqlalchemy.MetaData(), autoload_with=engine)
example = code(sys.argv[1], "SQLAlchemy", "python")

with engine.begin() as connection:
    exec(example)
print(sqlalchemy.inspect(engine).default_schema_name, "left", end=" ")
with engine.connect() as connection:
    print(connection.scalar(sqlalchemy.text("SELECT count(*) FROM orders WHERE customer_id = 42")))
try:
    with engine.begin() as connection:
        exec(example.replace("42", "43"))
except sqlalchemy.exc.DatabaseError as error:
    print(error.orig.sqlstate, str(error.orig).splitlines()[0])
