"""Many turns that one balance cannot pay for, and a customer who writes faster than anybody can answer."""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from tests.chaos.stage import ENVIRONMENT

pytestmark = pytest.mark.long


class TestMoney:
    def test_for_ten_replies_pays_for_exactly_ten_of_fifty_that_come_at_once(self, stage):
        stage.set("worker2")
        stage.rig.simulator.behave(openai={"latency": {"mean": 0.5, "spread": 0.2}})
        line = stage.line(credits=10)

        with ThreadPoolExecutor(25) as pool:
            list(pool.map(lambda customer: line.write(customer=customer), range(50)))
        report = line.check()

        assert report.fates == {"answered": 10, "rejected": 40}
        assert len(line.business.replies()) == 10
        assert line.business.balance() == 0
        balances = stage.rig.rows(
            "SELECT balance_after FROM credit_entries WHERE user_id = %s ORDER BY id", line.business.user_id
        )
        assert [row["balance_after"] for row in balances] == list(range(10, -1, -1))

    def test_that_comes_back_pays_for_the_next(self, stage):
        stage.set()
        stage.rig.simulator.behave(openai={"script": [{"match": "<0-0-0>", "status": 400}]})
        line = stage.line(credits=1)

        line.talk(3)

        assert line.check().fates == {"fallback": 1, "answered": 1, "rejected": 1}
        assert line.business.balance() == 0


def _gaps(line) -> list[float]:
    """Return how many seconds there were between messages, as they arrived."""
    rows = line.rig.rows(
        "SELECT received_at FROM inbound_messages WHERE phone_number_id = %s ORDER BY id", line.number
    )
    return [(b["received_at"] - a["received_at"]).total_seconds() for a, b in pairwise(rows)]


class TestBurst:
    def test_of_twenty_messages_in_six_seconds_gets_three_replies_at_most(self, stage):
        stage.set("worker2")
        stage.rig.have("webhook", **ENVIRONMENT, REPLY_DEBOUNCE="1500")
        stage.rig.simulator.behave(openai={"latency": {"mean": 1, "spread": 0.3}})
        line = stage.line()

        for _ in range(20):
            line.write()
            time.sleep(0.3)
        report = line.check()

        assert report.fates == {"answered": 20}
        replies = line.business.replies()
        # On a slow machine the burst is longer, and has pauses in which a reply is due.
        pauses = sum(gap > 1.4 for gap in _gaps(line))
        assert 1 <= len(replies) <= 3 + pauses + sum(_gaps(line)) // 8
        assert line.business.balance() == 1000 - len(replies)

    def test_of_twenty_customers_at_once_costs_each_one_reply(self, stage):
        stage.set("worker2")
        stage.rig.have("webhook", **ENVIRONMENT, REPLY_DEBOUNCE="8000", REPLY_DEBOUNCE_MAX="60000")
        line = stage.line()

        with ThreadPoolExecutor(20) as pool:
            list(pool.map(lambda customer: line.write(4, customer=customer), range(20)))
        report = line.check()

        assert report.fates == {"answered": 80}
        assert len(line.business.replies()) == 20
        assert line.business.balance() == 980
