"""Many change one balance at once, under colliding references."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from django.db import connection
from django.db.models import Sum

from billing import ledger, reconciliation
from billing.models import Credit, CreditEntry
from tests.factories import CreditFactory

THREADS, OPERATIONS, REFERENCES = 12, 40, 60


def operate(user_id: str, chance: random.Random) -> None:
    reference = f"operation {chance.randrange(REFERENCES)}"
    amount = chance.randint(1, 9)
    try:
        match chance.randrange(6):
            case 0:
                ledger.grant(user_id=user_id, amount=amount, reference=reference)
            case 1 | 2 | 3:
                ledger.charge(user_id=user_id, amount=amount, reference=reference)
            case 4:
                ledger.refund(reference=reference)
            case 5:
                ledger.adjust(
                    user_id=user_id,
                    amount=chance.choice([-amount, amount]),
                    reference=reference,
                    reason="test",
                    actor="test",
                )
    except ledger.InsufficientCreditsError:
        return


class TestTwelveThreads:
    def test_leave_a_ledger_without_a_fault(self, valkey, transactional_db):
        user_id = CreditFactory(remaining_credits=20).user_id

        def work(seed: int) -> None:
            chance = random.Random(seed)
            try:
                for _ in range(OPERATIONS):
                    operate(user_id, chance)
            finally:
                connection.close()

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(work, range(THREADS)))

        lines = CreditEntry.objects.filter(user_id=user_id)
        credit = Credit.objects.get(user_id=user_id)
        assert reconciliation.faults() == []
        assert lines.aggregate(sum=Sum("amount"))["sum"] == credit.remaining_credits >= 0
        assert lines.order_by("-id").first().balance_after == credit.remaining_credits
        assert set(Counter(lines.values_list("kind", "reference")).values()) == {1}
        assert lines.count() > REFERENCES
