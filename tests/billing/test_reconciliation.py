"""What is wrong with a ledger is found, and named exactly."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from billing import ledger, reconciliation
from billing.models import Credit, CreditEntry
from tests.factories import CreditFactory


@pytest.fixture
def user_id(db) -> str:
    """A ledger with every kind of line, and 131 credits left."""
    user_id = CreditFactory(remaining_credits=100).user_id
    for number in range(5):
        ledger.charge(user_id=user_id, amount=3, reference=f"turn {number}")
    ledger.refund(reference="turn 2")
    ledger.adjust(user_id=user_id, amount=-7, reference="ticket 1", reason="double", actor="ada")
    ledger.grant(user_id=user_id, amount=50, reference="invoice 1")
    CreditFactory(remaining_credits=10)
    return user_id


def corrupt(statement: str, *parameters: object) -> None:
    """Change the ledger as nobody can: its trigger and foreign keys do not look."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement, parameters)
        assert cursor.rowcount == 1
        cursor.execute("SET LOCAL session_replication_role = origin")


def without_constraint(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # nothing may be pending where a table is altered
        cursor.execute(f"ALTER TABLE credit_entries DROP CONSTRAINT credit_entries_{name}")


def line(kind: str, reference: str) -> int:
    return CreditEntry.objects.get(kind=kind, reference=reference).pk


def found() -> list[str]:
    return [str(fault) for fault in reconciliation.faults()]


class TestFaults:
    def test_of_a_ledger_in_order_are_none(self, user_id):
        assert reconciliation.faults() == reconciliation.faults(user_id=user_id) == []

    def test_name_a_line_whose_amount_was_changed(self, user_id):
        pk = line("charge", "turn 1")

        corrupt("UPDATE credit_entries SET amount = -2 WHERE id = %s", pk)

        assert found() == [
            f"{user_id}, balance: is 131 and its lines sum up to 132",
            f"{user_id}, line {pk}: balance after it is 94, off by -1",
        ]

    def test_name_a_line_whose_balance_was_changed(self, user_id):
        pk = line("charge", "turn 1")

        corrupt("UPDATE credit_entries SET balance_after = 95 WHERE id = %s", pk)

        assert found() == [f"{user_id}, line {pk}: balance after it is 95, off by 1"]

    def test_name_the_first_line(self, user_id):
        pk = CreditEntry.objects.filter(user_id=user_id).order_by("id").values_list("pk", flat=True)[0]

        corrupt("UPDATE credit_entries SET balance_after = 0 WHERE id = %s", pk)

        assert found() == [f"{user_id}, line {pk}: balance after it is 0, off by -100"]

    def test_name_the_line_after_one_that_was_deleted(self, user_id):
        pk = line("charge", "turn 4")

        corrupt("DELETE FROM credit_entries WHERE id = %s", line("charge", "turn 3"))

        assert found() == [
            f"{user_id}, balance: is 131 and its lines sum up to 134",
            f"{user_id}, line {pk}: balance after it is 85, off by -3",
        ]

    def test_name_a_balance_that_was_changed(self, user_id):
        Credit.objects.filter(user_id=user_id).update(remaining_credits=1000)

        assert found() == [f"{user_id}, balance: is 1000 and its lines sum up to 131"]

    def test_name_lines_without_a_balance(self, user_id):
        corrupt("DELETE FROM credits WHERE user_id = %s", user_id)

        assert found() == [f"{user_id}, balance: is missing and its lines sum up to 131"]

    def test_name_a_refund_without_a_charge(self, user_id):
        pk = line("refund", "turn 2")

        corrupt("UPDATE credit_entries SET reference = 'turn 99' WHERE id = %s", pk)

        assert found() == [f"{user_id}, line {pk}: refund without a charge"]

    def test_name_a_refund_larger_than_its_charge(self, user_id):
        corrupt("UPDATE credit_entries SET amount = -2 WHERE id = %s", line("charge", "turn 2"))

        assert f"{user_id}, line {line('refund', 'turn 2')}: gives back 3 of a charge of 2" in found()

    def test_name_the_second_refund_of_a_charge(self, user_id):
        without_constraint("once_per_reference")
        second = CreditEntry.objects.create(
            user_id=user_id, kind="refund", amount=3, reference="turn 2", balance_after=134
        )
        Credit.objects.filter(user_id=user_id).update(remaining_credits=134)

        assert found() == [f"{user_id}, line {second.pk}: gives back 6 of a charge of 3"]

    def test_name_a_line_whose_sign_does_not_fit(self, user_id):
        without_constraint("sign_fits_kind")
        free = CreditEntry.objects.create(
            user_id=user_id, kind="charge", amount=3, reference="turn 9", balance_after=134
        )
        Credit.objects.filter(user_id=user_id).update(remaining_credits=134)

        assert found() == [f"{user_id}, line {free.pk}: charge of 3"]

    def test_of_one_user_leave_out_the_others(self, user_id):
        other = CreditFactory(remaining_credits=10)
        Credit.objects.filter(user_id=user_id).update(remaining_credits=1000)

        assert reconciliation.faults(user_id=other.user_id) == []
        assert len(reconciliation.faults(user_id=user_id)) == 1

    def test_are_looked_for_in_one_statement(self, user_id, django_assert_num_queries):
        CreditFactory.create_batch(5)

        with django_assert_num_queries(4):  # a savepoint, the timeout, the look, the release
            reconciliation.faults()


class TestCommand:
    def test_says_that_all_is_well(self, user_id):
        printed = StringIO()

        call_command("check_ledger", stdout=printed)

        assert printed.getvalue() == "Every balance is the sum of its ledger.\n"

    def test_prints_what_is_wrong_and_fails(self, user_id):
        printed = StringIO()
        Credit.objects.filter(user_id=user_id).update(remaining_credits=1000)

        with pytest.raises(CommandError, match="1 fault"):
            call_command("check_ledger", "--user", user_id, stdout=printed)

        assert printed.getvalue() == f"{user_id}, balance: is 1000 and its lines sum up to 131\n"
