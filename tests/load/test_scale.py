import pytest

from config.embedded.errors import StartError
from tests.load import scale
from tests.load.scale import PinnedTree
from tests.load.tree import PRESENT


def test_cores_are_split_for_one_worker_two_and_three():
    assert scale.splits_of([0, 1, 2, 3, 4]) == [
        ((4,), (0, 1, 2, 3)),
        ((3, 4), (0, 1, 2)),
        ((2, 3, 4), (0, 1)),
    ]


def test_two_cores_leave_room_for_one_worker():
    assert scale.splits_of([0, 1]) == [((1,), (0,))]


def test_single_core_is_refused():
    with pytest.raises(StartError, match="two cores"):
        scale.splits_of([0])


def test_each_worker_is_bound_to_its_core_and_nothing_else_is():
    commands = PinnedTree(PRESENT.name, PRESENT.root, PRESENT.binaries, worker_cores=(2, 3)).commands()

    bound = {name: command[:3] for name, command in commands.items() if command[0] == "taskset"}
    assert bound == {
        "worker-1": ["taskset", "--cpu-list", "2"],
        "worker-2": ["taskset", "--cpu-list", "3"],
    }
    assert commands.keys() - bound.keys() == PRESENT.commands().keys() - {"worker-1", "worker-2"}


def test_table_shows_the_ratio_to_one_worker():
    table = scale.as_markdown(
        [
            {"workers": 1, "other_cores": (0, 1), "rate_held": 100.0},
            {"workers": 2, "other_cores": (0,), "rate_held": 180.0},
        ]
    )

    assert table.splitlines()[-1] == "| 2 | 1 | 180 | 1.80 |"
