from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_remove_customer_7")]
    operations = [
        migrations.RunSQL("DELETE FROM invoices WHERE customer_id = 42"),
        migrations.RunSQL("DELETE FROM shipments"),
        migrations.RunSQL("DELETE FROM customers WHERE id = 42"),
    ]
