"""A business is told when its credits run low, once per threshold and grant."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from billing import ledger
from billing.models import Credit, Event
from config.lib import ids, sql
from tests.factories import CreditFactory, UserFactory
from tests.rig import wait_until


def told(user_id: str) -> list[tuple[str, int, int]]:
    events = Event.objects.filter(user_id=user_id).order_by("event_id")
    return [
        (event.type, event.data["threshold_percent"], event.data["remaining_credits"]) for event in events
    ]


def spend(user_id: str, *amounts: int) -> None:
    for amount in amounts:
        ledger.charge(user_id=user_id, amount=amount, reference=ids.new("trn"))


@pytest.fixture
def user_id(db) -> str:
    return CreditFactory(remaining_credits=100).user_id


class TestCharge:
    def test_tells_when_it_reaches_a_fifth_a_twentieth_and_nothing(self, user_id):
        spend(user_id, 79, 1, 1, 13, 1, 1, 4)

        assert told(user_id) == [("credits.low", 20, 20), ("credits.low", 5, 5), ("credits.exhausted", 0, 0)]

    def test_says_what_there_was(self, user_id):
        spend(user_id, 85)

        assert Event.objects.get().data == {
            "remaining_credits": 15,
            "full_balance": 100,
            "threshold_percent": 20,
        }

    def test_that_passes_several_thresholds_tells_the_lowest(self, user_id):
        spend(user_id, 97, 3)

        assert told(user_id) == [("credits.low", 5, 3), ("credits.exhausted", 0, 0)]

    def test_takes_one_statement_as_long_as_there_is_nothing_to_tell(
        self, user_id, django_assert_num_queries
    ):
        spend(user_id, 85)

        with django_assert_num_queries(1):
            spend(user_id, 1)

    def test_that_cannot_be_paid_tells_that_the_credits_are_exhausted_once(self, user_id):
        spend(user_id, 98)

        for _ in range(3):
            with pytest.raises(ledger.InsufficientCreditsError):
                spend(user_id, 3)

        assert told(user_id) == [("credits.low", 5, 2), ("credits.exhausted", 0, 2)]

    def test_of_a_user_without_a_balance_tells_nothing(self, db):
        user_id = UserFactory().user_id

        with pytest.raises(ledger.InsufficientCreditsError):
            spend(user_id, 3)

        assert told(user_id) == []

    def test_again_under_one_reference_tells_nothing(self, user_id):
        for _ in range(3):
            ledger.charge(user_id=user_id, amount=90, reference="turn 1")

        assert told(user_id) == [("credits.low", 20, 10)]

    def test_that_is_rolled_back_was_never_told(self, user_id):
        with transaction.atomic():
            spend(user_id, 100)
            transaction.set_rollback(True)
        spend(user_id, 100)

        assert told(user_id) == [("credits.exhausted", 0, 0)]

    def test_of_a_balance_from_before_thresholds_tells_only_that_it_is_exhausted(self, user_id):
        Credit.objects.filter(user_id=user_id).update(full_balance=0)

        spend(user_id, 99, 1)

        assert told(user_id) == [("credits.exhausted", 0, 0)]

    def test_by_eight_threads_tells_once(self, transactional_db):
        user_id = CreditFactory(remaining_credits=100).user_id

        def work(_: int) -> None:
            try:
                spend(user_id, *[1] * 12)
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))

        assert told(user_id) == [("credits.low", 20, 20), ("credits.low", 5, 5)]


class TestConcurrentGrant:
    """A charge finds too few credits while a grant is about to commit."""

    @pytest.fixture
    def user_id(self, transactional_db) -> str:
        user_id = CreditFactory(remaining_credits=10).user_id
        spend(user_id, 8)
        Event.objects.all().delete()
        return user_id

    def charge_while_granting(self, user_id: str, *, price: int, amount: int) -> str:
        """Charge while a grant holds the balance, commit the grant, and return how the charge ended."""
        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                ledger.grant(user_id=user_id, amount=amount, reference="invoice 1")
                charge = pool.submit(self.charge, user_id, price)
                wait_until(self.is_somebody_waiting, what="the charge waits for the grant")
            return charge.result(timeout=60)

    def charge(self, user_id: str, price: int) -> str:
        try:
            spend(user_id, price)
        except ledger.InsufficientCreditsError:
            return "insufficient"
        finally:
            connection.close()
        return "charged"

    def is_somebody_waiting(self) -> bool:
        return sql.row("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'") is not None

    def test_grant_that_pays_the_price_prevents_the_event(self, user_id):
        ended = self.charge_while_granting(user_id, price=3, amount=5)

        assert ended == "insufficient"
        assert told(user_id) == []

    def test_grant_that_prevented_the_event_has_its_own_events_when_it_is_used_up(self, user_id):
        self.charge_while_granting(user_id, price=3, amount=38)

        spend(user_id, 32, 8)

        assert told(user_id) == [("credits.low", 20, 8), ("credits.exhausted", 0, 0)]

    def test_grant_that_does_not_pay_the_price_leaves_the_event_with_the_new_balance(self, user_id):
        ended = self.charge_while_granting(user_id, price=50, amount=5)

        assert ended == "insufficient"
        assert told(user_id) == [("credits.exhausted", 0, 7)]

    def test_charge_that_waits_for_a_grant_reports_the_balance_after_both(self, user_id):
        ended = self.charge_while_granting(user_id, price=2, amount=8)

        assert ended == "charged"
        assert told(user_id) == [], "8 of 10 remain: no threshold is reached"

    def test_every_event_states_a_balance_that_has_reached_its_threshold(self, user_id):
        def work(seed: int) -> None:
            chance = random.Random(seed)
            for step in range(25):
                if chance.random() < 0.15:
                    ledger.grant(user_id=user_id, amount=chance.randint(1, 30), reference=f"{seed}-{step}")
                else:
                    self.charge(user_id, 3)
            connection.close()

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(work, range(6)))

        events = [event.data for event in Event.objects.filter(user_id=user_id)]
        assert events
        for event in events:
            share = event["threshold_percent"] * event["full_balance"]
            assert event["remaining_credits"] * 100 <= share or event["remaining_credits"] < 3, event


class TestRefund:
    def test_and_a_charge_after_it_tell_nothing_again(self, user_id):
        ledger.charge(user_id=user_id, amount=85, reference="turn 1")
        ledger.refund(reference="turn 1")
        spend(user_id, 85)

        assert told(user_id) == [("credits.low", 20, 15)]


class TestGrant:
    def test_has_everything_told_anew(self, user_id):
        spend(user_id, 90)
        ledger.grant(user_id=user_id, amount=40, reference="invoice 1")
        spend(user_id, 39, 1)

        assert told(user_id) == [("credits.low", 20, 10), ("credits.low", 20, 10)]

    def test_is_what_thresholds_are_shares_of(self, user_id):
        spend(user_id, 50)
        ledger.grant(user_id=user_id, amount=950, reference="invoice 1")

        spend(user_id, 800)

        assert told(user_id) == [("credits.low", 20, 200)]


class TestAdjustment:
    def test_upwards_has_everything_told_anew(self, user_id):
        spend(user_id, 85)
        ledger.adjust(user_id=user_id, amount=85, reference="ticket 1", reason="sorry", actor="ada")
        spend(user_id, 85)

        assert told(user_id) == [("credits.low", 20, 15), ("credits.low", 20, 15)]

    def test_downwards_tells_as_a_charge_does(self, user_id):
        ledger.adjust(user_id=user_id, amount=-100, reference="ticket 1", reason="fraud", actor="ada")

        assert told(user_id) == [("credits.exhausted", 0, 0)]
