"""The engine: what one claim takes, and what a row that Postgres refuses does to the others."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import IntegrityError, connection

from billing.models import Credit, CreditEntry
from channels_app.models import InboundMessage
from config.lib import event_loop
from conversations import replay
from conversations.answering import claim as claiming
from conversations.answering import engine, store
from conversations.answering.engine import MOST_FAILURES
from conversations.answering.open_turn import OpenTurn
from conversations.answering.steps import Caller, Step, Steps
from conversations.models import Message, Turn
from tests.conversations import answering
from tests.factories import AgentFactory, CustomerFactory, InboundMessageFactory, MessageFactory


@pytest.fixture
def agent(graph, transactional_db, valkey):
    return AgentFactory()


def write(agent, **changes: Any) -> InboundMessage:
    return InboundMessageFactory(customer__phone_number=agent.phone_number, **changes)


def claimed(*numbers: str, most: int = 100) -> list[OpenTurn]:
    return [candidate.turn for candidate in claiming.claim(numbers, most=most).candidates]


def customers(turns: list[OpenTurn]) -> list[str]:
    return [turn.customer_id for turn in turns]


class TestClaim:
    def test_takes_the_longest_waiting_customers_of_a_number_first(self, agent):
        waiting = [write(agent) for _ in range(4)]

        assert customers(claimed(agent.phone_number_id, most=3)) == [
            message.customer_id for message in waiting[:3]
        ]
        assert customers(claimed(agent.phone_number_id)) == [waiting[3].customer_id]

    def test_takes_all_that_a_customer_wrote_into_one_turn(self, agent):
        customer = CustomerFactory(phone_number=agent.phone_number)
        InboundMessageFactory.create_batch(3, customer=customer)
        write(agent)

        turns = claimed(agent.phone_number_id)

        assert customers(turns)[0] == customer.pk
        assert len(turns) == 2
        assert Message.objects.filter(turn_id=turns[0].turn_id).count() == 3

    def test_serves_businesses_in_turn(self, agent):
        other = AgentFactory()
        flood = [write(agent).phone_number_id for _ in range(20)]
        trickle = [write(other).customer_id for _ in range(2)]

        turns = claimed(flood[0], other.phone_number_id, most=6)

        assert len(turns) == 6
        assert set(trickle) <= set(customers(turns))

    def test_serves_the_numbers_of_a_business_in_turn(self, agent):
        second = AgentFactory(phone_number__user=agent.user)
        for _ in range(5):
            write(agent)
        late = write(second)

        assert late.customer_id in customers(claimed(agent.phone_number_id, second.phone_number_id, most=2))

    def test_never_opens_more_turns_than_a_number_may_have(self, agent, settings):
        settings.PHONE_NUMBER_CONCURRENCY = 3
        for _ in range(5):
            write(agent)

        assert len(claimed(agent.phone_number_id)) == 3
        assert claimed(agent.phone_number_id) == []

    def test_charges_each_turn_and_keeps_exact_balances(self, agent):
        Credit.objects.update(remaining_credits=3, full_balance=10)
        waiting = [write(agent) for _ in range(5)]

        turns = claimed(agent.phone_number_id)

        assert customers(turns) == [message.customer_id for message in waiting[:3]]
        lines = CreditEntry.objects.filter(kind="charge").order_by("id")
        assert [line.balance_after for line in lines] == [2, 1, 0]
        assert Credit.objects.get().remaining_credits == 0
        rejected = InboundMessage.objects.filter(status="rejected").values_list("customer_id", flat=True)
        assert set(rejected) == {message.customer_id for message in waiting[3:]}

    def test_rejects_all_of_a_business_without_credits_in_one_claim_of_many(self, agent):
        Credit.objects.update(remaining_credits=0)
        for _ in range(5):
            write(agent)

        found = claiming.claim([agent.phone_number_id], most=3)

        assert found.more == {agent.phone_number_id}
        assert InboundMessage.objects.filter(status="rejected").count() == 3


REFUSING = """
    CREATE OR REPLACE FUNCTION refuse_customer() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.customer_id = '{customer}' THEN
            RAISE EXCEPTION 'refused by a test';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER refuse_customer BEFORE INSERT ON conversations
       FOR EACH ROW EXECUTE FUNCTION refuse_customer();
"""


@pytest.fixture
def refuse(agent):
    """Let Postgres refuse a customer's conversation, until the returned function is called."""

    def drop() -> None:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER IF EXISTS refuse_customer ON conversations")

    def begin(customer_id: str):
        with connection.cursor() as cursor:
            cursor.execute(REFUSING.format(customer=customer_id))
        return drop

    yield begin
    drop()


