"""A business is told when its credits run low, once per threshold and grant."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from billing import ledger
from billing.models import Credit, Event
from config.lib import ids
from tests.factories import CreditFactory, UserFactory


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
