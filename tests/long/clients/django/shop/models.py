from django.db import models


class Customer(models.Model):
    name = models.TextField()

    class Meta:
        db_table = "customers"
        managed = False


class Invoice(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)
    total = models.DecimalField(max_digits=9, decimal_places=2)

    class Meta:
        db_table = "invoices"
        managed = False


class Shipment(models.Model):
    customer_id = models.IntegerField()
    address = models.TextField()

    class Meta:
        db_table = "shipments"
        managed = False
