"""The example of docs/declare.md for Django: with customers of 20 rows and of 60."""
import sys

import django
from django.apps import AppConfig
from django.conf import settings
from sections import code


class Shop(AppConfig):
    """What an application is not part of, Django does not follow from a row to those that refer to it."""

    name, label, path = "__main__", "shop", "."


settings.configure(
    INSTALLED_APPS=["__main__.Shop"],
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": sys.argv[2]}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()
from django.db import DatabaseError, models  # noqa: E402


class Order(models.Model):
    customer_id = models.IntegerField()
    state = models.TextField()

    class Meta:
        app_label, db_table, managed = "shop", "orders", False


example = code(sys.argv[1], "Django", "python")
exec(example)
print("void", Order.objects.filter(customer_id=42, state="void").count())
for number in ("43", "41"):
    try:
        exec(example.replace("42", number).replace("AtMost(50)", "Exactly(20)"))
    except DatabaseError as error:
        print(error.__cause__.sqlstate, str(error).splitlines()[0])
print("deleted", Order.objects.filter(AtMost(20), customer_id=42).delete()[0])  # noqa: F821


class Line(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE)

    class Meta:
        app_label, db_table, managed = "shop", "lines", False


try:
    Order.objects.filter(AtMost(100), customer_id=43).delete()  # noqa: F821
except DatabaseError as error:
    print(error.__cause__.sqlstate, str(error).splitlines()[0])
print("left", Order.objects.filter(customer_id=43).count())