class TestCustomerWhoseClaimFails:
    def test_holds_up_nobody_on_the_number(self, agent, refuse):
        refused = write(agent)
        refuse(refused.customer_id)
        others = [write(agent) for _ in range(3)]

        assert answering.drain(agent.phone_number_id) == 3

        done = InboundMessage.objects.filter(status="done").values_list("customer_id", flat=True)
        assert set(done) == {message.customer_id for message in others}

    def test_is_put_aside_after_several_failures_and_can_be_replayed(self, agent, refuse):
        refused = write(agent)
        accept = refuse(refused.customer_id)

        answering.drain(agent.phone_number_id)

        refused.refresh_from_db()
        assert refused.status == "failed"
        assert refused.reason.startswith("claim_failed: ")
        assert not Turn.objects.exists()

        accept()
        assert replay.inbound(InboundMessage.objects.all()).messages == 1
        assert answering.drain(agent.phone_number_id) == 1

    def test_is_tried_several_times_first(self, agent, refuse):
        refused = write(agent)
        refuse(refused.customer_id)

        for _ in range(MOST_FAILURES - 1):
            with pytest.raises(claiming.ClaimFailedError) as failed:
                claiming.claim([agent.phone_number_id], most=5)
            assert failed.value.customers == {refused.customer_id: agent.phone_number_id}

        refused.refresh_from_db()
        assert refused.status == "pending"


class TestSchemaOfAnotherRelease:
    def test_puts_nobody_aside(self, agent):
        waiting = write(agent)
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE turns RENAME COLUMN drafts TO drafts_of_old")
        try:
            for _ in range(MOST_FAILURES + 1):
                answering.drain(agent.phone_number_id)
        finally:
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE turns RENAME COLUMN drafts_of_old TO drafts")

        waiting.refresh_from_db()
        assert waiting.status == "pending"
        assert answering.drain(agent.phone_number_id) == 1


class TestStep:
    def run(self, work) -> Any:
        return asyncio.run_coroutine_threadsafe(work, event_loop.get()).result(120)

    def test_takes_together_what_gathers_while_it_runs(self):
        batches: list[list[int]] = []
        goes_on = threading.Event()

        def double(items) -> list[int]:
            batches.append(list(items))
            if len(batches) == 1:
                goes_on.wait(60)
            return [2 * item for item in items]

        async def work(step) -> list[int]:
            first = asyncio.create_task(step(0, until=0))
            while not batches:
                await asyncio.sleep(0.01)
            others = [asyncio.create_task(step(n, until=0)) for n in range(1, 5)]
            await asyncio.sleep(0)
            goes_on.set()
            return await asyncio.gather(first, *others)

        with ThreadPoolExecutor(1) as thread:
            assert self.run(work(Step(double, executor=thread, alone=thread))) == [0, 2, 4, 6, 8]
        assert batches == [[0], [1, 2, 3, 4]]

    def test_takes_a_refused_batch_apart(self):
        def invert(items) -> list[float]:
            return [1 / item for item in items]

        async def work(step) -> list[Any]:
            return await asyncio.gather(*[step(n, until=0) for n in (1, 0, 2)], return_exceptions=True)

        with ThreadPoolExecutor(1) as thread:
            one, zero, half = self.run(work(Step(invert, executor=thread, alone=thread)))
        assert (one, half) == (1, 0.5)
        assert isinstance(zero, ZeroDivisionError)


class TestStore:
    def test_reply_that_postgres_refuses_does_not_keep_others_from_being_stored(self, agent):
        for _ in range(3):
            write(agent)
        taken = MessageFactory()
        drafts = [store.draft(turn, text="Hello") for turn in claimed(agent.phone_number_id)]
        drafts[1].row["message"] = taken.pk

        async def work(steps: Steps) -> list[Any]:
            storing = [steps.store(draft, until=0) for draft in drafts]
            return await asyncio.gather(*storing, return_exceptions=True)

        caller = Caller()
        stored = caller.serve(asyncio.run_coroutine_threadsafe(work(caller.steps()), event_loop.get()))

        assert [stored[0], stored[2]] == [True, True]
        assert isinstance(stored[1], IntegrityError)
        states = dict(Turn.objects.values_list("turn_id", "state"))
        assert [states[draft.turn.turn_id] for draft in drafts] == ["answered", "claimed", "answered"]


class TestDrain:
    def test_answers_several_customers_at_once(self, agent):
        waiting = [write(agent) for _ in range(5)]

        assert engine.drain(agent.phone_number_id, most_open=10) == len(waiting)

        assert Turn.objects.filter(state="done").count() == len(waiting)
