from django.db import migrations


def remove(apps, schema_editor):
    apps.get_model("shop", "Shipment").objects.filter(customer_id=7).delete()
    # Django deletes the customer's invoices first.
    apps.get_model("shop", "Customer").objects.filter(pk=7).delete()


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [migrations.RunPython(remove)]
