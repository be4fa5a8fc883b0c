"""What a business is to be told is written with what it tells of."""

from django.db import transaction

from billing import events
from billing.events import EventType
from billing.models import Event
from tests.factories import UserFactory


class TestRecord:
    def test_keeps_what_is_to_be_told(self, db):
        user = UserFactory()

        events.record(
            user_id=user.user_id,
            type=EventType.MESSAGE_SENT,
            data={"message_id": "msg_1", "parts": [1, 2]},
            conversation_id="cnv_1",
        )

        event = Event.objects.get()
        assert event.event_id.startswith("evt_")
        assert (event.user, event.type, event.conversation_id) == (user, "message.sent", "cnv_1")
        assert event.data == {"message_id": "msg_1", "parts": [1, 2]}
        assert event.created_at is not None

    def test_goes_away_with_the_transaction_it_stood_in(self, db):
        with transaction.atomic():
            events.record(user_id=UserFactory().user_id, type=EventType.CHANNEL_ERROR, data={})
            transaction.set_rollback(True)

        assert not Event.objects.exists()
