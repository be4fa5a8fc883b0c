import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0008_events_reach_endpoints'),
    ]

    operations = [
        migrations.AddField(
            model_name='apikey',
            name='created_by',
            field=models.CharField(blank=True, db_default='', default='', help_text='the key, staff member or command', max_length=100),
        ),
        migrations.AddField(
            model_name='apikey',
            name='parent',
            field=models.ForeignKey(blank=True, help_text='the key that made it', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='children', to='billing.apikey'),
        ),
        migrations.AddField(
            model_name='apikey',
            name='phone_number_ids',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=50), blank=True, help_text='the only numbers it may see; none = all, and what belongs to the whole business', null=True, size=None),
        ),
        migrations.AddField(
            model_name='apikey',
            name='replaces',
            field=models.OneToOneField(blank=True, help_text='the key that was rotated', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='replaced_by', to='billing.apikey'),
        ),
        migrations.AddField(
            model_name='apikey',
            name='scope',
            field=models.CharField(choices=[('read', 'Read'), ('write', 'Write'), ('full', 'Full')], db_default='full', default='full', help_text='full = read, write and the management of keys', max_length=10),
        ),
        migrations.AddConstraint(
            model_name='apikey',
            constraint=models.CheckConstraint(condition=models.Q(('scope__in', ['read', 'write', 'full'])), name='api_keys_known_scope'),
        ),
        migrations.AddConstraint(
            model_name='apikey',
            constraint=models.CheckConstraint(condition=models.Q(('phone_number_ids__isnull', True), models.Q(('user__isnull', False), ('phone_number_ids__len__gt', 0)), _connector='OR'), name='api_keys_restricted_to_some_number'),
        ),
    ]
