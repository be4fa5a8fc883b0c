import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0009_rights_and_origin_of_api_keys'),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('user', models.ForeignKey(db_constraint=False, db_index=False, help_text="the business; none = operators' own", null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='audit_entries', to='billing.user')),
                ('actor_kind', models.CharField(choices=[('key', 'key'), ('staff', 'staff'), ('command', 'command'), ('system', 'system')], max_length=10)),
                ('actor_id', models.CharField(blank=True, db_default='', help_text="a key's prefix, a login, a command's name", max_length=150)),
                ('actor_name', models.CharField(blank=True, db_default='', max_length=150)),
                ('address', models.CharField(blank=True, db_default='', help_text="the client's IP address", max_length=100)),
                ('action', models.CharField(max_length=50)),
                ('object_kind', models.CharField(max_length=30)),
                ('object_id', models.CharField(max_length=100)),
                ('changes', models.JSONField(db_default=models.Value({}, models.JSONField()), help_text='by field: before and after, or nothing where the value is secret or private')),
                ('correlation_id', models.CharField(blank=True, db_default='', max_length=64)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'verbose_name_plural': 'audit entries',
                'db_table': 'audit_log',
                'indexes': [
                    models.Index(fields=['user', '-id'], name='audit_log_by_user'),
                    models.Index(fields=['object_id', '-id'], name='audit_log_by_object'),
                ],
                'constraints': [
                    models.CheckConstraint(condition=models.Q(('actor_kind__in', ['key', 'staff', 'command', 'system'])), name='audit_log_known_actor_kind'),
                ],
            },
        ),
    ]
