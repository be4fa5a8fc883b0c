"""One send in the middle of a talk goes wrong: it is posted once, and is free only where it surely failed."""

import pytest

from tests.chaos.stage import ENVIRONMENT

pytestmark = pytest.mark.long


@pytest.fixture
def line(stage):
    stage.set()
    stage.rig.simulator.behave(statuses=False)
    return stage.line()


class TestSend:
    @pytest.mark.parametrize("code", [100, 190, 131047, 131056])
    def test_that_is_refused_fails_and_costs_nothing_d14(self, stage, line, code):
        stage.rig.simulator.behave(graph={"script": [{"match": "<0-0-1>", "code": code}]})

        [_, second, _] = line.talk(3)

        assert line.check().fates == {"answered": 2, "undelivered": 1}
        [delivery] = line.deliveries(second)
        assert delivery["error"].startswith(f"{code}:")
        assert line.posts(second) == 1
        assert line.lines(second) == [("charge", -1), ("refund", 1)]

    @pytest.mark.parametrize(
        "step", [{"status": 500}, {"drop": True}, {"drop_after_accept": True}], ids=["500", "drop", "accept"]
    )
    def test_of_which_nobody_knows_is_not_repeated_and_keeps_its_charge_d13(self, stage, line, step):
        stage.rig.simulator.behave(graph={"script": [{"match": "<0-0-1>", **step}]})

        [_, second, _] = line.talk(3)

        assert line.check().fates == {"answered": 2, "unknown": 1}
        assert line.posts(second) == 1
        assert line.lines(second) == [("charge", -1)]

    def test_to_a_host_that_takes_no_connection_fails_at_once_d12(self, stage, line):
        line.talk(1)
        stage.rig.have("worker", **ENVIRONMENT, WHATSAPP_API_BASE_URL="http://127.0.0.1:1/v25.0")

        [second] = line.talk(1)
        stage.set()
        line.talk(1)

        assert line.check().fates == {"answered": 2, "undelivered": 1}
        assert line.posts(second) == 0
        assert line.lines(second) == [("charge", -1), ("refund", 1)]
