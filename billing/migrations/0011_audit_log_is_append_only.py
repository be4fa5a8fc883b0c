"""An entry of the audit log is written once: a trigger refuses every change and deletion."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION audit_log_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only'
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_append_only();
"""
BACKWARD = """
DROP TRIGGER audit_log_append_only ON audit_log;
DROP FUNCTION audit_log_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0010_audit_log")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
