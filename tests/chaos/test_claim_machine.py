"""Whatever workers do and however they die: claims do what a few lines of Python do."""

import os
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from billing.models import Credit, CreditEntry
from channels_app import inbox
from channels_app.meta.types import Inbound, Parsed, Person
from channels_app.models import Customer, InboundMessage
from config.lib import redis
from conversations import leases, takeover
from conversations.answering import send, store
from conversations.answering.open_turn import OpenTurn
from conversations.leases import LeaseLostError
from conversations.models import Turn
from tests.conversations import answering
from tests.factories import AgentFactory
from tests.rig import Simulator

pytestmark = pytest.mark.long

EXAMPLES, STEPS = (500, 80) if os.environ.get("CHAOS") else (50, 40)
WRITTEN_AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CREDITS = 3


@dataclass
class ModelTurn:
    """What a turn is meant to be; `holder` is None once it was handed back."""

    customer: str
    messages: list[int]
    holder: object
    state: str = "claimed"
    attempts: int = 0
    drafts: int = 0
    is_expired: bool = False
    is_refunded: bool = False
    error: str = ""
    sending: object = None

    @property
    def is_open(self) -> bool:
        return self.state in {"claimed", "answered"}

    @property
    def lost_holders(self) -> int:
        """Count the holders that vanished before the answer, with the last one."""
        return self.attempts + (self.holder is not None and self.state == "claimed")

    def end(self, error: str = "") -> None:
        self.state = "done" if error in {"", "a person took over"} else "failed"
        self.error = error


@dataclass
class Model:
    """What the inbox, the turns and the balance are meant to be."""

    concurrency: int
    credits: int = CREDITS
    written: list[str] = field(default_factory=list)  # by whom, the message being its place
    status: list[str] = field(default_factory=list)
    due: set[str] = field(default_factory=set)
    paused: set[str] = field(default_factory=set)
    turns: list[ModelTurn] = field(default_factory=list)
    rejected: list[list[int]] = field(default_factory=list)

    def accept(self, customer: str) -> None:
        self.written.append(customer)
        self.status.append("pending")
        self.due.add(customer)

    def waiting(self, customer: str) -> list[int]:
        return [
            message
            for message, by in enumerate(self.written)
            if by == customer and self.status[message] == "pending"
        ]

    def open_turns(self) -> list[ModelTurn]:
        return [turn for turn in self.turns if turn.is_open]

    def take(self, messages: list[int], status: str) -> None:
        for message in messages:
            self.status[message] = status

    def claim(self, *, quarantined: bool) -> ModelTurn | None:
        for turn in self.open_turns():
            if turn.is_expired and (turn.lost_holders >= 2) == quarantined:
                turn.attempts = turn.lost_holders
                turn.is_expired, turn.holder = False, object()
                return turn
        while not quarantined and (customer := self._head()) is not None:
            messages = self.waiting(customer)
            if customer in self.paused:
                self.take(messages, "done")
            elif self.credits == 0:
                self.take(messages, "rejected")
                self.rejected.append(messages)
            else:
                self.take(messages, "processing")
                self.credits -= 1
                turn = ModelTurn(customer, messages, holder=object())
                self.turns.append(turn)
                return turn
        return None

    def _head(self) -> str | None:
        busy = self.open_turns()
        if len(busy) >= self.concurrency:
            return None
        free = self.due - {turn.customer for turn in busy}
        return next(
            (
                by
                for message, by in enumerate(self.written)
                if by in free and self.status[message] == "pending"
            ),
            None,
        )

    def answer(self, turn: ModelTurn) -> bool:
        """Store the answer; False where the customer wrote on and it is thrown away."""
        if turn.drafts < 2 and (newer := self.waiting(turn.customer)):
            self.take(newer, "processing")
            turn.messages += newer
            turn.drafts += 1
            return False
        turn.state = "answered"
        return True

    def fail(self, turn: ModelTurn) -> None:
        turn.state, turn.error = "answered", "model: 500"
        self.refund(turn)

    def refund(self, turn: ModelTurn) -> None:
        if not turn.is_refunded:
            turn.is_refunded = True
            self.credits += 1

    def deliver(self, turn: ModelTurn) -> bool:
        """Send what can be sent, and end the turn; tell whether there was a POST."""
        is_pending = turn.sending is None or turn.sending is turn.holder
        is_sent = is_pending and turn.customer not in self.paused
        if turn.sending is None and not is_sent:
            self.refund(turn)
        took_over = "a person took over" if turn.sending is None and not is_sent else ""
        turn.end(turn.error or took_over)
        self.take(turn.messages, turn.state)
        return is_sent


