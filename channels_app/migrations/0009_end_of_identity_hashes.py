"""Existing chats accept identity hashes for 90 more days; new chats accept signed tokens only."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('channels_app', '0008_unsent_pictures'),
    ]

    operations = [
        migrations.AddField(
            model_name='webchat',
            name='identity_hashes_until',
            field=models.DateTimeField(blank=True, help_text='until then bare hashes of user ids are accepted as identities; none = only signed tokens', null=True),
        ),
        migrations.RunSQL(
            "UPDATE web_chats SET identity_hashes_until = statement_timestamp() + interval '90 days'",
            migrations.RunSQL.noop,
        ),
    ]
