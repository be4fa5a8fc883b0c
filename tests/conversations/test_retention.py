"""Old messages, files and leads are deleted in batches; what is young, open or kept for good stays."""

from datetime import timedelta

import pytest
from django.utils import timezone

from channels_app import retention as channel_retention
from channels_app.models import ChannelEvent, DeadLetter, InboundMessage, Tombstone
from config.lib import ids
from conversations import retention
from conversations.models import Conversation, Delivery, Message, PendingDeletion, Turn
from extraction import retention as lead_retention
from extraction.models import Extraction
from tests.factories import (
    ConversationFactory,
    DeliveryFactory,
    ExtractionFactory,
    InboundMessageFactory,
    MessageFactory,
    TurnFactory,
)

NOW = timezone.now()
OLD = NOW - timedelta(days=1100)


def old_id(prefix: str) -> str:
    return ids.first(prefix, OLD) + ids.new("")[-6:]


@pytest.fixture
def talk(transactional_db, valkey):
    """An old conversation with a question, its inbox row, a turn and the reply."""
    made = ConversationFactory(
        conversation_id=old_id("cnv"), last_message_at=OLD, openai_conversation_id="conv_old"
    )
    turn = TurnFactory(turn_id=old_id("trn"), conversation=made, state="done")
    inbound = InboundMessageFactory(customer=made.customer, status="done", payload={"text": "raw"})
    InboundMessage.objects.update(received_at=OLD)
    MessageFactory(
        message_id=old_id("msg"), conversation=made, turn=turn, author="customer", sequence_no=1,
        timestamp=OLD, inbound=inbound, status="delivered", media=[{"kind": "image", "name": "1/a.png"}],
    )  # fmt: skip
    reply = MessageFactory(
        message_id=old_id("msg"), conversation=made, turn=turn, sequence_no=2, timestamp=OLD, status="sent"
    )
    DeliveryFactory(message=reply, turn=turn, state="sent", text="x")
    return made


def purge_all() -> None:
    retention.purge(now=NOW)
    channel_retention.purge(now=NOW)


class TestMessages:
    def test_old_ones_go_with_all_that_hangs_on_them(self, talk):
        purge_all()

        for model in (Message, Delivery, Turn, Conversation, InboundMessage):
            assert not model.objects.exists(), model
        assert set(PendingDeletion.objects.values_list("kind", "target")) == {
            ("file", "1/a.png"), ("openai_conversation", "conv_old"),
        }  # fmt: skip

    def test_young_ones_stay_and_so_does_their_conversation(self, talk):
        MessageFactory(conversation=talk, sequence_no=3, timestamp=NOW, status="sent")

        purge_all()

        assert [message.sequence_no for message in Message.objects.all()] == [3]
        assert Conversation.objects.exists()

    def test_more_than_a_batch_goes(self, talk, monkeypatch):
        monkeypatch.setattr(retention, "BATCH", 1)

        retention.purge(now=NOW)

        assert not Message.objects.exists()

    def test_zero_keeps_them_for_good(self, talk, settings):
        settings.MESSAGE_RETENTION_DAYS = settings.MEDIA_RETENTION_DAYS = 0

        purge_all()

        assert Message.objects.count() == 2
        assert not PendingDeletion.objects.exists()

    def test_row_that_somebody_holds_is_left_for_the_next_run(self, talk):
        Message.objects.filter(sequence_no=2).update(status="pending")

        purge_all()

        assert [message.sequence_no for message in Message.objects.all()] == [2]
        assert Turn.objects.exists()

    def test_open_turn_stays(self, talk):
        Message.objects.update(turn=None)
        Turn.objects.update(closed_at=None, state="claimed")

        retention.purge(now=NOW)

        assert Turn.objects.exists()


class TestFiles:
    def test_file_goes_before_its_message_which_says_so(self, talk, settings):
        settings.MESSAGE_RETENTION_DAYS = 0

        counts = [retention.purge(now=NOW)["files"] for _ in range(2)]

        assert counts == [1, 0]
        assert Message.objects.get(sequence_no=1).media == [{"kind": "image", "missing": "expired"}]
        assert PendingDeletion.objects.get().target == "1/a.png"

    def test_next_run_goes_on_where_the_last_one_ended(self, talk, settings, monkeypatch):
        settings.MESSAGE_RETENTION_DAYS = 0
        monkeypatch.setattr(retention, "MOST_BATCHES", 1)
        monkeypatch.setattr(retention, "WALKED", 1)
        Message.objects.filter(sequence_no=2).update(media=[{"kind": "image", "name": "1/b.png"}])

        counts = [retention.purge(now=NOW)["files"] for _ in range(3)]

        assert counts == [1, 1, 0]


class TestPayloads:
    def test_payload_goes_and_the_message_stays(self, talk, settings):
        settings.MESSAGE_RETENTION_DAYS = 0
        young = InboundMessageFactory(customer=talk.customer, status="done", payload={"text": "raw"})
        waiting = InboundMessageFactory(customer=talk.customer, payload={"text": "raw"})
        InboundMessage.objects.filter(pk=waiting.pk).update(received_at=OLD)

        channel_retention.purge(now=NOW)

        payloads = dict(InboundMessage.objects.values_list("pk", "payload"))
        assert payloads.pop(young.pk) == payloads.pop(waiting.pk) == {"text": "raw"}
        assert list(payloads.values()) == [{}]


class TestOthers:
    def test_old_dead_letters_and_tombstones_go(self, transactional_db, valkey):
        for age in (OLD, NOW):
            DeadLetter.objects.create(reason="x", raw=b"x", digest=str(age), received_at=age)
            Tombstone.objects.create(digest=str(age), kind="person", erased_at=age)

        channel_retention.purge(now=NOW)

        assert DeadLetter.objects.get().digest == str(NOW)
        assert Tombstone.objects.get().digest == str(NOW)

    def test_channel_events_have_a_setting_of_their_own(self, transactional_db, valkey, settings):
        settings.CHANNEL_EVENT_RETENTION_DAYS = 0
        ChannelEvent.objects.create(
            phone_number_id="1", kind="status", event_key="1", payload={}, occurred_at=OLD,
            received_at=OLD, applied_at=OLD,
        )  # fmt: skip
        channel_retention.purge(now=NOW)
        before = ChannelEvent.objects.count()
        settings.CHANNEL_EVENT_RETENTION_DAYS = 30
        channel_retention.purge(now=NOW)

        assert [before, ChannelEvent.objects.count()] == [1, 0]

    def test_old_leads_go_and_open_readings_stay(self, transactional_db, valkey):
        for status in ("succeeded", "waiting"):
            ExtractionFactory(extraction_id=old_id("ext"), status=status, is_current=False, extracted_at=OLD)
        ExtractionFactory()

        assert lead_retention.purge(now=NOW) == 1
        assert set(Extraction.objects.values_list("status", flat=True)) == {"waiting", "succeeded"}
