"""A longer owner: widening a varchar changes the catalogue only, no row."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0011_audit_log_is_append_only'),
    ]

    operations = [
        migrations.AlterField(
            model_name='idempotencykey',
            name='owner',
            field=models.CharField(help_text='whose keys these are: see `Caller.owner`', max_length=150),
        ),
    ]
