"""The balance that is shown: a cached hint."""

from billing import ledger
from billing.models import Credit
from tests.factories import CreditFactory, UserFactory


class TestBalance:
    def test_is_kept_for_a_moment(self, valkey, db):
        user_id = CreditFactory(remaining_credits=10).user_id

        assert ledger.balance(user_id) == 10

        Credit.objects.filter(user_id=user_id).update(remaining_credits=3)
        assert ledger.balance(user_id) == 10
        assert 0 < valkey.ttl(f"user:{user_id}:credits") <= ledger.HINT_TTL

    def test_of_a_user_without_one_is_zero(self, valkey, db):
        assert ledger.balance(UserFactory().user_id) == 0

    def test_is_read_again_after_a_grant_a_refund_and_an_adjustment(self, valkey, transactional_db):
        user_id = CreditFactory(remaining_credits=10).user_id
        ledger.charge(user_id=user_id, amount=4, reference="turn 1")
        seen = [ledger.balance(user_id)]

        ledger.refund(reference="turn 1")
        seen.append(ledger.balance(user_id))
        ledger.grant(user_id=user_id, amount=5, reference="invoice 1")
        seen.append(ledger.balance(user_id))
        ledger.adjust(user_id=user_id, amount=-3, reference="ticket 1", reason="double", actor="ada")
        seen.append(ledger.balance(user_id))

        assert seen == [6, 10, 15, 12]

    def test_is_not_read_again_after_each_charge(self, valkey, transactional_db):
        user_id = CreditFactory(remaining_credits=10).user_id
        ledger.balance(user_id)

        ledger.charge(user_id=user_id, amount=4, reference="turn 1")

        assert ledger.balance(user_id) == 10

    def test_is_read_again_after_a_charge_that_reaches_a_threshold(self, valkey, transactional_db):
        user_id = CreditFactory(remaining_credits=10).user_id
        ledger.balance(user_id)

        ledger.charge(user_id=user_id, amount=10, reference="turn 1")

        assert ledger.balance(user_id) == 0

    def test_stays_in_the_cache_until_the_change_is_committed(
        self, valkey, db, django_capture_on_commit_callbacks
    ):
        user_id = CreditFactory(remaining_credits=10).user_id
        ledger.balance(user_id)

        with django_capture_on_commit_callbacks(execute=True):
            ledger.grant(user_id=user_id, amount=4, reference="invoice 1")
            before_commit = valkey.get(f"user:{user_id}:credits")

        assert before_commit == b"10"
        assert valkey.get(f"user:{user_id}:credits") is None

    def test_is_read_from_postgres_while_redis_is_down(self, servers, valkey, db):
        user_id = CreditFactory(remaining_credits=10).user_id
        ledger.balance(user_id)
        Credit.objects.filter(user_id=user_id).update(remaining_credits=3)

        servers.valkey.kill()
        try:
            found = ledger.balance(user_id)
        finally:
            servers.valkey.start()

        assert found == 3

    def test_changes_while_redis_is_down(self, servers, valkey, transactional_db):
        user_id = CreditFactory(remaining_credits=10).user_id

        servers.valkey.kill()
        try:
            ledger.grant(user_id=user_id, amount=4, reference="invoice 1")
            ledger.charge(user_id=user_id, amount=14, reference="turn 1")
        finally:
            servers.valkey.start()

        assert Credit.objects.get(user_id=user_id).remaining_credits == 0
