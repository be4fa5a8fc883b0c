"""The spool is drained in order, and no entry holds up those behind it."""

import json

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from channels_app import spool, spool_drain
from channels_app.models import DeadLetter, InboundMessage
from channels_app.webchat import messages
from channels_app.webchat.messages import VisitorMessage
from config.lib import redis, sql
from conversations import replay
from simulator import webhooks
from simulator.webhooks import Customer, Number

VISITOR = VisitorMessage(
    phone_number_id="web_1", visitor_id="vis-1", message_id="message-1", text="Hello",
    sent_at="2026-11-22T12:00:00+00:00",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _stores(valkey, transactional_db, monkeypatch):
    monkeypatch.setattr(spool_drain, "_attempts", spool_drain._Attempts())


def raw(text: str) -> bytes:
    return webhooks.encode(webhooks.whatsapp_text([text], customer=Customer(), number=Number()))


def spooled(body: bytes, *, source: str = spool.META) -> None:
    spool.append(spool.Waiting(body, timezone.now(), correlation_id="cor_1", source=source))


def push(entry: bytes) -> None:
    redis.client().rpush(spool.KEY, entry)


def texts() -> list[str]:
    return list(InboundMessage.objects.order_by("id").values_list("text", flat=True))


def entry(**changes: object) -> bytes:
    spooled(raw("changed"))
    found = json.loads(redis.client().rpop(spool.KEY))
    return json.dumps({key: value for key, value in (found | changes).items() if value is not None}).encode()


class TestDrain:
    def test_stores_entries_in_their_order_and_with_their_correlation_id(self):
        for n in range(3):
            spooled(raw(f"{n}"))

        assert spool_drain.drain() == 3
        assert texts() == ["0", "1", "2"]
        assert spool_drain.drain() == 0
        assert set(InboundMessage.objects.values_list("correlation_id", flat=True)) == {"cor_1"}
        assert not redis.client().exists(spool.KEY, spool.BYTES_KEY)


class TestBatch:
    def test_is_stored_in_one_transaction(self):
        for n in range(spool_drain.BATCH + 20):
            spooled(raw(f"{n}"))

        spool_drain.drain()

        assert texts() == [f"{n}" for n in range(spool_drain.BATCH + 20)]
        assert sql.row("SELECT count(DISTINCT xmin::text) AS transactions FROM inbound_messages") == {
            "transactions": 2
        }
        assert not redis.client().exists(spool.KEY, spool.BYTES_KEY)

    def test_with_an_undecodable_entry_loses_no_other_and_keeps_their_order(self):
        for n in range(5):
            spooled(raw(f"{n}"))
        push(b"no JSON")
        spooled(raw("5"))

        assert spool_drain.drain() == 7
        assert texts() == [f"{n}" for n in range(6)]
        assert DeadLetter.objects.get().source == spool.ENTRY

    def test_holds_no_more_bytes_than_are_read_at_once(self, monkeypatch):
        for n in range(4):
            spooled(raw(f"{n}"))
        size = len(redis.client().lindex(spool.KEY, 0))
        monkeypatch.setattr(spool, "MOST_BYTES", 2 * size + 10)

        assert len(spool.entries(0, most=100)) == 2
        assert len(spool.entries(3, most=100)) == 1
        monkeypatch.setattr(spool, "MOST_BYTES", 10)
        assert len(spool.entries(0, most=100)) == 1
        assert spool_drain.drain() == 4
        assert texts() == ["0", "1", "2", "3"]

    def test_after_the_longest_time_is_left_to_the_next_drain(self, monkeypatch):
        monkeypatch.setattr(spool_drain, "LONGEST", 0)
        for n in range(spool_drain.BATCH + 1):
            spooled(raw(f"{n}"))

        assert (spool_drain.drain(), spool_drain.drain()) == (spool_drain.BATCH, 1)
        assert texts() == [f"{n}" for n in range(spool_drain.BATCH + 1)]


class TestUndecodableEntry:
    @pytest.mark.parametrize(
        "damaged",
        [
            lambda: b"",
            lambda: b"\xff\xfe",
            lambda: b"no JSON",
            lambda: b"[" * 100_000,
            lambda: b"[]",
            lambda: b"null",
            lambda: b"7",
            lambda: entry(raw=None),
            lambda: entry(raw="not base64!"),
            lambda: entry(raw=7),
            lambda: entry(raw={"parts": []}),
            lambda: entry(received_at=None),
            lambda: entry(received_at="yesterday"),
            lambda: entry(received_at=7),
            lambda: entry(correlation_id=None),
        ],
    )
    def test_becomes_a_dead_letter_with_its_raw_content(self, damaged):
        content = damaged()
        spooled(raw("before"))
        push(content)
        spooled(raw("after"))

        spool_drain.drain()

        assert texts() == ["before", "after"]
        letter = DeadLetter.objects.get()
        assert (bytes(letter.raw), letter.source) == (content, spool.ENTRY)
        assert letter.reason.startswith("not stored: UndecodableError")
        assert spool.first() is None

    def test_is_still_a_dead_letter_after_a_replay_by_the_same_version(self):
        push(b"no JSON")
        spool_drain.drain()

        assert replay.dead_letters(DeadLetter.objects.all()).dead_letters == 0
        assert DeadLetter.objects.get().reason == "not decoded: JSONDecodeError"

    def test_is_stored_by_a_replay_of_a_version_that_can_decode_it(self):
        DeadLetter.objects.create(raw=entry(), source=spool.ENTRY, reason="another version's", digest="1")

        assert replay.dead_letters(DeadLetter.objects.all()).dead_letters == 1
        assert texts() == ["changed"]


class TestVisitorMessage:
    @pytest.mark.parametrize(
        "changes", [{"mood": "a field of another version"}, {"text": None}, {"sent_at": "yesterday"}]
    )
    def test_of_another_version_becomes_a_dead_letter_of_its_own_format(self, changes):
        body = json.dumps(json.loads(messages.raw(VISITOR)) | changes).encode()
        spooled(body, source=spool.WEBCHAT)
        spooled(messages.raw(VISITOR), source=spool.WEBCHAT)

        assert spool_drain.drain() == 2
        assert texts() == ["Hello"]
        letter = DeadLetter.objects.get()
        assert (bytes(letter.raw), letter.source) == (body, spool.WEBCHAT)

    def test_that_became_a_dead_letter_is_stored_by_a_replay(self):
        DeadLetter.objects.create(
            raw=messages.raw(VISITOR), source=spool.WEBCHAT, reason="a fault that is gone", digest="1"
        )

        assert replay.dead_letters(DeadLetter.objects.all()).dead_letters == 1
        assert texts() == ["Hello"]

    def test_is_never_read_from_a_body_that_meta_signed(self):
        spooled(messages.raw(VISITOR), source=spool.META)
        spooled(messages.raw(VISITOR), source="a source of another version")

        assert spool_drain.drain() == 2
        assert texts() == []
        assert DeadLetter.objects.get().source == "a source of another "


class TestEntryThatPostgresTurnsAway:
    """As if it were away, by a lock that somebody holds for long or a statement that takes too long."""

    @pytest.fixture(params=["55P03", "57014", "40P01", "53100"])
    def _busy(self, request):
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE FUNCTION turn_away() RETURNS trigger LANGUAGE plpgsql AS"
                f" $$ BEGIN RAISE EXCEPTION 'busy' USING ERRCODE = '{request.param}'; END $$;"
                "CREATE TRIGGER turn_away BEFORE INSERT ON inbound_messages FOR EACH ROW"
                " WHEN (NEW.text = 'busy') EXECUTE FUNCTION turn_away()"
            )
        yield
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION turn_away() CASCADE")

    @pytest.mark.usefixtures("_busy")
    def test_is_kept_at_its_place_at_first_and_becomes_a_dead_letter_at_last(self):
        busy = raw("busy")
        for body in (raw("before"), busy, raw("after")):
            spooled(body)

        for _ in range(spool_drain.MAX_ATTEMPTS - 1):
            with pytest.raises(OperationalError) as raised:
                spool_drain.drain()
            assert sql.is_unavailable(raised.value)
            assert texts() == ["before"]
        assert spool_drain.drain() == 2

        assert texts() == ["before", "after"]
        letter = DeadLetter.objects.get()
        assert (bytes(letter.raw), letter.source) == (busy, spool.META)
        assert spool.first() is None
