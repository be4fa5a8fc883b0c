"""Every change of a balance is a line, and every line a change of the balance."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import DataError, IntegrityError, connection, transaction

from billing import ledger
from billing.models import Credit, CreditEntry
from tests.factories import CreditFactory, UserFactory


def remaining(user_id: str) -> int:
    return Credit.objects.get(user_id=user_id).remaining_credits


def lines(user_id: str) -> list[tuple[str, int, int]]:
    entries = CreditEntry.objects.filter(user_id=user_id).order_by("id")
    return list(entries.values_list("kind", "amount", "balance_after"))


class TestGrant:
    def test_adds_credits_and_writes_a_line(self, db):
        user_id = CreditFactory(remaining_credits=0).user_id

        is_new = ledger.grant(user_id=user_id, amount=5, reference="invoice 1", reason="bought")

        assert is_new
        assert remaining(user_id) == 5
        [entry] = CreditEntry.objects.filter(user_id=user_id)
        assert (entry.kind, entry.amount, entry.reference, entry.reason, entry.balance_after) == (
            "grant", 5, "invoice 1", "bought", 5,
        )  # fmt: skip

    def test_adds_once_per_reference(self, db):
        user_id = CreditFactory(remaining_credits=0).user_id
        ledger.grant(user_id=user_id, amount=5, reference="invoice 1")

        is_new = ledger.grant(user_id=user_id, amount=5, reference="invoice 1")

        assert not is_new
        assert lines(user_id) == [("grant", 5, 5)]
        assert remaining(user_id) == 5

    def test_gives_nothing_to_a_user_without_a_balance(self, db):
        user_id = UserFactory().user_id

        assert not ledger.grant(user_id=user_id, amount=5, reference="invoice 1")
        assert lines(user_id) == []

    def test_never_makes_a_balance_larger_than_its_column(self, db):
        user_id = CreditFactory(remaining_credits=10).user_id

        with pytest.raises(DataError), transaction.atomic():
            ledger.grant(user_id=user_id, amount=2**31 - 1, reference="invoice 1")

        assert remaining(user_id) == 10
        assert lines(user_id) == [("grant", 10, 10)]


class TestCharge:
    def test_takes_one_statement(self, db, django_assert_num_queries):
        user_id = CreditFactory(remaining_credits=10).user_id

        with django_assert_num_queries(1):
            ledger.charge(user_id=user_id, amount=1, reference="turn 1")

    def test_takes_credits_and_writes_a_line(self, db):
        user_id = CreditFactory(remaining_credits=10).user_id

        ledger.charge(user_id=user_id, amount=3, reference="turn 1")

        assert remaining(user_id) == 7
        assert lines(user_id)[-1] == ("charge", -3, 7)

    def test_takes_the_last_credit(self, db):
        user_id = CreditFactory(remaining_credits=3).user_id

        ledger.charge(user_id=user_id, amount=3, reference="turn 1")

        assert remaining(user_id) == 0

    def test_takes_nothing_when_too_little_is_left(self, db):
        user_id = CreditFactory(remaining_credits=2).user_id
        before = lines(user_id)

        with pytest.raises(ledger.InsufficientCreditsError):
            ledger.charge(user_id=user_id, amount=3, reference="turn 1")

        assert remaining(user_id) == 2
        assert lines(user_id) == before

    def test_takes_nothing_from_a_user_without_a_balance(self, db):
        user_id = UserFactory().user_id

        with pytest.raises(ledger.InsufficientCreditsError):
            ledger.charge(user_id=user_id, amount=1, reference="turn 1")

        assert lines(user_id) == []

    def test_of_nothing_writes_no_line(self, db):
        user_id = CreditFactory(remaining_credits=0).user_id

        ledger.charge(user_id=user_id, amount=0, reference="turn 1")

        assert lines(user_id) == []

    def test_goes_away_with_the_transaction_it_stood_in(self, db):
        user_id = CreditFactory(remaining_credits=10).user_id

        with transaction.atomic():
            ledger.charge(user_id=user_id, amount=3, reference="turn 1")
            transaction.set_rollback(True)

        assert remaining(user_id) == 10
        assert len(lines(user_id)) == 1

    def test_of_one_balance_by_twelve_threads_succeeds_as_often_as_it_can_be_paid(self, transactional_db):
        user_id = CreditFactory(remaining_credits=10).user_id

        def charge(number: int) -> bool:
            try:
                ledger.charge(user_id=user_id, amount=1, reference=f"turn {number}")
            except ledger.InsufficientCreditsError:
                return False
            finally:
                connection.close()
            return True

        with ThreadPoolExecutor(12) as pool:
            succeeded = list(pool.map(charge, range(12)))

        assert sum(succeeded) == 10
        assert remaining(user_id) == 0
        assert [balance for _, _, balance in lines(user_id)] == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]

    def test_takes_once_per_reference(self, db):
        user_id = CreditFactory(remaining_credits=3).user_id

        for _ in range(3):
            ledger.charge(user_id=user_id, amount=2, reference="turn 1")

        assert lines(user_id) == [("grant", 3, 3), ("charge", -2, 1)]

    def test_under_one_reference_by_eight_threads_takes_once(self, transactional_db):
        user_id = CreditFactory(remaining_credits=10).user_id

        def charge(_: int) -> None:
            try:
                with transaction.atomic():
                    ledger.charge(user_id=user_id, amount=1, reference="turn 1")
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(charge, range(8)))

        assert lines(user_id) == [("grant", 10, 10), ("charge", -1, 9)]


class TestRefund:
    def test_gives_back_what_was_charged(self, db):
        user_id = CreditFactory(remaining_credits=10).user_id
        ledger.charge(user_id=user_id, amount=3, reference="turn 1")

        is_new = ledger.refund(reference="turn 1", reason="not delivered")

        assert is_new
        assert remaining(user_id) == 10
        assert lines(user_id)[-1] == ("refund", 3, 10)

    def test_gives_back_once(self, db):
        user_id = CreditFactory(remaining_credits=10).user_id
        ledger.charge(user_id=user_id, amount=3, reference="turn 1")
        ledger.refund(reference="turn 1")

        is_new = ledger.refund(reference="turn 1")

        assert not is_new
        assert remaining(user_id) == 10

    def test_gives_nothing_back_that_was_not_charged(self, db):
        user_id = CreditFactory(remaining_credits=10).user_id

        assert not ledger.refund(reference="turn 1")
        assert remaining(user_id) == 10

    def test_by_eight_threads_gives_back_once(self, transactional_db):
        user_id = CreditFactory(remaining_credits=10).user_id
        ledger.charge(user_id=user_id, amount=3, reference="turn 1")

        def refund(_: int) -> bool:
            try:
                with transaction.atomic():
                    return ledger.refund(reference="turn 1")
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            given_back = list(pool.map(refund, range(8)))

        assert sum(given_back) == 1
        assert remaining(user_id) == 10


class TestAdjust:
    @pytest.mark.parametrize(("amount", "left"), [(5, 15), (-4, 6), (-10, 0)])
    def test_changes_the_balance_and_says_who_and_why(self, db, amount, left):
        user_id = CreditFactory(remaining_credits=10).user_id

        is_new = ledger.adjust(
            user_id=user_id, amount=amount, reference="ticket 1", reason="sorry", actor="ada@example.com"
        )

        assert is_new
        assert remaining(user_id) == left
        entry = CreditEntry.objects.get(user_id=user_id, kind="adjustment")
        assert (entry.amount, entry.balance_after, entry.reason, entry.actor) == (
            amount, left, "sorry", "ada@example.com",
        )  # fmt: skip

    def test_takes_nothing_when_too_little_is_left(self, db):
        user_id = CreditFactory(remaining_credits=10).user_id

        with pytest.raises(ledger.InsufficientCreditsError):
            ledger.adjust(user_id=user_id, amount=-11, reference="ticket 1", reason="sorry", actor="ada")

        assert lines(user_id) == [("grant", 10, 10)]

    def test_leaves_the_transaction_it_stood_in_alive_when_it_takes_nothing(self, db):
        user_id = CreditFactory(remaining_credits=10).user_id

        with transaction.atomic():
            with pytest.raises(ledger.InsufficientCreditsError):
                ledger.adjust(user_id=user_id, amount=-11, reference="ticket 1", reason="sorry", actor="ada")
            ledger.charge(user_id=user_id, amount=1, reference="turn 1")

        assert remaining(user_id) == 9

    def test_changes_once_per_reference(self, db):
        user_id = CreditFactory(remaining_credits=10).user_id

        changed = [
            ledger.adjust(user_id=user_id, amount=-6, reference="ticket 1", reason="sorry", actor="ada")
            for _ in range(2)
        ]

        assert changed == [True, False]
        assert remaining(user_id) == 4

    def test_by_nothing_writes_no_line(self, db):
        user_id = CreditFactory(remaining_credits=10).user_id

        assert not ledger.adjust(user_id=user_id, amount=0, reference="ticket 1", reason="sorry", actor="ada")
        assert lines(user_id) == [("grant", 10, 10)]

    @pytest.mark.parametrize("missing", ["reason", "actor"])
    def test_is_refused_without_who_or_why(self, db, missing):
        user_id = CreditFactory(remaining_credits=10).user_id
        said = {"reason": "sorry", "actor": "ada", missing: ""}

        with pytest.raises(IntegrityError, match="says_who_and_why"):
            ledger.adjust(user_id=user_id, amount=1, reference="ticket 1", **said)


class TestLines:
    def test_chain_the_balances_and_sum_up_to_the_last(self, db):
        user_id = CreditFactory(remaining_credits=10).user_id
        ledger.charge(user_id=user_id, amount=4, reference="turn 1")
        ledger.charge(user_id=user_id, amount=6, reference="turn 2")
        ledger.refund(reference="turn 1")
        ledger.grant(user_id=user_id, amount=100, reference="invoice 2")

        written = lines(user_id)

        total = 0
        for _, amount, balance_after in written:
            total += amount
            assert balance_after == total
        assert remaining(user_id) == total == 104

    @pytest.mark.parametrize(
        "statement", ["UPDATE credit_entries SET amount = amount + 1", "DELETE FROM credit_entries"]
    )
    def test_are_neither_changed_nor_deleted(self, db, statement):
        CreditFactory(remaining_credits=10)

        with pytest.raises(IntegrityError, match="append-only"), connection.cursor() as cursor:
            cursor.execute(statement)

    @pytest.mark.parametrize(("kind", "amount"), [("grant", -1), ("refund", 0), ("charge", 1)])
    def test_have_the_sign_of_their_kind(self, db, kind, amount):
        user = CreditFactory().user

        with pytest.raises(IntegrityError, match="sign_fits_kind"):
            CreditEntry.objects.create(user=user, kind=kind, amount=amount, reference="x", balance_after=1)

    def test_never_let_a_balance_fall_below_zero(self, db):
        credit = CreditFactory(remaining_credits=1)

        with pytest.raises(IntegrityError, match="credits_never_negative"):
            Credit.objects.filter(pk=credit.pk).update(remaining_credits=-1)
