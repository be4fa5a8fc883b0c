"""OpenAI answers after its answer was given up: what then stands in its conversation is no other turn's."""

import time

import pytest

from tests.chaos.stage import ENVIRONMENT
from tests.rig import wait_until

IMPATIENT = ENVIRONMENT | {"OPENAI_TIMEOUT": "3000", "OPENAI_MAX_RETRIES": "1"}

# Minutes of restarts: `make chaos` runs them.
pytestmark = pytest.mark.slow


@pytest.fixture
def line(stage):
    """A line whose first message got the fallback, while OpenAI's answer to it came a moment later."""
    stage.set()
    line = stage.line()
    stage.rig.have("worker", **IMPATIENT)
    stage.rig.simulator.behave(openai={"script": [{"match": "<0-0-0>", "delay": 9}]})
    line.talk(1)
    assert line.report().fates == {"fallback": 1}
    wait_until(
        lambda: [
            request
            for request in stage.rig.simulator.requests(
                api="openai", path="/v1/responses", contains="<0-0-0>"
            )
            if request["status"] == 200
        ],
        what="the late answer",
    )
    return line


class TestLateAnswer:
    def test_is_not_taken_for_the_next_turns_when_that_is_asked_again(self, stage, line):
        stage.rig.have("worker", **ENVIRONMENT)
        stage.rig.simulator.behave(openai={"script": [{"match": "<0-0-1>", "status": 500}]})

        line.talk(2)

        assert line.check().fates == {"fallback": 1, "answered": 2}

    def test_is_not_taken_for_the_next_turns_when_its_holder_dies(self, stage, line):
        stage.rig.have("worker", **IMPATIENT, FAILPOINTS=f"P7=kill@1~{line.number}")

        with stage.supervised("worker") as deaths:
            line.write()
            wait_until(lambda: deaths, what="the death")
            time.sleep(0.1)
            line.talk(1)

        assert line.check().fates == {"fallback": 1, "answered": 2}
