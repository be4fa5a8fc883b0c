"""The id under which a business knows a customer, and the indexes that lists of customers go by."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("channels_app", "0012_messages_by_correlation_id")]
    operations = [
        migrations.AddField(
            model_name="customer",
            name="external_id",
            field=models.CharField(
                blank=True,
                help_text="the id under which the business knows them; several customers may have the same",
                max_length=200,
                null=True,
            ),
        ),
        AddIndexConcurrently(
            model_name="customer",
            index=models.Index(
                condition=models.Q(("customer_id__gt", "")),
                fields=["phone_number", "customer_id"],
                name="customers_by_number",
            ),
        ),
        AddIndexConcurrently(
            model_name="customer",
            index=models.Index(
                condition=models.Q(("external_id__isnull", False)),
                fields=["phone_number", "external_id"],
                name="customers_by_external_id",
            ),
        ),
    ]
