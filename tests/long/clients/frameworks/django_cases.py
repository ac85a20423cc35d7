"""What Django writes by itself, or in a usual call, that is refused by default: docs/frameworks.md."""

import os
import sys
import types
from datetime import timedelta

import django
from django.conf import settings
from outcome import admin, case

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["PGDATABASE"],
                           "HOST": os.environ["PGHOST"], "PORT": os.environ["PGPORT"], "USER": os.environ["PGUSER"]}},
    INSTALLED_APPS=["django.contrib.sessions", "shop"],
    CACHES={"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache",
                        "OPTIONS": {"MAX_ENTRIES": 3000}}},
    SESSION_ENGINE="django.contrib.sessions.backends.db", USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.AutoField")
shop = types.ModuleType("shop")
shop.__path__, shop.__file__ = ["/nonexistent"], "/nonexistent/__init__.py"
sys.modules["shop"] = shop
django.setup()

from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection, models
from django.utils import timezone


class Tag(models.Model):
    name = models.TextField()

    class Meta:
        app_label = "shop"


class Product(models.Model):
    note = models.TextField(null=True)
    price = models.IntegerField(default=0)
    tags = models.ManyToManyField(Tag)

    class Meta:
        app_label = "shop"


with connection.schema_editor() as editor:
    for model in (Tag, Product, Session):
        editor.create_model(model)
call_command("createcachetable", verbosity=0)
Product.objects.bulk_create(Product() for _ in range(3200))
Tag.objects.bulk_create(Tag(name=str(i)) for i in range(3))
Product.tags.through.objects.bulk_create(
    Product.tags.through(product_id=p, tag_id=1) for p in Product.objects.values_list("id", flat=True))
now = timezone.now()


def sessions():
    Session.objects.bulk_create(
        Session(session_key=f"k{i}", session_data="", expire_date=now - timedelta(days=1) if i < 3000 else
                now + timedelta(days=1)) for i in range(3200))


def cached(expired):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO cache SELECT 'k' || g, '', now() + CASE WHEN g <= %s THEN -1 ELSE 1 END * interval '1 day' "
            "FROM generate_series(1, 3200) g ON CONFLICT DO NOTHING", [expired])


def declared(table, run):
    """The same under the policy of docs/frameworks.md."""
    admin(f"SELECT safedelete.set_policy('{table}', '{{\"max_fraction\": 1}}')")
    run()


def not_null():
    old, new = Product._meta.get_field("note"), models.TextField(default="")
    new.set_attributes_from_name("note")
    new.model = Product
    with connection.schema_editor() as editor:
        editor.alter_field(Product, old, new)


def changed():
    products = list(Product.objects.all())
    for product in products:
        product.price = 7
    return products


case("delete", lambda: Product.objects.all().delete())
case("update", lambda: Product.objects.update(price=1))
case("update of most", lambda: Product.objects.filter(price=0).update(price=1))
cached(3000)
case("cache: cull", lambda: cache.set("new", 1))
case("cache: cull, declared", lambda: declared("cache", lambda: cache.set("new", 1)))
cached(0)
case("cache: clear", lambda: cache.clear())
admin("SELECT safedelete.set_policy('cache', '{\"require_where\": false, \"max_fraction\": 1}')")
case("cache: clear, declared", lambda: cache.clear())
sessions()
case("clearsessions", lambda: call_command("clearsessions"))
case("clearsessions, declared", lambda: declared("django_session", lambda: call_command("clearsessions")))
case("alter field to not null", not_null)
case("bulk_update", lambda: Product.objects.bulk_update(changed(), ["price"]))
case("bulk_update of 500", lambda: Product.objects.bulk_update(changed(), ["price"], batch_size=500))
tag = Tag.objects.get(id=1)
case("m2m clear", lambda: tag.product_set.clear())
case("m2m set", lambda: tag.product_set.set([]))
case("m2m clear, declared", lambda: declared("shop_product_tags", lambda: tag.product_set.clear()))
case("flush", lambda: call_command("flush", interactive=False, verbosity=0))


def alter_declared():
    from django.db import transaction

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('safedelete.allow_rows', '3200', true)")
        not_null()


case("alter field to not null, declared", alter_declared)
os.environ["PGOPTIONS"] = "-c safedelete.allow_rows=-1"
connection.close()
case("flush, declared", lambda: call_command("flush", interactive=False, verbosity=0))
