import pytest

from tests.load import comparison
from tests.load.comparison import Ratio

_ROUNDS = [
    ({"added p50, ms": 100.0, "CPU of worker, ms a message": 8.0}, {"added p50, ms": 50.0, "new": 1.0}),
    ({"added p50, ms": 400.0, "CPU of worker, ms a message": 9.0}, {"added p50, ms": 100.0, "new": 3.0}),
    ({"added p50, ms": 200.0, "CPU of worker, ms a message": 7.0}, {"added p50, ms": 200.0, "new": 2.0}),
]


def test_ratio_is_the_median_of_the_rounds_and_not_of_all_values():
    [ratio, *_] = comparison.compare(_ROUNDS)

    assert ratio == Ratio("added p50, ms", base=200.0, present=100.0, ratio=0.5, lowest=0.25, highest=1.0)


def test_figure_that_one_revision_lacks_has_no_ratio():
    by_name = {each.name: each for each in comparison.compare(_ROUNDS)}

    assert by_name["CPU of worker, ms a message"] == Ratio(
        "CPU of worker, ms a message", base=8.0, present=None, ratio=None, lowest=None, highest=None
    )
    assert by_name["new"].present == 2.0


def test_figure_that_is_zero_in_the_other_revision_has_no_ratio():
    [ratio] = comparison.compare([({"rate held, messages/s": 0.0}, {"rate held, messages/s": 100.0})])

    assert ratio.ratio is None


def test_ratios_are_printed_with_both_medians_and_the_range_of_the_rounds():
    [_, line, *_] = comparison.table(comparison.compare(_ROUNDS), "c4e98dc").splitlines()

    assert line.split() == ["added", "p50,", "ms", "200", "100", "0.500", "0.250", "to", "1.00"]


def test_ratios_as_markdown_name_the_revision():
    lines = comparison.as_markdown(comparison.compare(_ROUNDS), "c4e98dc").splitlines()

    assert lines[:3] == [
        "|  | `c4e98dc` | present | ratio | of the rounds |",
        "| --- | --- | --- | --- | --- |",
        "| added p50, ms | 200 | 100 | 0.500 | 0.250 to 1.00 |",
    ]


@pytest.mark.parametrize(("is_right", "expected"), [(True, False), (False, True)])
def test_rounds_with_a_wrong_run_are_not_comparable(is_right, expected):
    right = {"tree": "c4e98dc", "others_share": 0.02, "is_right": True, "faults": {}}
    other = {"tree": "present", "others_share": 0.4, "is_right": is_right, "faults": {"lost": 1}}

    text = comparison.conditions([(right, other)])

    assert "2%, 40%" in text
    assert "too much" in text
    assert ("NOT COMPARABLE" in text) is expected
