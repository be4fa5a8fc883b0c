"""Metrics of a process, and how rooms measure. Tests of `config/lib/metrics.py`."""

import asyncio

import pytest
import structlog

from config.lib import event_loop, metrics
from config.lib.breaker import Breaker
from config.lib.errors import RejectedError


def value(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(f"agents_{name}", labels) or 0


class TestLimited:
    def test_value_that_is_a_code_stays(self):
        assert metrics.limited("test.codes", "rate_limit_exceeded") == "rate_limit_exceeded"

    @pytest.mark.parametrize("text", ["", "two words", "x" * 51, "+12025550100 wrote: hello", "é"])
    def test_text_is_no_value_of_a_label(self, text):
        assert metrics.limited("test.texts", text) == metrics.OTHER

    def test_values_beyond_the_limit_count_together(self):
        found = {metrics.limited("test.many", f"code_{n}") for n in range(metrics.MOST_VALUES + 50)}

        assert len(found) == metrics.MOST_VALUES + 1
        assert metrics.limited("test.many", "code_0") == "code_0"


class TestTimed:
    def test_request_that_succeeds_is_measured(self):
        before = value("model_call_seconds_count", operation="test_ok", outcome="ok")

        with metrics.timed(metrics.MODEL_CALLS, metrics.MODEL_ERRORS, "test_ok"):
            pass

        assert value("model_call_seconds_count", operation="test_ok", outcome="ok") == before + 1

    def test_request_that_fails_is_measured_and_its_code_counted(self):
        with (
            pytest.raises(RejectedError),
            metrics.timed(metrics.MODEL_CALLS, metrics.MODEL_ERRORS, "test_failing"),
        ):
            raise RejectedError("refused", code="model_not_found")

        assert value("model_call_seconds_count", operation="test_failing", outcome="error") == 1
        assert value("model_errors_total", operation="test_failing", code="model_not_found") == 1

    def test_error_without_a_code_counts_by_its_class(self):
        with pytest.raises(KeyError), metrics.timed(metrics.GRAPH_CALLS, metrics.GRAPH_ERRORS, "test"):
            raise KeyError

        assert value("graph_errors_total", operation="test", code="KeyError") == 1


class TestLog:
    def test_lines_at_warning_and_above_are_counted_by_event(self):
        log = structlog.get_logger("test")

        log.info("metrics_test.event")
        log.warning("metrics_test.event")
        log.error("metrics_test.event")
        log.error("metrics_test.event")

        assert value("log_events_total", level="info", event="metrics_test.event") == 0
        assert value("log_events_total", level="warning", event="metrics_test.event") == 1
        assert value("log_events_total", level="error", event="metrics_test.event") == 2


class TestBreaker:
    def test_breaker_says_that_it_is_open(self):
        breaker = Breaker("test-metrics", failures=1)
        assert value("breaker_open", breaker="test-metrics") == 0

        breaker.failed()

        assert value("breaker_open", breaker="test-metrics") == 1


class TestEventLoop:
    def test_lag_of_the_loop_is_measured(self):
        before = value("event_loop_lag_seconds_count", loop="vendors")

        async def wait() -> None:
            while value("event_loop_lag_seconds_count", loop="vendors") == before:
                await asyncio.sleep(0.05)

        event_loop.run(asyncio.wait_for(wait(), 60))

        assert value("event_loop_lag_seconds_count", loop="vendors") > before
