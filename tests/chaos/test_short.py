"""The short form of `make chaos`."""

import pytest

from tests.chaos import run

# `make chaos` has the long form.
pytestmark = pytest.mark.slow


class TestChaos:
    def test_breaks_no_promise(self, rig, capsys):
        report = run.run(rig, seed=20261124, size=run.SHORT, say=print)

        assert report.is_good, f"\n{report}"
        assert report.accepted == run.SHORT.messages
        assert report.answered >= 0.9 * run.SHORT.messages, f"\n{report}"
