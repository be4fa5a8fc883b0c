"""Each event gets a delivery to every endpoint that wants it, whoever writes the event."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION events_fan_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhook_deliveries (delivery_id, endpoint_id, event_id, conversation_id)
    SELECT 'whd_' || substr(NEW.event_id, 5) || '_' || right(endpoint_id, 8),
           endpoint_id, NEW.event_id, NEW.conversation_id
      FROM webhook_endpoints
     WHERE user_id = NEW.user_id AND deleted_at IS NULL AND disabled_at IS NULL
       AND (types = '{}' OR NEW.type = ANY (types));
    RETURN NULL;
END $$;
CREATE TRIGGER events_fan_out AFTER INSERT ON events
    FOR EACH ROW WHEN (NEW.type <> 'endpoint.test') EXECUTE FUNCTION events_fan_out();
"""
BACKWARD = """
DROP TRIGGER events_fan_out ON events;
DROP FUNCTION events_fan_out();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0007_webhook_endpoints_and_emails")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
