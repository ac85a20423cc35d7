from alembic import context
from sqlalchemy import create_engine

# Host, port, user and database come from libpq's environment variables.
engine = create_engine("postgresql+psycopg://")

with engine.connect() as connection:
    # Alembic runs all pending migrations in one transaction otherwise, and a SET LOCAL of one of them
    # would hold for those after it.
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
