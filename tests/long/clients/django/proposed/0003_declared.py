from django.db import migrations


def remove(apps, schema_editor):
    apps.get_model("shop", "Customer").objects.filter(pk=42).delete()
    apps.get_model("shop", "Shipment").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_remove_customer_7")]
    operations = [
        migrations.RunSQL("SET LOCAL safedelete.allow_rows = 1200"),
        migrations.RunSQL("SET LOCAL safedelete.reason = 'INC-7: shipments move to the new system'"),
        migrations.RunPython(remove),
    ]
