"""Many claim at once."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from django.db import connection, transaction

from billing.models import Credit, CreditEntry
from channels_app.models import InboundMessage
from config.lib import locks
from config.lib.locks import Lock
from conversations.answering import claim as claiming
from conversations.answering.open_turn import OpenTurn
from conversations.models import Turn
from tests.conversations import answering
from tests.factories import AgentFactory, InboundMessageFactory

THREADS = 8
CUSTOMERS = 24


def claim_all(agent) -> list[OpenTurn]:
    """Let 8 threads claim the agent's number until each finds nothing any more."""
    ready = threading.Barrier(THREADS)

    def work(_: int) -> list[OpenTurn]:
        ready.wait(60)
        try:
            return list(iter(lambda: answering.claim(agent.phone_number_id), None))
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        return [turn for turns in pool.map(work, range(THREADS)) for turn in turns]


class TestEightThreads:
    def test_claim_each_customer_exactly_once(self, valkey, transactional_db):
        agent = AgentFactory(credits=CUSTOMERS)
        for message in InboundMessageFactory.create_batch(
            CUSTOMERS, customer__phone_number=agent.phone_number
        ):
            InboundMessageFactory(customer=message.customer)

        turns = claim_all(agent)

        assert len(turns) == len({turn.turn_id for turn in turns}) == CUSTOMERS
        assert set(Counter(turn.customer_id for turn in turns).values()) == {1}
        assert Credit.objects.get().remaining_credits == 0
        assert not InboundMessage.objects.filter(status="pending").exists()

    def test_do_so_without_redis(self, servers, valkey, transactional_db):
        agent = AgentFactory(credits=CUSTOMERS)
        InboundMessageFactory.create_batch(CUSTOMERS, customer__phone_number=agent.phone_number)

        servers.valkey.kill()
        try:
            turns = claim_all(agent)
        finally:
            servers.valkey.start()

        assert set(Counter(turn.customer_id for turn in turns).values()) == {1}
        assert len(turns) == CUSTOMERS

    def test_never_open_more_turns_than_may_be(self, valkey, transactional_db, settings):
        settings.PHONE_NUMBER_CONCURRENCY = 3
        agent = AgentFactory(credits=CUSTOMERS)
        InboundMessageFactory.create_batch(CUSTOMERS, customer__phone_number=agent.phone_number)

        assert len(claim_all(agent)) == 3
        assert Turn.objects.count() == 3

    def test_spend_no_more_than_there_is(self, valkey, transactional_db):
        agent = AgentFactory(credits=5)
        InboundMessageFactory.create_batch(CUSTOMERS, customer__phone_number=agent.phone_number)
        turns = []
        while InboundMessage.objects.filter(status="pending").exists():
            turns += claim_all(agent)

        assert len(turns) == 5
        assert Credit.objects.get().remaining_credits == 0
        assert CreditEntry.objects.filter(kind="charge").count() == 5
        assert InboundMessage.objects.filter(status="rejected").count() == CUSTOMERS - 5


class TestAnotherProcess:
    def test_that_claims_keeps_others_out(self, valkey, transactional_db):
        message = InboundMessageFactory(customer__phone_number=AgentFactory().phone_number)
        number = message.phone_number_id
        taken, ended = threading.Event(), threading.Event()

        def other() -> None:
            with transaction.atomic():
                locks.take(Lock.CLAIM, number)
                taken.set()
                ended.wait(60)
            connection.close()

        with ThreadPoolExecutor(1) as pool:
            ending = pool.submit(other)
            assert taken.wait(60)
            claimed = claiming.claim([number], most=1)
            assert (claimed.candidates, claimed.busy) == ([], {number})
            ended.set()
            ending.result(120)

            assert answering.claim(number).customer_id == message.customer_id
