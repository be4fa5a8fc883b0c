"""The HTTP server that shows a process's metrics. Tests of `config/monitoring/server.py` and `process.py`."""

import socket

import pytest
import requests
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from config.lib import heartbeat, metrics
from config.monitoring import process, server

OPENMETRICS = {"accept": "application/openmetrics-text; version=1.0.0"}


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def address(free_port) -> str:
    return f"http://127.0.0.1:{server.start(host='127.0.0.1', first_port=free_port)}"


class TestMetricsPage:
    def test_is_openmetrics_if_the_reader_wants_it(self, address):
        metrics.WEBHOOKS.labels("test", "stored").inc()

        answer = requests.get(f"{address}/metrics", headers=OPENMETRICS, timeout=30)

        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        families = {family.name: family for family in text_string_to_metric_families(answer.text)}
        assert {
            "agents_webhooks",
            "agents_model_call_seconds",
            "agents_claim_wait_seconds",
        } <= families.keys()
        assert answer.text.endswith("# EOF\n")

    def test_is_plain_text_for_other_readers(self, address):
        answer = requests.get(f"{address}/metrics", timeout=30)

        assert answer.headers["content-type"].startswith("text/plain")
        assert "# TYPE agents_turn_seconds histogram" in answer.text

    def test_liveness_is_answered_in_every_role(self, address):
        assert requests.get(f"{address}/health/live", timeout=30).json() == {"status": "ok"}

    def test_other_paths_are_not_found(self, address):
        assert requests.get(f"{address}/users", timeout=30).status_code == 404

    def test_only_reading_is_allowed(self, address):
        assert requests.post(f"{address}/metrics", timeout=30).status_code == 501


class TestPorts:
    def test_next_free_port_is_taken_for_each_process(self, free_port):
        first = server.start(host="127.0.0.1", first_port=free_port)
        second = server.start(host="127.0.0.1", first_port=free_port)

        assert first != second
        assert first in range(free_port, free_port + server.MOST_PROCESSES)
        assert second in range(free_port, free_port + server.MOST_PROCESSES)

    def test_process_goes_on_without_a_port(self):
        assert server.start(host="203.0.113.1", first_port=9400) is None


class TestTargets:
    def test_name_every_running_process_that_shows_metrics(self, address, transactional_db, monkeypatch):
        monkeypatch.setattr(heartbeat, "metrics_address", "127.0.0.1:9401")
        heartbeat.beat("worker")

        found = requests.get(f"{address}/targets", timeout=30).json()

        assert found == [{"targets": ["127.0.0.1:9401"], "labels": {"role": "worker"}}]

    def test_leave_out_processes_without_metrics(self, address, transactional_db):
        heartbeat.beat("worker")

        assert requests.get(f"{address}/targets", timeout=30).json() == []


class TestProcess:
    def test_shows_nothing_unless_a_port_is_set(self, settings, monkeypatch):
        monkeypatch.setattr(heartbeat, "metrics_address", "")
        settings.METRICS_PORT = 0

        process.serve("worker")

        assert heartbeat.metrics_address == ""

    @pytest.mark.parametrize(
        ("host", "reachable"),
        [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", socket.gethostname()), ("::1", "[::1]")],
    )
    def test_address_that_others_reach_is_named(self, host, reachable):
        assert process.reachable(host) == reachable
