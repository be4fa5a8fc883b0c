"""When an endpoint was slow: a nullable column without a default, which writes no row."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0016_number_unanswered_event'),
    ]

    operations = [
        migrations.AddField(
            model_name='webhookendpoint',
            name='slow_until',
            field=models.DateTimeField(blank=True, help_text='it took long to answer, so that it waits behind others until then', null=True),
        ),
    ]
