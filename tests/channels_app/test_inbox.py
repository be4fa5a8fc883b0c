"""Each message is kept once, in the order of arrival, and rung for."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import DataError, connection, transaction
from django.utils import timezone

from channels_app import inbox
from channels_app.meta.types import Event, Inbound, Parsed, Person
from channels_app.models import ChannelEvent, Customer, InboundMessage
from config.lib import jobs
from tests.factories import SENT_AT, CustomerFactory, InboundMessageFactory
from tests.rig import wait_until

ADA = Person(wa_id="12025550143", name="Ada")


def message(message_id: str, *, number: str = "1", person: Person = ADA, **more) -> Inbound:
    given = {"kind": "text", "text": "Hello", "payload": {}, "sent_at": SENT_AT, **more}
    return Inbound(phone_number_id=number, provider_message_id=message_id, person=person, **given)


def status(key: str, *, kind: str = "status") -> Event:
    return Event(
        phone_number_id="1", kind=kind, key=key, provider_message_id=key, callback_data="",
        payload={"status": "sent"}, occurred_at=SENT_AT,
    )  # fmt: skip


def store(*messages: Inbound) -> inbox.Stored:
    return inbox.store(Parsed(inbound=list(messages)))


class TestStore:
    def test_says_how_much_was_new(self, db):
        store(message("a"))

        stored = inbox.store(Parsed(inbound=[message("a"), message("b")], events=[status("x"), status("x")]))

        assert stored == inbox.Stored(messages=1, events=1)

    def test_of_nothing_does_nothing(self, db, django_assert_num_queries):
        with transaction.atomic():
            assert inbox.store(Parsed()) == inbox.Stored(messages=0, events=0)

    def test_gives_ids_in_the_order_of_arrival(self, db):
        store(message("c"), message("a", number="2"), message("b"))
        store(message("d", number="2"), message("0"))

        ids = InboundMessage.objects.order_by("id").values_list("provider_message_id", flat=True)
        assert list(ids) == ["c", "a", "b", "d", "0"]

    def test_keeps_what_two_webhooks_tell_at_once_in_the_order_of_commits(self, transactional_db, settings):
        settings.REPLY_DEBOUNCE = 0
        started = threading.Event()

        def second() -> None:
            started.set()
            try:
                store(message("second"))
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                store(message("first"))
                later = pool.submit(second)
                started.wait(60)
                wait_until(self._somebody_waits, what="the second webhook waits for the first")
            later.result(120)

        ids = InboundMessage.objects.order_by("id").values_list("provider_message_id", flat=True)
        assert list(ids) == ["first", "second"]

    def _somebody_waits(self) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            return cursor.fetchone()[0] > 0

    def test_of_two_numbers_in_either_order_at_once_never_locks_up(self, valkey, transactional_db, settings):
        settings.REPLY_DEBOUNCE = 0
        both = threading.Barrier(2)

        def tell(numbers: str) -> None:
            try:
                for n in range(100):
                    both.wait(60)
                    store(*(message(f"{numbers}{n}", number=number) for number in numbers))
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(tell, ["12", "21"]))

        assert InboundMessage.objects.count() == 400

    def test_of_statuses_in_either_order_at_once_never_locks_up(self, valkey, transactional_db):
        both = threading.Barrier(2)

        def tell(keys: str) -> None:
            try:
                for n in range(50):
                    both.wait(60)
                    inbox.store(Parsed(events=[status(f"{key}{n}") for key in keys]))
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(tell, ["abcdef", "fedcba"]))

        assert ChannelEvent.objects.count() == 300

    def test_keeps_all_or_nothing(self, db):
        unkept = Parsed(inbound=[message("a")], events=[status("x", kind="k" * 31)])

        with pytest.raises(DataError), transaction.atomic():
            inbox.store(unkept)

        assert not InboundMessage.objects.exists()


class TestDue:
    def due_at(self):
        return Customer.objects.get().due_at

    def test_is_a_quiet_window_after_the_message(self, db, settings):
        settings.REPLY_DEBOUNCE = 1500

        store(message("a"))

        kept = InboundMessage.objects.get()
        assert self.due_at() - kept.received_at >= timedelta(seconds=1.5)

    def test_moves_on_with_each_message(self, db):
        store(message("a"))
        first = self.due_at()

        store(message("b"))

        assert self.due_at() > first

    def test_is_never_later_than_the_longest_wait_after_the_first(self, db, settings):
        settings.REPLY_DEBOUNCE, settings.REPLY_DEBOUNCE_MAX = 1500, 8000
        since = timezone.now() - timedelta(seconds=7)
        customer = CustomerFactory(wa_id=ADA.wa_id)
        InboundMessageFactory(customer=customer, received_at=since)

        store(message("b", number=customer.phone_number_id))

        assert self.due_at() == since + timedelta(seconds=8)

    def test_does_not_count_messages_that_were_answered(self, db, settings):
        settings.REPLY_DEBOUNCE, settings.REPLY_DEBOUNCE_MAX = 1500, 8000
        store(message("a"))
        long_ago = timezone.now() - timedelta(hours=1)
        InboundMessage.objects.update(status="done", received_at=long_ago)

        store(message("b"))

        assert self.due_at() > timezone.now()

    @pytest.mark.parametrize("again", [message("a"), message("b", ignored="kind image is not answered")])
    def test_does_not_move_with_what_is_not_answered(self, db, again):
        store(message("a"))
        before = self.due_at()

        store(again)

        assert self.due_at() == before


class TestRing:
    def test_is_for_the_number_when_its_window_ends(self, valkey, transactional_db, settings):
        settings.REPLY_DEBOUNCE = 0

        store(message("a"))

        jobs.flush()
        assert valkey.llen(jobs.queue(jobs.Job.DRAIN, {"phone_number_id": "1"})) == 1

    def test_is_not_made_for_what_was_known(self, valkey, transactional_db, settings):
        settings.REPLY_DEBOUNCE = 0
        store(message("a"))
        jobs.flush()
        valkey.flushdb()

        store(message("a"))

        jobs.flush()
        assert valkey.keys("messages.*") == []

    def test_is_not_made_when_the_transaction_fails(self, valkey, transactional_db, settings):
        settings.REPLY_DEBOUNCE = 0

        with transaction.atomic():
            store(message("a"))
            transaction.set_rollback(True)

        jobs.flush()
        assert valkey.keys("messages.*") == []

    def test_that_redis_does_not_take_costs_no_message(self, servers, valkey, transactional_db, settings):
        settings.REPLY_DEBOUNCE = 0

        servers.valkey.kill()
        try:
            stored = store(message("a"))
        finally:
            servers.valkey.start()

        assert stored.messages == 1
        assert InboundMessage.objects.count() == 1