@dataclass
class Holder:
    """A worker with a turn in its hands, which may have been taken away from it."""

    turn: OpenTurn
    model: ModelTurn
    token: object

    @property
    def holds(self) -> bool:
        return self.model.holder is self.token


# Each as often as it stands here.
STEPS_TAKEN = (
    *["write"] * 5, "tell_again", "type_on", "pause",
    *["claim"] * 6, *["crash"] * 2, "hand_back", *["answer"] * 4, "fail", *["send"] * 4,
)  # fmt: skip


def _one(holders: list[Holder], index: int) -> Holder | None:
    return holders[index % len(holders)] if holders else None


class ClaimMachine(RuleBasedStateMachine):
    """Three customers of one number, and as many workers as there are claims."""

    simulator = Simulator()

    def __init__(self) -> None:
        super().__init__()
        self.agent = AgentFactory(credits=CREDITS)
        self.number = self.agent.phone_number_id
        self.model = Model(concurrency=django_settings.PHONE_NUMBER_CONCURRENCY)
        self.holders: list[Holder] = []
        self.posts = 0
        self.steps = 0

    @rule(seed=st.integers(0, 2**32))
    def step(self, seed: int) -> None:
        """
        Let one thing happen.

        A rule for each would be left out by Hypothesis in half of the examples, and repeated in the others.
        """
        dice = Random(f"{seed} {self.steps}")
        self.steps += 1
        what, customer, index = dice.choice(STEPS_TAKEN), dice.choice("abc"), dice.randrange(1000)
        note(f"{what} {customer} {index}")
        getattr(self, what)(customer, index)

    # --- customers

    def _store(self, message: int, customer: str) -> None:
        row = Inbound(
            phone_number_id=self.number,
            provider_message_id=f"wamid.{self.number}.{message}",
            person=Person(wa_id=f"1202555000{ord(customer)}"),
            kind="text",
            text=f"<{message}>",
            payload={},
            sent_at=WRITTEN_AT + timedelta(seconds=message),
        )
        inbox.store(Parsed(inbound=[row]))

    def _customer(self, customer: str) -> Any:
        return Customer.objects.filter(phone_number_id=self.number, wa_id=f"1202555000{ord(customer)}")

    def write(self, customer: str, _index: int) -> None:
        self._store(len(self.model.written), customer)
        self.model.accept(customer)

    def tell_again(self, _customer: str, again: int) -> None:
        if not self.model.written:
            return
        message = again % len(self.model.written)
        self._store(message, self.model.written[message])

    def type_on(self, customer: str, _index: int) -> None:
        """Let a customer be in the middle of writing."""
        self._customer(customer).update(due_at=datetime.now(UTC) + timedelta(hours=1))
        self.model.due.discard(customer)

    def pause(self, customer: str, index: int) -> None:
        known = self._customer(customer).first()
        if known is None:
            return
        if index % 2:
            takeover.pause(customer_id=known.customer_id, reason="test")
            self.model.paused.add(customer)
        else:
            self._customer(customer).update(paused_until=None)
            self.model.paused.discard(customer)

    # --- workers

    def claim(self, _customer: str, index: int) -> None:
        quarantined = index % 4 == 0
        expected = self.model.claim(quarantined=quarantined)
        turn = answering.claim(self.number, quarantined=quarantined)

        assert (turn is None) == (expected is None)
        if turn is not None and expected is not None:
            assert turn.attempts == expected.attempts
            self.holders.append(Holder(turn, expected, expected.holder))

    def _with(self, state: str) -> list[Holder]:
        """Give those who believe that their turn is in a state, whether they hold it or not."""
        return [holder for holder in self.holders if holder.turn.state == state]

    def _holding(self) -> list[Holder]:
        return [holder for holder in self.holders if holder.holds and holder.model.is_open]

    def crash(self, _customer: str, index: int) -> None:
        """Let a lease run out; its holder does not know and goes on later, or not."""
        if (holder := _one(self._holding(), index)) is None:
            return
        past = datetime.now(UTC) - timedelta(seconds=1)
        Turn.objects.filter(pk=holder.turn.turn_id).update(lease_expires_at=past)
        holder.model.is_expired = True

    def hand_back(self, _customer: str, index: int) -> None:
        if (holder := _one(self.holders, index)) is None:
            return
        handed = leases.hand_back([holder.turn.lease_token])

        if holder.holds and holder.model.state == "claimed":
            assert handed == 1
            holder.model.holder, holder.model.is_expired = None, True
        else:
            assert handed == 0

    def answer(self, _customer: str, index: int) -> None:
        if (holder := _one(self._with("claimed"), index)) is None:
            return
        if not (holder.holds and holder.model.state == "claimed"):
            with pytest.raises(LeaseLostError):
                answering.store_reply(holder.turn, text="Hello")
            return
        assert answering.store_reply(holder.turn, text="Hello") == self.model.answer(holder.model)

    def fail(self, _customer: str, index: int) -> None:
        if (holder := _one(self._with("claimed"), index)) is None:
            return
        if not (holder.holds and holder.model.state == "claimed"):
            with pytest.raises(LeaseLostError):
                store.store_failure(holder.turn, "model: 500")
            return
        store.store_failure(holder.turn, "model: 500")
        self.model.fail(holder.model)

    def send(self, _customer: str, index: int) -> None:
        if (holder := _one(self._with("answered"), index)) is None:
            return
        if not (holder.holds and holder.model.state == "answered"):
            with suppress(LeaseLostError):  # where it holds the turn still, that has ended
                self._deliver(holder)
            return
        if holder.model.sending is not holder.token:
            send.give_up_sending(holder.turn)
        if index % 3 == 0 and self._begin_sending(holder):
            return
        self._deliver(holder)
        self.posts += self.model.deliver(holder.model)

    def _deliver(self, holder: Holder) -> None:
        with leases.held(holder.turn.lease_token):
            answering.deliver(holder.turn)

    def _begin_sending(self, holder: Holder) -> bool:
        begun = answering.begin(holder.turn)
        turn = holder.model
        may_send = turn.customer not in self.model.paused and turn.sending in {None, holder.token}
        assert (begun is not None) == may_send
        if begun is not None:
            turn.sending = holder.token
            Turn.objects.filter(pk=holder.turn.turn_id).update(
                lease_expires_at=datetime.now(UTC) - timedelta(seconds=1)
            )
            turn.is_expired = True
        return begun is not None

    # --- what must hold

    @invariant()
    def agrees_with_the_model(self) -> None:
        rows = list(InboundMessage.objects.filter(phone_number_id=self.number).order_by("id"))
        turns = list(Turn.objects.filter(phone_number_id=self.number).order_by("turn_id"))
        held = [turn for turn in turns if turn.error != "insufficient_credits"]
        refused = [turn for turn in turns if turn.error == "insufficient_credits"]
        messages: dict[str | None, list[int]] = {}
        for place, row in enumerate(rows):
            messages.setdefault(row.turn_id, []).append(place)

        assert [row.text for row in rows] == [f"<{place}>" for place in range(len(self.model.written))]
        assert [row.status for row in rows] == self.model.status
        assert [(turn.state, turn.attempts, turn.drafts, turn.error) for turn in held] == [
            (turn.state, turn.attempts, turn.drafts, turn.error) for turn in self.model.turns
        ]
        assert [messages[turn.turn_id] for turn in held] == [turn.messages for turn in self.model.turns]
        assert [messages[turn.turn_id] for turn in refused] == self.model.rejected

    @invariant()
    def costs_what_the_model_says(self) -> None:
        lines = list(
            CreditEntry.objects.filter(user_id=self.agent.user_id).values_list("kind", "reference", "amount")
        )
        charged = [reference for kind, reference, _ in lines if kind == "charge"]

        assert Credit.objects.get(user_id=self.agent.user_id).remaining_credits == self.model.credits
        assert sum(amount for *_, amount in lines) == self.model.credits
        assert len(charged) == len(set(charged)) == len(self.model.turns)

    @invariant()
    def never_has_two_open_turns_of_a_customer(self) -> None:
        busy = [turn.customer for turn in self.model.open_turns()]

        assert len(busy) == len(set(busy))

    def teardown(self) -> None:
        sends = self.simulator.requests(api="graph", path=f"/{self.number}/messages")
        posted = [send["body"]["biz_opaque_callback_data"] for send in sends]

        assert len(posted) == len(set(posted)) == self.posts
        connection.close()


class TestClaims:
    @pytest.mark.parametrize("concurrency", [1, 3])
    def test_do_what_their_model_does(self, valkey, transactional_db, simulator, settings, concurrency):
        self._run(settings, simulator, concurrency, EXAMPLES // 2, STEPS)

    def _run(self, django, simulator, concurrency: int, examples: int, steps: int) -> None:
        django.PHONE_NUMBER_CONCURRENCY = concurrency
        django.REPLY_DEBOUNCE = 0
        django.REPLY_BUDGET = 10_000
        simulator.behave(statuses=False, graph={"latency": 0})
        redis.client().flushdb()
        run_state_machine_as_test(
            ClaimMachine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                database=None,
                # The shortest way to a failure takes minutes to find, and `make chaos-teeth` does not ask.
                phases=[Phase.generate] if os.environ.get("TEETH") else list(Phase),
                suppress_health_check=list(HealthCheck),
            ),
        )
