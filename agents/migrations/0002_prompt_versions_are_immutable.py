"""A prompt version never changes: a trigger refuses it, so that a rollback brings back what was said."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION prompt_versions_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'prompt versions are immutable: add a new one' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER prompt_versions_immutable BEFORE UPDATE ON prompt_versions
    FOR EACH ROW EXECUTE FUNCTION prompt_versions_immutable();
"""
BACKWARD = """
DROP TRIGGER prompt_versions_immutable ON prompt_versions;
DROP FUNCTION prompt_versions_immutable();
"""


class Migration(migrations.Migration):
    dependencies = [("agents", "0001_agents_and_prompts")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
