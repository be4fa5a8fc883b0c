"""A message that cannot be stored becomes a dead letter, costs no other message, and never stops intake."""

import asyncio
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from channels_app import inbox, ingest, spool, spool_drain, webhook_fast_path
from channels_app.models import ChannelEvent, Customer, DeadLetter, InboundMessage
from conversations import replay
from simulator import webhooks
from simulator.webhooks import Number
from tests.channels_app import poison
from tests.channels_app.conftest import SECRET
from tests.channels_app.poison import EXCEPTIONS, KINDS, body
from tests.rig import wait_until

PERSON = webhooks.Customer(wa_id="12025550143")


def headers(raw: bytes) -> dict[str, str]:
    return {"X-Hub-Signature-256": webhooks.sign(raw, SECRET), "Content-Type": "application/json"}


def by_view(bodies: list[bytes]) -> list[int]:
    client = Client()
    return [
        client.post(
            settings.WEBHOOK_PATH, raw, content_type="application/json", headers=headers(raw)
        ).status_code
        for raw in bodies
    ]


async def _receive(raw: bytes) -> int:
    status, _ = await webhook_fast_path.receive(
        raw=raw, headers={k.lower(): v for k, v in headers(raw).items()}
    )
    return status


def by_event_loop(bodies: list[bytes]) -> list[int]:
    return [asyncio.run(_receive(raw)) for raw in bodies]


def by_event_loop_at_once(bodies: list[bytes]) -> list[int]:
    async def receive() -> list[int]:
        return list(await asyncio.gather(*map(_receive, bodies)))

    return asyncio.run(receive())


def by_spool(bodies: list[bytes]) -> list[int]:
    for raw in bodies:
        spool.append(spool.Waiting(raw, timezone.now(), correlation_id="cor_1"))
    spool_drain.drain()
    assert spool.first() is None
    return [200] * len(bodies)


PLACES = [by_view, by_event_loop, by_event_loop_at_once, by_spool]


@pytest.fixture(autouse=True)
def _stores(valkey, transactional_db, monkeypatch):
    ingest.postgres.succeeded()
    monkeypatch.setitem(ingest._PARSERS, "test", poison.parse)
    # So many that cannot be stored take a while on a busy machine; the spool is a place of its own here.
    monkeypatch.setattr(webhook_fast_path, "PATIENCE", 120)
    with poison.triggers():
        yield
    assert not ingest.postgres.is_open, "a message that cannot be stored is no reason to leave Postgres alone"


def ids(kind: str) -> tuple[str, str, str]:
    return f"before {kind} ", f"bad-{kind}", f"after {kind} "


def stored() -> list[str]:
    return list(InboundMessage.objects.order_by("id").values_list("provider_message_id", flat=True))


@pytest.mark.parametrize("place", PLACES)
class TestMessageThatCannotBeStored:
    def test_becomes_a_dead_letter_and_costs_no_neighbour(self, place, caplog):
        statuses = place([body(*ids(kind)) for kind in KINDS])

        assert dict(zip(KINDS, statuses, strict=True)) == dict.fromkeys(KINDS, 200)
        by_kind = defaultdict(list)
        for message_id in stored():
            by_kind[message_id.split()[1]].append(message_id)
        assert by_kind == {kind: [ids(kind)[0], ids(kind)[2]] for kind in KINDS}
        letters = {bytes(letter.raw): letter for letter in DeadLetter.objects.all()}
        assert letters.keys() == {body(*ids(kind)) for kind in KINDS}
        assert all(letter.reason.startswith("not stored: ") for letter in letters.values())
        assert "my secret" not in caplog.text + str([letter.reason for letter in letters.values()])
        assert PERSON.wa_id not in caplog.text

    def test_is_stored_once_by_a_replay_when_the_cause_is_gone(self, place, monkeypatch):
        place([body(*ids(kind)) for kind in KINDS])
        Customer.objects.update(name="Renamed")
        before = list(InboundMessage.objects.order_by("pk").values())

        assert replay.dead_letters(DeadLetter.objects.all()).dead_letters == 0
        poison.drop_triggers()
        monkeypatch.setitem(ingest._PARSERS, "test", poison.parse_mended)
        first = replay.dead_letters(DeadLetter.objects.all())
        again = replay.dead_letters(DeadLetter.objects.all())

        assert (first.dead_letters, again.dead_letters) == (len(KINDS), 0)
        assert sorted(stored()) == sorted(message_id for kind in KINDS for message_id in ids(kind))
        after = InboundMessage.objects.filter(pk__in=[row["id"] for row in before]).order_by("pk")
        assert list(after.values()) == before
        assert Customer.objects.filter(name="Renamed").count() == 2 * len(KINDS)

    def test_among_others_like_it_and_twice_is_one_dead_letter(self, place):
        raw = body(*(f"bad-{kind}" for kind in KINDS[::4]), "good")
        first = place([raw])
        DeadLetter.objects.update(replayed_at=timezone.now())

        assert [first, place([raw])] == [[200], [200]]
        assert stored() == ["good"]
        assert DeadLetter.objects.get().replayed_at is None


