from django.db import migrations, models


class Migration(migrations.Migration):
    """What Django has to know of the shop's tables; shop.sql makes them, hence managed=False."""

    initial = True
    operations = [
        migrations.CreateModel(
            "Customer",
            [("id", models.AutoField(primary_key=True)), ("name", models.TextField())],
            options={"db_table": "customers", "managed": False},
        ),
        migrations.CreateModel(
            "Invoice",
            [
                ("id", models.AutoField(primary_key=True)),
                ("customer", models.ForeignKey("shop.Customer", models.CASCADE)),
                ("total", models.DecimalField(max_digits=9, decimal_places=2)),
            ],
            options={"db_table": "invoices", "managed": False},
        ),
        migrations.CreateModel(
            "Shipment",
            [
                ("id", models.AutoField(primary_key=True)),
                ("customer_id", models.IntegerField()),
                ("address", models.TextField()),
            ],
            options={"db_table": "shipments", "managed": False},
        ),
    ]
