"""Remove the data of former customer 42."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    op.execute("DELETE FROM invoices WHERE customer_id = 42")
    op.execute("DELETE FROM shipments")
    op.execute("DELETE FROM customers WHERE id = 42")
