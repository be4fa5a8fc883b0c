"""The ledger is written once: a trigger refuses to change or delete a line, whoever asks."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION credit_entries_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: enter an adjustment instead'
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER credit_entries_append_only BEFORE UPDATE OR DELETE ON credit_entries
    FOR EACH ROW EXECUTE FUNCTION credit_entries_append_only();
"""
BACKWARD = """
DROP TRIGGER credit_entries_append_only ON credit_entries;
DROP FUNCTION credit_entries_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_users_credits_and_keys")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
