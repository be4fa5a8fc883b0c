"""What lists of a business's conversations and messages are made with."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from config.lib.tenancy import TenantMissingError
from conversations.models import Conversation, Message
from tests.conversations import answering
from tests.factories import (
    AgentFactory,
    ConversationFactory,
    CustomerFactory,
    InboundMessageFactory,
    MessageFactory,
)
from tests.load.filling import fill


def plan(rows) -> str:
    """Say how Postgres would find the rows if reading a whole table cost too much."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    return rows.explain()


class TestTenant:
    def test_of_a_conversation_and_its_messages_is_filled_in_by_the_claim(self, db):
        agent = AgentFactory()
        InboundMessageFactory(customer=CustomerFactory(phone_number=agent.phone_number))

        answering.claim(agent.phone_number_id)

        assert Conversation.objects.get().user_id == agent.user_id
        assert Message.objects.get().user_id == agent.user_id

    @pytest.mark.parametrize("factory", [ConversationFactory, MessageFactory])
    def test_must_be_there(self, db, factory):
        with pytest.raises(IntegrityError, match="user_id"), transaction.atomic():
            factory(user=None)


class TestOf:
    @pytest.mark.parametrize("factory", [ConversationFactory, MessageFactory])
    def test_gives_a_businesss_own_and_no_others(self, db, factory):
        own, _other = factory(), factory()

        assert list(type(own).objects.of(own.user_id)) == [own]

    @pytest.mark.parametrize("rows", [Conversation.objects, Message.objects])
    @pytest.mark.parametrize("nobody", ["", None])
    def test_nobody_falls_back_to_nothing(self, rows, nobody):
        with pytest.raises(TenantMissingError):
            rows.of(nobody)


class TestPause:
    @pytest.mark.parametrize(("minutes", "is_paused"), [(5, True), (-5, False), (None, False)])
    def test_is_told_and_filtered_by(self, db, minutes, is_paused):
        until = None if minutes is None else timezone.now() + timedelta(minutes=minutes)
        conversation = ConversationFactory(customer__paused_until=until)

        rows = Conversation.objects.of(conversation.user_id).with_pause()

        assert rows.get().is_paused is is_paused
        assert rows.filter(is_paused=is_paused).exists()
        assert not rows.filter(is_paused=not is_paused).exists()


class TestFailed:
    def test_gives_what_failed(self, db):
        failed = MessageFactory(status="failed")
        MessageFactory(conversation=failed.conversation, status="sent")

        assert list(Message.objects.of(failed.user_id).failed()) == [failed]


class TestSaying:
    @pytest.mark.parametrize("words", ["rye bread", "RYE", "für", "FÜR", "100%"])
    def test_finds_words_in_upper_and_lower_case(self, db, words):
        message = MessageFactory(text="Rye bread für Özgür, 100% rye")
        MessageFactory(conversation=message.conversation, text="Wheat 1000")

        assert list(Message.objects.of(message.user_id).saying(words)) == [message]


class TestIndex:
    @pytest.mark.parametrize(
        ("rows", "index"),
        [
            (Message.objects.order_by("-timestamp", "-message_id"), "messages_by_user"),
            (Message.objects.failed().order_by("-timestamp", "-message_id"), "messages_failed_by_user"),
            (Conversation.objects.order_by("-conversation_id"), "conversations_by_user"),
            (Conversation.objects.filter(customer_phone="12025550100"), "conversations_by_user_phone"),
        ],
    )
    def test_serves_the_lists_of_a_business(self, db, rows, index):
        # Where there are few rows, or Postgres thinks so, any index will do.
        fill("usr_2", count=20_000)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE conversations, messages")

        assert f"using {index} " in plan(rows.filter(user_id="usr_1")[:50])

    def test_serves_the_search_for_words(self, db):
        assert "on messages_by_words" in plan(Message.objects.saying("rye bread"))

    def test_is_not_written_again_when_a_reply_moves_on(self, transactional_db):
        """Or each status would cost an entry in every index of the table."""
        message = MessageFactory()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_force_next_flush()")
            cursor.execute(
                "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'messages'"
            )
            before = cursor.fetchone()

            for status in ("sent", "delivered", "read"):
                Message.objects.filter(pk=message.pk).update(status=status, failed_at=None)

            cursor.execute("SELECT pg_stat_force_next_flush()")
            cursor.execute(
                "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'messages'"
            )
            after = cursor.fetchone()
        assert [now - then for now, then in zip(after, before, strict=True)] == [3, 3]
