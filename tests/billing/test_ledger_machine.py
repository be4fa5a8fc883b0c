"""Whatever is done to a balance, in whatever order: the ledger does what a few lines of Python do."""

import os
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from billing import ledger, reconciliation
from billing.models import Credit, CreditEntry, Event
from tests.factories import CreditFactory

EXAMPLES = 2000 if os.environ.get("CHAOS") else 100
amounts = st.integers(1, 120)
references = st.sampled_from("abcd")


class RefusedError(Exception):
    """The model's word for insufficient credits."""


@dataclass
class Model:
    """What a ledger is meant to be."""

    balance: int = 0
    full: int = 0
    told_percent: int = 100
    told: list[int] = field(default_factory=list)
    lines: dict[tuple[str, str], int] = field(default_factory=dict)

    def enter(self, kind: str, reference: str, amount: int) -> bool:
        if (kind, reference) in self.lines:
            return False
        if self.balance + amount < 0:
            if kind == "charge":
                self._tell(0)
            raise RefusedError
        self.lines[kind, reference] = amount
        self.balance += amount
        if amount > 0 and kind != "refund":
            self.full, self.told_percent = self.balance, 100
        if kind in {"charge", "adjustment"}:
            for percent in (0, 5, 20):
                if 100 * self.balance <= percent * self.full:
                    self._tell(percent)
                    break
        return True

    def refund(self, reference: str) -> bool:
        charged = self.lines.get(("charge", reference))
        return charged is not None and self.enter("refund", reference, -charged)

    def _tell(self, percent: int) -> None:
        if percent < self.told_percent:
            self.told_percent = percent
            self.told.append(percent)


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.user_id = CreditFactory(remaining_credits=0).user_id
        self.model = Model()

    def _named(self, reference: str) -> str:
        return f"{self.user_id} {reference}"

    @rule(amount=amounts, reference=references)
    def grant(self, amount: int, reference: str) -> None:
        given = ledger.grant(user_id=self.user_id, amount=amount, reference=self._named(reference))

        assert given == self.model.enter("grant", reference, amount)

    @rule(amount=amounts, reference=references)
    def charge(self, amount: int, reference: str) -> None:
        try:
            self.model.enter("charge", reference, -amount)
        except RefusedError:
            with pytest.raises(ledger.InsufficientCreditsError):
                ledger.charge(user_id=self.user_id, amount=amount, reference=self._named(reference))
        else:
            ledger.charge(user_id=self.user_id, amount=amount, reference=self._named(reference))

    @rule(reference=references)
    def refund(self, reference: str) -> None:
        assert ledger.refund(reference=self._named(reference)) == self.model.refund(reference)

    @rule(amount=st.integers(-120, 120).filter(bool), reference=references)
    def adjust(self, amount: int, reference: str) -> None:
        change = {"user_id": self.user_id, "amount": amount, "reference": self._named(reference)}
        try:
            expected = self.model.enter("adjustment", reference, amount)
        except RefusedError:
            with pytest.raises(ledger.InsufficientCreditsError):
                ledger.adjust(**change, reason="test", actor="test")
        else:
            assert ledger.adjust(**change, reason="test", actor="test") == expected

    @rule(amount=amounts, reference=references)
    def crash(self, amount: int, reference: str) -> None:
        """Do all of it in a transaction that does not commit."""
        with transaction.atomic():
            ledger.grant(user_id=self.user_id, amount=amount, reference=self._named(reference))
            with suppress(ledger.InsufficientCreditsError):
                ledger.charge(user_id=self.user_id, amount=amount, reference=self._named(reference))
            ledger.refund(reference=self._named(reference))
            transaction.set_rollback(True)

    @invariant()
    def agrees_with_the_model(self) -> None:
        credit = Credit.objects.get(user_id=self.user_id)
        lines = CreditEntry.objects.filter(user_id=self.user_id).order_by("id")
        events = Event.objects.filter(user_id=self.user_id).order_by("created_at", "event_id")

        assert (credit.remaining_credits, credit.full_balance) == (self.model.balance, self.model.full)
        assert [
            ((line.kind, line.reference.removeprefix(f"{self.user_id} ")), line.amount) for line in lines
        ] == list(self.model.lines.items())
        assert sorted(event.data["threshold_percent"] for event in events) == sorted(self.model.told)

    def teardown(self) -> None:
        assert reconciliation.faults(user_id=self.user_id) == []


class TestLedger:
    def test_does_what_its_model_does(self, valkey, db):
        run_state_machine_as_test(
            LedgerMachine,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=15,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
