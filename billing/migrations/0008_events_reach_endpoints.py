"""Each event gets a delivery to every endpoint that wants it, whoever writes the event."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION events_fan_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO webhook_deliveries (delivery_id, endpoint_id, event_id, conversation_id)
    SELECT 'whd_' || substr(event.event_id, 5) || '_' || right(endpoint.endpoint_id, 8),
           endpoint.endpoint_id, event.event_id, event.conversation_id
      FROM new_events AS event
      JOIN webhook_endpoints AS endpoint
        ON endpoint.user_id = event.user_id AND endpoint.deleted_at IS NULL
     WHERE endpoint.disabled_at IS NULL AND event.type <> 'endpoint.test'
       AND (endpoint.types = '{}' OR event.type = ANY (endpoint.types));
    RETURN NULL;
END $$;
CREATE TRIGGER events_fan_out AFTER INSERT ON events
    REFERENCING NEW TABLE AS new_events
    FOR EACH STATEMENT EXECUTE FUNCTION events_fan_out();
"""
BACKWARD = """
DROP TRIGGER events_fan_out ON events;
DROP FUNCTION events_fan_out();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0007_webhook_endpoints_and_emails")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
