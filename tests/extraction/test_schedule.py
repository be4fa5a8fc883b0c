import json
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from billing.models import Event
from conversations.models import Conversation, Message
from extraction import runs, schedule
from extraction.models import Extraction
from tests import racing
from tests.factories import AgentFactory, ConversationFactory, CustomerFactory, TurnFactory

MINUTE = timedelta(minutes=1)


def talk(*, quiet_for=6 * MINUTE, due=True, messages=1, **values) -> Conversation:
    """A conversation whose customer has written something that was not read yet."""
    now = timezone.now()
    made = ConversationFactory(
        last_sequence_no=messages,
        last_message_at=now - quiet_for,
        extract_at=now - timedelta(seconds=1) if due else now + MINUTE,
        **values,
    )
    for number in range(1, messages + 1):
        say(made, number)
    return made


def say(made: Conversation, number: int, author="customer") -> Message:
    return Message.objects.create(
        user_id=made.user_id, conversation=made, phone_number_id=made.customer.phone_number_id,
        sender="user" if author == "customer" else "agent", author=author, text="Hello",
        timestamp=timezone.now(), sequence_no=number,
    )  # fmt: skip


def readings(made: Conversation) -> list[Extraction]:
    return list(Extraction.objects.filter(conversation=made).order_by("extraction_id"))


def extract_at(made: Conversation):
    return Conversation.objects.values_list("extract_at", flat=True).get(pk=made.pk)


@pytest.mark.django_db
class TestLook:
    def test_opens_a_reading_of_a_talk_that_went_quiet(self, valkey):
        made = talk(messages=3)

        schedule.look()

        (run,) = readings(made)
        assert (run.status, run.trigger, run.upto_sequence_no) == ("waiting", "quiet", 3)
        assert run.user_id == made.user_id
        assert extract_at(made) is None

    def test_tells_of_it_once(self, valkey):
        made = talk()

        schedule.look()
        schedule.look()

        (event,) = Event.objects.filter(type="conversation.idle", user_id=made.user_id)
        assert event.conversation_id == made.pk
        assert event.data["phone_number_id"] == made.customer.phone_number_id

    def test_leaves_a_talk_that_goes_on_and_looks_again_when_it_may_be_quiet(self, valkey):
        made = talk(quiet_for=MINUTE)

        schedule.look()

        assert readings(made) == []
        assert abs(extract_at(made) - (made.last_message_at + 5 * MINUTE)) < timedelta(seconds=1)

    def test_does_not_look_before_the_time_has_come(self, valkey):
        made = talk(due=False)

        schedule.look()

        assert readings(made) == []

    def test_waits_as_long_as_the_agent_says(self, valkey):
        customer = CustomerFactory()
        agent = AgentFactory(phone_number=customer.phone_number, extraction_interval=900_000)
        made = talk(customer=customer, agent=agent, quiet_for=6 * MINUTE)

        schedule.look()

        assert readings(made) == []
        assert abs(extract_at(made) - (made.last_message_at + 15 * MINUTE)) < timedelta(seconds=1)

    def test_waits_while_an_answer_is_being_made(self, valkey):
        made = talk()
        TurnFactory(conversation=made)

        schedule.look()

        assert readings(made) == []
        assert extract_at(made) > timezone.now()

    def test_reads_a_talk_that_has_ended_as_well(self, valkey):
        made = talk(is_active=False)

        schedule.look()

        assert len(readings(made)) == 1

    def test_does_not_read_again_what_was_read_by_hand_already(self, valkey):
        made = talk()
        run = runs.want(conversation_id=made.pk)
        Extraction.objects.filter(pk=run.pk).update(status="empty")

        schedule.look()

        assert [row.pk for row in readings(made)] == [run.pk]
        assert extract_at(made) is None

    def test_reads_again_what_failed_only_when_the_customer_writes_on(self, valkey):
        made = talk()
        schedule.look()
        Extraction.objects.filter(conversation=made).update(status="failed")

        schedule.look()
        assert len(readings(made)) == 1

        say(made, 2)
        Conversation.objects.filter(pk=made.pk).update(
            last_sequence_no=2, extract_at=timezone.now() - timedelta(seconds=1)
        )
        schedule.look()

        assert [row.upto_sequence_no for row in readings(made)] == [1, 2]

    def test_counts_what_waits_also_if_a_ring_was_lost(self, valkey):
        talk()
        schedule.look()

        assert schedule.look() == 1

    def test_rings_for_a_few_of_many(self, valkey, monkeypatch):
        monkeypatch.setattr(schedule, "RINGS", 2)
        made = [talk() for _ in range(5)]

        assert schedule.look() == 2

        rings = [json.loads(ring)["headers"]["task"] for ring in valkey.lrange("extraction", 0, -1)]
        assert rings == ["extraction.extract"] * 2
        assert [len(readings(each)) for each in made] == [1] * 5

    def test_looks_at_more_talks_than_fit_into_a_batch(self, valkey, monkeypatch):
        monkeypatch.setattr(schedule, "BATCH", 2)
        made = [talk() for _ in range(5)]

        schedule.look()

        assert [len(readings(each)) for each in made] == [1] * 5

    def test_opens_what_it_can_while_redis_is_away(self, settings):
        settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
        made = talk()

        schedule.look()

        assert len(readings(made)) == 1


@pytest.mark.django_db(transaction=True)
class TestLookAtOnce:
    def test_several_beats_open_one_reading(self, valkey):
        made = [talk() for _ in range(10)]

        ended = racing.at_once(*[schedule.look] * 6)

        assert ended == ["done"] * 6
        assert [len(readings(each)) for each in made] == [1] * 10
        assert Event.objects.filter(type="conversation.idle").count() == 10


@pytest.mark.django_db
@pytest.mark.long
class TestPlan:
    def test_finds_due_talks_by_their_index_among_many(self, valkey):
        made = talk()
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO conversations"
                " SELECT (jsonb_populate_record(conversations, jsonb_build_object("
                "     'conversation_id', 'cnv_' || n, 'is_active', false, 'extract_at', null))).*"
                "   FROM conversations, generate_series(1, 3000) AS n WHERE conversation_id = %s",
                [made.pk],
            )
            cursor.execute("ANALYZE conversations")
            cursor.execute("EXPLAIN " + schedule._DUE, {"interval": 300_000, "most": 500})
            plan = "\n".join(row[0] for row in cursor.fetchall())

        assert "conversations_to_extract" in plan
        assert "Seq Scan on conversations" not in plan
