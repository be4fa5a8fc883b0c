from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('channels_app', '0009_end_of_identity_hashes'),
    ]

    operations = [
        migrations.AddField(
            model_name='deadletter',
            name='source',
            field=models.CharField(db_default='meta', default='meta', help_text='whose format raw has, see spool.Waiting', max_length=20),
        ),
    ]
