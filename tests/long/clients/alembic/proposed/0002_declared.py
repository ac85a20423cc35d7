"""Remove the data of former customer 42, and every shipment."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    op.execute("SET LOCAL safedelete.allow_rows = 1200")
    op.execute("SET LOCAL safedelete.reason = 'INC-7: shipments move to the new system'")
    op.execute("DELETE FROM invoices WHERE customer_id = 42")
    op.execute("DELETE FROM shipments")
    op.execute("DELETE FROM customers WHERE id = 42")
