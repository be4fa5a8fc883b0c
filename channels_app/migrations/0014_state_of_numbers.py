"""The reason of the last alarm of a number, and when the number was last reported as unanswered."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("channels_app", "0013_external_id_of_customers")]
    operations = [
        migrations.AddField(
            model_name="phonenumber",
            name="alarm_code",
            field=models.CharField(
                blank=True, db_default="", help_text="the channel's code of the last alarm", max_length=50
            ),
        ),
        migrations.AddField(
            model_name="phonenumber",
            name="alarm_reason",
            field=models.CharField(
                blank=True, db_default="", help_text="the channel's words of the last alarm", max_length=255
            ),
        ),
        migrations.AddField(
            model_name="phonenumber",
            name="unanswered_at",
            field=models.DateTimeField(
                blank=True,
                help_text="when its business was last told that customers wait and no agent answers",
                null=True,
            ),
        ),
    ]
