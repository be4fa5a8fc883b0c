"""The alert rules, the dashboard and the runbooks they lead to. Tests of `deploy/monitoring/`."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

from config.lib import metrics
from config.monitoring import process, service_state
from tests.rig import PROJECT

FOLDER = PROJECT / "deploy" / "monitoring"
RUNBOOKS = PROJECT / "documentation" / "operations" / "runbooks"
RULES = [
    rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]
TESTS = yaml.safe_load((FOLDER / "alerts_test.yml").read_text())["tests"]
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
_NAME = re.compile(r"\bagents_[a-z0-9_]+")
_SUFFIX = re.compile(r"_(bucket|count|sum|total|info)$")


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        assert os.environ.get("PROMTOOL_TESTS") != "required", "promtool is not installed"
        pytest.skip("promtool is not installed: it comes with Debian's package prometheus")
    return found


def run(promtool: str, *arguments: str) -> str:
    done = subprocess.run(
        [promtool, *arguments], cwd=FOLDER, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def queries() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]


@pytest.fixture
def known(db, valkey) -> set[str]:
    """The names of all metrics there are."""
    registry = CollectorRegistry()
    registry.register(service_state.ServiceCollector())
    found: list[Metric] = [*metrics.REGISTRY.collect(), *registry.collect(), *process.Connections().collect()]
    return {family.name for family in found} | {"agents_process"}


class TestRules:
    def test_are_accepted_by_prometheus(self, promtool):
        run(promtool, "check", "rules", "alerts.yml")

    def test_fire_where_they_should_and_only_there(self, promtool):
        run(promtool, "test", "rules", "alerts_test.yml")

    def test_are_all_tested(self):
        assert {rule["alert"] for rule in RULES} == {test["name"] for test in TESTS} - {"A service at rest"}

    @pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
    def test_say_how_urgent_it_is_and_lead_to_a_runbook(self, rule):
        page = RUNBOOKS / rule["annotations"]["runbook"]

        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["alert"] in page.read_text()

    def test_configuration_of_prometheus_is_accepted(self, promtool):
        run(promtool, "check", "config", "prometheus.yml")


class TestRunbooks:
    @pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: page.stem)
    def test_name_only_alerts_that_exist(self, page: Path):
        named = set(re.findall(r"^\*\*Alerts:\*\* (.*)$", page.read_text(), re.MULTILINE))
        alerts = {name for line in named for name in re.findall(r"`(\w+)`", line)}

        assert alerts <= {rule["alert"] for rule in RULES}


class TestNames:
    def test_of_rules_and_dashboard_are_those_of_metrics(self, known):
        written = {name for text in [*queries(), *(rule["expr"] for rule in RULES)]
                   for name in _NAME.findall(text)}  # fmt: skip

        unknown = {name for name in written if name not in known and _SUFFIX.sub("", name) not in known}

        # It has a value only while a number is refused.
        assert unknown <= {"agents_numbers_with_errors"}

    def test_of_metrics_are_all_on_the_dashboard(self, known):
        written = {name for text in queries() for name in _NAME.findall(text)}

        assert {name for name in known if not any(word.startswith(name) for word in written)} == set()
