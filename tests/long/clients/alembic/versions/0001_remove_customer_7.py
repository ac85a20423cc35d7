"""Remove the data of former customer 7."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade():
    op.execute("DELETE FROM invoices WHERE customer_id = 7")
    op.execute("DELETE FROM shipments WHERE customer_id = 7")
    op.execute("DELETE FROM customers WHERE id = 7")