@pytest.mark.parametrize("place", PLACES)
class TestBodyWhoseParserRaises:
    def test_becomes_a_dead_letter(self, place, monkeypatch, caplog):
        def parse(payload: dict, *, now: object) -> None:
            raise poison.exception(payload["raises"])

        monkeypatch.setitem(ingest._PARSERS, "broken", parse)
        broken = {name: f'{{"object": "broken", "raises": "{name}"}}'.encode() for name in EXCEPTIONS}

        assert set(place([body("1"), *broken.values(), body("2")])) == {200}
        assert stored() == ["1", "2"]
        letters = {bytes(letter.raw): letter for letter in DeadLetter.objects.filter(source=spool.META)}
        for name, raw in broken.items():
            assert letters[raw].reason.startswith(f"not read: {name} at tests/channels_app/test_poison.py")
        assert "my secret" not in caplog.text


@pytest.mark.parametrize("place", PLACES)
class TestEventThatCannotBeStored:
    def test_becomes_a_dead_letter_and_costs_neither_messages_nor_events(self, place):
        def status(message_id: str) -> dict:
            return webhooks.whatsapp_status("sent", message_id=message_id, customer=PERSON)

        statuses = webhooks.whatsapp_statuses(
            [status("one"), status("bad-poison-22001"), status("two")], customer=PERSON, number=Number()
        )
        messages = webhooks.whatsapp_text(["Hello"], customer=PERSON, number=Number())
        raw = webhooks.encode({**statuses, "entry": statuses["entry"] + messages["entry"]})

        assert place([raw]) == [200]
        found = ChannelEvent.objects.order_by("id").values_list("provider_message_id", flat=True)
        assert list(found) == ["one", "two"]
        assert InboundMessage.objects.get().text == "Hello"
        assert DeadLetter.objects.get().phone_number_id == Number().phone_number_id


@pytest.mark.parametrize("place", PLACES)
class TestBodyWithOnePersonUnderSeveralIds:
    """First a message with a business-scoped id only, then one of a phone number, then one with both."""

    @pytest.mark.parametrize("is_known", [False, True])
    def test_is_stored_whole_as_one_customer(self, place, is_known):
        people = [
            webhooks.Customer(wa_id=None, user_id="US.1349"),
            webhooks.Customer(wa_id="12025550143", user_id=None),
            webhooks.Customer(wa_id="12025550143", user_id="US.1349"),
        ]
        stranger = webhooks.Customer(wa_id="12025550199")
        if is_known:
            by_view([webhooks.encode(webhooks.whatsapp_text(["0"], customer=people[1], number=Number()))])
        bodies = [
            webhooks.whatsapp_text([f"{n}"], customer=customer, number=Number())
            for n, customer in enumerate([*people, stranger], 1)
        ]
        raw = webhooks.encode({**bodies[0], "entry": [each["entry"][0] for each in bodies]})

        assert place([raw]) == [200]
        assert not DeadLetter.objects.exists()
        texts = list(InboundMessage.objects.order_by("id").values_list("text", flat=True))
        assert texts == [f"{n}" for n in range(0 if is_known else 1, 5)]
        assert Customer.objects.count() == 2
        customer = Customer.objects.get(bsuid="US.1349")
        assert (customer.wa_id, customer.inbox.count()) == ("12025550143", 4 if is_known else 3)


class TestDeadLetterThatCannotBeStored:
    @pytest.fixture(autouse=True)
    def _no_dead_letters(self):
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE dead_letters ADD CONSTRAINT refuse_all CHECK (false) NOT VALID")
        yield
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE dead_letters DROP CONSTRAINT refuse_all")

    @pytest.mark.parametrize("place", [by_view, by_event_loop, by_event_loop_at_once])
    def test_has_its_webhook_wait_in_the_spool(self, place):
        raw = body("bad-poison-23505", "good")

        assert place([raw]) == [200]
        waiting = spool.first()
        assert waiting is not None
        assert waiting[1].raw == raw
        assert stored() == ["good"]

    def test_blocks_nothing_in_the_spool_and_is_stored_when_it_can_be(self):
        for raw in (body("1"), body("bad-poison-23505"), body("2"), b"no JSON", body("3")):
            spool.append(spool.Waiting(raw, timezone.now(), correlation_id=""))

        assert spool_drain.drain() == 3
        assert stored() == ["1", "2", "3"]
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE dead_letters DROP CONSTRAINT refuse_all")
            spool_drain.drain()
            cursor.execute("ALTER TABLE dead_letters ADD CONSTRAINT refuse_all CHECK (false) NOT VALID")
        assert spool.first() is None
        assert {bytes(letter.raw) for letter in DeadLetter.objects.all()} == {
            body("bad-poison-23505"),
            b"no JSON",
        }


class TestCustomerWhoIsCreatedElsewhereMeanwhile:
    def test_is_found_at_the_second_attempt(self):
        """Another connection has inserted the row and not committed it yet, without intake's lock."""

        def receive() -> list[int]:
            try:
                return by_view([body("one", "two")])
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                other = Customer.objects.create(phone_number_id="1", wa_id="w-two")
                statuses = pool.submit(receive)
                wait_until(_somebody_waits, what="the webhook waits for the other transaction")
            assert statuses.result(120) == [200]

        assert stored() == ["one", "two"]
        assert InboundMessage.objects.get(provider_message_id="two").customer == other
        assert not DeadLetter.objects.exists()


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted")
        return cursor.fetchone()[0] > 0


class TestNotStored:
    def test_lists_only_messages_that_are_not_in_the_inbox(self):
        by_view([body("one", "two")])
        messages = poison.parse({"ids": ["one", "two", "three"]}, now=timezone.now()).inbound

        assert [message.provider_message_id for message in inbox.not_stored(messages)] == ["three"]
