from pathlib import Path

import pytest

from config.embedded import paths
from tests.load import options
from tests.load.scenarios import SCENARIOS

_PAGES = ("tests/load/README.md", "documentation/performance.md")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--against", "HEAD"], "needs a scenario"),
        (["overload", "--against", "HEAD"], "needs --rate"),
        (["steady", "--against", "HEAD", "--rounds", "0"], "above 0"),
        (["steady", "--filled", "-1"], "--filled"),
        (["unknown"], "invalid choice"),
    ],
)
def test_command_that_makes_no_sense_is_refused(words, message, capsys):
    with pytest.raises(SystemExit):
        options.parse(words)
    assert message in capsys.readouterr().err


def test_arguments_are_the_scenarios_defaults_with_those_of_the_command_line():
    wanted = options.parse(["fair", "--count", "500", "--rate", "1"])

    assert options.arguments("fair", wanted) == {
        "count": 500, "flood_numbers": 10, "rate": 1.0, "seconds": 30.0,
    }  # fmt: skip


def test_every_argument_of_a_scenario_is_an_option():
    wanted = options.parse([])

    for name, scenario in SCENARIOS.items():
        assert options.arguments(name, wanted) == scenario.defaults


def test_overload_may_be_compared_at_a_given_rate():
    assert options.parse(["overload", "--against", "c4e98dc", "--rate", "100"]).rounds == 2


def test_file_of_figures_is_a_path():
    assert options.parse(["steady", "--json", "figures.json"]).json == Path("figures.json")


@pytest.mark.parametrize("page", _PAGES)
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_is_described(name, page):
    assert f"`{name}`" in (paths.PROJECT / page).read_text()


def test_business_that_floods_owns_all_its_numbers_and_others_one_each():
    owners = SCENARIOS["fair"].owners({"flood_numbers": 3})

    assert owners[:3] == [0, 0, 0]
    assert len(set(owners[3:])) == len(owners[3:]) == 20
    assert 0 not in owners[3:]
